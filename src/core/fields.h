/* fields.h - a bag of names and values: what v2 messages are made of.
 *
 * Values are decoded UTF-8 text without NUL. Names are unique: adding one twice is an error.
 * Ownership: everything lives in the bag's pool (names and values are copied by wxpay_fields_add,
 * referenced by wxpay_fields_add_ref).
 * Threads: one writer; const afterwards.
 * Source: protocol dossier, section 2 (signature) and 3 (limits).
 */
#ifndef WXPAY_FIELDS_H
#define WXPAY_FIELDS_H

#include <apr_pools.h>
#include "buf.h"
#include "error.h"

#define WXPAY_FIELDS_MAX 256          /* names in one bag */
#define WXPAY_FIELDS_MAX_BYTES 131072 /* names and values together */

typedef struct wxpay_field_t {
    const char *name;
    const char *value; /* NUL-terminated, value_len bytes */
    apr_size_t name_len;
    apr_size_t value_len;
} wxpay_field_t;

typedef struct wxpay_fields_t {
    apr_pool_t *pool;
    wxpay_field_t *items; /* in the order of adding; a sort is never visible here */
    int count;
    int cap;
    apr_size_t bytes;
} wxpay_fields_t;

wxpay_fields_t *wxpay_fields_create(apr_pool_t *pool);

/* Errors: WXPAY_EPARSE for a duplicate name, too many names or too many bytes, a NUL inside. */
wxpay_rc_e wxpay_fields_add(wxpay_fields_t *fields, const char *name, apr_size_t name_len,
                            const char *value, apr_size_t value_len, wxpay_error_t *err);
/* The same without copying: name and value must live as long as the bag and be NUL-terminated. */
wxpay_rc_e wxpay_fields_add_ref(wxpay_fields_t *fields, const char *name, const char *value,
                                wxpay_error_t *err);
wxpay_rc_e wxpay_fields_add_int(wxpay_fields_t *fields, const char *name, apr_int64_t value,
                                wxpay_error_t *err);

/* The value, or NULL when the name is absent. An empty value is "" (present). */
const char *wxpay_fields_get(const wxpay_fields_t *fields, const char *name);
const wxpay_field_t *wxpay_fields_find(const wxpay_fields_t *fields, const char *name);

/* The fields that take part in a v2 signature (all but `sign` and empty ones), names in byte order,
 * as pointers into the bag. Returns how many. */
int wxpay_fields_signed(const wxpay_fields_t *fields,
                        const wxpay_field_t *sorted[WXPAY_FIELDS_MAX]);

/* The v2 string to sign, without the key: every field but `sign` with a non-empty value, names in
 * byte order, name=value joined by '&'. Errors: WXPAY_EPARSE when out's maximum is exceeded. */
wxpay_rc_e wxpay_fields_canonical(const wxpay_fields_t *fields, wxpay_buf_t *out,
                                  wxpay_error_t *err);

/* 1 if value contains '&' + the name of a v2 field + '=': a genuine signature over it could be
 * re-cut into other facts (protocol dossier, section 2.1). name, if given, receives the field name
 * found (static text). */
int wxpay_fields_recuttable(const char *value, apr_size_t len, const char **name);

/* Strict UTF-8. max_seq is the longest sequence allowed (3: what the gateway takes; 4: any). */
int wxpay_fields_utf8(const char *text, apr_size_t len, int max_seq);

/* application/x-www-form-urlencoded -> fields, strict: names once, valid percent-encoding, UTF-8
 * (any plane: later checks name the field), no NUL. Errors: WXPAY_EPARSE, err->field names the
 * member when known. */
wxpay_rc_e wxpay_fields_parse_form(apr_pool_t *pool, const char *text, apr_size_t len,
                                   wxpay_fields_t **fields, wxpay_error_t *err);

#endif
