/* store_rows.h - typed rows: orders, attempts and notices <-> SQL (events: store_events.h). All
 * statements of the state machine stand in store_sql.c.
 *
 * Every function runs inside a transaction (store.h). Records read are allocated in the pool given.
 * Errors: WXPAY_ENOTFOUND for absent rows; WXPAY_ECONFLICT for a unique key that exists; those of
 * wxpay_tx_exec/query.
 */
#ifndef WXPAY_STORE_ROWS_H
#define WXPAY_STORE_ROWS_H

#include "order.h"
#include "store.h"

wxpay_rc_e wxpay_row_order_insert(wxpay_tx_t *tx, const wxpay_order_t *order, wxpay_error_t *err);
/* One row of a statement that selects the order's columns. */
wxpay_order_t *wxpay_row_order_read(apr_pool_t *pool, const wxpay_value_t *values);
wxpay_rc_e wxpay_row_order_get(wxpay_tx_t *tx, const char *mch_id, const char *out_trade_no,
                               apr_pool_t *pool, wxpay_order_t **order, wxpay_error_t *err);
wxpay_rc_e wxpay_row_order_by_pay_id(wxpay_tx_t *tx, const char *pay_id, apr_pool_t *pool,
                                     wxpay_order_t **order, wxpay_error_t *err);
/* Write every member that may change, if the row still has state `was` and rev `order->rev`; the
 * new rev is order->rev + 1 (set in the record too). The transition must be legal. Errors:
 * WXPAY_ECONFLICT when the row moved on, WXPAY_EINTERNAL for an illegal transition. */
wxpay_rc_e wxpay_row_order_update(wxpay_tx_t *tx, wxpay_order_t *order, wxpay_order_state_e was,
                                  wxpay_error_t *err);

wxpay_rc_e wxpay_row_attempt_insert(wxpay_tx_t *tx, const wxpay_attempt_t *attempt,
                                    wxpay_error_t *err);
wxpay_rc_e wxpay_row_attempt_get(wxpay_tx_t *tx, const char *mch_id, const char *gateway_no,
                                 apr_pool_t *pool, wxpay_attempt_t **attempt, wxpay_error_t *err);
/* All attempts of an order, oldest first. */
wxpay_rc_e wxpay_row_attempts(wxpay_tx_t *tx, const char *mch_id, const char *out_trade_no,
                              apr_pool_t *pool, wxpay_attempt_t ***attempts, int *count,
                              wxpay_error_t *err);
/* Write every member that may change, if the row still has state `was`. Same errors as orders. */
wxpay_rc_e wxpay_row_attempt_update(wxpay_tx_t *tx, const wxpay_attempt_t *attempt,
                                    wxpay_attempt_state_e was, wxpay_error_t *err);
/* Write whom it is for (trade_type, appid, openid, client_ip, sign_type, created_at), if it was
 * never sent. Same errors. */
wxpay_rc_e wxpay_row_attempt_readdress(wxpay_tx_t *tx, const wxpay_attempt_t *attempt,
                                       wxpay_error_t *err);

/* An order with something to be done that nobody is doing. */
typedef struct wxpay_due_t {
    const char *mch_id;
    const char *out_trade_no;
    const char *site;
    apr_time_t at; /* since when */
} wxpay_due_t;
/* Attempts to be asked about, queries and closings left undone, orders whose time is over: at most
 * `limit` of each kind, the longest due first; an order may come up more than once. */
wxpay_rc_e wxpay_row_due(wxpay_tx_t *tx, apr_time_t now, int limit, apr_pool_t *pool,
                         wxpay_due_t **list, int *count, wxpay_error_t *err);
/* Whatever is due of this order now comes up again no sooner than `until`. */
wxpay_rc_e wxpay_row_put_off(wxpay_tx_t *tx, const wxpay_due_t *due, apr_time_t now,
                             apr_time_t until, wxpay_error_t *err);

typedef struct wxpay_journal_t {
    const char *mch_id;
    const char *ref; /* transaction_id, refund_id or gateway number */
    const char *verdict;
    const char *reason;       /* "" or what differed */
    const char *out_trade_no; /* "" if unknown */
    const char *gateway_no;
    const char *site;
    apr_time_t at;
    const char *body; /* of an authentic one; kept from the first only */
    apr_size_t body_len;
} wxpay_journal_t;
/* First time: a row with count 1 (*first is 1); again: count + 1 and last_at. */
wxpay_rc_e wxpay_row_notice_record(wxpay_tx_t *tx, const wxpay_journal_t *entry, int *first,
                                   wxpay_error_t *err);
/* As again, but a row that is not there is not made: *known is 0 then. */
wxpay_rc_e wxpay_row_notice_again(wxpay_tx_t *tx, const wxpay_journal_t *entry, int *known,
                                  wxpay_error_t *err);
/* Add `more` to the count of a payment's row, however it was found; no row is no error. */
wxpay_rc_e wxpay_row_notice_count(wxpay_tx_t *tx, const char *mch_id, const char *ref, int more,
                                  apr_time_t at, wxpay_error_t *err);

/* What retention takes: a row, by its key. */
#define WXPAY_ERASABLE_KEYS 4
typedef enum wxpay_erasable_e {
    WXPAY_ERASABLE_NOTICE,
    WXPAY_ERASABLE_EVENT,
    WXPAY_ERASABLE_WAITING, /* an event that is pending, and will be parked */
    WXPAY_ERASABLE_ORDER    /* with its attempts */
} wxpay_erasable_e;
typedef struct wxpay_erasable_t {
    wxpay_erasable_e kind;
    const char *key[WXPAY_ERASABLE_KEYS];
    int keys;
    apr_time_t before; /* of its kind */
} wxpay_erasable_t;
/* The oldest that came before these times and still have something to erase, at most `limit` of
 * each kind (twice that of orders). Pending events are among them where nobody tried them, or older
 * ones of their order, since; orders that are not over, where their time was over then. */
wxpay_rc_e wxpay_row_erasable(wxpay_tx_t *tx, apr_time_t notices_before, apr_time_t orders_before,
                              int limit, apr_pool_t *pool, wxpay_erasable_t **list, int *count,
                              wxpay_error_t *err);
/* Nothing is erased of an event that was taken up meanwhile. */
wxpay_rc_e wxpay_row_erase(wxpay_tx_t *tx, const wxpay_erasable_t *erasable, wxpay_error_t *err);

#endif
