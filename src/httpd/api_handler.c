/* api_handler.c - the backends' API: who may ask, and for what. */
#include "api_call.h"

#include <string.h>

#include <apr_strings.h>
#include <http_log.h>

#include "io.h"
#include "module.h"
#include "order.h"
#include "paths.h"

/* The token of "Authorization: Bearer <token>", or NULL. */
static const char *bearer_token(request_rec *r, apr_size_t *len)
{
    const char *value = mod_wxpay_authorization(r);

    if (!value || strncasecmp(value, "Bearer ", 7) != 0) {
        return NULL;
    }
    value += 7 + strspn(value + 7, " ");
    *len = strlen(value);
    while (*len > 0 && value[*len - 1] == ' ') {
        (*len)--;
    }
    return value;
}

static int key_matches(request_rec *r, const mod_wxpay_secrets_t *keys)
{
    apr_size_t len = 0;
    const char *token = bearer_token(r, &len);
    int matches = 0;

    /* both are always compared: time must not tell which one came close */
    if (token && keys->current) {
        matches |= wxpay_secret_equals(keys->current, token, len);
    }
    if (token && keys->previous) {
        matches |= wxpay_secret_equals(keys->previous, token, len);
    }
    return matches;
}

/* A browser has no business here, not even one that was tricked into knowing the key. */
static int from_browser(request_rec *r)
{
    return apr_table_get(r->headers_in, "Origin") || apr_table_get(r->headers_in, "Sec-Fetch-Site");
}

static int unauthorized(request_rec *r)
{
    int given = mod_wxpay_authorization(r) != NULL;

    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "API request with %s key refused",
                  given ? "a wrong" : "no");
    apr_table_setn(r->headers_out, "WWW-Authenticate",
                   given ? "Bearer realm=\"wxpay\", error=\"invalid_token\""
                         : "Bearer realm=\"wxpay\"");
    return mod_wxpay_api_problem(r, HTTP_UNAUTHORIZED, "unauthorized",
                                 given ? "the key is not the one of WxPayApiKey"
                                       : "send \"Authorization: Bearer \" and the key of "
                                         "WxPayApiKey");
}

static int bad_body(request_rec *r, int status)
{
    switch (status) {
    case HTTP_REQUEST_ENTITY_TOO_LARGE:
        return mod_wxpay_api_problem(r, status, "body_too_large",
                                     "the request body is over 64 KiB");
    case HTTP_REQUEST_TIME_OUT:
        return mod_wxpay_api_problem(r, status, "body_timeout",
                                     "the request body did not arrive in time");
    case HTTP_BAD_REQUEST:
        return mod_wxpay_api_problem(r, status, "malformed", "the request body is incomplete");
    default:
        return status; /* httpd has answered */
    }
}

typedef struct route_t {
    const char
        *tail; /* what follows /orders/<number>; NULL: /orders itself, first POST, then GET */
    const char *allow; /* methods */
    unsigned right;    /* MOD_WXPAY_ALLOW_*; 0: none is needed */
    const char *right_name;
    int (*run)(const mod_wxpay_api_call_t *call); /* NULL: not available yet */
} route_t;

#define RESEND "/deliveries/*/resend"

static const route_t routes[] = {
    {NULL, "GET, HEAD, POST", MOD_WXPAY_ALLOW_CREATE, "create", mod_wxpay_api_create},
    {NULL, "GET, HEAD, POST", MOD_WXPAY_ALLOW_QUERY, "query", mod_wxpay_api_list},
    {"", "GET, HEAD", MOD_WXPAY_ALLOW_QUERY, "query", mod_wxpay_api_read},
    {"/close", "POST", MOD_WXPAY_ALLOW_CLOSE, "close", mod_wxpay_api_close},
    {RESEND, "POST", MOD_WXPAY_ALLOW_QUERY, "query", mod_wxpay_api_resend},
    {"/refunds", "GET, HEAD, POST", 0, "refund", NULL},
};

/* The event of "/deliveries/<event>/resend", or NULL. */
static const char *event_of(apr_pool_t *p, const char *tail)
{
    static const char before[] = "/deliveries/", after[] = "/resend";
    const char *event = tail + sizeof(before) - 1;
    apr_size_t len;

    if (strncmp(tail, before, sizeof(before) - 1) != 0) {
        return NULL;
    }
    len = strcspn(event, "/");
    return len > 0 && len <= 64 && strcmp(event + len, after) == 0 ? apr_pstrmemdup(p, event, len)
                                                                   : NULL;
}

/* rest is decoded already, once: a '/' in it always separates. NULL: no such thing. */
static const route_t *find_route(const request_rec *r, const char *rest, const char **number,
                                 const char **event)
{
    const char *tail;

    *number = NULL;
    *event = NULL;
    if (strcmp(rest, "/orders") == 0) {
        return &routes[r->method_number == M_GET];
    }
    if (strncmp(rest, "/orders/", 8) != 0) {
        return NULL;
    }
    rest += 8;
    tail = rest + strcspn(rest, "/");
    if (wxpay_order_check_number(rest, (apr_size_t)(tail - rest), NULL) != WXPAY_OK) {
        return NULL;
    }
    *number = apr_pstrmemdup(r->pool, rest, (apr_size_t)(tail - rest));
    *event = event_of(r->pool, tail);
    tail = *event ? RESEND : tail;
    for (apr_size_t i = 2; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (strcmp(routes[i].tail, tail) == 0) {
            return &routes[i];
        }
    }
    return NULL;
}

static int dispatch(mod_wxpay_api_call_t *call, const char *rest)
{
    request_rec *r = call->r;
    const route_t *route = find_route(r, rest, &call->number, &call->event);

    if (!route) {
        return mod_wxpay_api_problem(r, HTTP_NOT_FOUND, "not_found",
                                     "there is nothing at this path, or no such order");
    }
    if (!mod_wxpay_method_allowed(r, route->allow)) {
        return mod_wxpay_api_problem(r, HTTP_METHOD_NOT_ALLOWED, "method_not_allowed",
                                     apr_psprintf(r->pool, "this path takes %s", route->allow));
    }
    if (!route->run) {
        return mod_wxpay_api_problem(r, HTTP_NOT_IMPLEMENTED, "not_implemented",
                                     "refunds are not available yet: refund in the merchant "
                                     "platform");
    }
    if (!(call->cfg->api_allow & route->right)) {
        return mod_wxpay_api_problem(
            r, HTTP_FORBIDDEN, "not_allowed",
            apr_psprintf(r->pool, "WxPayApiAllow does not name %s", route->right_name));
    }
    if (call->number) {
        apr_table_setn(r->subprocess_env, "WXPAY_OUT_TRADE_NO", call->number);
    }
    if (!call->child) {
        mod_wxpay_problem_t problem = {HTTP_SERVICE_UNAVAILABLE,
                                       "not_ready",
                                       "payments could not be started here: the reason is in the "
                                       "server's error log",
                                       NULL,
                                       NULL,
                                       10};

        return mod_wxpay_send_problem(r, &problem);
    }
    return route->run(call);
}

int mod_wxpay_api(request_rec *r, const mod_wxpay_server_t *cfg, const char *rest)
{
    mod_wxpay_api_call_t call = {r, cfg, mod_wxpay_child(), NULL, NULL, "", 0};
    /* first of all, whoever asks: what is left unread would be taken for the next request */
    int status = mod_wxpay_read_body(r, MOD_WXPAY_BODY_MAX, &call.body, &call.body_len);

    if (status != OK) {
        return bad_body(r, status);
    }
    if (from_browser(r)) {
        return mod_wxpay_api_problem(r, HTTP_FORBIDDEN, "browser_refused",
                                     "this API is for servers: requests with Origin or "
                                     "Sec-Fetch-Site are refused");
    }
    if (!key_matches(r, &cfg->api_key)) {
        return unauthorized(r);
    }
    return dispatch(&call, rest);
}
