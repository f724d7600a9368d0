/* order.c - names of states, the table of legal transitions, and what makes two orders the same. */
#include "order.h"

#include <string.h>

#include "clock.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static const char *const order_states[] = {"NEW", "PENDING", "PAID", "CLOSED", "EXPIRED"};
static const char *const attempt_states[] = {"RESERVED", "SENT",   "OPEN", "CLOSING",
                                             "CLOSED",   "FAILED", "PAID"};
static const char *const trades[] = {"", "NATIVE", "JSAPI", "MWEB", "APP"};

static int index_of(const char *const *names, int count, const char *name)
{
    for (int i = 0; name && i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

const char *wxpay_order_state_name(wxpay_order_state_e state)
{
    return order_states[state];
}

wxpay_rc_e wxpay_order_state_by_name(const char *name, wxpay_order_state_e *state)
{
    int i = index_of(order_states, COUNT(order_states), name);

    if (i < 0) {
        return WXPAY_ENOTFOUND;
    }
    *state = (wxpay_order_state_e)i;
    return WXPAY_OK;
}

const char *wxpay_attempt_state_name(wxpay_attempt_state_e state)
{
    return attempt_states[state];
}

wxpay_rc_e wxpay_attempt_state_by_name(const char *name, wxpay_attempt_state_e *state)
{
    int i = index_of(attempt_states, COUNT(attempt_states), name);

    if (i < 0) {
        return WXPAY_ENOTFOUND;
    }
    *state = (wxpay_attempt_state_e)i;
    return WXPAY_OK;
}

const char *wxpay_trade_name(wxpay_trade_e trade)
{
    return trades[trade];
}

wxpay_trade_e wxpay_trade_by_name(const char *name)
{
    int i = index_of(trades, COUNT(trades), name);

    return i < 0 ? WXPAY_TRADE_NONE : (wxpay_trade_e)i;
}

/* Row: from. Bit: to. */
#define TO(state) (1u << WXPAY_##state)

static const unsigned order_table[] = {
    [WXPAY_ORDER_NEW] = TO(ORDER_PENDING) | TO(ORDER_PAID) | TO(ORDER_CLOSED) | TO(ORDER_EXPIRED),
    [WXPAY_ORDER_PENDING] = TO(ORDER_NEW) | TO(ORDER_PAID) | TO(ORDER_CLOSED),
    [WXPAY_ORDER_PAID] = 0,
    [WXPAY_ORDER_CLOSED] = TO(ORDER_PAID),
    [WXPAY_ORDER_EXPIRED] = 0,
};

static const unsigned attempt_table[] = {
    [WXPAY_ATTEMPT_RESERVED] = TO(ATTEMPT_SENT) | TO(ATTEMPT_CLOSED), /* taken back unsent */
    /* SENT may be ambiguous for good: it is closed, or found closed by a query, like an OPEN one */
    [WXPAY_ATTEMPT_SENT] = TO(ATTEMPT_OPEN) | TO(ATTEMPT_FAILED) | TO(ATTEMPT_CLOSING) |
                           TO(ATTEMPT_CLOSED) | TO(ATTEMPT_PAID),
    [WXPAY_ATTEMPT_OPEN] = TO(ATTEMPT_CLOSING) | TO(ATTEMPT_CLOSED) | TO(ATTEMPT_PAID),
    [WXPAY_ATTEMPT_CLOSING] = TO(ATTEMPT_CLOSED) | TO(ATTEMPT_PAID),
    [WXPAY_ATTEMPT_CLOSED] = TO(ATTEMPT_PAID),
    [WXPAY_ATTEMPT_FAILED] = TO(ATTEMPT_CLOSED) | TO(ATTEMPT_PAID), /* as a query finds it */
    [WXPAY_ATTEMPT_PAID] = 0,
};

int wxpay_order_may_become(wxpay_order_state_e from, wxpay_order_state_e to)
{
    return (int)((order_table[from] >> to) & 1u);
}

int wxpay_attempt_may_become(wxpay_attempt_state_e from, wxpay_attempt_state_e to)
{
    return (int)((attempt_table[from] >> to) & 1u);
}

static int same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static int same_time(const char *a, const char *b)
{
    apr_time_t ta;
    apr_time_t tb;

    if (same_text(a, b)) {
        return 1;
    }
    return a && b && wxpay_order_parse_expiry(a, &ta, NULL) == WXPAY_OK &&
           wxpay_order_parse_expiry(b, &tb, NULL) == WXPAY_OK && ta == tb;
}

static const char *product_of(const wxpay_order_t *order)
{
    return order->product_id ? order->product_id : order->out_trade_no;
}

int wxpay_order_same_facts(const wxpay_order_t *a, const wxpay_order_t *b, const char **field)
{
    int erased = a->erased || b->erased;
    const struct {
        const char *name;
        int same;
    } facts[] = {
        {"out_trade_no", same_text(a->out_trade_no, b->out_trade_no)},
        {"total_fee", a->total_fee == b->total_fee},
        {"fee_type", same_text(a->fee_type, b->fee_type)},
        {"body", same_text(a->body, b->body)},
        {"attach", erased || same_text(a->attach, b->attach)},
        {"detail", erased || same_text(a->detail, b->detail)},
        {"product_id", same_text(product_of(a), product_of(b))},
        {"goods_tag", same_text(a->goods_tag, b->goods_tag)},
        {"limit_pay", same_text(a->limit_pay, b->limit_pay)},
        {"scene_info", erased || same_text(a->scene_info, b->scene_info)},
        {"profit_sharing", same_text(a->profit_sharing, b->profit_sharing)},
        {"receipt", same_text(a->receipt, b->receipt)},
        {"device_info", same_text(a->device_info, b->device_info)},
        {"version", same_text(a->version, b->version)},
        {"user_type", same_text(a->user_type, b->user_type)},
        {"user_creid", erased || same_text(a->user_creid, b->user_creid)},
        {"user_truename", erased || same_text(a->user_truename, b->user_truename)},
        {"fingerprint", erased || same_text(a->fingerprint, b->fingerprint)},
        {"openid", erased || same_text(a->openid, b->openid)},
        {"return_url", same_text(a->return_url, b->return_url)},
        {"time_expire", same_time(a->time_expire, b->time_expire)},
        {"trade_type", a->trade_type == b->trade_type || !a->trade_type || !b->trade_type},
        {"spbill_create_ip", !a->spbill_create_ip || !b->spbill_create_ip ||
                                 same_text(a->spbill_create_ip, b->spbill_create_ip)},
    };

    for (int i = 0; i < COUNT(facts); i++) {
        if (!facts[i].same) {
            *field = facts[i].name;
            return 0;
        }
    }
    *field = NULL;
    return 1;
}
