"""WxPayVerifyDelivery: who gets into a script, and what it sees. (Backends: test_verify_backends.)"""

import os
import signal
import subprocess
import time

import pytest

from .deliveries import (KEY, LOOK_ALIKES, OTHER_KEY, PAID, Seen, deliver, event, paid_variables,
                         signature, signed)
from .fixtures import running_httpd
from .h2 import Http2Web
from .web import Web

SHOW = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nenv\necho\ncat\n"
PATH = "/hooks/paid.php"
CGI = """
WxPayDeliverKey file:${ROOT}/conf/deliver.key
ScriptSock ${ROOT}/run/cgisock
<Directory ${DOCROOT}>
    Options +ExecCGI
    AddHandler cgi-script .php
</Directory>
"""
TO_PATH = CGI + "WxPayDeliverTo /hooks/paid.php\n"
MODULES = ("cgid", "cgi")
FILES = {"htdocs/hooks/paid.php": (SHOW, 0o755), "htdocs/open.php": (SHOW, 0o755),
         "conf/deliver.key": (KEY + "\n", 0o600)}
REFUSED = "WXP080[23]"


@pytest.fixture(scope="module")
def shared(request, authority):
    with running_httpd(request.config, authority, TO_PATH, FILES, modules=MODULES) as running:
        yield running


@pytest.fixture
def host(shared):
    """A host that only verifies: no merchant, no store; refusals are logged, a few of them."""
    shared.allow_log(REFUSED)
    return shared


@pytest.fixture
def build(httpd):
    """build(conf, ...): a server of one test's own, with the scripts."""
    def make(conf, files=None, **options):
        options.setdefault("tls", False)
        server = httpd(conf, start=False, modules=MODULES + options.pop("more", ()), **options)
        for name, (text, mode) in {**FILES, **(files or {})}.items():
            server.write(name, text, mode)
        return server.start()
    return make


def accepted(reply):
    assert reply.status == 200, reply
    return Seen(reply.text)


def missing(web, method="GET"):
    """httpd's own 404."""
    return web.request(method, "/no/such/thing")


# ---- what gets in ----


def test_a_delivery_and_its_facts(host):
    since = host.access_mark()
    seen = accepted(deliver(Web(host.url), PATH, number="evt_1"))
    assert seen.ours() == paid_variables("evt_1")
    assert seen.body == event()
    assert seen.env["CONTENT_LENGTH"] == str(len(event().encode()))
    assert "AUTH_TYPE" not in seen.env and "REMOTE_USER" not in seen.env
    assert host.wait_access(since)[0]["out_trade_no"] == PAID["out_trade_no"]


@pytest.mark.parametrize("kind", ["order.closed", "order.overpaid", "order.quarantined",
                                  "order.refunded", "order.orphan"])
def test_what_is_no_payment_cannot_be_mistaken_for_one(host, kind):
    since = host.access_mark()
    seen = accepted(deliver(Web(host.url), PATH, event(kind), number="evt-x-" + kind[6:]))
    facts = {name.replace("WXPAY_", "WXPAY_EVENT_"): value
             for name, value in paid_variables("").items()
             if name not in ("WXPAY_VERIFIED", "WXPAY_PAID") and "_EVENT_" not in name}
    assert seen.ours() == {"WXPAY_VERIFIED": "1", "WXPAY_EVENT_ID": "evt-x-" + kind[6:],
                           "WXPAY_EVENT_TYPE": kind, **facts}
    assert host.wait_access(since)[0]["out_trade_no"] == PAID["out_trade_no"]


def test_absent_facts_are_absent(host):
    body = event("order.orphan", openid=None, attach="", trade_type=None, time_end=None)
    seen = accepted(deliver(Web(host.url), PATH, body))
    assert not {"WXPAY_EVENT_OPENID", "WXPAY_EVENT_ATTACH", "WXPAY_EVENT_TRADE_TYPE",
                "WXPAY_EVENT_TIME_END"} & set(seen.env)
    assert seen.env["WXPAY_EVENT_TOTAL_FEE"] == "1990"


@pytest.mark.parametrize("size", [20000, 65536 - len(event(filler="").encode())])
def test_large_bodies_arrive_whole(host, size):
    body = event(filler="x" * size)
    assert accepted(deliver(Web(host.url), PATH, body)).body == body


def test_chunked(host):
    headers, body = signed()
    data = body.encode()
    chunks = [data[:7], data[7:100], data[100:]]
    sent = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    reply = Web(host.url).request("POST", PATH, sent, {**headers, "Transfer-Encoding": "chunked"})
    seen = accepted(reply)
    assert (seen.body, seen.env["CONTENT_LENGTH"]) == (body, str(len(data)))
    assert "HTTP_TRANSFER_ENCODING" not in seen.env


@pytest.mark.skipif("config.getoption('--mpm') == 'prefork'", reason="no HTTP/2 under prefork")
@pytest.mark.parametrize("length", ["with", "without"])
def test_http2(host, length):
    headers, body = signed()
    if length == "without":
        web = Web(host.url)
        said = [part for item in headers.items() for part in ("-H", "%s: %s" % item)]
        path = host.write("run/body.json", body)
        text = web.curl(PATH, "--http2-prior-knowledge", *said, "-H", "Content-Length:",
                        "-T", "-", "-X", "POST", stdin=path.read_bytes())
    else:
        text = Http2Web(host.url).post(PATH, body, headers).text
    seen = Seen(text)
    assert seen.body == body and seen.env["WXPAY_PAID"] == "1"
    assert seen.env["SERVER_PROTOCOL"] == "HTTP/2.0"
    assert seen.env["CONTENT_LENGTH"] == str(len(body.encode()))


def test_keep_alive_goes_on_behind_it(host):
    """The body is read once from the connection, however often the script does."""
    headers, body = signed()
    data = body.encode()
    head = "".join("%s: %s\r\n" % item for item in headers.items())
    request = ("POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%s\r\n"
               % (PATH, len(data), head)).encode() + data
    after = b"GET /index.html HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    received = Web(host.url).raw(request + after)
    assert received.count(b"HTTP/1.1 200") == 2 and b"<title>shop</title>" in received


@pytest.mark.parametrize("target", ["//hooks/paid.php", "/hooks/%70aid.php", "/hooks/paid.php/x",
                                    "/x/../hooks/paid.php", "/hooks/paid.php?a=1"])
def test_the_same_place_however_it_is_written(host, target):
    web = Web(host.url)
    assert accepted(deliver(web, target)).env["WXPAY_PAID"] == "1"
    assert web.get(target).status == 404 and web.post(target, "{}").status == 404


# ---- who stays outside ----


def bad_signature(web):
    return deliver(web, PATH, keys=(OTHER_KEY,))


def changed_body(web):
    headers, body = signed()
    return web.post(PATH, body.replace("1990", "1"), headers)


def changed_id(web):
    headers, body = signed()
    return web.post(PATH, body, {**headers, "webhook-id": "evt_another"})


def other_version(web):
    headers, body = signed()
    return web.post(PATH, body, {**headers, "webhook-signature":
                                 headers["webhook-signature"].replace("v1,", "v2,")})


def without(name):
    def send(web):
        headers, body = signed()
        return web.post(PATH, body, {**headers, name: None})
    return send


def by(method):
    def send(web):
        headers, body = signed()
        return web.request(method, PATH, body, headers)
    return send


OUTSIDE = {
    "another key": bad_signature,
    "changed body": changed_body,
    "changed id": changed_id,
    "another version": other_version,
    "too old": lambda web: deliver(web, PATH, age=302),
    "too new": lambda web: deliver(web, PATH, age=-303),
    "milliseconds": lambda web: deliver(web, PATH, at=int(time.time() * 1000)),
    "no id": without("webhook-id"),
    "no timestamp": without("webhook-timestamp"),
    "no signature": without("webhook-signature"),
    "not our JSON": lambda web: deliver(web, PATH, "[]"),
    "unknown type": lambda web: deliver(web, PATH, event("order.gone")),
    "line break in a fact": lambda web: deliver(web, PATH, event(openid="a\nHost: b")),
    "no amount": lambda web: deliver(web, PATH, event(total_fee=None)),
    "over 64 KiB": lambda web: deliver(web, PATH, event(filler="x" * 65536)),
    "no body": lambda web: deliver(web, PATH, ""),
    "signed PUT": by("PUT"),
    "signed GET": by("GET"),
    "signed DELETE": by("DELETE"),
    "signed PROPFIND": by("PROPFIND"),
    "form": lambda web: web.post(PATH, {"WXPAY_PAID": "1", "out_trade_no": "T1"}),
    **{method: lambda web, method=method: web.request(method, PATH)
       for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "FOO")},
}


@pytest.mark.parametrize("send", OUTSIDE.values(), ids=OUTSIDE)
def test_everybody_else_finds_nothing(host, send):
    web = Web(host.url)
    reply = send(web)
    usual = missing(web, "GET" if reply.body else "HEAD")
    assert reply.status == 404
    same = ("Content-Type", "Content-Length", "Server", "Allow", "Cache-Control", "WWW-Authenticate")
    assert [reply.header(name) for name in same] == [usual.header(name) for name in same]
    assert reply.body == usual.body


def test_a_broken_body_finds_nothing(host):
    headers, body = signed()
    head = "".join("%s: %s\r\n" % item for item in headers.items())
    received = Web(host.url).raw(
        ("POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n%s\r\nzz\r\n%s"
         % (PATH, head, body)).encode())
    assert received.startswith((b"HTTP/1.1 404", b"HTTP/1.1 400"))
    assert received.count(b"HTTP/1.1") == 1


def test_replayed_anywhere(host):
    """Also with the signature written otherwise, and in another process."""
    web = Web(host.url)
    headers, body = signed(keys=(KEY, OTHER_KEY))
    since = host.access_mark()
    accepted(web.post(PATH, body, headers))
    for text in (headers["webhook-signature"], headers["webhook-signature"].split()[0],
                 "v2,x  " + headers["webhook-signature"]):
        for _ in range(8):
            assert web.post(PATH, body, {**headers, "webhook-signature": text}).status == 404
    accepted(deliver(web, PATH, body, number=headers["webhook-id"],
                     at=int(headers["webhook-timestamp"]) + 1))
    assert len(host.wait_access(since, 26)) == 26


def test_replayed_across_processes_and_restarts(build, mpm):
    server = build(TO_PATH, mpm=mpm)
    server.allow_log(REFUSED)
    web = Web(server.url)
    headers, body = signed()
    accepted(web.post(PATH, body, headers))
    first = server.wait_access(0)[0]["pid"]
    os.kill(int(first), signal.SIGKILL)
    server.allow_log("AH00052: child pid %s exit signal Killed" % first)
    while int(first) in server.children():  # else it takes a connection with it
        time.sleep(0.01)
    for _ in range(6):
        assert web.post(PATH, body, headers).status == 404
    assert first not in {line["pid"] for line in server.wait_access(0, 7)[1:]}
    assert server.graceful()[0] == 0
    assert web.post(PATH, body, headers).status == 404
    accepted(deliver(web, PATH))


def test_of_many_at_once_one_gets_in(host):
    headers, body = signed()
    said = [part for item in headers.items() for part in ("-H", "%s: %s" % item)]
    command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}\n", *said, "-d", body]
    running = [subprocess.Popen([*command, host.url + PATH], stdout=subprocess.PIPE, text=True)
               for _ in range(12)]
    codes = sorted(process.communicate(timeout=30)[0].strip() for process in running)
    assert codes == ["200"] + ["404"] * 11


# ---- what the log says ----


def test_the_log_says_why(build):
    server = build(TO_PATH)
    web = Web(server.url)
    server.expect_log(r"WXP0803: delivery not let in \(sign\): the signature does not match: the "
                      "sender's WxPayDeliverKey is another one")
    assert bad_signature(web).status == 404
    server.expect_log(r"WXP0803: delivery not let in \(mismatch\): it was signed 40\d s before our "
                      "clock's time: set the clocks")
    assert deliver(web, PATH, age=401).status == 404
    headers, body = signed()
    server.expect_log(r"WXP0803: delivery not let in \(conflict\): it was taken before")
    accepted(web.post(PATH, body, headers))
    assert web.post(PATH, body, headers).status == 404
    # A fourth one in a minute is not logged (unless the minute has just ended).
    server.allow_log(REFUSED)
    for _ in range(20):
        bad_signature(web)
    assert len(server.log.find("WXP0803")) <= 6


def test_one_refusal_is_one_line(build):
    """Also where the site's page for it lies in the same place."""
    server = build(TO_PATH + "ErrorDocument 404 /hooks/paid.php/missing\n")
    server.expect_log("WXP0803")
    assert bad_signature(Web(server.url)).status == 404
    assert len(server.log.find("WXP080")) == 1


def test_nothing_that_was_sent_is_logged(build):
    server = build(TO_PATH, log_level="trace8 core:info")
    server.allow_log(REFUSED)
    headers, body = signed(event(attach="CANARY"), number="CANARYID", keys=(OTHER_KEY,))
    Web(server.url).post(PATH, body, headers)
    ours = [str(line) for line in server.log.lines() if line.module == "wxpay"]
    assert ours and not [line for line in ours if "CANARY" in line
                         or headers["webhook-signature"][3:] in line]


def test_who_sends_no_delivery_is_no_warning(build):
    server = build(TO_PATH)
    for _ in range(5):
        assert Web(server.url).get(PATH).status == 404
    assert server.log.find(r"wxpay:info.*only deliveries may enter here")


def test_without_a_key_the_line_says_so(build):
    server = build(TO_PATH.replace("WxPayDeliverKey", "#"))
    server.expect_log("WXP0803.*no key to verify it with: write WxPayDeliverKey")
    assert deliver(Web(server.url), PATH).status == 404


def test_while_keys_change_over(build):
    server = build(TO_PATH.replace("deliver.key", "deliver.key file:${ROOT}/conf/old.key"),
                   {"conf/old.key": (OTHER_KEY, 0o600)})
    web = Web(server.url)
    accepted(deliver(web, PATH))
    accepted(deliver(web, PATH, keys=(OTHER_KEY,)))
    accepted(deliver(web, PATH, keys=(OTHER_KEY, KEY)))


# ---- places ----

LOGIN = """
<Location "%s">
    AuthType Basic
    AuthName shop
    AuthUserFile ${ROOT}/conf/users
    Require valid-user
    %s
</Location>
"""
USERS = {"conf/users": ("u:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n", 0o644)}  # password


def test_past_the_login(build, mpm):
    server = build(TO_PATH + LOGIN % ("/", ""), USERS, mpm=mpm)
    web = Web(server.url)
    seen = accepted(deliver(web, PATH))
    assert seen.ours().items() >= {"WXPAY_PAID": "1"}.items() and "REMOTE_USER" not in seen.env
    assert web.get("/open.php").status == 401
    assert deliver(web, "/open.php").status == 401
    assert web.get(PATH).status == 404
    assert web.get(PATH, {"Authorization": "Basic dTpwYXNzd29yZA=="}).status == 404
    assert web.get("/open.php", {"Authorization": "Basic dTpwYXNzd29yZA=="}).status == 200


@pytest.mark.parametrize("rules", ["Satisfy Any", "Satisfy Any\nAllow from all",
                                   "Satisfy Any\nOrder deny,allow\nDeny from all"])
def test_satisfy_any_opens_nothing(build, rules):
    server = build(TO_PATH + LOGIN % ("/", rules), USERS)
    server.allow_log("AH01797|AH01630")
    web = Web(server.url)
    assert web.get(PATH).status == 404
    accepted(deliver(web, PATH))


@pytest.mark.parametrize("rules", ["Require all denied", "Require ip 192.0.2.1",
                                   "<RequireAll>\nRequire ip 192.0.2.1\nRequire valid-user\n"
                                   "</RequireAll>", "Require all granted\nDeny from all"])
def test_what_is_no_login_still_counts(build, rules):
    server = build(TO_PATH + '<Location "/hooks">\n%s\n</Location>\n' % rules)
    server.expect_log("AH01630|AH01797")
    assert Web(server.url).get(PATH).status == 404
    assert deliver(Web(server.url), PATH).status == 403


def test_location_and_directory(build):
    server = build(CGI + """
<Location "/in">
    WxPayVerifyDelivery On
</Location>
<Directory ${DOCROOT}/dir>
    WxPayVerifyDelivery On
</Directory>
<Location "/dir/out">
    WxPayVerifyDelivery Off
</Location>
Alias /elsewhere ${DOCROOT}/dir
""", {"htdocs/%s/s.php" % name: (SHOW, 0o755) for name in ("in", "dir", "dir/out")})
    web = Web(server.url)
    for target in ("/in/s.php", "/dir/s.php", "/elsewhere/s.php"):
        assert web.get(target).status == web.post(target, "x").status == 404
        assert accepted(deliver(web, target)).env["WXPAY_PAID"] == "1"
    seen = accepted(deliver(web, "/dir/out/s.php"))
    assert seen.ours() == {} and seen.body == event()
    assert web.request("TRACE", "/in/s.php").status == 404


def test_hosts_have_their_own(build):
    server = build(CGI + """
<VirtualHost 127.0.0.1:${PORT}>
    ServerName other.example
    DocumentRoot ${DOCROOT}
    WxPayDeliverKey file:${ROOT}/conf/other.key
    WxPayDeliverTo /open.php
</VirtualHost>
<VirtualHost 127.0.0.1:${PORT}>
    ServerName shop.example
    DocumentRoot ${DOCROOT}
    WxPayDeliverTo /hooks/paid.php
</VirtualHost>
""", {"conf/other.key": (OTHER_KEY, 0o600)})
    server.allow_log(REFUSED)
    where = ("127.0.0.1", server.port)
    other, shop = Web("http://other.example", connect=where), Web("http://shop.example",
                                                                  connect=where)
    assert accepted(deliver(other, "/open.php", keys=(OTHER_KEY,))).env["WXPAY_PAID"] == "1"
    assert deliver(other, "/open.php").status == 404
    assert accepted(other.get(PATH)).ours() == {}
    assert accepted(deliver(shop, PATH)).env["WXPAY_PAID"] == "1"
    assert deliver(shop, PATH, keys=(OTHER_KEY,)).status == 404
    assert accepted(deliver(shop, "/open.php")).ours() == {}


FRONT = {
    "htaccess": {"htdocs/.htaccess": ("RewriteEngine On\nRewriteCond %{REQUEST_URI} !=/front.php\n"
                                      "RewriteRule ^ /front.php [L]\n", 0o644)},
    "nearer htaccess": {"htdocs/hooks/.htaccess": ("RewriteEngine On\nRewriteRule ^ /front.php\n",
                                                   0o644)},
    "fallback": {"htdocs/.htaccess": ("FallbackResource /front.php\n", 0o644)},
}


@pytest.mark.parametrize("files", FRONT.values(), ids=FRONT)
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_front_controller_sees_it_too(build, files, chunked):
    server = build(TO_PATH.replace(PATH, "/hooks/wxpay") + LOGIN % ("/", ""),
                   {**USERS, **files, "htdocs/front.php": (SHOW, 0o755),
                    "htdocs/hooks/x": ("", 0o644)})
    server.allow_log(REFUSED)
    web = Web(server.url)
    headers, body = signed(number="evt_f")
    if chunked:
        sent = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body.encode()), body.encode())
        reply = web.request("POST", "/hooks/wxpay", sent, {**headers,
                                                           "Transfer-Encoding": "chunked"})
    else:
        reply = web.post("/hooks/wxpay", body, headers)
    seen = accepted(reply)
    assert unredirected(seen.ours()) == paid_variables("evt_f") and seen.body == body
    assert seen.env["SCRIPT_NAME"] == "/front.php"
    assert web.post("/hooks/wxpay", body, headers).status == 404
    assert web.get("/hooks/wxpay").status == 404


def test_rewriting_into_the_place(build):
    server = build(TO_PATH, {"htdocs/in/.htaccess": (
        "RewriteEngine On\nRewriteRule ^ /hooks/paid.php [L]\n", 0o644)})
    server.allow_log(REFUSED)
    web = Web(server.url)
    assert web.get("/in/x").status == 404
    headers, body = signed()
    assert accepted(web.post("/in/x", body, headers)).env["WXPAY_PAID"] == "1"
    assert web.post("/in/x", body, headers).status == 404


def test_no_way_in_by_the_side(build):
    """What httpd looks up by itself: negotiation, index documents, SSI, error documents."""
    server = build(TO_PATH + """
<Directory ${DOCROOT}>
    Options +ExecCGI +MultiViews +Includes +Indexes
    DirectoryIndex paid.php
    AddOutputFilter INCLUDES .shtml
    AddType text/html .shtml
</Directory>
ErrorDocument 404 /hooks/paid.php
""", {"htdocs/page.shtml": ('[<!--#include virtual="/hooks/paid.php" -->'
                            '<!--#include virtual="/open.php" -->]\n', 0o644)},
                   more=("negotiation", "include", "autoindex"))
    server.allow_log(REFUSED + "|AH00687|unable to include")
    web = Web(server.url)
    for target in ("/hooks/paid", "/hooks/", "/hooks", "/no/such/page"):
        reply = web.get(target)
        assert reply.status in (404, 301, 200) and "WXPAY" not in reply.text, target
        assert "GATEWAY_INTERFACE" not in reply.text, target
    # Whoever asks for a page can send what a delivery has; what the page includes is no delivery.
    page = web.get("/page.shtml", signed()[0])
    assert not server.log.find("WXP080")
    assert "SCRIPT_NAME=/open.php" in page.text and "WXPAY" not in page.text
    assert "SCRIPT_NAME=/hooks/paid.php" not in page.text


def test_index_documents_of_the_place(build):
    """The whole directory is the place: there they may be looked up, by a delivery."""
    server = build(CGI + """
<Location "/hooks">
    WxPayVerifyDelivery On
</Location>
DirectoryIndex paid.php
""")
    web = Web(server.url)
    assert web.get("/hooks/").status == 404
    seen = accepted(deliver(web, "/hooks/", number="evt_i"))
    assert seen.ours() == paid_variables("evt_i") and seen.body == event()


def test_slashes_that_are_not_merged(build):
    server = build(TO_PATH + "MergeSlashes Off\n")
    web = Web(server.url)
    assert web.get("//hooks///paid.php").status == web.get("/hooks//paid.php//x").status == 404
    assert accepted(deliver(web, "//hooks//paid.php")).env["WXPAY_PAID"] == "1"


# ---- what nobody may claim ----


def test_look_alikes_reach_no_script(host):
    web = Web(host.url)
    for target in ("/open.php", "/open.php/x"):
        assert accepted(web.get(target, LOOK_ALIKES)).ours() == {}
    seen = accepted(deliver(web, PATH, headers=LOOK_ALIKES, number="evt_l"))
    assert seen.ours() == paid_variables("evt_l")


def with_trailers(web, target, body, headers):
    data = body.encode()
    sent = b"%x\r\n%s\r\n0\r\nWxpay-Total-Fee: 1\r\nX-WXPAY-PAID: 1\r\nOther: kept\r\n\r\n" % (
        len(data), data)
    return accepted(web.request("POST", target, sent, {
        **headers, "Transfer-Encoding": "chunked", "Trailer": "Wxpay-Total-Fee"}))


def unredirected(variables):
    return {name: value for name, value in variables.items() if not name.startswith("REDIRECT_")}


@pytest.mark.parametrize("merge", ["On", "Off"])
def test_look_alikes_in_trailers(build, merge):
    server = build(TO_PATH + "MergeTrailers %s\n" % merge, {"htdocs/in/.htaccess": (
        "RewriteEngine On\nRewriteRule ^ /hooks/paid.php [L]\n", 0o644)})
    for target in (PATH, "/in/x", "/open.php"):
        headers, body = signed()
        seen = with_trailers(Web(server.url), target, body, headers)
        ours = {} if target == "/open.php" else paid_variables(headers["webhook-id"])
        assert unredirected(seen.ours()) == ours, target
        if target != "/open.php":  # there the body is read when the environment is made already
            assert seen.env.get("HTTP_OTHER") == ("kept" if merge == "On" else None)


def test_look_alikes_in_trailers_that_a_login_reads(build):
    server = build(CGI + """
MergeTrailers On
<Location "/">
    AuthType form
    AuthName shop
    AuthFormProvider file
    AuthUserFile ${ROOT}/conf/users
    Session On
    SessionCookieName session path=/
    Require valid-user
</Location>
""", USERS, more=("request", "session", "session_cookie", "auth_form"))
    seen = with_trailers(Web(server.url), "/open.php", "httpd_username=u&httpd_password=password",
                         {"Content-Type": "application/x-www-form-urlencoded"})
    assert seen.env["REMOTE_USER"] == "u" and seen.env["HTTP_OTHER"] == "kept"
    assert seen.ours() == {}


def test_the_site_itself_cannot_claim_it_by_mistake(build):
    server = build(TO_PATH + """
SetEnv WXPAY_PAID 1
SetEnvIf X-Number "(.*)" WXPAY-OUT-TRADE-NO=$1
SetEnv WXPAY_TOTAL_FEE 1
RewriteEngine On
RewriteRule ^ - [E=WXPAY_VERIFIED:1]
""")
    web = Web(server.url)
    assert accepted(web.get("/open.php", {"X-Number": "T1"})).ours() == {}
    seen = accepted(deliver(web, PATH, headers={"X-Number": "T1"}, number="evt_e"))
    assert seen.ours() == paid_variables("evt_e")


def test_every_mpm(build, mpm):
    server = build(TO_PATH, mpm=mpm)
    server.allow_log(REFUSED)
    web = Web(server.url)
    seen = accepted(deliver(web, PATH, number="evt_m"))
    assert seen.ours() == paid_variables("evt_m") and seen.body == event()
    assert signature(OTHER_KEY, "a", 1, "b") != signature(KEY, "a", 1, "b")
    for send in (bad_signature, changed_body, by("GET")):
        assert send(web).status == 404
