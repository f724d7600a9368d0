#include "store_rows.h"

#include "store_sql.h"
#include "store_values.h"

typedef struct due_rows_t {
    apr_pool_t *pool;
    wxpay_due_t *list;
    int count;
} due_rows_t;

static int on_due(void *baton, const wxpay_value_t *values, int count)
{
    due_rows_t *rows = baton;
    wxpay_reader_t r = {values, rows->pool};
    wxpay_due_t *due = &rows->list[rows->count++];

    (void)count;
    due->mch_id = wxpay_take_text(&r);
    due->out_trade_no = wxpay_take_text(&r);
    due->site = wxpay_take_text(&r);
    due->at = wxpay_take_int(&r);
    return 0;
}

static wxpay_rc_e find_todo(wxpay_tx_t *tx, const char *todo, apr_time_t now, int limit,
                            due_rows_t *rows, wxpay_error_t *err)
{
    wxpay_value_t v[5];

    v[0] = wxpay_value_text(todo);
    v[1] = wxpay_value_int(now);
    v[2] = wxpay_value_int(now);
    v[3] = wxpay_value_int(now + WXPAY_LEASE_MAX);
    v[4] = wxpay_value_int(limit);
    return wxpay_tx_query(tx, wxpay_sql_due_todos, v, 5, on_due, rows, err);
}

wxpay_rc_e wxpay_row_due(wxpay_tx_t *tx, apr_time_t now, int limit, apr_pool_t *pool,
                         wxpay_due_t **list, int *count, wxpay_error_t *err)
{
    due_rows_t rows = {pool, apr_palloc(pool, sizeof(wxpay_due_t) * 4 * (size_t)limit), 0};
    wxpay_value_t v[4];
    wxpay_rc_e rc;

    v[0] = wxpay_value_int(now);
    v[1] = wxpay_value_int(now);
    v[2] = wxpay_value_int(now + WXPAY_LEASE_MAX);
    v[3] = wxpay_value_int(limit);
    rc = wxpay_tx_query(tx, wxpay_sql_due_asks, v, 4, on_due, &rows, err);
    if (rc == WXPAY_OK) {
        rc = find_todo(tx, "query", now, limit, &rows, err);
    }
    if (rc == WXPAY_OK) {
        rc = find_todo(tx, "close", now, limit, &rows, err);
    }
    if (rc == WXPAY_OK) {
        v[1] = v[3];
        rc = wxpay_tx_query(tx, wxpay_sql_due_orders, v, 2, on_due, &rows, err);
    }
    *list = rows.list;
    *count = rows.count;
    return rc;
}

wxpay_rc_e wxpay_row_put_off(wxpay_tx_t *tx, const wxpay_due_t *due, apr_time_t now,
                             apr_time_t until, wxpay_error_t *err)
{
    static const char *const statements[] = {wxpay_sql_put_off_ask, wxpay_sql_put_off_todo,
                                             wxpay_sql_put_off_order};
    wxpay_value_t v[4];
    wxpay_rc_e rc = WXPAY_OK;
    int i;

    v[0] = wxpay_value_int(until);
    v[1] = wxpay_value_text(due->mch_id);
    v[2] = wxpay_value_text(due->out_trade_no);
    v[3] = wxpay_value_int(now);
    for (i = 0; i < 3 && rc == WXPAY_OK; ++i) {
        rc = wxpay_tx_exec(tx, statements[i], v, 4, NULL, err);
    }
    return rc;
}
