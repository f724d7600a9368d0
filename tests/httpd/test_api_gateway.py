"""The API when the gateway refuses, lies, is slow or away."""

import concurrent.futures
import time

import pytest

from .shop import SMALLEST
from .test_api import problem


def members(number, **more):
    return {"out_trade_no": number, "total_fee": 1990, "body": "Tea", "trade_type": "NATIVE",
            **more}


def test_a_refusal(shop):
    number = shop.number()
    with shop.behaviour(path="unifiedorder", out_trade_no=number, before=True, err_code="NOAUTH",
                        err_code_des="no permission"):
        shop.httpd.allow_log("NOAUTH")
        data = problem(shop.api.post_order(members(number)), 502, "gateway_refused")
    assert data["err_code"] == "NOAUTH"
    time.sleep(1.1)  # another number is not tried at once
    assert "code_url" in shop.api.post_order(members(number)).json()


@pytest.mark.parametrize("fault", [
    {"wrong_sign": True}, {"unsigned": True}, {"other_key": True}, {"garbage": True},
    {"empty": True}, {"cut": True}, {"status": 500}, {"redirect": "https://evil.example/"},
    {"huge": True}, {"wrong_mch_id": True}, {"wrong_appid": True}, {"return_fail": "签名错误"}],
    ids=lambda fault: next(iter(fault)))
def test_no_believable_answer(shop, fault):
    number = shop.number()
    with shop.behaviour(path="unifiedorder", out_trade_no=number, **fault):
        shop.httpd.allow_log("unifiedorder")
        response = shop.api.post_order(members(number))
    assert response.status == 504, response
    data = response.json()
    assert data["code"] in ("gateway_unclear", "gateway_unreachable")
    assert "repeat the same request, it is safe" in data["detail"]
    assert response.header("Retry-After")
    again = shop.api.post_order(members(number))
    assert again.status == 200 and again.json()["code_url"]
    assert again.json()["attempts"][0]["gateway_no"] == number


def test_a_slow_gateway_is_waited_for(shop):
    number = shop.number()
    with shop.behaviour(path="unifiedorder", out_trade_no=number, delay_ms=2000):
        begun = time.monotonic()
        response = shop.api.post_order(members(number))
    assert response.status == 201 and "code_url" in response.json()
    assert 1.9 < time.monotonic() - begun < 6


def test_no_call_is_waited_for_longer_than_its_time(new_shop):
    """The only host there is: nobody knows what came of it, and nobody says anything else."""
    shop = new_shop(base=SMALLEST.replace(" ${GATEWAY_BACKUP}", ""),
                    conf="WxPayGatewayTimeout 1s\n")
    number = shop.number()
    shop.httpd.expect_log(r"WXP0501: unifiedorder of %s .*\(outcome unknown\)" % number)
    with shop.behaviour(path="unifiedorder", out_trade_no=number, delay_ms=5000):
        begun = time.monotonic()
        response = shop.api.post_order(members(number))
        assert 0.9 < time.monotonic() - begun < 3
        assert "it is safe" in problem(response, 504, "gateway_unreachable")["detail"]
        order = shop.api.get(number)
        assert (order["state"], order["flags"]) == ("PENDING", [])
        [attempt] = order["attempts"]
        assert (attempt["gateway_no"], attempt["state"]) == (number, "SENT")
        assert shop.calls(number) == 1


def test_respond_async(shop):
    number = shop.number()
    with shop.behaviour(path="unifiedorder", out_trade_no=number, delay_ms=1500):
        begun = time.monotonic()
        response = shop.api.post_order(members(number), headers={"Prefer": "respond-async, wait=9"})
        assert time.monotonic() - begun < 1
        assert response.status == 202
        assert response.header("Preference-Applied") == "respond-async"
        assert response.header("Location") == "/wxpay/api/orders/" + number
        assert "code_url" not in response.json()
        deadline = time.monotonic() + 6
        while "code_url" not in shop.api.get(number):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert shop.calls(number) == 1


def test_the_same_order_at_once(shop):
    number = shop.number()
    with shop.behaviour(path="unifiedorder", out_trade_no=number, delay_ms=500), \
            concurrent.futures.ThreadPoolExecutor(6) as pool:
        replies = list(pool.map(lambda _: shop.api.post_order(members(number)), range(6)))
    assert sorted({reply.status for reply in replies}) in ([200, 201], [201])
    assert [reply.status for reply in replies].count(201) == 1
    assert len({reply.json()["code_url"] for reply in replies}) == 1
    assert shop.calls(number) == 1


def test_places_to_wait_are_few(new_shop):
    """A quarter of the threads may wait; others are told to come again, and nothing is stored."""
    shop = new_shop()
    with shop.behaviour(path="unifiedorder", delay_ms=2000), \
            concurrent.futures.ThreadPoolExecutor(60) as pool:
        numbers = [shop.number() for _ in range(60)]
        replies = list(pool.map(lambda n: shop.api.post_order(members(n)), numbers))
    refused = [n for n, reply in zip(numbers, replies) if reply.status == 503]
    assert {reply.status for reply in replies} == {201, 503}
    assert refused
    for number, reply in zip(numbers, replies):
        if number in refused:
            problem(reply, 503, "no_place")
            assert reply.header("Retry-After") and shop.row(number) is None


def test_an_order_opened_otherwise(shop):
    """The gateway does not close it yet: no second attempt, and the caller learns when."""
    buyer = {"openid": "o1", "spbill_create_ip": "1.2.3.4"}
    order = shop.create(**buyer)
    number = order["out_trade_no"]
    with shop.behaviour(path="closeorder", out_trade_no=number, refuse_early_close=True):
        assert "code_url" in shop.api.post_order(members(number, **buyer)).json()
        response = shop.api.post_order(members(number, trade_type="JSAPI", **buyer))
    problem(response, 409, "open_elsewhere", "trade_type")
    assert 250 < int(response.header("Retry-After")) <= 311
    assert shop.calls(number) == 1


def test_closing_too_early(shop):
    number = shop.create(trade_type="NATIVE")["out_trade_no"]
    with shop.behaviour(path="closeorder", out_trade_no=number, refuse_early_close=True):
        response = shop.api.request("POST", shop.api.order_path(number) + "/close")
        assert response.status == 202, response
        order = response.json()
        assert order["flags"] == ["closing"] and "code_url" not in order


def test_refresh_of_a_dead_gateway(shop):
    number = shop.create(trade_type="NATIVE")["out_trade_no"]
    with shop.behaviour(path="orderquery", out_trade_no=number, cut=True):
        shop.httpd.allow_log("orderquery")
        response = shop.api.request("GET", shop.api.order_path(number) + "?refresh=1")
    assert response.status == 504
    assert shop.api.refresh(number)["state"] == "PENDING"


def test_another_site_of_the_same_merchant(new_shop):
    """Orders belong to the site that made them; numbers to the merchant."""
    vhosts = """
<VirtualHost 127.0.0.1:${PORT}>
    ServerName shop.example
</VirtualHost>
<VirtualHost 127.0.0.1:${PORT}>
    ServerName other.example
    WxPayPublicURL https://other.example
</VirtualHost>
"""
    shop = new_shop(conf=vhosts, public="http://127.0.0.1:{port}")
    order = shop.create(trade_type="NATIVE")
    other = shop.api
    other.web = shop.web()
    other.web.host = "other.example"
    path = other.order_path(order["out_trade_no"])
    for method, sub in (("GET", path), ("GET", path + "?refresh=1"), ("POST", path + "/close")):
        problem(other.request(method, sub), 404, "order_not_found")
    problem(other.post_order(members(order["out_trade_no"])), 409, "number_taken")
    assert shop.row(order["out_trade_no"])["state"] == "PENDING"


def test_the_store_is_away(new_shop):
    """Nothing is taken while it cannot be kept, and all goes on when it is back."""
    shop = new_shop()
    known = shop.create()["out_trade_no"]
    number = shop.number()
    for _ in range(2):
        shop.httpd.expect_log("store")
        files = sorted(shop.httpd.store_file.parent.glob("wxpay.db*"))
        for file in files:
            file.rename(file.with_name("away-" + file.name))
        for response in (shop.api.post_order(members(number)),
                         shop.api.request("GET", shop.api.order_path(known)),
                         shop.api.request("POST", shop.api.order_path(known) + "/close")):
            problem(response, 503, "store_unavailable")
            assert response.header("Retry-After")
        for file in files:
            file.with_name("away-" + file.name).rename(file)
    assert shop.ledger(number) is None
    assert shop.api.get(known)["state"] == "NEW"
    assert shop.api.post_order(members(number)).status == 201
