#include "store_rows.h"

#include <apr_strings.h>
#include <string.h>

/* Column lists stand once per table; reading and writing follow the same order, by the tables of
 * members below. */
#define ORDER_COLUMNS                                                                              \
    "mch_id, sub_mch_id, site, out_trade_no, total_fee, fee_type, body, attach, detail, "          \
    "product_id, goods_tag, limit_pay, scene_info, profit_sharing, receipt, openid, "              \
    "spbill_create_ip, return_url, time_expire, trade_type, pay_id, state, rev, created_at, "      \
    "expires_at, close_wanted, late, quarantined, overpaid, attach_differs, transaction_id, "      \
    "payer_openid, paid_gateway_no, paid_at, refunded_fee"
#define ORDER_COUNT 35

#define ATTEMPT_COLUMNS                                                                            \
    "mch_id, gateway_no, out_trade_no, n, trade_type, appid, openid, client_ip, sign_type, state, "\
    "params, prepay_id, code_url, mweb_url, url_at, created_at, sent_at, todo, next_at, tries, "   \
    "lease_owner, lease_until, transaction_id, err_code, err_detail"
#define ATTEMPT_COUNT 25

static const char SQL_ORDER_INSERT[] =
    "INSERT INTO orders (" ORDER_COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,"
    "?,?,?,?,?,?,?,?,?,?,?,?)";
static const char SQL_ORDER_GET[] =
    "SELECT " ORDER_COLUMNS " FROM orders WHERE mch_id = ? AND out_trade_no = ?";
static const char SQL_ORDER_BY_PAY_ID[] = "SELECT " ORDER_COLUMNS " FROM orders WHERE pay_id = ?";
static const char SQL_ORDER_UPDATE[] =
    "UPDATE orders SET state = ?, rev = ?, expires_at = ?, close_wanted = ?, late = ?, "
    "quarantined = ?, overpaid = ?, attach_differs = ?, transaction_id = ?, payer_openid = ?, "
    "paid_gateway_no = ?, paid_at = ?, refunded_fee = ? "
    "WHERE mch_id = ? AND out_trade_no = ? AND state = ? AND rev = ?";
static const char SQL_ATTEMPT_INSERT[] =
    "INSERT INTO attempts (" ATTEMPT_COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,"
    "?,?,?,?)";
static const char SQL_ATTEMPT_GET[] =
    "SELECT " ATTEMPT_COLUMNS " FROM attempts WHERE mch_id = ? AND gateway_no = ?";
static const char SQL_ATTEMPTS[] =
    "SELECT " ATTEMPT_COLUMNS " FROM attempts WHERE mch_id = ? AND out_trade_no = ? ORDER BY n";
static const char SQL_ATTEMPT_UPDATE[] =
    "UPDATE attempts SET state = ?, params = ?, prepay_id = ?, code_url = ?, mweb_url = ?, "
    "url_at = ?, sent_at = ?, todo = ?, next_at = ?, tries = ?, lease_owner = ?, lease_until = ?, "
    "transaction_id = ?, err_code = ?, err_detail = ? "
    "WHERE mch_id = ? AND gateway_no = ? AND state = ?";
static const char SQL_EVENT_INSERT[] =
    "INSERT INTO events (id, mch_id, out_trade_no, site, type, created_at, body, state, next_at, "
    "tries) VALUES (?,?,?,?,?,?,?,?,?,0)";
static const char SQL_NOTICE_INSERT[] =
    "INSERT INTO notices (mch_id, ref, verdict, reason, out_trade_no, gateway_no, site, first_at, "
    "last_at, count, body) VALUES (?,?,?,?,?,?,?,?,?,1,?)";
static const char SQL_NOTICE_AGAIN[] =
    "UPDATE notices SET count = count + 1, last_at = ? "
    "WHERE mch_id = ? AND ref = ? AND verdict = ? AND reason = ?";
static const char SQL_NOTICE_COUNT[] =
    "UPDATE notices SET count = count + ?, last_at = ? "
    "WHERE mch_id = ? AND ref = ? AND verdict = ? AND reason = ''";

static wxpay_value_t text_value(const char *text)
{
    wxpay_value_t v = { WXPAY_VALUE_NULL, 0, NULL, 0 };

    if (text) {
        v.type = WXPAY_VALUE_TEXT;
        v.s = text;
        v.len = strlen(text);
    }
    return v;
}

static wxpay_value_t int_value(apr_int64_t i)
{
    wxpay_value_t v = { WXPAY_VALUE_INT, 0, NULL, 0 };

    v.i = i;
    return v;
}

static const char *const todo_names[] = { "", "send", "query", "close" };

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

static wxpay_rc_e illegal(const char *what, const char *from, const char *to, wxpay_error_t *err)
{
    return wxpay_error_set(err, WXPAY_EINTERNAL, "change state", "%s may not go from %s to %s",
                           what, from, to);
}

static wxpay_rc_e cas(wxpay_rc_e rc, int affected, wxpay_error_t *err)
{
    if (rc == WXPAY_OK && affected != 1) {
        return wxpay_error_set(err, WXPAY_ECONFLICT, "change state",
                               "the row was changed by somebody else meanwhile");
    }
    return rc;
}

/* ---- orders ---- */

static void order_values(const wxpay_order_t *o, wxpay_value_t *v)
{
    int i = 0;

    v[i++] = text_value(o->mch_id);
    v[i++] = text_value(o->sub_mch_id);
    v[i++] = text_value(o->site);
    v[i++] = text_value(o->out_trade_no);
    v[i++] = int_value(o->total_fee);
    v[i++] = text_value(o->fee_type);
    v[i++] = text_value(o->body);
    v[i++] = text_value(o->attach);
    v[i++] = text_value(o->detail);
    v[i++] = text_value(o->product_id);
    v[i++] = text_value(o->goods_tag);
    v[i++] = text_value(o->limit_pay);
    v[i++] = text_value(o->scene_info);
    v[i++] = text_value(o->profit_sharing);
    v[i++] = text_value(o->receipt);
    v[i++] = text_value(o->openid);
    v[i++] = text_value(o->spbill_create_ip);
    v[i++] = text_value(o->return_url);
    v[i++] = text_value(o->time_expire);
    v[i++] = text_value(wxpay_trade_name(o->trade_type));
    v[i++] = text_value(o->pay_id);
    v[i++] = text_value(wxpay_order_state_name(o->state));
    v[i++] = int_value(o->rev);
    v[i++] = int_value(o->created_at);
    v[i++] = int_value(o->expires_at);
    v[i++] = int_value(o->close_wanted);
    v[i++] = int_value(o->late);
    v[i++] = int_value(o->quarantined);
    v[i++] = int_value(o->overpaid);
    v[i++] = int_value(o->attach_differs);
    v[i++] = text_value(o->transaction_id);
    v[i++] = text_value(o->payer_openid);
    v[i++] = text_value(o->paid_gateway_no);
    v[i++] = int_value(o->paid_at);
    v[i++] = int_value(o->refunded_fee);
}

wxpay_rc_e wxpay_row_order_insert(wxpay_tx_t *tx, const wxpay_order_t *order, wxpay_error_t *err)
{
    wxpay_value_t v[ORDER_COUNT];

    order_values(order, v);
    return wxpay_tx_exec(tx, SQL_ORDER_INSERT, v, ORDER_COUNT, NULL, err);
}

/* A cursor over one row's values, copying texts into the reader's pool. */
typedef struct reader_t {
    const wxpay_value_t *v;
    apr_pool_t *pool;
} reader_t;

static const char *take_text(reader_t *r)
{
    const wxpay_value_t *v = r->v++;

    return v->type == WXPAY_VALUE_NULL ? NULL : apr_pstrmemdup(r->pool, v->s, v->len);
}

static apr_int64_t take_int(reader_t *r)
{
    return (r->v++)->i;
}

static wxpay_order_t *order_read(apr_pool_t *pool, const wxpay_value_t *values)
{
    reader_t r = { values, pool };
    wxpay_order_t *o = apr_pcalloc(pool, sizeof(*o));

    o->mch_id = take_text(&r);
    o->sub_mch_id = take_text(&r);
    o->site = take_text(&r);
    o->out_trade_no = take_text(&r);
    o->total_fee = take_int(&r);
    o->fee_type = take_text(&r);
    o->body = take_text(&r);
    o->attach = take_text(&r);
    o->detail = take_text(&r);
    o->product_id = take_text(&r);
    o->goods_tag = take_text(&r);
    o->limit_pay = take_text(&r);
    o->scene_info = take_text(&r);
    o->profit_sharing = take_text(&r);
    o->receipt = take_text(&r);
    o->openid = take_text(&r);
    o->spbill_create_ip = take_text(&r);
    o->return_url = take_text(&r);
    o->time_expire = take_text(&r);
    o->trade_type = wxpay_trade_by_name(take_text(&r));
    o->pay_id = take_text(&r);
    wxpay_order_state_by_name(take_text(&r), &o->state);
    o->rev = take_int(&r);
    o->created_at = take_int(&r);
    o->expires_at = take_int(&r);
    o->close_wanted = (int)take_int(&r);
    o->late = (int)take_int(&r);
    o->quarantined = (int)take_int(&r);
    o->overpaid = (int)take_int(&r);
    o->attach_differs = (int)take_int(&r);
    o->transaction_id = take_text(&r);
    o->payer_openid = take_text(&r);
    o->paid_gateway_no = take_text(&r);
    o->paid_at = take_int(&r);
    o->refunded_fee = take_int(&r);
    return o;
}

typedef struct order_row_t {
    apr_pool_t *pool;
    wxpay_order_t *order;
} order_row_t;

static int on_order(void *baton, const wxpay_value_t *values, int count)
{
    order_row_t *row = baton;

    (void)count;
    row->order = order_read(row->pool, values);
    return 1;
}

static wxpay_rc_e order_one(wxpay_tx_t *tx, const char *sql, const wxpay_value_t *params, int count,
                            apr_pool_t *pool, wxpay_order_t **order, wxpay_error_t *err)
{
    order_row_t row = { pool, NULL };
    wxpay_rc_e rc = wxpay_tx_query(tx, sql, params, count, on_order, &row, err);

    *order = row.order;
    if (rc == WXPAY_OK && !row.order) {
        return wxpay_error_set(err, WXPAY_ENOTFOUND, "read order", "there is no such order");
    }
    return rc;
}

wxpay_rc_e wxpay_row_order_get(wxpay_tx_t *tx, const char *mch_id, const char *out_trade_no,
                               apr_pool_t *pool, wxpay_order_t **order, wxpay_error_t *err)
{
    wxpay_value_t v[2];

    v[0] = text_value(mch_id);
    v[1] = text_value(out_trade_no);
    return order_one(tx, SQL_ORDER_GET, v, 2, pool, order, err);
}

wxpay_rc_e wxpay_row_order_by_pay_id(wxpay_tx_t *tx, const char *pay_id, apr_pool_t *pool,
                                     wxpay_order_t **order, wxpay_error_t *err)
{
    wxpay_value_t v = text_value(pay_id);

    return order_one(tx, SQL_ORDER_BY_PAY_ID, &v, 1, pool, order, err);
}

wxpay_rc_e wxpay_row_order_update(wxpay_tx_t *tx, wxpay_order_t *o, wxpay_order_state_e was,
                                  wxpay_error_t *err)
{
    wxpay_value_t v[17];
    wxpay_rc_e rc;
    int affected = 0;
    int i = 0;

    if (o->state != was && !wxpay_order_may_become(was, o->state)) {
        return illegal("an order", wxpay_order_state_name(was), wxpay_order_state_name(o->state),
                       err);
    }
    v[i++] = text_value(wxpay_order_state_name(o->state));
    v[i++] = int_value(o->rev + 1);
    v[i++] = int_value(o->expires_at);
    v[i++] = int_value(o->close_wanted);
    v[i++] = int_value(o->late);
    v[i++] = int_value(o->quarantined);
    v[i++] = int_value(o->overpaid);
    v[i++] = int_value(o->attach_differs);
    v[i++] = text_value(o->transaction_id);
    v[i++] = text_value(o->payer_openid);
    v[i++] = text_value(o->paid_gateway_no);
    v[i++] = int_value(o->paid_at);
    v[i++] = int_value(o->refunded_fee);
    v[i++] = text_value(o->mch_id);
    v[i++] = text_value(o->out_trade_no);
    v[i++] = text_value(wxpay_order_state_name(was));
    v[i++] = int_value(o->rev);
    rc = cas(wxpay_tx_exec(tx, SQL_ORDER_UPDATE, v, i, &affected, err), affected, err);
    if (rc == WXPAY_OK) {
        o->rev++;
    }
    return rc;
}

/* ---- attempts ---- */

wxpay_rc_e wxpay_row_attempt_insert(wxpay_tx_t *tx, const wxpay_attempt_t *a, wxpay_error_t *err)
{
    wxpay_value_t v[ATTEMPT_COUNT];
    int i = 0;

    v[i++] = text_value(a->mch_id);
    v[i++] = text_value(a->gateway_no);
    v[i++] = text_value(a->out_trade_no);
    v[i++] = int_value(a->n);
    v[i++] = text_value(wxpay_trade_name(a->trade_type));
    v[i++] = text_value(a->appid);
    v[i++] = text_value(a->openid);
    v[i++] = text_value(a->client_ip);
    v[i++] = text_value(wxpay_sign_name(a->sign_type));
    v[i++] = text_value(wxpay_attempt_state_name(a->state));
    v[i++] = text_value(a->params);
    v[i++] = text_value(a->prepay_id);
    v[i++] = text_value(a->code_url);
    v[i++] = text_value(a->mweb_url);
    v[i++] = int_value(a->url_at);
    v[i++] = int_value(a->created_at);
    v[i++] = int_value(a->sent_at);
    v[i++] = text_value(todo_names[a->todo]);
    v[i++] = int_value(a->next_at);
    v[i++] = int_value(a->tries);
    v[i++] = text_value(a->lease_owner);
    v[i++] = int_value(a->lease_until);
    v[i++] = text_value(a->transaction_id);
    v[i++] = text_value(a->err_code);
    v[i++] = text_value(a->err_detail);
    return wxpay_tx_exec(tx, SQL_ATTEMPT_INSERT, v, i, NULL, err);
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
    reader_t r = { values, rows->pool };
    wxpay_attempt_t *a = apr_pcalloc(rows->pool, sizeof(*a));

    (void)count;
    a->mch_id = take_text(&r);
    a->gateway_no = take_text(&r);
    a->out_trade_no = take_text(&r);
    a->n = (int)take_int(&r);
    a->trade_type = wxpay_trade_by_name(take_text(&r));
    a->appid = take_text(&r);
    a->openid = take_text(&r);
    a->client_ip = take_text(&r);
    a->sign_type = wxpay_sign_by_name(take_text(&r));
    wxpay_attempt_state_by_name(take_text(&r), &a->state);
    a->params = take_text(&r);
    a->prepay_id = take_text(&r);
    a->code_url = take_text(&r);
    a->mweb_url = take_text(&r);
    a->url_at = take_int(&r);
    a->created_at = take_int(&r);
    a->sent_at = take_int(&r);
    a->todo = todo_by_name(take_text(&r));
    a->next_at = take_int(&r);
    a->tries = (int)take_int(&r);
    a->lease_owner = take_text(&r);
    a->lease_until = take_int(&r);
    a->transaction_id = take_text(&r);
    a->err_code = take_text(&r);
    a->err_detail = take_text(&r);
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
    attempt_rows_t rows = { pool, NULL, 0, 0 };
    wxpay_value_t v[2];
    wxpay_rc_e rc;

    v[0] = text_value(mch_id);
    v[1] = text_value(gateway_no);
    rc = wxpay_tx_query(tx, SQL_ATTEMPT_GET, v, 2, on_attempt, &rows, err);
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
    attempt_rows_t rows = { pool, NULL, 0, 0 };
    wxpay_value_t v[2];
    wxpay_rc_e rc;

    v[0] = text_value(mch_id);
    v[1] = text_value(out_trade_no);
    rc = wxpay_tx_query(tx, SQL_ATTEMPTS, v, 2, on_attempt, &rows, err);
    *attempts = rows.list;
    *count = rows.count;
    return rc;
}

wxpay_rc_e wxpay_row_attempt_update(wxpay_tx_t *tx, const wxpay_attempt_t *a,
                                    wxpay_attempt_state_e was, wxpay_error_t *err)
{
    wxpay_value_t v[18];
    int affected = 0;
    int i = 0;

    if (a->state != was && !wxpay_attempt_may_become(was, a->state)) {
        return illegal("an attempt", wxpay_attempt_state_name(was),
                       wxpay_attempt_state_name(a->state), err);
    }
    v[i++] = text_value(wxpay_attempt_state_name(a->state));
    v[i++] = text_value(a->params);
    v[i++] = text_value(a->prepay_id);
    v[i++] = text_value(a->code_url);
    v[i++] = text_value(a->mweb_url);
    v[i++] = int_value(a->url_at);
    v[i++] = int_value(a->sent_at);
    v[i++] = text_value(todo_names[a->todo]);
    v[i++] = int_value(a->next_at);
    v[i++] = int_value(a->tries);
    v[i++] = text_value(a->lease_owner);
    v[i++] = int_value(a->lease_until);
    v[i++] = text_value(a->transaction_id);
    v[i++] = text_value(a->err_code);
    v[i++] = text_value(a->err_detail);
    v[i++] = text_value(a->mch_id);
    v[i++] = text_value(a->gateway_no);
    v[i++] = text_value(wxpay_attempt_state_name(was));
    return cas(wxpay_tx_exec(tx, SQL_ATTEMPT_UPDATE, v, i, &affected, err), affected, err);
}

/* ---- events and notices ---- */

wxpay_rc_e wxpay_row_event_insert(wxpay_tx_t *tx, const wxpay_event_t *e, wxpay_error_t *err)
{
    wxpay_value_t v[9];
    int i = 0;

    v[i++] = text_value(e->id);
    v[i++] = text_value(e->mch_id);
    v[i++] = text_value(e->out_trade_no);
    v[i++] = text_value(e->site);
    v[i++] = text_value(e->type);
    v[i++] = int_value(e->created_at);
    v[i++] = text_value(e->body);
    v[i++] = text_value(e->state);
    v[i++] = int_value(e->created_at);
    return wxpay_tx_exec(tx, SQL_EVENT_INSERT, v, i, NULL, err);
}

wxpay_rc_e wxpay_row_notice_record(wxpay_tx_t *tx, const wxpay_journal_t *j, int *first,
                                   wxpay_error_t *err)
{
    wxpay_value_t v[10];
    wxpay_rc_e rc;
    int affected = 0;
    int i = 0;

    /* UPDATE first: a repeat is the common case where it matters, and a failed INSERT would have to
     * be undone on databases where an error ends the transaction. */
    v[i++] = int_value(j->at);
    v[i++] = text_value(j->mch_id);
    v[i++] = text_value(j->ref);
    v[i++] = text_value(j->verdict);
    v[i++] = text_value(j->reason);
    rc = wxpay_tx_exec(tx, SQL_NOTICE_AGAIN, v, i, &affected, err);
    *first = 0;
    if (rc != WXPAY_OK || affected > 0) {
        return rc;
    }
    i = 0;
    v[i++] = text_value(j->mch_id);
    v[i++] = text_value(j->ref);
    v[i++] = text_value(j->verdict);
    v[i++] = text_value(j->reason);
    v[i++] = text_value(j->out_trade_no);
    v[i++] = text_value(j->gateway_no);
    v[i++] = text_value(j->site);
    v[i++] = int_value(j->at);
    v[i++] = int_value(j->at);
    v[i] = text_value(j->body);
    v[i++].len = j->body ? j->body_len : 0;
    *first = 1;
    return wxpay_tx_exec(tx, SQL_NOTICE_INSERT, v, i, NULL, err);
}

wxpay_rc_e wxpay_row_notice_count(wxpay_tx_t *tx, const char *mch_id, const char *ref,
                                  const char *verdict, int more, apr_time_t at, wxpay_error_t *err)
{
    wxpay_value_t v[5];

    v[0] = int_value(more);
    v[1] = int_value(at);
    v[2] = text_value(mch_id);
    v[3] = text_value(ref);
    v[4] = text_value(verdict);
    return wxpay_tx_exec(tx, SQL_NOTICE_COUNT, v, 5, NULL, err);
}
