#include "lifecycle.h"
#include "module.h"
#include "checkout.h"

#include <ap_mpm.h>
#include <apr_strings.h>
#include <http_protocol.h>
#include "clock.h"
#include "io.h"
#include "money.h"
#include "order_json.h"
#include "qr.h"
#include "token.h"

#define VARY "Accept, Accept-Language, Cookie, User-Agent"

static const wxpay_attempt_t *native_code(const mod_wxpay_buyer_t *buyer)
{
    const wxpay_attempt_t *a = wxpay_snapshot_still_payable(buyer->snap, buyer->now);

    /* WeChat refuses to read a code that it shows itself. */
    return a && a->trade_type == WXPAY_TRADE_NATIVE && a->code_url &&
                   !mod_wxpay_buyer_in_wechat(buyer)
               ? a
               : NULL;
}

static wxpay_page_e unpaid_page(const mod_wxpay_buyer_t *buyer)
{
    const wxpay_attempt_t *newest = wxpay_snapshot_newest(buyer->snap);
    int in_wechat = mod_wxpay_buyer_in_wechat(buyer);

    if (mod_wxpay_buyer_taps(buyer) != in_wechat) {
        return in_wechat ? WXPAY_PAGE_ELSEWHERE : WXPAY_PAGE_IN_WECHAT;
    }
    if (native_code(buyer)) {
        return WXPAY_PAGE_PAYABLE;
    }
    if (mod_wxpay_buyer_prepaid(buyer)) {
        return WXPAY_PAGE_TAP;
    }
    if (wxpay_snapshot_busy(buyer->snap, buyer->now)) {
        return WXPAY_PAGE_PREPARING;
    }
    if (newest && newest->state == WXPAY_ATTEMPT_RESERVED) {
        return WXPAY_PAGE_BLOCKED;
    }
    if (newest && (newest->state == WXPAY_ATTEMPT_SENT || newest->state == WXPAY_ATTEMPT_FAILED)) {
        return WXPAY_PAGE_DOWN;
    }
    if (in_wechat) {
        return WXPAY_PAGE_TAP;
    }
    /* What another device opened is not taken from it unless the buyer says so: two pages that
     * open by themselves would close each other's for ever. */
    return wxpay_snapshot_payable(buyer->snap, buyer->now) ? WXPAY_PAGE_BLOCKED : WXPAY_PAGE_READY;
}

wxpay_page_e mod_wxpay_buyer_page(const mod_wxpay_buyer_t *buyer)
{
    const wxpay_order_t *order = buyer->snap->order;

    if (order->state == WXPAY_ORDER_PAID) {
        return WXPAY_PAGE_PAID;
    }
    if (order->quarantined) {
        return WXPAY_PAGE_CHECKING;
    }
    if (order->close_wanted) {
        return WXPAY_PAGE_CLOSED;
    }
    /* What nobody asked to close was closed because its time was over. */
    if (order->state == WXPAY_ORDER_EXPIRED || order->state == WXPAY_ORDER_CLOSED ||
        order->expires_at <= buyer->now) {
        return WXPAY_PAGE_EXPIRED;
    }
    return unpaid_page(buyer);
}

static apr_time_t retry_at(const wxpay_snapshot_t *snap)
{
    int i;

    for (i = 0; i < snap->count; ++i) {
        if (snap->attempts[i]->state == WXPAY_ATTEMPT_CLOSING) {
            return snap->attempts[i]->next_at;
        }
    }
    return 0;
}

static int internal_error(request_rec *r, const wxpay_error_t *err)
{
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "WXP0401: payment page: %s", err->detail);
    return HTTP_INTERNAL_SERVER_ERROR;
}

static wxpay_lang_e language(const mod_wxpay_buyer_t *buyer)
{
    const char *fixed = buyer->cfg->language;

    return wxpay_page_lang(fixed ? fixed : apr_table_get(buyer->r->headers_in, "Accept-Language"));
}

/* The same sentence as on the page, for those who cannot see the code. */
static const char *qr_label(const mod_wxpay_buyer_t *buyer, wxpay_lang_e lang)
{
    const char *amount = wxpay_money_format(buyer->r->pool, buyer->snap->order->total_fee);

    switch (lang) {
    case WXPAY_LANG_EN:
        return apr_pstrcat(buyer->r->pool, "WeChat Pay QR code, amount CNY ", amount, NULL);
    case WXPAY_LANG_ZH_TW:
        return apr_pstrcat(buyer->r->pool, "微信支付 QR 碼，金額 ", amount, " 元", NULL);
    default:
        return apr_pstrcat(buyer->r->pool, "微信支付二维码，金额 ", amount, " 元", NULL);
    }
}

static wxpay_rc_e fill_order(const mod_wxpay_buyer_t *buyer, wxpay_page_view_t *view,
                             wxpay_error_t *err)
{
    const wxpay_order_t *order = buyer->snap->order;
    const wxpay_attempt_t *newest = wxpay_snapshot_newest(buyer->snap);
    apr_size_t len;

    view->self = buyer->self;
    view->out_trade_no = order->out_trade_no;
    view->title = order->body;
    view->total_fee = order->total_fee;
    view->return_url = order->return_url;
    view->transaction_id = order->transaction_id;
    view->err_code = newest ? newest->err_code : NULL;
    view->created_at = order->created_at;
    view->expires_at = order->expires_at;
    view->retry_at = retry_at(buyer->snap);
    view->paid_at = order->paid_at;
    view->rev = order->rev;
    if (view->page == WXPAY_PAGE_PAYABLE &&
        wxpay_qr_svg(buyer->r->pool, native_code(buyer)->code_url, qr_label(buyer, view->lang), 0,
                     &view->svg, &len, err) != WXPAY_OK) {
        return err->code;
    }
    return wxpay_token_csrf_make(buyer->r->pool, mod_wxpay_csrf_key(buyer->cfg), buyer->pay_id,
                                 buyer->now, &view->csrf, err);
}

int mod_wxpay_buyer_html(const mod_wxpay_buyer_t *buyer, int status, wxpay_page_e page)
{
    request_rec *r = buyer->r;
    wxpay_page_view_t view;
    wxpay_error_t err;
    const char *html;
    apr_size_t len;

    memset(&view, 0, sizeof(view));
    wxpay_error_clear(&err);
    view.page = page;
    view.lang = language(buyer);
    view.merchant = buyer->cfg->merchant_name;
    view.support = buyer->cfg->support.text;
    view.support_href = buyer->cfg->support.href;
    view.return_url = buyer->back;
    view.now = buyer->now;
    /* Unknown, malformed and other sites' orders must look the same to the byte; a page without any
     * value of anybody's needs no random nonce. */
    view.nonce = "static";
    if (buyer->snap && (wxpay_token_random(r->pool, &view.nonce, &err) != WXPAY_OK ||
                        fill_order(buyer, &view, &err) != WXPAY_OK)) {
        return internal_error(r, &err);
    }
    if (wxpay_page_render(r->pool, &view, &html, &len, &err) != WXPAY_OK) {
        return internal_error(r, &err);
    }
    if (status == HTTP_SERVICE_UNAVAILABLE) {
        apr_table_setn(r->err_headers_out, "Retry-After", "5");
    }
    apr_table_mergen(r->headers_out, "Vary", VARY);
    return mod_wxpay_send(r, status, "text/html; charset=utf-8", html, len,
                          wxpay_page_csp(r->pool, view.nonce));
}

int mod_wxpay_buyer_json(const mod_wxpay_buyer_t *buyer, int status, wxpay_page_e page)
{
    const wxpay_attempt_t *code = page == WXPAY_PAGE_PAYABLE ? native_code(buyer) : NULL;

    apr_table_mergen(buyer->r->headers_out, "Vary", VARY);
    return mod_wxpay_send_json(buyer->r, status,
                               wxpay_order_buyer_json(buyer->r->pool, buyer->snap->order,
                                                      wxpay_page_name(page),
                                                      code ? code->code_url : NULL));
}

int mod_wxpay_buyer_state(const mod_wxpay_buyer_t *buyer, wxpay_page_e page)
{
    request_rec *r = buyer->r;
    const wxpay_order_t *order = buyer->snap->order;
    char expires[WXPAY_RFC3339_SIZE];
    json_t *json = wxpay_json_object(r->pool);
    int async = 0;
    int status;

    /* What is shown also changes by the clock alone, so the name belongs to the tag. */
    apr_table_setn(
        r->headers_out, "ETag",
        apr_psprintf(r->pool, "\"%" APR_INT64_T_FMT "-%s\"", order->rev, wxpay_page_name(page)));
    apr_table_setn(r->headers_out, "Cache-Control", "private, no-cache");
    apr_table_setn(r->subprocess_env, "no-gzip", "1"); /* mod_deflate would change the ETag */
    if (ap_mpm_query(AP_MPMQ_IS_ASYNC, &async) != APR_SUCCESS || !async) {
        r->connection->keepalive = AP_CONN_CLOSE; /* a waiting poller would hold a worker */
    }
    status = ap_meets_conditions(r);
    if (status != OK) {
        r->status = status;
        return OK;
    }
    wxpay_clock_rfc3339(order->expires_at, expires);
    json_object_set_new(json, "state", json_string(wxpay_page_name(page)));
    json_object_set_new(json, "expires_at", json_string(expires));
    json_object_set_new(json, "rev", json_integer(order->rev));
    return mod_wxpay_send_json(r, HTTP_OK, json);
}

int mod_wxpay_buyer_qr_png(const mod_wxpay_buyer_t *buyer)
{
    const wxpay_attempt_t *code = native_code(buyer);
    wxpay_error_t err;
    const char *png;
    apr_size_t len;

    if (!code) {
        return HTTP_NOT_FOUND;
    }
    wxpay_error_clear(&err);
    if (wxpay_qr_png(buyer->r->pool, code->code_url, &png, &len, &err) != WXPAY_OK) {
        return internal_error(buyer->r, &err);
    }
    return mod_wxpay_send(buyer->r, HTTP_OK, "image/png", png, len, NULL);
}

int mod_wxpay_buyer_qr_svg(const mod_wxpay_buyer_t *buyer)
{
    request_rec *r = buyer->r;
    const wxpay_attempt_t *code = native_code(buyer);
    wxpay_lang_e lang = language(buyer);
    wxpay_error_t err;
    const char *svg;
    apr_size_t len;

    if (!code) {
        return HTTP_NOT_FOUND;
    }
    wxpay_error_clear(&err);
    if (wxpay_qr_svg(r->pool, code->code_url, qr_label(buyer, lang), 1, &svg, &len, &err) !=
        WXPAY_OK) {
        return internal_error(r, &err);
    }
    return mod_wxpay_send(r, HTTP_OK, "image/svg+xml", svg, len, NULL);
}
