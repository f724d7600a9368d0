"""Paying inside WeChat: a browser that looks like WeChat's, and a bridge that hands what the page
gives it to the simulator, which verifies it as WeChat does."""
import time

import pytest

from httpd.buyer import WECHAT

OPENID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
NOTE = "document.getElementById('note').textContent"
BUTTON = "document.getElementById('open')"

# Keeps what the page hands over; the test answers. Without `late` it is there from the start.
BRIDGE = """
window.handed = [];
const bridge = {invoke: (name, params, answer) => {
  window.handed.push({name, params});
  window.answer = answer;
}};
window.bridgeComes = () => {
  window.WeixinJSBridge = bridge;
  document.dispatchEvent(new Event('WeixinJSBridgeReady'));
};
if (!%s) { window.WeixinJSBridge = bridge; }
"""


class WeChat:
    """The browser as WeChat's, at the page of an order."""

    def __init__(self, browser, site, agent=WECHAT, late=False, language="zh-CN"):
        self.browser = browser
        self.site = site
        browser.cdp("Network.enable")
        browser.cdp("Network.setUserAgentOverride", userAgent=agent, acceptLanguage=language)
        browser.cdp("Page.addScriptToEvaluateOnNewDocument",
                    source=BRIDGE % ("true" if late else "false"))
        browser.size(375, 667, mobile=True)

    def visit(self, order, page="tap"):
        self.order = order
        self.browser.driver.get(order["pay_url"])
        self.browser.wait_page(page)

    def tap(self):
        self.browser.driver.find_element("id", "open").click()

    def handed(self, number=1, seconds=8.0):
        """The parameters of the page's nth call."""
        call = self.browser.wait(f"window.handed.length >= {number} && window.handed[{number - 1}]",
                                 seconds)
        assert call["name"] == "getBrandWCPayRequest"
        return call["params"]

    def bridge(self, number=1, **options):
        """Hands these on to the simulator and its answer back to the page: why it was refused."""
        said = self.site.gateway.bridge(self.handed(number), **options)
        self.browser.js("window.answer(arguments[0])", said["reply"])
        return said["why"]


@pytest.fixture(params=["MD5", "HMAC-SHA256"])
def site_of_both(request, new_shop):
    return new_shop(public="http://localhost:{port}", sign_type=request.param)


@pytest.fixture
def site(new_shop):
    return new_shop(public="http://localhost:{port}")


def order_for(site, **more):
    return site.create(1990, "铁观音茶叶", **{"openid": OPENID, **more})


def test_pays(site_of_both, browser):
    site = site_of_both
    order = order_for(site)
    wechat = WeChat(browser, site)
    wechat.visit(order)
    time.sleep(2.5)
    assert site.calls(order["out_trade_no"]) == 0  # nothing without a tap
    assert browser.js("return document.querySelector('svg.qr')") is None
    wechat.tap()
    assert wechat.bridge(openid=OPENID) is None
    browser.wait_page("paid", 4)
    assert browser.driver.title.startswith("已支付 ¥19.90")
    paid = site.wait_state(order["out_trade_no"], "PAID")
    assert paid["payer_openid"] == OPENID
    sent = site.ledger(order["out_trade_no"])["params"]
    assert (sent["trade_type"], sent["openid"]) == ("JSAPI", OPENID)
    assert sent["spbill_create_ip"] in ("127.0.0.1", "::1")
    assert site.calls(order["out_trade_no"]) == 1
    assert browser.complaints() == []


def test_ok_is_no_proof(site, browser):
    """The page says "confirming" for as long as the server has not heard of the payment."""
    order = order_for(site)
    wechat = WeChat(browser, site)
    wechat.visit(order)
    with site.behaviour(path="orderquery", trade_state="USERPAYING"):
        wechat.tap()
        assert wechat.bridge(notify=False) is None
        browser.wait(NOTE + ".startsWith('正在确认付款')")
        assert browser.js("return document.getElementById('live').textContent") \
            == browser.js("return " + NOTE)
        assert browser.driver.title.startswith("正在确认付款")
        assert not browser.js(f"return {BUTTON}.offsetParent !== null")
        time.sleep(4)  # the gateway was asked by then
        assert site.calls(order["out_trade_no"], "/pay/orderquery") == 1
        assert browser.shows("tap") and browser.js("return " + NOTE).startswith("正在确认付款")
    site.notify(order["out_trade_no"])
    browser.wait_page("paid", 3)


def test_ok_makes_the_server_ask(site, browser):
    """A lost notification is not waited for when WeChat has told the page that it is paid."""
    order = order_for(site)
    wechat = WeChat(browser, site)
    wechat.visit(order)
    wechat.tap()
    assert wechat.bridge(notify=False) is None
    browser.wait_page("paid", 8)
    assert site.calls(order["out_trade_no"], "/pay/orderquery") == 1


def test_cancel_and_go_on(site, browser):
    order = order_for(site)
    wechat = WeChat(browser, site)
    wechat.visit(order)
    wechat.tap()
    assert wechat.bridge(do="cancel") is None
    browser.wait(NOTE + ".startsWith('已取消')")
    assert browser.js(f"return {BUTTON}.textContent") == "继续支付"
    assert not browser.js(f"return {BUTTON}.disabled")
    time.sleep(3.5)  # a look at the server changes nothing of it
    assert browser.js("return " + NOTE).startswith("已取消")
    wechat.tap()
    assert wechat.bridge(2) is None
    browser.wait_page("paid", 4)
    assert site.calls(order["out_trade_no"]) == 1


def test_fail_and_try_again(site, browser):
    order = order_for(site)
    wechat = WeChat(browser, site, language="en")
    wechat.visit(order)
    wechat.tap()
    assert wechat.bridge(do="fail") is None
    browser.wait(NOTE + ".startsWith('WeChat did not complete')")
    told = browser.js("return document.getElementById('told').textContent")
    assert told == "get_brand_wcpay_request:fail"
    wechat.tap()
    assert wechat.bridge(2) is None
    browser.wait_page("paid", 4)


@pytest.mark.parametrize("openid, expired, words", [
    ("oSomebodyElse", False, "这个订单属于另一个微信账号"), (OPENID, True, "这笔付款请求已失效")])
def test_what_wechat_refuses_is_explained(site, browser, openid, expired, words):
    order = order_for(site)
    wechat = WeChat(browser, site)
    wechat.visit(order)
    wechat.tap()
    wechat.handed()
    if expired:
        site.gateway.expire(order["out_trade_no"], mch_id=site.merchant.mch_id)
    assert wechat.bridge(openid=openid)
    browser.wait(f"{NOTE}.startsWith('{words}')")
    assert "fail" in browser.js("return document.getElementById('told').textContent")


@pytest.mark.parametrize("reply, words", [
    ({"err_msg": "get_brand_wcpay_request:fail", "err_desc": "当前页面的URL未注册"}, "商家还没有为这个网址"),
    ({"err_msg": "system:access_denied"}, "商家还没有为这个网址"),
    ({"err_msg": "system:function_not_exist"}, "当前的微信不能在网页中支付"),
    ({"err_msg": "get_brand_wcpay_request:fail<img src=x>"}, "微信没有完成付款"),
    ({}, "微信没有完成付款"), (None, "微信没有完成付款")])
def test_answers_of_the_bridge(site, browser, reply, words):
    wechat = WeChat(browser, site)
    wechat.visit(order_for(site))
    wechat.tap()
    wechat.handed()
    browser.js("window.answer(arguments[0])", reply)
    browser.wait(f"{NOTE}.startsWith('{words}')")
    assert browser.js("return document.querySelectorAll('main img').length") == 0
    assert not browser.js(f"return {BUTTON}.disabled")


def test_a_bridge_that_comes_late(site, browser):
    wechat = WeChat(browser, site, late=True)
    wechat.visit(order_for(site))
    wechat.tap()
    browser.wait(NOTE + ".startsWith('正在打开微信支付')")
    time.sleep(4)
    assert browser.js("return " + NOTE).startswith("正在打开微信支付")
    browser.wait(NOTE + ".startsWith('微信没有响应')", 4)
    browser.js("window.bridgeComes()")
    assert wechat.bridge() is None
    browser.wait_page("paid", 4)


def test_a_slow_gateway(site, browser):
    """The tap is remembered while the order is being prepared."""
    order = order_for(site)
    wechat = WeChat(browser, site)
    with site.behaviour(path="unifiedorder", delay_ms=2500, out_trade_no=order["out_trade_no"]):
        wechat.visit(order)
        wechat.tap()
        browser.wait_page("preparing", 2)
        assert wechat.bridge() is None
    browser.wait_page("paid", 4)
    assert site.calls(order["out_trade_no"]) == 1


def test_opened_by_the_backend(site, browser):
    """trade_type JSAPI in the API: the page pays the attempt that is open already."""
    order = order_for(site, trade_type="JSAPI", spbill_create_ip="1.2.3.4")
    assert site.gateway.bridge(order["jsapi"], do="cancel")["why"] is None
    wechat = WeChat(browser, site)
    wechat.visit(order)
    wechat.tap()
    assert wechat.handed()["package"] == order["jsapi"]["package"]
    assert wechat.bridge() is None
    browser.wait_page("paid", 4)
    assert site.calls(order["out_trade_no"]) == 1


@pytest.mark.parametrize("more, marked", [(" miniProgram/wx0123456789abcdef", False), ("", True)])
def test_a_mini_programs_web_view(site, browser, more, marked):
    order = order_for(site)
    if marked:
        browser.cdp("Page.addScriptToEvaluateOnNewDocument",
                    source="window.__wxjs_environment = 'miniprogram';")
    WeChat(browser, site, agent=WECHAT + more).visit(order)
    browser.wait(NOTE + ".startsWith('小程序')")
    assert not browser.js(f"return {BUTTON}.offsetParent !== null")
    assert browser.js("return document.getElementById('copy-link').offsetParent !== null")
    assert site.calls(order["out_trade_no"]) == 0


def test_an_order_for_a_scanner(site, browser):
    """Also one whose code another browser shows: never a QR code inside WeChat."""
    order, _ = site.payable()
    WeChat(browser, site).visit(order, "elsewhere")
    assert browser.js("return document.querySelector('svg.qr')") is None
    assert browser.js("return document.getElementById('copy-link').offsetParent !== null")
    site.pay(order["out_trade_no"])
    browser.wait_page("paid", 7)


def test_on_a_computer(site, browser):
    order = order_for(site)
    browser.driver.get(order["pay_url"])
    browser.wait_page("in_wechat")
    assert browser.js("return document.getElementById('copy-link').offsetParent !== null")
    time.sleep(2)
    assert site.calls(order["out_trade_no"]) == 0


def test_without_javascript(site, browser):
    order = order_for(site)
    wechat = WeChat(browser, site)
    browser.javascript(False)
    wechat.visit(order)
    notices = browser.driver.find_elements("css selector", "section noscript p")
    assert "JavaScript" in notices[0].text
    assert site.calls(order["out_trade_no"]) == 0
