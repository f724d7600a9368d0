/* link.h - signed links: an order in a URL that only the site can have written.
 *
 * The link signs itself, so there is nothing to canonicalise: sign is the lower-case hexadecimal
 * HMAC-SHA256 of the absolute URL, byte for byte as it is sent, up to "&sign=". What follows sign
 * is ignored: WeChat and others append parameters to links that are passed on.
 * Threads: pure functions.
 * Source: design 3.2.
 */
#ifndef WXPAY_LINK_H
#define WXPAY_LINK_H

#include <apr_pools.h>
#include <apr_time.h>
#include "error.h"
#include "fields.h"
#include "secret.h"

#define WXPAY_LINK_MAX 8192 /* bytes of the signed part */
#define WXPAY_LINK_AHEAD apr_time_from_sec(366 * 24 * 3600)

/* uri: path and query as they were received. base: scheme://host[:port] of this site. previous may
 * be NULL. *fields are the order's facts (all parameters but expires), in pool, unjudged.
 * Errors: WXPAY_ESIGN (not signed, or by another key or for another URL: nothing in it may be
 * believed), WXPAY_EMISMATCH (signed, but its time is over), WXPAY_EPARSE (signed, but malformed or
 * a name twice), WXPAY_EINPUT with field "expires" (signed, but expires is missing, no number, or
 * more than a year ahead). */
wxpay_rc_e wxpay_link_read(const char *base, const char *uri, const wxpay_secret_t *current,
                           const wxpay_secret_t *previous, apr_time_t now, apr_pool_t *pool,
                           wxpay_fields_t **fields, wxpay_error_t *err);

#endif
