/* flow_reconcile.c - what goes on although nobody asks, and a buyer's word that they have paid. */
#include "flow_int.h"

#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#define PUT_OFF apr_time_from_sec(3600) /* an order that nobody here can speak for */

/* ---- places: one for each order that a sweep of this process has under way ---- */

/* NULL: it is under way already, or `most` others are. *taken counts those under way. */
static char *take_place(wxpay_flow_t *flow, const char *name, int most, int *taken)
{
    char *place = NULL;
    int known = 0;
    int i;

    *taken = 0;
    pthread_mutex_lock(&flow->lock);
    for (i = 0; i < WXPAY_SWEPT; ++i) {
        if (!flow->swept[i][0]) {
            place = flow->swept[i];
            continue;
        }
        ++*taken;
        known |= !strcmp(flow->swept[i], name);
    }
    if (known || *taken >= most) {
        place = NULL;
    }
    if (place && name[0]) {
        apr_cpystrn(place, name, sizeof(flow->swept[0]));
        ++*taken;
    }
    pthread_mutex_unlock(&flow->lock);
    return place;
}

void wxpay_sweep_ended(wxpay_run_t *run)
{
    if (run->place) {
        pthread_mutex_lock(&run->flow->lock);
        run->place[0] = '\0';
        pthread_mutex_unlock(&run->flow->lock);
    }
}

/* ---- orders of sites that are not served any more ---- */

typedef struct put_off_t {
    apr_time_t now;
    wxpay_due_t *list;
    int count;
} put_off_t;

static wxpay_rc_e put_off_work(wxpay_tx_t *tx, void *baton, apr_pool_t *pool, wxpay_error_t *err)
{
    put_off_t *job = baton;
    wxpay_rc_e rc = WXPAY_OK;
    int i;

    (void)pool;
    for (i = 0; i < job->count && rc == WXPAY_OK; ++i) {
        rc = wxpay_row_put_off(tx, &job->list[i], job->now, job->now + PUT_OFF, err);
    }
    return rc;
}

static void on_put_off(void *baton, wxpay_rc_e rc, const wxpay_error_t *err)
{
    (void)baton;
    (void)rc; /* the next sweep tries again */
    (void)err;
}

static void put_off(wxpay_flow_t *flow, const wxpay_due_t *list, int count, apr_time_t now)
{
    wxpay_job_t *job = wxpay_job_create();
    apr_pool_t *pool = wxpay_job_pool(job);
    put_off_t *baton = apr_palloc(pool, sizeof(*baton));
    wxpay_error_t err;
    int i;

    if (!atomic_exchange(&flow->homeless_told, 1)) {
        wxpay_log(flow->log, WXPAY_LOG_WARN,
                  "WXP0510: order %s of merchant %s was made by %s, which no server of this "
                  "configuration is: whether it is paid is not asked (nor for others like it)",
                  list[0].out_trade_no, list[0].mch_id, list[0].site);
    }
    baton->now = now;
    baton->list = apr_palloc(pool, sizeof(*list) * (size_t)count);
    baton->count = count;
    for (i = 0; i < count; ++i) {
        baton->list[i].mch_id = apr_pstrdup(pool, list[i].mch_id);
        baton->list[i].out_trade_no = apr_pstrdup(pool, list[i].out_trade_no);
    }
    wxpay_error_clear(&err);
    wxpay_store_submit(flow->store, job, put_off_work, on_put_off, baton, &err);
    wxpay_job_release(job);
}

/* ---- the sweep ---- */

typedef struct sweep_t {
    apr_time_t now;
    int limit;
    wxpay_due_t *list;
    int count;
} sweep_t;

static wxpay_rc_e read_due(wxpay_tx_t *tx, void *baton, apr_pool_t *pool, wxpay_error_t *err)
{
    sweep_t *sweep = baton;

    return wxpay_row_due(tx, sweep->now, sweep->limit, pool, &sweep->list, &sweep->count, err);
}

static int by_date(const void *a, const void *b)
{
    const wxpay_due_t *x = a;
    const wxpay_due_t *y = b;

    return (x->at > y->at) - (x->at < y->at);
}

static void start(wxpay_flow_t *flow, sweep_t *sweep, int budget, apr_pool_t *pool)
{
    wxpay_due_t *homeless = apr_palloc(pool, sizeof(*homeless) * (size_t)(sweep->count + 1));
    int lost = 0;
    int taken = 0;
    int i;

    for (i = 0; i < sweep->count && taken < budget; ++i) {
        const wxpay_due_t *due = &sweep->list[i];
        const wxpay_account_t *account =
            flow->sites.find ? flow->sites.find(flow->sites.baton, due->mch_id, due->site) : NULL;
        wxpay_run_t *run;
        char *place;

        if (!account) {
            homeless[lost++] = *due;
            continue;
        }
        place = take_place(flow, apr_pstrcat(pool, due->mch_id, "/", due->out_trade_no, NULL),
                           budget, &taken);
        if (place) {
            run = wxpay_run_create(flow, account, WXPAY_INTENT_SWEEP, due->out_trade_no);
            run->place = place;
            wxpay_run_start(run);
            wxpay_run_release(run);
        }
    }
    if (lost) {
        put_off(flow, homeless, lost, sweep->now);
    }
}

wxpay_rc_e wxpay_flow_sweep(wxpay_flow_t *flow, int budget, wxpay_error_t *err)
{
    sweep_t sweep = {flow->now(), 0, NULL, 0};
    apr_pool_t *pool;
    wxpay_rc_e rc;
    int taken;

    wxpay_error_clear(err);
    take_place(flow, "", budget, &taken);
    if (taken >= budget || taken >= WXPAY_SWEPT || atomic_load(&flow->stopping)) {
        return WXPAY_OK;
    }
    /* Those under way may stand in the list as well, until their lease is committed. */
    sweep.limit = budget + taken;
    apr_pool_create_unmanaged_ex(&pool, NULL, NULL);
    rc = wxpay_store_read(flow->store, read_due, &sweep, pool, err);
    if (rc == WXPAY_OK && sweep.count) {
        qsort(sweep.list, (size_t)sweep.count, sizeof(*sweep.list), by_date);
        start(flow, &sweep, budget, pool);
    }
    apr_pool_destroy(pool);
    return rc;
}

/* ---- a buyer's word ---- */

wxpay_rc_e wxpay_flow_ask(wxpay_flow_t *flow, const wxpay_account_t *account,
                          const char *out_trade_no, wxpay_error_t *err)
{
    wxpay_run_t *run = wxpay_run_create(flow, account, WXPAY_INTENT_ASK, out_trade_no);
    wxpay_snapshot_t *snap;
    wxpay_rc_e rc = wxpay_flow_read(flow, account, out_trade_no, run->pool, &snap, err);

    /* Decided again inside the transaction; this look is what refusing costs. */
    if (rc == WXPAY_OK && wxpay_schedule_may_ask(snap, flow->now())) {
        wxpay_run_start(run);
    }
    wxpay_run_release(run);
    return rc;
}
