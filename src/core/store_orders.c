#include "store_rows.h"

#include "store_sql.h"
#include "store_values.h"

#define ORDER_COUNT 43

static void order_values(const wxpay_order_t *o, wxpay_value_t *v)
{
    int i = 0;

    v[i++] = wxpay_value_text(o->mch_id);
    v[i++] = wxpay_value_text(o->sub_mch_id);
    v[i++] = wxpay_value_text(o->site);
    v[i++] = wxpay_value_text(o->out_trade_no);
    v[i++] = wxpay_value_int(o->total_fee);
    v[i++] = wxpay_value_text(o->fee_type);
    v[i++] = wxpay_value_text(o->body);
    v[i++] = wxpay_value_text(o->attach);
    v[i++] = wxpay_value_text(o->detail);
    v[i++] = wxpay_value_text(o->product_id);
    v[i++] = wxpay_value_text(o->goods_tag);
    v[i++] = wxpay_value_text(o->limit_pay);
    v[i++] = wxpay_value_text(o->scene_info);
    v[i++] = wxpay_value_text(o->profit_sharing);
    v[i++] = wxpay_value_text(o->receipt);
    v[i++] = wxpay_value_text(o->device_info);
    v[i++] = wxpay_value_text(o->version);
    v[i++] = wxpay_value_text(o->user_type);
    v[i++] = wxpay_value_text(o->user_creid);
    v[i++] = wxpay_value_text(o->user_truename);
    v[i++] = wxpay_value_text(o->fingerprint);
    v[i++] = wxpay_value_text(o->openid);
    v[i++] = wxpay_value_text(o->spbill_create_ip);
    v[i++] = wxpay_value_text(o->return_url);
    v[i++] = wxpay_value_text(o->time_expire);
    v[i++] = wxpay_value_text(wxpay_trade_name(o->trade_type));
    v[i++] = wxpay_value_text(o->pay_id);
    v[i++] = wxpay_value_text(wxpay_order_state_name(o->state));
    v[i++] = wxpay_value_int(o->rev);
    v[i++] = wxpay_value_int(o->created_at);
    v[i++] = wxpay_value_int(o->expires_at);
    v[i++] = wxpay_value_int(o->close_wanted);
    v[i++] = wxpay_value_int(o->late);
    v[i++] = wxpay_value_int(o->quarantined);
    v[i++] = wxpay_value_int(o->overpaid);
    v[i++] = wxpay_value_int(o->attach_differs);
    v[i++] = wxpay_value_text(o->transaction_id);
    v[i++] = wxpay_value_text(o->payer_openid);
    v[i++] = wxpay_value_text(o->paid_gateway_no);
    v[i++] = wxpay_value_int(o->paid_at);
    v[i++] = wxpay_value_int(o->refunded_fee);
    v[i++] = wxpay_value_int(o->sweep_at);
    v[i++] = wxpay_value_int(o->erased);
}

wxpay_rc_e wxpay_row_order_insert(wxpay_tx_t *tx, const wxpay_order_t *order, wxpay_error_t *err)
{
    wxpay_value_t v[ORDER_COUNT];

    order_values(order, v);
    return wxpay_tx_exec(tx, wxpay_sql_order_insert, v, ORDER_COUNT, NULL, err);
}

wxpay_order_t *wxpay_row_order_read(apr_pool_t *pool, const wxpay_value_t *values)
{
    wxpay_reader_t r = {values, pool};
    wxpay_order_t *o = apr_pcalloc(pool, sizeof(*o));

    o->mch_id = wxpay_take_text(&r);
    o->sub_mch_id = wxpay_take_text(&r);
    o->site = wxpay_take_text(&r);
    o->out_trade_no = wxpay_take_text(&r);
    o->total_fee = wxpay_take_int(&r);
    o->fee_type = wxpay_take_text(&r);
    o->body = wxpay_take_text(&r);
    o->attach = wxpay_take_text(&r);
    o->detail = wxpay_take_text(&r);
    o->product_id = wxpay_take_text(&r);
    o->goods_tag = wxpay_take_text(&r);
    o->limit_pay = wxpay_take_text(&r);
    o->scene_info = wxpay_take_text(&r);
    o->profit_sharing = wxpay_take_text(&r);
    o->receipt = wxpay_take_text(&r);
    o->device_info = wxpay_take_text(&r);
    o->version = wxpay_take_text(&r);
    o->user_type = wxpay_take_text(&r);
    o->user_creid = wxpay_take_text(&r);
    o->user_truename = wxpay_take_text(&r);
    o->fingerprint = wxpay_take_text(&r);
    o->openid = wxpay_take_text(&r);
    o->spbill_create_ip = wxpay_take_text(&r);
    o->return_url = wxpay_take_text(&r);
    o->time_expire = wxpay_take_text(&r);
    o->trade_type = wxpay_trade_by_name(wxpay_take_text(&r));
    o->pay_id = wxpay_take_text(&r);
    wxpay_order_state_by_name(wxpay_take_text(&r), &o->state);
    o->rev = wxpay_take_int(&r);
    o->created_at = wxpay_take_int(&r);
    o->expires_at = wxpay_take_int(&r);
    o->close_wanted = (int)wxpay_take_int(&r);
    o->late = (int)wxpay_take_int(&r);
    o->quarantined = (int)wxpay_take_int(&r);
    o->overpaid = (int)wxpay_take_int(&r);
    o->attach_differs = (int)wxpay_take_int(&r);
    o->transaction_id = wxpay_take_text(&r);
    o->payer_openid = wxpay_take_text(&r);
    o->paid_gateway_no = wxpay_take_text(&r);
    o->paid_at = wxpay_take_int(&r);
    o->refunded_fee = wxpay_take_int(&r);
    o->sweep_at = wxpay_take_int(&r);
    o->erased = (int)wxpay_take_int(&r);
    return o;
}

typedef struct order_row_t {
    apr_pool_t *pool;
    wxpay_order_t *order;
} order_row_t;

static int on_order(void *baton, const wxpay_value_t *values, int count)
{
    order_row_t *row = baton;

    (void)count;
    row->order = wxpay_row_order_read(row->pool, values);
    return 1;
}

static wxpay_rc_e order_one(wxpay_tx_t *tx, const char *sql, const wxpay_value_t *params, int count,
                            apr_pool_t *pool, wxpay_order_t **order, wxpay_error_t *err)
{
    order_row_t row = {pool, NULL};
    wxpay_rc_e rc = wxpay_tx_query(tx, sql, params, count, on_order, &row, err);

    *order = row.order;
    if (rc == WXPAY_OK && !row.order) {
        return wxpay_error_set(err, WXPAY_ENOTFOUND, "read order", "there is no such order");
    }
    return rc;
}

wxpay_rc_e wxpay_row_order_get(wxpay_tx_t *tx, const char *mch_id, const char *out_trade_no,
                               apr_pool_t *pool, wxpay_order_t **order, wxpay_error_t *err)
{
    wxpay_value_t v[2];

    v[0] = wxpay_value_text(mch_id);
    v[1] = wxpay_value_text(out_trade_no);
    return order_one(tx, wxpay_sql_order_get, v, 2, pool, order, err);
}

wxpay_rc_e wxpay_row_order_by_pay_id(wxpay_tx_t *tx, const char *pay_id, apr_pool_t *pool,
                                     wxpay_order_t **order, wxpay_error_t *err)
{
    wxpay_value_t v = wxpay_value_text(pay_id);

    return order_one(tx, wxpay_sql_order_by_pay_id, &v, 1, pool, order, err);
}

wxpay_rc_e wxpay_row_order_update(wxpay_tx_t *tx, wxpay_order_t *o, wxpay_order_state_e was,
                                  wxpay_error_t *err)
{
    wxpay_value_t v[18];
    wxpay_rc_e rc;
    int affected = 0;
    int i = 0;

    if (o->state != was && !wxpay_order_may_become(was, o->state)) {
        return wxpay_row_illegal("an order", wxpay_order_state_name(was),
                                 wxpay_order_state_name(o->state), err);
    }
    v[i++] = wxpay_value_text(wxpay_order_state_name(o->state));
    v[i++] = wxpay_value_int(o->rev + 1);
    v[i++] = wxpay_value_int(o->expires_at);
    v[i++] = wxpay_value_int(o->close_wanted);
    v[i++] = wxpay_value_int(o->late);
    v[i++] = wxpay_value_int(o->quarantined);
    v[i++] = wxpay_value_int(o->overpaid);
    v[i++] = wxpay_value_int(o->attach_differs);
    v[i++] = wxpay_value_text(o->transaction_id);
    v[i++] = wxpay_value_text(o->payer_openid);
    v[i++] = wxpay_value_text(o->paid_gateway_no);
    v[i++] = wxpay_value_int(o->paid_at);
    v[i++] = wxpay_value_int(o->refunded_fee);
    v[i++] = wxpay_value_int(o->sweep_at);
    v[i++] = wxpay_value_text(o->mch_id);
    v[i++] = wxpay_value_text(o->out_trade_no);
    v[i++] = wxpay_value_text(wxpay_order_state_name(was));
    v[i++] = wxpay_value_int(o->rev);
    rc = wxpay_tx_exec(tx, wxpay_sql_order_update, v, i, &affected, err);
    rc = wxpay_row_cas(rc, affected, err);
    if (rc == WXPAY_OK) {
        o->rev++;
    }
    return rc;
}
