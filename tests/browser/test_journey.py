"""The whole way in a real browser: order, QR code, phone, paid; and what goes wrong on it."""
import time
import urllib.parse

import pytest

from httpd.test_expiry import time_is_over

from .chromium import read_qr

LOCAL = "http://localhost:{port}"


@pytest.fixture
def site(new_shop):
    """A shop that the browser reaches by its public URL, without TLS."""
    return new_shop(public=LOCAL)


def language(browser, value):
    browser.cdp("Network.enable")
    browser.cdp("Network.setExtraHTTPHeaders", headers={"Accept-Language": value})


def code_on(browser, path):
    return read_qr(browser.shot(path))


@pytest.mark.parametrize("lang, tab", [("zh-CN", "已支付 ¥19.90"), ("en", "Paid ¥19.90")])
def test_scan_and_pay(site, browser, tmp_path, lang, tab):
    order = site.create(1990, "Oolong tea")
    language(browser, lang)
    browser.driver.get(order["pay_url"])
    browser.wait_page("payable")
    assert browser.js("return document.documentElement.lang") == lang
    scanned = code_on(browser, tmp_path / "page.png")
    assert scanned == site.ledger(order["out_trade_no"])["code_url"]
    began = time.monotonic()
    site.gateway.pay(code_url=scanned)
    browser.wait_page("paid", 4)
    assert time.monotonic() - began < 2.5  # two seconds, and the machine's own slowness
    assert browser.driver.title.startswith(tab)
    assert site.calls(order["out_trade_no"]) == 1
    site.wait_state(order["out_trade_no"], "PAID")
    number = site.row(order["out_trade_no"])["transaction_id"]
    assert number in browser.js("return document.querySelector('dl').textContent")
    assert browser.complaints() == []


SAID = ("const line = document.getElementById('asked');"
        "return line && !line.hidden ? line.textContent : ''")


def test_the_buyer_says_i_have_paid(site, browser, tmp_path):
    """No notification comes; the button finds the payment, or says that there is none yet."""
    order = site.create(1990, "Oolong tea")
    number = order["out_trade_no"]
    language(browser, "en")
    browser.driver.get(order["pay_url"])
    browser.wait_page("payable")
    scanned = code_on(browser, tmp_path / "page.png")
    browser.driver.find_element("id", "ask").click()
    browser.wait("document.getElementById('asked').textContent === 'Asking WeChat Pay…'", 2)
    browser.wait("document.getElementById('asked').textContent.includes('No payment has been found yet')", 9)
    assert "is not lost" in browser.js(SAID)
    assert browser.shows("payable") and site.calls(number, "/pay/orderquery") == 1
    site.gateway.pay(code_url=scanned, notify=False)
    browser.driver.find_element("id", "ask").click()
    browser.wait_page("paid", 5)
    assert site.calls(number, "/pay/orderquery") == 2
    assert browser.complaints() == []


def test_i_have_paid_without_javascript(site, browser, tmp_path):
    order = site.create(1990, "Oolong tea")
    browser.driver.get(order["pay_url"])
    browser.wait_page("payable")
    scanned = code_on(browser, tmp_path / "page.png")
    browser.javascript(False)
    browser.driver.get(order["pay_url"])
    site.gateway.pay(code_url=scanned, notify=False)
    browser.driver.find_element("id", "ask").click()
    site.wait_state(order["out_trade_no"], "PAID")
    browser.driver.get(order["pay_url"])
    assert browser.shows("paid")
    assert site.calls(order["out_trade_no"], "/pay/orderquery") == 1


def test_the_phone_page_pays(site, browser):
    """The simulator's phone, used by hand: what `make demo` shows."""
    order, code = site.payable(1990)
    browser.driver.get(site.gateway.phone + "/?code=" + urllib.parse.quote(code, safe=""))
    pay = [button for button in browser.driver.find_elements("css selector", "button")
           if "Pay" in button.text]
    pay[0].click()
    site.wait_state(order["out_trade_no"], "PAID")
    browser.wait("document.body.textContent.includes('支付成功')")


def test_preparing_turns_payable_by_itself(site, browser, tmp_path):
    order = site.create()
    with site.behaviour(path="unifiedorder", delay_ms=3000, out_trade_no=order["out_trade_no"]):
        began = time.monotonic()
        browser.driver.get(order["pay_url"])
        browser.wait_page("preparing", 2)
        assert time.monotonic() - began < 2
        browser.wait_page("payable", 6)
    assert code_on(browser, tmp_path / "page.png").startswith("weixin://wxpay/")
    assert site.calls(order["out_trade_no"]) == 1


def test_hostile_title_is_text(site, browser):
    title = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>"
    order = site.create(body=title)
    browser.driver.get(order["pay_url"])
    browser.wait_page("payable")
    assert browser.js("return document.querySelector('.what').textContent") == title
    assert browser.js("return document.querySelectorAll('img').length") == 0
    assert browser.complaints() == []


def test_closed_by_the_shop(site, browser):
    order = site.create(return_url="/order/17")
    browser.driver.get(order["pay_url"])
    browser.wait_page("payable")
    site.api.close(order["out_trade_no"])
    browser.wait_page("closed", 4)
    assert browser.js("return document.getElementById('back').getAttribute('href')") == "/order/17"


def test_its_time_is_over(site, browser):
    """The page turns by its own clock; nothing on it can be scanned any more."""
    order, _ = site.payable()
    language(browser, "zh-CN")
    time_is_over(site, order["out_trade_no"], left=3)
    browser.driver.get(order["pay_url"])
    browser.wait_page("payable")
    browser.wait_page("expired", 6)
    assert browser.driver.title.startswith("已过期")
    assert browser.js("return document.querySelector('svg.qr, #open')") is None
    assert browser.complaints() == []


def test_another_amount_arrives(site, browser):
    """Genuine money that does not match: the buyer is told not to pay again."""
    order, _ = site.payable()
    language(browser, "zh-CN")
    site.httpd.expect_log("WXP0504: .*differs in total_fee")
    browser.driver.get(order["pay_url"])
    browser.wait_page("payable")
    site.notify(order["out_trade_no"], total_fee=1)
    browser.wait_page("checking", 4)
    assert browser.driver.title.startswith("核对中")
    assert browser.js("return document.querySelector('svg.qr, #open')") is None


def test_goes_on_to_the_shop(site, browser):
    site.httpd.write("htdocs/thanks.html", "<title>thanks</title>")
    order = site.create(return_url="/thanks.html")
    browser.driver.get(order["pay_url"])
    browser.wait_page("payable")
    site.pay(order["out_trade_no"])
    browser.wait_page("paid", 4)
    browser.wait("document.title === 'thanks'", 5)


def test_gateway_down_and_up_again(site, browser):
    site.httpd.expect_log(r"wxpay:warn.*unifiedorder of .*Failed to connect")
    order = site.create()
    with site.behaviour(refuse_connect=True):
        browser.driver.get(order["pay_url"])
        browser.wait_page("down", 6)
        assert browser.js("return document.getElementById('open').offsetParent !== null")
    browser.js("document.getElementById('open').click()")
    browser.wait_page("payable", 8)


def test_unknown_order(site, browser):
    browser.driver.get(site.public + "/wxpay/pay/AAAAAAAAAAAAAAAAAAAAAA")
    assert browser.shows("not_found")


def test_two_tabs_one_code(site, browser, tmp_path):
    order = site.create()
    browser.driver.get(order["pay_url"])
    browser.wait_page("payable")
    first = code_on(browser, tmp_path / "first.png")
    browser.fresh()
    browser.driver.get(order["pay_url"])
    browser.wait_page("payable")
    assert code_on(browser, tmp_path / "second.png") == first != ""
    assert site.calls(order["out_trade_no"]) == 1


def test_without_javascript(site, browser, tmp_path):
    order = site.create()
    browser.javascript(False)
    browser.driver.get(order["pay_url"])
    browser.driver.find_element("id", "open").click()
    browser.wait_page("payable", 8)
    site.gateway.pay(code_url=code_on(browser, tmp_path / "page.png"))
    browser.wait_page("paid", 8)


def test_through_tls_and_http2(new_shop, chromium_tls, tmp_path):
    """On a real name with TLS, as on the internet: https, h2, strict policy, no mixed content."""
    site = new_shop()
    order = site.create()
    chromium_tls.driver.get(order["pay_url"])
    chromium_tls.wait_page("payable")
    assert chromium_tls.js("return performance.getEntriesByType('navigation')[0]"
                           ".nextHopProtocol") == "h2"
    site.gateway.pay(code_url=code_on(chromium_tls, tmp_path / "page.png"))
    chromium_tls.wait_page("paid", 4)
    assert chromium_tls.complaints() == []
