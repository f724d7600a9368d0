/* test_json.c - JSON in and out. */
#include "support.h"

#include <string.h>

#include "json.h"

static const char *const nested[] = {"detail", "scene_info", NULL};

static wxpay_rc_e read_json(apr_pool_t *pool, const char *text, wxpay_fields_t **fields,
                            wxpay_error_t *err)
{
    return wxpay_json_to_fields(pool, text, strlen(text), nested, fields, err);
}

static void object_becomes_fields(void **state)
{
    wxpay_fields_t *fields;
    wxpay_error_t err;

    assert_int_equal(
        read_json(*state,
                  " {\"s\":\"\xe5\xae\x89 \\u5b89\",\"i\":-12,\"big\":9223372036854775807,"
                  "\"n\":null,\"e\":\"\",\"detail\":{\"b\": 1, \"a\":[\"/\", true]}}\n",
                  &fields, &err),
        WXPAY_OK);
    assert_int_equal(fields->count, 5);
    assert_string_equal(wxpay_fields_get(fields, "s"), "\xe5\xae\x89 \xe5\xae\x89");
    assert_string_equal(wxpay_fields_get(fields, "i"), "-12");
    assert_string_equal(wxpay_fields_get(fields, "big"), "9223372036854775807");
    assert_null(wxpay_fields_get(fields, "n"));
    assert_string_equal(wxpay_fields_get(fields, "e"), "");
    assert_string_equal(wxpay_fields_get(fields, "detail"), "{\"b\":1,\"a\":[\"/\",true]}");
    assert_int_equal(read_json(*state, "{}", &fields, &err), WXPAY_OK);
    assert_int_equal(fields->count, 0);
}

static void what_is_no_flat_object_is_refused(void **state)
{
    static const struct {
        const char *text;
        const char *field;
    } cases[] = {
        {"", ""},
        {"[]", ""},
        {"\"a\"", ""},
        {"{\"a\":1}x", ""},
        {"{\"a\":1", ""},
        {"{\"a\":1}{}", ""},
        {"{\"a\":1,\"a\":2}", "a"},
        {"{\"a\":1,\"\\u0061\":2}", ""},
        {"{\"a\":1.0}", "a"},
        {"{\"a\":1e2}", "a"},
        {"{\"a\":9223372036854775808}", ""},
        {"{\"a\":true}", "a"},
        {"{\"a\":false}", "a"},
        {"{\"a\":{}}", "a"},
        {"{\"a\":[1]}", "a"},
        {"{\"detail\":{\"p\":1.5}}", "detail"},
        {"{\"detail\":[{\"p\":[1,2.5]}]}", "detail"},
        {"{\"detail\":true}", "detail"},
        {"{\"detail\":{\"p\":1,\"p\":2}}", "p"},
        {"{\"a\":\"x\\u0000y\"}", ""},
        {"{\"a\\u0000\":\"x\"}", ""},
        {"{\"a\":\"\\ud800\"}", ""},
        {"{\"a\":\"\xff\"}", ""},
        {"{\"a\":\"\xed\xa0\x80\"}", ""},
        {"{a:1}", ""},
        {"{'a':1}", ""},
        {"{\"a\":01}", ""},
        {"{\"a\":1,}", ""},
        {"{\"\":1}", ""},
        {"{\"detail\":[[[[[[[[1]]]]]]]]}", ""},
    };
    wxpay_fields_t *fields;
    wxpay_error_t err;
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (read_json(*state, cases[i].text, &fields, &err) != WXPAY_EPARSE) {
            fail_msg("taken: %s", cases[i].text);
        }
        assert_string_equal(err.field, cases[i].field);
    }
    /* a NUL byte ends nothing */
    assert_int_equal(wxpay_json_to_fields(*state, "{}\0x", 4, NULL, &fields, &err), WXPAY_EPARSE);
    assert_int_equal(wxpay_json_to_fields(*state, "{\"detail\":{}}", 13, NULL, &fields, &err),
                     WXPAY_EPARSE);
}

static void depth_is_limited_before_parsing(void **state)
{
    const char *quoted = "[\"[[[[[[[[[[[[\\\"[[[\"]";
    char deep[5000];

    (void)state;
    memset(deep, '[', sizeof(deep));
    assert_false(wxpay_json_valid(deep, sizeof(deep)));
    assert_true(wxpay_json_valid("[[[[[[[[]]]]]]]]", 16));
    assert_false(wxpay_json_valid("[[[[[[[[[]]]]]]]]]", 18));
    assert_true(wxpay_json_valid(quoted, strlen(quoted)));
}

static void valid_is_one_value(void **state)
{
    (void)state;
    assert_true(wxpay_json_valid("{\"a\":1.5}", 9));
    assert_true(wxpay_json_valid("1", 1));
    assert_false(wxpay_json_valid("1 2", 3));
    assert_false(wxpay_json_valid("", 0));
    assert_false(wxpay_json_valid("{\"a\":1,\"a\":2}", 13));
    assert_false(wxpay_json_valid("\"abc", 4));
    assert_false(wxpay_json_valid("\"a\\", 3));
}

static void text_is_compact_and_in_order(void **state)
{
    json_t *json = wxpay_json_object(*state);

    assert_string_equal(wxpay_json_text(*state, json), "{}");
    json_object_set_new(json, "z", json_string("\xe5\xae\x89/\"\n"));
    json_object_set_new(json, "a", json_integer(1990));
    assert_string_equal(wxpay_json_text(*state, json),
                        "{\"z\":\"\xe5\xae\x89/\\\"\\n\",\"a\":1990}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        support_test(object_becomes_fields),
        support_test(what_is_no_flat_object_is_refused),
        support_test(depth_is_limited_before_parsing),
        support_test(valid_is_one_value),
        support_test(text_is_compact_and_in_order),
    };

    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
