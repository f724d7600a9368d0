/* test_jsapi.c - the parameters of getBrandWCPayRequest, against the published signatures. */
#include "support.h"

#include <string.h>

#include "jsapi.h"

#define KEY "0123456789abcdefABCDEF9876543210"
#define NOW (apr_time_from_sec(1490840662) + 999999)

static wxpay_account_t account_of(apr_pool_t *pool)
{
    wxpay_account_t account = {.appid = "wxd678efh567hg6787", .mch_id = "1230000109"};

    account.key = wxpay_secret_create(pool, KEY, strlen(KEY));
    return account;
}

static wxpay_attempt_t attempt_of(wxpay_sign_e type)
{
    wxpay_attempt_t attempt = {.trade_type = WXPAY_TRADE_JSAPI,
                               .appid = "wxd678efh567hg6787",
                               .openid = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
                               .sign_type = type,
                               .state = WXPAY_ATTEMPT_OPEN,
                               .prepay_id = "wx2017033010242291fcfe0db70013231072"};

    return attempt;
}

static void published_signatures(void **state)
{
    json_t *published = json_object_get(support_vectors(*state, "v2-signatures.json"), "published");
    json_t *vector;
    int checked = 0;
    size_t i;

    json_array_foreach (published, i, vector) {
        const json_t *fields = json_object_get(vector, "fields");
        const char *key = support_text(vector, "key");
        wxpay_jsapi_t params = {support_text(fields, "appId"),    support_text(fields, "timeStamp"),
                                support_text(fields, "nonceStr"), support_text(fields, "package"),
                                support_text(fields, "signType"), NULL};
        wxpay_error_t err;

        if (!params.app_id) {
            continue;
        }
        assert_int_equal(
            wxpay_jsapi_sign(&params, wxpay_secret_create(*state, key, strlen(key)), *state, &err),
            WXPAY_OK);
        assert_string_equal(params.pay_sign, support_text(vector, "sign"));
        checked++;
    }
    assert_int_equal(checked, 3);
}

static void six_strings(void **state)
{
    const wxpay_sign_e types[] = {WXPAY_SIGN_MD5, WXPAY_SIGN_HMAC_SHA256};
    wxpay_account_t account = account_of(*state);

    for (int i = 0; i < 2; i++) {
        wxpay_attempt_t attempt = attempt_of(types[i]);
        wxpay_jsapi_t params, again;
        wxpay_error_t err;
        const char *sign, *name;
        json_t *json, *value;

        assert_int_equal(wxpay_jsapi_params(&account, &attempt, NOW, *state, &params, &err),
                         WXPAY_OK);
        json = wxpay_jsapi_json(*state, &params);
        assert_int_equal(json_object_size(json), 6);
        json_object_foreach (json, name, value) {
            assert_true(json_is_string(value));
        }
        assert_string_equal(support_text(json, "appId"), account.appid);
        assert_string_equal(support_text(json, "timeStamp"), "1490840662");
        assert_int_equal(strlen(support_text(json, "nonceStr")), 32);
        assert_string_equal(support_text(json, "package"),
                            "prepay_id=wx2017033010242291fcfe0db70013231072");
        assert_string_equal(support_text(json, "signType"), i ? "HMAC-SHA256" : "MD5");
        assert_int_equal(strlen(support_text(json, "paySign")), i ? 64 : 32);
        sign = params.pay_sign;
        assert_int_equal(wxpay_jsapi_sign(&params, account.key, *state, &err), WXPAY_OK);
        assert_string_equal(params.pay_sign, sign);
        wxpay_jsapi_params(&account, &attempt, NOW, *state, &again, &err);
        assert_string_not_equal(again.nonce_str, params.nonce_str);
    }
}

/* The page of a sub-merchant runs under its own appid, and so does the openid. */
static void the_payers_appid(void **state)
{
    const struct {
        const char *sent;
        const char *appid;
    } cases[] = {
        {"{\"appid\":\"wxprovider\",\"sub_appid\":\"wxsub\",\"sub_openid\":\"o1\"}", "wxsub"},
        {"{\"appid\":\"wxprovider\",\"sub_mch_id\":\"1\",\"openid\":\"o1\"}", "wxprovider"},
        {"{\"appid\":\"wxprovider\",\"sub_appid\":\"wxsub\",\"openid\":\"o1\"}", "wxprovider"},
        {"{}", "wxprovider"},
        {"nonsense", "wxprovider"},
        {NULL, "wxprovider"},
    };
    wxpay_account_t account = account_of(*state);

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        wxpay_attempt_t attempt = attempt_of(WXPAY_SIGN_MD5);
        wxpay_jsapi_t params;
        wxpay_error_t err;

        attempt.appid = "wxprovider";
        attempt.params = cases[i].sent;
        assert_int_equal(wxpay_jsapi_params(&account, &attempt, NOW, *state, &params, &err),
                         WXPAY_OK);
        assert_string_equal(params.app_id, cases[i].appid);
    }
}

static void nothing_to_sign(void **state)
{
    const char *const prepay_ids[] = {NULL, "", "wx1&signType=MD5", "wx1=2", "wx 1"};
    wxpay_account_t account = account_of(*state);
    wxpay_attempt_t attempt = attempt_of(WXPAY_SIGN_MD5);
    wxpay_jsapi_t params;
    wxpay_error_t err;

    for (size_t i = 0; i < sizeof(prepay_ids) / sizeof(prepay_ids[0]); i++) {
        attempt.prepay_id = prepay_ids[i];
        assert_int_equal(wxpay_jsapi_params(&account, &attempt, NOW, *state, &params, &err),
                         WXPAY_EINPUT);
        assert_null(params.pay_sign);
    }
    attempt = attempt_of(WXPAY_SIGN_MD5);
    attempt.trade_type = WXPAY_TRADE_NATIVE;
    assert_int_equal(wxpay_jsapi_params(&account, &attempt, NOW, *state, &params, &err),
                     WXPAY_EINPUT);
    params.sign_type = "SHA1";
    assert_int_equal(wxpay_jsapi_sign(&params, account.key, *state, &err), WXPAY_EINPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        support_test(published_signatures),
        support_test(six_strings),
        support_test(the_payers_appid),
        support_test(nothing_to_sign),
    };

    return cmocka_run_group_tests_name("jsapi", tests, NULL, NULL);
}
