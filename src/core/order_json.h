/* order_json.h - an order as JSON: what the API answers and what deliveries carry. Also the facts
 * a buyer's page may ask for as JSON. Source: design 3.2, 3.3. */
#ifndef WXPAY_ORDER_JSON_H
#define WXPAY_ORDER_JSON_H

#include "json.h"
#include "order.h"

/* {"out_trade_no","state","total_fee","fee_type","body","attach","trade_type","code_url",
 * "prepay_id","mweb_url","pay_url","transaction_id","openid","time_end","expires_at","late",
 * "refunded_fee","flags":[...],
 * "attempts":[{"gateway_no","trade_type","state","transaction_id","err_code"}]}; absent members
 * left out, amounts integers, times RFC 3339, `late` only when true. flags, always there, names
 * what a person should know: "quarantined", "overpaid", "attach_differs", "closing". trade_type is
 * the paid attempt's, else that of the newest live one (OPEN), else the asked-for one; code_url,
 * prepay_id, mweb_url come from the live one and are left out when older than 2 h at `now` or when
 * the order is not payable any more. An order in state PAID with refunds shows REFUNDED or
 * PARTIALLY_REFUNDED.
 * pay_url may be NULL (no checkout path). attempts may be NULL when count is 0. */
json_t *wxpay_order_json(apr_pool_t *pool, const wxpay_order_t *order,
                         const wxpay_attempt_t *const *attempts, int count, const char *pay_url,
                         apr_time_t now);

/* For the buyer's page: {state,total_fee,fee_type,body,expires_at,code_url?} and nothing more.
 * `state` is what the page shows (see page.h); code_url may be NULL. */
json_t *wxpay_order_buyer_json(apr_pool_t *pool, const wxpay_order_t *order, const char *state,
                               const char *code_url);

/* Fields (all strings) <-> compact JSON object text, for wxpay_attempt_t.params. */
const char *wxpay_params_text(apr_pool_t *pool, const wxpay_fields_t *fields);
wxpay_rc_e wxpay_params_parse(apr_pool_t *pool, const char *text, wxpay_fields_t **fields,
                              wxpay_error_t *err);

#endif
