#include "flow_int.h"

#include <string.h>

wxpay_rc_e wxpay_flow_snapshot(wxpay_tx_t *tx, const char *mch_id, const char *out_trade_no,
                               apr_pool_t *pool, wxpay_snapshot_t **snap, wxpay_error_t *err)
{
    wxpay_snapshot_t *s = apr_pcalloc(pool, sizeof(*s));
    wxpay_rc_e rc = wxpay_row_order_get(tx, mch_id, out_trade_no, pool, &s->order, err);

    *snap = NULL;
    if (rc == WXPAY_OK) {
        rc = wxpay_row_attempts(tx, mch_id, out_trade_no, pool, &s->attempts, &s->count, err);
    }
    if (rc == WXPAY_OK) {
        *snap = s;
    }
    return rc;
}

/* What does not match, or NULL. */
static const char *mismatch(const wxpay_account_t *account, const wxpay_order_t *order,
                            const wxpay_attempt_t *a, const wxpay_notice_t *notice,
                            wxpay_verdict_e source)
{
    if (wxpay_flow_differs(notice->sub_mch_id, order->sub_mch_id)) {
        return "sub_mch_id";
    }
    if (notice->sub_appid && wxpay_flow_differs(notice->sub_appid, account->sub_appid)) {
        return "sub_appid"; /* absent it says nothing: the gateway may leave it out */
    }
    if (notice->total_fee != order->total_fee) {
        return "total_fee";
    }
    if (strcmp(notice->fee_type, order->fee_type)) {
        return "fee_type";
    }
    if (!a->sent_at || order->state == WXPAY_ORDER_EXPIRED) {
        return "state"; /* a number we never sent was paid: somebody else uses it */
    }
    if (a->state == WXPAY_ATTEMPT_FAILED && wxpay_plan_number_taken(a->err_code)) {
        return "number"; /* it was in use at the gateway before we first asked for it */
    }
    if (source == WXPAY_VERDICT_RECONCILED && notice->time_end &&
        notice->time_end < a->created_at - WXPAY_CLOCK_SLACK) {
        return "time"; /* paid before we asked for it: the query found an older order's payment */
    }
    return NULL;
}

/* Once money came in, no other attempt may stay payable; the closing itself is a run's work. */
static wxpay_rc_e close_others(wxpay_flow_t *flow, wxpay_tx_t *tx, wxpay_snapshot_t *snap,
                               const wxpay_attempt_t *paid, wxpay_error_t *err)
{
    wxpay_rc_e rc = WXPAY_OK;
    int i;

    for (i = 0; i < snap->count && rc == WXPAY_OK; ++i) {
        wxpay_attempt_t *a = snap->attempts[i];
        wxpay_attempt_state_e was = a->state;

        if (a == paid || was == WXPAY_ATTEMPT_PAID || was == WXPAY_ATTEMPT_CLOSED ||
            was == WXPAY_ATTEMPT_FAILED) {
            continue;
        }
        if (wxpay_plan_unsent(a)) {
            wxpay_plan_withdraw(a);
        }
        else {
            a->state = WXPAY_ATTEMPT_CLOSING;
            a->todo = WXPAY_TODO_CLOSE;
            a->next_at = flow->now();
        }
        rc = wxpay_row_attempt_update(tx, a, was, err);
    }
    return rc;
}

static wxpay_rc_e quarantine(wxpay_flow_t *flow, wxpay_tx_t *tx, const wxpay_account_t *account,
                             wxpay_snapshot_t *snap, const wxpay_attempt_t *a,
                             const wxpay_notice_t *notice, const char *reason, apr_pool_t *pool,
                             wxpay_started_t *started, wxpay_error_t *err)
{
    wxpay_order_t *order = snap->order;
    int first = 0;
    wxpay_rc_e rc = wxpay_flow_journal(flow, tx, account, order, notice, WXPAY_VERDICT_QUARANTINE,
                                       NULL, reason, &first, err);

    if (rc != WXPAY_OK || (!first && order->quarantined)) {
        return rc;
    }
    order->quarantined = 1;
    rc = close_others(flow, tx, snap, a, err);
    if (rc == WXPAY_OK) {
        rc = wxpay_row_order_update(tx, order, order->state, err);
    }
    if (rc == WXPAY_OK) {
        rc = wxpay_flow_event(flow, tx, snap, WXPAY_EVENT_QUARANTINED, pool, started, err);
    }
    if (rc == WXPAY_OK) {
        wxpay_log(flow->log, WXPAY_LOG_ERR,
                  "WXP0504: order %s: an authentic payment of %" APR_INT64_T_FMT
                  " fen (%s) differs in %s from the "
                  "order of %" APR_INT64_T_FMT
                  " fen: set aside, the buyer is told that the shop is "
                  "checking; look at transaction %s in the merchant platform",
                  order->out_trade_no, notice->total_fee, notice->fee_type, reason,
                  order->total_fee, notice->transaction_id);
    }
    return rc;
}

/* Money for an order that is paid already. */
static wxpay_rc_e overpaid(wxpay_flow_t *flow, wxpay_tx_t *tx, const wxpay_account_t *account,
                           wxpay_snapshot_t *snap, wxpay_attempt_t *a, const wxpay_notice_t *notice,
                           apr_pool_t *pool, wxpay_started_t *started, wxpay_error_t *err)
{
    wxpay_order_t *order = snap->order;
    wxpay_attempt_state_e was = a->state;
    int first = 0;
    wxpay_rc_e rc = wxpay_flow_journal(flow, tx, account, order, notice, WXPAY_VERDICT_OVERPAID,
                                       NULL, "", &first, err);

    if (rc != WXPAY_OK || !first) {
        return rc;
    }
    if (was != WXPAY_ATTEMPT_PAID) {
        a->state = WXPAY_ATTEMPT_PAID;
        a->transaction_id = notice->transaction_id;
        a->todo = WXPAY_TODO_NONE;
        a->lease_owner = NULL;
        rc = wxpay_row_attempt_update(tx, a, was, err);
    }
    if (rc == WXPAY_OK) {
        order->overpaid = 1;
        rc = wxpay_row_order_update(tx, order, order->state, err);
    }
    if (rc == WXPAY_OK) {
        rc = wxpay_flow_event(flow, tx, snap, WXPAY_EVENT_OVERPAID, pool, started, err);
    }
    if (rc == WXPAY_OK) {
        wxpay_log(flow->log, WXPAY_LOG_WARN,
                  "WXP0505: order %s: paid twice: transaction %s over %" APR_INT64_T_FMT
                  " fen came after %s; "
                  "refund one of them",
                  order->out_trade_no, notice->transaction_id, notice->total_fee,
                  order->transaction_id);
    }
    return rc;
}

static wxpay_rc_e first_payment(wxpay_flow_t *flow, wxpay_tx_t *tx, const wxpay_account_t *account,
                                wxpay_snapshot_t *snap, wxpay_attempt_t *a,
                                const wxpay_notice_t *notice, wxpay_verdict_e source,
                                apr_pool_t *pool, wxpay_started_t *started, wxpay_error_t *err)
{
    wxpay_order_t *order = snap->order;
    wxpay_order_state_e order_was = order->state;
    wxpay_attempt_state_e was = a->state;
    apr_time_t now = flow->now();
    int first = 0;
    wxpay_rc_e rc;

    a->state = WXPAY_ATTEMPT_PAID;
    a->transaction_id = notice->transaction_id;
    a->todo = WXPAY_TODO_NONE;
    a->lease_owner =
        NULL; /* a reply of a call still under way finds its lease gone and changes nothing */
    a->lease_until = 0;
    order->state = WXPAY_ORDER_PAID;
    order->late = order_was == WXPAY_ORDER_CLOSED;
    order->transaction_id = notice->transaction_id;
    /* What was erased is not written again, and cannot be compared any more. */
    order->payer_openid = order->erased ? NULL : notice->openid;
    order->paid_gateway_no = a->gateway_no;
    order->paid_at = notice->time_end ? notice->time_end : now;
    order->attach_differs = !order->erased && wxpay_flow_differs(notice->attach, order->attach);
    rc = wxpay_row_attempt_update(tx, a, was, err);
    if (rc == WXPAY_OK) {
        rc = wxpay_row_order_update(tx, order, order_was, err);
    }
    if (rc == WXPAY_OK) {
        rc = wxpay_flow_journal(flow, tx, account, order, notice, source, NULL, "", &first, err);
    }
    if (rc == WXPAY_OK) {
        rc = wxpay_flow_event(flow, tx, snap, WXPAY_EVENT_PAID, pool, started, err);
    }
    return rc;
}

wxpay_rc_e wxpay_flow_pay(wxpay_flow_t *flow, wxpay_tx_t *tx, const wxpay_account_t *account,
                          wxpay_snapshot_t *snap, wxpay_attempt_t *a, const wxpay_notice_t *notice,
                          wxpay_verdict_e source, apr_pool_t *pool, wxpay_started_t *started,
                          wxpay_verdict_e *verdict, wxpay_error_t *err)
{
    wxpay_order_t *order = snap->order;
    const char *reason;
    wxpay_rc_e rc;

    reason = mismatch(account, order, a, notice, source);
    if (reason) {
        *verdict = WXPAY_VERDICT_QUARANTINE;
        return quarantine(flow, tx, account, snap, a, notice, reason, pool, started, err);
    }
    if (a->state == WXPAY_ATTEMPT_PAID && a->transaction_id &&
        !strcmp(a->transaction_id, notice->transaction_id)) {
        *verdict = WXPAY_VERDICT_DUPLICATE;
        return WXPAY_OK;
    }
    if (order->state == WXPAY_ORDER_PAID) {
        *verdict = WXPAY_VERDICT_OVERPAID;
        return overpaid(flow, tx, account, snap, a, notice, pool, started, err);
    }
    *verdict = source;
    rc = first_payment(flow, tx, account, snap, a, notice, source, pool, started, err);
    if (rc == WXPAY_OK && snap->count > 1) {
        rc = close_others(flow, tx, snap, a, err);
    }
    return rc;
}
