/* test_api.c - the exchange with the gateway over a scripted transport, and what replies mean. */
#include "support.h"

#include <string.h>

#include <apr_strings.h>

#include "api.h"

#define KEY "0123456789abcdef0123456789abcdef"
#define OTHER_KEY "fedcba9876543210fedcba9876543210"
#define NUMBER "T-20261124-1"
#define HTML "<html><body>502 Bad Gateway</body></html>"

/* One reply of the script: either an error or a status with a body. */
typedef struct act_t {
    wxpay_rc_e code;
    int sent;
    int status;
    const char *body; /* NULL: made by `reply` from what was asked */
    apr_time_t date;
} act_t;

typedef struct stage_t {
    apr_pool_t *pool;
    wxpay_secret_t *key;
    wxpay_xml_t *xml;
    wxpay_account_t account;
    wxpay_api_memory_t memory;
    wxpay_transport_t transport;
    wxpay_log_t log;
    wxpay_api_t api;
    wxpay_fields_t *params;

    const act_t *acts;
    int count, played;
    wxpay_rc_e refuse_submit; /* when not OK: from the n-th submit on */
    int refuse_from;
    int submits;
    const char *urls[4];
    const char *bodies[4];
    apr_time_t start_by[4];

    const wxpay_http_request_t *pending;
    wxpay_http_done_fn *pending_done;
    void *pending_baton;

    int dones;
    wxpay_api_result_t result;
    char logged[8192];
    int warnings;

    wxpay_api_watch_t watch;
    int began, ended;
    wxpay_rc_e watched; /* what the watch was told of the last end */
} stage_t;

static stage_t *stage;

/* ---- making messages ---- */

static void put(wxpay_fields_t *fields, const char *name, const char *value)
{
    wxpay_error_t err;

    assert_int_equal(wxpay_fields_add(fields, name, strlen(name), value, strlen(value), &err),
                     WXPAY_OK);
}

/* Pairs of name and value, ended by NULL, signed with key (none if NULL) -> XML. */
static const char *message(const char *key, wxpay_sign_e type, ...)
{
    wxpay_fields_t *fields = wxpay_fields_create(stage->pool);
    wxpay_secret_t *secret;
    wxpay_buf_t out;
    wxpay_error_t err;
    char sign[WXPAY_SIGN_SIZE];
    const char *name;
    va_list args;

    va_start(args, type);
    while ((name = va_arg(args, const char *))) {
        put(fields, name, va_arg(args, const char *));
    }
    va_end(args);
    if (key) {
        secret = wxpay_secret_create(stage->pool, key, strlen(key));
        assert_int_equal(wxpay_sign_make(fields, secret, type, sign, &err), WXPAY_OK);
        put(fields, "sign", sign);
    }
    wxpay_buf_init(&out, stage->pool, 1 << 20);
    assert_int_equal(wxpay_xml_write(fields, &out, &err), WXPAY_OK);
    return out.data;
}

#define COMMON "return_code", "SUCCESS", "appid", "wx1", "mch_id", "100", "nonce_str", "n"
#define GOOD COMMON, "result_code", "SUCCESS"
#define signed_reply(...) message(KEY, WXPAY_SIGN_MD5, __VA_ARGS__, NULL)
#define CODE "code_url", "weixin://wxpay/bizpayurl?pr=NwY5Mz9"
#define native_reply() signed_reply(GOOD, "trade_type", "NATIVE", "prepay_id", "wx20", CODE)

static wxpay_fields_t *unifiedorder(const char *trade_type)
{
    wxpay_fields_t *fields = wxpay_fields_create(stage->pool);

    put(fields, "appid", "wx1");
    put(fields, "mch_id", "100");
    put(fields, "out_trade_no", NUMBER);
    put(fields, "total_fee", "990");
    put(fields, "trade_type", trade_type);
    return fields;
}

static wxpay_fields_t *by_number_as(const char *appid)
{
    wxpay_fields_t *fields;
    wxpay_error_t err;

    assert_int_equal(
        wxpay_api_number_request(&stage->account, appid, NUMBER, stage->pool, &fields, &err),
        WXPAY_OK);
    return fields;
}

static wxpay_fields_t *by_number(void)
{
    return by_number_as(NULL);
}

/* ---- the scripted transport ---- */

static wxpay_rc_e submit(void *impl, const wxpay_http_request_t *request, wxpay_http_done_fn *done,
                         void *baton, wxpay_error_t *err)
{
    (void)impl;
    if (stage->refuse_submit != WXPAY_OK && stage->submits >= stage->refuse_from) {
        return wxpay_error_set(err, stage->refuse_submit, "scripted", "refused");
    }
    stage->urls[stage->submits] = request->url;
    stage->bodies[stage->submits] = apr_pstrmemdup(stage->pool, request->body, request->body_len);
    stage->start_by[stage->submits] = request->start_by;
    stage->submits++;
    stage->pending = request;
    stage->pending_done = done;
    stage->pending_baton = baton;
    return WXPAY_OK;
}

static void play(void)
{
    wxpay_http_reply_t reply = {.request_id = "RID", .host = "gateway.example:443"};
    wxpay_error_t err;
    const act_t *act;

    while (stage->pending) {
        assert_true(stage->played < stage->count);
        act = &stage->acts[stage->played++];
        stage->pending = NULL;
        wxpay_error_clear(&err);
        reply.status = act->status;
        reply.body = act->body ? act->body : "";
        reply.body_len = strlen(reply.body);
        reply.sent = act->sent || act->status;
        reply.date = act->date;
        if (act->code != WXPAY_OK) {
            wxpay_error_set(&err, act->code, "scripted", "no route");
            err.flags = WXPAY_ERR_RETRY | (act->sent ? WXPAY_ERR_AMBIGUOUS : 0);
        }
        stage->pending_done(stage->pending_baton, &reply, &err);
    }
}

static void write_log(void *baton, wxpay_log_level_e level, const char *line)
{
    (void)baton;
    stage->warnings += level <= WXPAY_LOG_WARN;
    strncat(stage->logged, line, sizeof(stage->logged) - strlen(stage->logged) - 1);
}

static void on_began(void *baton)
{
    assert_ptr_equal(baton, stage);
    stage->began++;
}

static void on_ended(void *baton, wxpay_op_e op, const wxpay_error_t *err)
{
    assert_ptr_equal(baton, stage);
    assert_true((int)op < WXPAY_OPS);
    stage->ended++;
    stage->watched = err->code;
}

static void on_done(void *baton, const wxpay_api_result_t *result)
{
    assert_ptr_equal(baton, stage);
    stage->dones++;
    stage->result = *result;
}

/* One call over the script; returns its code. */
static wxpay_rc_e call(wxpay_op_e op, const wxpay_fields_t *params, const act_t *acts, int count)
{
    wxpay_error_t err;

    stage->acts = acts;
    stage->count = count;
    stage->played = stage->submits = stage->dones = stage->warnings = 0;
    stage->began = stage->ended = 0;
    stage->logged[0] = '\0';
    assert_int_equal(
        wxpay_api_call(&stage->api, &stage->account, op, params, stage->pool, on_done, stage, &err),
        WXPAY_OK);
    play();
    assert_int_equal(stage->dones, 1);
    assert_int_equal(stage->began, 1); /* however many hosts were asked */
    assert_int_equal(stage->ended, 1);
    assert_int_equal(stage->watched, stage->result.err.code);
    assert_int_equal(stage->played, count);
    assert_null(strstr(stage->logged, KEY));
    assert_null(strstr(stage->logged, "<xml"));
    return stage->result.err.code;
}

static wxpay_rc_e call_native(const act_t *acts, int count)
{
    return call(WXPAY_OP_UNIFIEDORDER, unifiedorder("NATIVE"), acts, count);
}

/* Interpret without a transport. */
static wxpay_rc_e read_reply(wxpay_op_e op, const wxpay_fields_t *request, const char *body)
{
    wxpay_api_interpret(stage->xml, &stage->account, op, request, body, strlen(body), stage->pool,
                        &stage->result);
    return stage->result.err.code;
}

static wxpay_rc_e read_native(const char *body)
{
    return read_reply(WXPAY_OP_UNIFIEDORDER, unifiedorder("NATIVE"), body);
}

static wxpay_rc_e read_query(const char *body)
{
    return read_reply(WXPAY_OP_ORDERQUERY, by_number(), body);
}

static unsigned flags(void)
{
    return stage->result.err.flags;
}

/* The reply is not believed, and the call may have taken effect. */
static void assert_disbelieved(wxpay_rc_e code, wxpay_rc_e expected, const char *field)
{
    assert_int_equal(code, expected);
    assert_int_equal(flags(), WXPAY_ERR_AMBIGUOUS);
    assert_string_equal(stage->result.err.field, field);
    assert_null(stage->result.fields);
    assert_null(stage->result.prepay_id);
    assert_null(stage->result.code_url);
    assert_int_equal(stage->result.trade_state, WXPAY_TRADE_UNKNOWN);
}

static int setup(void **state)
{
    static stage_t the_stage;

    if (support_setup(state)) {
        return -1;
    }
    stage = &the_stage;
    memset(stage, 0, sizeof(*stage));
    stage->pool = *state;
    stage->key = wxpay_secret_create(stage->pool, KEY, 32);
    stage->xml = wxpay_xml_create(stage->pool);
    stage->transport.submit = submit;
    stage->log.write = write_log;
    stage->api.transport = &stage->transport;
    stage->api.xml = stage->xml;
    stage->api.log = &stage->log;
    stage->api.memory = &stage->memory;
    stage->watch = (wxpay_api_watch_t){on_began, on_ended, stage};
    stage->api.watch = &stage->watch;
    stage->account.appid = "wx1";
    stage->account.mch_id = "100";
    stage->account.key = stage->key;
    stage->account.sign_type = WXPAY_SIGN_MD5;
    stage->account.gateway[0] = "https://one.example//";
    stage->account.gateway[1] = "https://two.example/base";
    stage->account.gateway_timeout = apr_time_from_sec(8);
    return 0;
}

/* ---- sending ---- */

static void a_call_is_signed_and_answered(void **state)
{
    const act_t acts[] = {{.status = 200, .body = native_reply()}};
    wxpay_fields_t *sent;
    wxpay_sign_e used;
    wxpay_error_t err;

    (void)state;
    assert_int_equal(call_native(acts, 1), WXPAY_OK);
    assert_string_equal(stage->urls[0], "https://one.example/pay/unifiedorder");
    assert_string_equal(stage->result.prepay_id, "wx20");
    assert_string_equal(stage->result.code_url, "weixin://wxpay/bizpayurl?pr=NwY5Mz9");
    assert_non_null(stage->result.fields);
    assert_int_equal(stage->warnings, 0);
    assert_non_null(strstr(stage->logged, "unifiedorder of " NUMBER));
    assert_int_equal(wxpay_xml_read(stage->xml, stage->pool, "xml", stage->bodies[0],
                                    strlen(stage->bodies[0]), &sent, &err),
                     WXPAY_OK);
    assert_int_equal(wxpay_sign_verify(sent, stage->key, WXPAY_SIGN_MD5, &used, &err), WXPAY_OK);
    assert_int_equal(strlen(wxpay_fields_get(sent, "nonce_str")), 32);
    assert_int_equal(sent->count, 7);
}

static void two_calls_have_different_nonces(void **state)
{
    const act_t acts[] = {{.status = 200, .body = native_reply()}};
    const char *first;

    (void)state;
    call_native(acts, 1);
    first = stage->bodies[0];
    call_native(acts, 1);
    assert_string_not_equal(first, stage->bodies[0]);
}

static void the_request_decides_the_type_of_signature(void **state)
{
    wxpay_fields_t *params = unifiedorder("NATIVE");
    const act_t hmac[] = {{.status = 200,
                           .body = message(KEY, WXPAY_SIGN_HMAC_SHA256, GOOD, "trade_type",
                                           "NATIVE", "prepay_id", "wx20", CODE, NULL)}};
    const act_t md5[] = {{.status = 200, .body = native_reply()}};

    (void)state;
    put(params, "sign_type", "HMAC-SHA256");
    assert_int_equal(call(WXPAY_OP_UNIFIEDORDER, params, hmac, 1), WXPAY_OK);
    assert_int_equal(call(WXPAY_OP_UNIFIEDORDER, params, md5, 1), WXPAY_ESIGN);
    assert_int_equal(call_native(hmac, 1), WXPAY_ESIGN);
}

static void requests_that_cannot_be_sent(void **state)
{
    wxpay_fields_t *params = unifiedorder("NATIVE");
    wxpay_error_t err;

    (void)state;
    put(params, "sign_type", "sha");
    assert_int_equal(wxpay_api_call(&stage->api, &stage->account, WXPAY_OP_UNIFIEDORDER, params,
                                    stage->pool, on_done, stage, &err),
                     WXPAY_EINPUT);
    assert_string_equal(err.field, "sign_type");
    params = unifiedorder("NATIVE");
    put(params, "nonce_str", "x");
    assert_int_equal(wxpay_api_call(&stage->api, &stage->account, WXPAY_OP_UNIFIEDORDER, params,
                                    stage->pool, on_done, stage, &err),
                     WXPAY_EINPUT);
    stage->refuse_submit = WXPAY_EBUSY;
    assert_int_equal(wxpay_api_call(&stage->api, &stage->account, WXPAY_OP_ORDERQUERY, by_number(),
                                    stage->pool, on_done, stage, &err),
                     WXPAY_EBUSY);
    assert_int_equal(stage->ended, stage->began);
    assert_int_equal(stage->watched, WXPAY_EBUSY);
    assert_int_equal(stage->dones, 0);
}

static void requests_by_number(void **state)
{
    wxpay_fields_t *fields;

    (void)state;
    stage->account.sub_appid = "wxs";
    stage->account.sub_mch_id = "200";
    stage->account.sign_type = WXPAY_SIGN_HMAC_SHA256;
    fields = by_number();
    assert_int_equal(fields->count, 6);
    assert_string_equal(wxpay_fields_get(fields, "sub_appid"), "wxs");
    assert_string_equal(wxpay_fields_get(fields, "sub_mch_id"), "200");
    assert_string_equal(wxpay_fields_get(fields, "out_trade_no"), NUMBER);
    assert_string_equal(wxpay_fields_get(fields, "sign_type"), "HMAC-SHA256");
    stage->account.sub_appid = stage->account.sub_mch_id = NULL;
    stage->account.sign_type = WXPAY_SIGN_MD5;
    assert_int_equal(by_number()->count, 3);
}

/* The account has another appid now; the attempt goes on under its own. */
static void requests_by_number_under_an_earlier_appid(void **state)
{
    wxpay_fields_t *fields = by_number_as("wx0");

    (void)state;
    assert_string_equal(wxpay_fields_get(fields, "appid"), "wx0");
    assert_int_equal(fields->count, 3);
    assert_string_equal(wxpay_fields_get(by_number_as(""), "appid"), "wx1");
    assert_string_equal(wxpay_fields_get(by_number_as(NULL), "appid"), "wx1");
    assert_disbelieved(read_reply(WXPAY_OP_CLOSEORDER, fields, signed_reply(GOOD)), WXPAY_EMISMATCH,
                       "appid");
}

/* ---- failing over ---- */

static void the_same_bytes_go_to_the_backup(void **state)
{
    static const act_t bad[] = {
        {.code = WXPAY_ENET, .sent = 1},  {.code = WXPAY_ENET},
        {.status = 500, .body = "<xml>"}, {.status = 302, .body = ""},
        {.status = 404, .body = HTML},    {.status = 200, .body = ""},
        {.status = 200, .body = HTML},    {.status = 200, .body = " \n"},
    };
    act_t acts[2];
    size_t i;

    (void)state;
    stage->api.memory = NULL;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        acts[0] = bad[i];
        acts[1] = (act_t){.status = 200, .body = native_reply()};
        assert_int_equal(call_native(acts, 2), WXPAY_OK);
        assert_string_equal(stage->urls[1], "https://two.example/base/pay/unifiedorder");
        assert_string_equal(stage->bodies[0], stage->bodies[1]);
        assert_int_equal(stage->start_by[1] - stage->start_by[0], apr_time_from_sec(8));
        assert_int_equal(stage->warnings, 1);
    }
}

static void signed_or_xml_answers_stay_where_they_are(void **state)
{
    const act_t refusal[] = {
        {.status = 200, .body = signed_reply(COMMON, "result_code", "FAIL", "err_code", "X")}};
    const act_t broken[] = {{.status = 200, .body = "<xml><a>1</xml>"}};

    (void)state;
    assert_int_equal(call_native(refusal, 1), WXPAY_EGATEWAY);
    assert_int_equal(call_native(broken, 1), WXPAY_EPARSE);
}

static void ambiguity_is_that_of_both_hosts(void **state)
{
    static const act_t unsent = {.code = WXPAY_ENET}, sent = {.code = WXPAY_ENET, .sent = 1},
                       down = {.status = 502, .body = HTML}, html = {.status = 200, .body = HTML};
    const struct {
        act_t acts[2];
        wxpay_rc_e code;
        unsigned flags;
    } rows[] = {
        {{unsent, unsent}, WXPAY_ENET, WXPAY_ERR_RETRY},
        {{unsent, sent}, WXPAY_ENET, WXPAY_ERR_RETRY | WXPAY_ERR_AMBIGUOUS},
        {{sent, unsent}, WXPAY_ENET, WXPAY_ERR_RETRY | WXPAY_ERR_AMBIGUOUS},
        {{down, unsent}, WXPAY_ENET, WXPAY_ERR_RETRY | WXPAY_ERR_AMBIGUOUS},
        {{unsent, down}, WXPAY_ENET, WXPAY_ERR_RETRY | WXPAY_ERR_AMBIGUOUS},
        {{unsent, html}, WXPAY_EPARSE, WXPAY_ERR_AMBIGUOUS},
    };
    size_t i;

    (void)state;
    stage->api.memory = NULL;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(call_native(rows[i].acts, 2), rows[i].code);
        assert_int_equal(flags(), rows[i].flags);
        assert_null(stage->result.fields);
        assert_string_equal(stage->result.err.step, "unifiedorder");
    }
}

static void without_a_backup_there_is_one_try(void **state)
{
    static const act_t acts[] = {{.code = WXPAY_ENET}};

    (void)state;
    stage->account.gateway[1] = NULL;
    assert_int_equal(call_native(acts, 1), WXPAY_ENET);
    assert_int_equal(flags(), WXPAY_ERR_RETRY);
    assert_int_equal(atomic_load(&stage->memory.avoid_until) != 0, 1);
    assert_int_equal(call_native(acts, 1), WXPAY_ENET);
}

static void a_full_queue_is_not_failed_over(void **state)
{
    static const act_t late[] = {{.code = WXPAY_EBUSY}};
    static const act_t sent_then_late[] = {{.code = WXPAY_ENET, .sent = 1}, {.code = WXPAY_EBUSY}};

    (void)state;
    assert_int_equal(call_native(late, 1), WXPAY_EBUSY);
    assert_int_equal(flags(), WXPAY_ERR_RETRY);
    assert_int_equal(call_native(sent_then_late, 2), WXPAY_ENET);
    assert_int_equal(flags(), WXPAY_ERR_RETRY | WXPAY_ERR_AMBIGUOUS);
    stage->refuse_submit = WXPAY_EBUSY;
    stage->refuse_from = 1;
    assert_int_equal(call_native(sent_then_late, 1), WXPAY_ENET);
    assert_int_equal(flags(), WXPAY_ERR_RETRY | WXPAY_ERR_AMBIGUOUS);
}

static void an_unreachable_host_is_avoided_for_a_while(void **state)
{
    const act_t down[] = {{.code = WXPAY_ENET}, {.status = 200, .body = native_reply()}};

    (void)state;
    assert_int_equal(call_native(down, 2), WXPAY_OK);
    assert_int_equal(call_native(down + 1, 1), WXPAY_OK);
    assert_string_equal(stage->urls[0], "https://two.example/base/pay/unifiedorder");
    /* the backup fails meanwhile: the first host is the other one now */
    assert_int_equal(call_native(down, 2), WXPAY_OK);
    assert_string_equal(stage->urls[1], "https://one.example/pay/unifiedorder");
    atomic_store(&stage->memory.avoid_until, apr_time_now() - 1);
    assert_int_equal(call_native(down + 1, 1), WXPAY_OK);
    assert_string_equal(stage->urls[0], "https://one.example/pay/unifiedorder");
}

static void a_wrong_clock_is_said_once(void **state)
{
    act_t acts[] = {{.status = 200, .body = native_reply()}};

    (void)state;
    call_native(acts, 1);
    assert_int_equal(stage->result.clock_skew, 0);
    acts[0].date = apr_time_now() + apr_time_from_sec(59);
    call_native(acts, 1);
    assert_int_equal(stage->warnings, 0);
    acts[0].date = apr_time_now() - apr_time_from_sec(300);
    call_native(acts, 1);
    assert_true(stage->result.clock_skew < -apr_time_from_sec(290));
    assert_int_equal(stage->warnings, 1);
    assert_non_null(strstr(stage->logged, "clock"));
    call_native(acts, 1);
    assert_int_equal(stage->warnings, 0);
}

/* ---- reading ---- */

static void unifiedorder_replies(void **state)
{
    (void)state;
    assert_int_equal(read_native(native_reply()), WXPAY_OK);
    assert_int_equal(read_reply(WXPAY_OP_UNIFIEDORDER, unifiedorder("JSAPI"),
                                signed_reply(GOOD, "trade_type", "JSAPI", "prepay_id", "wx20")),
                     WXPAY_OK);
    assert_null(stage->result.code_url);
    assert_int_equal(
        read_reply(WXPAY_OP_UNIFIEDORDER, unifiedorder("MWEB"),
                   signed_reply(GOOD, "trade_type", "MWEB", "prepay_id", "wx20", "mweb_url",
                                "https://wx.tenpay.com/x?prepay_id=wx20&package=1")),
        WXPAY_OK);
    assert_non_null(stage->result.mweb_url);
#define native_with(...) read_native(signed_reply(GOOD, __VA_ARGS__))
    assert_disbelieved(native_with("trade_type", "JSAPI", "prepay_id", "wx20", CODE),
                       WXPAY_EMISMATCH, "trade_type");
    assert_disbelieved(native_with("prepay_id", "wx20", CODE), WXPAY_EMISMATCH, "trade_type");
    assert_disbelieved(native_with("trade_type", "NATIVE", CODE), WXPAY_EPARSE, "prepay_id");
    assert_disbelieved(native_with("trade_type", "NATIVE", "prepay_id", "a b", CODE), WXPAY_EPARSE,
                       "prepay_id");
    assert_disbelieved(native_with("trade_type", "NATIVE", "prepay_id", "wx20"), WXPAY_EPARSE,
                       "code_url");
    assert_disbelieved(native_with("trade_type", "NATIVE", "prepay_id", "wx20", "code_url",
                                   "https://evil.example/"),
                       WXPAY_EPARSE, "code_url");
    assert_disbelieved(
        native_with("trade_type", "NATIVE", "prepay_id", "wx20", "code_url",
                    apr_pstrcat(stage->pool, "weixin://",
                                memset(apr_pcalloc(stage->pool, 505), 'a', 504), NULL)),
        WXPAY_EPARSE, "code_url");
    assert_disbelieved(read_reply(WXPAY_OP_UNIFIEDORDER, unifiedorder("MWEB"),
                                  signed_reply(GOOD, "trade_type", "MWEB", "prepay_id", "wx20",
                                               "mweb_url", "http://wx.tenpay.com/")),
                       WXPAY_EPARSE, "mweb_url");
}

static void unsigned_refusals_prove_nothing(void **state)
{
    (void)state;
    assert_int_equal(read_native("<xml><return_code>FAIL</return_code>"
                                 "<return_msg><![CDATA[签名错误]]></return_msg></xml>"),
                     WXPAY_EGATEWAY);
    assert_int_equal(flags(), WXPAY_ERR_AMBIGUOUS);
    assert_string_equal(stage->result.err.err_code, "");
    assert_non_null(strstr(stage->result.err.detail, "签名错误"));
    assert_null(stage->result.fields);
    assert_int_equal(read_native("<xml><return_code>FAIL</return_code><retmsg>no</retmsg>"
                                 "<err_code>ORDERPAID</err_code></xml>"),
                     WXPAY_EGATEWAY);
    assert_string_equal(stage->result.err.err_code, "");
    assert_int_equal(flags(), WXPAY_ERR_AMBIGUOUS);
    assert_int_equal(read_native("<xml><return_code>FAIL</return_code></xml>"), WXPAY_EGATEWAY);
}

static void only_a_valid_signature_counts(void **state)
{
    char *changed;

    (void)state;
    assert_disbelieved(read_native(message(OTHER_KEY, WXPAY_SIGN_MD5, GOOD, "trade_type", "NATIVE",
                                           "prepay_id", "wx20", CODE, NULL)),
                       WXPAY_ESIGN, stage->result.err.field);
    assert_int_equal(read_native(message(NULL, WXPAY_SIGN_MD5, GOOD, "trade_type", "NATIVE",
                                         "prepay_id", "wx20", CODE, NULL)),
                     WXPAY_ESIGN);
    changed = apr_pstrdup(stage->pool, native_reply());
    strstr(changed, "NwY5Mz9")[0] = 'X';
    assert_int_equal(read_native(changed), WXPAY_ESIGN);
    assert_int_equal(read_native(message(NULL, WXPAY_SIGN_MD5, COMMON, "result_code", "FAIL",
                                         "err_code", "ORDERCLOSED", NULL)),
                     WXPAY_ESIGN);
    assert_string_equal(stage->result.err.err_code, "");
    assert_string_equal(stage->result.err.step, "unifiedorder");
}

static void signed_refusals(void **state)
{
    static const char *const retry[] = {"SYSTEMERROR", "FREQUENCY_LIMITED", "FREQ_LIMIT",
                                        "RULELIMIT", "BIZERR_NEED_RETRY"};
    size_t i;

    (void)state;
    assert_int_equal(read_native(signed_reply(COMMON, "result_code", "FAIL", "err_code",
                                              "OUT_TRADE_NO_USED", "err_code_des", "号\n重复")),
                     WXPAY_EGATEWAY);
    assert_int_equal(flags(), 0);
    assert_string_equal(stage->result.err.err_code, "OUT_TRADE_NO_USED");
    assert_string_equal(stage->result.err.detail, "号?重复");
    assert_non_null(stage->result.fields);
    for (i = 0; i < sizeof(retry) / sizeof(retry[0]); i++) {
        assert_int_equal(
            read_native(signed_reply(COMMON, "result_code", "FAIL", "err_code", retry[i])),
            WXPAY_EGATEWAY);
        assert_int_equal(flags(), WXPAY_ERR_RETRY);
        assert_string_equal(stage->result.err.detail, retry[i]);
    }
    assert_disbelieved(read_native(signed_reply(COMMON, "result_code", "FAIL")), WXPAY_EPARSE,
                       "err_code");
    assert_disbelieved(read_native(signed_reply(COMMON, "result_code", "MAYBE")), WXPAY_EPARSE,
                       "result_code");
    assert_disbelieved(read_native(signed_reply(COMMON)), WXPAY_EPARSE, "result_code");
}

static void everyday_refusals_are_no_warnings(void **state)
{
    const act_t paid[] = {
        {.status = 200,
         .body = signed_reply(COMMON, "result_code", "FAIL", "err_code", "ORDERPAID")}};
    const act_t noauth[] = {
        {.status = 200, .body = signed_reply(COMMON, "result_code", "FAIL", "err_code", "NOAUTH")}};

    (void)state;
    call_native(paid, 1);
    assert_int_equal(stage->warnings, 0);
    assert_non_null(strstr(stage->logged, "ORDERPAID"));
    assert_non_null(strstr(stage->logged, "RID"));
    call_native(noauth, 1);
    assert_int_equal(stage->warnings, 1);
}

static void replies_for_somebody_else(void **state)
{
#define TAIL "nonce_str", "n", "result_code", "FAIL", "err_code", "ORDERCLOSED"
    (void)state;
    assert_disbelieved(
        read_native(signed_reply("return_code", "SUCCESS", "appid", "wx2", "mch_id", "100", TAIL)),
        WXPAY_EMISMATCH, "appid");
    assert_disbelieved(
        read_native(signed_reply("return_code", "SUCCESS", "appid", "wx1", "mch_id", "101", TAIL)),
        WXPAY_EMISMATCH, "mch_id");
    assert_disbelieved(read_native(signed_reply("return_code", "SUCCESS", "mch_id", "100", TAIL)),
                       WXPAY_EMISMATCH, "appid");
    assert_disbelieved(read_native(signed_reply("return_code", "SUCCESS", "appid", "wx1", "mch_id",
                                                "100", "sub_mch_id", "200", TAIL)),
                       WXPAY_EMISMATCH, "sub_mch_id");
    assert_disbelieved(read_native(signed_reply("return_code", "SUCCESS", "appid", "wx1", "mch_id",
                                                "100", "out_trade_no", "T-2", TAIL)),
                       WXPAY_EMISMATCH, "out_trade_no");
    assert_disbelieved(read_native(signed_reply("return_code", "SUCCESS", "appid", "wx1", "mch_id",
                                                "100", "result_code", "FAIL", "err_code", "X")),
                       WXPAY_EPARSE, "nonce_str");
}

static void service_provider_replies(void **state)
{
#define CLOSED_OK GOOD, "sub_mch_id", "200"
    (void)state;
    stage->account.sub_appid = "wxs";
    stage->account.sub_mch_id = "200";
    assert_int_equal(
        read_reply(WXPAY_OP_CLOSEORDER, by_number(), signed_reply(CLOSED_OK, "sub_appid", "wxs")),
        WXPAY_OK);
    assert_int_equal(read_reply(WXPAY_OP_CLOSEORDER, by_number(), signed_reply(CLOSED_OK)),
                     WXPAY_OK);
    assert_disbelieved(
        read_reply(WXPAY_OP_CLOSEORDER, by_number(), signed_reply(CLOSED_OK, "sub_appid", "wxt")),
        WXPAY_EMISMATCH, "sub_appid");
    assert_disbelieved(read_reply(WXPAY_OP_CLOSEORDER, by_number(), signed_reply(GOOD)),
                       WXPAY_EMISMATCH, "sub_mch_id");
}

static void orderquery_replies(void **state)
{
    static const struct {
        const char *name;
        wxpay_trade_state_e state;
    } states[] = {
        {"NOTPAY", WXPAY_TRADE_NOTPAY},    {"USERPAYING", WXPAY_TRADE_NOTPAY},
        {"ACCEPT", WXPAY_TRADE_NOTPAY},    {"PAYERROR", WXPAY_TRADE_NOTPAY},
        {"CLOSED", WXPAY_TRADE_CLOSED},    {"REVOKED", WXPAY_TRADE_CLOSED},
        {"NEWSTATE", WXPAY_TRADE_UNKNOWN}, {"success", WXPAY_TRADE_UNKNOWN},
    };
    size_t i;

#define QUERIED GOOD, "out_trade_no", NUMBER
    (void)state;
    for (i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        assert_int_equal(read_query(signed_reply(QUERIED, "trade_state", states[i].name)),
                         WXPAY_OK);
        assert_int_equal(stage->result.trade_state, states[i].state);
    }
    assert_int_equal(read_query(signed_reply(QUERIED, "trade_state", "SUCCESS", "total_fee", "990",
                                             "transaction_id", "4200001")),
                     WXPAY_OK);
    assert_int_equal(stage->result.trade_state, WXPAY_TRADE_SUCCESS);
    assert_int_equal(read_query(signed_reply(QUERIED, "trade_state", "REFUND", "total_fee", "990",
                                             "transaction_id", "4200001")),
                     WXPAY_OK);
    assert_int_equal(stage->result.trade_state, WXPAY_TRADE_REFUND);
    assert_disbelieved(read_query(signed_reply(QUERIED)), WXPAY_EPARSE, "trade_state");
    assert_disbelieved(read_query(signed_reply(QUERIED, "trade_state", "SUCCESS", "total_fee",
                                               "9.90", "transaction_id", "4200001")),
                       WXPAY_EPARSE, "total_fee");
    assert_disbelieved(
        read_query(signed_reply(QUERIED, "trade_state", "SUCCESS", "transaction_id", "4200001")),
        WXPAY_EPARSE, "total_fee");
    assert_disbelieved(
        read_query(signed_reply(QUERIED, "trade_state", "SUCCESS", "total_fee", "990")),
        WXPAY_EPARSE, "transaction_id");
    assert_disbelieved(read_query(signed_reply(GOOD, "trade_state", "NOTPAY")), WXPAY_EMISMATCH,
                       "out_trade_no");
    assert_disbelieved(
        read_query(signed_reply(GOOD, "out_trade_no", "T-20261124-2", "trade_state", "NOTPAY")),
        WXPAY_EMISMATCH, "out_trade_no");
}

static void recut_values_are_refused(void **state)
{
    (void)state;
    assert_disbelieved(
        read_query(signed_reply(QUERIED, "trade_state", "SUCCESS", "total_fee", "990",
                                "transaction_id", "4200001", "attach", "x&cash_fee=1")),
        WXPAY_EPARSE, "attach");
}

static void garbage_is_ambiguous(void **state)
{
    static const char *const bodies[] = {
        "",
        "<",
        HTML,
        "<xml>",
        "<xml></xml>",
        "<xml><return_code>SUCCESS</return_code></xml>",
        "<xml><return_code>OK</return_code></xml>",
        "<!DOCTYPE xml [<!ENTITY e \"FAIL\">]><xml><return_code>&e;</return_code></xml>",
        "<xml><return_code>FAIL</return_code><return_code>FAIL</return_code></xml>",
        "{\"return_code\":\"FAIL\"}",
    };
    char *huge = memset(apr_pcalloc(stage->pool, WXPAY_XML_MAX + 100), ' ', WXPAY_XML_MAX + 99);
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        assert_int_not_equal(read_native(bodies[i]), WXPAY_OK);
        assert_int_not_equal(stage->result.err.code, WXPAY_EGATEWAY);
        assert_int_equal(flags(), WXPAY_ERR_AMBIGUOUS);
        assert_null(stage->result.fields);
    }
    memcpy(huge, native_reply(), strlen(native_reply()));
    assert_disbelieved(read_native(huge), WXPAY_EPARSE, stage->result.err.field);
}

#define test(function) cmocka_unit_test_setup_teardown(function, setup, support_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_call_is_signed_and_answered),
        test(two_calls_have_different_nonces),
        test(the_request_decides_the_type_of_signature),
        test(requests_that_cannot_be_sent),
        test(requests_by_number),
        test(requests_by_number_under_an_earlier_appid),
        test(the_same_bytes_go_to_the_backup),
        test(signed_or_xml_answers_stay_where_they_are),
        test(ambiguity_is_that_of_both_hosts),
        test(without_a_backup_there_is_one_try),
        test(a_full_queue_is_not_failed_over),
        test(an_unreachable_host_is_avoided_for_a_while),
        test(a_wrong_clock_is_said_once),
        test(unifiedorder_replies),
        test(unsigned_refusals_prove_nothing),
        test(only_a_valid_signature_counts),
        test(signed_refusals),
        test(everyday_refusals_are_no_warnings),
        test(replies_for_somebody_else),
        test(service_provider_replies),
        test(orderquery_replies),
        test(recut_values_are_refused),
        test(garbage_is_ambiguous),
    };

    return cmocka_run_group_tests_name("api", tests, NULL, NULL);
}
