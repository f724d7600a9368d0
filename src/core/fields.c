/* fields.c - a bag of names and values. */
#include "fields.h"

#include <string.h>

#include <apr_strings.h>

#define STEP "read fields"
#define FIRST_CAP 32

wxpay_fields_t *wxpay_fields_create(apr_pool_t *pool)
{
    wxpay_fields_t *fields = apr_pcalloc(pool, sizeof(*fields));

    fields->pool = pool;
    fields->cap = FIRST_CAP;
    fields->items = apr_palloc(pool, FIRST_CAP * sizeof(*fields->items));
    return fields;
}

static const wxpay_field_t *find(const wxpay_fields_t *fields, const char *name, apr_size_t len)
{
    int i;

    for (i = 0; i < fields->count; i++) {
        if (fields->items[i].name_len == len && memcmp(fields->items[i].name, name, len) == 0) {
            return &fields->items[i];
        }
    }
    return NULL;
}

static void grow(wxpay_fields_t *fields)
{
    wxpay_field_t *items;

    if (fields->count == fields->cap) {
        fields->cap *= 2;
        items = apr_palloc(fields->pool, (apr_size_t)fields->cap * sizeof(*items));
        memcpy(items, fields->items, (apr_size_t)fields->count * sizeof(*items));
        fields->items = items;
    }
}

/* Everything an addition may be refused for, so that it can be asked before copying. */
static wxpay_rc_e check(const wxpay_fields_t *fields, const char *name, apr_size_t name_len,
                        const char *value, apr_size_t value_len, wxpay_error_t *err)
{
    char shown[40];
    const char *why;

    if (name_len == 0) {
        return wxpay_error_set(err, WXPAY_EPARSE, STEP, "a field has no name");
    }
    if (find(fields, name, name_len)) {
        why = "a field appears twice";
    }
    else if (memchr(name, '\0', name_len) || memchr(value, '\0', value_len)) {
        why = "a field holds a NUL";
    }
    else if (fields->count >= WXPAY_FIELDS_MAX) {
        why = "too many fields";
    }
    else if (name_len > WXPAY_FIELDS_MAX_BYTES || value_len > WXPAY_FIELDS_MAX_BYTES ||
             fields->bytes + name_len + value_len > WXPAY_FIELDS_MAX_BYTES) {
        why = "too many bytes";
    }
    else {
        return WXPAY_OK;
    }
    apr_cpystrn(shown, name, name_len < sizeof(shown) ? name_len + 1 : sizeof(shown));
    return wxpay_error_named(err, WXPAY_EPARSE, STEP, shown, "%s", why);
}

static void append(wxpay_fields_t *fields, const char *name, apr_size_t name_len, const char *value,
                   apr_size_t value_len)
{
    wxpay_field_t *field;

    grow(fields);
    field = &fields->items[fields->count++];
    field->name = name;
    field->name_len = name_len;
    field->value = value;
    field->value_len = value_len;
    fields->bytes += name_len + value_len;
}

wxpay_rc_e wxpay_fields_add(wxpay_fields_t *fields, const char *name, apr_size_t name_len,
                            const char *value, apr_size_t value_len, wxpay_error_t *err)
{
    wxpay_rc_e rc = check(fields, name, name_len, value, value_len, err);

    if (rc == WXPAY_OK) {
        append(fields, apr_pstrmemdup(fields->pool, name, name_len), name_len,
               apr_pstrmemdup(fields->pool, value, value_len), value_len);
    }
    return rc;
}

wxpay_rc_e wxpay_fields_add_ref(wxpay_fields_t *fields, const char *name, const char *value,
                                wxpay_error_t *err)
{
    apr_size_t name_len = strlen(name), value_len = strlen(value);
    wxpay_rc_e rc = check(fields, name, name_len, value, value_len, err);

    if (rc == WXPAY_OK) {
        append(fields, name, name_len, value, value_len);
    }
    return rc;
}

wxpay_rc_e wxpay_fields_add_int(wxpay_fields_t *fields, const char *name, apr_int64_t value,
                                wxpay_error_t *err)
{
    const char *digits = apr_psprintf(fields->pool, "%" APR_INT64_T_FMT, value);

    return wxpay_fields_add(fields, name, strlen(name), digits, strlen(digits), err);
}

const wxpay_field_t *wxpay_fields_find(const wxpay_fields_t *fields, const char *name)
{
    return find(fields, name, strlen(name));
}

const char *wxpay_fields_get(const wxpay_fields_t *fields, const char *name)
{
    const wxpay_field_t *field = wxpay_fields_find(fields, name);

    return field ? field->value : NULL;
}

/* By name alone: '=' would sort after digits and before letters. */
static int sorts_before(const wxpay_field_t *a, const wxpay_field_t *b)
{
    apr_size_t len = a->name_len < b->name_len ? a->name_len : b->name_len;
    int order = memcmp(a->name, b->name, len);

    return order ? order < 0 : a->name_len < b->name_len;
}

int wxpay_fields_signed(const wxpay_fields_t *fields, const wxpay_field_t *sorted[WXPAY_FIELDS_MAX])
{
    const wxpay_field_t *field;
    int i, at, count = 0;

    for (i = 0; i < fields->count; i++) {
        field = &fields->items[i];
        if (field->value_len == 0 || strcmp(field->name, "sign") == 0) {
            continue;
        }
        /* The gateway sends its fields sorted or nearly so: insertion is the quickest sort. */
        for (at = count++; at > 0 && sorts_before(field, sorted[at - 1]); at--) {
            sorted[at] = sorted[at - 1];
        }
        sorted[at] = field;
    }
    return count;
}

wxpay_rc_e wxpay_fields_canonical(const wxpay_fields_t *fields, wxpay_buf_t *out,
                                  wxpay_error_t *err)
{
    const wxpay_field_t *sorted[WXPAY_FIELDS_MAX];
    int i, count = wxpay_fields_signed(fields, sorted);

    for (i = 0; i < count; i++) {
        if (i) {
            wxpay_buf_add(out, "&", 1);
        }
        wxpay_buf_add(out, sorted[i]->name, sorted[i]->name_len);
        wxpay_buf_add(out, "=", 1);
        wxpay_buf_add(out, sorted[i]->value, sorted[i]->value_len);
    }
    if (out->broken) {
        return wxpay_error_set(err, WXPAY_EPARSE, "string to sign", "the fields are too long");
    }
    return WXPAY_OK;
}
