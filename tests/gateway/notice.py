"""What notifications say: payments (dossier, section 6) and refunds (section 11)."""

import os
import time

from . import clock, sign, xmlio
from .ledger import Order, Payment

FORGED_KEY = "ffffffffffffffffffffffffffffffff"


def payment(order, merchant, options=None):
    """The body of a payment notice; `options` bend it (README, "Notices by hand")."""
    options = options or {}
    fields = {"appid": order.params["appid"], "mch_id": order.mch_id,
              "nonce_str": os.urandom(16).hex(), "result_code": "SUCCESS",
              "return_code": "SUCCESS"}
    for name in ("sub_appid", "sub_mch_id"):
        if order.params.get(name):
            fields[name] = order.params[name]
    fields.update(_bent(order, options).fields(order))
    if options.get("result_code"):
        fields.update(result_code=options["result_code"],
                      err_code=options.get("err_code", "SYSTEMERROR"), err_code_des="系统错误")
    sign_type = options.get("sign_type") or order.sign_type
    if options.get("with_sign_type"):
        fields["sign_type"] = sign_type
    return _finish(fields, merchant, sign_type, options)


def _bent(order, options):
    """The payment that the notice tells of, with another amount or other coupons if asked for."""
    payment = order.payment or order.imagined_payment()
    if not options.keys() & {"total_fee", "coupons"}:
        return payment
    return Payment(order, total_fee=int(options.get("total_fee", payment.total_fee)),
                   openid=payment.openid, coupons=options.get("coupons", payment.coupons),
                   transaction_id=payment.transaction_id)


def _finish(fields, merchant, sign_type, options):
    for name in ("fee_type", "appid", "mch_id", "transaction_id", "out_trade_no",
                 "attach", "return_code"):
        if name in options and options[name] is not None:
            fields[name] = str(options[name])
    fields.update({name: str(value) for name, value in (options.get("set") or {}).items()})
    for name in options.get("drop") or ():
        fields.pop(name, None)
    key = options.get("key") or merchant.keys[0]
    if options.get("forge"):
        key = FORGED_KEY
    ordered = dict(sorted(fields.items()))
    if not options.get("unsigned"):
        ordered["sign"] = sign.sign(fields, key, sign_type)
        ordered = dict(sorted(ordered.items()))
    # Changed after signing: a forgery that kept a genuine signature.
    ordered.update({n: str(v) for n, v in (options.get("set_after_sign") or {}).items()})
    return xmlio.write(ordered)


def refund(order, merchant, options=None):
    """The body of a refund notice: only req_info is protected, nothing is signed."""
    options = options or {}
    facts = (order.payment or order.imagined_payment()).fields(order)
    fee = str(options.get("refund_fee", order.total_fee))
    plain = {
        "out_refund_no": options.get("out_refund_no", "R" + order.out_trade_no),
        "out_trade_no": order.out_trade_no, "refund_account": "REFUND_SOURCE_RECHARGE_FUNDS",
        "refund_fee": fee,
        "refund_id": "503000%s%014d" % (clock.stamp()[:8], time.time_ns() % 10**14),
        "refund_recv_accout": "支付用户零钱", "refund_request_source": "API",
        "refund_status": options.get("refund_status", "SUCCESS"), "settlement_refund_fee": fee,
        "settlement_total_fee": facts["total_fee"],
        "success_time": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() + 8 * 3600)),
        "total_fee": facts["total_fee"], "transaction_id": facts["transaction_id"]}
    plain.update({n: str(v) for n, v in (options.get("set") or {}).items()})
    key = FORGED_KEY if options.get("forge") else options.get("key") or merchant.keys[0]
    fields = {"return_code": "SUCCESS", "appid": order.params["appid"], "mch_id": order.mch_id,
              "nonce_str": os.urandom(16).hex(),
              "req_info": sign.seal(xmlio.write(plain, "root"), key)}
    return xmlio.write(fields)


def imagined_order(merchant, options):
    """An order that never was, for notices about unknown ones."""
    params = {"appid": merchant.appids[0], "mch_id": merchant.mch_id,
              "out_trade_no": options.get("out_trade_no", "UNKNOWN1"),
              "total_fee": str(options.get("total_fee", 100)), "trade_type": "NATIVE",
              "notify_url": options.get("url", "")}
    return Order(params, options.get("sign_type") or merchant.sign_type or sign.MD5, time.time())
