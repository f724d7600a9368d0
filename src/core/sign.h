/* sign.h - the v2 signature over a bag of fields: MD5 and HMAC-SHA256.
 *
 * Source: protocol dossier, section 2. Threads: any.
 */
#ifndef WXPAY_SIGN_H
#define WXPAY_SIGN_H

#include "error.h"
#include "fields.h"
#include "secret.h"

typedef enum wxpay_sign_e { WXPAY_SIGN_MD5 = 1, WXPAY_SIGN_HMAC_SHA256 = 2 } wxpay_sign_e;

#define WXPAY_SIGN_SIZE 65 /* 64 hex digits and a NUL */

/* "MD5" or "HMAC-SHA256". */
const char *wxpay_sign_name(wxpay_sign_e type);
/* Exact names only; 0 if unknown. */
wxpay_sign_e wxpay_sign_by_name(const char *name);

/* Upper-case hex over every non-empty field but `sign`. An empty key is refused (WXPAY_EINPUT). */
wxpay_rc_e wxpay_sign_make(const wxpay_fields_t *fields, const wxpay_secret_t *key,
                           wxpay_sign_e type, char out[WXPAY_SIGN_SIZE], wxpay_error_t *err);

/* Verify the bag's own `sign`: length decides the type (32: MD5, 64: HMAC-SHA256), a sign_type
 * field must agree, only the types in `allowed` (a bit set of wxpay_sign_e) are taken. Upper-case
 * hex digits only, compared in constant time. On success *used is the type.
 * Errors: WXPAY_ESIGN. */
wxpay_rc_e wxpay_sign_verify(const wxpay_fields_t *fields, const wxpay_secret_t *key,
                             unsigned allowed, wxpay_sign_e *used, wxpay_error_t *err);

#endif
