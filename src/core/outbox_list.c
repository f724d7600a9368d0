/* outbox_list.c - what became of events, for people, and trying one again. */
#include "outbox_int.h"

#include <apr_strings.h>
#include <string.h>

#include "clock.h"
#include "text.h"

#define LOG_MAX 25     /* tries that are kept: more than one schedule has */
#define ERROR_SIZE 121 /* of one try's reason */
#define WAIT apr_time_from_sec(3)
#define AHEAD_MAX apr_time_from_sec(60)

/* The log as an array, owned by the object it is put into; what can't be read is empty. */
static json_t *put_tries(json_t *object, const char *log)
{
    json_t *tries = log ? json_loads(log, JSON_REJECT_DUPLICATES, NULL) : NULL;

    if (!json_is_array(tries)) {
        json_decref(tries);
        tries = json_array();
    }
    json_object_set_new(object, "tries", tries);
    return tries;
}

static void put_time(json_t *object, const char *name, apr_time_t t)
{
    char text[WXPAY_RFC3339_SIZE];

    wxpay_clock_rfc3339(t, text);
    json_object_set_new(object, name, json_string(text));
}

const char *wxpay_try_log(apr_pool_t *pool, const char *log, apr_time_t at, int status,
                          const char *error, apr_interval_time_t took)
{
    json_t *tries = put_tries(wxpay_json_object(pool), log);
    json_t *item = json_object();
    char text[ERROR_SIZE];

    while (json_array_size(tries) >= LOG_MAX) {
        json_array_remove(tries, 0);
    }
    put_time(item, "at", at);
    if (status) {
        json_object_set_new(item, "status", json_integer(status));
    }
    else {
        apr_cpystrn(text, error, sizeof(text));
        wxpay_text_tidy(text);
        /* A library may speak another encoding. */
        if (json_object_set_new(item, "error", json_string(text))) {
            json_object_set_new(item, "error", json_string("no reply"));
        }
    }
    json_object_set_new(item, "ms", json_integer(apr_time_as_msec(took)));
    json_array_append_new(tries, item);
    return wxpay_json_text(pool, tries);
}

apr_time_t wxpay_try_time(apr_pool_t *pool, const char *log, apr_time_t now)
{
    const json_t *tries = put_tries(wxpay_json_object(pool), log);
    const json_t *last = json_array_get(tries, json_array_size(tries) - 1);
    const char *at = json_string_value(json_object_get(last, "at"));
    apr_time_t then;
    wxpay_error_t err;

    wxpay_error_clear(&err);
    if (!at || wxpay_clock_parse_rfc3339(at, strlen(at), &then, &err) != WXPAY_OK) {
        return now;
    }
    then += apr_time_from_sec(1);
    /* Not after a clock that was wrong: a time far ahead is refused, too. */
    return then > now && then - now < AHEAD_MAX ? then : now;
}

/* ---- listing ---- */

typedef struct list_t {
    const char *mch_id;
    const char *out_trade_no;
    wxpay_event_t **events;
    int count;
} list_t;

static wxpay_rc_e read_events(wxpay_tx_t *tx, void *baton, apr_pool_t *pool, wxpay_error_t *err)
{
    list_t *list = baton;

    return wxpay_row_events(tx, list->mch_id, list->out_trade_no, pool, &list->events, &list->count,
                            err);
}

static json_t *event_json(const wxpay_event_t *e)
{
    json_t *item = json_object();

    json_object_set_new(item, "id", json_string(e->id));
    json_object_set_new(item, "type", json_string(e->type));
    json_object_set_new(item, "state", json_string(e->state));
    put_time(item, "created_at", e->created_at);
    put_tries(item, e->log);
    if (!strcmp(e->state, WXPAY_EVENT_PENDING)) {
        put_time(item, "next_at", e->next_at);
    }
    if (e->delivered_at) {
        put_time(item, "delivered_at", e->delivered_at);
    }
    return item;
}

wxpay_rc_e wxpay_outbox_list(wxpay_store_t *store, const char *mch_id, const char *out_trade_no,
                             apr_pool_t *pool, json_t **list, wxpay_error_t *err)
{
    list_t found = {mch_id, out_trade_no, NULL, 0};
    wxpay_rc_e rc = wxpay_store_read(store, read_events, &found, pool, err);
    int i;

    if (rc != WXPAY_OK) {
        return rc;
    }
    *list = json_array();
    json_object_set_new(wxpay_json_object(pool), "deliveries", *list); /* which releases it */
    for (i = 0; i < found.count; i++) {
        json_array_append_new(*list, event_json(found.events[i]));
    }
    return WXPAY_OK;
}

/* ---- sending again ---- */

typedef struct resend_t {
    const wxpay_outbox_t *outbox;
    const wxpay_account_t *account;
    const char *out_trade_no;
    const char *event_id;
} resend_t;

static int wanted(const wxpay_outbox_t *outbox, const wxpay_event_t *e)
{
    const wxpay_target_t *target = wxpay_outbox_target(outbox, e->mch_id, e->site);
    wxpay_event_e event;

    return target && wxpay_event_by_name(e->type, &event) &&
           (target->types & WXPAY_EVENT_BIT(event));
}

static wxpay_rc_e rearm(wxpay_tx_t *tx, void *baton, apr_pool_t *pool, wxpay_error_t *err)
{
    const resend_t *r = baton;
    wxpay_event_t *e;
    wxpay_rc_e rc = wxpay_row_event_get(tx, r->event_id, pool, &e, err);

    if (rc != WXPAY_OK) {
        return rc;
    }
    if (strcmp(e->mch_id, r->account->mch_id) || strcmp(e->site, r->account->site) ||
        strcmp(e->out_trade_no, r->out_trade_no)) {
        return wxpay_error_set(err, WXPAY_ENOTFOUND, "send again", "there is no such event");
    }
    if (!wanted(r->outbox, e)) {
        return wxpay_error_set(err, WXPAY_ECONFLICT, "send again",
                               "nobody is told of %s: WxPayDeliverTo does not name it", e->type);
    }
    if (!e->body) {
        return wxpay_error_set(err, WXPAY_ECONFLICT, "send again",
                               "what it said was erased when its time was over");
    }
    rc = wxpay_row_event_rearm(tx, e->id, r->outbox->opt.now(), err);
    return rc == WXPAY_ECONFLICT ? wxpay_error_set(err, WXPAY_ECONFLICT, "send again",
                                                   "it is being sent at this moment")
                                 : rc;
}

wxpay_rc_e wxpay_outbox_resend(wxpay_outbox_t *outbox, const wxpay_account_t *account,
                               const char *out_trade_no, const char *event_id, wxpay_error_t *err)
{
    wxpay_job_t *job = wxpay_job_create();
    resend_t *r = apr_palloc(wxpay_job_pool(job), sizeof(*r));
    wxpay_rc_e rc;

    r->outbox = outbox;
    r->account = account;
    r->out_trade_no = apr_pstrdup(wxpay_job_pool(job), out_trade_no);
    r->event_id = apr_pstrdup(wxpay_job_pool(job), event_id);
    rc = wxpay_store_commit(outbox->opt.store, job, rearm, r, WAIT, err);
    wxpay_job_release(job);
    if (rc == WXPAY_OK) {
        wxpay_outbox_sweep(outbox);
    }
    return rc;
}
