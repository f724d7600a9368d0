/* test_order.c - what an order may say, and how an attempt asks the gateway for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "clock.h"
#include "money.h"
#include "order.h"

#define NOW apr_time_from_sec(1795489500) /* 2026-11-24T03:05:00Z, 11:05 in Beijing */
#define MINUTE apr_time_from_sec(60)

static apr_pool_t *pool;
static wxpay_error_t err;
static wxpay_account_t account;

/* "name", "value", ... NULL; a value of NULL takes the name away. Basis: a minimal good order. */
static wxpay_rc_e make(wxpay_order_t **order, ...)
{
    const char *names[32] = {"out_trade_no", "total_fee", "body"};
    const char *values[32] = {"A-1", "990", "shop - tea"};
    int count = 3;
    const char *name;
    va_list args;
    wxpay_fields_t *fields = wxpay_fields_create(pool);

    va_start(args, order);
    while ((name = va_arg(args, const char *)) != NULL) {
        int i = 0;

        while (i < count && strcmp(names[i], name) != 0) {
            i++;
        }
        names[i] = name;
        values[i] = va_arg(args, const char *);
        count = i == count ? count + 1 : count;
    }
    va_end(args);
    for (int i = 0; i < count; i++) {
        if (values[i]) {
            assert_int_equal(wxpay_fields_add_ref(fields, names[i], values[i], &err), WXPAY_OK);
        }
    }
    wxpay_error_clear(&err);
    *order = NULL;
    return wxpay_order_from_fields(fields, &account, NOW, pool, order, &err);
}

static const char *many(const char *piece, int times)
{
    char *text = apr_pcalloc(pool, strlen(piece) * (size_t)times + 1);

    for (int i = 0; i < times; i++) {
        strcat(text, piece);
    }
    return text;
}

static void minimal_order(void **state)
{
    wxpay_order_t *order;

    (void)state;
    assert_int_equal(make(&order, NULL), WXPAY_OK);
    assert_string_equal(order->out_trade_no, "A-1");
    assert_int_equal(order->total_fee, 990);
    assert_string_equal(order->fee_type, "CNY");
    assert_string_equal(order->body, "shop - tea");
    assert_string_equal(order->mch_id, "1230000109");
    assert_string_equal(order->site, "https://shop.example");
    assert_int_equal(order->state, WXPAY_ORDER_NEW);
    assert_int_equal(order->trade_type, WXPAY_TRADE_NONE);
    assert_true(order->created_at == NOW);
    assert_true(order->expires_at == NOW + account.order_ttl);
    assert_null(order->pay_id);
    assert_null(order->attach);
    assert_null(order->time_expire);
}

static void full_order(void **state)
{
    wxpay_order_t *o;

    (void)state;
    assert_int_equal(make(&o, "trade_type", "JSAPI", "openid", "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
                          "spbill_create_ip", "2001:db8::1", "attach", "a=1&b=2", "detail",
                          "{\"goods_detail\":[]}", "product_id", "P1", "goods_tag", "WXG",
                          "limit_pay", "no_credit", "time_expire", "20261124120000", "return_url",
                          "/done?body=x&total_fee=1", "scene_info",
                          "{\"store_info\":{\"id\":\"1\"}}", "profit_sharing", "N", "receipt", "Y",
                          "device_info", "013467007045764", "version", "1.0", "user_type", "IDCARD",
                          "user_creid", "320102199001011234", "user_truename", "王小明",
                          "fingerprint", "f1", "body", "商店-茶", NULL),
                     WXPAY_OK);
    assert_int_equal(o->trade_type, WXPAY_TRADE_JSAPI);
    assert_string_equal(o->openid, "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o");
    assert_string_equal(o->spbill_create_ip, "2001:db8::1");
    assert_string_equal(o->attach, "a=1&b=2");
    assert_string_equal(o->detail, "{\"goods_detail\":[]}");
    assert_string_equal(o->product_id, "P1");
    assert_string_equal(o->goods_tag, "WXG");
    assert_string_equal(o->limit_pay, "no_credit");
    assert_string_equal(o->return_url, "/done?body=x&total_fee=1");
    assert_string_equal(o->scene_info, "{\"store_info\":{\"id\":\"1\"}}");
    assert_string_equal(o->profit_sharing, "N");
    assert_string_equal(o->receipt, "Y");
    assert_string_equal(o->device_info, "013467007045764");
    assert_string_equal(o->version, "1.0");
    assert_string_equal(o->user_type, "IDCARD");
    assert_string_equal(o->user_creid, "320102199001011234");
    assert_string_equal(o->user_truename, "王小明");
    assert_string_equal(o->fingerprint, "f1");
    assert_true(o->expires_at == NOW + 55 * MINUTE);
}

static void every_member_is_checked(void **state)
{
    static const struct {
        const char *field;
        const char *value; /* NULL: absent */
        const char *says;
    } bad[] = {
        {"out_trade_no", NULL, "out_trade_no is missing"},
        {"out_trade_no", "", "out_trade_no is empty"},
        {"out_trade_no", "A 1", "may hold digits"},
        {"out_trade_no", "A@1", "may hold digits"},
        {"out_trade_no", "\xe8\x8c\xb6", "may hold digits"},
        {"out_trade_no", "123456789012345678901234567890123", "33 bytes"},
        {"out_trade_no", "A*2", "must not end in '*' and digits"},
        {"out_trade_no", "*2", "must not end in '*' and digits"},
        {"out_trade_no", "w*abcdefghijklmnopqrstuvwxyz", "must not be \"w*\""},
        {"total_fee", NULL, "total_fee is missing"},
        {"total_fee", "0", "from 1 to 10000000000"},
        {"total_fee", "-1", "digits only"},
        {"total_fee", "+1", "digits only"},
        {"total_fee", "01", "digits only"},
        {"total_fee", "9.90", "digits only"},
        {"total_fee", "1e3", "digits only"},
        {"total_fee", " 1", "digits only"},
        {"total_fee", "10000000001", "digits only"},
        {"total_fee", "18446744073709551617", "digits only"},
        {"body", NULL, "body is missing"},
        {"body", "", "body is empty"},
        {"body", "tea \xf0\x9f\x8d\xb5",
         "body contains a character outside the Basic Multilingual Plane (such as an emoji), which "
         "WeChat Pay does not take"},
        {"body", "tea\n", "control character"},
        {"body", "tea\x7f", "control character"},
        {"body", "tea\xc2\x85", "control character"},
        {"body", "tea\xef\xbf\xbf", "XML cannot carry"},
        {"body", "tea\xff", "not valid UTF-8"},
        {"body", "tea\xed\xa0\x80", "not valid UTF-8"},
        {"body", "x&total_fee=1", "&total_fee="},
        {"attach", "x&out_trade_no=1", "&out_trade_no="},
        {"trade_type", "MICROPAY", "must be NATIVE or JSAPI"},
        {"trade_type", "native", "must be NATIVE or JSAPI"},
        {"trade_type", "APP", "trade_type APP is not available yet"},
        {"trade_type", "MWEB", "trade_type MWEB is not available yet"},
        {"openid", "o 1", "printable ASCII"},
        {"openid", "\xe8\x8c\xb6", "printable ASCII"},
        {"spbill_create_ip", "1.2.3", "IPv4 or IPv6"},
        {"spbill_create_ip", "1.2.3.4:80", "IPv4 or IPv6"},
        {"spbill_create_ip", "localhost", "IPv4 or IPv6"},
        {"spbill_create_ip", "fe80::1%eth0", "IPv4 or IPv6"},
        {"detail", "[1]", "must be a JSON object"},
        {"detail", "{\"a\":1", "must be a JSON object"},
        {"detail", "{'a':1}", "must be a JSON object"},
        {"scene_info", "x", "must be a JSON object"},
        {"scene_info", "{\"a\":\"&attach=\"}", "&attach="},
        {"limit_pay", "no_debit", "must be no_credit"},
        {"profit_sharing", "y", "must be Y or N"},
        {"receipt", "yes", "must be Y or N"},
        {"time_expire", "tomorrow", "must be a real time"},
        {"time_expire", "20261131000000", "must be a real time"},
        {"time_expire", "20261124111059", "at least 6 minutes"},
        {"time_expire", "20261201110501", "at most 7 days"},
        {"time_expire", "2026-11-24T11:10:59+08:00", "at least 6 minutes"},
        {"return_url", "//evil.example/", "one slash"},
        {"return_url", "/\\evil.example/", "backslash"},
        {"return_url", "https://shop.example\\@evil.example/", "backslash"},
        {"return_url", "javascript:alert(1)", "must be http"},
        {"return_url", "https:///x", "must be http"},
        {"return_url", "https://", "must be http"},
        {"return_url", "ftp://shop.example/", "must be http"},
        {"return_url", "done", "must be http"},
        {"return_url", "https://shop.example@evil.example/", "user name"},
        {"return_url", "/a\r\nSet-Cookie: x", "printable ASCII"},
        {"sub_appid", "wx1", "sub_appid is not a member of an order"},
        {"fee_type", "USD", "fee_type is not a member of an order"},
        {"Body", "x", "Body is not a member of an order"},
        {"notify_url", "https://evil.example/", "not a member"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        wxpay_order_t *order;
        const char *value = bad[i].value;

        if (make(&order, bad[i].field, value, NULL) != WXPAY_EINPUT) {
            fail_msg("%s \"%s\" was taken", bad[i].field, value ? value : "(absent)");
        }
        assert_null(order);
        assert_string_equal(err.field, bad[i].field);
        if (!strstr(err.detail, bad[i].says)) {
            fail_msg("%s: \"%s\" does not say \"%s\"", bad[i].field, err.detail, bad[i].says);
        }
    }
}

static void lengths_are_bytes(void **state)
{
    static const struct {
        const char *field;
        int max;
    } limits[] = {{"body", 127},      {"attach", 127},       {"product_id", 32},  {"goods_tag", 32},
                  {"openid", 128},    {"device_info", 32},   {"version", 32},     {"user_type", 32},
                  {"user_creid", 32}, {"user_truename", 64}, {"fingerprint", 256}};
    wxpay_order_t *order;

    (void)state;
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        const char *field = limits[i].field;

        assert_int_equal(make(&order, field, many("x", limits[i].max), NULL), WXPAY_OK);
        assert_int_equal(make(&order, field, many("x", limits[i].max + 1), NULL), WXPAY_EINPUT);
        assert_string_equal(err.field, field);
    }
    assert_int_equal(make(&order, "body", many("茶", 42), NULL), WXPAY_OK);
    assert_int_equal(make(&order, "body", apr_pstrcat(pool, many("茶", 43), "xy", NULL), NULL),
                     WXPAY_EINPUT);
    assert_string_equal(err.detail, "body is 131 bytes of UTF-8; WeChat takes at most 127");
    assert_int_equal(
        make(&order, "detail", apr_psprintf(pool, "{\"a\":\"%s\"}", many("x", 5992)), NULL),
        WXPAY_OK);
    assert_int_equal(
        make(&order, "detail", apr_psprintf(pool, "{\"a\":\"%s\"}", many("x", 5993)), NULL),
        WXPAY_EINPUT);
    assert_int_equal(make(&order, "return_url", apr_pstrcat(pool, "/", many("x", 511), NULL), NULL),
                     WXPAY_OK);
    assert_int_equal(make(&order, "return_url", apr_pstrcat(pool, "/", many("x", 512), NULL), NULL),
                     WXPAY_EINPUT);
    assert_int_equal(make(&order, "total_fee", "10000000000", NULL), WXPAY_OK);
    assert_int_equal(make(&order, "total_fee", "1", NULL), WXPAY_OK);
}

static void unusual_but_good(void **state)
{
    static const struct {
        const char *field;
        const char *value;
    } good[] = {
        {"out_trade_no", "12345678901234567890123456789012"},
        {"out_trade_no", "a_B|c*d-9"},
        {"out_trade_no", "2*"},
        {"out_trade_no", "w*short"},
        {"out_trade_no", "7"},
        {"attach", ""},
        {"body", "a & b = c < d > \"e\" ' ]]>"},
        {"body", "\xef\xbf\xbd"}, /* U+FFFD */
        {"spbill_create_ip", "1.2.3.4"},
        {"spbill_create_ip", "::ffff:1.2.3.4"},
        {"time_expire", "20261124111100"},
        {"time_expire", "20261201110500"},
        {"time_expire", "2026-11-24T03:11:00Z"},
        {"return_url", "/"},
        {"return_url", "HTTPS://shop.example:8443/a?b=c@d#e"},
        {"return_url", "https://[2001:db8::1]/"},
        {"trade_type", "NATIVE"},
        {"detail", " {\"a\": [1, {\"b\": null}]}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        wxpay_order_t *order;

        if (make(&order, good[i].field, good[i].value, NULL) != WXPAY_OK) {
            fail_msg("%s \"%s\": %s", good[i].field, good[i].value, err.detail);
        }
    }
}

static void jsapi_needs_openid_and_address(void **state)
{
    wxpay_order_t *order;

    (void)state;
    assert_int_equal(make(&order, "trade_type", "JSAPI", "spbill_create_ip", "1.2.3.4", NULL),
                     WXPAY_EINPUT);
    assert_string_equal(err.field, "openid");
    assert_int_equal(make(&order, "trade_type", "JSAPI", "openid", "o1", NULL), WXPAY_EINPUT);
    assert_string_equal(err.field, "spbill_create_ip");
    assert_int_equal(make(&order, "trade_type", "NATIVE", NULL), WXPAY_OK);
}

static void same_facts(void **state)
{
    static const struct {
        const char *a[2];
        const char *b[2];
        const char *differs;
    } cases[] = {
        {{"attach", "x"}, {"attach", "x"}, NULL},
        {{"attach", "x"}, {"attach", "y"}, "attach"},
        {{"attach", "x"}, {"attach", NULL}, "attach"},
        {{"total_fee", "990"}, {"total_fee", "991"}, "total_fee"},
        {{"body", "a"}, {"body", "b"}, "body"},
        {{"detail", "{}"}, {"detail", NULL}, "detail"},
        {{"product_id", "A-1"}, {"product_id", NULL}, NULL},
        {{"product_id", "P"}, {"product_id", NULL}, "product_id"},
        {{"trade_type", "NATIVE"}, {"trade_type", NULL}, NULL},
        {{"spbill_create_ip", "1.2.3.4"}, {"spbill_create_ip", NULL}, NULL},
        {{"spbill_create_ip", "1.2.3.4"}, {"spbill_create_ip", "1.2.3.5"}, "spbill_create_ip"},
        {{"goods_tag", "a"}, {"goods_tag", "b"}, "goods_tag"},
        {{"limit_pay", "no_credit"}, {"limit_pay", NULL}, "limit_pay"},
        {{"scene_info", "{}"}, {"scene_info", "{ }"}, "scene_info"},
        {{"profit_sharing", "Y"}, {"profit_sharing", "N"}, "profit_sharing"},
        {{"receipt", "Y"}, {"receipt", NULL}, "receipt"},
        {{"device_info", "1"}, {"device_info", "2"}, "device_info"},
        {{"version", "1.0"}, {"version", NULL}, "version"},
        {{"user_type", "IDCARD"}, {"user_type", NULL}, "user_type"},
        {{"user_creid", "1"}, {"user_creid", "2"}, "user_creid"},
        {{"user_truename", "a"}, {"user_truename", "b"}, "user_truename"},
        {{"fingerprint", "a"}, {"fingerprint", NULL}, "fingerprint"},
        {{"openid", "o1"}, {"openid", "o2"}, "openid"},
        {{"return_url", "/a"}, {"return_url", "/b"}, "return_url"},
        {{"time_expire", "20261124120000"}, {"time_expire", "2026-11-24T04:00:00Z"}, NULL},
        {{"time_expire", "20261124120000"}, {"time_expire", "20261124120001"}, "time_expire"},
        {{"time_expire", "20261124120000"}, {"time_expire", NULL}, "time_expire"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        wxpay_order_t *a;
        wxpay_order_t *b;
        const char *field = "?";

        assert_int_equal(make(&a, cases[i].a[0], cases[i].a[1], NULL), WXPAY_OK);
        assert_int_equal(make(&b, cases[i].b[0], cases[i].b[1], NULL), WXPAY_OK);
        for (int turn = 0; turn < 2; turn++) {
            int same = wxpay_order_same_facts(turn ? b : a, turn ? a : b, &field);

            assert_int_equal(same, cases[i].differs == NULL);
            if (cases[i].differs) {
                assert_string_equal(field, cases[i].differs);
            }
            else {
                assert_null(field);
            }
        }
    }
}

static void trade_types_count_if_both_give_one(void **state)
{
    wxpay_order_t *a;
    wxpay_order_t *b;
    const char *field;

    (void)state;
    assert_int_equal(
        make(&a, "trade_type", "NATIVE", "openid", "o1", "spbill_create_ip", "1.2.3.4", NULL),
        WXPAY_OK);
    assert_int_equal(
        make(&b, "trade_type", "JSAPI", "openid", "o1", "spbill_create_ip", "1.2.3.4", NULL),
        WXPAY_OK);
    assert_false(wxpay_order_same_facts(a, b, &field));
    assert_string_equal(field, "trade_type");
}

static void names_and_back(void **state)
{
    wxpay_order_state_e order_state;
    wxpay_attempt_state_e attempt_state;

    (void)state;
    for (int i = WXPAY_ORDER_NEW; i <= WXPAY_ORDER_EXPIRED; i++) {
        const char *name = wxpay_order_state_name((wxpay_order_state_e)i);

        assert_int_equal(wxpay_order_state_by_name(name, &order_state), WXPAY_OK);
        assert_int_equal(order_state, i);
    }
    for (int i = WXPAY_ATTEMPT_RESERVED; i <= WXPAY_ATTEMPT_PAID; i++) {
        const char *name = wxpay_attempt_state_name((wxpay_attempt_state_e)i);

        assert_int_equal(wxpay_attempt_state_by_name(name, &attempt_state), WXPAY_OK);
        assert_int_equal(attempt_state, i);
    }
    for (int i = WXPAY_TRADE_NONE; i <= WXPAY_TRADE_APP; i++) {
        assert_int_equal(wxpay_trade_by_name(wxpay_trade_name((wxpay_trade_e)i)), i);
    }
    assert_string_equal(wxpay_order_state_name(WXPAY_ORDER_EXPIRED), "EXPIRED");
    assert_string_equal(wxpay_attempt_state_name(WXPAY_ATTEMPT_PAID), "PAID");
    assert_string_equal(wxpay_trade_name(WXPAY_TRADE_MWEB), "MWEB");
    assert_int_equal(wxpay_order_state_by_name("paid", &order_state), WXPAY_ENOTFOUND);
    assert_int_equal(wxpay_attempt_state_by_name(NULL, &attempt_state), WXPAY_ENOTFOUND);
    assert_int_equal(wxpay_trade_by_name("MICROPAY"), WXPAY_TRADE_NONE);
    assert_int_equal(wxpay_trade_by_name(NULL), WXPAY_TRADE_NONE);
}

static void money_never_goes_back(void **state)
{
    (void)state;
    for (int to = WXPAY_ORDER_NEW; to <= WXPAY_ORDER_EXPIRED; to++) {
        assert_false(wxpay_order_may_become(WXPAY_ORDER_PAID, (wxpay_order_state_e)to));
    }
    for (int to = WXPAY_ATTEMPT_RESERVED; to <= WXPAY_ATTEMPT_PAID; to++) {
        assert_false(wxpay_attempt_may_become(WXPAY_ATTEMPT_PAID, (wxpay_attempt_state_e)to));
    }
    assert_true(wxpay_order_may_become(WXPAY_ORDER_NEW, WXPAY_ORDER_PENDING));
    assert_true(wxpay_order_may_become(WXPAY_ORDER_PENDING, WXPAY_ORDER_NEW));
    assert_true(wxpay_order_may_become(WXPAY_ORDER_CLOSED, WXPAY_ORDER_PAID));
    assert_true(wxpay_order_may_become(WXPAY_ORDER_NEW, WXPAY_ORDER_EXPIRED));
    assert_false(wxpay_order_may_become(WXPAY_ORDER_PENDING, WXPAY_ORDER_EXPIRED));
    assert_false(wxpay_order_may_become(WXPAY_ORDER_CLOSED, WXPAY_ORDER_PENDING));
    assert_true(wxpay_attempt_may_become(WXPAY_ATTEMPT_RESERVED, WXPAY_ATTEMPT_SENT));
    assert_false(wxpay_attempt_may_become(WXPAY_ATTEMPT_RESERVED, WXPAY_ATTEMPT_OPEN));
    assert_false(wxpay_attempt_may_become(WXPAY_ATTEMPT_OPEN, WXPAY_ATTEMPT_FAILED));
    for (int from = WXPAY_ATTEMPT_SENT; from < WXPAY_ATTEMPT_PAID; from++) {
        assert_true(wxpay_attempt_may_become((wxpay_attempt_state_e)from, WXPAY_ATTEMPT_PAID));
    }
}

static void numbers_of_attempts(void **state)
{
    wxpay_order_t order = {.out_trade_no = "123456789012345678901234567890"};
    const char *number;
    const char *again;

    (void)state;
    assert_int_equal(wxpay_attempt_number(&order, 1, pool, &number, &err), WXPAY_OK);
    assert_string_equal(number, order.out_trade_no);
    assert_int_equal(wxpay_attempt_number(&order, 2, pool, &number, &err), WXPAY_OK);
    assert_string_equal(number, "123456789012345678901234567890*2");
    assert_int_equal(wxpay_attempt_number(&order, 10, pool, &number, &err), WXPAY_OK);
    assert_int_equal(strlen(number), 28);
    assert_memory_equal(number, "w*", 2);
    assert_int_equal(strspn(number + 2, "abcdefghijklmnopqrstuvwxyz0123456789"), 26);
    assert_int_equal(wxpay_order_check_number(number, 28, &err), WXPAY_EINPUT);
    assert_int_equal(wxpay_attempt_number(&order, 10, pool, &again, &err), WXPAY_OK);
    assert_string_not_equal(number, again);
}

static wxpay_fields_t *request_of(const wxpay_order_t *order, const wxpay_attempt_t *attempt)
{
    wxpay_fields_t *fields = NULL;

    assert_int_equal(
        wxpay_attempt_request(order, attempt, &account, NOW + 30 * MINUTE, pool, &fields, &err),
        WXPAY_OK);
    return fields;
}

static void native_request(void **state)
{
    static const char *const expected[][2] = {
        {"appid", "wx2421b1c4370ec43b"},
        {"mch_id", "1230000109"},
        {"device_info", "WEB"},
        {"notify_url", "https://shop.example/wxpay/notify"},
        {"total_fee", "990"},
        {"fee_type", "CNY"},
        {"body", "shop - tea"},
        {"attach", "a1"},
        {"out_trade_no", "A-1*2"},
        {"trade_type", "NATIVE"},
        {"product_id", "A-1"},
        {"spbill_create_ip", "192.0.2.7"},
        {"time_start", "20261124110500"},
        {"time_expire", "20261124113500"},
    };
    wxpay_attempt_t attempt = {.gateway_no = "A-1*2",
                               .trade_type = WXPAY_TRADE_NATIVE,
                               .appid = account.appid,
                               .sign_type = WXPAY_SIGN_MD5,
                               .created_at = NOW};
    wxpay_order_t *order;
    wxpay_fields_t *fields;

    (void)state;
    assert_int_equal(make(&order, "attach", "a1", "openid", "o1", "return_url", "/x", NULL),
                     WXPAY_OK);
    fields = request_of(order, &attempt);
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        const char *value = wxpay_fields_get(fields, expected[i][0]);

        assert_non_null(value);
        assert_string_equal(value, expected[i][1]);
    }
    assert_int_equal(fields->count, sizeof(expected) / sizeof(expected[0]));
}

static void jsapi_request(void **state)
{
    wxpay_attempt_t attempt = {.gateway_no = "A-1",
                               .trade_type = WXPAY_TRADE_JSAPI,
                               .appid = account.appid,
                               .openid = "o1",
                               .client_ip = "1.2.3.4",
                               .sign_type = WXPAY_SIGN_HMAC_SHA256,
                               .created_at = NOW};
    wxpay_order_t *order;
    wxpay_fields_t *fields;

    (void)state;
    assert_int_equal(make(&order, "detail", "{\"a\":1}", "goods_tag", "g", "limit_pay", "no_credit",
                          "receipt", "Y", "profit_sharing", "Y", "scene_info", "{}", "device_info",
                          "POS1", "version", "1.0", "user_type", "IDCARD", "user_creid", "1",
                          "user_truename", "n", "fingerprint", "f", NULL),
                     WXPAY_OK);
    fields = request_of(order, &attempt);
    assert_string_equal(wxpay_fields_get(fields, "sign_type"), "HMAC-SHA256");
    assert_string_equal(wxpay_fields_get(fields, "openid"), "o1");
    assert_string_equal(wxpay_fields_get(fields, "spbill_create_ip"), "1.2.3.4");
    assert_string_equal(wxpay_fields_get(fields, "detail"), "{\"a\":1}");
    assert_string_equal(wxpay_fields_get(fields, "goods_tag"), "g");
    assert_string_equal(wxpay_fields_get(fields, "limit_pay"), "no_credit");
    assert_string_equal(wxpay_fields_get(fields, "receipt"), "Y");
    assert_string_equal(wxpay_fields_get(fields, "profit_sharing"), "Y");
    assert_string_equal(wxpay_fields_get(fields, "scene_info"), "{}");
    assert_string_equal(wxpay_fields_get(fields, "device_info"), "POS1");
    assert_string_equal(wxpay_fields_get(fields, "version"), "1.0");
    assert_string_equal(wxpay_fields_get(fields, "user_type"), "IDCARD");
    assert_string_equal(wxpay_fields_get(fields, "user_creid"), "1");
    assert_string_equal(wxpay_fields_get(fields, "user_truename"), "n");
    assert_string_equal(wxpay_fields_get(fields, "fingerprint"), "f");
    assert_null(wxpay_fields_get(fields, "product_id"));
    assert_null(wxpay_fields_get(fields, "sub_openid"));

    account.sub_appid = "wx8888888888888888";
    account.sub_mch_id = "1900000109";
    fields = request_of(order, &attempt);
    account.sub_appid = account.sub_mch_id = NULL;
    assert_string_equal(wxpay_fields_get(fields, "sub_appid"), "wx8888888888888888");
    assert_string_equal(wxpay_fields_get(fields, "sub_mch_id"), "1900000109");
    assert_string_equal(wxpay_fields_get(fields, "sub_openid"), "o1");
    assert_null(wxpay_fields_get(fields, "openid"));
}

static void incomplete_requests_are_refused(void **state)
{
    wxpay_attempt_t attempt = {.gateway_no = "A-1",
                               .trade_type = WXPAY_TRADE_JSAPI,
                               .appid = account.appid,
                               .client_ip = "1.2.3.4",
                               .sign_type = WXPAY_SIGN_MD5,
                               .created_at = NOW};
    const char *notify_url = account.notify_url;
    wxpay_order_t *order;
    wxpay_fields_t *fields = NULL;

    (void)state;
    assert_int_equal(make(&order, NULL), WXPAY_OK);
    assert_int_equal(wxpay_attempt_request(order, &attempt, &account, NOW, pool, &fields, &err),
                     WXPAY_EINPUT);
    assert_string_equal(err.field, "openid");
    attempt.openid = "o1";
    attempt.client_ip = NULL;
    assert_int_equal(wxpay_attempt_request(order, &attempt, &account, NOW, pool, &fields, &err),
                     WXPAY_EINPUT);
    assert_string_equal(err.field, "spbill_create_ip");
    attempt.client_ip = "1.2.3.4";
    account.notify_url = NULL;
    assert_int_equal(wxpay_attempt_request(order, &attempt, &account, NOW, pool, &fields, &err),
                     WXPAY_EINPUT);
    account.notify_url = notify_url;
    assert_string_equal(err.field, "notify_url");
    assert_null(fields);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(minimal_order),
        cmocka_unit_test(full_order),
        cmocka_unit_test(every_member_is_checked),
        cmocka_unit_test(lengths_are_bytes),
        cmocka_unit_test(unusual_but_good),
        cmocka_unit_test(jsapi_needs_openid_and_address),
        cmocka_unit_test(same_facts),
        cmocka_unit_test(trade_types_count_if_both_give_one),
        cmocka_unit_test(names_and_back),
        cmocka_unit_test(money_never_goes_back),
        cmocka_unit_test(numbers_of_attempts),
        cmocka_unit_test(native_request),
        cmocka_unit_test(jsapi_request),
        cmocka_unit_test(incomplete_requests_are_refused),
    };
    int failed;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    account = (wxpay_account_t){.site = "https://shop.example",
                                .appid = "wx2421b1c4370ec43b",
                                .mch_id = "1230000109",
                                .sign_type = WXPAY_SIGN_MD5,
                                .notify_url = "https://shop.example/wxpay/notify",
                                .server_ip = "192.0.2.7",
                                .order_ttl = 120 * MINUTE};
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    apr_pool_destroy(pool);
    apr_terminate();
    return failed;
}
