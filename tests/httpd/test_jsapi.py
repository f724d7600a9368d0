"""Paying inside WeChat, without a browser: which page whom, and who gets the parameters."""

import hashlib
import hmac
import re
import time

import pytest

from .buyer import DESKTOP, WECHAT
from .shop import Merchant

OPENID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
OTHER = "oSomebodyElse_00000000000000"
NAMES = {"appId", "timeStamp", "nonceStr", "package", "signType", "paySign"}


@pytest.fixture(scope="module", params=["MD5", "HMAC-SHA256"])
def kind(request):
    return request.param


@pytest.fixture
def in_wechat(shop):
    """in_wechat(order, cookie=None): a buyer in WeChat's browser."""
    def open_page(order, cookie=None, where=shop):
        buyer = where.buyer(order, user_agent=WECHAT)
        if cookie:
            buyer.headers["Cookie"] = cookie
        return buyer
    return open_page


def cookie_of(shop, openid, until=None, label="buyer"):
    """The cookie that says whose browser it is, made from the state secret (RFC 5869, no salt)."""
    secret = (shop.httpd.state / "secret").read_bytes()
    extracted = hmac.digest(b"\0" * 32, secret, "sha256")
    info = f"mod_wxpay {label}\n{shop.public}".encode()
    key = hmac.digest(extracted, info + b"\x01", "sha256")
    said = "%016x" % int(time.time() + 60 if until is None else until)
    mac = hmac.new(key, (said + openid).encode(), hashlib.sha256).hexdigest()
    return f"theme=dark; wxpay_buyer={said}{mac}{openid}; x=y"


def opened(buyer):
    assert buyer.open().status == 200
    return buyer


# -- an order with an openid

def test_the_way_to_paid(new_shop, in_wechat, kind):
    shop = new_shop(sign_type=kind)
    order = shop.create(openid=OPENID)
    buyer = in_wechat(order, where=shop)
    page = buyer.page()
    assert 'data-page="tap"' in page.text and OPENID not in page.text
    assert buyer.view() == {"state": "tap", "total_fee": 1990, "fee_type": "CNY", "body": "Tea",
                            "expires_at": order["expires_at"]}
    assert shop.calls(order["out_trade_no"]) == 0
    early = buyer.jsapi()
    assert early.status == 409 and early.json()["state"] == "tap"
    assert opened(buyer).view()["state"] == "tap"
    response = buyer.jsapi()
    assert response.status == 200 and response.header("Cache-Control") == "no-store"
    params = response.json()
    assert set(params) == NAMES and params["signType"] == kind
    assert params["nonceStr"] != buyer.jsapi().json()["nonceStr"]
    assert shop.calls(order["out_trade_no"]) == 1
    assert shop.gateway.bridge(params, openid=OPENID)["why"] is None
    assert shop.wait_state(order["out_trade_no"], "PAID")["payer_openid"] == OPENID
    after = buyer.jsapi()
    assert after.status == 409 and after.json()["state"] == "paid"
    assert OPENID not in shop.httpd.log.tail()


def test_the_gateway_learns_the_buyers_address(shop, in_wechat):
    order = shop.create(openid=OPENID)
    opened(in_wechat(order))
    sent = shop.ledger(order["out_trade_no"])["params"]
    assert (sent["trade_type"], sent["openid"]) == ("JSAPI", OPENID)
    assert sent["spbill_create_ip"] == "127.0.0.1" and "product_id" not in sent


def test_opening_twice_is_one_call(shop, in_wechat):
    order = shop.create(openid=OPENID)
    buyer = opened(opened(in_wechat(order)))
    first = buyer.jsapi().json()["package"]
    assert opened(in_wechat(order)).jsapi().json()["package"] == first
    assert shop.calls(order["out_trade_no"]) == 1


def test_the_form_works_too(shop, in_wechat):
    buyer = in_wechat(shop.create(openid=OPENID))
    response = buyer.open(script=False)
    assert response.status == 303
    assert buyer.jsapi().status == 200


def test_who_gets_no_parameters(shop, in_wechat):
    order = shop.create(openid=OPENID)
    buyer = opened(in_wechat(order))
    for response in (buyer.jsapi(token="0" * 80), buyer.jsapi(token=""),
                     buyer.jsapi(headers={"Origin": "https://evil.example"}),
                     buyer.request("POST", "/jsapi", "csrf=" + buyer.token,
                                   {"Content-Type": "text/plain"})):
        assert response.status == 403
        assert "paySign" not in response.text
    desktop = shop.buyer(order)
    desktop.token = buyer.token
    response = desktop.jsapi()
    assert response.status == 403 and response.json()["state"] == "in_wechat"
    for method in ("GET", "HEAD", "PUT"):
        response = buyer.request(method, "/jsapi")
        assert response.status == 405 and response.header("Allow") == "POST"
    assert shop.web().post("/wxpay/pay/AAAAAAAAAAAAAAAAAAAAAA/jsapi").status == 404


def test_on_a_computer(shop, in_wechat):
    """An order made for somebody's openid is paid in WeChat: no code, whatever is posted."""
    order = shop.create(openid=OPENID)
    buyer = shop.buyer(order)
    page = buyer.page()
    assert 'data-page="in_wechat"' in page.text and "data-clip-link" in page.text
    within = in_wechat(order)
    within.page()
    buyer.token = within.token
    assert buyer.open().json()["state"] == "in_wechat" and buyer.qr().status == 404
    assert shop.calls(order["out_trade_no"]) == 0


# -- an order without one

def test_no_code_inside_wechat(shop, in_wechat):
    order, code_url = shop.payable()
    buyer = in_wechat(order)
    page = buyer.page()
    assert 'data-page="elsewhere"' in page.text and "<svg class=\"qr" not in page.text
    assert "code_url" not in buyer.view() and buyer.qr().status == 404
    assert buyer.request("GET", "/qr.png").status == 404
    assert buyer.state().json()["state"] == "elsewhere"
    assert shop.buyer(order).view()["code_url"] == code_url


def test_an_order_that_must_be_scanned(shop, in_wechat):
    order = shop.create(trade_type="NATIVE", openid=OPENID)
    assert in_wechat(order).view()["state"] == "elsewhere"
    assert shop.buyer(order).view()["state"] == "payable"


def test_whom_the_cookie_names(shop, in_wechat):
    order = shop.create()
    mine = in_wechat(order, cookie_of(shop, OPENID))
    assert opened(mine).view()["state"] == "tap"
    params = mine.jsapi().json()
    assert shop.ledger(order["out_trade_no"])["params"]["openid"] == OPENID
    other = in_wechat(order, cookie_of(shop, OTHER))
    other.page()
    refused = other.jsapi()
    assert refused.status == 403 and "prepay_id" not in refused.text
    nobody = in_wechat(order)
    nobody.token = other.token
    assert nobody.jsapi().status == 403 and nobody.view()["state"] == "elsewhere"
    assert shop.gateway.bridge(params, openid=OPENID)["why"] is None
    assert shop.wait_state(order["out_trade_no"], "PAID")["payer_openid"] == OPENID


def test_cookies_that_say_nothing(shop, in_wechat):
    order = shop.create()
    genuine = cookie_of(shop, OPENID)
    for cookie in (cookie_of(shop, OPENID, label="csrf"), cookie_of(shop, OPENID, until=1),
                   genuine.replace(OPENID, OTHER), genuine.replace(OPENID, OPENID + "x"),
                   "wxpay_buyer=", "wxpay_buyer=" + OPENID, "wxpay_buyer=" + "0" * 80 + OPENID):
        assert in_wechat(order, cookie).view()["state"] == "elsewhere"
    desktop = shop.buyer(order)
    desktop.headers["Cookie"] = genuine
    assert desktop.view()["state"] == "ready"


def test_the_orders_openid_wins(shop, in_wechat):
    """The order was created for it: WeChat itself refuses anybody else."""
    order = shop.create(openid=OPENID)
    buyer = opened(in_wechat(order, cookie_of(shop, OTHER)))
    assert buyer.jsapi().status == 200
    assert shop.ledger(order["out_trade_no"])["params"]["openid"] == OPENID


def test_from_a_computer_into_wechat(shop, in_wechat):
    """The QR code is open: the gateway must close it before the buyer can pay inside WeChat."""
    order, _ = shop.payable()
    buyer = opened(in_wechat(order, cookie_of(shop, OPENID)))
    buyer.wait_view(lambda view: view["state"] == "tap")
    second = order["out_trade_no"] + "*2"
    params = buyer.jsapi().json()
    assert shop.gateway.bridge(params)["why"] is None
    shop.wait_state(order["out_trade_no"], "PAID")
    assert shop.ledger(order["out_trade_no"])["state"] == "CLOSED"
    assert shop.ledger(second)["state"] == "SUCCESS"


def test_while_the_gateway_does_not_close_the_code(shop, in_wechat):
    """Within 5 minutes it may refuse to: the code is shown where it was, and only there."""
    order, code_url = shop.payable()
    number = order["out_trade_no"]
    computer = shop.buyer(order)
    with shop.behaviour(path="closeorder", out_trade_no=number, refuse_early_close=True):
        phone = opened(in_wechat(order, cookie_of(shop, OPENID)))
        phone.wait_view(lambda view: view["state"] == "blocked")
        page = phone.page().text
        assert "You can pay here in 5:" in page and "this page goes on by itself" in page
        assert phone.jsapi().status == 409
    view = computer.wait_view(lambda view: view["state"] == "payable")
    assert view["code_url"] == code_url
    assert 'class="code"' in computer.page().text and computer.qr().status == 200
    assert shop.ledger(number + "*2") is None
    shop.pay(number)
    assert shop.wait_state(number, "PAID")["paid_gateway_no"] == number
    assert phone.wait_paid() and computer.wait_paid()


def test_a_computer_does_not_take_it_back_by_itself(shop, in_wechat):
    """The page that shows the code opens what is due without being asked, but not against another
    device: both would close each other's for ever."""
    order, _ = shop.payable()
    number = order["out_trade_no"]
    computer = shop.buyer(order)
    phone = opened(in_wechat(order, cookie_of(shop, OPENID)))
    phone.wait_view(lambda view: view["state"] == "tap")
    assert phone.jsapi().status == 200
    page = computer.page().text
    assert 'data-page="blocked"' in page and "Already open on another device" in page
    assert "goes on by itself" not in page and 'role="timer"' not in page
    assert '<form method="post" action="%s">' % computer.path in page  # a button that is seen
    computer.open()
    assert computer.wait_view(lambda view: view.get("code_url"))["state"] == "payable"
    assert shop.ledger(number + "*2")["state"] == "CLOSED"
    assert shop.ledger(number + "*3")["params"]["trade_type"] == "NATIVE"
    assert phone.view()["state"] == "tap"


# -- the API

def test_the_apis_parameters(new_shop, kind):
    shop = new_shop(sign_type=kind)
    order = shop.create(trade_type="JSAPI", openid=OPENID, spbill_create_ip="1.2.3.4")
    assert set(order["jsapi"]) == NAMES
    assert order["jsapi"]["package"] == "prepay_id=" + order["prepay_id"]
    again = shop.api.get(order["out_trade_no"])["jsapi"]
    assert shop.gateway.bridge(again, openid=OPENID)["why"] is None
    shop.wait_state(order["out_trade_no"], "PAID")
    assert "jsapi" not in shop.api.get(order["out_trade_no"])


def test_other_orders_have_none(shop):
    assert "jsapi" not in shop.create(trade_type="NATIVE")
    assert "jsapi" not in shop.create(openid=OPENID)


def test_a_sub_merchant(new_shop, in_wechat, gateway):
    """The openid is known under the sub-merchant's appid, and so the page runs under it."""
    merchant, sub = Merchant(), Merchant()
    shop = new_shop(merchant=merchant, conf=(
        f"WxPaySubMchId {sub.mch_id}\nWxPaySubAppId {sub.appid}\n"))
    gateway.merchant(mch_id=merchant.mch_id, appid=merchant.appid, key=merchant.key,
                     provider=True, subs=[{"sub_mch_id": sub.mch_id, "sub_appid": sub.appid}])
    order = shop.create(openid=OPENID)
    params = opened(in_wechat(order, where=shop)).jsapi().json()
    assert params["appId"] == sub.appid
    sent = shop.ledger(order["out_trade_no"])["params"]
    assert sent["sub_openid"] == OPENID and "openid" not in sent
    assert shop.gateway.bridge(params, openid=OPENID)["why"] is None
    shop.wait_state(order["out_trade_no"], "PAID")


# -- what every page says

@pytest.mark.parametrize("conf, asked, lang", [
    ("WxPayLanguage zh-TW\n", "en", "zh-TW"), ("WxPayLanguage en\n", "zh-CN", "en"),
    ("WxPayLanguage zh-CN\n", "zh-TW", "zh-CN"), ("WxPayLanguage auto\n", "zh-HK,zh;q=0.9", "zh-TW"),
    ("", "zh-TW", "zh-TW"), ("", "fr", "zh-CN")])
def test_language(new_shop, conf, asked, lang):
    shop = new_shop(conf=conf)
    for path in (shop.create()["pay_url"], "/wxpay/pay/AAAAAAAAAAAAAAAAAAAAAA"):
        page = shop.web().get(path, {"Accept-Language": asked, "Accept": "text/html"}).text
        assert re.search(r'<html lang="([^"]*)">', page)[1] == lang
    order, _ = shop.payable()
    label = {"en": "amount CNY", "zh-TW": "金額", "zh-CN": "金额"}[lang]
    assert label in shop.buyer(order, language=asked).qr().text


def test_who_is_paid_and_who_helps(new_shop):
    shop = new_shop(conf='WxPayMerchantName "Tea & <Co>"\nWxPaySupport "+86 10 1234 5678"\n')
    order, _ = shop.payable()
    for path in (order["pay_url"], "/wxpay/pay/AAAAAAAAAAAAAAAAAAAAAA"):
        page = shop.web().get(path, {"User-Agent": DESKTOP}).text
        assert '<bdi class="shop">Tea &amp; &lt;Co&gt;</bdi>' in page
        assert re.search(r'href="tel:\+861012345678"><bdi>\+86 10 1234 5678</bdi>', page)
        assert "– Tea &amp; &lt;Co&gt;</title>" in page
