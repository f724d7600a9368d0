/* page_text.h - every sentence of the buyer's page, in every language.
 *
 * Plain text: escape it like any value. "{}" stands for one value, put in by the page or its
 * script. Texts are constants; threads: any.
 */
#ifndef WXPAY_PAGE_TEXT_H
#define WXPAY_PAGE_TEXT_H

#include "page.h"

typedef enum wxpay_page_text_e {
    WXPAY_TEXT_LANG, /* the lang attribute */
    WXPAY_TEXT_WECHAT_PAY,
    WXPAY_TEXT_AMOUNT,
    WXPAY_TEXT_ORDER_NO,
    WXPAY_TEXT_CREATED,
    WXPAY_TEXT_TRANSACTION,
    WXPAY_TEXT_PAID_AT,
    WXPAY_TEXT_ZONE, /* follows a Beijing time */
    WXPAY_TEXT_SUPPORT,
    WXPAY_TEXT_CONTINUE,  /* to the shop, after paying */
    WXPAY_TEXT_BACK,      /* to the shop, not paid */
    WXPAY_TEXT_OPEN,      /* the button of READY */
    WXPAY_TEXT_TRY_AGAIN, /* the button of DOWN */
    WXPAY_TEXT_HERE,      /* the button of BLOCKED */
    WXPAY_TEXT_HOW,       /* PAYABLE: how to scan */
    WXPAY_TEXT_PAY,       /* the button of TAP */
    WXPAY_TEXT_NO_SCRIPT, /* TAP without JavaScript */
    WXPAY_TEXT_ASK,       /* PAYABLE: the button of who has paid and sees nothing of it */
    WXPAY_TEXT_ERR_CODE,
    WXPAY_TEXT_CALM, /* countdown while there is much time */
    WXPAY_TEXT_LOUD, /* countdown near the end */
    WXPAY_TEXT_RETRY_IN,
    WXPAY_TEXT_HOURS,
    WXPAY_TEXT_MINUTES,
    /* for the script */
    WXPAY_TEXT_COPY,
    WXPAY_TEXT_COPIED,
    WXPAY_TEXT_COPY_LINK,
    WXPAY_TEXT_AUTO,
    WXPAY_TEXT_STAY,
    WXPAY_TEXT_LEFT_5,
    WXPAY_TEXT_LEFT_1,
    WXPAY_TEXT_LEFT_0,
    WXPAY_TEXT_ASKING,       /* PAYABLE: that button was pressed */
    WXPAY_TEXT_NOT_YET,      /* ... and nothing has come of it */
    WXPAY_TEXT_CALLING,      /* TAP: WeChat's own dialog is about to open */
    WXPAY_TEXT_DEAF,         /* TAP: WeChat's bridge is not there after 5 s */
    WXPAY_TEXT_CONFIRMING,   /* TAP: WeChat says ok, the server does not yet */
    WXPAY_TEXT_SLOW,         /* the same, after a while */
    WXPAY_TEXT_CANCELLED,    /* TAP: the buyer closed WeChat's dialog */
    WXPAY_TEXT_FAILED,       /* TAP: WeChat said fail, for a reason that we do not know */
    WXPAY_TEXT_FAILED_STALE, /* ... the prepay_id is dead or of another appid */
    WXPAY_TEXT_FAILED_OTHER, /* ... the order is for another account */
    WXPAY_TEXT_FAILED_URL,   /* ... the shop has not registered this page's directory */
    WXPAY_TEXT_FAILED_OLD,   /* ... this WeChat cannot pay from pages */
    WXPAY_TEXT_MINI,         /* TAP: in a mini program's web-view, where WeChat refuses to pay */
    WXPAY_TEXT_PAY_AGAIN,    /* the button of TAP from the second time on */
    WXPAY_TEXT_LOST,
    WXPAY_TEXT_COUNT
} wxpay_page_text_e;

const char *wxpay_page_text(wxpay_lang_e lang, wxpay_page_text_e id);

/* What one state says. */
typedef struct wxpay_page_words_t {
    const char *tab;    /* document title, before the amount and the merchant */
    const char *head;   /* one line */
    const char *body;   /* what happened, whether money was taken; NULL: the head says it all */
    const char *advice; /* the next step, or NULL */
} wxpay_page_words_t;

const wxpay_page_words_t *wxpay_page_words(wxpay_lang_e lang, wxpay_page_e page);

#endif
