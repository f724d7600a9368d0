/* support.c - what the unit tests share. */
#include "support.h"

#include <apr_general.h>
#include <apr_strings.h>

int support_setup(void **state)
{
    apr_pool_t *pool;

    if (apr_initialize() != APR_SUCCESS || apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        return -1;
    }
    *state = pool;
    return 0;
}

int support_teardown(void **state)
{
    apr_pool_destroy(*state);
    apr_terminate();
    return 0;
}

static apr_status_t release(void *data)
{
    json_decref(data);
    return APR_SUCCESS;
}

json_t *support_vectors(apr_pool_t *pool, const char *name)
{
    const char *path = apr_pstrcat(pool, "tests/vectors/", name, NULL);
    json_error_t error;
    json_t *json = json_load_file(path, JSON_REJECT_DUPLICATES, &error);

    if (!json) {
        fail_msg("%s: %s", path, error.text);
    }
    apr_pool_cleanup_register(pool, json, release, apr_pool_cleanup_null);
    return json;
}

const char *support_text(const json_t *object, const char *member)
{
    return json_string_value(json_object_get(object, member));
}
