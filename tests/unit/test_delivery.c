/* test_delivery.c - Standard Webhooks: what is signed, what is believed, and what it says. */
#include "support.h"

#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "delivery.h"

#define ID "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define SECONDS 1614265330
#define NOW apr_time_from_sec(SECONDS)
#define BODY "{\"test\": 2432232314}"

/* The example of the published Standard Webhooks libraries, and the same by another implementation
 * (Python's hmac). */
#define KEY "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define KNOWN "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
#define OLD_KEY "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define OTHER_KEY "whsec_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"

static const wxpay_secret_t *key_of(apr_pool_t *pool, const char *text)
{
    const wxpay_secret_t *key = NULL;

    assert_int_equal(wxpay_delivery_key(pool, text, strlen(text), &key, NULL), WXPAY_OK);
    return key;
}

static const char *sign(apr_pool_t *pool, const char *key, const char *previous, const char *body)
{
    const char *signature = NULL;
    wxpay_error_t err;

    assert_int_equal(wxpay_delivery_sign(pool, key_of(pool, key),
                                         previous ? key_of(pool, previous) : NULL, ID, SECONDS,
                                         body, strlen(body), &signature, &err),
                     WXPAY_OK);
    return signature;
}

static wxpay_rc_e verify_at(apr_pool_t *pool, apr_time_t now, const char *id, const char *timestamp,
                            const char *signature, wxpay_error_t *err)
{
    const wxpay_delivery_headers_t headers = {id, timestamp, signature};

    wxpay_error_clear(err);
    return wxpay_delivery_verify(key_of(pool, KEY), key_of(pool, OLD_KEY), &headers, BODY,
                                 strlen(BODY), now, err);
}

static wxpay_rc_e verify(apr_pool_t *pool, const char *signature)
{
    wxpay_error_t err;
    wxpay_rc_e rc = verify_at(pool, NOW, ID, "1614265330", signature, &err);

    assert_int_equal(rc, err.code);
    return rc;
}

static void known_answer(void **state)
{
    assert_string_equal(sign(*state, KEY, NULL, BODY), KNOWN);
    assert_int_equal(verify(*state, KNOWN), WXPAY_OK);
}

static void both_keys_sign_while_they_change_over(void **state)
{
    const char *both = sign(*state, KEY, OLD_KEY, BODY);

    assert_string_equal(both,
                        apr_pstrcat(*state, KNOWN " ", sign(*state, OLD_KEY, NULL, BODY), NULL));
    assert_int_equal(verify(*state, both), WXPAY_OK);
    assert_int_equal(verify(*state, sign(*state, OLD_KEY, NULL, BODY)), WXPAY_OK);
    assert_int_equal(verify(*state, sign(*state, OTHER_KEY, NULL, BODY)), WXPAY_ESIGN);
    assert_int_equal(verify(*state, sign(*state, OTHER_KEY, KEY, BODY)), WXPAY_OK);
    assert_int_equal(verify(*state, sign(*state, OTHER_KEY, OLD_KEY, BODY)), WXPAY_OK);
}

static void without_a_previous_key_it_is_one(void **state)
{
    const wxpay_delivery_headers_t headers = {ID, "1614265330", sign(*state, OLD_KEY, NULL, BODY)};
    wxpay_error_t err;

    assert_int_equal(
        wxpay_delivery_verify(key_of(*state, KEY), NULL, &headers, BODY, strlen(BODY), NOW, &err),
        WXPAY_ESIGN);
    assert_int_equal(wxpay_delivery_verify(key_of(*state, OLD_KEY), NULL, &headers, BODY,
                                           strlen(BODY), NOW, &err),
                     WXPAY_OK);
}

static void any_fitting_signature_is_enough(void **state)
{
    static const struct {
        const char *header;
        wxpay_rc_e rc;
    } cases[] = {
        {"v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= " KNOWN, WXPAY_OK},
        {KNOWN " v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", WXPAY_OK},
        {"v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM= "
         "v2,x " KNOWN,
         WXPAY_OK},
        {"  " KNOWN "  ", WXPAY_OK},
        {"x " KNOWN, WXPAY_OK},
        {"v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", WXPAY_ESIGN},
        {"v1 g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", WXPAY_ESIGN},
        {"V1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", WXPAY_ESIGN},
        {"g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", WXPAY_ESIGN},
        {"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE", WXPAY_ESIGN},
        {"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OF=", WXPAY_ESIGN},
        {KNOWN "=", WXPAY_ESIGN},
        {KNOWN "," KNOWN, WXPAY_ESIGN},
        {"v1,", WXPAY_ESIGN},
        {" ", WXPAY_ESIGN},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (verify(*state, cases[i].header) != cases[i].rc) {
            fail_msg("%s", cases[i].header);
        }
    }
}

static void every_byte_counts(void **state)
{
    static const char text[] = ID "\0"
                                  "1614265330\0" KNOWN "\0" BODY;
    const wxpay_secret_t *key = key_of(*state, KEY);
    const apr_size_t stamp = sizeof(ID), mac = stamp + 11, body = mac + sizeof(KNOWN);
    char bad[sizeof(text)];
    wxpay_error_t err;

    for (apr_size_t i = 0; i < 8 * (sizeof(text) - 1); i++) {
        const wxpay_delivery_headers_t headers = {bad, bad + stamp, bad + mac};

        if (i / 8 == body - 1) {
            continue; /* a blank and more instead of the end: another signature, passed over */
        }
        memcpy(bad, text, sizeof(text));
        bad[i / 8] ^= (char)(1 << i % 8);
        if (wxpay_delivery_verify(key, NULL, &headers, bad + body, strlen(BODY), NOW, &err) ==
            WXPAY_OK) {
            fail_msg("byte %d, bit %d", (int)i / 8, (int)i % 8);
        }
    }
}

static void malformed_headers_name_themselves(void **state)
{
    static const char long_id[] =
        "0123456789012345678901234567890123456789012345678901234567890123";
    char *long_header = apr_palloc(*state, 1026);
    const struct {
        const char *id;
        const char *timestamp;
        const char *signature;
        const char *field;
    } cases[] = {
        {NULL, "1614265330", KNOWN, "webhook-id"},
        {"", "1614265330", KNOWN, "webhook-id"},
        {"a.b", "1614265330", KNOWN, "webhook-id"},
        {"a b", "1614265330", KNOWN, "webhook-id"},
        {"\xc3\xa9", "1614265330", KNOWN, "webhook-id"},
        {apr_pstrcat(*state, long_id, "4", NULL), "1614265330", KNOWN, "webhook-id"},
        {ID, NULL, KNOWN, "webhook-timestamp"},
        {ID, "", KNOWN, "webhook-timestamp"},
        {ID, "01614265330", KNOWN, "webhook-timestamp"},
        {ID, "+1614265330", KNOWN, "webhook-timestamp"},
        {ID, "-1614265330", KNOWN, "webhook-timestamp"},
        {ID, "1614265330.0", KNOWN, "webhook-timestamp"},
        {ID, " 1614265330", KNOWN, "webhook-timestamp"},
        {ID, "1614265330000", KNOWN, "webhook-timestamp"},
        {ID, "99999999999999999999", KNOWN, "webhook-timestamp"},
        {ID, "0", KNOWN, "webhook-timestamp"},
        {ID, "1614265330", NULL, "webhook-signature"},
        {ID, "1614265330", "", "webhook-signature"},
        {ID, "1614265330", long_header, "webhook-signature"},
    };
    wxpay_error_t err;

    memset(long_header, ' ', 1025);
    memcpy(long_header, KNOWN, strlen(KNOWN));
    long_header[1025] = '\0';
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (verify_at(*state, NOW, cases[i].id, cases[i].timestamp, cases[i].signature, &err) !=
                WXPAY_EPARSE ||
            strcmp(err.field, cases[i].field) != 0) {
            fail_msg("case %d: %s, %s", (int)i, wxpay_rc_name(err.code), err.field);
        }
    }
    assert_int_equal(verify_at(*state, NOW, long_id, "1614265330", KNOWN, &err), WXPAY_ESIGN);
    long_header[1024] = '\0';
    assert_int_equal(verify(*state, long_header), WXPAY_OK);
}

static void too_old_and_too_new(void **state)
{
    static const struct {
        int seconds;
        wxpay_rc_e rc;
    } cases[] = {{0, WXPAY_OK},          {300, WXPAY_OK},         {-300, WXPAY_OK},
                 {301, WXPAY_EMISMATCH}, {-301, WXPAY_EMISMATCH}, {86400, WXPAY_EMISMATCH}};
    wxpay_error_t err;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        apr_time_t now = NOW + apr_time_from_sec(cases[i].seconds);

        assert_int_equal(verify_at(*state, now, ID, "1614265330", KNOWN, &err), cases[i].rc);
    }
    /* a forger does not learn from the answer whether only the time is wrong */
    assert_int_equal(verify_at(*state, NOW, ID, "1", KNOWN, &err), WXPAY_ESIGN);
    verify_at(*state, NOW + apr_time_from_sec(301), ID, "1614265330", KNOWN, &err);
    assert_string_equal(err.detail, "it was signed 301 s before our clock's time");
}

static wxpay_rc_e read_body(apr_pool_t *pool, const char *body, wxpay_delivery_t *delivery,
                            wxpay_error_t *err)
{
    wxpay_error_clear(err);
    return wxpay_delivery_read(pool, body, strlen(body), delivery, err);
}

static void paid_says_what_was_paid(void **state)
{
    wxpay_delivery_t delivery;
    wxpay_error_t err;

    assert_int_equal(
        read_body(*state,
                  "{\"type\":\"order.paid\",\"timestamp\":\"2026-11-24T03:05:00Z\",\"data\":{"
                  "\"out_trade_no\":\"A1\",\"state\":\"PAID\",\"total_fee\":1990,"
                  "\"fee_type\":\"CNY\",\"body\":\"x\",\"attach\":\"\xe8\x8c\xb6 a=1&b=2\","
                  "\"trade_type\":\"NATIVE\",\"transaction_id\":\"4200001\",\"openid\":\"oUp\","
                  "\"time_end\":\"2026-11-24T03:04:59Z\",\"late\":true,\"flags\":[],"
                  "\"attempts\":[{\"gateway_no\":\"A1\"}]}}",
                  &delivery, &err),
        WXPAY_OK);
    assert_int_equal(delivery.type, WXPAY_EVENT_PAID);
    assert_string_equal(delivery.out_trade_no, "A1");
    assert_string_equal(delivery.transaction_id, "4200001");
    assert_string_equal(delivery.total_fee, "1990");
    assert_string_equal(delivery.fee_type, "CNY");
    assert_string_equal(delivery.openid, "oUp");
    assert_string_equal(delivery.attach, "\xe8\x8c\xb6 a=1&b=2");
    assert_string_equal(delivery.time_end, "2026-11-24T03:04:59Z");
    assert_string_equal(delivery.trade_type, "NATIVE");
}

static void others_may_say_less(void **state)
{
    wxpay_delivery_t delivery;
    wxpay_error_t err;

    for (int type = 0; type < WXPAY_EVENTS; type++) {
        const char *body =
            apr_psprintf(*state, "{\"type\":\"%s\",\"data\":{\"openid\":null,\"attach\":\"\"}}",
                         wxpay_event_name((wxpay_event_e)type));
        wxpay_rc_e rc = read_body(*state, body, &delivery, &err);

        assert_int_equal(rc, type == WXPAY_EVENT_PAID ? WXPAY_EPARSE : WXPAY_OK);
        assert_int_equal(delivery.type, type);
        assert_null(delivery.out_trade_no);
        assert_null(delivery.total_fee);
        assert_null(delivery.openid);
        assert_null(delivery.attach);
    }
}

static void an_attach_with_a_line_break_is_left_out(void **state)
{
    static const char body[] =
        "{\"type\":\"order.orphan\",\"data\":{\"out_trade_no\":\"A1\",\"attach\":\"a\\nb\"}}";
    wxpay_delivery_t delivery;
    wxpay_error_t err;

    assert_int_equal(wxpay_delivery_read(*state, body, strlen(body), &delivery, &err), WXPAY_OK);
    assert_string_equal(delivery.out_trade_no, "A1");
    assert_null(delivery.attach);
}

static void what_is_no_event_is_refused(void **state)
{
    static const struct {
        const char *body;
        const char *field;
    } cases[] = {
        {"", ""},
        {"[]", ""},
        {"{}", "type"},
        {"{\"type\":\"order.paid\"}", "data"},
        {"{\"type\":\"order.paid\",\"data\":[]}", "data"},
        {"{\"type\":\"order.paid\",\"data\":{}}", "out_trade_no"},
        {"{\"type\":\"order.paid\",\"data\":{\"out_trade_no\":\"A\"}}", "transaction_id"},
        {"{\"type\":\"order.paid\",\"data\":{\"out_trade_no\":\"A\",\"transaction_id\":\"4\"}}",
         "total_fee"},
        {"{\"type\":\"order.Paid\",\"data\":{}}", "type"},
        {"{\"type\":[\"order.paid\"],\"data\":{}}", "type"},
        {"{\"type\":\"order.closed\",\"type\":\"order.paid\",\"data\":{}}", "type"},
        {"{\"type\":\"order.closed\",\"data\":{\"attach\":\"a\",\"attach\":\"b\"}}", "attach"},
        {"{\"type\":\"order.closed\",\"data\":{\"total_fee\":\"1990\"}}", "total_fee"},
        {"{\"type\":\"order.closed\",\"data\":{\"total_fee\":19.9}}", "total_fee"},
        {"{\"type\":\"order.closed\",\"data\":{\"total_fee\":-1}}", "total_fee"},
        {"{\"type\":\"order.closed\",\"data\":{\"total_fee\":10000000001}}", "total_fee"},
        {"{\"type\":\"order.closed\",\"data\":{\"total_fee\":true}}", "total_fee"},
        {"{\"type\":\"order.closed\",\"data\":{\"out_trade_no\":1}}", "out_trade_no"},
        {"{\"type\":\"order.closed\",\"data\":{\"out_trade_no\":"
         "\"012345678901234567890123456789012\"}}",
         "out_trade_no"},
        {"{\"type\":\"order.closed\",\"data\":{\"openid\":\"a\\nHost: x\"}}", "openid"},
        {"{\"type\":\"order.closed\",\"data\":{\"attach\":\"a\\u0000\"}}", ""},
        {"{\"type\":\"order.closed\",\"data\":{\"openid\":\"\\u007f\"}}", "openid"},
        {"{\"type\":\"order.closed\",\"data\":{\"openid\":\"\\u0085\"}}", "openid"},
        {"{\"type\":\"order.closed\",\"data\":{\"a\":[[[[[[[[]]]]]]]]}}", ""},
    };
    wxpay_delivery_t delivery;
    wxpay_error_t err;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (read_body(*state, cases[i].body, &delivery, &err) != WXPAY_EPARSE ||
            strcmp(err.field, cases[i].field) != 0) {
            fail_msg("%s: %s, %s", cases[i].body, wxpay_rc_name(err.code), err.field);
        }
    }
}

static void a_body_has_a_largest_size(void **state)
{
    static const char body[] = "{\"type\":\"order.closed\",\"data\":{}}";
    char *long_body = apr_palloc(*state, WXPAY_DELIVERY_MAX + 1);
    wxpay_delivery_t delivery;
    wxpay_error_t err;

    memset(long_body, ' ', WXPAY_DELIVERY_MAX + 1);
    memcpy(long_body, body, strlen(body));
    assert_int_equal(wxpay_delivery_read(*state, long_body, WXPAY_DELIVERY_MAX, &delivery, &err),
                     WXPAY_OK);
    assert_int_equal(
        wxpay_delivery_read(*state, long_body, WXPAY_DELIVERY_MAX + 1, &delivery, &err),
        WXPAY_EPARSE);
}

static void keys_are_whsec(void **state)
{
    static const char *const bad[] = {"",
                                      "whsec_",
                                      "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                                      "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
                                      "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2La",
                                      "WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"};
    const wxpay_secret_t *key = NULL;
    wxpay_error_t err;

    assert_int_equal(wxpay_secret_len(key_of(*state, KEY)), 24);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(wxpay_delivery_key(*state, bad[i], strlen(bad[i]), &key, &err),
                         WXPAY_EINPUT);
        assert_null(key);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        support_test(known_answer),
        support_test(both_keys_sign_while_they_change_over),
        support_test(without_a_previous_key_it_is_one),
        support_test(any_fitting_signature_is_enough),
        support_test(every_byte_counts),
        support_test(malformed_headers_name_themselves),
        support_test(too_old_and_too_new),
        support_test(paid_says_what_was_paid),
        support_test(others_may_say_less),
        support_test(an_attach_with_a_line_break_is_left_out),
        support_test(what_is_no_event_is_refused),
        support_test(a_body_has_a_largest_size),
        support_test(keys_are_whsec),
    };

    return cmocka_run_group_tests_name("delivery", tests, NULL, NULL);
}
