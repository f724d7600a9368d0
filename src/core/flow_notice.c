#include "flow_int.h"

#include <apr_strings.h>
#include <string.h>
#include "clock.h"
#include "json.h"
#include "token.h"

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
    const char *go_on; /* number of an order whose other attempts are to be closed at the gateway */
} notice_job_t;

static wxpay_rc_e record_unmatched(wxpay_tx_t *tx, notice_job_t *job, wxpay_verdict_e verdict,
                                   const char *ref, const char *reason, const char *out_trade_no,
                                   wxpay_error_t *err)
{
    wxpay_journal_t entry = {NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL, 0};

    job->verdict = verdict;
    entry.mch_id = job->account->mch_id;
    entry.ref = ref ? ref : "";
    entry.verdict = wxpay_verdict_name(verdict);
    entry.reason = reason ? reason : "";
    entry.out_trade_no = out_trade_no ? out_trade_no : "";
    entry.gateway_no = job->notice.gateway_no ? job->notice.gateway_no : "";
    entry.site = job->account->site;
    entry.at = job->flow->now();
    entry.body = job->notice.raw;
    entry.body_len = job->notice.raw_len;
    return wxpay_row_notice_record(tx, &entry, &job->first, err);
}

/* An order made elsewhere: for sites that want it, its facts go into an event, once per
 * transaction. */
static wxpay_rc_e orphan_event(wxpay_tx_t *tx, notice_job_t *job, apr_pool_t *pool,
                               wxpay_error_t *err)
{
    const wxpay_notice_t *n = &job->notice;
    wxpay_event_t event = {NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL};
    char at[WXPAY_RFC3339_SIZE];
    const char *random;
    json_t *body = wxpay_json_object(pool);
    json_t *data = wxpay_json_object(pool);
    wxpay_rc_e rc = wxpay_token_random(pool, &random, err);

    if (rc != WXPAY_OK) {
        return rc;
    }
    event.created_at = job->flow->now();
    wxpay_clock_rfc3339(event.created_at, at);
    json_object_set_new(data, "out_trade_no", json_string(n->gateway_no));
    json_object_set_new(data, "transaction_id", json_string(n->transaction_id));
    json_object_set_new(data, "total_fee", json_integer(n->total_fee));
    json_object_set_new(data, "fee_type", json_string(n->fee_type));
    if (n->attach) {
        json_object_set_new(data, "attach", json_string(n->attach));
    }
    json_object_set_new(body, "type", json_string("order.orphan"));
    json_object_set_new(body, "timestamp", json_string(at));
    json_object_set(body, "data", data);
    event.id = apr_pstrcat(pool, "evt_", random, NULL);
    event.mch_id = job->account->mch_id;
    event.out_trade_no = n->gateway_no;
    event.site = job->account->site;
    event.type = "order.orphan";
    event.body = wxpay_json_text(pool, body);
    event.state = job->account->has_deliver_to ? "pending" : "unwanted";
    return wxpay_row_event_insert(tx, &event, err);
}

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

static wxpay_rc_e orphan(wxpay_tx_t *tx, notice_job_t *job, apr_pool_t *pool, wxpay_error_t *err)
{
    const wxpay_notice_t *n = &job->notice;
    wxpay_rc_e rc =
        record_unmatched(tx, job, WXPAY_VERDICT_ORPHAN, n->transaction_id, "", n->gateway_no, err);

    if (rc == WXPAY_OK && job->first && job->account->deliver_orphans) {
        rc = orphan_event(tx, job, pool, err);
    }
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
        rc = configured_sign_type(job, err);
        return rc == WXPAY_OK ? orphan(tx, job, pool, err) : rc;
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
    rc = wxpay_flow_pay(job->flow, tx, job->account, snap, a, n, WXPAY_VERDICT_PAID, pool,
                        &job->verdict, err);
    job->go_on = rc == WXPAY_OK && wxpay_plan_due(snap, job->flow->now())
                     ? apr_pstrdup(job->pool, snap->order->out_trade_no)
                     : NULL;
    return rc;
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
    switch (n->kind) {
    case WXPAY_NOTICE_REFUND:
        return record_unmatched(tx, job, WXPAY_VERDICT_REFUND, n->refund_id, n->refund_status, NULL,
                                err);
    case WXPAY_NOTICE_NOTPAID:
        rc = configured_sign_type(job, err);
        if (rc != WXPAY_OK) {
            return rc;
        }
        return record_unmatched(tx, job, WXPAY_VERDICT_NOTPAID, n->gateway_no, n->err_code, NULL,
                                err);
    default:
        return payment(tx, job, pool, err);
    }
}

/* ---- the way without a commit: what is recorded already ---- */

typedef struct seen_t {
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
    if (rc != WXPAY_OK || a->state != WXPAY_ATTEMPT_PAID || !a->transaction_id ||
        strcmp(a->transaction_id, n->transaction_id) ||
        (a->sign_type == WXPAY_SIGN_HMAC_SHA256 && n->sign_type == WXPAY_SIGN_MD5)) {
        return rc == WXPAY_ENOTFOUND ? WXPAY_OK : rc;
    }
    rc = wxpay_row_order_get(tx, a->mch_id, a->out_trade_no, pool, &order, err);
    seen->duplicate =
        rc == WXPAY_OK && order->total_fee == n->total_fee && !strcmp(order->fee_type, n->fee_type);
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

static int answer_success(const wxpay_account_t *account, wxpay_verdict_e verdict)
{
    switch (verdict) {
    case WXPAY_VERDICT_ORPHAN:
        return account->deliver_orphans;
    case WXPAY_VERDICT_QUARANTINE:
    case WXPAY_VERDICT_REFUSED:
        return 0;
    default:
        return 1;
    }
}

static void tell(const wxpay_flow_t *flow, const notice_job_t *job)
{
    const wxpay_notice_t *n = &job->notice;

    if (job->verdict == WXPAY_VERDICT_PAID) {
        wxpay_log(flow->log, WXPAY_LOG_INFO,
                  "number %s: paid, %" APR_INT64_T_FMT " fen, transaction %s", n->gateway_no,
                  n->total_fee, n->transaction_id);
    }
    else if (job->verdict == WXPAY_VERDICT_ORPHAN && job->first && !job->account->deliver_orphans) {
        wxpay_log(flow->log, WXPAY_LOG_ERR,
                  "number %s: an authentic payment of %" APR_INT64_T_FMT
                  " fen, transaction %s, for an "
                  "order that was not made here: recorded and answered FAIL; if orders are made "
                  "elsewhere, write \"WxPayOrphans Deliver\"",
                  n->gateway_no, n->total_fee, n->transaction_id);
    }
}

wxpay_rc_e wxpay_flow_notice(wxpay_flow_t *flow, const wxpay_account_t *account,
                             const wxpay_notice_t *notice, apr_interval_time_t wait,
                             apr_pool_t *pool, wxpay_verdict_e *verdict, int *success,
                             wxpay_error_t *err)
{
    seen_t seen = {notice, 0};
    wxpay_job_t *job;
    notice_job_t *baton;
    wxpay_rc_e rc;

    *verdict = WXPAY_VERDICT_REFUSED;
    *success = 0;
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
        *success = answer_success(account, baton->verdict);
        tell(flow, baton);
        if (baton->go_on) {
            wxpay_run_t *run = wxpay_run_create(flow, account, WXPAY_INTENT_NONE, baton->go_on);

            wxpay_run_start(run); /* off the answer's way */
            wxpay_run_release(run);
        }
    }
    wxpay_job_release(job);
    return rc;
}
