/* flow_int.h - shared by the files of flow only. */
#ifndef WXPAY_FLOW_INT_H
#define WXPAY_FLOW_INT_H

#include <pthread.h>
#include <stdatomic.h>
#include "flow.h"
#include "store_rows.h"

#define WXPAY_CODE_TTL                                                                             \
    apr_time_from_sec(2 * 3600 - 60) /* of prepay_id and code_url, less a margin */
#define WXPAY_CLOSE_AFTER                                                                          \
    apr_time_from_sec(5 * 60 + 10)               /* the gateway may refuse to close earlier */
#define WXPAY_CLOCK_SLACK apr_time_from_sec(120) /* between the gateway's clock and ours */
#define WXPAY_RUN_CALLS 8 /* gateway calls of one run; what is still due goes on with the next */
#define WXPAY_ATTEMPTS_MAX 30 /* of one order */
#define WXPAY_DUPLICATES 32   /* paid notices whose repeats are counted in memory at once */
#define WXPAY_SWEPT 32        /* orders that a process reconciles at once */
#define WXPAY_ORPHANS 8       /* unknown orders that a process asks the gateway about at once */

typedef struct wxpay_duplicate_t {
    char mch_id[33];
    char ref[65];
    int count;
} wxpay_duplicate_t;

struct wxpay_flow_t {
    wxpay_store_t *store;
    const wxpay_api_t *api;
    const wxpay_log_t *log;
    wxpay_outbox_t *outbox; /* or NULL */
    wxpay_sites_t sites;
    apr_time_t (*now)(void);
    atomic_int stopping;
    atomic_int homeless_told;
    pthread_mutex_t lock; /* of what follows */
    wxpay_duplicate_t duplicates[WXPAY_DUPLICATES];
    char orphans[WXPAY_ORPHANS][65]; /* transactions under inquiry; "" is a free place */
    char swept[WXPAY_SWEPT][68];     /* "mch_id/out_trade_no" of runs that sweeps began */
};

/* ---- flow_plan.c: decisions over one order and its attempts; no store, no gateway ---- */

/* 1 if this attempt was made for this identity. */
int wxpay_plan_matches(const wxpay_attempt_t *attempt, const wxpay_account_t *account,
                       const wxpay_identity_t *identity);
int wxpay_plan_live(const wxpay_attempt_t *attempt); /* SENT, OPEN or CLOSING */
int wxpay_plan_leased(const wxpay_attempt_t *attempt, apr_time_t now);
/* No call of ours that could have made an order under its number ever left this host: what the
 * gateway has there is somebody else's, and is never to be closed. */
int wxpay_plan_unsent(const wxpay_attempt_t *attempt);
void wxpay_plan_withdraw(wxpay_attempt_t *attempt); /* an unsent one */
/* An err_code of unifiedorder that says: this number exists already. */
int wxpay_plan_number_taken(const char *err_code);
/* It was in use at the gateway before we first asked for it. */
int wxpay_plan_foreign(const wxpay_attempt_t *attempt);
/* Such a number, of which the gateway has not said yet whether it is paid. */
int wxpay_plan_in_doubt(const wxpay_attempt_t *attempt);
/* New attempts may be opened and codes shown. */
int wxpay_plan_order_open(const wxpay_order_t *order, apr_time_t now);
/* The state that follows from the attempts and the clock (PAID, CLOSED and EXPIRED are never left
 * here). */
wxpay_order_state_e wxpay_plan_order_state(const wxpay_snapshot_t *snap, apr_time_t now);
/* The attempt whose todo is to be done now, or NULL. */
wxpay_attempt_t *wxpay_plan_due(const wxpay_snapshot_t *snap, apr_time_t now);
/* Turn an intent into states and todos of the records in snap (nothing is written). */
void wxpay_plan_close(wxpay_snapshot_t *snap, apr_time_t now);

/* ---- flow_outcome.c: what a finished call means for its attempt, and when it is asked again ----
 */

/* Every number that the gateway may know is to be asked about now. */
void wxpay_plan_query(wxpay_snapshot_t *snap, apr_time_t now);
/* A payment of this attempt was reported, and the gateway is to be asked whether that is true. Once
 * per report: `first` is 0 for its copies, which ask again only when an answer came meanwhile, and
 * ever more seldom. 1 if the record changed. */
int wxpay_plan_confirm(wxpay_attempt_t *attempt, int first, apr_time_t now);
/* What a finished call means for its attempt. first: it was a SEND before which none of ours had
 * left. Returns 1 if the attempt turned out paid: then result->fields tells the payment and the
 * attempt is left as it was. */
int wxpay_plan_apply(const wxpay_order_t *order, wxpay_attempt_t *attempt, wxpay_todo_e did,
                     int first, const wxpay_api_result_t *result, const wxpay_account_t *account,
                     apr_pool_t *pool, apr_time_t now);

/* A query that could not be used is due again, ever more seldom. */
void wxpay_plan_ask_later(wxpay_attempt_t *attempt, apr_time_t now);

/* ---- flow_schedule.c: when the gateway is asked although nobody waits; pure like the plan ---- */

#define WXPAY_ASK_PAUSE apr_time_from_sec(5) /* between two queries that a buyer may cause */

/* The date of the schedule that no query has served yet, or 0: an unpaid attempt is asked about 15
 * s, 1, 3, 10 and 30 min after it was sent, a CLOSED one 10 min and 24 h after it was closed. */
apr_time_t wxpay_schedule_next(const wxpay_attempt_t *attempt);
/* Its todo is called for now. */
void wxpay_schedule_began(wxpay_attempt_t *attempt, apr_time_t now);
/* That call has ended; was: the state before the plan applied the result. */
void wxpay_schedule_ended(wxpay_attempt_t *attempt, wxpay_attempt_state_e was, wxpay_todo_e did,
                          const wxpay_api_result_t *result, apr_time_t now);
/* What the schedule wants now becomes a todo. 1 if an attempt changed. */
int wxpay_schedule_ask(wxpay_snapshot_t *snap, apr_time_t now);
/* The order's time is over: what is open at the gateway is to be queried, and closed when unpaid.
 * Once per order; 1 if this was it. */
int wxpay_schedule_expire(wxpay_snapshot_t *snap, apr_time_t now);
/* 1 if a buyer's word is reason enough to ask about what is open. */
int wxpay_schedule_may_ask(const wxpay_snapshot_t *snap, apr_time_t now);
void wxpay_schedule_ask_open(wxpay_snapshot_t *snap, apr_time_t now);

/* ---- flow_event.c: telling the site's application ---- */

#define WXPAY_STARTED_MAX 4

/* Events that a transaction wrote, to be started once it is committed. Emptied where the work
 * begins, which may be run again. */
typedef struct wxpay_started_t {
    const char *ids[WXPAY_STARTED_MAX];
    int count;
} wxpay_started_t;

/* Inside a write transaction. pool: where the ids are to live. */
wxpay_rc_e wxpay_flow_write_event(const wxpay_flow_t *flow, wxpay_tx_t *tx,
                                  const wxpay_outbox_event_t *event, apr_pool_t *pool,
                                  wxpay_started_t *started, wxpay_error_t *err);
/* An event that carries the order as the snapshot has it. */
wxpay_rc_e wxpay_flow_event(const wxpay_flow_t *flow, wxpay_tx_t *tx, const wxpay_snapshot_t *snap,
                            wxpay_event_e type, apr_pool_t *pool, wxpay_started_t *started,
                            wxpay_error_t *err);
/* After the commit. Never waits for an application. */
void wxpay_flow_start_events(const wxpay_flow_t *flow, const wxpay_started_t *started);

/* ---- flow_journal.c ---- */

int wxpay_flow_differs(const char *a, const char *b); /* NULL and "" are the same */

/* Journal a notice under its transaction_id, or under ref unless that is NULL. reason: "" or what
 * differed. order: NULL if it belongs to none of ours. */
wxpay_rc_e wxpay_flow_journal(const wxpay_flow_t *flow, wxpay_tx_t *tx,
                              const wxpay_account_t *account, const wxpay_order_t *order,
                              const wxpay_notice_t *notice, wxpay_verdict_e verdict,
                              const char *ref, const char *reason, int *first, wxpay_error_t *err);

/* 1 in *known if the same stands there already: it is counted then; else nothing is written. */
wxpay_rc_e wxpay_flow_journal_again(const wxpay_flow_t *flow, wxpay_tx_t *tx,
                                    const wxpay_account_t *account, const wxpay_notice_t *notice,
                                    wxpay_verdict_e verdict, const char *reason, int *known,
                                    wxpay_error_t *err);

/* ---- flow_orphan.c: authentic payments of orders that were not made here ---- */

typedef struct wxpay_orphan_t {
    wxpay_verdict_e verdict;
    int first;           /* seen for the first time */
    int success;         /* the answer */
    int ask;             /* wxpay_flow_orphan_ask() is to follow once this is committed */
    const char *foreign; /* "" or the member that says: another sub-merchant's */
} wxpay_orphan_t;

/* Decide and record, inside a write transaction. unconfirmed: why the notice alone proves nothing,
 * or NULL. */
wxpay_rc_e wxpay_flow_orphan(const wxpay_flow_t *flow, wxpay_tx_t *tx,
                             const wxpay_account_t *account, const wxpay_notice_t *notice,
                             const char *unconfirmed, apr_pool_t *pool, wxpay_orphan_t *orphan,
                             wxpay_started_t *started, wxpay_error_t *err);
/* Ask the gateway about it, unless that is done already; what it says is recorded, so that the
 * gateway's next try finds it. Never blocks. */
void wxpay_flow_orphan_ask(wxpay_flow_t *flow, const wxpay_account_t *account,
                           const wxpay_notice_t *notice);

/* ---- flow_pay.c: a payment meets an order, inside a write transaction ---- */

/* The snapshot's attempt a was paid as notice tells: record it (attempt, order, event, journal) and
 * say the verdict. `source` is the verdict of a first payment: PAID or RECONCILED. */
wxpay_rc_e wxpay_flow_pay(wxpay_flow_t *flow, wxpay_tx_t *tx, const wxpay_account_t *account,
                          wxpay_snapshot_t *snap, wxpay_attempt_t *a, const wxpay_notice_t *notice,
                          wxpay_verdict_e source, apr_pool_t *pool, wxpay_started_t *started,
                          wxpay_verdict_e *verdict, wxpay_error_t *err);
/* Read an order with its attempts. */
wxpay_rc_e wxpay_flow_snapshot(wxpay_tx_t *tx, const char *mch_id, const char *out_trade_no,
                               apr_pool_t *pool, wxpay_snapshot_t **snap, wxpay_error_t *err);

/* ---- flow_run.c: one run = decide, call, record, and again until nothing is due ---- */

typedef enum wxpay_intent_e {
    WXPAY_INTENT_NONE,  /* go on with what is due, of whatever site */
    WXPAY_INTENT_SWEEP, /* and see what the clock makes due, of whatever site */
    WXPAY_INTENT_SUBMIT,
    WXPAY_INTENT_OPEN,
    WXPAY_INTENT_QUERY,
    WXPAY_INTENT_ASK, /* QUERY of what is open, if that makes sense now */
    WXPAY_INTENT_CLOSE
} wxpay_intent_e;

typedef enum wxpay_stage_e {
    WXPAY_STAGE_STARTED,
    WXPAY_STAGE_STORED,  /* the intent is committed */
    WXPAY_STAGE_FINISHED /* nothing is due now, or the run failed: snap and errors may be read */
} wxpay_stage_e;

typedef struct wxpay_run_t {
    apr_pool_t *pool; /* used by one thread at a time: writer, engine, and the waiter at the end */
    wxpay_flow_t *flow;
    const wxpay_account_t *account;
    wxpay_intent_e intent;
    const char *out_trade_no;
    const char *owner;                /* of leases */
    char *place;                      /* in flow->swept, or NULL */
    const wxpay_order_t *order;       /* SUBMIT: in pool */
    const wxpay_identity_t *identity; /* SUBMIT, OPEN: in pool, or NULL */
    wxpay_snapshot_t *snap;           /* as of the last transaction */
    int touched;                      /* this transaction changed what a page may want to show */
    wxpay_attempt_t *next; /* leased in the last transaction: the call to make now, or NULL */
    int next_first;        /* it is the first one to leave for its number */
    const char *doing;     /* the call under way: its gateway number; not changed by a transaction,
                              which may be run again */
    wxpay_todo_e doing_todo;
    int doing_first;
    apr_time_t doing_next_at; /* as it stood when the call began */
    int calls;
    wxpay_started_t started;          /* in pool */
    const wxpay_api_result_t *result; /* of the call that ended; NULL before the first */
    wxpay_error_t call_err;           /* the last call that failed */
    wxpay_error_t err;                /* the run itself failed: store, facts */
    pthread_mutex_t lock;
    pthread_cond_t cond;
    wxpay_stage_e stage;
    int refs;
} wxpay_run_t;

wxpay_run_t *wxpay_run_create(wxpay_flow_t *flow, const wxpay_account_t *account,
                              wxpay_intent_e intent, const char *out_trade_no);
void wxpay_run_release(wxpay_run_t *run);
/* Start; never blocks for the gateway. */
void wxpay_run_start(wxpay_run_t *run);
/* Wait at most `stored` for the intent's commit and at most `wait` for the end; the stage reached.
 */
wxpay_stage_e wxpay_run_wait(wxpay_run_t *run, apr_interval_time_t stored,
                             apr_interval_time_t wait);

/* flow_reconcile.c: a run is over. */
void wxpay_sweep_ended(wxpay_run_t *run);

/* flow_copy.c: deep copies. */
wxpay_order_t *wxpay_order_copy(apr_pool_t *pool, const wxpay_order_t *order);
wxpay_identity_t *wxpay_identity_copy(apr_pool_t *pool, const wxpay_identity_t *identity);
void wxpay_notice_copy(apr_pool_t *pool, const wxpay_notice_t *from, wxpay_notice_t *to);

/* flow_intent.c: turn the run's intent into rows, inside a write transaction. */
/* Fix the complete request of an attempt that is about to be sent for the first time; every repeat
 * is the same to the gateway. Raises the order's expiry where the gateway needs it. */
wxpay_rc_e wxpay_run_request(wxpay_run_t *run, wxpay_attempt_t *attempt, apr_time_t now,
                             wxpay_error_t *err);
wxpay_rc_e wxpay_run_intent(wxpay_run_t *run, wxpay_tx_t *tx, apr_time_t now, wxpay_error_t *err);

#endif
