/* api_call.h - one request to the backends' API, between its front (who asks, and for what) and the
 * operations on orders.
 *
 * Every operation answers the request itself and returns what the handler returns.
 * Threads: one request, one thread.
 * Source: design 3.3; RFC 9457 (problems), RFC 7240 (Prefer).
 */
#ifndef MOD_WXPAY_API_CALL_H
#define MOD_WXPAY_API_CALL_H

#include <httpd.h>
#include "config.h"
#include "error.h"
#include "json.h"
#include "lifecycle.h"
#include "order.h"

typedef struct mod_wxpay_api_call_t {
    request_rec *r;
    const mod_wxpay_server_t *cfg;
    const mod_wxpay_child_t *child;
    const char *number; /* of /orders/<number>...; NULL for /orders */
    const char *event;  /* of /orders/<number>/deliveries/<event>/resend, else NULL */
    const char *body;
    apr_size_t body_len;
} mod_wxpay_api_call_t;

/* POST /orders */
int mod_wxpay_api_create(const mod_wxpay_api_call_t *call);
/* GET /orders[?state=&since=&flag=&limit=&after=] */
int mod_wxpay_api_list(const mod_wxpay_api_call_t *call);
/* GET /orders/<number>[?refresh=1] */
int mod_wxpay_api_read(const mod_wxpay_api_call_t *call);
/* POST /orders/<number>/close */
int mod_wxpay_api_close(const mod_wxpay_api_call_t *call);

/* POST /orders/<number>/deliveries/<event>/resend */
int mod_wxpay_api_resend(const mod_wxpay_api_call_t *call);

/* An order as every answer shows it, with its pay_url and, while a JSAPI attempt can be paid, the
 * parameters for it (`jsapi`); released with the request. */
json_t *mod_wxpay_api_order_json(const mod_wxpay_api_call_t *call, const wxpay_snapshot_t *snap);

/* A problem with no more to say than these. */
int mod_wxpay_api_problem(request_rec *r, int status, const char *code, const char *detail);
/* What the caller sent is at fault: 400 malformed (WXPAY_EPARSE), 422 a member refused. */
int mod_wxpay_api_refused(request_rec *r, const wxpay_error_t *err);
/* 409; err->field, if any, names the fact that differs. */
int mod_wxpay_api_conflict(request_rec *r, const char *code, const wxpay_error_t *err);
/* What store or gateway could not do: 404, 500, 502, 503, 504. */
int mod_wxpay_api_failed(request_rec *r, const wxpay_error_t *err);

#endif
