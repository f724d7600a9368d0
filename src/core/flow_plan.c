#include "flow_int.h"

#include <string.h>

static int same_text(const char *a, const char *b)
{
    return !strcmp(a ? a : "", b ? b : "");
}

int wxpay_plan_matches(const wxpay_attempt_t *a, const wxpay_account_t *account,
                       const wxpay_identity_t *identity)
{
    return a->trade_type == identity->trade_type && same_text(a->appid, account->appid) &&
           (identity->trade_type != WXPAY_TRADE_JSAPI || same_text(a->openid, identity->openid)) &&
           (identity->trade_type != WXPAY_TRADE_MWEB ||
            same_text(a->client_ip, identity->client_ip));
}

int wxpay_plan_live(const wxpay_attempt_t *a)
{
    return a->state == WXPAY_ATTEMPT_SENT || a->state == WXPAY_ATTEMPT_OPEN ||
           a->state == WXPAY_ATTEMPT_CLOSING;
}

int wxpay_plan_unsent(const wxpay_attempt_t *a)
{
    return a->state == WXPAY_ATTEMPT_RESERVED || (a->state == WXPAY_ATTEMPT_SENT && !a->sent_at);
}

void wxpay_plan_withdraw(wxpay_attempt_t *a)
{
    a->state = WXPAY_ATTEMPT_CLOSED;
    a->todo = WXPAY_TODO_NONE;
    a->ask_at = 0;
}

int wxpay_plan_leased(const wxpay_attempt_t *a, apr_time_t now)
{
    return a->lease_owner && a->lease_until > now && a->lease_until <= now + WXPAY_LEASE_MAX;
}

int wxpay_plan_order_open(const wxpay_order_t *order, apr_time_t now)
{
    return (order->state == WXPAY_ORDER_NEW || order->state == WXPAY_ORDER_PENDING) &&
           !order->close_wanted && !order->quarantined && order->expires_at > now;
}

/* An attempt that left RESERVED has its request, even where no byte of it left this host. */
static int ever_sent(const wxpay_snapshot_t *snap)
{
    int i;

    for (i = 0; i < snap->count; ++i) {
        if (snap->attempts[i]->sent_at || snap->attempts[i]->params) {
            return 1;
        }
    }
    return 0;
}

wxpay_order_state_e wxpay_plan_order_state(const wxpay_snapshot_t *snap, apr_time_t now)
{
    const wxpay_order_t *order = snap->order;

    if (order->state != WXPAY_ORDER_NEW && order->state != WXPAY_ORDER_PENDING) {
        return order->state;
    }
    if (wxpay_snapshot_live(snap)) {
        return WXPAY_ORDER_PENDING;
    }
    if (order->close_wanted) {
        return WXPAY_ORDER_CLOSED;
    }
    if (order->expires_at > now || order->quarantined) {
        return WXPAY_ORDER_NEW;
    }
    return order->state == WXPAY_ORDER_PENDING || ever_sent(snap) ? WXPAY_ORDER_CLOSED
                                                                  : WXPAY_ORDER_EXPIRED;
}

/* The gateway knows the number, with other facts or as paid. */
int wxpay_plan_number_taken(const char *err_code)
{
    return err_code && (!strcmp(err_code, "OUT_TRADE_NO_USED") ||
                        !strcmp(err_code, "INVALID_REQUEST") || !strcmp(err_code, "ORDERPAID"));
}

int wxpay_plan_foreign(const wxpay_attempt_t *a)
{
    return wxpay_plan_number_taken(a->err_code) &&
           (a->state == WXPAY_ATTEMPT_FAILED || (a->state == WXPAY_ATTEMPT_CLOSED && !a->sent_at));
}

int wxpay_plan_in_doubt(const wxpay_attempt_t *a)
{
    return a->todo == WXPAY_TODO_QUERY && wxpay_plan_foreign(a);
}

/* Another one can be paid, or is paid perhaps: nothing may be sent beside it. */
static int other_live(const wxpay_snapshot_t *snap, const wxpay_attempt_t *self)
{
    int i;

    for (i = 0; i < snap->count; ++i) {
        const wxpay_attempt_t *a = snap->attempts[i];

        if (a != self && (wxpay_plan_live(a) || wxpay_plan_in_doubt(a))) {
            return 1;
        }
    }
    return 0;
}

wxpay_attempt_t *wxpay_plan_due(const wxpay_snapshot_t *snap, apr_time_t now)
{
    wxpay_attempt_t *send = NULL;
    int i;

    for (i = 0; i < snap->count; ++i) {
        wxpay_attempt_t *a = snap->attempts[i];

        if (a->todo == WXPAY_TODO_NONE || a->next_at > now || wxpay_plan_leased(a, now)) {
            continue;
        }
        if (a->todo != WXPAY_TODO_SEND) {
            return a;
        }
        if (wxpay_plan_order_open(snap->order, now) && !other_live(snap, a)) {
            send = a;
        }
    }
    return send;
}

/* It was tried too early, and when it goes on is settled: asking again changes nothing. */
static int waits_to_close(const wxpay_attempt_t *a, apr_time_t now)
{
    return a->state == WXPAY_ATTEMPT_CLOSING && a->close_at > now;
}

void wxpay_plan_close(wxpay_snapshot_t *snap, apr_time_t now)
{
    int i;

    for (i = 0; i < snap->count; ++i) {
        wxpay_attempt_t *a = snap->attempts[i];

        if (wxpay_plan_unsent(a)) {
            wxpay_plan_withdraw(a);
        }
        else if (wxpay_plan_live(a) && !waits_to_close(a, now)) {
            a->state = WXPAY_ATTEMPT_CLOSING;
            if (a->todo != WXPAY_TODO_QUERY) {
                a->todo = WXPAY_TODO_CLOSE;
            }
            a->next_at = now;
        }
    }
}
