"""Notifications: what they say, when they are sent again, and those made by hand."""

import base64
import ssl

from gateway import certs, sign, xmlio
from gateway.client import Gateway
from gateway.peers import APPID, KEY, MCH_ID, Merchant, Shop


def test_notice_of_a_payment(gateway, merchant, shop):
    merchant.order("A1", notify_url=shop.url, attach="a=1&b=2")
    done = gateway.pay("A1", wait=True)
    assert done["answer"]["accepted"]
    headers, body, _at = shop.seen[0]
    assert headers["Content-Type"] == "text/xml" and headers["User-Agent"] == "Mozilla/4.0"
    assert headers["Accept"] == "*/*" and headers["Pragma"] == "no-cache"
    fields = xmlio.read(body)
    assert fields["sign"] == sign.sign(fields, KEY)
    assert fields["transaction_id"] == done["paid"]["transaction_id"]
    assert (fields["total_fee"], fields["attach"]) == ("1990", "a=1&b=2")
    assert fields["result_code"] == fields["return_code"] == "SUCCESS"
    assert "sign_type" not in fields
    view = gateway.wait(lambda g: _note(g, "A1", "acknowledged"))
    assert len(view["tries"]) == 1 and len(shop.seen) == 1


def _note(gateway, number, state):
    notes = gateway.order(number)["notifications"]
    return notes[0] if notes and notes[0]["state"] == state else None


def test_retries_until_success(gateway, merchant, shop):
    fail = (200, "<xml><return_code>FAIL</return_code></xml>")
    shop.answers = [(201, Shop.GOOD[1]), (500, ""), fail, (302, ""), (200, "SUCCESS"),
                    (200, Shop.GOOD[1] + "x"), Shop.GOOD]
    merchant.order("A1", notify_url=shop.url, sign_type="HMAC-SHA256")
    gateway.pay("A1")
    # 15+15+30+180+600+1200 s at a scale of 0.001
    view = gateway.wait(lambda g: _note(g, "A1", "acknowledged"))
    assert [t["accepted"] for t in view["tries"]] == [False] * 6 + [True]
    gaps = [b[2] - a[2] for a, b in zip(shop.seen, shop.seen[1:])]
    for gap, due in zip(gaps, (0.015, 0.015, 0.03, 0.18, 0.6, 1.2)):
        assert due <= gap < due + 1
    fields = xmlio.read(shop.seen[-1][1])
    assert fields["sign"] == sign.sign(fields, KEY, "HMAC-SHA256")


def test_slow_and_dead_shops(gateway, merchant, shop):
    shop.answers = [("slow", "1.3"), Shop.GOOD]
    merchant.order("A1", notify_url=shop.url)
    answer = gateway.pay("A1", wait=True)["answer"]
    assert "no answer within" in answer["error"] and 900 < answer["ms"] < 1300
    merchant.order("B1", notify_url="https://nowhere.example/notify")
    assert "no --resolve" in gateway.pay("B1", wait=True)["answer"]["error"]


def test_no_notify(gateway, merchant, shop):
    merchant.order("A1", notify_url=shop.url)
    gateway.behaviour(no_notify=True)
    assert "answer" not in gateway.pay("A1", wait=True)
    assert gateway.order("A1")["notifications"] == [] == shop.seen


def test_https_shop_by_name(gateway, merchant, tmp_path):
    ca, cert, key = certs.ensure(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(cert, key)
    shop = Shop(tls)
    line = "%s,%s,%s" % (APPID, MCH_ID, KEY)
    try:
        for options, good in (({"notify_ca": ca}, True), ({"notify_insecure": True}, True),
                              ({}, False)):
            with Gateway(tmp_path / "g", [line], **options) as other:
                other.resolve("localhost:443:127.0.0.1:%d" % shop.server_port)
                Merchant(other).order("A1", notify_url="https://localhost/notify")
                assert other.pay("A1", wait=True)["answer"]["accepted"] is good, options
    finally:
        shop.shutdown()
        shop.server_close()


def test_notices_by_hand(gateway, merchant, shop):
    merchant.order("A1", notify_url=shop.url)
    gateway.pay("A1", notify=False)

    def sent(**options):
        shop.seen.clear()
        answers = gateway.notify("A1", **options)
        assert all(a["status"] == 200 for a in answers), answers
        fields = xmlio.read(shop.seen[0][1])
        sign_type = options.get("sign_type", "MD5")
        return fields, fields.get("sign") == sign.sign(fields, KEY, sign_type)

    assert sent()[1]
    assert not sent(forge=True)[1]
    fields, good = sent(total_fee=1)
    assert good and fields["total_fee"] == fields["cash_fee"] == "1"
    fields, good = sent(fee_type="USD", mch_id="1", appid="wx1", set={"extra": "1"})
    assert good and [fields[n] for n in ("fee_type", "mch_id", "appid", "extra")] == [
        "USD", "1", "wx1", "1"]
    fields, good = sent(sign_type="HMAC-SHA256", with_sign_type=True)
    assert good and fields["sign_type"] == "HMAC-SHA256"
    assert sent(with_sign_type=True)[0]["sign_type"] == "MD5"
    fields, good = sent(result_code="FAIL")
    assert good and fields["result_code"] == "FAIL" and fields["err_code"]
    fields, good = sent(set_after_sign={"total_fee": "1"})
    assert not good and fields["total_fee"] == "1"
    assert "sign" not in sent(unsigned=True)[0]
    assert sent(coupons=[1, 2])[0]["coupon_fee"] == "3"
    assert sent(chunked=True, slow_ms=5)[1]
    assert "attach" not in sent(drop=["attach"])[0]
    fields, _good = sent(refund=True)
    assert "sign" not in fields
    inner = xmlio.read(sign.unseal(fields["req_info"], KEY), "root")
    assert inner["out_trade_no"] == "A1" and inner["refund_status"] == "SUCCESS"
    shop.seen.clear()
    raw = base64.b64encode(b"\xff\x00<xml").decode()
    gateway.notify("A1", raw_b64=raw, headers={"Content-Type": "a/b"})
    assert shop.seen[0][1] == b"\xff\x00<xml" and shop.seen[0][0]["Content-Type"] == "a/b"
    assert "error" in gateway.notify("A1", cut=40)[0]


def test_notices_at_once_and_of_unknown_orders(gateway, merchant, shop):
    merchant.order("A1", notify_url=shop.url)
    gateway.pay("A1", notify=False)
    answers = gateway.notify("A1", count=200)
    assert len(answers) == 200 == len(shop.seen) and len({s[1] for s in shop.seen}) == 1
    assert all(a["accepted"] for a in answers)
    shop.seen.clear()
    gateway.notify("NOBODY1", url=shop.url, total_fee=5)
    fields = xmlio.read(shop.seen[0][1])
    assert (fields["out_trade_no"], fields["total_fee"]) == ("NOBODY1", "5")
    assert fields["sign"] == sign.sign(fields, KEY)
