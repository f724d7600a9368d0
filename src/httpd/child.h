/* child.h - what one child process needs to take payments: its engines, its store and what stands
 * on them, made from what the parent left it. lifecycle.h says when that happens, and ends it.
 */
#ifndef MOD_WXPAY_CHILD_H
#define MOD_WXPAY_CHILD_H

#include <httpd.h>
#include <apr_global_mutex.h>
#include "api.h"
#include "config.h"
#include "counters.h"
#include "engine.h"
#include "flow.h"
#include "log.h"
#include "log_limit.h"
#include "outbox.h"
#include "places.h"
#include "store.h"
#include "xml.h"

/* What the parent made before it forked. Outlives the child's pool. */
typedef struct mod_wxpay_inherited_t {
    const wxpay_secret_t *secret; /* NULL: nothing was started */
    mod_wxpay_shared_t *shared;
    mod_wxpay_counters_t *counters;
    apr_global_mutex_t *mutex; /* prefork only */
    mod_wxpay_slot_t *slot;    /* of this child; NULL: nobody waits here */
} mod_wxpay_inherited_t;

/* One per child process, in pchild; const while serving, its objects are safe for every thread. */
typedef struct mod_wxpay_child_t {
    wxpay_log_t log; /* error_log of the main server */
    wxpay_xml_t *xml;
    wxpay_engine_t *engine; /* its thread starts at the first call */
    wxpay_api_t api;
    wxpay_api_watch_t watch;
    wxpay_store_t *store;    /* opened at first use */
    wxpay_engine_t *courier; /* of deliveries, so that an application that hangs takes no place
                                from a call to the gateway */
    wxpay_outbox_t *outbox;
    wxpay_flow_t *flow;
    const wxpay_secret_t **csrf;    /* by mod_wxpay_server_t.index; see mod_wxpay_csrf_key() */
    const wxpay_secret_t **buyer;   /* likewise; see mod_wxpay_buyer_key() */
    mod_wxpay_log_limit_t *refused; /* notifications; in shared memory; never NULL */
    int threads;                    /* requests this process serves at once */
    int threaded;                   /* 0 under prefork */
} mod_wxpay_child_t;

/* Fills child, of which threads and threaded are set already; everything lives in p. No thread
 * starts yet. Errors: WXPAY_EINTERNAL. */
wxpay_rc_e mod_wxpay_child_start(apr_pool_t *p, server_rec *s, mod_wxpay_inherited_t *from,
                                 mod_wxpay_child_t *child, wxpay_error_t *err);

#endif
