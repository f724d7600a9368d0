/* test_outbox.c - deliveries: a real store, a scripted application, a clock of our own. */
#include "support.h"

#include "store_kit.h"

#include "delivery.h"
#include "json.h"
#include "outbox.h"
#include "retention.h"
#include "store_events.h"

#define SITES 20
#define CALLS 512
#define START 1795489500 /* 2026-11-24T03:05:00Z */
#define CROWD 120
#define MCH "1900000109"

/* A POST that waits for its answer. */
typedef struct call_t {
    wxpay_http_done_fn *done;
    void *baton;
    const wxpay_http_request_t *request;
    char id[64];
    char timestamp[32];
    char signature[256];
    char body[2048];
    char url[128];
} call_t;

static kit_t *kit;
static apr_pool_t *pool;
static wxpay_outbox_t *outbox, *other; /* two processes */
static wxpay_account_t accounts[SITES];
static wxpay_target_t targets[SITES];
static atomic_int down[SITES];
static _Atomic(const char *) gone; /* a site that nobody answers for */
static atomic_long seconds;        /* the clock, from START */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static call_t calls[CALLS];
static int called;
static wxpay_rc_e refuses; /* what submit says */

/* ---- the rig ---- */

static apr_time_t now(void)
{
    return apr_time_from_sec(START + atomic_load(&seconds));
}

static const wxpay_account_t *find(void *baton, const char *mch_id, const char *site)
{
    const char *absent = atomic_load(&gone);
    int i;

    (void)baton;
    for (i = 0; i < SITES; i++) {
        if (!strcmp(accounts[i].site, site) && !strcmp(accounts[i].mch_id, mch_id) &&
            (!absent || strcmp(absent, site))) {
            return &accounts[i];
        }
    }
    return NULL;
}

static void take_header(const wxpay_http_request_t *request, const char *name, char *out,
                        size_t size)
{
    const char *const *line;
    int found = 0;

    for (line = request->headers; *line; line++) {
        if (!strncmp(*line, name, strlen(name)) && !strncmp(*line + strlen(name), ": ", 2)) {
            apr_cpystrn(out, *line + strlen(name) + 2, size);
            found++;
        }
    }
    assert_int_equal(found, 1);
}

static wxpay_rc_e submit(void *impl, const wxpay_http_request_t *request, wxpay_http_done_fn *done,
                         void *baton, wxpay_error_t *err)
{
    call_t *call;

    (void)impl;
    pthread_mutex_lock(&lock);
    if (refuses != WXPAY_OK) {
        wxpay_error_set(err, refuses, "engine", "refused by the test");
        pthread_mutex_unlock(&lock);
        return err->code;
    }
    assert_true(called < CALLS);
    call = &calls[called];
    memset(call, 0, sizeof(*call));
    call->done = done;
    call->baton = baton;
    call->request = request;
    take_header(request, "webhook-id", call->id, sizeof(call->id));
    take_header(request, "webhook-timestamp", call->timestamp, sizeof(call->timestamp));
    take_header(request, "webhook-signature", call->signature, sizeof(call->signature));
    apr_cpystrn(call->body, request->body, sizeof(call->body));
    apr_cpystrn(call->url, request->url, sizeof(call->url));
    called++;
    pthread_mutex_unlock(&lock);
    return WXPAY_OK;
}

static const wxpay_transport_t transport = {submit, NULL};

static int count_calls(void)
{
    int count;

    pthread_mutex_lock(&lock);
    count = called;
    pthread_mutex_unlock(&lock);
    return count;
}

static wxpay_rc_e nothing(wxpay_tx_t *tx, void *baton, apr_pool_t *p, wxpay_error_t *err)
{
    (void)tx;
    (void)baton;
    (void)p;
    (void)err;
    return WXPAY_OK;
}

static void commit(wxpay_work_fn *work, void *baton)
{
    wxpay_job_t *job = wxpay_job_create();
    wxpay_error_t err;

    assert_int_equal(wxpay_store_commit(kit->store, job, work, baton, KIT_WAIT, &err), WXPAY_OK);
    wxpay_job_release(job);
}

/* What was given to the store before is written (by the first), and followed up (by the second). */
static void settle(void)
{
    int i;

    for (i = 0; i < 4; i++) {
        commit(nothing, NULL);
    }
}

static void answer_with(int i, int status, const char *failure, int tls)
{
    wxpay_http_reply_t reply = {.status = status, .body = "", .request_id = "", .host = "app"};
    wxpay_error_t err;
    call_t *call = &calls[i];

    assert_true(i < count_calls());
    assert_non_null(call->done);
    wxpay_error_clear(&err);
    reply.elapsed = apr_time_from_msec(12);
    reply.tls = tls;
    reply.sent = !tls;
    if (failure) {
        wxpay_error_set(&err, WXPAY_ENET, "engine", "%s", failure);
    }
    call->done(call->baton, &reply, &err);
    call->done = NULL;
    settle();
}

static void answer(int i, int status)
{
    answer_with(i, status, NULL, 0);
}

static void sweep(wxpay_outbox_t *o)
{
    wxpay_outbox_sweep(o);
    settle();
}

static wxpay_outbox_t *make_outbox(void)
{
    wxpay_outbox_options_t options = {.store = kit->store,
                                      .transport = &transport,
                                      .sites = {find, NULL},
                                      .log = &kit->log,
                                      .targets = SITES,
                                      .down = down,
                                      .now = now};
    wxpay_outbox_t *o;
    wxpay_error_t err;

    assert_int_equal(wxpay_outbox_create(pool, &options, &o, &err), WXPAY_OK);
    return o;
}

static const wxpay_secret_t *make_key(char fill)
{
    char bytes[32];

    memset(bytes, fill, sizeof(bytes));
    return wxpay_secret_create(pool, bytes, sizeof(bytes));
}

static int setup_with(void **state, int threaded)
{
    int i;

    kit_setup(state);
    kit = *state;
    if (!threaded) {
        kit_stop(kit);
        kit->options.threaded = 0;
        kit_open(kit);
    }
    apr_pool_create(&pool, NULL);
    atomic_store(&seconds, 0);
    atomic_store(&gone, NULL);
    called = 0;
    refuses = WXPAY_OK;
    memset(accounts, 0, sizeof(accounts));
    memset(targets, 0, sizeof(targets));
    for (i = 0; i < SITES; i++) {
        atomic_store(&down[i], 0);
        targets[i].index = i;
        targets[i].types =
            i == 0 ? ~0u : WXPAY_EVENT_BIT(WXPAY_EVENT_PAID); /* site 0 wants everything */
        targets[i].url = apr_psprintf(pool, "https://app%d.example/hooks/paid.php?x=1", i);
        targets[i].key = make_key('k');
        accounts[i].site = apr_psprintf(pool, "https://shop%02d.example", i);
        accounts[i].mch_id = MCH;
        accounts[i].target = &targets[i];
    }
    outbox = make_outbox();
    other = make_outbox();
    return 0;
}

static int setup(void **state)
{
    return setup_with(state, 1);
}

static int setup_inline(void **state)
{
    return setup_with(state, 0);
}

/* Whoever still waits gets an answer, so that nothing leaks. */
static int teardown(void **state)
{
    int i;

    refuses = WXPAY_OK;
    wxpay_outbox_stop(outbox);
    wxpay_outbox_stop(other);
    for (i = 0; i < count_calls(); i++) {
        if (calls[i].done) {
            answer(i, 500);
        }
    }
    settle();
    apr_pool_destroy(pool);
    return kit_teardown(state);
}

typedef struct writing_t {
    wxpay_outbox_t *outbox;
    wxpay_outbox_event_t event;
    const char *id;
    char row[64]; /* the id, also where nothing is to be started */
    int fail;
} writing_t;

static int keep_text(void *baton, const wxpay_value_t *values, int count)
{
    (void)count;
    apr_cpystrn(baton, values[0].s, 64);
    return 0;
}

static const char SQL_LAST[] = "SELECT id FROM events ORDER BY rowid DESC LIMIT 1";

static wxpay_rc_e write_work(wxpay_tx_t *tx, void *baton, apr_pool_t *p, wxpay_error_t *err)
{
    writing_t *w = baton;
    const char *id;
    wxpay_rc_e rc = wxpay_outbox_write(w->outbox, tx, &w->event, p, &id, err);

    assert_int_equal(rc, WXPAY_OK);
    w->id = id ? apr_pstrdup(pool, id) : NULL;
    assert_int_equal(wxpay_tx_query(tx, SQL_LAST, NULL, 0, keep_text, w->row, err), WXPAY_OK);
    return w->fail ? wxpay_error_set(err, WXPAY_ECONFLICT, "test", "undone") : WXPAY_OK;
}

/* One second later, so that it is newer than all before. Its row's id; not started. */
static const char *write_event(wxpay_outbox_t *o, int site, const char *number, wxpay_event_e type,
                               const char **start)
{
    json_t *data = wxpay_json_object(pool);
    writing_t w = {.outbox = o};

    json_object_set_new(data, "out_trade_no", json_string(number));
    w.event.type = type;
    w.event.mch_id = MCH;
    w.event.out_trade_no = number;
    w.event.site = accounts[site].site;
    w.event.data = data;
    commit(write_work, &w);
    *start = w.id;
    return apr_pstrdup(pool, w.row);
}

/* Written, and tried as far as it may be. */
static const char *tell(int site, const char *number, wxpay_event_e type)
{
    const char *start;
    const char *id = write_event(outbox, site, number, type, &start);

    wxpay_outbox_start(outbox, start);
    settle();
    return id;
}

static void forward(long by)
{
    atomic_fetch_add(&seconds, by);
}

static json_t *list(const char *number)
{
    json_t *events = NULL;
    wxpay_error_t err;

    assert_int_equal(wxpay_outbox_list(kit->store, MCH, number, pool, &events, &err), WXPAY_OK);
    return events;
}

/* The event's JSON. */
static json_t *event(const char *number, const char *id)
{
    json_t *events = list(number);
    json_t *item;
    size_t i;

    json_array_foreach (events, i, item) {
        if (!strcmp(support_text(item, "id"), id)) {
            return item;
        }
    }
    fail_msg("order %s has no event %s", number, id);
    return NULL;
}

static void assert_event(const char *number, const char *id, const char *state, int tries)
{
    json_t *item = event(number, id);

    assert_string_equal(support_text(item, "state"), state);
    assert_int_equal(json_array_size(json_object_get(item, "tries")), tries);
}

static void run_sql(const char *sql)
{
    kit_shell_end(kit_shell(kit, "SELECT 1"), sql);
}

static apr_uint64_t commits(void)
{
    wxpay_store_stats_t stats;

    wxpay_store_stats(kit->store, &stats);
    return stats.commits;
}

static wxpay_rc_e resend(int site, const char *number, const char *id)
{
    wxpay_error_t err;
    wxpay_rc_e rc = wxpay_outbox_resend(outbox, &accounts[site], number, id, &err);

    settle();
    return rc;
}

/* ---- one delivery ---- */

static void a_delivery_says_what_standard_webhooks_want(void **state)
{
    wxpay_delivery_headers_t headers;
    const wxpay_http_request_t *request;
    json_t *body, *item;
    wxpay_error_t err;
    const char *id;

    (void)state;
    targets[1].previous_key = make_key('p');
    targets[1].connect_to = "127.0.0.1:8443";
    targets[1].ca_pem = "PEM";
    id = tell(1, "A1", WXPAY_EVENT_PAID);
    assert_int_equal(count_calls(), 1);
    request = calls[0].request;
    assert_string_equal(request->url, "https://app1.example/hooks/paid.php?x=1");
    assert_string_equal(request->content_type, "application/json");
    assert_string_equal(request->connect_to, "127.0.0.1:8443");
    assert_string_equal(request->ca_pem, "PEM");
    assert_null(request->proxy);
    assert_int_equal(request->timeout, WXPAY_OUTBOX_TIMEOUT);
    assert_int_equal(request->connect_timeout, apr_time_from_sec(3));
    assert_int_equal(request->body_len, strlen(calls[0].body));
    assert_string_equal(calls[0].id, id);
    assert_memory_equal(id, "evt_", 4);
    assert_string_equal(calls[0].timestamp, "1795489500");
    body = json_loads(calls[0].body, 0, NULL);
    assert_int_equal(json_object_size(body), 3);
    assert_string_equal(support_text(body, "type"), "order.paid");
    assert_string_equal(support_text(body, "timestamp"), "2026-11-24T03:05:00Z");
    assert_string_equal(support_text(json_object_get(body, "data"), "out_trade_no"), "A1");
    json_decref(body);
    headers.id = calls[0].id;
    headers.timestamp = calls[0].timestamp;
    headers.signature = calls[0].signature;
    /* whoever has one of the two keys believes it */
    assert_int_equal(wxpay_delivery_verify(targets[1].key, NULL, &headers, calls[0].body,
                                           request->body_len, now(), &err),
                     WXPAY_OK);
    assert_int_equal(wxpay_delivery_verify(targets[1].previous_key, NULL, &headers, calls[0].body,
                                           request->body_len, now(), &err),
                     WXPAY_OK);
    answer(0, 204);
    assert_event("A1", id, "delivered", 1);
    item = event("A1", id);
    assert_string_equal(support_text(item, "delivered_at"), "2026-11-24T03:05:00Z");
    assert_string_equal(support_text(item, "created_at"), "2026-11-24T03:05:00Z");
    assert_string_equal(support_text(item, "type"), "order.paid");
    assert_null(json_object_get(item, "next_at"));
    assert_int_equal(kit_said(kit, WXPAY_LOG_INFO, "A1"), 1);
    forward(100000);
    sweep(outbox);
    assert_int_equal(count_calls(), 1);
}

static void every_try_says_the_same_and_is_signed_afresh(void **state)
{
    (void)state;
    tell(1, "A1", WXPAY_EVENT_PAID);
    targets[1].key = make_key('n');
    answer(0, 503);
    forward(10);
    sweep(outbox);
    assert_int_equal(count_calls(), 2);
    assert_string_equal(calls[1].id, calls[0].id);
    assert_string_equal(calls[1].body, calls[0].body);
    assert_string_equal(calls[1].timestamp, "1795489510");
    assert_string_not_equal(calls[1].signature, calls[0].signature);
}

static void three_days_and_then_it_is_parked(void **state)
{
    static const long first[] = {0, 10, 60, 300, 1800, 7200};
    const char *id = tell(1, "A1", WXPAY_EVENT_PAID);
    long due;
    int i;

    (void)state;
    for (i = 0; i < 17; i++) {
        due = i < 6 ? first[i] : 7200 + (i - 5) * 6 * 3600L;
        atomic_store(&seconds, due - 1);
        sweep(outbox);
        sweep(other);
        assert_int_equal(count_calls(), i ? i : 1);
        atomic_store(&seconds, due);
        sweep(i % 2 ? outbox : other);
        assert_int_equal(count_calls(), i + 1);
        assert_event("A1", id, "pending", i);
        answer(i, 500);
    }
    assert_event("A1", id, "parked", 17);
    assert_int_equal(kit_said(kit, WXPAY_LOG_ERR, "WXP0603"), 1);
    forward(10 * 24 * 3600);
    sweep(outbox);
    assert_int_equal(count_calls(), 17);
    /* and again, from the beginning */
    assert_int_equal(resend(1, "A1", id), WXPAY_OK);
    assert_int_equal(count_calls(), 18);
    answer(17, 500);
    forward(9);
    sweep(outbox);
    assert_int_equal(count_calls(), 18);
    forward(1);
    sweep(outbox);
    assert_int_equal(count_calls(), 19);
    answer(18, 200);
    assert_event("A1", id, "delivered", 19);
}

/* After days when nothing ran, the rest of the schedule follows with its pauses. */
static void a_server_that_was_off_does_not_hurry(void **state)
{
    (void)state;
    tell(1, "A1", WXPAY_EVENT_PAID);
    answer(0, 500);
    forward(5 * 24 * 3600);
    sweep(other);
    assert_int_equal(count_calls(), 2);
    answer(1, 500);
    forward(49);
    sweep(other);
    assert_int_equal(count_calls(), 2);
    forward(1);
    sweep(other);
    assert_int_equal(count_calls(), 3);
}

static void tries_are_kept_for_people(void **state)
{
    const char *id = tell(1, "A1", WXPAY_EVENT_PAID);
    json_t *tries, *item;
    int i;

    (void)state;
    answer(0, 500);
    forward(10);
    sweep(outbox);
    answer_with(1, 0, "app.example:443: Connection refused\n\xff", 0);
    tries = json_object_get(event("A1", id), "tries");
    assert_int_equal(json_array_size(tries), 2);
    item = json_array_get(tries, 0);
    assert_string_equal(support_text(item, "at"), "2026-11-24T03:05:00Z");
    assert_int_equal(json_integer_value(json_object_get(item, "status")), 500);
    assert_int_equal(json_integer_value(json_object_get(item, "ms")), 12);
    assert_null(json_object_get(item, "error"));
    item = json_array_get(tries, 1);
    assert_string_equal(support_text(item, "at"), "2026-11-24T03:05:10Z");
    assert_memory_equal(support_text(item, "error"), "app.example:443: Connection refused", 35);
    assert_null(json_object_get(item, "status"));
    assert_string_equal(support_text(event("A1", id), "next_at"), "2026-11-24T03:06:00Z");
    for (i = 2; i < 40; i++) { /* not for ever */
        assert_int_equal(resend(1, "A1", id), WXPAY_OK);
        answer(i, 200);
    }
    tries = json_object_get(event("A1", id), "tries");
    assert_int_equal(json_array_size(tries), 25);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(tries, 24), "status")), 200);
}

/* ---- leases ---- */

static void the_dead_keep_nothing(void **state)
{
    const char *start;
    const char *id = write_event(outbox, 1, "A1", WXPAY_EVENT_PAID, &start);

    (void)state;
    assert_string_equal(start, id);
    /* its process ended here */
    forward(19);
    sweep(other);
    assert_int_equal(count_calls(), 0);
    forward(1);
    sweep(other);
    assert_int_equal(count_calls(), 1);
    wxpay_outbox_start(outbox, start); /* or it was only asleep */
    settle();
    assert_int_equal(count_calls(), 1);
    answer(0, 200);
    assert_event("A1", id, "delivered", 1);
}

static void leased_until(apr_time_t until)
{
    run_sql(apr_psprintf(pool, "UPDATE events SET lease_until = %" APR_TIME_T_FMT, until));
}

/* They died while the clock ran ahead. */
static void nor_do_the_dead_of_tomorrow(void **state)
{
    const char *start;
    const char *id = write_event(outbox, 1, "A1", WXPAY_EVENT_PAID, &start);

    (void)state;
    leased_until(now() + WXPAY_LEASE_MAX);
    sweep(other);
    assert_int_equal(count_calls(), 0);
    assert_int_equal(resend(1, "A1", id), WXPAY_ECONFLICT);
    leased_until(now() + WXPAY_LEASE_MAX + 1);
    sweep(other);
    assert_int_equal(count_calls(), 1);
    answer(0, 200);
    assert_event("A1", id, "delivered", 1);
    leased_until(now() + WXPAY_LEASE_MAX + 1);
    assert_int_equal(resend(1, "A1", id), WXPAY_OK);
    assert_int_equal(count_calls(), 2);
}

static void a_try_that_lost_its_lease_records_nothing(void **state)
{
    const char *id = tell(1, "A1", WXPAY_EVENT_PAID);

    (void)state;
    forward(20);
    sweep(other);
    assert_int_equal(count_calls(), 2);
    answer(0, 200);
    assert_event("A1", id, "pending", 0);
    answer(1, 500);
    assert_event("A1", id, "pending", 1);
    forward(10);
    sweep(other);
    /* also within one process */
    forward(20);
    sweep(other);
    assert_int_equal(count_calls(), 4);
    answer(2, 200);
    assert_event("A1", id, "pending", 1);
    answer(3, 200);
    assert_event("A1", id, "delivered", 2);
}

static atomic_int crowd_done;

static void *sweep_much(void *o)
{
    while (!atomic_load(&crowd_done)) {
        wxpay_outbox_sweep(o);
    }
    return NULL;
}

/* The application: 200 to everything. */
static void *answer_much(void *unused)
{
    wxpay_http_reply_t reply = {.status = 200, .body = "", .request_id = "", .host = "app"};
    wxpay_http_done_fn *done;
    wxpay_error_t err;
    void *baton;
    int i = 0;

    (void)unused;
    wxpay_error_clear(&err);
    while (i < CROWD) {
        done = NULL;
        pthread_mutex_lock(&lock);
        if (i < called) {
            done = calls[i].done;
            baton = calls[i].baton;
            calls[i++].done = NULL;
        }
        pthread_mutex_unlock(&lock);
        if (done) {
            done(baton, &reply, &err);
        }
        else {
            usleep(500);
        }
    }
    return NULL;
}

static void two_processes_never_make_the_same_try(void **state)
{
    pthread_t threads[5];
    const char *start;
    int i, n;

    (void)state;
    for (i = 0; i < CROWD; i++) {
        write_event(i % 2 ? outbox : other, 1 + i % 3, apr_psprintf(pool, "A%d", i),
                    WXPAY_EVENT_PAID, &start);
    }
    forward(20);
    atomic_store(&crowd_done, 0);
    for (i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, sweep_much, i % 2 ? outbox : other), 0);
    }
    assert_int_equal(pthread_create(&threads[4], NULL, answer_much, NULL), 0);
    pthread_join(threads[4], NULL);
    atomic_store(&crowd_done, 1);
    for (i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    settle();
    assert_int_equal(count_calls(), CROWD);
    for (i = 0; i < CROWD; i++) {
        for (n = 0; n < i; n++) {
            assert_string_not_equal(calls[i].id, calls[n].id);
        }
        assert_string_equal(
            support_text(json_array_get(list(apr_psprintf(pool, "A%d", i)), 0), "state"),
            "delivered");
    }
}

static void what_is_undone_is_never_sent(void **state)
{
    writing_t w = {.outbox = outbox, .fail = 1};
    wxpay_job_t *job = wxpay_job_create();
    wxpay_error_t err;

    (void)state;
    w.event.type = WXPAY_EVENT_PAID;
    w.event.mch_id = MCH;
    w.event.out_trade_no = "A1";
    w.event.site = accounts[1].site;
    w.event.data = wxpay_json_object(pool);
    assert_int_equal(wxpay_store_commit(kit->store, job, write_work, &w, KIT_WAIT, &err),
                     WXPAY_ECONFLICT);
    wxpay_job_release(job);
    wxpay_outbox_start(outbox, w.id);
    settle();
    assert_int_equal(count_calls(), 0);
    wxpay_outbox_start(outbox, NULL);
    wxpay_outbox_start(NULL, NULL);
}

/* ---- order ---- */

static void an_orders_events_go_in_order_but_paid(void **state)
{
    const char *held, *closed, *refunded, *paid, *elsewhere;

    (void)state;
    held = tell(0, "A1", WXPAY_EVENT_QUARANTINED);
    answer(0, 500);
    forward(1);
    closed = tell(0, "A1", WXPAY_EVENT_CLOSED);
    assert_int_equal(count_calls(), 1);
    forward(1);
    paid = tell(0, "A1", WXPAY_EVENT_PAID);
    assert_int_equal(count_calls(), 2);
    assert_string_equal(calls[1].id, paid);
    forward(1);
    refunded = tell(0, "A1", WXPAY_EVENT_REFUNDED);
    elsewhere = tell(0, "A2", WXPAY_EVENT_CLOSED);
    assert_int_equal(count_calls(), 3);
    assert_string_equal(calls[2].id, elsewhere);
    answer(1, 200);
    sweep(outbox);
    assert_int_equal(count_calls(), 3); /* quarantined is due in 7 s; the others wait */
    forward(7);
    sweep(outbox);
    assert_int_equal(count_calls(), 4);
    assert_string_equal(calls[3].id, held);
    sweep(other);
    assert_int_equal(count_calls(), 4); /* being sent is not sent yet */
    answer(3, 200);
    assert_int_equal(count_calls(), 5); /* at once */
    assert_string_equal(calls[4].id, closed);
    answer(4, 200);
    assert_int_equal(count_calls(), 6);
    assert_string_equal(calls[5].id, refunded);
    answer(5, 200);
    answer(2, 200);
    assert_int_equal(json_array_size(list("A1")), 4);
    assert_string_equal(support_text(json_array_get(list("A1"), 0), "id"), held);
    assert_string_equal(support_text(json_array_get(list("A1"), 3), "id"), refunded);
    assert_event("A1", refunded, "delivered", 1);
}

static void nor_do_older_ones_hold_up_another_try_of_paid(void **state)
{
    const char *paid;

    (void)state;
    tell(0, "A1", WXPAY_EVENT_QUARANTINED);
    answer(0, 500);
    forward(1);
    paid = tell(0, "A1", WXPAY_EVENT_PAID);
    answer(1, 500);
    forward(10);
    sweep(outbox);
    assert_int_equal(count_calls(), 4);
    assert_true(!strcmp(calls[2].id, paid) || !strcmp(calls[3].id, paid));
}

static void the_parked_and_the_unwanted_block_nothing(void **state)
{
    const char *held = tell(0, "A1", WXPAY_EVENT_QUARANTINED);
    const char *unwanted;

    (void)state;
    answer(0, 500);
    run_sql("UPDATE events SET state = 'parked'");
    forward(1);
    targets[0].types = ~WXPAY_EVENT_BIT(WXPAY_EVENT_OVERPAID);
    unwanted = tell(0, "A1", WXPAY_EVENT_OVERPAID);
    forward(1);
    tell(0, "A1", WXPAY_EVENT_CLOSED);
    assert_int_equal(count_calls(), 2);
    answer(1, 200);
    assert_event("A1", held, "parked", 1);
    assert_event("A1", unwanted, "unwanted", 0);
}

/* Nor does one that is not wanted any more; it waits for the day when it is. */
static void what_nobody_wants_today_waits_alone(void **state)
{
    const char *held = tell(0, "A1", WXPAY_EVENT_QUARANTINED);
    apr_uint64_t before;

    (void)state;
    answer(0, 500);
    targets[0].types = ~WXPAY_EVENT_BIT(WXPAY_EVENT_QUARANTINED);
    forward(1);
    tell(0, "A1", WXPAY_EVENT_CLOSED);
    assert_int_equal(count_calls(), 2);
    answer(1, 200);
    forward(100);
    before = commits();
    wxpay_outbox_sweep(outbox);
    assert_int_equal(commits(), before);
    assert_int_equal(count_calls(), 2);
    targets[0].types = ~0u;
    sweep(outbox);
    assert_int_equal(count_calls(), 3);
    assert_string_equal(calls[2].id, held);
}

static int erase_after(apr_interval_time_t keep)
{
    wxpay_error_t err;
    int erased;

    assert_int_equal(wxpay_retention_erase(kit->store, 0, now() - keep, 100, &erased, &err),
                     WXPAY_OK);
    return erased;
}

/* But not for ever: what it says is erased in its time, and it is not sent after that. */
static void what_nobody_wants_for_long_is_parked(void **state)
{
    const char *unwanted = tell(0, "A1", WXPAY_EVENT_CLOSED);
    const char *homeless = tell(1, "B1", WXPAY_EVENT_PAID);
    const char *wanted = tell(2, "C1", WXPAY_EVENT_PAID);
    int i;

    (void)state;
    for (i = 0; i < 3; i++) {
        answer(i, 500);
    }
    targets[0].types = ~WXPAY_EVENT_BIT(WXPAY_EVENT_CLOSED);
    atomic_store(&gone, accounts[1].site);
    forward(24 * 3600);
    sweep(outbox);
    assert_int_equal(count_calls(), 4);
    assert_int_equal(erase_after(apr_time_from_sec(24 * 3600 + 60)), 0);
    assert_int_equal(erase_after(apr_time_from_sec(3600)), 2);
    assert_event("A1", unwanted, "parked", 1);
    assert_event("B1", homeless, "parked", 1);
    assert_event("C1", wanted, "pending", 1);
    targets[0].types = ~0u;
    atomic_store(&gone, NULL);
    sweep(outbox);
    assert_int_equal(count_calls(), 4);
    assert_int_equal(resend(0, "A1", unwanted), WXPAY_ECONFLICT);
    answer(3, 500);
    assert_int_equal(erase_after(apr_time_from_sec(3600)), 0);
    forward(60);
    sweep(outbox);
    answer(4, 200);
    assert_event("C1", wanted, "delivered", 3);
}

/* ---- who is told ---- */

static void nobody_is_told_by_surprise(void **state)
{
    const char *start;
    const char *unwanted = write_event(outbox, 1, "A1", WXPAY_EVENT_CLOSED, &start);

    (void)state;
    assert_null(start);
    write_event(NULL, 1, "A2", WXPAY_EVENT_PAID, &start);
    assert_null(start);
    accounts[2].target = NULL;
    write_event(outbox, 2, "A3", WXPAY_EVENT_PAID, &start);
    assert_null(start);
    accounts[2].target = &targets[2];
    forward(100000);
    sweep(outbox);
    assert_int_equal(count_calls(), 0);
    assert_event("A1", unwanted, "unwanted", 0);
    assert_string_equal(support_text(json_array_get(list("A2"), 0), "state"), "unwanted");
    assert_string_equal(support_text(json_array_get(list("A3"), 0), "state"), "unwanted");
}

static void a_site_without_an_owner_waits_and_costs_nothing(void **state)
{
    const char *start;
    const char *first = write_event(outbox, 1, "A1", WXPAY_EVENT_PAID, &start);
    apr_uint64_t before;

    (void)state;
    write_event(outbox, 2, "A2", WXPAY_EVENT_PAID, &start);
    forward(20);
    atomic_store(&gone, accounts[1].site);
    sweep(outbox);
    assert_int_equal(count_calls(), 1);
    assert_string_equal(calls[0].url, targets[2].url);
    answer(0, 200);
    before = commits();
    wxpay_outbox_sweep(outbox);
    assert_int_equal(commits(), before);
    assert_event("A1", first, "pending", 0);
    accounts[1].target = NULL; /* it is back, but tells nobody */
    atomic_store(&gone, NULL);
    wxpay_outbox_sweep(outbox);
    assert_int_equal(commits(), before);
    accounts[1].target = &targets[1];
    sweep(outbox);
    assert_int_equal(count_calls(), 2);
    assert_string_equal(calls[1].id, first);
}

/* ---- places ---- */

static void a_hanging_application_delays_no_other(void **state)
{
    char number[16];
    const char *paid;
    int i;

    (void)state;
    for (i = 0; i < 20; i++) {
        snprintf(number, sizeof(number), "A%d", i);
        tell(1, number, WXPAY_EVENT_PAID);
    }
    assert_int_equal(count_calls(), 8);
    sweep(outbox);
    assert_int_equal(count_calls(), 8);
    paid = tell(2, "B1", WXPAY_EVENT_PAID);
    assert_int_equal(count_calls(), 9);
    assert_string_equal(calls[8].id, paid);
    sweep(other); /* what found no place is nobody's: another process has eight of its own */
    assert_int_equal(count_calls(), 17);
    answer(0, 200); /* the queue drains by itself */
    assert_int_equal(count_calls(), 18);
    for (i = 1; i < 21; i++) {
        answer(i, 200);
    }
    assert_int_equal(count_calls(), 21);
    for (i = 0; i < 20; i++) {
        snprintf(number, sizeof(number), "A%d", i);
        assert_string_equal(support_text(json_array_get(list(number), 0), "state"), "delivered");
    }
}

static void many_hanging_applications_leave_one_place_each(void **state)
{
    const char *start;
    int i, n;
    int of[SITES] = {0};

    (void)state;
    for (i = 0; i < SITES; i++) {
        for (n = 0; n < 9; n++) {
            write_event(outbox, i, apr_psprintf(pool, "A%d-%d", i, n), WXPAY_EVENT_PAID, &start);
        }
    }
    forward(20);
    sweep(outbox);
    assert_int_equal(count_calls(), WXPAY_OUTBOX_TRIES + SITES - WXPAY_OUTBOX_TRIES / 8);
    for (i = 0; i < count_calls(); i++) {
        for (n = 0; n < SITES; n++) {
            of[n] += !strcmp(calls[i].url, targets[n].url);
        }
    }
    for (n = 0; n < SITES; n++) {
        assert_in_range(of[n], 1, 8);
    }
}

static void a_full_transport_costs_no_try(void **state)
{
    wxpay_http_reply_t none = {.body = "", .request_id = "", .host = ""};
    wxpay_error_t busy;
    const char *id;
    int i;

    (void)state;
    refuses = WXPAY_EBUSY;
    id = tell(1, "A1", WXPAY_EVENT_PAID);
    for (i = 0; i < 10; i++) { /* more often than there are places */
        sweep(outbox);
    }
    refuses = WXPAY_OK;
    assert_int_equal(count_calls(), 0);
    sweep(outbox);
    assert_int_equal(count_calls(), 1);
    wxpay_error_set(&busy, WXPAY_EBUSY, "engine", "no turn in time");
    calls[0].done(calls[0].baton, &none, &busy);
    calls[0].done = NULL;
    settle();
    assert_event("A1", id, "pending", 0);
    sweep(other);
    assert_int_equal(count_calls(), 2);
    assert_int_equal(kit_said(kit, WXPAY_LOG_WARN, ""), 0);
    refuses = WXPAY_EINPUT; /* will never work: as if it had been refused over there */
    answer(1, 500);
    forward(10);
    sweep(outbox);
    refuses = WXPAY_OK;
    assert_event("A1", id, "pending", 2);
}

static void nothing_is_begun_after_a_stop(void **state)
{
    const char *start, *late;

    (void)state;
    write_event(outbox, 1, "A1", WXPAY_EVENT_PAID, &start);
    tell(1, "A2", WXPAY_EVENT_PAID);
    wxpay_outbox_stop(outbox);
    wxpay_outbox_start(outbox, start);
    settle();
    write_event(outbox, 1, "A3", WXPAY_EVENT_PAID, &late);
    assert_null(late);
    sweep(outbox);
    answer(0, 200);
    assert_int_equal(count_calls(), 1);
    sweep(other); /* nobody waits for the lease's end */
    assert_int_equal(count_calls(), 3);
}

static void nothing_due_costs_a_read(void **state)
{
    apr_uint64_t before;

    (void)state;
    tell(1, "A1", WXPAY_EVENT_PAID);
    answer(0, 500);
    before = commits();
    wxpay_outbox_sweep(outbox);
    wxpay_outbox_sweep(outbox);
    assert_int_equal(commits(), before);
}

/* ---- sending again ---- */

static void an_event_can_be_sent_again(void **state)
{
    const char *id = tell(1, "A1", WXPAY_EVENT_PAID);
    const char *unwanted = tell(1, "A1", WXPAY_EVENT_CLOSED);

    (void)state;
    assert_int_equal(resend(1, "A1", id), WXPAY_ECONFLICT); /* it is being sent */
    answer(0, 200);
    assert_int_equal(resend(1, "A1", id), WXPAY_OK);
    assert_int_equal(count_calls(), 2);
    assert_string_equal(calls[1].id, id);
    assert_string_equal(calls[1].body, calls[0].body);
    assert_int_equal(apr_atoi64(calls[1].timestamp), START + 1); /* no replay of the first */
    answer(1, 500);
    assert_event("A1", id, "pending", 2);
    assert_null(json_object_get(event("A1", id), "delivered_at"));
    assert_int_equal(resend(1, "A1", id), WXPAY_OK); /* not waiting for the schedule */
    assert_int_equal(count_calls(), 3);
    assert_int_equal(apr_atoi64(calls[2].timestamp), START + 2);
    answer(2, 200);
    forward(-3600); /* the clock was wrong and is set */
    assert_int_equal(resend(1, "A1", id), WXPAY_OK);
    assert_int_equal(apr_atoi64(calls[3].timestamp), START - 3600);
    answer(3, 200);
    forward(3600);
    assert_int_equal(resend(1, "A1", unwanted), WXPAY_ECONFLICT);
    targets[1].types = ~0u;
    assert_int_equal(resend(1, "A1", unwanted), WXPAY_OK);
    assert_int_equal(count_calls(), 5);
    assert_string_equal(calls[4].id, unwanted);
    answer(4, 200);
    assert_event("A1", unwanted, "delivered", 1);
    accounts[1].target = NULL;
    assert_int_equal(resend(1, "A1", id), WXPAY_ECONFLICT);
    accounts[1].target = &targets[1];
    assert_int_equal(resend(1, "A2", id), WXPAY_ENOTFOUND);
    assert_int_equal(resend(2, "A1", id), WXPAY_ENOTFOUND);
    assert_int_equal(resend(1, "A1", "evt_none"), WXPAY_ENOTFOUND);
    run_sql("UPDATE events SET body = NULL"); /* its time was over */
    assert_int_equal(resend(1, "A1", id), WXPAY_ECONFLICT);
    assert_int_equal(count_calls(), 5);
}

/* ---- the log ---- */

static void trouble_is_said_when_it_begins_and_when_it_ends(void **state)
{
    int i;

    (void)state;
    for (i = 0; i < 3; i++) {
        tell(1, apr_psprintf(pool, "A%d", i), WXPAY_EVENT_PAID);
        answer(i, 502);
    }
    assert_int_equal(kit_said(kit, WXPAY_LOG_WARN, "WXP0601: deliveries to app1.example fail"), 1);
    assert_int_equal(kit_said(kit, WXPAY_LOG_NOTICE, "WXP"), 0);
    tell(2, "B1", WXPAY_EVENT_PAID); /* another application is another matter */
    answer(3, 500);
    assert_int_equal(kit_said(kit, WXPAY_LOG_WARN, "WXP0601"), 2);
    forward(10);
    sweep(other); /* of another process */
    assert_int_equal(count_calls(), 8);
    for (i = 4; i < 8; i++) {
        answer(i, strstr(calls[i].url, "app1.") ? 200 : 500);
    }
    assert_int_equal(kit_said(kit, WXPAY_LOG_NOTICE, "WXP0602: deliveries to app1.example"), 1);
    assert_int_equal(kit_said(kit, WXPAY_LOG_NOTICE, "WXP"), 1);
    assert_int_equal(kit_said(kit, WXPAY_LOG_WARN, ""), 2);
    tell(1, "A9", WXPAY_EVENT_PAID);
    answer(8, 500);
    assert_int_equal(kit_said(kit, WXPAY_LOG_WARN, "WXP0601: deliveries to app1.example fail"), 2);
}

static void the_likely_cause_is_said(void **state)
{
    static const struct {
        int status;
        const char *failure;
        int tls;
        const char *cause;
    } cases[] = {
        {302, NULL, 0, "it answers 302: a redirect; WxPayDeliverTo must name the final address"},
        {401, NULL, 0, "it answers 401: a login"},
        {403, NULL, 0, "it answers 403: a login"},
        {404, NULL, 0, "WxPayDeliverKey must be the same"},
        {405, NULL, 0, "it does not take POST"},
        {500, NULL, 0, "its own error log"},
        {0, "app: certificate problem", 1, "certificate problem: WxPayDeliverCAFile"},
        {0, "app: Connection refused", 0, "fail (app: Connection refused)"},
        {199, NULL, 0, "fail (it answers 199)"},
    };
    int i;

    (void)state;
    for (i = 0; i < (int)(sizeof(cases) / sizeof(cases[0])); i++) {
        tell(1, apr_psprintf(pool, "A%d", i), WXPAY_EVENT_PAID);
        atomic_store(&down[1], 0);
        answer_with(i, cases[i].status, cases[i].failure, cases[i].tls);
        assert_int_equal(kit_said(kit, WXPAY_LOG_WARN, cases[i].cause), 1);
    }
    assert_int_equal(kit_said(kit, WXPAY_LOG_WARN, "?x=1"), 0); /* may be a secret of the site's */
}

#define test(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
#define inline_test(function) cmocka_unit_test_setup_teardown(function, setup_inline, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_delivery_says_what_standard_webhooks_want),
        inline_test(a_delivery_says_what_standard_webhooks_want),
        test(every_try_says_the_same_and_is_signed_afresh),
        test(three_days_and_then_it_is_parked),
        inline_test(three_days_and_then_it_is_parked),
        test(a_server_that_was_off_does_not_hurry),
        test(tries_are_kept_for_people),
        test(the_dead_keep_nothing),
        test(nor_do_the_dead_of_tomorrow),
        test(a_try_that_lost_its_lease_records_nothing),
        test(two_processes_never_make_the_same_try),
        inline_test(two_processes_never_make_the_same_try),
        test(what_is_undone_is_never_sent),
        test(an_orders_events_go_in_order_but_paid),
        test(nor_do_older_ones_hold_up_another_try_of_paid),
        test(the_parked_and_the_unwanted_block_nothing),
        test(what_nobody_wants_today_waits_alone),
        test(what_nobody_wants_for_long_is_parked),
        test(nobody_is_told_by_surprise),
        test(a_site_without_an_owner_waits_and_costs_nothing),
        test(a_hanging_application_delays_no_other),
        inline_test(a_hanging_application_delays_no_other),
        test(many_hanging_applications_leave_one_place_each),
        test(a_full_transport_costs_no_try),
        inline_test(a_full_transport_costs_no_try),
        test(nothing_is_begun_after_a_stop),
        test(nothing_due_costs_a_read),
        test(an_event_can_be_sent_again),
        inline_test(an_event_can_be_sent_again),
        test(trouble_is_said_when_it_begins_and_when_it_ends),
        test(the_likely_cause_is_said),
    };

    return cmocka_run_group_tests_name("outbox", tests, NULL, NULL);
}
