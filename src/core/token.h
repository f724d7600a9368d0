/* token.h - keys nobody configures and the unguessable names and tokens made with them.
 *
 * Keys are derived by HKDF-SHA256 from the state secret, one label each, bound to the site, so that
 * a token of one use or site is worth nothing in another. Source: design 3.1 (end), RFC 5869.
 */
#ifndef WXPAY_TOKEN_H
#define WXPAY_TOKEN_H

#include <apr_pools.h>
#include <apr_time.h>
#include "error.h"
#include "secret.h"

#define WXPAY_PAY_ID_LEN 22 /* 128 bits in base64url without padding */
#define WXPAY_CSRF_TTL apr_time_from_sec(24 * 3600)

/* 32 derived bytes in pool; info = "mod_wxpay " + label + newline + site.
 * Errors: WXPAY_EINTERNAL. */
wxpay_rc_e wxpay_token_derive(apr_pool_t *pool, const wxpay_secret_t *state_secret,
                              const char *label, const char *site, wxpay_secret_t **key,
                              wxpay_error_t *err);

/* 128 random bits. Errors: WXPAY_EINTERNAL. */
wxpay_rc_e wxpay_token_pay_id(apr_pool_t *pool, const char **pay_id, wxpay_error_t *err);
/* Exactly 22 base64url characters in canonical form (unused bits zero). */
int wxpay_token_is_pay_id(const char *text, apr_size_t len);
/* 128 random bits in base64url: lease owners, nonces, event ids. */
wxpay_rc_e wxpay_token_random(apr_pool_t *pool, const char **text, wxpay_error_t *err);
/* size - 1 random characters of alphabet (at most 256 of them, each as likely) and a NUL.
 * Errors: WXPAY_EINTERNAL. */
wxpay_rc_e wxpay_token_chars(const char *alphabet, char *out, apr_size_t size, wxpay_error_t *err);
/* 32 random [0-9a-zA-Z]: nonce_str. */
wxpay_rc_e wxpay_token_nonce_str(char out[33], wxpay_error_t *err);

/* The page's CSRF token: the time and HMAC-SHA256(key, time + pay_id), in hex. Says that we served
 * the page of this pay_id at most WXPAY_CSRF_TTL ago (or, where hosts share a key and their clocks
 * differ, up to 5 minutes in the future). */
wxpay_rc_e wxpay_token_csrf_make(apr_pool_t *pool, const wxpay_secret_t *key, const char *pay_id,
                                 apr_time_t now, const char **token, wxpay_error_t *err);
int wxpay_token_csrf_check(const wxpay_secret_t *key, const char *pay_id, const char *token,
                           apr_time_t now);

/* The buyer's cookie: "<until, 16 hex digits of seconds><HMAC-SHA256(key, until + openid), 64 hex
 * digits><openid>", the openid of [0-9A-Za-z_-]. Says that WeChat told us whose browser this is.
 * Returns the openid (in cookie), or NULL: forged, malformed or over. */
const char *wxpay_token_buyer(const wxpay_secret_t *key, const char *cookie, apr_time_t now);

#endif
