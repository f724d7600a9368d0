/* test_store.c - the store when all is well: commits, groups, reads, threads, processes. */
#include "store_kit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>

static void sleep_ms(int ms)
{
    struct timespec ts = {ms / 1000, (ms % 1000) * 1000000L};

    nanosleep(&ts, NULL);
}

/* ---- values ---- */

static const char SQL_ALL[] = "INSERT INTO notices (mch_id, ref, verdict, reason, out_trade_no, "
                              "first_at, last_at, body) VALUES (?,?,?,?,?,?,?,?)";
static const char SQL_ALL_BACK[] =
    "SELECT mch_id, out_trade_no, first_at, last_at, body, gateway_no "
    "FROM notices";

static wxpay_rc_e write_all(wxpay_tx_t *tx, void *baton, apr_pool_t *pool, wxpay_error_t *err)
{
    wxpay_value_t v[8];
    int affected = -1;
    wxpay_rc_e rc;

    (void)pool;
    v[0] = kit_text("m");
    v[1] = kit_text("r");
    v[2] = kit_text("paid");
    v[3] = kit_text("");
    v[4] = kit_text("\xe4\xb8\xad\xe6\x96\x87");
    v[5] = v[6] = (wxpay_value_t){WXPAY_VALUE_INT, INT64_MAX, NULL, 0};
    v[6].i = INT64_MIN;
    v[7] = (wxpay_value_t){WXPAY_VALUE_BLOB, 0, "a\0b", 3};
    rc = wxpay_tx_exec(tx, SQL_ALL, v, 8, &affected, err);
    *(int *)baton = affected;
    return rc;
}

static int check_all(void *baton, const wxpay_value_t *v, int count)
{
    assert_int_equal(count, 6);
    assert_int_equal(v[0].type, WXPAY_VALUE_TEXT);
    assert_string_equal(v[0].s, "m");
    assert_string_equal(v[1].s, "\xe4\xb8\xad\xe6\x96\x87");
    assert_int_equal(v[1].len, 6);
    assert_int_equal(v[2].type, WXPAY_VALUE_INT);
    assert_true(v[2].i == INT64_MAX && v[3].i == INT64_MIN);
    assert_int_equal(v[4].type, WXPAY_VALUE_BLOB);
    assert_int_equal(v[4].len, 3);
    assert_memory_equal(v[4].s, "a\0b", 3);
    assert_int_equal(v[5].type, WXPAY_VALUE_NULL);
    ++*(int *)baton;
    return 0;
}

static wxpay_rc_e read_all(wxpay_tx_t *tx, void *baton, apr_pool_t *pool, wxpay_error_t *err)
{
    (void)pool;
    return wxpay_tx_query(tx, SQL_ALL_BACK, NULL, 0, check_all, baton, err);
}

static void values_come_back(void **state)
{
    kit_t *kit = *state;
    wxpay_job_t *job = wxpay_job_create();
    int *affected = apr_palloc(wxpay_job_pool(job), sizeof(*affected));
    wxpay_error_t err;
    int rows = 0;

    assert_int_equal(wxpay_store_commit(kit->store, job, write_all, affected, KIT_WAIT, &err),
                     WXPAY_OK);
    assert_int_equal(*affected, 1);
    wxpay_job_release(job);
    assert_int_equal(wxpay_store_read(kit->store, read_all, &rows, kit->pool, &err), WXPAY_OK);
    assert_int_equal(rows, 1);
}

/* ---- one job ---- */

static wxpay_rc_e insert_twice(wxpay_tx_t *tx, void *baton, apr_pool_t *pool, wxpay_error_t *err)
{
    wxpay_rc_e rc = kit_insert(tx, baton, pool, err);

    if (rc != WXPAY_OK) {
        return rc;
    }
    return kit_insert(tx, baton, pool, err) == WXPAY_ECONFLICT
               ? kit_insert(tx, apr_pstrcat(pool, baton, "-again", NULL), pool, err)
               : WXPAY_EINTERNAL;
}

static wxpay_rc_e insert_and_fail(wxpay_tx_t *tx, void *baton, apr_pool_t *pool, wxpay_error_t *err)
{
    kit_insert(tx, baton, pool, err);
    return wxpay_error_set(err, WXPAY_EMISMATCH, "test", "no");
}

static wxpay_rc_e bad_sql(wxpay_tx_t *tx, void *baton, apr_pool_t *pool, wxpay_error_t *err)
{
    static const char sql[] = "INSERT INTO nowhere VALUES (?)";

    (void)pool;
    return wxpay_tx_exec(tx, sql, &(wxpay_value_t){WXPAY_VALUE_TEXT, 0, baton, 1}, 1, NULL, err);
}

static wxpay_rc_e wrong_count(wxpay_tx_t *tx, void *baton, apr_pool_t *pool, wxpay_error_t *err)
{
    (void)pool;
    (void)baton;
    return wxpay_tx_exec(tx, KIT_INSERT, NULL, 0, NULL, err);
}

static wxpay_rc_e commit(kit_t *kit, wxpay_work_fn *work, const char *ref, wxpay_error_t *err)
{
    wxpay_job_t *job = wxpay_job_create();
    wxpay_rc_e rc = wxpay_store_commit(kit->store, job, work, apr_pstrdup(wxpay_job_pool(job), ref),
                                       KIT_WAIT, err);

    wxpay_job_release(job);
    return rc;
}

static void one_job(void **state)
{
    kit_t *kit = *state;
    wxpay_store_stats_t stats;
    wxpay_error_t err;

    assert_int_equal(commit(kit, kit_insert, "1", &err), WXPAY_OK);
    assert_int_equal(commit(kit, kit_insert, "1", &err), WXPAY_ECONFLICT);
    assert_non_null(strstr(err.detail, "UNIQUE"));
    assert_int_equal(commit(kit, insert_twice, "2", &err), WXPAY_OK);
    assert_int_equal(kit_rows(kit), 3);
    assert_int_equal(commit(kit, insert_and_fail, "3", &err), WXPAY_EMISMATCH);
    assert_string_equal(err.detail, "no");
    assert_int_equal(commit(kit, bad_sql, "4", &err), WXPAY_EINTERNAL);
    assert_non_null(strstr(err.detail, "nowhere"));
    assert_int_equal(commit(kit, wrong_count, "5", &err), WXPAY_EINTERNAL);
    assert_int_equal(commit(kit, kit_insert, "6", NULL), WXPAY_OK);
    assert_int_equal(kit_rows(kit), 4);
    wxpay_store_stats(kit->store, &stats);
    assert_int_equal(stats.commits, 3);
    assert_int_equal(stats.jobs, 3);
    assert_int_equal(stats.failures, 0);
    assert_int_equal(kit_said(kit, WXPAY_LOG_NOTICE, "schema version 3"), 1);
    assert_int_equal(kit->count, 1);
}

static void file_is_private(void **state)
{
    kit_t *kit = *state;
    mode_t old = umask(0);
    struct stat st;
    char name[128];

    assert_int_equal(kit_put(kit->store, "1"), WXPAY_OK);
    umask(old);
    assert_int_equal(stat(kit->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    snprintf(name, sizeof(name), "%s-wal", kit->path);
    assert_int_equal(stat(name, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

/* ---- groups ---- */

typedef struct tally_t {
    atomic_int ok, conflict, mismatch, other;
} tally_t;
typedef struct item_t {
    tally_t *tally;
    char ref[32];
} item_t;

static wxpay_rc_e item_work(wxpay_tx_t *tx, void *baton, apr_pool_t *pool, wxpay_error_t *err)
{
    item_t *item = baton;

    return item->ref[0] == '!' ? insert_and_fail(tx, item->ref, pool, err)
                               : kit_insert(tx, item->ref, pool, err);
}

static void item_done(void *baton, wxpay_rc_e rc, const wxpay_error_t *err)
{
    tally_t *tally = ((item_t *)baton)->tally;

    if (rc == WXPAY_OK && err->code == WXPAY_OK) {
        ++tally->ok;
    }
    else if (rc == WXPAY_ECONFLICT && err->code == rc) {
        ++tally->conflict;
    }
    else if (rc == WXPAY_EMISMATCH) {
        ++tally->mismatch;
    }
    else {
        ++tally->other;
    }
}

static wxpay_rc_e submit(wxpay_store_t *store, tally_t *tally, const char *ref, wxpay_error_t *err)
{
    wxpay_job_t *job = wxpay_job_create();
    item_t *item = apr_pcalloc(wxpay_job_pool(job), sizeof(*item));
    wxpay_rc_e rc;

    item->tally = tally;
    apr_cpystrn(item->ref, ref, sizeof(item->ref));
    rc = wxpay_store_submit(store, job, item_work, item_done, item, err);
    wxpay_job_release(job);
    return rc;
}

static void wait_for(atomic_int *n, int value)
{
    int i;

    for (i = 0; i < 20000 && atomic_load(n) < value; ++i) {
        sleep_ms(1);
    }
    assert_int_equal(atomic_load(n), value);
}

static void a_group_keeps_its_good_jobs(void **state)
{
    kit_t *kit = *state;
    static const char *const refs[] = {"a", "b", "a", "!c", "c", "!d", "b", "e", "x"};
    wxpay_store_stats_t before;
    wxpay_store_stats_t after;
    wxpay_error_t err;
    tally_t tally = {0};
    sqlite3 *shell;
    size_t i;

    assert_int_equal(kit_put(kit->store, "x"), WXPAY_OK);
    wxpay_store_stats(kit->store, &before);
    shell = kit_shell(kit, "BEGIN IMMEDIATE");
    for (i = 0; i < sizeof(refs) / sizeof(refs[0]); ++i) {
        assert_int_equal(submit(kit->store, &tally, refs[i], &err), WXPAY_OK);
    }
    kit_shell_end(shell, "COMMIT");
    wait_for(&tally.ok, 4);
    wait_for(&tally.conflict, 3);
    wait_for(&tally.mismatch, 2);
    assert_int_equal(tally.other, 0);
    wxpay_store_stats(kit->store, &after);
    assert_int_equal(after.commits - before.commits, 1);
    assert_int_equal(after.jobs - before.jobs, 4);
    assert_int_equal(kit_rows(kit), 5);
}

/* ---- reads ---- */

static wxpay_rc_e write_in_read(wxpay_tx_t *tx, void *baton, apr_pool_t *pool, wxpay_error_t *err)
{
    static const char sneaky[] = "INSERT INTO wxpay_meta VALUES ('a', 'b')";
    wxpay_rc_e rc = kit_insert(tx, baton, pool, err);

    return rc == WXPAY_EINTERNAL ? wxpay_tx_query(tx, sneaky, NULL, 0, NULL, NULL, err) : WXPAY_OK;
}

static wxpay_rc_e not_found(wxpay_tx_t *tx, void *baton, apr_pool_t *pool, wxpay_error_t *err)
{
    (void)tx;
    (void)baton;
    (void)pool;
    return wxpay_error_set(err, WXPAY_ENOTFOUND, "test", "nothing here");
}

typedef struct nest_t {
    wxpay_tx_t *tx;
    int depth;
    int rows;
} nest_t;

static const char SQL_REFS[] = "SELECT ref FROM notices ORDER BY ref";

static int nest_row(void *baton, const wxpay_value_t *values, int count)
{
    nest_t *nest = baton;
    nest_t inner = {nest->tx, nest->depth + 1, 0};

    assert_int_equal(count, 1);
    assert_int_equal(values[0].s[0], 'a' + nest->rows);
    ++nest->rows;
    if (nest->depth < 2) {
        assert_int_equal(wxpay_tx_query(nest->tx, SQL_REFS, NULL, 0, nest_row, &inner, NULL),
                         WXPAY_OK);
        assert_int_equal(inner.rows, 2);
    }
    return nest->rows == 2;
}

static wxpay_rc_e nest_work(wxpay_tx_t *tx, void *baton, apr_pool_t *pool, wxpay_error_t *err)
{
    nest_t *nest = baton;

    (void)pool;
    nest->tx = tx;
    return wxpay_tx_query(tx, SQL_REFS, NULL, 0, nest_row, nest, err);
}

static wxpay_rc_e look_twice(wxpay_tx_t *tx, void *baton, apr_pool_t *pool, wxpay_error_t *err)
{
    kit_t *kit = baton;
    apr_int64_t first = 0;
    apr_int64_t again = 0;
    wxpay_rc_e rc = kit_count_work(tx, &first, pool, err);

    assert_int_equal(kit_put(kit->store, "meanwhile"), WXPAY_OK);
    if (rc == WXPAY_OK) {
        rc = kit_count_work(tx, &again, pool, err);
    }
    assert_int_equal(first, again);
    return rc;
}

static void reads(void **state)
{
    kit_t *kit = *state;
    nest_t nest = {NULL, 0, 0};
    wxpay_error_t err;

    assert_int_equal(kit_rows(kit), 0);
    assert_int_equal(kit_put(kit->store, "a"), WXPAY_OK);
    assert_int_equal(kit_put(kit->store, "b"), WXPAY_OK);
    assert_int_equal(kit_put(kit->store, "c"), WXPAY_OK);
    assert_int_equal(wxpay_store_read(kit->store, nest_work, &nest, kit->pool, &err), WXPAY_OK);
    assert_int_equal(nest.rows, 2);
    assert_int_equal(wxpay_store_read(kit->store, not_found, NULL, kit->pool, &err),
                     WXPAY_ENOTFOUND);
    assert_string_equal(err.detail, "nothing here");
    assert_int_equal(wxpay_store_read(kit->store, write_in_read, "w", kit->pool, &err),
                     WXPAY_EINTERNAL);
    assert_int_equal(wxpay_store_read(kit->store, look_twice, kit, kit->pool, &err), WXPAY_OK);
    assert_int_equal(kit_rows(kit), 4);
    assert_int_equal(kit->count, 1);
}

/* ---- many at once ---- */

#define THREADS 16
#define EACH 500

typedef struct hand_t {
    kit_t *kit;
    int id;
    int each;
    int failed;
    pthread_t thread;
} hand_t;

static void *hand(void *baton)
{
    hand_t *h = baton;
    apr_int64_t rows;
    apr_pool_t *pool;
    char ref[32];
    int i;

    apr_pool_create_unmanaged_ex(&pool, NULL, NULL);
    for (i = 0; i < h->each; ++i) {
        snprintf(ref, sizeof(ref), "%d-%d", h->id, i);
        h->failed += kit_put(h->kit->store, ref) != WXPAY_OK;
        if (i % 10 == 0) {
            h->failed +=
                wxpay_store_read(h->kit->store, kit_count_work, &rows, pool, NULL) != WXPAY_OK;
            apr_pool_clear(pool);
        }
    }
    apr_pool_destroy(pool);
    return NULL;
}

static int all_hands(kit_t *kit, int first, int each)
{
    hand_t hands[THREADS];
    int failed = 0;
    int i;

    for (i = 0; i < THREADS; ++i) {
        hands[i] = (hand_t){kit, first + i, each, 0, 0};
        failed += pthread_create(&hands[i].thread, NULL, hand, &hands[i]) != 0;
    }
    for (i = 0; i < THREADS; ++i) {
        pthread_join(hands[i].thread, NULL);
        failed += hands[i].failed;
    }
    return failed;
}

static void many_threads(void **state)
{
    kit_t *kit = *state;
    wxpay_store_stats_t stats;

    assert_int_equal(all_hands(kit, 0, EACH), 0);
    assert_int_equal(kit_rows(kit), THREADS * EACH);
    wxpay_store_stats(kit->store, &stats);
    assert_int_equal(stats.jobs, THREADS * EACH);
    assert_true(stats.commits < stats.jobs / 2);
}

static void many_threads_inline(void **state)
{
    kit_t *kit = *state;

    kit->options.threaded = 0;
    kit_open(kit);
    assert_int_equal(all_hands(kit, 0, 20), 0);
    assert_int_equal(kit_rows(kit), THREADS * 20);
}

/* Both begin at once with no file there: who makes it, who finds it? */
static void two_processes(void **state)
{
    kit_t *kit = *state;
    pid_t pids[4];
    int i;

    for (i = 0; i < 4; ++i) {
        pids[i] = fork();
        if (!pids[i]) {
            int failed;

            kit->options.threaded = i != 3;
            kit->options.busy_timeout = KIT_WAIT;
            kit_open(kit);
            failed = all_hands(kit, i * 100, 50);
            wxpay_store_stop(kit->store, KIT_WAIT);
            kit_let_go(kit);
            _exit(failed ? 1 : 0);
        }
    }
    for (i = 0; i < 4; ++i) {
        assert_int_equal(kit_exit_code(pids[i]), 0);
    }
    kit_open(kit);
    assert_int_equal(kit_rows(kit), 4 * THREADS * 50);
}

/* Children of a starting server: one makes the schema while the others look. */
static void many_first_starts(void **state)
{
    kit_t *kit = *state;
    volatile apr_uint32_t *seen =
        mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pids[4];
    char ref[16];
    int round;
    int i;

    assert_true(seen != MAP_FAILED);
    kit->options.seen = seen;
    kit->options.busy_timeout = KIT_WAIT;
    for (round = 0; round < 25; ++round) {
        snprintf(kit->path, sizeof(kit->path), "%s/start%d.db", kit->dir, round);
        *seen = 0;
        for (i = 0; i < 4; ++i) {
            pids[i] = fork();
            if (!pids[i]) {
                wxpay_rc_e rc;

                kit_open(kit);
                snprintf(ref, sizeof(ref), "%d", i);
                rc = i % 2 && kit_rows(kit) < 0 ? WXPAY_ESTORE : kit_put(kit->store, ref);
                wxpay_store_stop(kit->store, KIT_WAIT);
                _exit(rc);
            }
        }
        for (i = 0; i < 4; ++i) {
            assert_int_equal(kit_exit_code(pids[i]), 0);
        }
        kit_open(kit);
        assert_int_equal(kit_rows(kit), 4);
    }
    munmap((void *)(uintptr_t)seen, sizeof(*seen));
}

/* ---- kill -9 ---- */

typedef struct loud_t {
    kit_t *kit;
    int id;
    int fd;
} loud_t;

static void *loud(void *baton)
{
    loud_t *l = baton;
    char ref[32];
    int i;

    for (i = 0;; ++i) {
        memset(ref, 0, sizeof(ref));
        snprintf(ref, sizeof(ref), "%d-%d", l->id, i);
        if (kit_put(l->kit->store, ref) != WXPAY_OK || write(l->fd, ref, sizeof(ref)) < 0) {
            _exit(1);
        }
    }
    return NULL;
}

static void loud_child(kit_t *kit, int id, int fd)
{
    loud_t louds[8];
    pthread_t thread;
    int i;

    kit_open(kit);
    for (i = 0; i < 8; ++i) {
        louds[i] = (loud_t){kit, id * 100 + i, fd};
        if (pthread_create(&thread, NULL, loud, &louds[i])) {
            _exit(1);
        }
    }
    for (;;) {
        pause();
    }
}

static int check_ref(void *baton, const wxpay_value_t *values, int count)
{
    (void)values;
    *(int *)baton += count;
    return 0;
}

typedef struct search_t {
    const char *ref;
    int found;
} search_t;

static wxpay_rc_e search(wxpay_tx_t *tx, void *baton, apr_pool_t *pool, wxpay_error_t *err)
{
    search_t *s = baton;
    wxpay_value_t v = kit_text(s->ref);

    (void)pool;
    return wxpay_tx_query(tx, KIT_FIND, &v, 1, check_ref, &s->found, err);
}

static void killed_children_lose_nothing(void **state)
{
    kit_t *kit = *state;
    wxpay_error_t err;
    char ref[32];
    int acknowledged = 0;
    int round;
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fcntl(ends[1], F_SETPIPE_SZ, 1 << 20) > 0, 1);
    for (round = 0; round < 5; ++round) {
        pid_t pid = fork();

        if (!pid) {
            loud_child(kit, round, ends[1]);
        }
        /* Not before it has written something, however slow the machine. */
        assert_int_equal(read(ends[0], ref, sizeof(ref)), sizeof(ref));
        sleep_ms(60 + 17 * round);
        kill(pid, SIGKILL);
        assert_int_equal(kit_exit_code(pid), -SIGKILL);
    }
    close(ends[1]);
    kit_open(kit);
    while (read(ends[0], ref, sizeof(ref)) == sizeof(ref)) {
        search_t s = {ref, 0};

        assert_int_equal(wxpay_store_read(kit->store, search, &s, kit->pool, &err), WXPAY_OK);
        assert_int_equal(s.found, 1);
        ++acknowledged;
    }
    close(ends[0]);
    assert_true(acknowledged > 0);
    assert_true(kit_rows(kit) >= acknowledged);
}

/* ---- inline, and the end ---- */

static int lock_calls;

static int lock(void *baton, apr_interval_time_t wait)
{
    (void)wait;
    ++*(int *)baton;
    ++lock_calls;
    return 0;
}

static void unlock(void *baton)
{
    --*(int *)baton;
}

static int no_lock(void *baton, apr_interval_time_t wait)
{
    (void)baton;
    (void)wait;
    return 1;
}

static void inline_commits(void **state)
{
    kit_t *kit = *state;
    wxpay_error_t err;
    tally_t tally = {0};
    int held = 0;

    kit->options.threaded = 0;
    kit->options.lock = lock;
    kit->options.unlock = unlock;
    kit->options.lock_baton = &held;
    kit_open(kit);
    assert_int_equal(kit_put(kit->store, "1"), WXPAY_OK);
    assert_int_equal(kit_put(kit->store, "1"), WXPAY_ECONFLICT);
    assert_int_equal(held, 0);
    assert_int_equal(lock_calls, 2);
    assert_int_equal(submit(kit->store, &tally, "2", &err), WXPAY_OK);
    assert_int_equal(tally.ok, 1);
    assert_int_equal(submit(kit->store, &tally, "2", &err), WXPAY_OK);
    assert_int_equal(tally.conflict, 1);
    assert_int_equal(submit(kit->store, &tally, "!3", &err), WXPAY_OK);
    assert_int_equal(tally.mismatch, 1);
    assert_int_equal(kit_rows(kit), 2);

    kit_let_go(kit);
    kit->options.lock = no_lock;
    kit->options.unlock = NULL;
    kit_open(kit);
    assert_int_equal(kit_put_within(kit->store, "4", 1000, &err), WXPAY_EBUSY);
    assert_int_equal(err.flags, WXPAY_ERR_RETRY);
    wxpay_store_stop(kit->store, 0);
    assert_int_equal(submit(kit->store, &tally, "5", &err), WXPAY_EBUSY);
    assert_int_equal(kit_put(kit->store, "5"), WXPAY_EBUSY);
    assert_int_equal(kit_rows(kit), 2);
}

static void the_end_writes_what_is_queued(void **state)
{
    kit_t *kit = *state;
    wxpay_error_t err;
    tally_t tally = {0};
    char ref[16];
    int i;

    for (i = 0; i < 600; ++i) {
        snprintf(ref, sizeof(ref), "%d", i);
        assert_int_equal(submit(kit->store, &tally, ref, &err), WXPAY_OK);
    }
    wxpay_store_stop(kit->store, KIT_WAIT);
    assert_int_equal(tally.ok, 600);
    assert_int_equal(submit(kit->store, &tally, "late", &err), WXPAY_EBUSY);
    assert_int_equal(kit_put(kit->store, "late"), WXPAY_EBUSY);
    wxpay_store_stop(kit->store, KIT_WAIT);
    kit_stop(kit);
    kit_open(kit);
    assert_int_equal(kit_rows(kit), 600);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)
    const struct CMUnitTest tests[] = {
        TEST(values_come_back),
        TEST(one_job),
        TEST(file_is_private),
        TEST(a_group_keeps_its_good_jobs),
        TEST(reads),
        TEST(many_threads),
        TEST(many_threads_inline),
        TEST(two_processes),
        TEST(many_first_starts),
        TEST(killed_children_lose_nothing),
        TEST(inline_commits),
        TEST(the_end_writes_what_is_queued),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
