/* json.c - JSON in and out, by jansson. */
#include "json.h"

#include <string.h>

#include <apr_strings.h>

#define STEP "read JSON"

static apr_status_t release(void *data)
{
    json_decref(data);
    return APR_SUCCESS;
}

static json_t *own(apr_pool_t *pool, json_t *json)
{
    apr_pool_cleanup_register(pool, json, release, apr_pool_cleanup_null);
    return json;
}

/* Asked before parsing: jansson's own limit is 2048 levels of recursion. */
static int depth_ok(const char *text, apr_size_t len)
{
    int depth = 0, quoted = 0;
    apr_size_t i;

    for (i = 0; i < len; i++) {
        if (quoted) {
            if (text[i] == '\\') {
                i++;
            }
            else if (text[i] == '"') {
                quoted = 0;
            }
        }
        else if (text[i] == '"') {
            quoted = 1;
        }
        else if (text[i] == '{' || text[i] == '[') {
            if (++depth > WXPAY_JSON_MAX_DEPTH) {
                return 0;
            }
        }
        else if (text[i] == '}' || text[i] == ']') {
            depth--;
        }
    }
    return 1;
}

/* jansson names a doubled member only in its text: duplicate object key near '"name"'. The name is
 * as it was written: with escapes it would be another one. */
static const char *doubled_name(const json_error_t *error, apr_pool_t *pool)
{
    const char *start = strstr(error->text, "'\"");
    const char *end = start ? strrchr(start + 2, '"') : NULL;

    if (!end || strchr(start, '\\')) {
        return "";
    }
    return apr_pstrmemdup(pool, start + 2, (apr_size_t)(end - start - 2));
}

/* A real number's text would not survive reading and writing unchanged. */
static int holds_real(const json_t *json)
{
    const char *name;
    json_t *member;
    size_t i;

    if (json_is_real(json)) {
        return 1;
    }
    json_array_foreach (json, i, member) {
        if (holds_real(member)) {
            return 1;
        }
    }
    json_object_foreach ((json_t *)json, name, member) {
        if (holds_real(member)) {
            return 1;
        }
    }
    return 0;
}

static int is_listed(const char *const *names, const char *name)
{
    while (names && *names) {
        if (strcmp(*names++, name) == 0) {
            return 1;
        }
    }
    return 0;
}

static wxpay_rc_e add_member(wxpay_fields_t *fields, const char *name, const json_t *value,
                             const char *const *nested, wxpay_error_t *err)
{
    const char *text;

    if (json_is_null(value)) {
        return WXPAY_OK;
    }
    if (json_is_string(value)) {
        return wxpay_fields_add(fields, name, strlen(name), json_string_value(value),
                                json_string_length(value), err);
    }
    if (json_is_integer(value)) {
        return wxpay_fields_add_int(fields, name, json_integer_value(value), err);
    }
    if (holds_real(value)) {
        return wxpay_error_named(err, WXPAY_EPARSE, STEP, name,
                                 "numbers must be whole and without a decimal point");
    }
    if ((json_is_object(value) || json_is_array(value)) && is_listed(nested, name)) {
        text = wxpay_json_text(fields->pool, value);
        if (!text) {
            return wxpay_error_set(err, WXPAY_EINTERNAL, STEP, "out of memory");
        }
        return wxpay_fields_add(fields, name, strlen(name), text, strlen(text), err);
    }
    return wxpay_error_named(err, WXPAY_EPARSE, STEP, name, "must be a string or a whole number");
}

wxpay_rc_e wxpay_json_read(apr_pool_t *pool, const char *text, apr_size_t len, const json_t **json,
                           wxpay_error_t *err)
{
    json_error_t error;
    json_t *read;

    if (!depth_ok(text, len)) {
        return wxpay_error_set(err, WXPAY_EPARSE, STEP, "nested too deeply");
    }
    read = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    if (!read) {
        if (json_error_code(&error) == json_error_duplicate_key) {
            return wxpay_error_named(err, WXPAY_EPARSE, STEP, doubled_name(&error, pool),
                                     "a member appears twice");
        }
        return wxpay_error_set(err, WXPAY_EPARSE, STEP, "not well-formed JSON (line %d)",
                               error.line);
    }
    own(pool, read);
    if (!json_is_object(read)) {
        return wxpay_error_set(err, WXPAY_EPARSE, STEP, "not a JSON object");
    }
    *json = read;
    return WXPAY_OK;
}

wxpay_rc_e wxpay_json_to_fields(apr_pool_t *pool, const char *text, apr_size_t len,
                                const char *const *nested, wxpay_fields_t **fields,
                                wxpay_error_t *err)
{
    wxpay_fields_t *bag = wxpay_fields_create(pool);
    const char *name;
    const json_t *json;
    json_t *value;
    wxpay_rc_e rc = wxpay_json_read(pool, text, len, &json, err);

    if (rc != WXPAY_OK) {
        return rc;
    }
    json_object_foreach ((json_t *)json, name, value) {
        rc = add_member(bag, name, value, nested, err);
        if (rc != WXPAY_OK) {
            return rc;
        }
    }
    *fields = bag;
    return WXPAY_OK;
}

int wxpay_json_valid(const char *text, apr_size_t len)
{
    json_t *json;

    if (!depth_ok(text, len)) {
        return 0;
    }
    json = json_loadb(text, len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    json_decref(json);
    return json != NULL;
}

const char *wxpay_json_text(apr_pool_t *pool, const json_t *json)
{
    const size_t flags = JSON_COMPACT | JSON_ENCODE_ANY;
    size_t len = json_dumpb(json, NULL, 0, flags);
    char *text;

    if (len == 0) {
        return NULL;
    }
    text = apr_palloc(pool, len + 1);
    if (json_dumpb(json, text, len, flags) != len) {
        return NULL;
    }
    text[len] = '\0';
    return text;
}

json_t *wxpay_json_object(apr_pool_t *pool)
{
    json_t *json = json_object();

    return json ? own(pool, json) : NULL;
}
