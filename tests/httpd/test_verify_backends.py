"""Verified deliveries as PHP and backends see them, and what never reaches them."""

import json

import pytest

from .backend import Backend
from .deliveries import KEY, LOOK_ALIKES, PAID, deliver, event, paid_variables, signed
from .php import HANDLER, Php
from .web import Web

REFUSED = "WXP080[23]"
KEY_LINE = "WxPayDeliverKey file:${ROOT}/conf/deliver.key\n"
PHP = KEY_LINE + HANDLER + "WxPayDeliverTo /hooks/paid.php\n"
SHOW = """<?php
header('Content-Type: application/json');
$ours = fn($all) => (object)array_filter($all, fn($name) => stripos($name, 'WXPAY') !== false,
                                         ARRAY_FILTER_USE_KEY);
echo json_encode(['server' => $ours($_SERVER), 'env' => $ours(getenv()), 'get' => getenv('WXPAY_PAID'),
                  'headers' => $ours(getallheaders()), 'body' => file_get_contents('php://input'),
                  'method' => $_SERVER['REQUEST_METHOD'], 'user' => $_SERVER['REMOTE_USER'] ?? null]);
"""


@pytest.fixture(scope="module")
def fpm():
    with Php() as running:
        yield running


@pytest.fixture
def site(httpd, fpm):
    """site(conf, files): a server whose .php files go to php-fpm."""
    def make(conf=PHP, files=None, **options):
        server = httpd(conf, start=False, modules=("proxy_fcgi",), defines=fpm.defines, tls=False,
                       **options)
        server.write("conf/deliver.key", KEY, 0o600)
        for name, text in {"htdocs/hooks/paid.php": SHOW, "htdocs/open.php": SHOW,
                           **(files or {})}.items():
            server.write(name, text)
        return server.start()
    return make


def chunked(body, trailers=b""):
    data = body.encode()
    return b"%x\r\n%s\r\n0\r\n%s\r\n" % (len(data), data, trailers)


def test_php(site, mpm):
    server = site(mpm=mpm)
    server.allow_log(REFUSED)
    web = Web(server.url)
    reply = deliver(web, "/hooks/paid.php", headers=LOOK_ALIKES, number="evt_1")
    assert reply.status == 200
    seen = reply.json()
    assert seen["server"] == paid_variables("evt_1")
    assert seen["headers"] == {} and seen["body"] == event() and seen["get"] == "1"
    headers, body = signed(number="evt_2")
    seen = web.request("POST", "/hooks/paid.php", chunked(body),
                       {**headers, "Transfer-Encoding": "chunked"}).json()
    assert seen["server"] == paid_variables("evt_2") and seen["body"] == body
    assert web.post("/hooks/paid.php", body, headers).status == 404
    assert web.get("/hooks/paid.php", LOOK_ALIKES).status == 404


def test_php_elsewhere_sees_no_look_alike(site):
    web = Web(site().url)
    headers, body = signed()
    for reply in (web.get("/open.php", LOOK_ALIKES), web.post("/open.php", body, {**headers,
                                                                                  **LOOK_ALIKES}),
                  web.get("/open.php/WXPAY_PAID=1?WXPAY_PAID=1")):
        seen = reply.json()
        assert seen["env"] == seen["headers"] == {} and seen["get"] is False
        assert seen["server"] == {}


@pytest.mark.parametrize("rules", ["RewriteEngine On\nRewriteRule !^index.php$ /index.php [L]\n",
                                   "FallbackResource /index.php\n"], ids=["rewrite", "fallback"])
def test_a_front_controller_in_php(site, rules):
    server = site(PHP.replace("/hooks/paid.php", "/wxpay/paid") + """
<Location "/">
    AuthType Basic
    AuthName shop
    AuthUserFile ${ROOT}/conf/users
    Require valid-user
</Location>
""", {"htdocs/.htaccess": rules, "htdocs/index.php": SHOW, "conf/users": ""})
    web = Web(server.url)
    seen = deliver(web, "/wxpay/paid", number="evt_f").json()
    plain = {name: value for name, value in seen["server"].items()
             if not name.startswith("REDIRECT_")}
    assert plain == paid_variables("evt_f") and seen["body"] == event()
    assert (seen["method"], seen["user"]) == ("POST", None)
    assert web.get("/wxpay/paid").status == 404
    assert web.get("/wxpay/other").status == 401


def test_an_error_page_of_the_site_sees_no_payment(site):
    """It answers whoever was not let in."""
    server = site(PHP + "ErrorDocument 404 /open.php\n")
    server.allow_log(REFUSED)
    headers, body = signed()
    reply = Web(server.url).post("/hooks/paid.php", body + " ", {**headers, **LOOK_ALIKES})
    assert reply.status == 404 and reply.json()["server"] == {}
    assert reply.json()["headers"] == {}


def test_other_types_in_php(site):
    seen = deliver(Web(site().url), "/hooks/paid.php", event("order.refunded")).json()
    assert "WXPAY_PAID" not in seen["server"] and "WXPAY_OUT_TRADE_NO" not in seen["server"]
    assert seen["server"]["WXPAY_EVENT_OUT_TRADE_NO"] == PAID["out_trade_no"]
    assert seen["get"] is False


# ---- mod_proxy_http ----

PROXY = KEY_LINE + """
<Location "/app/paid">
    WxPayVerifyDelivery On
    RequestHeader set X-WXPAY-PAID "%%{WXPAY_PAID}e" env=WXPAY_PAID
    RequestHeader set X-WXPAY-OUT-TRADE-NO "%%{WXPAY_OUT_TRADE_NO}e" env=WXPAY_PAID
    RequestHeader set X-WXPAY-TOTAL-FEE "%%{WXPAY_TOTAL_FEE}e" env=WXPAY_PAID
</Location>
ProxyPass "/app/" "%s/" %s
MergeTrailers On
"""


def ours(headers):
    return {name.upper(): value for name, value in headers.items() if "WXPAY" in name.upper()}


@pytest.fixture
def backend():
    with Backend() as running:
        yield running


@pytest.mark.parametrize("mapping", ["", "mapping=encoded"])
def test_a_proxied_backend(httpd, backend, mapping):
    server = httpd(PROXY % (backend.url, mapping), start=False, tls=False)
    server.write("conf/deliver.key", KEY, 0o600)
    server.start().allow_log(REFUSED)
    web = Web(server.url)
    told = {"X-WXPAY-PAID": "1", "X-WXPAY-OUT-TRADE-NO": PAID["out_trade_no"],
            "X-WXPAY-TOTAL-FEE": "1990"}
    assert deliver(web, "/app/paid", headers=LOOK_ALIKES).status == 204
    method, path, headers, body = backend.take()
    assert (method, path, body, ours(headers)) == ("POST", "/paid", event(), told)

    headers, body = signed()
    trailers = b"X-WXPAY-PAID: 2\r\nWxpay-Paid: 1\r\n"
    sent = chunked(body, trailers)
    assert web.request("POST", "/app/paid", sent,
                       {**headers, "Transfer-Encoding": "chunked"}).status == 204
    _, _, received, text = backend.take()
    assert (text, ours(received)) == (body, told)
    assert received["Content-Length"] == str(len(body.encode()))

    assert deliver(web, "/app/paid", event("order.closed"), headers=LOOK_ALIKES).status == 204
    assert ours(backend.take()[2]) == {}
    for reply in (web.get("/app/paid", LOOK_ALIKES), web.post("/app/paid", body, headers),
                  web.request("TRACE", "/app/paid")):
        assert reply.status == 404
    assert backend.asked == []

    assert web.request("POST", "/app/open", sent,
                       {**headers, **LOOK_ALIKES, "Transfer-Encoding": "chunked"}).status == 204
    assert ours(backend.take()[2]) == {}


def test_json_of_the_body_is_what_was_sent(site):
    """Byte for byte: a script may verify it again."""
    body = json.dumps({"type": "order.paid", "data": PAID}, indent=3) + "\r\n "
    assert deliver(Web(site().url), "/hooks/paid.php", body).json()["body"] == body
