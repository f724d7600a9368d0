/* page_text.c - the table of texts. The first column is zh-CN, the second en. */
#include "page_text.h"

static const char *const texts[WXPAY_TEXT_COUNT][2] = {
    [WXPAY_TEXT_LANG] = {"zh-CN", "en"},
    [WXPAY_TEXT_WECHAT_PAY] = {"微信支付", "WeChat Pay"},
    [WXPAY_TEXT_AMOUNT] = {"金额", "Amount"},
    [WXPAY_TEXT_ORDER_NO] = {"订单号", "Order no."},
    [WXPAY_TEXT_CREATED] = {"下单时间", "Ordered"},
    [WXPAY_TEXT_TRANSACTION] = {"微信支付单号", "Transaction no."},
    [WXPAY_TEXT_PAID_AT] = {"支付时间", "Paid"},
    [WXPAY_TEXT_ZONE] = {"", " (UTC+8)"},
    [WXPAY_TEXT_SUPPORT] = {"联系商家", "Contact the shop"},
    [WXPAY_TEXT_CONTINUE] = {"返回商家", "Continue to the shop"},
    [WXPAY_TEXT_BACK] = {"返回商家", "Back to the shop"},
    [WXPAY_TEXT_OPEN] = {"显示付款码", "Show the payment code"},
    [WXPAY_TEXT_TRY_AGAIN] = {"重新尝试", "Try again"},
    [WXPAY_TEXT_HERE] = {"在这里支付", "Pay here"},
    [WXPAY_TEXT_HOW] = {"打开微信，点右上角“＋”，选“扫一扫”",
                        "On your phone: open WeChat, tap “+”, then “Scan”"},
    [WXPAY_TEXT_ERR_CODE] = {"错误代码", "Error code"},
    [WXPAY_TEXT_CALM] = {"请在 {}内完成支付", "Please pay within {}"},
    [WXPAY_TEXT_LOUD] = {"剩余时间 {}", "Time left {}"},
    [WXPAY_TEXT_RETRY_IN] = {"{} 后可在这里支付", "You can pay here in {}"},
    [WXPAY_TEXT_HOURS] = {" 小时 ", " h "},
    [WXPAY_TEXT_MINUTES] = {" 分钟", " min"},
    [WXPAY_TEXT_COPY] = {"复制", "Copy"},
    [WXPAY_TEXT_COPIED] = {"已复制", "Copied"},
    [WXPAY_TEXT_COPY_LINK] = {"复制本页链接", "Copy this page’s link"},
    [WXPAY_TEXT_AUTO] = {"{} 秒后自动返回商家", "Taking you back to the shop in {} s"},
    [WXPAY_TEXT_STAY] = {"留在本页", "Stay here"},
    [WXPAY_TEXT_LEFT_5] = {"支付时间剩余 5 分钟", "5 minutes left to pay"},
    [WXPAY_TEXT_LEFT_1] = {"支付时间剩余 1 分钟", "1 minute left to pay"},
    [WXPAY_TEXT_LEFT_0] = {"支付时间已到", "The time to pay is over"},
    [WXPAY_TEXT_LOST] = {"网络连接中断，正在重新连接……支付不受影响。",
                         "Connection lost, reconnecting… Your payment is not affected."},
};

static const wxpay_page_words_t words[][2] = {
    [WXPAY_PAGE_READY] = {{"待支付", "用微信扫码支付", "还没有扣款。", NULL},
                          {"To pay", "Pay with WeChat", "Nothing has been charged yet.", NULL}},
    [WXPAY_PAGE_PREPARING] = {{"待支付", "正在准备付款码",
                               "正在连接微信支付，马上就好。还没有扣款。", NULL},
                              {"To pay", "Getting your payment code",
                               "Connecting to WeChat Pay, just a moment. Nothing has been charged.",
                               NULL}},
    [WXPAY_PAGE_PAYABLE] = {{"待支付", "请使用微信“扫一扫”扫码支付", NULL, NULL},
                            {"To pay", "Scan with WeChat to pay", NULL, NULL}},
    [WXPAY_PAGE_BLOCKED] = {{"待支付", "订单已在另一台设备上打开",
                             "请在那台设备上完成支付。还没有扣款。",
                             "也可以稍候在这里支付，本页会自动继续。"},
                            {"To pay", "Already open on another device",
                             "Please pay there. Nothing has been charged yet.",
                             "Or wait a little: this page goes on by itself."}},
    [WXPAY_PAGE_PAID] = {{"已支付", "支付成功", NULL, NULL},
                         {"Paid", "Payment successful", NULL, NULL}},
    [WXPAY_PAGE_EXPIRED] =
        {{"已过期", "订单已过期",
          "没有在有效时间内收到付款，未扣款。如果微信显示已付款，请勿重复支付，并联系商家。",
          "如仍需购买，请返回商家重新下单。"},
         {"Expired", "This order has expired",
          "No payment arrived in time, so nothing was charged. If WeChat shows a payment, do not "
          "pay again: contact the shop.",
          "To buy, go back to the shop and order again."}},
    [WXPAY_PAGE_CLOSED] =
        {{"已关闭", "订单已关闭",
          "没有收到付款，未扣款。如果微信显示已付款，请勿重复支付，并联系商家。",
          "如仍需购买，请返回商家重新下单。"},
         {"Closed", "This order is closed",
          "No payment arrived, so nothing was charged. If WeChat shows a payment, do not pay "
          "again: contact the shop.",
          "To buy, go back to the shop and order again."}},
    [WXPAY_PAGE_CHECKING] =
        {{"核对中", "已收到付款，商家正在核对", "请勿重复支付。核对完成后本页会自动更新。",
          "如有疑问，请凭订单号联系商家。"},
         {"Checking", "Payment received, the shop is checking it",
          "Please do not pay again. This page updates by itself when it is done.",
          "Questions? Contact the shop with your order number."}},
    [WXPAY_PAGE_DOWN] =
        {{"暂时无法支付", "暂时无法发起支付",
          "没有连上微信支付，或它没有受理。未扣款，订单仍然有效。", "请稍后重新尝试。"},
         {"Not available", "Payment cannot start right now",
          "WeChat Pay did not answer, or did not accept it. Nothing was charged, and your order is "
          "kept.",
          "Please try again in a moment."}},
    [WXPAY_PAGE_IN_WECHAT] =
        {{"待支付", "请在微信中打开", "这个订单只能在微信内支付。还没有扣款。",
          "请把本页链接发到微信里，再点开它。"},
         {"To pay", "Please open this in WeChat",
          "This order can only be paid inside WeChat. Nothing has been charged.",
          "Send this page’s link to yourself in WeChat and open it there."}},
    [WXPAY_PAGE_NOT_FOUND] =
        {{"找不到订单", "找不到这个订单", "链接可能不完整或已失效。本页没有扣款。",
          "请回到商家网站，重新打开付款链接。"},
         {"Not found", "Order not found",
          "The link may be incomplete or no longer valid. Nothing was charged here.",
          "Please go back to the shop and open its payment link again."}},
    [WXPAY_PAGE_STORE_DOWN] =
        {{"服务暂时不可用", "暂时读不到订单",
          "没有发起新的扣款。如果您已经付款，付款不会丢失，请勿重复支付。",
          "请稍候，本页会自动重试。"},
         {"Not available", "The order cannot be read right now",
          "No new payment was started. If you have already paid, it is not lost: do not pay again.",
          "Please wait, this page tries again by itself."}},
};

const char *wxpay_page_text(wxpay_lang_e lang, wxpay_page_text_e id)
{
    return texts[id][lang];
}

const wxpay_page_words_t *wxpay_page_words(wxpay_lang_e lang, wxpay_page_e page)
{
    return &words[page][lang];
}
