"""The demo's journey without a browser: buy, see the code, pay on the phone, PAID."""

import time

from httpd.buyer import Buyer
from httpd.shop import CHECKOUT_PATH


def expect(truth, *said):
    if not truth:
        raise AssertionError(" ".join(map(str, said)))


def wait_shop(demo, web, number):
    """Until the shop's own page says so: it may have to be told first."""
    deadline = time.monotonic() + 5
    while True:
        page = web.get(demo.shop.order_path(number), {"Accept-Language": "en"})
        if page.status == 200 and demo.shop.paid_mark in page.text:
            return
        expect(time.monotonic() < deadline, "the shop does not see it as paid:", page)
        time.sleep(0.05)


def journey(demo):
    """Returns the order's number; AssertionError says what went wrong."""
    web = demo.site.web()
    front = web.get("/")
    expect(front.status == 200 and "龙井茶" in front.text, "the shop does not open:", front)

    bought = web.post(*demo.shop.buy)
    pay_url = bought.header("Location", "")
    expect(bought.status == 303 and pay_url.startswith(demo.url + CHECKOUT_PATH + "/"),
           "buying does not lead to the payment page:", bought, pay_url)
    number = demo.shop.bought()[0][0]

    buyer = Buyer(web, pay_url)
    page = buyer.page()
    expect(page.status == 200, "the payment page does not open:", page)
    expect(buyer.token, "the payment page has no form with a CSRF token:", page)
    code_url = buyer.code_url()
    expect(code_url.startswith("weixin://"), "this is no code to scan:", code_url)
    qr = buyer.qr()
    expect(qr.status == 200 and qr.header("Content-Type", "").startswith("image/svg+xml"),
           "no QR code:", qr)

    paid = demo.gateway.pay(code_url=code_url, wait=True)
    expect(paid["answer"]["accepted"], "the notification was not answered SUCCESS:",
           paid["answer"])
    buyer.wait_paid()

    row = demo.site.row(number)
    order = demo.site.ledger(number)
    expect(row and row["state"] == "PAID", "not PAID in the store:", row)
    expect(order["state"] == "SUCCESS", "not paid at the simulator:", order)
    expect(row["transaction_id"] == order["payment"]["transaction_id"]
           and row["total_fee"] == order["payment"]["total_fee"] == 1990,
           "store and simulator disagree:", row, order["payment"])
    wait_shop(demo, web, number)
    demo.httpd.check_log()
    return number
