"""A stand-in for the module: serves the pages that the unit test rendered, in the state a test
sets, and remembers what the page's script asked for. Shows states that are hard to reach."""
import json
import re
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PATH = "/wxpay/pay/AAAAAAAAAAAAAAAAAAAAAA"
NONCE = "bm9uY2Utbm9uY2U"
CSP = ("default-src 'none'; style-src 'nonce-{0}'; script-src 'nonce-{0}'; img-src 'self' data:; "
       "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")


class Stage:
    def __init__(self, pages: Path):
        self.pages = pages
        self.reset()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler_for(self))
        self.server.daemon_threads = True
        self.origin = f"http://127.0.0.1:{self.server.server_port}"
        self.url = self.origin + PATH
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def reset(self, page="ready", lang="zh", after_post=None):
        self.page, self.lang, self.rev = page, lang, 3
        self.after_post = after_post  # the state that a POST leads to
        self.broken = False           # every request is cut, as by a lost network
        self.broken_posts = False
        self.edits = []               # (pattern, replacement) on the HTML
        self.log = []                 # (time, method, path, body)

    def become(self, page):
        self.page = page
        self.rev += 1

    def asked(self, method, suffix=""):
        return [entry for entry in self.log if entry[1] == method and entry[2] == PATH + suffix]

    def html(self, nonce):
        text = (self.pages / f"{self.page}.{self.lang}.html").read_text(encoding="utf-8")
        text = text.replace(NONCE, nonce)
        text = re.sub(r'data-rev="\d+"', f'data-rev="{self.rev}"', text)
        for pattern, replacement in self.edits:
            text = re.sub(pattern, replacement, text)
        return text


def handler_for(stage):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args):
            pass

        def answer(self, status, kind, body, headers=()):
            data = body.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            for name, value in headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def remember(self):
            size = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(size).decode() if size else ""
            stage.log.append((time.monotonic(), self.command, self.path, body))

        def do_GET(self):
            self.remember()
            if stage.broken:
                self.close_connection = True
            elif self.path == PATH + "/state":
                self.state()
            elif self.path == PATH:
                nonce = secrets.token_urlsafe(16)
                self.answer(200, "text/html; charset=utf-8", stage.html(nonce),
                            [("Content-Security-Policy", CSP.format(nonce)),
                             ("Cache-Control", "no-store")])
            else:
                self.answer(200, "text/html; charset=utf-8",
                            f"<title>shop</title><p>{self.path.count('/')}</p>")

        def state(self):
            tag = f'"{stage.page}-{stage.rev}"'
            headers = [("ETag", tag), ("Cache-Control", "private, no-cache")]
            if self.headers.get("If-None-Match") == tag:
                self.send_response(304)
                for name, value in headers:
                    self.send_header(name, value)
                self.end_headers()
            else:
                self.answer(200, "application/json",
                            json.dumps({"state": stage.page, "rev": stage.rev}), headers)

        def do_POST(self):
            self.remember()
            if stage.broken or stage.broken_posts:
                self.close_connection = True
                return
            if stage.after_post:
                stage.become(stage.after_post)
            if "json" in (self.headers.get("Accept") or ""):
                self.answer(200, "application/json", json.dumps({"state": stage.page}))
            else:
                self.answer(303, "text/plain", "", [("Location", PATH)])

    return Handler
