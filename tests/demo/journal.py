"""Tells each step of every order as one readable line."""

import sqlite3
import threading
import time
import urllib.error

from httpd.shop import CHECKOUT_PATH, NOTIFY_PATH

from .pages import yuan

EVERY = 0.2


class Journal:
    """Compares httpd's access log, the store and the simulator's ledger, and says what is new."""

    def __init__(self, site, say=print):
        self.site = site
        self.say = say
        self.told = set()
        self.access_mark = 0
        self.seen = {"opened": set(), "verdicts": {}}
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self.thread.start()

    def end(self):
        """Tells what is left to tell, and stops."""
        self.over.set()
        if self.thread.is_alive():
            self.thread.join(5)

    def _run(self):
        last = False
        while not last:
            last = self.over.wait(EVERY)
            if last:
                time.sleep(EVERY)  # what has happened may not be logged yet
            try:
                self.look()
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                if last or not self.site.gateway_runs():
                    return

    # -- the sources

    def look(self):
        # The last step's source first: then it shows nothing whose cause isn't seen yet.
        bought = self.site.shop.bought()
        rows = self._rows()
        self._read_access()
        ledger = {order["out_trade_no"]: order for order in self.site.gateway.ledger()["orders"]}
        for own in bought:
            number = own[0]
            for key, text in self._steps(own, rows.get(number), ledger.get(number)):
                self._tell(number, key, text)

    def _read_access(self):
        httpd = self.site.httpd
        entries = httpd.access(self.access_mark)
        self.access_mark = httpd.access_mark()
        for entry in entries:
            path = entry["uri"].partition("?")[0]
            if entry["method"] == "GET" and entry["status"] == "200":
                self.seen["opened"].add(path)
            elif path == NOTIFY_PATH:
                number = entry["out_trade_no"]
                # A second gateway number of an order is "<its own>*2".
                self.seen["verdicts"].setdefault(number.partition("*")[0], []).append(
                    entry["verdict"])

    def _rows(self):
        try:
            return {row["out_trade_no"]: row
                    for row in self.site.httpd.rows("SELECT * FROM orders")}
        except sqlite3.OperationalError:
            return {}  # made by the first child that uses it

    # -- the steps, in the order of the way

    def _steps(self, own, row, order):
        number, title, fen, told = own
        yield "created", "order created by the shop: %s, %s" % (title, yuan(fen))
        if row and "%s/%s" % (CHECKOUT_PATH, row["pay_id"]) in self.seen["opened"]:
            yield "opened", "payment page opened"
        if order and order["code_url"]:
            yield order["code_url"], "code shown: " + order["code_url"]
        if order and order["payment"]:
            yield "paid", "paid on the phone: %s, transaction %s" % (
                yuan(order["payment"]["total_fee"]), order["payment"]["transaction_id"])
        for count, verdict in enumerate(self.seen["verdicts"].get(number, ())):
            yield ("notice", count), "notification %s" % (
                "verified" if verdict == "paid" else "answered: " + verdict)
        if row and row["state"] in ("PAID", "CLOSED", "EXPIRED"):
            yield row["state"], "%s recorded in the store" % row["state"]
        if told:
            yield "told", "the shop was told: its own books say paid"

    def _tell(self, number, key, text):
        if (number, key) in self.told:
            return
        self.told.add((number, key))
        self.say("%s  %s  %s" % (time.strftime("%H:%M:%S"), number, text))
