/* store_sqlite.c - the embedded driver: its options, work inside a transaction, reads. */
#include "store_sqlite_int.h"

#include <apr_strings.h>
#include <string.h>
#include <time.h>

#define DEFAULT_BUSY_TIMEOUT apr_time_from_sec(2)
#define STOP_AT_POOL_END apr_time_from_sec(1)
#define MAX_IDLE_READERS 64

static const char SQL_BEGIN_WRITE[] = "BEGIN IMMEDIATE";
static const char SQL_BEGIN_READ[] = "BEGIN";
static const char SQL_COMMIT[] = "COMMIT";
static const char SQL_ROLLBACK[] = "ROLLBACK";
static const char SQL_JOB[] = "SAVEPOINT job";
static const char SQL_JOB_KEEP[] = "RELEASE job";
static const char SQL_JOB_UNDO[] = "ROLLBACK TO job";

apr_time_t wxpay_sqlite_clock(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return apr_time_make(ts.tv_sec, ts.tv_nsec / 1000);
}

/* ---- a write transaction ---- */

/* Leave the connection outside of any transaction; after errors that may stick, leave none. */
static void settle(wxpay_sqlite_conn_t **conn)
{
    if (*conn && !sqlite3_get_autocommit((*conn)->db)) {
        wxpay_sqlite_control(*conn, SQL_ROLLBACK);
    }
    if (*conn && (*conn)->broken) {
        wxpay_sqlite_close(*conn);
        *conn = NULL;
    }
}

wxpay_rc_e wxpay_sqlite_begin(wxpay_sqlite_t *sq, apr_time_t give_up, wxpay_error_t *err)
{
    wxpay_rc_e rc = wxpay_sqlite_ready(sq, &sq->writer, 0, give_up, err);

    if (rc == WXPAY_OK) {
        int xrc = wxpay_sqlite_control(sq->writer, SQL_BEGIN_WRITE);

        if (xrc != SQLITE_OK) {
            rc = wxpay_sqlite_fail(sq->writer, xrc, "begin", err);
            settle(&sq->writer);
        }
    }
    if (rc != WXPAY_OK) {
        wxpay_sqlite_trouble(sq, WXPAY_SQLITE_WRITE, rc, err);
    }
    return rc;
}

/* One job, in a savepoint of its own unless it is alone. SQLite ends the whole transaction on some
 * errors (full disk, I/O): then so do we. */
static wxpay_rc_e run_task(wxpay_sqlite_t *sq, wxpay_sqlite_task_t *task, int alone,
                           wxpay_error_t *err)
{
    wxpay_tx_t tx = {&sq->store, sq->writer, 1};
    int xrc = alone ? SQLITE_OK : wxpay_sqlite_control(sq->writer, SQL_JOB);

    if (xrc != SQLITE_OK) {
        return wxpay_sqlite_fail(sq->writer, xrc, "savepoint", err);
    }
    task->rc = task->work(&tx, task->baton, wxpay_job_pool(task->job), &task->err);
    if (sqlite3_get_autocommit(sq->writer->db)) {
        if (task->rc == WXPAY_OK || !task->err.code) {
            wxpay_error_set(&task->err, WXPAY_ESTORE, "store",
                            "the transaction was ended by SQLite");
        }
        *err = task->err;
        return err->code;
    }
    if (alone) {
        return WXPAY_OK;
    }
    if (task->rc != WXPAY_OK) {
        xrc = wxpay_sqlite_control(sq->writer, SQL_JOB_UNDO);
    }
    if (xrc == SQLITE_OK) {
        xrc = wxpay_sqlite_control(sq->writer, SQL_JOB_KEEP);
    }
    return xrc == SQLITE_OK ? WXPAY_OK : wxpay_sqlite_fail(sq->writer, xrc, "savepoint", err);
}

static wxpay_rc_e finish(wxpay_sqlite_t *sq, int keep, wxpay_error_t *err)
{
    int xrc = wxpay_sqlite_control(sq->writer, keep ? SQL_COMMIT : SQL_ROLLBACK);
    wxpay_rc_e rc;

    if (xrc == SQLITE_OK) {
        return WXPAY_OK;
    }
    rc = wxpay_sqlite_fail(sq->writer, xrc, "commit", err);
    if ((xrc & 0xff) == SQLITE_IOERR) {
        err->flags |= WXPAY_ERR_AMBIGUOUS;
    }
    return rc;
}

void wxpay_sqlite_apply(wxpay_sqlite_t *sq, wxpay_sqlite_task_t *tasks)
{
    wxpay_sqlite_task_t *task;
    const wxpay_sqlite_task_t *ailing = NULL;
    wxpay_error_t err;
    wxpay_rc_e rc = WXPAY_OK;
    int alone = tasks && !tasks->next;
    int kept = 0;

    wxpay_error_clear(&err);
    for (task = tasks; task && rc == WXPAY_OK; task = task->next) {
        rc = run_task(sq, task, alone, &err);
        kept += task->rc == WXPAY_OK;
        if (task->rc == WXPAY_ESTORE || task->rc == WXPAY_EBUSY) {
            ailing = task;
        }
    }
    if (rc == WXPAY_OK) {
        rc = finish(sq, kept > 0, &err);
    }
    if (rc != WXPAY_OK) {
        /* Also those that failed by themselves: the neighbour's row they met never happened. */
        for (task = tasks; task; task = task->next) {
            task->rc = rc;
            task->err = err;
        }
        atomic_fetch_add(&sq->counts->failures, 1);
        wxpay_sqlite_trouble(sq, WXPAY_SQLITE_WRITE, rc, &err);
    }
    else if (ailing) {
        wxpay_sqlite_trouble(sq, WXPAY_SQLITE_WRITE, ailing->rc, &ailing->err);
    }
    else {
        atomic_fetch_add(&sq->counts->commits, kept > 0);
        atomic_fetch_add(&sq->counts->jobs, (unsigned)kept);
        wxpay_sqlite_fine(sq, WXPAY_SQLITE_WRITE);
    }
    settle(&sq->writer);
}

/* ---- reads ---- */

static wxpay_sqlite_conn_t *borrow(wxpay_sqlite_t *sq)
{
    wxpay_sqlite_conn_t *conn;

    pthread_mutex_lock(&sq->read_lock);
    conn = sq->readers;
    if (conn) {
        sq->readers = conn->next;
        --sq->idle;
    }
    pthread_mutex_unlock(&sq->read_lock);
    return conn;
}

static void return_reader(wxpay_sqlite_t *sq, wxpay_sqlite_conn_t *conn)
{
    if (!conn) {
        return;
    }
    pthread_mutex_lock(&sq->read_lock);
    if (sq->idle < MAX_IDLE_READERS && !atomic_load(&sq->stopping)) {
        conn->next = sq->readers;
        sq->readers = conn;
        ++sq->idle;
        conn = NULL;
    }
    pthread_mutex_unlock(&sq->read_lock);
    wxpay_sqlite_close(conn);
}

static wxpay_rc_e read_snapshot(wxpay_store_t *store, wxpay_work_fn *work, void *baton,
                                apr_pool_t *pool, wxpay_error_t *err)
{
    wxpay_sqlite_t *sq = store->impl;
    wxpay_sqlite_conn_t *conn = borrow(sq);
    wxpay_tx_t tx = {store, NULL, 0};
    wxpay_error_t own;
    wxpay_rc_e rc;
    int xrc;

    wxpay_error_clear(&own);
    rc = wxpay_sqlite_ready(sq, &conn, 1, wxpay_sqlite_clock() + sq->opt.busy_timeout, &own);
    if (rc == WXPAY_OK) {
        xrc = wxpay_sqlite_control(conn, SQL_BEGIN_READ);
        tx.conn = conn;
        rc = xrc == SQLITE_OK ? work(&tx, baton, pool, &own)
                              : wxpay_sqlite_fail(conn, xrc, "read", &own);
    }
    settle(&conn);
    return_reader(sq, conn);
    if (rc == WXPAY_ESTORE || rc == WXPAY_EBUSY) {
        wxpay_sqlite_trouble(sq, WXPAY_SQLITE_READ, rc, &own);
    }
    else {
        wxpay_sqlite_fine(sq, WXPAY_SQLITE_READ);
    }
    if (err) {
        *err = own;
    }
    return rc;
}

/* ---- the rest of the driver ---- */

static void stop(wxpay_store_t *store, apr_interval_time_t wait)
{
    wxpay_sqlite_t *sq = store->impl;
    wxpay_sqlite_conn_t *conn;

    atomic_store(&sq->stopping, 1);
    /* Inline: this may be a signal handler on top of a commit; touch nothing. */
    if (!sq->opt.threaded || !wxpay_sqlite_writer_stop(sq, wait)) {
        return;
    }
    while ((conn = borrow(sq)) != NULL) {
        wxpay_sqlite_close(conn);
    }
}

static void stats(wxpay_store_t *store, wxpay_store_stats_t *out)
{
    wxpay_sqlite_t *sq = store->impl;

    out->commits = atomic_load(&sq->counts->commits);
    out->jobs = atomic_load(&sq->counts->jobs);
    out->failures = atomic_load(&sq->counts->failures);
}

static const wxpay_store_driver_t inline_driver = {wxpay_sqlite_exec,
                                                   wxpay_sqlite_query,
                                                   wxpay_sqlite_inline_commit,
                                                   wxpay_sqlite_inline_submit,
                                                   read_snapshot,
                                                   stop,
                                                   stats};
static const wxpay_store_driver_t threaded_driver = {wxpay_sqlite_exec,
                                                     wxpay_sqlite_query,
                                                     wxpay_sqlite_writer_commit,
                                                     wxpay_sqlite_writer_submit,
                                                     read_snapshot,
                                                     stop,
                                                     stats};

/* The pool goes: end the thread, and if that takes too long, leave it the memory it works in. */
static apr_status_t on_pool_end(void *baton)
{
    wxpay_sqlite_t *sq = baton;

    stop(&sq->store, STOP_AT_POOL_END);
    if (!sq->started) {
        apr_pool_destroy(sq->home);
    }
    return APR_SUCCESS;
}

static int init_locks(wxpay_sqlite_t *sq)
{
    return pthread_mutex_init(&sq->write_lock, NULL) || pthread_mutex_init(&sq->read_lock, NULL) ||
           pthread_mutex_init(&sq->queue_lock, NULL) ||
           pthread_mutex_init(&sq->trouble_lock, NULL) || pthread_condattr_init(&sq->monotonic) ||
           pthread_condattr_setclock(&sq->monotonic, CLOCK_MONOTONIC) ||
           pthread_cond_init(&sq->work_waits, &sq->monotonic) ||
           pthread_cond_init(&sq->thread_ended, &sq->monotonic);
}

wxpay_rc_e wxpay_store_sqlite_create(apr_pool_t *pool, const wxpay_sqlite_options_t *options,
                                     wxpay_store_t **store, wxpay_error_t *err)
{
    wxpay_sqlite_t *sq;
    apr_pool_t *home = pool;

    if (!sqlite3_threadsafe()) {
        return wxpay_error_set(err, WXPAY_EINTERNAL, "open store",
                               "this SQLite library was built without thread safety");
    }
    if (options->threaded && apr_pool_create_unmanaged_ex(&home, NULL, NULL) != APR_SUCCESS) {
        return wxpay_error_set(err, WXPAY_EINTERNAL, "open store", "out of memory");
    }
    sq = apr_pcalloc(home, sizeof(*sq));
    sq->home = home;
    sq->opt = *options;
    sq->opt.path = apr_pstrdup(home, options->path);
    sq->counts = options->counts ? options->counts : &sq->own_counts;
    if (sq->opt.busy_timeout <= 0) {
        sq->opt.busy_timeout = DEFAULT_BUSY_TIMEOUT;
    }
    if (init_locks(sq)) {
        return wxpay_error_set(err, WXPAY_EINTERNAL, "open store", "cannot make locks");
    }
    sq->store.driver = options->threaded ? &threaded_driver : &inline_driver;
    sq->store.impl = sq;
    if (options->threaded) {
        apr_pool_pre_cleanup_register(pool, sq, on_pool_end);
    }
    *store = &sq->store;
    return WXPAY_OK;
}
