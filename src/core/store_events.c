#include "store_events.h"

#include <apr_strings.h>
#include <apr_tables.h>
#include "store_sql.h"
#include "store_values.h"

wxpay_rc_e wxpay_row_event_insert(wxpay_tx_t *tx, const wxpay_event_t *e, wxpay_error_t *err)
{
    wxpay_value_t v[11];
    int i = 0;

    v[i++] = wxpay_value_text(e->id);
    v[i++] = wxpay_value_text(e->mch_id);
    v[i++] = wxpay_value_text(e->out_trade_no);
    v[i++] = wxpay_value_text(e->site);
    v[i++] = wxpay_value_text(e->type);
    v[i++] = wxpay_value_int(e->created_at);
    v[i++] = wxpay_value_text(e->body);
    v[i++] = wxpay_value_text(e->state);
    v[i++] = wxpay_value_int(e->next_at);
    v[i++] = wxpay_value_text(e->lease_owner);
    v[i++] = wxpay_value_int(e->lease_until);
    return wxpay_tx_exec(tx, wxpay_sql_event_insert, v, i, NULL, err);
}

/* ---- reading ---- */

static int on_event(void *baton, const wxpay_value_t *values, int count)
{
    apr_array_header_t *rows = baton;
    wxpay_reader_t r = {values, rows->pool};
    wxpay_event_t *e = apr_pcalloc(rows->pool, sizeof(*e));

    (void)count;
    e->id = wxpay_take_text(&r);
    e->mch_id = wxpay_take_text(&r);
    e->out_trade_no = wxpay_take_text(&r);
    e->site = wxpay_take_text(&r);
    e->type = wxpay_take_text(&r);
    e->created_at = wxpay_take_int(&r);
    e->body = wxpay_take_text(&r);
    e->state = wxpay_take_text(&r);
    e->next_at = wxpay_take_int(&r);
    e->tries = (int)wxpay_take_int(&r);
    e->log = wxpay_take_text(&r);
    e->lease_owner = wxpay_take_text(&r);
    e->lease_until = wxpay_take_int(&r);
    e->delivered_at = wxpay_take_int(&r);
    APR_ARRAY_PUSH(rows, wxpay_event_t *) = e;
    return 0;
}

static apr_array_header_t *rows_in(apr_pool_t *pool)
{
    return apr_array_make(pool, 4, sizeof(void *));
}

wxpay_rc_e wxpay_row_event_get(wxpay_tx_t *tx, const char *id, apr_pool_t *pool,
                               wxpay_event_t **event, wxpay_error_t *err)
{
    apr_array_header_t *rows = rows_in(pool);
    wxpay_value_t v = wxpay_value_text(id);
    wxpay_rc_e rc = wxpay_tx_query(tx, wxpay_sql_event_get, &v, 1, on_event, rows, err);

    *event = rows->nelts ? APR_ARRAY_IDX(rows, 0, wxpay_event_t *) : NULL;
    if (rc == WXPAY_OK && !*event) {
        return wxpay_error_set(err, WXPAY_ENOTFOUND, "read event", "there is no such event");
    }
    return rc;
}

wxpay_rc_e wxpay_row_events(wxpay_tx_t *tx, const char *mch_id, const char *out_trade_no,
                            apr_pool_t *pool, wxpay_event_t ***events, int *count,
                            wxpay_error_t *err)
{
    apr_array_header_t *rows = rows_in(pool);
    wxpay_value_t v[2];
    wxpay_rc_e rc;

    v[0] = wxpay_value_text(mch_id);
    v[1] = wxpay_value_text(out_trade_no);
    rc = wxpay_tx_query(tx, wxpay_sql_events, v, 2, on_event, rows, err);
    *events = (wxpay_event_t **)rows->elts;
    *count = rows->nelts;
    return rc;
}

/* ---- changing ---- */

static wxpay_rc_e change(wxpay_tx_t *tx, const char *sql, const wxpay_value_t *v, int count,
                         wxpay_error_t *err)
{
    int affected = 0;
    wxpay_rc_e rc = wxpay_tx_exec(tx, sql, v, count, &affected, err);

    return wxpay_row_cas(rc, affected, err);
}

wxpay_rc_e wxpay_row_event_update(wxpay_tx_t *tx, const wxpay_event_t *e, const char *owner,
                                  wxpay_error_t *err)
{
    wxpay_value_t v[9];
    int i = 0;

    v[i++] = wxpay_value_text(e->state);
    v[i++] = wxpay_value_int(e->next_at);
    v[i++] = wxpay_value_int(e->tries);
    v[i++] = wxpay_value_text(e->log);
    v[i++] = wxpay_value_text(e->lease_owner);
    v[i++] = wxpay_value_int(e->lease_until);
    v[i++] = wxpay_value_int(e->delivered_at);
    v[i++] = wxpay_value_text(e->id);
    v[i++] = wxpay_value_text(owner);
    return change(tx, wxpay_sql_event_update, v, i, err);
}

wxpay_rc_e wxpay_row_event_lease(wxpay_tx_t *tx, const char *id, const char *owner, apr_time_t now,
                                 apr_time_t until, wxpay_error_t *err)
{
    wxpay_value_t v[5];

    v[0] = wxpay_value_text(owner);
    v[1] = wxpay_value_int(until);
    v[2] = wxpay_value_text(id);
    v[3] = wxpay_value_int(now);
    v[4] = wxpay_value_int(now + WXPAY_LEASE_MAX);
    return change(tx, wxpay_sql_event_lease, v, 5, err);
}

wxpay_rc_e wxpay_row_event_rearm(wxpay_tx_t *tx, const char *id, apr_time_t now, wxpay_error_t *err)
{
    wxpay_value_t v[4];

    v[0] = wxpay_value_int(now);
    v[1] = wxpay_value_text(id);
    v[2] = wxpay_value_int(now);
    v[3] = wxpay_value_int(now + WXPAY_LEASE_MAX);
    return change(tx, wxpay_sql_event_rearm, v, 4, err);
}

/* ---- what is to be tried ---- */

static int on_text(void *baton, const wxpay_value_t *values, int count)
{
    apr_array_header_t *texts = baton;
    wxpay_reader_t r = {values, texts->pool};

    for (; count > 0; --count) {
        APR_ARRAY_PUSH(texts, const char *) = wxpay_take_text(&r);
    }
    return 0;
}

wxpay_rc_e wxpay_row_events_site(wxpay_tx_t *tx, const char *mch_id, const char *site,
                                 apr_pool_t *pool, const char **next_mch_id, const char **next_site,
                                 wxpay_error_t *err)
{
    apr_array_header_t *texts = rows_in(pool);
    wxpay_value_t v[2];
    wxpay_rc_e rc;

    v[0] = wxpay_value_text(mch_id);
    v[1] = wxpay_value_text(site);
    rc = wxpay_tx_query(tx, wxpay_sql_events_site, v, 2, on_text, texts, err);
    *next_mch_id = texts->nelts ? APR_ARRAY_IDX(texts, 0, const char *) : NULL;
    *next_site = texts->nelts ? APR_ARRAY_IDX(texts, 1, const char *) : NULL;
    return rc;
}

wxpay_rc_e wxpay_row_events_due(wxpay_tx_t *tx, const wxpay_due_t *due, apr_pool_t *pool,
                                const char ***ids, int *count, wxpay_error_t *err)
{
    apr_array_header_t *texts = rows_in(pool);
    wxpay_value_t v[8];
    wxpay_rc_e rc;
    int i = 0;

    v[i++] = wxpay_value_text(due->mch_id);
    v[i++] = wxpay_value_text(due->site);
    v[i++] = wxpay_value_int(due->now);
    v[i++] = wxpay_value_int(due->now);
    v[i++] = wxpay_value_int(due->now + WXPAY_LEASE_MAX);
    v[i++] = wxpay_value_text(due->types);
    v[i++] = wxpay_value_text(due->types);
    v[i++] = wxpay_value_int(due->limit);
    rc = wxpay_tx_query(tx, wxpay_sql_events_due, v, i, on_text, texts, err);
    *ids = (const char **)texts->elts;
    *count = texts->nelts;
    return rc;
}

static int on_any(void *baton, const wxpay_value_t *values, int count)
{
    (void)values;
    (void)count;
    *(int *)baton = 1;
    return 1;
}

wxpay_rc_e wxpay_row_events_waiting(wxpay_tx_t *tx, const char *mch_id, const char *out_trade_no,
                                    const char *types, int *waiting, wxpay_error_t *err)
{
    wxpay_value_t v[3];

    *waiting = 0;
    v[0] = wxpay_value_text(mch_id);
    v[1] = wxpay_value_text(out_trade_no);
    v[2] = wxpay_value_text(types);
    return wxpay_tx_query(tx, wxpay_sql_events_waiting, v, 3, on_any, waiting, err);
}
