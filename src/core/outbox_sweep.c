/* outbox_sweep.c - finding and leasing what is due, site by site. */
#include "outbox_int.h"

#include <apr_strings.h>
#include <apr_tables.h>

typedef struct site_t {
    wxpay_due_t due; /* limit: the places taken */
    const wxpay_target_t *target;
    wxpay_claim_t *claims;
    int count;
} site_t;

typedef struct sweep_t {
    wxpay_outbox_t *outbox;
    apr_array_header_t *sites; /* of site_t */
} sweep_t;

wxpay_rc_e wxpay_outbox_claim(wxpay_outbox_t *outbox, wxpay_tx_t *tx, const wxpay_due_t *due,
                              apr_pool_t *pool, wxpay_claim_t *claims, int *count,
                              wxpay_error_t *err)
{
    const char **ids;
    int found;
    int i;
    wxpay_rc_e rc = wxpay_row_events_due(tx, due, pool, &ids, &found, err);

    *count = 0;
    for (i = 0; i < found && rc == WXPAY_OK; i++) {
        /* Each lease has a name of its own: a try that comes back late finds another's there. */
        claims[i].id = ids[i];
        claims[i].owner =
            apr_psprintf(pool, "%s.%u", outbox->name, atomic_fetch_add(&outbox->leases, 1) + 1);
        rc = wxpay_row_event_lease(tx, ids[i], claims[i].owner, due->now,
                                   due->now + WXPAY_OUTBOX_LEASE, err);
    }
    if (rc == WXPAY_OK) {
        *count = found;
    }
    return rc;
}

/* ---- looking ---- */

/* What may be tried of one site now, if anything. */
static wxpay_rc_e look_at(wxpay_tx_t *tx, sweep_t *sweep, const char *mch_id, const char *site,
                          apr_pool_t *pool, wxpay_error_t *err)
{
    const wxpay_target_t *target = wxpay_outbox_target(sweep->outbox, mch_id, site);
    site_t s = {.target = target};
    const char **ids;
    wxpay_rc_e rc;

    s.due.limit = target ? wxpay_outbox_places(sweep->outbox, target) : 0;
    if (s.due.limit <= 0) {
        return WXPAY_OK;
    }
    s.due.mch_id = mch_id;
    s.due.site = site;
    s.due.types = wxpay_outbox_types(target, pool);
    s.due.now = sweep->outbox->opt.now();
    rc = wxpay_row_events_due(tx, &s.due, pool, &ids, &s.due.limit, err);
    if (rc == WXPAY_OK && s.due.limit) {
        s.claims = apr_pcalloc(pool, sizeof(*s.claims) * (apr_size_t)s.due.limit);
        APR_ARRAY_PUSH(sweep->sites, site_t) = s;
    }
    return rc;
}

/* Site by site: one with a long queue, or that nobody answers for today, costs the others nothing.
 */
static wxpay_rc_e look(wxpay_tx_t *tx, void *baton, apr_pool_t *pool, wxpay_error_t *err)
{
    const char *mch_id = "";
    const char *site = "";
    wxpay_rc_e rc;

    for (;;) {
        rc = wxpay_row_events_site(tx, mch_id, site, pool, &mch_id, &site, err);
        if (rc == WXPAY_OK && mch_id) {
            rc = look_at(tx, baton, mch_id, site, pool, err);
        }
        if (rc != WXPAY_OK || !mch_id) {
            return rc;
        }
    }
}

/* ---- taking ---- */

static site_t *site_at(const sweep_t *sweep, int i)
{
    return &APR_ARRAY_IDX(sweep->sites, i, site_t);
}

/* A place for each, as far as there are; 0: for none. */
static int take_places(sweep_t *sweep)
{
    int taken = 0;
    int i;

    for (i = 0; i < sweep->sites->nelts; i++) {
        site_t *s = site_at(sweep, i);
        int wanted = s->due.limit;

        for (s->due.limit = 0; s->due.limit < wanted && wxpay_outbox_take(sweep->outbox, s->target);
             s->due.limit++) {
            taken++;
        }
    }
    return taken;
}

static wxpay_rc_e work(wxpay_tx_t *tx, void *baton, apr_pool_t *pool, wxpay_error_t *err)
{
    sweep_t *sweep = baton;
    wxpay_rc_e rc = WXPAY_OK;
    int i;

    for (i = 0; i < sweep->sites->nelts && rc == WXPAY_OK; i++) {
        site_t *s = site_at(sweep, i);

        s->due.now = sweep->outbox->opt.now();
        rc = wxpay_outbox_claim(sweep->outbox, tx, &s->due, pool, s->claims, &s->count, err);
    }
    return rc;
}

static void on_claimed(void *baton, wxpay_rc_e rc, const wxpay_error_t *err)
{
    sweep_t *sweep = baton;
    int i;
    int n;

    (void)err; /* the store has said it; the next sweep tries again */
    for (i = 0; i < sweep->sites->nelts; i++) {
        const site_t *s = site_at(sweep, i);
        int count = rc == WXPAY_OK ? s->count : 0;

        for (n = 0; n < s->due.limit; n++) {
            if (n < count) {
                wxpay_try_start(sweep->outbox, s->target, &s->claims[n]);
            }
            else {
                wxpay_outbox_leave(sweep->outbox, s->target);
            }
        }
    }
}

void wxpay_outbox_sweep(wxpay_outbox_t *outbox)
{
    wxpay_job_t *job;
    wxpay_error_t err;
    apr_pool_t *pool;
    sweep_t *sweep;
    wxpay_rc_e rc;

    if (atomic_load(&outbox->stopping)) {
        return;
    }
    job = wxpay_job_create();
    pool = wxpay_job_pool(job);
    sweep = apr_pcalloc(pool, sizeof(*sweep));
    sweep->outbox = outbox;
    sweep->sites = apr_array_make(pool, 4, sizeof(site_t));
    wxpay_error_clear(&err);
    rc = wxpay_store_read(outbox->opt.store, look, sweep, pool, &err);
    if (rc == WXPAY_OK && take_places(sweep)) {
        rc = wxpay_store_submit(outbox->opt.store, job, work, on_claimed, sweep, &err);
        if (rc != WXPAY_OK) {
            on_claimed(sweep, rc, &err);
        }
    }
    wxpay_job_release(job);
}
