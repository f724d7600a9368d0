/* engine_int.h - shared by the files of engine only. */
#ifndef WXPAY_ENGINE_INT_H
#define WXPAY_ENGINE_INT_H

#include <pthread.h>
#include <stdatomic.h>
#include <curl/curl.h>
#include "engine.h"

/* An accepted request, from submit() to its start. */
typedef struct wxpay_call_t {
    struct wxpay_call_t *next;
    wxpay_http_request_t request;
    wxpay_http_done_fn *done;
    void *baton;
} wxpay_call_t;

enum { WXPAY_THREAD_NONE, WXPAY_THREAD_STARTING, WXPAY_THREAD_RUNNING };

/* A transfer handle with its buffers, re-used from call to call. */
typedef struct wxpay_slot_t {
    struct wxpay_slot_t *next;
    struct wxpay_slot_t **link; /* while busy: the pointer that points here */
    CURL *easy;
    wxpay_engine_t *engine;
    wxpay_http_done_fn *done;
    void *baton;

    /* What the handle is set to already: most calls change nothing of it. */
    struct curl_slist *headers;
    char content_type[128];        /* "": the headers are one call's own */
    const char *ca_pem;            /* by address: it outlives the engine */
    const char *proxy;             /* likewise */
    struct curl_slist *connect_to; /* NULL: the URL's host, verified */

    /* The reply so far. */
    char *body;
    apr_size_t body_len;
    apr_size_t body_cap;
    apr_size_t max_reply;
    apr_size_t header_bytes;
    int oversized;
    apr_time_t date;
    char request_id[80];
    char host[300];
    char error[CURL_ERROR_SIZE];
} wxpay_slot_t;

struct wxpay_engine_t {
    int max_calls;
    int max_queued;
    char user_agent[128];
    wxpay_transport_t transport;

    pthread_mutex_t start_lock; /* of the first start only */
    atomic_int thread_state;    /* WXPAY_THREAD_*: RUNNING until it is joined */
    pthread_t thread;
    atomic_int stopping;
    atomic_flag joining;

    _Atomic(wxpay_call_t *) submitted; /* newest first; taken as a whole */
    atomic_int asleep;                 /* the thread wants to be woken */
    atomic_int outstanding;            /* accepted and not finished */
    int wake_fd;
    int epoll_fd;
    atomic_uint_least64_t calls;
    atomic_uint_least64_t connections;
    atomic_int active;

    /* The thread's own. */
    CURLM *multi;
    apr_time_t timer; /* monotonic time when libcurl wants to be called; 0: not */
    wxpay_call_t *waiting;
    wxpay_call_t **waiting_end;
    wxpay_slot_t *free_slots;
    int free_count;
    wxpay_slot_t *busy_slots;
};

/* ---- engine_loop.c ---- */

/* The thread: runs until `stopping`. */
void *wxpay_engine_loop(void *engine);

/* ---- engine_request.c: the thread only; 0 or not ---- */

/* What never changes from call to call. */
int wxpay_slot_rules(wxpay_slot_t *slot);
int wxpay_slot_request(wxpay_slot_t *slot, const wxpay_http_request_t *request);

/* ---- engine_call.c: the thread only ---- */

/* Start a call (which it frees), or answer it at once if that cannot be done. */
void wxpay_slot_start(wxpay_engine_t *engine, wxpay_call_t *call);
/* The transfer of this handle ended with `result`: answer the call, keep the handle. */
void wxpay_slot_finish(wxpay_engine_t *engine, CURL *easy, CURLcode result);
/* Answer a call that was never started (and free it). */
void wxpay_call_refuse(wxpay_engine_t *engine, wxpay_call_t *call, wxpay_rc_e code,
                       const char *why);
/* End everything under way without a word. */
void wxpay_slots_destroy(wxpay_engine_t *engine);

#endif
