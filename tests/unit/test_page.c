/* test_page.c - the buyer's page in every state and language.
 *
 * Pages are well-formed XML apart from script and style, so a strict parser sees every value: what
 * comes back must be the value and nothing else. With WXPAY_PAGE_DIR=<dir> every page is also
 * written there as <state>.<language>.html, to be looked at and for the browser tests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>
#include <cmocka.h>
#include <libxml/parser.h>
#include <libxml/xpath.h>

#include "html.h"
#include "page.h"
#include "page_text.h"
#include "qr.h"

#define PAGES (WXPAY_PAGE_STORE_DOWN + 1)
#define LANGS (WXPAY_LANG_EN + 1)
#define NONCE "bm9uY2Utbm9uY2U"
#define NOW apr_time_from_sec(1795489200)
#define MAX_BYTES 22000 /* without the QR code */
#define EVIL "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&lt;&amp;\\</title>"

static int setup(void **state)
{
    return apr_pool_create((apr_pool_t **)state, NULL) != APR_SUCCESS;
}

static int teardown(void **state)
{
    apr_pool_destroy(*state);
    return 0;
}

static const char *pick(wxpay_lang_e lang, const char *cn, const char *tw, const char *en)
{
    return lang == WXPAY_LANG_EN ? en : lang == WXPAY_LANG_ZH_TW ? tw : cn;
}

/* A page as checkout would ask for it: facts only where that state has them. */
static wxpay_page_view_t view_of(apr_pool_t *pool, wxpay_page_e page, wxpay_lang_e lang)
{
    wxpay_page_view_t view = {.page = page, .lang = lang, .nonce = NONCE, .now = NOW};
    apr_size_t len;
    const char *label;

    view.merchant = pick(lang, "青山茶叶店", "青山茶葉店", "Blue Mountain Tea");
    view.support = "help@shop.example";
    view.support_href = "mailto:help@shop.example";
    if (page == WXPAY_PAGE_NOT_FOUND || page == WXPAY_PAGE_LINK_REFUSED ||
        page == WXPAY_PAGE_CONFLICT || page == WXPAY_PAGE_HANDOFF_FAILED) {
        view.return_url = page == WXPAY_PAGE_HANDOFF_FAILED ? "/" : NULL;
        return view;
    }
    view.self = "/wxpay/pay/AAAAAAAAAAAAAAAAAAAAAA";
    if (page == WXPAY_PAGE_STORE_DOWN) {
        return view;
    }
    view.csrf = "dG9rZW4";
    view.out_trade_no = "A2026112400017";
    view.title =
        pick(lang, "铁观音茶叶 250 克 礼盒装", "鐵觀音茶葉 250 克 禮盒裝", "Oolong tea, 250 g");
    view.total_fee = 1990;
    view.created_at = NOW - apr_time_from_sec(60);
    view.expires_at = NOW + apr_time_from_sec(7140);
    view.return_url = "https://shop.example/order/17?x=1&y=2";
    view.rev = 3;
    if (page == WXPAY_PAGE_PAYABLE) {
        label = apr_psprintf(pool, "QR");
        wxpay_qr_svg(pool, "weixin://wxpay/bizpayurl?pr=NwY5Mz9zz", label, 0, &view.svg, &len,
                     NULL);
    }
    if (page == WXPAY_PAGE_BLOCKED) {
        view.retry_at = NOW + apr_time_from_sec(222);
    }
    if (page == WXPAY_PAGE_PAID) {
        view.paid_at = NOW - apr_time_from_sec(5);
        view.transaction_id = "4200001234202611240123456789";
    }
    if (page == WXPAY_PAGE_DOWN) {
        view.err_code = "SYSTEMERROR";
    }
    return view;
}

static const char *render(apr_pool_t *pool, const wxpay_page_view_t *view)
{
    const char *html = NULL;
    apr_size_t len = 0;
    wxpay_error_t err;

    assert_int_equal(wxpay_page_render(pool, view, &html, &len, &err), WXPAY_OK);
    assert_int_equal(strlen(html), len);
    return html;
}

/* Empties <element nonce="...">...</element>, which is ours and no XML. */
static char *without(char *html, const char *element, apr_pool_t *pool)
{
    char *open = strstr(html, apr_pstrcat(pool, "<", element, " nonce=\"" NONCE "\">", NULL));
    char *from;
    char *to;

    assert_non_null(open);
    from = strchr(open, '>') + 1;
    to = strstr(from, apr_pstrcat(pool, "</", element, ">", NULL));
    assert_non_null(to);
    memmove(from, to, strlen(to) + 1);
    return html;
}

static xmlDoc *parse(apr_pool_t *pool, const char *html)
{
    char *text = apr_pstrdup(pool, html);
    xmlDoc *doc;

    without(text, "style", pool);
    without(text, "script", pool);
    doc = xmlReadMemory(text, (int)strlen(text), "page.html", "UTF-8", XML_PARSE_NONET);
    assert_non_null(doc);
    return doc;
}

static const char *find(apr_pool_t *pool, xmlDoc *doc, const char *xpath)
{
    xmlXPathContext *ctx = xmlXPathNewContext(doc);
    xmlXPathObject *found = xmlXPathEvalExpression((const xmlChar *)xpath, ctx);
    xmlChar *text;
    const char *copy = NULL;

    assert_non_null(found);
    if (found->type != XPATH_NODESET || (found->nodesetval && found->nodesetval->nodeNr > 0)) {
        text = xmlXPathCastToString(found);
        copy = apr_pstrdup(pool, (const char *)text);
        xmlFree(text);
    }
    xmlXPathFreeObject(found);
    xmlXPathFreeContext(ctx);
    return copy;
}

static int count(apr_pool_t *pool, xmlDoc *doc, const char *xpath)
{
    return atoi(find(pool, doc, apr_psprintf(pool, "count(%s)", xpath)));
}

static void keep(apr_pool_t *pool, const char *html, const char *name)
{
    const char *dir = getenv("WXPAY_PAGE_DIR");
    FILE *file = dir ? fopen(apr_psprintf(pool, "%s/%s.html", dir, name), "w") : NULL;

    if (file) {
        fputs(html, file);
        fclose(file);
    }
}

static void check_state(apr_pool_t *pool, const wxpay_page_view_t *view, xmlDoc *doc)
{
    const wxpay_page_words_t *words = wxpay_page_words(view->lang, view->page);
    wxpay_page_e page = view->page;
    int tap = page == WXPAY_PAGE_TAP;
    int opens =
        tap || page == WXPAY_PAGE_READY || page == WXPAY_PAGE_BLOCKED || page == WXPAY_PAGE_DOWN;
    int asks = page == WXPAY_PAGE_PAYABLE; /* "I have paid" */
    int changes = page == WXPAY_PAGE_PREPARING || page == WXPAY_PAGE_PAYABLE ||
                  page == WXPAY_PAGE_BLOCKED || page == WXPAY_PAGE_CHECKING ||
                  page == WXPAY_PAGE_IN_WECHAT || page == WXPAY_PAGE_ELSEWHERE ||
                  page == WXPAY_PAGE_STORE_DOWN;

    assert_string_equal(find(pool, doc, "/html/@lang"), pick(view->lang, "zh-CN", "zh-TW", "en"));
    assert_string_equal(find(pool, doc, "//main/@data-page"), wxpay_page_name(page));
    assert_string_equal(find(pool, doc, "//h1"), words->head);
    assert_int_equal(count(pool, doc, "//main"), 1);
    assert_int_equal(count(pool, doc, "//form[@method='post']"), opens || asks);
    assert_int_equal(count(pool, doc, "//form//input[@name='csrf']"), opens || asks);
    assert_int_equal(count(pool, doc, "//form[@class='ask']//button[@id='ask']"), asks);
    assert_int_equal(count(pool, doc, "//noscript/meta[@http-equiv='refresh']"), changes);
    assert_int_equal(count(pool, doc, "//*[local-name()='svg' and @class='qr']"),
                     page == WXPAY_PAGE_PAYABLE);
    assert_int_equal(count(pool, doc, "//a[@id='back']"), view->return_url != NULL);
    assert_int_equal(count(pool, doc, "//*[@class='amount']"), view->total_fee > 0);
    assert_int_equal(count(pool, doc, "//*[@data-clip]"), view->out_trade_no != NULL);
    assert_int_equal(count(pool, doc, "//footer"), 1);
    assert_int_equal(count(pool, doc, "//*[@role='status' and @aria-live='polite']"), 1);
    assert_int_equal(count(pool, doc, "//*[@role='timer']"),
                     tap || page == WXPAY_PAGE_PAYABLE || page == WXPAY_PAGE_BLOCKED);
    assert_int_equal(count(pool, doc, "//section/noscript/p"), tap);
    assert_int_equal(count(pool, doc, "//*[@hidden and (@id='note' or @id='told')]"), 2 * tap);
    assert_int_equal(count(pool, doc, "//*[@data-clip-link and not(@hidden)]"),
                     page == WXPAY_PAGE_IN_WECHAT || page == WXPAY_PAGE_ELSEWHERE);
    if (words->body) {
        assert_int_equal(count(pool, doc, apr_psprintf(pool, "//section/p[.='%s']", words->body)),
                         1);
    }
    if (view->total_fee > 0) {
        assert_non_null(strstr(find(pool, doc, "//title"), "¥19.90"));
        assert_non_null(strstr(find(pool, doc, "//*[@class='amount']"), "19.90"));
    }
}

static void test_every_state(void **state)
{
    for (int i = 0; i < PAGES * LANGS; i++) {
        wxpay_page_view_t view = view_of(*state, i / LANGS, i % LANGS);
        const char *html = render(*state, &view);
        xmlDoc *doc = parse(*state, html);
        apr_size_t qr = view.svg ? strlen(view.svg) : 0;

        keep(*state, html,
             apr_psprintf(*state, "%s.%s", wxpay_page_name(view.page),
                          pick(view.lang, "zh", "tw", "en")));
        check_state(*state, &view, doc);
        assert_in_range(strlen(html) - qr, 1000, MAX_BYTES);
        xmlFreeDoc(doc);
    }
}

/* No attribute may name another host or run a script, whatever the values are. */
static void check_inert(apr_pool_t *pool, xmlDoc *doc)
{
    assert_int_equal(count(pool, doc, "//*[@style]"), 0);
    assert_int_equal(count(pool, doc, "//@*[starts-with(name(),'on')]"), 0);
    assert_int_equal(count(pool, doc, "//img|//iframe|//object|//embed|//base"), 0);
    assert_int_equal(count(pool, doc, "//script[@src]"), 0);
    assert_int_equal(count(pool, doc, "//script"), 1);
    assert_int_equal(count(pool, doc, "//style"), 1);
    assert_int_equal(count(pool, doc, "//@href[starts-with(.,'javascript')]"), 0);
}

static void test_hostile_values(void **state)
{
    for (int i = 0; i < PAGES * LANGS; i++) {
        wxpay_page_view_t view = view_of(*state, i / LANGS, i % LANGS);
        xmlDoc *doc;

        view.merchant = view.support = view.title = view.out_trade_no = EVIL "\xff\x01";
        view.transaction_id = view.err_code = view.csrf = EVIL;
        view.self = "/p/" EVIL;
        view.support_href = "https://shop.example/\"'><script>alert(1)</script>";
        view.return_url = view.support_href;
        doc = parse(*state, render(*state, &view));
        check_inert(*state, doc);
        assert_string_equal(find(*state, doc, "//main/@data-self"), "/p/" EVIL);
        assert_string_equal(find(*state, doc, "//*[@class='what']"),
                            EVIL "\xef\xbf\xbd\xef\xbf\xbd");
        assert_string_equal(find(*state, doc, "//*[@data-clip]"), EVIL "\xef\xbf\xbd\xef\xbf\xbd");
        assert_string_equal(find(*state, doc, "//footer//bdi"), EVIL "\xef\xbf\xbd\xef\xbf\xbd");
        assert_null(strpbrk(find(*state, doc, "//a[@id='back']/@href"), "\"<> "));
        if (view.page == WXPAY_PAGE_DOWN) {
            assert_string_equal(find(*state, doc, "//code"), EVIL);
            assert_string_equal(find(*state, doc, "//form/@action"), "/p/" EVIL);
            assert_string_equal(find(*state, doc, "//input/@value"), EVIL);
        }
        if (view.page == WXPAY_PAGE_PAID) {
            assert_int_equal(count(*state, doc, "//dd"), 3);
        }
        xmlFreeDoc(doc);
    }
}

static void test_links(void **state)
{
    const struct {
        const char *url;
        const char *href; /* NULL: left out */
    } cases[] = {
        {"https://shop.example/a?b=c&d=%20#e", "https://shop.example/a?b=c&d=%20#e"},
        {"HTTP://shop.example", "HTTP://shop.example"},
        {"/order/17", "/order/17"},
        {"/", "/"},
        {"/a b\"<>", "/a%20b%22%3C%3E"},
        {"/订单", "/%E8%AE%A2%E5%8D%95"},
        {"//evil.example", NULL},
        {"/\\evil.example", NULL},
        {"/a\\b", NULL},
        {"/a\nb", NULL},
        {"/\t/evil.example", NULL},
        {" /a", NULL},
        {"javascript:alert(1)", NULL},
        {"data:text/html,x", NULL},
        {"https:evil", NULL},
        {"https://", NULL},
        {"https:///x", NULL},
        {"order/17", NULL},
        {"", NULL},
        {NULL, NULL},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        wxpay_page_view_t view = view_of(*state, WXPAY_PAGE_PAID, WXPAY_LANG_EN);
        const char *href;
        xmlDoc *doc;

        view.return_url = cases[i].url;
        doc = parse(*state, render(*state, &view));
        href = find(*state, doc, "//a[@id='back']/@href");
        if (cases[i].href) {
            assert_non_null(href);
            assert_string_equal(href, cases[i].href);
        }
        else {
            assert_null(href);
        }
        xmlFreeDoc(doc);
    }
}

static void test_support(void **state)
{
    wxpay_page_view_t view = view_of(*state, WXPAY_PAGE_NOT_FOUND, WXPAY_LANG_ZH_CN);
    xmlDoc *doc = parse(*state, render(*state, &view));

    assert_string_equal(find(*state, doc, "//footer/a/@href"), "mailto:help@shop.example");
    assert_string_equal(find(*state, doc, "//footer/a/bdi"), "help@shop.example");
    xmlFreeDoc(doc);
    view.support_href = NULL;
    doc = parse(*state, render(*state, &view));
    assert_int_equal(count(*state, doc, "//footer/a"), 0);
    assert_string_equal(find(*state, doc, "//footer/bdi"), "help@shop.example");
    xmlFreeDoc(doc);
}

static void check_clock(apr_pool_t *pool, wxpay_lang_e lang, int created, int left,
                        const char *want)
{
    wxpay_page_view_t view = view_of(pool, WXPAY_PAGE_PAYABLE, lang);
    xmlDoc *doc;

    view.created_at = created ? NOW - apr_time_from_sec(created) : 0;
    view.expires_at = NOW + apr_time_from_sec(left);
    doc = parse(pool, render(pool, &view));
    assert_string_equal(find(pool, doc, "//*[@role='timer']"), want);
    xmlFreeDoc(doc);
}

static void test_countdown(void **state)
{
    check_clock(*state, WXPAY_LANG_EN, 0, 7199, "Please pay within 2 h");
    check_clock(*state, WXPAY_LANG_EN, 0, 7081, "Please pay within 1 h 59 min");
    check_clock(*state, WXPAY_LANG_EN, 0, 301, "Please pay within 6 min");
    check_clock(*state, WXPAY_LANG_EN, 0, 300, "Time left 5:00");
    check_clock(*state, WXPAY_LANG_EN, 5400, 1800, "Time left 30:00");
    check_clock(*state, WXPAY_LANG_EN, 5400, 1801, "Please pay within 31 min");
    check_clock(*state, WXPAY_LANG_ZH_CN, 5400, 9, "剩余时间 0:09");
    check_clock(*state, WXPAY_LANG_ZH_CN, 90000, 3661, "剩余时间 1:01:01");
    check_clock(*state, WXPAY_LANG_ZH_CN, 5400, -5, "剩余时间 0:00");
    check_clock(*state, WXPAY_LANG_ZH_CN, 0, 7100, "请在 1 小时 59 分钟内完成支付");
    check_clock(*state, WXPAY_LANG_ZH_CN, 0, 7200, "请在 2 小时内完成支付");
}

static void test_minimal_view(void **state)
{
    for (int i = 0; i < PAGES * LANGS; i++) {
        wxpay_page_view_t view = {.page = i / LANGS, .lang = i % LANGS, .nonce = NONCE};
        xmlDoc *doc = parse(*state, render(*state, &view));

        assert_int_equal(count(*state, doc, "//form|//a|//dl|//footer"), 0);
        assert_int_equal(count(*state, doc, "//h1"), 1);
        xmlFreeDoc(doc);
    }
}

static void test_too_large(void **state)
{
    wxpay_page_view_t view = view_of(*state, WXPAY_PAGE_PAYABLE, WXPAY_LANG_EN);
    char *title = apr_palloc(*state, 70000);
    const char *html;
    apr_size_t len;
    wxpay_error_t err;

    memset(title, 'x', 69999);
    title[69999] = '\0';
    view.title = title;
    assert_int_equal(wxpay_page_render(*state, &view, &html, &len, &err), WXPAY_EINTERNAL);
}

static void test_texts_complete(void **state)
{
    (void)state;
    for (int lang = 0; lang < LANGS; lang++) {
        for (int id = 0; id < WXPAY_TEXT_COUNT; id++) {
            assert_non_null(wxpay_page_text(lang, id));
            assert_true(id == WXPAY_TEXT_ZONE || *wxpay_page_text(lang, id));
        }
        for (int page = 0; page < PAGES; page++) {
            const wxpay_page_words_t *words = wxpay_page_words(lang, page);
            const char *all = words->body ? words->body : "";

            assert_non_null(words->tab);
            assert_non_null(words->head);
            /* Every page where paying fails or waits says whether money was taken. */
            assert_true(page == WXPAY_PAGE_PAYABLE || page == WXPAY_PAGE_PAID ||
                        strstr(all, "charged") || strstr(all, "扣款") || strstr(all, "已付款") ||
                        strstr(all, "already paid") || strstr(words->head, "received") ||
                        strstr(words->head, "已收到付款"));
        }
    }
    for (int id = WXPAY_TEXT_CALM; id <= WXPAY_TEXT_RETRY_IN; id++) {
        for (int lang = 0; lang < LANGS; lang++) {
            assert_non_null(strstr(wxpay_page_text(lang, id), "{}"));
        }
    }
}

static void test_language(void **state)
{
    const struct {
        const char *accept;
        wxpay_lang_e lang;
    } cases[] = {
        {NULL, WXPAY_LANG_ZH_CN},
        {"", WXPAY_LANG_ZH_CN},
        {"*", WXPAY_LANG_ZH_CN},
        {"fr, de;q=0.5", WXPAY_LANG_ZH_CN},
        {"en", WXPAY_LANG_EN},
        {"EN-us", WXPAY_LANG_EN},
        {"en-US,en;q=0.9,zh-CN;q=0.8", WXPAY_LANG_EN},
        {"zh-CN,zh;q=0.9,en;q=0.8", WXPAY_LANG_ZH_CN},
        {"zh-TW, en;q=0.5", WXPAY_LANG_ZH_TW},
        {"zh-hk", WXPAY_LANG_ZH_TW},
        {"zh-MO;q=0.4,en;q=0.3", WXPAY_LANG_ZH_TW},
        {"zh-Hant", WXPAY_LANG_ZH_TW},
        {"zh-Hant-HK,zh;q=0.9", WXPAY_LANG_ZH_TW},
        {"zh-Hans-TW", WXPAY_LANG_ZH_CN},
        {"zh-TWX", WXPAY_LANG_ZH_CN},
        {"zh-CN,zh-TW;q=0.9", WXPAY_LANG_ZH_CN},
        {"zh-CN;q=0.8,zh-TW;q=0.9", WXPAY_LANG_ZH_TW},
        {"zhx-TW", WXPAY_LANG_ZH_CN},
        {"fr,en;q=0.3", WXPAY_LANG_EN},
        {"zh;q=0.3 , en ; q=0.301", WXPAY_LANG_EN},
        {"zh;q=0.3,en;q=0", WXPAY_LANG_ZH_CN},
        {"en;q=0", WXPAY_LANG_ZH_CN},
        {"en;q=nan,zh;q=0.1", WXPAY_LANG_ZH_CN},
        {"en;q=1e999", WXPAY_LANG_EN},
        {"en;q=", WXPAY_LANG_EN},
        {"enx", WXPAY_LANG_ZH_CN},
        {",,;q=1,en;,", WXPAY_LANG_EN},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(wxpay_page_lang(cases[i].accept), cases[i].lang);
    }
}

static void test_policy(void **state)
{
    assert_string_equal(wxpay_page_csp(*state, "abc"),
                        "default-src 'none'; style-src 'nonce-abc'; script-src 'nonce-abc'; "
                        "img-src 'self' data:; connect-src 'self'; form-action 'self'; "
                        "frame-ancestors 'none'; base-uri 'none'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_state, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hostile_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_links, setup, teardown),
        cmocka_unit_test_setup_teardown(test_support, setup, teardown),
        cmocka_unit_test_setup_teardown(test_countdown, setup, teardown),
        cmocka_unit_test_setup_teardown(test_minimal_view, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_large, setup, teardown),
        cmocka_unit_test(test_texts_complete),
        cmocka_unit_test(test_language),
        cmocka_unit_test_setup_teardown(test_policy, setup, teardown),
    };
    int failed;

    apr_initialize();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    xmlCleanupParser();
    apr_terminate();
    return failed;
}
