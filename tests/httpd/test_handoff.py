"""Hand-off: a script answers with X-WxPay-Order and its buyer gets the payment page."""

import contextlib
import re
import socket
import sqlite3

import pytest

from . import scripts
from .fixtures import main_mpm, running_shop
from .h2 import Http2Web
from .notices import at_once
from .scripts import WAYS, Scripts
from .web import Web

PAGE = re.compile(r"/wxpay/pay/[A-Za-z0-9_-]{22}")
ALL = (*WAYS, "inside")
JSON = {"Accept": "application/json"}
ENGLISH = {"Accept": "text/html", "Accept-Language": "en"}
PLACES = """<Location /on/less>
    WxPayHandoffMax 19.90
</Location>
<Location /on/away>
    WxPayReturnURL /bought
    WxPayReturnHosts back.example
</Location>
Alias /on/less ${DOCROOT}/on
Alias /on/away ${DOCROOT}/on
"""


@pytest.fixture(scope="module")
def site(request, authority, gateway, php, backend):
    """Scripts of a shop that the tests of this module share."""
    options = scripts.options(php, backend, main_mpm(request.config), PLACES)
    with running_shop(request.config, authority, gateway, **options) as shop:
        yield Scripts(shop, backend)


def facts(site, **more):
    return scripts.facts(site.shop, **more)


def follow(site, path, web=None):
    """GET: the path of the payment page it leads to."""
    response = (web or site.shop.web()).get(path)
    assert response.status == 303, response
    assert response.header("Location").startswith(site.shop.public + "/")
    page = response.header("Location").removeprefix(site.shop.public)
    assert PAGE.fullmatch(page), page
    assert response.body == b"" and response.header("Content-Length") in ("0", None)
    assert response.header("Cache-Control") == "no-store"
    assert response.header("X-WxPay-Order") is None
    return page


def failed(site, path, status=500, name="handoff_failed", headers=None, method="GET"):
    """The buyer's page of an error."""
    response = site.shop.web().request(method, path, None, {**ENGLISH, **(headers or {})})
    assert response.status == status, response
    assert response.header("Content-Type") == "text/html; charset=utf-8"
    assert response.header("Cache-Control") == "no-store"
    assert response.header("X-WxPay-Order") is None
    assert 'data-page="%s"' % name in response.text and "SECRET" not in response.text
    assert 'id="back"' in response.text and "<form" not in response.text
    return response


def rows(site):
    return site.shop.httpd.rows("SELECT out_trade_no FROM orders")


# ---- the way to the page

@pytest.mark.parametrize("client", (Web, Http2Web), ids=("h1", "h2"))
@pytest.mark.parametrize("way", ALL)
def test_from_the_script_to_paid(new_shop, php, backend, mpm, way, client):
    if mpm == "prefork" and client is Http2Web:
        pytest.skip("mod_http2 needs threads")
    shop = new_shop(**scripts.options(php, backend, mpm))
    shop.client = client
    site = Scripts(shop, backend)
    members = facts(site, attach="a=1&b=2", return_url="/thanks?x=1")
    number = members["out_trade_no"]
    path = site.order(way, members)
    mark = shop.httpd.access_mark()
    page = follow(site, path)
    assert shop.calls(number) == 0
    assert shop.row(number)["state"] == "NEW"
    assert shop.httpd.wait_access(mark)[0]["out_trade_no"] == number
    assert shop.httpd.log.wait_for(r"hand-off: order %s, 1990 fen = 19\.90 yuan$" % number)
    # The same order again is the same page.
    assert follow(site, path) == page
    assert follow(site, site.order(way, dict(reversed(members.items())))) == page
    buyer = shop.buyer(page)
    assert buyer.view()["total_fee"] == 1990
    assert "/thanks?x=1" in buyer.page().text and "龙井茶 &amp; more" in buyer.page().text
    buyer.code_url()
    shop.pay(number)
    assert buyer.wait_paid()
    assert follow(site, path) == page


@pytest.mark.parametrize("status", (200, 302, 303))
@pytest.mark.parametrize("way", WAYS)
def test_what_is_kept_of_the_scripts_headers(site, way, status):
    path = site.order(way, facts(site), [
        ("Set-Cookie", "cart=17; Path=/"), ("Set-Cookie", "lang=zh"), ("X-Powered-By", "Shop/1"),
        ("ETag", '"script"'), ("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT"),
        ("Cache-Control", "public, max-age=600"), ("Expires", "Mon, 01 Jan 2040 00:00:00 GMT"),
        ("Content-Language", "zh"), ("Accept-Ranges", "bytes"), ("Refresh", "0;url=/free"),
        ("Content-Security-Policy", "default-src *"), ("Content-Disposition", "attachment"),
        ("Pragma", "public"), ("Content-Location", "/free")], status=status)
    response = site.shop.web().get(path)
    assert response.status == 303, response
    got = response.headers
    assert got.get_all("Set-Cookie") in (["cart=17; Path=/", "lang=zh"],
                                         ["cart=17; Path=/, lang=zh"])
    assert got["X-Powered-By"] == "Shop/1" or got.get_all("X-Powered-By")[-1] == "Shop/1"
    assert got.get_all("Cache-Control") == ["no-store"]
    assert got.get_all("Content-Security-Policy") == ["default-src 'none'; frame-ancestors 'none'"]
    for name in ("ETag", "Last-Modified", "Expires", "Content-Language", "Accept-Ranges", "Refresh",
                 "Content-Disposition", "Pragma", "Content-Location", "Content-Encoding"):
        assert name not in got, name


@pytest.mark.parametrize("way", WAYS)
def test_json(site, way):
    members = facts(site)
    path = site.order(way, members)
    response = site.shop.web().get(path, JSON)
    assert response.status == 200 and response.header("Content-Type") == "application/json"
    assert response.header("Cache-Control") == "no-store"
    assert response.json() == {"out_trade_no": members["out_trade_no"],
                               "pay_url": site.shop.public + follow(site, path)}


@pytest.mark.parametrize("way", ALL)
def test_head_makes_nothing(site, way):
    members = facts(site)
    response = site.shop.web().request("HEAD", site.order(way, members))
    assert (response.status, response.body) == (200, b""), response
    assert response.header("Cache-Control") == "no-store"
    assert response.header("X-WxPay-Order") is None
    assert site.shop.row(members["out_trade_no"]) is None
    site.shop.httpd.expect_log("WXP0411.*total_fee")
    response = site.shop.web().request("HEAD", site.order(way, facts(site, total_fee=0)))
    assert (response.status, response.body) == (500, b"")


@pytest.mark.parametrize("way", WAYS)
def test_a_form_that_is_posted(site, way):
    path = site.order(way, facts(site))
    response = site.shop.web().post(path, {"goods": "tea"})
    assert response.status == 303 and response.header("Location").endswith(follow(site, path))


@pytest.mark.parametrize("way", ALL)
def test_an_empty_page_and_a_large_one_and_a_flushed_one(site, way):
    for body, chunks in (("", 1), ("x" * 300000, 1), ("flushed\n" * 100, 50)):
        path = site.order(way, facts(site), body=body, chunks=chunks)
        follow(site, path)
        assert site.shop.web().get(path, JSON).json()["pay_url"]


@pytest.mark.parametrize("way", ALL)
def test_the_connection_is_used_again(site, way):
    """Neither the client's connection nor the one to the backend ends with a hand-off."""
    paths = [site.order(way, facts(site), body="y" * 100000, chunks=3) for _ in range(5)]
    before = site.backend.connections
    asked = b"".join(b"GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n" % (
        path.encode(), site.shop.web().host.encode(), b"Connection: close\r\n" * (path == paths[-1]))
        for path in paths)
    answer = site.shop.web().raw(asked)
    assert answer.count(b"HTTP/1.1 303 ") == 5, answer
    assert b"yyy" not in answer
    assert site.backend.connections - before <= 1


def test_a_script_that_works_on_is_left_to(site):
    """What it writes is read to the end, so it isn't ended by a signal amid its work."""
    done = site.shop.httpd.root / "run" / "done"
    done.parent.chmod(0o777)
    site.shop.httpd.write("cgi/works", "#!/bin/sh\nprintf 'Content-Type: text/plain\\n"
                          "X-WxPay-Order: %s\\n\\nbegun\\n'\n"
                          "head -c 300000 /dev/zero || exit 1\necho $? >%s\n"
                          % (scripts.form(facts(site)).replace("%", "%%"), done), 0o755)
    follow(site, "/on/cgi/works")
    assert done.read_text() == "0\n"


@pytest.mark.parametrize("way", WAYS)
def test_many_at_once_make_one_order(site, way):
    members = facts(site)
    path = site.order(way, members)
    assert len(set(at_once(lambda _: follow(site, path), range(12), 12))) == 1
    assert len([row for row in rows(site) if row["out_trade_no"] == members["out_trade_no"]]) == 1


def test_the_api_and_a_script_say_the_same_order(site):
    order = site.shop.create(body="Tea")
    path = site.order("php", facts(site, out_trade_no=order["out_trade_no"], body="Tea"))
    assert site.shop.public + follow(site, path) == order["pay_url"]


def test_where_the_buyer_goes_afterwards(site):
    def back(path):
        return site.shop.buyer(follow(site, path.replace("/on/", "/on/away/"))).page().text

    assert 'href="/bought"' in back(site.order("php", facts(site)))
    mine = site.order("php", facts(site, return_url="https://back.example/x"))
    assert 'href="https://back.example/x"' in back(mine)


def test_by_another_name_of_the_site(site):
    path = site.order("php", facts(site))
    other = Web("http://127.0.0.1:%d" % site.shop.httpd.port)
    assert follow(site, path, other) == follow(site, path)


def test_as_the_index_of_a_directory(site):
    """mod_dir runs the script as a sub-request first, to find it."""
    path = site.order("php", facts(site))
    site.shop.httpd.write("htdocs/on/index.php", "<?php include 'answer.php';")
    site.shop.httpd.write("htdocs/on/.htaccess", "DirectoryIndex index.php\n")
    follow(site, path.replace("answer.php", ""))


# ---- bad input

LONG = "x" * 6990


@pytest.mark.parametrize("members,word", [
    ({"total_fee": "0"}, "total_fee"), ({"total_fee": None}, "total_fee"),
    ({"total_fee": "19.90"}, "total_fee"), ({"body": "茶🍵"}, "body"), ({"body": None}, "body"),
    ({"colour": "red"}, "colour"), ({"attach": "a&total_fee=1"}, "attach"),
    ({"out_trade_no": "A*2"}, "out_trade_no"), ({"detail": '{"goods_detail":[]}'}, "detail"),
    ({"trade_type": "MWEB"}, "trade_type"), ({"attach": LONG}, "7[0-9]{3} bytes.*WxPayApiPath"),
    ({"return_url": "javascript:alert(1)"}, "return_url"),
    ({"return_url": "//evil.example/"}, "return_url"),
    ({"return_url": "/\\evil.example/"}, "return_url"),
    ({"return_url": "https://evil.example/"}, "return_url.*WxPayReturnHosts")],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "")
@pytest.mark.parametrize("way", ALL)
def test_nonsense(site, way, members, word):
    httpd = site.shop.httpd
    before = rows(site)
    httpd.expect_log("WXP0411: .*/answer.* refused.*" + word)
    path = site.order(way, facts(site, **members))
    text = failed(site, path).text
    assert "Nothing was charged here" in text and 'href="/"' in text
    problem = site.shop.web().get(path, JSON)
    assert problem.status == 500
    assert problem.header("Content-Type") == "application/problem+json"
    assert problem.json()["code"] == "handoff_failed" and "SECRET" not in problem.text
    assert problem.header("X-WxPay-Order") is None
    assert rows(site) == before


@pytest.mark.parametrize("value,word", [
    ("", "out_trade_no|body|total_fee"), ("out_trade_no", "total_fee|body|out_trade_no"),
    ("out_trade_no=%s&total_fee=1990&body=Blue Tea", "blank.*http_build_query"),
    ("out_trade_no=%s&total_fee=1990&body=%%E8%%8C", "body: .*UTF-8"),
    ("out_trade_no=%s&total_fee=1990&body=T&total_fee=1", "total_fee"),
    ('{"out_trade_no":"%s"}', "refused")])
def test_no_form(site, value, word):
    site.shop.httpd.expect_log("WXP0411.*(%s)" % word)
    before = rows(site)
    number = site.shop.number()
    failed(site, site.order("backend", value % number if "%s" in value else value))
    assert rows(site) == before


@pytest.mark.parametrize("way", WAYS)
def test_the_header_twice(site, way):
    before = rows(site)
    site.shop.httpd.expect_log("WXP0411.*twice")
    for second in (facts(site), {"attach": "b"}):
        path = site.order(way, facts(site), [("X-WxPay-Order", scripts.form(second))])
        failed(site, path)
    same = scripts.form(facts(site))
    failed(site, site.order(way, same, [("x-wxpay-order", same)]))
    assert rows(site) == before


@pytest.mark.parametrize("status", (201, 204, 301, 304, 307, 400, 404, 410, 500, 503))
@pytest.mark.parametrize("way", ALL)
def test_another_status(site, way, status):
    before = rows(site)
    site.shop.httpd.expect_log("WXP0411.*status is %d: answer 200, 302 or 303" % status)
    failed(site, site.order(way, facts(site), status=status,
                            body="" if status in (204, 304) else "SECRET"))
    assert rows(site) == before


@pytest.mark.parametrize("location", ("https://shop.example/free", "/on/free.txt"))
@pytest.mark.parametrize("status", (200, 302, 303))
@pytest.mark.parametrize("way", WAYS)
def test_together_with_a_location(site, way, status, location):
    """A CGI script's Location has httpd redirect by itself: inside the server for a path."""
    site.shop.httpd.write("htdocs/on/free.txt", "SECRET\n")
    members = facts(site)
    cgi = "Content-Type: text/html\nX-WxPay-Order: %s\nLocation: %s\n\nSECRET\n" % (
        scripts.form(members), location) if status == 200 else None
    path = site.order(way, members, [("Location", location)], status=status, cgi=cgi)
    site.shop.httpd.expect_log("WXP0411.*(Location|status is 301)")
    assert failed(site, path).header("Location") is None
    answer = site.shop.web().get(path, JSON)
    assert (answer.status, answer.header("Location")) == (500, None)
    assert site.shop.row(members["out_trade_no"]) is None


@pytest.mark.parametrize("way", WAYS)
def test_other_facts_for_a_number(site, way):
    members = facts(site, return_url="/cart")
    page = follow(site, site.order(way, members))
    dearer = site.order(way, {**members, "total_fee": 1991})
    site.shop.httpd.expect_log("WXP0412: .*order %s by .*total_fee" % members["out_trade_no"])
    text = failed(site, dearer, 409, "conflict").text
    assert "Nothing was charged here" in text and 'href="/cart"' in text
    problem = site.shop.web().get(dearer, JSON)
    assert (problem.status, problem.json()["code"]) == (409, "order_conflict")
    assert site.shop.row(members["out_trade_no"])["total_fee"] == 1990
    assert follow(site, site.order(way, members)) == page


def test_more_than_allowed(site):
    def path(fee):
        return site.order("php", facts(site, total_fee=fee)).replace("/on/", "/on/less/")

    follow(site, path(1990))
    site.shop.httpd.expect_log(r"WXP0411: .*total_fee 1991 \(19.91 yuan\) is more than "
                               r"WxPayHandoffMax 19.90 \(.*site.conf:\d+\)")
    failed(site, path(1991))
    follow(site, path(1))


def test_the_store_cannot_be_written(site):
    shop = site.shop
    shop.create()
    path = site.order("php", facts(site))
    shop.httpd.allow_log("store")
    shop.httpd.expect_log("WXP0413: .*answer.php cannot be stored")
    with contextlib.closing(sqlite3.connect(shop.httpd.store_file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        answer = failed(site, path, 503)
        assert answer.header("Retry-After") and "http-equiv" not in answer.text
        problem = shop.web().get(path, JSON)
        assert (problem.status, problem.header("Retry-After")) == (503, "5")
        other.execute("ROLLBACK")
    follow(site, path)


def test_a_buyer_who_leaves(site):
    """The order is there, whoever sees its page; nothing is left hanging."""
    members = facts(site)
    path = site.order("php", members, body="z" * 300000)
    with site.shop.web().open() as sock:
        sock.sendall(b"GET %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (
            path.encode(), site.shop.web().host.encode()))
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_WR)
    follow(site, path)
