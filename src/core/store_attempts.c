#include "store_rows.h"

#include <string.h>
#include "store_sql.h"
#include "store_values.h"

#define ATTEMPT_COUNT 29

static const char *const todo_names[] = {"", "send", "query", "close"};

static wxpay_todo_e todo_by_name(const char *name)
{
    int i;

    for (i = WXPAY_TODO_CLOSE; name && i > WXPAY_TODO_NONE; --i) {
        if (!strcmp(name, todo_names[i])) {
            return (wxpay_todo_e)i;
        }
    }
    return WXPAY_TODO_NONE;
}

wxpay_rc_e wxpay_row_attempt_insert(wxpay_tx_t *tx, const wxpay_attempt_t *a, wxpay_error_t *err)
{
    wxpay_value_t v[ATTEMPT_COUNT];
    int i = 0;

    v[i++] = wxpay_value_text(a->mch_id);
    v[i++] = wxpay_value_text(a->gateway_no);
    v[i++] = wxpay_value_text(a->out_trade_no);
    v[i++] = wxpay_value_int(a->n);
    v[i++] = wxpay_value_text(wxpay_trade_name(a->trade_type));
    v[i++] = wxpay_value_text(a->appid);
    v[i++] = wxpay_value_text(a->openid);
    v[i++] = wxpay_value_text(a->client_ip);
    v[i++] = wxpay_value_text(wxpay_sign_name(a->sign_type));
    v[i++] = wxpay_value_text(wxpay_attempt_state_name(a->state));
    v[i++] = wxpay_value_text(a->params);
    v[i++] = wxpay_value_text(a->prepay_id);
    v[i++] = wxpay_value_text(a->code_url);
    v[i++] = wxpay_value_text(a->mweb_url);
    v[i++] = wxpay_value_int(a->url_at);
    v[i++] = wxpay_value_int(a->created_at);
    v[i++] = wxpay_value_int(a->sent_at);
    v[i++] = wxpay_value_int(a->close_at);
    v[i++] = wxpay_value_text(todo_names[a->todo]);
    v[i++] = wxpay_value_int(a->next_at);
    v[i++] = wxpay_value_int(a->tries);
    v[i++] = wxpay_value_text(a->lease_owner);
    v[i++] = wxpay_value_int(a->lease_until);
    v[i++] = wxpay_value_text(a->transaction_id);
    v[i++] = wxpay_value_text(a->err_code);
    v[i++] = wxpay_value_text(a->err_detail);
    v[i++] = wxpay_value_int(a->closed_at);
    v[i++] = wxpay_value_int(a->ask_at);
    v[i++] = wxpay_value_int(a->asked_at);
    return wxpay_tx_exec(tx, wxpay_sql_attempt_insert, v, i, NULL, err);
}

typedef struct attempt_rows_t {
    apr_pool_t *pool;
    wxpay_attempt_t **list;
    int count;
    int cap;
} attempt_rows_t;

static int on_attempt(void *baton, const wxpay_value_t *values, int count)
{
    attempt_rows_t *rows = baton;
    wxpay_reader_t r = {values, rows->pool};
    wxpay_attempt_t *a = apr_pcalloc(rows->pool, sizeof(*a));

    (void)count;
    a->mch_id = wxpay_take_text(&r);
    a->gateway_no = wxpay_take_text(&r);
    a->out_trade_no = wxpay_take_text(&r);
    a->n = (int)wxpay_take_int(&r);
    a->trade_type = wxpay_trade_by_name(wxpay_take_text(&r));
    a->appid = wxpay_take_text(&r);
    a->openid = wxpay_take_text(&r);
    a->client_ip = wxpay_take_text(&r);
    a->sign_type = wxpay_sign_by_name(wxpay_take_text(&r));
    wxpay_attempt_state_by_name(wxpay_take_text(&r), &a->state);
    a->params = wxpay_take_text(&r);
    a->prepay_id = wxpay_take_text(&r);
    a->code_url = wxpay_take_text(&r);
    a->mweb_url = wxpay_take_text(&r);
    a->url_at = wxpay_take_int(&r);
    a->created_at = wxpay_take_int(&r);
    a->sent_at = wxpay_take_int(&r);
    a->close_at = wxpay_take_int(&r);
    a->todo = todo_by_name(wxpay_take_text(&r));
    a->next_at = wxpay_take_int(&r);
    a->tries = (int)wxpay_take_int(&r);
    a->lease_owner = wxpay_take_text(&r);
    a->lease_until = wxpay_take_int(&r);
    a->transaction_id = wxpay_take_text(&r);
    a->err_code = wxpay_take_text(&r);
    a->err_detail = wxpay_take_text(&r);
    a->closed_at = wxpay_take_int(&r);
    a->ask_at = wxpay_take_int(&r);
    a->asked_at = wxpay_take_int(&r);
    if (rows->count == rows->cap) {
        wxpay_attempt_t **more = apr_palloc(rows->pool, sizeof(*more) * (size_t)(rows->cap + 8));

        if (rows->count) {
            memcpy(more, rows->list, sizeof(*more) * (size_t)rows->count);
        }
        rows->list = more;
        rows->cap += 8;
    }
    rows->list[rows->count++] = a;
    return 0;
}

wxpay_rc_e wxpay_row_attempt_get(wxpay_tx_t *tx, const char *mch_id, const char *gateway_no,
                                 apr_pool_t *pool, wxpay_attempt_t **attempt, wxpay_error_t *err)
{
    attempt_rows_t rows = {pool, NULL, 0, 0};
    wxpay_value_t v[2];
    wxpay_rc_e rc;

    v[0] = wxpay_value_text(mch_id);
    v[1] = wxpay_value_text(gateway_no);
    rc = wxpay_tx_query(tx, wxpay_sql_attempt_get, v, 2, on_attempt, &rows, err);
    *attempt = rows.count ? rows.list[0] : NULL;
    if (rc == WXPAY_OK && !rows.count) {
        return wxpay_error_set(err, WXPAY_ENOTFOUND, "read attempt", "there is no such number");
    }
    return rc;
}

wxpay_rc_e wxpay_row_attempts(wxpay_tx_t *tx, const char *mch_id, const char *out_trade_no,
                              apr_pool_t *pool, wxpay_attempt_t ***attempts, int *count,
                              wxpay_error_t *err)
{
    attempt_rows_t rows = {pool, NULL, 0, 0};
    wxpay_value_t v[2];
    wxpay_rc_e rc;

    v[0] = wxpay_value_text(mch_id);
    v[1] = wxpay_value_text(out_trade_no);
    rc = wxpay_tx_query(tx, wxpay_sql_attempts, v, 2, on_attempt, &rows, err);
    *attempts = rows.list;
    *count = rows.count;
    return rc;
}

wxpay_rc_e wxpay_row_attempt_update(wxpay_tx_t *tx, const wxpay_attempt_t *a,
                                    wxpay_attempt_state_e was, wxpay_error_t *err)
{
    wxpay_value_t v[22];
    wxpay_rc_e rc;
    int affected = 0;
    int i = 0;

    if (a->state != was && !wxpay_attempt_may_become(was, a->state)) {
        return wxpay_row_illegal("an attempt", wxpay_attempt_state_name(was),
                                 wxpay_attempt_state_name(a->state), err);
    }
    v[i++] = wxpay_value_text(wxpay_attempt_state_name(a->state));
    v[i++] = wxpay_value_text(a->params);
    v[i++] = wxpay_value_text(a->prepay_id);
    v[i++] = wxpay_value_text(a->code_url);
    v[i++] = wxpay_value_text(a->mweb_url);
    v[i++] = wxpay_value_int(a->url_at);
    v[i++] = wxpay_value_int(a->sent_at);
    v[i++] = wxpay_value_int(a->close_at);
    v[i++] = wxpay_value_text(todo_names[a->todo]);
    v[i++] = wxpay_value_int(a->next_at);
    v[i++] = wxpay_value_int(a->tries);
    v[i++] = wxpay_value_text(a->lease_owner);
    v[i++] = wxpay_value_int(a->lease_until);
    v[i++] = wxpay_value_text(a->transaction_id);
    v[i++] = wxpay_value_text(a->err_code);
    v[i++] = wxpay_value_text(a->err_detail);
    v[i++] = wxpay_value_int(a->closed_at);
    v[i++] = wxpay_value_int(a->ask_at);
    v[i++] = wxpay_value_int(a->asked_at);
    v[i++] = wxpay_value_text(a->mch_id);
    v[i++] = wxpay_value_text(a->gateway_no);
    v[i++] = wxpay_value_text(wxpay_attempt_state_name(was));
    rc = wxpay_tx_exec(tx, wxpay_sql_attempt_update, v, i, &affected, err);
    return wxpay_row_cas(rc, affected, err);
}

wxpay_rc_e wxpay_row_attempt_readdress(wxpay_tx_t *tx, const wxpay_attempt_t *a, wxpay_error_t *err)
{
    wxpay_value_t v[9];
    wxpay_rc_e rc;
    int affected = 0;
    int i = 0;

    v[i++] = wxpay_value_text(wxpay_trade_name(a->trade_type));
    v[i++] = wxpay_value_text(a->appid);
    v[i++] = wxpay_value_text(a->openid);
    v[i++] = wxpay_value_text(a->client_ip);
    v[i++] = wxpay_value_text(wxpay_sign_name(a->sign_type));
    v[i++] = wxpay_value_int(a->created_at);
    v[i++] = wxpay_value_text(a->mch_id);
    v[i++] = wxpay_value_text(a->gateway_no);
    v[i++] = wxpay_value_text(wxpay_attempt_state_name(a->state));
    rc = wxpay_tx_exec(tx, wxpay_sql_attempt_readdress, v, i, &affected, err);
    return wxpay_row_cas(rc, affected, err);
}
