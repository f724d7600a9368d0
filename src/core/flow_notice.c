#include "flow_int.h"

#include <apr_strings.h>
#include <string.h>

/* Everything a notice's work touches lives in its job's pool: the request may have left before a
 * commit that was under way ends. */
typedef struct notice_job_t {
    wxpay_flow_t *flow;
    const wxpay_account_t *account;
    apr_pool_t *pool;
    wxpay_notice_t notice;
    wxpay_duplicate_t repeats[WXPAY_DUPLICATES]; /* counted in memory since the last commit */
    int nrepeats;
    wxpay_verdict_e verdict;
    int first;
    wxpay_orphan_t orphan;
    wxpay_started_t started; /* in pool */
    const char *go_on;       /* number of an order about which the gateway is to be called */
} notice_job_t;

/* Where no order says what its signature has to be, the configuration does. */
static wxpay_rc_e configured_sign_type(const notice_job_t *job, wxpay_error_t *err)
{
    if (job->notice.sign_type & wxpay_account_sign_allowed(job->account)) {
        return WXPAY_OK;
    }
    return wxpay_error_set(err, WXPAY_ESIGN, "match notification",
                           "WxPaySignType is HMAC-SHA256, and this came with MD5 for no order that "
                           "was opened with MD5");
}

/* The account may have moved to another appid since the attempt was made (NULL: there is none). */
static int same_appid(const wxpay_account_t *account, const wxpay_attempt_t *a,
                      const wxpay_notice_t *n)
{
    return !wxpay_flow_differs(n->appid, wxpay_account_appid(account, a ? a->appid : NULL));
}

static wxpay_rc_e appid_of(const notice_job_t *job, const wxpay_attempt_t *a, wxpay_error_t *err)
{
    if (same_appid(job->account, a, &job->notice)) {
        return WXPAY_OK;
    }
    return wxpay_error_named(err, WXPAY_EMISMATCH, "match notification", "appid",
                             "appid is not the one of this merchant account%s",
                             a ? " that the order was opened with" : "");
}

/* Why this notice alone proves nothing, or NULL. */
static const char *unconfirmed_why(const wxpay_account_t *account, const wxpay_notice_t *n)
{
    if (n->previous_key) {
        return "previous key";
    }
    return account->confirm_min_fen >= 0 && n->total_fee >= account->confirm_min_fen ? "amount"
                                                                                     : NULL;
}

static int same_payment(const wxpay_order_t *order, const wxpay_attempt_t *a,
                        const wxpay_notice_t *n)
{
    return a->state == WXPAY_ATTEMPT_PAID && a->transaction_id &&
           !strcmp(a->transaction_id, n->transaction_id) && order->total_fee == n->total_fee &&
           !strcmp(order->fee_type, n->fee_type) &&
           !wxpay_flow_differs(order->sub_mch_id, n->sub_mch_id);
}

/* Believed or not: what it says is only a reason to ask the gateway. */
static wxpay_rc_e unconfirmed(wxpay_tx_t *tx, notice_job_t *job, wxpay_snapshot_t *snap,
                              wxpay_attempt_t *a, const char *why, wxpay_error_t *err)
{
    wxpay_rc_e rc = wxpay_flow_journal(job->flow, tx, job->account, snap->order, &job->notice,
                                       WXPAY_VERDICT_UNCONFIRMED, NULL, why, &job->first, err);

    job->verdict = WXPAY_VERDICT_UNCONFIRMED;
    if (rc == WXPAY_OK && wxpay_plan_confirm(a, job->first, job->flow->now())) {
        rc = wxpay_row_attempt_update(tx, a, a->state, err);
    }
    return rc;
}

static wxpay_rc_e matched(wxpay_tx_t *tx, notice_job_t *job, wxpay_snapshot_t *snap,
                          wxpay_attempt_t *a, apr_pool_t *pool, wxpay_error_t *err)
{
    const wxpay_notice_t *n = &job->notice;
    const char *why = unconfirmed_why(job->account, n);
    wxpay_rc_e rc;

    if (why && !same_payment(snap->order, a, n)) {
        rc = unconfirmed(tx, job, snap, a, why, err);
    }
    else {
        rc = wxpay_flow_pay(job->flow, tx, job->account, snap, a, n, WXPAY_VERDICT_PAID, pool,
                            &job->started, &job->verdict, err);
    }
    job->go_on = rc == WXPAY_OK && wxpay_plan_due(snap, job->flow->now())
                     ? apr_pstrdup(job->pool, snap->order->out_trade_no)
                     : NULL;
    return rc;
}

static wxpay_rc_e orphan(wxpay_tx_t *tx, notice_job_t *job, apr_pool_t *pool, wxpay_error_t *err)
{
    const wxpay_notice_t *n = &job->notice;
    wxpay_rc_e rc = appid_of(job, NULL, err);

    if (rc == WXPAY_OK) {
        rc = configured_sign_type(job, err);
    }
    if (rc == WXPAY_OK) {
        rc = wxpay_flow_orphan(job->flow, tx, job->account, n, unconfirmed_why(job->account, n),
                               pool, &job->orphan, &job->started, err);
    }
    job->verdict = job->orphan.verdict;
    return rc;
}

static wxpay_rc_e payment(wxpay_tx_t *tx, notice_job_t *job, apr_pool_t *pool, wxpay_error_t *err)
{
    const wxpay_notice_t *n = &job->notice;
    wxpay_snapshot_t *snap;
    wxpay_attempt_t *found;
    wxpay_attempt_t *a = NULL;
    wxpay_rc_e rc;
    int i;

    rc = wxpay_row_attempt_get(tx, n->mch_id, n->gateway_no, pool, &found, err);
    if (rc == WXPAY_ENOTFOUND) {
        return orphan(tx, job, pool, err);
    }
    if (rc == WXPAY_OK) {
        rc = appid_of(job, found, err);
    }
    if (rc != WXPAY_OK) {
        return rc;
    }
    if (found->sign_type == WXPAY_SIGN_HMAC_SHA256 && n->sign_type == WXPAY_SIGN_MD5) {
        return wxpay_error_set(err, WXPAY_ESIGN, "match notification",
                               "the order was opened with HMAC-SHA256, this came with MD5");
    }
    rc = wxpay_flow_snapshot(tx, found->mch_id, found->out_trade_no, pool, &snap, err);
    if (rc != WXPAY_OK) {
        return rc;
    }
    for (i = 0; i < snap->count; ++i) {
        if (!strcmp(snap->attempts[i]->gateway_no, n->gateway_no)) {
            a = snap->attempts[i];
        }
    }
    if (!a) {
        return wxpay_error_set(err, WXPAY_ESTORE, "match notification",
                               "number %s belongs to an order that has no such attempt",
                               n->gateway_no);
    }
    return matched(tx, job, snap, a, pool, err);
}

static wxpay_rc_e work(wxpay_tx_t *tx, void *baton, apr_pool_t *pool, wxpay_error_t *err)
{
    notice_job_t *job = baton;
    const wxpay_notice_t *n = &job->notice;
    wxpay_rc_e rc = WXPAY_OK;
    int i;

    for (i = 0; i < job->nrepeats && rc == WXPAY_OK; ++i) {
        rc = wxpay_row_notice_count(tx, job->repeats[i].mch_id, job->repeats[i].ref,
                                    job->repeats[i].count, job->flow->now(), err);
    }
    if (rc != WXPAY_OK) {
        return rc;
    }
    job->orphan.success = 0; /* nothing of a first run counts */
    job->orphan.ask = 0;
    job->started.count = 0;
    job->go_on = NULL;
    switch (n->kind) {
    case WXPAY_NOTICE_REFUND:
        job->verdict = WXPAY_VERDICT_REFUND;
        return wxpay_flow_journal(job->flow, tx, job->account, NULL, n, job->verdict, n->refund_id,
                                  n->refund_status, &job->first, err);
    case WXPAY_NOTICE_NOTPAID:
        job->verdict = WXPAY_VERDICT_NOTPAID;
        rc = configured_sign_type(job, err);
        return rc == WXPAY_OK ? wxpay_flow_journal(job->flow, tx, job->account, NULL, n,
                                                   job->verdict, n->gateway_no ? n->gateway_no : "",
                                                   n->err_code, &job->first, err)
                              : rc;
    default:
        return payment(tx, job, pool, err);
    }
}

/* ---- the way without a commit: what is recorded already ---- */

typedef struct seen_t {
    const wxpay_account_t *account;
    const wxpay_notice_t *notice;
    int duplicate;
} seen_t;

static wxpay_rc_e look(wxpay_tx_t *tx, void *baton, apr_pool_t *pool, wxpay_error_t *err)
{
    seen_t *seen = baton;
    const wxpay_notice_t *n = seen->notice;
    wxpay_attempt_t *a;
    wxpay_order_t *order;
    wxpay_rc_e rc = wxpay_row_attempt_get(tx, n->mch_id, n->gateway_no, pool, &a, err);

    seen->duplicate = 0;
    if (rc != WXPAY_OK || a->state != WXPAY_ATTEMPT_PAID || !same_appid(seen->account, a, n) ||
        (a->sign_type == WXPAY_SIGN_HMAC_SHA256 && n->sign_type == WXPAY_SIGN_MD5)) {
        return rc == WXPAY_ENOTFOUND ? WXPAY_OK : rc;
    }
    rc = wxpay_row_order_get(tx, a->mch_id, a->out_trade_no, pool, &order, err);
    seen->duplicate = rc == WXPAY_OK && same_payment(order, a, n);
    return rc;
}

static void count_repeat(wxpay_flow_t *flow, const wxpay_notice_t *n)
{
    int i;

    pthread_mutex_lock(&flow->lock);
    for (i = 0; i < WXPAY_DUPLICATES; ++i) {
        wxpay_duplicate_t *d = &flow->duplicates[i];

        if (!d->count) {
            apr_cpystrn(d->mch_id, n->mch_id, sizeof(d->mch_id));
            apr_cpystrn(d->ref, n->transaction_id, sizeof(d->ref));
        }
        if (!strcmp(d->ref, n->transaction_id) && !strcmp(d->mch_id, n->mch_id)) {
            d->count++;
            break;
        }
    }
    pthread_mutex_unlock(&flow->lock);
}

static void take_repeats(wxpay_flow_t *flow, notice_job_t *job)
{
    int i;

    pthread_mutex_lock(&flow->lock);
    for (i = 0; i < WXPAY_DUPLICATES && flow->duplicates[i].count; ++i) {
        job->repeats[job->nrepeats++] = flow->duplicates[i];
        flow->duplicates[i].count = 0;
    }
    pthread_mutex_unlock(&flow->lock);
}

static int answer_success(const notice_job_t *job)
{
    switch (job->verdict) {
    case WXPAY_VERDICT_ORPHAN:
        return job->orphan.success;
    case WXPAY_VERDICT_QUARANTINE:
    case WXPAY_VERDICT_UNCONFIRMED:
    case WXPAY_VERDICT_REFUSED:
        return 0;
    default:
        return 1;
    }
}

static void tell_orphan(const wxpay_flow_t *flow, const notice_job_t *job)
{
    const wxpay_notice_t *n = &job->notice;

    wxpay_log(flow->log, WXPAY_LOG_ERR,
              "WXP0503: number %s: an authentic payment of %" APR_INT64_T_FMT
              " fen, transaction %s, for %s: recorded and answered FAIL; %s",
              n->gateway_no, n->total_fee, n->transaction_id,
              job->orphan.foreign[0] ? "an order of another sub-merchant"
                                     : "an order that was not made here",
              job->orphan.foreign[0]
                  ? "compare WxPaySubMchId and WxPaySubAppId with the merchant platform"
                  : "if orders are made elsewhere, write \"WxPayOrphans Deliver\"");
}

static void tell(const wxpay_flow_t *flow, const notice_job_t *job)
{
    const wxpay_notice_t *n = &job->notice;

    if (job->verdict == WXPAY_VERDICT_PAID) {
        wxpay_log(flow->log, WXPAY_LOG_INFO,
                  "number %s: paid, %" APR_INT64_T_FMT " fen, transaction %s", n->gateway_no,
                  n->total_fee, n->transaction_id);
    }
    else if (job->verdict == WXPAY_VERDICT_UNCONFIRMED) {
        wxpay_log(flow->log, WXPAY_LOG_INFO,
                  "number %s: transaction %s over %" APR_INT64_T_FMT
                  " fen is not believed before the gateway confirms it (%s)",
                  n->gateway_no, n->transaction_id, n->total_fee,
                  n->previous_key ? "signed with WxPayKeyPrevious" : "WxPayConfirmByQuery");
    }
    else if (job->verdict == WXPAY_VERDICT_ORPHAN && job->orphan.first && !job->orphan.success) {
        tell_orphan(flow, job);
    }
}

/* The calls that follow from what was committed: off the answer's way. */
static void go_on(wxpay_flow_t *flow, const wxpay_account_t *account, const notice_job_t *job)
{
    wxpay_flow_start_events(flow, &job->started);
    if (job->go_on) {
        wxpay_run_t *run = wxpay_run_create(flow, account, WXPAY_INTENT_NONE, job->go_on);

        wxpay_run_start(run);
        wxpay_run_release(run);
    }
    if (job->orphan.ask) {
        wxpay_flow_orphan_ask(flow, account, &job->notice);
    }
}

wxpay_rc_e wxpay_flow_notice(wxpay_flow_t *flow, const wxpay_account_t *account,
                             const wxpay_notice_t *notice, apr_interval_time_t wait,
                             apr_pool_t *pool, wxpay_verdict_e *verdict, int *success,
                             wxpay_error_t *err)
{
    seen_t seen = {account, notice, 0};
    wxpay_job_t *job;
    notice_job_t *baton;
    wxpay_rc_e rc;

    *verdict = WXPAY_VERDICT_REFUSED;
    *success = 0;
    if (notice->previous_key && flow->now() >= account->previous_until) {
        return wxpay_error_set(err, WXPAY_ESIGN, "match notification",
                               "signed with the key of WxPayKeyPrevious, whose time is over");
    }
    if (notice->kind == WXPAY_NOTICE_PAYMENT &&
        wxpay_store_read(flow->store, look, &seen, pool, err) == WXPAY_OK && seen.duplicate) {
        count_repeat(flow, notice);
        *verdict = WXPAY_VERDICT_DUPLICATE;
        *success = 1;
        return WXPAY_OK;
    }
    wxpay_error_clear(err);
    job = wxpay_job_create();
    baton = apr_pcalloc(wxpay_job_pool(job), sizeof(*baton));
    baton->flow = flow;
    baton->account = account;
    baton->pool = wxpay_job_pool(job);
    wxpay_notice_copy(wxpay_job_pool(job), notice, &baton->notice);
    take_repeats(flow, baton);
    rc = wxpay_store_commit(flow->store, job, work, baton, wait, err);
    if (rc == WXPAY_OK) {
        *verdict = baton->verdict;
        *success = answer_success(baton);
        tell(flow, baton);
        go_on(flow, account, baton);
    }
    wxpay_job_release(job);
    return rc;
}
