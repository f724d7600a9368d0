/* page.h - the buyer's page: one self-contained HTML document for every state.
 *
 * Inline CSS and script under one CSP nonce, no outside asset, works without JavaScript (a form
 * button and a meta refresh in <noscript>), zh-CN, zh-TW and en. Every value is escaped for its
 * place; there is no raw mode but for our own SVG. Source: design 3.2; page checklist in
 * pains-and-expectations, section 4.
 */
#ifndef WXPAY_PAGE_H
#define WXPAY_PAGE_H

#include <apr_pools.h>
#include <apr_time.h>
#include "error.h"

typedef enum wxpay_page_e {
    WXPAY_PAGE_READY,     /* nothing opened yet: a button (the script presses it at once) */
    WXPAY_PAGE_PREPARING, /* the gateway is being asked */
    WXPAY_PAGE_PAYABLE,   /* QR code shown */
    WXPAY_PAGE_BLOCKED,   /* open on another device: pay there, or continue here at retry_at */
    WXPAY_PAGE_PAID,
    WXPAY_PAGE_EXPIRED,
    WXPAY_PAGE_CLOSED,
    WXPAY_PAGE_CHECKING,  /* payment received, the shop is checking: do not pay again */
    WXPAY_PAGE_DOWN,      /* the gateway cannot be reached or refuses: nothing charged, try again */
    WXPAY_PAGE_IN_WECHAT, /* an order that can be paid inside WeChat only, opened elsewhere */
    WXPAY_PAGE_TAP,       /* inside WeChat: the summary and a button that calls up WeChat's own */
    WXPAY_PAGE_ELSEWHERE, /* inside WeChat, where its code cannot be scanned: use a computer */
    WXPAY_PAGE_LINK_REFUSED,   /* a signed link that is not genuine, over, or says nonsense */
    WXPAY_PAGE_CONFLICT,       /* an order for a number that has other facts already */
    WXPAY_PAGE_HANDOFF_FAILED, /* the site's script asked for a payment that cannot be started */
    WXPAY_PAGE_NOT_FOUND,
    WXPAY_PAGE_STORE_DOWN /* we cannot read our own records just now */
} wxpay_page_e;

typedef enum wxpay_lang_e { WXPAY_LANG_ZH_CN, WXPAY_LANG_ZH_TW, WXPAY_LANG_EN } wxpay_lang_e;

typedef struct wxpay_page_view_t {
    wxpay_page_e page;
    wxpay_lang_e lang;
    const char *nonce;          /* CSP nonce */
    const char *csrf;           /* NULL: no form on this page */
    const char *self;           /* path of this page, e.g. /wxpay/pay/<id>; NULL for NOT_FOUND */
    const char *merchant;       /* name or NULL */
    const char *support;        /* phone, mail or URL, or NULL */
    const char *support_href;   /* tel:, mailto: or https: URL of it, or NULL */
    const char *out_trade_no;   /* NULL for NOT_FOUND */
    const char *title;          /* the order's body */
    apr_int64_t total_fee;      /* fen */
    const char *svg;            /* PAYABLE: made by wxpay_qr_svg */
    const char *return_url;     /* back to the shop, on any page, or NULL; anything but http(s)://
                                   or /path is left out */
    const char *transaction_id; /* PAID */
    const char *err_code;       /* DOWN: in small print, or NULL */
    apr_time_t now;             /* the server's clock: countdowns start from it, not the buyer's */
    apr_time_t created_at;      /* 0 unknown; the countdown is quiet until its last quarter */
    apr_time_t expires_at;
    apr_time_t retry_at; /* BLOCKED: when it goes on by itself; 0 unknown */
    apr_time_t paid_at;
    apr_int64_t rev;
} wxpay_page_view_t;

/* Stable name ("ready", "preparing", "payable", ...): what `state` and the buyer's JSON say, and
 * the page's data-page, so that its script sees when they differ. */
const char *wxpay_page_name(wxpay_page_e page);

/* "zh-CN,en;q=0.8" -> language; zh-CN where it says nothing we know. zh-TW, zh-HK, zh-MO and
 * zh-Hant are zh-TW. Takes a language by itself, too. */
wxpay_lang_e wxpay_page_lang(const char *accept_language);

/* HTML in pool; its <main> bears id, data-page (wxpay_page_name) and data-rev, by which the script
 * knows when to fetch the page again. Errors: WXPAY_EINTERNAL when it would exceed 64 KiB. */
wxpay_rc_e wxpay_page_render(apr_pool_t *pool, const wxpay_page_view_t *view, const char **html,
                             apr_size_t *len, wxpay_error_t *err);

/* The Content-Security-Policy for a page with this nonce (base64url characters). */
const char *wxpay_page_csp(apr_pool_t *pool, const char *nonce);

#endif
