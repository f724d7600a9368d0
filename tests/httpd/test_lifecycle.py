"""Start, stop and graceful restart, also with work under way and a gateway that hangs; what is made
at the start, and what stays."""

import contextlib
import os
import pathlib
import pwd
import re
import shutil
import signal
import sqlite3
import stat
import tempfile
import threading
import time

import pytest

from .notices import accepted, at_once, payment, transaction
from .server import Httpd, module_file
from .shop import Shop
from .test_status import STATUS, numbers
from .web import Web


def in_background(work, count):
    """Runs work(n) in `count` threads; a function that waits for them and returns the results."""
    results = [None] * count

    def run(n):
        try:
            results[n] = work(n)
        except OSError as fault:
            results[n] = fault
    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()

    def join():
        for thread in threads:
            thread.join()
        return results
    return join


def order_now(shop, number):
    """POST /orders that waits for the gateway."""
    return shop.web().post("/wxpay/api/orders", {
        "out_trade_no": number, "total_fee": "100", "body": "Tea", "trade_type": "NATIVE"},
        {"Authorization": "Bearer " + shop.merchant.api_key})


def now():
    return time.strftime("%Y%m%d%H%M%S", time.gmtime(time.time() + 8 * 3600))


def paid_notice(shop, number, n=1, total_fee=100):
    return payment(shop.merchant, number, total_fee, transaction(n), time_end=now())


def test_a_stalled_gateway_does_not_hold_up_a_stop(new_shop, mpm):
    shop = new_shop(mpm=mpm)
    number = shop.number()
    with shop.behaviour(path="unifiedorder", delay_ms=20000):
        waiting = in_background(lambda n: order_now(shop, "%s-%d" % (number, n)), 3)
        time.sleep(0.7)
        started = time.monotonic()
        shop.httpd.stop()
        assert time.monotonic() - started < 3
    waiting()
    # What was asked for is known to be uncertain.
    rows = shop.httpd.rows("SELECT state FROM attempts")
    assert [row["state"] for row in rows] == ["SENT"] * 3


def test_only_a_quarter_waits(new_shop):
    shop = new_shop(conf=STATUS + "WxPayGatewayTimeout 3s\n")
    number = shop.number()
    with shop.behaviour(path="unifiedorder", delay_ms=2000):
        started = time.monotonic()
        waiting = in_background(
            lambda n: (order_now(shop, "%s-%d" % (number, n)), time.monotonic() - started), 40)
        time.sleep(0.5)
        began = time.monotonic()
        assert shop.web().get("/").status == 200
        assert time.monotonic() - began < 0.5
        replies = waiting()
    refused = [(reply, took) for reply, took in replies if reply.status == 503]
    granted = [reply for reply, _ in replies if reply.status == 201]
    assert len(refused) + len(granted) == 40
    assert 6 <= len(granted) <= 25 and refused
    for reply, took in refused:
        assert reply.header("Retry-After") and took < 1.5
    counted = numbers(shop)
    assert (counted["Waits_granted"], counted["Waits_refused"]) == (
        str(len(granted)), str(len(refused)))
    # The places are given back.
    assert order_now(shop, shop.number()).status == 201


def test_graceful_restarts_under_load_lose_nothing(new_shop, mpm):
    shop = new_shop(mpm=mpm)
    stop = threading.Event()
    seen = []

    def work(_):
        while not stop.is_set():
            seen.append(order_now(shop, shop.number()).status)
    waiting = in_background(work, 4)
    for _ in range(10):
        assert shop.httpd.graceful()[0] == 0
        time.sleep(0.1)
    stop.set()
    faults = [result for result in waiting() if result]
    assert not faults
    assert len(seen) > 20 and set(seen) <= {201, 503}, set(seen)
    assert seen.count(201) > len(seen) // 2


def test_a_new_key_counts_from_the_next_graceful(new_shop):
    shop = new_shop()
    old, new = shop.merchant.api_key, "n" * 40
    shop.httpd.write("conf/wxpay/site.key", new + "\n", 0o600)
    bearer = "Authorization"
    assert shop.web().get("/wxpay/api/orders/X", {bearer: "Bearer " + old}).status == 404
    assert shop.httpd.graceful()[0] == 0
    assert shop.web().get("/wxpay/api/orders/X", {bearer: "Bearer " + old}).status == 401
    assert shop.web().get("/wxpay/api/orders/X", {bearer: "Bearer " + new}).status == 404


def test_pages_survive_a_restart(new_shop):
    """The CSRF key comes from the state directory, not from the process."""
    shop = new_shop()
    buyer = shop.buyer(shop.create())
    buyer.page()
    shop.httpd.restart()
    assert buyer.open().status in (200, 303)


def test_the_store_mutex_has_a_name_for_the_admin(httpd):
    server = httpd("Mutex file:${ROOT}/run wxpay-store\n", mpm="prefork")
    assert Web(server.url).get("/").status == 200


# -- loaded, but not configured

def footprint(server):
    """Of the parent and all children: threads, shared mappings, open files by kind."""
    found = []
    for pid in [server.process.pid, *server.children()]:
        proc = pathlib.Path("/proc/%d" % pid)
        shared = [line.split()[-1] for line in (proc / "maps").read_text().splitlines()
                  if line.split()[1].endswith("s")]
        found.append((len(list((proc / "task").iterdir())), len(shared), open_files(proc)))
    return found


def open_files(proc):
    """By kind; those that are closed at this moment don't count."""
    names = []
    for entry in (proc / "fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            names.append(re.sub(r"\d+|/tmp/\S+?/", "", os.readlink(entry)))
    return sorted(names)


def settled(server):
    """The footprint, when it no longer changes: threads start after their process."""
    before = None
    while before != (before := footprint(server)):
        time.sleep(0.2)
    return before


def test_loaded_but_unconfigured_it_does_nothing(httpd, mpm):
    bare = httpd(mpm=mpm, wxpay=False)
    loaded = httpd(mpm=mpm)
    assert settled(loaded) == settled(bare)
    for path in ("/wxpay/notify", "/wxpay/pay", "/wxpay/api/orders"):
        assert Web(loaded.url).post(path, "<xml/>").status == 404
    assert not [line for line in loaded.log.lines() if "wxpay" in line.module]
    assert not loaded.state.exists()
    assert {path.name for path in loaded.root.rglob("*")} \
        == {path.name for path in bare.root.rglob("*")}


def test_threads_start_with_their_first_use(new_shop, httpd):
    shop = new_shop()
    bare = httpd("", wxpay=False)
    parent, *children = [threads for threads, _, _ in settled(bare)]
    # mod_watchdog starts one in each child, which waits until it is its turn to be the singleton.
    assert [threads for threads, _, _ in settled(shop.httpd)] \
        == [parent] + [threads + 1 for threads in children]
    shop.payable(100)
    assert sum(threads for threads, _, _ in footprint(shop.httpd)) \
        > sum(threads for threads, _, _ in footprint(bare)) + len(children)


# -- gracefully

def test_graceful_restarts_lose_no_notification(new_shop, mpm):
    """Every one is answered SUCCESS at once, whatever the server is doing meanwhile."""
    shop = new_shop(mpm=mpm)
    numbers = at_once(lambda _: shop.create(100, trade_type="NATIVE")["out_trade_no"],
                      range(60), 4)
    bodies = [paid_notice(shop, number, n) for n, number in enumerate(numbers)]
    over, lock, wrong, sent = threading.Event(), threading.Lock(), [], []

    def work(_):
        """Something new and something known, in turn."""
        while not over.is_set() or len(sent) < 2 * len(bodies):
            with lock:
                turn = len(sent)
                sent.append(turn)
            body = bodies[turn // 2 if turn % 2 == 0 and turn < 2 * len(bodies)
                          else min(turn // 4, len(bodies) - 1)]
            try:
                answer = shop.notify_raw(body)
                if not accepted(answer):
                    wrong.append(answer)
            except OSError as fault:
                wrong.append(fault)
            time.sleep(0.08)
    join = in_background(work, 3)
    restarts, deadline = 0, time.monotonic() + 60
    while restarts < 10 or (len(sent) <= 40 and time.monotonic() < deadline):
        assert shop.httpd.graceful(wait=False)[0] == 0
        time.sleep(0.2)
        restarts += 1
    during = len(sent)
    over.set()
    join()
    assert not wrong and during > 40
    assert len(shop.httpd.rows("SELECT pay_id FROM orders WHERE state = 'PAID'")) == 60
    told = shop.httpd.rows("SELECT out_trade_no FROM events WHERE type = 'order.paid'")
    assert sorted(row["out_trade_no"] for row in told) == sorted(numbers)


def memory(pid):
    """Anonymous memory of a process in KiB."""
    text = pathlib.Path("/proc/%d/status" % pid).read_text()
    return int(re.search(r"RssAnon:\s+(\d+)", text)[1])


def zombies(parent):
    """Children that ended and were not waited for."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[1]) == parent and fields[0] == "Z":
                    found.append(entry.name)
    return found


def test_twenty_gracefuls_leave_nothing_behind(new_shop):
    shop = new_shop()
    shop.payable(100)
    parent = shop.httpd.process.pid
    files = pathlib.Path("/proc/%d/fd" % parent)
    seen = []
    for _ in range(20):
        assert shop.httpd.graceful()[0] == 0
        shop.create(1, trade_type="NATIVE")
        seen.append((len(list(files.iterdir())), footprint(shop.httpd)[0][1], memory(parent)))
    assert shop.httpd.process.pid == parent
    assert len({fds for fds, _, _ in seen}) == 1, seen
    assert len({shared for _, shared, _ in seen}) == 1, seen
    # A sanitizer keeps what was freed, and something of every module that was ever loaded.
    assert "WXPAY_PRELOAD" in os.environ or seen[-1][2] - seen[9][2] < 512, seen
    # Of old generations nobody is left, not even as a zombie.
    assert len(shop.httpd.children()) <= 4
    deadline = time.monotonic() + 10
    while found := zombies(parent):
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    names = sorted(path.name for path in shop.httpd.state.iterdir())
    assert names == ["db", "secret"]


def test_children_that_end_by_themselves(new_shop, mpm):
    """MaxConnectionsPerChild: each child serves a little and leaves, with its counts written."""
    shop = new_shop(mpm=mpm, conf="MaxConnectionsPerChild 3\n")
    shop.httpd.allow_log("AH00484")
    numbers = [shop.create(100, trade_type="NATIVE")["out_trade_no"] for _ in range(6)]
    before = set(shop.httpd.children())
    for n, number in enumerate(numbers):
        body = paid_notice(shop, number, n)
        assert accepted(shop.notify_raw(body)) and accepted(shop.notify_raw(body))
    deadline = time.monotonic() + 10
    while set(shop.httpd.children()) == before:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert len(shop.httpd.rows("SELECT id FROM events")) == 6


def test_a_graceful_stop_lets_a_waiting_call_end(new_shop, mpm):
    shop = new_shop(mpm=mpm)
    number = shop.number()
    with shop.behaviour(path="unifiedorder", delay_ms=1500, mch_id=shop.merchant.mch_id):
        waiting = in_background(lambda _: order_now(shop, number), 1)
        deadline = time.monotonic() + 5
        while not shop.calls(number):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        shop.httpd.process.send_signal(signal.SIGWINCH)
        answer, = waiting()
    assert answer.status == 201, answer
    shop.httpd.process.wait(5)
    assert [row["state"] for row in shop.httpd.rows("SELECT state FROM attempts")] == ["OPEN"]


# -- what was left undone

def test_what_a_stop_cut_off_is_taken_over(new_shop):
    """SENT stays SENT; after the restart the buyer's page, polling, gets it done."""
    shop = new_shop(conf="WxPayGatewayTimeout 1s\n")
    shop.httpd.allow_log("unifiedorder")
    order = shop.create(1990)
    number = order["out_trade_no"]
    buyer = shop.buyer(order)
    buyer.page()
    with shop.behaviour(path="unifiedorder", delay_ms=20000, mch_id=shop.merchant.mch_id):
        assert buyer.open().json()["state"] == "preparing"
        began = time.monotonic()
        shop.httpd.stop()
        assert time.monotonic() - began < 3
    attempt, = shop.httpd.rows("SELECT state, lease_until FROM attempts")
    assert attempt["state"] == "SENT" and attempt["lease_until"] / 1e6 > time.time() + 3
    end = time.time() + 3  # sooner, so that the test is short
    with contextlib.closing(sqlite3.connect(shop.httpd.store_file)) as base, base:
        base.execute("UPDATE attempts SET lease_until = ?", (int(end * 1e6),))
    shop.httpd.start()
    buyer = shop.buyer(order)
    deadline = time.monotonic() + 15
    while buyer.state().json()["state"] != "payable":
        assert time.monotonic() < deadline, buyer.state()
        time.sleep(0.3)
    # Nobody else asked before the lease of the call that was cut off had ended.
    assert time.time() >= end
    assert shop.calls(number) == 2
    attempt, = shop.httpd.rows("SELECT state, gateway_no FROM attempts")
    assert attempt == {"state": "OPEN", "gateway_no": number}
    shop.pay(number)
    shop.wait_state(number, "PAID")


# -- the state directory

def of(path):
    """(mode, owner) of a path itself."""
    info = os.lstat(path)
    return stat.S_IMODE(info.st_mode), info.st_uid


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_the_state_directory_is_made_with_care(new_shop, mask):
    before = os.umask(mask)
    try:
        shop = new_shop()
    finally:
        os.umask(before)
    shop.payable(100)
    shop.pay(shop.httpd.rows("SELECT out_trade_no FROM orders")[0]["out_trade_no"])
    state, parent = shop.httpd.state, os.geteuid()
    child = shop.httpd.user.pw_uid if shop.httpd.user else parent
    assert of(state) == (0o711, parent)
    assert of(state / "secret") == (0o600, parent)
    assert (state / "secret").stat().st_size == 32
    assert of(state / "db") == (0o700, child)
    for path in (state / "db").iterdir():
        assert of(path) == (0o600, child), path
    assert (state / "db/wxpay.db").exists()


def test_a_store_in_a_place_of_its_own(new_shop):
    shop = new_shop(conf="WxPayStore sqlite3 ${ROOT}/orders/shop.db\n", start=False)
    place, user = shop.httpd.root / "orders", shop.httpd.user
    place.mkdir(0o700)
    if user:
        os.chown(place, user.pw_uid, user.pw_gid)
    shop.start()
    number = shop.payable(100)[0]["out_trade_no"]
    assert accepted(shop.notify_raw(paid_notice(shop, number)))
    for path in place.iterdir():
        assert of(path) == (0o600, user.pw_uid if user else os.geteuid()), path
    shop.httpd.restart()
    assert shop.api.get(number)["state"] == "PAID"
    with contextlib.closing(sqlite3.connect(place / "shop.db")) as base:
        assert base.execute("SELECT out_trade_no, state FROM orders").fetchall() \
            == [(number, "PAID")]
    assert not list((shop.httpd.state / "db").iterdir())


@pytest.mark.parametrize("name", ["", "secret", "db"])
def test_symbolic_links_are_refused(new_shop, name):
    shop = new_shop()
    shop.payable(100)
    server = shop.httpd
    real, place = server.root / "elsewhere", server.state / name if name else server.state
    place.rename(real)
    place.symlink_to(real)
    code, said = server.configtest()
    assert code != 0 and "WXP0212" in said and "symbolic link" in said, said
    # A graceful restart with it keeps the old server.
    server.allow_log("WXP0303|store:|store |WXP04|WXP0212|AH00014")
    assert server.graceful(wait=False)[0] != 0
    assert shop.web().get("/").status == 200
    place.unlink()
    real.rename(place)
    assert server.graceful()[0] == 0
    assert shop.create(100)["state"] == "NEW"


def test_the_secret_is_kept(new_shop):
    shop = new_shop()
    file = shop.httpd.state / "secret"
    kept, made = file.read_bytes(), file.stat().st_mtime_ns
    buyer = shop.buyer(shop.create())
    buyer.page()
    shop.httpd.graceful()
    shop.httpd.restart()
    assert (file.read_bytes(), file.stat().st_mtime_ns) == (kept, made)
    assert buyer.open().status in (200, 202, 303)
    # Every site has its own; without it a new one is made, and old pages are loaded again.
    other = new_shop()
    assert (other.httpd.state / "secret").read_bytes() != kept
    shop.httpd.stop()
    file.unlink()
    shop.httpd.start()
    assert len(file.read_bytes()) == 32 and file.read_bytes() != kept
    again = shop.buyer(shop.create())
    again.token = buyer.token
    assert again.open().status == 403
    again.page()
    assert again.open().status in (200, 202, 303)


def test_two_servers_on_one_state_directory(new_shop):
    """Say, while an admin moves a site: neither is broken, and one order is one order."""
    first = new_shop(public="https://shop.example")
    second = new_shop(public="https://shop.example", merchant=first.merchant,
                      defines={"STATE": first.httpd.state})
    numbers = [shop.create(100, trade_type="NATIVE")["out_trade_no"]
               for shop in (first, second) * 5]
    bodies = [paid_notice(first, number, n) for n, number in enumerate(numbers)]
    waiting = in_background(lambda n: [accepted((first, second)[n % 2].notify_raw(body))
                                       for body in bodies], 4)
    assert waiting() == [[True] * 10] * 4
    assert [first.row(number)["state"] for number in numbers] == ["PAID"] * 10
    assert len(first.httpd.rows("SELECT id FROM events")) == 10
    first.httpd.stop()
    assert second.api.get(numbers[0])["state"] == "PAID"
    assert second.create(100)["state"] == "NEW"
    first.httpd.start()
    assert first.api.get(numbers[0])["state"] == "PAID"


class AsNobody(Httpd):
    """Started by somebody who is not root."""

    def _command(self, *arguments):
        return ["setpriv", "--reuid", "nobody", "--regid", str(pwd.getpwnam("nobody").pw_gid),
                "--clear-groups", "--pdeathsig", "TERM", "--", *super()._command(*arguments)]

    def start(self):
        nobody = pwd.getpwnam("nobody")
        self.log.path.touch()
        for path in [self.root, *self.root.rglob("*")]:
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
        return super().start()


@pytest.fixture
def readable():
    """A directory that everybody may look into."""
    with tempfile.TemporaryDirectory(prefix="wxpay-module-") as directory:
        os.chmod(directory, 0o755)
        yield pathlib.Path(directory)


@pytest.mark.skipif(os.geteuid() != 0, reason="it is all done by somebody else than root then")
def test_started_by_somebody_else_than_root(gateway, mpm, monkeypatch, readable):
    monkeypatch.setattr("httpd.shop.Httpd", AsNobody)
    monkeypatch.setattr("httpd.server.unprivileged", lambda: None)
    module = readable / "mod_wxpay.so"  # the project may lie where others may not look
    shutil.copy(module_file(), module)
    monkeypatch.setenv("WXPAY_MODULE", str(module))
    with Shop(gateway, public="http://127.0.0.1:{port}", tls=False, mpm=mpm) as shop:
        nobody = pwd.getpwnam("nobody").pw_uid
        assert of("/proc/%d" % shop.httpd.process.pid)[1] == nobody
        order, _ = shop.payable(1990)
        shop.pay(order["out_trade_no"])
        shop.wait_state(order["out_trade_no"], "PAID")
        assert of(shop.httpd.state) == (0o711, nobody)
        assert of(shop.httpd.state / "secret") == (0o600, nobody)
        assert of(shop.httpd.state / "db") == (0o700, nobody)
        assert shop.httpd.graceful()[0] == 0
        assert shop.api.get(order["out_trade_no"])["state"] == "PAID"
        shop.httpd.stop()
        shop.httpd.check_log()


# -- HTTP/2

@pytest.mark.parametrize("threaded", ["event", "worker"])
def test_the_whole_way_over_http2(new_shop, threaded):
    shop = new_shop(mpm=threaded)
    order = shop.create(1990)
    path = order["pay_url"][len(shop.public):]

    def ask(target, *arguments):
        said = shop.web().curl(target, "--http2", "-w", "|%{http_version} %{http_code}", *arguments)
        body, _, status = said.rpartition("|")
        assert status == "2 200", said
        return body
    page = ask(path, "-H", "Accept: text/html")
    token = re.search(r'name="csrf" value="([^"]+)"', page)[1]
    ask(path, "-H", "Accept: application/json", "-H", "Origin: " + shop.public,
        "--data-urlencode", "csrf=" + token)
    deadline = time.monotonic() + 5
    while '"payable"' not in ask(path + "/state"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert ask(path + "/qr.svg").startswith("<svg")
    shop.pay(order["out_trade_no"])
    shop.wait_state(order["out_trade_no"], "PAID")
    assert '"paid"' in ask(path + "/state")
