/* store_sqlite_inline.c - a process without threads: who brings a job writes it. */
#include "store_sqlite_int.h"

#include <string.h>

static wxpay_rc_e stopping(wxpay_error_t *err)
{
    wxpay_error_set(err, WXPAY_EBUSY, "store", "this server process is about to end");
    if (err) {
        err->flags |= WXPAY_ERR_RETRY;
    }
    return WXPAY_EBUSY;
}

static wxpay_rc_e not_in_time(wxpay_error_t *err)
{
    wxpay_error_set(err, WXPAY_EBUSY, "store", "others kept the store busy: not written in time");
    if (err) {
        err->flags |= WXPAY_ERR_RETRY;
    }
    return WXPAY_EBUSY;
}

/* Both locks within one wait: a notification has 3 s for everything. */
static wxpay_rc_e lock_inline(wxpay_sqlite_t *sq, apr_interval_time_t wait, wxpay_error_t *err)
{
    apr_time_t give_up = wxpay_sqlite_clock() + wait;
    apr_interval_time_t left;
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += apr_time_sec(wait);
    until.tv_nsec += apr_time_usec(wait) * 1000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        ++until.tv_sec;
    }
    if (pthread_mutex_timedlock(&sq->write_lock, &until) != 0) {
        return not_in_time(err);
    }
    left = give_up - wxpay_sqlite_clock();
    if (sq->opt.lock && sq->opt.lock(sq->opt.lock_baton, left > 0 ? left : 0) != 0) {
        pthread_mutex_unlock(&sq->write_lock);
        return not_in_time(err);
    }
    return WXPAY_OK;
}

static wxpay_rc_e run_inline(wxpay_sqlite_t *sq, wxpay_sqlite_task_t *task,
                             apr_interval_time_t wait)
{
    apr_time_t give_up = wxpay_sqlite_clock() + wait;

    if (atomic_load(&sq->stopping)) {
        return task->rc = stopping(&task->err);
    }
    task->rc = lock_inline(sq, wait, &task->err);
    if (task->rc != WXPAY_OK) {
        return task->rc;
    }
    task->rc = wxpay_sqlite_begin(sq, give_up, &task->err);
    if (task->rc == WXPAY_OK) {
        wxpay_sqlite_apply(sq, task);
    }
    if (sq->opt.unlock) {
        sq->opt.unlock(sq->opt.lock_baton);
    }
    pthread_mutex_unlock(&sq->write_lock);
    return task->rc;
}

wxpay_rc_e wxpay_sqlite_inline_commit(wxpay_store_t *store, wxpay_job_t *job, wxpay_work_fn *work,
                                      void *baton, apr_interval_time_t wait, wxpay_error_t *err)
{
    wxpay_sqlite_t *sq = store->impl;
    wxpay_sqlite_task_t task;

    memset(&task, 0, sizeof(task));
    task.job = job;
    task.work = work;
    task.baton = baton;
    run_inline(sq, &task, wait < sq->opt.busy_timeout ? wait : sq->opt.busy_timeout);
    if (err) {
        *err = task.err;
    }
    return task.rc;
}

wxpay_rc_e wxpay_sqlite_inline_submit(wxpay_store_t *store, wxpay_job_t *job, wxpay_work_fn *work,
                                      wxpay_job_done_fn *done, void *baton, wxpay_error_t *err)
{
    wxpay_sqlite_t *sq = store->impl;
    wxpay_error_t own;
    wxpay_rc_e rc;

    if (atomic_load(&sq->stopping)) {
        return stopping(err);
    }
    wxpay_error_clear(&own);
    rc = wxpay_sqlite_inline_commit(store, job, work, baton, sq->opt.busy_timeout, &own);
    done(baton, rc, &own);
    return WXPAY_OK;
}
