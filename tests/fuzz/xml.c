/* xml.c - fuzz target: any bytes as a v2 document; what is read can be written and read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#include "xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const wxpay_fields_t *a, const wxpay_fields_t *b)
{
    int i;

    if (a->count != b->count) {
        abort();
    }
    for (i = 0; i < a->count; i++) {
        if (strcmp(a->items[i].name, b->items[i].name) != 0 ||
            strcmp(a->items[i].value, b->items[i].value) != 0) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wxpay_fields_t *fields, *again;
    wxpay_error_t err;
    apr_pool_t *pool;
    wxpay_xml_t *xml;
    wxpay_buf_t out;
    wxpay_rc_e rc;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    xml = wxpay_xml_create(pool);
    rc = wxpay_xml_read(xml, pool, "xml", (const char *)data, size, &fields, &err);
    /* the parser that was just used must judge alike */
    if (wxpay_xml_read(xml, pool, "xml", (const char *)data, size, &again, &err) != rc) {
        abort();
    }
    if (rc == WXPAY_OK) {
        same(fields, again);
        wxpay_buf_init(&out, pool, WXPAY_XML_MAX);
        if (wxpay_xml_write(fields, &out, &err) == WXPAY_OK) {
            if (wxpay_xml_read(xml, pool, "xml", out.data, out.len, &again, &err) != WXPAY_OK) {
                abort();
            }
            same(fields, again);
        }
    }
    else if (err.code == WXPAY_OK || !wxpay_fields_utf8(err.detail, strlen(err.detail), 4)) {
        abort();
    }
    apr_pool_destroy(pool);
    apr_terminate();
    return 0;
}
