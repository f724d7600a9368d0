/* verified.h - a delivery that was let in, as the site's script sees it: its facts in the
 * environment, its body to be read again.
 * Threads: one request, one thread. Source: design 3.4.
 */
#ifndef MOD_WXPAY_VERIFIED_H
#define MOD_WXPAY_VERIFIED_H

#include <httpd.h>
#include <util_filter.h>
#include "delivery.h"

/* In the first request's pool. */
typedef struct mod_wxpay_verified_t {
    const char *id; /* of the event */
    wxpay_delivery_t delivery;
    const char *body;
    apr_size_t len;
} mod_wxpay_verified_t;

/* Makes r's WXPAY_* variables those of verified (NULL: none at all), whoever has set some. Only
 * order.paid sets WXPAY_PAID and the facts' plain names; other types have WXPAY_EVENT_*, so that
 * they cannot be mistaken for a payment. */
void mod_wxpay_verified_environment(request_rec *r, const mod_wxpay_verified_t *verified);

#define MOD_WXPAY_VERIFIED_FILTER "WXPAY_DELIVERY"
/* Behind every filter of the site, in front of what reads requests from the network. */
#define MOD_WXPAY_VERIFIED_FTYPE ((ap_filter_type)(AP_FTYPE_PROTOCOL - 1))

/* The body shall be read (again) by r. */
void mod_wxpay_verified_offer(request_rec *r, const mod_wxpay_verified_t *verified);
/* The filter that does it. */
apr_status_t mod_wxpay_verified_read(ap_filter_t *f, apr_bucket_brigade *bb, ap_input_mode_t mode,
                                     apr_read_type_e block, apr_off_t readbytes);

#endif
