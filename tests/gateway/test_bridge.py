"""getBrandWCPayRequest: what WeChat takes from a page, and what it tells it."""

import time

import pytest

from gateway import sign
from gateway.peers import APPID, KEY, PROVIDER, PROVIDER_APPID

OPENID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"


def params_for(prepay_id, sign_type="MD5", key=KEY, **changes):
    params = {"appId": APPID, "timeStamp": str(int(time.time())), "nonceStr": "n1",
              "package": "prepay_id=" + prepay_id, "signType": sign_type, **changes}
    return {**params, "paySign": sign.sign(params, key, sign_type)}


@pytest.fixture
def prepaid(merchant):
    def make(**fields):
        reply = merchant.order("J1", trade_type="JSAPI", openid=OPENID, product_id=None, **fields)
        return reply["prepay_id"]
    return make


@pytest.mark.parametrize("sign_type", sign.TYPES)
def test_pays(gateway, prepaid, sign_type):
    prepay_id = prepaid(sign_type=sign_type)
    said = gateway.bridge(params_for(prepay_id, sign_type), notify=False)
    assert said == {"reply": {"err_msg": "get_brand_wcpay_request:ok"}, "why": None}
    order = gateway.order("J1")
    assert order["state"] == "SUCCESS" and order["payment"]["openid"] == OPENID
    assert gateway.bridge(params_for(prepay_id, sign_type))["why"]  # only once


@pytest.mark.parametrize("do, err_msg", [("cancel", ":cancel"), ("fail", ":fail")])
def test_does_not_pay(gateway, prepaid, do, err_msg):
    said = gateway.bridge(params_for(prepaid()), do=do)
    assert said["why"] is None and said["reply"]["err_msg"].endswith(err_msg)
    assert gateway.order("J1")["state"] == "NOTPAY"


@pytest.mark.parametrize("changes", [
    {"appId": "wx0000000000000000"}, {"timeStamp": "1490840662"}, {"timeStamp": "now"},
    {"nonceStr": "n" * 33}, {"nonceStr": ""}, {"package": "prepay_id=wx1"}, {"package": "wx1"},
    {"signType": "HMAC-SHA256"}, {"key": "k" * 32}, {"extra": "1"}])
def test_refuses(gateway, prepaid, changes):
    said = gateway.bridge(params_for(prepaid(), **changes))
    assert said["why"] and said["reply"]["err_msg"] == "get_brand_wcpay_request:fail"
    assert gateway.order("J1")["state"] == "NOTPAY"


def test_refuses_what_is_no_text_and_what_is_bent(gateway, prepaid):
    params = params_for(prepaid())
    for bent in ({**params, "timeStamp": int(params["timeStamp"])},
                 {**params, "paySign": params["paySign"].lower()},
                 {name: value for name, value in params.items() if name != "nonceStr"}):
        assert gateway.bridge(bent)["why"]
    assert "another openid" in gateway.bridge(params, openid="oSomebodyElse")["why"]
    gateway.expire("J1")
    assert "total_fee" in gateway.bridge(params)["reply"]["err_desc"]


def test_a_sub_merchants_page_runs_under_its_own_appid(gateway, merchant):
    reply = merchant.order("J2", key=KEY, appid=PROVIDER_APPID, mch_id=PROVIDER,
                           sub_mch_id="1900000201", sub_appid="wxsub000000000001",
                           sub_openid=OPENID, trade_type="JSAPI", product_id=None)
    params = params_for(reply["prepay_id"], appId=PROVIDER_APPID)
    assert gateway.bridge(params)["why"]
    params = params_for(reply["prepay_id"], appId="wxsub000000000001")
    assert gateway.bridge(params, openid=OPENID, notify=False)["why"] is None
