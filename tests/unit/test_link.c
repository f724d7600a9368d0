/* test_link.c - signed links: what is believed, and for how long. */
#include "support.h"

#include <stdio.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "crypt.h"
#include "link.h"

#define BASE "https://shop.example"
#define PATH "/wxpay/pay/new"
#define NOW apr_time_from_sec(1795489200)
#define FACTS PATH "?out_trade_no=A1&total_fee=1990&body=%E8%8C%B6+x&expires=1795492800"

/* By another implementation: printf %s '<BASE><FACTS>' |
 * openssl dgst -sha256 -hmac 0123456789abcdef */
#define KNOWN_SIGN "adf9c69ec299c57b13e69a7583c9d8d91cc3ccdb0b30ae9904c0749c88a58da0"

typedef struct rig_t {
    apr_pool_t *pool;
    wxpay_secret_t *key;
    wxpay_secret_t *old;
} rig_t;

static rig_t rig;

static int setup(void **state)
{
    (void)state;
    apr_pool_create(&rig.pool, NULL);
    rig.key = wxpay_secret_create(rig.pool, "0123456789abcdef", 16);
    rig.old = wxpay_secret_create(rig.pool, "fedcba9876543210", 16);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    apr_pool_destroy(rig.pool);
    return 0;
}

static const char *signed_by(const wxpay_secret_t *key, const char *uri)
{
    const char *url = apr_pstrcat(rig.pool, BASE, uri, NULL);
    unsigned char mac[WXPAY_SHA256_LEN];
    char hex[2 * WXPAY_SHA256_LEN + 1];

    assert_int_equal(wxpay_crypt_hmac_sha256(wxpay_secret_bytes(key), wxpay_secret_len(key), url,
                                             strlen(url), mac, NULL),
                     WXPAY_OK);
    wxpay_crypt_hex(mac, sizeof(mac), 0, hex);
    return apr_pstrcat(rig.pool, uri, "&sign=", hex, NULL);
}

static wxpay_rc_e read_link(const char *uri, wxpay_fields_t **fields, wxpay_error_t *err)
{
    wxpay_error_clear(err);
    *fields = NULL;
    return wxpay_link_read(BASE, uri, rig.key, rig.old, NOW, rig.pool, fields, err);
}

static void accepts(const char *uri)
{
    wxpay_fields_t *fields;
    wxpay_error_t err;

    if (read_link(uri, &fields, &err) != WXPAY_OK) {
        fail_msg("%s: %s", uri, err.detail);
    }
    assert_int_equal(fields->count, 3);
    assert_string_equal(wxpay_fields_get(fields, "out_trade_no"), "A1");
    assert_string_equal(wxpay_fields_get(fields, "total_fee"), "1990");
    assert_string_equal(wxpay_fields_get(fields, "body"), "\xe8\x8c\xb6 x");
    assert_null(wxpay_fields_get(fields, "expires"));
}

static void refuses(const char *uri, wxpay_rc_e rc, const char *field)
{
    wxpay_fields_t *fields;
    wxpay_error_t err;

    if (read_link(uri, &fields, &err) != rc || strcmp(err.field, field) != 0) {
        fail_msg("%s: %s, field \"%s\"", uri, wxpay_rc_name(err.code), err.field);
    }
    assert_null(fields);
}

static void test_known_answer(void **state)
{
    (void)state;
    accepts(FACTS "&sign=" KNOWN_SIGN);
}

static void test_either_key(void **state)
{
    wxpay_secret_t *other = wxpay_secret_create(rig.pool, "0123456789abcdeF", 16);
    wxpay_fields_t *fields;
    wxpay_error_t err;

    (void)state;
    accepts(signed_by(rig.key, FACTS));
    accepts(signed_by(rig.old, FACTS));
    refuses(signed_by(other, FACTS), WXPAY_ESIGN, "sign");
    assert_int_equal(wxpay_link_read(BASE, signed_by(rig.old, FACTS), rig.key, NULL, NOW, rig.pool,
                                     &fields, &err),
                     WXPAY_ESIGN);
}

static void test_every_byte_counts(void **state)
{
    const char *good = signed_by(rig.key, FACTS);

    (void)state;
    for (apr_size_t i = 0; good[i]; i++) {
        for (int bit = 0; bit < 8; bit++) {
            char *bad = apr_pstrdup(rig.pool, good);

            bad[i] ^= (char)(1 << bit);
            if (bad[i]) {
                refuses(bad, WXPAY_ESIGN, "sign");
            }
        }
    }
    for (apr_size_t i = 0; good[i]; i++) {
        refuses(apr_pstrndup(rig.pool, good, i), WXPAY_ESIGN, "sign");
    }
}

static void test_elsewhere(void **state)
{
    const char *good = signed_by(rig.key, FACTS);
    static const char *const bases[] = {"http://shop.example", "https://shop.example:8443",
                                        "https://www.shop.example", "https://shop.exampl", ""};
    wxpay_fields_t *fields;
    wxpay_error_t err;

    (void)state;
    for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
        assert_int_equal(
            wxpay_link_read(bases[i], good, rig.key, NULL, NOW, rig.pool, &fields, &err),
            WXPAY_ESIGN);
    }
    refuses(apr_pstrcat(rig.pool, "/other/new", strchr(good, '?'), NULL), WXPAY_ESIGN, "sign");
}

static void test_what_follows_sign_is_ignored(void **state)
{
    const char *good = signed_by(rig.key, FACTS);

    (void)state;
    accepts(apr_pstrcat(rig.pool, good, "&from=singlemessage&isappinstalled=0", NULL));
    accepts(apr_pstrcat(rig.pool, good, "&total_fee=1&sign=x&%", NULL));
    accepts(apr_pstrcat(rig.pool, good, "&", NULL));
    refuses(apr_pstrcat(rig.pool, good, "0", NULL), WXPAY_ESIGN, "sign");
    refuses(apr_pstrcat(rig.pool, good, "#x", NULL), WXPAY_ESIGN, "sign");
}

static void test_not_signed(void **state)
{
    (void)state;
    refuses("", WXPAY_ESIGN, "sign");
    refuses(PATH, WXPAY_ESIGN, "sign");
    refuses(PATH "?", WXPAY_ESIGN, "sign");
    refuses(FACTS, WXPAY_ESIGN, "sign");
    refuses(FACTS "&sign=", WXPAY_ESIGN, "sign");
    refuses(PATH "?sign=" KNOWN_SIGN, WXPAY_ESIGN, "sign");
    refuses(PATH "&sign=" KNOWN_SIGN "?", WXPAY_ESIGN, "sign");
}

static void test_upper_case_is_another_byte(void **state)
{
    char *loud = apr_pstrdup(rig.pool, signed_by(rig.key, FACTS));

    (void)state;
    for (char *c = strstr(loud, "&sign=") + 6; *c; c++) {
        *c = *c >= 'a' ? (char)(*c - 32) : *c;
    }
    refuses(loud, WXPAY_ESIGN, "sign");
}

static void test_expires(void **state)
{
    static const struct {
        const char *query;
        wxpay_rc_e rc;
    } cases[] = {
        {"expires=1795489201", WXPAY_OK},
        {"expires=1795489200", WXPAY_EMISMATCH}, /* now */
        {"expires=1795489199", WXPAY_EMISMATCH},
        {"expires=0", WXPAY_EMISMATCH},
        {"expires=1827111600", WXPAY_OK}, /* 366 days */
        {"expires=1827111601", WXPAY_EINPUT},
        {"expires=1795492800000", WXPAY_EINPUT}, /* milliseconds */
        {"expires=999999999999", WXPAY_EINPUT},
        {"expires=", WXPAY_EINPUT},
        {"expires", WXPAY_EINPUT},
        {"expires=-1", WXPAY_EINPUT},
        {"expires=+1795492800", WXPAY_EINPUT},
        {"expires=0x6b050000", WXPAY_EINPUT},
        {"expires=1795492800.0", WXPAY_EINPUT},
        {"a=1", WXPAY_EINPUT},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *uri =
            apr_psprintf(rig.pool, PATH "?out_trade_no=A1&total_fee=1990&body=%%E8%%8C%%B6+x&%s",
                         cases[i].query);

        if (cases[i].rc == WXPAY_OK) {
            accepts(signed_by(rig.key, uri));
        }
        else {
            refuses(signed_by(rig.key, uri), cases[i].rc, "expires");
        }
    }
}

static void test_malformed(void **state)
{
    (void)state;
    refuses(signed_by(rig.key, FACTS "&body=x"), WXPAY_EPARSE, "body");
    refuses(signed_by(rig.key, FACTS "&b%6Fdy=x"), WXPAY_EPARSE, "body");
    refuses(signed_by(rig.key, FACTS "&expires=1"), WXPAY_EPARSE, "expires");
    refuses(signed_by(rig.key, FACTS "&attach=%zz"), WXPAY_EPARSE, "attach");
    refuses(signed_by(rig.key, FACTS "&attach=%FF"), WXPAY_EPARSE, "attach");
}

static void test_too_long(void **state)
{
    char *long_uri = apr_pcalloc(rig.pool, WXPAY_LINK_MAX + 16);
    apr_size_t len = strlen(FACTS "&attach=");

    (void)state;
    memcpy(long_uri, FACTS "&attach=", len);
    memset(long_uri + len, 'x', WXPAY_LINK_MAX + 1 - len);
    refuses(signed_by(rig.key, long_uri), WXPAY_ESIGN, "sign");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_known_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_either_key, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_byte_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_elsewhere, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_follows_sign_is_ignored, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_signed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_upper_case_is_another_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(test_expires, setup, teardown),
        cmocka_unit_test_setup_teardown(test_malformed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_long, setup, teardown),
    };
    int failed;

    apr_initialize();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return failed;
}
