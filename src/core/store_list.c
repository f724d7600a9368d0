#include "store_list.h"

#include <stdint.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "crypt.h"
#include "store_rows.h"
#include "store_sql.h"
#include "store_values.h"

#define STEP "list orders"
#define TIME_DIGITS 16
#define NUMBER_MAX 32
#define MAX_PARAMS 10

typedef struct cursor_t {
    apr_time_t created_at;
    const char *out_trade_no;
} cursor_t;

int wxpay_list_is_flag(const char *name)
{
    static const char *const flags[] = {"quarantined", "overpaid", "attach_differs", "closing"};

    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (strcmp(flags[i], name) == 0) {
            return 1;
        }
    }
    return 0;
}

/* ---- cursors: the time in 16 hexadecimal digits, the number in two per byte ---- */

static const char *write_cursor(apr_pool_t *pool, const wxpay_order_t *order)
{
    apr_size_t len = strlen(order->out_trade_no);
    char *text = apr_palloc(pool, TIME_DIGITS + 2 * len + 1);

    apr_snprintf(text, TIME_DIGITS + 1, "%016" APR_UINT64_T_HEX_FMT,
                 (apr_uint64_t)order->created_at);
    wxpay_crypt_hex((const unsigned char *)order->out_trade_no, len, 0, text + TIME_DIGITS);
    return text;
}

static int digit(char c)
{
    if (apr_isdigit(c)) {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int read_cursor(apr_pool_t *pool, const char *text, cursor_t *cursor)
{
    apr_size_t len = strlen(text);
    apr_uint64_t when = 0;
    char *number;

    if (len <= TIME_DIGITS || len > TIME_DIGITS + 2 * NUMBER_MAX || len % 2) {
        return 0;
    }
    number = apr_pcalloc(pool, (len - TIME_DIGITS) / 2 + 1);
    for (apr_size_t i = 0; i < len; i++) {
        int value = digit(text[i]);

        if (value < 0) {
            return 0;
        }
        if (i < TIME_DIGITS) {
            when = when * 16 + (apr_uint64_t)value;
        }
        else {
            number[(i - TIME_DIGITS) / 2] =
                (char)((unsigned char)number[(i - TIME_DIGITS) / 2] * 16 + value);
        }
    }
    if (when > INT64_MAX) {
        return 0;
    }
    cursor->created_at = (apr_time_t)when;
    cursor->out_trade_no = number;
    return 1;
}

/* ---- reading ---- */

typedef struct list_job_t {
    const wxpay_list_t *wanted;
    cursor_t from;
    apr_pool_t *pool;
    wxpay_list_page_t *page;
} list_job_t;

static int on_order(void *baton, const wxpay_value_t *values, int count)
{
    list_job_t *job = baton;
    wxpay_list_page_t *page = job->page;

    (void)count;
    if (page->count == job->wanted->limit) { /* there is one more */
        page->next = write_cursor(job->pool, page->items[page->count - 1].order);
        return 1;
    }
    page->items[page->count++].order = wxpay_row_order_read(job->pool, values);
    return 0;
}

static wxpay_rc_e find_orders(wxpay_tx_t *tx, list_job_t *job, wxpay_error_t *err)
{
    const wxpay_list_t *wanted = job->wanted;
    const char *sql = wxpay_sql_list;
    wxpay_value_t v[MAX_PARAMS];
    int i = 0;

    v[i++] = wxpay_value_text(wanted->site);
    v[i++] = wxpay_value_text(wanted->mch_id);
    v[i++] = wxpay_value_int(wanted->since);
    v[i++] = wxpay_value_int(job->from.created_at);
    v[i++] = wxpay_value_int(job->from.created_at);
    v[i++] = wxpay_value_text(job->from.out_trade_no);
    if (*wanted->flag) {
        sql = wxpay_sql_list_flagged;
        v[i++] = wxpay_value_text(wanted->flag);
        v[i++] = wxpay_value_text(wanted->state);
        v[i++] = wxpay_value_text(wanted->state);
    }
    else if (*wanted->state) {
        sql = wxpay_sql_list_state;
        v[i++] = wxpay_value_text(wanted->state);
    }
    v[i++] = wxpay_value_int(wanted->limit + 1);
    return wxpay_tx_query(tx, sql, v, i, on_order, job, err);
}

static wxpay_rc_e list_work(wxpay_tx_t *tx, void *baton, apr_pool_t *pool, wxpay_error_t *err)
{
    list_job_t *job = baton;
    wxpay_rc_e rc;

    job->pool = pool;
    job->page = apr_pcalloc(pool, sizeof(*job->page));
    rc = find_orders(tx, job, err);
    for (int i = 0; rc == WXPAY_OK && i < job->page->count; i++) {
        wxpay_list_item_t *item = &job->page->items[i];

        rc = wxpay_row_attempts(tx, item->order->mch_id, item->order->out_trade_no, pool,
                                &item->attempts, &item->count, err);
    }
    return rc;
}

wxpay_rc_e wxpay_store_list(wxpay_store_t *store, const wxpay_list_t *wanted, apr_pool_t *pool,
                            wxpay_list_page_t **page, wxpay_error_t *err)
{
    list_job_t job = {wanted, {INT64_MAX, ""}, pool, NULL};
    wxpay_rc_e rc;

    if (wanted->limit < 1 || wanted->limit > WXPAY_LIST_MAX) {
        return wxpay_error_field(err, STEP, "limit", "limit must be 1 to %d", WXPAY_LIST_MAX);
    }
    if (wanted->after && !read_cursor(pool, wanted->after, &job.from)) {
        return wxpay_error_field(err, STEP, "after",
                                 "after must be the \"next\" of the page before");
    }
    rc = wxpay_store_read(store, list_work, &job, pool, err);
    *page = rc == WXPAY_OK ? job.page : NULL;
    return rc;
}
