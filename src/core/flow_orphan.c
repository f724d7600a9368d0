/* flow_orphan.c - authentic payments of orders that were not made here. */
#include "flow_int.h"

#include <apr_strings.h>
#include <string.h>
#include "json.h"

#define DELIVERED "delivered"

/* For sites that make orders elsewhere: the facts go into an event, once per transaction. */
static wxpay_rc_e write_event(const wxpay_flow_t *flow, wxpay_tx_t *tx,
                              const wxpay_account_t *account, const wxpay_notice_t *n,
                              apr_pool_t *pool, wxpay_started_t *started, wxpay_error_t *err)
{
    wxpay_outbox_event_t event = {0};
    json_t *data = wxpay_json_object(pool);

    json_object_set_new(data, "out_trade_no", json_string(n->gateway_no));
    json_object_set_new(data, "transaction_id", json_string(n->transaction_id));
    json_object_set_new(data, "total_fee", json_integer(n->total_fee));
    json_object_set_new(data, "fee_type", json_string(n->fee_type));
    if (n->attach) {
        json_object_set_new(data, "attach", json_string(n->attach));
    }
    event.type = WXPAY_EVENT_ORPHAN;
    event.mch_id = account->mch_id;
    event.out_trade_no = n->gateway_no;
    event.site = account->site;
    event.data = data;
    return wxpay_flow_write_event(flow, tx, &event, pool, started, err);
}

/* One key signs for all sub-merchants of a service provider: another one's payment must never reach
 * a site that does not see whose it is. */
static const char *foreign(const wxpay_account_t *account, const wxpay_notice_t *n)
{
    if (wxpay_flow_differs(n->sub_mch_id, account->sub_mch_id)) {
        return "sub_mch_id";
    }
    return n->sub_appid && wxpay_flow_differs(n->sub_appid, account->sub_appid) ? "sub_appid" : "";
}

static wxpay_rc_e record(const wxpay_flow_t *flow, wxpay_tx_t *tx, const wxpay_account_t *account,
                         const wxpay_notice_t *n, apr_pool_t *pool, wxpay_orphan_t *orphan,
                         wxpay_started_t *started, wxpay_error_t *err)
{
    /* What was refused before it was to be delivered is delivered when it comes again. */
    const char *reason = orphan->success ? DELIVERED : orphan->foreign;
    wxpay_rc_e rc = wxpay_flow_journal(flow, tx, account, NULL, n, WXPAY_VERDICT_ORPHAN, NULL,
                                       reason, &orphan->first, err);

    orphan->verdict = WXPAY_VERDICT_ORPHAN;
    return rc == WXPAY_OK && orphan->success && orphan->first
               ? write_event(flow, tx, account, n, pool, started, err)
               : rc;
}

wxpay_rc_e wxpay_flow_orphan(const wxpay_flow_t *flow, wxpay_tx_t *tx,
                             const wxpay_account_t *account, const wxpay_notice_t *n,
                             const char *unconfirmed, apr_pool_t *pool, wxpay_orphan_t *orphan,
                             wxpay_started_t *started, wxpay_error_t *err)
{
    wxpay_rc_e rc = WXPAY_OK;
    int known = 0;

    orphan->foreign = foreign(account, n);
    orphan->success = account->deliver_orphans && !orphan->foreign[0];
    orphan->ask = 0;
    orphan->first = 0;
    if (orphan->success && unconfirmed) {
        rc = wxpay_flow_journal_again(flow, tx, account, n, WXPAY_VERDICT_ORPHAN, DELIVERED, &known,
                                      err);
    }
    if (rc == WXPAY_OK && known) {
        orphan->verdict = WXPAY_VERDICT_ORPHAN;
        return WXPAY_OK;
    }
    if (rc != WXPAY_OK || !unconfirmed || (!orphan->success && !n->previous_key)) {
        return rc == WXPAY_OK ? record(flow, tx, account, n, pool, orphan, started, err) : rc;
    }
    orphan->verdict = WXPAY_VERDICT_UNCONFIRMED;
    orphan->ask = orphan->success;
    orphan->success = 0;
    return wxpay_flow_journal(flow, tx, account, NULL, n, WXPAY_VERDICT_UNCONFIRMED, NULL,
                              unconfirmed, &orphan->first, err);
}

/* ---- asking the gateway ---- */

typedef struct inquiry_t {
    apr_pool_t *pool; /* used by one thread at a time: asker, engine, writer */
    wxpay_flow_t *flow;
    const wxpay_account_t *account;
    char *place; /* in flow->orphans */
    const char *gateway_no;
    wxpay_notice_t *found;
    wxpay_started_t started; /* in pool */
} inquiry_t;

static char *take_place(wxpay_flow_t *flow, const char *transaction_id)
{
    char *place = NULL;
    int i;

    pthread_mutex_lock(&flow->lock);
    for (i = 0; i < WXPAY_ORPHANS; ++i) {
        if (!strcmp(flow->orphans[i], transaction_id)) {
            place = NULL;
            break;
        }
        if (!flow->orphans[i][0]) {
            place = flow->orphans[i];
        }
    }
    if (place) {
        apr_cpystrn(place, transaction_id, sizeof(flow->orphans[0]));
    }
    pthread_mutex_unlock(&flow->lock);
    return place;
}

static void end(inquiry_t *q)
{
    pthread_mutex_lock(&q->flow->lock);
    q->place[0] = '\0';
    pthread_mutex_unlock(&q->flow->lock);
    apr_pool_destroy(q->pool);
}

static wxpay_rc_e book(wxpay_tx_t *tx, void *baton, apr_pool_t *pool, wxpay_error_t *err)
{
    inquiry_t *q = baton;
    wxpay_attempt_t *a;
    wxpay_orphan_t orphan;
    wxpay_rc_e rc = wxpay_row_attempt_get(tx, q->account->mch_id, q->gateway_no, pool, &a, err);

    q->started.count = 0;
    if (rc != WXPAY_ENOTFOUND) {
        return rc; /* its order has come meanwhile: the next notification finds it */
    }
    wxpay_error_clear(err);
    return wxpay_flow_orphan(q->flow, tx, q->account, q->found, NULL, q->pool, &orphan, &q->started,
                             err);
}

static void on_booked(void *baton, wxpay_rc_e rc, const wxpay_error_t *err)
{
    inquiry_t *q = baton;

    if (rc == WXPAY_OK) {
        wxpay_log(q->flow->log, WXPAY_LOG_INFO,
                  "number %s: the gateway confirms the payment of an order that was not made here",
                  q->gateway_no);
        wxpay_flow_start_events(q->flow, &q->started);
    }
    (void)err; /* the store has said it; the gateway's next try asks again */
    end(q);
}

static void on_reply(void *baton, const wxpay_api_result_t *result)
{
    inquiry_t *q = baton;
    wxpay_job_t *job;
    wxpay_error_t err;
    int paid = result->err.code == WXPAY_OK && (result->trade_state == WXPAY_TRADE_SUCCESS ||
                                                result->trade_state == WXPAY_TRADE_REFUND);

    wxpay_error_clear(&err);
    if (!paid || wxpay_notice_from_query(result->fields, q->account, NULL, q->pool, &q->found,
                                         &err) != WXPAY_OK) {
        end(q);
        return;
    }
    job = wxpay_job_create();
    if (wxpay_store_submit(q->flow->store, job, book, on_booked, q, &err) != WXPAY_OK) {
        end(q);
    }
    wxpay_job_release(job);
}

void wxpay_flow_orphan_ask(wxpay_flow_t *flow, const wxpay_account_t *account,
                           const wxpay_notice_t *notice)
{
    char *place = take_place(flow, notice->transaction_id);
    wxpay_fields_t *params;
    wxpay_error_t err;
    apr_pool_t *pool;
    inquiry_t *q;

    if (!place) {
        return;
    }
    /* No parent: the call outlives the request that started it. */
    apr_pool_create_unmanaged_ex(&pool, NULL, NULL);
    q = apr_pcalloc(pool, sizeof(*q));
    q->pool = pool;
    q->flow = flow;
    q->account = account;
    q->place = place;
    q->gateway_no = apr_pstrdup(pool, notice->gateway_no);
    wxpay_error_clear(&err);
    if (wxpay_api_number_request(account, NULL, q->gateway_no, pool, &params, &err) != WXPAY_OK ||
        wxpay_api_call(flow->api, account, WXPAY_OP_ORDERQUERY, params, pool, on_reply, q, &err) !=
            WXPAY_OK) {
        end(q);
    }
}
