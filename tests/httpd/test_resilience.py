"""Many at once, children that die, a gateway that is slow: nothing lost, nothing twice."""

import os
import signal
import threading
import time

from .notices import accepted, at_once, payment, transaction


def test_200_copies_at_once_are_one_payment(new_shop, mpm):
    shop = new_shop(mpm=mpm)
    order, _ = shop.payable(1990)
    number = order["out_trade_no"]
    body = payment(shop.merchant, number, 1990, transaction(1))
    together = threading.Barrier(200)
    mark = shop.httpd.access_mark()

    def copy(_):
        together.wait(30)
        return shop.notify_raw(body)
    answers = at_once(copy, range(200), 200)
    assert all(accepted(answer) for answer in answers)
    assert shop.row(number)["state"] == "PAID"
    assert len(shop.httpd.rows("SELECT id FROM events WHERE out_trade_no = ?", number)) == 1
    verdicts = [line["verdict"] for line in shop.httpd.wait_access(mark, 200)]
    assert (verdicts.count("paid"), verdicts.count("duplicate")) == (1, 199)


def _deliver(shop, body, stop_after):
    """Posts as WeChat does: again until it hears SUCCESS. 1 if it did."""
    deadline = time.monotonic() + stop_after
    while time.monotonic() < deadline:
        try:
            if accepted(shop.notify_raw(body)):
                return 1
        except OSError:
            pass
        except Exception as error:  # http.client's own: a cut reply
            assert type(error).__module__ == "http.client", error
        time.sleep(0.05)
    return 0


def test_killed_children_lose_nothing(new_shop, mpm):
    shop = new_shop(mpm=mpm)
    shop.httpd.allow_log(r"exit signal|AH00052|AH00051|AH00546|AH1039[23]")
    numbers = [shop.number("K") for _ in range(500)]
    at_once(lambda number: shop.create(100, out_trade_no=number, trade_type="NATIVE"), numbers, 1)
    bodies = [payment(shop.merchant, number, 100, transaction(i))
              for i, number in enumerate(numbers)]
    over = threading.Event()
    killed = []

    def assassin():
        while not over.wait(0.25):
            children = shop.httpd.children()
            if children:
                victim = children[len(killed) % len(children)]
                try:
                    os.kill(victim, signal.SIGKILL)
                    killed.append(victim)
                except ProcessLookupError:
                    pass

    thread = threading.Thread(target=assassin)
    thread.start()
    try:
        heard = at_once(lambda body: _deliver(shop, body, 60), bodies, 16)
    finally:
        over.set()
        thread.join()
    assert sum(heard) == 500 and len(killed) >= 3
    assert len(shop.httpd.rows("SELECT pay_id FROM orders WHERE state = 'PAID'")) == 500
    told = [row["out_trade_no"] for row in shop.httpd.rows("SELECT out_trade_no FROM events")]
    assert sorted(told) == sorted(numbers)


def test_fifty_buyers_one_order(new_shop, mpm):
    shop = new_shop(mpm=mpm)
    order = shop.create(1990)
    buyers = [shop.buyer(order) for _ in range(50)]
    with shop.behaviour(path="unifiedorder", delay_ms=200, mch_id=shop.merchant.mch_id):
        codes = at_once(lambda buyer: buyer.code_url(seconds=20), buyers, 50)
    assert len(set(codes)) == 1
    assert shop.calls(order["out_trade_no"]) == 1


def test_slow_gateway_page_answers_and_becomes_payable(new_shop, mpm):
    shop = new_shop(mpm=mpm)
    order = shop.create(1990)
    buyer = shop.buyer(order)
    buyer.page()
    with shop.behaviour(path="unifiedorder", delay_ms=3000, mch_id=shop.merchant.mch_id):
        begun = time.monotonic()
        answer = buyer.open()
        assert time.monotonic() - begun < 1
        assert answer.json()["state"] == "preparing"
        begun = time.monotonic()
        buyer.wait_view(lambda view: view["state"] == "payable", seconds=6)
        assert 1 < time.monotonic() - begun < 5
        begun = time.monotonic()
        made = shop.create(100, trade_type="NATIVE")
        assert made["code_url"] and time.monotonic() - begun > 2.9
    assert shop.calls(order["out_trade_no"]) == 1


def test_stalled_gateway_leaves_the_rest_of_the_server_alone(new_shop):
    """Buyers who wait for a gateway that says nothing hold no worker that others need."""
    shop = new_shop()
    shop.httpd.allow_log("unifiedorder of ")
    orders = [shop.create(100) for _ in range(60)]
    buyers = [shop.buyer(order) for order in orders]
    at_once(lambda buyer: buyer.page(), buyers, 20)
    with shop.behaviour(path="unifiedorder", delay_ms=4000, mch_id=shop.merchant.mch_id):
        begun = time.monotonic()
        answers = at_once(lambda buyer: buyer.open(), buyers, 60)
        assert time.monotonic() - begun < 3
        assert {answer.json()["state"] for answer in answers} == {"preparing"}
        begun = time.monotonic()
        assert shop.web().get("/").status in (200, 403, 404)
        assert time.monotonic() - begun < 0.5
        at_once(lambda buyer: buyer.wait_view(lambda view: view["state"] == "payable", seconds=20),
                buyers, 20)
