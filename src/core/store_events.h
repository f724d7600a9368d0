/* store_events.h - rows of the outbox: what the site's application has to be told.
 *
 * Every function runs inside a transaction (store.h). Records read are allocated in the pool given.
 * Errors: WXPAY_ENOTFOUND for absent rows; WXPAY_ECONFLICT for a unique key that exists; those of
 * wxpay_tx_exec/query.
 */
#ifndef WXPAY_STORE_EVENTS_H
#define WXPAY_STORE_EVENTS_H

#include <apr_pools.h>
#include "store.h"

#define WXPAY_EVENT_PENDING "pending"
#define WXPAY_EVENT_DELIVERED "delivered"
#define WXPAY_EVENT_PARKED "parked"     /* tried for long enough */
#define WXPAY_EVENT_UNWANTED "unwanted" /* nobody was to be told when it arose */

typedef struct wxpay_event_t {
    const char *id;
    const char *mch_id;
    const char *out_trade_no;
    const char *site;
    const char *type; /* "order.paid", ... */
    apr_time_t created_at;
    const char *body;  /* JSON; NULL in a list */
    const char *state; /* WXPAY_EVENT_* */
    apr_time_t next_at;
    int tries;               /* that failed since it was written or last re-armed */
    const char *log;         /* JSON: every try; NULL: none */
    const char *lease_owner; /* who may try it now, and record what came of it */
    apr_time_t lease_until;
    apr_time_t delivered_at;
} wxpay_event_t;

/* A birth: tries, log and delivered_at are empty. */
wxpay_rc_e wxpay_row_event_insert(wxpay_tx_t *tx, const wxpay_event_t *event, wxpay_error_t *err);
wxpay_rc_e wxpay_row_event_get(wxpay_tx_t *tx, const char *id, apr_pool_t *pool,
                               wxpay_event_t **event, wxpay_error_t *err);
/* All events of an order, oldest first. */
wxpay_rc_e wxpay_row_events(wxpay_tx_t *tx, const char *mch_id, const char *out_trade_no,
                            apr_pool_t *pool, wxpay_event_t ***events, int *count,
                            wxpay_error_t *err);
/* Write every member that may change, if the row is pending and leased to `owner`. Errors:
 * WXPAY_ECONFLICT when somebody else has it by now. */
wxpay_rc_e wxpay_row_event_update(wxpay_tx_t *tx, const wxpay_event_t *event, const char *owner,
                                  wxpay_error_t *err);
/* Take the lease of a pending event. Errors: WXPAY_ECONFLICT when somebody's runs at `now`. */
wxpay_rc_e wxpay_row_event_lease(wxpay_tx_t *tx, const char *id, const char *owner, apr_time_t now,
                                 apr_time_t until, wxpay_error_t *err);
/* Pending and due, as if it were new, whatever it was. Errors: as lease. */
wxpay_rc_e wxpay_row_event_rearm(wxpay_tx_t *tx, const char *id, apr_time_t now,
                                 wxpay_error_t *err);

/* ---- what is to be tried ---- */

/* Of which merchant and site there are pending events, one after the other: the first behind these
 * two ("" at first). *next_mch_id is NULL when there are no more. */
wxpay_rc_e wxpay_row_events_site(wxpay_tx_t *tx, const char *mch_id, const char *site,
                                 apr_pool_t *pool, const char **next_mch_id, const char **next_site,
                                 wxpay_error_t *err);

typedef struct wxpay_due_t {
    const char *mch_id;
    const char *site;
    const char *types; /* names that are wanted, a blank around each */
    apr_time_t now;
    int limit;
} wxpay_due_t;
/* Ids of pending events that are due and nobody's, the longest due first. What an order has to tell
 * is told in order: an event waits for older pending ones, but for order.paid. */
wxpay_rc_e wxpay_row_events_due(wxpay_tx_t *tx, const wxpay_due_t *due, apr_pool_t *pool,
                                const char ***ids, int *count, wxpay_error_t *err);
/* 1 in *waiting if the order has pending events of these types. */
wxpay_rc_e wxpay_row_events_waiting(wxpay_tx_t *tx, const char *mch_id, const char *out_trade_no,
                                    const char *types, int *waiting, wxpay_error_t *err);

#endif
