"""X-WxPay-Order never leaves the server, whatever answer holds it and whatever stands around."""

import gzip

import pytest

from . import scripts
from .fixtures import main_mpm, running_shop
from .h2 import Http2Web
from .scripts import WAYS, Scripts
from .shop import SMALLEST
from .web import Web

JSON = {"Accept": "application/json"}
FRESH = [("Cache-Control", "public, max-age=600"), ("ETag", '"1"')]
CACHE = """CacheRoot ${ROOT}/cache
CacheEnable disk /on
CacheEnable disk /off
CacheQuickHandler %s
CacheHeader On
CacheIgnoreNoLastMod On
CacheIgnoreCacheControl On
CacheStoreNoStore On
CacheStoreExpired On
CacheDefaultExpire 600
ExpiresActive On
ExpiresDefault "access plus 1 month"
"""
PLACES = """Options +Includes
AddOutputFilter INCLUDES .shtml
<Location /on/backend/over>
    ProxyErrorOverride On
    ErrorDocument 404 /gone.html
</Location>
<Location /off/backend/over>
    ProxyErrorOverride On
    ErrorDocument 404 /gone.html
</Location>
<Location /off/backend/plain>
    ProxyErrorOverride On
</Location>
<Location /on/backend/plain>
    ProxyErrorOverride On
</Location>
<Location /on/but/not/here>
    WxPayHandoff Off
</Location>
ProxyPass /on/but/not/here/ http://127.0.0.1:${BACKEND}/
<Location /off/added>
    Header set X-WxPay-Order "out_trade_no=A&total_fee=1&body=x"
</Location>
<Location /on/added>
    Header always set X-WxPay-Order "out_trade_no=A&total_fee=1&body=x"
</Location>
<Location /on/kept>
    Header set Cache-Control "public, max-age=600"
    ExpiresActive On
    ExpiresDefault "access plus 1 month"
</Location>
ProxyPass /on/kept/ http://127.0.0.1:${BACKEND}/
<Location /on/packed>
    SetOutputFilter DEFLATE
</Location>
ProxyPass /on/packed/backend/ http://127.0.0.1:${BACKEND}/
ScriptAlias /on/packed/cgi/ ${ROOT}/cgi/
Alias /on/packed ${DOCROOT}/on
"""


@pytest.fixture(scope="module")
def site(request, authority, gateway, php, backend):
    """Scripts of a shop that the tests of this module share."""
    options = scripts.options(php, backend, main_mpm(request.config), PLACES,
                              ("include", "expires", "deflate", "filter"))
    with running_shop(request.config, authority, gateway,
                      files={"htdocs/gone.html": "gone\n"}, **options) as shop:
        (shop.httpd.docroot / "gone.html").chmod(0o644)
        yield Scripts(shop, backend)


def stripped(site, path, status=200, headers=None, web=None):
    response = (web or site.shop.web()).get(path, headers)
    assert response.status == status, response
    assert response.header("X-WxPay-Order") is None
    return response


def orders(site):
    return len(site.shop.httpd.rows("SELECT out_trade_no FROM orders"))


def order(site, way, headers=(), **more):
    return site.order(way, scripts.facts(site.shop), headers, **more)


# ---- where hand-offs are not honoured

@pytest.mark.parametrize("client", (Web, Http2Web), ids=("h1", "h2"))
@pytest.mark.parametrize("status", (200, 302, 304, 404, 500))
@pytest.mark.parametrize("way", WAYS)
def test_the_scripts_page_passes(site, way, status, client):
    if client is Http2Web and site.shop.httpd.mpm == "prefork":
        pytest.skip("mod_http2 needs threads")
    site.shop.httpd.allow_log("WXP0414")
    site.shop.create()
    before = orders(site)
    path = order(site, way, place="/off", status=status)
    like = site.shop.web()
    web = client(like.base, connect=like.connect, ca=like.ca)
    response = stripped(site, path, status, web=web)
    assert response.body == (b"" if status == 304 else b"SECRET of the script\n")
    if client is Web:
        head = web.request("HEAD", path)
        assert (head.status, head.header("X-WxPay-Order")) == (status, None)
    # Nor does a doubled, broken or misplaced one matter here.
    stripped(site, site.say(way, [("X-WxPay-Order", "a"), ("X-WxPay-Order", "b")], place="/off"),
             web=web)
    assert orders(site) == before


def test_told_a_few_times_a_minute(new_shop, php, backend):
    shop = new_shop(**scripts.options(php, backend, "event"))
    site = Scripts(shop, backend)
    path = order(site, "php", place="/off")
    shop.httpd.expect_log('WXP0414: /off/answer.php answered.*dropped.*write "WxPayHandoff On"')
    for _ in range(40):
        stripped(site, path)
    # three for each of two processes, and again if a minute has just begun
    assert 1 <= len(shop.httpd.log.find("WXP0414")) <= 12


def test_off_within_on(site):
    site.shop.httpd.allow_log("WXP0414")
    path = order(site, "backend").replace("/on/backend/", "/on/but/not/here/")
    assert "SECRET" in stripped(site, path).text


def test_loaded_but_not_configured(new_shop, php, backend):
    options = scripts.options(php, backend, "event")
    options["conf"] = options["conf"].replace("WxPayHandoff On", "")
    shop = new_shop(base="", public="http://127.0.0.1:{port}", **options)
    site = Scripts(shop, backend)
    for way in WAYS:
        response = shop.web().get(site.say(way, [("X-WxPay-Order", "a=b")]))
        assert response.header("X-WxPay-Order") == "a=b" and "SECRET" in response.text


# ---- error pages and redirects inside the server

@pytest.mark.parametrize("place", ("plain", "over"))
def test_pages_that_httpd_makes_of_errors(site, place):
    httpd = site.shop.httpd
    httpd.allow_log("WXP0414")

    def path(where):
        return order(site, "backend", status=404).replace("/on/backend/",
                                                         "%s/backend/%s/" % (where, place))

    response = stripped(site, path("/off"), 404)
    assert ("gone" if place == "over" else "404 Not Found") in response.text
    httpd.expect_log("WXP0411.*(ErrorDocument|status is 404)")
    response = stripped(site, path("/on"), 500)
    assert 'data-page="handoff_failed"' in response.text


@pytest.mark.parametrize("place", ("/on", "/off"))
def test_a_broken_script(site, place):
    site.shop.httpd.allow_log("WXP041[14]")
    site.shop.httpd.expect_log("AH01070|[Mm]alformed header|script headers|Bad header")
    before = orders(site)
    path = site.say("cgi", [], place=place, cgi="X-WxPay-Order: %s\nthis is no header\n\nSECRET\n"
                    % scripts.form(scripts.facts(site.shop)))
    assert "SECRET" not in stripped(site, path, 500).text
    assert orders(site) == before


def test_an_error_page_that_sells(site):
    """ErrorDocument of a missing file leads to a script: what that says counts. (PHP doesn't tell
    httpd its status where that is 200; a CGI script may.)"""
    path = order(site, "cgi")
    site.shop.httpd.write("htdocs/shop/.htaccess", "ErrorDocument 404 %s\n" % path)
    response = stripped(site, "/shop/nothing", 303)
    assert response.header("Location").startswith(site.shop.public + "/wxpay/pay/")


def redirecting(site, target, place):
    return site.say("cgi", [], place=place, cgi="Location: %s\nX-WxPay-Order: %s\n\n" % (
        target, scripts.form(scripts.facts(site.shop))))


def test_a_local_redirect_takes_nothing_along(site):
    """The target of the redirect is a place where hand-offs count, but it has said nothing."""
    site.shop.httpd.allow_log("WXP0414")
    site.shop.create()
    before = orders(site)
    for way in WAYS:
        target = site.say(way, [], body="target\n")
        assert stripped(site, redirecting(site, target, "/off")).text == "target\n"
    assert orders(site) == before
    # What the target says itself counts once.
    response = stripped(site, redirecting(site, order(site, "php"), "/off"), 303)
    assert response.header("Location").startswith(site.shop.public + "/wxpay/pay/")
    assert orders(site) == before + 1


def test_a_local_redirect_from_where_they_count(site):
    before = orders(site)
    site.shop.httpd.expect_log("WXP0411: the hand-off by /on/cgi/answer .*redirect")
    for target in ("/gone.html", order(site, "php"), "/no/such/thing"):
        response = stripped(site, redirecting(site, target, "/on"), 500)
        assert 'data-page="handoff_failed"' in response.text and "gone" not in response.text
    response = stripped(site, redirecting(site, "/gone.html", "/on"), 500, JSON)
    assert response.json()["code"] == "handoff_failed"
    assert orders(site) == before


@pytest.mark.parametrize("way", WAYS)
def test_a_part_of_another_page(site, way):
    """SSI: no order, and no part of the script's page; the page around it stays."""
    httpd = site.shop.httpd
    httpd.allow_log("WXP0414")
    before = orders(site)
    httpd.write("htdocs/page.shtml", 'a<!--#include virtual="%s" -->b<!--#include virtual="%s" -->c'
                % (order(site, way), order(site, way, place="/off", body="free")))
    httpd.expect_log("WXP0411: .*SSI")
    assert stripped(site, "/page.shtml").text == "abfreec"
    assert orders(site) == before


def test_an_order_beside_parts(site):
    """A page made of parts may itself hand over."""
    path = order(site, "php")
    site.shop.httpd.write("htdocs/on/parts.php", "<?php $part = 1; include 'answer.php';")
    site.shop.httpd.write("htdocs/on/.htaccess", "<Files parts.php>\nSetOutputFilter INCLUDES\n"
                          "</Files>\n")
    stripped(site, path.replace("answer.php", "parts.php"), 303)


# ---- other modules around

@pytest.mark.parametrize("way", WAYS)
def test_compressed(site, way):
    packed = {"Accept-Encoding": "gzip"}

    def path(**more):
        return order(site, way, **more).replace("/on/", "/on/packed/")

    response = stripped(site, path(body="z" * 50000), 303, packed)
    assert response.body == b"" and response.header("Content-Encoding") is None
    response = stripped(site, path(body="z" * 50000), 200, {**packed, **JSON})
    assert response.header("Content-Encoding") == "gzip"
    assert b'"pay_url"' in gzip.decompress(response.body)
    site.shop.httpd.expect_log("WXP0411")
    response = stripped(site, path(status=404), 500, packed)
    assert b"handoff_failed" in gzip.decompress(response.body)


def test_headers_that_others_set(site):
    site.shop.httpd.allow_log("WXP0415.*Header directive")
    site.shop.httpd.write("htdocs/off/added", "free\n")
    site.shop.httpd.write("htdocs/on/added", "SECRET\n")
    assert stripped(site, "/off/added").text == "free\n"
    site.shop.httpd.expect_log("WXP0411.*Header directive")
    assert "SECRET" not in stripped(site, "/on/added", 500).text
    response = stripped(site, order(site, "backend").replace("/on/backend/", "/on/kept/"), 303)
    assert response.headers.get_all("Cache-Control") == ["no-store"]
    assert response.header("Expires") is None


def test_a_request_that_names_it(site):
    site.shop.httpd.write("cgi/echo", "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n<%s>' "
                          "\"$HTTP_X_WXPAY_ORDER\"\n", 0o755)
    response = site.shop.web().get("/on/cgi/echo", {"X-WxPay-Order": "total_fee=1"})
    assert (response.status, response.text) == (200, "<>")


def test_a_backend_that_breaks_off(site):
    site.shop.httpd.allow_log("AH01102|AH01110|proxy")
    path = order(site, "backend", body="half", chunks=None)
    stripped(site, path, 303)
    stripped(site, path, 303)


def test_a_script_that_dies(site):
    """What the buyer has got by then is complete; or httpd's own page, if that was nothing yet."""
    site.shop.httpd.allow_log("AH0107[15]|proxy_fcgi")
    site.shop.httpd.write("htdocs/on/dies.php", "<?php header('X-WxPay-Order: %s'); echo 'half'; "
                          "flush(); posix_kill(getmypid(), 9);"
                          % scripts.form(scripts.facts(site.shop)))
    answers = [site.shop.web().get("/on/dies.php") for _ in range(6)]
    handed = [answer for answer in answers if answer.status == 303]
    assert len(handed) > 1 and not any(answer.body for answer in handed)
    assert all(answer.status in (303, 503) and "half" not in answer.text
               and answer.header("X-WxPay-Order") is None for answer in answers)


def test_a_forward_proxys_answers_start_nothing(new_shop, php, backend):
    shop = new_shop(**scripts.options(php, backend, "event", "ProxyRequests On\nWxPayHandoff On\n"))
    site = Scripts(shop, backend)
    query = order(site, "backend").partition("?")[2]
    web = Web("http://127.0.0.1:%d" % shop.httpd.port)
    answer = web.raw(b"GET http://127.0.0.1:%d/?%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                     % (backend.port, query.encode()))
    assert answer.startswith(b"HTTP/1.1 200 ") and b"SECRET" in answer
    assert b"wxpay-order" not in answer.lower()


# ---- mod_cache

@pytest.fixture
def cached(new_shop, php, backend):
    """cached(quick, base) -> scripts behind a cache that keeps whatever it may."""
    def build(quick="On", **more):
        options = scripts.options(php, backend, "event", CACHE % quick, ("cache", "cache_disk", "expires"))
        shop = new_shop(start=False, **options, **more)
        (shop.httpd.root / "cache").mkdir()
        (shop.httpd.root / "cache").chmod(0o777)
        shop.start()
        return Scripts(shop, backend)
    return build


@pytest.mark.parametrize("quick", ("On", "Off"))
def test_a_hand_off_is_never_kept(cached, quick):
    site = cached(quick)
    site.shop.httpd.allow_log("WXP041[14]")
    for way in WAYS:
        path = order(site, way, FRESH)
        for headers, status in (({}, 303), (JSON, 200), ({}, 303)):
            for _ in range(2):
                response = stripped(site, path, status, headers)
                assert "HIT" not in response.header("X-Cache", "")
        # Otherwise this place is cached.
        plain = site.say(way, FRESH, body="plain")
        assert "HIT" not in stripped(site, plain).header("X-Cache", "")
        assert "HIT" in stripped(site, plain).header("X-Cache")
        # As is, without the header, what is not honoured.
        path = order(site, way, FRESH, place="/off")
        stripped(site, path)
        assert "HIT" in stripped(site, path).header("X-Cache")


@pytest.mark.parametrize("quick", ("On", "Off"))
def test_what_was_kept_before(cached, quick):
    """Entries of the time before the module was configured hold the header."""
    site = cached(quick)
    httpd = site.shop.httpd
    whole = (httpd.root / "conf" / "site.conf").read_text()
    without = "\n".join(line for line in whole.splitlines() if not line.startswith(("WxPay", "    WxPay"))
                        ) + "\n"
    httpd.set_conf(without)
    assert httpd.graceful()[0] == 0
    paths = {}
    for place in ("/on", "/off"):
        paths[place] = order(site, "backend", FRESH, place=place)
        for _ in range(2):
            response = site.shop.web().get(paths[place])
            assert response.header("X-WxPay-Order")
        assert "HIT" in response.header("X-Cache")
    httpd.set_conf(whole)
    assert httpd.graceful()[0] == 0
    httpd.allow_log("WXP0414|WXP0411.*status is 304")
    httpd.expect_log("WXP0415.*mod_cache")
    response = stripped(site, paths["/off"])
    assert "HIT" in response.header("X-Cache") and "SECRET" in response.text
    stripped(site, paths["/off"], 304, {"If-None-Match": '"1"'})
    if quick == "On":  # before anybody knows what place it is
        stripped(site, paths["/on"])
    else:
        httpd.expect_log("WXP0411.*mod_cache")
        assert "SECRET" not in stripped(site, paths["/on"], 500).text
        stripped(site, paths["/on"], 500, {"If-None-Match": '"1"'})
    assert not httpd.store_file.exists() or orders(site) == 0


# ---- what the configuration lacks

HOST = "<VirtualHost *:9>\nServerName other.example\n%s</VirtualHost>\n"


@pytest.mark.parametrize("conf,line", [
    ("WxPayHandoff On\n", 1), ("<Location /shop>\nWxPayHandoff On\n</Location>\n", 2),
    ("<Directory /shop>\nWxPayHandoff On\n</Directory>\n", 2),
    (HOST % "<Location /shop>\nWxPayHandoff On\n</Location>\n", 4)])
@pytest.mark.parametrize("base", ("", "WxPayAppId wx2421b1c4370ec43b\nWxPayMchId 1230000109\n"
                                  "WxPayKey file:${ROOT}/conf/wxpay/api.key\n"
                                  "WxPayStateDir ${STATE}\n"))
def test_nowhere_to_pay(httpd, base, conf, line):
    server = httpd(base + conf, start=False)
    server.write("conf/wxpay/api.key", "k" * 32 + "\n", 0o600)
    status, said = server.configtest()
    assert status != 0
    assert "WXP0225: [%s:%d]" % (server.root / "conf/site.conf", base.count("\n") + line) in said
    assert 'write "WxPayCheckoutPath /wxpay/pay"' in said
    server.set_conf(base + conf.replace("On", "Off"))
    assert server.configtest()[0] == 0


def test_one_server_of_two_takes_orders(new_shop, php, backend):
    """A section for all servers is right where one of them can take orders; the other says why it
    can't."""
    options = scripts.options(php, backend, "event")
    path = "WxPayCheckoutPath /wxpay/pay\n"
    shop = new_shop(base=SMALLEST.replace("WxPayCheckoutPath /wxpay/pay\n", ""), vhost=path,
                    **options)
    site = Scripts(shop, backend)
    stripped(site, order(site, "php"), 303)
    plain = Web("http://127.0.0.1:%d" % shop.httpd.port)
    shop.httpd.expect_log('WXP0411.*write "WxPayCheckoutPath')
    assert "SECRET" not in stripped(site, order(site, "php"), 500, web=plain).text
    assert orders(site) == 1
