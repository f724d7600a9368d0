#include "store_rows.h"

#include "store_sql.h"
#include "store_values.h"

typedef struct erasable_rows_t {
    apr_pool_t *pool;
    wxpay_erasable_t *list;
    int count;
    wxpay_erasable_e kind;
    apr_time_t before;
} erasable_rows_t;

static int on_erasable(void *baton, const wxpay_value_t *values, int count)
{
    erasable_rows_t *rows = baton;
    wxpay_reader_t r = {values, rows->pool};
    wxpay_erasable_t *e = &rows->list[rows->count++];
    int i;

    e->kind = rows->kind;
    e->before = rows->before;
    e->keys = count;
    for (i = 0; i < count; ++i) {
        e->key[i] = wxpay_take_text(&r);
    }
    return 0;
}

/* Of each statement that finds something: the time stands in it so often, then the limit. */
typedef struct search_t {
    const char *sql;
    wxpay_erasable_e kind;
    int times;
} search_t;

static const search_t searches[] = {
    {wxpay_sql_erasable_notices, WXPAY_ERASABLE_NOTICE, 1},
    {wxpay_sql_erasable_events, WXPAY_ERASABLE_EVENT, 1},
    {wxpay_sql_erasable_waiting, WXPAY_ERASABLE_WAITING, 4},
    {wxpay_sql_erasable_orders, WXPAY_ERASABLE_ORDER, 1},
    {wxpay_sql_erasable_open_orders, WXPAY_ERASABLE_ORDER, 3},
};
#define SEARCHES ((int)(sizeof(searches) / sizeof(searches[0])))

static wxpay_rc_e find(wxpay_tx_t *tx, const search_t *search, apr_time_t before, int limit,
                       erasable_rows_t *rows, wxpay_error_t *err)
{
    wxpay_value_t v[5];
    int i;

    for (i = 0; i < search->times; ++i) {
        v[i] = wxpay_value_int(before);
    }
    v[i++] = wxpay_value_int(limit);
    rows->kind = search->kind;
    rows->before = before;
    return wxpay_tx_query(tx, search->sql, v, i, on_erasable, rows, err);
}

wxpay_rc_e wxpay_row_erasable(wxpay_tx_t *tx, apr_time_t notices_before, apr_time_t orders_before,
                              int limit, apr_pool_t *pool, wxpay_erasable_t **list, int *count,
                              wxpay_error_t *err)
{
    erasable_rows_t rows = {.pool = pool};
    wxpay_rc_e rc = WXPAY_OK;
    int i;

    rows.list = apr_palloc(pool, sizeof(*rows.list) * SEARCHES * (size_t)limit);
    for (i = 0; i < SEARCHES && rc == WXPAY_OK; ++i) {
        rc = find(tx, &searches[i],
                  searches[i].kind == WXPAY_ERASABLE_NOTICE ? notices_before : orders_before, limit,
                  &rows, err);
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
        [WXPAY_ERASABLE_WAITING] = wxpay_sql_erase_waiting,
        [WXPAY_ERASABLE_ORDER] = wxpay_sql_erase_order,
    };
    wxpay_value_t v[WXPAY_ERASABLE_KEYS + 2];
    int count = e->keys;
    wxpay_rc_e rc;
    int i;

    for (i = 0; i < e->keys; ++i) {
        v[i] = wxpay_value_text(e->key[i]);
    }
    if (e->kind == WXPAY_ERASABLE_WAITING) {
        v[count++] = wxpay_value_int(e->before);
        v[count++] = wxpay_value_int(e->before);
    }
    rc = wxpay_tx_exec(tx, statements[e->kind], v, count, NULL, err);
    if (rc == WXPAY_OK && e->kind == WXPAY_ERASABLE_ORDER) {
        rc = wxpay_tx_exec(tx, wxpay_sql_erase_attempts, v, e->keys, NULL, err);
    }
    return rc;
}
