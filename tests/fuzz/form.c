/* form.c - fuzz target: any bytes as a form; what is read can be encoded and read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#include "fields.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void encode(wxpay_buf_t *out, const char *text, apr_size_t len)
{
    apr_size_t i;

    for (i = 0; i < len; i++) {
        wxpay_buf_printf(out, "%%%02x", (unsigned char)text[i]);
    }
}

static void check(apr_pool_t *pool, const wxpay_fields_t *fields)
{
    wxpay_fields_t *again;
    const char *name;
    wxpay_error_t err;
    wxpay_buf_t out;
    int i;

    wxpay_buf_init(&out, pool, 4 * WXPAY_FIELDS_MAX_BYTES);
    for (i = 0; i < fields->count; i++) {
        encode(&out, fields->items[i].name, fields->items[i].name_len);
        wxpay_buf_puts(&out, "=");
        encode(&out, fields->items[i].value, fields->items[i].value_len);
        wxpay_buf_puts(&out, "&");
        if (wxpay_fields_recuttable(fields->items[i].value, fields->items[i].value_len, &name) &&
            !strstr(fields->items[i].value, name)) {
            abort();
        }
    }
    if (out.broken) {
        return;
    }
    if (wxpay_fields_parse_form(pool, out.data, out.len, &again, &err) != WXPAY_OK ||
        again->count != fields->count) {
        abort();
    }
    for (i = 0; i < fields->count; i++) {
        if (strcmp(again->items[i].value, fields->items[i].value) != 0 ||
            strcmp(wxpay_fields_get(fields, again->items[i].name), again->items[i].value)) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wxpay_fields_t *fields;
    wxpay_error_t err;
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    if (wxpay_fields_parse_form(pool, (const char *)data, size, &fields, &err) == WXPAY_OK) {
        check(pool, fields);
    }
    else if (err.code != WXPAY_EPARSE || !wxpay_fields_utf8(err.field, strlen(err.field), 4)) {
        abort();
    }
    apr_pool_destroy(pool);
    apr_terminate();
    return 0;
}
