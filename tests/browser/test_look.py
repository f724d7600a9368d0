"""How the page looks in every state: sizes, contrast, targets, the QR code."""
import pytest

from .chromium import read_qr

STATES = ("ready", "preparing", "payable", "blocked", "paid", "expired", "closed", "checking",
          "down", "in_wechat", "tap", "elsewhere", "link_refused", "conflict",
          "handoff_failed", "not_found", "store_down")
CODE_URL = "weixin://wxpay/bizpayurl?pr=NwY5Mz9zz"

# [text, ratio] of every text whose contrast is under 4.5:1.
CONTRAST = """
const rgb = (c) => (c.match(/[\\d.]+/g) || []).map(Number);
const lum = (c) => { const [r, g, b] = c.slice(0, 3).map((v) => { v /= 255;
  return v <= .03928 ? v / 12.92 : Math.pow((v + .055) / 1.055, 2.4); });
  return .2126 * r + .7152 * g + .0722 * b; };
const ground = (node) => { for (; node; node = node.parentElement) {
  const c = rgb(getComputedStyle(node).backgroundColor);
  if (c.length === 3 || c[3] === 1) { return c; } } return [255, 255, 255]; };
const bad = [];
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walk.nextNode()) {
  const text = walk.currentNode.data.trim(), node = walk.currentNode.parentElement;
  if (!text || node.closest('.vh, [hidden], script, style') || !node.offsetParent) { continue; }
  const a = lum(rgb(getComputedStyle(node).color)), b = lum(ground(node));
  const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
  if (ratio < 4.5) { bad.push([text, ratio]); }
}
return bad;
"""

# Controls smaller than 44 x 44 CSS pixels.
SMALL = """
return [...document.querySelectorAll('a, button')].filter((node) => {
  const box = node.getBoundingClientRect();
  return node.offsetParent && (box.width < 44 || box.height < 44);
}).map((node) => node.outerHTML);
"""

FITS = "return document.documentElement.scrollWidth <= innerWidth"


def show(stage, browser, state, lang="zh"):
    stage.reset(state, lang)
    browser.driver.get(stage.url)


@pytest.mark.parametrize("lang", ["zh", "tw", "en"])
@pytest.mark.parametrize("state", STATES)
def test_every_state(stage, browser, state, lang):
    for width, height in ((320, 640), (640, 400), (1280, 800)):
        browser.size(width, height, mobile=width == 320)
        show(stage, browser, state, lang)
        assert browser.js(FITS), f"wider than {width}"
        assert browser.js(SMALL) == []
    for scheme in ("light", "dark"):
        browser.scheme(scheme)
        assert browser.js(CONTRAST) == []
    assert browser.complaints() == []


def test_hostile_lengths_fit(stage, browser):
    """Long words without a blank break instead of widening the page."""
    browser.size(320, 640, mobile=True)
    stage.reset("paid")
    stage.edits = [("铁观音茶叶", "W" * 120), ("青山茶叶店", "M" * 60), ("A2026112400017", "X" * 32),
                   ("help@shop.example", "h" * 90 + "@shop.example")]
    browser.driver.get(stage.url)
    assert browser.js(FITS)


@pytest.mark.parametrize("lang", ["zh", "tw", "en"])
@pytest.mark.parametrize("width", [320, 375])
def test_numbers_and_times_stay_whole(stage, browser, width, lang):
    """Buyers compare them with WeChat's receipt: none is broken in its middle."""
    for state in ("paid", "ready"):
        browser.size(width, 640, mobile=True)
        show(stage, browser, state, lang)
        lines = browser.js("""
            const range = document.createRange();
            return [...document.querySelectorAll('dl bdi')].map((node) => {
              range.selectNodeContents(node);
              return [node.textContent, range.getClientRects().length]; });""")
        assert len(lines) >= 2 and [text for text, count in lines if count > 1] == []


def test_amount_is_biggest(stage, browser):
    show(stage, browser, "payable")
    sizes = browser.js("""
        return [...document.querySelectorAll('main *')]
          .filter((node) => !node.closest('svg, .amount'))
          .map((node) => parseFloat(getComputedStyle(node).fontSize));""")
    amount = browser.js("return parseFloat(getComputedStyle(document.querySelector('.amount'))"
                        ".fontSize)")
    assert amount > 1.8 * max(sizes)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width, scale", [(320, 1), (320, 2), (375, 3), (1280, 1), (1280, 1.25)])
def test_qr_is_read_back(stage, browser, tmp_path, scheme, width, scale):
    browser.size(width, 800, mobile=width < 500, scale=scale)
    browser.scheme(scheme)
    show(stage, browser, "payable")
    box = browser.js("const b = document.querySelector('svg.qr').getBoundingClientRect();"
                     "return [b.width, b.height]")
    assert min(box) >= 200 and abs(box[0] - box[1]) < 1
    assert read_qr(browser.shot(tmp_path / "page.png")) == CODE_URL


def test_qr_stays_black_on_white(stage, browser):
    browser.scheme("dark")
    show(stage, browser, "payable")
    fills = browser.js("return ['rect', 'path'].map((name) => getComputedStyle("
                       "document.querySelector('svg.qr ' + name)).fill)")
    assert fills == ["rgb(255, 255, 255)", "rgb(0, 0, 0)"]


def test_focus_is_visible(stage, browser):
    show(stage, browser, "down")
    seen = []
    for _ in range(4):
        browser.cdp("Input.dispatchKeyEvent", type="keyDown", key="Tab", code="Tab",
                    windowsVirtualKeyCode=9)
        browser.cdp("Input.dispatchKeyEvent", type="keyUp", key="Tab", code="Tab",
                    windowsVirtualKeyCode=9)
        seen.append(browser.js("const node = document.activeElement, s = getComputedStyle(node);"
                               "return [node.id, s.outlineStyle, s.outlineWidth]"))
    assert [entry[0] for entry in seen] == ["open", "back", "copy", "support"]
    assert all(entry[1] == "solid" and entry[2] == "3px" for entry in seen)


def test_reduced_motion(stage, browser):
    browser.cdp("Emulation.setEmulatedMedia",
                features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
    show(stage, browser, "preparing")
    assert browser.js("return parseFloat(getComputedStyle(document.querySelector('.spin'))"
                      ".animationDuration)") > 2
    browser.cdp("Emulation.setEmulatedMedia", features=[])


def test_what_wechat_said_is_legible(stage, browser):
    """The longest sentence below the button, in a small window and in the dark."""
    browser.size(320, 640, mobile=True)
    browser.scheme("dark")
    show(stage, browser, "tap", "en")
    browser.js("""
        const note = document.getElementById('note'), told = document.getElementById('told');
        note.textContent = document.body.dataset.failed;
        told.textContent = 'get_brand_wcpay_request:fail';
        note.hidden = told.hidden = false; note.className = 'loud';""")
    assert browser.js(FITS) and browser.js(CONTRAST) == []


@pytest.mark.parametrize("state", ["paid", "payable"])
def test_printed(stage, browser, state):
    """Black on white, without what can only be clicked, also from a dark screen."""
    browser.cdp("Emulation.setEmulatedMedia", media="print",
                features=[{"name": "prefers-color-scheme", "value": "dark"}])
    show(stage, browser, state)
    assert browser.js("return [...document.querySelectorAll('button, form, #back')]"
                      ".filter((node) => node.offsetParent).length") == 0
    assert browser.js("const s = getComputedStyle(document.querySelector('main'));"
                      "return [s.backgroundColor, s.color]") == ["rgb(255, 255, 255)",
                                                                 "rgb(0, 0, 0)"]
    assert browser.js(CONTRAST) == []
    browser.cdp("Emulation.setEmulatedMedia", media="", features=[])
