"""Routing: rarer things of a site that could get in our way (the common ones: test_in_the_way),
which URIs are ours, what every answer carries, and look-alike headers."""

import re

import pytest

from .web import Web

NOWHERE = "http://127.0.0.1:9/"

# What a site may have set up for everything below "/".
SITES = {
    "redirect to the canonical name":
        "RewriteEngine On\nRewriteRule ^ https://www.x.example%{REQUEST_URI} [R=301,L]\n",
    "ProxyPass, encoded": 'ProxyPass "/" "%s" mapping=encoded\n' % NOWHERE,
    "rewriting to a proxy": 'RewriteEngine On\nRewriteRule ^/(.*) %s$1 [P]\n' % NOWHERE,
    "SetHandler": "<Location />\nSetHandler server-status\n</Location>\n",
    "SetHandler to a proxy": '<Location />\nSetHandler "proxy:%s"\n</Location>\n' % NOWHERE,
    "SetHandler to a proxy, by <If>": '<If "true">\nSetHandler "proxy:%s"\n</If>\n' % NOWHERE,
    "FallbackResource everywhere": "<Location />\nFallbackResource /index.php\n</Location>\n",
    "front controller in <Location>": '<Location "/">\nRewriteEngine On\n'
        'RewriteRule !index.php /index.php [L]\n</Location>\n',
    "FallbackResource": "<Directory ${DOCROOT}>\nFallbackResource /index.php\n</Directory>\n",
    "DirectorySlash": "<Directory ${DOCROOT}>\nDirectoryIndex index.php\n</Directory>\n",
    "denied directories": "<Directory ${DOCROOT}>\nRequire all denied\n</Directory>\n",
    "MultiViews": "<Directory ${DOCROOT}>\nOptions +MultiViews\n</Directory>\n",
}


def check_notify(shop):
    reply = shop.notify_raw("<xml><a>1</a></xml>")
    assert (reply.status, reply.header("Content-Type")) == (200, "text/xml; charset=utf-8")
    assert "<![CDATA[FAIL]]>" in reply.text


def check_pages_and_api(shop):
    order = shop.create()
    assert shop.api.get(order["out_trade_no"])["state"] == "NEW"
    page = shop.web().get(order["pay_url"])
    assert page.status == 200 and 'name="csrf"' in page.text
    missing = shop.web().get("/wxpay/api/orders/NONE",
                             {"Authorization": "Bearer " + shop.merchant.api_key})
    assert (missing.status, missing.header("Content-Type")) == (404, "application/problem+json")
    refused = shop.web().get("/wxpay/api/orders")
    assert (refused.status, refused.header("Content-Type")) == (401, "application/problem+json")


@pytest.mark.parametrize("conf", SITES.values(), ids=SITES)
def test_the_site_does_not_get_in_the_way(new_shop, conf):
    shop = new_shop(public="http://127.0.0.1:{port}", conf=conf, tls=False)
    shop.httpd.write("htdocs/index.php", "the site's own\n")
    shop.httpd.expect_log("WXP0302")
    check_notify(shop)
    check_pages_and_api(shop)


def test_what_is_ours_and_what_is_not(new_shop):
    shop = new_shop(public="http://127.0.0.1:{port}", tls=False)
    web = shop.web()
    shop.httpd.write("htdocs/wxpay/paying/index.html", "the site's own\n")
    shop.httpd.write("htdocs/wxpay/notify/more.txt", "the site's own\n")
    assert web.get("/wxpay/paying/index.html").text == "the site's own\n"
    assert web.get("/wxpay/notify/more.txt").text == "the site's own\n"
    assert web.get("/wxpay/notify").status == 405
    assert web.get("/wxpay/notify").header("Allow") == "POST"
    # Another spelling of the path is not the endpoint.
    assert web.post("/wxpay/%6eotify", "<xml/>").status != 200
    for spelling in ("/wxpay/pay/x", "/wxpay/%70ay/x", "/a/../wxpay/pay/x", "//wxpay/pay/x"):
        reply = web.get(spelling)
        assert (reply.status, reply.header("Referrer-Policy")) == (404, "same-origin"), spelling


def test_every_answer_is_guarded(new_shop):
    shop = new_shop(public="http://127.0.0.1:{port}", tls=False)
    shop.httpd.expect_log("WXP0302")
    order = shop.create()
    for reply in (shop.web().get(order["pay_url"]), shop.web().get("/wxpay/api/orders"),
                  shop.web().get("/wxpay/pay/none"), shop.notify_raw("<xml/>")):
        assert reply.header("X-Content-Type-Options") == "nosniff"
        assert reply.header("Referrer-Policy") == "same-origin"
        assert reply.header("Cache-Control") == "no-store"
        assert "default-src 'none'" in reply.header("Content-Security-Policy")


def test_every_page_has_a_nonce_of_its_own(new_shop):
    shop = new_shop(public="http://127.0.0.1:{port}", tls=False)
    order = shop.create()

    def nonce():
        """The one in the header, which all styles and scripts of the page bear."""
        reply = shop.web().get(order["pay_url"])
        [one] = set(re.findall(r"'nonce-([\w-]{22})'", reply.header("Content-Security-Policy")))
        elements = re.findall(r"<(style|script)( [^>]*)?>", reply.text)
        assert {name for name, _ in elements} == {"style", "script"}
        assert {attributes for _, attributes in elements} == {' nonce="%s"' % one}
        return one
    assert nonce() != nonce()


def test_look_alikes_never_get_through(new_shop):
    shop = new_shop(public="http://127.0.0.1:{port}", tls=False, modules=("cgid", "cgi"), conf="""
ScriptAlias "/cgi/" "${ROOT}/cgi/"
ScriptSock ${ROOT}/run/cgisock
<Directory ${ROOT}/cgi>
    Require all granted
</Directory>
""")
    shop.httpd.write("cgi/env", "#!/bin/sh\necho Content-Type: text/plain\necho\nenv\n", 0o755)
    sent = {"WXPAY_PAID": "1", "Wxpay-Paid": "1", "wxpay.paid": "1", "WxPay!Verified": "1",
            "WXPAY_OUT_TRADE_NO": "T1", "X-Wxpay-Paid": "1",
            "X-WxPay-Order": "out_trade_no=T1", "X-Wx-Pay": "kept", "WxPayments": "kept"}
    shown = shop.web().get("/cgi/env", sent).text
    assert "HTTP_X_WX_PAY=kept" in shown and "HTTP_WXPAYMENTS=kept" in shown
    assert "WXPAY_" not in shown


def test_without_configuration_headers_are_left_alone(httpd):
    server = httpd("ScriptAlias /cgi/ ${ROOT}/cgi/\nScriptSock ${ROOT}/run/cgisock\n"
                   "<Directory ${ROOT}/cgi>\nRequire all granted\n</Directory>\n",
                   modules=("cgid", "cgi"), start=False, tls=False)
    server.write("cgi/env", "#!/bin/sh\necho Content-Type: text/plain\necho\nenv\n", 0o755)
    server.start()
    assert "HTTP_WXPAY_PAID=1" in Web(server.url).get("/cgi/env", {"Wxpay-Paid": "1"}).text
