/* crypt_text.c - bytes as text, and the encrypted text of refund notifications. */
#include "crypt.h"

#include <limits.h>
#include <string.h>

#include <apr_lib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "crypt_int.h"

#define AES_BLOCK 16

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

/* Length without PKCS#7 padding, or -1. Looks at all of the last block, whatever it holds. */
static long unpadded(const unsigned char *text, apr_size_t len)
{
    unsigned char count = text[len - 1], wrong = 0;
    apr_size_t i;

    for (i = 1; i <= AES_BLOCK; i++) {
        if (i <= count) {
            wrong = (unsigned char)(wrong | (text[len - i] ^ count));
        }
    }
    if (count == 0 || count > AES_BLOCK || wrong) {
        return -1;
    }
    return (long)(len - count);
}

wxpay_rc_e wxpay_crypt_aes256_ecb_decrypt(apr_pool_t *pool, const unsigned char key[32],
                                          const void *data, apr_size_t len, char **out,
                                          apr_size_t *out_len, wxpay_error_t *err)
{
    EVP_CIPHER *cipher = wxpay_crypt_algorithms()->aes_256_ecb;
    EVP_CIPHER_CTX *ctx;
    unsigned char *plain;
    int done = 0, ok;
    long text_len;

    if (len == 0 || len % AES_BLOCK != 0 || len > INT_MAX - AES_BLOCK) {
        return wxpay_error_set(err, WXPAY_EPARSE, "decrypt", "not whole AES blocks");
    }
    plain = apr_palloc(pool, len + AES_BLOCK + 1);
    ctx = EVP_CIPHER_CTX_new();
    ok = ctx && cipher && EVP_DecryptInit_ex2(ctx, cipher, key, NULL, NULL) &&
         EVP_CIPHER_CTX_set_padding(ctx, 0) &&
         EVP_DecryptUpdate(ctx, plain, &done, data, (int)len) && (apr_size_t)done == len;
    EVP_CIPHER_CTX_free(ctx);
    if (!ok) {
        return wxpay_error_set(err, WXPAY_EINTERNAL, "decrypt", "OpenSSL refuses AES-256-ECB");
    }
    text_len = unpadded(plain, len);
    if (text_len < 0) {
        return wxpay_error_set(err, WXPAY_EPARSE, "decrypt", "wrong padding: another key?");
    }
    plain[text_len] = '\0';
    *out = (char *)plain;
    *out_len = (apr_size_t)text_len;
    return WXPAY_OK;
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

wxpay_rc_e wxpay_crypt_base64_decode(apr_pool_t *pool, const char *text, apr_size_t len,
                                     unsigned char **out, apr_size_t *out_len, wxpay_error_t *err)
{
    unsigned char *bytes = apr_palloc(pool, len / 4 * 3 + 4), *at = bytes;
    apr_size_t i, digits = 0, pads = 0;
    unsigned bits = 0;
    int value;

    for (i = 0; i < len; i++) {
        if (apr_isspace(text[i])) {
            continue;
        }
        value = base64_value(text[i]);
        if (text[i] == '=') {
            pads++;
        }
        else if (value < 0 || pads) {
            return wxpay_error_set(err, WXPAY_EPARSE, "base64", "not base64");
        }
        else {
            bits = bits << 6 | (unsigned)value;
            if (++digits % 4 != 1) {
                *at++ = (unsigned char)(bits >> (6 - 2 * ((digits - 1) % 4)));
            }
        }
    }
    /* The last group is full or padded, and the bits that padding cuts off are 0. */
    if ((digits + pads) % 4 != 0 || pads > 2 || (pads && (bits & (pads == 1 ? 0x3u : 0xfu)) != 0)) {
        return wxpay_error_set(err, WXPAY_EPARSE, "base64", "not whole base64");
    }
    *at = '\0';
    *out = bytes;
    *out_len = (apr_size_t)(at - bytes);
    return WXPAY_OK;
}

/* `at` has room for len / 3 * 4 + 4 bytes; returns where it stopped, at a NUL. */
static char *encode(const char *alphabet, const unsigned char *bytes, apr_size_t len, char *at)
{
    unsigned bits = 0;
    int have = 0;
    apr_size_t i;

    for (i = 0; i < len; i++) {
        bits = bits << 8 | bytes[i];
        for (have += 8; have >= 6; have -= 6) {
            *at++ = alphabet[bits >> (have - 6) & 0x3f];
        }
    }
    if (have) {
        *at++ = alphabet[bits << (6 - have) & 0x3f];
    }
    *at = '\0';
    return at;
}

const char *wxpay_crypt_base64url(apr_pool_t *pool, const void *data, apr_size_t len)
{
    char *text = apr_palloc(pool, len / 3 * 4 + 4);

    encode(LETTERS "-_", data, len, text);
    return text;
}

void wxpay_crypt_base64(const void *data, apr_size_t len, char *out)
{
    char *at = encode(LETTERS "+/", data, len, out);

    while ((at - out) % 4 != 0) {
        *at++ = '=';
    }
    *at = '\0';
}

void wxpay_crypt_hex(const unsigned char *data, apr_size_t len, int upper, char *out)
{
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    apr_size_t i;

    for (i = 0; i < len; i++) {
        *out++ = digits[data[i] >> 4];
        *out++ = digits[data[i] & 0x0f];
    }
    *out = '\0';
}
