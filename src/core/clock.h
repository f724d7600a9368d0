/* clock.h - time: UTC apr_time_t inside, Beijing time (UTC+8, no DST) only on the v2 wire,
 * RFC 3339 in JSON.
 *
 * Source: protocol dossier, section 3 (times); RFC 3339.
 */
#ifndef WXPAY_CLOCK_H
#define WXPAY_CLOCK_H

#include <apr_pools.h>
#include <apr_time.h>
#include "error.h"

#define WXPAY_BEIJING_SIZE 15 /* yyyyMMddHHmmss and a NUL */
#define WXPAY_RFC3339_SIZE 21 /* 2026-11-24T03:05:00Z and a NUL */

void wxpay_clock_beijing(apr_time_t t, char out[WXPAY_BEIJING_SIZE]);
/* Strict: 14 digits, a real date, years 2000-2199. Errors: WXPAY_EINPUT. */
wxpay_rc_e wxpay_clock_parse_beijing(const char *text, apr_size_t len, apr_time_t *t,
                                     wxpay_error_t *err);

void wxpay_clock_rfc3339(apr_time_t t, char out[WXPAY_RFC3339_SIZE]); /* UTC, seconds */
/* Full date-time with 'Z' or an offset, years 2000-2199; fractions are cut, a leap second is
 * refused. Errors: WXPAY_EINPUT. */
wxpay_rc_e wxpay_clock_parse_rfc3339(const char *text, apr_size_t len, apr_time_t *t,
                                     wxpay_error_t *err);

#endif
