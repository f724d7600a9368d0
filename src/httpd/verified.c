#include "verified.h"
#include "paths.h"
#include <apr_strings.h>

static void drop_variables(apr_table_t *env)
{
    const apr_array_header_t *all = apr_table_elts(env);
    int i;

    for (i = all->nelts - 1; i >= 0; i--) {
        const char *name = APR_ARRAY_IDX(all, i, apr_table_entry_t).key;

        if (mod_wxpay_is_variable(name)) {
            apr_table_unset(env, name);
            i = all->nelts; /* unsetting may remove more than one */
        }
    }
}

void mod_wxpay_verified_environment(request_rec *r, const mod_wxpay_verified_t *verified)
{
    apr_table_t *env = r->subprocess_env;
    const wxpay_delivery_t *told = verified ? &verified->delivery : NULL;
    int paid = told && told->type == WXPAY_EVENT_PAID, i;

    drop_variables(env);
    if (!told) {
        return;
    }
    const char *const facts[][2] = {
        {"OUT_TRADE_NO", told->out_trade_no},
        {"TRANSACTION_ID", told->transaction_id},
        {"TOTAL_FEE", told->total_fee},
        {"FEE_TYPE", told->fee_type},
        {"OPENID", told->openid},
        {"ATTACH", told->attach},
        {"TIME_END", told->time_end},
        {"TRADE_TYPE", told->trade_type},
    };

    apr_table_setn(env, "WXPAY_VERIFIED", "1");
    apr_table_setn(env, "WXPAY_EVENT_ID", verified->id);
    apr_table_setn(env, "WXPAY_EVENT_TYPE", wxpay_event_name(told->type));
    if (paid) {
        apr_table_setn(env, "WXPAY_PAID", "1");
    }
    for (i = 0; i < (int)(sizeof(facts) / sizeof(facts[0])); i++) {
        if (facts[i][1]) {
            apr_table_setn(
                env, apr_pstrcat(r->pool, paid ? "WXPAY_" : "WXPAY_EVENT_", facts[i][0], NULL),
                facts[i][1]);
        }
    }
}

typedef struct reader_t {
    const char *rest;
    apr_size_t len;
} reader_t;

void mod_wxpay_verified_offer(request_rec *r, const mod_wxpay_verified_t *verified)
{
    reader_t *reader = apr_palloc(r->pool, sizeof(*reader));

    reader->rest = verified->body;
    reader->len = verified->len;
    ap_add_input_filter(MOD_WXPAY_VERIFIED_FILTER, reader, r, r->connection);
}

apr_status_t mod_wxpay_verified_read(ap_filter_t *f, apr_bucket_brigade *bb, ap_input_mode_t mode,
                                     apr_read_type_e block, apr_off_t readbytes)
{
    reader_t *reader = f->ctx;
    apr_size_t count = reader->len;

    if (mode != AP_MODE_READBYTES && mode != AP_MODE_GETLINE) {
        return ap_get_brigade(f->next, bb, mode, block, readbytes); /* not about the body */
    }
    if (mode == AP_MODE_READBYTES && readbytes < (apr_off_t)count) {
        count = readbytes > 0 ? (apr_size_t)readbytes : 0;
    }
    if (count) {
        APR_BRIGADE_INSERT_TAIL(
            bb, apr_bucket_pool_create(reader->rest, count, f->r->pool, bb->bucket_alloc));
        reader->rest += count;
        reader->len -= count;
    }
    if (!reader->len) {
        APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(bb->bucket_alloc));
    }
    return APR_SUCCESS;
}
