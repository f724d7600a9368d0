#include "retention.h"

#include "store_rows.h"

#define COMMIT_WAIT apr_time_from_sec(10)

typedef struct erasing_t {
    apr_time_t notices_before;
    apr_time_t orders_before;
    int limit;
    wxpay_erasable_t *list;
    int count;
} erasing_t;

static wxpay_rc_e look(wxpay_tx_t *tx, void *baton, apr_pool_t *pool, wxpay_error_t *err)
{
    erasing_t *e = baton;

    return wxpay_row_erasable(tx, e->notices_before, e->orders_before, e->limit, pool, &e->list,
                              &e->count, err);
}

static wxpay_rc_e erase(wxpay_tx_t *tx, void *baton, apr_pool_t *pool, wxpay_error_t *err)
{
    erasing_t *e = baton;
    wxpay_rc_e rc = WXPAY_OK;
    int i;

    (void)pool;
    for (i = 0; i < e->count && rc == WXPAY_OK; ++i) {
        rc = wxpay_row_erase(tx, &e->list[i], err);
    }
    return rc;
}

wxpay_rc_e wxpay_retention_erase(wxpay_store_t *store, apr_time_t notices_before,
                                 apr_time_t orders_before, int limit, int *erased,
                                 wxpay_error_t *err)
{
    wxpay_job_t *job = wxpay_job_create();
    apr_pool_t *pool = wxpay_job_pool(job);
    erasing_t *e = apr_pcalloc(pool, sizeof(*e));
    wxpay_rc_e rc;

    wxpay_error_clear(err);
    e->notices_before = notices_before;
    e->orders_before = orders_before;
    e->limit = limit;
    *erased = 0;
    rc = wxpay_store_read(store, look, e, pool, err);
    if (rc == WXPAY_OK && e->count) {
        int count = e->count; /* the job's memory is not ours once the wait has failed */

        rc = wxpay_store_commit(store, job, erase, e, COMMIT_WAIT, err);
        *erased = rc == WXPAY_OK ? count : 0;
    }
    wxpay_job_release(job);
    return rc;
}
