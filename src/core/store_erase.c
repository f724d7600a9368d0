#include "store_rows.h"

#include "store_sql.h"
#include "store_values.h"

typedef struct erasable_rows_t {
    apr_pool_t *pool;
    wxpay_erasable_t *list;
    int count;
    wxpay_erasable_e kind;
} erasable_rows_t;

static int on_erasable(void *baton, const wxpay_value_t *values, int count)
{
    erasable_rows_t *rows = baton;
    wxpay_reader_t r = {values, rows->pool};
    wxpay_erasable_t *e = &rows->list[rows->count++];
    int i;

    e->kind = rows->kind;
    e->keys = count;
    for (i = 0; i < count; ++i) {
        e->key[i] = wxpay_take_text(&r);
    }
    return 0;
}

static wxpay_rc_e find(wxpay_tx_t *tx, wxpay_erasable_e kind, const char *sql, apr_time_t before,
                       int limit, erasable_rows_t *rows, wxpay_error_t *err)
{
    wxpay_value_t v[2];

    v[0] = wxpay_value_int(before);
    v[1] = wxpay_value_int(limit);
    rows->kind = kind;
    return wxpay_tx_query(tx, sql, v, 2, on_erasable, rows, err);
}

wxpay_rc_e wxpay_row_erasable(wxpay_tx_t *tx, apr_time_t notices_before, apr_time_t orders_before,
                              int limit, apr_pool_t *pool, wxpay_erasable_t **list, int *count,
                              wxpay_error_t *err)
{
    erasable_rows_t rows = {pool, apr_palloc(pool, sizeof(wxpay_erasable_t) * 3 * (size_t)limit), 0,
                            WXPAY_ERASABLE_NOTICE};
    wxpay_rc_e rc = find(tx, WXPAY_ERASABLE_NOTICE, wxpay_sql_erasable_notices, notices_before,
                         limit, &rows, err);

    if (rc == WXPAY_OK) {
        rc = find(tx, WXPAY_ERASABLE_EVENT, wxpay_sql_erasable_events, orders_before, limit, &rows,
                  err);
    }
    if (rc == WXPAY_OK) {
        rc = find(tx, WXPAY_ERASABLE_ORDER, wxpay_sql_erasable_orders, orders_before, limit, &rows,
                  err);
    }
    *list = rows.list;
    *count = rows.count;
    return rc;
}

wxpay_rc_e wxpay_row_erase(wxpay_tx_t *tx, const wxpay_erasable_t *e, wxpay_error_t *err)
{
    static const char *const statements[] = {
        [WXPAY_ERASABLE_NOTICE] = wxpay_sql_erase_notice,
        [WXPAY_ERASABLE_EVENT] = wxpay_sql_erase_event,
        [WXPAY_ERASABLE_ORDER] = wxpay_sql_erase_order,
    };
    wxpay_value_t v[WXPAY_ERASABLE_KEYS];
    wxpay_rc_e rc;
    int i;

    for (i = 0; i < e->keys; ++i) {
        v[i] = wxpay_value_text(e->key[i]);
    }
    rc = wxpay_tx_exec(tx, statements[e->kind], v, e->keys, NULL, err);
    if (rc == WXPAY_OK && e->kind == WXPAY_ERASABLE_ORDER) {
        rc = wxpay_tx_exec(tx, wxpay_sql_erase_attempts, v, e->keys, NULL, err);
    }
    return rc;
}
