/* crypt.c - digests, HMAC, HKDF, random bytes. */
#include "crypt.h"

#include <limits.h>
#include <pthread.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>

#include "crypt_int.h"

#define STEP "crypt"

/* Written once, under pthread_once; const afterwards. Never freed: OpenSSL is shared with the
 * whole process and other modules may still use the same provider at exit. */
static wxpay_crypt_algorithms_t algorithms;
static pthread_once_t fetched = PTHREAD_ONCE_INIT;

static void fetch(void)
{
    algorithms.md5 = EVP_MD_fetch(NULL, "MD5", NULL);
    algorithms.hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    algorithms.hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    algorithms.aes_256_ecb = EVP_CIPHER_fetch(NULL, "AES-256-ECB", NULL);
}

const wxpay_crypt_algorithms_t *wxpay_crypt_algorithms(void)
{
    pthread_once(&fetched, fetch);
    return &algorithms;
}

wxpay_rc_e wxpay_crypt_md5_parts(const wxpay_crypt_part_t *parts, int count,
                                 unsigned char out[WXPAY_MD5_LEN], wxpay_error_t *err)
{
    const wxpay_crypt_algorithms_t *known = wxpay_crypt_algorithms();
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int i, ok;

    ok = ctx && known->md5 && EVP_DigestInit_ex2(ctx, known->md5, NULL);
    for (i = 0; ok && i < count; i++) {
        ok = EVP_DigestUpdate(ctx, parts[i].data, parts[i].len);
    }
    ok = ok && EVP_DigestFinal_ex(ctx, out, NULL);
    EVP_MD_CTX_free(ctx);
    if (!ok) {
        return wxpay_error_set(err, WXPAY_EINTERNAL, STEP, "OpenSSL refuses MD5");
    }
    return WXPAY_OK;
}

wxpay_rc_e wxpay_crypt_hmac_sha256_parts(const void *key, apr_size_t key_len,
                                         const wxpay_crypt_part_t *parts, int count,
                                         unsigned char out[WXPAY_SHA256_LEN], wxpay_error_t *err)
{
    const wxpay_crypt_algorithms_t *known = wxpay_crypt_algorithms();
    EVP_MAC_CTX *ctx = known->hmac ? EVP_MAC_CTX_new(known->hmac) : NULL;
    OSSL_PARAM params[2];
    size_t out_len;
    int i, ok;

    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0);
    params[1] = OSSL_PARAM_construct_end();
    ok = ctx && EVP_MAC_init(ctx, key, key_len, params);
    for (i = 0; ok && i < count; i++) {
        ok = EVP_MAC_update(ctx, parts[i].data, parts[i].len);
    }
    ok = ok && EVP_MAC_final(ctx, out, &out_len, WXPAY_SHA256_LEN);
    EVP_MAC_CTX_free(ctx);
    if (!ok) {
        return wxpay_error_set(err, WXPAY_EINTERNAL, STEP, "OpenSSL refuses HMAC-SHA256");
    }
    return WXPAY_OK;
}

wxpay_rc_e wxpay_crypt_md5(const void *data, apr_size_t len, unsigned char out[WXPAY_MD5_LEN],
                           wxpay_error_t *err)
{
    const wxpay_crypt_part_t part = {data, len};

    return wxpay_crypt_md5_parts(&part, 1, out, err);
}

wxpay_rc_e wxpay_crypt_hmac_sha256(const void *key, apr_size_t key_len, const void *data,
                                   apr_size_t len, unsigned char out[WXPAY_SHA256_LEN],
                                   wxpay_error_t *err)
{
    const wxpay_crypt_part_t part = {data, len};

    return wxpay_crypt_hmac_sha256_parts(key, key_len, &part, 1, out, err);
}

wxpay_rc_e wxpay_crypt_hkdf_sha256(const void *key, apr_size_t key_len, const char *info,
                                   unsigned char *out, apr_size_t out_len, wxpay_error_t *err)
{
    const wxpay_crypt_algorithms_t *known = wxpay_crypt_algorithms();
    EVP_KDF_CTX *ctx = known->hkdf ? EVP_KDF_CTX_new(known->hkdf) : NULL;
    OSSL_PARAM params[4];
    int ok;

    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0);
    params[1] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)key, key_len);
    params[2] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info, strlen(info));
    params[3] = OSSL_PARAM_construct_end();
    ok = ctx && EVP_KDF_derive(ctx, out, out_len, params) > 0;
    EVP_KDF_CTX_free(ctx);
    if (!ok) {
        return wxpay_error_set(err, WXPAY_EINTERNAL, STEP, "OpenSSL refuses HKDF");
    }
    return WXPAY_OK;
}

wxpay_rc_e wxpay_crypt_random(void *out, apr_size_t len, wxpay_error_t *err)
{
    if (len > INT_MAX || RAND_bytes(out, (int)len) != 1) {
        return wxpay_error_set(err, WXPAY_EINTERNAL, STEP, "OpenSSL has no random bytes");
    }
    return WXPAY_OK;
}
