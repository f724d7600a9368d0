/* test_sign.c - the v2 signature: every published and generated vector, and what verify refuses. */
#include "support.h"

#include <string.h>

#include <apr_strings.h>

#include "crypt.h"
#include "sign.h"

#define BOTH (WXPAY_SIGN_MD5 | WXPAY_SIGN_HMAC_SHA256)
#define KEY "0123456789abcdefABCDEF9876543210"

static wxpay_fields_t *bag_of(apr_pool_t *pool, json_t *object)
{
    wxpay_fields_t *fields = wxpay_fields_create(pool);
    wxpay_error_t err;
    const char *name;
    json_t *value;

    json_object_foreach (object, name, value) {
        assert_true(json_is_string(value));
        assert_int_equal(wxpay_fields_add(fields, name, strlen(name), json_string_value(value),
                                          json_string_length(value), &err),
                         WXPAY_OK);
    }
    return fields;
}

static void check_string_to_sign(apr_pool_t *pool, const wxpay_fields_t *fields, json_t *vector)
{
    const char *expected = support_text(vector, "string_to_sign");
    const char *key = support_text(vector, "key");
    wxpay_error_t err;
    wxpay_buf_t out;

    wxpay_buf_init(&out, pool, WXPAY_FIELDS_MAX_BYTES);
    assert_int_equal(wxpay_fields_canonical(fields, &out, &err), WXPAY_OK);
    wxpay_buf_puts(&out, "&key=");
    wxpay_buf_puts(&out, key);
    if (expected) {
        assert_string_equal(out.data, expected);
    }
    else {
        assert_int_equal(out.len,
                         json_integer_value(json_object_get(vector, "string_to_sign_bytes")));
    }
}

static void check_vector(apr_pool_t *pool, json_t *vector)
{
    const char *key_text = support_text(vector, "key");
    const wxpay_secret_t *key = wxpay_secret_create(pool, key_text, strlen(key_text));
    wxpay_sign_e type = wxpay_sign_by_name(support_text(vector, "sign_type")), used = 0;
    wxpay_fields_t *fields = bag_of(pool, json_object_get(vector, "fields"));
    const char *expected = support_text(vector, "sign");
    char sign[WXPAY_SIGN_SIZE];
    wxpay_error_t err;

    assert_true(type);
    check_string_to_sign(pool, fields, vector);
    assert_int_equal(wxpay_sign_make(fields, key, type, sign, &err), WXPAY_OK);
    if (strcmp(sign, expected) != 0) {
        fail_msg("%s: %s, not %s", support_text(vector, "name"), sign, expected);
    }
    if (wxpay_fields_find(fields, "sign")) {
        return;
    }
    wxpay_fields_add_ref(fields, "sign", expected, &err);
    assert_int_equal(wxpay_sign_verify(fields, key, type, &used, &err), WXPAY_OK);
    assert_int_equal(used, type);
}

static void every_vector_recomputes(void **state)
{
    json_t *file = support_vectors(*state, "v2-signatures.json");
    json_t *published = json_object_get(file, "published"), *vector;
    json_t *generated = json_object_get(file, "generated");
    size_t i;

    assert_true(json_array_size(published) >= 6);
    assert_true(json_array_size(generated) >= 66);
    json_array_foreach (published, i, vector) {
        check_vector(*state, vector);
    }
    json_array_foreach (generated, i, vector) {
        check_vector(*state, vector);
    }
}

/* The manual's samples were signed with a key that nobody published: they must not verify. */
static void samples_without_key_do_not_verify(void **state)
{
    json_t *samples =
        json_object_get(support_vectors(*state, "v2-signatures.json"), "published_without_key");
    const wxpay_secret_t *key = wxpay_secret_create(*state, KEY, strlen(KEY));
    wxpay_fields_t *fields;
    wxpay_sign_e used;
    wxpay_error_t err;
    json_t *sample;
    size_t i;

    assert_int_equal(json_array_size(samples), 6);
    json_array_foreach (samples, i, sample) {
        fields = bag_of(*state, json_object_get(sample, "fields"));
        if (!wxpay_fields_find(fields, "sign")) {
            wxpay_fields_add_ref(fields, "sign", support_text(sample, "sign"), &err);
        }
        assert_int_equal(wxpay_sign_verify(fields, key, BOTH, &used, &err), WXPAY_ESIGN);
    }
}

static void names_are_exact(void **state)
{
    (void)state;
    assert_int_equal(wxpay_sign_by_name("MD5"), WXPAY_SIGN_MD5);
    assert_int_equal(wxpay_sign_by_name("HMAC-SHA256"), WXPAY_SIGN_HMAC_SHA256);
    assert_int_equal(wxpay_sign_by_name("md5"), 0);
    assert_int_equal(wxpay_sign_by_name("HMAC-SHA256 "), 0);
    assert_int_equal(wxpay_sign_by_name("SHA256"), 0);
    assert_int_equal(wxpay_sign_by_name(""), 0);
    assert_int_equal(wxpay_sign_by_name(NULL), 0);
    assert_string_equal(wxpay_sign_name(WXPAY_SIGN_MD5), "MD5");
    assert_string_equal(wxpay_sign_name(WXPAY_SIGN_HMAC_SHA256), "HMAC-SHA256");
}

static void an_empty_key_signs_nothing(void **state)
{
    wxpay_fields_t *fields = wxpay_fields_create(*state);
    const wxpay_secret_t *empty = wxpay_secret_create(*state, "", 0);
    unsigned char digest[WXPAY_MD5_LEN];
    char sign[WXPAY_SIGN_SIZE];
    wxpay_sign_e used;
    wxpay_error_t err;

    assert_int_equal(wxpay_sign_make(fields, empty, WXPAY_SIGN_MD5, sign, &err), WXPAY_EINPUT);
    assert_int_equal(wxpay_sign_make(fields, NULL, WXPAY_SIGN_MD5, sign, &err), WXPAY_EINPUT);
    wxpay_crypt_md5("&key=", 5, digest, &err);
    wxpay_crypt_hex(digest, sizeof(digest), 1, sign);
    wxpay_fields_add_ref(fields, "sign", sign, &err);
    assert_int_equal(wxpay_sign_verify(fields, empty, BOTH, &used, &err), WXPAY_ESIGN);
    assert_int_equal(wxpay_sign_verify(fields, NULL, BOTH, &used, &err), WXPAY_ESIGN);
}

/* One genuine bag, with `sign` and `sign_type` replaced. */
static wxpay_rc_e verify(apr_pool_t *pool, const char *sign, const char *sign_type,
                         unsigned allowed)
{
    const wxpay_secret_t *key = wxpay_secret_create(pool, KEY, strlen(KEY));
    wxpay_fields_t *fields = wxpay_fields_create(pool);
    char genuine[WXPAY_SIGN_SIZE];
    wxpay_sign_e used, type = WXPAY_SIGN_MD5;
    wxpay_error_t err;
    wxpay_rc_e rc;
    char *text;

    wxpay_fields_add_ref(fields, "a", "1", &err);
    if (sign_type) {
        wxpay_fields_add_ref(fields, "sign_type", sign_type, &err);
    }
    if (strstr(sign, "HMAC")) {
        type = WXPAY_SIGN_HMAC_SHA256;
    }
    wxpay_sign_make(fields, key, type, genuine, &err);
    text = apr_pstrdup(pool, genuine);
    if (strstr(sign, "lower")) {
        for (; *text; text++) {
            *text = (char)(*text >= 'A' && *text <= 'F' ? *text + 32 : *text);
        }
        text -= strlen(genuine);
    }
    if (strstr(sign, "short")) {
        text[strlen(text) - 1] = '\0';
    }
    if (strstr(sign, "long")) {
        text = apr_pstrcat(pool, text, "0", NULL);
    }
    if (strstr(sign, "last")) {
        text[strlen(text) - 1] ^= 1;
    }
    if (strstr(sign, "first")) {
        text[0] ^= 1;
    }
    if (strstr(sign, "empty")) {
        text = apr_pstrdup(pool, "");
    }
    if (strstr(sign, "prefix")) {
        text[32] = '\0';
    }
    if (!strstr(sign, "none")) {
        wxpay_fields_add_ref(fields, "sign", text, &err);
    }
    wxpay_error_clear(&err);
    rc = wxpay_sign_verify(fields, key, allowed, &used, &err);
    assert_null(strstr(err.detail, genuine));
    return rc;
}

static void verify_takes_only_the_genuine_one(void **state)
{
    assert_int_equal(verify(*state, "MD5", NULL, BOTH), WXPAY_OK);
    assert_int_equal(verify(*state, "HMAC", NULL, BOTH), WXPAY_OK);
    assert_int_equal(verify(*state, "MD5", "MD5", BOTH), WXPAY_OK);
    assert_int_equal(verify(*state, "HMAC", "HMAC-SHA256", WXPAY_SIGN_HMAC_SHA256), WXPAY_OK);
    assert_int_equal(verify(*state, "MD5", "", WXPAY_SIGN_MD5), WXPAY_OK);
    assert_int_equal(verify(*state, "MD5", "HMAC-SHA256", BOTH), WXPAY_ESIGN);
    assert_int_equal(verify(*state, "HMAC", "MD5", BOTH), WXPAY_ESIGN);
    assert_int_equal(verify(*state, "MD5", "RSA", BOTH), WXPAY_ESIGN);
    assert_int_equal(verify(*state, "MD5", NULL, WXPAY_SIGN_HMAC_SHA256), WXPAY_ESIGN);
    assert_int_equal(verify(*state, "HMAC", NULL, WXPAY_SIGN_MD5), WXPAY_ESIGN);
    assert_int_equal(verify(*state, "MD5", NULL, 0), WXPAY_ESIGN);
    assert_int_equal(verify(*state, "none", NULL, BOTH), WXPAY_ESIGN);
    assert_int_equal(verify(*state, "empty", NULL, BOTH), WXPAY_ESIGN);
    assert_int_equal(verify(*state, "MD5 short", NULL, BOTH), WXPAY_ESIGN);
    assert_int_equal(verify(*state, "MD5 long", NULL, BOTH), WXPAY_ESIGN);
    assert_int_equal(verify(*state, "HMAC short", NULL, BOTH), WXPAY_ESIGN);
    assert_int_equal(verify(*state, "HMAC prefix", NULL, BOTH), WXPAY_ESIGN);
    assert_int_equal(verify(*state, "MD5 first", NULL, BOTH), WXPAY_ESIGN);
    assert_int_equal(verify(*state, "MD5 last", NULL, BOTH), WXPAY_ESIGN);
    assert_int_equal(verify(*state, "HMAC last", NULL, BOTH), WXPAY_ESIGN);
    assert_int_equal(verify(*state, "MD5 lower", NULL, BOTH), WXPAY_ESIGN);
}

static void the_largest_bag_is_signed(void **state)
{
    const wxpay_secret_t *key = wxpay_secret_create(*state, KEY, strlen(KEY));
    wxpay_fields_t *fields = wxpay_fields_create(*state);
    char sign[WXPAY_SIGN_SIZE];
    wxpay_sign_e used;
    wxpay_error_t err;
    int i;

    for (i = 0; i < WXPAY_FIELDS_MAX - 1; i++) {
        wxpay_fields_add_ref(fields, apr_psprintf(*state, "f%d", 1000 - i), "v", &err);
    }
    assert_int_equal(wxpay_sign_make(fields, key, WXPAY_SIGN_HMAC_SHA256, sign, &err), WXPAY_OK);
    wxpay_fields_add_ref(fields, "sign", sign, &err);
    assert_int_equal(fields->count, WXPAY_FIELDS_MAX);
    assert_int_equal(wxpay_sign_verify(fields, key, BOTH, &used, &err), WXPAY_OK);
    assert_string_equal(fields->items[0].name, "f1000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        support_test(every_vector_recomputes),
        support_test(samples_without_key_do_not_verify),
        support_test(names_are_exact),
        support_test(an_empty_key_signs_nothing),
        support_test(verify_takes_only_the_genuine_one),
        support_test(the_largest_bag_is_signed),
    };

    return cmocka_run_group_tests_name("sign", tests, NULL, NULL);
}
