#include "child.h"
#include "module.h"
#include "store_sqlite.h"
#include "targets.h"
#include "token.h"
#include <apr_atomic.h>
#include <apr_global_mutex.h>

#define STORE_TIMEOUT apr_time_from_sec(2)

static const int levels[] = {[WXPAY_LOG_ERR] = APLOG_ERR,       [WXPAY_LOG_WARN] = APLOG_WARNING,
                             [WXPAY_LOG_NOTICE] = APLOG_NOTICE, [WXPAY_LOG_INFO] = APLOG_INFO,
                             [WXPAY_LOG_DEBUG] = APLOG_DEBUG,   [WXPAY_LOG_TRACE] = APLOG_TRACE1};

static int log_wants(void *baton, wxpay_log_level_e level)
{
    const server_rec *s = baton;

    return APLOG_IS_LEVEL(s, levels[level]);
}

static void log_write(void *baton, wxpay_log_level_e level, const char *line)
{
    const server_rec *s = baton;

    ap_log_error(APLOG_MARK, levels[level], 0, s, "%s", line);
}

static int store_lock(void *baton, apr_interval_time_t wait)
{
    apr_time_t give_up = apr_time_now() + wait;
    apr_status_t rv = apr_global_mutex_timedlock(baton, wait);

    /* Some mechanisms of the Mutex directive know no time limit. */
    while (APR_STATUS_IS_ENOTIMPL(rv) || APR_STATUS_IS_EBUSY(rv)) {
        rv = apr_global_mutex_trylock(baton);
        if (rv == APR_SUCCESS || apr_time_now() >= give_up) {
            break;
        }
        apr_sleep(apr_time_from_msec(2));
    }
    return rv != APR_SUCCESS;
}

static void store_unlock(void *baton)
{
    apr_global_mutex_unlock(baton);
}

static wxpay_rc_e open_store(apr_pool_t *p, mod_wxpay_child_t *child, const mod_wxpay_server_t *cfg,
                             const mod_wxpay_inherited_t *from, wxpay_error_t *err)
{
    wxpay_sqlite_options_t options = {.path = cfg->store_path,
                                      .busy_timeout = STORE_TIMEOUT,
                                      .threaded = child->threaded,
                                      .seen = &from->shared->store_seen,
                                      .counts = &from->counters->store,
                                      .log = &child->log};
    apr_global_mutex_t *mutex = from->mutex;

    if (mutex &&
        apr_global_mutex_child_init(&mutex, apr_global_mutex_lockfile(mutex), p) != APR_SUCCESS) {
        return wxpay_error_set(err, WXPAY_EINTERNAL, "start", "mutex wxpay-store is not there");
    }
    if (mutex) {
        options.lock = store_lock;
        options.unlock = store_unlock;
        options.lock_baton = mutex;
    }
    return wxpay_store_sqlite_create(p, &options, &child->store, err);
}

static wxpay_rc_e derive_keys(apr_pool_t *p, mod_wxpay_child_t *child, const server_rec *first,
                              const wxpay_secret_t *secret, wxpay_error_t *err)
{
    const server_rec *s;
    wxpay_rc_e rc = WXPAY_OK;
    int n = mod_wxpay_config_servers(first);

    child->csrf = apr_pcalloc(p, (apr_size_t)n * sizeof(*child->csrf));
    child->buyer = apr_pcalloc(p, (apr_size_t)n * sizeof(*child->buyer));
    for (s = first; s && rc == WXPAY_OK; s = s->next) {
        const mod_wxpay_server_t *cfg = mod_wxpay_config_server(s);
        wxpay_secret_t *key;

        if (cfg->account) {
            rc = wxpay_token_derive(p, secret, "csrf", cfg->account->site, &key, err);
            child->csrf[cfg->index] = rc == WXPAY_OK ? key : NULL;
        }
        if (cfg->account && rc == WXPAY_OK) {
            rc = wxpay_token_derive(p, secret, "buyer", cfg->account->site, &key, err);
            child->buyer[cfg->index] = rc == WXPAY_OK ? key : NULL;
        }
    }
    return rc;
}

static void call_began(void *baton)
{
    const mod_wxpay_inherited_t *from = baton;

    if (from->slot) {
        apr_atomic_inc32(&from->slot->calls);
    }
}

static void call_ended(void *baton, wxpay_op_e op, const wxpay_error_t *err)
{
    const mod_wxpay_inherited_t *from = baton;

    mod_wxpay_count_call(from->counters, op, err, apr_time_now());
    if (from->slot) {
        apr_atomic_dec32(&from->slot->calls);
    }
}

static wxpay_rc_e start_outbox(apr_pool_t *p, server_rec *s, mod_wxpay_child_t *child,
                               const mod_wxpay_inherited_t *from, wxpay_error_t *err)
{
    int targets = mod_wxpay_config_servers(s);
    /* Nothing waits for a place in here: the outbox itself keeps what has none. */
    wxpay_engine_options_t engine = {.max_calls = WXPAY_OUTBOX_TRIES + targets,
                                     .max_queued = WXPAY_OUTBOX_TRIES,
                                     .user_agent = "mod_wxpay/" MOD_WXPAY_VERSION};
    wxpay_outbox_options_t outbox = {.store = child->store,
                                     .sites = {mod_wxpay_sites_find, s},
                                     .log = &child->log,
                                     .targets = targets,
                                     .down = mod_wxpay_shared_down(from->shared)};
    wxpay_rc_e rc = wxpay_engine_create(p, &engine, &child->courier, err);

    if (rc != WXPAY_OK) {
        return rc;
    }
    outbox.transport = wxpay_engine_transport(child->courier);
    return wxpay_outbox_create(p, &outbox, &child->outbox, err);
}

wxpay_rc_e mod_wxpay_child_start(apr_pool_t *p, server_rec *s, mod_wxpay_inherited_t *from,
                                 mod_wxpay_child_t *child, wxpay_error_t *err)
{
    const mod_wxpay_server_t *cfg = mod_wxpay_config_server(s);
    wxpay_engine_options_t engine = {.max_calls = cfg->max_calls,
                                     .max_queued = cfg->max_calls < 64 ? 256 : cfg->max_calls * 4,
                                     .user_agent = "mod_wxpay/" MOD_WXPAY_VERSION};
    wxpay_flow_options_t flow = {
        .api = &child->api, .log = &child->log, .sites = {mod_wxpay_sites_find, s}};
    wxpay_rc_e rc = wxpay_engine_create(p, &engine, &child->engine, err);

    child->log.wants = log_wants;
    child->log.write = log_write;
    child->log.baton = s;
    child->refused = &from->shared->refused;
    if (rc == WXPAY_OK) {
        rc = open_store(p, child, cfg, from, err);
    }
    if (rc == WXPAY_OK) {
        rc = start_outbox(p, s, child, from, err);
    }
    if (rc == WXPAY_OK) {
        rc = derive_keys(p, child, s, from->secret, err);
    }
    if (rc != WXPAY_OK) {
        return rc;
    }
    child->xml = wxpay_xml_create(p);
    child->api.transport = wxpay_engine_transport(child->engine);
    child->api.xml = child->xml;
    child->api.log = &child->log;
    child->watch.began = call_began;
    child->watch.ended = call_ended;
    child->watch.baton = from;
    child->api.watch = &child->watch;
    child->api.memory = apr_pcalloc(p, sizeof(*child->api.memory));
    flow.store = child->store;
    flow.outbox = child->outbox;
    return wxpay_flow_create(p, &flow, &child->flow, err);
}
