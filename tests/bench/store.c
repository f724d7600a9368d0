/* store.c - how many durable commits per second, and how long one takes.
 *
 * usage: store [processes [threads [seconds [inline]]]]
 * One round of a thread: INSERT an order-like row, commit; UPDATE ... WHERE state, commit.
 * Source: design 6; the same work as in feasibility C.
 */
#include <apr_general.h>
#include <apr_strings.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store_sqlite.h"

#define MAX_SAMPLES 400000

static const char SQL_INSERT[] = "INSERT INTO events (id, mch_id, out_trade_no, site, type, "
                                 "created_at, body, state) VALUES (?,?,?,?,?,?,?,?)";
static const char SQL_UPDATE[] = "UPDATE events SET state = 'delivered' WHERE id = ? AND state = ?";

typedef struct result_t {
    unsigned count, failed;
    unsigned us[MAX_SAMPLES];
} result_t;

typedef struct worker_t {
    wxpay_store_t *store;
    int id;
    apr_time_t until;
    result_t *result;
    pthread_t thread;
} worker_t;

static wxpay_value_t text(const char *s)
{
    wxpay_value_t v = {WXPAY_VALUE_TEXT, 0, s, strlen(s)};

    return v;
}

static wxpay_rc_e insert(wxpay_tx_t *tx, void *baton, apr_pool_t *pool, wxpay_error_t *err)
{
    wxpay_value_t v[8];
    int i;

    (void)pool;
    for (i = 0; i < 8; ++i) {
        v[i] = text(i == 0 ? (const char *)baton : "some text of an order");
    }
    v[5] = (wxpay_value_t){WXPAY_VALUE_INT, 1, NULL, 0};
    v[7] = text("pending");
    return wxpay_tx_exec(tx, SQL_INSERT, v, 8, NULL, err);
}

static wxpay_rc_e update(wxpay_tx_t *tx, void *baton, apr_pool_t *pool, wxpay_error_t *err)
{
    wxpay_value_t v[2] = {text(baton), text("pending")};
    int affected = 0;
    wxpay_rc_e rc = wxpay_tx_exec(tx, SQL_UPDATE, v, 2, &affected, err);

    (void)pool;
    return rc == WXPAY_OK && affected != 1 ? WXPAY_ECONFLICT : rc;
}

static void commit(worker_t *w, wxpay_work_fn *work, const char *id)
{
    wxpay_job_t *job = wxpay_job_create();
    apr_time_t start = apr_time_now();
    wxpay_error_t err;
    result_t *r = w->result;
    unsigned slot;

    if (wxpay_store_commit(w->store, job, work, apr_pstrdup(wxpay_job_pool(job), id),
                           apr_time_from_sec(10), &err) != WXPAY_OK) {
        __atomic_add_fetch(&r->failed, 1, __ATOMIC_RELAXED);
        fprintf(stderr, "%s\n", err.detail);
    }
    slot = __atomic_fetch_add(&r->count, 1, __ATOMIC_RELAXED);
    r->us[slot % MAX_SAMPLES] = (unsigned)(apr_time_now() - start);
    wxpay_job_release(job);
}

static void *worker(void *baton)
{
    worker_t *w = baton;
    char id[48];
    int i;

    for (i = 0; apr_time_now() < w->until; ++i) {
        snprintf(id, sizeof(id), "%d-%d-%d", (int)getpid(), w->id, i);
        commit(w, insert, id);
        commit(w, update, id);
    }
    return NULL;
}

static int process(const char *path, int threads, int seconds, int in_line, result_t *result)
{
    wxpay_sqlite_options_t options = {0};
    worker_t *workers = calloc((size_t)threads, sizeof(*workers));
    wxpay_store_stats_t stats;
    wxpay_store_t *store;
    apr_pool_t *pool;
    int i;

    apr_pool_create(&pool, NULL);
    options.path = path;
    options.threaded = !in_line;
    options.busy_timeout = apr_time_from_sec(5);
    if (!workers || wxpay_store_sqlite_create(pool, &options, &store, NULL) != WXPAY_OK) {
        return 1;
    }
    for (i = 0; i < threads; ++i) {
        workers[i] = (worker_t){store, i, apr_time_now() + apr_time_from_sec(seconds), result, 0};
        if (pthread_create(&workers[i].thread, NULL, worker, &workers[i])) {
            return 1;
        }
    }
    for (i = 0; i < threads; ++i) {
        pthread_join(workers[i].thread, NULL);
    }
    wxpay_store_stats(store, &stats);
    wxpay_store_stop(store, apr_time_from_sec(5));
    printf("  process: %lu transactions, %lu jobs (%.1f per transaction), %lu failures\n",
           (unsigned long)stats.commits, (unsigned long)stats.jobs,
           (double)stats.jobs / (double)(stats.commits ? stats.commits : 1),
           (unsigned long)stats.failures);
    return 0;
}

static int by_size(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a;
    unsigned y = *(const unsigned *)b;

    return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
    int processes = argc > 1 ? atoi(argv[1]) : 1;
    int threads = argc > 2 ? atoi(argv[2]) : 32;
    int seconds = argc > 3 ? atoi(argv[3]) : 3;
    int in_line = argc > 4;
    char dir[] = "/tmp/wxbenchXXXXXX";
    char path[64];
    char command[64];
    unsigned n;
    int i;
    result_t *r = mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (r == MAP_FAILED || !mkdtemp(dir)) {
        return 1;
    }
    apr_initialize();
    snprintf(path, sizeof(path), "%s/wxpay.db", dir);
    for (i = 0; i < processes; ++i) {
        if (!fork()) {
            i = process(path, threads, seconds, in_line, r);
            fflush(stdout);
            _exit(i);
        }
    }
    while (wait(NULL) > 0) {
    }
    n = r->count < MAX_SAMPLES ? r->count : MAX_SAMPLES;
    qsort(r->us, n, sizeof(r->us[0]), by_size);
    printf(
        "%d x %d threads, %s: %u commits/s, p50 %.2f p99 %.2f p99.9 %.2f max %.2f ms, %u failed\n",
        processes, threads, in_line ? "inline" : "writer thread", r->count / (unsigned)seconds,
        r->us[n / 2] / 1e3, r->us[n * 99UL / 100] / 1e3, r->us[n * 999UL / 1000] / 1e3,
        r->us[n - 1] / 1e3, r->failed);
    snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    return system(command) != 0;
}
