/* test_engine.c - outbound calls over real sockets. */
#include "support.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <curl/curl.h>

#include <apr_strings.h>

#include "engine.h"
#include "loopback.h"

#define SUBMITTERS 200
#define CALLS_EACH 5

/* One call and what came of it. */
typedef struct call_t {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    int dones;
    int status;
    int sent;
    int tls;
    apr_time_t date;
    wxpay_error_t err;
    char body[1024];
    char request_id[64];
    char host[64];
    sigset_t mask; /* of the thread that answered */
    wxpay_http_request_t request;
    const wxpay_transport_t *again; /* submit `request` once more from within the answer */
} call_t;

static apr_pool_t *pool;
static loopback_t *server;
static wxpay_engine_t *engine;
static const wxpay_transport_t *transport;

static void on_done(void *baton, const wxpay_http_reply_t *reply, const wxpay_error_t *err)
{
    call_t *call = baton;
    const wxpay_transport_t *again = call->again;

    if (again) {
        call->again = NULL;
        assert_int_equal(again->submit(again->impl, &call->request, on_done, call, NULL), WXPAY_OK);
        return;
    }
    pthread_mutex_lock(&call->lock);
    call->dones++;
    call->status = reply->status;
    call->sent = reply->sent;
    call->tls = reply->tls;
    call->date = reply->date;
    call->err = *err;
    apr_cpystrn(call->body, reply->body, sizeof(call->body));
    apr_cpystrn(call->request_id, reply->request_id, sizeof(call->request_id));
    apr_cpystrn(call->host, reply->host, sizeof(call->host));
    pthread_sigmask(SIG_SETMASK, NULL, &call->mask);
    pthread_cond_signal(&call->cond);
    pthread_mutex_unlock(&call->lock);
}

static void call_init(call_t *call, const char *url)
{
    memset(call, 0, sizeof(*call));
    pthread_mutex_init(&call->lock, NULL);
    pthread_cond_init(&call->cond, NULL);
    call->request.url = url;
    call->request.content_type = "text/xml; charset=utf-8";
    call->request.body = "<xml>hello</xml>";
    call->request.body_len = 16;
    call->request.ca_pem = loopback_ca_pem(server);
    call->request.timeout = apr_time_from_sec(100); /* valgrind on a busy machine is slow */
    call->request.connect_timeout = apr_time_from_sec(100);
    call->request.max_reply = 65536;
}

static wxpay_rc_e start(call_t *call)
{
    wxpay_error_t err;

    return transport->submit(transport->impl, &call->request, on_done, call, &err);
}

static void await(call_t *call)
{
    pthread_mutex_lock(&call->lock);
    while (!call->dones) {
        pthread_cond_wait(&call->cond, &call->lock);
    }
    pthread_mutex_unlock(&call->lock);
    assert_int_equal(call->dones, 1);
}

static void run(call_t *call)
{
    assert_int_equal(start(call), WXPAY_OK);
    await(call);
}

static void run_path(call_t *call, const char *path)
{
    call_init(call, loopback_url(server, path));
    run(call);
}

/* No usable reply, and who knows what the other side did. */
static void assert_ambiguous(const call_t *call)
{
    assert_int_equal(call->err.code, WXPAY_ENET);
    assert_int_equal(call->err.flags, WXPAY_ERR_RETRY | WXPAY_ERR_AMBIGUOUS);
    assert_int_equal(call->sent, 1);
    assert_int_equal(call->status, 0);
    assert_string_equal(call->body, "");
    assert_string_not_equal(call->err.detail, "");
}

static void assert_unsent(const call_t *call)
{
    assert_int_equal(call->err.code, WXPAY_ENET);
    assert_int_equal(call->err.flags, WXPAY_ERR_RETRY);
    assert_int_equal(call->sent, 0);
}

static void make_engine(int max_calls, int max_queued)
{
    wxpay_engine_options_t options = {max_calls, max_queued, "test"};
    wxpay_error_t err;

    assert_int_equal(wxpay_engine_create(pool, &options, &engine, &err), WXPAY_OK);
    transport = wxpay_engine_transport(engine);
}

static int setup_with(void **state, int tls)
{
    if (support_setup(state)) {
        return -1;
    }
    pool = *state;
    server = loopback_start(pool, tls);
    make_engine(64, 2000);
    return 0;
}

static int setup(void **state)
{
    return setup_with(state, 0);
}

static int setup_tls(void **state)
{
    return setup_with(state, 1);
}

static int teardown(void **state)
{
    wxpay_engine_stop(engine, apr_time_from_sec(1));
    loopback_stop(server);
    return support_teardown(state);
}

/* ---- replies ---- */

static void a_reply_arrives_whole(void **state)
{
    call_t call;
    sigset_t all;
    int i;

    (void)state;
    run_path(&call, "/echo");
    assert_int_equal(call.err.code, WXPAY_OK);
    assert_int_equal(call.status, 200);
    assert_int_equal(call.sent, 1);
    assert_string_equal(call.body, "<xml>hello</xml>");
    assert_string_equal(call.request_id, "REQ 1");
    assert_int_equal(apr_time_sec(call.date), 1795489500);
    assert_memory_equal(call.host, "127.0.0.1:", 10);
    sigfillset(&all);
    for (i = 1; i < 32; i++) {
        if (i != SIGKILL && i != SIGSTOP) {
            assert_int_equal(sigismember(&call.mask, i), 1);
        }
    }
}

static void other_statuses_are_replies_too(void **state)
{
    call_t call;

    (void)state;
    run_path(&call, "/status/502");
    assert_int_equal(call.err.code, WXPAY_OK);
    assert_int_equal(call.status, 502);
    run_path(&call, "/redirect");
    assert_int_equal(call.err.code, WXPAY_OK);
    assert_int_equal(call.status, 302);
    assert_int_equal(loopback_requests(server), 2);
}

static void connections_are_kept(void **state)
{
    wxpay_engine_stats_t stats;
    call_t call;
    int i;

    (void)state;
    for (i = 0; i < 20; i++) {
        run_path(&call, "/echo");
        assert_int_equal(call.status, 200);
    }
    assert_int_equal(loopback_connections(server), 1);
    wxpay_engine_stats(engine, &stats);
    assert_int_equal(stats.calls, 20);
    assert_int_equal(stats.connections, 1);
    assert_int_equal(stats.active, 0);
    assert_int_equal(stats.queued, 0);
}

static void a_kept_connection_that_died_costs_nothing(void **state)
{
    call_t call;
    int i;

    (void)state;
    for (i = 0; i < 3; i++) {
        run_path(&call, "/once");
        assert_int_equal(call.status, 200);
    }
}

static void an_answer_may_ask_again(void **state)
{
    call_t call;

    (void)state;
    call_init(&call, loopback_url(server, "/echo"));
    call.again = transport;
    run(&call);
    assert_int_equal(call.status, 200);
    assert_int_equal(loopback_requests(server), 2);
}

static void headers_are_one_calls_own(void **state)
{
    static const char *const headers[] = {"webhook-id: evt_1", "webhook-timestamp: 7", NULL};
    call_t call;

    (void)state;
    run_path(&call, "/head");
    assert_null(strstr(call.body, "webhook"));
    call_init(&call, loopback_url(server, "/head"));
    call.request.headers = headers;
    call.request.content_type = "application/json";
    run(&call);
    assert_non_null(strstr(call.body, "\r\nwebhook-id: evt_1\r\n"));
    assert_non_null(strstr(call.body, "\r\nwebhook-timestamp: 7\r\n"));
    assert_non_null(strstr(call.body, "\r\nContent-Type: application/json\r\n"));
    assert_null(strstr(call.body, "Expect"));
    /* the same handle again, as the same connection shows */
    run_path(&call, "/head");
    assert_null(strstr(call.body, "webhook"));
    assert_non_null(strstr(call.body, "\r\nContent-Type: text/xml; charset=utf-8\r\n"));
    call_init(&call, loopback_url(server, "/head"));
    call.request.headers = headers + 1;
    run(&call);
    assert_null(strstr(call.body, "webhook-id"));
    assert_non_null(strstr(call.body, "\r\nwebhook-timestamp: 7\r\n"));
    assert_int_equal(loopback_connections(server), 1);
}

static void a_header_is_one_line(void **state)
{
    static const char *const refused[] = {"a: b\r\nc: d", "a: b\n", "a: b\rc", "no colon",
                                          "a: b\x7f"};
    call_t call;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        const char *headers[] = {"good: one", refused[i], NULL};

        call_init(&call, loopback_url(server, "/head"));
        call.request.headers = headers;
        assert_int_equal(start(&call), WXPAY_EINPUT);
    }
    call_init(&call, loopback_url(server, "/head"));
    call.request.content_type = "text/xml\r\na: b";
    assert_int_equal(start(&call), WXPAY_EINPUT);
    assert_int_equal(loopback_connections(server), 0);
}

/* ---- this server's own listener ---- */

/* "127.0.0.1:port" */
static const char *listener(void)
{
    const char *host = strstr(loopback_url(server, ""), "//") + 2;

    return host;
}

static void a_listener_of_ours_goes_by_any_name(void **state)
{
    call_t call;

    (void)state;
    call_init(&call, "http://shop.example/head");
    assert_int_equal(start(&call), WXPAY_EINPUT);
    call.request.connect_to = listener();
    run(&call);
    assert_int_equal(call.status, 200);
    assert_non_null(strstr(call.body, "\r\nHost: shop.example\r\n"));
    assert_string_equal(call.host, "shop.example");
    call_init(&call, "ftp://shop.example/");
    call.request.connect_to = listener();
    assert_int_equal(start(&call), WXPAY_EINPUT);
    /* and the next one goes where its URL says */
    call_init(&call, "https://nowhere.invalid/");
    run(&call);
    assert_unsent(&call);
    assert_int_equal(loopback_requests(server), 1);
}

/* One handle, and connections to the same host and port: verified ones and others never mix. */
static void trust_in_our_own_listener_ends_with_its_call(void **state)
{
    call_t call;
    int i;

    (void)state;
    for (i = 0; i < 2; i++) {
        call_init(&call, "https://shop.example/head"); /* a name its certificate does not have */
        call.request.ca_pem = NULL;
        call.request.connect_to = listener();
        run(&call);
        assert_int_equal(call.status, 200);
        assert_non_null(strstr(call.body, "\r\nHost: shop.example\r\n"));
        call_init(&call, loopback_url(server, "/echo"));
        call.request.ca_pem = NULL;
        call.request.connect_to = listener();
        run(&call);
        assert_int_equal(call.status, 200);
        assert_int_equal(loopback_requests(server), 3 * i + 2);
        /* the very same URL, in earnest */
        call_init(&call, loopback_url(server, "/echo"));
        call.request.ca_pem = NULL;
        run(&call);
        assert_unsent(&call);
        assert_int_equal(call.tls, 1);
        assert_int_equal(loopback_requests(server), 3 * i + 2);
        run_path(&call, "/echo");
        assert_int_equal(call.status, 200);
    }
    /* only the verified one was kept */
    assert_int_equal(loopback_connections(server), 1 + 4 /* to ourselves */ + 2 /* refused */);
}

/* ---- failures ---- */

static void an_exchange_that_breaks_is_ambiguous(void **state)
{
    static const char *const paths[] = {"/cut", "/drop", "/huge", "/endless"};
    call_t call;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        run_path(&call, paths[i]);
        assert_ambiguous(&call);
        if (i >= 2) {
            assert_non_null(strstr(call.err.detail, "too large"));
        }
    }
    run_path(&call, "/echo");
    assert_int_equal(call.status, 200);
}

static void a_reply_of_just_the_limit_fits(void **state)
{
    call_t call;

    (void)state;
    call_init(&call, loopback_url(server, "/echo"));
    call.request.max_reply = 16;
    run(&call);
    assert_int_equal(call.err.code, WXPAY_OK);
    call_init(&call, loopback_url(server, "/echo"));
    call.request.max_reply = 15;
    run(&call);
    assert_ambiguous(&call);
}

static void time_runs_out(void **state)
{
    apr_time_t began = apr_time_now();
    call_t call;

    (void)state;
    call_init(&call, loopback_url(server, "/stall"));
    call.request.timeout = apr_time_from_msec(200);
    run(&call);
    assert_ambiguous(&call);
    assert_in_range(apr_time_now() - began, apr_time_from_msec(190), apr_time_from_sec(5));
}

/* A port that nobody listens on. */
static const char *closed_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    return apr_psprintf(pool, "https://127.0.0.1:%d/", ntohs(address.sin_port));
}

static void what_never_left_is_known(void **state)
{
    call_t call;

    (void)state;
    call_init(&call, closed_port());
    run(&call);
    assert_unsent(&call);
    call_init(&call, "https://nowhere.invalid/");
    run(&call);
    assert_unsent(&call);
    /* a plain server never answers a TLS hello: still nothing of the request was sent */
    call_init(&call, apr_pstrcat(pool, "https", loopback_url(server, "/echo") + 4, NULL));
    call.request.connect_timeout = apr_time_from_msec(200);
    run(&call);
    assert_unsent(&call);
    assert_int_equal(loopback_requests(server), 0);
}

static void only_https_or_loopback(void **state)
{
    static const char *const refused[] = {
        "http://api.mch.weixin.qq.com/",  "http://192.0.2.1/",        "ftp://127.0.0.1/",
        "http://127.0.0.1@192.0.2.1/",    "file:///etc/motd",         "127.0.0.1",
        "http://localhost.evil.example/", "http://127.evil.example/", "",
    };
    call_t call;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        call_init(&call, refused[i]);
        assert_int_equal(start(&call), WXPAY_EINPUT);
    }
    assert_int_equal(call.dones, 0);
}

static void the_environments_proxy_is_not_used(void **state)
{
    call_t call;

    (void)state;
    setenv("http_proxy", "http://127.0.0.1:1/", 1);
    setenv("all_proxy", "http://127.0.0.1:1/", 1);
    run_path(&call, "/echo");
    assert_int_equal(call.status, 200);
    unsetenv("http_proxy");
    unsetenv("all_proxy");
}

/* ---- TLS ---- */

static void tls_is_verified_and_kept(void **state)
{
    call_t call;
    int i;

    (void)state;
    for (i = 0; i < 5; i++) {
        run_path(&call, "/echo");
        assert_int_equal(call.err.code, WXPAY_OK);
        assert_string_equal(call.body, "<xml>hello</xml>");
    }
    assert_int_equal(loopback_connections(server), 1);
}

/* However often that happens: libcurl itself gives up at the sixth time. */
static void kept_connections_may_die_for_ever(void **state)
{
    call_t call;
    int i;

    (void)state;
    for (i = 0; i < 14; i++) {
        call_init(&call, loopback_url(server, "/bye"));
        call.request.ca_pem = loopback_ca_pem(server);
        run(&call);
        assert_int_equal(call.err.code, WXPAY_OK);
        assert_int_equal(call.status, 200);
    }
    assert_int_equal(loopback_connections(server), 14);
}

static void a_stranger_gets_nothing(void **state)
{
    call_t call;

    (void)state;
    call_init(&call, loopback_url(server, "/echo"));
    call.request.ca_pem = NULL; /* the system's do not know it */
    run(&call);
    assert_unsent(&call);
    /* the right certificate for another name */
    call_init(&call, apr_pstrcat(pool, "https://localhost",
                                 strrchr(loopback_url(server, "/echo"), ':'), NULL));
    run(&call);
    assert_unsent(&call);
    assert_int_equal(loopback_requests(server), 0);
    run_path(&call, "/echo");
    assert_int_equal(call.status, 200);
    /* a kept, verified connection is not for a call that trusts others */
    call_init(&call, loopback_url(server, "/echo"));
    call.request.ca_pem = NULL;
    run(&call);
    assert_unsent(&call);
}

/* ---- the queue ---- */

static void a_full_queue_says_so(void **state)
{
    call_t calls[4];
    wxpay_engine_stats_t stats;
    int i;

    (void)state;
    make_engine(1, 2);
    for (i = 0; i < 4; i++) {
        call_init(&calls[i], loopback_url(server, "/slow/300"));
    }
    assert_int_equal(start(&calls[0]), WXPAY_OK);
    assert_int_equal(start(&calls[1]), WXPAY_OK);
    assert_int_equal(start(&calls[2]), WXPAY_OK);
    assert_int_equal(start(&calls[3]), WXPAY_EBUSY);
    wxpay_engine_stats(engine, &stats);
    assert_int_equal(stats.active + stats.queued, 3);
    for (i = 0; i < 3; i++) {
        await(&calls[i]);
        assert_int_equal(calls[i].status, 200);
    }
    assert_int_equal(start(&calls[3]), WXPAY_OK);
    await(&calls[3]);
    assert_int_equal(loopback_connections(server), 1);
}

static void a_turn_may_come_too_late(void **state)
{
    call_t first, late, patient;

    (void)state;
    make_engine(1, 10);
    call_init(&first, loopback_url(server, "/slow/800"));
    call_init(&late, loopback_url(server, "/echo"));
    call_init(&patient, loopback_url(server, "/echo"));
    late.request.start_by = apr_time_now() + apr_time_from_msec(150);
    patient.request.start_by = apr_time_now() + apr_time_from_sec(60);
    assert_int_equal(start(&first), WXPAY_OK);
    assert_int_equal(start(&late), WXPAY_OK);
    assert_int_equal(start(&patient), WXPAY_OK);
    await(&late);
    assert_int_equal(late.err.code, WXPAY_EBUSY);
    assert_int_equal(late.err.flags, WXPAY_ERR_RETRY);
    assert_int_equal(late.sent, 0);
    assert_int_equal(first.dones, 0);
    await(&first);
    await(&patient);
    assert_int_equal(patient.status, 200);
    assert_int_equal(loopback_requests(server), 2);
}

typedef struct crowd_t {
    const char *url;
    atomic_int good;
} crowd_t;

static void *submit_some(void *data)
{
    crowd_t *crowd = data;
    char body[64];
    call_t call;
    int i;

    for (i = 0; i < CALLS_EACH; i++) {
        call_init(&call, crowd->url);
        call.request.body_len = (apr_size_t)snprintf(body, sizeof(body), "%p-%d", (void *)body, i);
        call.request.body = body;
        if (start(&call) != WXPAY_OK) {
            continue;
        }
        await(&call);
        if (call.status == 200 && !strcmp(call.body, body)) {
            atomic_fetch_add(&crowd->good, 1);
        }
        else {
            print_message("%d %s %s\n", call.status, call.err.detail, call.body);
        }
    }
    return NULL;
}

static void many_at_once(void **state)
{
    pthread_t threads[SUBMITTERS];
    wxpay_engine_stats_t stats;
    crowd_t crowd = {loopback_url(server, "/echo"), 0};
    int i;

    (void)state;
    for (i = 0; i < SUBMITTERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, submit_some, &crowd), 0);
    }
    for (i = 0; i < SUBMITTERS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(atomic_load(&crowd.good), SUBMITTERS * CALLS_EACH);
    wxpay_engine_stats(engine, &stats);
    assert_int_equal(stats.calls, SUBMITTERS * CALLS_EACH);
    assert_int_equal(stats.active + stats.queued, 0);
    assert_true(loopback_connections(server) <= 64);
}

/* ---- the end ---- */

static void stopping_is_quick_whatever_is_under_way(void **state)
{
    call_t calls[100];
    apr_time_t began;
    int i;

    (void)state;
    for (i = 0; i < 100; i++) {
        call_init(&calls[i], loopback_url(server, "/stall"));
        assert_int_equal(start(&calls[i]), WXPAY_OK);
    }
    while (loopback_requests(server) < 64) {
        usleep(1000);
    }
    began = apr_time_now();
    wxpay_engine_stop(engine, apr_time_from_sec(10)); /* it takes some ms, unless a tool slows it */
    assert_true(apr_time_now() - began < apr_time_from_sec(3));
    for (i = 0; i < 100; i++) {
        assert_int_equal(calls[i].dones, 0);
    }
    assert_int_equal(start(&calls[0]), WXPAY_EBUSY);
    wxpay_engine_stop(engine, apr_time_from_sec(1));
}

static void stopping_what_never_started(void **state)
{
    wxpay_engine_t *running = engine;
    call_t call;

    (void)state;
    make_engine(4, 4);
    wxpay_engine_stop(engine, apr_time_from_sec(1));
    call_init(&call, loopback_url(server, "/echo"));
    assert_int_equal(start(&call), WXPAY_EBUSY);
    engine = running;
}

typedef struct hold_t {
    atomic_int entered;
    atomic_int leave;
} hold_t;

static void hold_thread(void *baton, const wxpay_http_reply_t *reply, const wxpay_error_t *err)
{
    hold_t *hold = baton;

    (void)reply;
    (void)err;
    atomic_store(&hold->entered, 1);
    while (!atomic_load(&hold->leave)) {
        usleep(1000);
    }
}

static void stopping_waits_no_longer_than_told(void **state)
{
    static hold_t hold; /* outlives this function on the engine's thread */
    apr_time_t began, took;
    wxpay_error_t err;
    call_t call;

    (void)state;
    call_init(&call, loopback_url(server, "/echo"));
    assert_int_equal(transport->submit(transport->impl, &call.request, hold_thread, &hold, &err),
                     WXPAY_OK);
    while (!atomic_load(&hold.entered)) {
        usleep(1000);
    }
    began = apr_time_now();
    wxpay_engine_stop(engine, apr_time_from_msec(200));
    took = apr_time_now() - began;
    atomic_store(&hold.leave, 1);
    assert_in_range(took, apr_time_from_msec(190), apr_time_from_sec(5));
}

#define plain(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
#define tls(function) cmocka_unit_test_setup_teardown(function, setup_tls, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        plain(a_reply_arrives_whole),
        plain(other_statuses_are_replies_too),
        plain(connections_are_kept),
        plain(a_kept_connection_that_died_costs_nothing),
        plain(an_answer_may_ask_again),
        plain(headers_are_one_calls_own),
        plain(a_header_is_one_line),
        plain(a_listener_of_ours_goes_by_any_name),
        tls(trust_in_our_own_listener_ends_with_its_call),
        plain(an_exchange_that_breaks_is_ambiguous),
        plain(a_reply_of_just_the_limit_fits),
        plain(time_runs_out),
        plain(what_never_left_is_known),
        plain(only_https_or_loopback),
        plain(the_environments_proxy_is_not_used),
        tls(tls_is_verified_and_kept),
        tls(kept_connections_may_die_for_ever),
        tls(a_stranger_gets_nothing),
        plain(a_full_queue_says_so),
        plain(a_turn_may_come_too_late),
        plain(many_at_once),
        tls(many_at_once),
        plain(stopping_is_quick_whatever_is_under_way),
        tls(stopping_is_quick_whatever_is_under_way),
        plain(stopping_what_never_started),
        plain(stopping_waits_no_longer_than_told),
    };

    signal(SIGPIPE, SIG_IGN); /* of the server's TLS side */
    curl_global_init(CURL_GLOBAL_DEFAULT);
    return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
