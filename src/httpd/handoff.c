/* handoff.c - the header of a hand-off is found, taken out, and what follows it dropped. */
#include "lifecycle.h"
#include "module.h"
#include "handoff.h"

#include <http_protocol.h>
#include <http_request.h>

#define REDIRECTED                                                                                 \
    "it comes with a redirect inside the server (a Location header with a path, or an "            \
    "ErrorDocument): leave the redirect out, the buyer is sent to the payment page"
#define TOO_LATE                                                                                   \
    "it does not come from the script but from mod_cache (empty the cache of what was stored "     \
    "before mod_wxpay was there) or from a Header directive (remove it)"

/* Shared by the two filters of one request. */
typedef struct state_t {
    mod_wxpay_handoff_t said; /* before any filter was called */
    const ap_filter_t *by;    /* the filter that has answered; what else comes to it is dropped */
} state_t;

static int add(void *said, const char *name, const char *value)
{
    (void)name;
    ((mod_wxpay_handoff_t *)said)->value = value;
    ((mod_wxpay_handoff_t *)said)->count++;
    return 1;
}

/* CGI and FastCGI headers land in err_headers_out, a proxied backend's in headers_out. */
static int take(request_rec *r, mod_wxpay_handoff_t *said)
{
    apr_table_do(add, said, r->headers_out, MOD_WXPAY_HANDOFF_HEADER, NULL);
    apr_table_do(add, said, r->err_headers_out, MOD_WXPAY_HANDOFF_HEADER, NULL);
    apr_table_unset(r->headers_out, MOD_WXPAY_HANDOFF_HEADER);
    apr_table_unset(r->err_headers_out, MOD_WXPAY_HANDOFF_HEADER);
    return said->count > 0;
}

/* Any page that a forward proxy's clients ask for may hold it. */
static int may_tell(const request_rec *r)
{
    unsigned unsaid;

    return r->proxyreq != PROXYREQ_PROXY &&
           mod_wxpay_log_limit(mod_wxpay_dropped(), apr_time_now(), &unsaid);
}

static void warn_dropped(const request_rec *r)
{
    if (may_tell(r)) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      "WXP0414: %s answered with the header X-WxPay-Order, which was dropped, and "
                      "its page was sent without payment: write \"WxPayHandoff On\" in the "
                      "<Location> or <Directory> of that script",
                      r->uri);
    }
}

/* By mod_cache's quick handler it is not even known yet what place it is. */
static void warn_late(const request_rec *r)
{
    if (may_tell(r)) {
        ap_log_rerror(
            APLOG_MARK, APLOG_WARNING, 0, r,
            "WXP0415: the answer for %s held a header X-WxPay-Order, which was dropped: %s", r->uri,
            TOO_LATE);
    }
}

/* A script whose output is not read to its end would die of SIGPIPE amid its work. */
static apr_status_t drop(apr_bucket_brigade *bb)
{
    const char *data;
    apr_size_t len;

    while (!APR_BRIGADE_EMPTY(bb)) {
        apr_bucket *e = APR_BRIGADE_FIRST(bb);

        if (e->length == (apr_size_t)-1) {
            apr_bucket_read(e, &data, &len, APR_BLOCK_READ);
        }
        apr_bucket_delete(e);
    }
    return APR_SUCCESS;
}

static apr_status_t replace(ap_filter_t *f, state_t *state, const mod_wxpay_handoff_t *said,
                            apr_bucket_brigade *bb)
{
    request_rec *r = f->r;
    ap_filter_t *head = r->output_filters;
    apr_bucket_brigade *end = apr_brigade_create(r->pool, f->c->bucket_alloc);
    apr_status_t rv;

    state->by = f;
    r->output_filters = f->next; /* what we send ourselves is not dropped */
    if (said) {
        mod_wxpay_handoff_answer(r, said);
    }
    else {
        mod_wxpay_handoff_refuse(r, r, TOO_LATE);
    }
    APR_BRIGADE_INSERT_TAIL(end, apr_bucket_eos_create(f->c->bucket_alloc));
    rv = ap_pass_brigade(r->output_filters, end);
    f->next = r->output_filters; /* filters that are done have left it */
    r->output_filters = head;
    drop(bb);
    return rv;
}

static apr_status_t pass_on(ap_filter_t *f, apr_bucket_brigade *bb)
{
    ap_remove_output_filter(f);
    return ap_pass_brigade(f->next, bb);
}

/* Whoever made the answer has given up: httpd makes an error page of it. */
static int has_failed(const apr_bucket_brigade *bb)
{
    const apr_bucket *e;

    for (e = APR_BRIGADE_FIRST(bb); e != APR_BRIGADE_SENTINEL(bb); e = APR_BUCKET_NEXT(e)) {
        if (AP_BUCKET_IS_ERROR(e)) {
            return 1;
        }
    }
    return 0;
}

apr_status_t mod_wxpay_handoff_first(ap_filter_t *f, apr_bucket_brigade *bb)
{
    state_t *state = f->ctx;
    mod_wxpay_handoff_t said = state->said;

    if (state->by == f) {
        return drop(bb);
    }
    if (APR_BRIGADE_EMPTY(bb)) {
        return ap_pass_brigade(f->next, bb);
    }
    if (!take(f->r, &said) || has_failed(bb)) {
        return pass_on(f, bb);
    }
    if (!mod_wxpay_handoff_honoured(f->r)) {
        warn_dropped(f->r);
        return pass_on(f, bb);
    }
    return replace(f, state, &said, bb);
}

/* mod_expires and mod_headers know nothing of payments. */
static void keep_private(request_rec *r)
{
    apr_table_unset(r->err_headers_out, "Cache-Control");
    apr_table_unset(r->err_headers_out, "Expires");
    apr_table_unset(r->headers_out, "Expires");
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
}

apr_status_t mod_wxpay_handoff_last(ap_filter_t *f, apr_bucket_brigade *bb)
{
    state_t *state = f->ctx;
    mod_wxpay_handoff_t said = {NULL, 0};

    if (state->by == f) {
        return drop(bb);
    }
    if (APR_BRIGADE_EMPTY(bb)) {
        return ap_pass_brigade(f->next, bb);
    }
    if (take(f->r, &said) && !state->by) {
        if (mod_wxpay_handoff_honoured(f->r)) {
            return replace(f, state, NULL, bb);
        }
        warn_late(f->r);
    }
    if (state->by) {
        keep_private(f->r);
    }
    return pass_on(f, bb);
}

static state_t *add_filters(request_rec *r)
{
    state_t *state = apr_pcalloc(r->pool, sizeof(*state));

    ap_add_output_filter(MOD_WXPAY_HANDOFF_FIRST, state, r, r->connection);
    /* The end of a sub-request's chain is its parent's; its headers go nowhere. */
    if (!r->main) {
        ap_add_output_filter(MOD_WXPAY_HANDOFF_LAST, state, r, r->connection);
    }
    return state;
}

void mod_wxpay_handoff_insert_filters(request_rec *r)
{
    if (mod_wxpay_active()) {
        add_filters(r);
    }
}

void mod_wxpay_handoff_insert_error_filters(request_rec *r)
{
    if (mod_wxpay_active()) {
        /* now: httpd is about to empty headers_out, where a proxied backend has said it */
        take(r, &add_filters(r)->said);
    }
}

int mod_wxpay_handoff_post_read_request(request_rec *r)
{
    mod_wxpay_handoff_t said = {NULL, 0};

    if (!mod_wxpay_active()) {
        return DECLINED;
    }
    apr_table_unset(r->headers_in, MOD_WXPAY_HANDOFF_HEADER); /* so that nothing can echo it */
    if (!r->prev || !take(r->prev, &said)) {
        return DECLINED;
    }
    if (!mod_wxpay_handoff_honoured(r->prev)) {
        warn_dropped(r->prev);
        return DECLINED;
    }
    mod_wxpay_handoff_refuse(r, r->prev, REDIRECTED);
    return DONE;
}
