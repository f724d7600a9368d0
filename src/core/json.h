/* json.h - JSON in and out, by jansson.
 *
 * Ownership: json_t objects made here are released by a pool cleanup unless said otherwise.
 * Source: RFC 8259.
 */
#ifndef WXPAY_JSON_H
#define WXPAY_JSON_H

#include <apr_pools.h>
#include <jansson.h>
#include "error.h"
#include "fields.h"

#define WXPAY_JSON_MAX_DEPTH 8

/* A flat object of strings and integers -> fields (integers in decimal, true/false refused, null =
 * absent, nested objects and arrays are allowed only for the names in `nested` (NULL-terminated,
 * may be NULL) and become their compact JSON text). Doubled names, trailing bytes, NUL, real
 * numbers: WXPAY_EPARSE with err->field where known. */
wxpay_rc_e wxpay_json_to_fields(apr_pool_t *pool, const char *text, apr_size_t len,
                                const char *const *nested, wxpay_fields_t **fields,
                                wxpay_error_t *err);

/* An object as it is, released with the pool. Doubled names, trailing bytes, NUL, more levels than
 * the limit: WXPAY_EPARSE with err->field where known. */
wxpay_rc_e wxpay_json_read(apr_pool_t *pool, const char *text, apr_size_t len, const json_t **json,
                           wxpay_error_t *err);

/* 1 if text is one well-formed JSON value within the depth limit. */
int wxpay_json_valid(const char *text, apr_size_t len);

/* Compact text in pool, object members in insertion order, '/' unescaped, UTF-8 kept. NULL only out
 * of memory. */
const char *wxpay_json_text(apr_pool_t *pool, const json_t *json);

/* A new empty object, released with the pool. */
json_t *wxpay_json_object(apr_pool_t *pool);

#endif
