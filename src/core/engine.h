/* engine.h - all outbound HTTP of a process: one thread, one curl_multi, a bounded queue.
 * Keep-alive connections, TLS sessions and the parsed CA store are shared by every caller.
 *
 * Outbound rules: https (http only for loopback hosts), verification on (but for calls that are
 * connected to our own listener, transport.h), no redirects, TLS 1.2+,
 * NOSIGNAL, no proxy from the environment, size caps, error buffer. libcurl's silent resend on a
 * dead kept connection is harmless: every v2 call is idempotent per order number.
 * Threads: created in a child process after fork; the thread starts at first use and blocks all
 * signals. Submitting takes no lock but for that first start, and stop() takes none at all (prefork
 * runs it in a signal handler).
 * The caller has run curl_global_init() before anything here is used: the glue once in the parent,
 * a test in main().
 */
#ifndef WXPAY_ENGINE_H
#define WXPAY_ENGINE_H

#include <apr_pools.h>
#include "transport.h"

typedef struct wxpay_engine_t wxpay_engine_t;

typedef struct wxpay_engine_options_t {
    int max_calls;  /* under way at once; further ones queue */
    int max_queued; /* beyond this submit answers WXPAY_EBUSY at once */
    const char *user_agent;
} wxpay_engine_options_t;

typedef struct wxpay_engine_stats_t {
    apr_uint64_t calls;       /* finished */
    apr_uint64_t connections; /* made (TLS handshakes) */
    apr_uint32_t active;
    apr_uint32_t queued;
} wxpay_engine_stats_t;

/* No thread yet. options are copied. Lives in pool, whose end stops it if stop() has not.
 * Errors: WXPAY_EINTERNAL. */
wxpay_rc_e wxpay_engine_create(apr_pool_t *pool, const wxpay_engine_options_t *options,
                               wxpay_engine_t **engine, wxpay_error_t *err);
const wxpay_transport_t *wxpay_engine_transport(wxpay_engine_t *engine);
/* Ask the thread to end and wait at most `wait`. Unfinished calls get no callback: what they ask
 * stays SENT in the store, which is ambiguous and gets queried. Safe to call twice, from a signal
 * handler's context under prefork, and when no thread ever started. */
void wxpay_engine_stop(wxpay_engine_t *engine, apr_interval_time_t wait);
void wxpay_engine_stats(wxpay_engine_t *engine, wxpay_engine_stats_t *stats);

#endif
