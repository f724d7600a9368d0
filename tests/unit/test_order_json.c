/* test_order_json.c - orders as JSON, for backends and for buyers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <apr_general.h>

#include "order_json.h"

#define NOW apr_time_from_sec(1795489500) /* 2026-11-24T03:05:00Z */
#define HOUR apr_time_from_sec(3600)

static apr_pool_t *pool;
static wxpay_error_t err;
static wxpay_order_t order;
static wxpay_attempt_t first;
static wxpay_attempt_t second;
static const wxpay_attempt_t *const attempts[] = {&first, &second};

static int setup(void **state)
{
    (void)state;
    order = (wxpay_order_t){.out_trade_no = "A-1",
                            .total_fee = 990,
                            .fee_type = "CNY",
                            .body = "茶/tea",
                            .state = WXPAY_ORDER_PENDING,
                            .expires_at = NOW + 2 * HOUR};
    first = (wxpay_attempt_t){.gateway_no = "A-1",
                              .trade_type = WXPAY_TRADE_NATIVE,
                              .state = WXPAY_ATTEMPT_CLOSED,
                              .code_url = "weixin://old",
                              .url_at = NOW};
    second = (wxpay_attempt_t){.gateway_no = "A-1*2",
                               .trade_type = WXPAY_TRADE_JSAPI,
                               .state = WXPAY_ATTEMPT_OPEN,
                               .prepay_id = "wx2014",
                               .url_at = NOW,
                               .openid = "secret-of-buyer"};
    return 0;
}

static const char *text(int count, const char *pay_url, apr_time_t now)
{
    return wxpay_json_text(pool, wxpay_order_json(pool, &order, attempts, count, pay_url, now));
}

static void new_order(void **state)
{
    (void)state;
    order.state = WXPAY_ORDER_NEW;
    assert_string_equal(text(0, NULL, NOW),
                        "{\"out_trade_no\":\"A-1\",\"state\":\"NEW\",\"total_fee\":990,"
                        "\"fee_type\":\"CNY\",\"body\":\"茶/tea\","
                        "\"expires_at\":\"2026-11-24T05:05:00Z\",\"flags\":[],\"attempts\":[]}");
}

static void open_order(void **state)
{
    (void)state;
    order.attach = "a1";
    order.trade_type = WXPAY_TRADE_NATIVE;
    assert_string_equal(
        text(2, "https://shop.example/wxpay/pay/x", NOW),
        "{\"out_trade_no\":\"A-1\",\"state\":\"PENDING\",\"total_fee\":990,\"fee_type\":\"CNY\","
        "\"body\":\"茶/tea\",\"attach\":\"a1\",\"trade_type\":\"JSAPI\",\"prepay_id\":\"wx2014\","
        "\"pay_url\":\"https://shop.example/wxpay/pay/x\",\"expires_at\":\"2026-11-24T05:05:00Z\","
        "\"flags\":[],\"attempts\":["
        "{\"gateway_no\":\"A-1\",\"trade_type\":\"NATIVE\",\"state\":\"CLOSED\"},"
        "{\"gateway_no\":\"A-1*2\",\"trade_type\":\"JSAPI\",\"state\":\"OPEN\"}]}");
}

static void codes_only_while_payable(void **state)
{
    (void)state;
    order.expires_at = NOW + 5 * HOUR;
    assert_non_null(strstr(text(2, NULL, NOW + 2 * HOUR - 1), "prepay_id"));
    assert_null(strstr(text(2, NULL, NOW + 2 * HOUR), "prepay_id"));
    order.expires_at = NOW;
    assert_null(strstr(text(2, NULL, NOW), "prepay_id"));
    order.expires_at = NOW + HOUR;
    order.close_wanted = 1;
    assert_null(strstr(text(2, NULL, NOW), "prepay_id"));
    assert_non_null(strstr(text(2, NULL, NOW), "\"flags\":[\"closing\"]"));
    order.close_wanted = 0;
    order.quarantined = 1;
    assert_null(strstr(text(2, NULL, NOW), "prepay_id"));
    order.quarantined = 0;
    order.state = WXPAY_ORDER_CLOSED;
    assert_null(strstr(text(2, NULL, NOW), "prepay_id"));
}

static void paid_order(void **state)
{
    const char *json;

    (void)state;
    order.state = WXPAY_ORDER_PAID;
    order.late = order.overpaid = order.quarantined = order.attach_differs = 1;
    order.transaction_id = "1217752501201407033233368018";
    order.payer_openid = "oUpF";
    order.paid_gateway_no = "A-1*2";
    order.trade_type = WXPAY_TRADE_NATIVE;
    order.paid_at = NOW;
    second.state = WXPAY_ATTEMPT_PAID;
    second.transaction_id = order.transaction_id;
    json = text(2, NULL, NOW);
    assert_non_null(strstr(json, "\"state\":\"PAID\""));
    assert_non_null(strstr(json, "\"body\":\"茶/tea\",\"trade_type\":\"JSAPI\""));
    assert_non_null(strstr(json, "\"transaction_id\":\"1217752501201407033233368018\",\"openid\":"
                                 "\"oUpF\",\"time_end\":\"2026-11-24T03:05:00Z\""));
    assert_non_null(strstr(json, "\"late\":true,\"flags\":[\"quarantined\",\"overpaid\","
                                 "\"attach_differs\"]"));
    assert_non_null(strstr(json, "\"state\":\"PAID\",\"transaction_id\":\"1217"));
    assert_null(strstr(json, "prepay_id"));
    assert_null(strstr(json, "secret-of-buyer"));
}

static void refunded_states(void **state)
{
    (void)state;
    order.state = WXPAY_ORDER_PAID;
    order.refunded_fee = 989;
    assert_non_null(strstr(text(0, NULL, NOW), "\"state\":\"PARTIALLY_REFUNDED\""));
    assert_non_null(strstr(text(0, NULL, NOW), "\"refunded_fee\":989"));
    order.refunded_fee = 990;
    assert_non_null(strstr(text(0, NULL, NOW), "\"state\":\"REFUNDED\""));
}

static void buyer_sees_little(void **state)
{
    (void)state;
    order.attach = "internal";
    order.openid = "o1";
    assert_string_equal(
        wxpay_json_text(pool, wxpay_order_buyer_json(pool, &order, "payable", "weixin://x")),
        "{\"state\":\"payable\",\"total_fee\":990,\"fee_type\":\"CNY\",\"body\":\"茶/tea\","
        "\"expires_at\":\"2026-11-24T05:05:00Z\",\"code_url\":\"weixin://x\"}");
    assert_null(strstr(wxpay_json_text(pool, wxpay_order_buyer_json(pool, &order, "paid", NULL)),
                       "code_url"));
}

static void params_there_and_back(void **state)
{
    static const char *const pairs[][2] = {{"appid", "wx1"},
                                           {"total_fee", "990"},
                                           {"body", "茶 \"<&>\" \\ / ]]>"},
                                           {"attach", "a=1&b=2"},
                                           {"detail", "{\"a\":[1,2]}"}};
    wxpay_fields_t *fields = wxpay_fields_create(pool);
    wxpay_fields_t *back = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        assert_int_equal(wxpay_fields_add_ref(fields, pairs[i][0], pairs[i][1], &err), WXPAY_OK);
    }
    assert_int_equal(wxpay_params_parse(pool, wxpay_params_text(pool, fields), &back, &err),
                     WXPAY_OK);
    assert_int_equal(back->count, fields->count);
    for (int i = 0; i < back->count; i++) {
        assert_string_equal(back->items[i].name, fields->items[i].name);
        assert_string_equal(back->items[i].value, fields->items[i].value);
    }
    assert_int_equal(wxpay_params_parse(pool, "{", &back, &err), WXPAY_EPARSE);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(new_order, setup),
        cmocka_unit_test_setup(open_order, setup),
        cmocka_unit_test_setup(codes_only_while_payable, setup),
        cmocka_unit_test_setup(paid_order, setup),
        cmocka_unit_test_setup(refunded_states, setup),
        cmocka_unit_test_setup(buyer_sees_little, setup),
        cmocka_unit_test_setup(params_there_and_back, setup),
    };
    int failed;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    apr_pool_destroy(pool);
    apr_terminate();
    return failed;
}
