#include "flow_rig.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <apr_strings.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "clock.h"
#include "sign.h"
#include "store_sqlite.h"

#define KEY "0123456789abcdefABCDEF9876543210"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static apr_interval_time_t ahead;

apr_time_t rig_now(void)
{
    apr_interval_time_t a;

    pthread_mutex_lock(&lock);
    a = ahead;
    pthread_mutex_unlock(&lock);
    return apr_time_now() + a;
}

void rig_forward(apr_interval_time_t by)
{
    pthread_mutex_lock(&lock);
    ahead += by;
    pthread_mutex_unlock(&lock);
}

/* ---- the scripted gateway ---- */

typedef struct call_t {
    rig_t *rig;
    const wxpay_http_request_t *request;
    wxpay_http_done_fn *done;
    void *baton;
    struct call_t *next;
} call_t;

static call_t *held;

static void put(wxpay_fields_t *f, const char *name, const char *value)
{
    wxpay_error_t err;

    assert_int_equal(wxpay_fields_add_ref(f, name, value, &err), WXPAY_OK);
}

static const char *get(const wxpay_fields_t *f, const char *name)
{
    const char *value = wxpay_fields_get(f, name);

    return value ? value : "";
}

static void reply_order(rig_t *rig, const wxpay_fields_t *asked, wxpay_fields_t *f)
{
    put(f, "trade_type", get(asked, "trade_type"));
    put(f, "prepay_id", apr_psprintf(f->pool, "wx26prepay%d", rig->orders));
    if (!strcmp(get(asked, "trade_type"), "NATIVE")) {
        put(f, "code_url", apr_psprintf(f->pool, "weixin://wxpay/bizpayurl?pr=%d", rig->orders));
    }
}

static void reply_query(rig_t *rig, const wxpay_fields_t *asked, wxpay_fields_t *f)
{
    const char *state;
    char time_end[WXPAY_BEIJING_SIZE];

    state = rig->trade_state;
    state = state ? state : "NOTPAY";
    put(f, "out_trade_no", get(asked, "out_trade_no"));
    put(f, "trade_state", state);
    if (!strcmp(state, "SUCCESS")) {
        put(f, "total_fee", apr_psprintf(f->pool, "%" APR_INT64_T_FMT, rig->paid_fee));
        put(f, "transaction_id", "4200000000202611240000000001");
        put(f, "attach", "a1");
        put(f, "openid", "oUpF8uMEb4qRXf22hE3X68TekukE");
        put(f, "trade_type", "NATIVE");
        wxpay_clock_beijing(rig_now() + rig->paid_before, time_end);
        put(f, "time_end", apr_pstrdup(f->pool, time_end));
    }
}

static rig_answer_e kind(rig_t *rig, const char *url, char *what)
{
    if (strstr(url, "/pay/unifiedorder")) {
        rig->orders++;
        *what = 'o';
        return rig->order;
    }
    if (strstr(url, "/pay/orderquery")) {
        rig->queries++;
        *what = 'q';
        return rig->query;
    }
    rig->closes++;
    *what = 'c';
    return rig->close;
}

static void answer(call_t *call, rig_answer_e how, char what)
{
    rig_t *rig = call->rig;
    wxpay_http_reply_t reply;
    wxpay_error_t err;
    wxpay_fields_t *asked;
    wxpay_fields_t *f;
    wxpay_buf_t body;
    apr_pool_t *pool;
    char sign[WXPAY_SIGN_SIZE];

    memset(&reply, 0, sizeof(reply));
    wxpay_error_clear(&err);
    reply.host = "rig";
    reply.request_id = "";
    reply.body = "";
    reply.sent = how != RIG_UNSENT;
    if (how == RIG_LOST || how == RIG_UNSENT) {
        wxpay_error_set(&err, WXPAY_ENET, "call", "the reply was lost");
        err.flags = WXPAY_ERR_RETRY | (reply.sent ? WXPAY_ERR_AMBIGUOUS : 0);
        call->done(call->baton, &reply, &err);
        return;
    }
    apr_pool_create_unmanaged_ex(&pool, NULL, NULL);
    assert_int_equal(wxpay_xml_read(rig->xml, pool, "xml", call->request->body,
                                    call->request->body_len, &asked, &err),
                     WXPAY_OK);
    f = wxpay_fields_create(pool);
    put(f, "return_code", "SUCCESS");
    put(f, "appid", get(asked, "appid"));
    put(f, "mch_id", get(asked, "mch_id"));
    put(f, "nonce_str", "rig");
    if (*get(asked, "sub_mch_id")) {
        put(f, "sub_mch_id", get(asked, "sub_mch_id"));
    }
    if (how == RIG_REFUSE) {
        put(f, "result_code", "FAIL");
        put(f, "err_code", rig->err_code);
        put(f, "err_code_des", "refused by the rig");
    }
    else {
        put(f, "result_code", "SUCCESS");
        if (what == 'o') {
            reply_order(rig, asked, f);
        }
        else if (what == 'q') {
            reply_query(rig, asked, f);
        }
    }
    assert_int_equal(wxpay_sign_make(f, rig->account.key, rig->account.sign_type, sign, &err),
                     WXPAY_OK);
    put(f, "sign", sign);
    wxpay_buf_init(&body, pool, 65536);
    assert_int_equal(wxpay_xml_write(f, &body, &err), WXPAY_OK);
    reply.status = 200;
    reply.body = body.data;
    reply.body_len = body.len;
    wxpay_error_clear(&err);
    call->done(call->baton, &reply, &err);
    apr_pool_destroy(pool);
}

static void *serve(void *arg)
{
    call_t *call = arg;
    rig_t *rig = call->rig;
    rig_answer_e how;
    char what;

    pthread_mutex_lock(&lock);
    how = kind(rig, call->request->url, &what);
    if (what == 'o') {
        apr_cpystrn(rig->last_order, call->request->body, sizeof(rig->last_order));
    }
    if (what == 'q') {
        apr_cpystrn(rig->last_query, call->request->body, sizeof(rig->last_query));
    }
    if (how == RIG_SILENT) {
        call->next = held;
        held = call;
    }
    pthread_mutex_unlock(&lock);
    if (how == RIG_SILENT) {
        return NULL;
    }
    if (rig->delay_ms) {
        usleep((useconds_t)rig->delay_ms * 1000);
    }
    answer(call, how, what);
    free(call);
    return NULL;
}

void rig_says(rig_t *rig, rig_answer_e query, const char *trade_state)
{
    rig->trade_state = trade_state;
    rig->query = query;
}

void rig_flush(rig_t *rig)
{
    call_t *list;

    (void)rig;
    pthread_mutex_lock(&lock);
    list = held;
    held = NULL;
    pthread_mutex_unlock(&lock);
    while (list) {
        call_t *next = list->next;

        answer(list, RIG_OK, strstr(list->request->url, "unifiedorder") ? 'o' : 'q');
        free(list);
        list = next;
    }
}

static wxpay_rc_e submit(void *impl, const wxpay_http_request_t *request, wxpay_http_done_fn *done,
                         void *baton, wxpay_error_t *err)
{
    rig_t *rig = impl;
    call_t *call;
    pthread_t thread;

    if (rig->order == RIG_FULL) {
        wxpay_error_set(err, WXPAY_EBUSY, "call", "the queue is full");
        err->flags = WXPAY_ERR_RETRY;
        return WXPAY_EBUSY;
    }
    call = calloc(1, sizeof(*call));
    call->rig = rig;
    call->request = request;
    call->done = done;
    call->baton = baton;
    assert_int_equal(pthread_create(&thread, NULL, serve, call), 0);
    pthread_detach(thread);
    return WXPAY_OK;
}

/* ---- the rig ---- */

static const wxpay_account_t *find_account(void *baton, const char *mch_id, const char *site)
{
    rig_t *rig = baton;

    (void)site;
    assert_string_equal(mch_id, rig->account.mch_id);
    return rig->homeless ? NULL : &rig->account;
}

static void count_warnings(void *baton, wxpay_log_level_e level, const char *line)
{
    rig_t *rig = baton;

    (void)line;
    rig->warnings += level <= WXPAY_LOG_WARN;
}

void rig_start(rig_t *rig)
{
    static wxpay_api_t api;
    static wxpay_transport_t transport;
    static wxpay_log_t log;
    wxpay_sqlite_options_t store;
    wxpay_flow_options_t flow;
    wxpay_error_t err;

    memset(rig, 0, sizeof(*rig));
    apr_pool_create(&rig->pool, NULL);
    ahead = 0;
    strcpy(rig->dir, "/tmp/wxpay-rig-XXXXXX");
    assert_non_null(mkdtemp(rig->dir));
    rig->account.site = "https://shop.example";
    rig->account.appid = "wx0123456789abcdef";
    rig->account.mch_id = "1900000109";
    rig->account.key = wxpay_secret_create(rig->pool, KEY, strlen(KEY));
    rig->account.sign_type = WXPAY_SIGN_MD5;
    rig->account.notify_url = "https://shop.example/wxpay/notify";
    rig->account.server_ip = "192.0.2.1";
    rig->account.gateway[0] = "https://gateway.example";
    rig->account.gateway_timeout = apr_time_from_sec(8);
    rig->account.gateway_connect_timeout = apr_time_from_sec(3);
    rig->account.confirm_min_fen = -1;
    rig->account.order_ttl = apr_time_from_sec(7200);
    rig->xml = wxpay_xml_create(rig->pool);
    transport.submit = submit;
    transport.impl = rig;
    api.transport = &transport;
    api.xml = rig->xml;
    api.log = NULL;
    memset(&store, 0, sizeof(store));
    store.path = apr_pstrcat(rig->pool, rig->dir, "/wxpay.db", NULL);
    store.threaded = 1;
    assert_int_equal(wxpay_store_sqlite_create(rig->pool, &store, &rig->store, &err), WXPAY_OK);
    memset(&flow, 0, sizeof(flow));
    flow.store = rig->store;
    flow.api = &api;
    flow.now = rig_now;
    flow.sites.find = find_account;
    flow.sites.baton = rig;
    log.write = count_warnings;
    log.baton = rig;
    flow.log = &log;
    assert_int_equal(wxpay_flow_create(rig->pool, &flow, &rig->flow, &err), WXPAY_OK);
}

void rig_stop(rig_t *rig)
{
    static const char *const names[] = {"/wxpay.db", "/wxpay.db-wal", "/wxpay.db-shm"};
    char path[128];
    size_t i;

    rig_flush(rig);
    usleep(20000); /* detached callers give their last results back */
    wxpay_store_stop(rig->store, apr_time_from_sec(2));
    apr_pool_destroy(rig->pool);
    for (i = 0; i < sizeof(names) / sizeof(names[0]); ++i) {
        snprintf(path, sizeof(path), "%s%s", rig->dir, names[i]);
        unlink(path);
    }
    rmdir(rig->dir);
}

wxpay_rc_e rig_submit(rig_t *rig, const char *number, apr_int64_t fen, int open,
                      wxpay_snapshot_t **snap, int *created, wxpay_error_t *err)
{
    wxpay_identity_t native = {WXPAY_TRADE_NATIVE, NULL, NULL};
    wxpay_fields_t *f = wxpay_fields_create(rig->pool);
    wxpay_order_t *order;

    put(f, "out_trade_no", number);
    put(f, "body", "Tea");
    put(f, "attach", "a1");
    assert_int_equal(wxpay_fields_add_int(f, "total_fee", fen, err), WXPAY_OK);
    assert_int_equal(wxpay_order_from_fields(f, &rig->account, rig_now(), rig->pool, &order, err),
                     WXPAY_OK);
    return wxpay_flow_submit(rig->flow, &rig->account, order, open ? &native : NULL,
                             apr_time_from_sec(5), rig->pool, snap, created, err);
}

wxpay_rc_e rig_open(rig_t *rig, const char *number, wxpay_trade_e trade, const char *openid,
                    wxpay_snapshot_t **snap, wxpay_error_t *err)
{
    wxpay_identity_t identity = {trade, openid, "198.51.100.7"};

    return wxpay_flow_open(rig->flow, &rig->account, number, &identity, apr_time_from_sec(5),
                           rig->pool, snap, err);
}

wxpay_rc_e rig_query(rig_t *rig, const char *number, wxpay_snapshot_t **snap, wxpay_error_t *err)
{
    return wxpay_flow_query(rig->flow, &rig->account, number, apr_time_from_sec(3), rig->pool, snap,
                            err);
}

wxpay_rc_e rig_close(rig_t *rig, const char *number, wxpay_snapshot_t **snap, wxpay_error_t *err)
{
    return wxpay_flow_close(rig->flow, &rig->account, number, apr_time_from_sec(3), rig->pool, snap,
                            err);
}

wxpay_snapshot_t *rig_read(rig_t *rig, const char *number)
{
    wxpay_snapshot_t *snap;
    wxpay_error_t err;

    assert_int_equal(wxpay_flow_read(rig->flow, &rig->account, number, rig->pool, &snap, &err),
                     WXPAY_OK);
    return snap;
}

wxpay_snapshot_t *rig_settle(rig_t *rig, const char *number)
{
    wxpay_snapshot_t *snap;
    int i;

    for (i = 0; i < 500; ++i) {
        snap = rig_read(rig, number);
        if (!wxpay_snapshot_busy(snap, rig_now())) {
            return snap;
        }
        usleep(10000);
    }
    fail_msg("order %s does not come to rest", number);
    return NULL;
}

wxpay_notice_t *rig_notice(rig_t *rig, const char *gateway_no, const char *transaction_id,
                           apr_int64_t fen)
{
    wxpay_notice_t *n = apr_pcalloc(rig->pool, sizeof(*n));

    n->kind = WXPAY_NOTICE_PAYMENT;
    n->sign_type = WXPAY_SIGN_MD5;
    n->appid = rig->account.appid;
    n->mch_id = rig->account.mch_id;
    n->gateway_no = gateway_no;
    n->transaction_id = transaction_id;
    n->total_fee = fen;
    n->fee_type = "CNY";
    n->trade_type = "NATIVE";
    n->openid = "oUpF8uMEb4qRXf22hE3X68TekukE";
    n->attach = "a1";
    n->time_end = rig_now();
    n->raw = "<xml/>";
    n->raw_len = 6;
    return n;
}

wxpay_verdict_e rig_notify(rig_t *rig, const wxpay_notice_t *notice, int *success)
{
    wxpay_verdict_e verdict;
    wxpay_error_t err;

    assert_int_equal(wxpay_flow_notice(rig->flow, &rig->account, notice, apr_time_from_sec(3),
                                       rig->pool, &verdict, success, &err),
                     WXPAY_OK);
    return verdict;
}

long rig_count(rig_t *rig, const char *sql)
{
    char path[128];
    sqlite3 *db;
    sqlite3_stmt *stmt;
    long n;

    snprintf(path, sizeof(path), "%s/wxpay.db", rig->dir);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    n = (long)sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return n;
}
