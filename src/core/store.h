/* store.h - durable truth: work inside transactions, behind one interface for every driver.
 *
 * A change is a function (the work) that runs inside a write transaction, with a savepoint of its
 * own: if it fails, only its own statements are undone. A driver may group the work of many callers
 * into one commit; a caller is told OK only after that commit is durable.
 * Statements are portable SQL: INSERT, and UPDATE ... WHERE state = ... with the affected-row
 * count. Source: design 3.6.
 */
#ifndef WXPAY_STORE_H
#define WXPAY_STORE_H

#include <stdatomic.h>
#include <apr_pools.h>
#include <apr_time.h>
#include "error.h"

/* Rows are leased by the clock: who holds a lease may call the gateway, or the application, and
 * record what came of it; who died with one loses it. None is taken for as long as this (the
 * longest, an attempt's with WxPayGatewayTimeout 60s, is of 130 s). One that ends later still was
 * taken by a clock that ran ahead and was set since: it counts as over, or nobody would do that
 * work for as long as the clock was wrong. */
#define WXPAY_LEASE_MAX apr_time_from_sec(600)

typedef struct wxpay_store_t wxpay_store_t;
typedef struct wxpay_tx_t
    wxpay_tx_t; /* a transaction or read snapshot; valid inside the work only */

typedef enum wxpay_value_e {
    WXPAY_VALUE_NULL,
    WXPAY_VALUE_INT,
    WXPAY_VALUE_TEXT,
    WXPAY_VALUE_BLOB
} wxpay_value_e;
typedef struct wxpay_value_t {
    wxpay_value_e type;
    apr_int64_t i;
    const char *s; /* TEXT (NUL-terminated) and BLOB */
    apr_size_t len;
} wxpay_value_t;

/* One row; values are valid until the next row. Return non-zero to stop. */
typedef int wxpay_row_fn(void *baton, const wxpay_value_t *values, int count);

/* Run one statement. sql is a string constant of store_schema.c/store_sql.c: drivers cache
 * prepared statements by its address. Parameters are '?' in order.
 * exec: *affected rows (may be NULL). Errors: WXPAY_ECONFLICT (a unique key exists already: nothing
 * changed, the transaction goes on), WXPAY_ESTORE, WXPAY_EBUSY, WXPAY_EINTERNAL (the statement
 * itself is wrong, or writes inside a read). */
wxpay_rc_e wxpay_tx_exec(wxpay_tx_t *tx, const char *sql, const wxpay_value_t *params, int count,
                         int *affected, wxpay_error_t *err);
wxpay_rc_e wxpay_tx_query(wxpay_tx_t *tx, const char *sql, const wxpay_value_t *params, int count,
                          wxpay_row_fn *row, void *baton, wxpay_error_t *err);

/* The work. Any code but WXPAY_OK rolls back what it did. It may run on another thread, touches
 * only memory of its job (or const memory that outlives it), and never blocks on anything else. It
 * may be run again from the start when its whole group had to be rolled back: it must not keep
 * results of a first run. */
typedef wxpay_rc_e wxpay_work_fn(wxpay_tx_t *tx, void *baton, apr_pool_t *pool, wxpay_error_t *err);

typedef struct wxpay_job_t wxpay_job_t;
/* After commit or failure, on the writer's thread (or the caller's, inline). It may submit further
 * jobs, but must not wait for one. err is cleared on WXPAY_OK. */
typedef void wxpay_job_done_fn(void *baton, wxpay_rc_e rc, const wxpay_error_t *err);

/* A job has a pool of its own (baton and all it points to belong there), and is freed when both its
 * creator and the store have let go. One job goes to the store once. create never returns NULL (out
 * of memory ends the process, as everywhere in httpd). */
wxpay_job_t *wxpay_job_create(void);
apr_pool_t *wxpay_job_pool(wxpay_job_t *job);
void wxpay_job_release(wxpay_job_t *job);

/* Do it and wait at most `wait` for the commit. Errors: those of the work; WXPAY_ESTORE (with
 * AMBIGUOUS if the disk failed in the middle of the commit: it may be there or not);
 * WXPAY_EBUSY when not committed in time: without AMBIGUOUS it was withdrawn and will not happen,
 * with AMBIGUOUS it was under way and may still happen: then do not read the baton. */
wxpay_rc_e wxpay_store_commit(wxpay_store_t *store, wxpay_job_t *job, wxpay_work_fn *work,
                              void *baton, apr_interval_time_t wait, wxpay_error_t *err);
/* Do it and call done; never waits when the driver has a writer thread. The job's creator may
 * release it at once (done still runs with the job alive). Inline drivers have called done,
 * whatever came of it, before this returns WXPAY_OK. Errors (done is not called): WXPAY_EBUSY,
 * WXPAY_ESTORE. */
wxpay_rc_e wxpay_store_submit(wxpay_store_t *store, wxpay_job_t *job, wxpay_work_fn *work,
                              wxpay_job_done_fn *done, void *baton, wxpay_error_t *err);
/* Read in one snapshot, on the caller's thread. Writing inside is an error. */
wxpay_rc_e wxpay_store_read(wxpay_store_t *store, wxpay_work_fn *work, void *baton,
                            apr_pool_t *pool, wxpay_error_t *err);
/* No new work from now on; the writer thread finishes what is queued, if that takes no longer than
 * `wait`. What was not committed was not acknowledged. Without a writer thread it only sets a flag
 * (it may be called from a signal handler). */
void wxpay_store_stop(wxpay_store_t *store, apr_interval_time_t wait);

/* Where a driver counts; may lie in memory that processes share. Zeroed at first. */
typedef struct wxpay_store_counts_t {
    atomic_ullong commits;
    atomic_ullong jobs;
    atomic_ullong failures;
} wxpay_store_counts_t;

typedef struct wxpay_store_stats_t {
    apr_uint64_t commits; /* transactions */
    apr_uint64_t jobs;    /* work committed in them */
    apr_uint64_t failures;
} wxpay_store_stats_t;
void wxpay_store_stats(wxpay_store_t *store, wxpay_store_stats_t *stats);

/* ---- what a driver uses and provides ---- */
void wxpay_job_hold(wxpay_job_t *job); /* one more wxpay_job_release() is due */

typedef struct wxpay_store_driver_t {
    wxpay_rc_e (*exec)(wxpay_tx_t *tx, const char *sql, const wxpay_value_t *params, int count,
                       int *affected, wxpay_error_t *err);
    wxpay_rc_e (*query)(wxpay_tx_t *tx, const char *sql, const wxpay_value_t *params, int count,
                        wxpay_row_fn *row, void *baton, wxpay_error_t *err);
    wxpay_rc_e (*commit)(wxpay_store_t *store, wxpay_job_t *job, wxpay_work_fn *work, void *baton,
                         apr_interval_time_t wait, wxpay_error_t *err);
    wxpay_rc_e (*submit)(wxpay_store_t *store, wxpay_job_t *job, wxpay_work_fn *work,
                         wxpay_job_done_fn *done, void *baton, wxpay_error_t *err);
    wxpay_rc_e (*read)(wxpay_store_t *store, wxpay_work_fn *work, void *baton, apr_pool_t *pool,
                       wxpay_error_t *err);
    void (*stop)(wxpay_store_t *store, apr_interval_time_t wait);
    void (*stats)(wxpay_store_t *store, wxpay_store_stats_t *stats);
} wxpay_store_driver_t;

struct wxpay_store_t {
    const wxpay_store_driver_t *driver;
    void *impl;
};
struct wxpay_tx_t {
    wxpay_store_t *store;
    void *conn; /* the driver's connection */
    int writable;
};

#endif
