#include "flow_int.h"

#include <apr_strings.h>
#include <string.h>
#include "token.h"

#define STORE_WAIT apr_time_from_sec(3) /* how long a caller waits for what needs no gateway */

wxpay_rc_e wxpay_flow_create(apr_pool_t *pool, const wxpay_flow_options_t *options,
                             wxpay_flow_t **flow, wxpay_error_t *err)
{
    wxpay_flow_t *f = apr_pcalloc(pool, sizeof(*f));

    f->store = options->store;
    f->api = options->api;
    f->log = options->log;
    f->outbox = options->outbox;
    f->sites = options->sites;
    f->now = options->now ? options->now : apr_time_now;
    if (pthread_mutex_init(&f->lock, NULL)) {
        return wxpay_error_set(err, WXPAY_EINTERNAL, "start", "cannot make a mutex");
    }
    *flow = f;
    return WXPAY_OK;
}

void wxpay_flow_stop(wxpay_flow_t *flow)
{
    atomic_store(&flow->stopping, 1);
}

/* ---- snapshots ---- */

const wxpay_attempt_t *wxpay_snapshot_newest(const wxpay_snapshot_t *snap)
{
    return snap->count ? snap->attempts[snap->count - 1] : NULL;
}

static const wxpay_attempt_t *with_code(const wxpay_snapshot_t *snap, wxpay_attempt_state_e state,
                                        apr_time_t now)
{
    int i;

    if (!wxpay_plan_order_open(snap->order, now)) {
        return NULL;
    }
    for (i = 0; i < snap->count; ++i) {
        const wxpay_attempt_t *a = snap->attempts[i];

        if (a->state == state && a->url_at + WXPAY_CODE_TTL > now &&
            (state == WXPAY_ATTEMPT_OPEN || a->close_at > now)) {
            return a;
        }
    }
    return NULL;
}

const wxpay_attempt_t *wxpay_snapshot_payable(const wxpay_snapshot_t *snap, apr_time_t now)
{
    return with_code(snap, WXPAY_ATTEMPT_OPEN, now);
}

const wxpay_attempt_t *wxpay_snapshot_still_payable(const wxpay_snapshot_t *snap, apr_time_t now)
{
    const wxpay_attempt_t *open = wxpay_snapshot_payable(snap, now);

    return open ? open : with_code(snap, WXPAY_ATTEMPT_CLOSING, now);
}

int wxpay_snapshot_busy(const wxpay_snapshot_t *snap, apr_time_t now)
{
    int i;

    for (i = 0; i < snap->count; ++i) {
        if (wxpay_plan_leased(snap->attempts[i], now)) {
            return 1;
        }
    }
    return wxpay_plan_due(snap, now) != NULL;
}

int wxpay_snapshot_live(const wxpay_snapshot_t *snap)
{
    int i;

    for (i = 0; i < snap->count; ++i) {
        if (wxpay_plan_live(snap->attempts[i])) {
            return 1;
        }
    }
    return 0;
}

/* ---- reading ---- */

typedef struct read_job_t {
    const wxpay_account_t *account;
    const char *out_trade_no;
    const char *pay_id;
    wxpay_snapshot_t *snap;
} read_job_t;

static wxpay_rc_e read_work(wxpay_tx_t *tx, void *baton, apr_pool_t *pool, wxpay_error_t *err)
{
    read_job_t *job = baton;
    const char *mch_id = job->account->mch_id;
    const char *number = job->out_trade_no;
    wxpay_order_t *order;
    wxpay_rc_e rc = WXPAY_OK;

    if (job->pay_id) {
        rc = wxpay_row_order_by_pay_id(tx, job->pay_id, pool, &order, err);
        if (rc != WXPAY_OK) {
            return rc;
        }
        mch_id = order->mch_id;
        number = order->out_trade_no;
    }
    rc = wxpay_flow_snapshot(tx, mch_id, number, pool, &job->snap, err);
    if (rc == WXPAY_OK && (strcmp(job->snap->order->site, job->account->site) ||
                           strcmp(job->snap->order->mch_id, job->account->mch_id))) {
        job->snap = NULL;
        return wxpay_error_set(err, WXPAY_ENOTFOUND, "read order", "there is no such order");
    }
    return rc;
}

static wxpay_rc_e read_order(wxpay_flow_t *flow, read_job_t *job, apr_pool_t *pool,
                             wxpay_snapshot_t **snap, wxpay_error_t *err)
{
    wxpay_rc_e rc = wxpay_store_read(flow->store, read_work, job, pool, err);

    *snap = rc == WXPAY_OK ? job->snap : NULL;
    return rc;
}

wxpay_rc_e wxpay_flow_read(wxpay_flow_t *flow, const wxpay_account_t *account,
                           const char *out_trade_no, apr_pool_t *pool, wxpay_snapshot_t **snap,
                           wxpay_error_t *err)
{
    read_job_t job = {account, out_trade_no, NULL, NULL};

    return read_order(flow, &job, pool, snap, err);
}

wxpay_rc_e wxpay_flow_read_page(wxpay_flow_t *flow, const wxpay_account_t *account,
                                const char *pay_id, apr_pool_t *pool, wxpay_snapshot_t **snap,
                                wxpay_error_t *err)
{
    read_job_t job = {account, NULL, pay_id, NULL};

    *snap = NULL;
    if (!wxpay_token_is_pay_id(pay_id, strlen(pay_id))) {
        return wxpay_error_set(err, WXPAY_ENOTFOUND, "read order", "there is no such order");
    }
    return read_order(flow, &job, pool, snap, err);
}

/* ---- runs ---- */

static apr_status_t release_run(void *run)
{
    wxpay_run_release(run);
    return APR_SUCCESS;
}

/* Somebody else holds the lease: another thread, or another process. Look until it is done. */
static wxpay_rc_e watch(wxpay_flow_t *flow, read_job_t *job, apr_time_t until, apr_pool_t *pool,
                        wxpay_snapshot_t **snap, wxpay_error_t *err)
{
    apr_interval_time_t pause = apr_time_from_msec(10);
    wxpay_rc_e rc = WXPAY_OK;

    while (wxpay_snapshot_busy(*snap, flow->now()) && apr_time_now() + pause < until &&
           !atomic_load(&flow->stopping)) {
        apr_sleep(pause);
        if (pause < apr_time_from_msec(100)) {
            pause *= 2;
        }
        rc = read_order(flow, job, pool, snap, err);
        if (rc != WXPAY_OK) {
            return rc;
        }
    }
    return rc;
}

/* Start the run, wait, and leave the newest snapshot. Gives back the caller's hold. */
static wxpay_rc_e run_and_wait(wxpay_run_t *run, apr_interval_time_t wait, apr_pool_t *pool,
                               wxpay_snapshot_t **snap, wxpay_error_t *call_err, wxpay_error_t *err)
{
    wxpay_flow_t *flow = run->flow;
    apr_time_t until = apr_time_now() + wait;
    read_job_t job = {run->account, apr_pstrdup(pool, run->out_trade_no), NULL, NULL};
    wxpay_stage_e stage;

    wxpay_error_clear(call_err);
    wxpay_run_start(run);
    stage = wxpay_run_wait(run, STORE_WAIT, wait);
    if (stage != WXPAY_STAGE_FINISHED) {
        wxpay_run_release(run);
        if (stage == WXPAY_STAGE_STARTED) {
            wxpay_error_set(err, WXPAY_EBUSY, "store",
                            "the store did not commit in time; repeating "
                            "the same request is safe");
            err->flags = WXPAY_ERR_RETRY | WXPAY_ERR_AMBIGUOUS;
            return err->code;
        }
        return read_order(flow, &job, pool, snap, err);
    }
    *snap = run->snap;
    *call_err = run->call_err;
    if (run->err.code != WXPAY_OK) {
        *err = run->err;
    }
    /* The snapshot's strings live in the run: it stays until the caller's pool goes. */
    apr_pool_cleanup_register(pool, run, release_run, apr_pool_cleanup_null);
    if (err->code != WXPAY_OK || !*snap || run->doing) {
        return err->code;
    }
    return watch(flow, &job, until, pool, snap, err);
}

/* Opening ended without a payable code: say why, where there is a why. */
static wxpay_rc_e opened(const wxpay_flow_t *flow, const wxpay_snapshot_t *snap,
                         const wxpay_error_t *call_err, wxpay_error_t *err)
{
    apr_time_t now = flow->now();

    if (!wxpay_plan_order_open(snap->order, now) || wxpay_snapshot_payable(snap, now) ||
        wxpay_snapshot_busy(snap, now) || call_err->code == WXPAY_OK) {
        return WXPAY_OK;
    }
    *err = *call_err;
    return err->code;
}

wxpay_rc_e wxpay_flow_submit(wxpay_flow_t *flow, const wxpay_account_t *account,
                             const wxpay_order_t *order, const wxpay_identity_t *open,
                             apr_interval_time_t wait, apr_pool_t *pool, wxpay_snapshot_t **snap,
                             int *created, wxpay_error_t *err)
{
    wxpay_run_t *run = wxpay_run_create(flow, account, WXPAY_INTENT_SUBMIT, order->out_trade_no);
    wxpay_order_t *copy = wxpay_order_copy(run->pool, order);
    const char *mine;
    wxpay_error_t call_err;
    wxpay_rc_e rc = wxpay_token_pay_id(run->pool, &copy->pay_id, err);

    *snap = NULL;
    *created = 0;
    if (rc != WXPAY_OK) {
        wxpay_run_release(run);
        return rc;
    }
    wxpay_error_clear(err);
    copy->created_at = flow->now();
    copy->sweep_at = copy->expires_at;
    run->order = copy;
    run->identity = open ? wxpay_identity_copy(run->pool, open) : NULL;
    mine = apr_pstrdup(pool, copy->pay_id);
    rc = run_and_wait(run, open ? wait : STORE_WAIT, pool, snap, &call_err, err);
    /* Whose pay_id was stored says who created it, also when the run goes on without us. */
    *created = *snap && !strcmp((*snap)->order->pay_id, mine);
    if (rc != WXPAY_OK || !*snap) {
        return rc;
    }
    return open ? opened(flow, *snap, &call_err, err) : WXPAY_OK;
}

static wxpay_rc_e simple_run(wxpay_flow_t *flow, const wxpay_account_t *account,
                             wxpay_intent_e intent, const char *out_trade_no,
                             const wxpay_identity_t *identity, apr_interval_time_t wait,
                             apr_pool_t *pool, wxpay_snapshot_t **snap, wxpay_error_t *call_err,
                             wxpay_error_t *err)
{
    wxpay_run_t *run = wxpay_run_create(flow, account, intent, out_trade_no);

    *snap = NULL;
    wxpay_error_clear(err);
    run->identity = identity ? wxpay_identity_copy(run->pool, identity) : NULL;
    return run_and_wait(run, wait, pool, snap, call_err, err);
}

wxpay_rc_e wxpay_flow_open(wxpay_flow_t *flow, const wxpay_account_t *account,
                           const char *out_trade_no, const wxpay_identity_t *identity,
                           apr_interval_time_t wait, apr_pool_t *pool, wxpay_snapshot_t **snap,
                           wxpay_error_t *err)
{
    wxpay_error_t call_err;
    wxpay_rc_e rc = simple_run(flow, account, WXPAY_INTENT_OPEN, out_trade_no, identity, wait, pool,
                               snap, &call_err, err);

    return rc == WXPAY_OK && *snap ? opened(flow, *snap, &call_err, err) : rc;
}

wxpay_rc_e wxpay_flow_query(wxpay_flow_t *flow, const wxpay_account_t *account,
                            const char *out_trade_no, apr_interval_time_t wait, apr_pool_t *pool,
                            wxpay_snapshot_t **snap, wxpay_error_t *err)
{
    wxpay_error_t call_err;
    wxpay_rc_e rc = simple_run(flow, account, WXPAY_INTENT_QUERY, out_trade_no, NULL, wait, pool,
                               snap, &call_err, err);

    if (rc == WXPAY_OK && *snap && (*snap)->order->state != WXPAY_ORDER_PAID &&
        call_err.code != WXPAY_OK && strcmp(call_err.err_code, "ORDERNOTEXIST")) {
        *err = call_err;
        return err->code;
    }
    return rc;
}

wxpay_rc_e wxpay_flow_close(wxpay_flow_t *flow, const wxpay_account_t *account,
                            const char *out_trade_no, apr_interval_time_t wait, apr_pool_t *pool,
                            wxpay_snapshot_t **snap, wxpay_error_t *err)
{
    wxpay_error_t call_err;
    wxpay_rc_e rc = simple_run(flow, account, WXPAY_INTENT_CLOSE, out_trade_no, NULL, wait, pool,
                               snap, &call_err, err);

    if (rc == WXPAY_OK && *snap && (*snap)->order->state == WXPAY_ORDER_PAID) {
        return wxpay_error_set(err, WXPAY_ECONFLICT, "close order",
                               "the order is paid: it cannot be closed, only refunded");
    }
    return rc;
}

wxpay_rc_e wxpay_flow_nudge(wxpay_flow_t *flow, const wxpay_account_t *account,
                            const wxpay_snapshot_t *snap, wxpay_error_t *err)
{
    wxpay_run_t *run;

    wxpay_error_clear(err);
    if (!wxpay_plan_due(snap, flow->now())) {
        return WXPAY_OK;
    }
    run = wxpay_run_create(flow, account, WXPAY_INTENT_NONE, snap->order->out_trade_no);
    wxpay_run_start(run);
    wxpay_run_release(run);
    return WXPAY_OK;
}
