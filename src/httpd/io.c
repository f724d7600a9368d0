#include "io.h"
#include "buf.h"
#include <http_config.h>
#include <http_core.h>
#include <http_protocol.h>
#include <util_filter.h>
#include <apr_lib.h>
#include <apr_strings.h>

#define NOTHING_ALLOWED "default-src 'none'; frame-ancestors 'none'"

/* What is left of the body must not be read as the next request. */
static int give_up(request_rec *r, int status)
{
    r->connection->keepalive = AP_CONN_CLOSE;
    return status;
}

static int add_bucket(request_rec *r, apr_bucket *e, wxpay_buf_t *buf)
{
    const char *data;
    apr_size_t n;
    apr_status_t rv = apr_bucket_read(e, &data, &n, APR_BLOCK_READ);

    if (rv != APR_SUCCESS) {
        return give_up(r, ap_map_http_request_error(rv, HTTP_BAD_REQUEST));
    }
    return wxpay_buf_add(buf, data, n) ? OK : give_up(r, HTTP_REQUEST_ENTITY_TOO_LARGE);
}

int mod_wxpay_read_body(request_rec *r, apr_size_t max, const char **body, apr_size_t *len)
{
    apr_bucket_brigade *bb = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    wxpay_buf_t buf;
    int seen_eos = 0;

    wxpay_buf_init(&buf, r->pool, max);
    while (!seen_eos) {
        apr_status_t rv = ap_get_brigade(r->input_filters, bb, AP_MODE_READBYTES, APR_BLOCK_READ,
                                         HUGE_STRING_LEN);
        apr_bucket *e;

        if (rv != APR_SUCCESS) {
            return give_up(r, ap_map_http_request_error(rv, HTTP_BAD_REQUEST));
        }
        for (e = APR_BRIGADE_FIRST(bb); e != APR_BRIGADE_SENTINEL(bb); e = APR_BUCKET_NEXT(e)) {
            int status;

            if (APR_BUCKET_IS_EOS(e)) {
                seen_eos = 1;
                break;
            }
            status = APR_BUCKET_IS_METADATA(e) ? OK : add_bucket(r, e, &buf);
            if (status != OK) {
                return status;
            }
        }
        apr_brigade_cleanup(bb);
    }
    *body = buf.data;
    *len = buf.len;
    return OK;
}

const char *mod_wxpay_content_type(request_rec *r)
{
    const char *header = apr_table_get(r->headers_in, "Content-Type");
    char *type, *end;

    if (!header) {
        return "";
    }
    while (apr_isspace(*header)) {
        header++;
    }
    type = apr_pstrdup(r->pool, header);
    type[strcspn(type, ";")] = '\0';
    for (end = type + strlen(type); end > type && apr_isspace(end[-1]); end--) {
        end[-1] = '\0';
    }
    ap_str_tolower(type);
    return type;
}

/* The q of one Accept element, in thousandths. */
static int quality(const char *params)
{
    const char *q = params ? ap_strcasestr(params, "q=") : NULL;
    int thousandths = 0, i;

    if (!q) {
        return 1000;
    }
    q += 2;
    if (*q != '0') {
        return 1000;
    }
    q += q[1] == '.' ? 2 : 1;
    for (i = 100; i && apr_isdigit(*q); i /= 10) {
        thousandths += (*q++ - '0') * i;
    }
    return thousandths;
}

int mod_wxpay_prefers_json(request_rec *r)
{
    const char *header = apr_table_get(r->headers_in, "Accept");
    char *copy, *element, *last = NULL;
    int json = 0, html = 0;

    if (!header) {
        return 0;
    }
    copy = apr_pstrdup(r->pool, header);
    for (element = apr_strtok(copy, ",", &last); element; element = apr_strtok(NULL, ",", &last)) {
        char *params = strchr(element, ';');

        if (params) {
            *params++ = '\0';
        }
        apr_collapse_spaces(element, element);
        if (ap_cstr_casecmp(element, "application/json") == 0) {
            json = quality(params);
        }
        else if (ap_cstr_casecmp(element, "text/html") == 0) {
            html = quality(params);
        }
    }
    return json > html;
}

int mod_wxpay_method_allowed(request_rec *r, const char *allow)
{
    /* "post" is no method, but ap_find_token would find it. */
    if (r->method_number != M_INVALID && ap_find_token(r->pool, allow, r->method)) {
        return 1;
    }
    apr_table_setn(r->headers_out, "Allow", allow);
    return 0;
}

static void guard_headers(request_rec *r, const char *csp)
{
    apr_table_t *out = r->headers_out;

    apr_table_setn(out, "X-Content-Type-Options", "nosniff");
    apr_table_setn(out, "Referrer-Policy", "same-origin");
    apr_table_setn(out, "Content-Security-Policy", csp ? csp : NOTHING_ALLOWED);
    if (!apr_table_get(out, "Cache-Control")) {
        apr_table_setn(out, "Cache-Control", "no-store");
    }
}

int mod_wxpay_send(request_rec *r, int status, const char *type, const char *body, apr_size_t len,
                   const char *csp)
{
    guard_headers(r, csp);
    r->status = status;
    r->status_line = NULL;
    ap_set_content_type(r, type);
    ap_set_content_length(r, (apr_off_t)len);
    if (len && !r->header_only) {
        ap_rwrite(body, (int)len, r);
    }
    return OK;
}

int mod_wxpay_send_json(request_rec *r, int status, const json_t *json)
{
    const char *text = wxpay_json_text(r->pool, json);

    if (!text) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return mod_wxpay_send(r, status, "application/json", text, strlen(text), NULL);
}

int mod_wxpay_see_other(request_rec *r, const char *url)
{
    apr_table_set(r->headers_out, "Location", url);
    return mod_wxpay_send(r, HTTP_SEE_OTHER, "text/plain; charset=utf-8", "", 0, NULL);
}

static void set_text(json_t *json, const char *name, const char *value)
{
    if (value && *value) {
        json_object_set_new(json, name, json_string(value));
    }
}

int mod_wxpay_send_problem(request_rec *r, const mod_wxpay_problem_t *problem)
{
    json_t *json = wxpay_json_object(r->pool);
    const char *text;

    if (problem->retry_after) {
        apr_table_setn(r->headers_out, "Retry-After", apr_itoa(r->pool, problem->retry_after));
    }
    set_text(json, "type", "about:blank");
    set_text(json, "title", ap_get_status_line_ex(r->pool, problem->status) + 4);
    json_object_set_new(json, "status", json_integer(problem->status));
    set_text(json, "detail", problem->detail);
    set_text(json, "code", problem->code);
    set_text(json, "field", problem->field);
    set_text(json, "err_code", problem->err_code);
    text = wxpay_json_text(r->pool, json);
    if (!text) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return mod_wxpay_send(r, problem->status, "application/problem+json", text, strlen(text), NULL);
}
