"""The three calls: unifiedorder, orderquery, closeorder (dossier, sections 4, 7 and 8)."""

import os
import time

from . import rules, sign, xmlio
from .events import yuan

EARLY_CLOSE = 5 * 60
STATE_TEXT = {"SUCCESS": "支付成功", "NOTPAY": "订单未支付", "CLOSED": "订单已关闭",
              "REFUND": "转入退款", "REVOKED": "已撤销", "USERPAYING": "用户支付中",
              "PAYERROR": "支付失败", "ACCEPT": "已接收，等待扣款"}
ERROR_TEXT = {"SYSTEMERROR": "系统错误", "ORDERPAID": "该订单已支付",
              "ORDERCLOSED": "订单已关闭", "ORDERNOTEXIST": "订单不存在",
              "TRADE_STATE_ERROR": "订单状态错误"}
TRANSPORT_TEXT = {"XML_FORMAT_ERROR": "XML格式错误", "POST_DATA_EMPTY": "post数据为空",
                  "NOT_UTF8": "编码格式错误", "REQUIRE_POST_METHOD": "请使用post方法"}
# Everything else is the order's identity: "re-entry needs the same parameters".
_FRESH_EACH_TIME = ("nonce_str", "sign")


class Call:
    """One request as far as it could be understood; `refusal` says why no further."""

    __slots__ = ("host", "path", "fields", "merchant", "key", "sign_type", "refusal", "order")

    def __init__(self, host, path):
        self.host = host
        self.path = path
        self.fields = {}
        self.merchant = self.key = self.refusal = self.order = None
        self.sign_type = sign.MD5


class Reply:
    """Fields of an answer, unsigned until `body` is asked for."""

    __slots__ = ("fields", "key", "sign_type", "outcome", "spoil")

    def __init__(self, fields, outcome, key=None, sign_type=sign.MD5):
        self.fields = fields
        self.outcome = outcome
        self.key = key  # None: goes out without a signature
        self.sign_type = sign_type
        self.spoil = False

    def body(self):
        if self.key is not None:
            mark = sign.sign(self.fields, self.key, self.sign_type)
            if self.spoil:
                mark = mark[:-1] + ("0" if mark[-1] != "0" else "1")
            self.fields["sign"] = mark
        return xmlio.write({n: v for n, v in self.fields.items() if v is not None})


def refused(message):
    """Communication failures carry neither signature nor nonce."""
    return Reply({"return_code": "FAIL", "return_msg": message}, "FAIL " + message)


def _common(call):
    """The head of every signed reply; `sign` holds its place until the end."""
    fields = {"return_code": "SUCCESS", "return_msg": "OK",
              "appid": call.fields["appid"], "mch_id": call.fields["mch_id"]}
    for name in ("sub_appid", "sub_mch_id", "device_info"):
        if call.fields.get(name):
            fields[name] = call.fields[name]
    fields["nonce_str"] = os.urandom(8).hex()
    fields["sign"] = ""
    return fields


def success(call, facts):
    fields = _common(call)
    fields["result_code"] = "SUCCESS"
    fields.update(facts)
    return Reply(fields, "OK", call.key, call.sign_type)


def failure(call, err_code, des=None):
    """A signed result_code FAIL."""
    fields = _common(call)
    fields.update(result_code="FAIL", err_code=err_code,
                  err_code_des=des or ERROR_TEXT.get(err_code, err_code))
    return Reply(fields, err_code, call.key, call.sign_type)


class Api:
    def __init__(self, merchants, ledger, events):
        self.merchants = merchants
        self.ledger = ledger
        self.events = events
        self._doers = {"/pay/unifiedorder": self._unifiedorder,
                       "/pay/orderquery": self._orderquery,
                       "/pay/closeorder": self._closeorder}

    def knows(self, path):
        return path in self._doers

    def read(self, host, method, path, body):
        """Understands a request without any effect."""
        call = Call(host, path)
        try:
            if method != "POST":
                raise xmlio.XmlError("REQUIRE_POST_METHOD", method)
            call.fields = xmlio.read(body)
            rules.check(path, call.fields)
            self._authenticate(call)
        except xmlio.XmlError as error:
            text = "%s:%s" % (error.code, TRANSPORT_TEXT[error.code])
            call.refusal = rules.Refusal(text, "%s (%s)" % (text, error))
        except rules.Refusal as refusal:
            call.refusal = refusal
        return call

    def _authenticate(self, call):
        fields = call.fields
        merchant = self.merchants.get(fields["mch_id"])
        if merchant is None:
            raise rules.Refusal("商户号mch_id不存在")
        if fields["appid"] not in merchant.appids:
            known = self.merchants.knows_appid(fields["appid"])
            raise rules.Refusal("appid和mch_id不匹配" if known else "appid不存在")
        call.sign_type = fields.get("sign_type") or sign.MD5
        call.key = merchant.verify(fields, call.sign_type)
        if call.key is None:
            raise rules.Refusal("签名错误")
        rules.check_provider(call.path, fields, merchant)
        call.merchant = merchant

    def perform(self, call, actions=None):
        """Does what the call asks for, records it, and returns the honest Reply."""
        now = time.time()
        if call.refusal is None:
            try:
                reply = self._doers[call.path](call, now, actions or {})
            except rules.Refusal as refusal:
                call.refusal = refusal
        if call.refusal is not None:
            reply = refused(call.refusal.message)
        self.note(call, reply.outcome, now)
        return reply

    def note(self, call, outcome, now=None):
        self.ledger.record(call, outcome, now or time.time())
        if not self.events.quiet:
            self.events.say(call.path.rpartition("/")[2], "%s %s" % (
                call.fields.get("out_trade_no") or "-", _told(call, outcome)))

    # -- unifiedorder

    def _unifiedorder(self, call, now, _actions):
        params = {name: value for name, value in call.fields.items()
                  if value and name not in _FRESH_EACH_TIME}
        order = call.order = self.ledger.find(params["mch_id"], params["out_trade_no"])
        if order is None:
            rules.check_expiry(params, now)
            order = call.order = self.ledger.open(params, call.sign_type, now)
        elif order.state == "CLOSED":
            return failure(call, "ORDERCLOSED")
        elif order.state != "NOTPAY":
            return failure(call, "ORDERPAID")
        elif order.params != params:
            return failure(call, "INVALID_REQUEST", "201 商户订单号重复")
        else:
            rules.check_expiry(params, now)
        self.ledger.renew(order, now)
        facts = {"trade_type": params["trade_type"], "prepay_id": order.prepay_id}
        if order.code_url:
            facts["code_url"] = order.code_url
        elif params["trade_type"] == "MWEB":
            facts["mweb_url"] = ("https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id="
                                 "%s&package=%d" % (order.prepay_id, int(now)))
        return success(call, facts)

    # -- orderquery

    def _orderquery(self, call, _now, actions):
        fields = call.fields
        if fields.get("transaction_id"):
            order = self.ledger.transactions.get(fields["transaction_id"])
            if order is not None and order.mch_id != fields["mch_id"]:
                order = None
        else:
            order = self.ledger.find(fields["mch_id"], fields["out_trade_no"])
        if order is None:
            return failure(call, "ORDERNOTEXIST")
        call.order = order
        return success(call, query_facts(order, actions.get("trade_state") or order.state))

    # -- closeorder

    def _closeorder(self, call, now, actions):
        order = self.ledger.find(call.fields["mch_id"], call.fields["out_trade_no"])
        if order is None:
            return failure(call, "ORDERNOTEXIST")
        call.order = order
        if order.state == "CLOSED":
            return failure(call, "ORDERCLOSED")
        if order.state != "NOTPAY":
            return failure(call, "ORDERPAID")
        early = actions.get("refuse_early_close")
        if early and now < order.created + EARLY_CLOSE:
            return failure(call, early if isinstance(early, str) else "TRADE_STATE_ERROR",
                           "订单生成后不能马上调用关单接口，最短调用时间间隔为5分钟")
        order.state = "CLOSED"
        return success(call, {"result_msg": "OK"})


def _told(call, outcome):
    """What the event line says of a call."""
    if call.refusal is not None:
        return "refused: %s" % call.refusal
    if outcome == "OK" and call.path == "/pay/unifiedorder":
        return "OK %s %s %s" % (call.fields["trade_type"], yuan(call.order.total_fee),
                                call.fields["body"])
    if outcome == "OK" and call.path == "/pay/orderquery":
        return "OK %s" % call.order.state
    return outcome


def query_facts(order, state):
    """Paid orders tell everything, others only their number and state."""
    if state in ("SUCCESS", "REFUND"):
        payment = order.payment or order.imagined_payment()
        facts = {**payment.fields(order), "trade_state": state}
    else:
        facts = {"out_trade_no": order.out_trade_no, "attach": order.params.get("attach", ""),
                 "total_fee": str(order.total_fee), "trade_state": state}
    facts["trade_state_desc"] = STATE_TEXT.get(state, state)
    return {name: value for name, value in facts.items() if value != ""}
