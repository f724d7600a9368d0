/* outbox.h - what the site's application has to be told, until it says 2xx.
 *
 * An event is a row that is written in the commit of what it tells of; its body is fixed then, so
 * that every try says the same. A try is leased in the store: whoever holds the lease POSTs, signs
 * afresh, and records the outcome. The process that committed makes the first try, at once; what it
 * could not, and every later one, is claimed by whoever calls wxpay_outbox_sweep(); a try that ends
 * claims the next of its site in the commit that records it.
 *
 * Tries are due 0 s, 10 s, 1 min, 5 min, 30 min and 2 h after the first, then every 6 h for three
 * days (17 in all); each pause counts from the try before it. Only a 2xx whose body has arrived, 64
 * KiB at most, is a delivery: a larger one is a failed try, which the log says.
 * The events of an order are sent in order: one waits for older ones that are pending. order.paid
 * waits for nothing.
 * Source: design 3.4, 3.6, 5.
 *
 * Threads: every function may be called from any thread, and none blocks for an application.
 */
#ifndef WXPAY_OUTBOX_H
#define WXPAY_OUTBOX_H

#include <stdatomic.h>
#include <apr_pools.h>
#include <apr_time.h>
#include "account.h"
#include "error.h"
#include "json.h"
#include "log.h"
#include "sites.h"
#include "store.h"
#include "target.h"
#include "transport.h"

#define WXPAY_OUTBOX_TIMEOUT apr_time_from_sec(15) /* one try, from connecting to the last byte */
/* Under way at once in a process, 8 of them to one target; when they are all taken, each target
 * that has none still gets one. */
#define WXPAY_OUTBOX_TRIES 128

typedef struct wxpay_outbox_t wxpay_outbox_t;

typedef struct wxpay_outbox_options_t {
    wxpay_store_t *store;
    /* Of its own: an application that hangs must not take a place from a call to the gateway. */
    const wxpay_transport_t *transport;
    wxpay_sites_t sites;
    const wxpay_log_t *log;
    int targets; /* wxpay_target_t.index is below this */
    /* One for each target, zeroed at first; shared by all processes: 1 while it does not take
     * deliveries, so that this is said once when it begins and once when it ends. */
    atomic_int *down;
    apr_time_t (*now)(void); /* NULL: apr_time_now */
} wxpay_outbox_options_t;

/* options are copied; lives in pool. Errors: WXPAY_EINTERNAL. */
wxpay_rc_e wxpay_outbox_create(apr_pool_t *pool, const wxpay_outbox_options_t *options,
                               wxpay_outbox_t **outbox, wxpay_error_t *err);

/* An event to be written. */
typedef struct wxpay_outbox_event_t {
    wxpay_event_e type;
    const char *mch_id;
    const char *out_trade_no; /* of an orphan: the gateway number */
    const char *site;
    json_t *data; /* the order, or an orphan's facts; borrowed */
} wxpay_outbox_event_t;

/* Inside a write transaction. What nobody wants (no target, or not this type) is stored as
 * "unwanted". *id, in pool: to be handed to wxpay_outbox_start() once that transaction is
 * committed, or NULL when nothing is to be sent. outbox may be NULL: then it is unwanted.
 * Errors: those of wxpay_tx_exec, WXPAY_EINTERNAL. */
wxpay_rc_e wxpay_outbox_write(wxpay_outbox_t *outbox, wxpay_tx_t *tx,
                              const wxpay_outbox_event_t *event, apr_pool_t *pool, const char **id,
                              wxpay_error_t *err);

/* After the commit: make the first try. id may be NULL. */
void wxpay_outbox_start(wxpay_outbox_t *outbox, const char *id);

/* Claim and start what is due, at most as many as there are places. To be called every second or
 * so, by one process; more are harmless. */
void wxpay_outbox_sweep(wxpay_outbox_t *outbox);

/* Whatever became of this event of this order: try it again now, with its whole schedule before it.
 * Errors: WXPAY_ENOTFOUND, WXPAY_ECONFLICT (it is being sent right now; nobody is to be told: there
 * is no target for it; or its body has been erased), WXPAY_ESTORE, WXPAY_EBUSY. */
wxpay_rc_e wxpay_outbox_resend(wxpay_outbox_t *outbox, const wxpay_account_t *account,
                               const char *out_trade_no, const char *event_id, wxpay_error_t *err);

/* The events of an order for its JSON, oldest first: [{"id","type","state","created_at","tries":
 * [{"at","status"|"error","ms"}],"next_at"?,"delivered_at"?}]; state is "pending", "delivered",
 * "parked" or "unwanted"; the last 25 tries. Released with pool. Errors: WXPAY_ESTORE, WXPAY_EBUSY.
 */
wxpay_rc_e wxpay_outbox_list(wxpay_store_t *store, const char *mch_id, const char *out_trade_no,
                             apr_pool_t *pool, json_t **list, wxpay_error_t *err);

/* No new try from now on. Lock-free. */
void wxpay_outbox_stop(wxpay_outbox_t *outbox);

#endif
