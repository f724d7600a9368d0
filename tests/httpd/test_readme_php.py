"""The README's "Add WeChat Pay to your PHP site", followed to the letter on an empty server.

What concerns the whole machine is not done but stands for something here: packages, accounts,
services. Everything else is run as it is written there, but for the places of files.
"""

import json
import os
import re
import shlex
import subprocess
import time

import pytest

from .backend import Backend
from .notices import accepted, payment, transaction
from .php import HANDLER
from .phpshop import MODULES, ShopPhp, pool, shop_user, vhost
from .server import PROJECT, unprivileged
from .shop import GATEWAY

KEYS = "**3. Keys.**"
MANUAL = "## Add WeChat Pay to your PHP site"


def section(start, end):
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    return text[text.index(start):].partition(end)[0]


def commands(text):
    """The lines that are to be typed: indented, continued lines joined; results are left out."""
    joined = text.replace("\\\n", " ")
    return [line.strip() for line in re.findall(r"^    (\S.*)$", joined, re.M)
            if re.match(r"(sudo|curl) ", line)]


class Host:
    """An empty ServerRoot that the manual's commands change."""

    def __init__(self, shop):
        self.shop = shop
        self.httpd = shop.httpd
        self.root = shop.httpd.root
        self.php = None
        self.said = []
        self.environment = {"PATH": "%s/bin:%s" % (self.root, os.environ["PATH"]),
                            "CURL_HOME": str(self.root), "LANG": "C.UTF-8"}
        self.httpd.write("bin/sudo", '#!/bin/sh\nexec "$@"\n', 0o755)
        self.httpd.write(".curlrc", 'connect-to = "::127.0.0.1:%d"\ncacert = "%s"\nnoproxy = "*"\n'
                         % (self.httpd.tls_port, self.httpd.authority.ca))

    def place(self, line):
        """The command with the places of this host."""
        user = shop_user()
        owner = "-o %s -g %d" % (user.pw_name, user.pw_gid) if user else ""
        for old, new in (("/srv/shop", "%s/shop" % self.root), ("-o shop -g shop", owner),
                         ("/etc/apache2", "%s/conf" % self.root),
                         ("/etc/php/8.2/fpm/pool.d", "%s/pool.d" % self.root)):
            line = line.replace(old, new)
        return line

    def sh(self, line, typed=""):
        done = subprocess.run(["sh", "-c", self.place(line)], cwd=PROJECT, input=typed, text=True,
                              capture_output=True, env=self.environment, timeout=60, check=False)
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        self.said.append((line, done.stdout))
        return done.stdout

    def command(self, line):
        """One line of the manual."""
        words = shlex.split(line, comments=True)
        known = {"apt-get": self.apt_get, "useradd": lambda _: None, "a2enmod": self.a2enmod,
                 "systemctl": self.systemctl, "a2ensite": self.a2ensite,
                 "apachectl": self.apachectl}
        if words[0] == "sudo" and words[1] in known:
            known[words[1]](words[2:])
        else:
            self.sh(line, self.shop.merchant.key + "\n" if "cat > " in line else "")

    def apt_get(self, words):
        have = (PROJECT / "tests" / "deps").read_text()
        for package in words[1:]:
            assert re.search(r"^test +%s " % package, have, re.M), package

    def a2enmod(self, words):
        assert set(words) == {"ssl", "proxy_fcgi"}  # what PhpShop's httpd loads

    def systemctl(self, words):
        assert words[0] == "restart" and re.fullmatch(r"php\d\.\d-fpm", words[1])
        self.php = ShopPhp()
        text = (self.root / "pool.d" / "shop.conf").read_text()
        conf = self.php.root / "php-fpm.conf"
        conf.write_text("[global]\nerror_log = %s/log\n" % self.php.root
                        + pool(text, self.php.socket, shop_user(), unprivileged()))
        self.php.start()

    def a2ensite(self, words):
        text = (self.root / "conf" / "sites-available" / (words[0] + ".conf")).read_text()
        self.httpd.write("conf/shop.conf", vhost(text, self.root, self.php.socket))

    def apachectl(self, words):
        if words == ["configtest"]:
            status, said = self.httpd.configtest()
            assert status == 0 and "Syntax OK" in said and "WXP" not in said, said
        elif not self.httpd.running:
            self.shop.start()
        else:
            assert self.httpd.graceful()[0] == 0


@pytest.fixture
def host(new_php_shop):
    shop = new_php_shop(start=False, files=False)
    for name in ("pool.d", "conf/sites-available"):
        (shop.httpd.root / name).mkdir()
    running = Host(shop)
    yield running
    if running.php:
        running.php.close()


def test_a_new_user_with_the_manual_in_hand(host):
    for line in commands(section(KEYS, "**4. Configure**")):
        host.command(line)
    host.shop.merchant.api_key = (host.root / "conf/wxpay/site.key").read_text().strip()
    steps = commands(section(MANUAL, "**6. If it doesn't work**"))
    ask = steps.pop()
    for line in steps:
        host.command(line)
    said = dict(host.said)
    bought = said["curl -si -d good=try https://shop.example/buy.php"]
    assert re.match(r"HTTP/\S+ 303 ", bought)
    assert re.search(r"^location: https://shop\.example/wxpay/pay/[\w-]{22}$", bought, re.M | re.I)
    assert "x-wxpay-order" not in bought.lower()
    assert re.match(r"HTTP/\S+ 404 ", said["curl -si https://shop.example/paid.php"])

    shop = host.shop
    number = shop.booked("SELECT number FROM orders")[0]["number"]
    shop.buyer(re.search(r"https://\S+", bought)[0]).code_url()
    shop.pay(number)
    shop.wait_paid(number)
    shop.wait_deliveries(number, lambda found: found[0]["state"] == "delivered")
    host.environment["number"] = number
    told = host.sh(ask)
    assert '"state":"PAID"' in told and re.search(shown("deliveries"), told), told

    resend, = [line for line in commands(section("To send it again", "**What paid.php sees**"))]
    host.environment["id"] = shop.deliveries(number)[0]["id"]
    host.sh(resend)
    shop.wait_deliveries(number, lambda found: len(found[0]["tries"]) == 2
                         and found[0]["state"] == "delivered")
    assert shop.parcels(number) == 1
    shop.httpd.check_log()


def shown(member):
    """What the manual shows of a member of an order, as a pattern: times and the like differ."""
    text, = re.findall(r'^    ("%s":(?:.*\n    .*))$' % member, section(MANUAL, "## Directives"), re.M)
    text = re.escape("".join(line.strip() for line in text.splitlines()))
    return text.replace("…", '[^"]+').replace("12", r"\d+")


def until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def test_an_application_behind_mod_proxy_http(new_shop):
    block, = re.findall(r'^    <Location "/hooks/paid">\n(?:    .*\n)+', section(MANUAL, "## Directives"),
                        re.M)
    with Backend() as backend:
        shop = new_shop(conf='WxPayDeliverTo /hooks/paid\nProxyPass "/hooks/" "%s/"\n%s'
                        % (backend.url, block))
        number = shop.payable(1990)[0]["out_trade_no"]
        shop.pay(number)
        until(lambda: backend.asked)
        _, path, headers, body = backend.take()
        assert (path, headers["X-WXPAY-PAID"]) == ("/paid", "1")
        assert json.loads(body)["data"]["out_trade_no"] == number
        assert shop.web().post("/hooks/paid", body, {"X-WXPAY-PAID": "1"}).status == 404
        assert shop.web().post("/hooks/more", body, {"X-WXPAY-PAID": "1"}).status == 204
        assert backend.take()[2]["X-WXPAY-PAID"] is None


ORPHAN = """<?php
if ($_SERVER['WXPAY_EVENT_TYPE'] === 'order.orphan' && !isset($_SERVER['WXPAY_PAID'])) {
    file_put_contents('%s', $_SERVER['WXPAY_EVENT_OUT_TRADE_NO'] . ' '
        . $_SERVER['WXPAY_EVENT_TOTAL_FEE'] . ' ' . $_SERVER['WXPAY_EVENT_TRANSACTION_ID'] . "\n",
        FILE_APPEND);
}
http_response_code(204);
"""


def test_a_site_that_makes_its_orders_itself(new_shop, shop_php, tmp_path):
    """The example for it, with PHP."""
    text = (PROJECT / "conf/examples/notify-only.conf").read_text()
    for old, new in (("wx2421b1c4370ec43b", "${APPID}"), ("1230000109", "${MCHID}"),
                     ("/etc/apache2", "${ROOT}/conf")):
        text = text.replace(old, new)
    shop = new_shop(start=False, base=text + GATEWAY, conf=HANDLER, modules=MODULES,
                    defines=shop_php.defines, public="https://shop.example")
    found = shop.httpd.write("seen", "", 0o666)
    shop.httpd.write("htdocs/hooks/paid.php", ORPHAN % found)
    status, said = shop.httpd.configtest()
    assert status == 0 and "WXP" not in said, said
    shop.start()
    body = payment(shop.merchant, "ELSEWHERE1", 1990, transaction(5))
    for _ in range(3):
        assert accepted(shop.notify_raw(body))
    until(found.read_text)
    assert found.read_text() == "ELSEWHERE1 1990 %s\n" % transaction(5)


def test_the_manual_shows_what_is_true():
    text = section(MANUAL, "## Directives")
    lines = len((PROJECT / "conf/examples/php-shop/www/paid.php").read_text().splitlines())
    assert "paid.php](conf/examples/php-shop/www/paid.php), %d lines" % lines in text
    for language in ("php", "python"):
        code, = re.findall(r"^```%s\n(.*?)^```$" % language, text, re.M | re.S)
        assert len(code.strip().splitlines()) <= 10
