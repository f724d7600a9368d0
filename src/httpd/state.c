#include "state.h"
#include "crypt.h"
#include <apr_strings.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <unixd.h>

static uid_t serving_uid(void)
{
    return geteuid() == 0 ? ap_unixd_config.user_id : geteuid();
}

static const char *failed(apr_pool_t *p, const char *what, const char *path)
{
    char text[120];

    return apr_psprintf(p, "cannot %s %s: %s", what, path, apr_strerror(errno, text, sizeof(text)));
}

static const char *wrong_owner(apr_pool_t *p, const char *path, uid_t is, uid_t must)
{
    if (is == 0 && geteuid() != 0) {
        return apr_psprintf(p,
                            "%s belongs to root: run this as root (sudo), or give httpd a "
                            "WxPayStateDir of its own",
                            path);
    }
    return apr_psprintf(p, "%s belongs to user %lu, but must belong to %lu; run: chown -R %lu %s",
                        path, (unsigned long)is, (unsigned long)must, (unsigned long)must, path);
}

/* What is wrong with something that exists, or NULL. */
static const char *check(apr_pool_t *p, const char *path, const struct stat *st, mode_t type,
                         uid_t owner)
{
    const char *noun = type == S_IFDIR ? "directory" : "regular file";

    if (S_ISLNK(st->st_mode)) {
        return apr_psprintf(p, "%s is a symbolic link; it must be a %s itself", path, noun);
    }
    if ((st->st_mode & S_IFMT) != type) {
        return apr_psprintf(p, "%s is not a %s; move it away", path, noun);
    }
    if (st->st_uid != owner) {
        return wrong_owner(p, path, st->st_uid, owner);
    }
    if (st->st_mode & (S_IWGRP | S_IWOTH)) {
        return apr_psprintf(p, "others may write to %s; run: chmod go-w %s", path, path);
    }
    return NULL;
}

static const char *inspect_parent(apr_pool_t *p, const char *dir)
{
    const char *slash = strrchr(dir, '/');
    const char *parent = slash && slash > dir ? apr_pstrmemdup(p, dir, slash - dir) : "/";
    struct stat st;

    if (stat(parent, &st) != 0 || !S_ISDIR(st.st_mode)) {
        return apr_psprintf(p, "%s cannot be made, because %s is not a directory; run: mkdir -p %s",
                            dir, parent, parent);
    }
    if (geteuid() != 0 && access(parent, W_OK | X_OK) != 0) {
        return apr_psprintf(p,
                            "%s cannot be made by user %lu; run as root: install -d -m 0711 -o "
                            "%lu %s",
                            dir, (unsigned long)geteuid(), (unsigned long)geteuid(), dir);
    }
    return NULL;
}

static const char *inspect_secret(apr_pool_t *p, const char *path, const struct stat *st)
{
    const char *err = check(p, path, st, S_IFREG, geteuid());

    if (err) {
        return err;
    }
    if (st->st_mode & (S_IRGRP | S_IROTH)) {
        return apr_psprintf(p, "others may read %s; run: chmod 0600 %s", path, path);
    }
    if (st->st_size != MOD_WXPAY_STATE_SECRET_LEN) {
        return apr_psprintf(p,
                            "%s has %ld bytes instead of %d; remove it, and a new one is made "
                            "(open payment pages must then be loaded again)",
                            path, (long)st->st_size, MOD_WXPAY_STATE_SECRET_LEN);
    }
    return NULL;
}

const char *mod_wxpay_state_inspect(apr_pool_t *p, const char *dir)
{
    const char *db = apr_pstrcat(p, dir, "/db", NULL);
    const char *secret = apr_pstrcat(p, dir, "/secret", NULL);
    const char *err;
    struct stat st;

    if (lstat(dir, &st) != 0) {
        return errno == ENOENT ? inspect_parent(p, dir) : failed(p, "look at", dir);
    }
    err = check(p, dir, &st, S_IFDIR, geteuid());
    if (!err && lstat(secret, &st) == 0) {
        err = inspect_secret(p, secret, &st);
    }
    if (!err && lstat(db, &st) == 0) {
        err = check(p, db, &st, S_IFDIR, serving_uid());
    }
    return err;
}

const char *mod_wxpay_state_inspect_store(apr_pool_t *p, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *dir = slash > path ? apr_pstrmemdup(p, path, slash - path) : "/";
    struct stat st;

    if (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode)) {
        return apr_psprintf(p, "there is no directory %s; run: install -d -m 0700 -o %lu %s", dir,
                            (unsigned long)serving_uid(), dir);
    }
    if (st.st_uid != serving_uid()) {
        return wrong_owner(p, dir, st.st_uid, serving_uid());
    }
    if (lstat(path, &st) == 0) {
        return check(p, path, &st, S_IFREG, serving_uid());
    }
    return NULL;
}

/* Open a directory inside parent (or, with AT_FDCWD, anywhere), making it if it is not there. */
static const char *open_dir(apr_pool_t *p, int parent, const char *name, const char *path,
                            mode_t mode, uid_t owner, int *fd)
{
    struct stat st;
    int made = mkdirat(parent, name, mode) == 0;

    if (!made && errno != EEXIST) {
        return failed(p, "make", path);
    }
    *fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (*fd < 0) {
        return failed(p, "open the directory", path);
    }
    if (made && (fchmod(*fd, mode) != 0 || (owner != geteuid() && fchown(*fd, owner, -1) != 0))) {
        return failed(p, "set up", path);
    }
    if (fstat(*fd, &st) != 0) {
        return failed(p, "look at", path);
    }
    return check(p, path, &st, S_IFDIR, owner);
}

/* Written aside and renamed, so that a half-written secret never carries the name. */
static const char *make_secret(apr_pool_t *p, int dir, const char *path)
{
    unsigned char bytes[MOD_WXPAY_STATE_SECRET_LEN];
    const char *name = apr_psprintf(p, "secret.%ld", (long)getpid());
    const char *err = NULL;
    int fd;

    if (wxpay_crypt_random(bytes, sizeof(bytes), NULL) != WXPAY_OK) {
        return "OpenSSL has no random bytes";
    }
    unlinkat(dir, name, 0);
    fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, bytes, sizeof(bytes)) != (ssize_t)sizeof(bytes) || fsync(fd) != 0 ||
        renameat(dir, name, dir, "secret") != 0 || fsync(dir) != 0) {
        err = failed(p, "write", path);
    }
    if (fd >= 0) {
        close(fd);
    }
    wxpay_secret_wipe(bytes, sizeof(bytes));
    return err;
}

static const char *read_secret(apr_pool_t *p, int dir, const char *path, wxpay_secret_t **secret)
{
    unsigned char bytes[MOD_WXPAY_STATE_SECRET_LEN];
    const char *err = NULL;
    struct stat st;
    int fd = openat(dir, "secret", O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 && errno == ENOENT) {
        err = make_secret(p, dir, path);
        if (err) {
            return err;
        }
        fd = openat(dir, "secret", O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    }
    if (fd < 0) {
        return failed(p, "open", path);
    }
    if (fstat(fd, &st) != 0) {
        err = failed(p, "look at", path);
    }
    else if ((err = inspect_secret(p, path, &st)) == NULL) {
        if (read(fd, bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes)) {
            *secret = wxpay_secret_create(p, bytes, sizeof(bytes));
        }
        else {
            err = failed(p, "read", path);
        }
        wxpay_secret_wipe(bytes, sizeof(bytes));
    }
    close(fd);
    return err;
}

const char *mod_wxpay_state_prepare(apr_pool_t *p, const char *dir, wxpay_secret_t **secret)
{
    int fd = -1, db = -1;
    const char *err = open_dir(p, AT_FDCWD, dir, dir, 0711, geteuid(), &fd);

    if (!err) {
        err = open_dir(p, fd, "db", apr_pstrcat(p, dir, "/db", NULL), 0700, serving_uid(), &db);
    }
    if (!err) {
        err = read_secret(p, fd, apr_pstrcat(p, dir, "/secret", NULL), secret);
    }
    if (db >= 0) {
        close(db);
    }
    if (fd >= 0) {
        close(fd);
    }
    return err;
}
