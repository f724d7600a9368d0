/* io.h - reading bodies and sending answers.
 *
 * Machine endpoints (notify, API) set r->status themselves and return OK, so that an ErrorDocument
 * never replaces what they say; every mod_wxpay_send* below does that and returns OK for the
 * handler to return. Everything sent carries X-Content-Type-Options: nosniff, Referrer-Policy:
 * same-origin and, unless the handler has set another one in r->headers_out before, Cache-Control:
 * no-store.
 * Threads: one request, one thread.
 */
#ifndef MOD_WXPAY_IO_H
#define MOD_WXPAY_IO_H

#include <httpd.h>
#include "error.h"
#include "json.h"

#define MOD_WXPAY_BODY_MAX 65536

/* Read the whole request body, in brigades until EOS (HTTP/2 and chunked bodies have no
 * Content-Length). *body is NUL-terminated in r->pool.
 * OK; HTTP_REQUEST_ENTITY_TOO_LARGE: over max, answer it (the rest is not read, the connection
 * closes); HTTP_REQUEST_TIME_OUT or HTTP_BAD_REQUEST: cut or broken, answer it or return it;
 * AP_FILTER_ERROR: httpd has answered already: return it and write nothing. */
int mod_wxpay_read_body(request_rec *r, apr_size_t max, const char **body, apr_size_t *len);

/* The media type of the request body, lower case, without parameters; "" if none. */
const char *mod_wxpay_content_type(request_rec *r);

/* 1 if Accept prefers application/json over text/html; 0 when it says nothing. */
int mod_wxpay_prefers_json(request_rec *r);

/* 1 if the method is one of those in `allow` ("GET, HEAD, POST"), else 0 with an Allow header set
 * for the 405 to be sent. */
int mod_wxpay_method_allowed(request_rec *r, const char *allow);

/* Send a body (none for HEAD, Content-Length set). type e.g. "text/html; charset=utf-8". csp: the
 * Content-Security-Policy, or NULL for "default-src 'none'; frame-ancestors 'none'". */
int mod_wxpay_send(request_rec *r, int status, const char *type, const char *body, apr_size_t len,
                   const char *csp);
int mod_wxpay_send_json(request_rec *r, int status, const json_t *json);
/* 303 See Other without a body. */
int mod_wxpay_see_other(request_rec *r, const char *url);

/* RFC 9457. title is the status's own phrase, type "about:blank". */
typedef struct mod_wxpay_problem_t {
    int status;
    const char *code;     /* stable snake_case name */
    const char *detail;   /* one sentence for a developer, no secrets */
    const char *field;    /* member at fault, or NULL or "" */
    const char *err_code; /* the gateway's, or NULL or "" */
    int retry_after;      /* seconds; 0: no Retry-After */
} mod_wxpay_problem_t;
int mod_wxpay_send_problem(request_rec *r, const mod_wxpay_problem_t *problem);

#endif
