"""Signed links: an order that comes in with the buyer, in a URL only the site can have written."""

import hashlib
import hmac
import html
import re
import subprocess
import time
import urllib.parse

import pytest

from .fixtures import running_shop
from .notices import at_once
from .server import PROJECT

KEY = "the-link-key-of-this-site"
OLD_KEY = "the-link-key-it-had-before"
NEW = "/wxpay/pay/new"
PAGE = re.compile(r"/wxpay/pay/[A-Za-z0-9_-]{22}")


@pytest.fixture
def linked(new_shop):
    """linked(conf, **options) -> a shop that takes signed links."""
    def build(conf="", **options):
        shop = new_shop(start=False, conf="WxPayLinkKey file:${ROOT}/conf/wxpay/link.key "
                        "file:${ROOT}/conf/wxpay/link-old.key\n" + conf, **options)
        shop.httpd.write("conf/wxpay/link.key", KEY + "\n", 0o600)
        shop.httpd.write("conf/wxpay/link-old.key", OLD_KEY + "\n", 0o600)
        return shop.start()
    return build


def sign(url, key=KEY):
    return url + "&sign=" + hmac.new(key.encode(), url.encode(), hashlib.sha256).hexdigest()


def facts(shop, **more):
    """An order's facts with an expiry; None leaves a member out."""
    members = {"out_trade_no": shop.number(), "total_fee": 1990, "body": "龙井茶 & more",
               "expires": int(time.time()) + 600, **more}
    return {name: value for name, value in members.items() if value is not None}


def link(shop, members, key=KEY):
    return sign(shop.public + NEW + "?" + urllib.parse.urlencode(members), key)


def follow(shop, url, headers=None):
    """GET: the path of the page it leads to."""
    response = shop.web().get(url, headers)
    assert response.status == 303, response
    assert response.header("Cache-Control") == "no-store"
    assert PAGE.fullmatch(response.header("Location")), response.header("Location")
    return response.header("Location")


def refused(shop, url, status=403, name="link_refused", headers=None):
    response = shop.web().get(url, {"Accept-Language": "en", **(headers or {})})
    assert response.status == status, (url, response)
    assert response.header("Content-Type") == "text/html; charset=utf-8"
    assert response.header("Cache-Control") == "no-store"
    assert 'data-page="%s"' % name in response.text
    assert "<form" not in response.text
    return response


def orders(shop):
    return shop.httpd.rows("SELECT out_trade_no FROM orders")


# ---- the way to the page

def test_from_the_link_to_paid(linked, mpm):
    shop = linked(mpm=mpm)
    members = facts(shop, attach="a=1&b=2", return_url="/thanks")
    number = members["out_trade_no"]
    page = follow(shop, link(shop, members))
    assert shop.calls(number) == 0
    buyer = shop.buyer(page)
    assert buyer.view()["total_fee"] == 1990
    assert "/thanks" in buyer.page().text
    buyer.code_url()
    shop.pay(number)
    assert buyer.wait_paid()
    order = shop.api.get(number)
    assert (order["state"], order["body"], order["attach"]) == ("PAID", "龙井茶 & more", "a=1&b=2")
    # The link still leads to its page, which says so.
    assert follow(shop, link(shop, members)) == page


def test_again_and_again_is_the_same_page(linked):
    shop = linked()
    members = facts(shop)
    url = link(shop, members)
    page = follow(shop, url)
    assert follow(shop, url) == page
    # A new link for the same order: only its time and its signature differ.
    assert follow(shop, link(shop, {**members, "expires": members["expires"] + 9}, OLD_KEY)) == page
    # What others append is not the site's word.
    assert follow(shop, url + "&from=singlemessage&total_fee=1&sign=0") == page
    assert len(orders(shop)) == 1


def test_the_api_and_a_link_say_the_same_order(linked):
    shop = linked()
    order = shop.create(body="Tea")
    members = facts(shop, out_trade_no=order["out_trade_no"], body="Tea")
    assert shop.public + follow(shop, link(shop, members)) == order["pay_url"]


def test_two_at_once_make_one_order(linked):
    shop = linked()
    url = link(shop, facts(shop))
    pages = at_once(lambda _: follow(shop, url), range(12), 12)
    assert len(set(pages)) == 1 and len(orders(shop)) == 1


def test_over_http2_and_in_absolute_form(linked):
    shop = linked()
    url = link(shop, facts(shop))
    page = follow(shop, url)
    said = shop.web().curl(url.removeprefix(shop.public), "--http2", "-o", "/dev/null", "-w",
                           "%{http_version} %{http_code} %{redirect_url}")
    assert said == "2 303 " + shop.public + page
    answer = shop.web().raw(b"GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % (
        url.encode(), shop.web().host.encode()))
    assert answer.startswith(b"HTTP/1.1 303 ") and page.encode() in answer


def test_by_another_name_of_the_site(linked):
    """The link is good, whatever name the buyer used; the page moves to the public one itself."""
    shop = linked()
    url = link(shop, facts(shop))
    assert follow(shop, url, {"Host": "www.shop.example"}) == follow(shop, url)


def test_head_makes_nothing(linked):
    shop = linked()
    url = link(shop, facts(shop))
    shop.create()
    response = shop.web().request("HEAD", url)
    assert (response.status, response.body) == (200, b"")
    assert shop.web().request("HEAD", url[:-1] + "x").status == 403
    assert len(orders(shop)) == 1


def test_other_methods(linked):
    shop = linked()
    response = shop.web().post(link(shop, facts(shop)))
    assert (response.status, response.header("Allow")) == (405, "GET, HEAD")


def test_return_url_of_the_place(linked):
    shop = linked('<Location "/wxpay/pay">\nWxPayReturnURL /bought\n'
                  "WxPayReturnHosts back.example\n</Location>\n")
    assert 'href="/bought"' in shop.buyer(follow(shop, link(shop, facts(shop)))).page().text
    page = follow(shop, link(shop, facts(shop, return_url="https://back.example/x")))
    assert 'href="https://back.example/x"' in shop.buyer(page).page().text
    shop.httpd.expect_log("WXP0405.*return_url")
    refused(shop, link(shop, facts(shop, return_url="https://evil.example/")))


# ---- bad input

def test_any_other_byte(linked):
    shop = linked()
    url = link(shop, facts(shop, body="x"))
    shop.create()
    begin = url.index("?")
    for at in range(begin + 1, len(url), 3):
        changed = "0" if url[at] != "0" else "1"
        refused(shop, url[:at] + changed + url[at + 1:])
    refused(shop, url[:-1])
    refused(shop, url + "0")
    refused(shop, url.replace("new?", "new?&"))
    refused(shop, url.replace("body=x", "body=%78"))
    refused(shop, url.partition("&sign=")[0])
    refused(shop, shop.public + NEW)
    assert len(orders(shop)) == 1


def test_of_another_site_path_or_key(linked):
    shop = linked()
    query = "?" + urllib.parse.urlencode(facts(shop))
    for signed in ("https://other.example" + NEW, shop.public.replace("https:", "http:") + NEW,
                   shop.public + "/wxpay/pay/neu", shop.public + "/pay/new", NEW):
        good = sign(signed + query)
        refused(shop, shop.public + NEW + "?" + good.partition("?")[2])
    refused(shop, link(shop, facts(shop), "another-key-of-somebody"))
    # The Host of a request decides nothing.
    stolen = sign("https://other.example" + NEW + query)
    refused(shop, shop.public + NEW + "?" + stolen.partition("?")[2],
            headers={"Host": "other.example", "X-Forwarded-Host": "other.example"})


@pytest.mark.parametrize("expires", [
    None, "", "now", "2026-11-24T03:05:00Z", lambda now: now + 367 * 86400,
    lambda now: now * 1000, lambda now: -now, lambda now: "+%d" % now])
def test_expires(shop_with_links, expires):
    shop = shop_with_links
    value = expires(int(time.time())) if callable(expires) else expires
    shop.httpd.expect_log("WXP0405.*expires")
    members = facts(shop, expires=value)
    refused(shop, link(shop, members))
    assert shop.row(members["out_trade_no"]) is None


def test_its_time_is_over(shop_with_links):
    shop = shop_with_links
    for seconds in (0, int(time.time()) - 1):
        members = facts(shop, expires=seconds)
        refused(shop, link(shop, members))
        assert shop.row(members["out_trade_no"]) is None


def test_it_expires(linked):
    shop = linked()
    url = link(shop, facts(shop, expires=int(time.time()) + 3))
    follow(shop, url)
    time.sleep(3.2)
    refused(shop, url)


@pytest.mark.parametrize("more,word", [
    ({"total_fee": 0}, "total_fee"), ({"total_fee": None}, "total_fee"),
    ({"total_fee": "19.90"}, "total_fee"), ({"body": "茶🍵"}, "body"), ({"colour": "red"}, "colour"),
    ({"attach": "a&total_fee=1"}, "attach"), ({"out_trade_no": "A*2"}, "out_trade_no"),
    ({"trade_type": "MWEB"}, "trade_type"), ({"return_url": "//evil.example"}, "return_url")])
def test_signed_nonsense(shop_with_links, more, word):
    shop = shop_with_links
    shop.httpd.expect_log("WXP0405.*" + word)
    members = facts(shop, **more)
    refused(shop, link(shop, members))
    assert shop.row(members["out_trade_no"]) is None


@pytest.mark.parametrize("again", ["&total_fee=1", "&%74otal_fee=1", "&expires=99999999999"])
def test_names_once(shop_with_links, again):
    shop = shop_with_links
    shop.httpd.expect_log("WXP0405")
    members = facts(shop)
    url = shop.public + NEW + "?" + urllib.parse.urlencode(members) + again
    refused(shop, sign(url))
    assert shop.row(members["out_trade_no"]) is None


@pytest.mark.parametrize("other", [{"total_fee": 1}, {"body": "Coffee"}, {"attach": "x"},
                                   {"return_url": "/elsewhere"}])
def test_other_facts_for_a_known_number(shop_with_links, other):
    shop = shop_with_links
    members = facts(shop)
    page = follow(shop, link(shop, members))
    shop.httpd.expect_log("WXP0406.*" + members["out_trade_no"])
    answer = refused(shop, link(shop, {**members, **other}), 409, "conflict")
    # It may be somebody else's order: nothing of it is told.
    assert page.rpartition("/")[2] not in answer.text and "19.90" not in answer.text
    assert shop.row(members["out_trade_no"])["total_fee"] == 1990


@pytest.mark.parametrize("language,words", [
    ("zh-CN", "这个付款链接无效或已过期"), ("en", "This payment link is invalid or has expired")])
def test_the_page_speaks(shop_with_links, language, words):
    page = shop_with_links.web().get(NEW + "?x&sign=y", {"Accept-Language": language})
    assert page.status == 403 and words in page.text


def test_without_a_key_there_are_no_links(new_shop):
    shop = new_shop()
    answer = shop.web().get(link(shop, facts(shop)))
    other = shop.web().get("/wxpay/pay/nothing")
    assert (answer.status, other.status) == (404, 404)
    assert 'data-page="not_found"' in answer.text and 'data-page="not_found"' in other.text


def test_what_does_not_fit_below_new(shop_with_links):
    shop = shop_with_links
    for path in (NEW + "/state", NEW + "/qr.png", "/wxpay/pay/New"):
        assert shop.web().get(path + "?" + link(shop, facts(shop)).partition("?")[2]).status == 404


@pytest.fixture(scope="module")
def shop_with_links(request, authority, gateway):
    """One shop for all tests that only need refusals."""
    with running_shop(request.config, authority, gateway, {"conf/wxpay/link.key": KEY + "\n"},
                      conf="WxPayLinkKey file:${ROOT}/conf/wxpay/link.key\n") as shop:
        shop.create()  # so that there is a store to look into
        yield shop


# ---- the README's examples

def examples(language, word):
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    found = [code for code in re.findall(r"^```%s\n(.*?)^```$" % language, text, re.M | re.S)
             if word in code]
    assert len(found) == 1
    return found[0]


def run(shop, program, code):
    """The example's output, with this shop's name and key file."""
    key = shop.httpd.write("example.key", KEY + "\n")
    code = code.replace("https://shop.example", shop.public).replace("/srv/shop/link.key", str(key))
    assert str(key) in code and shop.public in code
    done = subprocess.run(program, input=code, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def test_the_readme_in_php_and_python(linked):
    shop = linked()
    php = run(shop, ["php", "-n"], "<?php\n" + examples("php", "&sign="))
    page = follow(shop, html.unescape(re.search('href="([^"]+)"', php).group(1)))
    row = shop.row("A1001")
    assert (row["total_fee"], row["body"], row["return_url"]) == (
        1990, "龙井茶", "/thanks?order=A1001")
    # The other language says the same order.
    python = run(shop, ["/usr/bin/python3", "-"], examples("python", "&sign="))
    assert follow(shop, python.strip()) == page


def test_the_examples_are_short():
    for language, word in (("php", "&sign="), ("python", "&sign=")):
        assert len(examples(language, word).strip().split("\n")) <= 10
