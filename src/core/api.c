/* api.c - one exchange with the v2 gateway: sign, send, fail over, hand to the reader. */
#include "api_int.h"

#include <string.h>

#include <apr_strings.h>

#include "crypt.h"

#define HOSTS 2
#define CONTENT_TYPE "text/xml; charset=utf-8"
#define AVOID_FOR apr_time_from_sec(30)
#define SKEW_LIMIT apr_time_from_sec(60)

typedef struct exchange_t {
    const wxpay_api_t *api;
    const wxpay_account_t *account;
    wxpay_op_e op;
    const wxpay_fields_t *request; /* complete, signed */
    apr_pool_t *pool;
    wxpay_api_done_fn *done;
    void *baton;
    wxpay_http_request_t http;
    int host[HOSTS]; /* indices of account->gateway, in the order to be asked */
    int hosts;
    int asked; /* how many of them were */
    int sent;  /* something may have left for one of them */
    apr_time_t began;
    wxpay_api_result_t result;
} exchange_t;

static const struct {
    const char *name;
    const char *path;
} ops[] = {
    [WXPAY_OP_UNIFIEDORDER] = {"unifiedorder", "/pay/unifiedorder"},
    [WXPAY_OP_ORDERQUERY] = {"orderquery", "/pay/orderquery"},
    [WXPAY_OP_CLOSEORDER] = {"closeorder", "/pay/closeorder"},
};

const char *wxpay_op_name(wxpay_op_e op)
{
    return ops[op].name;
}

static void on_reply(void *baton, const wxpay_http_reply_t *reply, const wxpay_error_t *err);

static wxpay_rc_e ask_next(exchange_t *x, wxpay_error_t *err)
{
    const char *base = x->account->gateway[x->host[x->asked]];
    apr_size_t len = strlen(base);

    while (len && base[len - 1] == '/') {
        len--;
    }
    x->http.url = apr_pstrcat(x->pool, apr_pstrmemdup(x->pool, base, len), ops[x->op].path, NULL);
    /* Whoever leased the attempt counts on the whole call ending in time, queues included. */
    x->http.start_by = x->began + WXPAY_API_QUEUE_WAIT + x->asked * x->http.timeout;
    x->asked++;
    return x->api->transport->submit(x->api->transport->impl, &x->http, on_reply, x, err);
}

static void log_exchange(const exchange_t *x, const wxpay_http_reply_t *reply, const char *more)
{
    const wxpay_error_t *err = &x->result.err;
    const char *number = wxpay_fields_get(x->request, "out_trade_no");
    wxpay_log_level_e level = WXPAY_LOG_WARN;

    if (err->code == WXPAY_OK) {
        level = WXPAY_LOG_DEBUG;
    }
    else if (err->code == WXPAY_EGATEWAY && wxpay_api_is_everyday(err->err_code)) {
        level = WXPAY_LOG_INFO;
    }
    wxpay_log(x->api->log, level,
              "%s%s of %s at %s: %s%s%s%s%s%s, %" APR_TIME_T_FMT " ms, Request-ID %s%s",
              level == WXPAY_LOG_WARN ? "WXP0501: " : "", wxpay_op_name(x->op),
              number ? number : "-", reply->host[0] ? reply->host : "-", wxpay_rc_name(err->code),
              err->err_code[0] ? " " : "", err->err_code,
              err->flags & WXPAY_ERR_AMBIGUOUS ? " (outcome unknown)" : "",
              err->detail[0] ? ": " : "", err->detail, apr_time_as_msec(reply->elapsed),
              reply->request_id[0] ? reply->request_id : "-", more);
}

/* 1 if the reply may be the gateway's; else result says what is wrong with it. */
static int usable(exchange_t *x, const wxpay_http_reply_t *reply, const wxpay_error_t *err)
{
    if (err->code != WXPAY_OK) {
        wxpay_api_fail(&x->result, x->op, err->code, err->flags, "%s", err->detail);
        return 0;
    }
    if (reply->status != 200) {
        wxpay_api_fail(&x->result, x->op, WXPAY_ENET, WXPAY_ERR_RETRY, "%s answers HTTP %d",
                       reply->host, reply->status);
        return 0;
    }
    if (!wxpay_api_looks_like_xml(reply->body, reply->body_len)) {
        wxpay_api_fail(&x->result, x->op, WXPAY_EPARSE, 0, "%s answers no XML but %s", reply->host,
                       reply->body_len ? "something else" : "nothing");
        return 0;
    }
    return 1;
}

/* What this reply teaches the calls after it. */
static void remember(const exchange_t *x, const wxpay_http_reply_t *reply, const wxpay_error_t *err)
{
    wxpay_api_memory_t *memory = x->api->memory;

    if (!memory) {
        return;
    }
    if (err->code == WXPAY_ENET && !reply->sent && x->host[x->asked - 1] == 0) {
        atomic_store(&memory->avoid_until, apr_time_now() + AVOID_FOR);
    }
    if ((x->result.clock_skew > SKEW_LIMIT || x->result.clock_skew < -SKEW_LIMIT) &&
        !atomic_exchange(&memory->skew_warned, 1)) {
        wxpay_log(x->api->log, WXPAY_LOG_WARN,
                  "WXP0502: this server's clock differs from the gateway's by %" APR_TIME_T_FMT
                  " seconds: times on orders will be wrong, set the clock",
                  apr_time_sec(x->result.clock_skew));
    }
}

/* 1 if the same bytes are on their way to another host. The queue is the same for all hosts. */
static int failed_over(exchange_t *x, const wxpay_http_reply_t *reply)
{
    wxpay_error_t err;

    if (x->asked == x->hosts ||
        (x->result.err.code != WXPAY_ENET && x->result.err.code != WXPAY_EPARSE)) {
        return 0;
    }
    log_exchange(x, reply, ", trying the other host");
    return ask_next(x, &err) == WXPAY_OK;
}

static void on_reply(void *baton, const wxpay_http_reply_t *reply, const wxpay_error_t *err)
{
    exchange_t *x = baton;
    wxpay_error_t before = x->result.err;
    apr_interval_time_t skew = reply->date ? reply->date - apr_time_now() : 0;

    x->sent |= reply->sent;
    if (usable(x, reply, err)) {
        wxpay_api_interpret(x->api->xml, x->account, x->op, x->request, reply->body,
                            reply->body_len, x->pool, &x->result);
        x->result.clock_skew = skew;
        remember(x, reply, err);
    }
    else {
        x->result.clock_skew = skew;
        remember(x, reply, err);
        if (failed_over(x, reply)) {
            return;
        }
        if (x->asked > 1 && err->code != WXPAY_OK && err->code != WXPAY_ENET) {
            x->result.err = before; /* no turn for the second host: the first one's answer stands */
        }
        if (x->sent) {
            x->result.err.flags |= WXPAY_ERR_AMBIGUOUS;
        }
    }
    log_exchange(x, reply, "");
    if (x->api->watch) {
        x->api->watch->ended(x->api->watch->baton, x->op, &x->result.err);
    }
    x->done(x->baton, &x->result);
}

static wxpay_rc_e sign_request(exchange_t *x, const wxpay_fields_t *params, wxpay_error_t *err)
{
    const char *step = wxpay_op_name(x->op);
    const char *sign_type = wxpay_fields_get(params, "sign_type");
    wxpay_sign_e type = sign_type ? wxpay_sign_by_name(sign_type) : WXPAY_SIGN_MD5;
    wxpay_fields_t *request = wxpay_fields_create(x->pool);
    unsigned char random[16];
    char nonce[2 * sizeof(random) + 1], sign[WXPAY_SIGN_SIZE];
    wxpay_rc_e rc = WXPAY_OK;
    int i;

    if (!type) {
        return wxpay_error_field(err, step, "sign_type", "unknown type of signature");
    }
    if (wxpay_fields_find(params, "nonce_str") || wxpay_fields_find(params, "sign")) {
        return wxpay_error_field(err, step, "sign", "the request is signed already");
    }
    for (i = 0; i < params->count && rc == WXPAY_OK; i++) {
        rc = wxpay_fields_add_ref(request, params->items[i].name, params->items[i].value, err);
    }
    if (rc == WXPAY_OK) {
        rc = wxpay_crypt_random(random, sizeof(random), err);
    }
    if (rc == WXPAY_OK) {
        wxpay_crypt_hex(random, sizeof(random), 0, nonce);
        rc = wxpay_fields_add(request, "nonce_str", 9, nonce, strlen(nonce), err);
    }
    if (rc == WXPAY_OK) {
        rc = wxpay_sign_make(request, x->account->key, type, sign, err);
    }
    if (rc == WXPAY_OK) {
        rc = wxpay_fields_add(request, "sign", 4, sign, strlen(sign), err);
    }
    x->request = request;
    return rc;
}

static void choose_hosts(exchange_t *x)
{
    const wxpay_api_memory_t *memory = x->api->memory;
    int first = 0;

    x->hosts = x->account->gateway[1] ? 2 : 1;
    if (x->hosts == 2 && memory && atomic_load(&memory->avoid_until) > x->began) {
        first = 1;
    }
    x->host[0] = first;
    x->host[1] = !first;
}

static wxpay_rc_e begin(exchange_t *x, wxpay_error_t *err)
{
    const wxpay_api_watch_t *watch = x->api->watch;
    wxpay_rc_e rc;

    if (!watch) {
        return ask_next(x, err);
    }
    watch->began(watch->baton); /* first: it may have ended when ask_next returns */
    rc = ask_next(x, err);
    if (rc != WXPAY_OK) {
        watch->ended(watch->baton, x->op, err);
    }
    return rc;
}

wxpay_rc_e wxpay_api_call(const wxpay_api_t *api, const wxpay_account_t *account, wxpay_op_e op,
                          const wxpay_fields_t *params, apr_pool_t *pool, wxpay_api_done_fn *done,
                          void *baton, wxpay_error_t *err)
{
    exchange_t *x = apr_pcalloc(pool, sizeof(*x));
    wxpay_buf_t body;
    wxpay_rc_e rc;

    x->api = api;
    x->account = account;
    x->op = op;
    x->pool = pool;
    x->done = done;
    x->baton = baton;
    x->began = apr_time_now();
    choose_hosts(x);
    rc = sign_request(x, params, err);
    if (rc != WXPAY_OK) {
        return rc;
    }
    wxpay_buf_init(&body, pool, WXPAY_XML_MAX);
    rc = wxpay_xml_write(x->request, &body, err);
    if (rc != WXPAY_OK) {
        return rc;
    }
    x->http.content_type = CONTENT_TYPE;
    x->http.body = body.data;
    x->http.body_len = body.len;
    x->http.ca_pem = account->gateway_ca_pem;
    x->http.proxy = account->gateway_proxy;
    x->http.timeout = account->gateway_timeout;
    x->http.connect_timeout = account->gateway_connect_timeout;
    x->http.max_reply = WXPAY_XML_MAX;
    return begin(x, err);
}

static wxpay_rc_e add_text(wxpay_fields_t *fields, const char *name, const char *value,
                           wxpay_error_t *err)
{
    return value ? wxpay_fields_add(fields, name, strlen(name), value, strlen(value), err)
                 : WXPAY_OK;
}

wxpay_rc_e wxpay_api_number_request(const wxpay_account_t *account, const char *appid,
                                    const char *gateway_no, apr_pool_t *pool,
                                    wxpay_fields_t **fields, wxpay_error_t *err)
{
    wxpay_fields_t *bag = wxpay_fields_create(pool);
    wxpay_rc_e rc = add_text(bag, "appid", wxpay_account_appid(account, appid), err);

    if (rc == WXPAY_OK) {
        rc = add_text(bag, "mch_id", account->mch_id, err);
    }
    if (rc == WXPAY_OK) {
        rc = add_text(bag, "sub_appid", account->sub_appid, err);
    }
    if (rc == WXPAY_OK) {
        rc = add_text(bag, "sub_mch_id", account->sub_mch_id, err);
    }
    if (rc == WXPAY_OK) {
        rc = add_text(bag, "out_trade_no", gateway_no, err);
    }
    if (rc == WXPAY_OK && account->sign_type == WXPAY_SIGN_HMAC_SHA256) {
        rc = add_text(bag, "sign_type", wxpay_sign_name(account->sign_type), err);
    }
    *fields = bag;
    return rc;
}
