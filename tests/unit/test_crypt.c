/* test_crypt.c - digests and encodings against published vectors. */
#include "support.h"

#include <pthread.h>
#include <string.h>

#include "crypt.h"

static void check_hex(const unsigned char *bytes, apr_size_t len, const char *expected)
{
    char hex[200];

    wxpay_crypt_hex(bytes, len, 0, hex);
    assert_string_equal(hex, expected);
}

static void md5_rfc1321(void **state)
{
    const wxpay_crypt_part_t parts[] = {{"mess", 4}, {"", 0}, {"age digest", 10}};
    unsigned char out[WXPAY_MD5_LEN];

    (void)state;
    assert_int_equal(wxpay_crypt_md5("", 0, out, NULL), WXPAY_OK);
    check_hex(out, sizeof(out), "d41d8cd98f00b204e9800998ecf8427e");
    assert_int_equal(wxpay_crypt_md5_parts(parts, 3, out, NULL), WXPAY_OK);
    check_hex(out, sizeof(out), "f96b697d7cb7938d525a2f31aaf161d0");
}

static void hmac_rfc4231(void **state)
{
    const wxpay_crypt_part_t parts[] = {{"what do ya want ", 16}, {"for nothing?", 12}};
    unsigned char out[WXPAY_SHA256_LEN], key[131];

    (void)state;
    assert_int_equal(wxpay_crypt_hmac_sha256_parts("Jefe", 4, parts, 2, out, NULL), WXPAY_OK);
    check_hex(out, sizeof(out), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof(key));
    assert_int_equal(wxpay_crypt_hmac_sha256(
                         key, sizeof(key), "Test Using Larger Than Block-Size Key - Hash Key First",
                         54, out, NULL),
                     WXPAY_OK);
    check_hex(out, sizeof(out), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void hkdf_rfc5869_without_salt(void **state)
{
    unsigned char key[22], out[42];

    (void)state;
    memset(key, 0x0b, sizeof(key));
    assert_int_equal(wxpay_crypt_hkdf_sha256(key, sizeof(key), "", out, sizeof(out), NULL),
                     WXPAY_OK);
    check_hex(out, sizeof(out),
              "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
              "9d201395faa4b61a96c8");
}

static void random_bytes_differ(void **state)
{
    unsigned char a[32] = {0}, b[32] = {0};

    (void)state;
    assert_int_equal(wxpay_crypt_random(a, sizeof(a), NULL), WXPAY_OK);
    assert_int_equal(wxpay_crypt_random(b, sizeof(b), NULL), WXPAY_OK);
    assert_memory_not_equal(a, b, sizeof(a));
}

static void base64_is_strict(void **state)
{
    static const struct {
        const char *text;
        const char *bytes; /* NULL: refused */
    } cases[] = {{"", ""},
                 {"Zg==", "f"},
                 {"Zm8=", "fo"},
                 {"Zm9v", "foo"},
                 {"Zm9vYg==", "foob"},
                 {"Zm9vYmE=", "fooba"},
                 {"Zm9vYmFy", "foobar"},
                 {" Z m\r\n9\tv ", "foo"},
                 {"Zg= =", "f"},
                 {"Zg=", NULL},
                 {"Zg", NULL},
                 {"Z", NULL},
                 {"Z===", NULL},
                 {"====", NULL},
                 {"=", NULL},
                 {"Zm9v=", NULL},
                 {"Zm9v==", NULL},
                 {"Zg==Zg==", NULL},
                 {"Zh==", NULL},
                 {"Zm9=", NULL},
                 {"Zm-v", NULL},
                 {"Zm_v", NULL},
                 {"Zm9v*", NULL},
                 {"Zm\xc3\xa9v", NULL}};
    unsigned char *bytes;
    apr_size_t i, len;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (cases[i].bytes) {
            assert_int_equal(wxpay_crypt_base64_decode(*state, cases[i].text, strlen(cases[i].text),
                                                       &bytes, &len, NULL),
                             WXPAY_OK);
            assert_int_equal(len, strlen(cases[i].bytes));
            assert_memory_equal(bytes, cases[i].bytes, len);
        }
        else if (wxpay_crypt_base64_decode(*state, cases[i].text, strlen(cases[i].text), &bytes,
                                           &len, NULL) != WXPAY_EPARSE) {
            fail_msg("taken: %s", cases[i].text);
        }
    }
    assert_int_equal(wxpay_crypt_base64_decode(*state, "Zm\0v", 4, &bytes, &len, NULL),
                     WXPAY_EPARSE);
}

static void base64_is_padded(void **state)
{
    static const char *const cases[][2] = {
        {"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
        {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"\xff\xfe\xfd\xfb", "//79+w=="}};
    char out[WXPAY_BASE64_SIZE(4)];

    (void)state;
    for (apr_size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        wxpay_crypt_base64(cases[i][0], strlen(cases[i][0]), out);
        assert_string_equal(out, cases[i][1]);
        assert_in_range(strlen(out) + 1, 1, WXPAY_BASE64_SIZE(strlen(cases[i][0])));
    }
}

static void base64url_has_no_padding(void **state)
{
    assert_string_equal(wxpay_crypt_base64url(*state, "", 0), "");
    assert_string_equal(wxpay_crypt_base64url(*state, "f", 1), "Zg");
    assert_string_equal(wxpay_crypt_base64url(*state, "fo", 2), "Zm8");
    assert_string_equal(wxpay_crypt_base64url(*state, "foo", 3), "Zm9v");
    assert_string_equal(wxpay_crypt_base64url(*state, "foobar", 6), "Zm9vYmFy");
    assert_string_equal(wxpay_crypt_base64url(*state, "\xff\xfe\xfd\xfb", 4), "__79-w");
}

static void hex_in_both_cases(void **state)
{
    char out[5];

    (void)state;
    wxpay_crypt_hex((const unsigned char *)"\x0a\xff", 2, 1, out);
    assert_string_equal(out, "0AFF");
    wxpay_crypt_hex((const unsigned char *)"\x0a\xff", 2, 0, out);
    assert_string_equal(out, "0aff");
    wxpay_crypt_hex(NULL, 0, 0, out);
    assert_string_equal(out, "");
}

static void aes_nist_block_needs_padding(void **state)
{
    /* SP 800-38A, F.1.5, first block: right key, but its text has no PKCS#7 padding */
    static const unsigned char key[32] = {0x60, 0x3d, 0xeb, 0x10, 0x15, 0xca, 0x71, 0xbe,
                                          0x2b, 0x73, 0xae, 0xf0, 0x85, 0x7d, 0x77, 0x81,
                                          0x1f, 0x35, 0x2c, 0x07, 0x3b, 0x61, 0x08, 0xd7,
                                          0x2d, 0x98, 0x10, 0xa3, 0x09, 0x14, 0xdf, 0xf4};
    static const unsigned char block[16] = {0xf3, 0xee, 0xd1, 0xbd, 0xb5, 0xd2, 0xa0, 0x3c,
                                            0x06, 0x4b, 0x5a, 0x7e, 0x3d, 0xb1, 0x81, 0xf8};
    apr_size_t len;
    char *out;

    assert_int_equal(wxpay_crypt_aes256_ecb_decrypt(*state, key, block, 16, &out, &len, NULL),
                     WXPAY_EPARSE);
    assert_int_equal(wxpay_crypt_aes256_ecb_decrypt(*state, key, block, 15, &out, &len, NULL),
                     WXPAY_EPARSE);
    assert_int_equal(wxpay_crypt_aes256_ecb_decrypt(*state, key, block, 0, &out, &len, NULL),
                     WXPAY_EPARSE);
}

static void *digest_many(void *data)
{
    unsigned char out[WXPAY_MD5_LEN], mac[WXPAY_SHA256_LEN];
    int i, *wrong = data;

    for (i = 0; i < 2000; i++) {
        if (wxpay_crypt_md5("abc", 3, out, NULL) != WXPAY_OK || out[0] != 0x90 ||
            wxpay_crypt_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, mac, NULL) !=
                WXPAY_OK ||
            mac[0] != 0x5b) {
            (*wrong)++;
        }
    }
    return NULL;
}

static void threads_do_not_disturb_each_other(void **state)
{
    pthread_t threads[4];
    int wrong[4] = {0}, i;

    (void)state;
    for (i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, digest_many, &wrong[i]), 0);
    }
    for (i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(wrong[i], 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        support_test(md5_rfc1321),
        support_test(hmac_rfc4231),
        support_test(hkdf_rfc5869_without_salt),
        support_test(random_bytes_differ),
        support_test(base64_is_strict),
        support_test(base64_is_padded),
        support_test(base64url_has_no_padding),
        support_test(hex_in_both_cases),
        support_test(aes_nist_block_needs_padding),
        support_test(threads_do_not_disturb_each_other),
    };

    return cmocka_run_group_tests_name("crypt", tests, NULL, NULL);
}
