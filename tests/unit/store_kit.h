/* store_kit.h - a store in a directory of its own, a row to write, and the log lines it caused. */
#ifndef STORE_KIT_H
#define STORE_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <apr_general.h>
#include <apr_pools.h>
#include <apr_strings.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store.h"
#include "store_sqlite_int.h"

#define KIT_LINES 64
#define KIT_WAIT apr_time_from_sec(20) /* valgrind is slow */

typedef struct kit_t {
    apr_pool_t *pool;
    char dir[64];
    char path[96];
    wxpay_store_t *store;
    wxpay_sqlite_options_t options;
    volatile apr_uint32_t seen;
    wxpay_log_t log;
    pthread_mutex_t lock;
    char lines[KIT_LINES][512];
    wxpay_log_level_e levels[KIT_LINES];
    int count;
} kit_t;

static const char KIT_INSERT[] = "INSERT INTO notices (mch_id, ref, verdict, reason, first_at, "
                                 "last_at) VALUES ('m', ?, 'paid', '', 0, 0)";
static const char KIT_COUNT[] = "SELECT count(*) FROM notices";
static const char KIT_FIND[] = "SELECT ref FROM notices WHERE ref = ?";

static inline void kit_write(void *baton, wxpay_log_level_e level, const char *line)
{
    kit_t *kit = baton;

    pthread_mutex_lock(&kit->lock);
    if (kit->count < KIT_LINES) {
        kit->levels[kit->count] = level;
        apr_cpystrn(kit->lines[kit->count++], line, sizeof(kit->lines[0]));
    }
    pthread_mutex_unlock(&kit->lock);
}

/* How many lines of this level hold this text. */
static inline int kit_said(kit_t *kit, wxpay_log_level_e level, const char *text)
{
    int found = 0;
    int i;

    pthread_mutex_lock(&kit->lock);
    for (i = 0; i < kit->count; ++i) {
        found += kit->levels[i] == level && strstr(kit->lines[i], text);
    }
    pthread_mutex_unlock(&kit->lock);
    return found;
}

static inline void kit_open(kit_t *kit)
{
    wxpay_error_t err;

    assert_int_equal(wxpay_store_sqlite_create(kit->pool, &kit->options, &kit->store, &err),
                     WXPAY_OK);
}

/* A store without a thread keeps its connections for its process's life; a test outlives it. */
static inline void kit_let_go(kit_t *kit)
{
    wxpay_sqlite_t *sq = kit->store && !kit->options.threaded ? kit->store->impl : NULL;
    wxpay_sqlite_conn_t *conn;

    if (!sq) {
        return;
    }
    while ((conn = sq->readers) != NULL) {
        sq->readers = conn->next;
        wxpay_sqlite_close(conn);
    }
    wxpay_sqlite_close(sq->writer);
    sq->writer = NULL;
}

static inline int kit_setup(void **state)
{
    kit_t *kit = calloc(1, sizeof(*kit));
    const char *tmp = getenv("TMPDIR");

    apr_initialize();
    apr_pool_create(&kit->pool, NULL);
    snprintf(kit->dir, sizeof(kit->dir), "%.40s/wxstoreXXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(kit->dir));
    snprintf(kit->path, sizeof(kit->path), "%s/wxpay.db", kit->dir);
    pthread_mutex_init(&kit->lock, NULL);
    kit->log.write = kit_write;
    kit->log.baton = kit;
    kit->options.path = kit->path;
    kit->options.threaded = 1;
    kit->options.seen = &kit->seen;
    kit->options.log = &kit->log;
    kit_open(kit);
    *state = kit;
    return 0;
}

static inline void kit_stop(kit_t *kit)
{
    kit_let_go(kit);
    apr_pool_destroy(kit->pool);
    apr_pool_create(&kit->pool, NULL);
    kit->store = NULL;
}

static inline int kit_teardown(void **state)
{
    kit_t *kit = *state;
    char command[128];

    kit_let_go(kit);
    apr_pool_destroy(kit->pool);
    snprintf(command, sizeof(command), "rm -rf '%s'", kit->dir);
    assert_int_equal(system(command), 0);
    free(kit);
    return 0;
}

static inline wxpay_value_t kit_text(const char *text)
{
    wxpay_value_t v = {WXPAY_VALUE_TEXT, 0, text, strlen(text)};

    return v;
}

/* The work: a row named by the baton. */
static inline wxpay_rc_e kit_insert(wxpay_tx_t *tx, void *baton, apr_pool_t *pool,
                                    wxpay_error_t *err)
{
    wxpay_value_t v = kit_text(baton);

    (void)pool;
    return wxpay_tx_exec(tx, KIT_INSERT, &v, 1, NULL, err);
}

static inline wxpay_rc_e kit_put_within(wxpay_store_t *store, const char *ref,
                                        apr_interval_time_t wait, wxpay_error_t *err)
{
    wxpay_job_t *job = wxpay_job_create();
    char *baton = apr_pstrdup(wxpay_job_pool(job), ref);
    wxpay_rc_e rc = wxpay_store_commit(store, job, kit_insert, baton, wait, err);

    wxpay_job_release(job);
    return rc;
}

static inline wxpay_rc_e kit_put(wxpay_store_t *store, const char *ref)
{
    wxpay_error_t err;

    return kit_put_within(store, ref, KIT_WAIT, &err);
}

static inline int kit_take_number(void *baton, const wxpay_value_t *values, int count)
{
    *(apr_int64_t *)baton = count == 1 ? values[0].i : -1;
    return 0;
}

static inline wxpay_rc_e kit_count_work(wxpay_tx_t *tx, void *baton, apr_pool_t *pool,
                                        wxpay_error_t *err)
{
    (void)pool;
    return wxpay_tx_query(tx, KIT_COUNT, NULL, 0, kit_take_number, baton, err);
}

static inline wxpay_rc_e kit_count(kit_t *kit, apr_int64_t *rows, wxpay_error_t *err)
{
    apr_pool_t *pool;
    wxpay_rc_e rc;

    *rows = -1;
    apr_pool_create(&pool, kit->pool);
    rc = wxpay_store_read(kit->store, kit_count_work, rows, pool, err);
    apr_pool_destroy(pool);
    return rc;
}

static inline int kit_rows(kit_t *kit)
{
    wxpay_error_t err;
    apr_int64_t rows;

    return kit_count(kit, &rows, &err) == WXPAY_OK ? (int)rows : -1;
}

/* Another program at the same file. */
static inline sqlite3 *kit_shell(kit_t *kit, const char *sql)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(kit->path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    return db;
}

static inline void kit_shell_end(sqlite3 *db, const char *sql)
{
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static inline int kit_exit_code(pid_t pid)
{
    int status = 0;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

#endif
