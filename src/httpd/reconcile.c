#include "reconcile.h"

#include <mod_watchdog.h>

#include "lifecycle.h"
#include "module.h"
#include "retention.h"

#define EVERY apr_time_from_sec(1)
/* Orders that the gateway is asked about per second: far below what it allows a merchant, and after
 * an outage the others' calls find a free engine. */
#define BUDGET 20
#define BATCH 200 /* rows erased in one commit */
#define PAUSE apr_time_from_sec(60)

/* Lives in pconf; used by the singleton's thread alone. */
typedef struct chores_t {
    const mod_wxpay_server_t *cfg; /* the main server's */
    const server_rec *s;
    apr_time_t erase_at;
    int failing; /* the store could not be read; said once */
} chores_t;

static void tell(chores_t *chores, wxpay_rc_e rc, const wxpay_error_t *err)
{
    if (rc != WXPAY_OK && !chores->failing) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, chores->s,
                     "WXP0004: nobody looks for lost notifications and due deliveries until the "
                     "store works again: %s",
                     err->detail);
    }
    else if (rc == WXPAY_OK && chores->failing) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, chores->s,
                     "WXP0005: lost notifications and due deliveries are looked for again");
    }
    chores->failing = rc != WXPAY_OK;
}

/* A batch every second while there is something, else a look every minute. */
static void erase(chores_t *chores, const mod_wxpay_child_t *child)
{
    const mod_wxpay_retention_t *keep = &chores->cfg->retention;
    apr_time_t now = apr_time_now();
    wxpay_error_t err;
    int erased = 0;

    if ((!keep->notices && !keep->orders) || now < chores->erase_at) {
        return;
    }
    wxpay_error_clear(&err);
    if (wxpay_retention_erase(child->store, keep->notices ? now - keep->notices : 0,
                              keep->orders ? now - keep->orders : 0, BATCH, &erased,
                              &err) != WXPAY_OK) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, chores->s,
                     "WXP0006: what WxPayRetention names could not be erased, tried again in a "
                     "minute: %s",
                     err.detail);
    }
    chores->erase_at = erased ? 0 : now + PAUSE;
}

static void do_chores(chores_t *chores)
{
    const mod_wxpay_child_t *child = mod_wxpay_child();
    wxpay_error_t err;
    wxpay_rc_e rc;

    /* mod_watchdog's thread may be there before the child is; WXP0003 says where it never comes. */
    if (!child || mod_wxpay_stopping()) {
        return;
    }
    wxpay_error_clear(&err);
    rc = wxpay_flow_sweep(child->flow, BUDGET, &err);
    tell(chores, rc, &err);
    wxpay_outbox_sweep(child->outbox);
    if (rc == WXPAY_OK) {
        erase(chores, child);
    }
}

static apr_status_t tick(int state, void *data, apr_pool_t *pool)
{
    (void)pool;
    if (state == AP_WATCHDOG_STATE_RUNNING) {
        mod_wxpay_work_begin(MOD_WXPAY_CHORE);
        do_chores(data);
        mod_wxpay_work_end(MOD_WXPAY_CHORE);
    }
    return APR_SUCCESS;
}

apr_status_t mod_wxpay_reconcile_register(apr_pool_t *pconf, server_rec *main_server)
{
    APR_OPTIONAL_FN_TYPE(ap_watchdog_get_instance) *get =
        APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_get_instance);
    APR_OPTIONAL_FN_TYPE(ap_watchdog_register_callback) *add =
        APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_register_callback);
    ap_watchdog_t *watchdog;
    chores_t *chores;
    apr_status_t rv;

    if (!get || !add) {
        return APR_ENOTIMPL;
    }
    chores = apr_pcalloc(pconf, sizeof(*chores));
    chores->cfg = mod_wxpay_config_server(main_server);
    chores->s = main_server;
    rv = get(&watchdog, "_wxpay_", 0, 1, pconf);
    return rv == APR_SUCCESS ? add(watchdog, EVERY, chores, tick) : rv;
}
