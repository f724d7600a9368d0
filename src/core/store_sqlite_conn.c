/* store_sqlite_conn.c - statements on one connection. */
#include "store_sqlite_int.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#define MAX_COLUMNS 64

void wxpay_sqlite_close(wxpay_sqlite_conn_t *conn)
{
    int i;

    if (!conn) {
        return;
    }
    for (i = 0; i < WXPAY_SQLITE_SLOTS; ++i) {
        sqlite3_finalize(conn->slots[i].stmt);
    }
    sqlite3_close(conn->db);
    free(conn);
}

/* The statement, prepared and idle. *cached is 0 when the caller has to finalize it: the cache is
 * crowded there, or the statement is in use (queried again from its own row function). */
static int take(wxpay_sqlite_conn_t *conn, const char *sql, sqlite3_stmt **stmt, int *cached)
{
    size_t at = ((uintptr_t)sql >> 4) % WXPAY_SQLITE_SLOTS;
    wxpay_sqlite_slot_t *slot = NULL;
    size_t i;
    int rc;

    *cached = 0;
    for (i = 0; i < WXPAY_SQLITE_SLOTS / 4; ++i) {
        slot = &conn->slots[(at + i) % WXPAY_SQLITE_SLOTS];
        if (!slot->stmt || slot->sql == sql) {
            break;
        }
    }
    if (slot->stmt && slot->sql == sql && !sqlite3_stmt_busy(slot->stmt)) {
        *stmt = slot->stmt;
        *cached = 1;
        return SQLITE_OK;
    }
    rc = sqlite3_prepare_v3(conn->db, sql, -1, slot->stmt ? 0 : SQLITE_PREPARE_PERSISTENT, stmt,
                            NULL);
    if (rc == SQLITE_OK && !slot->stmt) {
        slot->sql = sql;
        slot->stmt = *stmt;
        *cached = 1;
    }
    return rc;
}

static void give_back(sqlite3_stmt *stmt, int cached)
{
    if (cached) {
        sqlite3_reset(stmt);
    }
    else {
        sqlite3_finalize(stmt);
    }
}

static int bind_all(sqlite3_stmt *stmt, const wxpay_value_t *params, int count)
{
    int rc = sqlite3_bind_parameter_count(stmt) == count ? SQLITE_OK : SQLITE_RANGE;
    int i;

    for (i = 0; i < count && rc == SQLITE_OK; ++i) {
        const wxpay_value_t *v = &params[i];

        switch (v->type) {
        case WXPAY_VALUE_NULL:
            rc = sqlite3_bind_null(stmt, i + 1);
            break;
        case WXPAY_VALUE_INT:
            rc = sqlite3_bind_int64(stmt, i + 1, v->i);
            break;
        case WXPAY_VALUE_TEXT:
            rc = sqlite3_bind_text64(stmt, i + 1, v->s, v->len, SQLITE_STATIC, SQLITE_UTF8);
            break;
        case WXPAY_VALUE_BLOB:
            rc = sqlite3_bind_blob64(stmt, i + 1, v->s, v->len, SQLITE_STATIC);
            break;
        }
    }
    return rc;
}

static void read_values(sqlite3_stmt *stmt, wxpay_value_t *values, int count)
{
    int i;

    for (i = 0; i < count; ++i) {
        wxpay_value_t *v = &values[i];

        v->i = 0;
        v->s = NULL;
        v->len = 0;
        switch (sqlite3_column_type(stmt, i)) {
        case SQLITE_NULL:
            v->type = WXPAY_VALUE_NULL;
            break;
        case SQLITE_INTEGER:
            v->type = WXPAY_VALUE_INT;
            v->i = sqlite3_column_int64(stmt, i);
            break;
        case SQLITE_BLOB:
            v->type = WXPAY_VALUE_BLOB;
            v->s = sqlite3_column_blob(stmt, i);
            v->len = (apr_size_t)sqlite3_column_bytes(stmt, i);
            break;
        default:
            v->type = WXPAY_VALUE_TEXT;
            v->s = (const char *)sqlite3_column_text(stmt, i);
            v->len = (apr_size_t)sqlite3_column_bytes(stmt, i);
            break;
        }
    }
}

static int run(wxpay_sqlite_conn_t *conn, const char *sql, const wxpay_value_t *params, int count,
               wxpay_row_fn *row, void *baton)
{
    wxpay_value_t values[MAX_COLUMNS];
    sqlite3_stmt *stmt = NULL;
    int cached;
    int columns;
    int rc = take(conn, sql, &stmt, &cached);

    if (rc != SQLITE_OK) {
        return rc;
    }
    rc = bind_all(stmt, params, count);
    columns = sqlite3_column_count(stmt);
    if (rc == SQLITE_OK && columns > MAX_COLUMNS) {
        rc = SQLITE_RANGE;
    }
    if (rc == SQLITE_OK) {
        errno = 0;
        while ((rc = sqlite3_step(stmt)) == SQLITE_ROW && row) {
            read_values(stmt, values, columns);
            if (row(baton, values, columns)) {
                break;
            }
        }
    }
    conn->sys_errno = errno; /* sqlite3_system_errno() knows it for failed opens only */
    give_back(stmt, cached);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int wxpay_sqlite_control(wxpay_sqlite_conn_t *conn, const char *sql)
{
    return run(conn, sql, NULL, 0, NULL, NULL);
}

wxpay_rc_e wxpay_sqlite_exec(wxpay_tx_t *tx, const char *sql, const wxpay_value_t *params,
                             int count, int *affected, wxpay_error_t *err)
{
    wxpay_sqlite_conn_t *conn = tx->conn;
    int rc = run(conn, sql, params, count, NULL, NULL);

    if (rc != SQLITE_OK) {
        return wxpay_sqlite_fail(conn, rc, "store", err);
    }
    if (affected) {
        *affected = sqlite3_changes(conn->db);
    }
    return WXPAY_OK;
}

wxpay_rc_e wxpay_sqlite_query(wxpay_tx_t *tx, const char *sql, const wxpay_value_t *params,
                              int count, wxpay_row_fn *row, void *baton, wxpay_error_t *err)
{
    wxpay_sqlite_conn_t *conn = tx->conn;
    int rc = run(conn, sql, params, count, row, baton);

    if (rc == SQLITE_READONLY && !tx->writable) {
        return wxpay_error_set(err, WXPAY_EINTERNAL, "store", "a read may not write");
    }
    return rc == SQLITE_OK ? WXPAY_OK : wxpay_sqlite_fail(conn, rc, "store", err);
}
