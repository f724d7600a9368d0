/* secret.c - bytes that cannot be printed. */
#include "secret.h"

#include <string.h>

#include <openssl/crypto.h>

struct wxpay_secret_t {
    apr_size_t len;
    unsigned char *bytes;
};

static apr_status_t wipe_at_end(void *data)
{
    wxpay_secret_t *secret = data;

    OPENSSL_cleanse(secret->bytes, secret->len);
    secret->len = 0;
    return APR_SUCCESS;
}

wxpay_secret_t *wxpay_secret_create(apr_pool_t *pool, const void *bytes, apr_size_t len)
{
    wxpay_secret_t *secret = apr_pcalloc(pool, sizeof(*secret));

    secret->len = len;
    secret->bytes = apr_pcalloc(pool, len + 1);
    if (len) {
        memcpy(secret->bytes, bytes, len);
    }
    apr_pool_cleanup_register(pool, secret, wipe_at_end, apr_pool_cleanup_null);
    return secret;
}

apr_size_t wxpay_secret_len(const wxpay_secret_t *secret)
{
    return secret->len;
}

const unsigned char *wxpay_secret_bytes(const wxpay_secret_t *secret)
{
    return secret->bytes;
}

int wxpay_secret_equals(const wxpay_secret_t *secret, const char *text, apr_size_t len)
{
    volatile unsigned char diff = (unsigned char)(len != secret->len);
    apr_size_t i, j;

    if (secret->len == 0) {
        return 0;
    }
    /* No early end: the loop runs over the whole text, whatever the secret's length. */
    for (i = 0, j = 0; i < len; i++) {
        diff = (unsigned char)(diff | ((unsigned char)text[i] ^ secret->bytes[j]));
        j = j + 1 < secret->len ? j + 1 : 0;
    }
    return diff == 0;
}

int wxpay_secret_memeq(const void *a, const void *b, apr_size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}

void wxpay_secret_wipe(void *bytes, apr_size_t len)
{
    OPENSSL_cleanse(bytes, len);
}
