/* test_notice.c - which authentic messages are ours, complete and unambiguous. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include <openssl/evp.h>

#include "crypt.h"
#include "notice.h"

#define KEY "0123456789abcdefABCDEF9876543210"
#define OTHER_KEY "fedcba98765432100123456789ABCDEF"

static apr_pool_t *pool;
static wxpay_xml_t *xml;
static wxpay_account_t account;
static wxpay_notice_t *notice;
static wxpay_error_t err;
static const char *asked_as; /* appid of a query; NULL: the account's */

static int setup(void **state)
{
    if (support_setup(state) != 0) {
        return -1;
    }
    pool = *state;
    xml = wxpay_xml_create(pool);
    asked_as = NULL;
    memset(&account, 0, sizeof(account));
    account.appid = "wx0123456789abcdef";
    account.mch_id = "1900000109";
    account.key = wxpay_secret_create(pool, KEY, strlen(KEY));
    account.sign_type = WXPAY_SIGN_MD5;
    return 0;
}

#define notice_test(function) cmocka_unit_test_setup_teardown(function, setup, support_teardown)

/* A payment as the gateway reports it, with one member replaced or left out (value NULL). */
static wxpay_fields_t *payment(const char *changed, const char *value)
{
    static const char *const members[][2] = {{"appid", "wx0123456789abcdef"},
                                             {"mch_id", "1900000109"},
                                             {"nonce_str", "5d2b6c2a"},
                                             {"openid", "oUpF8uMEb4qRXf22hE3X68TekukE"},
                                             {"out_trade_no", "A-1"},
                                             {"result_code", "SUCCESS"},
                                             {"return_code", "SUCCESS"},
                                             {"time_end", "20240101123456"},
                                             {"total_fee", "100"},
                                             {"trade_type", "NATIVE"},
                                             {"transaction_id", "4200000000202401010000000001"}};
    wxpay_fields_t *fields = wxpay_fields_create(pool);
    size_t i;

    for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (!changed || strcmp(members[i][0], changed) != 0) {
            wxpay_fields_add_ref(fields, members[i][0], members[i][1], NULL);
        }
    }
    if (value) {
        wxpay_fields_add_ref(fields, changed, value, NULL);
    }
    return fields;
}

static wxpay_rc_e read_fields(wxpay_fields_t *fields)
{
    char sign[WXPAY_SIGN_SIZE];
    wxpay_buf_t body;

    assert_int_equal(wxpay_sign_make(fields, account.key, WXPAY_SIGN_HMAC_SHA256, sign, &err),
                     WXPAY_OK);
    wxpay_fields_add_ref(fields, "sign", sign, NULL);
    wxpay_buf_init(&body, pool, WXPAY_XML_MAX);
    assert_int_equal(wxpay_xml_write(fields, &body, &err), WXPAY_OK);
    notice = NULL;
    wxpay_error_clear(&err);
    return wxpay_notice_read(xml, &account, body.data, body.len, pool, &notice, &err);
}

static wxpay_rc_e read_with(const char *changed, const char *value)
{
    return read_fields(payment(changed, value));
}

static void a_payment_is_typed(void **state)
{
    (void)state;
    assert_int_equal(read_with("attach", "a=1&b=2"), WXPAY_OK);
    assert_int_equal(notice->kind, WXPAY_NOTICE_PAYMENT);
    assert_int_equal(notice->sign_type, WXPAY_SIGN_HMAC_SHA256);
    assert_string_equal(notice->appid, "wx0123456789abcdef");
    assert_string_equal(notice->mch_id, "1900000109");
    assert_string_equal(notice->gateway_no, "A-1");
    assert_string_equal(notice->transaction_id, "4200000000202401010000000001");
    assert_true(notice->total_fee == 100);
    assert_string_equal(notice->fee_type, "CNY");
    assert_string_equal(notice->trade_type, "NATIVE");
    assert_string_equal(notice->openid, "oUpF8uMEb4qRXf22hE3X68TekukE");
    assert_string_equal(notice->attach, "a=1&b=2");
    assert_true(notice->time_end == apr_time_from_sec(1704083696));
    assert_null(notice->err_code);
    assert_null(notice->refund_id);
    assert_memory_equal(notice->raw, "<xml><appid>", 12);
    assert_int_equal(notice->raw_len, strlen(notice->raw));
    assert_int_equal(read_with("attach", ""), WXPAY_OK);
    assert_null(notice->attach);
    assert_int_equal(read_with("openid", NULL), WXPAY_OK);
    assert_null(notice->openid);
    assert_int_equal(read_with("fee_type", "USD"), WXPAY_OK);
    assert_string_equal(notice->fee_type, "USD");
}

static void a_payment_must_be_complete_and_clean(void **state)
{
    static const struct {
        const char *name;
        const char *value;
        wxpay_rc_e rc;
    } cases[] = {
        {"return_code", NULL, WXPAY_EPARSE},
        {"return_code", "", WXPAY_EPARSE},
        {"return_code", "success", WXPAY_EPARSE},
        {"return_code", "SUCCESS ", WXPAY_EPARSE},
        {"result_code", NULL, WXPAY_EPARSE},
        {"result_code", "OK", WXPAY_EPARSE},
        {"appid", NULL, WXPAY_EMISMATCH},
        {"appid", "", WXPAY_EMISMATCH},
        {"mch_id", NULL, WXPAY_EMISMATCH},
        {"mch_id", "19000001090", WXPAY_EMISMATCH},
        {"out_trade_no", NULL, WXPAY_EPARSE},
        {"out_trade_no", "", WXPAY_EPARSE},
        {"out_trade_no", "a b", WXPAY_EPARSE},
        {"out_trade_no", "a\nb", WXPAY_EPARSE},
        {"out_trade_no", "\xe5\xae\x89", WXPAY_EPARSE},
        {"out_trade_no", "123456789012345678901234567890123", WXPAY_EPARSE},
        {"transaction_id", NULL, WXPAY_EPARSE},
        {"transaction_id", "4200 1", WXPAY_EPARSE},
        {"total_fee", NULL, WXPAY_EPARSE},
        {"total_fee", "", WXPAY_EPARSE},
        {"total_fee", "1.00", WXPAY_EPARSE},
        {"total_fee", "-100", WXPAY_EPARSE},
        {"total_fee", "10000000001", WXPAY_EPARSE},
        {"time_end", NULL, WXPAY_EPARSE},
        {"time_end", "20240230000000", WXPAY_EPARSE},
        {"attach", "x&total_fee=1", WXPAY_ESIGN},
        {"something_new", "x&coupon_fee_0=1", WXPAY_ESIGN},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (read_with(cases[i].name, cases[i].value) != cases[i].rc || notice) {
            fail_msg("%s=%s: %s %s", cases[i].name, cases[i].value ? cases[i].value : "(absent)",
                     wxpay_rc_name(err.code), err.detail);
        }
        assert_string_equal(err.field, cases[i].name);
    }
}

static void refusals_come_in_order(void **state)
{
    wxpay_fields_t *fields;

    (void)state;
    /* not authentic counts before not ours, not ours before incomplete */
    fields = payment("mch_id", "1900000110");
    wxpay_fields_add_ref(fields, "sign", "00000000000000000000000000000000", NULL);
    assert_int_equal(read_fields(fields), WXPAY_ESIGN);
    fields = payment("total_fee", "-1");
    fields->items[1].value = "1900000110";
    assert_int_equal(read_fields(fields), WXPAY_EMISMATCH);
}

static void no_payment_without_two_successes(void **state)
{
    wxpay_fields_t *fields = payment("result_code", "FAIL");

    (void)state;
    wxpay_fields_add_ref(fields, "err_code", "SYSTEMERROR", NULL);
    assert_int_equal(read_fields(fields), WXPAY_OK);
    assert_int_equal(notice->kind, WXPAY_NOTICE_NOTPAID);
    assert_string_equal(notice->gateway_no, "A-1");
    assert_string_equal(notice->err_code, "SYSTEMERROR");
    assert_true(notice->total_fee == 0);
    assert_int_equal(read_with("return_code", "FAIL"), WXPAY_OK);
    assert_int_equal(notice->kind, WXPAY_NOTICE_NOTPAID);
    fields = wxpay_fields_create(pool);
    wxpay_fields_add_ref(fields, "return_code", "SUCCESS", NULL);
    wxpay_fields_add_ref(fields, "result_code", "FAIL", NULL);
    wxpay_fields_add_ref(fields, "appid", "wx0123456789abcdef", NULL);
    wxpay_fields_add_ref(fields, "mch_id", "1900000109", NULL);
    assert_int_equal(read_fields(fields), WXPAY_OK);
    assert_int_equal(notice->kind, WXPAY_NOTICE_NOTPAID);
    assert_null(notice->gateway_no);
}

/* The account's may have changed since the order was opened; its attempt says which one it was. */
static void the_appid_of_payments_is_only_read(void **state)
{
    (void)state;
    assert_int_equal(read_with("appid", "wx0123456789abcdeF"), WXPAY_OK);
    assert_string_equal(notice->appid, "wx0123456789abcdeF");
}

static void the_appid_of_all_else_must_be_ours(void **state)
{
    wxpay_fields_t *failed = payment("result_code", "FAIL");

    (void)state;
    failed->items[0].value = "wx0123456789abcdeF";
    assert_int_equal(read_fields(failed), WXPAY_EMISMATCH);
    assert_string_equal(err.field, "appid");
}

/* Whose sub-merchant a payment belongs to is compared with its order; all else must name ours. */
static void sub_merchants_of_payments_are_only_read(void **state)
{
    wxpay_fields_t *fields;

    (void)state;
    assert_int_equal(read_with(NULL, NULL), WXPAY_OK);
    assert_null(notice->sub_mch_id);
    assert_null(notice->sub_appid);
    assert_int_equal(read_with("sub_mch_id", ""), WXPAY_OK);
    assert_null(notice->sub_mch_id);
    account.sub_mch_id = "1900000110";
    account.sub_appid = "wxsub";
    assert_int_equal(read_with("sub_mch_id", "1900000111"), WXPAY_OK);
    assert_string_equal(notice->sub_mch_id, "1900000111");
    fields = payment("openid", NULL);
    wxpay_fields_add_ref(fields, "sub_mch_id", "1900000110", NULL);
    wxpay_fields_add_ref(fields, "sub_appid", "wxsub", NULL);
    wxpay_fields_add_ref(fields, "sub_openid", "oSub", NULL);
    assert_int_equal(read_fields(fields), WXPAY_OK);
    assert_string_equal(notice->openid, "oSub");
    assert_string_equal(notice->sub_appid, "wxsub");
}

static void sub_merchants_of_all_else_must_be_ours(void **state)
{
    static const struct {
        const char *sub_mch_id;
        const char *sub_appid;
        wxpay_rc_e rc;
    } cases[] = {{"1900000110", "wxsub", WXPAY_OK},
                 {"1900000110", NULL, WXPAY_OK}, /* the gateway may leave it out */
                 {"1900000110", "wxother", WXPAY_EMISMATCH},
                 {"1900000111", "wxsub", WXPAY_EMISMATCH},
                 {NULL, NULL, WXPAY_EMISMATCH}};
    size_t i;

    (void)state;
    account.sub_mch_id = "1900000110";
    account.sub_appid = "wxsub";
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        wxpay_fields_t *failed = payment("result_code", "FAIL");
        wxpay_fields_t *reply = payment("trade_state", "SUCCESS");
        wxpay_fields_t *both[] = {failed, reply};
        int n;

        for (n = 0; n < 2; n++) {
            if (cases[i].sub_mch_id) {
                wxpay_fields_add_ref(both[n], "sub_mch_id", cases[i].sub_mch_id, NULL);
            }
            if (cases[i].sub_appid) {
                wxpay_fields_add_ref(both[n], "sub_appid", cases[i].sub_appid, NULL);
            }
        }
        assert_int_equal(read_fields(failed), cases[i].rc);
        assert_int_equal(wxpay_notice_from_query(reply, &account, NULL, pool, &notice, &err),
                         cases[i].rc);
    }
}

static void the_previous_key_is_told_apart(void **state)
{
    wxpay_secret_t *old = wxpay_secret_create(pool, KEY, strlen(KEY));
    wxpay_secret_t *now = wxpay_secret_create(pool, OTHER_KEY, strlen(OTHER_KEY));
    wxpay_fields_t *fields = payment(NULL, NULL);
    char sign[WXPAY_SIGN_SIZE];
    wxpay_buf_t body;

    (void)state;
    wxpay_sign_make(fields, old, WXPAY_SIGN_MD5, sign, &err);
    wxpay_fields_add_ref(fields, "sign", sign, NULL);
    wxpay_buf_init(&body, pool, WXPAY_XML_MAX);
    wxpay_xml_write(fields, &body, &err);
#define READ() wxpay_notice_read(xml, &account, body.data, body.len, pool, &notice, &err)
    account.previous_key = now;
    assert_int_equal(READ(), WXPAY_OK);
    assert_false(notice->previous_key);
    account.key = now;
    account.previous_key = old;
    assert_int_equal(READ(), WXPAY_OK);
    assert_true(notice->previous_key);
    assert_int_equal(notice->sign_type, WXPAY_SIGN_MD5);
    assert_int_equal(err.code, WXPAY_OK);
    account.previous_key = NULL;
    assert_int_equal(READ(), WXPAY_ESIGN);
    account.previous_key = now;
    assert_int_equal(READ(), WXPAY_ESIGN);
#undef READ
}

static void configured_hmac_refuses_md5(void **state)
{
    wxpay_fields_t *fields = payment(NULL, NULL);
    char sign[WXPAY_SIGN_SIZE];
    wxpay_buf_t body;

    (void)state;
    wxpay_sign_make(fields, account.key, WXPAY_SIGN_MD5, sign, &err);
    wxpay_fields_add_ref(fields, "sign", sign, NULL);
    wxpay_buf_init(&body, pool, WXPAY_XML_MAX);
    wxpay_xml_write(fields, &body, &err);
    assert_int_equal(wxpay_notice_read(xml, &account, body.data, body.len, pool, &notice, &err),
                     WXPAY_OK);
    assert_int_equal(notice->sign_type, WXPAY_SIGN_MD5);
    /* also where HMAC is configured now: the order may have been opened before */
    account.sign_type = WXPAY_SIGN_HMAC_SHA256;
    assert_int_equal(wxpay_notice_read(xml, &account, body.data, body.len, pool, &notice, &err),
                     WXPAY_OK);
    assert_int_equal(notice->sign_type, WXPAY_SIGN_MD5);
}

static const char *encrypt(const char *plain)
{
    unsigned char digest[WXPAY_MD5_LEN], *out = apr_palloc(pool, strlen(plain) + 32);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    char hex[33], *text;
    int len, rest;

    wxpay_crypt_md5(KEY, strlen(KEY), digest, NULL);
    wxpay_crypt_hex(digest, sizeof(digest), 0, hex);
    EVP_EncryptInit_ex2(ctx, EVP_aes_256_ecb(), (unsigned char *)hex, NULL, NULL);
    EVP_EncryptUpdate(ctx, out, &len, (const unsigned char *)plain, (int)strlen(plain));
    EVP_EncryptFinal_ex(ctx, out + len, &rest);
    EVP_CIPHER_CTX_free(ctx);
    text = apr_palloc(pool, 2 * strlen(plain) + 64);
    EVP_EncodeBlock((unsigned char *)text, out, len + rest);
    return text;
}

static wxpay_rc_e read_refund(const char *outer, const char *inner)
{
    const char *body =
        apr_pstrcat(pool, "<xml>", outer, "<req_info>", encrypt(inner), "</req_info></xml>", NULL);

    notice = NULL;
    wxpay_error_clear(&err);
    return wxpay_notice_read(xml, &account, body, strlen(body), pool, &notice, &err);
}

#define OUTER                                                                                      \
    "<return_code>SUCCESS</return_code><appid>wx0123456789abcdef</appid>"                          \
    "<mch_id>1900000109</mch_id>"
#define INNER                                                                                      \
    "<transaction_id>42</transaction_id><out_trade_no>A-1</out_trade_no><refund_id>50</refund_id>" \
    "<out_refund_no>R-1</out_refund_no><total_fee>100</total_fee>"

static void a_refund_is_decrypted(void **state)
{
    const char *whole = "<root>" INNER "<refund_fee>40</refund_fee>"
                        "<refund_status>CHANGE</refund_status></root>";

    (void)state;
    assert_int_equal(read_refund(OUTER, whole), WXPAY_OK);
    assert_int_equal(notice->kind, WXPAY_NOTICE_REFUND);
    assert_int_equal(notice->sign_type, 0);
    assert_string_equal(notice->gateway_no, "A-1");
    assert_string_equal(notice->out_refund_no, "R-1");
    assert_string_equal(notice->refund_id, "50");
    assert_string_equal(notice->refund_status, "CHANGE");
    assert_true(notice->refund_fee == 40);
    assert_true(notice->total_fee == 100);
    assert_int_equal(read_refund("", whole), WXPAY_EPARSE);
    assert_int_equal(read_refund("<return_code>FAIL</return_code>", whole), WXPAY_EPARSE);
    assert_int_equal(read_refund("<return_code>SUCCESS</return_code>", whole), WXPAY_EMISMATCH);
    assert_int_equal(read_refund(OUTER "<sub_mch_id>1</sub_mch_id>", whole), WXPAY_EMISMATCH);
    assert_false(notice && notice->previous_key);
    account.previous_key = account.key;
    account.key = wxpay_secret_create(pool, OTHER_KEY, strlen(OTHER_KEY));
    assert_int_equal(read_refund(OUTER, whole), WXPAY_OK);
    assert_true(notice->previous_key);
    account.key = account.previous_key;
    account.previous_key = NULL;
    account.mch_id = "1900000110";
    assert_int_equal(read_refund(OUTER, whole), WXPAY_EMISMATCH);
    assert_string_equal(err.field, "mch_id");
    account.key = wxpay_secret_create(pool, "", 0);
    assert_int_equal(read_refund(OUTER, whole), WXPAY_ESIGN);
}

static void a_refund_must_be_complete(void **state)
{
    (void)state;
    assert_int_equal(read_refund(OUTER, "<root>" INNER "<refund_fee>40</refund_fee></root>"),
                     WXPAY_EPARSE);
    assert_string_equal(err.field, "refund_status");
    assert_int_equal(read_refund(OUTER, "<root>" INNER "<refund_status>X</refund_status></root>"),
                     WXPAY_EPARSE);
    assert_string_equal(err.field, "refund_fee");
    assert_int_equal(read_refund(OUTER, "<root></root>"), WXPAY_EPARSE);
    assert_int_equal(read_refund(OUTER, "no XML"), WXPAY_EPARSE);
    assert_int_equal(read_refund(OUTER, ""), WXPAY_EPARSE);
    /* a payment's members beside an empty req_info do not make it a refund, nor authentic */
    assert_int_equal(wxpay_notice_read(xml, &account, "<xml>" OUTER "<req_info/></xml>",
                                       strlen("<xml>" OUTER "<req_info/></xml>"), pool, &notice,
                                       &err),
                     WXPAY_ESIGN);
}

static wxpay_rc_e from_query(const char *state, const char *changed, const char *value)
{
    wxpay_fields_t *reply = payment(changed, value);

    if (state) {
        wxpay_fields_add_ref(reply, "trade_state", state, NULL);
    }
    notice = NULL;
    return wxpay_notice_from_query(reply, &account, asked_as, pool, &notice, &err);
}

static void a_paid_query_names_the_appid_it_was_asked_with(void **state)
{
    const char *before = "wx00000000000000aa";

    (void)state;
    assert_int_equal(from_query("SUCCESS", "appid", before), WXPAY_EMISMATCH);
    asked_as = before;
    assert_int_equal(from_query("SUCCESS", "appid", before), WXPAY_OK);
    assert_string_equal(notice->appid, before);
    assert_int_equal(from_query("SUCCESS", NULL, NULL), WXPAY_EMISMATCH);
    assert_string_equal(err.field, "appid");
    asked_as = "";
    assert_int_equal(from_query("SUCCESS", NULL, NULL), WXPAY_OK);
}

static void a_paid_query_reads_like_a_payment(void **state)
{
    (void)state;
    assert_int_equal(from_query("SUCCESS", NULL, NULL), WXPAY_OK);
    assert_int_equal(notice->kind, WXPAY_NOTICE_PAYMENT);
    assert_true(notice->total_fee == 100);
    assert_true(notice->time_end == apr_time_from_sec(1704083696));
    assert_null(notice->raw);
    assert_int_equal(from_query("REFUND", "time_end", NULL), WXPAY_OK);
    assert_true(notice->time_end == 0);
    assert_int_equal(from_query("NOTPAY", NULL, NULL), WXPAY_EMISMATCH);
    assert_int_equal(from_query(NULL, NULL, NULL), WXPAY_EMISMATCH);
    assert_int_equal(from_query("SUCCESS", "mch_id", "1"), WXPAY_EMISMATCH);
    assert_int_equal(from_query("SUCCESS", "total_fee", "0100"), WXPAY_EPARSE);
    assert_int_equal(from_query("SUCCESS", "transaction_id", NULL), WXPAY_EPARSE);
    assert_int_equal(from_query("SUCCESS", "time_end", "soon"), WXPAY_EPARSE);
    assert_int_equal(from_query("SUCCESS", "attach", "&openid="), WXPAY_ESIGN);
    assert_null(notice);
}

static void the_answer_is_compact(void **state)
{
    (void)state;
    assert_string_equal(wxpay_notice_answer(1),
                        "<xml><return_code><![CDATA[SUCCESS]]></return_code>"
                        "<return_msg><![CDATA[OK]]></return_msg></xml>");
    assert_non_null(strstr(wxpay_notice_answer(0), "<![CDATA[FAIL]]>"));
    assert_null(strstr(wxpay_notice_answer(0), "SUCCESS"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        notice_test(a_payment_is_typed),
        notice_test(a_payment_must_be_complete_and_clean),
        notice_test(refusals_come_in_order),
        notice_test(no_payment_without_two_successes),
        notice_test(the_appid_of_payments_is_only_read),
        notice_test(the_appid_of_all_else_must_be_ours),
        notice_test(sub_merchants_of_payments_are_only_read),
        notice_test(sub_merchants_of_all_else_must_be_ours),
        notice_test(the_previous_key_is_told_apart),
        notice_test(configured_hmac_refuses_md5),
        notice_test(a_refund_is_decrypted),
        notice_test(a_refund_must_be_complete),
        notice_test(a_paid_query_reads_like_a_payment),
        notice_test(a_paid_query_names_the_appid_it_was_asked_with),
        notice_test(the_answer_is_compact),
    };

    return cmocka_run_group_tests_name("notice", tests, NULL, NULL);
}
