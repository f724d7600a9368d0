/* checkout_jsapi.c - paying inside WeChat: who the buyer is, and the parameters of its dialog. */
#include "lifecycle.h"
#include "module.h"
#include "checkout.h"

#include <string.h>

#include <util_cookies.h>

#include "io.h"
#include "jsapi.h"
#include "token.h"

#define COOKIE "wxpay_buyer"

int mod_wxpay_buyer_in_wechat(const mod_wxpay_buyer_t *buyer)
{
    const char *agent = apr_table_get(buyer->r->headers_in, "User-Agent");

    return agent && ap_strcasestr(agent, "MicroMessenger") != NULL;
}

void mod_wxpay_buyer_know(mod_wxpay_buyer_t *buyer)
{
    const char *cookie = NULL;

    if (!mod_wxpay_buyer_in_wechat(buyer)) {
        return;
    }
    buyer->openid = buyer->snap->order->openid;
    if (!buyer->openid && ap_cookie_read(buyer->r, COOKIE, &cookie, 0) == APR_SUCCESS && cookie) {
        buyer->openid = wxpay_token_buyer(mod_wxpay_buyer_key(buyer->cfg), cookie, buyer->now);
    }
}

int mod_wxpay_buyer_taps(const mod_wxpay_buyer_t *buyer)
{
    const wxpay_order_t *order = buyer->snap->order;

    return order->trade_type == WXPAY_TRADE_JSAPI ||
           (order->trade_type == WXPAY_TRADE_NONE && (order->openid || buyer->openid));
}

const wxpay_attempt_t *mod_wxpay_buyer_prepaid(const mod_wxpay_buyer_t *buyer)
{
    const wxpay_attempt_t *a = wxpay_snapshot_still_payable(buyer->snap, buyer->now);

    return a && a->trade_type == WXPAY_TRADE_JSAPI && a->prepay_id && a->openid && buyer->openid &&
                   !strcmp(a->openid, buyer->openid)
               ? a
               : NULL;
}

int mod_wxpay_buyer_jsapi(const mod_wxpay_buyer_t *buyer)
{
    request_rec *r = buyer->r;
    const wxpay_attempt_t *payable = wxpay_snapshot_payable(buyer->snap, buyer->now);
    const wxpay_attempt_t *mine = mod_wxpay_buyer_prepaid(buyer);
    wxpay_jsapi_t params;
    wxpay_error_t err;

    if (!mine) {
        int others = !buyer->openid || (payable && payable->trade_type == WXPAY_TRADE_JSAPI);

        return mod_wxpay_buyer_json(buyer, others ? HTTP_FORBIDDEN : HTTP_CONFLICT,
                                    mod_wxpay_buyer_page(buyer));
    }
    wxpay_error_clear(&err);
    if (wxpay_jsapi_params(buyer->cfg->account, mine, buyer->now, r->pool, &params, &err) !=
        WXPAY_OK) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "WXP0408: order %s: %s: %s",
                      buyer->snap->order->out_trade_no, err.step, err.detail);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return mod_wxpay_send_json(r, HTTP_OK, wxpay_jsapi_json(r->pool, &params));
}
