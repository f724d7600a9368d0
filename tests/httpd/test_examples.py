"""Every example of conf/examples is started as it is written, but for file names and ports."""

import re

import pytest

from .server import PROJECT
from .web import Web

EXAMPLES = sorted((PROJECT / "conf" / "examples").glob("*.conf"))


def prepared(server, text):
    """The example with its key files in the server's own directory and on its own port."""
    for name in re.findall(r"/etc/apache2/wxpay/([\w.-]+)", text):
        server.write("conf/wxpay/" + name, "0123456789abcdef0123456789abcdef\n"
                     if not name.endswith("site.key") else name + "-fedcba9876543210\n", 0o600)
    text = text.replace("/etc/apache2/wxpay/", str(server.root / "conf/wxpay") + "/")
    for old, new in (("<VirtualHost *:80>", "<VirtualHost *:${PORT}>"),
                     ("<VirtualHost *:443>", "<VirtualHost *:${TLS_PORT}>"),
                     ("/etc/ssl/shop.example/fullchain.pem", "${CERT}"),
                     ("/etc/ssl/shop.example/privkey.pem", "${CERT_KEY}"),
                     ("/srv/shop/www", "${DOCROOT}")):
        text = text.replace(old, new)
    return text + "\nWxPayStateDir ${STATE}\n"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_it_starts_and_takes_notifications(httpd, path):
    text = path.read_text()
    tls = "SSLEngine" in text
    server = httpd(start=False, server_name="host.example" if tls else None,
                   tls="listen" if tls else False)
    server.set_conf(prepared(server, text))
    server.start()
    server.expect_log("WXP0302")
    names = re.findall(r"<VirtualHost.*?ServerName\s+(\S+)", text, re.S) \
        or re.findall(r"ServerName\s+(\S+)", text)
    for name in names:
        web = Web("https://" + name, connect=("127.0.0.1", server.tls_port),
                  ca=server.authority.ca) if tls else Web(server.url, headers={"Host": name})
        assert "FAIL" in web.post("/wxpay/notify", "<xml></xml>").text
        if "WxPayCheckoutPath" in text:
            assert web.get("/wxpay/pay/AAAAAAAAAAAAAAAAAAAAAA").status == 404
            assert web.get("/wxpay/api/orders").status == 401


def test_there_are_examples():
    assert len(EXAMPLES) >= 5


def test_two_sites_have_a_merchant_and_a_key_each(httpd):
    text = (PROJECT / "conf" / "examples" / "two-sites.conf").read_text()
    server = httpd(start=False, server_name=None, tls=False)
    server.set_conf(prepared(server, text))
    server.start()
    made = {}
    for name, key in (("tea.example", "tea-site.key"), ("books.example", "books-site.key")):
        web = Web(server.url, headers={"Host": name})
        bearer = {"Authorization": "Bearer %s-fedcba9876543210" % key}
        facts = {"out_trade_no": "A1", "total_fee": 100, "body": name}
        reply = web.post("/wxpay/api/orders", facts, bearer)
        assert reply.status == 201
        made[name] = reply.json()
        assert made[name]["pay_url"].startswith("https://%s/wxpay/pay/" % name)
        other = {"Authorization": "Bearer %s" % ("books" if name[0] == "t" else "tea")
                 + "-site.key-fedcba9876543210"}
        assert web.get("/wxpay/api/orders/A1", other).status == 401
        assert web.get("/wxpay/api/orders/A1", bearer).json()["body"] == name
    assert server.rows("SELECT mch_id, site FROM orders ORDER BY mch_id") == [
        {"mch_id": "1230000109", "site": "https://tea.example"},
        {"mch_id": "1900000109", "site": "https://books.example"}]
    # A page of one shop is no page of the other.
    path = made["tea.example"]["pay_url"].removeprefix("https://tea.example")
    assert Web(server.url, headers={"Host": "books.example"}).get(path).status == 404
