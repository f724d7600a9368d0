/* test_vectors.c - every notification vector, decided as stated. */
#include "support.h"

#include <string.h>

#include <apr_strings.h>

#include "crypt.h"
#include "notice.h"

#define NOTIFICATIONS 105
#define REFUNDS 13

/* Authentic and complete, but the facts are not those of the order on file: reading yields the
 * facts, comparing them with the store is the state machine's work. */
static const struct {
    const char *name;
    apr_int64_t total_fee;
    const char *fee_type;
    const char *gateway_no;
} for_the_flow[] = {
    {"amount larger than the order", 101, "CNY", "ORDER20240101000001"},
    {"amount smaller than the order", 1, "CNY", "ORDER20240101000001"},
    {"amount overflowing 32 bits to the order's amount", APR_INT64_C(4294967396), "CNY",
     "ORDER20240101000001"},
    {"other currency", 100, "JPY", "ORDER20240101000001"},
    {"order number of another order", 100, "CNY", "ORDER_UNKNOWN"},
    /* which appid and which type it had to be stands with the order */
    {"another appid, signed with our key", 100, "CNY", "ORDER20240101000001"},
    {"MD5 document while module is configured HMAC-SHA256", 100, "CNY", "ORDER20240101000001"},
};

/* `should` vectors that are decided otherwise than recommended, with the reason. None. */
static const struct {
    const char *name;
    const char *reason;
} decided_otherwise[] = {{NULL, NULL}};

static const char *body_of(apr_pool_t *pool, json_t *vector, apr_size_t *len)
{
    json_t *recipe = json_object_get(vector, "recipe");
    const char *text = support_text(vector, "xml"), *unit, *mark;
    json_int_t n, count;
    unsigned char *bytes;
    wxpay_buf_t out;

    if (text) {
        *len = json_string_length(json_object_get(vector, "xml"));
        return text;
    }
    text = support_text(vector, "xml_b64");
    if (text) {
        assert_int_equal(wxpay_crypt_base64_decode(pool, text, strlen(text), &bytes, len, NULL),
                         WXPAY_OK);
        return (const char *)bytes;
    }
    wxpay_buf_init(&out, pool, 8 * 1024 * 1024);
    wxpay_buf_puts(&out, support_text(recipe, "prefix"));
    count = json_integer_value(json_object_get(recipe, "count"));
    for (n = 0; n < count; n++) {
        unit = support_text(recipe, "unit");
        while ((mark = strstr(unit, "{n}")) != NULL) {
            wxpay_buf_add(&out, unit, (apr_size_t)(mark - unit));
            wxpay_buf_printf(&out, "%d", (int)n);
            unit = mark + 3;
        }
        wxpay_buf_puts(&out, unit);
    }
    wxpay_buf_puts(&out, support_text(recipe, "suffix"));
    assert_int_equal(out.len, json_integer_value(json_object_get(vector, "xml_bytes")));
    *len = out.len;
    return out.data;
}

/* "auto" takes both types: what an account that sends MD5 does. */
static void account_of(apr_pool_t *pool, json_t *vector, wxpay_account_t *account)
{
    const char *type = support_text(vector, "configured_sign_type");
    const char *key = support_text(vector, "key");
    json_t *merchant = json_object_get(vector, "merchant");

    memset(account, 0, sizeof(*account));
    account->appid = support_text(merchant, "appid");
    account->mch_id = support_text(merchant, "mch_id");
    account->sub_appid = support_text(merchant, "sub_appid");
    account->sub_mch_id = support_text(merchant, "sub_mch_id");
    account->key = wxpay_secret_create(pool, key, strlen(key));
    account->sign_type = strcmp(type, "auto") == 0 ? WXPAY_SIGN_MD5 : wxpay_sign_by_name(type);
    assert_true(account->sign_type);
}

static int is_for_the_flow(const char *name, const wxpay_notice_t *notice, wxpay_rc_e rc)
{
    size_t i;

    for (i = 0; i < sizeof(for_the_flow) / sizeof(for_the_flow[0]); i++) {
        if (strcmp(for_the_flow[i].name, name) == 0) {
            assert_int_equal(rc, WXPAY_OK);
            assert_int_equal(notice->kind, WXPAY_NOTICE_PAYMENT);
            assert_true(notice->total_fee == for_the_flow[i].total_fee);
            assert_string_equal(notice->fee_type, for_the_flow[i].fee_type);
            assert_string_equal(notice->gateway_no, for_the_flow[i].gateway_no);
            return 1;
        }
    }
    return 0;
}

static int is_decided_otherwise(json_t *vector)
{
    size_t i;

    for (i = 0; decided_otherwise[i].name; i++) {
        if (strcmp(decided_otherwise[i].name, support_text(vector, "name")) == 0) {
            assert_string_equal(support_text(vector, "strength"), "should");
            assert_non_null(decided_otherwise[i].reason);
            return 1;
        }
    }
    return 0;
}

static void check_accepted(json_t *vector, const wxpay_notice_t *notice, wxpay_rc_e rc,
                           const wxpay_error_t *err)
{
    json_t *expected = json_object_get(vector, "fields"), *value;
    int paid = json_is_true(json_object_get(vector, "paid"));
    const char *name, *text;

    if (rc != WXPAY_OK) {
        fail_msg("%s: refused (%s %s)", support_text(vector, "name"), err->field, err->detail);
    }
    assert_int_equal(notice->kind, paid ? WXPAY_NOTICE_PAYMENT : WXPAY_NOTICE_NOTPAID);
    assert_int_equal(notice->fields->count, json_object_size(expected));
    json_object_foreach (expected, name, value) {
        text = wxpay_fields_get(notice->fields, name);
        assert_non_null(text);
        assert_string_equal(text, json_string_value(value));
    }
    if (paid) {
        text = support_text(expected, "total_fee");
        assert_true(notice->total_fee == apr_atoi64(text));
        text = support_text(expected, "fee_type");
        assert_string_equal(notice->fee_type, text ? text : "CNY");
        assert_string_equal(notice->gateway_no, support_text(expected, "out_trade_no"));
        assert_string_equal(notice->transaction_id, support_text(expected, "transaction_id"));
        assert_true(notice->time_end != 0);
    }
}

static void notifications(void **state)
{
    json_t *vectors =
        json_object_get(support_vectors(*state, "v2-notifications.json"), "notifications");
    wxpay_xml_t *xml = wxpay_xml_create(*state);
    int accepted = 0, refused = 0, for_flow = 0;
    wxpay_notice_t *notice;
    wxpay_account_t account;
    wxpay_error_t err;
    apr_pool_t *pool;
    const char *body, *name;
    json_t *vector;
    apr_size_t len;
    wxpay_rc_e rc;
    size_t i;

    json_array_foreach (vectors, i, vector) {
        apr_pool_create(&pool, *state);
        name = support_text(vector, "name");
        body = body_of(pool, vector, &len);
        account_of(pool, vector, &account);
        notice = NULL;
        wxpay_error_clear(&err);
        rc = wxpay_notice_read(xml, &account, body, len, pool, &notice, &err);
        if (is_for_the_flow(name, notice, rc)) {
            for_flow++;
        }
        else if (is_decided_otherwise(vector)) {
            assert_int_equal(rc == WXPAY_OK, !strcmp(support_text(vector, "expect"), "reject"));
        }
        else if (strcmp(support_text(vector, "expect"), "accept") == 0) {
            check_accepted(vector, notice, rc, &err);
            accepted++;
        }
        else {
            if (rc != WXPAY_EPARSE && rc != WXPAY_ESIGN && rc != WXPAY_EMISMATCH) {
                fail_msg("%s: %s instead of a refusal", name, wxpay_rc_name(rc));
            }
            assert_null(notice);
            assert_int_equal(err.code, rc);
            assert_true(err.detail[0] != '\0');
            refused++;
        }
        apr_pool_destroy(pool);
    }
    assert_int_equal(for_flow, sizeof(for_the_flow) / sizeof(for_the_flow[0]));
    assert_int_equal(accepted + refused + for_flow, NOTIFICATIONS);
    assert_int_equal(accepted, 27);
}

/* Each refusal comes from the check it was made for, not from an earlier accident. */
static void refusals_have_their_own_reason(void **state)
{
    static const struct {
        const char *class;
        wxpay_rc_e rc;
    } classes[] = {{"sign", WXPAY_ESIGN}, {"parse", WXPAY_EPARSE}, {"limits", WXPAY_EPARSE}};
    static const struct {
        const char *name;
        wxpay_rc_e rc;
        const char *field;
    } cases[] = {
        {"another merchant's mch_id, signed with our key", WXPAY_EMISMATCH, "mch_id"},
        {"amount with sign", WXPAY_EPARSE, "total_fee"},
        {"amount with leading zero", WXPAY_EPARSE, "total_fee"},
        {"amount overflowing 64 bits to the order's amount", WXPAY_EPARSE, "total_fee"},
        {"return_code in lower case", WXPAY_EPARSE, "return_code"},
        {"the genuine document behind the re-cut one", WXPAY_ESIGN, "attach"},
        {"duplicate total_fee, different value first", WXPAY_EPARSE, "total_fee"},
    };
    json_t *vectors =
        json_object_get(support_vectors(*state, "v2-notifications.json"), "notifications");
    wxpay_xml_t *xml = wxpay_xml_create(*state);
    wxpay_notice_t *notice;
    wxpay_account_t account;
    wxpay_error_t err;
    const char *body;
    json_t *vector;
    size_t i, j, seen = 0;
    apr_size_t len;

    json_array_foreach (vectors, i, vector) {
        body = body_of(*state, vector, &len);
        account_of(*state, vector, &account);
        wxpay_error_clear(&err);
        wxpay_notice_read(xml, &account, body, len, *state, &notice, &err);
        for (j = 0; j < sizeof(cases) / sizeof(cases[0]); j++) {
            if (strcmp(cases[j].name, support_text(vector, "name")) == 0) {
                assert_int_equal(err.code, cases[j].rc);
                assert_string_equal(err.field, cases[j].field);
                seen++;
            }
        }
        for (j = 0; j < sizeof(classes) / sizeof(classes[0]); j++) {
            if (strcmp(classes[j].class, support_text(vector, "class")) == 0 &&
                err.code != classes[j].rc) {
                /* GBK is not even UTF-8, whatever is signed; an empty root holds no signature;
                 * which type had to be used is the flow's to say */
                assert_true(strstr(support_text(vector, "name"), "GBK") ||
                            strstr(support_text(vector, "name"), "configured HMAC") ||
                            strstr(support_text(vector, "name"), "empty root"));
            }
        }
    }
    assert_int_equal(seen, sizeof(cases) / sizeof(cases[0]));
}

static const char *refund_body(apr_pool_t *pool, json_t *vector)
{
    return apr_pstrcat(pool,
                       "<xml><return_code>SUCCESS</return_code><appid>wx0123456789abcdef</appid>"
                       "<mch_id>1900000109</mch_id><nonce_str>x</nonce_str><req_info><![CDATA[",
                       support_text(vector, "req_info"), "]]></req_info></xml>", NULL);
}

static void check_refund(const char *plaintext, const wxpay_notice_t *notice, apr_pool_t *pool)
{
    wxpay_fields_t *expected;

    assert_int_equal(wxpay_xml_read(wxpay_xml_create(pool), pool, "root", plaintext,
                                    strlen(plaintext), &expected, NULL),
                     WXPAY_OK);
    assert_int_equal(notice->kind, WXPAY_NOTICE_REFUND);
    assert_int_equal(notice->sign_type, 0);
    assert_int_equal(notice->fields->count, expected->count);
    assert_string_equal(notice->refund_status, "SUCCESS");
    assert_string_equal(notice->mch_id, "1900000109");
    assert_string_equal(notice->gateway_no, wxpay_fields_get(expected, "out_trade_no"));
    assert_string_equal(notice->out_refund_no, wxpay_fields_get(expected, "out_refund_no"));
    assert_string_equal(notice->refund_id, wxpay_fields_get(expected, "refund_id"));
    assert_true(notice->refund_fee == apr_atoi64(wxpay_fields_get(expected, "refund_fee")));
    assert_true(notice->total_fee == apr_atoi64(wxpay_fields_get(expected, "total_fee")));
}

static void refund_notifications(void **state)
{
    json_t *vectors = json_object_get(support_vectors(*state, "v2-refund-notifications.json"),
                                      "refund_notifications");
    wxpay_xml_t *xml = wxpay_xml_create(*state);
    wxpay_account_t account;
    wxpay_notice_t *notice;
    int accepted = 0;
    const char *body, *key;
    wxpay_error_t err;
    json_t *vector;
    wxpay_rc_e rc;
    size_t i;

    memset(&account, 0, sizeof(account));
    account.appid = "wx0123456789abcdef";
    account.mch_id = "1900000109";
    account.sign_type = WXPAY_SIGN_HMAC_SHA256;
    json_array_foreach (vectors, i, vector) {
        key = support_text(vector, "key");
        account.key = wxpay_secret_create(*state, key, strlen(key));
        body = refund_body(*state, vector);
        notice = NULL;
        rc = wxpay_notice_read(xml, &account, body, strlen(body), *state, &notice, &err);
        if (strcmp(support_text(vector, "expect"), "accept") == 0) {
            if (rc != WXPAY_OK) {
                fail_msg("%s: %s %s", support_text(vector, "name"), err.field, err.detail);
            }
            check_refund(support_text(vector, "plaintext"), notice, *state);
            accepted++;
        }
        else if (rc != WXPAY_EPARSE) {
            fail_msg("%s: %s", support_text(vector, "name"), wxpay_rc_name(rc));
        }
    }
    assert_int_equal(json_array_size(vectors), REFUNDS);
    assert_true(accepted >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        support_test(notifications),
        support_test(refusals_have_their_own_reason),
        support_test(refund_notifications),
    };

    return cmocka_run_group_tests_name("vectors", tests, NULL, NULL);
}
