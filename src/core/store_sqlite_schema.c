/* store_sqlite_schema.c - the tables of a database file: recognised, made, brought up to date. */
#include "store_sqlite_int.h"

#include <apr_atomic.h>

#include "store_schema.h"

#define STEP WXPAY_SQLITE_OPEN

static wxpay_rc_e newer(wxpay_sqlite_t *sq, int version, wxpay_error_t *err)
{
    return wxpay_error_set(err, WXPAY_ESTORE, STEP,
                           "%s has schema version %d, this module knows %d: it was used by a newer "
                           "mod_wxpay; install that again, or restore a backup",
                           sq->opt.path, version, WXPAY_SCHEMA_VERSION);
}

static wxpay_rc_e foreign(wxpay_sqlite_t *sq, wxpay_error_t *err)
{
    return wxpay_error_set(
        err, WXPAY_ESTORE, STEP,
        "%s is a database of some other program: name another file in WxPayStore", sq->opt.path);
}

/* The first column of the first row as a number; absent when there is no row. */
static int read_number(wxpay_sqlite_conn_t *conn, const char *sql, int absent, int *number)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(conn->db, sql, -1, &stmt, NULL);

    *number = absent;
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW) {
            *number = sqlite3_column_int(stmt, 0);
        }
    }
    sqlite3_finalize(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* 0: an empty database; -1: tables, but not ours. One statement looks at all tables: between two,
 * another process may have made them. */
static int read_version(wxpay_sqlite_conn_t *conn, int *version)
{
    int rc = read_number(conn,
                         "SELECT CASE WHEN count(*) = 0 THEN 0"
                         " WHEN sum(name = 'wxpay_meta') = 1 THEN 1 ELSE -1 END"
                         " FROM sqlite_master",
                         0, version);

    if (rc == SQLITE_OK && *version == 1) {
        rc = read_number(conn, "SELECT value FROM wxpay_meta WHERE name = 'schema_version'", -1,
                         version);
    }
    return rc;
}

static int run_steps(wxpay_sqlite_conn_t *conn, int version)
{
    const char *const *sql;
    int rc = SQLITE_OK;

    for (; rc == SQLITE_OK && (sql = wxpay_schema_step(version)) != NULL; ++version) {
        for (; *sql && rc == SQLITE_OK; ++sql) {
            rc = sqlite3_exec(conn->db, *sql, NULL, NULL, NULL);
        }
    }
    return rc;
}

/* Read again under the lock: another process may have been faster. */
wxpay_rc_e wxpay_sqlite_migrate(wxpay_sqlite_conn_t *conn, wxpay_error_t *err)
{
    wxpay_sqlite_t *sq = conn->owner;
    wxpay_rc_e rc = WXPAY_OK;
    int version = 0;
    int xrc = sqlite3_exec(conn->db, "BEGIN EXCLUSIVE", NULL, NULL, NULL);

    if (xrc != SQLITE_OK) {
        return wxpay_sqlite_fail(conn, xrc, STEP, err);
    }
    xrc = read_version(conn, &version);
    if (xrc == SQLITE_OK && version == 0 && apr_atomic_read32(wxpay_sqlite_seen(sq))) {
        rc = wxpay_sqlite_gone(sq, err);
    }
    else if (xrc == SQLITE_OK) {
        xrc = run_steps(conn, version);
        if (xrc == SQLITE_OK) {
            xrc = sqlite3_exec(conn->db, "COMMIT", NULL, NULL, NULL);
        }
    }
    if (xrc != SQLITE_OK) {
        rc = wxpay_sqlite_fail(conn, xrc, STEP, err);
    }
    if (!sqlite3_get_autocommit(conn->db)) {
        sqlite3_exec(conn->db, "ROLLBACK", NULL, NULL, NULL);
    }
    if (rc == WXPAY_OK && version < WXPAY_SCHEMA_VERSION) {
        wxpay_log(sq->opt.log, WXPAY_LOG_NOTICE, "store: %s now has schema version %d (was %d)",
                  sq->opt.path, WXPAY_SCHEMA_VERSION, version);
    }
    return rc;
}

wxpay_rc_e wxpay_sqlite_check_schema(wxpay_sqlite_conn_t *conn, int *version, wxpay_error_t *err)
{
    int xrc = read_version(conn, version);

    if (xrc != SQLITE_OK) {
        return wxpay_sqlite_fail(conn, xrc, STEP, err);
    }
    if (*version < 0) {
        return foreign(conn->owner, err);
    }
    if (*version > WXPAY_SCHEMA_VERSION) {
        return newer(conn->owner, *version, err);
    }
    return WXPAY_OK;
}
