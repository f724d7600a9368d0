"""GET /orders: a site's orders, page by page, and the QR code as PNG."""

import datetime
import re
import struct
import subprocess
import time
import urllib.parse

import pytest

from .notices import payment, transaction
from .test_api import problem


def numbers(page):
    return [order["out_trade_no"] for order in page["orders"]]


def rfc3339(seconds, zone=datetime.timezone.utc):
    text = datetime.datetime.fromtimestamp(seconds, zone).isoformat(timespec="seconds")
    return text.replace("+00:00", "Z")


@pytest.fixture
def five(new_shop):
    """A shop with five orders, and their numbers, newest first."""
    shop = new_shop()
    made = [shop.create()["out_trade_no"] for _ in range(5)]
    return shop, made[::-1]


def listed(shop, query="", **headers):
    return shop.api.request("GET", "/orders" + query, headers=headers)


# ---- pages

def test_nothing_yet(new_shop):
    shop = new_shop()
    assert shop.api.list() == {"orders": []}


def test_newest_first_and_as_one_by_one(five):
    shop, made = five
    shop.buyer(shop.api.get(made[2])).code_url()
    page = shop.api.list()
    assert numbers(page) == made
    alone = [shop.api.get(number) for number in made]
    for order in alone:
        assert order.pop("deliveries") == []  # what only the order alone tells
    assert page == {"orders": alone}
    assert page["orders"][2]["code_url"] and page["orders"][2]["attempts"]


def test_page_by_page(five):
    shop, made = five
    first = shop.api.list(limit=2)
    assert numbers(first) == made[:2]
    shop.create()  # shifts nothing
    second = shop.api.list(limit=2, after=first["next"])
    third = shop.api.list(limit=2, after=second["next"])
    assert numbers(second) + numbers(third) == made[2:]
    assert "next" not in third
    assert shop.api.list(limit=2, after=second["next"]) == third


def test_many(new_shop):
    shop = new_shop()
    made = [shop.create()["out_trade_no"] for _ in range(103)][::-1]
    assert numbers(shop.api.list()) == made[:20]
    page = shop.api.list(limit=100)
    assert numbers(page) + numbers(shop.api.list(after=page["next"])) == made


def test_numbers_with_special_characters(new_shop):
    shop = new_shop()
    for number in ("A|1", "a*b", "x_y-z"):
        shop.create(out_trade_no=number)
    seen, after = [], {}
    while True:
        page = shop.api.list(limit=1, **after)
        seen += numbers(page)
        if "next" not in page:
            break
        after = {"after": page["next"]}
    assert seen == ["x_y-z", "a*b", "A|1"]


# ---- filters

def test_state(five):
    shop, made = five
    shop.buyer(shop.api.get(made[1])).code_url()
    shop.buyer(shop.api.get(made[3])).code_url()
    shop.pay(made[3])
    shop.wait_state(made[3], "PAID")
    shop.api.close(made[0])
    for state, which in (("NEW", [2, 4]), ("PENDING", [1]), ("PAID", [3]), ("CLOSED", [0]),
                         ("EXPIRED", [])):
        page = shop.api.list(state=state)
        assert numbers(page) == [made[i] for i in which], state
    assert numbers(shop.api.list(state="NEW", limit=1)) == [made[2]]


def test_since(new_shop):
    shop = new_shop()
    old = shop.create()["out_trade_no"]
    time.sleep(1.1)
    now = int(time.time())
    new = shop.create()["out_trade_no"]
    china = datetime.timezone(datetime.timedelta(hours=8))
    for since, wanted in ((now - 60, [new, old]), (now, [new]), (now + 60, [])):
        assert numbers(shop.api.list(since=rfc3339(since))) == wanted
        assert numbers(shop.api.list(since=rfc3339(since, china))) == wanted


def test_flags(five):
    shop, made = five
    shop.httpd.expect_log("set aside")
    shop.buyer(shop.api.get(made[1])).code_url()
    shop.notify_raw(payment(shop.merchant, made[1], 1, transaction(1)))
    page = shop.api.list(flag="quarantined")
    assert numbers(page) == [made[1]] and page["orders"][0]["flags"] == ["quarantined"]
    assert numbers(shop.api.list(flag="quarantined", state="PAID")) == []
    for flag in ("overpaid", "attach_differs", "closing"):
        assert shop.api.list(flag=flag) == {"orders": []}


def test_closing(five):
    shop, made = five
    shop.buyer(shop.api.get(made[1])).code_url()
    with shop.behaviour(path="closeorder", out_trade_no=made[1], delay_ms=1500):
        answer = shop.api.request("POST", shop.api.order_path(made[1]) + "/close", b"",
                                  {"Prefer": "respond-async"})
        assert answer.status == 202, answer
        assert numbers(shop.api.list(flag="closing")) == [made[1]]


# ---- who may see what

def test_only_this_sites_orders(new_shop):
    shop = new_shop(conf="""
        <VirtualHost *:${PORT}>
            ServerName second.example
            WxPayPublicURL https://second.example
            <Location "/wxpay/api">
                Require local
            </Location>
        </VirtualHost>
        """)
    mine = shop.create()["out_trade_no"]
    other = shop.web("http://second.example").get(
        "/wxpay/api/orders", {"Authorization": "Bearer " + shop.merchant.api_key})
    assert (other.status, other.json()) == (200, {"orders": []})
    assert numbers(shop.api.list()) == [mine]
    # Nor does a cursor open a door.
    shop.create()
    after = shop.api.list(limit=1)["next"]
    other = shop.web("http://second.example").get(
        "/wxpay/api/orders?after=" + after, {"Authorization": "Bearer " + shop.merchant.api_key})
    assert other.json() == {"orders": []}


def test_it_needs_the_right_and_the_key(new_shop):
    shop = new_shop(conf="WxPayApiAllow create close\n")
    assert "query" in problem(listed(shop), 403, "not_allowed")["detail"]
    problem(listed(shop, Authorization="Bearer x"), 401, "unauthorized")
    problem(listed(shop, Origin="https://shop.example"), 403, "browser_refused")


def test_head(shop):
    shop.create()
    answer = shop.api.request("HEAD", "/orders")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.header("Content-Length")) > 100


# ---- bad input

@pytest.mark.parametrize("name,value", [
    ("state", ""), ("state", "paid"), ("state", "REFUNDED"), ("state", "PAID,NEW"),
    ("flag", ""), ("flag", "late"), ("flag", "Closing"),
    ("since", ""), ("since", "1795489200"), ("since", "2026-11-24"),
    ("since", "2026-11-24T03:05:00"), ("since", "2026-02-30T03:05:00Z"),
    ("limit", ""), ("limit", "0"), ("limit", "101"), ("limit", "-1"), ("limit", "1.0"),
    ("limit", "1 "), ("limit", "99999999999999999999"), ("limit", "x"),
    ("after", ""), ("after", "A1001"), ("after", "0" * 16), ("after", "f" * 18),
    ("after", "0" * 90), ("page", "2"), ("orders", "")])
def test_refused(shop, name, value):
    query = "?" + urllib.parse.urlencode({name: value})
    detail = problem(listed(shop, query), 422, "invalid_member", name)["detail"]
    assert name in detail


@pytest.mark.parametrize("query,field", [
    ("?limit=1&limit=2", "limit"), ("?state=PAID&st%61te=NEW", "state"), ("?limit=%zz", "limit")])
def test_malformed(shop, query, field):
    problem(listed(shop, query), 400, "malformed", field)


def test_the_store_is_away(new_shop):
    shop = new_shop()
    shop.create()
    shop.httpd.expect_log("store: .*")
    shop.httpd.store_file.rename(shop.httpd.store_file.with_suffix(".gone"))
    answer = listed(shop)
    problem(answer, 503, "store_unavailable")
    assert answer.header("Retry-After")


# ---- the code as PNG

def test_png(shop):
    order, code_url = shop.payable()
    answer = shop.buyer(order).request("GET", "/qr.png")
    assert (answer.status, answer.header("Content-Type")) == (200, "image/png")
    assert answer.header("Cache-Control") == "no-store"
    width, height, depth, colour = struct.unpack(">IIBB", answer.body[16:26])
    assert width == height >= 240 and (depth, colour) == (1, 0)
    place = shop.httpd.root / "code.png"
    place.write_bytes(answer.body)
    read = subprocess.run(["zbarimg", "-q", "--raw", "--nodbus", str(place)], capture_output=True,
                          text=True, check=False)
    assert read.stdout.strip() == code_url, read
    head = shop.buyer(order).request("HEAD", "/qr.png")
    assert (head.status, head.body) == (200, b"")


def test_no_png_without_a_code(shop):
    buyer = shop.buyer(shop.create())
    assert buyer.request("GET", "/qr.png").status == 404
    assert buyer.request("POST", "/qr.png").status == 405
    unknown = shop.buyer("/wxpay/pay/AAAAAAAAAAAAAAAAAAAAAA").request("GET", "/qr.png")
    assert unknown.status == 404 and re.search('data-page="not_found"', unknown.text)


def test_png_is_gone_when_it_is_paid(shop):
    order, _ = shop.payable()
    shop.pay(order["out_trade_no"])
    shop.wait_state(order["out_trade_no"], "PAID")
    assert shop.buyer(order).request("GET", "/qr.png").status == 404
