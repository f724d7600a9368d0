/* flow_rig.h - a flow with a real store in a temporary directory, a scripted gateway and a clock of
 * our own. */
#ifndef FLOW_RIG_H
#define FLOW_RIG_H

#include <stdatomic.h>
#include <apr_pools.h>
#include "flow.h"
#include "notice.h"

/* What the gateway does with one kind of call. */
typedef enum rig_answer_e {
    RIG_OK,     /* does what is asked */
    RIG_REFUSE, /* signed result_code FAIL with rig.err_code */
    RIG_LOST,   /* the call arrived, the reply did not */
    RIG_UNSENT, /* nothing ever left this host */
    RIG_SILENT, /* no answer until rig_flush() */
    RIG_FULL    /* the engine has no place */
} rig_answer_e;

typedef struct rig_t {
    apr_pool_t *pool;
    char dir[64];
    wxpay_account_t account;
    wxpay_store_t *store;
    wxpay_xml_t *xml;
    wxpay_flow_t *flow;
    /* Atomic: a test may change its script while a late call is still being answered. */
    _Atomic rig_answer_e order, query, close; /* by kind of call */
    const char *_Atomic err_code;             /* of REFUSE */
    const char *_Atomic trade_state;          /* what a query says; default by what happened */
    _Atomic apr_int64_t paid_fee;             /* total_fee a query tells */
    _Atomic apr_interval_time_t paid_before;  /* when, from now; a query tells */
    atomic_int orders, queries, closes;       /* calls seen */
    char last_order[4096];                    /* body of the last unifiedorder */
    char last_query[4096];                    /* and of the last orderquery */
    int delay_ms;                             /* before each reply */
    atomic_int homeless;                      /* no server speaks for any site */
    atomic_int warnings;                      /* log lines of flow, WARN and worse */
} rig_t;

void rig_start(rig_t *rig);
void rig_stop(rig_t *rig);
apr_time_t rig_now(void);
void rig_forward(apr_interval_time_t by); /* the clock */
/* What queries are answered from now on. */
void rig_says(rig_t *rig, rig_answer_e query, const char *trade_state);
/* Give the replies that RIG_SILENT holds back. */
void rig_flush(rig_t *rig);

/* Store an order of 100 fen; with trade, open it. */
wxpay_rc_e rig_submit(rig_t *rig, const char *number, apr_int64_t fen, int open,
                      wxpay_snapshot_t **snap, int *created, wxpay_error_t *err);
wxpay_rc_e rig_open(rig_t *rig, const char *number, wxpay_trade_e trade, const char *openid,
                    wxpay_snapshot_t **snap, wxpay_error_t *err);
/* Ask the gateway about it, or have it closed, and wait up to 3 s for the outcome. */
wxpay_rc_e rig_query(rig_t *rig, const char *number, wxpay_snapshot_t **snap, wxpay_error_t *err);
wxpay_rc_e rig_close(rig_t *rig, const char *number, wxpay_snapshot_t **snap, wxpay_error_t *err);
wxpay_snapshot_t *rig_read(rig_t *rig, const char *number);
/* A verified payment notice, as notice_read makes them. */
wxpay_notice_t *rig_notice(rig_t *rig, const char *gateway_no, const char *transaction_id,
                           apr_int64_t fen);
wxpay_verdict_e rig_notify(rig_t *rig, const wxpay_notice_t *notice, int *success);
/* One number from the store, e.g. "SELECT count(*) FROM events". */
long rig_count(rig_t *rig, const char *sql);
/* Wait until no call is under way for the order. */
wxpay_snapshot_t *rig_settle(rig_t *rig, const char *number);

#endif
