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

#endif
