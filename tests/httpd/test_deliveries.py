"""The site's application is told what happened to orders, until it says 2xx."""

import json
import os
import random
import signal
import socket
import threading
import time

import pytest

from .notices import accepted, at_once, payment, transaction
from .receiver import KEY, Receiver

DOWN = "WXP0601: deliveries to"


def told(new_shop, url, conf="", types="", **options):
    """A shop whose application at `url` is told."""
    shop = new_shop(start=False, conf="WxPayDeliverTo %s %s\nWxPayDeliverKey "
                    "file:${ROOT}/conf/wxpay/deliver.key\n%s" % (url, types, conf), **options)
    shop.httpd.write("conf/wxpay/deliver.key", KEY + "\n", 0o600)
    shop.httpd.write("conf/wxpay/slow.key", KEY[:32] + "\n", 0o600)
    return shop.start()


@pytest.fixture
def receiver():
    with Receiver() as made:
        yield made


def bought(shop, total_fee=1990, **more):
    """The number of a paid order."""
    order, _ = shop.payable(total_fee, **more)
    number = order["out_trade_no"]
    assert shop.pay(number)
    return number


def events(shop, number):
    return shop.api.get(number)["deliveries"]


def wait_events(shop, number, condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition(found := events(shop, number)):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


def delivered(found):
    return found and found[0]["state"] == "delivered"


def test_paid_orders_are_told_once_with_the_facts(new_shop, mpm, receiver):
    shop = told(new_shop, receiver.url + "?shop=1", mpm=mpm)
    number = bought(shop, attach="cart=7")
    [one] = receiver.wait(number)
    assert one.path == "/paid?shop=1"
    assert one.signed_with(KEY)
    assert abs(int(one.headers["webhook-timestamp"]) - time.time()) < 60
    assert one.headers["Content-Type"] == "application/json"
    assert one.event["type"] == "order.paid"
    data = one.event["data"]
    ledger = shop.ledger(number)
    assert (data["state"], data["total_fee"], data["fee_type"]) == ("PAID", 1990, "CNY")
    assert (data["attach"], data["transaction_id"]) == ("cart=7", ledger["payment"]["transaction_id"])
    [event] = wait_events(shop, number, delivered)
    assert (event["id"], event["type"]) == (one.id, "order.paid")
    assert [entry["status"] for entry in event["tries"]] == [204]
    time.sleep(1.2)  # a look of the singleton later
    assert len(receiver.of(number)) == 1


def test_nothing_else_is_told_unless_asked_for(new_shop, receiver):
    shop = told(new_shop, receiver.url)
    number = shop.create()["out_trade_no"]
    shop.api.close(number)
    wait_events(shop, number, lambda found: found and found[0]["state"] == "unwanted")
    paid = bought(shop)
    receiver.wait(paid)
    assert not receiver.of(number)


def test_closed_orders_are_told_to_those_who_asked(new_shop, receiver):
    shop = told(new_shop, receiver.url, types="order.paid order.closed")
    number = shop.create()["out_trade_no"]
    shop.api.close(number)
    [one] = receiver.wait(number)
    assert (one.event["type"], one.event["data"]["state"]) == ("order.closed", "CLOSED")


def test_an_application_that_fails_is_told_again(new_shop, receiver):
    answers = [500, 302, 404, 200]
    receiver.answer = lambda delivery: answers.pop(0)
    shop = told(new_shop, receiver.url)
    shop.httpd.expect_log(DOWN)
    number = bought(shop)
    for count in (1, 2, 3):
        tries = receiver.wait(number, count)
        wait_events(shop, number, lambda found, count=count: len(found[0]["tries"]) == count)
        shop.httpd.hurry()
    tries = receiver.wait(number, 4)
    assert len({one.id for one in tries}) == 1
    assert len({one.body for one in tries}) == 1
    assert all(one.signed_with(KEY) for one in tries)
    [event] = wait_events(shop, number, delivered)
    assert [entry["status"] for entry in event["tries"]] == [500, 302, 404, 200]
    # Told once, whatever goes wrong meanwhile, and once more when it is over.
    assert len(shop.httpd.log.find(DOWN)) == 1
    assert len(shop.httpd.log.wait_for("WXP0602: deliveries to .* arrive again")) == 1


def slowly(handler):
    time.sleep(10)
    handler.send_response(200)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def endlessly(handler):
    handler.send_response(200)
    handler.end_headers()
    for _ in range(4000):
        handler.wfile.write(b"x" * 65536)


def cut(handler):
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def redirect(handler):
    handler.send_response(301)
    handler.send_header("Location", "http://127.0.0.1:1/")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


@pytest.mark.parametrize("answer, words", [
    (cut, "."), (endlessly, "."), (redirect, "redirect"), (lambda h: h.send_error(401), "login"),
    (lambda h: h.send_error(404), "404")], ids=["cut", "endless", "redirect", "login", "absent"])
def test_no_such_answer_counts(new_shop, receiver, answer, words):
    receiver.answer = lambda delivery: answer
    shop = told(new_shop, receiver.url)
    shop.httpd.expect_log(DOWN + ".*" + words)
    number = bought(shop)
    receiver.wait(number)
    [event] = wait_events(shop, number, lambda found: found[0]["tries"])
    assert event["state"] == "pending" and event["next_at"]
    receiver.answer = lambda delivery: 200
    shop.httpd.hurry()
    wait_events(shop, number, delivered)


def test_a_slow_application_is_waited_for_and_delays_nobody(new_shop, receiver):
    """200 after ten seconds is a yes; WeChat and everybody else are answered meanwhile."""
    receiver.answer = lambda delivery: slowly
    shop = told(new_shop, receiver.url)
    begun = time.monotonic()
    first = bought(shop)
    with Receiver() as quick:
        assert accepted(shop.notify_raw(payment(
            shop.merchant, shop.create(100, trade_type="NATIVE")["out_trade_no"], 100,
            transaction(7))))
        assert time.monotonic() - begun < 9, "it was waited for"
        assert not quick.deliveries
    [event] = wait_events(shop, first, delivered, 20)
    assert [entry["status"] for entry in event["tries"]] == [200]
    assert event["tries"][0]["ms"] >= 10000


def test_nobody_is_there(new_shop):
    with Receiver() as gone:
        url = gone.url
    shop = told(new_shop, url)
    shop.httpd.expect_log(DOWN)
    number = bought(shop)
    [event] = wait_events(shop, number, lambda found: found[0]["tries"])
    assert "error" in event["tries"][0]


def test_a_stranger_is_told_nothing(new_shop, gateway, authority):
    with Receiver(authority=authority) as receiver:
        shop = told(new_shop, receiver.url)
        shop.httpd.expect_log(DOWN + ".*[Cc]ertificate.*WxPayDeliverCAFile")
        number = bought(shop)
        wait_events(shop, number, lambda found: found[0]["tries"])
        assert not receiver.deliveries


def test_https_with_a_ca_of_its_own(new_shop, authority):
    with Receiver(authority=authority) as receiver:
        url = receiver.url.replace("127.0.0.1", "localhost")
        shop = told(new_shop, url, "WxPayDeliverCAFile %s\n" % authority.ca)
        number = bought(shop)
        assert receiver.wait(number)[0].signed_with(KEY)


def test_two_keys_sign_while_they_change_over(new_shop, receiver):
    new = "whsec_" + "bmV3LW5ldy1uZXctbmV3LW5ldy1uZXctbmV3"
    shop = told(new_shop, receiver.url)
    shop.httpd.write("conf/wxpay/deliver.key", new + "\n", 0o600)
    shop.httpd.write("conf/wxpay/old.key", KEY + "\n", 0o600)
    conf = (shop.httpd.root / "conf/site.conf").read_text()
    shop.httpd.set_conf(conf.replace("deliver.key\n", "deliver.key file:${ROOT}/conf/wxpay/old.key\n"))
    assert shop.httpd.graceful()[0] == 0
    [one] = receiver.wait(bought(shop))
    assert one.signed_with(KEY) and one.signed_with(new)


def test_restart_and_killed_child_with_no_traffic_afterwards(new_shop, receiver):
    receiver.answer = lambda delivery: 503
    shop = told(new_shop, receiver.url)
    shop.httpd.allow_log(DOWN)
    number = bought(shop)
    first = receiver.wait(number)[0]
    wait_events(shop, number, lambda found: found[0]["tries"])
    os.kill(random.choice(shop.httpd.children()), signal.SIGKILL)
    shop.httpd.restart()
    receiver.answer = lambda delivery: 200
    shop.httpd.hurry()
    assert receiver.wait(number, 2)[1].id == first.id
    deadline = time.monotonic() + 10
    while shop.httpd.rows("SELECT * FROM events WHERE state <> 'delivered'"):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_graceful_restart_loses_no_event(new_shop, mpm, receiver):
    """Three wait for their next try and one is under way: each arrives, under the id it had."""
    over = threading.Event()
    receiver.answer = lambda delivery: 503
    shop = told(new_shop, receiver.url, mpm=mpm)
    shop.httpd.expect_log(DOWN)
    numbers = [bought(shop) for _ in range(3)]
    for number in numbers:
        wait_events(shop, number, lambda found: found[0]["tries"])
    shop.httpd.change("UPDATE events SET next_at = next_at + 60000000")  # not while we look on
    receiver.answer = lambda delivery: (lambda handler: over.wait(20))
    numbers.append(bought(shop))
    receiver.wait(numbers[-1])
    assert shop.httpd.graceful()[0] == 0
    over.set()
    receiver.answer = lambda delivery: 200
    # The old generation did not wait for it: whoever did not hear its end tells it again.
    assert shop.httpd.change("UPDATE events SET lease_until = 1 WHERE lease_owner IS NOT NULL") == 1
    shop.httpd.hurry()
    ids = {}
    for number in numbers:
        [event] = wait_events(shop, number, delivered)
        ids[number] = {event["id"]}
        first, second = receiver.of(number)
        assert (first.id, first.body) == (second.id, second.body)
    assert receiver.accepted() == ids  # whoever remembers an id does everything once


def test_a_try_that_died_with_its_process_is_made_again(new_shop, receiver):
    """Killed while the application thinks: the lease runs out, and the same event comes again."""
    over = threading.Event()
    receiver.answer = lambda delivery: (lambda handler: over.wait(20))
    shop = told(new_shop, receiver.url)
    number = bought(shop)
    first = receiver.wait(number)[0]
    for child in shop.httpd.children():
        os.kill(child, signal.SIGKILL)
    over.set()
    receiver.answer = lambda delivery: 200
    # Whoever looks too early finds the lease of the dead and leaves it.
    shop.httpd.change("UPDATE events SET lease_until = 1")
    again = receiver.wait(number, 2, 15)[1]
    assert (again.id, again.body) == (first.id, first.body)


def test_three_hundred_orders_and_an_application_that_fails_at_random(new_shop, receiver):
    dice, lock = random.Random(7), threading.Lock()

    def answer(_):
        with lock:
            return 500 if dice.random() < 0.3 else 200
    receiver.answer = answer
    shop = told(new_shop, receiver.url)
    shop.httpd.allow_log(DOWN)
    numbers = at_once(lambda _: shop.create(100, trade_type="NATIVE")["out_trade_no"],
                      range(300), 4)
    answers = at_once(lambda pair: shop.notify_raw(payment(shop.merchant, pair[1], 100,
                                                           transaction(pair[0]))),
                      list(enumerate(numbers)), 8)
    assert all(accepted(one) for one in answers)
    deadline = time.monotonic() + 90
    while left := shop.httpd.rows("SELECT id FROM events WHERE state <> 'delivered'"):
        assert time.monotonic() < deadline, len(left)
        shop.httpd.hurry()
        time.sleep(0.3)
    done = receiver.accepted()
    assert set(done) == set(numbers)
    ids = {row["out_trade_no"]: {row["id"]} for row in shop.httpd.rows(
        "SELECT id, out_trade_no FROM events")}
    assert done == ids  # one id each, and no other was ever made


@pytest.mark.parametrize("spelt", [str, lambda url: url.replace("http://127.0.0.1", "HTTP://LocalHost")],
                         ids=["as usual", "in capitals"])
def test_a_script_that_the_virtual_host_alone_names_is_told(new_shop, receiver, spelt):
    """Merchant and site are the main server's, which the virtual host inherits."""
    shop = new_shop(start=False, vhost="WxPayDeliverTo %s\nWxPayDeliverKey "
                    "file:${ROOT}/conf/wxpay/deliver.key\n" % spelt(receiver.url))
    shop.httpd.write("conf/wxpay/deliver.key", KEY + "\n", 0o600)
    shop.start()
    number = bought(shop)
    wait_events(shop, number, delivered)
    receiver.wait(number)
    [event] = events(shop, number)
    assert shop.api.resend(number, event["id"]).status == 202
    receiver.wait(number, 2)


def elsewhere(shop, number, site="https://gone.example"):
    """An event of a site that no server is any more."""
    shop.httpd.change(
        "INSERT INTO events (id, mch_id, out_trade_no, site, type, created_at, body, state, next_at) "
        "VALUES (?, ?, ?, ?, 'order.paid', ?, ?, 'pending', 1)", "evt_" + number,
        shop.merchant.mch_id, number, site, int(time.time() * 1e6),
        json.dumps({"type": "order.paid", "data": {"out_trade_no": number}}))


@pytest.mark.parametrize("sub", [False, True])
def test_whose_events_a_site_inherits(new_shop, receiver, sub):
    """Those of the merchant's former site; but not another sub-merchant's of the same provider."""
    shop = told(new_shop, receiver.url, "WxPaySubMchId 1900000110\n" if sub else "")
    shop.create(1)
    elsewhere(shop, "FORMER1")
    if sub:
        time.sleep(2.5)
        assert not receiver.of("FORMER1")
        assert shop.httpd.rows("SELECT state, tries FROM events") == [{"state": "pending", "tries": 0}]
    else:
        receiver.wait("FORMER1")


def test_a_hanging_application_holds_up_no_other_site(new_shop, receiver):
    over = threading.Event()
    with Receiver(lambda delivery: (lambda handler: over.wait(30))) as hanging:
        shop = told(new_shop, receiver.url, """
<VirtualHost 127.0.0.1:${PORT}>
ServerName slow.example
WxPayAppId wx8888888888888888
WxPayMchId 1900000109
WxPayKey file:${ROOT}/conf/wxpay/slow.key
WxPayApiKey file:${ROOT}/conf/wxpay/site.key
WxPayPublicURL https://slow.example
WxPayDeliverTo %s
</VirtualHost>
""" % hanging.url, public="https://shop.example:{tls_port}")
        # The slow site's queue, as it would be after a busy hour.
        number = bought(shop)
        receiver.wait(number)
        row = shop.httpd.rows("SELECT * FROM events")[0]
        body = json.loads(row["body"])
        for n in range(60):
            body["data"]["out_trade_no"] = "S%d" % n
            shop.httpd.change(
                "INSERT INTO events (id, mch_id, out_trade_no, site, type, created_at, body, "
                "state, next_at) VALUES (?, '1900000109', ?, 'https://slow.example', "
                "'order.paid', ?, ?, 'pending', 1)", "evt_slow%d" % n, "S%d" % n,
                row["created_at"], json.dumps(body))
        deadline = time.monotonic() + 10
        while not hanging.deliveries:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        begun = time.monotonic()
        receiver.wait(bought(shop), seconds=5)
        assert time.monotonic() - begun < 10
        assert len(hanging.deliveries) <= 8 * len(shop.httpd.children())
        over.set()
        shop.httpd.allow_log(DOWN)


def test_an_event_that_nobody_wanted_is_never_sent_by_surprise(new_shop, receiver):
    shop = new_shop()
    number = bought(shop)
    assert [event["state"] for event in events(shop, number)] == ["unwanted"]
    shop.httpd.write("conf/wxpay/deliver.key", KEY + "\n", 0o600)
    conf = (shop.httpd.root / "conf/site.conf").read_text()
    shop.httpd.set_conf(conf + "WxPayDeliverTo %s\n" % receiver.url)
    assert shop.httpd.graceful()[0] == 0
    later = bought(shop)
    receiver.wait(later)
    time.sleep(1.5)
    assert not receiver.of(number)
    # But it can be sent on purpose.
    [event] = events(shop, number)
    assert shop.api.resend(number, event["id"]).status == 202
    assert receiver.wait(number)[0].id == event["id"]


def test_resending(new_shop, receiver):
    shop = told(new_shop, receiver.url)
    number = bought(shop)
    receiver.wait(number)
    [event] = wait_events(shop, number, delivered)
    reply = shop.api.resend(number, event["id"])
    assert reply.status == 202 and reply.json()["deliveries"][0]["id"] == event["id"]
    assert len({one.id for one in receiver.wait(number, 2)}) == 1
    unknown = shop.api.resend(number, "evt_unknown")
    assert unknown.status == 404 and unknown.json()["code"] == "event_not_found"
    assert shop.api.resend(shop.number(), event["id"]).status == 404
    other = shop.create()["out_trade_no"]
    assert shop.api.resend(other, event["id"]).status == 404
    assert shop.api.request("GET", "/orders/%s/deliveries/%s/resend" % (
        number, event["id"])).status == 405


def test_orders_made_elsewhere_are_told_once_per_transaction(new_shop, receiver):
    shop = told(new_shop, receiver.url, "WxPayOrphans Deliver\n", types="order.paid order.orphan")
    body = payment(shop.merchant, "ELSEWHERE1", 1990, transaction(3), attach="cart")
    answers = at_once(lambda _: shop.notify_raw(body), range(8), 4)
    assert all(accepted(one) for one in answers)
    [one] = receiver.wait("ELSEWHERE1")
    assert one.event["type"] == "order.orphan" and one.signed_with(KEY)
    assert one.event["data"]["total_fee"] == 1990
    assert one.event["data"]["transaction_id"] == transaction(3)
    assert accepted(shop.notify_raw(body))
    time.sleep(1.2)
    assert len(receiver.of("ELSEWHERE1")) == 1
    # Not an order here, but what was told of it can be told again.
    assert shop.api.request("GET", "/orders/ELSEWHERE1").status == 404
    reply = shop.api.resend("ELSEWHERE1", one.id)
    assert reply.status == 202 and reply.json()["deliveries"][0]["type"] == "order.orphan"
    assert receiver.wait("ELSEWHERE1", 2)[1].id == one.id


def test_a_path_of_this_very_server(new_shop, receiver):
    """Over its own listener, under its public name, past its login, and to nobody else."""
    shop = new_shop(conf="WxPayDeliverTo /hooks/paid.php\n"
                         "<VirtualHost 127.0.0.1:${PORT}>\nServerName other.example\n"
                         "</VirtualHost>\n",
                    vhost="ProxyPass /hooks/ %s/\nProxyPreserveHost On\n"
                          "<Location />\nAuthType Basic\nAuthName x\nAuthUserFile /dev/null\n"
                          "Require valid-user\n</Location>\n"
                          "<Location /wxpay>\nRequire all granted\n</Location>\n"
                          % receiver.url.removesuffix("/paid"))
    number = bought(shop)
    [one] = receiver.wait(number)
    assert one.path == "/paid.php"
    assert one.headers["Host"] == "shop.example:%d" % shop.httpd.tls_port
    wait_events(shop, number, delivered)
    assert shop.web().post("/hooks/paid.php", one.body, {
        name: one.headers[name] for name in one.headers if name.startswith("webhook-")}).status == 404
    shop.httpd.expect_log(r"WXP0803: delivery not let in \(conflict\)")
    assert shop.web().get("/hooks/paid.php").status == 404
    assert len(receiver.of(number)) == 1
    dump = shop.httpd.dump("DUMP_WXPAY")
    assert ("https://shop.example:%d/hooks/paid.php at 127.0.0.1:%d, order.paid"
            % (shop.httpd.tls_port, shop.httpd.tls_port)) in dump
    assert "a key derived from the state directory's secret" in dump


def test_another_server_needs_the_same_key(new_shop, receiver):
    """Two that derive theirs, for a site of the same name, do not believe each other."""
    there = new_shop(public="https://shop.example", conf="""
WxPayDeliverTo /own.php
<Location "/hooks">
    WxPayVerifyDelivery On
    RequestHeader set X-WXPAY-PAID "%{WXPAY_PAID}e" env=WXPAY_PAID
</Location>
""", vhost="ProxyPass /hooks/ %s/\n" % receiver.url.removesuffix("/paid"))
    shop = new_shop(public="https://shop.example", conf="WxPayDeliverCAFile ${CA}\n"
                    "WxPayDeliverTo https://localhost:%d/hooks/paid\n" % there.httpd.tls_port)
    there.httpd.expect_log(r"WXP0803: delivery not let in \(sign\): the signature does not match: "
                           "the sender's WxPayDeliverKey is another one")
    shop.httpd.expect_log(DOWN + " localhost:.*404.*WxPayDeliverKey must be the same")
    number = bought(shop)
    [event] = wait_events(shop, number, lambda found: found[0]["tries"])
    assert event["tries"][0]["status"] == 404 and not receiver.deliveries
    for httpd in (there.httpd, shop.httpd):
        httpd.write("conf/wxpay/deliver.key", KEY + "\n", 0o600)
        httpd.set_conf((httpd.root / "conf/site.conf").read_text()
                       + "WxPayDeliverKey file:${ROOT}/conf/wxpay/deliver.key\n")
        assert httpd.graceful()[0] == 0
    shop.httpd.hurry()
    [one] = receiver.wait(number)
    assert (one.id, one.headers["X-WXPAY-PAID"]) == (event["id"], "1") and one.signed_with(KEY)
    wait_events(shop, number, delivered)
