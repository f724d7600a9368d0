/* order_json.c - orders as JSON; an attempt's parameters as JSON text. */
#include "order_json.h"

#include <string.h>

#include "clock.h"

/* how long the gateway honours a code or prepay_id */
#define CODE_TTL apr_time_from_sec(2 * 3600)

static void put_text(json_t *json, const char *name, const char *value)
{
    if (value && *value) {
        json_object_set_new(json, name, json_string(value));
    }
}

static void put_time(json_t *json, const char *name, apr_time_t t)
{
    char text[WXPAY_RFC3339_SIZE];

    if (t > 0) {
        wxpay_clock_rfc3339(t, text);
        json_object_set_new(json, name, json_string(text));
    }
}

static const char *shown_state(const wxpay_order_t *order)
{
    if (order->state == WXPAY_ORDER_PAID && order->refunded_fee > 0) {
        return order->refunded_fee >= order->total_fee ? "REFUNDED" : "PARTIALLY_REFUNDED";
    }
    return wxpay_order_state_name(order->state);
}

static int order_payable(const wxpay_order_t *order, apr_time_t now)
{
    return (order->state == WXPAY_ORDER_NEW || order->state == WXPAY_ORDER_PENDING) &&
           !order->close_wanted && !order->quarantined && now < order->expires_at;
}

static void put_codes(json_t *json, const wxpay_order_t *order,
                      const wxpay_attempt_t *const *attempts, int count, apr_time_t now)
{
    const wxpay_attempt_t *live = NULL;
    wxpay_trade_e trade = order->trade_type;

    for (int i = 0; i < count; i++) {
        if (attempts[i]->state == WXPAY_ATTEMPT_OPEN) {
            live = attempts[i];
            trade = live->trade_type;
        }
    }
    for (int i = 0; order->paid_gateway_no && i < count; i++) {
        if (strcmp(attempts[i]->gateway_no, order->paid_gateway_no) == 0) {
            trade = attempts[i]->trade_type;
        }
    }
    put_text(json, "trade_type", wxpay_trade_name(trade));
    if (live && order_payable(order, now) && now - live->url_at < CODE_TTL) {
        put_text(json, "code_url", live->code_url);
        put_text(json, "prepay_id", live->prepay_id);
        put_text(json, "mweb_url", live->mweb_url);
    }
}

static json_t *flags_of(const wxpay_order_t *order)
{
    json_t *flags = json_array();

    if (order->quarantined) {
        json_array_append_new(flags, json_string("quarantined"));
    }
    if (order->overpaid) {
        json_array_append_new(flags, json_string("overpaid"));
    }
    if (order->attach_differs) {
        json_array_append_new(flags, json_string("attach_differs"));
    }
    if (order->close_wanted && order->state != WXPAY_ORDER_CLOSED &&
        order->state != WXPAY_ORDER_PAID) {
        json_array_append_new(flags, json_string("closing"));
    }
    return flags;
}

static json_t *attempt_list(const wxpay_attempt_t *const *attempts, int count)
{
    json_t *list = json_array();

    for (int i = 0; i < count; i++) {
        json_t *item = json_object();

        put_text(item, "gateway_no", attempts[i]->gateway_no);
        put_text(item, "trade_type", wxpay_trade_name(attempts[i]->trade_type));
        put_text(item, "state", wxpay_attempt_state_name(attempts[i]->state));
        put_text(item, "transaction_id", attempts[i]->transaction_id);
        put_text(item, "err_code", attempts[i]->err_code);
        json_array_append_new(list, item);
    }
    return list;
}

json_t *wxpay_order_json(apr_pool_t *pool, const wxpay_order_t *order,
                         const wxpay_attempt_t *const *attempts, int count, const char *pay_url,
                         apr_time_t now)
{
    json_t *json = wxpay_json_object(pool);

    put_text(json, "out_trade_no", order->out_trade_no);
    put_text(json, "state", shown_state(order));
    json_object_set_new(json, "total_fee", json_integer(order->total_fee));
    put_text(json, "fee_type", order->fee_type);
    put_text(json, "body", order->body);
    put_text(json, "attach", order->attach);
    put_codes(json, order, attempts, count, now);
    put_text(json, "pay_url", pay_url);
    put_text(json, "transaction_id", order->transaction_id);
    put_text(json, "openid", order->payer_openid ? order->payer_openid : order->openid);
    put_time(json, "time_end", order->paid_at);
    put_time(json, "expires_at", order->expires_at);
    if (order->late) {
        json_object_set_new(json, "late", json_true());
    }
    if (order->refunded_fee > 0) {
        json_object_set_new(json, "refunded_fee", json_integer(order->refunded_fee));
    }
    json_object_set_new(json, "flags", flags_of(order));
    json_object_set_new(json, "attempts", attempt_list(attempts, count));
    return json;
}

json_t *wxpay_order_buyer_json(apr_pool_t *pool, const wxpay_order_t *order, const char *state,
                               const char *code_url)
{
    json_t *json = wxpay_json_object(pool);

    put_text(json, "state", state);
    json_object_set_new(json, "total_fee", json_integer(order->total_fee));
    put_text(json, "fee_type", order->fee_type);
    put_text(json, "body", order->body);
    put_time(json, "expires_at", order->expires_at);
    put_text(json, "code_url", code_url);
    return json;
}

const char *wxpay_params_text(apr_pool_t *pool, const wxpay_fields_t *fields)
{
    json_t *json = wxpay_json_object(pool);

    for (int i = 0; i < fields->count; i++) {
        json_object_set_new(json, fields->items[i].name,
                            json_stringn(fields->items[i].value, fields->items[i].value_len));
    }
    return wxpay_json_text(pool, json);
}

wxpay_rc_e wxpay_params_parse(apr_pool_t *pool, const char *text, wxpay_fields_t **fields,
                              wxpay_error_t *err)
{
    return wxpay_json_to_fields(pool, text, strlen(text), NULL, fields, err);
}
