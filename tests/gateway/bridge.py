"""WeChat's side of getBrandWCPayRequest (dossier, section 5.1): what it takes and what it says."""

import time

from . import sign

NAMES = {"appId", "timeStamp", "nonceStr", "package", "signType", "paySign"}
SIGNED = NAMES - {"paySign"}
CLOCK_SLACK = 600

OK, CANCEL, FAIL = ("get_brand_wcpay_request:" + word for word in ("ok", "cancel", "fail"))
STALE = "调用支付JSAPI缺少参数：total_fee"
FORGED = "支付验证签名失败"
STRANGER = "当前支付账号与下单账号不一致"


class Refused(Exception):
    """`told` is what the client says to the page, `why` what a test wants to know."""

    def __init__(self, told, why):
        super().__init__(why)
        self.told = told


def verify(params, openid, merchants, ledger):
    """The order that these parameters pay; Refused otherwise. `openid`: whose WeChat it is."""
    if set(params) != NAMES:
        raise Refused("调用支付JSAPI缺少参数", "names: %s" % sorted(set(params) ^ NAMES))
    if not all(isinstance(value, str) and value for value in params.values()):
        raise Refused("调用支付JSAPI缺少参数", "not all are non-empty strings")
    name, _, prepay_id = params["package"].partition("=")
    order = ledger.links.get(prepay_id)
    if name != "prepay_id" or order is None or order.params["trade_type"] != "JSAPI":
        raise Refused(STALE, "package names no JSAPI order")
    _order, reason = ledger.follow(prepay_id, time.time())
    if reason:
        raise Refused(STALE, reason)
    appid = order.params["appid"]
    if order.params.get("sub_openid"):
        appid = order.params["sub_appid"]
    if params["appId"] != appid:
        raise Refused(STALE, "appId is not the order's %s" % appid)
    if not (params["timeStamp"].isdigit() and len(params["timeStamp"]) == 10
            and abs(int(params["timeStamp"]) - time.time()) < CLOCK_SLACK):
        raise Refused("timeStamp错误", "timeStamp is no 10 digits, or far from now")
    if len(params["nonceStr"]) > 32:
        raise Refused("nonceStr错误", "nonceStr is longer than 32")
    if params["signType"] != order.sign_type:
        raise Refused(FORGED, "signType is not unifiedorder's %s" % order.sign_type)
    signed = {name: params[name] for name in SIGNED}
    keys = merchants.get(order.mch_id).keys
    if params["paySign"] not in [sign.sign(signed, key, order.sign_type) for key in keys]:
        raise Refused(FORGED, "paySign is wrong")
    if openid not in (None, order.params.get("sub_openid") or order.params.get("openid")):
        raise Refused(STRANGER, "the order is for another openid")
    return order
