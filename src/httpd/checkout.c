#include "lifecycle.h"
#include "module.h"
#include "paths.h"
#include "checkout.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_uri.h>
#include <http_core.h>
#include <http_protocol.h>
#include "fields.h"
#include "io.h"
#include "token.h"

#define FORM_MAX 4096

/* This page is shown at the public URL only: elsewhere its POST would come from a foreign origin.
 * The mark stops a loop where a proxy in front hides the name or the TLS that the buyer used. */
#define MOVED "moved=1"

static int elsewhere(const mod_wxpay_buyer_t *buyer)
{
    const char *scheme = ap_http_scheme(buyer->r);
    apr_uri_t uri;

    if (!buyer->r->hostname || (buyer->r->args && !strcmp(buyer->r->args, MOVED)) ||
        apr_uri_parse(buyer->r->pool, buyer->cfg->account->public_url, &uri) != APR_SUCCESS ||
        !uri.hostname) {
        return 0;
    }
    return strcasecmp(uri.hostname, buyer->r->hostname) || strcasecmp(uri.scheme, scheme);
}

static int move(const mod_wxpay_buyer_t *buyer)
{
    apr_table_setn(
        buyer->r->headers_out, "Location",
        apr_pstrcat(buyer->r->pool, buyer->cfg->account->public_url, buyer->self, "?" MOVED, NULL));
    return mod_wxpay_send(buyer->r, HTTP_MOVED_TEMPORARILY, "text/plain; charset=utf-8", "", 0,
                          NULL);
}

/* 1, or 0 with *status: what the buyer gets instead. */
static int load(mod_wxpay_buyer_t *buyer, int *status)
{
    wxpay_error_t err;

    wxpay_error_clear(&err);
    switch (wxpay_flow_read_page(buyer->child->flow, buyer->cfg->account, buyer->pay_id,
                                 buyer->r->pool, &buyer->snap, &err)) {
    case WXPAY_OK:
        mod_wxpay_buyer_know(buyer);
        return 1;
    case WXPAY_ENOTFOUND:
        *status = mod_wxpay_buyer_html(buyer, HTTP_NOT_FOUND, WXPAY_PAGE_NOT_FOUND);
        return 0;
    default:
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, buyer->r, "WXP0402: payment page: %s", err.detail);
        *status = mod_wxpay_buyer_html(buyer, HTTP_SERVICE_UNAVAILABLE, WXPAY_PAGE_STORE_DOWN);
        return 0;
    }
}

static int same_origin(const mod_wxpay_buyer_t *buyer)
{
    const char *origin = apr_table_get(buyer->r->headers_in, "Origin");

    return !origin || !strcasecmp(origin, buyer->cfg->account->public_url);
}

static const char *csrf_of(const mod_wxpay_buyer_t *buyer, int *status)
{
    wxpay_fields_t *form;
    wxpay_error_t err;
    const char *body;
    apr_size_t len;

    *status = mod_wxpay_read_body(buyer->r, FORM_MAX, &body, &len);
    if (*status != OK ||
        strcmp(mod_wxpay_content_type(buyer->r), "application/x-www-form-urlencoded") ||
        wxpay_fields_parse_form(buyer->r->pool, body, len, &form, &err) != WXPAY_OK) {
        return NULL;
    }
    return wxpay_fields_get(form, "csrf");
}

/* The answer to a POST: the page's script wants JSON, a plain form is sent back to the page. */
static int answer(mod_wxpay_buyer_t *buyer, int status, wxpay_page_e page)
{
    buyer->now = apr_time_now();
    if (mod_wxpay_prefers_json(buyer->r)) {
        return mod_wxpay_buyer_json(buyer, status, page);
    }
    return status == HTTP_OK ? mod_wxpay_see_other(buyer->r, buyer->self)
                             : mod_wxpay_buyer_html(buyer, status, page);
}

static int open_attempt(mod_wxpay_buyer_t *buyer)
{
    wxpay_identity_t identity = {WXPAY_TRADE_NATIVE, NULL, NULL};
    int may_wait = mod_wxpay_wait_begin();
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    wxpay_rc_e rc;

    if (mod_wxpay_buyer_taps(buyer)) {
        identity.trade_type = WXPAY_TRADE_JSAPI;
        identity.openid = buyer->openid;
        identity.client_ip = buyer->r->useragent_ip;
    }
    wxpay_error_clear(&err);
    rc = wxpay_flow_open(buyer->child->flow, buyer->cfg->account, buyer->snap->order->out_trade_no,
                         &identity, may_wait ? buyer->cfg->max_wait : 0, buyer->r->pool, &snap,
                         &err);
    if (may_wait) {
        mod_wxpay_wait_end();
    }
    if (snap) {
        buyer->snap = snap;
    }
    buyer->now = apr_time_now();
    if (rc == WXPAY_ESTORE || (rc == WXPAY_EBUSY && !snap)) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, buyer->r, "WXP0403: payment page: %s", err.detail);
        return answer(buyer, HTTP_SERVICE_UNAVAILABLE, WXPAY_PAGE_STORE_DOWN);
    }
    if (rc == WXPAY_EBUSY) {
        apr_table_setn(buyer->r->err_headers_out, "Retry-After", "5");
        return answer(buyer, HTTP_SERVICE_UNAVAILABLE, WXPAY_PAGE_DOWN);
    }
    return answer(buyer, HTTP_OK, mod_wxpay_buyer_page(buyer));
}

/* OK, or what to answer: this is not our own page's doing. */
static int check_post(const mod_wxpay_buyer_t *buyer)
{
    const char *csrf;
    int status;

    if (!same_origin(buyer)) {
        return HTTP_FORBIDDEN;
    }
    csrf = csrf_of(buyer, &status);
    if (status != OK) {
        return status;
    }
    return csrf && wxpay_token_csrf_check(mod_wxpay_csrf_key(buyer->cfg), buyer->pay_id, csrf,
                                          buyer->now)
               ? OK
               : HTTP_FORBIDDEN;
}

static int post(mod_wxpay_buyer_t *buyer)
{
    wxpay_page_e page = mod_wxpay_buyer_page(buyer);
    int status = check_post(buyer);

    if (status != OK) {
        return status;
    }
    switch (page) {
    case WXPAY_PAGE_READY:
    case WXPAY_PAGE_TAP:
    case WXPAY_PAGE_DOWN:
    case WXPAY_PAGE_BLOCKED:
    case WXPAY_PAGE_PREPARING:
    case WXPAY_PAGE_EXPIRED: /* writes EXPIRED where that is what it is */
        return open_attempt(buyer);
    default:
        return answer(buyer, HTTP_OK, page);
    }
}

/* "I have paid." What is found shows in the order; the page looks. */
static int ask(mod_wxpay_buyer_t *buyer)
{
    int status = check_post(buyer);
    wxpay_error_t err;

    if (status != OK) {
        return status;
    }
    wxpay_error_clear(&err);
    if (wxpay_flow_ask(buyer->child->flow, buyer->cfg->account, buyer->snap->order->out_trade_no,
                       &err) != WXPAY_OK) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, buyer->r, "payment page: cannot ask early: %s",
                      err.detail);
    }
    return answer(buyer, HTTP_OK, mod_wxpay_buyer_page(buyer));
}

static int jsapi(mod_wxpay_buyer_t *buyer)
{
    int status = check_post(buyer);

    return status == OK ? mod_wxpay_buyer_jsapi(buyer) : status;
}

/* A lease whose holder died, or a call to be repeated: go on with what a POST has begun. A GET
 * never begins anything. */
static void go_on(const mod_wxpay_buyer_t *buyer)
{
    wxpay_error_t err;

    if (wxpay_flow_nudge(buyer->child->flow, buyer->cfg->account, buyer->snap, &err) != WXPAY_OK) {
        ap_log_rerror(APLOG_MARK, APLOG_DEBUG, 0, buyer->r, "WXP0404: payment page: %s",
                      err.detail);
    }
}

static int state(mod_wxpay_buyer_t *buyer)
{
    go_on(buyer);
    return mod_wxpay_buyer_state(buyer, mod_wxpay_buyer_page(buyer));
}

static int page(mod_wxpay_buyer_t *buyer)
{
    wxpay_page_e shown;

    if (buyer->r->method_number == M_POST) {
        return post(buyer);
    }
    if (elsewhere(buyer)) {
        return move(buyer);
    }
    go_on(buyer);
    shown = mod_wxpay_buyer_page(buyer);
    return mod_wxpay_prefers_json(buyer->r) ? mod_wxpay_buyer_json(buyer, HTTP_OK, shown)
                                            : mod_wxpay_buyer_html(buyer, HTTP_OK, shown);
}

/* "/<pay_id>[/<what>]" -> buyer->pay_id, and what ("" for the page itself). */
static const char *split(mod_wxpay_buyer_t *buyer, const char *rest)
{
    const char *slash;

    if (*rest != '/') {
        buyer->pay_id = "";
        return "";
    }
    slash = strchr(++rest, '/');
    buyer->pay_id = slash ? apr_pstrmemdup(buyer->r->pool, rest, (apr_size_t)(slash - rest)) : rest;
    buyer->self = apr_pstrcat(buyer->r->pool, buyer->cfg->checkout_path, "/", buyer->pay_id, NULL);
    return slash ? slash + 1 : "";
}

static const char *methods(const char *what)
{
    if (!*what) {
        return "GET, HEAD, POST";
    }
    return strcmp(what, "jsapi") && strcmp(what, "ask") ? "GET, HEAD" : "POST";
}

static int answer_request(request_rec *r, const mod_wxpay_server_t *cfg, const char *rest)
{
    mod_wxpay_buyer_t buyer = {r,    cfg, mod_wxpay_child(), NULL, NULL, NULL, apr_time_now(),
                               NULL, NULL};
    const char *what = split(&buyer, rest);
    int status;

    if (!*what && !strcmp(buyer.pay_id, "new") && cfg->link_key.current) {
        return mod_wxpay_buyer_link(&buyer);
    }
    if (!mod_wxpay_method_allowed(r, methods(what))) {
        return mod_wxpay_send(r, HTTP_METHOD_NOT_ALLOWED, "text/plain; charset=utf-8", "", 0, NULL);
    }
    if (!buyer.child) {
        return mod_wxpay_buyer_html(&buyer, HTTP_SERVICE_UNAVAILABLE, WXPAY_PAGE_STORE_DOWN);
    }
    if (!load(&buyer, &status)) {
        return status;
    }
    if (!*what) {
        return page(&buyer);
    }
    if (!strcmp(what, "state")) {
        return state(&buyer);
    }
    if (!strcmp(what, "jsapi")) {
        return jsapi(&buyer);
    }
    if (!strcmp(what, "ask")) {
        return ask(&buyer);
    }
    if (!strcmp(what, "qr.svg")) {
        return mod_wxpay_buyer_qr_svg(&buyer);
    }
    if (!strcmp(what, "qr.png")) {
        return mod_wxpay_buyer_qr_png(&buyer);
    }
    buyer.snap = NULL;
    return mod_wxpay_buyer_html(&buyer, HTTP_NOT_FOUND, WXPAY_PAGE_NOT_FOUND);
}

int mod_wxpay_checkout(request_rec *r, const mod_wxpay_server_t *cfg, const char *rest)
{
    int status = answer_request(r, cfg, rest);

    if (ap_is_HTTP_ERROR(status)) {
        /* httpd writes that page; it must not be kept either: "no code yet" ends in a second. */
        apr_table_setn(r->err_headers_out, "Cache-Control", "no-store");
        apr_table_setn(r->err_headers_out, "X-Content-Type-Options", "nosniff");
    }
    return status;
}
