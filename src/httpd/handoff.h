/* handoff.h - hand-off: a script of the site starts a payment by answering with the header
 * X-WxPay-Order, in which the members of an order stand as in a form.
 *
 * The header never leaves this server, whatever answer holds it. Where WxPayHandoff is On, the
 * order in it is stored (no gateway is asked) and the script's page gives way to a 303 to the
 * payment page, or to JSON with its URL; what is wrong with it becomes an error page of ours and a
 * line in error_log, never the script's page. HEAD makes no order: it learns by 200 that GET would.
 *
 * Two output filters do it. The first stands right behind the script, before compression and
 * mod_cache's store; the last right before the response's header is written: it sees what mod_cache
 * and mod_headers put in themselves. nph- scripts bypass filters, and interim (1xx) answers too.
 * Threads: one request, one thread.
 * Source: design 3.4; feasibility E.
 */
#ifndef MOD_WXPAY_HANDOFF_H
#define MOD_WXPAY_HANDOFF_H

#include <httpd.h>
#include <http_config.h>
#include <util_filter.h>

#define MOD_WXPAY_HANDOFF_HEADER "X-WxPay-Order"
#define MOD_WXPAY_HANDOFF_FIRST "WXPAY_HANDOFF"
#define MOD_WXPAY_HANDOFF_LAST "WXPAY_HANDOFF_LAST"

/* What a script said. */
typedef struct mod_wxpay_handoff_t {
    const char *value; /* of the header that was found last; NULL: there is none */
    int count;         /* headers found */
} mod_wxpay_handoff_t;

/* 1 where the header is honoured. */
int mod_wxpay_handoff_honoured(const request_rec *r);
/* r's script said something and it is honoured here: send what its client gets instead, all but the
 * end of the answer, through r->output_filters. A sub-request gets nothing. */
void mod_wxpay_handoff_answer(request_rec *r, const mod_wxpay_handoff_t *said);
/* The same where it is clear already that it cannot be honoured; why says what is wrong and what to
 * do. script: the request that said it, r itself or the one that was redirected to r. */
void mod_wxpay_handoff_refuse(request_rec *r, const request_rec *script, const char *why);

/* Filters. */
apr_status_t mod_wxpay_handoff_first(ap_filter_t *f, apr_bucket_brigade *bb);
apr_status_t mod_wxpay_handoff_last(ap_filter_t *f, apr_bucket_brigade *bb);

/* Hooks. */
/* WxPayHandoff On needs a server with a merchant and WxPayCheckoutPath. */
int mod_wxpay_handoff_check(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s);
/* A CGI script's local redirect, and an ErrorDocument, take over the headers of the request before:
 * the header is taken out here, and where it is honoured the redirect ends. */
int mod_wxpay_handoff_post_read_request(request_rec *r);
void mod_wxpay_handoff_insert_filters(request_rec *r);
void mod_wxpay_handoff_insert_error_filters(request_rec *r);

#endif
