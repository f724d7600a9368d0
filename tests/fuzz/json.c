/* json.c - fuzz target: any bytes as the API's JSON. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#include "json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const nested[] = {"detail", "scene_info", NULL};
    const char *detail;
    wxpay_fields_t *fields;
    wxpay_error_t err;
    apr_pool_t *pool;
    int valid;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    valid = wxpay_json_valid((const char *)data, size);
    if (wxpay_json_to_fields(pool, (const char *)data, size, nested, &fields, &err) == WXPAY_OK) {
        detail = wxpay_fields_get(fields, "scene_info");
        if (!valid || (detail && (*detail == '{' || *detail == '[') &&
                       !wxpay_fields_utf8(detail, strlen(detail), 4))) {
            abort();
        }
    }
    else if (err.code != WXPAY_EPARSE || !wxpay_fields_utf8(err.field, strlen(err.field), 4)) {
        abort();
    }
    apr_pool_destroy(pool);
    apr_terminate();
    return 0;
}
