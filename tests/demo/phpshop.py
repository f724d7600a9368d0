"""The PHP shop of conf/examples as the demo's shop."""

import contextlib
import sqlite3
import subprocess

from httpd.php import HANDLER, program
from httpd.phpshop import MODULES, ShopPhp, install  # noqa: F401 - the demo's own
from httpd.server import StartError

CONF = HANDLER + """
DocumentRoot   ${ROOT}/shop/www
DirectoryIndex index.php
WxPayDeliverTo /paid.php
<Directory ${ROOT}/shop/www>
    Require all granted
    WxPayHandoff On
</Directory>
"""


def is_possible():
    """Whether php-fpm is here and can open SQLite databases."""
    try:
        modules = subprocess.run([program(), "-m"], stdin=subprocess.DEVNULL, capture_output=True,
                                 text=True, check=False).stdout
    except (OSError, StartError):
        return False
    return "pdo_sqlite" in modules.split()


class Shop:
    """What its own database says; `root` is the ServerRoot."""

    buy = ("/buy.php", {"good": "tea"})
    paid_mark = 'class="paid"'

    def __init__(self, root):
        self.database = root / "shop" / "data" / "shop.db"

    def bought(self):
        """(number, title, fen, whether the shop was told that it is paid) of every order."""
        with contextlib.suppress(sqlite3.OperationalError):  # made by the first visitor
            base = sqlite3.connect("file:%s?mode=ro" % self.database, uri=True, timeout=5)
            with contextlib.closing(base):
                return base.execute("SELECT number, title, fen, paid_at IS NOT NULL FROM orders "
                                    "ORDER BY rowid").fetchall()
        return []

    @staticmethod
    def order_path(number):
        return "/order.php?number=" + number
