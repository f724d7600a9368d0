/* crypt_int.h - what the files of crypt share: algorithms fetched once per process. */
#ifndef WXPAY_CRYPT_INT_H
#define WXPAY_CRYPT_INT_H

#include <openssl/evp.h>
#include <openssl/kdf.h>

typedef struct wxpay_crypt_algorithms_t {
    EVP_MD *md5; /* each NULL where OpenSSL does not offer it (FIPS) */
    EVP_MAC *hmac;
    EVP_KDF *hkdf;
    EVP_CIPHER *aes_256_ecb;
} wxpay_crypt_algorithms_t;

/* Threads: any. Never NULL. */
const wxpay_crypt_algorithms_t *wxpay_crypt_algorithms(void);

#endif
