"""Start, stop and graceful restart, also with work under way and a gateway that hangs."""

import threading
import time

from .web import Web


def in_background(work, count):
    """Runs work(n) in `count` threads; a function that waits for them and returns the results."""
    results = [None] * count

    def run(n):
        try:
            results[n] = work(n)
        except OSError as fault:
            results[n] = fault
    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()

    def join():
        for thread in threads:
            thread.join()
        return results
    return join


def order_now(shop, number):
    """POST /orders that waits for the gateway."""
    return shop.web().post("/wxpay/api/orders", {
        "out_trade_no": number, "total_fee": "100", "body": "Tea", "trade_type": "NATIVE"},
        {"Authorization": "Bearer " + shop.merchant.api_key})


def test_a_stalled_gateway_does_not_hold_up_a_stop(new_shop, mpm):
    shop = new_shop(mpm=mpm)
    number = shop.number()
    with shop.behaviour(path="unifiedorder", delay_ms=20000):
        waiting = in_background(lambda n: order_now(shop, "%s-%d" % (number, n)), 3)
        time.sleep(0.7)
        started = time.monotonic()
        shop.httpd.stop()
        assert time.monotonic() - started < 4
    waiting()
    # What was asked for is known to be uncertain.
    rows = shop.httpd.rows("SELECT state FROM attempts")
    assert [row["state"] for row in rows] == ["SENT"] * 3


def test_only_a_quarter_waits(new_shop):
    shop = new_shop(conf="WxPayGatewayTimeout 3s\n")
    number = shop.number()
    with shop.behaviour(path="unifiedorder", delay_ms=2000):
        started = time.monotonic()
        waiting = in_background(
            lambda n: (order_now(shop, "%s-%d" % (number, n)), time.monotonic() - started), 40)
        time.sleep(0.5)
        began = time.monotonic()
        assert shop.web().get("/").status == 200
        assert time.monotonic() - began < 0.5
        replies = waiting()
    refused = [(reply, took) for reply, took in replies if reply.status == 503]
    granted = [reply for reply, _ in replies if reply.status == 201]
    assert len(refused) + len(granted) == 40
    assert 6 <= len(granted) <= 25 and refused
    for reply, took in refused:
        assert reply.header("Retry-After") and took < 1.5
    # The places are given back.
    assert order_now(shop, shop.number()).status == 201


def test_graceful_restarts_under_load_lose_nothing(new_shop, mpm):
    shop = new_shop(mpm=mpm)
    stop = threading.Event()
    seen = []

    def work(_):
        while not stop.is_set():
            seen.append(order_now(shop, shop.number()).status)
    waiting = in_background(work, 4)
    for _ in range(10):
        assert shop.httpd.graceful()[0] == 0
        time.sleep(0.1)
    stop.set()
    faults = [result for result in waiting() if result]
    assert not faults
    assert len(seen) > 20 and set(seen) <= {201, 503}, set(seen)
    assert seen.count(201) > len(seen) // 2


def test_a_new_key_counts_from_the_next_graceful(new_shop):
    shop = new_shop()
    old, new = shop.merchant.api_key, "n" * 40
    shop.httpd.write("conf/wxpay/site.key", new + "\n", 0o600)
    bearer = "Authorization"
    assert shop.web().get("/wxpay/api/orders/X", {bearer: "Bearer " + old}).status == 404
    assert shop.httpd.graceful()[0] == 0
    assert shop.web().get("/wxpay/api/orders/X", {bearer: "Bearer " + old}).status == 401
    assert shop.web().get("/wxpay/api/orders/X", {bearer: "Bearer " + new}).status == 404


def test_pages_survive_a_restart(new_shop):
    """The CSRF key comes from the state directory, not from the process."""
    shop = new_shop()
    buyer = shop.buyer(shop.create())
    buyer.page()
    shop.httpd.restart()
    assert buyer.open().status in (200, 303)


def test_the_store_mutex_has_a_name_for_the_admin(httpd):
    server = httpd("Mutex file:${ROOT}/run wxpay-store\n", mpm="prefork")
    assert Web(server.url).get("/").status == 200
