/* link.c - fuzz target: a link as it is received. With 'S' in front it gets a genuine signature (of
 * the previous key with 'P'), and what follows a 0x01 comes after that. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "crypt.h"
#include "link.h"

#define BASE "https://shop.example"
#define NOW apr_time_from_sec(1795489200)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *with_sign(apr_pool_t *pool, const char *uri, const wxpay_secret_t *key)
{
    const char *mark = strchr(uri, '\x01');
    const char *url = apr_pstrmemdup(pool, uri, mark ? (apr_size_t)(mark - uri) : strlen(uri));
    const char *whole = apr_pstrcat(pool, BASE, url, NULL);
    unsigned char mac[WXPAY_SHA256_LEN];
    char hex[2 * WXPAY_SHA256_LEN + 1];

    wxpay_crypt_hmac_sha256(wxpay_secret_bytes(key), wxpay_secret_len(key), whole, strlen(whole),
                            mac, NULL);
    wxpay_crypt_hex(mac, sizeof(mac), 0, hex);
    return apr_pstrcat(pool, url, "&sign=", hex, mark ? "&" : "", mark ? mark + 1 : "", NULL);
}

static void check(apr_pool_t *pool, const char *uri, int is_signed, const wxpay_secret_t *key,
                  const wxpay_secret_t *previous)
{
    wxpay_fields_t *fields = NULL;
    wxpay_error_t err;
    wxpay_rc_e rc;

    wxpay_error_clear(&err);
    rc = wxpay_link_read(BASE, uri, key, previous, NOW, pool, &fields, &err);
    if (rc != err.code || (rc == WXPAY_OK) != (fields != NULL)) {
        abort();
    }
    if (rc != WXPAY_ESIGN && !is_signed) {
        abort(); /* nobody else has the key */
    }
    if (rc == WXPAY_OK && wxpay_fields_get(fields, "expires")) {
        abort();
    }
    if (rc != WXPAY_OK && rc != WXPAY_ESIGN && rc != WXPAY_EPARSE && rc != WXPAY_EMISMATCH &&
        (rc != WXPAY_EINPUT || strcmp(err.field, "expires") != 0)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const wxpay_secret_t *key, *previous;
    const char *uri;
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    key = wxpay_secret_create(pool, "0123456789abcdef", 16);
    previous = wxpay_secret_create(pool, "fedcba9876543210", 16);
    uri = apr_pstrmemdup(pool, (const char *)data, size);
    if (*uri == 'S' || *uri == 'P') {
        check(pool, with_sign(pool, uri + 1, *uri == 'S' ? key : previous), 1, key, previous);
    }
    else {
        check(pool, uri, 0, key, previous);
    }
    apr_pool_destroy(pool);
    apr_terminate();
    return 0;
}
