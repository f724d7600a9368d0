"""The API v2 key changes while payments come in: none lost, none refused for good, none believed
that should not be. The same when the app id does. And httpd is restarted gracefully again and again
under load."""

import datetime
import http.client
import os
import pathlib
import threading
import time

from .notices import accepted, at_once, payment, refused, transaction
from .server import RUNNING, START_LIMIT
from .shop import Merchant, random_text


def until(seconds):
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def with_key(merchant, key):
    """The same merchant account, signing with another key."""
    other = Merchant(merchant.sign_type)
    other.appid, other.mch_id, other.key = merchant.appid, merchant.mch_id, key
    return other


class Rotation:
    """A shop whose key changes: `old` signs with the one before, `new` with the one after."""

    def __init__(self, shop):
        self.shop = shop
        self.old = with_key(shop.merchant, shop.merchant.key)
        self.new = with_key(shop.merchant, random_text(32))

    def at_the_gateway(self):
        """The merchant platform has the new key now."""
        self.shop.gateway.merchant(mch_id=self.new.mch_id, appid=self.new.appid,
                                   key=self.new.key)

    def at_the_shop(self, seconds=3600):
        """And so has httpd, which still knows the old one."""
        server = self.shop.httpd
        server.write("conf/wxpay/old.key", self.old.key + "\n", 0o600)
        server.write("conf/wxpay/api.key", self.new.key + "\n", 0o600)
        site = (server.root / "conf" / "site.conf").read_text()
        server.set_conf(site + "WxPayKeyPrevious file:${ROOT}/conf/wxpay/old.key until=%s\n"
                        % until(seconds))
        code, said = server.graceful()
        assert code == 0, said

    def paid_there(self, number, n):
        """The order is paid at the gateway, which tells nobody; the transaction."""
        self.shop.gateway.pay(number, mch_id=self.old.mch_id, notify=False,
                              transaction_id=transaction(n))
        return transaction(n)

    def genuine(self, merchant, total_fee, n):
        """(number, body) of a payment that was made, signed by old or new."""
        number = self.shop.number("R")
        self.shop.create(total_fee, out_trade_no=number, trade_type="NATIVE")
        return number, payment(merchant, number, total_fee, self.paid_there(number, n))


def deliver(shop, body, over, pause=0.1):
    """As WeChat: again until SUCCESS; how often it took, or None when `over` was set first."""
    tries = 0
    while not over.is_set():
        tries += 1
        try:
            if accepted(shop.notify_raw(body)):
                return tries
        except (OSError, http.client.HTTPException):
            pass
        over.wait(pause)
    return None


def test_rotation_under_load(new_shop, mpm):
    shop = new_shop(mpm=mpm)
    shop.httpd.allow_log("WXP030[12]")  # signed with the new key, before httpd has it
    rotation = Rotation(shop)
    notices = [rotation.genuine((rotation.old, rotation.new)[n // 6 % 2], 100, n)
               for n in range(120)]
    unpaid = [shop.create(100, trade_type="NATIVE")["out_trade_no"] for _ in range(20)]
    forged = [payment(rotation.old, number, 100, transaction(1000 + n))
              for n, number in enumerate(unpaid)]
    over, rotated, heard, believed = threading.Event(), threading.Event(), [], []

    def stream(part):
        for at, (_, body) in enumerate(part):
            if at == len(part) * 2 // 3:
                rotated.wait(30)  # what was signed before, and comes late
            heard.append(deliver(shop, body, over))
            time.sleep(0.02)

    def forge():
        while not over.wait(0.2):
            believed.extend(at_once(lambda body: accepted(shop.notify_raw(body)), forged, 4))

    threads = [threading.Thread(target=stream, args=(notices[part::6],)) for part in range(6)]
    for thread in threads:
        thread.start()
    try:
        time.sleep(0.5)
        rotation.at_the_gateway()
        time.sleep(0.5)
        rotation.at_the_shop()
        # From here on the old key is in the wrong hands, too.
        threads.append(threading.Thread(target=forge))
        threads[-1].start()
        rotated.set()
        deadline = time.monotonic() + 60
        while len(heard) < len(notices) and time.monotonic() < deadline:
            time.sleep(0.1)
    finally:
        over.set()
        rotated.set()
        for thread in threads:
            thread.join()
    assert len(heard) == len(notices) and all(heard)
    states = {row["out_trade_no"]: row["state"]
              for row in shop.httpd.rows("SELECT out_trade_no, state FROM orders")}
    assert {states[number] for number, _ in notices} == {"PAID"}
    assert believed and not any(believed) and {states[number] for number in unpaid} == {"PENDING"}
    told = shop.httpd.rows("SELECT type, out_trade_no FROM events")
    assert sorted(row["out_trade_no"] for row in told) == sorted(number for number, _ in notices)
    assert {row["type"] for row in told} == {"order.paid"}
    # Both ways were gone.
    verdicts = {row["verdict"] for row in shop.httpd.rows("SELECT verdict FROM notices")}
    assert verdicts == {"paid", "unconfirmed", "reconciled"}


def test_when_the_time_of_the_old_key_is_over(new_shop):
    shop = new_shop()
    rotation = Rotation(shop)
    number, early = rotation.genuine(rotation.old, 100, 1)
    second, late = rotation.genuine(rotation.old, 100, 2)
    rotation.at_the_gateway()
    rotation.at_the_shop(seconds=5)
    begun = time.monotonic()
    mark = shop.httpd.access_mark()
    assert refused(shop.notify_raw(early))
    assert shop.httpd.wait_access(mark)[0]["verdict"] == "unconfirmed"
    shop.wait_state(number, "PAID")
    assert shop.httpd.rows("SELECT verdict FROM notices ORDER BY verdict") == [
        {"verdict": "reconciled"}, {"verdict": "unconfirmed"}]
    time.sleep(max(0.0, 6 - (time.monotonic() - begun)))
    shop.httpd.expect_log("WXP0302: .*WxPayKeyPrevious, whose time is over$")
    assert refused(shop.notify_raw(late))
    time.sleep(0.3)
    assert shop.row(second)["state"] == "PENDING"
    assert shop.calls(second, "/pay/orderquery") == 0
    # Whoever still has the old key learns nothing from it any more.
    assert refused(shop.notify_raw(early))
    assert accepted(shop.notify_raw(payment(rotation.new, second, 100, transaction(2))))


def test_the_old_key_can_spoil_nothing(new_shop):
    """Not the amount, not a second payment, not an order that nobody knows, not a refund."""
    shop = new_shop(conf="WxPayOrphans Deliver\n")
    rotation = Rotation(shop)
    open_order = shop.create(1990, trade_type="NATIVE")["out_trade_no"]
    paid, body = rotation.genuine(rotation.old, 1990, 1)
    assert accepted(shop.notify_raw(body))
    rotation.at_the_gateway()
    rotation.at_the_shop()
    before = shop.httpd.rows("SELECT * FROM orders WHERE out_trade_no IN (?, ?)", open_order, paid)
    for bad in (payment(rotation.old, open_order, 1, transaction(7)),
                payment(rotation.old, open_order, 1990, transaction(7)),
                payment(rotation.old, open_order, 1990, transaction(7), sub_mch_id="1900000999"),
                payment(rotation.old, paid, 1990, transaction(8)),
                payment(rotation.old, paid, 1, transaction(1)),
                payment(rotation.old, shop.number("NOBODYS"), 5, transaction(9))):
        assert refused(shop.notify_raw(bad))
    time.sleep(0.5)
    after = shop.httpd.rows("SELECT * FROM orders WHERE out_trade_no IN (?, ?)", open_order, paid)
    unchanged = [name for name in before[0] if name != "rev"]
    assert [[row[name] for name in unchanged] for row in after] == \
        [[row[name] for name in unchanged] for row in before]
    assert len(shop.httpd.rows("SELECT id FROM events")) == 1
    assert accepted(shop.notify_raw(body))  # and the genuine one is still a duplicate


# -- the app id

class Move:
    """A shop that goes from one public account of its merchant number, `before`, to another."""

    def __init__(self, shop):
        self.shop = shop
        self.before = shop.merchant.appid
        self.after = Merchant().appid
        self.bound(self.before, self.after)

    def bound(self, *appids):
        """The app ids that the gateway takes from the merchant."""
        self.shop.gateway.merchant(mch_id=self.shop.merchant.mch_id, appids=appids,
                                   key=self.shop.merchant.key)

    def at_the_shop(self):
        conf = self.shop.httpd.conf_file
        conf.write_text(conf.read_text().replace("Define APPID " + self.before,
                                                 "Define APPID " + self.after))
        code, said = self.shop.httpd.graceful()
        assert code == 0, said
        self.shop.merchant.appid = self.after

    def opened_under(self, number):
        row, = self.shop.httpd.rows("SELECT appid FROM attempts WHERE gateway_no = ?", number)
        return row["appid"]


def test_orders_outlive_their_app_id(new_shop):
    shop = new_shop()
    move = Move(shop)
    told, asked, lost, unpaid = (shop.payable(100)[0]["out_trade_no"] for _ in range(4))
    move.at_the_shop()
    new = shop.payable(100)[0]["out_trade_no"]
    assert (move.opened_under(told), move.opened_under(new)) == (move.before, move.after)
    for number in (told, new):
        shop.pay(number)
        assert shop.row(number)["state"] == "PAID"
    # Of these the gateway is asked, and it knows them under the app id they were made with.
    move.bound(move.before)
    for number in (asked, lost):
        shop.pay(number, notify=False, wait=False)
    assert shop.api.refresh(asked)["state"] == "PAID"
    shop.httpd.hurry()
    shop.wait_state(lost, "PAID")
    assert shop.api.close(unpaid)["state"] == "CLOSED"
    assert shop.ledger(unpaid)["state"] == "CLOSED"
    verdicts = {row["gateway_no"]: row["verdict"] for row in shop.httpd.rows(
        "SELECT gateway_no, verdict FROM notices")}
    assert verdicts == {told: "paid", new: "paid", asked: "reconciled", lost: "reconciled"}


def test_an_app_id_of_before_vouches_for_no_other_order(new_shop):
    """Only for a number that was opened under it: not for a new one, nor for an unknown one."""
    shop = new_shop(conf="WxPayOrphans Deliver\n")
    move = Move(shop)
    old = shop.payable(100)[0]["out_trade_no"]
    move.at_the_shop()
    new = shop.payable(100)[0]["out_trade_no"]
    shop.httpd.expect_log("WXP0302: .*: appid is not the one of this merchant account")
    for number, appid in ((new, move.before), (shop.number("NOBODYS"), move.before),
                          (old, move.after), (old, Merchant().appid)):
        assert refused(shop.notify_raw(payment(shop.merchant, number, 100, transaction(1),
                                               appid=appid)))
    assert not shop.httpd.rows("SELECT * FROM notices")
    assert {shop.row(number)["state"] for number in (old, new)} == {"PENDING"}
    for _ in range(2):
        assert accepted(shop.notify_raw(payment(shop.merchant, old, 100, transaction(1),
                                                appid=move.before)))
    assert refused(shop.notify_raw(payment(shop.merchant, old, 100, transaction(1))))
    assert shop.row(old)["state"] == "PAID"


# -- graceful restarts

GRACEFULS = int(os.environ.get("WXPAY_GRACEFULS", "20"))  # 50 take a minute


def footprint(pid):
    """(resident KiB, open files) of a process; files that it opens for a moment don't count."""
    process = pathlib.Path("/proc/%d" % pid)
    status = dict(line.split(":", 1) for line in
                  (process / "status").read_text().splitlines() if ":" in line)
    return int(status["VmRSS"].split()[0]), min(open_files(process) for _ in range(3))


def open_files(process):
    time.sleep(0.02)
    return len(list((process / "fd").iterdir()))


def test_graceful_restarts_are_flat(new_shop):
    shop = new_shop()
    over, lost, rounds = threading.Event(), [], []

    def customer():
        while not over.is_set():
            number = shop.number("G")
            try:
                code = shop.buyer(shop.create(100, out_trade_no=number)).code_url(20)
                shop.gateway.pay(code_url=code, mch_id=None, notify=False,
                                 transaction_id="42" + number[-10:])
                body = payment(shop.merchant, number, 100, "42" + number[-10:])
                deliver(shop, body, threading.Event())
            except (AssertionError, OSError, http.client.HTTPException) as fault:
                lost.append(repr(fault))
            rounds.append(number)

    threads = [threading.Thread(target=customer) for _ in range(4)]
    for thread in threads:
        thread.start()
    sizes = []
    try:
        for n in range(GRACEFULS):
            begun, mark = time.monotonic(), shop.httpd.log.mark()
            assert shop.httpd.graceful(wait=False)[0] == 0
            # In the middle of a restart both are smaller.
            shop.httpd.log.wait_for(RUNNING, mark, START_LIMIT)
            time.sleep(max(0.1, 1.2 - (time.monotonic() - begun)))
            sizes.append(footprint(shop.httpd.process.pid))
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert not lost and len(rounds) > GRACEFULS
    unpaid = set(rounds) - {row["out_trade_no"] for row in shop.httpd.rows(
        "SELECT out_trade_no FROM orders WHERE state = 'PAID'")}
    assert not unpaid
    settled = sizes[3:]
    assert max(fds for _, fds in settled) == min(fds for _, fds in settled), sizes
    # A sanitizer keeps what was freed, and something of every module that was ever loaded.
    assert "WXPAY_PRELOAD" in os.environ \
        or settled[-1][0] <= settled[0][0] * 1.02 + 256, sizes
