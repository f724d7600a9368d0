/* crypt.h - the few primitives we need from OpenSSL, fetched once per process.
 *
 * Threads: all functions may be called from any thread. Nothing here tears OpenSSL down.
 * Errors: WXPAY_EINTERNAL when OpenSSL refuses; others as said.
 */
#ifndef WXPAY_CRYPT_H
#define WXPAY_CRYPT_H

#include <apr_pools.h>
#include "error.h"

#define WXPAY_MD5_LEN 16
#define WXPAY_SHA256_LEN 32

/* A message in pieces, so that nobody has to join them (and a key) in memory first. */
typedef struct wxpay_crypt_part_t {
    const void *data;
    apr_size_t len;
} wxpay_crypt_part_t;

wxpay_rc_e wxpay_crypt_md5_parts(const wxpay_crypt_part_t *parts, int count,
                                 unsigned char out[WXPAY_MD5_LEN], wxpay_error_t *err);
wxpay_rc_e wxpay_crypt_hmac_sha256_parts(const void *key, apr_size_t key_len,
                                         const wxpay_crypt_part_t *parts, int count,
                                         unsigned char out[WXPAY_SHA256_LEN], wxpay_error_t *err);

wxpay_rc_e wxpay_crypt_md5(const void *data, apr_size_t len, unsigned char out[WXPAY_MD5_LEN],
                           wxpay_error_t *err);
wxpay_rc_e wxpay_crypt_hmac_sha256(const void *key, apr_size_t key_len, const void *data,
                                   apr_size_t len, unsigned char out[WXPAY_SHA256_LEN],
                                   wxpay_error_t *err);
/* RFC 5869 with SHA-256, no salt. */
wxpay_rc_e wxpay_crypt_hkdf_sha256(const void *key, apr_size_t key_len, const char *info,
                                   unsigned char *out, apr_size_t out_len, wxpay_error_t *err);
wxpay_rc_e wxpay_crypt_random(void *out, apr_size_t len, wxpay_error_t *err);

/* AES-256-ECB with PKCS#7, as in refund notifications (protocol dossier, section 11). The padding
 * is checked in full. Errors: WXPAY_EPARSE for anything that does not decrypt. out is pool memory,
 * NUL-terminated. */
wxpay_rc_e wxpay_crypt_aes256_ecb_decrypt(apr_pool_t *pool, const unsigned char key[32],
                                          const void *data, apr_size_t len, char **out,
                                          apr_size_t *out_len, wxpay_error_t *err);

/* Strict base64 (RFC 4648), white space allowed. Errors: WXPAY_EPARSE. */
wxpay_rc_e wxpay_crypt_base64_decode(apr_pool_t *pool, const char *text, apr_size_t len,
                                     unsigned char **out, apr_size_t *out_len, wxpay_error_t *err);
/* base64 with padding, and a NUL, into out. */
#define WXPAY_BASE64_SIZE(len) (((len) + 2) / 3 * 4 + 1)
void wxpay_crypt_base64(const void *data, apr_size_t len, char *out);
/* base64url without padding. */
const char *wxpay_crypt_base64url(apr_pool_t *pool, const void *data, apr_size_t len);

/* out holds 2*len+1 bytes. */
void wxpay_crypt_hex(const unsigned char *data, apr_size_t len, int upper, char *out);

#endif
