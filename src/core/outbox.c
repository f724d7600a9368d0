/* outbox.c - events: written in the commit of what they tell of. */
#include "outbox_int.h"

#include <apr_strings.h>

#include "clock.h"
#include "token.h"

#define STEP "write event"
#define ID_PREFIX "evt_"

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
    *outbox = o;
    return WXPAY_OK;
}

void wxpay_outbox_stop(wxpay_outbox_t *outbox)
{
    atomic_store(&outbox->stopping, 1);
}

/* Who is to be told about events of this type, or NULL. */
static const wxpay_target_t *find_target(const wxpay_outbox_t *outbox, const char *mch_id,
                                         const char *site, wxpay_event_e type)
{
    const wxpay_account_t *account =
        outbox && outbox->opt.sites.find
            ? outbox->opt.sites.find(outbox->opt.sites.baton, mch_id, site)
            : NULL;
    const wxpay_target_t *target = account ? account->target : NULL;

    return target && (target->types & WXPAY_EVENT_BIT(type)) ? target : NULL;
}

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

wxpay_rc_e wxpay_outbox_write(wxpay_outbox_t *outbox, wxpay_tx_t *tx,
                              const wxpay_outbox_event_t *event, apr_pool_t *pool, const char **id,
                              wxpay_error_t *err)
{
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
    row.state = find_target(outbox, event->mch_id, event->site, event->type) ? WXPAY_EVENT_PENDING
                                                                             : WXPAY_EVENT_UNWANTED;
    if (!row.body) {
        return wxpay_error_set(err, WXPAY_EINTERNAL, STEP, "out of memory");
    }
    return wxpay_row_event_insert(tx, &row, err);
}

/* The sweep finds it. */
void wxpay_outbox_start(wxpay_outbox_t *outbox, const char *id)
{
    (void)outbox;
    (void)id;
}
