/* token.c - derived keys, unguessable names, CSRF tokens. */
#include "token.h"

#include <string.h>

#include <apr_strings.h>

#include "crypt.h"

#define RANDOM_BYTES 16
#define TIME_DIGITS 16
#define CSRF_LEN (TIME_DIGITS + 2 * WXPAY_SHA256_LEN)
#define CSRF_SKEW apr_time_from_sec(300)

#define OPENID_MAX 128

#define ALNUM "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
static const char base64url[] = ALNUM "-_";

wxpay_rc_e wxpay_token_derive(apr_pool_t *pool, const wxpay_secret_t *state_secret,
                              const char *label, const char *site, wxpay_secret_t **key,
                              wxpay_error_t *err)
{
    const char *info = apr_pstrcat(pool, "mod_wxpay ", label, "\n", site, NULL);
    unsigned char bytes[WXPAY_SHA256_LEN];
    wxpay_rc_e rc =
        wxpay_crypt_hkdf_sha256(wxpay_secret_bytes(state_secret), wxpay_secret_len(state_secret),
                                info, bytes, sizeof(bytes), err);

    if (rc == WXPAY_OK) {
        *key = wxpay_secret_create(pool, bytes, sizeof(bytes));
    }
    wxpay_secret_wipe(bytes, sizeof(bytes));
    return rc;
}

wxpay_rc_e wxpay_token_random(apr_pool_t *pool, const char **text, wxpay_error_t *err)
{
    unsigned char bytes[RANDOM_BYTES];
    wxpay_rc_e rc = wxpay_crypt_random(bytes, sizeof(bytes), err);

    if (rc == WXPAY_OK) {
        *text = wxpay_crypt_base64url(pool, bytes, sizeof(bytes));
    }
    return rc;
}

wxpay_rc_e wxpay_token_pay_id(apr_pool_t *pool, const char **pay_id, wxpay_error_t *err)
{
    return wxpay_token_random(pool, pay_id, err);
}

int wxpay_token_is_pay_id(const char *text, apr_size_t len)
{
    static const char last[] = "AQgw";

    if (len != WXPAY_PAY_ID_LEN) {
        return 0;
    }
    for (apr_size_t i = 0; i < len; i++) {
        if (!memchr(base64url, text[i], sizeof(base64url) - 1)) {
            return 0;
        }
    }
    /* the last character carries two bits: the other four are zero, so a name has one spelling */
    return memchr(last, text[len - 1], sizeof(last) - 1) != NULL;
}

wxpay_rc_e wxpay_token_chars(const char *alphabet, char *out, apr_size_t size, wxpay_error_t *err)
{
    apr_size_t letters = strlen(alphabet);
    apr_size_t fair = 256 - 256 % letters; /* bytes from here on would prefer the first letters */
    unsigned char bytes[64];
    apr_size_t made = 0;

    while (made + 1 < size) {
        if (wxpay_crypt_random(bytes, sizeof(bytes), err) != WXPAY_OK) {
            return WXPAY_EINTERNAL;
        }
        for (apr_size_t i = 0; i < sizeof(bytes) && made + 1 < size; i++) {
            if (bytes[i] < fair) {
                out[made++] = alphabet[bytes[i] % letters];
            }
        }
    }
    out[made] = '\0';
    return WXPAY_OK;
}

wxpay_rc_e wxpay_token_nonce_str(char out[33], wxpay_error_t *err)
{
    return wxpay_token_chars(ALNUM, out, 33, err);
}

static wxpay_rc_e csrf_text(const wxpay_secret_t *key, const char *pay_id, apr_int64_t seconds,
                            char out[CSRF_LEN + 1], wxpay_error_t *err)
{
    char message[TIME_DIGITS + WXPAY_PAY_ID_LEN + 1];
    unsigned char mac[WXPAY_SHA256_LEN];
    wxpay_rc_e rc;

    apr_snprintf(message, sizeof(message), "%016" APR_UINT64_T_HEX_FMT "%s", (apr_uint64_t)seconds,
                 pay_id);
    rc = wxpay_crypt_hmac_sha256(wxpay_secret_bytes(key), wxpay_secret_len(key), message,
                                 strlen(message), mac, err);
    if (rc == WXPAY_OK) {
        memcpy(out, message, TIME_DIGITS);
        wxpay_crypt_hex(mac, sizeof(mac), 0, out + TIME_DIGITS);
    }
    return rc;
}

wxpay_rc_e wxpay_token_csrf_make(apr_pool_t *pool, const wxpay_secret_t *key, const char *pay_id,
                                 apr_time_t now, const char **token, wxpay_error_t *err)
{
    char *text = apr_palloc(pool, CSRF_LEN + 1);
    wxpay_rc_e rc;

    if (!wxpay_token_is_pay_id(pay_id, strlen(pay_id))) {
        return wxpay_error_set(err, WXPAY_EINTERNAL, "csrf token", "not a pay_id");
    }
    rc = csrf_text(key, pay_id, apr_time_sec(now), text, err);
    if (rc == WXPAY_OK) {
        *token = text;
    }
    return rc;
}

int wxpay_token_csrf_check(const wxpay_secret_t *key, const char *pay_id, const char *token,
                           apr_time_t now)
{
    char digits[TIME_DIGITS + 1];
    char expected[CSRF_LEN + 1];
    apr_int64_t seconds;
    apr_time_t age;

    if (!wxpay_token_is_pay_id(pay_id, strlen(pay_id)) || strlen(token) != CSRF_LEN) {
        return 0;
    }
    memcpy(digits, token, TIME_DIGITS);
    digits[TIME_DIGITS] = '\0';
    seconds = apr_strtoi64(digits, NULL, 16);
    if (seconds < 0 || seconds > apr_time_sec(APR_INT64_MAX)) {
        return 0;
    }
    age = now - apr_time_from_sec(seconds);
    return age <= WXPAY_CSRF_TTL && age >= -CSRF_SKEW &&
           csrf_text(key, pay_id, seconds, expected, NULL) == WXPAY_OK &&
           wxpay_secret_memeq(token, expected, CSRF_LEN);
}

const char *wxpay_token_buyer(const wxpay_secret_t *key, const char *cookie, apr_time_t now)
{
    apr_size_t len = strlen(cookie);
    const char *openid = cookie + CSRF_LEN;
    wxpay_crypt_part_t parts[2] = {{cookie, TIME_DIGITS}, {openid, 0}};
    unsigned char mac[WXPAY_SHA256_LEN];
    char expected[2 * WXPAY_SHA256_LEN + 1];
    char digits[TIME_DIGITS + 1];

    if (len <= CSRF_LEN || len > CSRF_LEN + OPENID_MAX || openid[strspn(openid, base64url)]) {
        return NULL;
    }
    parts[1].len = len - CSRF_LEN;
    if (wxpay_crypt_hmac_sha256_parts(wxpay_secret_bytes(key), wxpay_secret_len(key), parts, 2, mac,
                                      NULL) != WXPAY_OK) {
        return NULL;
    }
    wxpay_crypt_hex(mac, sizeof(mac), 0, expected);
    if (!wxpay_secret_memeq(cookie + TIME_DIGITS, expected, sizeof(expected) - 1)) {
        return NULL;
    }
    memcpy(digits, cookie, TIME_DIGITS);
    digits[TIME_DIGITS] = '\0';
    return apr_strtoi64(digits, NULL, 16) > apr_time_sec(now) ? openid : NULL;
}
