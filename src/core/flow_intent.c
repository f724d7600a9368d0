#include "flow_int.h"

#include <apr_strings.h>
#include <string.h>
#include "order_json.h"
#include "token.h"

#define MIN_PAYABLE                                                                                \
    apr_time_from_sec(6 * 60) /* the gateway wants time_expire at least 5 minutes ahead */

/* Write what the planner changed. */
static wxpay_rc_e write_attempts(wxpay_tx_t *tx, const wxpay_snapshot_t *snap,
                                 const wxpay_attempt_state_e *was, wxpay_error_t *err)
{
    wxpay_rc_e rc = WXPAY_OK;
    int i;

    for (i = 0; i < snap->count && rc == WXPAY_OK; ++i) {
        rc = wxpay_row_attempt_update(tx, snap->attempts[i], was[i], err);
    }
    return rc;
}

static wxpay_attempt_state_e *states_of(const wxpay_snapshot_t *snap, apr_pool_t *pool)
{
    wxpay_attempt_state_e *was = apr_palloc(pool, sizeof(*was) * (size_t)(snap->count + 1));
    int i;

    for (i = 0; i < snap->count; ++i) {
        was[i] = snap->attempts[i]->state;
    }
    return was;
}

wxpay_rc_e wxpay_run_request(wxpay_run_t *run, wxpay_attempt_t *a, apr_time_t now,
                             wxpay_error_t *err)
{
    wxpay_order_t *order = run->snap->order;
    wxpay_fields_t *request;
    wxpay_rc_e rc;

    if (order->expires_at < now + MIN_PAYABLE) {
        order->expires_at = now + MIN_PAYABLE;
        order->sweep_at = order->expires_at;
    }
    rc = wxpay_attempt_request(order, a, run->account, order->expires_at, run->pool, &request, err);
    if (rc == WXPAY_OK) {
        a->params = wxpay_params_text(run->pool, request);
    }
    return rc;
}

static void address(wxpay_attempt_t *a, const wxpay_run_t *run, apr_time_t now)
{
    const wxpay_account_t *account = run->account;
    const wxpay_identity_t *identity = run->identity;

    a->trade_type = identity->trade_type;
    a->appid = account->appid;
    a->openid = a->trade_type == WXPAY_TRADE_JSAPI ? identity->openid : NULL;
    a->client_ip = identity->client_ip ? identity->client_ip : account->server_ip;
    a->sign_type = account->sign_type;
    a->created_at = now;
}

/* A number that the gateway has not seen yet serves whoever asked last: devices that take turns
 * while an earlier code cannot be closed yet use up no numbers. */
static wxpay_rc_e readdress(wxpay_run_t *run, wxpay_tx_t *tx, wxpay_attempt_t *a, apr_time_t now,
                            wxpay_error_t *err)
{
    wxpay_rc_e rc;

    address(a, run, now);
    a->params = NULL; /* of whom it was for before */
    a->next_at = now;
    run->touched = 1;
    rc = wxpay_row_attempt_readdress(tx, a, err);
    return rc == WXPAY_OK ? wxpay_row_attempt_update(tx, a, a->state, err) : rc;
}

/* A new attempt, as the row it becomes: RESERVED, and due at once. */
static wxpay_rc_e reserve(wxpay_run_t *run, wxpay_tx_t *tx, apr_time_t now, wxpay_error_t *err)
{
    wxpay_snapshot_t *snap = run->snap;
    wxpay_order_t *order = snap->order;
    wxpay_attempt_t **list;
    wxpay_attempt_t *a = apr_pcalloc(run->pool, sizeof(*a));
    wxpay_rc_e rc;

    a->mch_id = order->mch_id;
    a->out_trade_no = order->out_trade_no;
    a->n = snap->count ? snap->attempts[snap->count - 1]->n + 1 : 1;
    address(a, run, now);
    a->state = WXPAY_ATTEMPT_RESERVED;
    a->todo = WXPAY_TODO_SEND;
    a->next_at = now;
    run->touched = 1;
    rc = wxpay_attempt_number(order, a->n, run->pool, &a->gateway_no, err);
    if (rc == WXPAY_OK) {
        rc = wxpay_row_attempt_insert(tx, a, err);
    }
    if (rc != WXPAY_OK) {
        return rc;
    }
    list = apr_palloc(run->pool, sizeof(*list) * (size_t)(snap->count + 1));
    if (snap->count) {
        memcpy(list, snap->attempts, sizeof(*list) * (size_t)snap->count);
    }
    list[snap->count++] = a;
    snap->attempts = list;
    return WXPAY_OK;
}

static int refuse(wxpay_run_t *run, const wxpay_attempt_t *why, const char *otherwise)
{
    wxpay_error_set(&run->call_err, WXPAY_EGATEWAY, "open", "%s",
                    why->err_detail ? why->err_detail : otherwise);
    if (why->err_code) {
        apr_cpystrn(run->call_err.err_code, why->err_code, sizeof(run->call_err.err_code));
    }
    return 1;
}

/* A number of this order may be paid already; or the newest attempt was refused for good, and it is
 * too soon to try under another number: a buyer's page must not hammer the gateway in the
 * merchant's name. */
static int refused_lately(wxpay_run_t *run, apr_time_t now)
{
    const wxpay_attempt_t *newest = wxpay_snapshot_newest(run->snap);
    int i;

    for (i = 0; i < run->snap->count; ++i) {
        if (wxpay_plan_in_doubt(run->snap->attempts[i])) {
            return refuse(run, run->snap->attempts[i], "the gateway knows this number already");
        }
    }
    return newest && newest->state == WXPAY_ATTEMPT_FAILED && newest->next_at > now &&
           refuse(run, newest, "the gateway refused it");
}

/* What is open then stays open: it is closed only for the sake of another one. */
static int too_many(wxpay_run_t *run)
{
    return run->snap->count >= WXPAY_ATTEMPTS_MAX &&
           refuse(run, wxpay_snapshot_newest(run->snap),
                  "this order was opened too often; use a new out_trade_no");
}

static wxpay_attempt_t *find(const wxpay_run_t *run)
{
    int i;

    for (i = run->snap->count - 1; i >= 0; --i) {
        wxpay_attempt_t *a = run->snap->attempts[i];

        if ((a->state == WXPAY_ATTEMPT_RESERVED || a->state == WXPAY_ATTEMPT_SENT ||
             a->state == WXPAY_ATTEMPT_OPEN) &&
            wxpay_plan_matches(a, run->account, run->identity)) {
            return a;
        }
    }
    return NULL;
}

static wxpay_attempt_t *find_unsent(const wxpay_run_t *run, apr_time_t now)
{
    int i;

    for (i = run->snap->count - 1; i >= 0; --i) {
        wxpay_attempt_t *a = run->snap->attempts[i];

        if (wxpay_plan_unsent(a) && !wxpay_plan_leased(a, now) && a->todo == WXPAY_TODO_SEND) {
            return a;
        }
    }
    return NULL;
}

/* An attempt of an identity that has none. */
static wxpay_rc_e open_new(wxpay_run_t *run, wxpay_tx_t *tx, apr_time_t now, wxpay_error_t *err)
{
    wxpay_snapshot_t *snap = run->snap;
    wxpay_attempt_t *unsent = find_unsent(run, now);
    wxpay_attempt_state_e *was;
    wxpay_rc_e rc;

    if (refused_lately(run, now)) {
        return WXPAY_OK;
    }
    if (unsent) {
        return readdress(run, tx, unsent, now, err);
    }
    if (too_many(run)) {
        return WXPAY_OK;
    }
    was = states_of(snap, run->pool);
    wxpay_plan_close(snap, now); /* at most one attempt is payable */
    rc = write_attempts(tx, snap, was, err);
    return rc == WXPAY_OK ? reserve(run, tx, now, err) : rc;
}

static wxpay_rc_e open_attempt(wxpay_run_t *run, wxpay_tx_t *tx, apr_time_t now, wxpay_error_t *err)
{
    wxpay_snapshot_t *snap = run->snap;
    wxpay_attempt_t *a;

    if (!wxpay_plan_order_open(snap->order, now)) {
        return WXPAY_OK;
    }
    a = find(run);
    if (!a) {
        return open_new(run, tx, now, err);
    }
    if (wxpay_plan_leased(a, now) || a->state == WXPAY_ATTEMPT_RESERVED ||
        (a->state == WXPAY_ATTEMPT_OPEN && a->url_at + WXPAY_CODE_TTL > now)) {
        return WXPAY_OK;
    }
    if (a->todo == WXPAY_TODO_NONE) {
        a->todo = WXPAY_TODO_SEND;
    }
    a->next_at = now; /* the buyer asks: do not wait for the back-off's end */
    return wxpay_row_attempt_update(tx, a, a->state, err);
}

static wxpay_rc_e submit_order(wxpay_run_t *run, wxpay_tx_t *tx, wxpay_error_t *err)
{
    const wxpay_order_t *wanted = run->order;
    const char *field = NULL;
    wxpay_rc_e rc =
        wxpay_flow_snapshot(tx, wanted->mch_id, wanted->out_trade_no, run->pool, &run->snap, err);

    if (rc == WXPAY_ENOTFOUND) {
        run->snap = apr_pcalloc(run->pool, sizeof(*run->snap));
        run->snap->order = apr_pmemdup(run->pool, wanted, sizeof(*wanted));
        return wxpay_row_order_insert(tx, wanted, err);
    }
    if (rc != WXPAY_OK) {
        return rc;
    }
    if (strcmp(run->snap->order->site, wanted->site)) {
        run->snap = NULL;
        return wxpay_error_set(err, WXPAY_ECONFLICT, "store order",
                               "this out_trade_no belongs to another site of the same merchant");
    }
    if (!wxpay_order_same_facts(run->snap->order, wanted, &field)) {
        rc = wxpay_error_set(
            err, WXPAY_ECONFLICT, "store order",
            "an order with this out_trade_no exists already, with another %s; use a "
            "new out_trade_no for new facts",
            field);
        apr_cpystrn(err->field, field, sizeof(err->field));
    }
    return rc;
}

static wxpay_rc_e close_order(wxpay_run_t *run, wxpay_tx_t *tx, apr_time_t now, wxpay_error_t *err)
{
    wxpay_snapshot_t *snap = run->snap;
    wxpay_attempt_state_e *was;

    if (snap->order->state != WXPAY_ORDER_NEW && snap->order->state != WXPAY_ORDER_PENDING) {
        return WXPAY_OK;
    }
    was = states_of(snap, run->pool);
    snap->order->close_wanted = 1;
    run->touched = 1;
    wxpay_plan_close(snap, now);
    return write_attempts(tx, snap, was, err);
}

/* Nobody asked: what is due by the clock. */
static wxpay_rc_e sweep_order(wxpay_run_t *run, wxpay_tx_t *tx, apr_time_t now, wxpay_error_t *err)
{
    wxpay_attempt_state_e *was = states_of(run->snap, run->pool);
    int asks = wxpay_schedule_ask(run->snap, now);

    run->touched = wxpay_schedule_expire(run->snap, now);
    return asks || run->touched ? write_attempts(tx, run->snap, was, err) : WXPAY_OK;
}

static wxpay_rc_e ask_order(wxpay_run_t *run, wxpay_tx_t *tx, apr_time_t now, wxpay_error_t *err)
{
    wxpay_attempt_state_e *was = states_of(run->snap, run->pool);

    if (!wxpay_schedule_may_ask(run->snap, now)) {
        return WXPAY_OK; /* another buyer's page was faster */
    }
    wxpay_schedule_ask_open(run->snap, now);
    return write_attempts(tx, run->snap, was, err);
}

wxpay_rc_e wxpay_run_intent(wxpay_run_t *run, wxpay_tx_t *tx, apr_time_t now, wxpay_error_t *err)
{
    wxpay_attempt_state_e *was;
    wxpay_rc_e rc;

    if (run->intent == WXPAY_INTENT_SUBMIT) {
        rc = submit_order(run, tx, err);
        return rc == WXPAY_OK && run->identity ? open_attempt(run, tx, now, err) : rc;
    }
    rc = wxpay_flow_snapshot(tx, run->account->mch_id, run->out_trade_no, run->pool, &run->snap,
                             err);
    if (rc == WXPAY_OK && run->intent != WXPAY_INTENT_NONE && run->intent != WXPAY_INTENT_SWEEP &&
        strcmp(run->snap->order->site, run->account->site)) {
        run->snap = NULL;
        rc = wxpay_error_set(err, WXPAY_ENOTFOUND, "read order", "there is no such order");
    }
    if (rc != WXPAY_OK) {
        return rc;
    }
    switch (run->intent) {
    case WXPAY_INTENT_OPEN:
        return open_attempt(run, tx, now, err);
    case WXPAY_INTENT_CLOSE:
        return close_order(run, tx, now, err);
    case WXPAY_INTENT_SWEEP:
        return sweep_order(run, tx, now, err);
    case WXPAY_INTENT_ASK:
        return ask_order(run, tx, now, err);
    case WXPAY_INTENT_QUERY:
        was = states_of(run->snap, run->pool);
        wxpay_plan_query(run->snap, now);
        return write_attempts(tx, run->snap, was, err);
    default:
        return WXPAY_OK;
    }
}
