/* store_sqlite_fault.c - what SQLite's troubles mean to a person, and saying so once. */
#include "store_sqlite_int.h"

#include <apr_strings.h>
#include <errno.h>
#include <string.h>

static wxpay_rc_e disk_trouble(wxpay_sqlite_conn_t *conn, const char *step, wxpay_error_t *err)
{
    const char *path = conn->owner->opt.path;
    int code = conn->sys_errno;
    char text[96];

    if (code == ENOSPC || code == EDQUOT || code == EFBIG) {
        return wxpay_error_set(err, WXPAY_ESTORE, step,
                               "no space left (%s): free space on the filesystem of %s",
                               apr_strerror(code, text, sizeof(text)), path);
    }
    return wxpay_error_set(err, WXPAY_ESTORE, step,
                           "the disk or filesystem of %s failed (%s): see the system's log", path,
                           code == EROFS ? "it is read-only now" : "I/O error");
}

static wxpay_rc_e unusable(wxpay_sqlite_conn_t *conn, int xrc, const char *step, wxpay_error_t *err)
{
    const char *path = conn->owner->opt.path;

    conn->broken = 1;
    switch (xrc & 0xff) {
    case SQLITE_IOERR:
        return disk_trouble(conn, step, err);
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        return wxpay_error_set(err, WXPAY_ESTORE, step,
                               "cannot open %s or its -wal and -shm files: the server's user must "
                               "be able to read and write them and their directory",
                               path);
    case SQLITE_READONLY:
        return wxpay_error_set(
            err, WXPAY_ESTORE, step,
            "%s cannot be written: read-only filesystem, or owner or mode of the "
            "file or its directory changed",
            path);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return wxpay_error_set(
            err, WXPAY_ESTORE, step,
            "%s is damaged or not a database (%s): stop httpd and restore it from "
            "a backup",
            path, sqlite3_errstr(xrc));
    default:
        return wxpay_error_set(err, WXPAY_EINTERNAL, step, "SQLite: %s (code %d)",
                               sqlite3_errstr(xrc), xrc);
    }
}

wxpay_rc_e wxpay_sqlite_fail(wxpay_sqlite_conn_t *conn, int xrc, const char *step,
                             wxpay_error_t *err)
{
    wxpay_rc_e rc;

    switch (xrc & 0xff) {
    case SQLITE_CONSTRAINT:
        if (xrc == SQLITE_CONSTRAINT_UNIQUE || xrc == SQLITE_CONSTRAINT_PRIMARYKEY) {
            return wxpay_error_set(err, WXPAY_ECONFLICT, step, "%s", sqlite3_errmsg(conn->db));
        }
        /* fall through */
    case SQLITE_ERROR:
    case SQLITE_RANGE:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
        return wxpay_error_set(err, WXPAY_EINTERNAL, step, "SQLite: %s (code %d)",
                               sqlite3_errmsg(conn->db), xrc);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        rc = wxpay_error_set(err, WXPAY_EBUSY, step,
                             "another program or process keeps %s locked (an sqlite3 shell? a "
                             "backup?)",
                             conn->owner->opt.path);
        break;
    case SQLITE_FULL:
        rc =
            wxpay_error_set(err, WXPAY_ESTORE, step,
                            "disk full: free space on the filesystem of %s", conn->owner->opt.path);
        break;
    default:
        return unusable(conn, xrc, step, err);
    }
    if (err) {
        err->flags |= WXPAY_ERR_RETRY;
    }
    return rc;
}

/* Both sides stumble over the same missing file: that is one line, not two. */
static int known_elsewhere(wxpay_sqlite_t *sq, wxpay_sqlite_side_e side, const char *text)
{
    int i;

    for (i = 0; i < WXPAY_SQLITE_SIDES; ++i) {
        if (i != (int)side && !strcmp(sq->trouble[i], text)) {
            return 1;
        }
    }
    return 0;
}

void wxpay_sqlite_trouble(wxpay_sqlite_t *sq, wxpay_sqlite_side_e side, wxpay_rc_e rc,
                          const wxpay_error_t *err)
{
    char *text = sq->trouble[side];
    int news;

    if (rc != WXPAY_ESTORE && rc != WXPAY_EBUSY) {
        return;
    }
    if (rc == WXPAY_EBUSY && atomic_load(&sq->stopping)) {
        return; /* the end of this process waits for no lock, so none was held for long */
    }
    pthread_mutex_lock(&sq->trouble_lock);
    news = strcmp(text, err->detail) != 0;
    if (news) {
        apr_cpystrn(text, err->detail, sizeof(sq->trouble[side]));
        news = !known_elsewhere(sq, side, text);
    }
    atomic_store(&sq->troubled[side], 1);
    pthread_mutex_unlock(&sq->trouble_lock);
    if (news) {
        wxpay_log(sq->opt.log, rc == WXPAY_EBUSY ? WXPAY_LOG_WARN : WXPAY_LOG_ERR,
                  "WXP0508: store: %s; until then payments cannot be recorded and are refused (%s)",
                  err->detail, err->step);
    }
}

void wxpay_sqlite_fine(wxpay_sqlite_t *sq, wxpay_sqlite_side_e side)
{
    int news;

    if (!atomic_load(&sq->troubled[side])) {
        return;
    }
    pthread_mutex_lock(&sq->trouble_lock);
    news = sq->trouble[side][0] && !known_elsewhere(sq, side, sq->trouble[side]);
    sq->trouble[side][0] = '\0';
    atomic_store(&sq->troubled[side], 0);
    pthread_mutex_unlock(&sq->trouble_lock);
    if (news) {
        wxpay_log(sq->opt.log, WXPAY_LOG_NOTICE, "store: %s can be used again", sq->opt.path);
    }
}
