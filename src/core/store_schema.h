/* store_schema.h - the tables, their version and the steps from one version to the next. */
#ifndef WXPAY_STORE_SCHEMA_H
#define WXPAY_STORE_SCHEMA_H

#define WXPAY_SCHEMA_VERSION 3

/* Orders that a person may have to look at. The index orders_flagged serves only queries with this
 * very condition. */
#define WXPAY_SQL_CLOSING "(close_wanted = 1 AND state <> 'CLOSED' AND state <> 'PAID')"
#define WXPAY_SQL_FLAGGED                                                                          \
    "(quarantined = 1 OR overpaid = 1 OR attach_differs = 1 OR " WXPAY_SQL_CLOSING ")"

/* What reconciling looks for, and what retention may erase: each is the condition of one index, and
 * stands in the queries that are to use it. */
#define WXPAY_SQL_ASKED_ABOUT "(ask_at > 0 AND state <> 'PAID')"
#define WXPAY_SQL_RUNS_OUT                                                                         \
    "(sweep_at > 0 AND quarantined = 0 AND (state = 'NEW' OR state = 'PENDING'))"
#define WXPAY_SQL_ERASABLE_ORDER                                                                   \
    "(erased = 0 AND (state = 'PAID' OR state = 'CLOSED' OR state = 'EXPIRED'))"
#define WXPAY_SQL_ERASABLE_EVENT "(body IS NOT NULL AND state <> 'pending')"
#define WXPAY_SQL_ERASABLE_NOTICE "(body IS NOT NULL)"

/* Statements that lead from version `from` to from + 1, NULL-terminated; from 0 is the empty
 * database. Each step writes its version into wxpay_meta itself. NULL if there is no such step. */
const char *const *wxpay_schema_step(int from);

#endif
