/* test_xml.c - what is read as a v2 document, what is not, and what is written. */
#include "support.h"

#include <malloc.h>
#include <pthread.h>
#include <string.h>

#include <apr_strings.h>

#include "xml.h"

static wxpay_xml_t *xml;

static int setup(void **state)
{
    if (support_setup(state) != 0) {
        return -1;
    }
    xml = wxpay_xml_create(*state);
    return 0;
}

#define xml_test(function) cmocka_unit_test_setup_teardown(function, setup, support_teardown)

static wxpay_rc_e parse(apr_pool_t *pool, const char *text, wxpay_fields_t **fields,
                        wxpay_error_t *err)
{
    /* exactly as long as said, so that a reader beyond the end is noticed */
    apr_size_t len = strlen(text);
    char *copy = malloc(len ? len : 1);
    wxpay_rc_e rc;

    memcpy(copy, text, len);
    rc = wxpay_xml_read(xml, pool, "xml", copy, len, fields, err);
    free(copy);
    return rc;
}

static void values_are_decoded(void **state)
{
    const char *text =
        "<?xml version='1.0' encoding = 'Utf-8' standalone='yes'?>\n"
        "<!-- before --><xml >\r\n\t<a>plain &amp; &lt;x&gt; &#65;&#x5b89;</a><!---->"
        "<b><![CDATA[<raw>&amp;]]></b><c><![CDATA[x]]]]><![CDATA[>y]]></c >"
        "<d/><e></e><f><![CDATA[]]></f><g> a\r\nb </g><h>1<![CDATA[2]]>3</h>"
        "<i.j-k_1>0</i.j-k_1></xml>\n<!-- after -->\n";
    wxpay_fields_t *fields;
    wxpay_error_t err;

    assert_int_equal(parse(*state, text, &fields, &err), WXPAY_OK);
    assert_int_equal(fields->count, 9);
    assert_string_equal(wxpay_fields_get(fields, "a"), "plain & <x> A\xe5\xae\x89");
    assert_string_equal(wxpay_fields_get(fields, "b"), "<raw>&amp;");
    assert_string_equal(wxpay_fields_get(fields, "c"), "x]]>y");
    assert_string_equal(wxpay_fields_get(fields, "d"), "");
    assert_string_equal(wxpay_fields_get(fields, "e"), "");
    assert_string_equal(wxpay_fields_get(fields, "f"), "");
    assert_string_equal(wxpay_fields_get(fields, "g"), " a\nb ");
    assert_string_equal(wxpay_fields_get(fields, "h"), "123");
    assert_string_equal(wxpay_fields_get(fields, "i.j-k_1"), "0");
}

static void anything_else_is_refused(void **state)
{
    static const struct {
        const char *text;
        const char *why;
    } cases[] = {
        {"", "empty"},
        {" \n", "well-formed"},
        {"a=1", "well-formed"},
        {"<xml><a>1</a>", "well-formed"},
        {"<xml><a>1</b></xml>", "well-formed"},
        {"<xml><a>1</a></xml>x", "well-formed"},
        {"<xml/><xml/>", "well-formed"},
        {"<xml><a>&b;</a></xml>", "well-formed"},
        {"<xml><a>&#0;</a></xml>", "well-formed"},
        {"<xml><a>a & b</a></xml>", "well-formed"},
        {"<xml><a>]]></a></xml>", "well-formed"},
        {"<xml><a>\x01</a></xml>", "well-formed"},
        {"<xml><1>x</1></xml>", "well-formed"},
        {"<root><a>1</a></root>", "root"},
        {"<XML><a>1</a></XML>", "root"},
        {"<!DOCTYPE xml><xml/>", "DOCTYPE"},
        {"<!DOCTYPE xml [<!ENTITY e 'x'>]><xml><a>&e;</a></xml>", "DOCTYPE"},
        {"<!DOCTYPE xml SYSTEM 'file:///etc/passwd'><xml/>", "DOCTYPE"},
        {"<!DOCTYPE xml PUBLIC 'a' 'http://127.0.0.1:1/x'><xml/>", "DOCTYPE"},
        {"<xml><?php x?></xml>", "processing"},
        {"<?a b?><xml/>", "processing"},
        {"<xml/><?a b?>", "processing"},
        {"<xml><a>1<?b?></a></xml>", "processing"},
        {"<xml><a><b>1</b></a></xml>", "inside"},
        {"<xml><a>1<!-- x --></a></xml>", "comment"},
        {"<xml>x<a>1</a></xml>", "beside"},
        {"<xml><a>1</a>&amp;</xml>", "beside"},
        {"<xml><![CDATA[x]]></xml>", "beside"},
        {"<xml><![CDATA[ ]]></xml>", "beside"},
        {"<xml a='1'/>", "attribute"},
        {"<xml><a b='1'>1</a></xml>", "attribute"},
        {"<xml xml:lang='en'/>", "attribute"},
        {"<xml xmlns='urn:x'/>", "attribute"},
        {"<xml xmlns:p='urn:x'><p:a>1</p:a></xml>", "attribute"},
        {"<xml><xml:a>1</xml:a></xml>", "namespace"},
        {"<xml><p:a>1</p:a></xml>", "namespace"},
        {"<xml><a>1</a><a>1</a></xml>", "twice"},
        {"\xef\xbb\xbf<xml/>", "byte order mark"},
        {"<xml><a>\xff</a></xml>", "UTF-8"},
        {"<xml><a>\xed\xa0\x80</a></xml>", "UTF-8"},
        {"<xml><a>\xc0\xaf</a></xml>", "UTF-8"},
        {"<?xml version='1.0' encoding='GBK'?><xml/>", "encoding"},
        {"<?xml version='1.0' encoding='UTF-7'?><xml/>", "encoding"},
        {"<?xml version='1.0' encoding=\"utf-8'?><xml/>", "encoding"},
        {"<?xml version='1.0' encoding='utf-88'?><xml/>", "encoding"},
        {"<?xml version='1.0' encoding=utf-8?><xml/>", "encoding"},
        {"<?xml version='1.0' encoding='utf-8' encoding='gbk'?><xml/>", "well-formed"},
        {"<?xml version='>' encoding='gbk'?><xml/>", "well-formed"},
        {"<?xml", "well-formed"},
        {"<?xml version='1.0'?>", "well-formed"},
        {" <?xml version='1.0'?><xml/>", "well-formed"},
    };
    wxpay_fields_t *fields;
    wxpay_error_t err;
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (parse(*state, cases[i].text, &fields, &err) != WXPAY_EPARSE) {
            fail_msg("taken: %s", cases[i].text);
        }
        if (!strstr(err.detail, cases[i].why)) {
            fail_msg("%s: %s", cases[i].text, err.detail);
        }
    }
    assert_int_equal(wxpay_xml_read(xml, *state, "xml", "<xml/>\0<xml/>", 13, &fields, &err),
                     WXPAY_EPARSE);
    assert_non_null(strstr(err.detail, "NUL"));
}

static void refusals_say_which_field_is_doubled_but_quote_no_value(void **state)
{
    wxpay_fields_t *fields;
    wxpay_error_t err;

    parse(*state, "<xml><openid>oSecret</openid><openid>oSecret</openid></xml>", &fields, &err);
    assert_string_equal(err.field, "openid");
    assert_null(strstr(err.detail, "oSecret"));
    parse(*state, "<xml><openid>oSecret&x;</openid></xml>", &fields, &err);
    assert_null(strstr(err.detail, "oSecret"));
}

static void limits_hold(void **state)
{
    apr_size_t len = WXPAY_XML_MAX;
    char *text = apr_palloc(*state, len + 2);
    wxpay_fields_t *fields;
    wxpay_error_t err;
    apr_size_t at;
    int i;

    memset(text, 'x', len);
    memcpy(text, "<xml><a>", 8);
    memcpy(text + len - 10, "</a></xml>", 10);
    assert_int_equal(wxpay_xml_read(xml, *state, "xml", text, len, &fields, &err), WXPAY_OK);
    assert_int_equal(strlen(wxpay_fields_get(fields, "a")), len - 18);
    text[len] = '\n';
    assert_int_equal(wxpay_xml_read(xml, *state, "xml", text, len + 1, &fields, &err),
                     WXPAY_EPARSE);
    at = (apr_size_t)apr_snprintf(text, len, "<xml>");
    for (i = 0; i < WXPAY_FIELDS_MAX; i++) {
        at += (apr_size_t)apr_snprintf(text + at, len - at, "<f%d/>", i);
    }
    apr_snprintf(text + at, len - at, "</xml>");
    assert_int_equal(parse(*state, text, &fields, &err), WXPAY_OK);
    assert_int_equal(fields->count, WXPAY_FIELDS_MAX);
    apr_snprintf(text + at, len - at, "<one_more/></xml>");
    assert_int_equal(parse(*state, text, &fields, &err), WXPAY_EPARSE);
    assert_string_equal(err.field, "one_more");
}

/* An unauthenticated sender may choose names: parsers must not remember them for ever. */
static void new_names_do_not_make_parsers_grow(void **state)
{
    size_t before = 0, after;
    wxpay_fields_t *fields;
    wxpay_error_t err;
    apr_pool_t *pool;
    char *text;
    int i;

    for (i = 0; i < 4000; i++) {
        apr_pool_create(&pool, *state);
        text = apr_psprintf(pool, "<xml><n%d_%01000d>1</n%d_%01000d></xml>", i, 0, i, 0);
        assert_int_equal(parse(pool, text, &fields, &err), WXPAY_OK);
        apr_pool_destroy(pool);
        if (i == 200) {
            before = mallinfo2().uordblks;
        }
    }
    after = mallinfo2().uordblks;
    assert_true(after < before + 300000);
}

static void *parse_many(void *data)
{
    wxpay_fields_t *fields;
    wxpay_error_t err;
    int i, *wrong = data;
    apr_pool_t *pool;

    for (i = 0; i < 500; i++) {
        apr_pool_create(&pool, NULL);
        if (parse(pool, "<xml><a>1</a><b><![CDATA[2]]></b></xml>", &fields, &err) != WXPAY_OK ||
            strcmp(wxpay_fields_get(fields, "b"), "2") != 0 ||
            parse(pool, "<xml><a>1</a><a>", &fields, &err) != WXPAY_EPARSE) {
            (*wrong)++;
        }
        apr_pool_destroy(pool);
    }
    return NULL;
}

static void threads_share_parsers(void **state)
{
    pthread_t threads[4];
    int wrong[4] = {0}, i;

    (void)state;
    for (i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, parse_many, &wrong[i]), 0);
    }
    for (i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(wrong[i], 0);
    }
}

static void what_is_written_is_read_back(void **state)
{
    static const char *const values[] = {"1990",
                                         "0",
                                         "",
                                         "-1",
                                         "a&b<c>d'e\"f",
                                         "x]]>y]]>>",
                                         "]]>",
                                         "]]]]>>",
                                         "tab\tand\nfeed",
                                         "\xe5\xae\x89",
                                         " pad ",
                                         "007"};
    wxpay_fields_t *fields = wxpay_fields_create(*state), *back;
    wxpay_error_t err;
    wxpay_buf_t out;
    size_t i;

    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        wxpay_fields_add_ref(fields, apr_psprintf(*state, "f_%d", (int)i), values[i], &err);
    }
    wxpay_buf_init(&out, *state, WXPAY_XML_MAX);
    assert_int_equal(wxpay_xml_write(fields, &out, &err), WXPAY_OK);
    assert_non_null(strstr(out.data, "<xml><f_0>1990</f_0><f_1>0</f_1>"));
    assert_non_null(strstr(out.data, "<f_3><![CDATA[-1]]></f_3>"));
    assert_int_equal(parse(*state, out.data, &back, &err), WXPAY_OK);
    assert_int_equal(back->count, fields->count);
    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        assert_string_equal(back->items[i].value, values[i]);
    }
}

static void what_would_not_arrive_is_not_written(void **state)
{
    static const char *const values[] = {"a\rb", "a\x01", "\x1b", "\xef\xbf\xbe", "x\xef\xbf\xbf"};
    wxpay_fields_t *fields;
    wxpay_error_t err;
    wxpay_buf_t out;
    size_t i;

    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        fields = wxpay_fields_create(*state);
        wxpay_fields_add_ref(fields, "body", values[i], &err);
        wxpay_buf_init(&out, *state, 1000);
        assert_int_equal(wxpay_xml_write(fields, &out, &err), WXPAY_EINPUT);
        assert_string_equal(err.field, "body");
    }
    fields = wxpay_fields_create(*state);
    wxpay_fields_add_ref(fields, "a b", "1", &err);
    wxpay_buf_init(&out, *state, 1000);
    assert_int_equal(wxpay_xml_write(fields, &out, &err), WXPAY_EINPUT);
    fields = wxpay_fields_create(*state);
    wxpay_fields_add_ref(fields, "a", "1234567890", &err);
    wxpay_buf_init(&out, *state, 20);
    assert_int_equal(wxpay_xml_write(fields, &out, &err), WXPAY_EPARSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xml_test(values_are_decoded),
        xml_test(anything_else_is_refused),
        xml_test(refusals_say_which_field_is_doubled_but_quote_no_value),
        xml_test(limits_hold),
        xml_test(new_names_do_not_make_parsers_grow),
        xml_test(threads_share_parsers),
        xml_test(what_is_written_is_read_back),
        xml_test(what_would_not_arrive_is_not_written),
    };

    return cmocka_run_group_tests_name("xml", tests, NULL, NULL);
}
