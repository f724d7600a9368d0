"""The smallest working site as the README shows it: only a ServerName, no WxPayPublicURL."""

from .shop import GATEWAY, MERCHANT, PATHS
from .web import Web

BASE = MERCHANT.replace("WxPayPublicURL  ${PUBLIC}\n", "") + GATEWAY + PATHS


def test_server_name_alone(new_shop):
    shop = new_shop(base=BASE, public="https://shop.example")
    made = shop.create(1990)
    assert made["pay_url"].startswith("https://shop.example/wxpay/pay/")
    buyer = shop.buyer(made)
    assert buyer.page().status == 200
    assert buyer.code_url()
    shop.pay(made["out_trade_no"])
    assert shop.wait_state(made["out_trade_no"], "PAID")
    assert buyer.state().json()["state"] == "paid"


def test_page_on_another_name_or_scheme_moves(new_shop):
    shop = new_shop(base=BASE, public="https://shop.example")
    path = shop.create(1990)["pay_url"][len("https://shop.example"):]
    for other in ("https://www.shop.example", "http://shop.example"):
        tls = other.startswith("https:")
        web = Web(other, connect=("127.0.0.1", shop.httpd.tls_port if tls else shop.httpd.port),
                  ca=shop.httpd.authority.ca if tls else None)
        answer = web.get(path)
        assert answer.status == 302 and answer.header("Location") == \
            "https://shop.example" + path + "?moved=1"
        assert web.get(path + "?moved=1").status == 200  # no loop behind a proxy


def test_errors_are_not_kept_and_name_what_is_allowed(new_shop):
    shop = new_shop(base=BASE, public="https://shop.example")
    path = shop.create(1990)["pay_url"][len("https://shop.example"):]
    early = shop.web().get(path + "/qr.svg")
    assert early.status == 404 and early.headers.get_all("Cache-Control") == ["no-store"]
    for target, allow in ((path, "GET, HEAD, POST"), (path + "/state", "GET, HEAD")):
        answer = shop.web().request("PUT", target, b"x")
        assert answer.status == 405 and answer.header("Allow") == allow
    state = shop.web().get(path + "/state")
    assert state.headers.get_all("Cache-Control") == ["private, no-cache"]
