/* page.c - the buyer's page: names, language, policy, and the document around <main>. */
#include "page.h"

#include <string.h>
#include <strings.h>

#include "buf.h"
#include "html.h"
#include "money.h"
#include "page_main.h"
#include "page_text.h"

#define MAX_PAGE 65536

static const char style[] =
#include "page_css.h"
    ;
static const char script[] =
#include "page_js.h"
#include "page_bridge_js.h"
    ;

/* refresh: seconds between looks of a browser without JavaScript; 0: nothing changes by itself. */
static const struct {
    const char *name;
    int refresh;
} pages[] = {
    [WXPAY_PAGE_READY] = {"ready", 0},
    [WXPAY_PAGE_PREPARING] = {"preparing", 2},
    [WXPAY_PAGE_PAYABLE] = {"payable", 3},
    [WXPAY_PAGE_BLOCKED] = {"blocked", 5},
    [WXPAY_PAGE_PAID] = {"paid", 0},
    [WXPAY_PAGE_EXPIRED] = {"expired", 0},
    [WXPAY_PAGE_CLOSED] = {"closed", 0},
    [WXPAY_PAGE_CHECKING] = {"checking", 15},
    [WXPAY_PAGE_DOWN] = {"down", 0},
    [WXPAY_PAGE_IN_WECHAT] = {"in_wechat", 5},
    [WXPAY_PAGE_TAP] = {"tap", 0},
    [WXPAY_PAGE_ELSEWHERE] = {"elsewhere", 5},
    [WXPAY_PAGE_LINK_REFUSED] = {"link_refused", 0},
    [WXPAY_PAGE_CONFLICT] = {"conflict", 0},
    [WXPAY_PAGE_HANDOFF_FAILED] = {"handoff_failed", 0},
    [WXPAY_PAGE_NOT_FOUND] = {"not_found", 0},
    [WXPAY_PAGE_STORE_DOWN] = {"store_down", 10},
};

/* The script's words, as data attributes of <body>. */
static const struct {
    const char *name;
    wxpay_page_text_e text;
} script_words[] = {
    {"hours", WXPAY_TEXT_HOURS},
    {"minutes", WXPAY_TEXT_MINUTES},
    {"copy", WXPAY_TEXT_COPY},
    {"copied", WXPAY_TEXT_COPIED},
    {"link", WXPAY_TEXT_COPY_LINK},
    {"auto", WXPAY_TEXT_AUTO},
    {"stay", WXPAY_TEXT_STAY},
    {"left5", WXPAY_TEXT_LEFT_5},
    {"left1", WXPAY_TEXT_LEFT_1},
    {"left0", WXPAY_TEXT_LEFT_0},
    {"calling", WXPAY_TEXT_CALLING},
    {"deaf", WXPAY_TEXT_DEAF},
    {"confirming", WXPAY_TEXT_CONFIRMING},
    {"slow", WXPAY_TEXT_SLOW},
    {"cancelled", WXPAY_TEXT_CANCELLED},
    {"failed", WXPAY_TEXT_FAILED},
    {"failed-stale", WXPAY_TEXT_FAILED_STALE},
    {"failed-other", WXPAY_TEXT_FAILED_OTHER},
    {"failed-url", WXPAY_TEXT_FAILED_URL},
    {"failed-old", WXPAY_TEXT_FAILED_OLD},
    {"asking", WXPAY_TEXT_ASKING},
    {"not-yet", WXPAY_TEXT_NOT_YET},
    {"mini", WXPAY_TEXT_MINI},
    {"again", WXPAY_TEXT_PAY_AGAIN},
};

const char *wxpay_page_name(wxpay_page_e page)
{
    return pages[page].name;
}

/* The weight of a language range in thousandths: "en;q=0.8" -> 800. Nonsense weighs 0. */
static int weight(const char *params, apr_size_t len)
{
    apr_size_t i = 0;
    int value = 0;

    while (i + 2 < len && !((params[i] == 'q' || params[i] == 'Q') && params[i + 1] == '=')) {
        i++;
    }
    if (i + 2 >= len) {
        return 1000;
    }
    if (params[i + 2] == '1') {
        return 1000;
    }
    i += 3;
    if (params[i - 1] != '0' || i >= len || params[i] != '.') {
        return 0;
    }
    for (int unit = 100; ++i < len && unit && params[i] >= '0' && params[i] <= '9'; unit /= 10) {
        value += (params[i] - '0') * unit;
    }
    return value;
}

/* A language range: 1 and *lang where we have it. */
static int known_language(const char *range, apr_size_t len, wxpay_lang_e *lang)
{
    static const char *const traditional[] = {"zh-TW", "zh-HK", "zh-MO", "zh-Hant"};

    if (len < 2 || (len > 2 && range[2] != '-')) {
        return 0;
    }
    if (strncasecmp(range, "en", 2) == 0) {
        *lang = WXPAY_LANG_EN;
        return 1;
    }
    if (strncasecmp(range, "zh", 2) != 0) {
        return 0;
    }
    *lang = WXPAY_LANG_ZH_CN;
    for (apr_size_t i = 0; i < sizeof(traditional) / sizeof(traditional[0]); i++) {
        apr_size_t prefix = strlen(traditional[i]);

        if (len >= prefix && strncasecmp(range, traditional[i], prefix) == 0 &&
            (len == prefix || range[prefix] == '-')) {
            *lang = WXPAY_LANG_ZH_TW;
        }
    }
    return 1;
}

wxpay_lang_e wxpay_page_lang(const char *accept_language)
{
    const char *at = accept_language ? accept_language : "";
    wxpay_lang_e best = WXPAY_LANG_ZH_CN;
    int best_weight = 0;

    while (*at) {
        apr_size_t blank = strspn(at, " \t,");
        apr_size_t len = strcspn(at + blank, ",");
        apr_size_t tag = strcspn(at + blank, ",; \t");
        wxpay_lang_e lang;

        at += blank;
        if (known_language(at, tag, &lang) && weight(at + tag, len - tag) > best_weight) {
            best_weight = weight(at + tag, len - tag);
            best = lang;
        }
        at += len;
    }
    return best;
}

const char *wxpay_page_csp(apr_pool_t *pool, const char *nonce)
{
    wxpay_buf_t out;

    wxpay_buf_init(&out, pool, 1024);
    wxpay_buf_printf(&out,
                     "default-src 'none'; style-src 'nonce-%s'; script-src 'nonce-%s'; "
                     "img-src 'self' data:; connect-src 'self'; form-action 'self'; "
                     "frame-ancestors 'none'; base-uri 'none'",
                     nonce, nonce);
    return out.data;
}

/* "To pay ¥19.90 – Shop": what happens is seen from another tab. */
static void add_title(wxpay_buf_t *out, const wxpay_page_view_t *view)
{
    wxpay_buf_puts(out, "<title>");
    wxpay_html_escape(out, wxpay_page_words(view->lang, view->page)->tab);
    if (view->total_fee > 0) {
        wxpay_buf_printf(out, " ¥%s", wxpay_money_format(out->pool, view->total_fee));
    }
    wxpay_buf_puts(out, " – ");
    wxpay_html_escape(out, view->merchant ? view->merchant
                                          : wxpay_page_text(view->lang, WXPAY_TEXT_WECHAT_PAY));
    wxpay_buf_puts(out, "</title>\n");
}

static void add_nonced(wxpay_buf_t *out, const char *element, const char *nonce, const char *text)
{
    wxpay_buf_printf(out, "<%s nonce=\"", element);
    wxpay_html_escape(out, nonce);
    wxpay_buf_puts(out, "\">\n");
    wxpay_buf_puts(out, text);
    wxpay_buf_printf(out, "</%s>\n", element);
}

static void add_head(wxpay_buf_t *out, const wxpay_page_view_t *view)
{
    wxpay_buf_printf(out, "<!DOCTYPE html>\n<html lang=\"%s\">\n<head>\n",
                     wxpay_page_text(view->lang, WXPAY_TEXT_LANG));
    wxpay_buf_puts(
        out, "<meta charset=\"utf-8\"/>\n<meta name=\"viewport\" content=\"width=device-width, "
             "initial-scale=1\"/>\n"
             "<meta name=\"robots\" content=\"noindex, nofollow\"/>\n"
             "<meta name=\"color-scheme\" content=\"light dark\"/>\n"
             "<meta name=\"format-detection\" content=\"telephone=no\"/>\n");
    add_title(out, view);
    wxpay_buf_puts(out, "<link rel=\"icon\" href=\"data:image/svg+xml,"
                        "%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
                        "%3Cpath d='M2 8.5l4 4 8-9' fill='none' stroke='%2307c160' "
                        "stroke-width='4'/%3E%3C/svg%3E\"/>\n");
    if (pages[view->page].refresh) {
        wxpay_buf_printf(out,
                         "<noscript><meta http-equiv=\"refresh\" content=\"%d\"/></noscript>\n",
                         pages[view->page].refresh);
    }
    add_nonced(out, "style", view->nonce, style);
    add_nonced(out, "script", view->nonce, script);
    wxpay_buf_puts(out, "</head>\n");
}

wxpay_rc_e wxpay_page_render(apr_pool_t *pool, const wxpay_page_view_t *view, const char **html,
                             apr_size_t *len, wxpay_error_t *err)
{
    wxpay_buf_t out;

    wxpay_buf_init(&out, pool, MAX_PAGE);
    add_head(&out, view);
    wxpay_buf_puts(&out, "<body");
    for (size_t i = 0; i < sizeof(script_words) / sizeof(script_words[0]); i++) {
        wxpay_buf_printf(&out, " data-%s=\"", script_words[i].name);
        wxpay_html_escape(&out, wxpay_page_text(view->lang, script_words[i].text));
        wxpay_buf_puts(&out, "\"");
    }
    wxpay_buf_puts(&out, ">\n");
    wxpay_page_main(&out, view);
    wxpay_buf_puts(&out, "<p id=\"lost\" hidden=\"\">");
    wxpay_html_escape(&out, wxpay_page_text(view->lang, WXPAY_TEXT_LOST));
    wxpay_buf_puts(&out,
                   "</p>\n<p id=\"live\" class=\"vh\" role=\"status\" aria-live=\"polite\"></p>\n"
                   "</body>\n</html>\n");
    if (out.broken) {
        return wxpay_error_set(err, WXPAY_EINTERNAL, "render page", "more than %d bytes", MAX_PAGE);
    }
    *html = out.data;
    *len = out.len;
    return WXPAY_OK;
}
