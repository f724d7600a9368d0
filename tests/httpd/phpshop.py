"""The PHP shop of conf/examples, file by file as it is shipped, on a private php-fpm and httpd."""

import contextlib
import os
import pwd
import re
import shutil
import sqlite3
import time
import urllib.parse

from .php import Php
from .server import PROJECT, unprivileged
from .shop import GATEWAY, Shop

CONF = PROJECT / "conf" / "examples" / "php-shop.conf"
FILES = PROJECT / "conf" / "examples" / "php-shop"
MODULES = ("proxy_fcgi",)


def shop_user():
    """The account of the shop's PHP, another one than httpd's, or None when we aren't root."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def pool(text, socket, user, listener):
    """The example's pool, for these accounts; without them, php-fpm keeps those it has."""
    text = text.replace("/run/php/shop.sock", str(socket))
    if not user:
        return re.sub(r"^(user|group|listen\.owner|listen\.group) = .*\n", "", text, flags=re.M)
    text = re.sub(r"^user = .*", "user = " + user.pw_name, text, flags=re.M)
    text = re.sub(r"^group = .*", "group = %d" % user.pw_gid, text, flags=re.M)
    text = re.sub(r"^listen\.owner = .*", "listen.owner = " + listener.pw_name, text, flags=re.M)
    return re.sub(r"^listen\.group = .*", "listen.group = %d" % listener.pw_gid, text, flags=re.M)


class ShopPhp(Php):
    """php-fpm with the example's pool; `settings` are further lines of it."""

    def __init__(self, settings=""):
        super().__init__()
        text = pool((FILES / "pool.conf").read_text(), self.socket, shop_user(), unprivileged())
        (self.root / "php-fpm.conf").write_text(
            "[global]\npid = %s/pid\nerror_log = %s/log\n%s%s" % (self.root, self.root, text, settings))


def vhost(text, root, socket):
    """The example's configuration with its files below `root` and on the server's own port."""
    for old, new in (("*:443", "*:${TLS_PORT}"), ("/srv/shop", "%s/shop" % root),
                     ("/run/php/shop.sock", str(socket)), ("/etc/apache2", "%s/conf" % root),
                     ("/etc/ssl/shop.example/fullchain.pem", "${CERT}"),
                     ("/etc/ssl/shop.example/privkey.pem", "${CERT_KEY}"),
                     ("wx2421b1c4370ec43b", "${APPID}"), ("1230000109", "${MCHID}")):
        assert old in text, old
        text = text.replace(old, new)
    return text


def install(root):
    """The scripts in root/shop, with a place for the database that is PHP's alone."""
    shop = root / "shop"
    shutil.copytree(FILES, shop, ignore=shutil.ignore_patterns("*.conf"))
    (shop / "data").mkdir(0o700)
    user = shop_user()
    if user:
        os.chown(shop / "data", user.pw_uid, user.pw_gid)


class PhpShop(Shop):
    """`php` is a running ShopPhp; `conf` further lines of the main server, `vhost_conf` of the shop;
    without `files` there is an empty conf/shop.conf and no script yet. Further options are Shop's."""

    def __init__(self, gateway, php, *, conf="", vhost_conf="", files=True, modules=(), **options):
        super().__init__(gateway, base=GATEWAY + "Include ${ROOT}/conf/shop.conf\n", conf=conf,
                         public="https://shop.example", tls="listen", server_name="host.example",
                         modules=(*MODULES, *modules), sign_type="HMAC-SHA256", **options)
        text = ""
        if files:
            install(self.httpd.root)
            text = vhost(CONF.read_text(), self.httpd.root, php.socket)
        self.httpd.write("conf/shop.conf",
                         text.replace("</VirtualHost>", vhost_conf + "</VirtualHost>"))

    @property
    def database(self):
        return self.httpd.root / "shop" / "data" / "shop.db"

    @contextlib.contextmanager
    def books(self, mode="ro"):
        """The shop's own database; rows by column name. Nothing is committed by itself."""
        base = sqlite3.connect("file:%s?mode=%s" % (self.database, mode), uri=True, timeout=5,
                               isolation_level=None)
        base.row_factory = sqlite3.Row
        try:
            yield base
        finally:
            base.close()

    def booked(self, sql, *values):
        with self.books() as base:
            return [dict(row) for row in base.execute(sql, values)]

    def order(self, number):
        """The order in the shop's books."""
        found, = self.booked("SELECT * FROM orders WHERE number = ?", number)
        return found

    def parcels(self, number):
        """How often the shop set out to send it."""
        return len(self.booked("SELECT 1 FROM parcels WHERE number = ?", number))

    def buy(self, good="tea", **headers):
        """Buys as the form of index.php does: (number, URL of the payment page)."""
        answer = self.web().post("/buy.php", {"good": good}, headers)
        assert answer.status == 303, answer
        number, = self.booked("SELECT number FROM orders ORDER BY rowid DESC LIMIT 1")
        return number["number"], answer.header("Location")

    def bought(self, good="tea"):
        """As buy(), and the code is open: the number."""
        number, pay_url = self.buy(good)
        self.buyer(pay_url).code_url()
        return number

    def order_page(self, number, language="en"):
        """What the buyer sees at return_url."""
        answer = self.web().get("/order.php?" + urllib.parse.urlencode({"number": number}),
                                {"Accept-Language": language})
        assert answer.status == 200, answer
        return answer.text

    def wait_paid(self, number, seconds=10.0):
        """Until the shop's own books say that it is paid: the row."""
        deadline = time.monotonic() + seconds
        while not (row := self.order(number))["paid_at"]:
            assert time.monotonic() < deadline, "after %g s: %r" % (seconds, row)
            time.sleep(0.05)
        return row

    def deliveries(self, number):
        """What the order's JSON says of them."""
        return self.api.get(number).get("deliveries", [])

    def wait_deliveries(self, number, condition, seconds=10.0):
        """Polls until condition(deliveries), and returns them."""
        deadline = time.monotonic() + seconds
        while not condition(found := self.deliveries(number)):
            assert time.monotonic() < deadline, "after %g s: %r" % (seconds, found)
            time.sleep(0.05)
        return found
