/* store.c - one way to every driver, and the jobs that carry work to it. */
#include "store.h"

#include <stdatomic.h>
#include <stdlib.h>

struct wxpay_job_t {
    apr_pool_t *pool;
    atomic_int holders;
};

wxpay_job_t *wxpay_job_create(void)
{
    apr_pool_t *pool = NULL;
    wxpay_job_t *job;

    /* An allocator of its own: a child of some shared pool would take that pool's lock twice per
     * job, and could not be destroyed on another thread. */
    if (apr_pool_create_unmanaged_ex(&pool, NULL, NULL) != APR_SUCCESS) {
        abort();
    }
    job = apr_palloc(pool, sizeof(*job));
    job->pool = pool;
    atomic_init(&job->holders, 1);
    return job;
}

apr_pool_t *wxpay_job_pool(wxpay_job_t *job)
{
    return job->pool;
}

void wxpay_job_hold(wxpay_job_t *job)
{
    atomic_fetch_add(&job->holders, 1);
}

void wxpay_job_release(wxpay_job_t *job)
{
    if (atomic_fetch_sub(&job->holders, 1) == 1) {
        apr_pool_destroy(job->pool);
    }
}

wxpay_rc_e wxpay_tx_exec(wxpay_tx_t *tx, const char *sql, const wxpay_value_t *params, int count,
                         int *affected, wxpay_error_t *err)
{
    if (!tx->writable) {
        return wxpay_error_set(err, WXPAY_EINTERNAL, "store", "a read may not write");
    }
    return tx->store->driver->exec(tx, sql, params, count, affected, err);
}

wxpay_rc_e wxpay_tx_query(wxpay_tx_t *tx, const char *sql, const wxpay_value_t *params, int count,
                          wxpay_row_fn *row, void *baton, wxpay_error_t *err)
{
    return tx->store->driver->query(tx, sql, params, count, row, baton, err);
}

wxpay_rc_e wxpay_store_commit(wxpay_store_t *store, wxpay_job_t *job, wxpay_work_fn *work,
                              void *baton, apr_interval_time_t wait, wxpay_error_t *err)
{
    return store->driver->commit(store, job, work, baton, wait, err);
}

wxpay_rc_e wxpay_store_submit(wxpay_store_t *store, wxpay_job_t *job, wxpay_work_fn *work,
                              wxpay_job_done_fn *done, void *baton, wxpay_error_t *err)
{
    return store->driver->submit(store, job, work, done, baton, err);
}

wxpay_rc_e wxpay_store_read(wxpay_store_t *store, wxpay_work_fn *work, void *baton,
                            apr_pool_t *pool, wxpay_error_t *err)
{
    return store->driver->read(store, work, baton, pool, err);
}

void wxpay_store_stop(wxpay_store_t *store, apr_interval_time_t wait)
{
    store->driver->stop(store, wait);
}

void wxpay_store_stats(wxpay_store_t *store, wxpay_store_stats_t *stats)
{
    store->driver->stats(store, stats);
}
