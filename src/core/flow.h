/* flow.h - the way of an order: the state machine and the only writer of state.
 *
 * Every change is one transaction: read, decide, compare-and-set, and (where a gateway call is due)
 * take the lease of the attempt, so that creating is single-flight across threads and processes.
 * Calls run on the engine and outlive the request that asked for them; their results land in the
 * store, whoever still waits. What is left undone (process killed, outcome unknown) is in the row's
 * `todo` and goes on with the next request that asks, or with the next sweep.
 * Source: design 2.1, 2.2, 3.5.
 *
 * Threads: every function may be called from any thread. Accounts must live as long as the process
 * serves (server configuration). Strings of snapshots live in the pool given.
 */
#ifndef WXPAY_FLOW_H
#define WXPAY_FLOW_H

#include <apr_pools.h>
#include <apr_time.h>
#include "account.h"
#include "api.h"
#include "error.h"
#include "log.h"
#include "notice.h"
#include "order.h"
#include "outbox.h"
#include "sites.h"
#include "store.h"

typedef struct wxpay_flow_t wxpay_flow_t;

typedef struct wxpay_flow_options_t {
    wxpay_store_t *store;
    const wxpay_api_t *api;
    const wxpay_log_t *log;
    wxpay_outbox_t *outbox;  /* NULL: events are recorded as unwanted, and nobody is told */
    wxpay_sites_t sites;     /* for wxpay_flow_sweep() and for events; find may be NULL in tests */
    apr_time_t (*now)(void); /* NULL: apr_time_now; tests bring their own clock */
} wxpay_flow_options_t;

/* options are copied; lives in pool. Errors: WXPAY_EINTERNAL. */
wxpay_rc_e wxpay_flow_create(apr_pool_t *pool, const wxpay_flow_options_t *options,
                             wxpay_flow_t **flow, wxpay_error_t *err);

/* An order and all its attempts, oldest first, as one read saw them. */
typedef struct wxpay_snapshot_t {
    wxpay_order_t *order;
    wxpay_attempt_t **attempts;
    int count;
} wxpay_snapshot_t;

/* The attempt whose code or prepay_id may be shown now: OPEN, younger than 2 h, order still payable
 * (not paid, closed, expired or quarantined). NULL otherwise. */
const wxpay_attempt_t *wxpay_snapshot_payable(const wxpay_snapshot_t *snap, apr_time_t now);
/* That one, or else one that makes room for another device but that the gateway refuses to close
 * yet: until then it can be paid, and nothing else can. */
const wxpay_attempt_t *wxpay_snapshot_still_payable(const wxpay_snapshot_t *snap, apr_time_t now);
/* The newest attempt, or NULL. */
const wxpay_attempt_t *wxpay_snapshot_newest(const wxpay_snapshot_t *snap);
/* 1 while a gateway call is due or under way for this order, so that looking again soon makes
 * sense. */
int wxpay_snapshot_busy(const wxpay_snapshot_t *snap, apr_time_t now);
/* Live (SENT, OPEN, CLOSING) attempts exist. */
int wxpay_snapshot_live(const wxpay_snapshot_t *snap);

/* How the buyer of one device pays: the identity of an attempt (design 2.2). */
typedef struct wxpay_identity_t {
    wxpay_trade_e trade_type; /* NATIVE or JSAPI */
    const char *openid;       /* JSAPI */
    const char *client_ip;    /* spbill_create_ip; NULL: the account's server_ip */
} wxpay_identity_t;

/* Store an order (its pay_id is made here). With `open` the attempt is opened in the same commit
 * and the gateway's answer is awaited for at most `wait`; then as wxpay_flow_open(). The same
 * number with the same facts: *created 0 and the stored order (and `open` goes on with it). Errors:
 * WXPAY_ECONFLICT (other facts, err->field names the first; or the number is another site's),
 * WXPAY_ESTORE, WXPAY_EBUSY, and those of wxpay_flow_open(). *snap is set when the order is stored,
 * also together with an error of opening. */
wxpay_rc_e wxpay_flow_submit(wxpay_flow_t *flow, const wxpay_account_t *account,
                             const wxpay_order_t *order, const wxpay_identity_t *open,
                             apr_interval_time_t wait, apr_pool_t *pool, wxpay_snapshot_t **snap,
                             int *created, wxpay_error_t *err);

/* Read by number (of this account's mch_id and site) or by pay_id (of this site).
 * Errors: WXPAY_ENOTFOUND, WXPAY_ESTORE, WXPAY_EBUSY. */
wxpay_rc_e wxpay_flow_read(wxpay_flow_t *flow, const wxpay_account_t *account,
                           const char *out_trade_no, apr_pool_t *pool, wxpay_snapshot_t **snap,
                           wxpay_error_t *err);
wxpay_rc_e wxpay_flow_read_page(wxpay_flow_t *flow, const wxpay_account_t *account,
                                const char *pay_id, apr_pool_t *pool, wxpay_snapshot_t **snap,
                                wxpay_error_t *err);

/* Open (or re-use, or switch to) the attempt of this identity and wait at most `wait` for the
 * outcome. WXPAY_OK with *snap: wxpay_snapshot_payable() shows it, or wxpay_snapshot_busy() says
 * that it goes on in the background ("preparing"). An order that is paid, closed, expired or
 * quarantined is WXPAY_OK too: look at it. Errors (with *snap set where the store could be read):
 * WXPAY_EGATEWAY (definite refusal, err_code), WXPAY_ENET and others with AMBIGUOUS (no believable
 * answer; the same call may be repeated safely), WXPAY_EBUSY (no place in the engine: RETRY),
 * WXPAY_ESTORE. */
wxpay_rc_e wxpay_flow_open(wxpay_flow_t *flow, const wxpay_account_t *account,
                           const char *out_trade_no, const wxpay_identity_t *identity,
                           apr_interval_time_t wait, apr_pool_t *pool, wxpay_snapshot_t **snap,
                           wxpay_error_t *err);

/* Go on with whatever is due for this order (an expired lease, a call to be repeated, a closing
 * that may be tried again) without waiting: what a state poll does. Cheap when nothing is due. */
wxpay_rc_e wxpay_flow_nudge(wxpay_flow_t *flow, const wxpay_account_t *account,
                            const wxpay_snapshot_t *snap, wxpay_error_t *err);

/* Ask the gateway about every attempt that may have been paid and wait at most `wait`. Errors as
 * open. */
wxpay_rc_e wxpay_flow_query(wxpay_flow_t *flow, const wxpay_account_t *account,
                            const char *out_trade_no, apr_interval_time_t wait, apr_pool_t *pool,
                            wxpay_snapshot_t **snap, wxpay_error_t *err);

/* A buyer says that they paid: ask the gateway about what is open, unless it is being asked, was
 * asked less than 5 s ago, or the order is not open there. Never waits; what is found paid shows in
 * the order. Errors: WXPAY_ENOTFOUND, WXPAY_ESTORE, WXPAY_EBUSY. */
wxpay_rc_e wxpay_flow_ask(wxpay_flow_t *flow, const wxpay_account_t *account,
                          const char *out_trade_no, wxpay_error_t *err);

/* Go on with what is due although nobody asks, of whatever site (reconciling): attempts to be
 * queried (15 s, 1, 3, 10 and 30 min after they were sent; CLOSED ones again after 10 min and 24
 * h), calls to be repeated, and orders whose time is over (queried, then closed at the gateway; the
 * order becomes CLOSED, or EXPIRED where nothing was ever sent). Starts runs, the longest due
 * first, as long as fewer than `budget` (and 32) that sweeps of this process began are under way,
 * and waits for none: to be called every second by one process; more are harmless, since leases
 * decide. Orders of a site that nobody speaks for come up again an hour later. Errors (the log has
 * been told): WXPAY_ESTORE, WXPAY_EBUSY. */
wxpay_rc_e wxpay_flow_sweep(wxpay_flow_t *flow, int budget, wxpay_error_t *err);

/* Close the order here and at the gateway. WXPAY_OK when CLOSED, or still closing (state PENDING,
 * busy or waiting for the gateway's 5 minutes: it goes on with later requests). An order that turns
 * out paid is WXPAY_ECONFLICT with *snap set. */
wxpay_rc_e wxpay_flow_close(wxpay_flow_t *flow, const wxpay_account_t *account,
                            const char *out_trade_no, apr_interval_time_t wait, apr_pool_t *pool,
                            wxpay_snapshot_t **snap, wxpay_error_t *err);

typedef enum wxpay_verdict_e {
    WXPAY_VERDICT_PAID,
    WXPAY_VERDICT_DUPLICATE,
    WXPAY_VERDICT_NOTPAID,
    WXPAY_VERDICT_OVERPAID,
    WXPAY_VERDICT_ORPHAN,
    WXPAY_VERDICT_QUARANTINE,
    WXPAY_VERDICT_REFUND,
    WXPAY_VERDICT_RECONCILED,
    WXPAY_VERDICT_UNCONFIRMED,
    WXPAY_VERDICT_REFUSED
} wxpay_verdict_e;

const char *wxpay_verdict_name(wxpay_verdict_e verdict);

/* An authentic notice: decide and record it, in one commit, within `wait`.
 * *success says what to answer (design 3.5). A payment that only account->previous_key vouches for,
 * or of account->confirm_min_fen at least, is UNCONFIRMED (answer FAIL): it changes nothing but the
 * journal, and an orderquery is started, not waited for; what that finds paid is RECONCILED, and
 * the gateway's next try a DUPLICATE. Copies that come meanwhile start no further query.
 * Errors (answer FAIL): WXPAY_ESTORE, WXPAY_EBUSY, WXPAY_ESIGN when its order was opened with
 * HMAC-SHA256 and the notice came with MD5, or when account->previous_until is over, and
 * WXPAY_EMISMATCH when a payment's appid is not that of its attempt (the account's, where there is
 * none). */
wxpay_rc_e wxpay_flow_notice(wxpay_flow_t *flow, const wxpay_account_t *account,
                             const wxpay_notice_t *notice, apr_interval_time_t wait,
                             apr_pool_t *pool, wxpay_verdict_e *verdict, int *success,
                             wxpay_error_t *err);

/* Nobody waits for the gateway any more: whoever does returns within a tenth of a second, as if its
 * time were over; calls under way are not touched. Lock-free (a signal handler may call it). */
void wxpay_flow_stop(wxpay_flow_t *flow);

#endif
