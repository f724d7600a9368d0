/* store_sqlite_writer.c - one thread per process writes for all others, in groups. */
#include "store_sqlite_int.h"

#include <apr_strings.h>
#include <signal.h>

#define MAX_QUEUED 4096
#define MAX_GROUP 256

static wxpay_rc_e busy(unsigned flags, const char *detail, wxpay_error_t *err)
{
    wxpay_error_set(err, WXPAY_EBUSY, "store", "%s", detail);
    if (err) {
        err->flags |= flags;
    }
    return WXPAY_EBUSY;
}

static struct timespec deadline_in(apr_interval_time_t wait)
{
    apr_time_t t = wxpay_sqlite_clock() + (wait > 0 ? wait : 0);
    struct timespec ts;

    ts.tv_sec = apr_time_sec(t);
    ts.tv_nsec = apr_time_usec(t) * 1000;
    return ts;
}

/* ---- the queue; all with queue_lock held ---- */

static void append(wxpay_sqlite_t *sq, wxpay_sqlite_task_t *task)
{
    task->number = ++sq->numbers;
    task->state = WXPAY_SQLITE_QUEUED;
    task->next = NULL;
    task->prev = sq->last;
    *(sq->last ? &sq->last->next : &sq->first) = task;
    sq->last = task;
    ++sq->queued;
}

static void withdraw(wxpay_sqlite_t *sq, wxpay_sqlite_task_t *task)
{
    *(task->prev ? &task->prev->next : &sq->first) = task->next;
    *(task->next ? &task->next->prev : &sq->last) = task->prev;
    --sq->queued;
}

/* Take those that arrived up to `last` from the queue's head, as a list. */
static wxpay_sqlite_task_t *take(wxpay_sqlite_t *sq, int most, apr_uint64_t last)
{
    wxpay_sqlite_task_t *head = sq->first;
    wxpay_sqlite_task_t *end = NULL;

    for (; most > 0 && sq->first && sq->first->number <= last; --most) {
        end = sq->first;
        end->state = WXPAY_SQLITE_RUNNING;
        sq->first = end->next;
        --sq->queued;
    }
    if (!end) {
        return NULL;
    }
    end->next = NULL;
    *(sq->first ? &sq->first->prev : &sq->last) = NULL;
    return head;
}

/* ---- the thread ---- */

static void tell(wxpay_sqlite_t *sq, wxpay_sqlite_task_t *tasks)
{
    wxpay_sqlite_task_t *task;
    wxpay_sqlite_task_t *next;

    pthread_mutex_lock(&sq->queue_lock);
    for (task = tasks; task; task = task->next) {
        task->state = WXPAY_SQLITE_DONE;
    }
    pthread_mutex_unlock(&sq->queue_lock);
    for (task = tasks; task; task = next) {
        next = task->next;
        if (task->done) {
            task->done(task->baton, task->rc, &task->err);
        }
        else {
            pthread_cond_signal(&task->cond);
        }
        wxpay_job_release(task->job);
    }
}

/* Jobs are taken only when the transaction is there: while another program holds the lock they can
 * still be withdrawn, and their callers know for sure. */
static void write_group(wxpay_sqlite_t *sq, apr_uint64_t arrived)
{
    wxpay_sqlite_task_t *tasks;
    wxpay_sqlite_task_t *task;
    wxpay_error_t err;
    wxpay_rc_e rc;

    wxpay_error_clear(&err);
    rc = wxpay_sqlite_begin(sq, wxpay_sqlite_clock() + sq->opt.busy_timeout, &err);
    pthread_mutex_lock(&sq->queue_lock);
    tasks = rc == WXPAY_OK ? take(sq, MAX_GROUP, sq->numbers) : take(sq, MAX_QUEUED, arrived);
    pthread_mutex_unlock(&sq->queue_lock);
    if (rc == WXPAY_OK) {
        wxpay_sqlite_apply(sq, tasks);
    }
    else {
        atomic_fetch_add(&sq->counts->failures, 1);
        for (task = tasks; task; task = task->next) {
            task->rc = rc;
            task->err = err;
        }
    }
    tell(sq, tasks);
}

static void *writer(void *baton)
{
    wxpay_sqlite_t *sq = baton;
    apr_uint64_t arrived;

    pthread_mutex_lock(&sq->queue_lock);
    for (;;) {
        while (!sq->first && !atomic_load(&sq->stopping)) {
            pthread_cond_wait(&sq->work_waits, &sq->queue_lock);
        }
        if (!sq->first) {
            break;
        }
        arrived = sq->last->number;
        pthread_mutex_unlock(&sq->queue_lock);
        write_group(sq, arrived);
        pthread_mutex_lock(&sq->queue_lock);
    }
    pthread_mutex_unlock(&sq->queue_lock);
    wxpay_sqlite_close(sq->writer);
    sq->writer = NULL;
    pthread_mutex_lock(&sq->queue_lock);
    sq->ended = 1;
    pthread_cond_broadcast(&sq->thread_ended);
    pthread_mutex_unlock(&sq->queue_lock);
    return NULL;
}

/* At the first job: most children of a big server never need it, and no thread survives a fork.
 * Signals stay with the server's own threads. */
static int start(wxpay_sqlite_t *sq)
{
    sigset_t all;
    sigset_t old;
    int failed;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    failed = pthread_create(&sq->thread, NULL, writer, sq);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    sq->started = !failed;
    return failed;
}

/* ---- those who bring work ---- */

static wxpay_sqlite_task_t *make_task(wxpay_sqlite_t *sq, wxpay_job_t *job, wxpay_work_fn *work,
                                      wxpay_job_done_fn *done, void *baton)
{
    wxpay_sqlite_task_t *task = apr_pcalloc(wxpay_job_pool(job), sizeof(*task));

    task->job = job;
    task->work = work;
    task->done = done;
    task->baton = baton;
    pthread_cond_init(&task->cond, &sq->monotonic);
    return task;
}

static wxpay_rc_e enqueue(wxpay_sqlite_t *sq, wxpay_sqlite_task_t *task, wxpay_error_t *err)
{
    if (atomic_load(&sq->stopping)) {
        return busy(WXPAY_ERR_RETRY, "this server process is about to end", err);
    }
    if (sq->queued >= MAX_QUEUED) {
        return busy(WXPAY_ERR_RETRY, "too many changes wait to be written", err);
    }
    if (!sq->started && start(sq)) {
        return busy(WXPAY_ERR_RETRY, "cannot start the writer thread: too many threads", err);
    }
    wxpay_job_hold(task->job);
    append(sq, task);
    pthread_cond_signal(&sq->work_waits);
    return WXPAY_OK;
}

/* With queue_lock held, on time or when time is up. */
static wxpay_rc_e outcome(wxpay_sqlite_t *sq, wxpay_sqlite_task_t *task, wxpay_error_t *err)
{
    switch (task->state) {
    case WXPAY_SQLITE_DONE:
        if (err) {
            *err = task->err;
        }
        return task->rc;
    case WXPAY_SQLITE_QUEUED:
        withdraw(sq, task);
        wxpay_job_release(task->job);
        return busy(WXPAY_ERR_RETRY, "not written in time, and withdrawn", err);
    default:
        return busy(WXPAY_ERR_AMBIGUOUS, "not written in time; it may still happen", err);
    }
}

wxpay_rc_e wxpay_sqlite_writer_commit(wxpay_store_t *store, wxpay_job_t *job, wxpay_work_fn *work,
                                      void *baton, apr_interval_time_t wait, wxpay_error_t *err)
{
    wxpay_sqlite_t *sq = store->impl;
    wxpay_sqlite_task_t *task = make_task(sq, job, work, NULL, baton);
    struct timespec deadline = deadline_in(wait);
    wxpay_rc_e rc;

    pthread_mutex_lock(&sq->queue_lock);
    rc = enqueue(sq, task, err);
    if (rc == WXPAY_OK) {
        while (task->state != WXPAY_SQLITE_DONE &&
               pthread_cond_timedwait(&task->cond, &sq->queue_lock, &deadline) == 0) {
        }
        rc = outcome(sq, task, err);
    }
    pthread_mutex_unlock(&sq->queue_lock);
    return rc;
}

wxpay_rc_e wxpay_sqlite_writer_submit(wxpay_store_t *store, wxpay_job_t *job, wxpay_work_fn *work,
                                      wxpay_job_done_fn *done, void *baton, wxpay_error_t *err)
{
    wxpay_sqlite_t *sq = store->impl;
    wxpay_sqlite_task_t *task = make_task(sq, job, work, done, baton);
    wxpay_rc_e rc;

    pthread_mutex_lock(&sq->queue_lock);
    rc = enqueue(sq, task, err);
    pthread_mutex_unlock(&sq->queue_lock);
    return rc;
}

int wxpay_sqlite_writer_stop(wxpay_sqlite_t *sq, apr_interval_time_t wait)
{
    struct timespec deadline = deadline_in(wait);
    int quiet;

    pthread_mutex_lock(&sq->queue_lock);
    pthread_cond_broadcast(&sq->work_waits);
    while (sq->started && !sq->ended &&
           pthread_cond_timedwait(&sq->thread_ended, &sq->queue_lock, &deadline) == 0) {
    }
    quiet = !sq->started || sq->ended;
    if (quiet && sq->started) {
        pthread_join(sq->thread, NULL);
        sq->started = 0;
    }
    pthread_mutex_unlock(&sq->queue_lock);
    return quiet;
}
