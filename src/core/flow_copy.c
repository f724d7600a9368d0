#include "flow_int.h"

#include <apr_strings.h>

wxpay_order_t *wxpay_order_copy(apr_pool_t *pool, const wxpay_order_t *order)
{
    wxpay_order_t *o = apr_pmemdup(pool, order, sizeof(*o));

    o->mch_id = apr_pstrdup(pool, order->mch_id);
    o->sub_mch_id = apr_pstrdup(pool, order->sub_mch_id);
    o->site = apr_pstrdup(pool, order->site);
    o->out_trade_no = apr_pstrdup(pool, order->out_trade_no);
    o->fee_type = apr_pstrdup(pool, order->fee_type);
    o->body = apr_pstrdup(pool, order->body);
    o->attach = apr_pstrdup(pool, order->attach);
    o->detail = apr_pstrdup(pool, order->detail);
    o->product_id = apr_pstrdup(pool, order->product_id);
    o->goods_tag = apr_pstrdup(pool, order->goods_tag);
    o->limit_pay = apr_pstrdup(pool, order->limit_pay);
    o->scene_info = apr_pstrdup(pool, order->scene_info);
    o->profit_sharing = apr_pstrdup(pool, order->profit_sharing);
    o->receipt = apr_pstrdup(pool, order->receipt);
    o->device_info = apr_pstrdup(pool, order->device_info);
    o->version = apr_pstrdup(pool, order->version);
    o->user_type = apr_pstrdup(pool, order->user_type);
    o->user_creid = apr_pstrdup(pool, order->user_creid);
    o->user_truename = apr_pstrdup(pool, order->user_truename);
    o->fingerprint = apr_pstrdup(pool, order->fingerprint);
    o->openid = apr_pstrdup(pool, order->openid);
    o->spbill_create_ip = apr_pstrdup(pool, order->spbill_create_ip);
    o->return_url = apr_pstrdup(pool, order->return_url);
    o->time_expire = apr_pstrdup(pool, order->time_expire);
    o->pay_id = apr_pstrdup(pool, order->pay_id);
    o->transaction_id = apr_pstrdup(pool, order->transaction_id);
    o->payer_openid = apr_pstrdup(pool, order->payer_openid);
    o->paid_gateway_no = apr_pstrdup(pool, order->paid_gateway_no);
    return o;
}

wxpay_identity_t *wxpay_identity_copy(apr_pool_t *pool, const wxpay_identity_t *identity)
{
    wxpay_identity_t *i = apr_pmemdup(pool, identity, sizeof(*i));

    i->openid = apr_pstrdup(pool, identity->openid);
    i->client_ip = apr_pstrdup(pool, identity->client_ip);
    return i;
}

void wxpay_notice_copy(apr_pool_t *pool, const wxpay_notice_t *from, wxpay_notice_t *to)
{
    *to = *from;
    to->appid = apr_pstrdup(pool, from->appid);
    to->mch_id = apr_pstrdup(pool, from->mch_id);
    to->sub_mch_id = apr_pstrdup(pool, from->sub_mch_id);
    to->sub_appid = apr_pstrdup(pool, from->sub_appid);
    to->gateway_no = apr_pstrdup(pool, from->gateway_no);
    to->transaction_id = apr_pstrdup(pool, from->transaction_id);
    to->fee_type = apr_pstrdup(pool, from->fee_type);
    to->trade_type = apr_pstrdup(pool, from->trade_type);
    to->openid = apr_pstrdup(pool, from->openid);
    to->attach = apr_pstrdup(pool, from->attach);
    to->err_code = apr_pstrdup(pool, from->err_code);
    to->out_refund_no = apr_pstrdup(pool, from->out_refund_no);
    to->refund_id = apr_pstrdup(pool, from->refund_id);
    to->refund_status = apr_pstrdup(pool, from->refund_status);
    to->raw = apr_pstrmemdup(pool, from->raw, from->raw_len);
    to->fields = NULL;
}
