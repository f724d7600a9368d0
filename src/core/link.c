/* link.c - is it ours, is it still good, and what does it say. */
#include "link.h"

#include <string.h>

#include <apr_lib.h>

#include "crypt.h"

#define STEP "read link"
#define MARK "&sign="
#define HEX_LEN (2 * WXPAY_SHA256_LEN)
#define MAX_DIGITS 12

static wxpay_rc_e compare(const char *base, const char *uri, apr_size_t len, const char *sign,
                          const wxpay_secret_t *key, int *same, wxpay_error_t *err)
{
    wxpay_crypt_part_t parts[2] = {{base, strlen(base)}, {uri, len}};
    unsigned char mac[WXPAY_SHA256_LEN];
    char hex[HEX_LEN + 1];
    wxpay_rc_e rc = wxpay_crypt_hmac_sha256_parts(wxpay_secret_bytes(key), wxpay_secret_len(key),
                                                  parts, 2, mac, err);

    if (rc == WXPAY_OK) {
        wxpay_crypt_hex(mac, sizeof(mac), 0, hex);
        *same |= wxpay_secret_memeq(hex, sign, HEX_LEN);
    }
    return rc;
}

static wxpay_rc_e check_sign(const char *base, const char *uri, apr_size_t len, const char *sign,
                             const wxpay_secret_t *current, const wxpay_secret_t *previous,
                             wxpay_error_t *err)
{
    apr_size_t given = strcspn(sign, "&");
    int same = 0;

    if (given != HEX_LEN) {
        return wxpay_error_named(err, WXPAY_ESIGN, STEP, "sign",
                                 "sign is not 64 hexadecimal digits");
    }
    /* both are always compared: time must not tell which one came close */
    if (compare(base, uri, len, sign, current, &same, err) != WXPAY_OK ||
        (previous && compare(base, uri, len, sign, previous, &same, err) != WXPAY_OK)) {
        return err->code;
    }
    return same ? WXPAY_OK
                : wxpay_error_named(err, WXPAY_ESIGN, STEP, "sign", "the signature is wrong");
}

static wxpay_rc_e refuse_expires(wxpay_error_t *err, const char *what)
{
    return wxpay_error_field(err, STEP, "expires", "expires %s", what);
}

static wxpay_rc_e check_expires(const wxpay_field_t *expires, apr_time_t now, wxpay_error_t *err)
{
    apr_int64_t seconds = 0;

    if (!expires) {
        return refuse_expires(err, "is missing");
    }
    if (expires->value_len == 0 || expires->value_len > MAX_DIGITS) {
        return refuse_expires(err, "must be a time in seconds since 1970");
    }
    for (apr_size_t i = 0; i < expires->value_len; i++) {
        if (!apr_isdigit(expires->value[i])) {
            return refuse_expires(err, "must be a time in seconds since 1970");
        }
        seconds = seconds * 10 + (expires->value[i] - '0');
    }
    if (apr_time_from_sec(seconds) <= now) {
        return wxpay_error_named(err, WXPAY_EMISMATCH, STEP, "expires", "the link's time is over");
    }
    return apr_time_from_sec(seconds) > now + WXPAY_LINK_AHEAD
               ? refuse_expires(err, "is more than a year ahead")
               : WXPAY_OK;
}

static wxpay_rc_e without_expires(const wxpay_fields_t *all, apr_pool_t *pool,
                                  wxpay_fields_t **fields, wxpay_error_t *err)
{
    wxpay_fields_t *facts = wxpay_fields_create(pool);

    for (int i = 0; i < all->count; i++) {
        const wxpay_field_t *item = &all->items[i];

        if (strcmp(item->name, "expires") != 0 &&
            wxpay_fields_add_ref(facts, item->name, item->value, err) != WXPAY_OK) {
            return err->code;
        }
    }
    *fields = facts;
    return WXPAY_OK;
}

wxpay_rc_e wxpay_link_read(const char *base, const char *uri, const wxpay_secret_t *current,
                           const wxpay_secret_t *previous, apr_time_t now, apr_pool_t *pool,
                           wxpay_fields_t **fields, wxpay_error_t *err)
{
    const char *query = strchr(uri, '?');
    const char *mark = query ? strstr(query, MARK) : NULL;
    wxpay_fields_t *all;

    if (!mark) {
        return wxpay_error_named(err, WXPAY_ESIGN, STEP, "sign", "the link is not signed");
    }
    if (mark - uri > WXPAY_LINK_MAX) {
        return wxpay_error_named(err, WXPAY_ESIGN, STEP, "sign", "the link is over %d bytes",
                                 WXPAY_LINK_MAX);
    }
    if (check_sign(base, uri, (apr_size_t)(mark - uri), mark + strlen(MARK), current, previous,
                   err) != WXPAY_OK ||
        wxpay_fields_parse_form(pool, query + 1, (apr_size_t)(mark - query - 1), &all, err) !=
            WXPAY_OK ||
        check_expires(wxpay_fields_find(all, "expires"), now, err) != WXPAY_OK) {
        return err->code;
    }
    return without_expires(all, pool, fields, err);
}
