/* test_token.c - derived keys, unguessable names, CSRF tokens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "crypt.h"
#include "token.h"

static apr_pool_t *pool;
static wxpay_error_t err;

static const wxpay_secret_t *key_of(const char *label, const char *site)
{
    wxpay_secret_t *state = wxpay_secret_create(pool, "0123456789abcdef0123456789abcdef", 32);
    wxpay_secret_t *key = NULL;

    assert_int_equal(wxpay_token_derive(pool, state, label, site, &key, &err), WXPAY_OK);
    assert_int_equal(wxpay_secret_len(key), 32);
    return key;
}

static int same(const wxpay_secret_t *a, const wxpay_secret_t *b)
{
    return wxpay_secret_memeq(wxpay_secret_bytes(a), wxpay_secret_bytes(b), 32);
}

static void keys_differ_by_use_and_site(void **state)
{
    const wxpay_secret_t *key = key_of("csrf", "https://a.example");

    (void)state;
    assert_true(same(key, key_of("csrf", "https://a.example")));
    assert_false(same(key, key_of("oauth", "https://a.example")));
    assert_false(same(key, key_of("csrf", "https://b.example")));
    assert_false(same(key_of("a", "bc"), key_of("ab", "c")));
}

/* Computed with Python's hmac: no salt, info "mod_wxpay csrf\nhttps://a.example". */
static void derivation_is_rfc5869(void **state)
{
    static const unsigned char expected[32] = {
        0x69, 0x83, 0x53, 0xfc, 0xae, 0x3e, 0x2e, 0xfe, 0x2a, 0xdf, 0xc6,
        0x10, 0x0b, 0x15, 0x18, 0x73, 0xf6, 0xef, 0x63, 0x39, 0x25, 0x4f,
        0xfb, 0x31, 0x8a, 0xe3, 0xe2, 0x9d, 0x38, 0x12, 0xb9, 0xf4,
    };
    const wxpay_secret_t *key = key_of("csrf", "https://a.example");

    (void)state;
    assert_memory_equal(wxpay_secret_bytes(key), expected, 32);
}

static void pay_ids_are_distinct_and_canonical(void **state)
{
    const char *a;
    const char *b;
    char changed[23];

    (void)state;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(wxpay_token_pay_id(pool, &a, &err), WXPAY_OK);
        assert_int_equal(wxpay_token_pay_id(pool, &b, &err), WXPAY_OK);
        assert_int_equal(strlen(a), WXPAY_PAY_ID_LEN);
        assert_true(wxpay_token_is_pay_id(a, strlen(a)));
        assert_string_not_equal(a, b);
    }
    memcpy(changed, a, sizeof(changed));
    changed[21]++; /* same 128 bits for a lax decoder */
    assert_false(wxpay_token_is_pay_id(changed, 22));
}

static void odd_pay_ids_are_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "AAAAAAAAAAAAAAAAAAAAA",
                                      "AAAAAAAAAAAAAAAAAAAAAAA",
                                      "AAAAAAAAAAAAAAAAAAAAAB",
                                      "AAAAAAAAAAAAAAAAAAAA+A",
                                      "AAAAAAAAAAAAAAAAAAAA/A",
                                      "AAAAAAAAAAAAAAAAAAAA=="};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(wxpay_token_is_pay_id(bad[i], strlen(bad[i])));
    }
    assert_false(wxpay_token_is_pay_id("AAAAAAAAAA\0AAAAAAAAAAA", 22));
    assert_false(wxpay_token_is_pay_id("AAAAAAAAAAAAAAAAAAAAA\0", 22));
    assert_true(wxpay_token_is_pay_id("A-_zAAAAAAAAAAAAAAAAAw", 22));
}

static void nonce_str_uses_its_whole_alphabet(void **state)
{
    int seen[256] = {0};
    int letters = 0;
    char nonce[33];

    (void)state;
    for (int i = 0; i < 500; i++) {
        assert_int_equal(wxpay_token_nonce_str(nonce, &err), WXPAY_OK);
        assert_int_equal(strlen(nonce), 32);
        for (const char *c = nonce; *c; c++) {
            seen[(unsigned char)*c]++;
        }
    }
    for (int c = 0; c < 256; c++) {
        int alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

        assert_true(alnum || seen[c] == 0);
        letters += seen[c] > 0;
    }
    assert_int_equal(letters, 62);
}

static void chars_of_any_length(void **state)
{
    char out[201];

    (void)state;
    assert_int_equal(wxpay_token_chars("ab", out, 1, &err), WXPAY_OK);
    assert_string_equal(out, "");
    assert_int_equal(wxpay_token_chars("ab", out, sizeof(out), &err), WXPAY_OK);
    assert_int_equal(strlen(out), 200);
    assert_int_equal(strspn(out, "ab"), 200);
}

#define ID "AAAAAAAAAAAAAAAAAAAAAA"
#define OTHER "BAAAAAAAAAAAAAAAAAAAAA"
#define NOW apr_time_from_sec(1795489500)

static void csrf_holds_for_its_page_and_time(void **state)
{
    const wxpay_secret_t *key = key_of("csrf", "https://a.example");
    const wxpay_secret_t *wrong = key_of("csrf", "https://b.example");
    const char *token;

    (void)state;
    assert_int_equal(wxpay_token_csrf_make(pool, key, ID, NOW, &token, &err), WXPAY_OK);
    assert_true(wxpay_token_csrf_check(key, ID, token, NOW));
    assert_true(wxpay_token_csrf_check(key, ID, token, NOW + WXPAY_CSRF_TTL));
    assert_false(wxpay_token_csrf_check(key, ID, token, NOW + WXPAY_CSRF_TTL + APR_USEC_PER_SEC));
    assert_true(wxpay_token_csrf_check(key, ID, token, NOW - apr_time_from_sec(300)));
    assert_false(wxpay_token_csrf_check(key, ID, token, NOW - apr_time_from_sec(301)));
    assert_false(wxpay_token_csrf_check(key, OTHER, token, NOW));
    assert_false(wxpay_token_csrf_check(wrong, ID, token, NOW));
    assert_false(wxpay_token_csrf_check(key, "", token, NOW));
    assert_false(wxpay_token_csrf_check(key, ID, "", NOW));
}

static void csrf_changed_anywhere_is_refused(void **state)
{
    const wxpay_secret_t *key = key_of("csrf", "https://a.example");
    const char *token;
    char *changed;

    (void)state;
    assert_int_equal(wxpay_token_csrf_make(pool, key, ID, NOW, &token, &err), WXPAY_OK);
    for (size_t i = 0; i < strlen(token); i++) {
        changed = apr_pstrdup(pool, token);
        changed[i] = changed[i] == '0' ? '1' : '0';
        assert_false(wxpay_token_csrf_check(key, ID, changed, NOW));
        changed[i] = '\0';
        assert_false(wxpay_token_csrf_check(key, ID, changed, NOW));
    }
    changed = apr_pstrdup(pool, token);
    memset(changed, 'f', 16);
    assert_false(wxpay_token_csrf_check(key, ID, changed, NOW));
    memset(changed, 'z', 16);
    assert_false(wxpay_token_csrf_check(key, ID, changed, NOW));
    assert_int_equal(wxpay_token_csrf_make(pool, key, "short", NOW, &token, &err), WXPAY_EINTERNAL);
}

/* What a cookie would be, were it made for openid and this time. */
static char *cookie_for(const wxpay_secret_t *key, const char *openid, apr_int64_t until)
{
    const char *said =
        apr_psprintf(pool, "%016" APR_UINT64_T_HEX_FMT "%s", (apr_uint64_t)until, openid);
    unsigned char mac[WXPAY_SHA256_LEN];
    char hex[2 * WXPAY_SHA256_LEN + 1];

    wxpay_crypt_hmac_sha256(wxpay_secret_bytes(key), wxpay_secret_len(key), said, strlen(said), mac,
                            &err);
    wxpay_crypt_hex(mac, sizeof(mac), 0, hex);
    return apr_psprintf(pool, "%.16s%s%s", said, hex, openid);
}

static void the_buyers_cookie(void **state)
{
    const wxpay_secret_t *key = key_of("buyer", "https://a.example");
    const char *openid = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6-";
    apr_time_t now = apr_time_from_sec(1700000000);
    char *cookie = cookie_for(key, openid, 1700000001);

    (void)state;
    assert_string_equal(wxpay_token_buyer(key, cookie, now), openid);
    assert_null(wxpay_token_buyer(key, cookie, now + apr_time_from_sec(1)));
    assert_null(wxpay_token_buyer(key_of("csrf", "https://a.example"), cookie, now));
    assert_null(wxpay_token_buyer(key_of("buyer", "https://b.example"), cookie, now));
    for (char *c = cookie; *c; c++) {
        char was = *c;

        *c = was == 'a' ? 'b' : 'a';
        assert_null(wxpay_token_buyer(key, cookie, now));
        *c = was;
    }
    assert_null(wxpay_token_buyer(key, apr_pstrcat(pool, cookie, "x", NULL), now));
    for (apr_size_t len = strlen(cookie); len-- > 0;) {
        assert_null(wxpay_token_buyer(key, apr_pstrndup(pool, cookie, len), now));
    }
}

static void odd_buyers_are_refused(void **state)
{
    const wxpay_secret_t *key = key_of("buyer", "https://a.example");
    apr_time_t now = apr_time_from_sec(1700000000);
    char *longest = apr_pcalloc(pool, 130);

    (void)state;
    assert_null(wxpay_token_buyer(key, cookie_for(key, "", 1700000001), now));
    assert_null(wxpay_token_buyer(key, cookie_for(key, "o 1", 1700000001), now));
    assert_null(wxpay_token_buyer(key, cookie_for(key, "o\xc3\xa9", 1700000001), now));
    memset(longest, 'o', 129);
    assert_null(wxpay_token_buyer(key, cookie_for(key, longest, 1700000001), now));
    assert_non_null(wxpay_token_buyer(key, cookie_for(key, longest + 1, 1700000001), now));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_differ_by_use_and_site),
        cmocka_unit_test(derivation_is_rfc5869),
        cmocka_unit_test(pay_ids_are_distinct_and_canonical),
        cmocka_unit_test(odd_pay_ids_are_refused),
        cmocka_unit_test(nonce_str_uses_its_whole_alphabet),
        cmocka_unit_test(chars_of_any_length),
        cmocka_unit_test(csrf_holds_for_its_page_and_time),
        cmocka_unit_test(csrf_changed_anywhere_is_refused),
        cmocka_unit_test(the_buyers_cookie),
        cmocka_unit_test(odd_buyers_are_refused),
    };
    int failed;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    apr_pool_destroy(pool);
    apr_terminate();
    return failed;
}
