/* page_text.c - the table of texts. The columns are zh-CN, zh-TW, en. */
#include "page_text.h"

#define LANGS (WXPAY_LANG_EN + 1)

static const char *const texts[WXPAY_TEXT_COUNT][LANGS] = {
    [WXPAY_TEXT_LANG] = {"zh-CN", "zh-TW", "en"},
    [WXPAY_TEXT_WECHAT_PAY] = {"微信支付", "微信支付", "WeChat Pay"},
    [WXPAY_TEXT_AMOUNT] = {"金额", "金額", "Amount"},
    [WXPAY_TEXT_ORDER_NO] = {"订单号", "訂單編號", "Order no."},
    [WXPAY_TEXT_CREATED] = {"下单时间", "下單時間", "Ordered"},
    [WXPAY_TEXT_TRANSACTION] = {"微信支付单号", "微信支付單號", "Transaction no."},
    [WXPAY_TEXT_PAID_AT] = {"支付时间", "付款時間", "Paid"},
    [WXPAY_TEXT_ZONE] = {"", "", " (UTC+8)"},
    [WXPAY_TEXT_SUPPORT] = {"联系商家", "聯絡商家", "Contact the shop"},
    [WXPAY_TEXT_CONTINUE] = {"返回商家", "返回商家", "Continue to the shop"},
    [WXPAY_TEXT_BACK] = {"返回商家", "返回商家", "Back to the shop"},
    [WXPAY_TEXT_OPEN] = {"显示付款码", "顯示付款碼", "Show the payment code"},
    [WXPAY_TEXT_TRY_AGAIN] = {"重新尝试", "再試一次", "Try again"},
    [WXPAY_TEXT_HERE] = {"在这里支付", "在這裡付款", "Pay here"},
    [WXPAY_TEXT_HOW] = {"打开微信，点右上角“＋”，选“扫一扫”",
                        "打開微信，點右上角「＋」，選「掃一掃」",
                        "On your phone: open WeChat, tap “+”, then “Scan”"},
    [WXPAY_TEXT_PAY] = {"立即支付", "立即付款", "Pay now"},
    [WXPAY_TEXT_NO_SCRIPT] = {"在微信内支付需要 JavaScript。请在微信中打开本页。",
                              "在微信內付款需要 JavaScript。請在微信中打開本頁。",
                              "Paying inside WeChat needs JavaScript. Please open this page in "
                              "WeChat itself."},
    [WXPAY_TEXT_ASK] = {"我已完成支付", "我已完成付款", "I have paid"},
    [WXPAY_TEXT_ERR_CODE] = {"错误代码", "錯誤代碼", "Error code"},
    [WXPAY_TEXT_CALM] = {"请在 {}内完成支付", "請在 {}內完成付款", "Please pay within {}"},
    [WXPAY_TEXT_LOUD] = {"剩余时间 {}", "剩餘時間 {}", "Time left {}"},
    [WXPAY_TEXT_RETRY_IN] = {"{} 后可在这里支付", "{} 後可在這裡付款", "You can pay here in {}"},
    [WXPAY_TEXT_HOURS] = {" 小时", " 小時", " h"},
    [WXPAY_TEXT_MINUTES] = {" 分钟", " 分鐘", " min"},
    [WXPAY_TEXT_COPY] = {"复制", "複製", "Copy"},
    [WXPAY_TEXT_COPIED] = {"已复制", "已複製", "Copied"},
    [WXPAY_TEXT_COPY_LINK] = {"复制本页链接", "複製本頁連結", "Copy this page’s link"},
    [WXPAY_TEXT_AUTO] = {"{} 秒后自动返回商家", "{} 秒後自動返回商家",
                         "Taking you back to the shop in {} s"},
    [WXPAY_TEXT_STAY] = {"留在本页", "留在本頁", "Stay here"},
    [WXPAY_TEXT_LEFT_5] = {"支付时间剩余 5 分钟", "付款時間剩餘 5 分鐘", "5 minutes left to pay"},
    [WXPAY_TEXT_LEFT_1] = {"支付时间剩余 1 分钟", "付款時間剩餘 1 分鐘", "1 minute left to pay"},
    [WXPAY_TEXT_LEFT_0] = {"支付时间已到", "付款時間已到", "The time to pay is over"},
    [WXPAY_TEXT_ASKING] = {"正在向微信支付查询……", "正在向微信支付查詢……", "Asking WeChat Pay…"},
    [WXPAY_TEXT_NOT_YET] = {"还没有查到这笔付款。如果微信已扣款，款项不会丢失，本页会自动更新。"
                            "请勿重复支付。",
                            "尚未查到這筆付款。如果微信已扣款，款項不會遺失，本頁會自動更新。"
                            "請勿重複付款。",
                            "No payment has been found yet. If WeChat has charged you, the "
                            "payment is not lost: this page updates by itself. Please do not pay "
                            "again."},
    [WXPAY_TEXT_CALLING] = {"正在打开微信支付……", "正在打開微信支付……", "Opening WeChat Pay…"},
    [WXPAY_TEXT_DEAF] = {"微信没有响应。还没有扣款。请稍候，或关闭本页后在微信中重新打开。",
                         "微信沒有回應。尚未扣款。請稍候，或關閉本頁後在微信中重新打開。",
                         "WeChat does not answer. Nothing has been charged. Please wait, or close "
                         "this page and open it again in WeChat."},
    [WXPAY_TEXT_CONFIRMING] = {"正在确认付款，请勿重复支付……", "正在確認付款，請勿重複付款……",
                               "Confirming your payment, please do not pay again…"},
    [WXPAY_TEXT_SLOW] = {"确认的时间比平时长。如果微信已扣款，款项不会丢失；确认后本页会自动更新。"
                         "请勿重复支付。",
                         "確認的時間比平時長。如果微信已扣款，款項不會遺失；確認後本頁會自動更新。"
                         "請勿重複付款。",
                         "This takes longer than usual. If WeChat has charged you, the payment is "
                         "not lost: this page updates by itself. Please do not pay again."},
    [WXPAY_TEXT_CANCELLED] = {"已取消，没有扣款。订单仍然有效，可以继续支付。",
                              "已取消，沒有扣款。訂單仍然有效，可以繼續付款。",
                              "Cancelled, nothing was charged. Your order is kept: you can go on."},
    [WXPAY_TEXT_FAILED] =
        {"微信没有完成付款。如果微信显示已扣款，请勿重复支付，本页会自动更新；否则请重试。",
         "微信沒有完成付款。如果微信顯示已扣款，請勿重複付款，本頁會自動更新；否則請重試。",
         "WeChat did not complete the payment. If it shows that you were charged, do not pay "
         "again: "
         "this page updates by itself. Otherwise, please try again."},
    [WXPAY_TEXT_FAILED_STALE] = {"这笔付款请求已失效，没有扣款。请重试；仍然失败请联系商家。",
                                 "這筆付款請求已失效，沒有扣款。請重試；仍然失敗請聯絡商家。",
                                 "This payment request is no longer valid, nothing was charged. "
                                 "Try again; if that fails too, contact the shop."},
    [WXPAY_TEXT_FAILED_OTHER] = {"这个订单属于另一个微信账号，没有扣款。请用下单时的微信账号支付。",
                                 "這個訂單屬於另一個微信帳號，沒有扣款。請用下單時的微信帳號付款。",
                                 "This order is for another WeChat account, nothing was charged. "
                                 "Please pay with the account that ordered."},
    [WXPAY_TEXT_FAILED_URL] = {"商家还没有为这个网址开通微信支付，没有扣款。请联系商家。",
                               "商家尚未為這個網址開通微信支付，沒有扣款。請聯絡商家。",
                               "The shop has not registered this address with WeChat Pay, nothing "
                               "was charged. Please contact the shop."},
    [WXPAY_TEXT_FAILED_OLD] = {"当前的微信不能在网页中支付，没有扣款。请更新微信后重试。",
                               "目前的微信不能在網頁中付款，沒有扣款。請更新微信後重試。",
                               "This WeChat cannot pay from pages, nothing was charged. Please "
                               "update WeChat and try again."},
    [WXPAY_TEXT_MINI] = {"小程序里的网页不能调起微信支付。还没有扣款。请复制本页链接，在微信聊天中"
                         "打开。",
                         "小程式裡的網頁不能使用微信支付。尚未扣款。請複製本頁連結，在微信聊天中"
                         "打開。",
                         "Pages inside a mini program cannot pay. Nothing has been charged. Copy "
                         "this page’s link and open it in a WeChat chat."},
    [WXPAY_TEXT_PAY_AGAIN] = {"继续支付", "繼續付款", "Continue to pay"},
    [WXPAY_TEXT_LOST] = {"网络连接中断，正在重新连接……支付不受影响。",
                         "網路連線中斷，正在重新連線……付款不受影響。",
                         "Connection lost, reconnecting… Your payment is not affected."},
};

/* Of expired and closed ones: a payment of the last seconds may still be on its way to us. */
#define PAID_YET_ZH_CN                                                                             \
    "如果微信显示已付款，款项不会丢失，请勿重复支付，本页会自动更新；没有更新请联系商家。"
#define PAID_YET_ZH_TW                                                                             \
    "如果微信顯示已付款，款項不會遺失，請勿重複付款，本頁會自動更新；沒有更新請聯絡商家。"
#define PAID_YET_EN                                                                                \
    "If WeChat has charged you, the payment is not lost: do not pay again, this page updates by "  \
    "itself. If it does not, contact the shop."
#define NOT_PAID_ZH_CN "如未付款且仍需购买，请返回商家重新下单。"
#define NOT_PAID_ZH_TW "如未付款且仍需購買，請返回商家重新下單。"
#define NOT_PAID_EN                                                                                \
    "If you have not paid and still want to buy, go back to the shop and order again."

static const wxpay_page_words_t words[][LANGS] = {
    [WXPAY_PAGE_READY] = {{"待支付", "用微信扫码支付", "还没有扣款。", NULL},
                          {"待付款", "用微信掃碼付款", "尚未扣款。", NULL},
                          {"To pay", "Pay with WeChat", "Nothing has been charged yet.", NULL}},
    [WXPAY_PAGE_PREPARING] =
        {{"待支付", "正在准备支付", "正在连接微信支付，马上就好。还没有扣款。", NULL},
         {"待付款", "正在準備付款", "正在連接微信支付，馬上就好。尚未扣款。", NULL},
         {"To pay", "Preparing your payment",
          "Connecting to WeChat Pay, just a moment. Nothing has been charged.", NULL}},
    [WXPAY_PAGE_PAYABLE] = {{"待支付", "请使用微信“扫一扫”扫码支付", NULL, NULL},
                            {"待付款", "請使用微信「掃一掃」掃碼付款", NULL, NULL},
                            {"To pay", "Scan with WeChat to pay", NULL, NULL}},
    [WXPAY_PAGE_BLOCKED] = {{"待支付", "订单已在另一台设备上打开",
                             "请在那台设备上完成支付。如果已付款，请勿重复支付。",
                             "也可以稍候在这里支付，本页会自动继续。"},
                            {"待付款", "訂單已在另一台裝置上打開",
                             "請在那台裝置上完成付款。如果已付款，請勿重複付款。",
                             "也可以稍候在這裡付款，本頁會自動繼續。"},
                            {"To pay", "Already open on another device",
                             "Please pay there. If you have already paid, do not pay again.",
                             "Or wait a little: this page goes on by itself."}},
    [WXPAY_PAGE_PAID] = {{"已支付", "支付成功", NULL, NULL},
                         {"已付款", "付款成功", NULL, NULL},
                         {"Paid", "Payment successful", NULL, NULL}},
    [WXPAY_PAGE_EXPIRED] = {{"已过期", "订单已过期", "在有效时间内没有收到付款。" PAID_YET_ZH_CN,
                             NOT_PAID_ZH_CN},
                            {"已過期", "訂單已過期", "在有效時間內沒有收到付款。" PAID_YET_ZH_TW,
                             NOT_PAID_ZH_TW},
                            {"Expired", "This order has expired",
                             "No payment has arrived in time. " PAID_YET_EN, NOT_PAID_EN}},
    [WXPAY_PAGE_CLOSED] =
        {{"已关闭", "订单已关闭", "没有收到付款。" PAID_YET_ZH_CN, NOT_PAID_ZH_CN},
         {"已關閉", "訂單已關閉", "沒有收到付款。" PAID_YET_ZH_TW, NOT_PAID_ZH_TW},
         {"Closed", "This order is closed", "No payment has arrived. " PAID_YET_EN, NOT_PAID_EN}},
    [WXPAY_PAGE_CHECKING] =
        {{"核对中", "已收到付款，商家正在核对",
          "请勿重复支付。商家会发货或退款，请留意商家的通知。", "如有疑问，请凭订单号联系商家。"},
         {"核對中", "已收到付款，商家正在核對",
          "請勿重複付款。商家會出貨或退款，請留意商家的通知。", "如有疑問，請憑訂單編號聯絡商家。"},
         {"Checking", "Payment received, the shop is checking it",
          "Please do not pay again. The shop will deliver or refund, and let you know.",
          "Questions? Contact the shop with your order number."}},
    [WXPAY_PAGE_DOWN] =
        {{"暂时无法支付", "暂时无法发起支付",
          "没有连上微信支付，或它没有受理。未扣款，订单仍然有效。", "请稍后重新尝试。"},
         {"暫時無法付款", "暫時無法發起付款",
          "沒有連上微信支付，或它沒有受理。未扣款，訂單仍然有效。", "請稍後再試一次。"},
         {"Not available", "Payment cannot start right now",
          "WeChat Pay did not answer, or did not accept it. Nothing was charged, and your order is "
          "kept.",
          "Please try again in a moment."}},
    [WXPAY_PAGE_IN_WECHAT] =
        {{"待支付", "请在微信中打开", "这个订单只能在微信内支付。还没有扣款。",
          "请把本页链接发到微信里，再点开它。"},
         {"待付款", "請在微信中打開", "這個訂單只能在微信內付款。尚未扣款。",
          "請把本頁連結傳到微信裡，再點開它。"},
         {"To pay", "Please open this in WeChat",
          "This order can only be paid inside WeChat. Nothing has been charged.",
          "Send this page’s link to yourself in WeChat and open it there."}},
    [WXPAY_PAGE_TAP] = {{"待支付", "确认订单并支付", "还没有扣款。", NULL},
                        {"待付款", "確認訂單並付款", "尚未扣款。", NULL},
                        {"To pay", "Check your order and pay", "Nothing has been charged yet.",
                         NULL}},
    [WXPAY_PAGE_ELSEWHERE] =
        {{"待支付", "请在电脑上打开本页",
          "这个订单要用微信“扫一扫”支付，不能在微信内直接付款。还没有扣款。",
          "请把本页链接发到电脑，用浏览器打开，再用微信扫码。"},
         {"待付款", "請在電腦上打開本頁",
          "這個訂單要用微信「掃一掃」付款，不能在微信內直接付款。尚未扣款。",
          "請把本頁連結傳到電腦，用瀏覽器打開，再用微信掃碼。"},
         {"To pay", "Please open this page on a computer",
          "This order is paid by scanning a code, which does not work inside WeChat. Nothing has "
          "been charged.",
          "Send this page’s link to a computer, open it in a browser there and scan its code with "
          "WeChat."}},
    [WXPAY_PAGE_LINK_REFUSED] = {{"链接无效", "这个付款链接无效或已过期",
                                  "没有生成新订单，也没有扣款。", "请回到商家网站，重新点击付款。"},
                                 {"連結無效", "這個付款連結無效或已過期",
                                  "沒有產生新訂單，也沒有扣款。", "請回到商家網站，重新點選付款。"},
                                 {"Invalid link", "This payment link is invalid or has expired",
                                  "No order was made and nothing was charged.",
                                  "Please go back to the shop and choose to pay again."}},
    [WXPAY_PAGE_CONFLICT] =
        {{"订单已变更", "订单内容与之前的不一致",
          "同一订单号已有金额或内容不同的订单。这里没有扣款。",
          "请回到商家网站核对订单，再重新点击付款。"},
         {"訂單已變更", "訂單內容與之前的不一致",
          "同一訂單編號已有金額或內容不同的訂單。這裡沒有扣款。",
          "請回到商家網站核對訂單，再重新點選付款。"},
         {"Order changed", "This order is not what it was before",
          "There already is an order with this number, with another amount or other contents. "
          "Nothing was charged here.",
          "Please go back to the shop, check the order there and choose to pay again."}},
    [WXPAY_PAGE_HANDOFF_FAILED] =
        {{"暂时无法支付", "未能发起支付",
          "这里没有扣款。如果您之前已为这个订单付款，请勿重复支付。",
          "请返回商家网站，稍后重新点击付款。仍然失败请联系商家。"},
         {"暫時無法付款", "未能發起付款",
          "這裡沒有扣款。如果您先前已為這筆訂單付款，請勿重複付款。",
          "請返回商家網站，稍後重新點選付款。仍然失敗請聯絡商家。"},
         {"Not available", "The payment could not be started",
          "Nothing was charged here. If you have paid for this order before, do not pay again.",
          "Please go back to the shop and choose to pay again in a moment. If that fails too, "
          "contact the shop."}},
    [WXPAY_PAGE_NOT_FOUND] =
        {{"找不到订单", "找不到这个订单", "链接可能不完整或已失效。本页没有扣款。",
          "请回到商家网站，重新打开付款链接。"},
         {"找不到訂單", "找不到這個訂單", "連結可能不完整或已失效。本頁沒有扣款。",
          "請回到商家網站，重新打開付款連結。"},
         {"Not found", "Order not found",
          "The link may be incomplete or no longer valid. Nothing was charged here.",
          "Please go back to the shop and open its payment link again."}},
    [WXPAY_PAGE_STORE_DOWN] =
        {{"服务暂时不可用", "暂时读不到订单",
          "没有发起新的扣款。如果您已经付款，付款不会丢失，请勿重复支付。",
          "请稍候，本页会自动重试。"},
         {"服務暫時無法使用", "暫時讀不到訂單",
          "沒有發起新的扣款。如果您已經付款，付款不會遺失，請勿重複付款。",
          "請稍候，本頁會自動重試。"},
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
