"""What the gateway refuses before it looks at any order (dossier, sections 1, 3, 4.1 and 4.3).

Limits are counted in bytes, the stricter of the two readings.
"""

import ipaddress
import json
import re
from functools import lru_cache
from urllib.parse import urlsplit

from . import clock, sign

COMMON = {"appid": 32, "mch_id": 32, "nonce_str": 32, "sign": 64, "sign_type": 32}
SUB = {"sub_appid": 32, "sub_mch_id": 32}  # service providers, on every path

# Path -> every field it knows, with its limit.
FIELDS = {
    "/pay/unifiedorder": {
        **COMMON, "device_info": 32, "body": 127, "detail": 6000, "attach": 127,
        "out_trade_no": 32, "fee_type": 16, "total_fee": 18, "spbill_create_ip": 64,
        "time_start": 14, "time_expire": 14, "goods_tag": 32, "notify_url": 256,
        "trade_type": 16, "product_id": 32, "limit_pay": 32, "openid": 128, "sub_openid": 128,
        "receipt": 8,
        "profit_sharing": 1, "scene_info": 256, "version": 32, "user_type": 32,
        "user_creid": 32, "user_truename": 64, "fingerprint": 256},
    "/pay/orderquery": {**COMMON, "version": 32, "transaction_id": 32, "out_trade_no": 32},
    "/pay/closeorder": {**COMMON, "out_trade_no": 32},
}
REQUIRED = {
    "/pay/unifiedorder": ("appid", "mch_id", "nonce_str", "sign", "body", "out_trade_no",
                          "total_fee", "spbill_create_ip", "notify_url", "trade_type"),
    "/pay/orderquery": ("appid", "mch_id", "nonce_str", "sign"),
    "/pay/closeorder": ("appid", "mch_id", "nonce_str", "sign", "out_trade_no"),
}
TRADE_TYPES = ("JSAPI", "NATIVE", "APP", "MWEB")
EXPIRE_TOO_SHORT = "time_expire时间过短,刷卡至少1分钟,其他5分钟"
SHORTEST_EXPIRE = 5 * 60

_FORMS = {
    "mch_id": re.compile(r"[0-9]+"),
    "nonce_str": re.compile(r"[0-9A-Za-z]+"),
    "sign_type": re.compile("|".join(sign.TYPES)),
    "out_trade_no": re.compile(r"[0-9A-Za-z_|*-]+"),
    "fee_type": re.compile(r"CNY"),
    "total_fee": re.compile(r"[1-9][0-9]*"),
    "limit_pay": re.compile(r"no_credit"),
    "receipt": re.compile(r"[YN]"),
    "profit_sharing": re.compile(r"[YN]"),
    "version": re.compile(r"1\.0"),
    "trade_type": re.compile("|".join(TRADE_TYPES)),
    "user_type": re.compile("IDCARD|HONGKONG_MACAO|HONGKONG_MACAO_RESIDENT|TAIWAN_RESIDENT"
                            "|FOREIGN_RESIDENT|OVERSEA_PASSPORT"),
}


class Refusal(Exception):
    """A return_code FAIL: `message` is its return_msg."""

    def __init__(self, message, why=None):
        super().__init__(why or message)
        self.message = message


def malformed(name):
    return Refusal("%s参数格式错误" % name)


def missing(name):
    return Refusal("缺少参数%s" % name)


def check(path, fields):
    """Raises the Refusal that these fields of a call to `path` deserve."""
    known = FIELDS[path]
    for name, value in fields.items():
        limit = known.get(name) or SUB.get(name)
        if limit is None:
            raise Refusal("不识别的参数%s" % name)
        if len(value) > limit or (not value.isascii() and len(value.encode()) > limit):
            raise Refusal("%s参数长度有误" % name)
    for name in REQUIRED[path]:
        if not fields.get(name):
            raise missing(name)
    for name, form in _FORMS.items():
        value = fields.get(name)
        if value and not form.fullmatch(value):
            raise malformed(name)
    if path == "/pay/unifiedorder":
        _check_order(fields)
    elif path == "/pay/orderquery":
        if not fields.get("out_trade_no") and not fields.get("transaction_id"):
            raise missing("out_trade_no")


def _check_order(fields):
    _check_address(fields["spbill_create_ip"])
    _check_notify_url(fields["notify_url"])
    for name in ("time_start", "time_expire"):
        if fields.get(name):
            try:
                clock.parse(fields[name])
            except ValueError:
                raise malformed(name) from None
    trade_type = fields["trade_type"]
    if trade_type == "JSAPI" and not fields.get("openid") and not fields.get("sub_openid"):
        raise Refusal("JSAPI支付必须传openid")
    if trade_type == "NATIVE" and not fields.get("product_id"):
        raise missing("product_id")
    if trade_type == "MWEB" and not fields.get("scene_info"):
        raise missing("scene_info")
    if fields.get("scene_info"):
        try:
            scene = json.loads(fields["scene_info"])
        except ValueError:
            raise malformed("scene_info") from None
        if not isinstance(scene, dict) or (trade_type == "MWEB" and "h5_info" not in scene):
            raise malformed("scene_info")


@lru_cache(4096)
def _check_address(text):
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise malformed("spbill_create_ip") from None
    if getattr(address, "scope_id", None):
        raise malformed("spbill_create_ip")


@lru_cache(256)
def _check_notify_url(text):
    try:
        url = urlsplit(text)
        host = url.hostname
        url.port  # raises when it isn't one
    except ValueError:
        raise malformed("notify_url") from None
    if (not text.isascii() or url.scheme not in ("http", "https") or not host or url.username
            or "?" in text or "#" in text or re.search(r"[\x00-\x20\x7f]", text)):
        raise malformed("notify_url")
    if url.scheme == "http" and not _private(host):
        raise Refusal("notify_url必须为https")


def _private(host):
    """Current pages allow plain http for private networks only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False


def check_expiry(fields, now):
    """time_expire must be far enough ahead; applied to new orders and to repeated ones."""
    if not fields.get("time_expire"):
        return
    expires = clock.parse(fields["time_expire"])
    if expires < now + SHORTEST_EXPIRE:
        raise Refusal(EXPIRE_TOO_SHORT)
    if fields.get("time_start") and clock.parse(fields["time_start"]) >= expires:
        raise malformed("time_expire")


def check_provider(path, fields, merchant):
    """sub_* belong to service providers alone (dossier, section 15)."""
    if not merchant.provider:
        for name in ("sub_mch_id", "sub_appid", "sub_openid"):
            if name in fields:
                raise Refusal("不识别的参数%s" % name)
        return
    sub = fields.get("sub_mch_id")
    if not sub:
        raise missing("sub_mch_id")
    if merchant.subs and sub not in merchant.subs:
        raise Refusal("sub_mch_id与mch_id不匹配")
    known_appid = merchant.subs.get(sub)
    if known_appid and fields.get("sub_appid", known_appid) != known_appid:
        raise Refusal("sub_appid和sub_mch_id不匹配")
    if path == "/pay/unifiedorder" and fields.get("sub_openid") and not fields.get("sub_appid"):
        raise missing("sub_appid")
