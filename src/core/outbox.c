/* outbox.c - events: written in the commit of what they tell of, and tried right after it. */
#include "outbox_int.h"

#include <apr_strings.h>

#include "clock.h"
#include "token.h"

#define STEP "write event"
#define ID_PREFIX "evt_"
#define PLACES 8 /* tries under way for one target: a hanging one takes no more from the others */

wxpay_rc_e wxpay_outbox_create(apr_pool_t *pool, const wxpay_outbox_options_t *options,
                               wxpay_outbox_t **outbox, wxpay_error_t *err)
{
    wxpay_outbox_t *o = apr_pcalloc(pool, sizeof(*o));
    wxpay_rc_e rc = wxpay_token_random(pool, &o->name, err);

    if (rc != WXPAY_OK) {
        return rc;
    }
    o->opt = *options;
    o->opt.now = options->now ? options->now : apr_time_now;
    o->busy = apr_pcalloc(pool, sizeof(*o->busy) * (apr_size_t)(options->targets + 1));
    *outbox = o;
    return WXPAY_OK;
}

void wxpay_outbox_stop(wxpay_outbox_t *outbox)
{
    atomic_store(&outbox->stopping, 1);
}

const wxpay_target_t *wxpay_outbox_target(const wxpay_outbox_t *outbox, const char *mch_id,
                                          const char *site)
{
    const wxpay_sites_t *sites = &outbox->opt.sites;
    const wxpay_account_t *account = sites->find ? sites->find(sites->baton, mch_id, site) : NULL;

    return account ? account->target : NULL;
}

const char *wxpay_outbox_types(const wxpay_target_t *target, apr_pool_t *pool)
{
    const char *types = " ";
    int i;

    for (i = 0; i < WXPAY_EVENTS; i++) {
        if (target->types & WXPAY_EVENT_BIT(i)) {
            types = apr_pstrcat(pool, types, wxpay_event_name((wxpay_event_e)i), " ", NULL);
        }
    }
    return types;
}

/* ---- places ---- */

/* One is always there: with many targets that hang, all of WXPAY_OUTBOX_TRIES may be taken. */
static int has_place(int busy, int tries)
{
    return busy == 0 || (busy < PLACES && tries < WXPAY_OUTBOX_TRIES);
}

int wxpay_outbox_places(const wxpay_outbox_t *outbox, const wxpay_target_t *target)
{
    int busy = atomic_load(&outbox->busy[target->index]);

    if (!has_place(busy, atomic_load(&outbox->tries))) {
        return 0;
    }
    return PLACES - busy;
}

int wxpay_outbox_take(wxpay_outbox_t *outbox, const wxpay_target_t *target)
{
    int busy = atomic_fetch_add(&outbox->busy[target->index], 1);
    int tries = atomic_fetch_add(&outbox->tries, 1);

    if (has_place(busy, tries)) {
        return 1;
    }
    wxpay_outbox_leave(outbox, target);
    return 0;
}

void wxpay_outbox_leave(wxpay_outbox_t *outbox, const wxpay_target_t *target)
{
    atomic_fetch_sub(&outbox->tries, 1);
    atomic_fetch_sub(&outbox->busy[target->index], 1);
}

/* ---- writing ---- */

/* What a delivery will carry: fixed now, so that every try says the same. */
static const char *envelope(const wxpay_outbox_event_t *event, apr_time_t now, apr_pool_t *pool)
{
    json_t *body = wxpay_json_object(pool);
    char at[WXPAY_RFC3339_SIZE];

    wxpay_clock_rfc3339(now, at);
    json_object_set_new(body, "type", json_string(wxpay_event_name(event->type)));
    json_object_set_new(body, "timestamp", json_string(at));
    json_object_set(body, "data", event->data);
    return wxpay_json_text(pool, body);
}

/* Leased in the same commit, so that the first try needs no other; unless its turn has not come. */
static wxpay_rc_e lease_first(const wxpay_outbox_t *outbox, wxpay_tx_t *tx, wxpay_event_e type,
                              const wxpay_target_t *target, apr_pool_t *pool, wxpay_event_t *row,
                              wxpay_error_t *err)
{
    int waiting = atomic_load(&outbox->stopping);
    wxpay_rc_e rc = WXPAY_OK;

    if (!waiting && type != WXPAY_EVENT_PAID) {
        rc = wxpay_row_events_waiting(tx, row->mch_id, row->out_trade_no,
                                      wxpay_outbox_types(target, pool), &waiting, err);
    }
    if (!waiting) {
        row->lease_owner = outbox->name;
        row->lease_until = row->created_at + WXPAY_OUTBOX_LEASE;
    }
    return rc;
}

wxpay_rc_e wxpay_outbox_write(wxpay_outbox_t *outbox, wxpay_tx_t *tx,
                              const wxpay_outbox_event_t *event, apr_pool_t *pool, const char **id,
                              wxpay_error_t *err)
{
    const wxpay_target_t *target =
        outbox ? wxpay_outbox_target(outbox, event->mch_id, event->site) : NULL;
    apr_time_t now = outbox ? outbox->opt.now() : apr_time_now();
    wxpay_event_t row = {0};
    const char *random;
    wxpay_rc_e rc = wxpay_token_random(pool, &random, err);

    *id = NULL;
    if (rc != WXPAY_OK) {
        return rc;
    }
    row.id = apr_pstrcat(pool, ID_PREFIX, random, NULL);
    row.mch_id = event->mch_id;
    row.out_trade_no = event->out_trade_no;
    row.site = event->site;
    row.type = wxpay_event_name(event->type);
    row.created_at = row.next_at = now;
    row.body = envelope(event, now, pool);
    row.state = WXPAY_EVENT_UNWANTED;
    if (!row.body) {
        return wxpay_error_set(err, WXPAY_EINTERNAL, STEP, "out of memory");
    }
    if (target && (target->types & WXPAY_EVENT_BIT(event->type))) {
        row.state = WXPAY_EVENT_PENDING;
        rc = lease_first(outbox, tx, event->type, target, pool, &row, err);
    }
    if (rc == WXPAY_OK) {
        rc = wxpay_row_event_insert(tx, &row, err);
    }
    if (rc == WXPAY_OK && row.lease_owner) {
        *id = row.id;
    }
    return rc;
}

void wxpay_outbox_start(wxpay_outbox_t *outbox, const char *id)
{
    wxpay_claim_t claim;
    wxpay_try_t *t;

    if (!outbox || !id) {
        return;
    }
    claim.id = id;
    claim.owner = outbox->name;
    t = wxpay_try_load(outbox, &claim);
    if (t && wxpay_outbox_take(outbox, t->target)) {
        wxpay_try_send(t);
    }
    else if (t) {
        wxpay_try_give_back(t);
    }
}
