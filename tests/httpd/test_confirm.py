"""WxPayConfirmByQuery: notifications that only count once the gateway, asked back, agrees; and
what WxPayOrphans Deliver makes of orders that nobody knows."""

import json
import time

from .notices import accepted, at_once, payment, refused, transaction
from .shop import NOTIFY_PATH

QUERY = "/pay/orderquery"
ALWAYS = "WxPayConfirmByQuery Always\n"
SUPPLIED = "WxPayOrphans Deliver\n"


def verdicts(shop, number):
    return [line["verdict"] for line in shop.httpd.access()
            if line["uri"] == NOTIFY_PATH and line["out_trade_no"] == number]


def paid_there(shop, number, n=1):
    """Paid at the gateway, which tells nobody; the body of its notification."""
    row = shop.ledger(number)
    shop.gateway.pay(number, mch_id=shop.merchant.mch_id, notify=False,
                     transaction_id=transaction(n))
    return payment(shop.merchant, number, row["total_fee"], transaction(n))


def test_always(new_shop, mpm):
    shop = new_shop(conf=ALWAYS, mpm=mpm)
    order, code = shop.payable(1)
    number = order["out_trade_no"]
    assert not shop.gateway.pay(code_url=code, wait=True)["answer"]["accepted"]
    row = shop.wait_state(number, "PAID")
    found, = shop.gateway.wait(lambda g: [note for note in shop.ledger(number)["notifications"]
                                          if note["state"] == "acknowledged"])
    assert len(found["tries"]) >= 2
    shop.gateway.wait(lambda g: len(verdicts(shop, number)) == len(found["tries"]))
    assert verdicts(shop, number)[0] == "unconfirmed"
    assert verdicts(shop, number)[-1] == "duplicate"
    assert shop.calls(number, QUERY) == 1
    event, = shop.httpd.rows("SELECT type, body FROM events WHERE out_trade_no = ?", number)
    data = json.loads(event["body"])["data"]
    assert (event["type"], data["state"], data["total_fee"]) == ("order.paid", "PAID", 1)
    assert row["transaction_id"] == shop.ledger(number)["payment"]["transaction_id"]
    assert row["payer_openid"] == shop.ledger(number)["payment"]["openid"]
    journal = shop.httpd.rows("SELECT verdict, reason, ref FROM notices ORDER BY verdict")
    assert [(entry["verdict"], entry["reason"]) for entry in journal] == [
        ("reconciled", ""), ("unconfirmed", "amount")]
    assert {entry["ref"] for entry in journal} == {row["transaction_id"]}


def test_over_an_amount(new_shop):
    shop = new_shop(conf="WxPayConfirmByQuery over=9.90\n")
    for total_fee, queries in ((989, 0), (990, 1)):
        number = shop.create(total_fee, trade_type="NATIVE")["out_trade_no"]
        assert accepted(shop.notify_raw(paid_there(shop, number, total_fee))) == (queries == 0)
        shop.wait_state(number, "PAID")
        assert shop.calls(number, QUERY) == queries


def test_many_copies_one_query(new_shop, mpm):
    shop = new_shop(conf=ALWAYS, mpm=mpm)
    number = shop.create(1990, trade_type="NATIVE")["out_trade_no"]
    body = paid_there(shop, number)
    with shop.behaviour(path="orderquery", delay_ms=500, mch_id=shop.merchant.mch_id):
        answers = at_once(lambda _: shop.notify_raw(body), range(200), 50)
        shop.wait_state(number, "PAID")
    assert refused(answers[0])
    assert all(accepted(answer) or refused(answer) for answer in answers)
    assert shop.calls(number, QUERY) == 1
    assert len(shop.httpd.rows("SELECT id FROM events")) == 1
    assert accepted(shop.notify_raw(body))


def test_authentic_but_not_true(new_shop):
    """Somebody has the key, and no payment."""
    shop = new_shop(conf=ALWAYS)
    order, _ = shop.payable(1990)
    number = order["out_trade_no"]
    lie = payment(shop.merchant, number, 1990, transaction(1))
    assert all(refused(shop.notify_raw(lie)) for _ in range(5))
    shop.gateway.wait(lambda g: shop.calls(number, QUERY))
    time.sleep(0.5)
    assert shop.row(number)["state"] == "PENDING" and not shop.httpd.rows("SELECT * FROM events")
    assert shop.calls(number, QUERY) <= 2
    assert shop.buyer(order).view()["state"] == "payable"  # the buyer can still pay
    shop.pay(number)
    shop.wait_state(number, "PAID")
    for lie in (payment(shop.merchant, number, 1, transaction(1)),
                payment(shop.merchant, number, 1990, transaction(2))):
        assert refused(shop.notify_raw(lie))
    assert (shop.row(number)["quarantined"], shop.row(number)["overpaid"]) == (0, 0)


def test_what_the_gateway_tells_counts(new_shop):
    """The query finds another amount than the notification says."""
    shop = new_shop(conf=ALWAYS)
    number = shop.create(1990, trade_type="NATIVE")["out_trade_no"]
    shop.httpd.expect_log("order %s: .* of 5 fen .* differs in total_fee" % number)
    shop.gateway.pay(number, mch_id=shop.merchant.mch_id, notify=False, total_fee=5,
                     transaction_id=transaction(1))
    assert refused(shop.notify_raw(payment(shop.merchant, number, 1990, transaction(1))))
    deadline = time.monotonic() + 5
    while not shop.row(number)["quarantined"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert shop.row(number)["state"] == "PENDING"


def test_a_gateway_that_does_not_answer(new_shop):
    """The question stays; the next one who looks, or the next notification, puts it again."""
    shop = new_shop(conf=ALWAYS)
    shop.httpd.allow_log("orderquery of ")
    order, _ = shop.payable(1990)
    number = order["out_trade_no"]
    body = paid_there(shop, number)
    with shop.behaviour(path="orderquery", status=502, mch_id=shop.merchant.mch_id):
        assert refused(shop.notify_raw(body))
        shop.gateway.wait(lambda g: shop.calls(number, QUERY))
        time.sleep(0.3)
        assert shop.row(number)["state"] == "PENDING"
    assert shop.buyer(order).wait_paid(10)
    assert accepted(shop.notify_raw(body))


# -- orders made elsewhere

def two_sites(new_shop, conf):
    """A site that makes orders, and one with the same merchant account that does not know them."""
    maker = new_shop()
    other = new_shop(merchant=maker.merchant,
                     public="https://other.example:{tls_port}", conf=conf)
    other.create(1)  # its store is there
    return maker, other


def orphan_events(shop):
    return [json.loads(row["body"])["data"] for row in
            shop.httpd.rows("SELECT body FROM events WHERE type = 'order.orphan'")]


def test_unknown_orders_are_delivered_once(new_shop):
    maker, other = two_sites(new_shop, SUPPLIED)
    number = maker.create(700, trade_type="NATIVE", attach="shelf 7")["out_trade_no"]
    maker.gateway.pay(number, mch_id=maker.merchant.mch_id, notify=False,
                      transaction_id=transaction(1))
    body = payment(maker.merchant, number, 700, transaction(1), attach="shelf 7")
    answers = at_once(lambda _: other.notify_raw(body), range(40), 10)
    assert all(accepted(answer) for answer in answers)
    assert orphan_events(other) == [{"out_trade_no": number, "transaction_id": transaction(1),
                                     "total_fee": 700, "fee_type": "CNY", "attach": "shelf 7"}]
    row, = other.httpd.rows("SELECT verdict, count FROM notices")
    assert (row["verdict"], row["count"]) == ("orphan", 40)
    assert other.row(number) is None
    # Another transaction is another event, the same one never again.
    assert accepted(other.notify_raw(payment(maker.merchant, number, 700, transaction(2))))
    assert accepted(other.notify_raw(body))
    assert len(orphan_events(other)) == 2


def test_unknown_orders_are_confirmed_before_they_are_delivered(new_shop):
    maker, other = two_sites(new_shop, SUPPLIED + ALWAYS)
    number = maker.create(700, trade_type="NATIVE")["out_trade_no"]
    body = payment(maker.merchant, number, 700, transaction(1))
    assert refused(other.notify_raw(body))
    maker.gateway.wait(lambda g: maker.calls(number, QUERY))
    time.sleep(0.3)
    assert not orphan_events(other)
    paid_there(maker, number)
    deadline = time.monotonic() + 10
    while refused(other.notify_raw(body)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert [event["transaction_id"] for event in orphan_events(other)] == [transaction(1)]
    assert accepted(other.notify_raw(body))
    assert len(orphan_events(other)) == 1


def test_refused_first_and_delivered_when_the_admin_says_so(new_shop):
    maker, other = two_sites(new_shop, "")
    number = maker.create(700, trade_type="NATIVE")["out_trade_no"]
    body = paid_there(maker, number)
    other.httpd.expect_log('not made here: .* write "WxPayOrphans Deliver"')
    assert refused(other.notify_raw(body))
    server = other.httpd
    server.allow_log("WXP0220")
    server.set_conf((server.root / "conf" / "site.conf").read_text() + SUPPLIED)
    assert server.graceful()[0] == 0
    assert accepted(other.notify_raw(body))
    assert len(orphan_events(other)) == 1
