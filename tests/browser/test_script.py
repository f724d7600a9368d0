"""What the page's script does, against a stand-in that shows any state on demand."""
import time

import pytest

CSRF = "csrf=dG9rZW4"
SAID = "document.getElementById('live').textContent"
HEAD = "document.querySelector('h1').textContent"


def test_opens_by_itself_and_follows_to_paid(stage, browser):
    stage.reset("ready", after_post="preparing")
    browser.driver.get(stage.url)
    browser.js("window.same = true")
    browser.wait_page("preparing")
    assert [entry[3] for entry in stage.asked("POST")] == [CSRF]
    stage.become("payable")
    browser.wait_page("payable", 2)
    assert browser.js("return " + SAID) == browser.js("return " + HEAD)
    stage.become("paid")
    browser.wait_page("paid", 2.6)
    assert browser.driver.title.startswith("已支付 ¥19.90")
    assert browser.js("return " + SAID) == "支付成功"
    assert browser.js("return window.same") is True  # never reloaded
    assert len(stage.asked("POST")) == 1
    assert browser.complaints() == []


def test_quiet_while_nothing_changes(stage, browser):
    stage.reset("payable")
    browser.driver.get(stage.url)
    time.sleep(5)
    assert len(stage.asked("GET")) == 1
    assert 2 <= len(stage.asked("GET", "/state")) <= 6  # one a second


def test_a_hidden_tab_opens_nothing(stage, browser):
    # Before the page's own script: the browser's way to inject one comes too late now and then.
    stage.edits.append((r"(<script[^>]*>)",
                        r"\1Object.defineProperty(document,'hidden',{get:()=>!window.shown});"))
    browser.driver.get(stage.url)
    time.sleep(2)
    assert stage.asked("POST") == []
    stage.after_post = "payable"
    browser.js("window.shown = true; document.dispatchEvent(new Event('visibilitychange'))")
    browser.wait_page("payable", 2)


def test_continues_to_the_shop(stage, browser):
    stage.reset("paid")
    stage.edits = [("https://shop.example/order/17", "/order/17")]
    browser.driver.get(stage.url)
    assert "3 秒" in browser.js("return document.querySelector('.auto').textContent")
    began = time.monotonic()
    browser.wait("location.pathname === '/order/17'", 5)
    assert 2 < time.monotonic() - began < 4.5
    browser.driver.back()
    browser.wait_page("paid")
    time.sleep(4)
    assert browser.js("return location.pathname") == stage.url[len(stage.origin):]


def test_stays_when_asked_to(stage, browser):
    stage.reset("paid")
    stage.edits = [("https://shop.example/order/17", "/order/17")]
    browser.driver.get(stage.url)
    browser.wait("document.getElementById('stay') !== null")
    browser.js("document.getElementById('stay').click()")
    time.sleep(4)
    assert browser.shows("paid")
    assert browser.js("return document.querySelector('.auto')") is None


def test_lost_connection_is_told_and_recovers(stage, browser):
    stage.reset("payable")
    browser.driver.get(stage.url)
    stage.broken = True
    browser.wait("!document.getElementById('lost').hidden", 12)
    assert browser.js("return document.querySelector('svg.qr') !== null")
    stage.broken = False
    stage.become("paid")
    browser.js("dispatchEvent(new Event('online'))")
    browser.wait_page("paid", 3)
    browser.wait("document.getElementById('lost').hidden")
    browser.complaints()


def test_button_comes_back_when_opening_fails(stage, browser):
    stage.broken_posts = True
    browser.driver.get(stage.url)
    browser.wait("document.getElementById('open').offsetParent !== null", 4)
    stage.broken_posts = False
    stage.after_post = "payable"
    browser.js("document.getElementById('open').click()")
    browser.wait_page("payable", 3)
    browser.complaints()


def test_down_retries_at_a_tap(stage, browser):
    stage.reset("down", after_post="payable")
    browser.driver.get(stage.url)
    time.sleep(1)
    assert stage.asked("POST") == []
    browser.js("document.getElementById('open').click()")
    browser.wait_page("payable", 2)
    assert len(stage.asked("POST")) == 1


def test_down_retries_by_itself(stage, browser):
    stage.reset("down", after_post="payable")
    browser.driver.get(stage.url)
    browser.wait_page("payable", 13)


def test_blocked_goes_on_by_itself(stage, browser):
    stage.reset("blocked", after_post="payable")
    stage.edits = [(r'data-at="\d+"', 'data-at="1795489203000"')]
    browser.driver.get(stage.url)
    time.sleep(1.5)
    assert stage.asked("POST") == []
    assert not browser.js("return document.getElementById('open').offsetParent !== null")
    browser.wait_page("payable", 4)


def test_countdown(stage, browser):
    stage.reset("payable", "en")
    stage.edits = [(r'data-at="\d+"', 'data-at="1795489262000"'),
                   (r'data-from="\d+"', 'data-from="1795489202000"')]
    browser.driver.get(stage.url)
    clock = "document.querySelector('.clock').textContent"
    assert browser.js("return " + clock) == "Please pay within 2 min"
    browser.wait(clock + ".startsWith('Time left ')")
    browser.wait(SAID + " === '1 minute left to pay'")


def test_asks_when_the_time_is_over(stage, browser):
    stage.reset("payable")
    stage.edits = [(r'data-at="\d+"', 'data-at="1795489204000"')]
    browser.driver.get(stage.url)
    time.sleep(2.8)
    stage.become("expired")
    browser.wait_page("expired", 2)


@pytest.mark.parametrize("state, button, text", [
    ("payable", "copy", "A2026112400017"), ("in_wechat", "copy-link", None)])
def test_copy(stage, browser, state, button, text):
    stage.reset(state)
    browser.driver.get(stage.url)
    browser.cdp("Browser.grantPermissions", origin=stage.origin,
                permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    browser.driver.find_element("id", button).click()
    browser.wait(f"document.getElementById('{button}').textContent === '已复制'")
    read = "navigator.clipboard.readText().then(arguments[0], arguments[0])"
    assert browser.driver.execute_async_script(read) == (text or stage.url)


def test_focus_survives_the_swap(stage, browser):
    stage.reset("payable")
    browser.driver.get(stage.url)
    browser.js("document.getElementById('back').focus()")
    stage.become("checking")
    browser.wait_page("checking")
    assert browser.js("return document.activeElement.id") == "back"
    stage.reset("blocked")
    browser.driver.get(stage.url)
    browser.js("document.querySelector('h1').focus()")
    stage.become("not_found")
    browser.wait_page("not_found", 8)
    assert browser.js("return document.activeElement.tagName") == "H1"


def test_without_javascript(stage, browser):
    browser.javascript(False)
    stage.reset("ready", "en", after_post="preparing")
    browser.driver.get(stage.url)
    browser.driver.find_element("id", "open").click()
    browser.wait_page("preparing")
    stage.become("payable")
    browser.wait_page("payable", 6)
    assert browser.driver.find_elements("id", "copy") == []
