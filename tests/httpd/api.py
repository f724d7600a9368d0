"""A backend that uses the module's API: what a site's own code would send."""

import json
import urllib.parse


class ApiError(AssertionError):
    """An answer that isn't 2xx; `response` and `problem` (its JSON, if it is JSON) are attached."""

    def __init__(self, response):
        super().__init__(repr(response))
        self.response = response
        try:
            self.problem = response.json()
        except ValueError:
            self.problem = {}


class Api:
    """`web` talks to the site, `path` is WxPayApiPath, `key` the bearer key (None: sends none).

    create, get, refresh, close and list return the JSON and raise ApiError unless it is 2xx;
    request returns whatever came.
    """

    def __init__(self, web, path, key):
        self.web = web
        self.path = path
        self.key = key

    def request(self, method, sub, body=None, headers=None):
        """`sub`: the path below WxPayApiPath. A dict goes as a form; None headers are left out."""
        sent = {"Authorization": "Bearer " + self.key} if self.key is not None else {}
        return self.web.request(method, self.path + sub, body, {**sent, **(headers or {})})

    def _json(self, method, sub, body=None, headers=None):
        response = self.request(method, sub, body, headers)
        if not 200 <= response.status < 300:
            raise ApiError(response)
        return response.json()

    @staticmethod
    def order_path(out_trade_no):
        return "/orders/" + urllib.parse.quote(out_trade_no, safe="")

    def post_order(self, fields, as_json=False, headers=None):
        """POST /orders: the response, whatever it is."""
        if not as_json:
            return self.request("POST", "/orders", dict(fields), headers)
        return self.request("POST", "/orders", json.dumps(fields),
                            {"Content-Type": "application/json", **(headers or {})})

    def create(self, out_trade_no, total_fee, body="Tea", as_json=False, **more):
        """POST /orders with these members: the order."""
        fields = {"out_trade_no": out_trade_no, "total_fee": total_fee, "body": body, **more}
        response = self.post_order(fields, as_json)
        if not 200 <= response.status < 300:
            raise ApiError(response)
        return response.json()

    def get(self, out_trade_no):
        return self._json("GET", self.order_path(out_trade_no))

    def refresh(self, out_trade_no):
        """As get, after the gateway was asked."""
        return self._json("GET", self.order_path(out_trade_no) + "?refresh=1")

    def close(self, out_trade_no):
        return self._json("POST", self.order_path(out_trade_no) + "/close", b"")

    def resend(self, out_trade_no, event):
        """POST …/deliveries/<event>/resend: the response."""
        return self.request("POST", "%s/deliveries/%s/resend" % (
            self.order_path(out_trade_no), event), b"")

    def list(self, **query):
        return self._json("GET", "/orders?" + urllib.parse.urlencode(query))
