/* store_sqlite_int.h - what the files of the SQLite driver share. Private to store_sqlite*.c.
 *
 * store_sqlite.c        the driver: options, work inside a transaction, reads
 * store_sqlite_writer.c the writer thread, its queue and those who wait
 * store_sqlite_inline.c commits of the caller, where there are no threads
 * store_sqlite_conn.c   one connection: statements, and what SQLite's codes mean
 * store_sqlite_file.c   the file: made, found, opened and set up
 * store_sqlite_schema.c its tables: recognised, made, brought up to date
 * store_sqlite_fault.c  troubles: words for people, and one log line per change
 */
#ifndef WXPAY_STORE_SQLITE_INT_H
#define WXPAY_STORE_SQLITE_INT_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "store_sqlite.h"

/* Cached statements per connection: about twice what the rows use. */
#define WXPAY_SQLITE_SLOTS 64
#define WXPAY_SQLITE_OPEN "open store" /* the step that errors name */

typedef struct wxpay_sqlite_t wxpay_sqlite_t;

typedef struct wxpay_sqlite_slot_t {
    const char *sql; /* compared by address */
    sqlite3_stmt *stmt;
} wxpay_sqlite_slot_t;

/* One connection, used by one thread at a time. On the heap. */
typedef struct wxpay_sqlite_conn_t {
    wxpay_sqlite_t *owner;
    struct wxpay_sqlite_conn_t *next; /* in the pool of readers */
    sqlite3 *db;
    dev_t dev; /* the file it has open, and its journal */
    ino_t ino;
    ino_t wal_ino;
    apr_time_t give_up; /* monotonic: how long to wait for other programs' locks */
    int sys_errno;      /* after the last statement that failed */
    int broken;         /* an error after which it is better closed than used again */
    wxpay_sqlite_slot_t slots[WXPAY_SQLITE_SLOTS];
} wxpay_sqlite_conn_t;

/* One job on its way. Lives in the job's pool. */
typedef enum wxpay_sqlite_state_e {
    WXPAY_SQLITE_QUEUED,
    WXPAY_SQLITE_RUNNING,
    WXPAY_SQLITE_DONE
} wxpay_sqlite_state_e;

typedef struct wxpay_sqlite_task_t {
    struct wxpay_sqlite_task_t *next, *prev;
    wxpay_job_t *job;
    wxpay_work_fn *work;
    wxpay_job_done_fn *done; /* NULL: somebody waits on cond */
    void *baton;
    apr_uint64_t number; /* in order of arrival */
    wxpay_sqlite_state_e state;
    wxpay_rc_e rc;
    wxpay_error_t err;
    pthread_cond_t cond;
} wxpay_sqlite_task_t;

/* Which side of the store is in trouble. */
typedef enum wxpay_sqlite_side_e { WXPAY_SQLITE_WRITE, WXPAY_SQLITE_READ } wxpay_sqlite_side_e;
#define WXPAY_SQLITE_SIDES 2

struct wxpay_sqlite_t {
    wxpay_store_t store;
    apr_pool_t *home; /* where this lives: outlasts the creator's pool while the thread runs */
    wxpay_sqlite_options_t opt;
    volatile apr_uint32_t own_seen; /* when opt.seen is NULL */
    atomic_int stopping;
    wxpay_store_counts_t *counts;
    wxpay_store_counts_t own_counts; /* when opt.counts is NULL */

    /* Writing: the writer thread's own, or guarded by write_lock (inline). */
    wxpay_sqlite_conn_t *writer;
    pthread_mutex_t write_lock;

    /* Idle read connections, last used first; guarded by read_lock. */
    pthread_mutex_t read_lock;
    wxpay_sqlite_conn_t *readers;
    int idle;

    /* The queue and the thread's life; guarded by queue_lock. */
    pthread_mutex_t queue_lock;
    pthread_condattr_t monotonic;
    pthread_cond_t work_waits;
    pthread_cond_t thread_ended;
    wxpay_sqlite_task_t *first, *last;
    int queued;
    apr_uint64_t numbers;
    int started, ended; /* started goes back to 0 when the thread was joined */
    pthread_t thread;

    /* What was logged last per side; guarded by trouble_lock. */
    pthread_mutex_t trouble_lock;
    atomic_int troubled[WXPAY_SQLITE_SIDES];
    char trouble[WXPAY_SQLITE_SIDES][256];
};

/* ---- store_sqlite.c ---- */
/* Begin a write transaction on sq->writer (opened if need be), waiting for others until give_up. */
wxpay_rc_e wxpay_sqlite_begin(wxpay_sqlite_t *sq, apr_time_t give_up, wxpay_error_t *err);
/* After begin: run all tasks of the list, commit, and leave rc and err in each. */
void wxpay_sqlite_apply(wxpay_sqlite_t *sq, wxpay_sqlite_task_t *tasks);
/* A monotonic clock in microseconds. */
apr_time_t wxpay_sqlite_clock(void);

/* ---- store_sqlite_writer.c ---- */
wxpay_rc_e wxpay_sqlite_writer_commit(wxpay_store_t *store, wxpay_job_t *job, wxpay_work_fn *work,
                                      void *baton, apr_interval_time_t wait, wxpay_error_t *err);
wxpay_rc_e wxpay_sqlite_writer_submit(wxpay_store_t *store, wxpay_job_t *job, wxpay_work_fn *work,
                                      wxpay_job_done_fn *done, void *baton, wxpay_error_t *err);
/* 1 when the thread has ended (or never began) and nothing of the writer runs any more. */
int wxpay_sqlite_writer_stop(wxpay_sqlite_t *sq, apr_interval_time_t wait);

/* ---- store_sqlite_inline.c ---- */
wxpay_rc_e wxpay_sqlite_inline_commit(wxpay_store_t *store, wxpay_job_t *job, wxpay_work_fn *work,
                                      void *baton, apr_interval_time_t wait, wxpay_error_t *err);
wxpay_rc_e wxpay_sqlite_inline_submit(wxpay_store_t *store, wxpay_job_t *job, wxpay_work_fn *work,
                                      wxpay_job_done_fn *done, void *baton, wxpay_error_t *err);

/* ---- store_sqlite_conn.c ---- */
/* Run a statement without parameters and rows; the same cache as exec. Returns SQLite's code. */
int wxpay_sqlite_control(wxpay_sqlite_conn_t *conn, const char *sql);
wxpay_rc_e wxpay_sqlite_exec(wxpay_tx_t *tx, const char *sql, const wxpay_value_t *params,
                             int count, int *affected, wxpay_error_t *err);
wxpay_rc_e wxpay_sqlite_query(wxpay_tx_t *tx, const char *sql, const wxpay_value_t *params,
                              int count, wxpay_row_fn *row, void *baton, wxpay_error_t *err);
void wxpay_sqlite_close(wxpay_sqlite_conn_t *conn); /* NULL is fine */

/* ---- store_sqlite_file.c ---- */
/* Make *conn a connection to the file that is at the path now: the one it has, or a new one.
 * The file and its schema are made if this server never saw it. On an error *conn may be NULL or
 * the connection to the file that went away. */
wxpay_rc_e wxpay_sqlite_ready(wxpay_sqlite_t *sq, wxpay_sqlite_conn_t **conn, int read_only,
                              apr_time_t give_up, wxpay_error_t *err);
/* Says so: the database that this server knew is not there any more, or empty. */
wxpay_rc_e wxpay_sqlite_gone(wxpay_sqlite_t *sq, wxpay_error_t *err);
/* Not 0 once this server has had the file open. */
volatile apr_uint32_t *wxpay_sqlite_seen(wxpay_sqlite_t *sq);

/* ---- store_sqlite_schema.c ---- */
/* The file's version (0: an empty database); somebody else's and newer ones are refused. */
wxpay_rc_e wxpay_sqlite_check_schema(wxpay_sqlite_conn_t *conn, int *version, wxpay_error_t *err);
/* Brings it up to date, waiting for other programs until conn->give_up. */
wxpay_rc_e wxpay_sqlite_migrate(wxpay_sqlite_conn_t *conn, wxpay_error_t *err);

/* ---- store_sqlite_fault.c ---- */
/* Words for SQLite's code xrc (extended), and whether the connection is still good. */
wxpay_rc_e wxpay_sqlite_fail(wxpay_sqlite_conn_t *conn, int xrc, const char *step,
                             wxpay_error_t *err);
/* Log the beginning of a trouble (rc is ESTORE or EBUSY; others are ignored) or its end. */
void wxpay_sqlite_trouble(wxpay_sqlite_t *sq, wxpay_sqlite_side_e side, wxpay_rc_e rc,
                          const wxpay_error_t *err);
void wxpay_sqlite_fine(wxpay_sqlite_t *sq, wxpay_sqlite_side_e side);

#endif
