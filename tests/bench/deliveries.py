#!/usr/bin/python3
"""What deliveries cost the notify endpoint: its latency with an application that fails 30 % of its
deliveries at random and hangs now and then, as a ratio to that without any WxPayDeliverTo.

The shops run at the same time and are notified in turns, so that whatever else the machine does hits
all of them. One more without deliveries shows what the ratio is worth: it differs from the other by
chance alone. Between two notifications there is a pause: without one (--pause 0) the machine has no
idle time, and deliveries take their share of it.
"""

import argparse
import multiprocessing
import os
import pathlib
import random
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.dont_write_bytecode = True

from gateway.client import Gateway  # noqa: E402
from httpd.certs import Authority  # noqa: E402
from httpd.notices import accepted, at_once, payment, transaction  # noqa: E402
from httpd.receiver import Receiver  # noqa: E402
from httpd.shop import Shop  # noqa: E402


def moody():
    dice, lock = random.Random(1), threading.Lock()

    def answer(_):
        with lock:
            drawn = dice.random()
        if drawn > 0.98:
            time.sleep(5)
        return 500 if drawn < 0.3 else 200
    return answer


def application(urls):
    """In a process of its own, and behind all others: what it costs itself is not the question."""
    os.nice(19)
    with Receiver(moody()) as receiver:
        urls.put(receiver.url)
        threading.Event().wait()


def notify(shop, numbers, options):
    """Seconds that each notification took."""
    def one(pair):
        time.sleep(options.pause)
        body = payment(shop.merchant, pair[1], 100, transaction(pair[0]))
        begun = time.perf_counter()
        assert accepted(shop.notify_raw(body))
        return time.perf_counter() - begun
    return at_once(one, list(enumerate(numbers)), options.concurrency)


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--orders", type=int, default=1500)
    parser.add_argument("--concurrency", type=int, default=4)
    parser.add_argument("--pause", type=float, default=0.05, metavar="SECONDS")
    options = parser.parse_args()
    urls = multiprocessing.Queue()
    multiprocessing.Process(target=application, args=(urls,), daemon=True).start()
    url = urls.get()
    with tempfile.TemporaryDirectory(prefix="wxpay-bench-") as directory, \
            Gateway(pathlib.Path(directory) / "gateway") as gateway:
        pathlib.Path(directory).chmod(0o755)
        authority = Authority(directory)
        with Shop(gateway, authority=authority) as plain, \
                Shop(gateway, authority=authority) as another, \
                Shop(gateway, authority=authority,
                     conf="WxPayDeliverTo %s\n" % url) as told:
            times = {plain: [], another: [], told: []}
            numbers = {shop: at_once(lambda _, shop=shop: shop.create(
                100, trade_type="NATIVE")["out_trade_no"], range(options.orders), 4)
                for shop in times}
            turns = list(times)
            for start in range(0, options.orders, 50):
                for shop in turns:
                    times[shop] += notify(shop, numbers[shop][start:start + 50], options)
                turns.append(turns.pop(0))
            for name, share in (("p50", 0.5), ("p99", 0.99)):
                without, again, with_ = (percentile(times[shop], share) for shop in times)
                print("notification, %s: %.1f ms without deliveries, %.1f ms with: ratio %.2f "
                      "(by chance: %.2f)" % (name, without * 1e3, with_ * 1e3, with_ / without,
                                             again / without))
            done = told.httpd.rows("SELECT id FROM events WHERE state = 'delivered'")
            print("delivered so far: %d of %d" % (len(done), options.orders))


if __name__ == "__main__":
    main()
