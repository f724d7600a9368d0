"""Scripts of a site that answer what a test tells them to: PHP, CGI, a proxied backend, and one that
runs inside httpd, as mod_php's do.

Below /on hand-offs are honoured, below /off they are not; both have the same scripts.
"""

import http.server
import itertools
import json
import threading
import urllib.parse

from .php import HANDLER

WAYS = ("php", "cgi", "backend")
PATHS = {"php": "%s/answer.php", "cgi": "%s/cgi/answer", "backend": "%s/backend/answer",
         "inside": "%s/inside/answer"}

CONF = HANDLER + """
ScriptAlias /on/cgi/ ${ROOT}/cgi/
ScriptAlias /off/cgi/ ${ROOT}/cgi/
<Directory ${ROOT}/cgi>
    Require all granted
</Directory>
ProxyPass /on/backend/ http://127.0.0.1:${BACKEND}/
ProxyPass /off/backend/ http://127.0.0.1:${BACKEND}/
LuaMapHandler "/(on|off)/inside/answer" "${ROOT}/answer.lua"
<Location /on>
    WxPayHandoff On
</Location>
"""

PHP = """<?php
$answer = json_decode(file_get_contents('%(answers)s/' . $_SERVER['QUERY_STRING'] . '.json'), true);
http_response_code($answer['status']);
foreach ($answer['headers'] as $header) {
    header($header[0] . ': ' . $header[1], false);
}
for ($i = 0; $i < $answer['chunks']; $i++) {
    echo $answer['body'];
    flush();
}
"""
CGI = """#!/bin/sh
[ -z "$CONTENT_LENGTH" ] || cat >/dev/null
exec cat "%(answers)s/$QUERY_STRING.cgi"
"""


# A header of one name only once; the body in pieces, as PHP's echo gives them.
LUA = """function handle(r)
    local file = assert(io.open("%(answers)s/" .. r.args .. ".cgi", "rb"))
    local text = file:read("*a")
    file:close()
    local at = 1
    for line, stop in text:gmatch("([^\\n]*)\\n()") do
        at = stop
        if line == "" then break end
        local name, value = line:match("^(.-): (.*)$")
        if name == "Status" then
            r.status = tonumber(value)
        elseif name == "Content-Type" then
            r.content_type = value
        else
            r.headers_out[name] = value
        end
    end
    while at <= #text do
        r:write(text:sub(at, at + 999))
        at = at + 1000
    end
    return apache2.OK
end
"""


class Backend:
    """An HTTP server behind mod_proxy_http; `connections` counts those it was given."""

    def __init__(self):
        self.answers = {}
        self.connections = 0
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 20

            def setup(self):
                owner.connections += 1
                super().setup()

            def log_message(self, *_):
                pass

            def do_GET(self):
                owner.answer(self)

            do_HEAD = do_POST = do_GET

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, handler):
        handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        answer = self.answers[urllib.parse.urlsplit(handler.path).query]
        handler.send_response(answer["status"])
        for name, value in answer["headers"]:
            handler.send_header(name, value)
        bodyless = handler.command == "HEAD" or answer["status"] in (204, 304)
        if not bodyless:
            handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        if bodyless:
            return
        chunk = answer["body"].encode()
        if answer["chunks"] is None:  # it breaks off
            handler.wfile.write(b"9999\r\n" + chunk)
            handler.close_connection = True
            return
        for _ in range(answer["chunks"]):
            if chunk:
                handler.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        handler.wfile.write(b"0\r\n\r\n")


class Scripts:
    """The scripts of one shop; `shop` is made with options()."""

    def __init__(self, shop, backend):
        self.shop = shop
        self.backend = backend
        self.numbers = itertools.count(1)
        httpd = shop.httpd
        names = {"answers": httpd.root / "answers"}
        for place in ("on", "off"):
            httpd.write("htdocs/%s/answer.php" % place, PHP % names)
        httpd.write("cgi/answer", CGI % names, 0o755)
        httpd.write("answer.lua", LUA % names)

    def say(self, way, headers, *, place="/on", status=200, body="SECRET of the script\n",
            chunks=1, kind="text/html", cgi=None):
        """Prepares one answer and returns the path that is answered so. `headers`: a list of pairs;
        `chunks`: how often the body is sent; None: the backend breaks off in it. `cgi`: the whole
        text of it where CGI must say it otherwise."""
        number = "A%d" % next(self.numbers)
        headers = [*([("Content-Type", kind)] if kind else []), *headers]
        answer = {"status": status, "headers": headers, "body": body, "chunks": chunks}
        self.backend.answers[number] = answer
        self.shop.httpd.write("answers/%s.json" % number, json.dumps(answer))
        lines = ["Status: %d" % status, *("%s: %s" % pair for pair in headers), ""]
        self.shop.httpd.write("answers/%s.cgi" % number,
                              cgi or "\n".join(lines) + "\n" + body * (chunks or 1))
        return PATHS[way] % place + "?" + number

    def order(self, way, members, headers=(), **more):
        """As say(): a hand-off of an order."""
        return self.say(way, [("X-WxPay-Order", form(members)), *headers], **more)


def facts(shop, **more):
    """An order's facts; None leaves a member out."""
    members = {"out_trade_no": shop.number(), "total_fee": 1990, "body": "龙井茶 & more", **more}
    return {name: value for name, value in members.items() if value is not None}


def form(members):
    return members if isinstance(members, str) else urllib.parse.urlencode(members)


def options(php, backend, mpm, conf="", modules=()):
    """What a Shop with such scripts is made with."""
    return {"mpm": mpm, "conf": CONF + conf,
            "modules": ("proxy_fcgi", "lua", "cgi" if mpm == "prefork" else "cgid", *modules),
            "defines": {**php.defines, "BACKEND": backend.port}}
