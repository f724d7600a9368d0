"""Configuration: what is refused and with which words, what is accepted, what is shown."""

import os
import pathlib
import re

import pytest

from .server import PROJECT
from .web import Web

KEY = "8934e7d15453e97507ef794cf7b0519d"
API_KEY = "6f1ed002ab5595859014ebf0951522d9aa"
DELIVER_KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SITE = "${ROOT}/conf/site.conf"

MERCHANT = """WxPayAppId wx2421b1c4370ec43b
WxPayMchId 1230000109
WxPayKey file:${ROOT}/conf/api.key
WxPayStateDir ${STATE}
"""
PATHS = """WxPayNotifyPath /wxpay/notify
WxPayCheckoutPath /wxpay/pay
WxPayApiPath /wxpay/api
WxPayApiKey file:${ROOT}/conf/site.key
"""
WORKING = MERCHANT + PATHS

# Syntax, told by the directive itself: (id, line, what the message must hold)
REFUSED = [
    ("WXP0100", "WxPayKey", "WxPayKey has 0 arguments"),
    ("WXP0100", "WxPayKey exec:/bin/echo key", '"exec:program args"'),
    ("WXP0100", "WxPayGateway https://a https://b https://c", "url [backup-url]"),
    ("WXP0101", "WxPayAppId wx-24", "WxPayAppId wx2421b1c4370ec43b"),
    ("WXP0101", "WxPayMchId 12a", "WxPayMchId 1230000109"),
    ("WXP0102", "WxPaySignType SHA256", "WxPaySignType HMAC-SHA256"),
    ("WXP0103", "WxPayPublicURL shop.example", "WxPayPublicURL https://shop.example"),
    ("WXP0103", "WxPayPublicURL https://shop.example/pay", "holds a path"),
    ("WXP0103", "WxPayPublicURL https://shop.example?a=b", "holds a query"),
    ("WXP0103", "WxPayPublicURL https://me@shop.example", "holds a user name"),
    ("WXP0103", "WxPayPublicURL ftp://shop.example", "neither https nor http"),
    ("WXP0104", "WxPayGateway api.mch.weixin.qq.com", "WxPayGateway https://api.mch.weixin.qq.com"),
    ("WXP0104", "WxPayGateway https://a.example https://b.example/?x=1", "holds a query"),
    ("WXP0105", "WxPayGateway http://api.mch.weixin.qq.com", "write https://"),
    ("WXP0105", "WxPayGateway http://127.evil.example", "write https://"),
    ("WXP0106", "WxPayNotifyPath wxpay/notify", "does not start with /"),
    ("WXP0106", "WxPayNotifyPath /wxpay/notify?a=1", "WxPayNotifyPath /wxpay/notify"),
    ("WXP0106", "WxPayNotifyPath /wxpay#a", "holds a query or fragment"),
    ("WXP0106", "WxPayNotifyPath /", "is the whole site"),
    ("WXP0106", "WxPayCheckoutPath /wxpay/pay/", "ends in /"),
    ("WXP0106", "WxPayCheckoutPath /wxpay//pay", "holds //"),
    ("WXP0106", "WxPayApiPath /wxpay/../api", "holds . or .."),
    ("WXP0106", "WxPayApiPath /%61pi", "WxPayApiPath /wxpay/api"),
    ("WXP0107", "WxPayApiAllow create refund", "needs a client certificate"),
    ("WXP0108", "WxPayApiAllow create delete", "WxPayApiAllow create query close"),
    ("WXP0109", "WxPayOrphans Keep", "WxPayOrphans Refuse"),
    ("WXP0110", "WxPayOrderTTL 5min", "WxPayOrderTTL 2h"),
    ("WXP0110", "WxPayOrderTTL 8d", "from 6min to 7d"),
    ("WXP0110", "WxPayOrderTTL 2135039830d", "from 6min to 7d"),
    ("WXP0110", "WxPayOrderTTL soon", "from 6min to 7d"),
    ("WXP0110", "WxPayMaxWait 11s", "WxPayMaxWait 400ms"),
    ("WXP0110", "WxPayGatewayTimeout 2h", "WxPayGatewayTimeout 8s 3s"),
    ("WXP0110", "WxPayGatewayTimeout 99999999999s", "WxPayGatewayTimeout 8s 3s"),
    ("WXP0111", "WxPayGatewayTimeout 3s 8s", "WxPayGatewayTimeout 8s 3s"),
    ("WXP0112", "WxPayMaxCalls 0", "WxPayMaxCalls 64"),
    ("WXP0112", "WxPayMaxCalls 64k", "from 1 to 10000"),
    ("WXP0114", "WxPayGatewayCAFile ${ROOT}/none.pem", "No such file"),
    ("WXP0118", "WxPayGatewayCAFile ${ROOT}/conf/api.key", "holds no CA certificate"),
    ("WXP0115", "WxPayStore dbd wxpay", "WxPayStore sqlite3 /var/lib/wxpay/db/wxpay.db"),
    ("WXP0116", "WxPayReturnURL //evil.example/", "WxPayReturnURL /thanks"),
    ("WXP0116", "WxPayReturnURL javascript:alert(1)", "WxPayReturnURL /thanks"),
    ("WXP0117", "WxPayReturnHosts https://shop.example", "WxPayReturnHosts shop.example"),
    ("WXP0136", "WxPayHandoff Yes", "WxPayHandoff On"),
    ("WXP0136", "WxPayVerifyDelivery 1", "WxPayVerifyDelivery On"),
    ("WXP0137", "WxPayHandoffMax 500", "WxPayHandoffMax 500.00"),
    ("WXP0137", "WxPayHandoffMax 0.00", "no amount"),
    ("WXP0138", "WxPayDeliverTo hooks/paid.php", "WxPayDeliverTo /hooks/paid.php"),
    ("WXP0138", "WxPayDeliverTo /hooks/../paid.php", "holds . or .."),
    ("WXP0138", "WxPayDeliverTo http://app.example/paid", "http is for loopback hosts only"),
    ("WXP0138", "WxPayDeliverTo https://me@app.example/paid", "holds a user name"),
    ("WXP0138", "WxPayDeliverTo https://app.example/paid#x", "holds a"),
    ("WXP0139", "WxPayDeliverTo /hooks/paid.php paid", "order.paid"),
    ("WXP0140", "WxPayDeliverKey whsec_!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!", "openssl rand"),
    ("WXP0128", "WxPayDeliverKey whsec_AAAA", "openssl rand -base64 32"),
    ("WXP0114", "WxPayDeliverCAFile ${ROOT}/none.pem", "No such file"),
    ("WXP0141", "WxPayRetention 90d", "WxPayRetention notices=90d"),
    ("WXP0141", "WxPayRetention notices=1h", "from 1d to 3660d"),
    ("WXP0141", "WxPayRetention notices=1d notices=2d", "is not notices="),
    ("WXP0120", "WxPayKey file:${ROOT}/conf", "is not a file"),
    ("WXP0121", "WxPayKey file:${ROOT}/conf/writable.key", "chmod go-w "),
    ("WXP0123", "WxPayKey file:${ROOT}/conf/none.key", "No such file"),
    ("WXP0124", 'WxPayKey "exec:"', "exec:/path/to/program"),
    ("WXP0125", 'WxPayKey "exec:/bin/true"', "printed no secret"),
    ("WXP0125", 'WxPayKey "exec:${ROOT}/none"', "printed no secret"),
    ("WXP0127", "WxPayKey '8934e7d15453e97 07ef794cf7b0519d'", "byte 16"),
    ("WXP0128", "WxPayKey " + KEY[1:], "has 31 bytes"),
    ("WXP0128", "WxPayKey file:${ROOT}/conf/two-lines.key", "has 33 bytes"),
    ("WXP0128", "WxPayApiKey short", "openssl rand -hex 32"),
    ("WXP0100", "WxPayKeyPrevious file:${ROOT}/conf/old.key", "secret until=RFC3339"),
    ("WXP0129", "WxPayKeyPrevious file:${ROOT}/conf/other.key 2026-12-01", "until=2026-12-01T"),
    ("WXP0129", "WxPayKeyPrevious file:${ROOT}/conf/other.key until=tomorrow", "until=2026-12-01T"),
    ("WXP0128", "WxPayKeyPrevious %s until=2199-12-01T00:00:00Z" % KEY[1:], "exactly 32"),
    ("WXP0101", "WxPaySubAppId wx-24", "WxPaySubAppId wx2421b1c4370ec43b"),
    ("WXP0101", "WxPaySubMchId none", "WxPaySubMchId 1230000109"),
    ("WXP0128", "WxPayLinkKey fifteen-bytes--", "openssl rand -hex 32"),
    ("WXP0130", "WxPaySiteId my/shop", "WxPaySiteId shop"),
    ("WXP0130", "WxPaySiteId " + "s" * 65, "1 to 64 letters"),
    ("WXP0100", 'WxPaySiteId ""', "has 0 arguments"),
    ("WXP0131", 'WxPayMerchantName "%s"' % ("n" * 65), 'WxPayMerchantName "Tea House"'),
    ("WXP0131", 'WxPayMerchantName "a\tb"', 'WxPayMerchantName "Tea House"'),
    ("WXP0132", "WxPaySupport call", 'WxPaySupport "+86 10 1234 5678"'),
    ("WXP0132", "WxPaySupport javascript:alert(1)", "no phone number"),
    ("WXP0132", "WxPaySupport javascript://x/%0aalert(1)", "no phone number"),
    ("WXP0132", "WxPaySupport me@localhost", "mail address"),
    ("WXP0132", "WxPaySupport 'https://a.example/\"onclick=\"'", "http(s) URL"),
    ("WXP0133", "WxPayLanguage fr", "WxPayLanguage zh-CN"),
    ("WXP0134", "WxPayConfirmByQuery sometimes", "WxPayConfirmByQuery over=500.00"),
    ("WXP0134", "WxPayConfirmByQuery over=500", "two decimals"),
    ("WXP0134", "WxPayConfirmByQuery over=-1.00", "two decimals"),
    ("WXP0135", "WxPayGatewayProxy proxy.example:3128", "http://proxy.example:3128"),
    ("WXP0135", "WxPayGatewayProxy https://proxy.example:3128", "is not http"),
    ("WXP0135", "WxPayGatewayProxy http://proxy.example", "has no port"),
    ("WXP0135", "WxPayGatewayProxy http://me:pw@proxy.example:3128", "holds a user name"),
    ("WXP0135", "WxPayGatewayProxy http://proxy.example:3128/a", "holds a path"),
    ("not allowed", "<Location />\nWxPayMchId 1\n</Location>", "WxPayMchId"),
    ("within <Files>", "<Files x>\nWxPayReturnURL /x\n</Files>", "WxPayReturnURL"),
    ("within <If>", "<If true>\nWxPayReturnURL /x\n</If>", "WxPayReturnURL"),
    ("within <VirtualHost>", "<VirtualHost *:1>\nWxPayMaxCalls 2\n</VirtualHost>",
     "WxPayMaxCalls"),
]

# Contradictions, found when everything was read: (id, configuration, line, what to write)
CONTRADICTIONS = [
    ("WXP0201", "WxPayMchId 1230000109", 1,
     'write "WxPayKey file:/etc/apache2/wxpay/api.key" (the 32-byte API v2 key)'),
    ("WXP0201", "WxPayMchId 1230000109", 1, 'write "WxPayAppId wx2421b1c4370ec43b"'),
    ("WXP0201", WORKING + "<VirtualHost *:9>\nServerName b.example\nWxPaySignType MD5\n"
                          "</VirtualHost>", 11, 'WxPaySignType is set but WxPayMchId is missing'),
    ("WXP0204", "\nWxPayNotifyPath /wxpay/notify", 2, "write WxPayAppId, WxPayMchId and WxPayKey"),
    ("WXP0205", MERCHANT + "WxPayNotifyPath /wxpay\nWxPayCheckoutPath /wxpay/pay", 6,
     "is inside WxPayNotifyPath"),
    ("WXP0205", MERCHANT + "WxPayNotifyPath /a\nWxPayCheckoutPath /a", 6,
     "is the same as WxPayNotifyPath"),
    ("WXP0206", MERCHANT + "WxPayNotifyPath /n\nWxPayApiPath /api", 6,
     'write "WxPayApiKey file:/etc/apache2/wxpay/site.key"'),
    ("WXP0206", WORKING + "<VirtualHost *:9>\nServerName b.example\nWxPayAppId wx1\n"
     "WxPayMchId 2\nWxPayKey file:${ROOT}/conf/api.key\n</VirtualHost>", 7,
     "a merchant of its own inherits none"),
    ("WXP0207", MERCHANT + "WxPayNotifyPath /n\nWxPayApiPath /api\n"
                           "WxPayApiKey file:${ROOT}/conf/api.key", 7, "openssl rand -hex 32"),
    ("WXP0208", MERCHANT + "WxPayCheckoutPath /wxpay/pay", 5,
     'write "WxPayNotifyPath /wxpay/notify"'),
    ("WXP0209", MERCHANT + "WxPayOrphans Deliver", 5, 'write "WxPayNotifyPath /wxpay/notify"'),
    ("WXP0211", WORKING + "<VirtualHost *:9>\nServerName shop.example\nWxPayAppId wx1\n"
     "WxPayMchId 2\nWxPayKey file:${ROOT}/conf/api.key\nWxPayApiKey " + API_KEY +
     "\n</VirtualHost>", 12, "its own WxPayPublicURL or WxPayNotifyPath"),
    ("WXP0214", WORKING + "WxPaySubAppId wx8888888888888888", 9, 'write "WxPaySubMchId 1900000109"'),
    ("WXP0215", WORKING + "WxPayKeyPrevious file:${ROOT}/conf/api.key until=2199-01-01T00:00:00Z", 9,
     "put the new key into WxPayKey"),
    ("WXP0201", WORKING + "<VirtualHost *:9>\nServerName b.example\nWxPaySubMchId 1\n"
                          "</VirtualHost>", 11, "WxPaySubMchId is set but WxPayKey is missing"),
    ("WXP0217", MERCHANT + "WxPayNotifyPath /n\nWxPayLinkKey " + API_KEY, 6,
     'write "WxPayCheckoutPath /wxpay/pay"'),
    ("WXP0218", WORKING + "WxPayLinkKey file:${ROOT}/conf/api.key", 9, "openssl rand -hex 32"),
    ("WXP0219", WORKING + "WxPaySiteId shop\n<VirtualHost *:9>\nServerName b.example\n"
     "WxPaySiteId shop\nWxPayAppId wx1\nWxPayMchId 2\nWxPayKey file:${ROOT}/conf/other.key\n"
     "WxPayApiKey file:${ROOT}/conf/old.key\n</VirtualHost>", 14, "its own WxPaySiteId"),
    ("WXP0219", WORKING + "<VirtualHost *:9>\nServerName shop.example\nWxPayNotifyPath /n2\n"
     "WxPayAppId wx1\nWxPayMchId 2\nWxPayKey file:${ROOT}/conf/other.key\n"
     "WxPayApiKey file:${ROOT}/conf/old.key\n</VirtualHost>", 13, "different merchants"),
    ("WXP0222", WORKING + "WxPayDeliverTo /wxpay/pay/paid.php", 9, "such as /hooks/paid.php"),
    ("WXP0222", WORKING + "WxPayDeliverTo /wxpay/notify", 9, "is a place of WxPayNotifyPath"),
    ("WXP0223", WORKING + "<VirtualHost *:9>\nServerName b.example\nWxPayPublicURL https://b.example\n"
     "WxPayDeliverTo /hooks/paid.php\n</VirtualHost>", 12,
     "no Listen directive leads to this server; write the whole address instead, such as: "
     "WxPayDeliverTo https://b.example/hooks/paid.php"),
    ("WXP0227", MERCHANT + "WxPayNotifyPath /" + "n" * 250, 5, "write a shorter WxPayNotifyPath"),
    ("WXP0228", WORKING + "WxPayDeliverTo https://a.example/1\n<VirtualHost *:9>\nServerName "
     "shop.example\nWxPayDeliverTo https://a.example/2\n</VirtualHost>", 12, "once, for both"),
    ("WXP0228", WORKING + "WxPayDeliverTo https://a.example/1\n<VirtualHost *:9>\nServerName shop.example\n"
     "WxPayDeliverKey " + DELIVER_KEY + "\n</VirtualHost>", 9, "sign with another key"),
    ("WXP0212", WORKING + "WxPayStateDir ${ROOT}/conf/api.key", 9, "is not a directory"),
    ("WXP0212", WORKING + "WxPayStateDir ${ROOT}/a/b/c", 9, "mkdir -p"),
    ("WXP0212", WORKING + "WxPayStateDir ${ROOT}/link", 9, "is a symbolic link"),
    ("WXP0212", WORKING + "WxPayStateDir ${ROOT}/open", 9, "chmod go-w"),
    ("WXP0213", WORKING + "WxPayStore sqlite3 ${ROOT}/none/a.db", 9, "install -d -m 0700"),
]

# Every directive, as it may be written.
ACCEPTED = {
    "WxPayAppId": ["WxPayAppId wx8888888888888888"],
    "WxPayMchId": ["WxPayMchId 1900000109"],
    "WxPayKey": ["WxPayKey " + KEY, "WxPayKey file:conf/api.key",
                 'WxPayKey "exec:/bin/echo %s"' % KEY, "WxPayKey file:${ROOT}/conf/crlf.key"],
    "WxPayKeyPrevious": ["WxPayKeyPrevious file:conf/other.key until=2199-12-01T00:00:00+08:00"],
    "WxPaySubAppId": ["WxPaySubMchId 1900000109\nWxPaySubAppId wx8888888888888888"],
    "WxPaySubMchId": ["WxPaySubMchId 1900000109"],
    "WxPayLinkKey": ["WxPayLinkKey file:conf/site.key",
                     'WxPayLinkKey file:conf/site.key "exec:/bin/echo %s"' % API_KEY],
    "WxPayConfirmByQuery": ["WxPayConfirmByQuery off", "WxPayConfirmByQuery Always",
                            "WxPayConfirmByQuery over=9.90"],
    "WxPayGatewayProxy": ["WxPayGatewayProxy http://proxy.example:3128",
                          "WxPayGatewayProxy http://[::1]:3128/"],
    "WxPayLanguage": ["WxPayLanguage ZH-cn", "WxPayLanguage zh-TW", "WxPayLanguage en",
                      "WxPayLanguage auto"],
    "WxPaySiteId": ["WxPaySiteId shop.example_2-b"],
    "WxPayMerchantName": ['WxPayMerchantName "茶馆 & Co"'],
    "WxPaySupport": ['WxPaySupport "+86 (10) 1234-5678"', "WxPaySupport help@shop.example",
                     "WxPaySupport https://shop.example/help?from=pay"],
    "WxPaySignType": ["WxPaySignType MD5", "WxPaySignType hmac-sha256"],
    "WxPayPublicURL": ["WxPayPublicURL https://Shop.Example/",
                       "WxPayPublicURL http://127.0.0.1:8080",
                       "WxPayPublicURL https://[2001:db8::1]:8443"],
    "WxPayNotifyPath": ["WxPayNotifyPath /n", "WxPayNotifyPath /a.b/c-d_e~f"],
    "WxPayCheckoutPath": ["WxPayCheckoutPath /buy"],
    "WxPayApiPath": ["WxPayApiPath /backend"],
    "WxPayApiKey": ["WxPayApiKey file:conf/site.key file:conf/old.key"],
    "WxPayApiAllow": ["WxPayApiAllow create", "WxPayApiAllow query CLOSE"],
    "WxPayOrphans": ["WxPayOrphans Refuse", "WxPayOrphans deliver"],
    "WxPayGateway": ["WxPayGateway https://api.mch.weixin.qq.com/",
                     "WxPayGateway http://[::1]:8080",
                     "WxPayGateway https://a.example/base https://b.example",
                     "WxPayGateway http://localhost:1 http://127.1.2.3:2"],
    "WxPayGatewayCAFile": ["WxPayGatewayCAFile conf/ca.pem"],
    "WxPayGatewayTimeout": ["WxPayGatewayTimeout 2s", "WxPayGatewayTimeout 5000ms 500ms"],
    "WxPayStateDir": ["WxPayStateDir state2"],
    "WxPayStore": ["WxPayStore sqlite3", "WxPayStore sqlite3 ${STATE}/db/other.db"],
    "WxPayOrderTTL": ["WxPayOrderTTL 6min", "WxPayOrderTTL 7d", "WxPayOrderTTL 3600"],
    "WxPayMaxCalls": ["WxPayMaxCalls 2000"],
    "WxPayMaxWait": ["WxPayMaxWait 0s", "WxPayMaxWait 1s"],
    "WxPayReturnURL": ["WxPayReturnURL /thanks", "<Location /a>\nWxPayReturnURL https://b/c\n"
                                                 "</Location>"],
    "WxPayReturnHosts": ["WxPayReturnHosts a.example B.example:8443",
                         "<Directory />\nWxPayReturnHosts a\n</Directory>"],
    "WxPayHandoff": ["WxPayHandoff On", "<Directory />\nWxPayHandoff off\n</Directory>"],
    "WxPayHandoffMax": ["WxPayHandoffMax 500.00"],
    "WxPayDeliverTo": ["WxPayDeliverTo /hooks/paid.php",
                       "WxPayDeliverTo https://app.example:8443/paid?shop=1 order.paid order.closed",
                       "WxPayDeliverTo http://127.0.0.1:8080/paid order.orphan"],
    "WxPayDeliverKey": ["WxPayDeliverKey " + DELIVER_KEY, "WxPayDeliverKey file:conf/deliver.key "
                        + DELIVER_KEY],
    "WxPayDeliverCAFile": ["WxPayDeliverCAFile conf/ca.pem"],
    "WxPayVerifyDelivery": ["<Location /hooks>\nWxPayVerifyDelivery On\n</Location>"],
    "WxPayRetention": ["WxPayRetention notices=90d", "WxPayRetention orders=3660d notices=24h"],
}


def in_code():
    text = (PROJECT / "src" / "httpd" / "directives.c").read_text()
    return set(re.findall(r'ROW\("(WxPay\w+)"', text))


@pytest.fixture
def site(httpd, authority):
    """site(conf) -> a server that is not started, with the files that the tables name."""
    def build(conf, **options):
        server = httpd(conf, start=False, **{"tls": False, **options})
        server.write("conf/api.key", KEY + "\n", 0o600)
        server.write("conf/crlf.key", KEY + "\r\n", 0o600)
        server.write("conf/two-lines.key", KEY + "\n\n", 0o600)
        server.write("conf/writable.key", KEY + "\n", 0o666)
        server.write("conf/site.key", API_KEY + "\n", 0o600)
        server.write("conf/other.key", KEY[::-1] + "\n", 0o600)
        server.write("conf/deliver.key", DELIVER_KEY + "\n", 0o600)
        server.write("conf/old.key", API_KEY[::-1], 0o600)
        # The one who starts the server reads it, nobody else can.
        server.write("conf/ca.pem", pathlib.Path(authority.ca).read_text(), 0o600)
        (server.root / "link").symlink_to(server.root / "run")
        (server.root / "open").mkdir()
        (server.root / "open").chmod(0o777)
        return server
    return build


@pytest.mark.parametrize("code, line, fix", REFUSED, ids=[row[1].split("\n")[0] for row in REFUSED])
def test_refused_where_it_stands(site, code, line, fix):
    server = site("\n" + line + "\n")
    status, said = server.configtest()
    assert status != 0
    assert "Syntax error on line %d of %s" % (2 + ("\n" in line), server.root / "conf/site.conf") \
        in said
    assert code in said and fix in said
    assert KEY not in said and KEY[1:] not in said


@pytest.mark.parametrize("code, conf, line, fix", CONTRADICTIONS,
                         ids=["%s-%d" % (row[0], n) for n, row in enumerate(CONTRADICTIONS)])
def test_contradictions_say_who_wrote_them_and_what_to_write(site, code, conf, line, fix):
    server = site(conf + "\n")
    status, said = server.configtest()
    assert status != 0
    place = "%s:%d)] " % (server.root / "conf/site.conf", line)
    assert [text for text in said.splitlines()
            if text.startswith(code + ": [") and place in text and fix in text], said
    assert "Syntax OK" not in said
    assert not server.state.exists()  # looking has no side effects


def test_a_listener_that_nobody_can_speak_to_needs_a_url(site):
    server = site(WORKING + "WxPayDeliverTo /hooks/paid.php\nRemoteIPProxyProtocol On\n",
                  modules=("remoteip",))
    status, said = server.configtest()
    assert status != 0 and "WXP0223" in said and "by the PROXY protocol only" in said
    server.set_conf(WORKING + "WxPayDeliverTo https://127.0.0.1:8443/hooks/paid.php\n"
                              "RemoteIPProxyProtocol On\n")
    assert server.configtest()[0] == 0


def test_all_contradictions_are_told_at_once(site):
    said = site("WxPayMchId 1\nWxPayNotifyPath /a\nWxPayApiPath /a\n").configtest()[1]
    assert {"WXP0201", "WXP0205", "WXP0206"} <= set(re.findall(r"WXP\d{4}", said))


def test_a_public_name_is_never_guessed(site):
    server = site(WORKING, server_name=None)
    status, said = server.configtest()
    assert status != 0
    assert 'WXP0202: [main server' in said and '"WxPayPublicURL https://shop.example"' in said
    server.set_conf(WORKING + "WxPayPublicURL https://shop.example\n")
    assert server.configtest()[0] == 0


def test_a_server_name_counts_wherever_it_is_written(site):
    server = site("<IfModule wxpay_module>\nServerName shop.example\n</IfModule>\n" + WORKING,
                  server_name=None)
    assert server.configtest()[0] == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make files of another owner")
def test_files_of_another_owner(site):
    server = site(WORKING)
    server.state.mkdir(mode=0o711)
    os.chown(server.state, server.user.pw_uid, -1)
    status, said = server.configtest()
    assert status != 0
    assert "WXP0212" in said and "chown -R 0 %s" % server.state in said


@pytest.mark.parametrize("line", [line for lines in ACCEPTED.values() for line in lines])
def test_accepted(site, line):
    server = site(WORKING + line + "\n")
    status, said = server.configtest()
    assert (status, said.splitlines()[-1]) == (0, "Syntax OK"), said


def test_every_directive_has_an_accepted_example():
    assert set(ACCEPTED) == in_code()
    assert len(in_code()) >= 21


def test_the_reference_tells_every_directive():
    text = (PROJECT / "conf" / "wxpay.conf").read_text()
    blocks = {name: block for block in text.split("\n\n")
              for name in re.findall(r"^#(WxPay\w+) ", block, re.M)}
    assert set(blocks) == in_code()
    for name, block in blocks.items():
        for part in ("# %s: " % name, "# Syntax:  %s " % name, "# Default: ", "# Context: "):
            assert part in block, (name, part)
        row = re.search(r'ROW\("%s", (\w+), (\w+)\(.*?"\)' % name, (
            PROJECT / "src/httpd/directives.c").read_text(), re.S)
        context = re.search(r"# Context: ([\w ,]+)", block)[1]
        assert ("directory" in context) == (row[1] == "BOTH")
        assert context.startswith("main server") == (" GLOBAL," in row[0]), name


def test_the_reference_is_a_valid_configuration_as_shipped(httpd):
    server = httpd((PROJECT / "conf" / "wxpay.conf").read_text(), start=False)
    assert server.configtest() == (0, "Syntax OK\n")


def test_warnings_pass_and_are_logged_once(site):
    server = site(WORKING + "LimitRequestBody 1000\nWxPayPublicURL http://shop.example\n")
    os.chmod(server.root / "conf" / "site.key", 0o644)
    status, said = server.configtest()
    assert status == 0
    assert 'write "WxPayPublicURL https://shop.example"' in said
    assert 'write "LimitRequestBody 65536" or more' in said
    assert "chmod 0600 %s" % (server.root / "conf/site.key") in said
    for code in ("WXP0122", "WXP0203", "WXP0210"):
        assert said.count(code) == 1
        server.expect_log("warn.*" + code)
    server.start()
    for code in ("WXP0122", "WXP0203", "WXP0210"):
        assert len(server.log.find(code)) == 1


def test_a_previous_key_whose_time_is_over_is_told(site):
    server = site(WORKING + "WxPayKeyPrevious file:${ROOT}/conf/other.key "
                            "until=2020-01-01T00:00:00+08:00\n")
    status, said = server.configtest()
    assert status == 0 and "WXP0216: [shop.example (%s/conf/site.conf:9)]" % server.root in said
    server.set_conf(WORKING + "WxPayKeyPrevious %s until=2199-01-01T00:00:00Z\n" % KEY[::-1])
    assert "WXP0216" not in server.configtest()[1]
    shown = server.dump("DUMP_CONFIG")
    assert "WxPayKeyPrevious <redacted>" in shown and "until=2199" in shown
    assert KEY[::-1] not in shown


def test_a_broken_configuration_keeps_the_old_server(site):
    server = site(WORKING).start()
    server.set_conf(MERCHANT + "WxPayNotifyPath /n\nWxPayApiPath /api\n")
    status, said = server.graceful(wait=False)
    assert status != 0 and "WXP0206" in said
    web = Web(server.url, headers={"Host": "shop.example"})
    assert web.get("/wxpay/api/orders").status == 401
    server.set_conf(WORKING)
    assert server.graceful()[0] == 0
    assert web.get("/wxpay/api/orders").status == 401


def test_secrets_are_not_in_dumps(site):
    server = site(MERCHANT + PATHS + "WxPayApiKey %s file:conf/old.key\nWxPayKey %s\n"
                  % (API_KEY, KEY) + "<Location /info>\nSetHandler server-info\n</Location>\n")
    server.expect_log("WXP0126.*WxPayKey")
    server.expect_log("WXP0126.*WxPayApiKey")
    dumps = server.dump("DUMP_CONFIG") + server.dump("DUMP_VHOSTS")
    assert "WxPayKey <redacted>" in dumps
    assert 'WxPayApiKey <redacted> "file:conf/old.key"' in dumps
    server.start()
    shown = Web(server.url).get("/info?config").text
    assert "&lt;redacted&gt;" in shown
    for text in (dumps, shown, server.log.tail(1000)):
        assert KEY not in text and API_KEY not in text


def test_dumping_reads_no_key_file(site):
    server = site(WORKING.replace("api.key", "none.key"))
    assert "VirtualHost configuration" in server.dump("DUMP_VHOSTS")


def test_unconfigured_it_does_nothing(httpd, mpm):
    there = pathlib.Path("/var/lib/wxpay").exists()
    server = httpd(mpm=mpm)
    assert not server.log.find("WXP")
    assert pathlib.Path("/var/lib/wxpay").exists() == there
    assert not server.state.exists()
    assert Web(server.url).get("/wxpay/notify").status == 404


def test_the_state_directory_is_made_as_it_must_be(site):
    server = site(WORKING).start()
    owner = server.user.pw_uid if server.user else os.geteuid()

    def look(path):
        status = os.stat(path)
        return status.st_mode & 0o7777, status.st_uid
    assert look(server.state) == (0o711, os.geteuid())
    assert look(server.state / "secret") == (0o600, os.geteuid())
    assert look(server.state / "db") == (0o700, owner)
    secret = (server.state / "secret").read_bytes()
    assert len(secret) == 32
    server.restart()
    assert (server.state / "secret").read_bytes() == secret


@pytest.mark.skipif(os.geteuid() != 0, reason="only root could make it, as far as -t can see")
def test_without_a_state_directory_the_server_serves_all_the_same(site):
    server = site(WORKING + "WxPayStateDir /proc/wxpay\n")
    assert server.configtest()[0] == 0
    server.expect_log("error.*WXP0002: payments are off until .*cannot make /proc/wxpay")
    server.start()
    web = Web(server.url, headers={"Host": "shop.example"})
    assert web.get("/").status == 200
    assert web.get("/wxpay/pay/AAAAAAAAAAAAAAAAAAAAAA").status == 503
    reply = web.get("/wxpay/api/orders/T1", {"Authorization": "Bearer " + API_KEY})
    assert (reply.status, reply.json()["code"]) == (503, "not_ready")
    assert "FAIL" in web.post("/wxpay/notify", "<xml></xml>").text
