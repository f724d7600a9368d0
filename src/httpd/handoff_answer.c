/* handoff_answer.c - from what the header says to what the buyer gets. */
#include "lifecycle.h"
#include "module.h"
#include "handoff.h"

#include <string.h>

#include <apr_strings.h>

#include "checkout.h"
#include "directives.h"
#include "intake.h"
#include "io.h"
#include "money.h"

#define MAX_BYTES 7000 /* httpd takes 8190 for a line of a script's header */

int mod_wxpay_handoff_honoured(const request_rec *r)
{
    return r->proxyreq != PROXYREQ_PROXY && mod_wxpay_config_dir(r)->handoff;
}

/* ---- what the buyer gets ---- */

/* What the script said about its own page, and what io.h says about ours. */
static void forget_page(request_rec *r)
{
    static const char *const names[] = {"Accept-Ranges",
                                        "Age",
                                        "Cache-Control",
                                        "CDN-Cache-Control",
                                        "Content-Disposition",
                                        "Content-Encoding",
                                        "Content-Language",
                                        "Content-Length",
                                        "Content-Location",
                                        "Content-MD5",
                                        "Content-Range",
                                        "Content-Security-Policy",
                                        "Content-Type",
                                        "Digest",
                                        "ETag",
                                        "Expires",
                                        "Last-Modified",
                                        "Location",
                                        "Pragma",
                                        "Referrer-Policy",
                                        "Refresh",
                                        "Retry-After",
                                        "Surrogate-Control",
                                        "Transfer-Encoding",
                                        "X-Content-Type-Options",
                                        NULL};
    int i;

    for (i = 0; names[i]; i++) {
        apr_table_unset(r->headers_out, names[i]);
        apr_table_unset(r->err_headers_out, names[i]);
    }
    r->content_encoding = NULL;
    r->content_languages = NULL;
    apr_table_setn(r->subprocess_env, "no-cache", "1"); /* mod_cache, whatever it is told else */
}

/* To the shop: where the order would lead to, else where this place does, else its front page. */
static const char *way_back(const request_rec *script, const wxpay_order_t *order)
{
    const mod_wxpay_dir_t *dir = mod_wxpay_config_dir(script);

    return order && order->return_url ? order->return_url : dir->return_url ? dir->return_url : "/";
}

static void finish(request_rec *r, int status)
{
    if (status != OK) { /* of io.h or the page's renderer: no memory */
        mod_wxpay_send(r, HTTP_INTERNAL_SERVER_ERROR, "text/plain; charset=utf-8", "", 0, NULL);
    }
}

static void send_failure(request_rec *r, int status, wxpay_page_e page, const char *back)
{
    mod_wxpay_buyer_t buyer = {
        .r = r, .cfg = mod_wxpay_config_server(r->server), .now = apr_time_now(), .back = back};
    mod_wxpay_problem_t problem = {status,
                                   "handoff_failed",
                                   "the payment could not be started and nothing was charged; the "
                                   "reason is in the server's error log",
                                   NULL,
                                   NULL,
                                   status == HTTP_SERVICE_UNAVAILABLE ? 5 : 0};

    if (status == HTTP_CONFLICT) {
        problem.code = "order_conflict";
        problem.detail = "there is an order with this number and other facts already; nothing was "
                         "charged";
    }
    forget_page(r);
    if (r->main) { /* a part of somebody's page */
        r->status = status;
        return;
    }
    finish(r, mod_wxpay_prefers_json(r) ? mod_wxpay_send_problem(r, &problem)
                                        : mod_wxpay_buyer_html(&buyer, status, page));
}

static void send_order(const mod_wxpay_intake_t *in, const wxpay_order_t *order)
{
    request_rec *r = in->r;
    const char *url = apr_pstrcat(r->pool, in->cfg->account->public_url, in->cfg->checkout_path,
                                  "/", order->pay_id, NULL);
    json_t *json;

    forget_page(r);
    if (!mod_wxpay_prefers_json(r)) {
        finish(r, mod_wxpay_see_other(r, url));
        return;
    }
    json = wxpay_json_object(r->pool);
    json_object_set_new(json, "out_trade_no", json_string(order->out_trade_no));
    json_object_set_new(json, "pay_url", json_string(url));
    finish(r, mod_wxpay_send_json(r, HTTP_OK, json));
}

/* ---- what is wrong with it ---- */

void mod_wxpay_handoff_refuse(request_rec *r, const request_rec *script, const char *why)
{
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                  "WXP0411: the hand-off by %s is refused and its page withheld: %s", script->uri,
                  why);
    send_failure(r, HTTP_INTERNAL_SERVER_ERROR, WXPAY_PAGE_HANDOFF_FAILED, way_back(script, NULL));
}

static void refuse_facts(request_rec *r, const wxpay_error_t *err)
{
    /* a form's own faults don't name the member themselves */
    int named = err->code == WXPAY_EPARSE && *err->field;

    mod_wxpay_handoff_refuse(
        r, r, apr_pstrcat(r->pool, named ? err->field : "", named ? ": " : "", err->detail, NULL));
}

static void store_failed(const mod_wxpay_intake_t *in, const char *detail)
{
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, in->r,
                  "WXP0413: the hand-off by %s cannot be stored: %s", in->r->uri, detail);
    send_failure(in->r, HTTP_SERVICE_UNAVAILABLE, WXPAY_PAGE_HANDOFF_FAILED,
                 way_back(in->r, in->order));
}

static void conflict(const mod_wxpay_intake_t *in, const wxpay_error_t *err)
{
    ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, in->r,
                  "WXP0412: the hand-off of order %s by %s says other facts than before: %s",
                  in->order->out_trade_no, in->r->uri, err->detail);
    send_failure(in->r, HTTP_CONFLICT, WXPAY_PAGE_CONFLICT, way_back(in->r, in->order));
}

/* A sentence about the answer around the header, or NULL. */
static const char *unfit_answer(request_rec *r)
{
    if (r->main) {
        return "it comes from a part of another page (an SSI include, say): send the buyer to the "
               "script itself";
    }
    if (apr_table_get(r->headers_out, "Location") ||
        apr_table_get(r->err_headers_out, "Location")) {
        return "there is a Location header too: leave it out, the buyer is sent to the payment "
               "page";
    }
    if (r->status != HTTP_OK && r->status != HTTP_MOVED_TEMPORARILY &&
        r->status != HTTP_SEE_OTHER) {
        return apr_psprintf(r->pool, "its status is %d: answer 200, 302 or 303", r->status);
    }
    return NULL;
}

static const char *unfit_header(request_rec *r, const mod_wxpay_handoff_t *said)
{
    /* httpd joins the headers of a CGI script that have the same name. */
    if (said->count > 1 || strstr(said->value, ", ")) {
        return "the header is there twice: answer with it once, for one order";
    }
    if (strlen(said->value) > MAX_BYTES) {
        return apr_psprintf(r->pool,
                            "the header has %" APR_SIZE_T_FMT
                            " bytes, at most %d are taken: create such orders through "
                            "WxPayApiPath",
                            strlen(said->value), MAX_BYTES);
    }
    if (strpbrk(said->value, " \t")) {
        return "the header holds a blank: encode its values as a form does, with "
               "http_build_query() in PHP";
    }
    return NULL;
}

static const char *unfit_place(const mod_wxpay_server_t *cfg)
{
    if (!cfg->account) {
        return "there is no merchant for this server: write WxPayAppId, WxPayMchId and WxPayKey "
               "for it";
    }
    return cfg->checkout_path ? NULL
                              : "there is no place for the payment pages: write "
                                "\"WxPayCheckoutPath /wxpay/pay\" for this server";
}

static wxpay_rc_e check_amount(const mod_wxpay_intake_t *in, wxpay_error_t *err)
{
    const mod_wxpay_dir_t *dir = mod_wxpay_config_dir(in->r);
    const char *where = dir->where[mod_wxpay_directive_index("WxPayHandoffMax")];

    if (!where || in->order->total_fee <= dir->handoff_max) {
        return WXPAY_OK;
    }
    return wxpay_error_field(
        err, "check order", "total_fee",
        "total_fee %" APR_INT64_T_FMT " (%s yuan) is more than WxPayHandoffMax %s (%s) allows",
        in->order->total_fee, wxpay_money_format(in->r->pool, in->order->total_fee),
        wxpay_money_format(in->r->pool, dir->handoff_max), where);
}

static wxpay_rc_e read_order(mod_wxpay_intake_t *in, const char *value, wxpay_error_t *err)
{
    wxpay_fields_t *fields;
    wxpay_rc_e rc = wxpay_fields_parse_form(in->r->pool, value, strlen(value), &fields, err);

    if (rc != WXPAY_OK) {
        return rc;
    }
    if (wxpay_fields_get(fields, "detail")) {
        return wxpay_error_field(err, "check order", "detail",
                                 "detail has no place in a header: leave it out, or create such "
                                 "orders through WxPayApiPath");
    }
    rc = mod_wxpay_intake_read(in, fields, err);
    return rc == WXPAY_OK ? check_amount(in, err) : rc;
}

/* ---- the order ---- */

static void submit(mod_wxpay_intake_t *in)
{
    const wxpay_order_t *order = in->order;
    wxpay_snapshot_t *snap = NULL;
    wxpay_error_t err;
    int created;

    wxpay_error_clear(&err);
    switch (mod_wxpay_intake_submit(in, NULL, 0, &snap, &created, &err)) {
    case WXPAY_OK:
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, in->r,
                      "hand-off: order %s, %" APR_INT64_T_FMT " fen = %s yuan%s",
                      order->out_trade_no, order->total_fee,
                      wxpay_money_format(in->r->pool, order->total_fee),
                      created ? "" : ", known already");
        send_order(in, snap->order);
        break;
    case WXPAY_ECONFLICT:
        conflict(in, &err);
        break;
    default:
        store_failed(in, err.detail);
    }
}

static void take_order(request_rec *r, const mod_wxpay_handoff_t *said)
{
    const mod_wxpay_server_t *cfg = mod_wxpay_config_server(r->server);
    mod_wxpay_intake_t in = {r, cfg, mod_wxpay_child(), NULL, 0};
    const char *why = unfit_answer(r);
    wxpay_error_t err;

    why = why ? why : unfit_header(r, said);
    why = why ? why : unfit_place(cfg);
    if (why) {
        mod_wxpay_handoff_refuse(r, r, why);
        return;
    }
    if (!in.child) {
        store_failed(&in, "payments could not be started here: the reason is in a line from then");
        return;
    }
    wxpay_error_clear(&err);
    if (read_order(&in, said->value, &err) != WXPAY_OK) {
        refuse_facts(r, &err);
    }
    else if (r->header_only) {
        forget_page(r);
        finish(r, mod_wxpay_send(r, HTTP_OK, "text/html; charset=utf-8", "", 0, NULL));
    }
    else {
        submit(&in);
    }
}

void mod_wxpay_handoff_answer(request_rec *r, const mod_wxpay_handoff_t *said)
{
    mod_wxpay_work_begin(MOD_WXPAY_REQUEST);
    take_order(r, said);
    mod_wxpay_work_end(MOD_WXPAY_REQUEST);
}
