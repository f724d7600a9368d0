/* test_store_faults.c - the store in trouble: locked, gone, replaced, full, forbidden, foreign. */
#include "store_kit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <time.h>

#define MS 1000

static void sleep_ms(int ms)
{
    struct timespec ts = {ms / 1000, (ms % 1000) * 1000000L};

    nanosleep(&ts, NULL);
}

/* A shell command about the database file, "$db". */
static void shell_run(kit_t *kit, const char *command)
{
    setenv("db", kit->path, 1);
    assert_int_equal(system(command), 0);
}

/* Refused with words that help, once in the log; then fine again, once in the log. */
static void assert_refused(kit_t *kit, wxpay_rc_e code, const char *text)
{
    wxpay_error_t err;
    apr_int64_t rows;

    assert_int_equal(kit_put_within(kit->store, "refused", KIT_WAIT, &err), code);
    assert_int_equal(err.flags & WXPAY_ERR_AMBIGUOUS, 0);
    if (!strstr(err.detail, text)) {
        fail_msg("'%s' is not in '%s'", text, err.detail);
    }
    assert_int_equal(kit_put_within(kit->store, "refused", KIT_WAIT, &err), code);
    assert_int_equal(kit_count(kit, &rows, &err), code);
    if (!strstr(err.detail, text)) {
        fail_msg("'%s' is not in '%s'", text, err.detail);
    }
    assert_int_equal(kit_said(kit, WXPAY_LOG_ERR, text), 1);
}

/* ---- locked by another program ---- */

static void withdrawn_while_locked(void **state)
{
    kit_t *kit = *state;
    wxpay_error_t err;
    sqlite3 *shell;
    apr_time_t start;

    assert_int_equal(kit_put(kit->store, "1"), WXPAY_OK);
    shell = kit_shell(kit, "BEGIN IMMEDIATE");
    start = apr_time_now();
    assert_int_equal(kit_put_within(kit->store, "2", 100 * MS, &err), WXPAY_EBUSY);
    assert_true(apr_time_now() - start >= 90 * MS);
    assert_int_equal(err.flags, WXPAY_ERR_RETRY);
    assert_int_equal(kit_put_within(kit->store, "3", 0, &err), WXPAY_EBUSY);
    assert_int_equal(err.flags, WXPAY_ERR_RETRY);
    assert_int_equal(kit_rows(kit), 1);
    kit_shell_end(shell, "COMMIT");
    assert_int_equal(kit_put(kit->store, "4"), WXPAY_OK);
    assert_int_equal(kit_rows(kit), 2);
}

static void busy_is_said_once(void **state)
{
    kit_t *kit = *state;
    wxpay_error_t err;
    sqlite3 *shell;
    int i;

    kit->options.busy_timeout = 50 * MS;
    kit_open(kit);
    assert_int_equal(kit_put(kit->store, "1"), WXPAY_OK);
    shell = kit_shell(kit, "BEGIN IMMEDIATE");
    for (i = 0; i < 3; ++i) {
        assert_int_equal(kit_put_within(kit->store, "2", KIT_WAIT, &err), WXPAY_EBUSY);
        assert_int_equal(err.flags, WXPAY_ERR_RETRY);
        assert_non_null(strstr(err.detail, "another program"));
    }
    kit_shell_end(shell, "COMMIT");
    assert_int_equal(kit_put(kit->store, "2"), WXPAY_OK);
    assert_int_equal(kit_put(kit->store, "3"), WXPAY_OK);
    assert_int_equal(kit_said(kit, WXPAY_LOG_WARN, "locked"), 1);
    assert_int_equal(kit_said(kit, WXPAY_LOG_NOTICE, "used again"), 1);
    assert_int_equal(kit_rows(kit), 3);
}

static void busy_inline(void **state)
{
    kit_t *kit = *state;
    wxpay_error_t err;
    sqlite3 *shell;
    apr_time_t start;

    kit->options.threaded = 0;
    kit_open(kit);
    assert_int_equal(kit_put(kit->store, "1"), WXPAY_OK);
    shell = kit_shell(kit, "BEGIN IMMEDIATE");
    start = apr_time_now();
    assert_int_equal(kit_put_within(kit->store, "2", 60 * MS, &err), WXPAY_EBUSY);
    assert_true(apr_time_now() - start < 1000 * MS);
    assert_int_equal(err.flags, WXPAY_ERR_RETRY);
    kit_shell_end(shell, "COMMIT");
    assert_int_equal(kit_put(kit->store, "2"), WXPAY_OK);
    assert_int_equal(kit_rows(kit), 2);
}

static void stopping_ends_the_wait(void **state)
{
    kit_t *kit = *state;
    wxpay_error_t err;
    sqlite3 *shell;
    apr_time_t start;

    kit->options.busy_timeout = apr_time_from_sec(60);
    kit_open(kit);
    assert_int_equal(kit_put(kit->store, "1"), WXPAY_OK);
    shell = kit_shell(kit, "BEGIN IMMEDIATE");
    assert_int_equal(kit_put_within(kit->store, "2", 20 * MS, &err), WXPAY_EBUSY);
    start = apr_time_now();
    wxpay_store_stop(kit->store, KIT_WAIT);
    assert_true(apr_time_now() - start < 2000 * MS);
    kit_shell_end(shell, "COMMIT");
}

/* ---- a commit that takes too long; too many ---- */

static wxpay_rc_e slow_insert(wxpay_tx_t *tx, void *baton, apr_pool_t *pool, wxpay_error_t *err)
{
    sleep_ms(400);
    return kit_insert(tx, baton, pool, err);
}

static void under_way_is_ambiguous(void **state)
{
    kit_t *kit = *state;
    wxpay_job_t *job = wxpay_job_create();
    char *baton = apr_pstrdup(wxpay_job_pool(job), "slow");
    wxpay_error_t err;

    assert_int_equal(kit_put(kit->store, "1"), WXPAY_OK);
    assert_int_equal(wxpay_store_commit(kit->store, job, slow_insert, baton, 100 * MS, &err),
                     WXPAY_EBUSY);
    assert_int_equal(err.flags, WXPAY_ERR_AMBIGUOUS);
    wxpay_job_release(job);
    assert_int_equal(kit_put(kit->store, "2"), WXPAY_OK);
    assert_int_equal(kit_rows(kit), 3);
}

static atomic_int done_count;

static void count_done(void *baton, wxpay_rc_e rc, const wxpay_error_t *err)
{
    (void)baton;
    (void)err;
    done_count += rc == WXPAY_OK;
}

static void the_queue_is_bounded(void **state)
{
    kit_t *kit = *state;
    wxpay_error_t err;
    sqlite3 *shell;
    wxpay_rc_e rc = WXPAY_OK;
    int taken = 0;

    kit->options.busy_timeout = KIT_WAIT;
    kit_open(kit);
    assert_int_equal(kit_put(kit->store, "1"), WXPAY_OK);
    shell = kit_shell(kit, "BEGIN IMMEDIATE");
    while (rc == WXPAY_OK && taken < 10000) {
        wxpay_job_t *job = wxpay_job_create();
        char *ref = apr_psprintf(wxpay_job_pool(job), "q%d", taken);

        rc = wxpay_store_submit(kit->store, job, kit_insert, count_done, ref, &err);
        wxpay_job_release(job);
        taken += rc == WXPAY_OK;
    }
    assert_int_equal(rc, WXPAY_EBUSY);
    assert_int_equal(err.flags, WXPAY_ERR_RETRY);
    assert_int_equal(taken, 4096);
    kit_shell_end(shell, "COMMIT");
    wxpay_store_stop(kit->store, KIT_WAIT);
    assert_int_equal(done_count, 4096);
}

/* ---- removed, replaced ---- */

static void removed_and_back(void **state)
{
    kit_t *kit = *state;
    struct stat st;

    assert_int_equal(kit_put(kit->store, "1"), WXPAY_OK);
    assert_int_equal(kit_rows(kit), 1);
    shell_run(kit, "mv \"$db\" \"$db.away\"");
    assert_refused(kit, WXPAY_ESTORE, "was removed");
    assert_int_equal(stat(kit->path, &st), -1);
    shell_run(kit, "mv \"$db.away\" \"$db\"");
    assert_int_equal(kit_put(kit->store, "2"), WXPAY_OK);
    assert_int_equal(kit_rows(kit), 2);
    assert_int_equal(kit_said(kit, WXPAY_LOG_NOTICE, "used again"), 1);
}

static void removed_before_a_child_looked(void **state)
{
    kit_t *kit = *state;
    struct stat st;

    kit->seen = 1;
    assert_refused(kit, WXPAY_ESTORE, "was removed");
    assert_int_equal(stat(kit->path, &st), -1);
    shell_run(kit, "touch \"$db\"");
    assert_refused(kit, WXPAY_ESTORE, "was removed or emptied");
    kit->seen = 0;
    assert_int_equal(kit_put(kit->store, "1"), WXPAY_OK);
    assert_int_equal(kit->seen, 1);
    assert_int_equal(kit_rows(kit), 1);
}

static void replaced_by_a_backup(void **state)
{
    kit_t *kit = *state;
    char sql[160];
    sqlite3 *shell;

    assert_int_equal(kit_put(kit->store, "1"), WXPAY_OK);
    assert_int_equal(kit_rows(kit), 1);
    snprintf(sql, sizeof(sql), "VACUUM INTO '%s.backup'", kit->path);
    shell = kit_shell(kit, sql);
    kit_shell_end(shell, "SELECT 1");
    assert_int_equal(kit_put(kit->store, "2"), WXPAY_OK);
    /* The old journal would be poured into the backup. */
    shell_run(kit, "mv \"$db.backup\" \"$db\"");
    assert_refused(kit, WXPAY_ESTORE, "replaced");
    shell_run(kit, "rm \"$db-wal\" \"$db-shm\"");
    assert_int_equal(kit_put(kit->store, "3"), WXPAY_OK);
    assert_int_equal(kit_rows(kit), 2);
}

static void removed_for_good(void **state)
{
    kit_t *kit = *state;

    assert_int_equal(kit_put(kit->store, "1"), WXPAY_OK);
    assert_int_equal(kit_rows(kit), 1);
    shell_run(kit, "rm \"$db\" \"$db-wal\" \"$db-shm\"");
    assert_refused(kit, WXPAY_ESTORE, "was removed");
    shell_run(kit, "touch \"$db\"");
    assert_refused(kit, WXPAY_ESTORE, "was removed");
}

/* ---- not our file ---- */

static void newer_schema(void **state)
{
    kit_t *kit = *state;
    sqlite3 *shell;

    assert_int_equal(kit_put(kit->store, "1"), WXPAY_OK);
    kit_stop(kit);
    shell = kit_shell(kit, "UPDATE wxpay_meta SET value = '7' WHERE name = 'schema_version'");
    kit_shell_end(shell, "SELECT 1");
    kit_open(kit);
    assert_refused(kit, WXPAY_ESTORE, "schema version 7");
    shell = kit_shell(kit, "UPDATE wxpay_meta SET value = '3' WHERE name = 'schema_version'");
    kit_shell_end(shell, "SELECT 1");
    assert_int_equal(kit_put(kit->store, "2"), WXPAY_OK);
    assert_int_equal(kit_rows(kit), 2);
    assert_int_equal(kit_said(kit, WXPAY_LOG_NOTICE, "used again"), 1);
}

static void another_programs_database(void **state)
{
    kit_t *kit = *state;
    sqlite3 *shell = kit_shell(kit, "CREATE TABLE bookmarks (url TEXT)");

    kit_shell_end(shell, "SELECT 1");
    assert_refused(kit, WXPAY_ESTORE, "some other program");
    shell = kit_shell(kit, "PRAGMA journal_mode");
    kit_shell_end(shell, "INSERT INTO bookmarks VALUES ('x')");
    assert_refused(kit, WXPAY_ESTORE, "some other program");
}

static void no_database_at_all(void **state)
{
    kit_t *kit = *state;

    shell_run(kit, "head -c 9000 /dev/zero | tr '\\0' x > \"$db\"");
    assert_refused(kit, WXPAY_ESTORE, "damaged or not a database");
}

static void links_and_directories(void **state)
{
    kit_t *kit = *state;

    shell_run(kit, "touch \"$db.real\" && ln -s \"$db.real\" \"$db\"");
    assert_refused(kit, WXPAY_ESTORE, "not a regular file");
    shell_run(kit, "rm \"$db\" && mkdir \"$db\"");
    assert_int_equal(kit_put(kit->store, "1"), WXPAY_ESTORE);
    shell_run(kit, "rmdir \"$db\"");
    assert_int_equal(kit_put(kit->store, "1"), WXPAY_OK);
    assert_int_equal(kit_rows(kit), 1);
}

static void a_linked_directory_is_fine(void **state)
{
    kit_t *kit = *state;
    char path[128];

    shell_run(kit, "ln -s . \"${db%/*}/link\"");
    snprintf(path, sizeof(path), "%s/link/linked.db", kit->dir);
    kit->options.path = path;
    kit_open(kit);
    assert_int_equal(kit_put(kit->store, "1"), WXPAY_OK);
    assert_int_equal(kit_rows(kit), 1);
}

static void no_directory(void **state)
{
    kit_t *kit = *state;
    char path[128];

    snprintf(path, sizeof(path), "%s/none/wxpay.db", kit->dir);
    kit->options.path = path;
    kit_open(kit);
    assert_refused(kit, WXPAY_ESTORE, "No such file");
    shell_run(kit, "mkdir \"${db%/*}/none\"");
    assert_int_equal(kit_put(kit->store, "1"), WXPAY_OK);
}

/* ---- forbidden and full ---- */

/* In a child, since root must give up its rights first. Its exit code: the number of complaints. */
static int in_read_only_directory(kit_t *kit)
{
    wxpay_error_t err;
    apr_int64_t rows;
    int wrong;

    if (getuid() == 0 && (setgid(65534) || setuid(65534))) {
        return 100;
    }
    kit_open(kit);
    wrong = kit_put_within(kit->store, "1", KIT_WAIT, &err) != WXPAY_ESTORE;
    wrong += !strstr(err.detail, "ermission") && !strstr(err.detail, "directory");
    wrong += kit_count(kit, &rows, &err) != WXPAY_ESTORE;
    wrong += kit_said(kit, WXPAY_LOG_ERR, "store:") != 1;
    wxpay_store_stop(kit->store, KIT_WAIT);
    return wrong;
}

static void read_only_directory(void **state)
{
    kit_t *kit = *state;
    pid_t pid;

    assert_int_equal(chmod(kit->dir, 0555), 0);
    pid = fork();
    if (!pid) {
        _exit(in_read_only_directory(kit));
    }
    assert_int_equal(kit_exit_code(pid), 0);
    assert_int_equal(chmod(kit->dir, 0755), 0);

    /* The same with a database in it, which its owner may not write. */
    assert_int_equal(kit_put(kit->store, "1"), WXPAY_OK);
    kit_stop(kit);
    assert_int_equal(chmod(kit->path, 0444), 0);
    assert_int_equal(chmod(kit->dir, 0555), 0);
    pid = fork();
    if (!pid) {
        _exit(in_read_only_directory(kit));
    }
    assert_int_equal(kit_exit_code(pid), 0);
    assert_int_equal(chmod(kit->dir, 0755), 0);
}

static wxpay_rc_e insert_big(wxpay_tx_t *tx, void *baton, apr_pool_t *pool, wxpay_error_t *err)
{
    char *ref = apr_palloc(pool, 60000);

    memset(ref, 'x', 59999);
    ref[59999] = '\0';
    memcpy(ref, baton, strlen(baton));
    return kit_insert(tx, ref, pool, err);
}

static wxpay_rc_e put_big(kit_t *kit, int i, wxpay_error_t *err)
{
    wxpay_job_t *job = wxpay_job_create();
    char *ref = apr_psprintf(wxpay_job_pool(job), "big%d", i);
    wxpay_rc_e rc = wxpay_store_commit(kit->store, job, insert_big, ref, KIT_WAIT, err);

    wxpay_job_release(job);
    return rc;
}

/* Write until there is no place; returns what is stored then. */
static int fill(kit_t *kit, wxpay_error_t *err)
{
    int i;

    for (i = 0; i < 200; ++i) {
        if (put_big(kit, i, err) != WXPAY_OK) {
            return i;
        }
    }
    return -1;
}

static void over_the_size_limit(void **state)
{
    kit_t *kit = *state;
    struct rlimit old;
    struct rlimit low;
    wxpay_error_t err;
    int stored;

    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(kit_put(kit->store, "1"), WXPAY_OK);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    low = old;
    low.rlim_cur = 2000000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    stored = fill(kit, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_true(stored > 5);
    assert_int_equal(err.code, WXPAY_ESTORE);
    assert_non_null(strstr(err.detail, "no space left"));
    assert_int_equal(kit_said(kit, WXPAY_LOG_ERR, "no space left"), 1);
    assert_int_equal(kit_rows(kit), 1 + stored);
    assert_int_equal(put_big(kit, stored, &err), WXPAY_OK);
    assert_int_equal(kit_said(kit, WXPAY_LOG_NOTICE, "used again"), 1);
    assert_int_equal(kit_rows(kit), 2 + stored);
}

static void full_filesystem(void **state)
{
    kit_t *kit = *state;
    wxpay_error_t err;
    int stored;

    if (mount("none", kit->dir, "tmpfs", 0, "size=2m,mode=0755") != 0) {
        print_message("cannot mount a small filesystem here: %s\n", strerror(errno));
        skip();
    }
    stored = fill(kit, &err);
    if (stored > 5 && err.code == WXPAY_ESTORE && strstr(err.detail, "free space")) {
        stored = kit_rows(kit) == stored ? stored : -2;
        shell_run(kit, "rm -f \"$db.nothing\"; mount -o remount,size=8m \"${db%/*}\"");
        err.code = kit_put(kit->store, "small");
    }
    kit_stop(kit);
    assert_int_equal(umount(kit->dir), 0);
    assert_true(stored > 5);
    assert_int_equal(err.code, WXPAY_OK);
    assert_int_equal(kit_said(kit, WXPAY_LOG_ERR, "free space"), 1);
    assert_int_equal(kit_said(kit, WXPAY_LOG_NOTICE, "used again"), 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)
    const struct CMUnitTest tests[] = {
        TEST(withdrawn_while_locked),
        TEST(busy_is_said_once),
        TEST(busy_inline),
        TEST(stopping_ends_the_wait),
        TEST(under_way_is_ambiguous),
        TEST(the_queue_is_bounded),
        TEST(removed_and_back),
        TEST(removed_before_a_child_looked),
        TEST(replaced_by_a_backup),
        TEST(removed_for_good),
        TEST(newer_schema),
        TEST(another_programs_database),
        TEST(no_database_at_all),
        TEST(links_and_directories),
        TEST(a_linked_directory_is_fine),
        TEST(no_directory),
        TEST(read_only_directory),
        TEST(over_the_size_limit),
        TEST(full_filesystem),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
