"""Deliveries as a sender makes them: Standard Webhooks, written from the specification."""

import base64
import hashlib
import hmac
import itertools
import json
import secrets
import time

KEY = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
OTHER_KEY = "whsec_" + base64.b64encode(b"another key, 24 bytes...").decode()
_ids = itertools.count()

PAID = {"out_trade_no": "T20261124001", "state": "PAID", "total_fee": 1990, "fee_type": "CNY",
        "body": "Tea", "attach": "茶 a=1&b=2", "trade_type": "NATIVE",
        "transaction_id": "4200000001202611241234567890", "openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
        "time_end": "2026-11-24T03:05:00Z", "late": True, "flags": [],
        "attempts": [{"gateway_no": "T20261124001", "trade_type": "NATIVE", "state": "PAID"}]}


def event(kind="order.paid", **facts):
    """The body of an event."""
    return json.dumps({"type": kind, "timestamp": "2026-11-24T03:05:01Z",
                       "data": {**PAID, **facts}}, ensure_ascii=False)


def signature(key, number, timestamp, body):
    secret = base64.b64decode(key.removeprefix("whsec_"))
    text = b"%s.%s.%s" % (number.encode(), str(timestamp).encode(), body.encode())
    return "v1," + base64.b64encode(hmac.digest(secret, text, hashlib.sha256)).decode()


def signed(body=None, *, number=None, at=None, age=0, keys=(KEY,)):
    """(headers, body) of a try; `age` in seconds."""
    body = event() if body is None else body
    number = number or "evt_%s_%d" % (secrets.token_urlsafe(6), next(_ids))
    at = int(time.time() - age) if at is None else at
    return {"Content-Type": "application/json", "webhook-id": number, "webhook-timestamp": str(at),
            "webhook-signature": " ".join(signature(key, number, at, body) for key in keys)}, body


def deliver(web, target, body=None, *, headers=None, **options):
    """Makes a try. The response."""
    made, body = signed(body, **options)
    return web.post(target, body, {**made, **(headers or {})})


class Seen:
    """What a script that shows its environment and body has seen."""

    def __init__(self, text):
        shown, _, self.body = text.partition("\n\n")
        self.env = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)

    def ours(self):
        """Every variable that speaks of payments, by whatever name it came."""
        return {name: value for name, value in self.env.items() if "WXPAY" in name.upper()}


def paid_variables(number):
    """What PAID becomes in a script's environment."""
    return {"WXPAY_VERIFIED": "1", "WXPAY_PAID": "1", "WXPAY_EVENT_ID": number,
            "WXPAY_EVENT_TYPE": "order.paid", "WXPAY_OUT_TRADE_NO": PAID["out_trade_no"],
            "WXPAY_TRANSACTION_ID": PAID["transaction_id"], "WXPAY_TOTAL_FEE": "1990",
            "WXPAY_FEE_TYPE": "CNY", "WXPAY_OPENID": PAID["openid"],
            "WXPAY_ATTACH": PAID["attach"], "WXPAY_TIME_END": PAID["time_end"],
            "WXPAY_TRADE_TYPE": "NATIVE"}


# Look-alikes of our variables as a browser can send them.
LOOK_ALIKES = {"WXPAY_PAID": "1", "Wxpay-Verified": "1", "Wxpay-Total-Fee": "1",
               "wxpay.out.trade.no": "T1", "WxPay!Transaction~Id": "4", "WXPAY-EVENT_ID": "e",
               "X-WxPay-Order": "out_trade_no=T1", "X-WXPAY-PAID": "1", "x_wxpay_total_fee": "1",
               "X.Wxpay.Verified": "1"}
