"""What the gateway knows: orders, payments, every call and every notification."""

import random
import secrets
import string
import time
from collections import Counter, deque

from . import clock

LINK_LIFE = 2 * 3600  # prepay_id and code_url (dossier, section 3)
STRAYS_KEPT = 2000
PHONE_OPENID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
_ALPHABET = string.ascii_letters + string.digits


class Payment:
    """A person's payment; `total_fee` is the order's unless a test says otherwise."""

    def __init__(self, order, *, total_fee=None, openid=None, coupons=(), transaction_id=None,
                 bank_type="OTHERS", is_subscribe="N"):
        self.at = time.time()
        self.total_fee = order.total_fee if total_fee is None else total_fee
        self.openid = openid or order.params.get("openid") or PHONE_OPENID
        self.coupons = [self._coupon(n, coupon) for n, coupon in enumerate(coupons)]
        self.transaction_id = transaction_id or new_transaction_id(self.at)
        self.bank_type = bank_type
        self.is_subscribe = is_subscribe

    @staticmethod
    def _coupon(number, given):
        given = {"fee": given} if isinstance(given, int) else given
        return {"id": str(given.get("id", 10000 + number)), "fee": int(given["fee"]),
                "type": given.get("type", "CASH")}

    def fields(self, order):
        """The facts of this payment as notices and orderquery spell them."""
        params = order.params
        facts = {"device_info": params.get("device_info", ""), "openid": self.openid,
                 "is_subscribe": self.is_subscribe, "trade_type": params["trade_type"],
                 "bank_type": self.bank_type, "total_fee": str(self.total_fee),
                 "fee_type": params.get("fee_type") or "CNY"}
        if params.get("sub_openid"):
            facts["sub_openid"] = params["sub_openid"]
            facts["sub_is_subscribe"] = "N"
        facts.update(self._money())
        facts.update(transaction_id=self.transaction_id, out_trade_no=order.out_trade_no,
                     attach=params.get("attach", ""), time_end=clock.stamp(self.at))
        return {name: value for name, value in facts.items() if value != ""}

    def _money(self):
        if not self.coupons:
            return {"cash_fee": str(self.total_fee)}
        total = sum(coupon["fee"] for coupon in self.coupons)
        facts = {"cash_fee": str(self.total_fee - total), "coupon_fee": str(total),
                 "coupon_count": str(len(self.coupons))}
        for number, coupon in enumerate(self.coupons):
            for part in ("id", "type", "fee"):
                facts["coupon_%s_%d" % (part, number)] = str(coupon[part])
        given = sum(coupon["fee"] for coupon in self.coupons if coupon["type"] == "NO_CASH")
        if given:
            facts["settlement_total_fee"] = str(self.total_fee - given)
        return facts

    def view(self):
        return {"transaction_id": self.transaction_id, "total_fee": self.total_fee,
                "openid": self.openid, "coupons": self.coupons, "at": clock.iso(self.at)}


class Order:
    """One out_trade_no of one mch_id."""

    __slots__ = ("mch_id", "out_trade_no", "params", "sign_type", "created", "prepay_id",
                 "code_url", "link_born", "state", "payment", "refunds", "calls",
                 "notifications", "history")

    def __init__(self, params, sign_type, now):
        self.mch_id = params["mch_id"]
        self.out_trade_no = params["out_trade_no"]
        self.params = params
        self.sign_type = sign_type
        self.created = now
        self.prepay_id = self.code_url = ""
        self.link_born = now
        self.state = "NOTPAY"
        self.payment = None
        self.refunds = []
        self.calls = []
        self.notifications = []
        self.history = []

    @property
    def total_fee(self):
        return int(self.params["total_fee"])

    def imagined_payment(self):
        """What a payment of this order would look like; the ledger doesn't have it."""
        return Payment(self)

    def unpayable(self, now):
        """Why nobody can pay this order now, in both languages; None when one can."""
        if self.state == "CLOSED":
            return "订单已关闭 The order was closed"
        if self.state != "NOTPAY":
            return "订单已支付 The order is already paid"
        expires = self.params.get("time_expire")
        if expires and now >= clock.parse(expires):
            return "订单已过期 The order has expired"
        if now >= self.link_born + LINK_LIFE:
            return "二维码已过期 The code has expired"
        return None

    def view(self, calls=None):
        """`calls`: those of Ledger.calls_of, which also knows the ones without effect."""
        calls = self.calls if calls is None else calls
        return {
            "mch_id": self.mch_id, "out_trade_no": self.out_trade_no, "state": self.state,
            "total_fee": self.total_fee, "params": self.params, "sign_type": self.sign_type,
            "created": clock.iso(self.created), "prepay_id": self.prepay_id,
            "code_url": self.code_url,
            "payment": self.payment and self.payment.view(), "refunds": self.refunds,
            "unifiedorder_calls": sum(1 for call in calls if call[2] == "/pay/unifiedorder"),
            "calls": [call_view(call) for call in calls],
            "notifications": [note.view() for note in self.notifications],
            "history": self.history,
        }


def call_view(call):
    at, host, path, outcome, mch_id, number = call
    return {"at": clock.iso(at), "host": host, "path": path, "outcome": outcome,
            "mch_id": mch_id, "out_trade_no": number}


class Ledger:
    def __init__(self):
        self.orders = {}
        self.links = {}  # every code_url and prepay_id ever given out -> order
        self.transactions = {}
        self.strays = deque(maxlen=STRAYS_KEPT)  # calls that touched no order
        self.calls = Counter()  # (host, path) -> n
        self.outcomes = Counter()  # (path, outcome) -> n

    def reset(self):
        self.__init__()

    def find(self, mch_id, out_trade_no):
        return self.orders.get((mch_id, out_trade_no))

    def open(self, params, sign_type, now):
        order = Order(params, sign_type, now)
        self.orders[order.mch_id, order.out_trade_no] = order
        return order

    def renew(self, order, now):
        """Fresh prepay_id and code_url; the ones before are dead from now on."""
        order.link_born = now
        order.prepay_id = "wx%s%020x" % (clock.stamp(now), secrets.randbits(80))
        self.links[order.prepay_id] = order
        if order.params["trade_type"] == "NATIVE":
            order.code_url = "weixin://wxpay/bizpayurl?pr=" + "".join(
                random.choices(_ALPHABET, k=7))
            self.links[order.code_url] = order

    def follow(self, link, now):
        """(order, None) behind a live code_url or prepay_id, else (order or None, reason)."""
        order = self.links.get(link)
        if order is None:
            return None, "二维码无效 Unknown code"
        reason = order.unpayable(now)
        if reason is None and link not in (order.code_url, order.prepay_id):
            reason = "二维码已被新的替换 A newer code has replaced this one"
        return order, reason

    def pay(self, order, **facts):
        order.payment = Payment(order, **facts)
        order.state = "SUCCESS"
        order.history.append({"at": clock.iso(order.payment.at), "what": "paid"})
        self.transactions[order.payment.transaction_id] = order
        return order.payment

    def record(self, call, outcome, now):
        """Keeps what came of a call (api.Call): with its order, or among the strays."""
        host, path, order = call.host, call.path, call.order
        call = (now, host, path, outcome, call.fields.get("mch_id", ""),
                call.fields.get("out_trade_no", ""))
        (self.strays if order is None else order.calls).append(call)
        self.calls[host, path] += 1
        self.outcomes[path, outcome] += 1

    def calls_of(self, mch_id, out_trade_no):
        """Every call that named this order, those without effect included."""
        key = (mch_id, out_trade_no)
        order = self.orders.get(key)
        found = [call for call in self.strays if call[4:] == key]
        return sorted(found + (order.calls if order else []))

    def pending(self):
        return [order for order in self.orders.values() if order.state == "NOTPAY"]


def new_transaction_id(now):
    """28 digits: a prefix, the day and a number, like the real ones."""
    return "420000%04d%s%010d" % (random.randrange(10**4), clock.stamp(now)[:8],
                                  random.randrange(10**10))
