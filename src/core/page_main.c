/* page_main.c - the <main> element of the buyer's page. */
#include "page_main.h"

#include <string.h>

#include <apr_strings.h>

#include "clock.h"
#include "html.h"
#include "money.h"
#include "page_text.h"

#define LOUD_WITHOUT_START apr_time_from_sec(300)

/* Strokes in a box of 24, and the class that gives them a colour. */
static const struct {
    const char *tone;
    const char *path;
} icons[] = {
    [WXPAY_PAGE_BLOCKED] = {"wait", "M3 6h12v9H3zM1.5 18h12M17 9h5v9h-5z"},
    [WXPAY_PAGE_PAID] = {"ok", "M5 12.5l4.5 4.5L19 7.5"},
    [WXPAY_PAGE_EXPIRED] = {"wait", "M12 3a9 9 0 1 0 .1 0zM12 7v5.5l3.5 2"},
    [WXPAY_PAGE_CLOSED] = {"wait", "M7 7l10 10M17 7L7 17"},
    [WXPAY_PAGE_CHECKING] = {"warn", "M7 4h10M7 20h10M8 4c0 5 8 11 8 16M16 4c0 5-8 11-8 16"},
    [WXPAY_PAGE_DOWN] = {"warn", "M12 6v7.5M12 17.4v.2"},
    [WXPAY_PAGE_IN_WECHAT] = {"ok", "M4 6h16v10h-9l-4 4v-4H4z"},
    [WXPAY_PAGE_ELSEWHERE] = {"ok", "M3 5h18v11H3zM9 20h6"},
    [WXPAY_PAGE_LINK_REFUSED] = {"warn", "M12 6v7.5M12 17.4v.2"},
    [WXPAY_PAGE_CONFLICT] = {"warn", "M12 6v7.5M12 17.4v.2"},
    [WXPAY_PAGE_HANDOFF_FAILED] = {"warn", "M12 6v7.5M12 17.4v.2"},
    [WXPAY_PAGE_NOT_FOUND] = {"wait", "M9 9.5a3 3 0 1 1 4.5 2.6c-1 .6-1.5 1.2-1.5 2.4M12 17.9v.2"},
    [WXPAY_PAGE_STORE_DOWN] = {"warn", "M12 6v7.5M12 17.4v.2"},
};

static void put(wxpay_buf_t *out, const wxpay_page_view_t *view, wxpay_page_text_e id)
{
    wxpay_html_escape(out, wxpay_page_text(view->lang, id));
}

static void add_attr(wxpay_buf_t *out, const char *name, const char *value)
{
    wxpay_buf_printf(out, " %s=\"", name);
    wxpay_html_escape(out, value);
    wxpay_buf_puts(out, "\"");
}

static void add_millis(wxpay_buf_t *out, const char *name, apr_time_t t)
{
    wxpay_buf_printf(out, " %s=\"%" APR_INT64_T_FMT "\"", name, (apr_int64_t)apr_time_as_msec(t));
}

static void add_paragraph(wxpay_buf_t *out, const char *attributes, const char *text)
{
    if (text) {
        wxpay_buf_printf(out, "<p%s>", attributes);
        wxpay_html_escape(out, text);
        wxpay_buf_puts(out, "</p>\n");
    }
}

static void add_header(wxpay_buf_t *out, const wxpay_page_view_t *view)
{
    wxpay_buf_puts(out, "<header>");
    if (view->merchant) {
        wxpay_buf_puts(out, "<bdi class=\"shop\">");
        wxpay_html_escape(out, view->merchant);
        wxpay_buf_puts(out, "</bdi>");
    }
    wxpay_buf_puts(
        out, "<span class=\"brand\"><svg viewBox=\"0 0 24 24\" aria-hidden=\"true\">"
             "<path d=\"M2 11C2 6 6.5 3 12 3s10 3 10 8-4.5 8-10 8c-1.5 0-3-.2-4-.7L4 21l.6-4C3 "
             "15.5 2 13.5 2 11z\"/><path fill=\"none\" stroke-width=\"2\" "
             "d=\"M8 11l3 3 6-6\"/></svg>");
    put(out, view, WXPAY_TEXT_WECHAT_PAY);
    wxpay_buf_puts(out, "</span></header>\n");
}

static void add_sum(wxpay_buf_t *out, const wxpay_page_view_t *view)
{
    if (view->total_fee > 0) {
        wxpay_buf_puts(out, "<p class=\"amount\"><span class=\"vh\">");
        put(out, view, WXPAY_TEXT_AMOUNT);
        wxpay_buf_printf(out, " </span><small>¥</small>%s</p>\n",
                         wxpay_money_format(out->pool, view->total_fee));
    }
    if (view->title) {
        wxpay_buf_puts(out, "<p class=\"what\"><bdi>");
        wxpay_html_escape(out, view->title);
        wxpay_buf_puts(out, "</bdi></p>\n");
    }
}

static void add_icon(wxpay_buf_t *out, wxpay_page_e page)
{
    if (page == WXPAY_PAGE_READY || page == WXPAY_PAGE_PREPARING) {
        wxpay_buf_puts(out, "<div class=\"spin\"></div>\n");
    }
    else if (page != WXPAY_PAGE_PAYABLE && page != WXPAY_PAGE_TAP) {
        wxpay_buf_printf(out,
                         "<svg class=\"icon %s\" viewBox=\"0 0 24 24\" aria-hidden=\"true\">"
                         "<path d=\"%s\"/></svg>\n",
                         icons[page].tone, icons[page].path);
    }
}

/* "1:02:03" near the end, "1 h 2 min" (rounded up) before: the script writes the same. */
static void add_left(wxpay_buf_t *out, wxpay_lang_e lang, apr_int64_t sec, int loud)
{
    apr_int64_t min = loud ? sec / 60 : (sec + 59) / 60;

    if (loud && min < 60) {
        wxpay_buf_printf(out, "%d:%02d", (int)min, (int)(sec % 60));
    }
    else if (loud) {
        wxpay_buf_printf(out, "%d:%02d:%02d", (int)(min / 60), (int)(min % 60), (int)(sec % 60));
    }
    else {
        if (min >= 60) {
            wxpay_buf_printf(out, "%d%s%s", (int)(min / 60),
                             wxpay_page_text(lang, WXPAY_TEXT_HOURS), min % 60 ? " " : "");
        }
        if (min < 60 || min % 60) {
            wxpay_buf_printf(out, "%d%s", (int)(min % 60),
                             wxpay_page_text(lang, WXPAY_TEXT_MINUTES));
        }
    }
}

static void add_countdown(wxpay_buf_t *out, const wxpay_page_view_t *view, apr_time_t at,
                          apr_time_t from, wxpay_page_text_e calm_id, wxpay_page_text_e loud_id)
{
    const char *calm = wxpay_page_text(view->lang, calm_id);
    const char *loud = wxpay_page_text(view->lang, loud_id);
    const char *words = view->now >= from ? loud : calm;
    const char *gap = strstr(words, "{}");

    wxpay_buf_printf(out, "<p class=\"clock%s\" role=\"timer\"", words == loud ? " loud" : "");
    add_millis(out, "data-at", at);
    add_millis(out, "data-from", from);
    add_attr(out, "data-calm", calm);
    add_attr(out, "data-loud", loud);
    wxpay_buf_puts(out, ">");
    wxpay_buf_add(out, words, (apr_size_t)(gap - words));
    add_left(out, view->lang, at > view->now ? apr_time_sec(at - view->now) : 0, words == loud);
    wxpay_buf_puts(out, gap + 2);
    wxpay_buf_puts(out, "</p>\n");
}

static void add_clock(wxpay_buf_t *out, const wxpay_page_view_t *view)
{
    if ((view->page == WXPAY_PAGE_PAYABLE || view->page == WXPAY_PAGE_TAP) && view->expires_at) {
        apr_time_t quarter =
            view->created_at ? (view->expires_at - view->created_at) / 4 : LOUD_WITHOUT_START;

        add_countdown(out, view, view->expires_at, view->expires_at - quarter, WXPAY_TEXT_CALM,
                      WXPAY_TEXT_LOUD);
    }
    else if (view->page == WXPAY_PAGE_BLOCKED && view->retry_at) {
        add_countdown(out, view, view->retry_at, 0, WXPAY_TEXT_RETRY_IN, WXPAY_TEXT_RETRY_IN);
    }
}

static void add_form(wxpay_buf_t *out, const wxpay_page_view_t *view)
{
    wxpay_page_text_e label;

    switch (view->page) {
    case WXPAY_PAGE_READY:
        label = WXPAY_TEXT_OPEN;
        break;
    case WXPAY_PAGE_BLOCKED:
        label = WXPAY_TEXT_HERE;
        break;
    case WXPAY_PAGE_DOWN:
        label = WXPAY_TEXT_TRY_AGAIN;
        break;
    case WXPAY_PAGE_TAP:
        label = WXPAY_TEXT_PAY;
        break;
    default:
        return;
    }
    if (!view->csrf || !view->self) {
        return;
    }
    wxpay_buf_puts(out, "<form method=\"post\"");
    add_attr(out, "action", view->self);
    /* The script presses it unasked, so it shows the button only when that came to nothing. */
    if (view->page == WXPAY_PAGE_READY || (view->page == WXPAY_PAGE_BLOCKED && view->retry_at)) {
        wxpay_buf_puts(out, " class=\"self\"");
    }
    wxpay_buf_puts(out, "><input type=\"hidden\" name=\"csrf\"");
    add_attr(out, "value", view->csrf);
    wxpay_buf_puts(out, "/><button class=\"main\" id=\"open\">");
    put(out, view, label);
    wxpay_buf_puts(out, "</button></form>\n");
}

/* A notification that is lost or late: who has paid need not wait for it. */
static void add_ask(wxpay_buf_t *out, const wxpay_page_view_t *view)
{
    const char *action;

    if (view->page != WXPAY_PAGE_PAYABLE || !view->csrf || !view->self) {
        return;
    }
    action = apr_pstrcat(out->pool, view->self, "/ask", NULL);
    wxpay_buf_puts(out, "<form method=\"post\" class=\"ask\"");
    add_attr(out, "action", action);
    wxpay_buf_puts(out, "><input type=\"hidden\" name=\"csrf\"");
    add_attr(out, "value", view->csrf);
    wxpay_buf_puts(out, "/><button class=\"line\" id=\"ask\">");
    put(out, view, WXPAY_TEXT_ASK);
    wxpay_buf_puts(out, "</button></form>\n<p id=\"asked\" class=\"fine\" hidden=\"\"></p>\n");
}

/* Where the script tells how the payment inside WeChat goes. */
static void add_note(wxpay_buf_t *out, const wxpay_page_view_t *view)
{
    if (view->page == WXPAY_PAGE_TAP) {
        wxpay_buf_puts(out, "<noscript><p>");
        put(out, view, WXPAY_TEXT_NO_SCRIPT);
        wxpay_buf_puts(out, "</p></noscript>\n<p id=\"note\" hidden=\"\"></p>\n"
                            "<p id=\"told\" class=\"fine\" hidden=\"\"></p>\n");
    }
}

static void add_copy_link(wxpay_buf_t *out, const wxpay_page_view_t *view)
{
    int shown = view->page == WXPAY_PAGE_IN_WECHAT || view->page == WXPAY_PAGE_ELSEWHERE;

    if (view->self && (shown || view->page == WXPAY_PAGE_TAP)) {
        wxpay_buf_printf(out, "<p data-clip-link=\"\"%s></p>\n", shown ? "" : " hidden=\"\"");
    }
}

static void add_return(wxpay_buf_t *out, const wxpay_page_view_t *view)
{
    const char *url = wxpay_html_link(out->pool, view->return_url);
    int paid = view->page == WXPAY_PAGE_PAID;
    int over = paid || view->page == WXPAY_PAGE_EXPIRED || view->page == WXPAY_PAGE_CLOSED;

    if (!url) {
        return;
    }
    wxpay_buf_printf(out, "<p class=\"back\"><a id=\"back\"%s", over ? " class=\"main\"" : "");
    add_attr(out, "href", url);
    wxpay_buf_puts(out, ">");
    put(out, view, paid ? WXPAY_TEXT_CONTINUE : WXPAY_TEXT_BACK);
    wxpay_buf_puts(out, "</a></p>\n");
}

static void add_head(wxpay_buf_t *out, const wxpay_page_view_t *view)
{
    add_icon(out, view->page);
    wxpay_buf_puts(out, "<h1 tabindex=\"-1\">");
    wxpay_html_escape(out, wxpay_page_words(view->lang, view->page)->head);
    wxpay_buf_puts(out, "</h1>\n");
}

static void add_code(wxpay_buf_t *out, const wxpay_page_view_t *view)
{
    if (view->page == WXPAY_PAGE_PAYABLE && view->svg) {
        wxpay_buf_puts(out, "<div class=\"code\">");
        wxpay_buf_puts(out, view->svg);
        wxpay_buf_puts(out, "</div>\n");
        add_paragraph(out, "", wxpay_page_text(view->lang, WXPAY_TEXT_HOW));
    }
}

static void add_err_code(wxpay_buf_t *out, const wxpay_page_view_t *view)
{
    if (view->page == WXPAY_PAGE_DOWN && view->err_code) {
        wxpay_buf_puts(out, "<p class=\"fine\">");
        put(out, view, WXPAY_TEXT_ERR_CODE);
        wxpay_buf_puts(out, " <code>");
        wxpay_html_escape(out, view->err_code);
        wxpay_buf_puts(out, "</code></p>\n");
    }
}

static void add_state(wxpay_buf_t *out, const wxpay_page_view_t *view)
{
    const wxpay_page_words_t *words = wxpay_page_words(view->lang, view->page);

    wxpay_buf_puts(out, "<section>\n");
    if (view->page == WXPAY_PAGE_PAID) { /* like a receipt: the tick first */
        add_head(out, view);
        add_sum(out, view);
    }
    else {
        add_sum(out, view);
        add_head(out, view);
    }
    add_code(out, view);
    add_paragraph(out, view->page == WXPAY_PAGE_TAP ? " id=\"calm\"" : "", words->body);
    /* Without a time, blocked goes on when the buyer says so, not by itself. */
    if (view->page != WXPAY_PAGE_BLOCKED || view->retry_at) {
        add_paragraph(out, "", words->advice);
    }
    add_clock(out, view);
    add_note(out, view);
    add_copy_link(out, view);
    add_form(out, view);
    add_ask(out, view);
    add_return(out, view);
    add_err_code(out, view);
    wxpay_buf_puts(out, "</section>\n");
}

static void add_fact(wxpay_buf_t *out, const wxpay_page_view_t *view, wxpay_page_text_e name,
                     const char *value, int copy)
{
    if (value) {
        wxpay_buf_puts(out, "<div><dt>");
        put(out, view, name);
        wxpay_buf_printf(out, "</dt><dd><bdi%s>", copy ? " data-clip=\"\"" : "");
        wxpay_html_escape(out, value);
        wxpay_buf_puts(out, "</bdi></dd></div>\n");
    }
}

/* Buyers compare it with WeChat's own receipt, which is in Beijing time. */
static const char *beijing_words(wxpay_buf_t *out, wxpay_lang_e lang, apr_time_t t)
{
    char b[WXPAY_BEIJING_SIZE];
    wxpay_buf_t text;

    if (!t) {
        return NULL;
    }
    wxpay_clock_beijing(t, b);
    wxpay_buf_init(&text, out->pool, 64);
    wxpay_buf_printf(&text, "%.4s-%.2s-%.2s %.2s:%.2s:%.2s%s", b, b + 4, b + 6, b + 8, b + 10,
                     b + 12, wxpay_page_text(lang, WXPAY_TEXT_ZONE));
    return text.data;
}

static void add_facts(wxpay_buf_t *out, const wxpay_page_view_t *view)
{
    if (!view->out_trade_no) {
        return;
    }
    wxpay_buf_puts(out, "<dl>\n");
    add_fact(out, view, WXPAY_TEXT_ORDER_NO, view->out_trade_no, 1);
    if (view->page == WXPAY_PAGE_PAID) {
        add_fact(out, view, WXPAY_TEXT_PAID_AT, beijing_words(out, view->lang, view->paid_at), 0);
        add_fact(out, view, WXPAY_TEXT_TRANSACTION, view->transaction_id, 0);
    }
    else {
        add_fact(out, view, WXPAY_TEXT_CREATED, beijing_words(out, view->lang, view->created_at),
                 0);
    }
    wxpay_buf_puts(out, "</dl>\n");
}

static void add_support(wxpay_buf_t *out, const wxpay_page_view_t *view)
{
    if (!view->support) {
        return;
    }
    wxpay_buf_puts(out, "<footer>");
    put(out, view, WXPAY_TEXT_SUPPORT);
    wxpay_buf_puts(out, " ");
    if (view->support_href) {
        wxpay_buf_puts(out, "<a id=\"support\"");
        add_attr(out, "href", view->support_href);
        wxpay_buf_puts(out, ">");
    }
    wxpay_buf_puts(out, "<bdi>");
    wxpay_html_escape(out, view->support);
    wxpay_buf_puts(out, view->support_href ? "</bdi></a></footer>\n" : "</bdi></footer>\n");
}

void wxpay_page_main(wxpay_buf_t *out, const wxpay_page_view_t *view)
{
    wxpay_buf_puts(out, "<main id=\"pay\"");
    add_attr(out, "data-page", wxpay_page_name(view->page));
    if (view->self) {
        add_attr(out, "data-self", view->self);
    }
    wxpay_buf_printf(out, " data-rev=\"%" APR_INT64_T_FMT "\"", view->rev);
    add_millis(out, "data-now", view->now);
    wxpay_buf_puts(out, ">\n");
    add_header(out, view);
    add_state(out, view);
    add_facts(out, view);
    add_support(out, view);
    wxpay_buf_puts(out, "</main>\n");
}
