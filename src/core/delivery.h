/* delivery.h - Standard Webhooks: signing what is told to the site's application, and verifying it
 * where it arrives. Pure functions.
 *
 * The signed text is "<id>.<timestamp>.<body>", the signature "v1,<base64 HMAC-SHA256>"; several
 * signatures are separated by a space (both keys sign while they change over).
 * Source: design 3.4; the Standard Webhooks specification 1.0.
 */
#ifndef WXPAY_DELIVERY_H
#define WXPAY_DELIVERY_H

#include <apr_pools.h>
#include <apr_time.h>
#include "error.h"
#include "secret.h"
#include "target.h"

#define WXPAY_DELIVERY_MAX 65536                           /* bytes of a body */
#define WXPAY_DELIVERY_TOLERANCE apr_time_from_sec(5 * 60) /* age, and clocks that go ahead */

/* "whsec_" and the base64 of 24 to 64 bytes -> those bytes, in pool. Errors: WXPAY_EINPUT. */
wxpay_rc_e wxpay_delivery_key(apr_pool_t *pool, const char *text, apr_size_t len,
                              const wxpay_secret_t **key, wxpay_error_t *err);

/* The value of webhook-signature for a try made at `timestamp` (seconds since 1970), in pool.
 * previous may be NULL. Errors: WXPAY_EINTERNAL. */
wxpay_rc_e wxpay_delivery_sign(apr_pool_t *pool, const wxpay_secret_t *key,
                               const wxpay_secret_t *previous, const char *id,
                               apr_int64_t timestamp, const char *body, apr_size_t len,
                               const char **signature, wxpay_error_t *err);

/* The three headers as received; each may be NULL. */
typedef struct wxpay_delivery_headers_t {
    const char *id;
    const char *timestamp;
    const char *signature;
} wxpay_delivery_headers_t;

/* 1 in the sender's words: signed with one of the keys, and not older or newer than the tolerance.
 * The text of *err says which of it failed, for the log. Errors: WXPAY_EPARSE (a header is missing
 * or malformed), WXPAY_ESIGN, WXPAY_EMISMATCH (authentic, but its time is over), WXPAY_EINTERNAL.
 */
wxpay_rc_e wxpay_delivery_verify(const wxpay_secret_t *key, const wxpay_secret_t *previous,
                                 const wxpay_delivery_headers_t *headers, const char *body,
                                 apr_size_t len, apr_time_t now, wxpay_error_t *err);

/* What a verified body says. Strings in pool; NULL: absent (an attach with control characters is
 * left out, as it could not be a variable). */
typedef struct wxpay_delivery_t {
    wxpay_event_e type;
    const char *out_trade_no;
    const char *transaction_id;
    const char *total_fee; /* fen, in decimal */
    const char *fee_type;
    const char *openid;
    const char *attach;
    const char *time_end; /* RFC 3339, UTC */
    const char *trade_type;
} wxpay_delivery_t;

/* Errors: WXPAY_EPARSE (not our JSON, an unknown type, a NUL or control character in a fact). */
wxpay_rc_e wxpay_delivery_read(apr_pool_t *pool, const char *body, apr_size_t len,
                               wxpay_delivery_t *delivery, wxpay_error_t *err);

#endif
