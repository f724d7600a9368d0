"""The way to the gateway: through WxPayGatewayProxy or straight, whatever the environment says."""

import pytest

from .proxy import Proxy

NOWHERE = {name: "http://127.0.0.1:1/" for name in ("http_proxy", "https_proxy", "HTTPS_PROXY",
                                                   "all_proxy", "ALL_PROXY")}
ORDER = {"total_fee": 1990, "trade_type": "NATIVE"}


@pytest.fixture
def proxy():
    with Proxy() as running:
        yield running


def test_every_call_goes_through_the_proxy(new_shop, proxy):
    shop = new_shop(conf="WxPayGatewayProxy %s\n" % proxy.url,
                    env={**NOWHERE, "no_proxy": "*", "NO_PROXY": "*"})
    order = shop.create(**ORDER)
    assert order["code_url"]
    shop.pay(order["out_trade_no"])
    assert shop.api.refresh(order["out_trade_no"])["state"] == "PAID"
    gateway = shop.gateway.gateway.removeprefix("https://")
    assert proxy.asked
    for head in proxy.asked:
        assert head.startswith("CONNECT %s HTTP/1.1\r\n" % gateway)
        assert "Content-Type" not in head and "mch_id" not in head
    # A tunnel is kept as a connection is.
    before = len(proxy.asked)
    for _ in range(5):
        shop.create(**ORDER)
    assert len(proxy.asked) <= before + 2


def test_without_a_proxy_the_environment_counts_for_nothing(new_shop):
    shop = new_shop(env=NOWHERE)
    assert shop.create(**ORDER)["code_url"]


def test_a_proxy_that_refuses_has_sent_nothing(new_shop, proxy):
    shop = new_shop(conf="WxPayGatewayProxy %s\n" % proxy.url)
    proxy.refuse = 403
    shop.httpd.allow_log("unifiedorder of .* net: .*403")
    response = shop.api.post_order({"out_trade_no": shop.number(), "body": "Tea", **ORDER})
    assert response.status == 504, response
    assert response.json()["code"] == "gateway_unreachable"
    assert not shop.httpd.log.find("outcome unknown")
    proxy.refuse = None
    assert shop.create(**ORDER)["code_url"]


def test_a_stranger_behind_the_proxy_gets_nothing(new_shop, proxy, authority):
    shop = new_shop(conf="WxPayGatewayProxy %s\nWxPayGatewayCAFile %s\n" % (
        proxy.url, authority.ca))
    shop.httpd.expect_log("WXP0501: unifiedorder of .* net: .*certificate")
    response = shop.api.post_order({"out_trade_no": shop.number(), "body": "Tea", **ORDER})
    assert (response.status, response.json()["code"]) == (504, "gateway_unreachable")
    assert not shop.httpd.log.find("outcome unknown")


def test_a_proxy_that_is_not_there(new_shop, proxy):
    proxy.close()
    shop = new_shop(conf="WxPayGatewayProxy %s\n" % proxy.url)
    shop.httpd.allow_log("unifiedorder of .* net: .*connect")
    response = shop.api.post_order({"out_trade_no": shop.number(), "body": "Tea", **ORDER})
    assert response.status == 504, response
    assert not shop.httpd.log.find("outcome unknown")
