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
} mod_wxpay_buyer_t;

/* What the page shows for this order now. */
wxpay_page_e mod_wxpay_buyer_page(const mod_wxpay_buyer_t *buyer);
/* The page itself. page is what mod_wxpay_buyer_page() says, or an error page. */
int mod_wxpay_buyer_html(const mod_wxpay_buyer_t *buyer, int status, wxpay_page_e page);
int mod_wxpay_buyer_json(const mod_wxpay_buyer_t *buyer, int status, wxpay_page_e page);
int mod_wxpay_buyer_state(const mod_wxpay_buyer_t *buyer, wxpay_page_e page);
int mod_wxpay_buyer_qr_svg(const mod_wxpay_buyer_t *buyer);

#endif
