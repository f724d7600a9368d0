"""The notify endpoint: every vector, every verdict with its answer and its traces, forgeries."""

import base64
import collections
import contextlib
import hashlib
import json
import re
import sqlite3
import time

import pytest

from gateway import xmlio

from .notices import accepted, at_once, payment, refused, transaction
from .preload import needed, preload
from .server import PROJECT
from .shop import NOTIFY_PATH, Merchant
from .web import Web

SUCCESS = b"<xml><return_code><![CDATA[SUCCESS]]></return_code>" \
          b"<return_msg><![CDATA[OK]]></return_msg></xml>"
FAIL = b"<xml><return_code><![CDATA[FAIL]]></return_code>" \
       b"<return_msg><![CDATA[FAIL]]></return_msg></xml>"
OPENID = "oUpF8uMEb4qRXf22hE3X68TekukE"
ON_FILE = "ORDER20240101000001"


def now():
    """time_end of a payment that was made just now."""
    return time.strftime("%Y%m%d%H%M%S", time.gmtime(time.time() + 8 * 3600))


def vectors(name, member):
    return json.loads((PROJECT / "tests/vectors" / name).read_text())[member]


PAYMENTS = vectors("v2-notifications.json", "notifications")
REFUNDS = vectors("v2-refund-notifications.json", "refund_notifications")


def body_of(vector):
    if "xml" in vector:
        return vector["xml"].encode()
    if "xml_b64" in vector:
        return base64.b64decode(vector["xml_b64"])
    recipe = vector["recipe"]
    body = (recipe["prefix"] + "".join(recipe["unit"].replace("{n}", str(n))
                                       for n in range(recipe["count"])) + recipe["suffix"]).encode()
    assert hashlib.sha256(body).hexdigest() == vector["xml_sha256"]
    return body


def merchant_of(vector):
    kind = vector.get("configured_sign_type", "auto")
    merchant = Merchant("MD5" if kind == "auto" else kind)
    merchant.key = vector["key"]
    facts = vector.get("merchant", {"appid": "wx0123456789abcdef", "mch_id": "1900000109"})
    merchant.appid, merchant.mch_id = facts["appid"], facts["mch_id"]
    return merchant


def grouped(wanted):
    """The vectors by what the module has to be configured with."""
    found = collections.defaultdict(list)
    for vector in wanted:
        merchant = merchant_of(vector)
        found[merchant.appid, merchant.mch_id, merchant.sign_type, merchant.key].append(vector)
    return list(found.values())


class Books:
    """The store's rows at one moment, which can be brought back as often as wanted."""

    TABLES = ("orders", "attempts", "events", "notices", "refunds")

    def __init__(self, server, **changes):
        self.server = server
        self.rows = {table: [tuple({**row, **{name: value for name, value in changes.items()
                                              if name in row}}.values())
                             for row in server.rows("SELECT * FROM " + table)]
                     for table in self.TABLES}

    def open(self):
        with contextlib.closing(sqlite3.connect(self.server.store_file, timeout=5)) as base, base:
            for table, rows in self.rows.items():
                base.execute("DELETE FROM " + table)
                for row in rows:
                    base.execute("INSERT INTO %s VALUES (%s)" % (table, ",".join("?" * len(row))),
                                 row)
        return self

    def changed(self, *tables):
        """Whether these tables hold anything else now."""
        return [table for table in tables if self.rows[table] != [
            tuple(row.values()) for row in self.server.rows("SELECT * FROM " + table)]]


def shop_of(new_shop, merchant, **options):
    shop = new_shop(merchant=merchant, **options)
    shop.httpd.allow_log("WXP0302|differs in|that was not made here|WXP0301")
    return shop


def order_on_file(shop, number=ON_FILE, total_fee=100):
    """Books with one open order of this number, made before the vectors' payments."""
    shop.payable(total_fee)
    made = 1704038400000000  # 2024-01-01 in Beijing
    return Books(shop.httpd, out_trade_no=number, gateway_no=number, created_at=made, sent_at=made)


# -- vectors

@pytest.mark.parametrize("group", grouped(PAYMENTS), ids=lambda g: g[0]["configured_sign_type"])
def test_payment_vectors_with_the_order_on_file(new_shop, group):
    shop = shop_of(new_shop, merchant_of(group[0]))
    books = order_on_file(shop)
    wrong = []
    for vector in group:
        books.open()
        answer = shop.notify_raw(body_of(vector))
        state = shop.row(ON_FILE)["state"]
        if vector["expect"] == "reject":
            right = answer.body == FAIL and state == "PENDING" and not books.changed("attempts")
        elif vector["paid"]:
            right = answer.body == SUCCESS and state == "PAID"
        else:
            right = answer.body == SUCCESS and not books.changed("orders", "attempts", "events")
        if answer.status != 200 or not right:
            wrong.append((vector["name"], answer, state))
    assert not wrong


@pytest.mark.parametrize("group", grouped(PAYMENTS), ids=lambda g: g[0]["configured_sign_type"])
@pytest.mark.parametrize("orphans", ["Deliver", "Refuse"])
def test_payment_vectors_without_an_order(new_shop, group, orphans):
    shop = shop_of(new_shop, merchant_of(group[0]), conf="WxPayOrphans %s\n" % orphans)
    shop.payable(100)  # the store is made by the first child that uses it
    books = Books(shop.httpd)
    wrong = []
    for vector in group:
        books.open()
        # What only an order on file could tell apart is an orphan here.
        authentic = vector["expect"] == "accept" or vector["name"] in (
            "amount larger than the order", "amount smaller than the order", "other currency",
            "amount overflowing 32 bits to the order's amount", "order number of another order")
        orphan = authentic and vector.get("paid", True)
        answer = shop.notify_raw(body_of(vector))
        wanted = authentic and (orphans == "Deliver" or not orphan)
        events = len(shop.httpd.rows("SELECT id FROM events WHERE type = 'order.orphan'"))
        if answer.body != (SUCCESS if wanted else FAIL) or books.changed("orders", "attempts") \
                or events != int(orphan and orphans == "Deliver"):
            wrong.append((vector["name"], answer, events))
    assert not wrong


@pytest.mark.parametrize("group", grouped(REFUNDS), ids=lambda g: g[0]["key"][:6])
def test_refund_vectors(new_shop, group):
    merchant = merchant_of(group[0])
    shop = shop_of(new_shop, merchant)
    books = order_on_file(shop)
    wrong = []
    for vector in group:
        books.open()
        answer = shop.notify_raw(xmlio.write({
            "return_code": "SUCCESS", "appid": merchant.appid, "mch_id": merchant.mch_id,
            "nonce_str": "n" * 32, "req_info": vector["req_info"]}))
        journal = [row["verdict"] for row in shop.httpd.rows("SELECT verdict FROM notices")]
        accept = vector["expect"] == "accept"
        if answer.body != (SUCCESS if accept else FAIL) or journal != ["refund"] * accept \
                or books.changed("orders", "attempts", "events", "refunds"):
            wrong.append((vector["name"], answer, journal))
    assert not wrong


def test_all_vectors_were_there():
    assert len(PAYMENTS) >= 105 and len(REFUNDS) >= 13


# -- verdicts

class Desk:
    """Sends notices of one order and looks at everything that they leave behind."""

    def __init__(self, shop):
        self.shop = shop
        self.order, _ = shop.payable(1990)
        self.number = self.order["out_trade_no"]
        self.count = 0

    def body(self, n=1, total_fee=1990, number=None, **more):
        return payment(self.shop.merchant, number or self.number, total_fee, self.reference(n),
                       **{"time_end": now(), **more})

    def reference(self, n=1):
        """A transaction of this desk's own."""
        return transaction(n) + self.number[-4:]

    def send(self, body, verdict, number=True, success=True, log=None):
        """One notice: its answer to the byte and its access log line. Its number may be another."""
        mark = self.shop.httpd.access_mark()
        if log:
            self.shop.httpd.expect_log(log)
        answer = self.shop.notify_raw(body)
        assert (answer.status, answer.body) == (200, SUCCESS if success else FAIL), answer
        assert answer.header("Content-Type") == "text/xml; charset=utf-8"
        assert answer.header("Content-Length") == str(len(answer.body))
        self.wait_line(mark, verdict, self.number if number is True else number or "-")
        return answer

    def wait_line(self, mark, verdict, number):
        """Waits for this line of the access log; those of requests before it may come late."""
        deadline = time.monotonic() + 3
        while not any((line["verdict"], line["out_trade_no"]) == (verdict, number)
                      for line in self.shop.httpd.access(mark)):
            assert time.monotonic() < deadline, (verdict, number, self.shop.httpd.access(mark))
            time.sleep(0.01)

    def journal(self, n=1):
        return self.shop.httpd.rows("SELECT verdict, reason, count, out_trade_no, gateway_no, "
                                    "body FROM notices WHERE ref = ?", self.reference(n))

    def events(self):
        return [(row["type"], row["state"]) for row in self.shop.httpd.rows(
            "SELECT type, state FROM events WHERE out_trade_no = ? ORDER BY created_at",
            self.number)]

    def row(self):
        return self.shop.row(self.number)


@pytest.fixture
def desk(shop):
    return Desk(shop)


def test_paid(desk):
    body = desk.body(openid="oPAIDBYTHISONE", time_end="20991231235959")
    desk.send(body, "paid")
    row = desk.row()
    assert (row["state"], row["transaction_id"]) == ("PAID", desk.reference())
    assert row["payer_openid"] == "oPAIDBYTHISONE" and row["paid_at"] == 4102415999000000
    assert (row["quarantined"], row["overpaid"], row["late"]) == (0, 0, 0)
    assert desk.events() == [("order.paid", "unwanted")]
    entry, = desk.journal()
    assert entry["body"] == (body if isinstance(body, str) else body.decode())
    assert (entry["verdict"], entry["count"]) == ("paid", 1)
    event, = desk.shop.httpd.rows("SELECT body FROM events WHERE out_trade_no = ?", desk.number)
    told = json.loads(event["body"])
    assert told["type"] == "order.paid" and told["data"]["total_fee"] == 1990
    assert told["data"]["state"] == "PAID"
    desk.shop.httpd.log.wait_for("number %s: paid" % desk.number)


def test_paid_without_fee_type_is_yuan(desk):
    desk.send(desk.body(fee_type=""), "paid")
    assert desk.row()["state"] == "PAID"


def test_duplicate(desk):
    desk.send(desk.body(), "paid")
    before = desk.row()
    for _ in range(3):
        desk.send(desk.body(), "duplicate")
    assert desk.row() == before and len(desk.events()) == 1
    # Counted with the next notice that the same process commits.
    deadline = time.monotonic() + 10
    while desk.journal()[0]["count"] < 4:
        assert time.monotonic() < deadline, desk.journal()
        assert accepted(desk.shop.notify_raw(desk.body(result_code="FAIL")))
    assert [(entry["verdict"], entry["count"]) for entry in desk.journal()] == [("paid", 4)]


@pytest.mark.parametrize("how", ["result_code", "return_code"])
def test_notpaid(desk, how):
    desk.send(desk.body(err_code="SYSTEMERROR", **{how: "FAIL"}), "notpaid")
    assert desk.row()["state"] == "PENDING" and not desk.events()
    assert len(desk.shop.httpd.rows("SELECT ref FROM notices WHERE ref = ? AND verdict = 'notpaid'",
                                    desk.number)) == 1
    desk.send(desk.body(), "paid")


def test_overpaid(desk):
    desk.send(desk.body(), "paid")
    desk.send(desk.body(n=2), "overpaid", log="order %s: paid twice" % desk.number)
    desk.send(desk.body(n=2), "overpaid")  # told once, answered every time
    row = desk.row()
    assert (row["state"], row["overpaid"]) == ("PAID", 1)
    assert row["transaction_id"] == desk.reference(1)
    assert desk.events() == [("order.paid", "unwanted"), ("order.overpaid", "unwanted")]
    entry, = desk.journal(2)
    assert (entry["verdict"], entry["count"]) == ("overpaid", 2)


def orphan(desk, success, log):
    number = desk.shop.number("NOBODYS")
    body = desk.body(number=number, total_fee=7)
    desk.send(body, "orphan", number, success, log)
    desk.send(body, "orphan", number, success)  # no second line
    entry, = desk.journal()
    assert (entry["verdict"], entry["count"], entry["gateway_no"]) == ("orphan", 2, number)
    assert desk.shop.row(number) is None
    return [row["type"] for row in desk.shop.httpd.rows(
        "SELECT type FROM events WHERE out_trade_no = ?", number)]


def test_orphan_refused(desk):
    assert not orphan(desk, False, "NOBODYS.* not made here")
    assert len(desk.shop.httpd.log.find("NOBODYS.* not made here")) == 1


def test_orphan_delivered(new_shop):
    desk = Desk(new_shop(conf="WxPayOrphans Deliver\n"))
    assert orphan(desk, True, None) == ["order.orphan"]


@pytest.mark.parametrize("reason, bent", [("total_fee", {"total_fee": 1}),
                                          ("total_fee", {"total_fee": 199000}),
                                          ("fee_type", {"fee_type": "JPY"}),
                                          ("sub_mch_id", {"sub_mch_id": "1900000999"})])
def test_quarantine(desk, reason, bent):
    for log in ("order %s: .* differs in %s" % (desk.number, reason), None):
        desk.send(desk.body(**bent), "quarantine", True, False, log)
    row = desk.row()
    assert (row["state"], row["quarantined"]) == ("PENDING", 1)
    assert desk.events() == [("order.quarantined", "unwanted")]
    entry, = desk.journal()
    assert (entry["verdict"], entry["reason"], entry["count"]) == ("quarantine", reason, 2)
    buyer = desk.shop.buyer(desk.order)
    assert buyer.view()["state"] == "checking" and "code_url" not in buyer.view()
    page = buyer.page().text
    assert 'name="csrf"' not in page and 'class="code"' not in page
    assert "the shop is checking" in page and "do not pay again" in page
    assert buyer.qr().status == 404


def test_refund(desk):
    desk.send(desk.body(), "paid")
    before = desk.row()
    answers = desk.shop.notify(desk.number, refund={"refund_fee": 500}, count=2)
    assert all(answer["accepted"] for answer in answers)
    assert desk.row() == before and len(desk.events()) == 1
    lines = [line for line in desk.shop.httpd.access() if line["verdict"] == "refund"]
    assert len(lines) >= 2
    found = desk.shop.httpd.rows("SELECT body FROM notices WHERE verdict = 'refund'")
    assert found and "req_info" in found[-1]["body"]


def test_another_attach_is_flagged_only(desk):
    desk.send(desk.body(attach="not the order's"), "paid")
    assert (desk.row()["state"], desk.row()["attach_differs"]) == ("PAID", 1)


@pytest.mark.parametrize("member", ["appid", "mch_id"])
def test_signed_with_our_key_but_not_ours(desk, member):
    desk.send(desk.body(**{member: "1900000999"}), "refused", False, False,
              "WXP0302: .*: %s is not the one of this merchant account" % member)
    assert desk.row()["state"] == "PENDING"


def test_refused(new_shop):
    desk = Desk(new_shop())
    stranger = Merchant()
    stranger.appid, stranger.mch_id = desk.shop.merchant.appid, desk.shop.merchant.mch_id
    desk.send(payment(stranger, desk.number, 1990, transaction(1)), "refused", False, False,
              r"WXP0302: .*\(sign\).* WxPayKey is not the merchant account's API v2 key")
    assert desk.row()["state"] == "PENDING" and not desk.shop.httpd.rows("SELECT * FROM notices")


def test_an_order_of_hmac_takes_no_md5(new_shop):
    """Also when the account goes back to MD5: what a notice must use is kept with the attempt."""
    desk = Desk(new_shop(sign_type="HMAC-SHA256"))
    weaker = desk.shop.merchant
    strong = desk.body()
    weaker.sign_type = "MD5"
    weak = desk.body()
    desk.send(weak, "refused", False, False, "WXP0302")
    desk.shop.httpd.conf_file.write_text(desk.shop.httpd.conf_file.read_text().replace(
        "Define SIGN_TYPE HMAC-SHA256", "Define SIGN_TYPE MD5"))
    assert desk.shop.httpd.graceful()[0] == 0
    desk.send(weak, "refused", False, False, "opened with HMAC-SHA256")
    desk.send(desk.body(number="NEW" + desk.number[3:]), "orphan", "NEW" + desk.number[3:], False,
              "not made here")
    assert desk.row()["state"] == "PENDING"
    desk.send(strong, "paid")


SECOND = """
<VirtualHost 127.0.0.1:${PORT}>
    ServerName second.example
    WxPayAppId      wx00000000000000aa
    WxPayMchId      1900000222
    WxPayKey        22222222222222222222222222222222
    WxPayPublicURL  https://second.example
    WxPayApiKey     a-key-of-the-second-site-22222222222
</VirtualHost>
"""


def test_the_vhost_of_another_merchant(new_shop):
    desk = Desk(new_shop(conf=SECOND))
    desk.shop.httpd.allow_log("WXP0126")
    second = Web("http://second.example", connect=("127.0.0.1", desk.shop.httpd.port))
    desk.shop.httpd.expect_log("WXP0302")
    other = Merchant()
    other.appid, other.mch_id, other.key = "wx00000000000000aa", "1900000222", "2" * 32
    # Each one's notice at the other's endpoint, and one that mixes both.
    assert second.post(NOTIFY_PATH, desk.body()).body == FAIL
    assert desk.shop.notify_raw(payment(other, desk.number, 1990, transaction(1))).body == FAIL
    other.appid, other.mch_id = desk.shop.merchant.appid, desk.shop.merchant.mch_id
    assert second.post(NOTIFY_PATH, payment(other, desk.number, 1990,
                                            transaction(1))).body == FAIL
    assert not desk.shop.httpd.rows("SELECT * FROM notices")
    # The other merchant's own number of the same name is another order: an orphan there.
    other.appid, other.mch_id = "wx00000000000000aa", "1900000222"
    desk.shop.httpd.expect_log("not made here")
    assert second.post(NOTIFY_PATH, payment(other, desk.number, 1990, transaction(1))).body == FAIL
    assert desk.row()["state"] == "PENDING"
    desk.send(desk.body(), "paid")


def test_the_gateway_repeats_until_it_hears_success(new_shop):
    shop = new_shop()
    shop.httpd.allow_log("WXP0303|store")
    order, _ = shop.payable(1990)
    number = order["out_trade_no"]
    with contextlib.closing(sqlite3.connect(shop.httpd.store_file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        begun = time.monotonic()
        assert not shop.pay(number)["answer"]["accepted"]
        assert time.monotonic() - begun < 3
        other.execute("ROLLBACK")
    shop.wait_state(number, "PAID")

    def note(gateway):
        found, = shop.ledger(number)["notifications"]
        return found["state"] == "acknowledged" and found
    tries = shop.gateway.wait(note)["tries"]
    assert len(tries) >= 2
    time.sleep(0.5)
    assert len(note(shop.gateway)["tries"]) == len(tries)
    assert len(shop.httpd.rows("SELECT id FROM events")) == 1


# -- logs

def test_openid_is_in_no_log(desk):
    """Not even of what is refused, quarantined or nobody's."""
    desk.shop.httpd.allow_log("WXP0302|differs in|not made here|paid twice")
    for body in (desk.body(), desk.body(), desk.body(n=2), desk.body(n=3, total_fee=5),
                 desk.body(number="NOBODYS"), desk.body(result_code="FAIL"),
                 desk.body(sign_type="HMAC-SHA256")):
        desk.shop.notify_raw(body)
    logs = b"".join(path.read_bytes() for path in (desk.shop.httpd.root / "logs").iterdir())
    assert OPENID.encode() not in logs and desk.number.encode() in logs


HANDFUL = 6  # three, and those that race with the beginning of the minute
A_MINUTE_LATER = r"""
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    tv->tv_sec = now.tv_sec + (access(getenv("LATER"), F_OK) == 0 ? 60 : 0);
    tv->tv_usec = now.tv_nsec / 1000;
    return 0;
}
"""


@needed
def test_a_thousand_forgeries_log_a_handful_of_lines(new_shop, tmp_path):
    """And the first one of a later minute says how many there were."""
    shop = new_shop(start=False)
    preload(shop.httpd, tmp_path, A_MINUTE_LATER, LATER=str(shop.httpd.root / "later"))
    shop.start()
    shop.httpd.allow_log("WXP0301|WXP0302")
    number = shop.payable(100)[0]["out_trade_no"]
    thief = Merchant()
    thief.appid, thief.mch_id = shop.merchant.appid, shop.merchant.mch_id
    bodies = [payment(thief, number, 100, transaction(n)) for n in range(1000)]
    left = 60 - time.time() % 60
    if left < 8:
        time.sleep(left)
    assert all(refused(answer) for answer in at_once(shop.notify_raw, bodies, 8))
    assert 3 <= len(shop.httpd.log.find("WXP030")) <= HANDFUL
    assert shop.row(number)["state"] == "PENDING"
    assert accepted(shop.notify_raw(payment(shop.merchant, number, 100, transaction(1),
                                            time_end=now())))
    shop.httpd.write("later", "")
    shop.notify_raw("<xml/>")
    more, = shop.httpd.log.find("WXP0301")
    assert 1000 - HANDFUL <= int(re.search(r"WXP0301: (\d+) more", more.text)[1]) <= 997
