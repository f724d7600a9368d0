/* checkout_link.c - a signed link: the site's order comes in with the buyer. */
#include "lifecycle.h"
#include "module.h"
#include "checkout.h"

#include <apr_strings.h>

#include "intake.h"
#include "io.h"
#include "link.h"

/* Whoever follows a link may be anybody, and may follow it again and again: what only a site can
 * have caused is a warning, the rest is information. */
static int refused(const mod_wxpay_buyer_t *buyer, const wxpay_error_t *err)
{
    if (err->code == WXPAY_ESIGN || err->code == WXPAY_EMISMATCH) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, buyer->r, "signed link refused: %s", err->detail);
    }
    else {
        int named = err->code == WXPAY_EPARSE && *err->field; /* others name it themselves */

        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, buyer->r,
                      "WXP0405: a link that is signed correctly says something that no order may "
                      "say, refused: %s%s%s",
                      named ? err->field : "", named ? ": " : "", err->detail);
    }
    return mod_wxpay_buyer_html(buyer, HTTP_FORBIDDEN, WXPAY_PAGE_LINK_REFUSED);
}

static int store_failed(const mod_wxpay_buyer_t *buyer, const wxpay_error_t *err)
{
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, buyer->r, "WXP0407: signed link: %s", err->detail);
    return mod_wxpay_buyer_html(buyer, HTTP_SERVICE_UNAVAILABLE, WXPAY_PAGE_STORE_DOWN);
}

static int conflict(const mod_wxpay_buyer_t *buyer, const mod_wxpay_intake_t *in,
                    const wxpay_error_t *err)
{
    ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, buyer->r,
                  "WXP0406: a signed link for order %s says other facts than before: %s",
                  in->order->out_trade_no, err->detail);
    return mod_wxpay_buyer_html(buyer, HTTP_CONFLICT, WXPAY_PAGE_CONFLICT);
}

static int submit(const mod_wxpay_buyer_t *buyer, const mod_wxpay_intake_t *in)
{
    const mod_wxpay_server_t *cfg = buyer->cfg;
    wxpay_snapshot_t *snap = NULL;
    wxpay_error_t err;
    int created;

    wxpay_error_clear(&err);
    switch (mod_wxpay_intake_submit(in, NULL, 0, &snap, &created, &err)) {
    case WXPAY_OK:
        return mod_wxpay_see_other(buyer->r, apr_pstrcat(buyer->r->pool, cfg->checkout_path, "/",
                                                         snap->order->pay_id, NULL));
    case WXPAY_ECONFLICT:
        return conflict(buyer, in, &err);
    default:
        return store_failed(buyer, &err);
    }
}

/* Path and query, as they came; a request line may also name the whole URL (RFC 9112, 3.2.2). */
static const char *as_received(const request_rec *r)
{
    const char *host = *r->unparsed_uri == '/' ? NULL : ap_strstr_c(r->unparsed_uri, "://");
    const char *path = host ? ap_strchr_c(host + 3, '/') : NULL;

    return path ? path : r->unparsed_uri;
}

int mod_wxpay_buyer_link(mod_wxpay_buyer_t *buyer)
{
    const mod_wxpay_server_t *cfg = buyer->cfg;
    request_rec *r = buyer->r;
    mod_wxpay_intake_t in = {r, cfg, buyer->child, NULL, 0};
    wxpay_fields_t *fields;
    wxpay_error_t err;

    if (!mod_wxpay_method_allowed(r, "GET, HEAD")) {
        return mod_wxpay_send(r, HTTP_METHOD_NOT_ALLOWED, "text/plain; charset=utf-8", "", 0, NULL);
    }
    if (!buyer->child) {
        return mod_wxpay_buyer_html(buyer, HTTP_SERVICE_UNAVAILABLE, WXPAY_PAGE_STORE_DOWN);
    }
    wxpay_error_clear(&err);
    if (wxpay_link_read(cfg->account->public_url, as_received(r), cfg->link_key.current,
                        cfg->link_key.previous, buyer->now, r->pool, &fields, &err) != WXPAY_OK ||
        mod_wxpay_intake_read(&in, fields, &err) != WXPAY_OK) {
        return err.code == WXPAY_EINTERNAL ? store_failed(buyer, &err) : refused(buyer, &err);
    }
    /* HEAD asks whether the link is good; only who follows it makes an order. */
    return r->header_only ? mod_wxpay_send(r, HTTP_OK, "text/html; charset=utf-8", "", 0, NULL)
                          : submit(buyer, &in);
}
