"""An order whose time to pay is over: its page, its code, the API, and money that comes late."""

import contextlib
import sqlite3
import time

from .notices import accepted, payment, transaction


def time_is_over(shop, number, left=-1.0):
    """As if so many seconds were left: an order's shortest time is minutes."""
    with contextlib.closing(sqlite3.connect(shop.httpd.store_file, timeout=5)) as base, base:
        base.execute("UPDATE orders SET expires_at = ?, rev = rev + 1 WHERE out_trade_no = ?",
                     (int((time.time() + left) * 1e6), number))


def test_never_opened(shop):
    order = shop.create(1990)
    number = order["out_trade_no"]
    buyer = shop.buyer(order)
    buyer.page()
    time_is_over(shop, number)
    assert buyer.state().json()["state"] == buyer.view()["state"] == "expired"
    # The one of a browser that had it open: nothing is ordered any more.
    assert buyer.open().json()["state"] == "expired"
    assert shop.calls(number) == 0
    assert shop.api.get(number)["state"] == shop.row(number)["state"] == "EXPIRED"
    again = shop.api.post_order({"out_trade_no": number, "total_fee": 1990, "body": "Tea",
                                 "trade_type": "NATIVE"})
    assert (again.status, again.json()["state"]) == (200, "EXPIRED")
    assert "code_url" not in again.json() and shop.calls(number) == 0


def test_open_and_not_paid(shop):
    order, _ = shop.payable(1990)
    number = order["out_trade_no"]
    buyer = shop.buyer(order)
    assert buyer.qr().status == 200
    time_is_over(shop, number)
    page = buyer.page()
    assert page.status == 200 and 'data-page="expired"' in page.text
    assert 'id="open"' not in page.text and 'class="code"' not in page.text
    assert "code_url" not in buyer.view() and "code_url" not in shop.api.get(number)
    for name in ("/qr.svg", "/qr.png"):
        assert buyer.request("GET", name).status == 404
    assert shop.calls(number) == 1
    # WeChat may know of a payment all the same, so it is not called EXPIRED.
    assert shop.api.get(number)["state"] == "PENDING"
    assert accepted(shop.notify_raw(payment(shop.merchant, number, 1990, transaction(1))))
    assert shop.api.get(number)["state"] == "PAID"
    assert buyer.state().json()["state"] == "paid"
