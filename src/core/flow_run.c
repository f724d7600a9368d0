#include "flow_int.h"

#include <apr_strings.h>
#include <string.h>
#include <time.h>
#include "order_json.h"
#include "token.h"

#define LOOK_UP apr_time_from_msec(100)

static void go_on(wxpay_run_t *run);

wxpay_run_t *wxpay_run_create(wxpay_flow_t *flow, const wxpay_account_t *account,
                              wxpay_intent_e intent, const char *out_trade_no)
{
    apr_pool_t *pool;
    wxpay_run_t *run;

    /* No parent: a run outlives the request that started it, and two threads hold it. */
    apr_pool_create_unmanaged_ex(&pool, NULL, NULL);
    run = apr_pcalloc(pool, sizeof(*run));
    run->pool = pool;
    run->flow = flow;
    run->account = account;
    run->intent = intent;
    run->out_trade_no = apr_pstrdup(pool, out_trade_no);
    run->refs = 1;
    pthread_mutex_init(&run->lock, NULL);
    pthread_cond_init(&run->cond, NULL);
    return run;
}

void wxpay_run_release(wxpay_run_t *run)
{
    int left;

    pthread_mutex_lock(&run->lock);
    left = --run->refs;
    pthread_mutex_unlock(&run->lock);
    if (!left) {
        pthread_cond_destroy(&run->cond);
        pthread_mutex_destroy(&run->lock);
        apr_pool_destroy(run->pool);
    }
}

static void reach(wxpay_run_t *run, wxpay_stage_e stage)
{
    pthread_mutex_lock(&run->lock);
    run->stage = stage;
    pthread_cond_broadcast(&run->cond);
    pthread_mutex_unlock(&run->lock);
}

static void finish(wxpay_run_t *run)
{
    wxpay_sweep_ended(run);
    reach(run, WXPAY_STAGE_FINISHED);
    wxpay_run_release(run);
}

/* Sleep until the run gets on, a little at most: a stop has no lock to wake us with. 0: no more. */
static int sleep_a_little(wxpay_run_t *run, apr_time_t until)
{
    apr_time_t now = apr_time_now();
    apr_time_t end = now + LOOK_UP < until ? now + LOOK_UP : until;
    struct timespec ts;

    if (now >= until || atomic_load(&run->flow->stopping)) {
        return 0;
    }
    ts.tv_sec = (time_t)apr_time_sec(end);
    ts.tv_nsec = (long)apr_time_usec(end) * 1000;
    pthread_cond_timedwait(&run->cond, &run->lock, &ts);
    return 1;
}

wxpay_stage_e wxpay_run_wait(wxpay_run_t *run, apr_interval_time_t stored, apr_interval_time_t wait)
{
    apr_time_t begun = apr_time_now();
    wxpay_stage_e stage;

    pthread_mutex_lock(&run->lock);
    while (run->stage < WXPAY_STAGE_STORED && sleep_a_little(run, begun + stored)) {
    }
    while (run->stage == WXPAY_STAGE_STORED && sleep_a_little(run, begun + wait)) {
    }
    stage = run->stage;
    pthread_mutex_unlock(&run->lock);
    return stage;
}

/* ---- inside the transaction ---- */

/* The attempt we called for, if its lease is still ours. */
static wxpay_attempt_t *find_leased(const wxpay_run_t *run)
{
    int i;

    for (i = 0; i < run->snap->count; ++i) {
        wxpay_attempt_t *a = run->snap->attempts[i];

        if (!strcmp(a->gateway_no, run->doing)) {
            return a->lease_owner && !strcmp(a->lease_owner, run->owner) ? a : NULL;
        }
    }
    return NULL;
}

static wxpay_rc_e apply_paid(wxpay_run_t *run, wxpay_tx_t *tx, wxpay_attempt_t *a,
                             wxpay_attempt_state_e was, wxpay_error_t *err)
{
    wxpay_notice_t *notice;
    wxpay_verdict_e verdict;
    wxpay_rc_e rc;

    rc = wxpay_notice_from_query(run->result->fields, run->account, a->appid, run->pool, &notice,
                                 err);
    if (rc != WXPAY_OK) {
        wxpay_log(run->flow->log, WXPAY_LOG_ERR,
                  "WXP0506: number %s: the gateway says it is paid, but its answer cannot be read "
                  "(%s): asked "
                  "again later; look at it in the merchant platform",
                  a->gateway_no, err->detail);
        wxpay_error_clear(err);
        wxpay_plan_ask_later(a, run->flow->now());
        return wxpay_row_attempt_update(tx, a, was, err);
    }
    a->todo = WXPAY_TODO_NONE;
    rc = wxpay_row_attempt_update(tx, a, was, err);
    if (rc == WXPAY_OK) {
        rc = wxpay_flow_pay(run->flow, tx, run->account, run->snap, a, notice,
                            WXPAY_VERDICT_RECONCILED, run->pool, &run->started, &verdict, err);
        if (rc == WXPAY_OK && verdict == WXPAY_VERDICT_RECONCILED) {
            wxpay_log(run->flow->log, WXPAY_LOG_INFO,
                      "number %s: paid, %" APR_INT64_T_FMT
                      " fen, transaction %s: the gateway said so when it was asked",
                      a->gateway_no, notice->total_fee, notice->transaction_id);
        }
    }
    return rc;
}

/* Record what the last call brought. Only the lease's holder may: else somebody else decided
 * meanwhile. */
static wxpay_rc_e apply(wxpay_run_t *run, wxpay_tx_t *tx, apr_time_t now, wxpay_error_t *err)
{
    wxpay_attempt_state_e was;
    wxpay_attempt_t *a;
    int asked;
    wxpay_rc_e rc = wxpay_flow_snapshot(tx, run->account->mch_id, run->out_trade_no, run->pool,
                                        &run->snap, err);

    if (rc != WXPAY_OK) {
        return rc;
    }
    a = find_leased(run);
    if (!a) {
        return WXPAY_OK;
    }
    was = a->state;
    /* Somebody reported a payment after our call had left: its answer may be older than that. */
    asked = a->todo == WXPAY_TODO_QUERY &&
            (run->doing_todo != WXPAY_TODO_QUERY || a->next_at != run->doing_next_at);
    if (wxpay_plan_apply(run->snap->order, a, run->doing_todo, run->doing_first, run->result,
                         run->account, run->pool, now)) {
        return apply_paid(run, tx, a, was, err);
    }
    wxpay_schedule_ended(a, was, run->doing_todo, run->result, now);
    if (asked) {
        a->todo = WXPAY_TODO_QUERY;
        a->next_at = now;
    }
    return wxpay_row_attempt_update(tx, a, was, err);
}

/* Lease what is due; from here on the gateway may know of it, so it is SENT before any byte leaves.
 */
static wxpay_rc_e lease(wxpay_run_t *run, wxpay_tx_t *tx, wxpay_attempt_t *a, apr_time_t now,
                        wxpay_error_t *err)
{
    wxpay_attempt_state_e was = a->state;

    run->next_first = a->todo == WXPAY_TODO_SEND && !a->sent_at;
    if (run->next_first && !a->params) {
        wxpay_rc_e rc = wxpay_run_request(run, a, now, err);

        if (rc != WXPAY_OK) {
            return rc;
        }
    }
    if (run->next_first) {
        a->state = WXPAY_ATTEMPT_SENT;
        a->sent_at = now;
    }
    wxpay_schedule_began(a, now);
    a->tries++;
    a->lease_owner = run->owner;
    a->lease_until =
        now + WXPAY_API_QUEUE_WAIT + wxpay_account_deadline(run->account) + apr_time_from_sec(5);
    return wxpay_row_attempt_update(tx, a, was, err);
}

static int is_over(const wxpay_order_t *order)
{
    return order->state == WXPAY_ORDER_CLOSED || order->state == WXPAY_ORDER_EXPIRED;
}

static wxpay_rc_e work(wxpay_tx_t *tx, void *baton, apr_pool_t *pool, wxpay_error_t *err)
{
    wxpay_run_t *run = baton;
    apr_time_t now = run->flow->now();
    wxpay_order_state_e was;
    wxpay_attempt_t *due;
    wxpay_rc_e rc;

    (void)pool; /* everything a run finds is kept in its own pool for the waiter */
    run->touched = run->result != NULL;
    run->started.count = 0;
    rc = run->result ? apply(run, tx, now, err) : wxpay_run_intent(run, tx, now, err);
    if (rc != WXPAY_OK) {
        return rc;
    }
    was = run->snap->order->state;
    due = run->calls < WXPAY_RUN_CALLS ? wxpay_plan_due(run->snap, now) : NULL;
    if (due) {
        rc = lease(run, tx, due, now, err);
    }
    run->snap->order->state = wxpay_plan_order_state(run->snap, now);
    if (rc == WXPAY_OK && (due || run->touched || run->snap->order->state != was)) {
        rc = wxpay_row_order_update(tx, run->snap->order, was, err);
    }
    if (rc == WXPAY_OK && run->snap->order->state != was && is_over(run->snap->order)) {
        rc = wxpay_flow_event(run->flow, tx, run->snap, WXPAY_EVENT_CLOSED, run->pool,
                              &run->started, err);
    }
    run->next = due;
    return rc;
}

/* ---- between transactions ---- */

/* What callers and the store say anyway is not said again here. */
static void tell_failure(const wxpay_run_t *run)
{
    if (run->err.code != WXPAY_EBUSY && run->err.code != WXPAY_ESTORE &&
        run->err.code != WXPAY_ECONFLICT && run->err.code != WXPAY_ENOTFOUND) {
        wxpay_log(run->flow->log, WXPAY_LOG_ERR, "WXP0507: order %s: %s: %s", run->out_trade_no,
                  run->err.step, run->err.detail);
    }
}

static void on_committed(void *baton, wxpay_rc_e rc, const wxpay_error_t *err)
{
    wxpay_run_t *run = baton;

    if (rc != WXPAY_OK) {
        run->err = *err;
        tell_failure(run);
        finish(run);
        return;
    }
    wxpay_flow_start_events(run->flow, &run->started);
    run->result = NULL;
    if (run->next) {
        if (run->stage == WXPAY_STAGE_STARTED) {
            reach(run, WXPAY_STAGE_STORED);
        }
        go_on(run);
    }
    else {
        finish(run);
    }
}

static void record(wxpay_run_t *run)
{
    wxpay_job_t *job = wxpay_job_create();
    wxpay_error_t err;

    wxpay_error_clear(&err);
    if (wxpay_store_submit(run->flow->store, job, work, on_committed, run, &err) != WXPAY_OK) {
        run->err = err;
        finish(run);
    }
    wxpay_job_release(job);
}

static void on_reply(void *baton, const wxpay_api_result_t *result)
{
    wxpay_run_t *run = baton;

    run->result = result;
    if (result->err.code != WXPAY_OK) {
        run->call_err = result->err;
    }
    record(run);
}

/* The call could not even be queued: as if it had come back at once, unsent. */
static void not_sent(wxpay_run_t *run, const wxpay_error_t *err)
{
    wxpay_api_result_t *result = apr_pcalloc(run->pool, sizeof(*result));

    result->err = *err;
    on_reply(run, result);
}

static void go_on(wxpay_run_t *run)
{
    wxpay_fields_t *params;
    wxpay_error_t err;
    wxpay_op_e op = WXPAY_OP_UNIFIEDORDER;
    wxpay_rc_e rc;

    wxpay_error_clear(&err);
    run->calls++;
    run->doing = run->next->gateway_no;
    run->doing_todo = run->next->todo;
    run->doing_first = run->next_first;
    run->doing_next_at = run->next->next_at;
    if (run->doing_todo == WXPAY_TODO_SEND) {
        rc = wxpay_params_parse(run->pool, run->next->params, &params, &err);
    }
    else {
        op = run->doing_todo == WXPAY_TODO_QUERY ? WXPAY_OP_ORDERQUERY : WXPAY_OP_CLOSEORDER;
        rc = wxpay_api_number_request(run->account, run->next->appid, run->doing, run->pool,
                                      &params, &err);
    }
    if (rc == WXPAY_OK) {
        rc = wxpay_api_call(run->flow->api, run->account, op, params, run->pool, on_reply, run,
                            &err);
    }
    if (rc != WXPAY_OK) {
        not_sent(run, &err);
    }
}

void wxpay_run_start(wxpay_run_t *run)
{
    wxpay_error_t err;

    wxpay_error_clear(&err);
    run->refs++; /* the run's own, given back by finish() */
    if (wxpay_token_random(run->pool, &run->owner, &err) != WXPAY_OK) {
        run->err = err;
        finish(run);
        return;
    }
    record(run);
}
