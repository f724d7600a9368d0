"""The PHP shop of conf/examples: bought, paid, told once in effect, and not to be fooled."""

import contextlib
import json
import os
import time

import pytest

from .deliveries import KEY, OTHER_KEY, PAID, deliver, event, signed
from .phpshop import FILES, ShopPhp

WITH_KEY = "WxPayDeliverKey file:${ROOT}/conf/deliver.key\n"
# What paid.php sees of a payment, as a header, as a form and in every spelling that PHP folds.
FACTS = {"VERIFIED": "1", "PAID": "1", "EVENT_ID": "e1", "EVENT_TYPE": "order.paid",
         "TRANSACTION_ID": "4200000001", "TIME_END": "2026-11-28T20:00:00Z", "TOTAL_FEE": "1990"}


def with_key(new_php_shop, **options):
    """A shop whose deliveries a test can sign."""
    shop = new_php_shop(start=False, vhost_conf=WITH_KEY, **options)
    shop.httpd.write("conf/deliver.key", KEY + "\n", 0o600)
    return shop.start()


def told(shop, order, total_fee=1990, **options):
    """A delivery of another sender, who has the key unless `keys` say otherwise. The response."""
    return deliver(shop.web(), "/paid.php", event(out_trade_no=order, total_fee=total_fee),
                   **options)


def delivered(found):
    return bool(found) and all(one["state"] == "delivered" for one in found)


def unpaid(shop, number):
    return shop.order(number)["paid_at"] is None and shop.parcels(number) == 0 \
        and shop.booked("SELECT * FROM events") == []


# ---- the way of an order

def test_from_the_goods_to_the_parcel(new_php_shop):
    shop = new_php_shop()
    assert "龙井茶 50g" in shop.web().get("/").text
    number, pay_url = shop.buy("tea")
    assert pay_url.startswith("https://shop.example/wxpay/pay/")
    assert "being confirmed" in shop.order_page(number) and "Paid." not in shop.order_page(number)
    buyer = shop.buyer(pay_url)
    buyer.code_url()
    mark = shop.httpd.access_mark()
    shop.pay(number)
    row = shop.wait_paid(number)
    ledger = shop.ledger(number)["payment"]
    assert row["transaction_id"] == ledger["transaction_id"]
    assert row["fen"] == ledger["total_fee"] == 1990
    assert row["paid_at"].startswith("20") and shop.parcels(number) == 1
    done, = shop.wait_deliveries(number, delivered)
    assert [one["status"] for one in done["tries"]] == [204]
    assert [one["id"] for one in shop.booked("SELECT id FROM events")] == [done["id"]]
    calls = [line for line in shop.httpd.access(mark) if line["uri"] == "/paid.php"]
    assert [(line["method"], line["status"]) for line in calls] == [("POST", "204")]
    assert "Paid." in shop.order_page(number) and "being confirmed" not in shop.order_page(number)
    assert buyer.wait_paid()["state"] == "paid"
    assert shop.row(number)["return_url"] == "/order.php?number=" + number


def test_the_header_stays_inside(new_php_shop):
    shop = new_php_shop()
    for web in (shop.web(), shop.web(headers={"Accept": "application/json"})):
        answer = web.post("/buy.php", {"good": "fan"})
        assert "x-wxpay-order" not in str(answer.headers).lower()
        assert "WxPayHandoff" not in answer.text
    assert answer.json()["pay_url"].startswith("https://shop.example/wxpay/pay/")


def test_a_notification_that_comes_again_sends_no_second_parcel(new_php_shop):
    shop = new_php_shop()
    number = shop.bought()
    shop.pay(number)
    for _ in range(3):
        shop.notify(number)
    shop.wait_paid(number)
    assert shop.parcels(number) == 1
    assert len(shop.deliveries(number)) == 1


def test_buying_twice_is_two_orders_and_paying_later_is_one(new_php_shop):
    shop = new_php_shop()
    (first, page), (second, other) = shop.buy(), shop.buy()
    assert first != second and page != other
    again = shop.web().post("/buy.php", {"number": first})
    assert (again.status, again.header("Location")) == (303, page)
    assert len(shop.booked("SELECT * FROM orders")) == 2


def test_what_is_not_for_sale_makes_no_order(new_php_shop):
    shop = new_php_shop()
    for form in ({}, {"good": "gold"}, {"good[]": "tea"}, {"number": "A1"}, {"number": "<script>"}):
        answer = shop.web().post("/buy.php", form)
        assert answer.status == 404 and "<script>" not in answer.text, form
    assert shop.booked("SELECT * FROM orders") == []
    assert shop.web().get("/buy.php").status == 404
    assert shop.web().get("/order.php?number=%3Cscript%3E").status == 404


def test_a_price_in_the_form_counts_for_nothing(new_php_shop):
    shop = new_php_shop()
    answer = shop.web().post("/buy.php?total_fee=1", {"good": "tea", "fen": 1, "total_fee": 1})
    assert answer.status == 303
    assert [row["fen"] for row in shop.booked("SELECT fen FROM orders")] == [1990]
    assert shop.httpd.rows("SELECT total_fee FROM orders") == [{"total_fee": 1990}]


# ---- nobody else is believed

def test_direct_calls(new_php_shop):
    shop = new_php_shop()
    number, _ = shop.buy()
    form = {"WXPAY_" + name: value for name, value in FACTS.items()}
    form["WXPAY_OUT_TRADE_NO"] = number
    for path in ("/paid.php", "//paid.php", "/paid.php/more", "/./paid.php", "/x/../paid.php",
                 "/%70aid.php", "/paid.php?WXPAY_PAID=1", "/paid.php%00",
                 "/paid.php/%2e%2e/paid.php"):
        for method, body in (("GET", None), ("HEAD", None), ("POST", form), ("PUT", "x")):
            assert shop.web().request(method, path, body).status in (400, 404), (method, path)
    assert unpaid(shop, number)


def test_headers_that_look_like_the_facts(new_php_shop):
    shop = new_php_shop()
    shop.httpd.write("shop/www/see.php", "<?php echo json_encode($_SERVER);\n")
    number, _ = shop.buy()
    for spelling in ("Wxpay-%s", "WXPAY_%s", "wxpay.%s", "X-WxPay-%s", "HTTP_WXPAY_%s",
                     "REDIRECT_WXPAY_%s"):
        facts = {spelling % name.replace("_", "-" if "-" in spelling else "_"): value
                 for name, value in {**FACTS, "OUT_TRADE_NO": number}.items()}
        facts["X-WxPay-Order"] = "out_trade_no=A1&total_fee=1&body=Tea"
        assert shop.web().post("/paid.php", "x", facts).status == 404
        seen = shop.web().get("/see.php", facts).json()
        assert seen["SCRIPT_NAME"] == "/see.php"
        assert not [name for name in seen if name.startswith(
            ("WXPAY_", "HTTP_WXPAY_", "HTTP_X_WXPAY_"))], (spelling, seen)
    assert unpaid(shop, number)


def test_only_genuine_fresh_deliveries_enter_and_only_once(new_php_shop):
    shop = with_key(new_php_shop)
    shop.httpd.expect_log(r"WXP0803: delivery not let in \(sign\)")
    shop.httpd.expect_log(r"WXP0803: delivery not let in \(mismatch\)")
    shop.httpd.allow_log("WXP080[23]")
    number, _ = shop.buy()
    assert told(shop, number, keys=[OTHER_KEY]).status == 404
    assert told(shop, number, age=400).status == 404
    assert told(shop, number, age=-400).status == 404
    headers, body = signed(event(out_trade_no=number))
    assert shop.web().post("/paid.php", body + " ", headers).status == 404
    assert unpaid(shop, number)
    # Whoever has the key is believed, else those above would prove nothing.
    now = int(time.time())
    assert told(shop, number, number="evt_1", at=now).status == 204
    assert shop.order(number)["paid_at"] == PAID["time_end"]
    assert told(shop, number, number="evt_1", at=now).status == 404  # the very same bytes
    assert told(shop, number, number="evt_1", at=now + 1).status == 204  # the event: no effect
    assert shop.parcels(number) == 1


def test_other_events_are_taken_and_mean_nothing(new_php_shop):
    shop = with_key(new_php_shop)
    number, _ = shop.buy()
    for kind in ("order.closed", "order.overpaid", "order.orphan"):
        answer = deliver(shop.web(), "/paid.php", event(kind, out_trade_no=number, total_fee=1990))
        assert answer.status == 204, kind
    assert unpaid(shop, number)


def test_paid_with_another_amount_or_for_an_unknown_order_is_not_taken(new_php_shop):
    shop = with_key(new_php_shop)
    shop.httpd.expect_log("AH01071: Got error 'PHP message: paid, but not ordered so: ")
    number, _ = shop.buy()
    assert told(shop, number, total_fee=1).status == 500
    assert told(shop, "A1001").status == 500
    assert unpaid(shop, number)


# ---- the shop's own troubles

@contextlib.contextmanager
def unwritable(shop):
    """The database belongs to somebody else."""
    kept = os.stat(shop.database)
    os.chown(shop.database, 0, 0)
    os.chmod(shop.database, 0o444)
    yield
    os.chmod(shop.database, kept.st_mode)
    os.chown(shop.database, kept.st_uid, kept.st_gid)


@contextlib.contextmanager
def locked(shop):
    """Somebody has a transaction open, for longer than PHP waits."""
    with shop.books("rw") as base:
        base.execute("BEGIN EXCLUSIVE")
        yield
        base.execute("ROLLBACK")


@pytest.mark.parametrize("trouble, resend", [
    pytest.param(unwritable, False, marks=pytest.mark.skipif(
        os.geteuid() != 0, reason="needs root to take a file away")), (locked, True)])
def test_a_shop_that_could_not_write_is_told_again(new_php_shop, trouble, resend):
    """By itself after ten seconds, or earlier when somebody says so."""
    shop = new_php_shop()
    shop.httpd.expect_log("AH01071: Got error 'PHP message: SQLSTATE")
    shop.httpd.expect_log(r"WXP0601: deliveries to shop\.example fail \(it answers 500")
    number = shop.bought()
    with trouble(shop):
        shop.pay(number)
        failed, = shop.wait_deliveries(number, lambda found: found and found[0]["tries"], 20)
    assert failed["state"] == "pending" and failed["tries"][0]["status"] == 500
    assert unpaid(shop, number)
    if resend:
        again = shop.api.request("POST",
                                 "/orders/%s/deliveries/%s/resend" % (number, failed["id"]))
        assert 200 <= again.status < 300, again
    shop.wait_paid(number, 5 if resend else 15)
    done, = shop.wait_deliveries(number, delivered)
    assert done["id"] == failed["id"] and done["tries"][-1]["status"] == 204
    assert [one["id"] for one in shop.booked("SELECT id FROM events")] == [done["id"]]
    assert shop.parcels(number) == 1


def test_an_error_that_php_displays_is_still_no_yes(new_php_shop):
    """PHP answers 200 for a script that dies while display_errors is on."""
    with ShopPhp("php_admin_flag[display_errors] = on\nphp_admin_flag[opcache.enable] = off\n") as php:
        shop = with_key(new_php_shop, php=php)
        shop.httpd.allow_log("AH01071")
        number, _ = shop.buy()
        shop.httpd.write("shop/shop.php", "<?php this is broken")
        assert told(shop, number).status == 500


def test_before_there_is_a_database_the_visitor_gets_a_sentence(new_php_shop):
    shop = new_php_shop(start=False)
    (shop.httpd.root / "shop" / "data").rmdir()
    shop.start()
    shop.httpd.expect_log("AH01071: .*unable to open database file")
    answer = shop.web().post("/buy.php", {"good": "tea"}, {"Accept-Language": "en"})
    assert answer.status == 500 and "try again later" in answer.text
    assert "SQLSTATE" not in answer.text and str(shop.httpd.root) not in answer.text


# ---- what the example promises

def test_php_sees_neither_keys_nor_httpds_database(new_php_shop):
    shop = new_php_shop()
    if os.geteuid() != 0:
        pytest.skip("as one user there is nothing to keep apart")
    shop.httpd.write("shop/www/see.php", "<?php foreach (json_decode($_POST['files']) as $file) {\n"
                     "    echo is_readable($file) ? $file : '';\n} echo json_encode(getenv());\n")
    number = shop.buy()[0]
    files = [str(path) for path in (
        shop.httpd.root / "conf/wxpay/api.key", shop.httpd.root / "conf/wxpay/site.key",
        shop.httpd.state / "secret", shop.httpd.store_file)]
    assert shop.row(number) and all(os.path.exists(file) for file in files)
    seen = shop.web().post("/see.php", {"files": json.dumps(files)}).text
    assert str(shop.httpd.root / "conf") not in seen and "secret" not in seen
    assert shop.merchant.key not in seen and shop.merchant.api_key not in seen


def test_the_two_scripts_are_short_and_hold_no_secret():
    lines = [line for name in ("buy.php", "paid.php")
             for line in (FILES / "www" / name).read_text().splitlines()]
    assert len(lines) < 60
    for word in ("key", "sign", "hmac", "secret", "curl", "Bearer"):
        assert not [line for line in lines if word in line], word


def test_without_handoff_the_buyer_is_told(new_php_shop):
    shop = new_php_shop(start=False)
    conf = (shop.httpd.root / "conf" / "shop.conf").read_text()
    shop.httpd.write("conf/shop.conf", conf.replace("WxPayHandoff    On", "WxPayHandoff    Off"))
    shop.start()
    shop.httpd.expect_log("WXP0414: /buy.php answered with the header X-WxPay-Order")
    answer = shop.web().post("/buy.php", {"good": "tea"})
    assert answer.status == 200 and "WxPayHandoff is not On" in answer.text
    assert answer.header("X-WxPay-Order") is None
