/* checkout.h - between the files of the buyers' pages only. */
#ifndef MOD_WXPAY_CHECKOUT_H
#define MOD_WXPAY_CHECKOUT_H

#include <httpd.h>
#include "config.h"
#include "flow.h"
#include "lifecycle.h"
#include "page.h"

/* One request for one order. */
typedef struct mod_wxpay_buyer_t {
    request_rec *r;
    const mod_wxpay_server_t *cfg;
    const mod_wxpay_child_t *child;
    const char *pay_id;
    const char *self;       /* path of the page */
    wxpay_snapshot_t *snap; /* NULL: unknown order, or the store could not be read */
    apr_time_t now;
    const char *openid; /* who pays inside WeChat; see mod_wxpay_buyer_know() */
    const char *back;   /* without an order: the way back to the shop, or NULL */
} mod_wxpay_buyer_t;

/* Fills buyer->openid: the order's, else what the signed cookie says; NULL outside WeChat. */
void mod_wxpay_buyer_know(mod_wxpay_buyer_t *buyer);
/* 1 in WeChat's browser. */
int mod_wxpay_buyer_in_wechat(const mod_wxpay_buyer_t *buyer);
/* 1 where this order is paid by a tap inside WeChat: for this buyer (there), or for the one its
 * openid names (elsewhere). */
int mod_wxpay_buyer_taps(const mod_wxpay_buyer_t *buyer);
/* The open attempt that this buyer's tap pays, or NULL. */
const wxpay_attempt_t *mod_wxpay_buyer_prepaid(const mod_wxpay_buyer_t *buyer);

/* What the page shows for this order now. */
wxpay_page_e mod_wxpay_buyer_page(const mod_wxpay_buyer_t *buyer);
/* The page itself. page is what mod_wxpay_buyer_page() says, or an error page. */
int mod_wxpay_buyer_html(const mod_wxpay_buyer_t *buyer, int status, wxpay_page_e page);
int mod_wxpay_buyer_json(const mod_wxpay_buyer_t *buyer, int status, wxpay_page_e page);
int mod_wxpay_buyer_state(const mod_wxpay_buyer_t *buyer, wxpay_page_e page);
/* POST <page>/jsapi, its CSRF token checked: what WeixinJSBridge wants. */
int mod_wxpay_buyer_jsapi(const mod_wxpay_buyer_t *buyer);
int mod_wxpay_buyer_qr_svg(const mod_wxpay_buyer_t *buyer);
int mod_wxpay_buyer_qr_png(const mod_wxpay_buyer_t *buyer);

/* GET <checkout>/new?...&sign=: a signed link. */
int mod_wxpay_buyer_link(mod_wxpay_buyer_t *buyer);

#endif
