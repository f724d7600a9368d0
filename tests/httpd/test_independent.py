"""The simulator and the module, judged by two npm packages that share nothing with either.

What the simulator takes and answers, others' clients must be able to send and believe; else the
module would be tested against a gateway of our own invention.
"""

import pytest

from .judge import Judge
from .notices import accepted, refused, transaction
from .shop import Merchant, random_text

NOTIFY_URL = "https://shop.example/wxpay/notify"
OPENID = "oUpF8uMEb4qRXf22hE3X68TekukE"
SIGN_TYPES = ("MD5", "HMAC-SHA256")


@pytest.fixture
def merchant(gateway):
    account = Merchant()
    gateway.merchant(mch_id=account.mch_id, appid=account.appid, key=account.key)
    return account


@pytest.fixture
def judge(merchant, gateway):
    return Judge(merchant, gateway)


def order(trade_type="NATIVE", **more):
    fields = {"body": "西湖龙井 <50g> & \"赠品\"", "out_trade_no": "J" + random_text(16), "total_fee": 1990,
              "spbill_create_ip": "123.12.12.123", "notify_url": NOTIFY_URL, "trade_type": trade_type,
              **more}
    fields.update({"openid": OPENID} if trade_type == "JSAPI" else {"product_id": "12"})
    return fields


class Axios:
    """wechatpay-axios-plugin as a client; its caller gives every field."""

    def __init__(self, judge, merchant, sign_type):
        self.judge = judge
        # MD5 is what goes without saying.
        self.always = {"appid": merchant.appid}
        if sign_type != "MD5":
            self.always["sign_type"] = sign_type

    def call(self, name, fields, **known):
        return self.judge.wechatpay_call(call=name, fields={**self.always, **fields}, **known)


class Tenpay:
    """tenpay as a client: adds ids and sign_type, and checks the ids of the reply as well."""

    NAMES = {"unifiedorder": "unifiedOrder", "orderquery": "orderQuery", "closeorder": "closeOrder"}

    def __init__(self, judge, merchant, sign_type):
        self.judge = judge
        self.always = {"sign_type": sign_type}

    def call(self, name, fields, **known):
        return self.judge.tenpay_call(call=self.NAMES[name], fields={**self.always, **fields}, **known)


@pytest.fixture(params=[Axios, Tenpay])
def package(request):
    return request.param


@pytest.mark.parametrize("sign_type", SIGN_TYPES)
@pytest.mark.parametrize("trade_type", ["NATIVE", "JSAPI"])
def test_as_a_client(package, judge, merchant, gateway, sign_type, trade_type):
    client = package(judge, merchant, sign_type)
    wanted = order(trade_type, attach="a=1&b=2")
    number = {"out_trade_no": wanted["out_trade_no"]}

    made = client.call("unifiedorder", wanted)
    assert "error" not in made, made
    made = made["fields"]
    assert made["result_code"] == "SUCCESS" and made["prepay_id"].startswith("wx"), made
    assert made.get("code_url", "").startswith("weixin://") == (trade_type == "NATIVE")
    kept = gateway.order(wanted["out_trade_no"], mch_id=merchant.mch_id)
    assert kept["sign_type"] == sign_type
    assert kept["params"]["body"] == wanted["body"] and kept["total_fee"] == 1990

    assert client.call("orderquery", number)["fields"]["trade_state"] == "NOTPAY"
    gateway.pay(wanted["out_trade_no"], mch_id=merchant.mch_id, notify=False, force=True)
    paid = client.call("orderquery", number)["fields"]
    assert (paid["trade_state"], paid["total_fee"]) == ("SUCCESS", "1990")
    assert paid["attach"] == "a=1&b=2" and paid["trade_type"] == trade_type
    by_transaction = client.call("orderquery", {"transaction_id": paid["transaction_id"]})
    assert by_transaction["fields"]["out_trade_no"] == wanted["out_trade_no"]


@pytest.mark.parametrize("sign_type", SIGN_TYPES)
def test_closing(package, judge, merchant, sign_type):
    client = package(judge, merchant, sign_type)
    wanted = order()
    number = {"out_trade_no": wanted["out_trade_no"]}
    assert "error" not in client.call("unifiedorder", wanted)
    closed = client.call("closeorder", number)
    assert "error" not in closed and closed["fields"]["result_code"] == "SUCCESS", closed
    assert client.call("orderquery", number)["fields"]["trade_state"] == "CLOSED"


def test_errors_of_the_real_form(judge, merchant):
    axios = Axios(judge, merchant, "MD5")
    tenpay = Tenpay(judge, merchant, "MD5")
    wrong_key = axios.call("unifiedorder", order(), key=random_text(32))
    assert wrong_key["code"] == "EV2_RES_STATUS_CODE_NOT_SUCESS"
    assert wrong_key["fields"]["return_code"] == "FAIL" and "签名" in wrong_key["fields"]["return_msg"]
    assert "签名" in tenpay.call("unifiedorder", order(), key=random_text(32))["error"]
    unknown = axios.call("orderquery", {"out_trade_no": "NEVER1"})
    assert unknown["fields"]["err_code"] == "ORDERNOTEXIST"
    assert tenpay.call("orderquery", {"out_trade_no": "NEVER1"})["error"] == "ORDERNOTEXIST"


@pytest.mark.parametrize("fault", ["wrong_sign", "other_key"])
def test_the_judges_refuse_what_is_not_genuine(package, judge, merchant, gateway, fault):
    """Else their approval above would be worth nothing."""
    behaviour = gateway.behaviour(mch_id=merchant.mch_id, **{fault: True})
    try:
        said = package(judge, merchant, "MD5").call("unifiedorder", order())
    finally:
        gateway.clear(behaviour)
    assert "sign" in said["error"], said


@pytest.mark.parametrize("sign_type", SIGN_TYPES)
def test_the_simulators_notice_and_the_modules_answer(new_shop, gateway, sign_type):
    shop = new_shop(sign_type=sign_type)
    judge = Judge(shop.merchant, gateway)
    made, _ = shop.payable(1990, attach="kept & sent")
    number = made["out_trade_no"]
    shop.pay(number, notify=False)
    # tenpay takes what has no sign_type for MD5.
    sent = gateway.notify_full(number, order_mch_id=shop.merchant.mch_id, with_sign_type=True)
    for read in (judge.wechatpay_read(xml=sent["sent"], sign_type=sign_type),
                 judge.tenpay_read(xml=sent["sent"])):
        assert read["genuine"], read
        assert read["fields"]["out_trade_no"] == number
        assert (read["fields"]["total_fee"], read["fields"]["attach"]) == ("1990", "kept & sent")
    answer = judge.wechatpay_read(xml=sent["answers"][0]["body"])
    assert answer["fields"]["return_code"] == "SUCCESS"
    assert shop.row(number)["state"] == "PAID"


@pytest.mark.parametrize("sign_type", SIGN_TYPES)
def test_a_notice_that_the_package_signs_is_believed(new_shop, gateway, sign_type):
    shop = new_shop(sign_type=sign_type)
    shop.httpd.expect_log(r"WXP0302: notification refused \(sign\)")
    judge = Judge(shop.merchant, gateway)
    number = shop.payable(1990)[0]["out_trade_no"]
    fields = {
        "appid": shop.merchant.appid, "mch_id": shop.merchant.mch_id, "out_trade_no": number,
        "total_fee": "1990", "cash_fee": "1990", "fee_type": "CNY", "bank_type": "OTHERS",
        "is_subscribe": "N", "openid": OPENID, "return_code": "SUCCESS", "result_code": "SUCCESS",
        "time_end": "20261124111500", "trade_type": "NATIVE", "transaction_id": transaction(7),
        "sign_type": sign_type}
    forged = shop.notify_raw(judge.wechatpay_write(fields=fields, key=random_text(32))["xml"])
    assert refused(forged) and shop.row(number)["state"] != "PAID"
    assert accepted(shop.notify_raw(judge.wechatpay_write(fields=fields)["xml"]))
    assert shop.row(number)["state"] == "PAID"


@pytest.mark.parametrize("sign_type", SIGN_TYPES)
def test_the_page_parameters_are_signed_as_the_package_signs_them(new_shop, gateway, sign_type):
    shop = new_shop(sign_type=sign_type)
    made = shop.create(1990, trade_type="JSAPI", openid=OPENID,
                       spbill_create_ip="123.12.12.123")
    params = made["jsapi"]
    assert params["package"] == "prepay_id=" + shop.ledger(made["out_trade_no"])["prepay_id"]
    assert (params["appId"], params["signType"]) == (shop.merchant.appid, sign_type)
    right = Judge(shop.merchant, gateway).wechatpay_pay_sign(params=params)
    assert params["paySign"] == right["pay_sign"]
