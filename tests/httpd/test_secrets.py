"""The canary: keys planted where an admin would put them are in nothing that comes out."""

import base64
import contextlib
import hashlib
import hmac
import pathlib
import secrets
import string
import time
import urllib.parse

import pytest

from gateway.client import GatewayError

from .buyer import WECHAT
from .deliveries import OTHER_KEY, deliver, event
from .notices import payment, refused, transaction
from .shop import GATEWAY, PATHS, Merchant
from .web import Web

OPENID = "oCANARYopenid1234567890abcde"
BUYER_ONLY = {"openid"}  # what the owner of a bearer key may see, and the store holds

# Who is a secret, and the file in conf/wxpay that holds it.
FILES = {"key": "api.key", "old": "old.key", "api": "site.key", "link": "link.key",
         "deliver": "deliver.key"}
LITERAL = {name: '"%(' + name + ')s"' for name in FILES}
FILE = {name: "file:${ROOT}/conf/wxpay/" + file for name, file in FILES.items()}
EXEC = {name: '"exec:${ROOT}/conf/wxpay/tell %s"' % file for name, file in FILES.items()}
TELL = '#!/bin/sh\nexec /bin/cat "${0%/*}/$1"\n'

SITE = """
ExtendedStatus On
ScriptSock ${ROOT}/run/cgisock
ScriptAlias /cgi/ ${ROOT}/cgi/
<Directory ${ROOT}/cgi>
    Require all granted
</Directory>
<Directory ${DOCROOT}>
    Options +Includes
    AddOutputFilter INCLUDES .shtml
    AddType text/html .shtml
</Directory>
<Location /cgi/order>
    WxPayHandoff On
</Location>
WxPayDeliverTo /cgi/paid
<Location /status>
    SetHandler server-status
</Location>
<Location /info>
    SetHandler server-info
</Location>
"""
# What a script sees of a delivery is kept.
SCRIPTS = {"env": "echo Content-Type: text/plain\necho\nenv\ncat /proc/$PPID/cmdline\n",
           "order": 'echo "X-WxPay-Order: $QUERY_STRING"\necho Content-Type: text/plain\necho\n',
           "paid": "echo Status: 204\necho\n(env; cat) >${0%/*}/../told/$WXPAY_EVENT_ID\n"}
DUMPS = (("-t", "-D", "DUMP_CONFIG"), ("-t", "-D", "DUMP_RUN_CFG"), ("-t", "-D", "DUMP_VHOSTS"),
         ("-t", "-D", "DUMP_MODULES"), ("-t", "-D", "DUMP_INCLUDES"), ("-t", "-D", "DUMP_WXPAY"),
         ("-S",), ("-M",), ("-L",), ("-l",), ("-V",), ("-t",), ("-e", "trace8", "-t"))


def random_key(length):
    """With characters that URLs and base64 make something else of."""
    middle = "".join(secrets.choice(string.ascii_letters + string.digits)
                     for _ in range(length - 12))
    return "Cn+/" + middle + "=~Key/+z"


def random_deliver_key():
    return "whsec_" + base64.b64encode(b"\xff\xef\xbe" + secrets.token_bytes(29)).decode()


def base64_cores(data):
    """How the bytes look inside base64 text, wherever in it they begin; both alphabets."""
    found = set()
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + data)
        # The characters at both ends also depend on the neighbours.
        core = text[(0, 2, 3)[shift]:len(text) - (4 if text.endswith(b"=") else 0)]
        found |= {core, core.translate(bytes.maketrans(b"+/", b"-_"))}
    return found


def forms(data):
    """Every spelling of a secret that must not be found."""
    text = urllib.parse.quote(data, safe="").encode()
    return {data, data.hex().encode(), data.hex().upper().encode(), text, text.lower(),
            data[::-1], " ".join("%02x" % byte for byte in data).encode(),
            hashlib.md5(data).hexdigest().encode(), hashlib.md5(data).hexdigest().upper().encode(),
            hashlib.sha256(data).hexdigest().encode(), *base64_cores(data),
            # A dump of bytes with their characters beside them breaks a line after 16.
            *(data[at:at + 16] for at in (0, 16) if len(data) >= at + 16)}


def leaks(planted, outputs):
    """(name of the secret, name of the output) of everything that is found."""
    needles = [(name, form) for name, data in planted.items()
               for form in ([data] if name in BUYER_ONLY else forms(data))]
    return sorted({(name, where) for where, output in outputs.items() for name, form in needles
                   if form in output})


@pytest.mark.parametrize("name", ["key", "api", "state"])
def test_the_search_finds_what_is_planted(name):
    data = secrets.token_bytes(32) if name == "state" else random_key(32).encode()
    planted = {name: data}
    assert not leaks(planted, {"clean": secrets.token_bytes(65536)})
    assert len(forms(data)) >= 15
    for form in forms(data):
        assert leaks(planted, {"o": b"before " + form + b" after"}) == [(name, "o")], form
    for before in (b"", b"a", b"ab", b"abc"):
        for after in (b"", b"z", b"yz"):
            text = base64.b64encode(before + data + after)
            assert leaks(planted, {"o": text}) == [(name, "o")], (before, after)
    assert not leaks(planted, {"o": data[:15]})


# -- the journey

@pytest.fixture
def answers(monkeypatch):
    """Everything that the site answers to anybody, by request."""
    heard = {}
    plain = Web.request

    def request(self, method, target, body=None, headers=None):
        response = plain(self, method, target, body, headers)
        said = "%d %s\n%s\n" % (response.status, response.reason, response.headers)
        heard["answer %d to %s %s" % (len(heard), method, target)] = said.encode() + response.body
        return response
    monkeypatch.setattr(Web, "request", request)
    return heard


def canary_shop(new_shop, source, **options):
    merchant = Merchant()
    merchant.key, merchant.api_key = random_key(32), random_key(44)
    planted = {"key": merchant.key, "old": random_key(32), "api": merchant.api_key,
               "link": random_key(40), "deliver": random_deliver_key()}
    keys = {name: text % planted for name, text in source.items()}
    base = "\n".join(["WxPayAppId ${APPID}", "WxPayMchId ${MCHID}", "WxPayKey " + keys["key"],
                      "WxPayKeyPrevious %s until=2199-12-01T00:00:00Z" % keys["old"],
                      "WxPayLinkKey " + keys["link"], "WxPayDeliverKey " + keys["deliver"],
                      "WxPayPublicURL ${PUBLIC}", "WxPayGatewayTimeout 1s 500ms", GATEWAY,
                      PATHS.replace("file:${ROOT}/conf/wxpay/site.key", keys["api"])])
    shop = new_shop(merchant=merchant, base=base, conf=SITE, log_level="trace8", start=False,
                    modules=("include", "cgid", "cgi", "actions"), **options)
    shop.httpd.write("conf/wxpay/tell", TELL, 0o755)
    for name, text in SCRIPTS.items():
        shop.httpd.write("cgi/" + name, "#!/bin/sh\n" + text, 0o755)
    shop.httpd.write("htdocs/env.shtml", "<pre><!--#printenv --></pre>\n")
    shop.httpd.write("told/.keep", "").parent.chmod(0o777)
    for name, file in FILES.items():
        shop.httpd.write("conf/wxpay/" + file, planted[name] + "\n", 0o600)
    shop.planted = {name: text.encode() for name, text in planted.items()}
    shop.planted["delivers"] = base64.b64decode(planted["deliver"].removeprefix("whsec_"))
    return shop.start()


def good_way(shop):
    """Ordered, shown, paid, told again, read, closed."""
    order, _ = shop.payable(1990)
    number = order["out_trade_no"]
    buyer = shop.buyer(order)
    buyer.qr()
    buyer.state()
    shop.pay(number, openid=OPENID)
    shop.wait_state(number, "PAID")
    shop.notify(number, count=2, openid=OPENID)
    shop.notify(number, refund=True)
    buyer.page()
    shop.api.get(number)
    shop.api.refresh(number)
    other, _ = shop.payable(5)
    shop.api.close(other["out_trade_no"])
    return number


def handed_off(shop):
    """A script's order; another one is told of its payment, by nobody else."""
    number = shop.number("H")
    page = shop.web().get("/cgi/order?out_trade_no=%s&total_fee=1990&body=Tea" % number)
    shop.buyer(page.header("Location")).code_url()
    shop.pay(number, openid=OPENID)
    shop.gateway.wait(lambda _: shop.api.get(number)["deliveries"][0]["state"] == "delivered")
    for body in ("{}", event()):
        assert deliver(shop.web(), "/cgi/paid", body, keys=(OTHER_KEY,)).status == 404
    assert shop.web().get("/cgi/paid").status == 404


def by_link(shop):
    """Signed links that are good, changed, expired and nonsense."""
    key = shop.planted["link"]

    def link(expires=600, spoil="", **more):
        url = shop.public + "/wxpay/pay/new?" + urllib.parse.urlencode({
            "out_trade_no": shop.number("L"), "total_fee": 1990, "body": "Tea",
            "expires": int(time.time()) + expires, **more})
        return url + "&sign=" + hmac.new(key, url.encode(), hashlib.sha256).hexdigest() + spoil
    shop.buyer(shop.web().get(link()).header("Location")).page()
    for url, status in ((link(spoil="0"), 403), (link(expires=-1), 403), (link(body=""), 403)):
        assert shop.web().get(url).status == status


def in_wechat(shop):
    """Paid by its owner's openid, which the page never names."""
    order = shop.create(openid=OPENID)
    buyer = shop.buyer(order, user_agent=WECHAT)
    assert buyer.page().status == buyer.open().status == 200
    shop.gateway.bridge(buyer.jsapi().json(), openid=OPENID)
    shop.wait_state(order["out_trade_no"], "PAID")
    buyer.page()


def signed_with_the_old_key(shop):
    """Not believed before the gateway confirms it."""
    before = Merchant()
    before.appid, before.mch_id = shop.merchant.appid, shop.merchant.mch_id
    before.key = shop.planted["old"].decode()
    order, _ = shop.payable(100)
    number = order["out_trade_no"]
    shop.gateway.pay(number, mch_id=before.mch_id, notify=False, transaction_id=transaction(8))
    assert refused(shop.notify_raw(payment(before, number, 100, transaction(8), openid=OPENID)))
    shop.wait_state(number, "PAID")


def wrong_notices(shop, number):
    merchant = shop.merchant
    for bent in ({"sub_mch_id": "1"}, {"mch_id": "1"}, {"result_code": "FAIL"}, {"fee_type": "X"}):
        shop.notify_raw(payment(merchant, number, 1990, transaction(1),
                                **{"openid": OPENID, **bent}))
    for options in ({"forge": True}, {"unsigned": True}, {"drop": ["time_end"]},
                    {"set_after_sign": {"attach": "changed"}}, {"raw": "<xml>" + OPENID},
                    {"refund": True, "forge": True}, {"sign_type": "HMAC-SHA256"}):
        shop.notify(number, **options)
    open_order, _ = shop.payable(100)
    for fee in (99, 100):
        shop.notify_raw(payment(merchant, open_order["out_trade_no"], fee, transaction(fee),
                                openid=OPENID))
    shop.notify_raw(payment(merchant, "NOBODYS", 1, transaction(3), openid=OPENID))


def wrong_calls(shop):
    """A backend that errs, and a gateway that does."""
    for key in ("wrong", shop.merchant.api_key[:-1], shop.merchant.api_key.lower(), ""):
        shop.web().get("/wxpay/api/orders/X", {"Authorization": "Bearer " + key})
    for fields in ({}, {"total_fee": "x"}, {"out_trade_no": "A", "total_fee": 1, "body": "Tea",
                                            "trade_type": "JSAPI"}):
        shop.api.post_order(fields)
    shop.api.post_order({"out_trade_no": "\x00"}, as_json=True)
    for behaviour in ({"wrong_sign": True}, {"cut": True}, {"garbage": True}, {"rst": True},
                      {"err_code": "NOAUTH"}, {"return_fail": "签名错误"}, {"status": 500},
                      {"delay_ms": 1500}, {"other_key": True}, {"redirect": True}):
        with shop.behaviour(path="unifiedorder", mch_id=shop.merchant.mch_id, **behaviour):
            shop.api.post_order({"out_trade_no": shop.number(), "total_fee": 1, "body": "Tea",
                                 "trade_type": "NATIVE"})
    with shop.behaviour(host="primary", refuse_connect=True), \
            shop.behaviour(host="backup", refuse_connect=True):
        order = shop.create(1)
        shop.buyer(order).open()
        shop.buyer(order).page()
    merchant = shop.merchant
    with contextlib.suppress(GatewayError):
        shop.gateway.merchant(mch_id=merchant.mch_id, appid=merchant.appid, key="0" * 32)
    shop.api.post_order({"out_trade_no": shop.number(), "total_fee": 1, "body": "Tea",
                         "trade_type": "NATIVE"})
    shop.gateway.merchant(mch_id=merchant.mch_id, appid=merchant.appid, key=merchant.key)


def look_around(shop):
    """What a site shows of itself."""
    web = shop.web()
    for target in ("/status", "/status?auto", "/status?notable", "/info", "/info?config",
                   "/info?server", "/info?list", "/info?hooks", "/info?mod_wxpay.c",
                   "/info?providers", "/cgi/env", "/env.shtml", "/", "/none"):
        response = web.get(target, {"Authorization": "Basic bm9ib2R5Om5vdGhpbmc="})
        assert response.status == (404 if target == "/none" else 200), target
    assert "WxPayKey" in web.get("/info?mod_wxpay.c").text
    assert "GATEWAY_INTERFACE" in web.get("/cgi/env").text
    assert "DOCUMENT_URI" in web.get("/env.shtml").text


def processes(shop):
    outputs = {}
    for pid in [shop.httpd.process.pid, *shop.httpd.children()]:
        for name in ("cmdline", "environ", "comm"):
            path = pathlib.Path("/proc/%d/%s" % (pid, name))
            outputs["%s of %d" % (name, pid)] = path.read_bytes()
    return outputs


def files(shop):
    """All that httpd wrote: logs, run-time files, the store; and the script that it told."""
    root = shop.httpd.root
    kept = [path for top in ("logs", "run", "state", "told")
            for path in sorted((root / top).rglob("*"))]
    return {str(path.relative_to(root)): path.read_bytes() for path in kept
            if path.is_file() and path != root / "state/secret"}


BROKEN = {
    "too short": "WxPayKey %s\n",
    "too many": "WxPayKey %s %s\n",
    "in a section": "<Location />\nWxPayKey %s\n</Location>\n",
    "misspelt": "WxPayKeyy %s\n",
    "no base64": "WxPayDeliverKey %d!\n",
    "no prefix": "WxPayDeliverKey _%d\n",
}


def broken_configurations(shop, merchant):
    """What httpd -t says of them."""
    said = {}
    before = (shop.httpd.root / "conf/site.conf").read_text()
    for name, text in BROKEN.items():
        key = merchant.key[:-1] if name == "too short" else merchant.key
        shop.httpd.set_conf(before + text.replace("%s", key).replace(
            "%d", shop.planted["deliver"].decode()))
        code, said["httpd -t, " + name] = shop.httpd.run("-t")
        assert code != 0, name
    for name, content in (("too long", merchant.key + "x"), ("blank", merchant.key[:-1] + " "),
                          ("two lines", merchant.key + "\n" + merchant.key)):
        shop.httpd.write("conf/wxpay/broken.key", content, 0o600)
        shop.httpd.set_conf(before + "WxPayKey file:${ROOT}/conf/wxpay/broken.key\n")
        code, said["httpd -t, file " + name] = shop.httpd.run("-t")
        assert code != 0, name
    shop.httpd.set_conf(before)
    return {name: text.encode() for name, text in said.items()}


SOURCES = {"literal": LITERAL, "file": FILE, "exec": EXEC}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_no_secret_comes_out(new_shop, answers, source):
    shop = canary_shop(new_shop, source)
    merchant = shop.merchant
    shop.httpd.allow_log(".")  # it is searched, not judged
    planted = {**shop.planted, "state": (shop.httpd.state / "secret").read_bytes(),
               "openid": OPENID.encode()}
    number = good_way(shop)
    handed_off(shop)
    by_link(shop)
    in_wechat(shop)
    signed_with_the_old_key(shop)
    wrong_notices(shop, number)
    wrong_calls(shop)
    look_around(shop)
    shop.httpd.graceful()
    shop.web().get("/")
    outputs = {**answers, **processes(shop)}
    for arguments in DUMPS:
        outputs["httpd " + " ".join(arguments)] = shop.httpd.run(*arguments)[1].encode()
    assert b"WxPayKey" in outputs["httpd -t -D DUMP_CONFIG"]
    outputs.update(broken_configurations(shop, merchant))
    shop.httpd.stop()
    outputs.update(files(shop))
    assert len(answers) > 60 and len(outputs["logs/error_log"]) > 1000000
    assert OPENID.encode() in outputs["state/db/wxpay.db"]  # it was all there to be found
    assert any(b"\nWXPAY_PAID=1\n" in outputs[name] for name in outputs if "told/" in name)
    def may_know(secret, where):
        return secret in BUYER_ONLY and (where.startswith(("state/db/", "told/"))
                                         or "/api/orders" in where)
    found = [leak for leak in leaks(planted, outputs) if not may_know(*leak)]
    assert not found


def test_a_real_leak_is_seen(new_shop, answers):
    """What an admin could configure, and a client could do, to make it happen."""
    shop = canary_shop(new_shop, FILE)
    shop.httpd.allow_log(".")
    planted = {"key": shop.merchant.key.encode(), "openid": OPENID.encode()}
    shop.web().get("/none?" + urllib.parse.quote(shop.merchant.key, safe=""))
    shop.web().get("/cgi/env", {"X-Said": shop.merchant.key})
    shop.httpd.stop()
    found = leaks(planted, {**answers, **files(shop)})
    assert {where.rpartition(" ")[2] for _, where in found} >= {
        "logs/access_log", "logs/error_log", "/cgi/env"}
    assert {secret for secret, _ in found} == {"key"}
