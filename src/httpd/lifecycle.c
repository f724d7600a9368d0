#include "lifecycle.h"
#include "module.h"
#include "places.h"
#include "reconcile.h"
#include "retained.h"
#include "state.h"
#include "targets.h"
#include <ap_mpm.h>
#include <http_core.h>
#include <apr_global_mutex.h>
#include <apr_strings.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>
#include <util_mutex.h>

#define STORE_MUTEX "wxpay-store"
#define STOP_WAIT apr_time_from_sec(1)

/* The only mutable statics of the module; a cleanup of pconf forgets them. */
static struct {
    int active;                 /* some WxPay directive is there */
    mod_wxpay_inherited_t left; /* to the children */
    mod_wxpay_gate_t *gate;
    int max_calls;
    mod_wxpay_child_t *child; /* in a child process */
    mod_wxpay_log_limit_t dropped;
    atomic_int stopped; /* nothing new begins */
    atomic_int working;
    atomic_int ended; /* the child's objects are about to go */
} life;

int mod_wxpay_active(void)
{
    return life.active;
}

const mod_wxpay_child_t *mod_wxpay_child(void)
{
    return life.ended ? NULL : life.child;
}

/* Prefork's signal handler ends the process on top of a request, which therefore cannot end first.
 */
static int is_counted(mod_wxpay_work_e work)
{
    return work == MOD_WXPAY_CHORE || (life.child && life.child->threaded);
}

void mod_wxpay_work_begin(mod_wxpay_work_e work)
{
    if (is_counted(work)) {
        atomic_fetch_add(&life.working, 1);
    }
}

void mod_wxpay_work_end(mod_wxpay_work_e work)
{
    if (is_counted(work)) {
        atomic_fetch_sub(&life.working, 1);
    }
}

mod_wxpay_log_limit_t *mod_wxpay_dropped(void)
{
    return &life.dropped;
}

int mod_wxpay_stopping(void)
{
    return life.stopped;
}

const wxpay_secret_t *mod_wxpay_csrf_key(const mod_wxpay_server_t *cfg)
{
    return life.child->csrf[cfg->index];
}

const wxpay_secret_t *mod_wxpay_buyer_key(const mod_wxpay_server_t *cfg)
{
    return life.child->buyer[cfg->index];
}

int mod_wxpay_wait_begin(void)
{
    int granted = mod_wxpay_place_enter(life.left.shared, life.left.slot);

    atomic_fetch_add(
        granted ? &life.left.counters->waits_granted : &life.left.counters->waits_refused, 1);
    return granted;
}

void mod_wxpay_wait_end(void)
{
    mod_wxpay_place_leave(life.left.slot);
}

mod_wxpay_counters_t *mod_wxpay_counters(void)
{
    return life.left.counters;
}

mod_wxpay_gate_t *mod_wxpay_gate(void)
{
    return life.gate;
}

void mod_wxpay_load_now(mod_wxpay_load_t *load)
{
    mod_wxpay_load(life.left.shared, (apr_uint32_t)life.max_calls, load);
}

/* ---- before forking ---- */

int mod_wxpay_pre_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
    (void)plog;
    (void)ptemp;
    return ap_mutex_register(pconf, STORE_MUTEX, NULL, APR_LOCK_DEFAULT, 0) == APR_SUCCESS
               ? OK
               : HTTP_INTERNAL_SERVER_ERROR;
}

static apr_status_t forget(void *unused)
{
    (void)unused;
    memset(&life, 0, sizeof(life));
    return APR_SUCCESS;
}

/* The address this host talks to the world with. Connecting a datagram socket asks the routing
 * table and sends nothing. */
static const char *local_ip(apr_pool_t *p)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(9)};
    socklen_t len = sizeof(addr);
    char text[INET_ADDRSTRLEN];
    const char *ip = "127.0.0.1";
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    addr.sin_addr.s_addr = htonl(0xc0000201); /* 192.0.2.1, kept for documentation by RFC 5737 */
    if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 &&
        getsockname(fd, (struct sockaddr *)&addr, &len) == 0 &&
        inet_ntop(AF_INET, &addr.sin_addr, text, sizeof(text))) {
        ip = apr_pstrdup(p, text);
    }
    if (fd >= 0) {
        close(fd);
    }
    return ip;
}

static int merchants(const server_rec *s)
{
    int n = 0;

    for (; s; s = s->next) {
        n += mod_wxpay_config_server(s)->account != NULL;
    }
    return n;
}

static int is_threaded(void)
{
    int threaded = 0;

    ap_mpm_query(AP_MPMQ_IS_THREADED, &threaded);
    return threaded != AP_MPMQ_NOT_SUPPORTED;
}

static int threads_per_process(void)
{
    int threads = 1;

    ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads);
    return threads > 0 ? threads : 1;
}

/* What children need and only the parent can make. NULL or a sentence. */
static const char *prepare(apr_pool_t *pconf, server_rec *s, wxpay_secret_t **secret)
{
    const mod_wxpay_server_t *cfg = mod_wxpay_config_server(s);
    int processes = 1, slots = 1;
    wxpay_error_t unsaid;
    const char *err = mod_wxpay_state_prepare(pconf, cfg->state_dir, secret);

    if (err) {
        return err;
    }
    ap_mpm_query(AP_MPMQ_MAX_DAEMONS, &processes);
    ap_mpm_query(AP_MPMQ_HARD_LIMIT_DAEMONS, &slots);
    if (mod_wxpay_targets_keys(pconf, s, *secret, &unsaid) != WXPAY_OK) {
        return "no key for deliveries can be derived";
    }
    if (mod_wxpay_reconcile_register(pconf, s) != APR_SUCCESS) {
        return "mod_watchdog does not take us on";
    }
    if (mod_wxpay_shared_create(pconf, slots, processes * threads_per_process(),
                                threads_per_process(), mod_wxpay_config_servers(s),
                                &life.left.shared) != APR_SUCCESS) {
        return "there is no shared memory";
    }
    life.max_calls = cfg->max_calls;
    life.left.counters = mod_wxpay_counters_find();
    if (!life.left.counters) {
        return "there is no shared memory to count in";
    }
    if (!is_threaded() && ap_global_mutex_create(&life.left.mutex, NULL, STORE_MUTEX, NULL, s,
                                                 pconf, 0) != APR_SUCCESS) {
        return "the mutex wxpay-store cannot be made; see the Mutex directive";
    }
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? NULL : "libcurl does not start";
}

static void say_warnings(apr_pool_t *pconf, server_rec *s)
{
    const apr_array_header_t *list = mod_wxpay_config_warnings(pconf);
    int i;

    for (i = 0; list && i < list->nelts; i++) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s, "%s", APR_ARRAY_IDX(list, i, const char *));
    }
}

int mod_wxpay_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    wxpay_secret_t *secret = NULL;
    const char *err;

    (void)plog;
    (void)ptemp;
    if (!mod_wxpay_config_present(pconf) ||
        ap_state_query(AP_SQ_MAIN_STATE) != AP_SQ_MS_CREATE_CONFIG) {
        return OK;
    }
    apr_pool_cleanup_register(pconf, NULL, forget, apr_pool_cleanup_null);
    life.active = 1;
    say_warnings(pconf, s);
    mod_wxpay_config_resolve(pconf, s, local_ip(pconf));
    life.gate = mod_wxpay_retained("mod_wxpay_gate", sizeof(*life.gate));
    if (!life.gate) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s,
                     "WXP0801: deliveries are not let in until the server is restarted: there is "
                     "no shared memory to remember them in");
    }
    if (!merchants(s)) {
        return OK;
    }
    err = prepare(pconf, s, &secret);
    if (err) {
        /* A failing post_config would end a server that runs (graceful restart); payment paths
         * answer 503 instead. */
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s,
                     "WXP0002: payments are off until this is mended and the server restarted: %s",
                     err);
        return OK;
    }
    life.left.secret = secret;
    ap_log_error(
        APLOG_MARK, APLOG_NOTICE, 0, s,
        "WXP0001: mod_wxpay/" MOD_WXPAY_VERSION " configured for %d server%s, orders in %s",
        merchants(s), merchants(s) == 1 ? "" : "s", mod_wxpay_config_server(s)->store_path);
    return OK;
}

/* ---- in a child ---- */

/* Prefork destroys its pool inside the signal handler, so nothing in here takes a lock that a
 * request may hold, and nobody waits for a request that the handler has interrupted. */
static void stop_child(void)
{
    apr_time_t end = apr_time_now() + STOP_WAIT;
    apr_time_t left;

    if (life.stopped) {
        return;
    }
    life.stopped = 1;
    wxpay_flow_stop(life.child->flow);
    wxpay_outbox_stop(life.child->outbox);
    wxpay_engine_stop(life.child->engine, STOP_WAIT);
    left = end - apr_time_now();
    wxpay_engine_stop(life.child->courier, left > 0 ? left : 0);
    left = end - apr_time_now();
    wxpay_store_stop(life.child->store, left > 0 ? left : 0);
    while (life.child->threaded && mod_wxpay_place_taken(life.left.slot) && apr_time_now() < end) {
        apr_sleep(apr_time_from_msec(10));
    }
    if (apr_time_now() >= end) {
        /* A thread of ours still runs on memory that is about to go, or requests still wait for
         * answers that will not come. What was asked for stays SENT in the store and is queried
         * later. */
        _exit(0);
    }
}

/* httpd joins its own workers before the pool goes, but neither mod_http2's nor mod_watchdog's. */
static void end_work(void)
{
    apr_time_t give_up = apr_time_now() + STOP_WAIT;

    life.ended = 1;
    while (life.working > 0) {
        if (apr_time_now() >= give_up) {
            _exit(0); /* as in stop_child() */
        }
        apr_sleep(apr_time_from_msec(10));
    }
}

static apr_status_t stop_with_pool(void *unused)
{
    (void)unused;
    stop_child();
    end_work();
    if (life.left.slot) {
        mod_wxpay_slot_give_back(life.left.slot);
    }
    return APR_SUCCESS;
}

void mod_wxpay_child_init(apr_pool_t *pchild, server_rec *s)
{
    mod_wxpay_child_t *child;
    wxpay_error_t err;

    if (!life.left.secret) {
        return;
    }
    child = apr_pcalloc(pchild, sizeof(*child));
    child->threads = threads_per_process();
    child->threaded = is_threaded();
    wxpay_error_clear(&err);
    if (mod_wxpay_child_start(pchild, s, &life.left, child, &err) != WXPAY_OK) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s,
                     "WXP0003: this process cannot take payments: %s: %s", err.step, err.detail);
        return;
    }
    life.left.slot = mod_wxpay_slot_take(life.left.shared, (apr_uint32_t)getpid());
    life.child = child;
    apr_pool_pre_cleanup_register(pchild, NULL, stop_with_pool);
}

void mod_wxpay_child_stopping(apr_pool_t *pchild, int graceful)
{
    (void)pchild;
    /* Gracefully, requests under way still need the engine: the pool's cleanup stops it. */
    if (!graceful && life.child) {
        stop_child();
    }
}
