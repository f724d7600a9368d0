"""The demo shop's server side: it knows no WeChat key and calls the module's API, as any site does.

httpd hands it everything that isn't the module's (ProxyPass /).
"""

import http.server
import itertools
import json
import pathlib
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from . import pages

BODY_LIMIT = 4096


class Refused(Exception):
    """The API's answer when it isn't 2xx: an RFC 9457 problem."""

    def __init__(self, status, problem):
        super().__init__("%s: %s" % (status, problem.get("detail") or problem.get("title")))
        self.status = status


class PayApi:
    """The part of the module's API that a shop needs."""

    def __init__(self, url, key_file):
        self.url = url
        self.key = pathlib.Path(key_file).read_text().strip()
        self.open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open

    def call(self, method, path, fields=None):
        body = urllib.parse.urlencode(fields).encode() if fields is not None else None
        request = urllib.request.Request(self.url + path, body, method=method,
                                         headers={"Authorization": "Bearer " + self.key})
        try:
            with self.open(request, timeout=20) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            with error:
                text = error.read()
            try:
                problem = json.loads(text)
            except ValueError:
                problem = {"title": text.decode("utf-8", "replace")[:200]}
            raise Refused(error.code, problem) from None

    def create(self, **fields):
        return self.call("POST", "/orders", fields)

    def get(self, number):
        return self.call("GET", "/orders/" + urllib.parse.quote(number, safe=""))

    def close(self, number):
        return self.call("POST", "/orders/%s/close" % urllib.parse.quote(number, safe=""), {})


class Shop:
    """The shop's own books: what was ordered. Whether it is paid, the API says."""

    buy = ("/buy", {"product": "tea"})
    paid_mark = 'class="state PAID"'

    def __init__(self, api):
        self.api = api
        self.orders = {}
        self.count = itertools.count(1)
        self.lock = threading.Lock()

    def bought(self):
        """(number, title, fen, whether the shop was told that it is paid) of every order."""
        return [(number, order["product"].title, order["product"].fen, False)
                for number, order in list(self.orders.items())]

    @staticmethod
    def order_path(number):
        return "/orders/" + number

    def order(self, product):
        """Orders one piece; the address where the buyer pays."""
        with self.lock:
            number = "D%s-%04d" % (time.strftime("%Y%m%d%H%M%S"), next(self.count))
        order = self.api.create(out_trade_no=number, total_fee=product.fen, body=product.title,
                                return_url="/orders/" + number)
        self.orders[number] = {"product": product, "pay_url": order["pay_url"]}
        return order["pay_url"]

    def state(self, number):
        return self.api.get(number)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "demo-shop"
    shop = None

    def log_message(self, *_):
        pass  # httpd's access log has it

    # -- requests

    def do_GET(self):
        self.answer(self.get)

    def do_POST(self):
        self.answer(self.post)

    def answer(self, method):
        try:
            method(urllib.parse.urlsplit(self.path).path)
        except Refused as problem:
            self.html(pages.trouble(self.language(), str(problem)), 502)
        except OSError as error:
            self.html(pages.trouble(self.language(), str(error)), 503)

    def get(self, path):
        language = self.language()
        if path == "/":
            self.html(pages.front(language))
        elif path == "/orders":
            rows = [(number, order["product"], self.shop.state(number))
                    for number, order in reversed(self.shop.orders.items())]
            self.html(pages.order_list(language, rows))
        elif path.startswith("/orders/") and path[8:] in self.shop.orders:
            number = path[8:]
            self.html(pages.order(language, number, self.shop.orders[number],
                                  self.shop.state(number)))
        elif path in ("/lang/zh", "/lang/en"):
            self.redirect("/", [("Set-Cookie", "lang=%s; Path=/; SameSite=Lax" % path[-2:])])
        else:
            self.html(pages.not_found(language), 404)

    def post(self, path):
        size = int(self.headers.get("Content-Length") or 0)
        if size > BODY_LIMIT:
            self.close_connection = True
            self.html(pages.not_found(self.language()), 413)
            return
        form = dict(urllib.parse.parse_qsl(self.rfile.read(size).decode("utf-8", "replace")))
        product = pages.PRODUCTS.get(form.get("product"))
        parts = path.split("/")
        if path == "/buy" and product:
            self.redirect(self.shop.order(product))
        elif len(parts) == 4 and parts[3] == "close" and parts[2] in self.shop.orders:
            self.shop.api.close(parts[2])
            self.redirect("/orders/" + parts[2])
        else:
            self.html(pages.not_found(self.language()), 404)

    # -- answers

    def language(self):
        """The cookie's, else the browser's first one."""
        if "lang=en" in self.headers.get("Cookie", ""):
            return "en"
        if "lang=zh" in self.headers.get("Cookie", ""):
            return "zh"
        first = self.headers.get("Accept-Language", "").partition(",")[0].lower()
        return "en" if first.startswith("en") else "zh"

    def html(self, text, status=200):
        body = text.encode("utf-8")
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def redirect(self, to, headers=()):
        self.send_response(303)
        for name, value in [("Location", to), ("Content-Length", "0"), *headers]:
            self.send_header(name, value)
        self.end_headers()


class Server(http.server.ThreadingHTTPServer):
    """Listens at once, on a loopback port of its own; serves from serve() on."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def port(self):
        return self.server_address[1]

    def serve(self, shop):
        self.RequestHandlerClass = type("ShopHandler", (Handler,), {"shop": shop})
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1},
                         daemon=True).start()
