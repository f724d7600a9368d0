/* outbox_try.c - one try: POST, and record what came of it. */
#include "outbox_int.h"

#include <apr_strings.h>
#include <string.h>

#include "delivery.h"

#define CONNECT_TIMEOUT apr_time_from_sec(3)
#define START_WAIT apr_time_from_sec(3) /* with the try's own time still within the lease */
#define MAX_REPLY 65536 /* bytes; nobody reads them, but an endless reply is no delivery */
#define MINUTE apr_time_from_sec(60)
#define HOUR apr_time_from_sec(3600)
#define DAYS_3 (72 * HOUR)
#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static void destroy(wxpay_try_t *t)
{
    apr_pool_destroy(t->pool);
}

/* ---- the schedule ---- */

/* When the try after `tries` failed ones is due, from the first. */
static apr_interval_time_t offset(int tries)
{
    static const apr_interval_time_t first[] = {0,          apr_time_from_sec(10), MINUTE,
                                                5 * MINUTE, 30 * MINUTE,           2 * HOUR};

    return tries < COUNT(first) ? first[tries]
                                : first[COUNT(first) - 1] + (tries - COUNT(first) + 1) * 6 * HOUR;
}

/* The pause counts from the try that failed, not from the first: after days when this server did
 * not run, an application is not asked five times in a row. */
static void schedule(wxpay_try_t *t)
{
    wxpay_event_t *e = t->event;

    e->tries++;
    if (offset(e->tries) > DAYS_3) {
        e->state = WXPAY_EVENT_PARKED;
    }
    else {
        e->next_at = t->began + offset(e->tries) - offset(e->tries - 1);
    }
}

/* ---- giving back ---- */

static wxpay_rc_e give_back(wxpay_tx_t *tx, void *baton, apr_pool_t *pool, wxpay_error_t *err)
{
    wxpay_try_t *t = baton;

    (void)pool;
    return wxpay_row_event_update(tx, t->event, t->owner, err);
}

static void on_given_back(void *baton, wxpay_rc_e rc, const wxpay_error_t *err)
{
    (void)rc; /* whatever hindered it: the lease ends by itself */
    (void)err;
    destroy(baton);
}

static void submit(wxpay_try_t *t, wxpay_work_fn *work, wxpay_job_done_fn *done)
{
    wxpay_job_t *job = wxpay_job_create();
    wxpay_error_t err;
    wxpay_rc_e rc;

    wxpay_error_clear(&err);
    t->event->lease_owner = NULL;
    t->event->lease_until = 0;
    rc = wxpay_store_submit(t->outbox->opt.store, job, work, done, t, &err);
    if (rc != WXPAY_OK) {
        done(t, rc, &err);
    }
    wxpay_job_release(job);
}

void wxpay_try_give_back(wxpay_try_t *t)
{
    submit(t, give_back, on_given_back);
}

/* It could not even begin. */
static void put_off(wxpay_try_t *t)
{
    wxpay_outbox_leave(t->outbox, t->target);
    wxpay_try_give_back(t);
}

/* ---- recording ---- */

static wxpay_rc_e record(wxpay_tx_t *tx, void *baton, apr_pool_t *pool, wxpay_error_t *err)
{
    wxpay_try_t *t = baton;
    wxpay_due_t due = {t->event->mch_id, t->event->site, NULL, t->outbox->opt.now(), 1};
    wxpay_rc_e rc = wxpay_row_event_update(tx, t->event, t->owner, err);
    int count = 0;

    t->next.id = NULL;
    t->lost = rc == WXPAY_ECONFLICT;
    if (t->lost) {
        wxpay_error_clear(err);
        rc = WXPAY_OK;
    }
    if (rc == WXPAY_OK && !atomic_load(&t->outbox->stopping)) {
        due.types = wxpay_outbox_types(t->target, pool);
        rc = wxpay_outbox_claim(t->outbox, tx, &due, pool, &t->next, &count, err);
    }
    if (!count) {
        t->next.id = NULL;
    }
    return rc;
}

static void on_recorded(void *baton, wxpay_rc_e rc, const wxpay_error_t *err)
{
    wxpay_try_t *t = baton;

    (void)err; /* the store has said it; the event is sent again when the lease ends */
    if (rc == WXPAY_OK && !t->lost) {
        wxpay_try_tell(t);
    }
    if (rc == WXPAY_OK && t->next.id) {
        wxpay_try_start(t->outbox, t->target, &t->next); /* in the same place */
    }
    else {
        wxpay_outbox_leave(t->outbox, t->target);
    }
    destroy(t);
}

/* err: no reply. */
static void finish(wxpay_try_t *t, const wxpay_http_reply_t *reply, const wxpay_error_t *err)
{
    wxpay_event_t *e = t->event;
    int good = !err && reply->status / 100 == 2;

    wxpay_try_explain(t, reply, err);
    e->log = wxpay_try_log(t->pool, e->log, t->began, err ? 0 : reply->status,
                           err ? err->detail : NULL, reply->elapsed);
    if (good) {
        e->state = WXPAY_EVENT_DELIVERED;
        e->delivered_at = t->outbox->opt.now();
    }
    else {
        schedule(t);
    }
    wxpay_try_tell_target(t, good);
    submit(t, record, on_recorded);
}

/* ---- sending ---- */

static void on_reply(void *baton, const wxpay_http_reply_t *reply, const wxpay_error_t *err)
{
    wxpay_try_t *t = baton;

    if (err->code == WXPAY_EBUSY) {
        put_off(t);
    }
    else {
        finish(t, reply, err->code == WXPAY_OK ? NULL : err);
    }
}

static wxpay_rc_e prepare(wxpay_try_t *t, wxpay_error_t *err)
{
    const wxpay_event_t *e = t->event;
    const wxpay_target_t *target = t->target;
    apr_int64_t seconds = apr_time_sec(t->began);
    apr_size_t len = e->body ? strlen(e->body) : 0;
    const char *signature;
    wxpay_rc_e rc = wxpay_delivery_sign(t->pool, target->key, target->previous_key, e->id, seconds,
                                        e->body ? e->body : "", len, &signature, err);

    if (rc != WXPAY_OK) {
        return rc;
    }
    t->headers[0] = apr_pstrcat(t->pool, "webhook-id: ", e->id, NULL);
    t->headers[1] = apr_psprintf(t->pool, "webhook-timestamp: %" APR_INT64_T_FMT, seconds);
    t->headers[2] = apr_pstrcat(t->pool, "webhook-signature: ", signature, NULL);
    t->request.url = target->url;
    t->request.content_type = "application/json";
    t->request.body = e->body ? e->body : "";
    t->request.body_len = len;
    t->request.headers = t->headers;
    t->request.connect_to = target->connect_to;
    t->request.ca_pem = target->ca_pem;
    t->request.timeout = WXPAY_OUTBOX_TIMEOUT;
    t->request.connect_timeout = CONNECT_TIMEOUT;
    t->request.start_by = apr_time_now() + START_WAIT; /* the transport's clock */
    t->request.max_reply = MAX_REPLY;
    return WXPAY_OK;
}

void wxpay_try_send(wxpay_try_t *t)
{
    const wxpay_transport_t *transport = t->outbox->opt.transport;
    wxpay_http_reply_t none = {0};
    wxpay_error_t err;
    wxpay_rc_e rc;

    if (atomic_load(&t->outbox->stopping)) {
        put_off(t);
        return;
    }
    t->began = wxpay_try_time(t->pool, t->event->log, t->outbox->opt.now());
    wxpay_error_clear(&err);
    rc = prepare(t, &err);
    if (rc == WXPAY_OK) {
        rc = transport->submit(transport->impl, &t->request, on_reply, t, &err);
    }
    if (rc == WXPAY_EBUSY) {
        put_off(t);
    }
    else if (rc != WXPAY_OK) {
        finish(t, &none, &err);
    }
}

static wxpay_rc_e read_event(wxpay_tx_t *tx, void *baton, apr_pool_t *pool, wxpay_error_t *err)
{
    wxpay_try_t *t = baton;

    return wxpay_row_event_get(tx, t->event->id, pool, &t->event, err);
}

wxpay_try_t *wxpay_try_load(wxpay_outbox_t *outbox, const wxpay_claim_t *claim)
{
    apr_pool_t *pool;
    wxpay_try_t *t;
    wxpay_event_t wanted = {.id = claim->id};
    wxpay_error_t err;

    /* No parent: a try outlives the request that started it. */
    apr_pool_create_unmanaged_ex(&pool, NULL, NULL);
    t = apr_pcalloc(pool, sizeof(*t));
    t->pool = pool;
    t->outbox = outbox;
    t->owner = apr_pstrdup(pool, claim->owner);
    t->event = &wanted;
    wxpay_error_clear(&err);
    if (wxpay_store_read(outbox->opt.store, read_event, t, pool, &err) == WXPAY_OK &&
        t->event->lease_owner && !strcmp(t->event->lease_owner, claim->owner)) {
        t->target = wxpay_outbox_target(outbox, t->event->mch_id, t->event->site);
    }
    if (!t->target) {
        destroy(t);
        return NULL;
    }
    return t;
}

void wxpay_try_start(wxpay_outbox_t *outbox, const wxpay_target_t *target,
                     const wxpay_claim_t *claim)
{
    wxpay_try_t *t = wxpay_try_load(outbox, claim);

    if (t) {
        wxpay_try_send(t);
    }
    else {
        wxpay_outbox_leave(outbox, target);
    }
}
