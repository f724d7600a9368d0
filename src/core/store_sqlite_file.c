/* store_sqlite_file.c - the database file: made, found, opened and set up. */
#include "store_sqlite_int.h"

#include <apr_atomic.h>
#include <apr_strings.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store_schema.h"

#define STEP WXPAY_SQLITE_OPEN
/* Between two looks at a lock. SQLite's own waits grow to 100 ms and starve; shorter ones only burn
 * what the lock's holder needs. */
#define PAUSE_NS 1000000

static const char settings[] =
    "PRAGMA trusted_schema = OFF; PRAGMA foreign_keys = OFF; PRAGMA cell_size_check = ON;"
    "PRAGMA temp_store = MEMORY; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 1000;"
    /* What retention erases is overwritten, not only forgotten. */
    "PRAGMA journal_size_limit = 67108864; PRAGMA secure_delete = ON";

/* ---- troubles with the file ---- */

wxpay_rc_e wxpay_sqlite_gone(wxpay_sqlite_t *sq, wxpay_error_t *err)
{
    return wxpay_error_set(err, WXPAY_ESTORE, STEP,
                           "the database %s was removed or emptied while in use: put it back; or, "
                           "to begin with an empty one, restart httpd",
                           sq->opt.path);
}

static wxpay_rc_e errno_trouble(wxpay_sqlite_t *sq, const char *what, int code, wxpay_error_t *err)
{
    char text[96];

    return wxpay_error_set(err, WXPAY_ESTORE, STEP, "cannot %s %s: %s", what, sq->opt.path,
                           apr_strerror(code, text, sizeof(text)));
}

volatile apr_uint32_t *wxpay_sqlite_seen(wxpay_sqlite_t *sq)
{
    return sq->opt.seen ? sq->opt.seen : &sq->own_seen;
}

/* ---- the file ---- */

/* Made here and not by SQLite, whose files would take the umask's mode. Only when absent: closing
 * another descriptor of the file would drop the locks that SQLite holds on it in this process. */
static wxpay_rc_e make_file(wxpay_sqlite_t *sq, const char *path, wxpay_error_t *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int code = 0;

    if (fd < 0) {
        return errno == EEXIST ? WXPAY_OK : errno_trouble(sq, "make", errno, err);
    }
    if (fchmod(fd, 0600) != 0) {
        code = errno;
    }
    close(fd);
    return code ? errno_trouble(sq, "make", code, err) : WXPAY_OK;
}

/* The path with its directory resolved: SQLITE_OPEN_NOFOLLOW refuses a link anywhere in a path, and
 * directories may well be reached through links (/var on another disk); the file itself never. */
static wxpay_rc_e resolve(wxpay_sqlite_t *sq, char path[PATH_MAX], wxpay_error_t *err)
{
    const char *slash = strrchr(sq->opt.path, '/');
    char dir[PATH_MAX];
    char real[PATH_MAX];

    if (!slash) {
        apr_cpystrn(dir, ".", sizeof(dir));
    }
    else {
        apr_size_t len = slash == sq->opt.path ? 1 : (apr_size_t)(slash - sq->opt.path);

        apr_cpystrn(dir, sq->opt.path, len < sizeof(dir) ? len + 1 : sizeof(dir));
    }
    if (!realpath(dir, real)) {
        return errno_trouble(sq, "find the directory of", errno, err);
    }
    if (apr_snprintf(path, PATH_MAX, "%s/%s", real, slash ? slash + 1 : sq->opt.path) >=
        PATH_MAX - 1) {
        return errno_trouble(sq, "open", ENAMETOOLONG, err);
    }
    return WXPAY_OK;
}

static wxpay_rc_e look(wxpay_sqlite_t *sq, const char *path, struct stat *found, wxpay_error_t *err)
{
    /* Asked first: another process may make the file right after our look. */
    int known = apr_atomic_read32(wxpay_sqlite_seen(sq)) != 0;
    wxpay_rc_e rc;

    if (lstat(path, found) != 0) {
        if (errno != ENOENT) {
            return errno_trouble(sq, "look at", errno, err);
        }
        if (known) {
            return wxpay_sqlite_gone(sq, err);
        }
        rc = make_file(sq, path, err);
        if (rc != WXPAY_OK) {
            return rc;
        }
        if (lstat(path, found) != 0) {
            return errno_trouble(sq, "look at", errno, err);
        }
    }
    if (!S_ISREG(found->st_mode)) {
        return wxpay_error_set(err, WXPAY_ESTORE, STEP, "%s is not a regular file", sq->opt.path);
    }
    return WXPAY_OK;
}

static ino_t wal_of(const char *path, off_t *size)
{
    char name[PATH_MAX];
    struct stat st;

    *size = 0;
    apr_snprintf(name, sizeof(name), "%s-wal", path);
    if (lstat(name, &st) != 0) {
        return 0;
    }
    *size = st.st_size;
    return st.st_ino;
}

/* SQLite gave them the mode that the database had when it was read-only; with the database mended
 * they would keep the store shut until somebody found out. */
static void mend_side_files(const char *path)
{
    static const char *const suffixes[] = {"-wal", "-shm"};
    char name[PATH_MAX];
    struct stat st;
    size_t i;

    for (i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        apr_snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
        if (lstat(name, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
            !(st.st_mode & S_IWUSR)) {
            chmod(name, 0600);
        }
    }
}

/* ---- the connection ---- */

static void pause_a_little(void)
{
    const struct timespec ts = {0, PAUSE_NS};

    nanosleep(&ts, NULL);
}

static int on_busy(void *baton, int tries)
{
    wxpay_sqlite_conn_t *conn = baton;

    (void)tries;
    if (atomic_load(&conn->owner->stopping) || wxpay_sqlite_clock() >= conn->give_up) {
        return 0;
    }
    pause_a_little();
    return 1;
}

static int is_wal(void *baton, int columns, char **values, char **names)
{
    (void)names;
    *(int *)baton = columns == 1 && values[0] && !strcmp(values[0], "wal");
    return 0;
}

/* SQLite does not ask the busy handler while it changes the mode, so ask it ourselves: two
 * processes may meet here at the first start. */
static wxpay_rc_e enter_wal(wxpay_sqlite_conn_t *conn, wxpay_error_t *err)
{
    int wal = 0;
    int xrc;

    do {
        xrc = sqlite3_exec(conn->db, "PRAGMA journal_mode = WAL", is_wal, &wal, NULL);
    } while ((xrc & 0xff) == SQLITE_BUSY && on_busy(conn, 0));
    if (xrc != SQLITE_OK) {
        return wxpay_sqlite_fail(conn, xrc, STEP, err);
    }
    if (!wal) {
        return wxpay_error_set(
            err, WXPAY_ESTORE, STEP,
            "SQLite cannot keep a write-ahead log beside %s: put WxPayStateDir on "
            "a local filesystem",
            conn->owner->opt.path);
    }
    return WXPAY_OK;
}

static wxpay_rc_e set_up(wxpay_sqlite_conn_t *conn, int read_only, wxpay_error_t *err)
{
    wxpay_rc_e rc;
    int version = 0;
    int xrc;

    sqlite3_busy_handler(conn->db, on_busy, conn);
    sqlite3_db_config(conn->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    xrc = sqlite3_exec(conn->db, settings, NULL, NULL, NULL);
    if (xrc != SQLITE_OK) {
        return wxpay_sqlite_fail(conn, xrc, STEP, err);
    }
    if (sqlite3_db_readonly(conn->db, "main") == 1) {
        return wxpay_sqlite_fail(conn, SQLITE_READONLY, STEP, err);
    }
    /* Recognised before anything is changed: it may be somebody else's. */
    rc = wxpay_sqlite_check_schema(conn, &version, err);
    if (rc == WXPAY_OK) {
        rc = enter_wal(conn, err);
    }
    if (rc == WXPAY_OK && version < WXPAY_SCHEMA_VERSION) {
        rc = wxpay_sqlite_migrate(conn, err);
    }
    if (rc != WXPAY_OK) {
        return rc;
    }
    if (read_only) {
        xrc = sqlite3_exec(conn->db, "PRAGMA query_only = ON; PRAGMA cache_size = -512", NULL, NULL,
                           NULL);
    }
    return xrc == SQLITE_OK ? WXPAY_OK : wxpay_sqlite_fail(conn, xrc, STEP, err);
}

static wxpay_rc_e open_file(wxpay_sqlite_conn_t *conn, const char *path, int read_only,
                            const struct stat *before, wxpay_error_t *err)
{
    struct stat after;
    wxpay_rc_e rc;
    off_t size;
    int xrc;

    if (before->st_mode & S_IWUSR) {
        mend_side_files(path);
    }
    xrc = sqlite3_open_v2(path, &conn->db,
                          SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW |
                              SQLITE_OPEN_EXRESCODE,
                          NULL);
    if (xrc != SQLITE_OK) {
        return wxpay_sqlite_fail(conn, xrc, STEP, err);
    }
    rc = set_up(conn, read_only, err);
    if (rc != WXPAY_OK) {
        return rc;
    }
    if (lstat(path, &after) != 0 || after.st_dev != before->st_dev ||
        after.st_ino != before->st_ino) {
        return wxpay_sqlite_gone(conn->owner, err);
    }
    conn->dev = after.st_dev;
    conn->ino = after.st_ino;
    conn->wal_ino = wal_of(path, &size);
    return WXPAY_OK;
}

static wxpay_rc_e open_conn(wxpay_sqlite_t *sq, wxpay_sqlite_conn_t **conn, int read_only,
                            apr_time_t give_up, wxpay_error_t *err)
{
    wxpay_sqlite_conn_t *fresh;
    char path[PATH_MAX];
    struct stat found;
    wxpay_rc_e rc = resolve(sq, path, err);

    if (rc == WXPAY_OK) {
        rc = look(sq, path, &found, err);
    }
    if (rc != WXPAY_OK) {
        return rc;
    }
    fresh = calloc(1, sizeof(*fresh));
    if (!fresh) {
        return wxpay_error_set(err, WXPAY_EINTERNAL, STEP, "out of memory");
    }
    fresh->owner = sq;
    fresh->give_up = give_up;
    rc = open_file(fresh, path, read_only, &found, err);
    if (rc != WXPAY_OK) {
        wxpay_sqlite_close(fresh);
        return rc;
    }
    apr_atomic_set32(wxpay_sqlite_seen(sq), 1);
    *conn = fresh;
    return WXPAY_OK;
}

wxpay_rc_e wxpay_sqlite_ready(wxpay_sqlite_t *sq, wxpay_sqlite_conn_t **conn, int read_only,
                              apr_time_t give_up, wxpay_error_t *err)
{
    struct stat now;
    off_t size;

    if (*conn) {
        if (lstat(sq->opt.path, &now) != 0) {
            /* Keep the connection: if the very file comes back, it is still good. */
            return errno == ENOENT ? wxpay_sqlite_gone(sq, err)
                                   : errno_trouble(sq, "look at", errno, err);
        }
        if (now.st_dev == (*conn)->dev && now.st_ino == (*conn)->ino) {
            (*conn)->give_up = give_up;
            return WXPAY_OK;
        }
        /* SQLite would pour the old file's journal into the new one. */
        if ((*conn)->wal_ino && wal_of(sq->opt.path, &size) == (*conn)->wal_ino && size > 0) {
            return wxpay_error_set(
                err, WXPAY_ESTORE, STEP,
                "%s was replaced while in use, and the old one's journal is still "
                "beside it: stop httpd, remove the -wal and -shm files, start it",
                sq->opt.path);
        }
        wxpay_sqlite_close(*conn);
        *conn = NULL;
    }
    return open_conn(sq, conn, read_only, give_up, err);
}
