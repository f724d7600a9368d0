/* fields_form.c - application/x-www-form-urlencoded. */
#include "fields.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#define STEP "read form"

static int hex_digit(char c)
{
    if (apr_isdigit(c)) {
        return c - '0';
    }
    return apr_isxdigit(c) ? apr_tolower(c) - 'a' + 10 : -1;
}

/* Decoded copy with a NUL behind it; NULL when an escape is broken. */
static char *decode(apr_pool_t *pool, const char *text, apr_size_t len, apr_size_t *out_len)
{
    char *out = apr_palloc(pool, len + 1), *at = out;
    apr_size_t i;
    int high, low;

    for (i = 0; i < len; i++) {
        if (text[i] == '+') {
            *at++ = ' ';
        }
        else if (text[i] != '%') {
            *at++ = text[i];
        }
        else {
            high = i + 2 < len ? hex_digit(text[i + 1]) : -1;
            low = i + 2 < len ? hex_digit(text[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return NULL;
            }
            *at++ = (char)(high * 16 + low);
            i += 2;
        }
    }
    *at = '\0';
    *out_len = (apr_size_t)(at - out);
    return out;
}

static wxpay_rc_e add_pair(wxpay_fields_t *fields, const char *pair, apr_size_t len,
                           wxpay_error_t *err)
{
    const char *equals = memchr(pair, '=', len);
    apr_size_t raw_len = equals ? (apr_size_t)(equals - pair) : len;
    apr_size_t name_len, value_len = 0;
    const char *name = decode(fields->pool, pair, raw_len, &name_len);
    const char *value = "";

    if (!name || !wxpay_fields_utf8(name, name_len, 4)) {
        return wxpay_error_set(err, WXPAY_EPARSE, STEP, "a name is not percent-encoded UTF-8");
    }
    if (equals) {
        value = decode(fields->pool, equals + 1, len - raw_len - 1, &value_len);
    }
    if (!value || !wxpay_fields_utf8(value, value_len, 4)) {
        return wxpay_error_named(err, WXPAY_EPARSE, STEP, name,
                                 "a value is not percent-encoded UTF-8");
    }
    return wxpay_fields_add(fields, name, name_len, value, value_len, err);
}

wxpay_rc_e wxpay_fields_parse_form(apr_pool_t *pool, const char *text, apr_size_t len,
                                   wxpay_fields_t **fields, wxpay_error_t *err)
{
    wxpay_fields_t *bag = wxpay_fields_create(pool);
    const char *end = text + len, *stop;
    wxpay_rc_e rc;

    if (len > 3 * WXPAY_FIELDS_MAX_BYTES) {
        return wxpay_error_set(err, WXPAY_EPARSE, STEP, "the form is too large");
    }
    while (text < end) {
        stop = memchr(text, '&', (apr_size_t)(end - text));
        if (!stop) {
            stop = end;
        }
        /* nothing between two '&' is nothing, as in every form parser */
        if (stop > text) {
            rc = add_pair(bag, text, (apr_size_t)(stop - text), err);
            if (rc != WXPAY_OK) {
                return rc;
            }
        }
        text = stop + 1;
    }
    *fields = bag;
    return WXPAY_OK;
}
