"""Notification bodies made here, to send them as fast and as often as a test likes."""

import concurrent.futures
import os

from gateway import sign, xmlio

ANSWER = "<xml><return_code><![CDATA[%s]]></return_code>"


def payment(merchant, out_trade_no, total_fee, transaction_id, **more):
    """The body of an authentic payment notification."""
    fields = {
        "appid": merchant.appid, "bank_type": "OTHERS", "cash_fee": str(total_fee),
        "fee_type": "CNY", "is_subscribe": "N", "mch_id": merchant.mch_id,
        "nonce_str": os.urandom(16).hex(), "openid": "oUpF8uMEb4qRXf22hE3X68TekukE",
        "out_trade_no": out_trade_no, "result_code": "SUCCESS", "return_code": "SUCCESS",
        "time_end": "20261124111500", "total_fee": str(total_fee), "trade_type": "NATIVE",
        "transaction_id": transaction_id, **more}
    fields["sign"] = sign.sign(fields, merchant.key, merchant.sign_type)
    return xmlio.write(fields)


def transaction(n):
    return "42000000002026112400%08d" % n


def accepted(response):
    return response.status == 200 and response.text.startswith(ANSWER % "SUCCESS")


def refused(response):
    return response.status == 200 and response.text.startswith(ANSWER % "FAIL")


def at_once(work, items, concurrency):
    """work(item) for all items, so many at a time; the results in order."""
    with concurrent.futures.ThreadPoolExecutor(concurrency) as pool:
        return list(pool.map(work, items))
