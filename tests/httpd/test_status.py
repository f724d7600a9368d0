"""The module's section of mod_status: what it counts, and what it never shows."""

import re
import time

import pytest

from .notices import accepted, payment, refused, transaction

STATUS = "<Location /server-status>\nSetHandler server-status\n</Location>\n"
OPENID = "oUpF8uMEb4qRXf22hE3X68TekukE"


def numbers(shop):
    """{name: value} of server-status?auto, ours only."""
    reply = shop.web().get("/server-status?auto")
    assert reply.status == 200
    return dict(re.findall(r"^WeChatPay(\w+): (.*)$", reply.text, re.M))


def grown(before, after):
    """{name: by how much} of the numbers that grew."""
    return {name: int(value) - int(before[name]) for name, value in after.items()
            if value.isdigit() and value != before[name]}


def test_it_counts(new_shop, mpm):
    shop = new_shop(conf=STATUS, mpm=mpm)
    first = numbers(shop)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", first["Since"])
    assert all(value == "0" for name, value in first.items() if name != "Since"), first
    number = shop.number()
    shop.create(out_trade_no=number, trade_type="NATIVE")
    body = payment(shop.merchant, number, 1990, transaction(1))
    assert accepted(shop.notify_raw(body)) and accepted(shop.notify_raw(body))
    assert refused(shop.notify_raw(body.replace(b"1990", b"1991")))
    shop.httpd.expect_log("WXP0302")
    after = numbers(shop)
    counted = grown(first, after)
    commits = counted.pop("Store_commits")
    assert 3 <= commits <= counted.pop("Store_changes")
    assert counted == {"Notice_paid": 1, "Notice_duplicate": 1, "Notice_refused": 1,
                       "Call_unifiedorder_ok": 1, "Waits_granted": 1}
    assert "LastErrorTime" not in after


def test_gateway_errors_are_counted_and_the_newest_is_told(new_shop):
    shop = new_shop(conf=STATUS)
    before = numbers(shop)
    refusal, unclear = shop.number(), shop.number()
    shop.httpd.allow_log("unifiedorder of ")
    with shop.behaviour(path="unifiedorder", out_trade_no=refusal, before=True, err_code="NOAUTH"):
        shop.api.post_order({"out_trade_no": refusal, "total_fee": 1, "body": "Tea",
                             "trade_type": "NATIVE"})
    after = numbers(shop)
    assert after["Call_unifiedorder_refused"] == "1"
    assert (after["LastErrorCall"], after["LastErrorClass"]) == ("unifiedorder", "gateway")
    with shop.behaviour(path="unifiedorder", out_trade_no=unclear, wrong_sign=True):
        shop.api.post_order({"out_trade_no": unclear, "total_fee": 1, "body": "Tea",
                             "trade_type": "NATIVE"})
    after = numbers(shop)
    assert after["Call_unifiedorder_unclear"] == "1"
    assert after["LastErrorClass"] == "sign"
    assert re.fullmatch(r"[\d:TZ-]{20}", after["LastErrorTime"])
    assert int(after["Store_failures"]) == int(before["Store_failures"])
    # A refusal of everyday business is no error.
    order = shop.create(trade_type="NATIVE")
    with shop.behaviour(path="orderquery", out_trade_no=order["out_trade_no"], before=True,
                        err_code="ORDERNOTEXIST"):
        shop.api.refresh(order["out_trade_no"])
    after = numbers(shop)
    assert after["Call_orderquery_refused"] == "1" and after["LastErrorCall"] == "unifiedorder"


def test_what_is_under_way_is_seen_and_ends(new_shop):
    shop = new_shop(conf=STATUS + "WxPayMaxCalls 1\n")
    asked = [{"out_trade_no": shop.number(), "total_fee": 1, "body": "Tea", "trade_type": "NATIVE"}
             for _ in range(6)]
    with shop.behaviour(path="unifiedorder", delay_ms=400):
        for order in asked:
            assert shop.api.post_order(order, headers={"Prefer": "respond-async"}).status == 202
        now = numbers(shop)
        under_way, queued = int(now["CallsUnderWay"]), int(now["CallsQueued"])
        assert 1 <= under_way <= 4 and under_way + queued == 6
        deadline = time.monotonic() + 10
        while int(numbers(shop)["CallsUnderWay"]) and time.monotonic() < deadline:
            time.sleep(0.1)
    now = numbers(shop)
    assert (now["CallsUnderWay"], now["CallsQueued"], now["Waiting"]) == ("0", "0", "0")
    assert now["Call_unifiedorder_ok"] == "6"


@pytest.mark.parametrize("way", ["graceful", "restart"])
def test_a_graceful_keeps_the_numbers(new_shop, mpm, way):
    shop = new_shop(conf=STATUS, mpm=mpm)
    number = shop.number()
    shop.create(out_trade_no=number, trade_type="NATIVE")
    assert accepted(shop.notify_raw(payment(shop.merchant, number, 1990, transaction(2))))
    before = numbers(shop)
    if way == "restart":
        shop.httpd.restart()
        after = numbers(shop)
        assert int(after["Store_commits"]) == 0
        return
    for _ in range(3):
        assert shop.httpd.graceful()[0] == 0
    after = numbers(shop)
    assert after == before
    shop.create()
    assert int(numbers(shop)["Store_commits"]) > int(after["Store_commits"])


def test_nothing_of_orders_or_buyers_is_shown(new_shop):
    shop = new_shop(conf=STATUS)
    order, _ = shop.payable(123456)
    shop.pay(order["out_trade_no"])
    for path in ("/server-status", "/server-status?auto", "/server-status?notable"):
        # The workers' own lines hold request paths; ours come before or after them.
        text = shop.web().get(path).text
        ours = "\n".join(re.findall(r"^WeChatPay.*$|(?<=<h2>WeChat Pay</h2>).*?</table>", text,
                                    re.M | re.S))
        assert ours
        for secret in (order["out_trade_no"], OPENID, "123456", "1,234.56", shop.merchant.key,
                       shop.merchant.api_key, shop.merchant.mch_id):
            assert secret not in ours
    html = shop.web().get("/server-status").text
    assert "<h2>WeChat Pay</h2>" in html and "<td>unifiedorder: ok</td><td>1</td>" in html


def test_without_payments_there_is_no_section(httpd):
    from .web import Web
    server = httpd(STATUS)
    assert "WeChatPay" not in Web(server.url).get("/server-status?auto").text
