"""A buyer's browser without a browser: does what the payment page's script does."""

import html.parser
import time
import urllib.parse

DESKTOP = ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
           "Chrome/120 Safari/537.36")
WECHAT = ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, "
          "like Gecko) Mobile/15E148 MicroMessenger/8.0.40(0x18002831) NetType/WIFI "
          "Language/zh_CN")


class _Hidden(html.parser.HTMLParser):
    """The hidden inputs of a page's forms."""

    def __init__(self, text):
        super().__init__()
        self.values = {}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag == "input" and attributes.get("type") == "hidden":
            self.values[attributes.get("name")] = attributes.get("value", "")


class Buyer:
    """One buyer at one payment page; `web` talks to the site, `pay_url` is the page's address."""

    def __init__(self, web, pay_url, language="en", user_agent=DESKTOP):
        self.web = web
        self.path = urllib.parse.urlsplit(pay_url).path
        self.headers = {"User-Agent": user_agent, "Accept-Language": language}
        self.token = None

    def request(self, method, sub="", body=None, headers=None):
        return self.web.request(method, self.path + sub, body, {**self.headers, **(headers or {})})

    def page(self):
        """GET the page as a browser; its CSRF token is kept. The response."""
        response = self.request("GET", headers={"Accept": "text/html"})
        if response.status == 200:
            self.token = _Hidden(response.text).values.get("csrf", self.token)
        return response

    def view(self):
        """GET the page as JSON: {state, total_fee, …, code_url?}."""
        response = self.request("GET", headers={"Accept": "application/json"})
        assert response.status == 200, response
        return response.json()

    def open(self, script=True):
        """POST that opens the attempt, as the page's script or as its plain form. The response."""
        if self.token is None:
            self.page()
        accept = "application/json" if script else "text/html"
        return self.request("POST", body={"csrf": self.token or ""},
                            headers={"Accept": accept, "Origin": self.web.base})

    def state(self, etag=None):
        """GET …/state: the response."""
        return self.request("GET", "/state", headers={"If-None-Match": etag})

    def qr(self):
        """GET …/qr.svg: the response."""
        return self.request("GET", "/qr.svg")

    def ask(self, script=True):
        """POST …/ask: "I have paid". The response."""
        return self.request("POST", "/ask", {"csrf": self.token or ""},
                            {"Origin": self.web.base,
                             "Accept": "application/json" if script else "text/html"})

    def jsapi(self, token=None, headers=None):
        """POST …/jsapi: the response; 200 has the parameters of getBrandWCPayRequest."""
        if self.token is None:
            self.page()
        return self.request("POST", "/jsapi", {"csrf": self.token if token is None else token},
                            {"Origin": self.web.base, **(headers or {})})

    def wait_view(self, condition, seconds=10.0, every=0.1):
        """Polls the JSON view until condition(view), and returns it."""
        deadline = time.monotonic() + seconds
        while True:
            view = self.view()
            if condition(view):
                return view
            assert time.monotonic() < deadline, "after %g s still %r" % (seconds, view)
            time.sleep(every)

    def code_url(self, seconds=10.0):
        """Opens the attempt and waits until it can be paid; the text of the QR code."""
        self.page()
        if self.token is not None:  # no form: another buyer's POST is under way, or done
            response = self.open()
            assert response.status in (200, 202, 303), response
        return self.wait_view(lambda view: view.get("code_url"), seconds)["code_url"]

    def wait_paid(self, seconds=10.0):
        """Polls state, as the page does, until the order is paid."""
        deadline = time.monotonic() + seconds
        while True:
            response = self.state()
            assert response.status == 200, response
            if response.json()["state"].upper() == "PAID":
                return response.json()
            assert time.monotonic() < deadline, "after %g s still %r" % (seconds, response)
            time.sleep(0.1)
