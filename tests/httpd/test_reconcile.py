"""Payments whose notification never comes are found, and orders that nobody paid are closed."""

import contextlib
import sqlite3
import threading
import time

import pytest

from .receiver import Receiver
from .test_deliveries import told

# The schedule to the second is tests/unit/test_reconcile.c's; here time is pushed.
HOUR = 3600 * 10**6


def until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def over(shop, number):
    """Its time is over, and it was opened long enough ago to be closed at the gateway."""
    shop.httpd.change("UPDATE orders SET expires_at = created_at - ?, sweep_at = 1 "
                      "WHERE out_trade_no = ?", HOUR, number)
    shop.httpd.change("UPDATE attempts SET sent_at = sent_at - ? WHERE out_trade_no = ?",
                      HOUR, number)


def attempts(shop, number):
    return shop.httpd.rows("SELECT * FROM attempts WHERE out_trade_no = ?", number)


def test_a_lost_notification_is_found_and_told(new_shop, mpm):
    """Nobody asks, nobody looks: the singleton does."""
    with Receiver() as receiver:
        shop = told(new_shop, receiver.url, mpm=mpm)
        order, _ = shop.payable(1990)
        number = order["out_trade_no"]
        shop.pay(number, notify=False, wait=False)
        [attempt] = attempts(shop, number)
        assert attempt["ask_at"] - attempt["sent_at"] == 15 * 10**6
        time.sleep(1.5)
        assert shop.row(number)["state"] == "PENDING"
        assert not shop.calls(number, "/pay/orderquery")
        shop.httpd.hurry()
        row = shop.wait_state(number, "PAID")
        assert row["transaction_id"] == shop.ledger(number)["payment"]["transaction_id"]
        [one] = receiver.wait(number)
        assert one.event["type"] == "order.paid"
        assert shop.calls(number, "/pay/orderquery") == 1
        assert shop.httpd.rows("SELECT verdict FROM notices") == [{"verdict": "reconciled"}]


def test_an_order_that_nobody_paid_is_asked_about_and_closed(new_shop):
    with Receiver() as receiver:
        shop = told(new_shop, receiver.url, types="order.closed")
        order, _ = shop.payable(1990)
        number = order["out_trade_no"]
        over(shop, number)
        shop.wait_state(number, "CLOSED")
        assert shop.ledger(number)["state"] == "CLOSED"
        assert shop.calls(number, "/pay/orderquery") == 1
        [one] = receiver.wait(number)
        assert (one.event["type"], one.event["data"]["state"]) == ("order.closed", "CLOSED")
        [attempt] = attempts(shop, number)
        assert attempt["ask_at"] - time.time() * 10**6 == pytest.approx(600 * 10**6, abs=20e6)
        shop.httpd.hurry()
        until(lambda: shop.calls(number, "/pay/orderquery") == 2)


def test_what_was_never_sent_only_expires(new_shop):
    shop = new_shop()
    number = shop.create()["out_trade_no"]
    over(shop, number)
    shop.wait_state(number, "EXPIRED")
    assert not shop.calls(number, "/pay/orderquery") and not shop.calls(number, "/pay/closeorder")


def test_a_payment_before_the_end_is_found_at_the_end(new_shop):
    shop = new_shop()
    order, _ = shop.payable(1990)
    number = order["out_trade_no"]
    shop.pay(number, notify=False, wait=False)
    over(shop, number)
    assert shop.wait_state(number, "PAID")["late"] == 0
    assert not shop.calls(number, "/pay/closeorder")


def test_a_payment_in_the_very_moment_of_closing(new_shop):
    """The query says unpaid, the buyer pays, closeorder arrives."""
    shop = new_shop()
    order, code = shop.payable(1990)
    number = order["out_trade_no"]
    with shop.behaviour(path="closeorder", before=True, delay_ms=2500, times=1):
        over(shop, number)
        until(lambda: shop.calls(number, "/pay/orderquery") >= 1)
        shop.gateway.pay(code_url=code, mch_id=None, notify=False)
        row = shop.wait_state(number, "PAID", 15)
    assert row["transaction_id"] == shop.ledger(number)["payment"]["transaction_id"]


def test_money_that_came_in_although_it_was_closed(new_shop):
    """Ten minutes after closing the gateway is asked once more; what is paid then is late."""
    with Receiver() as receiver:
        shop = told(new_shop, receiver.url)
        order, code = shop.payable(1990)
        number = order["out_trade_no"]
        over(shop, number)
        shop.wait_state(number, "CLOSED")
        shop.gateway.pay(code_url=code, mch_id=None, notify=False, force=True)
        shop.httpd.hurry()
        assert shop.wait_state(number, "PAID")["late"] == 1
        [one] = receiver.wait(number)
        assert (one.event["type"], one.event["data"]["late"]) == ("order.paid", True)


def test_a_dead_gateway_is_asked_ever_more_seldom_and_nothing_is_lost(new_shop):
    shop = new_shop()
    order, _ = shop.payable(1990)
    number = order["out_trade_no"]
    shop.pay(number, notify=False, wait=False)
    shop.httpd.allow_log("WXP0501")
    with shop.behaviour(refuse_connect=True):
        shop.httpd.hurry()
        shop.httpd.log.wait_for("WXP0501: orderquery")
        assert shop.row(number)["state"] == "PENDING"
    shop.httpd.hurry()
    shop.wait_state(number, "PAID")


def test_no_more_than_the_budget_at_once(new_shop):
    shop = new_shop()
    numbers = [shop.create(100, trade_type="NATIVE")["out_trade_no"] for _ in range(60)]
    begun = time.monotonic()
    shop.httpd.hurry()
    until(lambda: all(shop.calls(number, "/pay/orderquery") for number in numbers), 20)
    assert time.monotonic() - begun > 1.5  # 60 at 20 a second


def test_the_buyer_says_i_have_paid(new_shop, gateway):
    shop = new_shop()
    order, _ = shop.payable(1990)
    number = order["out_trade_no"]
    buyer = shop.buyer(order)
    buyer.page()
    shop.pay(number, notify=False, wait=False)
    assert buyer.ask().status == 200
    buyer.wait_paid(5)
    assert shop.calls(number, "/pay/orderquery") == 1


def test_saying_it_often_asks_once(new_shop):
    shop = new_shop()
    order, _ = shop.payable(1990)
    number = order["out_trade_no"]
    buyers = [shop.buyer(order) for _ in range(8)]
    for buyer in buyers:
        buyer.page()
    threads = [threading.Thread(target=buyer.ask) for buyer in buyers for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(lambda: shop.calls(number, "/pay/orderquery") == 1)
    assert buyers[0].ask(script=False).status == 303
    time.sleep(1.5)
    assert shop.calls(number, "/pay/orderquery") == 1
    assert buyers[0].request("GET", "/ask").status == 405
    assert buyers[0].request("POST", "/ask", {"csrf": "x"}).status == 403
    other = shop.buyer(shop.create())
    other.page()
    stolen = buyers[0].request("POST", "/ask", {"csrf": other.token})
    assert stolen.status == 403


def test_personal_data_is_erased_in_time(new_shop):
    shop = new_shop(conf="WxPayRetention notices=1d orders=2d\n")
    old, new = shop.payable(1990, attach="cart=1"), shop.payable(1990, attach="cart=2")
    numbers = [order["out_trade_no"] for order, _ in (old, new)]
    for number in numbers:
        shop.pay(number)
        shop.wait_state(number, "PAID")
    body = shop.httpd.rows("SELECT * FROM notices WHERE out_trade_no = ?", numbers[0])[0]["body"]
    assert body
    for table, column in (("orders", "created_at"), ("notices", "first_at"),
                          ("notices", "last_at"), ("events", "created_at")):
        shop.httpd.change("UPDATE %s SET %s = %s - ? WHERE out_trade_no = ?" % (
            table, column, column), 72 * HOUR, numbers[0])
    shop.httpd.restart()
    until(lambda: shop.row(numbers[0])["attach"] is None, 15)
    row = shop.row(numbers[0])
    assert (row["total_fee"], row["body"], row["state"]) == (1990, "Tea", "PAID")
    assert row["transaction_id"] and row["payer_openid"] is None
    until(lambda: shop.httpd.rows("SELECT body FROM notices WHERE out_trade_no = ?",
                                  numbers[0])[0]["body"] is None)
    kept = shop.row(numbers[1])
    assert kept["attach"] == "cart=2" and kept["payer_openid"]
    # Nor does it linger in the file, once what was written lately has gone there.
    with contextlib.closing(sqlite3.connect(shop.httpd.store_file)) as base:
        base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    written = shop.httpd.store_file.read_bytes()
    assert b"cart=2" in written and b"cart=1" not in written
