"""Several sites in one httpd: three virtual hosts, two merchants, one store. Nothing crosses over."""

import itertools
import re

import pytest

from .api import Api
from .buyer import Buyer
from .notices import accepted, payment, refused, transaction
from .shop import Merchant, random_text
from .web import Web

UNKNOWN = "A" * 22

COMMON = """WxPayNotifyPath   /wxpay/notify
WxPayCheckoutPath /wxpay/pay
WxPayApiPath      /wxpay/api
WxPayGateway       ${GATEWAY} ${GATEWAY_BACKUP}
WxPayGatewayCAFile ${GATEWAY_CA}
WxPayStateDir      ${STATE}
"""
MERCHANT = """WxPayAppId    %(appid)s
WxPayMchId    %(mch_id)s
WxPayKey      file:conf/%(mch_id)s.key
WxPaySignType %(sign_type)s
"""
HOST = """<VirtualHost *:${TLS_PORT}>
ServerName %s.sites.example
SSLEngine on
%s</VirtualHost>
"""


class Site:
    """One virtual host; `merchant` is whom its payments go to."""

    def __init__(self, name, merchant, api_key=None):
        self.name = name
        self.public = "https://%s.sites.example" % name
        self.merchant = merchant
        self.api_key = api_key or random_text(40)
        self.server = None

    @property
    def web(self):
        return Web(self.public, connect=("127.0.0.1", self.server.tls_port),
                   ca=self.server.authority.ca)

    @property
    def api(self):
        return Api(self.web, "/wxpay/api", self.api_key)

    def conf(self):
        return MERCHANT % vars(self.merchant) + "WxPayApiKey file:conf/%s.key\n" % self.name


@pytest.fixture
def serve(httpd, gateway):
    """serve(conf, sites) -> the running server of these sites."""
    def build(conf, sites, **options):
        server = httpd(conf, start=False, tls="listen", server_name="host.sites.example", defines={
            "GATEWAY": gateway.gateway, "GATEWAY_BACKUP": gateway.backup,
            "GATEWAY_CA": gateway.ca}, **options)
        for site in sites:
            site.server = server
            server.write("conf/%s.key" % site.name, site.api_key + "\n", 0o600)
            server.write("conf/%s.key" % site.merchant.mch_id, site.merchant.key + "\n", 0o600)
            gateway.merchant(mch_id=site.merchant.mch_id, appid=site.merchant.appid,
                             key=site.merchant.key)
        return server.start()
    return build


@pytest.fixture
def three(serve):
    """tea and mug belong to one merchant, books to another."""
    one, other = Merchant(), Merchant("HMAC-SHA256")
    sites = [Site("tea", one), Site("mug", one), Site("books", other)]
    serve(COMMON + "".join(HOST % (site.name, site.conf()) for site in sites), sites)
    return sites


def pairs(sites):
    return itertools.permutations(sites, 2)


def problem(response):
    return response.status, response.json()["code"]


def timeless(response):
    return re.sub(r'data-now="\d+"', "", response.text)


def test_no_api_call_crosses_over(three):
    for site, other in pairs(three):
        number = random_text(12)
        made = site.api.create(number, 1990, site.name, trade_type="NATIVE")
        assert made["pay_url"].startswith(site.public + "/wxpay/pay/")
        for sub, method in (("", "GET"), ("?refresh=1", "GET"), ("/close", "POST")):
            path = Api.order_path(number) + sub
            assert problem(other.api.request(method, path, b"" if method == "POST" else None)) \
                == (404, "order_not_found"), (site.name, other.name, sub)
            # Somebody else's key opens nothing.
            stranger = Api(other.web, "/wxpay/api", site.api_key)
            assert problem(stranger.request(method, path, b"" if method == "POST" else None)) \
                == (401, "unauthorized")
        assert site.api.get(number)["state"] == "PENDING"
        assert number in [order["out_trade_no"] for order in site.api.list()["orders"]]
        assert number not in [order["out_trade_no"] for order in other.api.list()["orders"]]


def test_the_same_number(three, gateway):
    """Two merchants may both use it; two sites of one merchant can't."""
    tea, mug, books = three
    number = random_text(12)
    tea.api.create(number, 100, "tea", trade_type="NATIVE")
    books.api.create(number, 200, "books", trade_type="NATIVE")
    response = mug.api.post_order({"out_trade_no": number, "total_fee": 100, "body": "tea"})
    assert response.status == 409
    assert gateway.order(number, mch_id=tea.merchant.mch_id)["total_fee"] == 100
    assert gateway.order(number, mch_id=books.merchant.mch_id)["total_fee"] == 200
    assert accepted(books.web.post("/wxpay/notify", payment(books.merchant, number, 200,
                                                            transaction(1))))
    assert books.api.get(number)["state"] == "PAID"
    assert tea.api.get(number)["state"] == "PENDING"
    assert tea.server.rows("SELECT mch_id, site, state FROM orders ORDER BY total_fee") == [
        {"mch_id": tea.merchant.mch_id, "site": tea.public, "state": "PENDING"},
        {"mch_id": books.merchant.mch_id, "site": books.public, "state": "PAID"}]


def test_no_page_crosses_over(three):
    for site, other in pairs(three):
        order = site.api.create(random_text(12), 1990, site.name)
        buyer = Buyer(site.web, order["pay_url"])
        assert buyer.code_url()
        stranger = Buyer(other.web, order["pay_url"])
        stranger.token = buyer.token  # even with a token that is good at its own site
        lost = Buyer(other.web, other.public + "/wxpay/pay/" + UNKNOWN)
        for sub in ("", "/state", "/qr.svg", "/qr.png"):
            seen = stranger.request("GET", sub, headers={"Accept": "text/html"})
            unknown = lost.request("GET", sub, headers={"Accept": "text/html"})
            assert (seen.status, timeless(seen)) == (404, timeless(unknown)), \
                (site.name, other.name, sub)
        assert stranger.open().status == 404
        assert stranger.request("POST", "/jsapi", {"csrf": buyer.token}).status == 404
        assert site.api.get(order["out_trade_no"])["state"] == "PENDING"


def test_notifications_count_at_their_merchant_only(three):
    for count, (site, other) in enumerate(pairs(three)):
        number = random_text(12)
        site.api.create(number, 1990, site.name, trade_type="NATIVE")
        reply = other.web.post("/wxpay/notify", payment(site.merchant, number, 1990,
                                                        transaction(100 + count)))
        if site.merchant is other.merchant:
            # They match by merchant and number, never by site.
            assert accepted(reply)
            assert site.api.get(number)["state"] == "PAID"
        else:
            assert refused(reply)
            assert site.api.get(number)["state"] == "PENDING"
            # Nor with the other's key and this one's merchant number.
            mixed = Merchant(other.merchant.sign_type)
            mixed.appid, mixed.mch_id = site.merchant.appid, site.merchant.mch_id
            mixed.key = other.merchant.key
            for place in (site, other):
                assert refused(place.web.post("/wxpay/notify", payment(
                    mixed, number, 1990, transaction(200 + count))))
            assert site.api.get(number)["state"] == "PENDING"
    three[0].server.expect_log("WXP0302")


def test_a_host_without_a_merchant_belongs_to_the_main_server(serve):
    """It inherits all; one with a merchant of its own no key, name or public URL, but the rest."""
    shop, own = Site("host", Merchant()), Site("own", Merchant())
    alias = Site("alias", shop.merchant, shop.api_key)
    serve(COMMON + shop.conf() + "WxPayApiAllow create query\nWxPayMerchantName \"Main\"\n"
          + HOST % ("host", "") + HOST % ("alias", "WxPayOrderTTL 1h\n") + HOST % ("own", own.conf()),
          [shop, alias, own])
    order = alias.api.create(random_text(12), 1990, "from the alias")
    assert order["pay_url"].startswith("https://host.sites.example/wxpay/pay/")
    assert shop.api.get(order["out_trade_no"])["body"] == "from the alias"
    assert Buyer(shop.web, order["pay_url"]).code_url()
    assert own.api.request("GET", Api.order_path(order["out_trade_no"])).status == 404
    mine = own.api.create(random_text(12), 5, "own")
    for site, made in ((alias, order), (own, mine)):
        path = Api.order_path(made["out_trade_no"]) + "/close"
        assert problem(site.api.request("POST", path, b"")) == (403, "not_allowed")
    assert Api(own.web, "/wxpay/api", shop.api_key).request("GET", "/orders/x").status == 401
    assert "Main" not in Buyer(own.web, mine["pay_url"]).page().text


def test_a_site_id_keeps_orders_when_the_name_changes(serve):
    merchant = Merchant()
    old = Site("old", merchant)
    server = serve(COMMON + HOST % ("old", old.conf() + "WxPaySiteId shop\n"), [old])
    order = old.api.create(random_text(12), 1990, "kept")
    assert server.rows("SELECT site FROM orders") == [{"site": "shop"}]
    new = Site("new", merchant, old.api_key)
    server.write("conf/new.key", new.api_key, 0o600)
    new.server = server
    server.set_conf(COMMON + "".join(
        HOST % (site.name, site.conf() + "WxPaySiteId shop\n") for site in (new, old)))
    assert server.graceful()[0] == 0
    for site in (new, old):
        shown = site.api.get(order["out_trade_no"])
        assert shown["pay_url"].startswith(site.public + "/wxpay/pay/")
        assert Buyer(site.web, shown["pay_url"]).view()["body"] == "kept"
    assert Buyer(new.web, new.api.get(order["out_trade_no"])["pay_url"]).code_url()
