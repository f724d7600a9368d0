/* engine_loop.c - the engine's thread: libcurl's sockets and timer on one epoll. */
#include "engine_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define MAX_EVENTS 64
#define LATE "too many calls are under way: no turn in time"
#define QUEUE_TICK apr_time_from_msec(100) /* how often start_by of those waiting is looked at */

/* libcurl's timer must not follow somebody who sets the clock. */
static apr_time_t monotonic(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return apr_time_from_sec(now.tv_sec) + now.tv_nsec / 1000;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *data, void *known)
{
    wxpay_engine_t *engine = data;
    struct epoll_event event = {0};

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(engine->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        curl_multi_assign(engine->multi, fd, NULL);
        return 0;
    }
    event.data.fd = fd;
    event.events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);
    /* libcurl may have closed the descriptor and got the same number again without a word. */
    if (epoll_ctl(engine->epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) != 0) {
        epoll_ctl(engine->epoll_fd, errno == ENOENT ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event);
    }
    curl_multi_assign(engine->multi, fd, engine);
    return 0;
}

static int on_timer(CURLM *multi, long ms, void *data)
{
    wxpay_engine_t *engine = data;

    (void)multi;
    engine->timer = ms < 0 ? 0 : monotonic() + apr_time_from_msec(ms);
    return 0;
}

/* Oldest first, behind those who wait already. */
static void take_submitted(wxpay_engine_t *engine)
{
    wxpay_call_t *call = atomic_exchange(&engine->submitted, NULL), *next, *oldest = NULL, *last;

    last = call;
    for (; call; call = next) {
        next = call->next;
        call->next = oldest;
        oldest = call;
    }
    if (oldest) {
        *engine->waiting_end = oldest;
        engine->waiting_end = &last->next;
    }
}

static wxpay_call_t *unlink_call(wxpay_engine_t *engine, wxpay_call_t **link)
{
    wxpay_call_t *call = *link;

    *link = call->next;
    if (!*link) {
        engine->waiting_end = link;
    }
    return call;
}

static void start_waiting(wxpay_engine_t *engine)
{
    wxpay_call_t *call;

    while (engine->waiting && atomic_load(&engine->active) < engine->max_calls) {
        call = unlink_call(engine, &engine->waiting);
        if (call->request.start_by && call->request.start_by <= apr_time_now()) {
            wxpay_call_refuse(engine, call, WXPAY_EBUSY, LATE);
        }
        else {
            wxpay_slot_start(engine, call);
        }
    }
}

static void drop_late(wxpay_engine_t *engine)
{
    wxpay_call_t **link = &engine->waiting;
    apr_time_t now = apr_time_now();

    while (*link) {
        if ((*link)->request.start_by && (*link)->request.start_by <= now) {
            wxpay_call_refuse(engine, unlink_call(engine, link), WXPAY_EBUSY, LATE);
        }
        else {
            link = &(*link)->next;
        }
    }
}

static void collect(wxpay_engine_t *engine)
{
    CURLMsg *msg;
    CURL *easy;
    CURLcode result;
    int left;

    while ((msg = curl_multi_info_read(engine->multi, &left))) {
        easy = msg->easy_handle; /* msg dies with the removal of the handle */
        result = msg->data.result;
        wxpay_slot_finish(engine, easy, result);
    }
}

static void run_timer(wxpay_engine_t *engine, apr_time_t now)
{
    int left;

    if (engine->timer && engine->timer <= now) {
        engine->timer = 0;
        curl_multi_socket_action(engine->multi, CURL_SOCKET_TIMEOUT, 0, &left);
    }
}

/* Milliseconds to sleep at most, rounded up, so that nothing spins. */
static int sleep_for(const wxpay_engine_t *engine, apr_time_t now)
{
    apr_time_t until = engine->timer;

    if (engine->waiting && atomic_load(&engine->active) < engine->max_calls) {
        return 0;
    }
    if (engine->waiting && (!until || until > now + QUEUE_TICK)) {
        until = now + QUEUE_TICK;
    }
    if (!until) {
        return -1;
    }
    return until <= now ? 0 : (int)((until - now + 999) / 1000);
}

static void wait_for_events(wxpay_engine_t *engine)
{
    struct epoll_event events[MAX_EVENTS];
    int count, i, action, left;
    uint64_t woken;

    /* Announce the sleep before the last look: whoever submits in between sees it and wakes us. */
    atomic_store(&engine->asleep, 1);
    if (atomic_load(&engine->submitted) || atomic_load(&engine->stopping)) {
        count = epoll_wait(engine->epoll_fd, events, MAX_EVENTS, 0);
    }
    else {
        count = epoll_wait(engine->epoll_fd, events, MAX_EVENTS, sleep_for(engine, monotonic()));
    }
    atomic_store(&engine->asleep, 0);
    for (i = 0; i < count && !atomic_load(&engine->stopping); i++) {
        if (events[i].data.fd == engine->wake_fd) {
            while (read(engine->wake_fd, &woken, sizeof(woken)) < 0 && errno == EINTR) {
            }
            continue;
        }
        action = (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                 (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                 (events[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
        curl_multi_socket_action(engine->multi, events[i].data.fd, action, &left);
    }
}

/* Without libcurl's memory there is nobody to run a call: answer them, so that nobody waits. */
static void refuse_all(wxpay_engine_t *engine)
{
    while (!atomic_load(&engine->stopping)) {
        take_submitted(engine);
        while (engine->waiting) {
            wxpay_call_refuse(engine, unlink_call(engine, &engine->waiting), WXPAY_EINTERNAL,
                              "libcurl does not start");
        }
        apr_sleep(QUEUE_TICK);
    }
}

static void serve(wxpay_engine_t *engine)
{
    apr_time_t now, tick = 0;

    while (!atomic_load(&engine->stopping)) {
        take_submitted(engine);
        start_waiting(engine);
        now = monotonic();
        run_timer(engine, now);
        collect(engine);
        if (engine->waiting && now >= tick) {
            drop_late(engine);
            tick = now + QUEUE_TICK;
        }
        wait_for_events(engine);
        collect(engine);
    }
}

void *wxpay_engine_loop(void *data)
{
    wxpay_engine_t *engine = data;

    pthread_setname_np(pthread_self(), "wxpay-engine");
    engine->multi = curl_multi_init();
    if (!engine->multi) {
        refuse_all(engine);
        return NULL;
    }
    curl_multi_setopt(engine->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(engine->multi, CURLMOPT_SOCKETDATA, engine);
    curl_multi_setopt(engine->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(engine->multi, CURLMOPT_TIMERDATA, engine);
    curl_multi_setopt(engine->multi, CURLMOPT_MAXCONNECTS, (long)engine->max_calls);
    serve(engine);
    while (engine->waiting) {
        free(unlink_call(engine, &engine->waiting));
    }
    wxpay_slots_destroy(engine);
    curl_multi_cleanup(engine->multi);
    return NULL;
}
