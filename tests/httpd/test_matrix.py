"""The core journey under every MPM, over HTTP/1.1 and HTTP/2, with and without TLS."""

import pytest

from .api import ApiError
from .h2 import Http2Web
from .notices import accepted, payment, transaction
from .shop import NOTIFY_PATH
from .web import Web

# name: (public URL, further options of the site, its clients)
WAYS = {
    "h1-plain": ("http://127.0.0.1:{port}", {"tls": False}, Web),
    "h1-tls": ("https://shop.example:{tls_port}", {}, Web),
    "h2-plain": ("http://127.0.0.1:{port}", {"tls": False}, Http2Web),
    "h2-tls": ("https://shop.example:{tls_port}", {}, Http2Web),
}


@pytest.fixture(params=WAYS)
def site(request, new_shop, mpm):
    if mpm == "prefork" and request.param.startswith("h2"):
        pytest.skip("mod_http2 needs threads")
    public, options, client = WAYS[request.param]
    shop = new_shop(mpm=mpm, public=public, **options)
    shop.client = client
    return shop


def test_the_core_journey(site):
    # A backend makes an order; the same again is the same one.
    made = site.create(1990, body="西湖龙井", attach="a & b")
    number = made["out_trade_no"]
    assert made["state"] == "NEW" and made["pay_url"].startswith(site.public + "/wxpay/pay/")
    again = site.api.create(number, 1990, "西湖龙井", attach="a & b")
    assert again["pay_url"] == made["pay_url"]
    with pytest.raises(ApiError) as other:
        site.api.create(number, 1991, "西湖龙井", attach="a & b")
    assert other.value.response.status == 409

    # Its buyer opens the page, and the code.
    buyer = site.buyer(made)
    page = buyer.page()
    assert page.status == 200 and "西湖龙井" in page.text and "¥19.90" in page.text
    code = buyer.code_url()
    assert buyer.qr().header("Content-Type").startswith("image/svg+xml")
    state = buyer.state()
    assert state.json()["state"] == "payable"
    assert buyer.state(state.header("ETag")).status == 304

    # The phone pays; the page turns; the backend sees it, and sees it again after asking WeChat.
    paid = site.gateway.pay(code_url=code, mch_id=site.merchant.mch_id, wait=True)
    assert paid["answer"]["accepted"], paid
    assert buyer.state(state.header("ETag")).json()["state"] == "paid"
    assert site.api.get(number)["state"] == site.api.refresh(number)["state"] == "PAID"
    assert site.row(number)["transaction_id"] == site.ledger(number)["payment"]["transaction_id"]


def noticed(site):
    """Protocol and verdict of each notification, of the access log (which lags behind a little)."""
    return [(line["protocol"], line["verdict"]) for line in site.httpd.access()
            if line["uri"] == NOTIFY_PATH]


def test_a_notification_and_its_copy(site):
    number = site.payable(880)[0]["out_trade_no"]
    body = payment(site.merchant, number, 880, transaction(1))
    protocol = "HTTP/2.0" if site.client is Http2Web else "HTTP/1.1"
    assert accepted(site.notify_raw(body)) and accepted(site.notify_raw(body))
    site.gateway.wait(lambda _: len(noticed(site)) == 2)
    assert sorted(noticed(site)) == [(protocol, "duplicate"), (protocol, "paid")]
    assert site.row(number)["state"] == "PAID"


def test_json_and_closing(site):
    number = site.number()
    made = site.api.post_order({"out_trade_no": number, "total_fee": 1, "body": "x",
                                "trade_type": "NATIVE"}, as_json=True)
    assert made.status == 201 and made.json()["code_url"].startswith("weixin://"), made
    assert site.api.close(number)["state"] == "CLOSED"
    assert site.ledger(number)["state"] == "CLOSED"
    assert site.buyer(made.json()).state().json()["state"] == "closed"
    unknown = site.api.request("GET", "/orders/NEVER1")
    assert unknown.status == 404 and unknown.json()["status"] == 404
