"""A legacy PHP shop in a real browser: goods, code, phone, paid, and the shop knows it."""

import pytest

from .chromium import read_qr

LANGUAGES = [("en", "Buy", "Paid. We are packing it."), ("zh-CN", "购买", "已支付，正在备货。")]


def speak(browser, language):
    browser.cdp("Network.enable")
    browser.cdp("Network.setExtraHTTPHeaders", headers={"Accept-Language": language})


@pytest.mark.parametrize("language, button, paid", LANGUAGES)
def test_from_the_goods_to_the_paid_order(new_php_shop, browser_at_shop, tmp_path, language,
                                          button, paid):
    shop = new_php_shop()
    browser = browser_at_shop(shop)
    speak(browser, language)
    browser.driver.get("https://shop.example/")
    tea = browser.driver.find_element("css selector", "button[value=tea]")
    assert tea.text == button
    tea.click()
    browser.wait_page("payable", 8)  # buy.php answered 303
    assert browser.js("return location.pathname").startswith("/wxpay/pay/")
    scanned = read_qr(browser.shot(tmp_path / "page.png"))
    order, = shop.booked("SELECT * FROM orders")
    number = order["number"]
    assert scanned == shop.ledger(number)["code_url"]
    shop.gateway.pay(code_url=scanned)
    browser.wait_page("paid", 6)
    browser.wait("location.pathname === '/order.php'", 8)
    browser.wait("document.body.textContent.includes('%s')" % paid, 8)
    assert number in browser.js("return document.body.textContent")
    order = shop.wait_paid(number)
    assert order["transaction_id"] == shop.ledger(number)["payment"]["transaction_id"]
    assert shop.parcels(number) == 1
    done, = shop.deliveries(number)
    assert [one["status"] for one in done["tries"]] == [204]


def test_back_to_the_shop_unpaid_and_on_to_the_same_code(new_php_shop, browser_at_shop, tmp_path):
    shop = new_php_shop()
    browser = browser_at_shop(shop)
    speak(browser, "zh-CN")
    browser.driver.get("https://shop.example/")
    browser.driver.find_element("css selector", "button[value=fan]").click()
    browser.wait_page("payable", 8)
    first = read_qr(browser.shot(tmp_path / "first.png"))
    number = shop.booked("SELECT number FROM orders")[0]["number"]
    browser.driver.get("https://shop.example/order.php?number=" + number)
    assert "正在确认付款" in browser.js("return document.body.textContent")
    browser.driver.find_element("css selector", "button").click()
    browser.wait_page("payable", 8)
    assert read_qr(browser.shot(tmp_path / "second.png")) == first != ""
    assert shop.calls(number) == 1
