"""Service-provider mode: whose money it is stands in every request, and is looked at in every
notification."""

import pytest

from .notices import accepted, payment, refused, transaction
from .shop import GATEWAY, MERCHANT, PATHS, Merchant

SUB, OTHER_SUB = "1900000110", "1900000111"
SUB_APPID = "wx00000000000000bb"
SUBS = "WxPaySubMchId %s\n" % SUB
OPENID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"


class Provider:
    """Sites of one service provider."""

    def __init__(self, new_shop):
        self.new_shop = new_shop
        self.merchant = Merchant()

    def site(self, subs, **options):
        shop = self.new_shop(base=MERCHANT + subs + GATEWAY + PATHS, merchant=self.merchant,
                             **options)
        shop.gateway.merchant(
            mch_id=self.merchant.mch_id, appid=self.merchant.appid, key=self.merchant.key,
            provider=True, subs=[{"sub_mch_id": SUB, "sub_appid": SUB_APPID},
                                 {"sub_mch_id": OTHER_SUB}])
        return shop


@pytest.fixture
def provider(new_shop):
    return Provider(new_shop)


def sent(shop, number):
    return shop.ledger(number)["params"]


@pytest.mark.parametrize("conf", [SUBS, SUBS + "WxPaySubAppId %s\n" % SUB_APPID],
                         ids=["sub_mch_id", "sub_appid too"])
def test_the_whole_way(provider, conf):
    shop = provider.site(conf)
    order, code = shop.payable(1990)
    number = order["out_trade_no"]
    params = sent(shop, number)
    assert params["sub_mch_id"] == SUB
    assert params.get("sub_appid") == (SUB_APPID if "SubAppId" in conf else None)
    assert shop.row(number)["sub_mch_id"] == SUB
    assert shop.gateway.pay(code_url=code, wait=True)["answer"]["accepted"]
    assert shop.row(number)["state"] == "PAID"


def test_queries_and_closing_name_the_sub_merchant(provider):
    """The gateway refuses a provider's calls without it."""
    shop = provider.site(SUBS + "WxPaySubAppId %s\n" % SUB_APPID)
    number = shop.create(1990, trade_type="NATIVE")["out_trade_no"]
    assert shop.api.refresh(number)["state"] == "PENDING"
    shop.gateway.pay(number, mch_id=shop.merchant.mch_id, notify=False)
    assert shop.api.refresh(number)["state"] == "PAID"
    second = shop.create(1990, trade_type="NATIVE")["out_trade_no"]
    assert shop.api.close(second)["state"] == "CLOSED"
    assert shop.ledger(second)["state"] == "CLOSED"


@pytest.mark.parametrize("conf, name", [(SUBS, "openid"),
                                        (SUBS + "WxPaySubAppId %s\n" % SUB_APPID, "sub_openid")])
def test_whose_openid_it_is(provider, conf, name):
    shop = provider.site(conf)
    order = shop.create(1990, trade_type="JSAPI", openid=OPENID, spbill_create_ip="192.0.2.7")
    params = sent(shop, order["out_trade_no"])
    assert params[name] == OPENID
    assert ("openid" in params) + ("sub_openid" in params) == 1


@pytest.mark.parametrize("more, reason", [
    ({"sub_mch_id": OTHER_SUB, "sub_appid": SUB_APPID}, "sub_mch_id"),
    ({"sub_appid": SUB_APPID}, "sub_mch_id"),
    ({"sub_mch_id": SUB, "sub_appid": "wx00000000000000cc"}, "sub_appid")])
def test_another_sub_merchants_payment_is_set_aside(provider, more, reason):
    shop = provider.site(SUBS + "WxPaySubAppId %s\n" % SUB_APPID)
    order, _ = shop.payable(1990)
    number = order["out_trade_no"]
    shop.httpd.expect_log("order %s: .* differs in %s" % (number, reason))
    assert refused(shop.notify_raw(payment(shop.merchant, number, 1990, transaction(1), **more)))
    row = shop.row(number)
    assert (row["state"], row["quarantined"]) == ("PENDING", 1)
    entry, = shop.httpd.rows("SELECT verdict, reason FROM notices")
    assert (entry["verdict"], entry["reason"]) == ("quarantine", reason)
    assert "do not pay again" in shop.buyer(order).page().text.lower()


def test_a_sub_appid_may_be_left_out(provider):
    shop = provider.site(SUBS + "WxPaySubAppId %s\n" % SUB_APPID)
    number = shop.create(1990, trade_type="NATIVE")["out_trade_no"]
    assert accepted(shop.notify_raw(payment(shop.merchant, number, 1990, transaction(1),
                                            sub_mch_id=SUB)))
    assert shop.row(number)["state"] == "PAID"


@pytest.mark.parametrize("more", [{}, {"sub_mch_id": OTHER_SUB}])
def test_another_sub_merchants_unknown_order_is_not_delivered(provider, more):
    """The one key signs for all of them, and an event does not say whose money it is."""
    shop = provider.site(SUBS, conf="WxPayOrphans Deliver\n")
    shop.create(1)
    shop.httpd.expect_log("an order of another sub-merchant")
    assert refused(shop.notify_raw(payment(shop.merchant, "NOBODYS", 1990, transaction(1),
                                           **more)))
    assert not shop.httpd.rows("SELECT * FROM events")
    assert accepted(shop.notify_raw(payment(shop.merchant, "NOBODYS", 1990, transaction(2),
                                            sub_mch_id=SUB)))
    assert len(shop.httpd.rows("SELECT * FROM events")) == 1
