/* engine.c - all outbound HTTP of a process: accepting requests, the thread's start and end. */
#include "engine_int.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <apr_strings.h>

#define STEP "engine"
#define STOP_WAIT apr_time_from_sec(1)

/* Async-signal-safe. */
static void wake(wxpay_engine_t *engine)
{
    uint64_t one = 1;

    while (write(engine->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR) {
    }
}

static int spawn(wxpay_engine_t *engine)
{
    sigset_t all, before;
    int rc;

    /* The thread inherits the mask: a server's signals are for its own threads. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&engine->thread, NULL, wxpay_engine_loop, engine);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

static wxpay_rc_e start(wxpay_engine_t *engine, wxpay_error_t *err)
{
    char text[120];
    int rc = 0;

    pthread_mutex_lock(&engine->start_lock);
    if (atomic_load(&engine->thread_state) == WXPAY_THREAD_NONE) {
        /* Said first: a signal handler that stops us here must not take the engine for idle. */
        atomic_store(&engine->thread_state, WXPAY_THREAD_STARTING);
        rc = spawn(engine);
        atomic_store(&engine->thread_state, rc ? WXPAY_THREAD_NONE : WXPAY_THREAD_RUNNING);
    }
    pthread_mutex_unlock(&engine->start_lock);
    if (rc) {
        return wxpay_error_set(err, WXPAY_EINTERNAL, STEP, "no thread for outgoing calls: %s",
                               apr_strerror(rc, text, sizeof(text)));
    }
    return WXPAY_OK;
}

static int is_loopback(const char *host)
{
    return !strcmp(host, "localhost") || !strcmp(host, "[::1]") ||
           (!strncmp(host, "127.", 4) && strspn(host, "0123456789.") == strlen(host));
}

/* https, or http to this very machine. */
static int url_allowed(const char *url, const char *connect_to)
{
    char *host = NULL;
    CURLU *parsed;
    int allowed = 0;

    if (!strncmp(url, "https://", 8)) {
        return 1;
    }
    if (connect_to) {
        return !strncmp(url, "http://", 7);
    }
    if (strncmp(url, "http://", 7) || !(parsed = curl_url())) {
        return 0;
    }
    if (!curl_url_set(parsed, CURLUPART_URL, url, 0) &&
        !curl_url_get(parsed, CURLUPART_HOST, &host, 0)) {
        allowed = is_loopback(host);
        curl_free(host);
    }
    curl_url_cleanup(parsed);
    return allowed;
}

/* libcurl sends header lines as they are: one that holds a line break would be two. */
static int one_line(const char *text)
{
    const unsigned char *byte;

    for (byte = (const unsigned char *)text; *byte >= ' ' && *byte != 0x7f; byte++) {
    }
    return !*byte;
}

static int headers_allowed(const wxpay_http_request_t *request)
{
    const char *const *line;

    for (line = request->headers; line && *line; line++) {
        if (!one_line(*line) || !strchr(*line, ':')) {
            return 0;
        }
    }
    return one_line(request->content_type);
}

static wxpay_rc_e busy(wxpay_error_t *err, const char *why)
{
    wxpay_error_set(err, WXPAY_EBUSY, STEP, "%s", why);
    if (err) {
        err->flags = WXPAY_ERR_RETRY;
    }
    return WXPAY_EBUSY;
}

static wxpay_rc_e submit(void *impl, const wxpay_http_request_t *request, wxpay_http_done_fn *done,
                         void *baton, wxpay_error_t *err)
{
    wxpay_engine_t *engine = impl;
    wxpay_call_t *call;
    wxpay_rc_e rc;

    if (!url_allowed(request->url, request->connect_to)) {
        return wxpay_error_set(err, WXPAY_EINPUT, STEP,
                               "only https, or http to a loopback address, is called");
    }
    if (!headers_allowed(request)) {
        return wxpay_error_set(err, WXPAY_EINPUT, STEP, "a header that is not one line");
    }
    if (atomic_load(&engine->stopping)) {
        return busy(err, "the server is stopping");
    }
    if (atomic_load(&engine->thread_state) != WXPAY_THREAD_RUNNING) {
        rc = start(engine, err);
        if (rc != WXPAY_OK) {
            return rc;
        }
    }
    if (atomic_fetch_add(&engine->outstanding, 1) >= engine->max_calls + engine->max_queued) {
        atomic_fetch_sub(&engine->outstanding, 1);
        return busy(err, "too many calls are under way");
    }
    call = malloc(sizeof(*call));
    if (!call) {
        atomic_fetch_sub(&engine->outstanding, 1);
        return wxpay_error_set(err, WXPAY_EINTERNAL, STEP, "out of memory");
    }
    call->request = *request;
    call->done = done;
    call->baton = baton;
    call->next = atomic_load(&engine->submitted);
    while (!atomic_compare_exchange_weak(&engine->submitted, &call->next, call)) {
    }
    /* Only the one who finds it asleep pays for the system call. */
    if (atomic_exchange(&engine->asleep, 0)) {
        wake(engine);
    }
    return WXPAY_OK;
}

static void release(wxpay_engine_t *engine)
{
    wxpay_call_t *call, *next;

    for (call = atomic_exchange(&engine->submitted, NULL); call; call = next) {
        next = call->next;
        free(call);
    }
    close(engine->wake_fd);
    close(engine->epoll_fd);
    pthread_mutex_destroy(&engine->start_lock);
    free(engine);
}

static apr_status_t on_pool_end(void *data)
{
    wxpay_engine_t *engine = data;

    wxpay_engine_stop(engine, STOP_WAIT);
    /* A thread that hangs in a library may still come back to its memory: that stays then. */
    if (atomic_load(&engine->thread_state) == WXPAY_THREAD_NONE) {
        release(engine);
    }
    return APR_SUCCESS;
}

wxpay_rc_e wxpay_engine_create(apr_pool_t *pool, const wxpay_engine_options_t *options,
                               wxpay_engine_t **created, wxpay_error_t *err)
{
    wxpay_engine_t *engine = calloc(1, sizeof(*engine));
    struct epoll_event event = {.events = EPOLLIN};
    char text[120];

    if (!engine) {
        return wxpay_error_set(err, WXPAY_EINTERNAL, STEP, "out of memory");
    }
    engine->max_calls = options->max_calls;
    engine->max_queued = options->max_queued;
    apr_cpystrn(engine->user_agent, options->user_agent, sizeof(engine->user_agent));
    engine->transport.submit = submit;
    engine->transport.impl = engine;
    engine->waiting_end = &engine->waiting;
    atomic_flag_clear(&engine->joining);
    engine->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    engine->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    event.data.fd = engine->wake_fd;
    if (engine->wake_fd < 0 || engine->epoll_fd < 0 ||
        epoll_ctl(engine->epoll_fd, EPOLL_CTL_ADD, engine->wake_fd, &event) ||
        pthread_mutex_init(&engine->start_lock, NULL)) {
        wxpay_error_set(err, WXPAY_EINTERNAL, STEP, "no descriptors for outgoing calls: %s",
                        apr_strerror(errno, text, sizeof(text)));
        close(engine->wake_fd);
        close(engine->epoll_fd);
        free(engine);
        return WXPAY_EINTERNAL;
    }
    apr_pool_pre_cleanup_register(pool, engine, on_pool_end);
    *created = engine;
    return WXPAY_OK;
}

const wxpay_transport_t *wxpay_engine_transport(wxpay_engine_t *engine)
{
    return &engine->transport;
}

void wxpay_engine_stop(wxpay_engine_t *engine, apr_interval_time_t wait)
{
    struct timespec until;
    apr_time_t end;

    atomic_store(&engine->stopping, 1);
    if (atomic_load(&engine->thread_state) != WXPAY_THREAD_RUNNING ||
        atomic_flag_test_and_set(&engine->joining)) {
        return;
    }
    wake(engine);
    end = apr_time_now() + wait;
    until.tv_sec = apr_time_sec(end);
    until.tv_nsec = (long)apr_time_usec(end) * 1000;
    if (pthread_timedjoin_np(engine->thread, NULL, &until) == 0) {
        atomic_store(&engine->thread_state, WXPAY_THREAD_NONE);
    }
    atomic_flag_clear(&engine->joining);
}

void wxpay_engine_stats(wxpay_engine_t *engine, wxpay_engine_stats_t *stats)
{
    int active = atomic_load(&engine->active);
    int outstanding = atomic_load(&engine->outstanding);

    stats->calls = atomic_load(&engine->calls);
    stats->connections = atomic_load(&engine->connections);
    stats->active = (apr_uint32_t)active;
    stats->queued = outstanding > active ? (apr_uint32_t)(outstanding - active) : 0;
}
