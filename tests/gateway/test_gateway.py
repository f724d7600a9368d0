"""The three calls, the phone and the process: the simulator must be right before it may judge."""

import pathlib
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

from gateway import clock, xmlio
from gateway.client import GatewayError
from gateway.peers import APPID, KEY, MCH_ID, PROVIDER, PROVIDER_APPID, signed


def test_order_in_the_real_form(merchant):
    reply, body = merchant.raw("/pay/unifiedorder", b"")
    assert reply.getheader("Date") and reply.getheader("Request-ID")
    answer = merchant.order("A1")
    assert answer["result_code"] == "SUCCESS" and answer["trade_type"] == "NATIVE"
    assert answer["code_url"].startswith("weixin://wxpay/bizpayurl?pr=")
    assert answer["prepay_id"].startswith("wx20") and len(answer["prepay_id"]) == 36
    assert merchant.order(sign_type="HMAC-SHA256")["result_code"] == "SUCCESS"


@pytest.mark.parametrize("host", ["gateway", "backup"])
def test_both_doors_lead_to_the_same_orders(merchant, host):
    other = {"gateway": "backup", "backup": "gateway"}[host]
    merchant.order("A1", host=host)
    found = merchant.call("orderquery", {"out_trade_no": "A1"}, host=other)
    assert found["trade_state"] == "NOTPAY"


def test_reentry_renews_the_code(gateway, merchant):
    first, second = merchant.order("A1"), merchant.order("A1")
    assert first["code_url"] != second["code_url"]
    with pytest.raises(GatewayError) as caught:
        gateway.pay(code_url=first["code_url"])
    assert caught.value.status == 409
    changed = merchant.order("A1", total_fee="1")
    assert (changed["result_code"], changed["err_code"]) == ("FAIL", "INVALID_REQUEST")
    assert changed["err_code_des"] == "201 商户订单号重复"
    gateway.pay(code_url=second["code_url"], notify=False)
    assert merchant.order("A1")["err_code"] == "ORDERPAID"
    view = gateway.order("A1")
    assert view["unifiedorder_calls"] == 4 == gateway.calls("A1")
    assert [c["outcome"] for c in view["calls"]] == ["OK", "OK", "INVALID_REQUEST", "ORDERPAID"]


BAD_ORDERS = [
    ({"auth_code": "1"}, "不识别的参数auth_code"),
    ({"body": None}, "缺少参数body"),
    ({"body": ""}, "缺少参数body"),
    ({"product_id": None}, "缺少参数product_id"),
    ({"body": "商" * 43}, "body参数长度有误"),
    ({"body": "x" * 128}, "body参数长度有误"),
    ({"attach": "x" * 128}, "attach参数长度有误"),
    ({"detail": "x" * 6001}, "detail参数长度有误"),
    ({"out_trade_no": "x" * 33}, "out_trade_no参数长度有误"),
    ({"out_trade_no": "a b"}, "out_trade_no参数格式错误"),
    ({"device_info": "x" * 33}, "device_info参数长度有误"),
    ({"total_fee": "0"}, "total_fee参数格式错误"),
    ({"total_fee": "1.5"}, "total_fee参数格式错误"),
    ({"total_fee": "-1"}, "total_fee参数格式错误"),
    ({"total_fee": "１"}, "total_fee参数格式错误"),
    ({"fee_type": "USD"}, "fee_type参数格式错误"),
    ({"trade_type": "MICROPAY"}, "trade_type参数格式错误"),
    ({"trade_type": "JSAPI"}, "JSAPI支付必须传openid"),
    ({"trade_type": "MWEB"}, "缺少参数scene_info"),
    ({"trade_type": "MWEB", "scene_info": "{'h5_info': 1}"}, "scene_info参数格式错误"),
    ({"spbill_create_ip": "300.1.1.1"}, "spbill_create_ip参数格式错误"),
    ({"spbill_create_ip": "fe80::1%eth0"}, "spbill_create_ip参数格式错误"),
    ({"notify_url": "http://shop.example/n"}, "notify_url必须为https"),
    ({"notify_url": "https://shop.example/n?a=1"}, "notify_url参数格式错误"),
    ({"notify_url": "ftp://shop.example/n"}, "notify_url参数格式错误"),
    ({"notify_url": "https://shop.example/" + "n" * 240}, "notify_url参数长度有误"),
    ({"time_expire": "20261301000000"}, "time_expire参数格式错误"),
    ({"time_expire": "2026"}, "time_expire参数格式错误"),
    ({"limit_pay": "no_debit"}, "limit_pay参数格式错误"),
    ({"receipt": "y"}, "receipt参数格式错误"),
    ({"profit_sharing": "y"}, "profit_sharing参数格式错误"),
    ({"nonce_str": "a-b"}, "nonce_str参数格式错误"),
    ({"mch_id": "1"}, "商户号mch_id不存在"),
    ({"appid": "wxnobody"}, "appid不存在"),
    ({"appid": PROVIDER_APPID}, "appid和mch_id不匹配"),
    ({"sub_mch_id": "1900000201"}, "不识别的参数sub_mch_id"),
]


@pytest.mark.parametrize("fields,message", BAD_ORDERS)
def test_order_refusals(merchant, fields, message):
    answer = merchant.order(**{**fields, "number": fields.get("out_trade_no", "A1")})
    assert answer == {"return_code": "FAIL", "return_msg": message}


def test_transport_refusals(merchant):
    for method, body, code in (("GET", None, "REQUIRE_POST_METHOD"),
                               ("POST", b"", "POST_DATA_EMPTY"), ("POST", b"x", "XML_FORMAT"),
                               ("POST", b"\xff", "NOT_UTF8")):
        answer = xmlio.read(merchant.raw("/pay/orderquery", body, method)[1])
        assert answer["return_code"] == "FAIL" and answer["return_msg"].startswith(code)
    assert merchant.raw("/pay/micropay", b"<xml/>")[0].status == 404


def test_wrong_signature(merchant):
    def told(**fields):
        body = xmlio.write({**signed({"out_trade_no": "A"}), **fields})
        return xmlio.read(merchant.raw("/pay/orderquery", body)[1])["return_msg"]

    assert told() == "OK"
    for wrong in ({"sign": "0" * 32}, {"out_trade_no": "B"}, {"sign_type": "HMAC-SHA256"},
                  {"sign": signed({"out_trade_no": "A"})["sign"].lower()}):
        assert told(**wrong) == "签名错误"
    assert told(sign_type="SHA1") == "sign_type参数格式错误"


def test_time_expire(merchant):
    now = time.time()
    answer = merchant.order(time_expire=clock.stamp(now + 290))
    assert answer["return_msg"] == "time_expire时间过短,刷卡至少1分钟,其他5分钟"
    assert merchant.order(time_expire=clock.stamp(now + 310))["result_code"] == "SUCCESS"
    utc = time.strftime("%Y%m%d%H%M%S", time.gmtime(now + 3600))
    assert "过短" in merchant.order(time_expire=utc)["return_msg"]


def test_other_trade_types(merchant):
    jsapi = merchant.order(trade_type="JSAPI", openid="oUpF8uMuAJO")
    assert jsapi["prepay_id"] and "code_url" not in jsapi
    scene = '{"h5_info":{"type":"Wap","wap_url":"https://shop.example","wap_name":"店"}}'
    assert "prepay_id=" in merchant.order(trade_type="MWEB", scene_info=scene)["mweb_url"]
    assert "code_url" not in merchant.order(trade_type="APP", product_id=None)


def test_service_provider(merchant):
    ids = {"appid": PROVIDER_APPID, "mch_id": PROVIDER}
    assert merchant.order(**ids)["return_msg"] == "缺少参数sub_mch_id"
    assert "不匹配" in merchant.order(**ids, sub_mch_id="1")["return_msg"]
    answer = merchant.order(**ids, sub_mch_id="1900000201", sub_appid="wxsub000000000001",
                            trade_type="JSAPI", sub_openid="oSub")
    assert (answer["sub_mch_id"], answer["sub_appid"]) == ("1900000201", "wxsub000000000001")


def test_key_rotation(gateway, merchant):
    new = "n" * 32
    gateway.merchant(mch_id=MCH_ID, appid=APPID, keys=[new, KEY])
    assert merchant.order()["result_code"] == "SUCCESS"
    assert merchant.order(key=new)["result_code"] == "SUCCESS"
    gateway.merchant(mch_id=MCH_ID, appid=APPID, key=new, sign_type="HMAC-SHA256")
    assert merchant.order()["return_msg"] == "签名错误"
    assert merchant.order(key=new)["return_msg"] == "签名错误"
    assert merchant.order(key=new, sign_type="HMAC-SHA256")["result_code"] == "SUCCESS"


# -- orderquery and closeorder

def test_query_before_and_after_payment(gateway, merchant):
    assert merchant.query("A1")["err_code"] == "ORDERNOTEXIST"
    merchant.order("A1", attach="店", device_info="WEB")
    unpaid = merchant.query("A1")
    assert (unpaid["trade_state"], unpaid["attach"]) == ("NOTPAY", "店")
    assert "transaction_id" not in unpaid
    gateway.pay("A1", notify=False, coupons=[90])
    paid = merchant.query("A1")
    assert paid["trade_state"] == "SUCCESS" and paid["total_fee"] == "1990"
    assert paid["cash_fee"] == "1900" and paid["coupon_fee_0"] == "90"
    assert abs(clock.parse(paid["time_end"]) - time.time()) < 5
    merchant.order("B1")
    both = merchant.query("B1", transaction_id=paid["transaction_id"])
    assert both["out_trade_no"] == "A1"
    gateway.refund("A1")
    assert merchant.query("A1")["trade_state"] == "REFUND"
    assert merchant.call("orderquery", {})["return_msg"] == "缺少参数out_trade_no"


def test_close(gateway, merchant):
    assert merchant.close("A1")["err_code"] == "ORDERNOTEXIST"
    merchant.order("A1")
    gateway.behaviour(refuse_early_close=True, times=1)
    assert merchant.close("A1")["err_code"] == "TRADE_STATE_ERROR"
    assert merchant.close("A1")["result_msg"] == "OK"
    assert merchant.close("A1")["err_code"] == "ORDERCLOSED"
    assert merchant.order("A1")["err_code"] == "ORDERCLOSED"
    assert merchant.query("A1")["trade_state"] == "CLOSED"
    with pytest.raises(GatewayError, match="关闭"):
        gateway.pay("A1")
    merchant.order("B1")
    gateway.pay("B1", notify=False)
    assert merchant.close("B1")["err_code"] == "ORDERPAID"
    gateway.pay("A1", notify=False, force=True)  # paid late all the same
    assert merchant.query("A1")["trade_state"] == "SUCCESS"


def test_an_old_code_expires(gateway, merchant):
    merchant.order("A1")
    gateway.expire("A1")
    with pytest.raises(GatewayError, match="过期"):
        gateway.pay("A1")
    assert merchant.query("A1")["trade_state"] == "NOTPAY"
    merchant.order("A1")
    gateway.pay("A1", notify=False)


def _get(url):
    with urllib.request.urlopen(url, timeout=10) as reply:
        return reply.read().decode()


def _act(gateway, **form):
    return urllib.request.urlopen(gateway.phone + "/act",
                                  urllib.parse.urlencode(form).encode(), 10).read().decode()


def test_phone_page(gateway, merchant, shop):
    code = merchant.order("A1", body="<b>茶&", notify_url=shop.url)["code_url"]
    home = _get(gateway.phone + "/")
    assert "&lt;b&gt;茶&amp;" in home and "<b>茶" not in home and "¥19.90" in home
    assert "已取消" in _act(gateway, code=code, do="cancel")
    assert "支付失败" in _act(gateway, code=code, do="fail")
    assert gateway.order("A1")["state"] == "NOTPAY"
    done = _act(gateway, code=code, do="pay")
    assert "支付成功" in done and "商家已确认" in done and len(shop.seen) == 1
    assert "已支付" in _get(gateway.phone + "/?" + urllib.parse.urlencode({"code": code}))
    _act(gateway, code=code, do="pay")
    assert len(shop.seen) == 1
    assert "Unknown code" in _get(gateway.phone + "/?code=nonsense")
    history = [h["what"] for h in gateway.order("A1")["history"]]
    assert history == ["cancelled", "failed", "paid"]


def test_foreign_pages_get_nowhere(gateway):
    request = urllib.request.Request(gateway.control + "/reset", b"{}",
                                     {"Origin": "https://evil.example"})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    assert caught.value.code == 403


def test_ends_with_its_parent(tmp_path):
    script = ("import sys; from gateway.client import Gateway; g = Gateway(sys.argv[1]).start();"
              "print(g.process.pid, flush=True); import os; os._exit(9)")
    child = subprocess.run(["/usr/bin/python3", "-c", script, str(tmp_path)], text=True,
                           cwd=pathlib.Path(__file__).parent.parent,
                           stdout=subprocess.PIPE, timeout=20)
    pid = int(child.stdout)
    deadline = time.monotonic() + 5
    while pathlib.Path("/proc/%d/stat" % pid).exists():
        if pathlib.Path("/proc/%d/stat" % pid).read_text().split()[2] == "Z":
            break
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert not (tmp_path / "gateway.json").exists()


def test_openid_stays_out_of_the_lines(gateway, merchant):
    merchant.order("A1", trade_type="JSAPI", openid="oSecretPerson")
    gateway.pay("A1", notify=False)
    log = gateway.log()
    assert "A1" in log and "oSecretPerson" not in log and KEY not in log
