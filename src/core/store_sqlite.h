/* store_sqlite.h - the embedded store: one SQLite file, WAL, synchronous=FULL, busy timeout below
 * the 3 s that a notification has.
 *
 * Threaded MPMs: one writer thread per process, commits in groups (a savepoint per job). Otherwise
 * (prefork): the caller commits inline, holding the lock given. A pool of read connections, last
 * used first. Opened at first use, by children only; the schema is made or migrated then under an
 * exclusive lock; a newer schema is refused. The file at `path` is checked before every group: when
 * it was removed or replaced under us, work is refused until it is back (then it is opened again).
 * Source: design 3.6, feasibility C.
 */
#ifndef WXPAY_STORE_SQLITE_H
#define WXPAY_STORE_SQLITE_H

#include "log.h"
#include "store.h"

typedef struct wxpay_sqlite_options_t {
    const char *path;
    apr_interval_time_t busy_timeout; /* 0: 2 s */
    int threaded;
    /* Inline mode only: held around every write transaction; may be NULL. lock returns 0 on success
     * and gives up after `wait`. */
    int (*lock)(void *baton, apr_interval_time_t wait);
    void (*unlock)(void *baton);
    void *lock_baton;
    /* Shared by all processes of one server life (may be NULL): set once the file has been seen, so
     * that a later absence is "removed", never an empty new database. */
    volatile apr_uint32_t *seen;
    wxpay_store_counts_t *counts; /* may be shared as well; NULL: this store's own */
    const wxpay_log_t *log;
} wxpay_sqlite_options_t;

/* Opens nothing yet. options are copied (what its pointers name must live as long as the process
 * serves). Call it after the fork. When the pool goes, the writer thread is stopped within 1 s; a
 * store without thread is left as it is, connections open: prefork destroys pools in a signal
 * handler. Errors: WXPAY_EINTERNAL. */
wxpay_rc_e wxpay_store_sqlite_create(apr_pool_t *pool, const wxpay_sqlite_options_t *options,
                                     wxpay_store_t **store, wxpay_error_t *err);

#endif
