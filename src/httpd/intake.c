#include "intake.h"

#include <string.h>

/* An order that is repeated is judged by the time it first came in: its time_expire was far enough
 * ahead then. */
static wxpay_rc_e make_order(mod_wxpay_intake_t *in, const wxpay_fields_t *fields,
                             wxpay_error_t *err)
{
    apr_pool_t *pool = in->r->pool;
    const wxpay_account_t *account = in->cfg->account;
    wxpay_rc_e rc = wxpay_order_from_fields(fields, account, apr_time_now(), pool, &in->order, err);
    const char *number = wxpay_fields_get(fields, "out_trade_no");
    wxpay_snapshot_t *snap;
    wxpay_error_t unknown;

    if (rc == WXPAY_EINPUT && strcmp(err->field, "time_expire") == 0 &&
        wxpay_flow_read(in->child->flow, account, number, pool, &snap, &unknown) == WXPAY_OK) {
        rc = wxpay_order_from_fields(fields, account, snap->order->created_at, pool, &in->order,
                                     err);
    }
    return rc;
}

static wxpay_rc_e settle_return_url(mod_wxpay_intake_t *in, wxpay_error_t *err)
{
    const mod_wxpay_dir_t *dir = mod_wxpay_config_dir(in->r);
    wxpay_order_t *order = in->order;

    in->default_return_url = order->return_url == NULL;
    if (in->default_return_url) {
        order->return_url = dir->return_url;
    }
    else if (!mod_wxpay_config_return_allowed(in->cfg, dir, in->r->pool, order->return_url)) {
        return wxpay_error_field(err, "check order", "return_url",
                                 "return_url names a host that WxPayReturnHosts does not list");
    }
    return WXPAY_OK;
}

wxpay_rc_e mod_wxpay_intake_read(mod_wxpay_intake_t *in, const wxpay_fields_t *fields,
                                 wxpay_error_t *err)
{
    if (make_order(in, fields, err) != WXPAY_OK) {
        return err->code;
    }
    apr_table_setn(in->r->subprocess_env, "WXPAY_OUT_TRADE_NO", in->order->out_trade_no);
    return settle_return_url(in, err);
}

wxpay_rc_e mod_wxpay_intake_submit(const mod_wxpay_intake_t *in, const wxpay_identity_t *open,
                                   apr_interval_time_t wait, wxpay_snapshot_t **snap, int *created,
                                   wxpay_error_t *err)
{
    wxpay_flow_t *flow = in->child->flow;
    const wxpay_account_t *account = in->cfg->account;
    wxpay_rc_e rc =
        wxpay_flow_submit(flow, account, in->order, open, wait, in->r->pool, snap, created, err);

    /* WxPayReturnURL was changed since the order first came in: the site says no other fact */
    if (rc == WXPAY_ECONFLICT && in->default_return_url && *snap &&
        strcmp(err->field, "return_url") == 0) {
        in->order->return_url = (*snap)->order->return_url;
        rc = wxpay_flow_submit(flow, account, in->order, open, wait, in->r->pool, snap, created,
                               err);
    }
    return rc;
}
