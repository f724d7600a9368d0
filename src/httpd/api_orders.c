/* api_orders.c - create, read and close orders for a site's backend. */
#include "api_call.h"

#include <string.h>

#include <apr_strings.h>

#include "intake.h"
#include "io.h"
#include "jsapi.h"
#include "order_json.h"

/* The store's own waiting, on top of the gateway's deadline. */
#define STORE_MARGIN apr_time_from_sec(3)

/* ---- what every answer with an order needs ---- */

static const char *pay_url(const mod_wxpay_api_call_t *call, const wxpay_order_t *order)
{
    return call->cfg->checkout_path && order->pay_id
               ? apr_pstrcat(call->r->pool, call->cfg->account->public_url,
                             call->cfg->checkout_path, "/", order->pay_id, NULL)
               : NULL;
}

json_t *mod_wxpay_api_order_json(const mod_wxpay_api_call_t *call, const wxpay_snapshot_t *snap)
{
    apr_pool_t *pool = call->r->pool;
    apr_time_t now = apr_time_now();
    const wxpay_attempt_t *payable = wxpay_snapshot_payable(snap, now);
    json_t *json =
        wxpay_order_json(pool, snap->order, (const wxpay_attempt_t *const *)snap->attempts,
                         snap->count, pay_url(call, snap->order), now);
    wxpay_jsapi_t params;
    wxpay_error_t unsaid;

    wxpay_error_clear(&unsaid);
    if (payable && payable->trade_type == WXPAY_TRADE_JSAPI &&
        wxpay_jsapi_params(call->cfg->account, payable, now, pool, &params, &unsaid) == WXPAY_OK) {
        json_object_set(json, "jsapi", wxpay_jsapi_json(pool, &params));
    }
    return json;
}

static int send_order(const mod_wxpay_api_call_t *call, int status, const wxpay_snapshot_t *snap)
{
    const wxpay_order_t *order = snap->order;
    json_t *json = mod_wxpay_api_order_json(call, snap);
    json_t *deliveries;
    wxpay_error_t err;

    wxpay_error_clear(&err);
    if (wxpay_outbox_list(call->child->store, order->mch_id, order->out_trade_no, call->r->pool,
                          &deliveries, &err) != WXPAY_OK) {
        return mod_wxpay_api_failed(call->r, &err);
    }
    json_object_set(json, "deliveries", deliveries);
    return mod_wxpay_send_json(call->r, status, json);
}

static void set_location(const mod_wxpay_api_call_t *call, const char *number)
{
    apr_pool_t *pool = call->r->pool;

    apr_table_setn(call->r->headers_out, "Location",
                   apr_pstrcat(pool, call->cfg->api_path, "/orders/",
                               ap_escape_path_segment(pool, number), NULL));
}

/* ---- waiting for the gateway ---- */

static int wants_async(request_rec *r)
{
    const char *prefer = apr_table_get(r->headers_in, "Prefer");

    return prefer && ap_find_token(r->pool, prefer, "respond-async");
}

typedef struct waiting_t {
    apr_interval_time_t time;
    int async;
    int place; /* held: end_wait() gives it back */
} waiting_t;

/* 0 when everybody who may wait does already. */
static int begin_wait(const mod_wxpay_api_call_t *call, waiting_t *waiting)
{
    waiting->async = wants_async(call->r);
    waiting->place = !waiting->async && mod_wxpay_wait_begin();
    waiting->time = waiting->place ? wxpay_account_deadline(call->cfg->account) + STORE_MARGIN : 0;
    return waiting->async || waiting->place;
}

static void end_wait(const waiting_t *waiting)
{
    if (waiting->place) {
        mod_wxpay_wait_end();
    }
}

static int no_place(request_rec *r)
{
    mod_wxpay_problem_t problem = {HTTP_SERVICE_UNAVAILABLE,
                                   "no_place",
                                   "too many requests wait for the gateway already; nothing was "
                                   "done: repeat the same request, or send \"Prefer: "
                                   "respond-async\"",
                                   NULL,
                                   NULL,
                                   2};

    return mod_wxpay_send_problem(r, &problem);
}

/* The call goes on without us: 202 to those who said so, 504 to those who waited in vain. */
static int send_unfinished(const mod_wxpay_api_call_t *call, const waiting_t *waiting,
                           const wxpay_snapshot_t *snap)
{
    mod_wxpay_problem_t problem = {HTTP_GATEWAY_TIME_OUT,
                                   "gateway_timeout",
                                   "the gateway has not answered yet and the call goes on; repeat "
                                   "the same request, it is safe",
                                   NULL,
                                   NULL,
                                   1};

    if (!waiting->async) {
        return mod_wxpay_send_problem(call->r, &problem);
    }
    set_location(call, snap->order->out_trade_no);
    apr_table_setn(call->r->headers_out, "Preference-Applied", "respond-async");
    return send_order(call, HTTP_ACCEPTED, snap);
}

/* ---- create ---- */

static wxpay_rc_e read_members(const mod_wxpay_api_call_t *call, int json, wxpay_fields_t **fields,
                               wxpay_error_t *err)
{
    static const char *const nested[] = {"detail", "scene_info", NULL};
    apr_pool_t *pool = call->r->pool;

    return json ? wxpay_json_to_fields(pool, call->body, call->body_len, nested, fields, err)
                : wxpay_fields_parse_form(pool, call->body, call->body_len, fields, err);
}

/* When the attempt that is in the way may be closed: the gateway refuses that in its first minutes.
 * 0: none is in the way. */
static apr_time_t blocked_until(const wxpay_snapshot_t *snap, apr_time_t now)
{
    const wxpay_attempt_t *newest = wxpay_snapshot_newest(snap);

    for (int i = 0; newest->state == WXPAY_ATTEMPT_RESERVED && i < snap->count; i++) {
        const wxpay_attempt_t *attempt = snap->attempts[i];

        if (attempt->state == WXPAY_ATTEMPT_CLOSING && attempt->next_at > now) {
            return attempt->next_at;
        }
    }
    return 0;
}

static int send_blocked(const mod_wxpay_api_call_t *call, apr_interval_time_t left)
{
    mod_wxpay_problem_t problem = {HTTP_CONFLICT,
                                   "open_elsewhere",
                                   "the order is open with another trade_type or openid, and the "
                                   "gateway does not close it yet; repeat the same request later",
                                   "trade_type",
                                   NULL,
                                   (int)apr_time_sec(left) + 1};

    return mod_wxpay_send_problem(call->r, &problem);
}

static int is_unpaid(const wxpay_order_t *order)
{
    return (order->state == WXPAY_ORDER_NEW || order->state == WXPAY_ORDER_PENDING) &&
           !order->quarantined && !order->close_wanted && order->expires_at > apr_time_now();
}

static int send_stored(const mod_wxpay_api_call_t *call, const wxpay_snapshot_t *snap, int created)
{
    if (created) {
        set_location(call, snap->order->out_trade_no);
    }
    return send_order(call, created ? HTTP_CREATED : HTTP_OK, snap);
}

/* After an order with a trade_type was submitted: it should be payable now. */
static int send_opened(const mod_wxpay_api_call_t *call, const waiting_t *waiting,
                       const wxpay_snapshot_t *snap, int created, const wxpay_error_t *err)
{
    apr_time_t now = apr_time_now();
    int wanted = is_unpaid(snap->order) && !wxpay_snapshot_payable(snap, now);
    apr_time_t until = wanted && snap->count ? blocked_until(snap, now) : 0;

    if (until) {
        return send_blocked(call, until - now);
    }
    if (err->code != WXPAY_OK) {
        return mod_wxpay_api_failed(call->r, err);
    }
    return wanted ? send_unfinished(call, waiting, snap) : send_stored(call, snap, created);
}

static int create_order(const mod_wxpay_api_call_t *call, const mod_wxpay_intake_t *in)
{
    const wxpay_order_t *order = in->order;
    wxpay_identity_t identity = {order->trade_type, order->openid,
                                 order->trade_type == WXPAY_TRADE_NATIVE
                                     ? call->cfg->account->server_ip
                                     : order->spbill_create_ip};
    waiting_t waiting = {0, 0, 0};
    int opened = order->trade_type != WXPAY_TRADE_NONE;
    wxpay_snapshot_t *snap = NULL;
    wxpay_error_t err;
    wxpay_rc_e rc;
    int created;

    if (opened && !begin_wait(call, &waiting)) {
        return no_place(call->r);
    }
    wxpay_error_clear(&err);
    rc =
        mod_wxpay_intake_submit(in, opened ? &identity : NULL, waiting.time, &snap, &created, &err);
    end_wait(&waiting);
    if (rc == WXPAY_ECONFLICT) {
        return mod_wxpay_api_conflict(call->r, *err.field ? "other_facts" : "number_taken", &err);
    }
    if (opened && snap) {
        return send_opened(call, &waiting, snap, created, &err);
    }
    return snap && rc == WXPAY_OK ? send_stored(call, snap, created)
                                  : mod_wxpay_api_failed(call->r, &err);
}

int mod_wxpay_api_create(const mod_wxpay_api_call_t *call)
{
    const char *type = mod_wxpay_content_type(call->r);
    int json = strcmp(type, "application/json") == 0;
    mod_wxpay_intake_t in = {call->r, call->cfg, call->child, NULL, 0};
    wxpay_fields_t *fields;
    wxpay_error_t err;

    if (!json && strcmp(type, "application/x-www-form-urlencoded") != 0) {
        apr_table_setn(call->r->headers_out, "Accept-Post",
                       "application/json, application/x-www-form-urlencoded");
        return mod_wxpay_api_problem(call->r, HTTP_UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type",
                                     "send application/x-www-form-urlencoded or application/json");
    }
    wxpay_error_clear(&err);
    if (read_members(call, json, &fields, &err) != WXPAY_OK ||
        mod_wxpay_intake_read(&in, fields, &err) != WXPAY_OK) {
        return mod_wxpay_api_refused(call->r, &err);
    }
    return create_order(call, &in);
}

/* ---- read ---- */

static wxpay_rc_e read_query(request_rec *r, int *refresh, wxpay_error_t *err)
{
    wxpay_fields_t *query;
    const char *args = r->args ? r->args : "";

    *refresh = 0;
    if (wxpay_fields_parse_form(r->pool, args, strlen(args), &query, err) != WXPAY_OK) {
        return err->code;
    }
    for (int i = 0; i < query->count; i++) {
        if (strcmp(query->items[i].name, "refresh") != 0) {
            return wxpay_error_field(err, "read query", query->items[i].name,
                                     "%s is not a parameter of this request", query->items[i].name);
        }
        *refresh = strcmp(query->items[i].value, "1") == 0;
        if (!*refresh && strcmp(query->items[i].value, "0") != 0) {
            return wxpay_error_field(err, "read query", "refresh", "refresh must be 1 or 0");
        }
    }
    return WXPAY_OK;
}

static int refresh_order(const mod_wxpay_api_call_t *call)
{
    wxpay_snapshot_t *snap = NULL;
    waiting_t waiting;
    wxpay_error_t err;
    wxpay_rc_e rc;

    if (!begin_wait(call, &waiting)) {
        return no_place(call->r);
    }
    wxpay_error_clear(&err);
    rc = wxpay_flow_query(call->child->flow, call->cfg->account, call->number, waiting.time,
                          call->r->pool, &snap, &err);
    end_wait(&waiting);
    if (rc != WXPAY_OK) {
        return mod_wxpay_api_failed(call->r, &err);
    }
    if (snap->order->state != WXPAY_ORDER_PAID && wxpay_snapshot_busy(snap, apr_time_now())) {
        return send_unfinished(call, &waiting, snap);
    }
    return send_order(call, HTTP_OK, snap);
}

int mod_wxpay_api_read(const mod_wxpay_api_call_t *call)
{
    wxpay_snapshot_t *snap;
    wxpay_error_t err;
    int refresh;

    wxpay_error_clear(&err);
    if (read_query(call->r, &refresh, &err) != WXPAY_OK) {
        return mod_wxpay_api_refused(call->r, &err);
    }
    /* also before asking the gateway: an order of another site does not exist here */
    if (wxpay_flow_read(call->child->flow, call->cfg->account, call->number, call->r->pool, &snap,
                        &err) != WXPAY_OK) {
        return mod_wxpay_api_failed(call->r, &err);
    }
    return refresh ? refresh_order(call) : send_order(call, HTTP_OK, snap);
}

/* ---- close ---- */

int mod_wxpay_api_close(const mod_wxpay_api_call_t *call)
{
    wxpay_snapshot_t *snap = NULL;
    waiting_t waiting;
    wxpay_error_t err;
    wxpay_rc_e rc;

    wxpay_error_clear(&err);
    if (wxpay_flow_read(call->child->flow, call->cfg->account, call->number, call->r->pool, &snap,
                        &err) != WXPAY_OK) {
        return mod_wxpay_api_failed(call->r, &err);
    }
    if (!begin_wait(call, &waiting)) {
        return no_place(call->r);
    }
    rc = wxpay_flow_close(call->child->flow, call->cfg->account, call->number, waiting.time,
                          call->r->pool, &snap, &err);
    end_wait(&waiting);
    if (rc == WXPAY_ECONFLICT) {
        return mod_wxpay_api_conflict(call->r, "order_paid", &err);
    }
    if (rc != WXPAY_OK) {
        return mod_wxpay_api_failed(call->r, &err);
    }
    if (snap->order->state == WXPAY_ORDER_NEW || snap->order->state == WXPAY_ORDER_PENDING) {
        set_location(call, call->number);
        return send_order(call, HTTP_ACCEPTED, snap); /* it goes on closing */
    }
    return send_order(call, HTTP_OK, snap);
}
