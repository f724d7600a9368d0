/* test_fields.c - the bag, the string to sign, re-cuttable values, UTF-8, forms. */
#include "support.h"

#include <string.h>

#include <apr_strings.h>

#include "fields.h"

static wxpay_rc_e add(wxpay_fields_t *fields, const char *name, const char *value,
                      wxpay_error_t *err)
{
    return wxpay_fields_add(fields, name, strlen(name), value, strlen(value), err);
}

static void bag_keeps_names_once_and_in_order(void **state)
{
    wxpay_fields_t *fields = wxpay_fields_create(*state);
    wxpay_error_t err;
    char name[] = "b", value[] = "1";

    assert_int_equal(add(fields, name, value, &err), WXPAY_OK);
    name[0] = value[0] = 'x';
    assert_int_equal(add(fields, "a", "", &err), WXPAY_OK);
    assert_int_equal(wxpay_fields_add_int(fields, "c", APR_INT64_C(-9007199254740993), &err),
                     WXPAY_OK);
    assert_int_equal(wxpay_fields_add_ref(fields, "d", "ref", &err), WXPAY_OK);
    assert_int_equal(fields->count, 4);
    assert_string_equal(fields->items[0].name, "b");
    assert_string_equal(wxpay_fields_get(fields, "b"), "1");
    assert_string_equal(wxpay_fields_get(fields, "a"), "");
    assert_string_equal(wxpay_fields_get(fields, "c"), "-9007199254740993");
    assert_string_equal(wxpay_fields_get(fields, "d"), "ref");
    assert_null(wxpay_fields_get(fields, "B"));
    assert_null(wxpay_fields_find(fields, ""));
    assert_int_equal(wxpay_fields_find(fields, "d")->value_len, 3);
    assert_int_equal(add(fields, "a", "2", &err), WXPAY_EPARSE);
    assert_string_equal(err.field, "a");
    assert_int_equal(wxpay_fields_add_ref(fields, "d", "2", &err), WXPAY_EPARSE);
    assert_int_equal(fields->count, 4);
}

static void bag_refuses_what_does_not_fit(void **state)
{
    wxpay_fields_t *fields = wxpay_fields_create(*state);
    char *big = apr_palloc(*state, WXPAY_FIELDS_MAX_BYTES + 1);
    wxpay_error_t err;
    char long_name[100];
    int i;

    memset(big, 'x', WXPAY_FIELDS_MAX_BYTES + 1);
    memset(long_name, 'n', sizeof(long_name));
    assert_int_equal(wxpay_fields_add(fields, "a", 1, "x\0y", 3, &err), WXPAY_EPARSE);
    assert_int_equal(wxpay_fields_add(fields, "a\0b", 3, "x", 1, &err), WXPAY_EPARSE);
    assert_int_equal(wxpay_fields_add(fields, "", 0, "x", 1, &err), WXPAY_EPARSE);
    assert_int_equal(wxpay_fields_add(fields, long_name, sizeof(long_name), "\0", 1, &err),
                     WXPAY_EPARSE);
    assert_int_equal(strlen(err.field), sizeof(err.field) - 1);
    assert_int_equal(wxpay_fields_add(fields, "a", 1, big, WXPAY_FIELDS_MAX_BYTES, &err),
                     WXPAY_EPARSE);
    assert_int_equal(wxpay_fields_add(fields, "a", 1, big, WXPAY_FIELDS_MAX_BYTES - 1, &err),
                     WXPAY_OK);
    assert_int_equal(wxpay_fields_add(fields, "b", 1, "", 0, &err), WXPAY_EPARSE);

    fields = wxpay_fields_create(*state);
    for (i = 0; i < WXPAY_FIELDS_MAX; i++) {
        assert_int_equal(add(fields, apr_psprintf(*state, "f%d", i), "1", &err), WXPAY_OK);
    }
    assert_int_equal(add(fields, "one_more", "1", &err), WXPAY_EPARSE);
    assert_string_equal(err.field, "one_more");
    assert_string_equal(wxpay_fields_get(fields, "f255"), "1");
}

static void canonical_sorts_names_and_leaves_the_bag_alone(void **state)
{
    static const char *const names[] = {"fee2", "fee", "_x", "a", "Z", "A1", "sign", "empty", "A"};
    wxpay_fields_t *fields = wxpay_fields_create(*state);
    wxpay_error_t err;
    wxpay_buf_t out;
    apr_size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        add(fields, names[i], strcmp(names[i], "empty") ? "v&=" : "", &err);
    }
    wxpay_buf_init(&out, *state, 1000);
    assert_int_equal(wxpay_fields_canonical(fields, &out, &err), WXPAY_OK);
    assert_string_equal(out.data, "A=v&=&A1=v&=&Z=v&=&_x=v&=&a=v&=&fee=v&=&fee2=v&=");
    assert_string_equal(fields->items[0].name, "fee2");
    wxpay_buf_init(&out, *state, 10);
    assert_int_equal(wxpay_fields_canonical(fields, &out, &err), WXPAY_EPARSE);
    wxpay_buf_init(&out, *state, 10);
    assert_int_equal(wxpay_fields_canonical(wxpay_fields_create(*state), &out, &err), WXPAY_OK);
    assert_string_equal(out.data, "");
}

static void recuttable_values_are_found(void **state)
{
    static const char *const bad[] = {"x&total_fee=1",           "&sign=",
                                      "a=1&b=2&openid=o",        "x&coupon_id_0=1",
                                      "x&coupon_fee_11=1",       "x&coupon_refund_id_0_1=1",
                                      "&&total_fee=1",           "x&a&attach==",
                                      "x&refund_status_0=S",     "x&out_trade_no=",
                                      "x&refund_recv_accout_2=x"};
    static const char *const good[] = {"",
                                       "a=1&b=2",
                                       "total_fee=1",
                                       "x&total_fee",
                                       "x&total_fee 1=2",
                                       "x&Total_fee=1",
                                       "x&total_fee_x=1",
                                       "x&total_fees=1",
                                       "x&amp;total_fee=1",
                                       "x&_0=1",
                                       "x&0=1",
                                       "x&coupon_id0=1",
                                       "&",
                                       "&=",
                                       "&&&",
                                       "x&\xe5\xae\x89=1"};
    const char *name = NULL;
    apr_size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (!wxpay_fields_recuttable(bad[i], strlen(bad[i]), &name)) {
            fail_msg("not found in %s", bad[i]);
        }
        assert_non_null(strstr(bad[i], name));
    }
    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (wxpay_fields_recuttable(good[i], strlen(good[i]), NULL)) {
            fail_msg("found in %s", good[i]);
        }
    }
    /* bounded by the length given, not by a NUL */
    assert_false(wxpay_fields_recuttable("x&total_fee=1", 11, NULL));
    assert_true(wxpay_fields_recuttable("x&total_fee=1", 12, NULL));
}

static void recuttable_names_are_those_of_the_vectors(void **state)
{
    /* every field that the signature vectors of the v2 messages use, but those of the bridge */
    static const char *const others[] = {"appId", "timeStamp", "nonceStr", "package", "signType"};
    json_t *vectors =
        json_object_get(support_vectors(*state, "v2-notifications.json"), "notifications");
    json_t *vector, *value;
    const char *name, *text;
    size_t i, j;
    int seen = 0, skip;

    json_array_foreach (vectors, i, vector) {
        json_object_foreach (json_object_get(vector, "fields"), name, value) {
            skip = 0;
            for (j = 0; j < sizeof(others) / sizeof(others[0]); j++) {
                skip |= strcmp(others[j], name) == 0;
            }
            text = apr_pstrcat(*state, "x&", name, "=1", NULL);
            if (!skip && !wxpay_fields_recuttable(text, strlen(text), NULL)) {
                fail_msg("%s is not known", name);
            }
            seen++;
        }
    }
    assert_true(seen > 300);
}

static void utf8_is_strict(void **state)
{
    static const struct {
        const char *text;
        int longest; /* sequence needed, 0: never well-formed */
    } cases[] = {{"", 1},
                 {"plain", 1},
                 {"\xc3\xa9", 2},
                 {"\xe5\xae\x89", 3},
                 {"\xef\xbf\xbd", 3},
                 {"\xed\x9f\xbf", 3},
                 {"\xee\x80\x80", 3},
                 {"\xe0\xa0\x80", 3},
                 {"\xf0\x9f\x98\x80", 4},
                 {"\xf4\x8f\xbf\xbf", 4},
                 {"\xf0\x90\x80\x80", 4},
                 {"\x80", 0},
                 {"\xc0\x80", 0},
                 {"\xc1\xbf", 0},
                 {"\xc3", 0},
                 {"\xc3(", 0},
                 {"\xe0\x9f\xbf", 0},
                 {"\xed\xa0\x80", 0},
                 {"\xed\xbf\xbf", 0},
                 {"\xe5\xae", 0},
                 {"\xe5\xae(", 0},
                 {"\xf0\x8f\xbf\xbf", 0},
                 {"\xf4\x90\x80\x80", 0},
                 {"\xf5\x80\x80\x80", 0},
                 {"\xf0\x9f\x98", 0},
                 {"\xff", 0},
                 {"\xfe", 0}};
    char run[27];
    apr_size_t i;
    int max;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (max = 1; max <= 4; max++) {
            assert_int_equal(wxpay_fields_utf8(cases[i].text, strlen(cases[i].text), max),
                             cases[i].longest && max >= cases[i].longest);
        }
    }
    /* at every place in and around a run of eight */
    for (i = 0; i < 24; i++) {
        memset(run, 'x', sizeof(run));
        assert_true(wxpay_fields_utf8(run, sizeof(run), 1));
        memcpy(run + i, "\xe5\xae\x89", 3);
        assert_true(wxpay_fields_utf8(run, sizeof(run), 3));
        assert_false(wxpay_fields_utf8(run, sizeof(run), 2));
        run[i] = 'x';
        assert_false(wxpay_fields_utf8(run, sizeof(run), 3));
    }
    assert_true(wxpay_fields_utf8("a\0b", 3, 1));
    assert_false(wxpay_fields_utf8("\xe5\xae\x89", 2, 3));
}

static void form_is_decoded(void **state)
{
    const char *form = "a=1%26b%3d2&&empty=&none&sp=a+b%20c&zh=%E5%AE%89&raw=\xe5\xae\x89&"
                       "e=%F0%9F%98%80&eq=x=y&";
    wxpay_fields_t *fields;
    wxpay_error_t err;

    assert_int_equal(wxpay_fields_parse_form(*state, form, strlen(form), &fields, &err), WXPAY_OK);
    assert_int_equal(fields->count, 8);
    assert_string_equal(wxpay_fields_get(fields, "a"), "1&b=2");
    assert_string_equal(wxpay_fields_get(fields, "empty"), "");
    assert_string_equal(wxpay_fields_get(fields, "none"), "");
    assert_string_equal(wxpay_fields_get(fields, "sp"), "a b c");
    assert_string_equal(wxpay_fields_get(fields, "zh"), "\xe5\xae\x89");
    assert_string_equal(wxpay_fields_get(fields, "raw"), "\xe5\xae\x89");
    assert_string_equal(wxpay_fields_get(fields, "eq"), "x=y");
    assert_int_equal(wxpay_fields_parse_form(*state, "", 0, &fields, &err), WXPAY_OK);
    assert_int_equal(fields->count, 0);
}

static void form_refuses_what_is_ambiguous(void **state)
{
    static const struct {
        const char *form;
        const char *field;
    } cases[] = {{"a=1&a=2", "a"},
                 {"a=1&%61=2", "a"},
                 {"a=%", "a"},
                 {"a=%4", "a"},
                 {"a=%zz", "a"},
                 {"a=%00", "a"},
                 {"a=%ff", "a"},
                 {"a=%ed%a0%80", "a"},
                 {"=1", ""},
                 {"%zz=1", ""},
                 {"%ff=1", ""},
                 {"b=1&a%00=1", "a"},
                 {"body=%c0%af", "body"},
                 {"total_fee=1&total_fee=1", "total_fee"}};
    wxpay_fields_t *fields;
    wxpay_error_t err;
    apr_size_t i;
    char *big;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(
            wxpay_fields_parse_form(*state, cases[i].form, strlen(cases[i].form), &fields, &err),
            WXPAY_EPARSE);
        assert_string_equal(err.field, cases[i].field);
    }
    big = apr_palloc(*state, 3 * WXPAY_FIELDS_MAX_BYTES + 1);
    memset(big, '&', 3 * WXPAY_FIELDS_MAX_BYTES + 1);
    assert_int_equal(
        wxpay_fields_parse_form(*state, big, 3 * WXPAY_FIELDS_MAX_BYTES + 1, &fields, &err),
        WXPAY_EPARSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        support_test(bag_keeps_names_once_and_in_order),
        support_test(bag_refuses_what_does_not_fit),
        support_test(canonical_sorts_names_and_leaves_the_bag_alone),
        support_test(recuttable_values_are_found),
        support_test(recuttable_names_are_those_of_the_vectors),
        support_test(utf8_is_strict),
        support_test(form_is_decoded),
        support_test(form_refuses_what_is_ambiguous),
    };

    return cmocka_run_group_tests_name("fields", tests, NULL, NULL);
}
