"""`httpd -t -D DUMP_WXPAY`: what is in force, what to register, and no secret."""

import re

import pytest

KEY = "8934e7d15453e97507ef794cf7b0519d"
OLD = "0123456789abcdef0123456789abcdef"
API_KEY = "6f1ed002ab5595859014ebf0951522d9aa"
LINK_KEY = "b41d8cd98f00b204e9800998ecf8427eff"

MAIN = """WxPayAppId wx2421b1c4370ec43b
WxPayMchId 1230000109
WxPayKey file:conf/api.key
WxPayKeyPrevious %(OLD)s until=2001-01-01T08:00:00+08:00
WxPayNotifyPath /wxpay/notify
WxPayCheckoutPath /wxpay/pay
WxPayApiPath /wxpay/api
WxPayApiKey "exec:/bin/echo %(API_KEY)s" file:conf/old.key
WxPayLinkKey %(LINK_KEY)s
WxPayMaxCalls 7
WxPayStateDir ${STATE}
""" % {"OLD": OLD, "API_KEY": API_KEY, "LINK_KEY": LINK_KEY}

HOSTS = """<VirtualHost 127.0.0.1:9>
ServerName plain.example
WxPayReturnURL /thanks
WxPayReturnHosts plain.example:8443 b.example
</VirtualHost>
<VirtualHost *:9>
ServerName books.example
WxPayPublicURL https://books.example:8443
WxPayAppId wx8888888888888888
WxPayMchId 1900000109
WxPaySubMchId 1900000110
WxPayKey file:conf/books.key
WxPayApiKey file:conf/old.key
WxPayApiAllow create query
WxPaySignType HMAC-SHA256
WxPaySiteId books
WxPayMerchantName "茶馆"
WxPaySupport help@books.example
WxPayLanguage zh-TW
WxPayConfirmByQuery over=9.90
WxPayOrphans Deliver
WxPayGateway https://gateway.example/base
WxPayGatewayProxy http://proxy.example:3128
WxPayGatewayTimeout 2500ms 1s
WxPayGatewayCAFile conf/ca.pem
WxPayMaxWait 1s
WxPayOrderTTL 30min
</VirtualHost>
"""


@pytest.fixture
def server(httpd, authority):
    made = httpd(MAIN + HOSTS, start=False, tls=False)
    made.write("conf/api.key", KEY + "\n", 0o600)
    made.write("conf/books.key", KEY[::-1] + "\n", 0o600)
    made.write("conf/old.key", API_KEY[::-1] + "\n", 0o600)
    with open(authority.ca, encoding="ascii") as file:
        made.write("conf/ca.pem", file.read())
    return made


def blocks(text):
    """{server: {name: value}} of a dump; what comes before the first server is under ''."""
    found, current = {"": {}}, ""
    for row in text.splitlines():
        heading = re.match(r"(\S.*) \((main server|virtual host .*)\)$", row)
        if heading:
            current = heading[1]
            found[current] = {"where": heading[2]}
        match = re.match(r"    (\S.{19}) (.*)$", row)
        if match:
            assert match[1].strip() not in found[current], row
            found[current][match[1].strip()] = match[2]
    return found


def test_every_server_has_its_block(server):
    shown = blocks(server.dump("DUMP_WXPAY"))
    conf = str(server.root / "conf")
    assert set(shown) == {"", "shop.example", "plain.example", "books.example"}
    assert shown[""] == {"state directory": str(server.state), "gateway calls":
                         "7 at once per process", "store": "sqlite3 %s/db/wxpay.db" % server.state}
    main = shown["shop.example"]
    assert main == main | {
        "where": "main server",
        "merchant": "1230000109, app id wx2421b1c4370ec43b",
        "API v2 key": "file:%s/api.key" % conf,
        "previous key": "in the configuration itself, until 2001-01-01T00:00:00Z (over: ignored)",
        "requests signed with": "MD5",
        "public URL": "https://shop.example",
        "orders belong to": "https://shop.example",
        "notifications": "https://shop.example/wxpay/notify",
        "payment pages": "https://shop.example/wxpay/pay",
        "API": "https://shop.example/wxpay/api",
        "API key": "exec:/bin/echo, previous file:%s/old.key" % conf,
        "API allows": "create query close",
        "signed links": "key in the configuration itself",
        "gateway": "https://api.mch.weixin.qq.com, then https://api2.mch.weixin.qq.com",
        "gateway's CAs": "the system's",
        "proxy": "none",
        "gateway timeout": "8s per host, 3s of it for connecting",
        "buyers wait": "400ms at most",
        "orders can be paid": "2h",
        "confirmed by query": "no notification",
        "unknown orders": "recorded, answered FAIL",
        "after paying": "the buyer stays",
        "notify_url": "nothing: it is sent with each order",
        "JSAPI directory": "https://shop.example/wxpay/pay/ (支付授权目录, pay.weixin.qq.com)",
        "H5 domain": "shop.example (H5支付域名, pay.weixin.qq.com)",
        "OAuth domain": "shop.example (网页授权域名, mp.weixin.qq.com)"}
    inherited = dict(main) | {"after paying": "/thanks",
                              "return_url may name": "plain.example:8443 b.example"}
    plain = shown["plain.example"]
    assert plain.pop("where").startswith("virtual host 127.0.0.1:9, %s/site.conf:" % conf)
    inherited.pop("where")
    assert plain == inherited


def test_a_merchant_of_its_own(server):
    books = blocks(server.dump("DUMP_WXPAY"))["books.example"]
    conf = str(server.root / "conf")
    assert books == books | {
        "merchant": "1900000109, app id wx8888888888888888",
        "sub-merchant": "1900000110, app id none of its own",
        "API v2 key": "file:%s/books.key" % conf,
        "requests signed with": "HMAC-SHA256",
        "public URL": "https://books.example:8443",
        "orders belong to": "books",
        "notifications": "https://books.example:8443/wxpay/notify",
        "signed links": "off",
        "API key": "file:%s/old.key" % conf,
        "API allows": "create query",
        "gateway": "https://gateway.example/base",
        "gateway's CAs": "conf/ca.pem",
        "proxy": "http://proxy.example:3128",
        "gateway timeout": "2500ms per host, 1s of it for connecting",
        "buyers wait": "1s at most",
        "orders can be paid": "30min",
        "confirmed by query": "notifications from CNY 9.90",
        "unknown orders": "recorded, answered SUCCESS",
        "pages": "language zh-TW, merchant name 茶馆, support help@books.example",
        "OAuth domain": "books.example (网页授权域名, mp.weixin.qq.com)"}
    assert "previous key" not in books


def test_it_holds_no_secret(server):
    said = server.dump("DUMP_WXPAY")
    for secret in (KEY, OLD, API_KEY, LINK_KEY):
        assert secret not in said and secret[::-1] not in said
    assert "Syntax OK" in said
    assert not server.state.exists()


def test_without_the_define_nothing_is_printed(server):
    assert "merchant" not in server.run("-t")[1].replace("WxPay", "")


def test_not_together_with_other_dumps(server):
    said = server.run("-S", "-D", "DUMP_WXPAY")[1]
    assert "write: httpd -t -D DUMP_WXPAY" in said and "no payments here" not in said


def test_without_a_directive(httpd):
    server = httpd("", start=False)
    assert "the module does nothing" in server.dump("DUMP_WXPAY")
