"""The store is full, read-only, locked or gone: FAIL and 503, a line that says what to do, and
recovery without a restart where that is possible."""

import contextlib
import os
import sqlite3
import subprocess
import time

import pytest

from .notices import accepted, payment, refused, transaction
from .shop import GATEWAY, MERCHANT, PATHS


def _expect_refusal(shop, number, n):
    answer = shop.notify_raw(payment(shop.merchant, number, 100, transaction(n)))
    assert refused(answer), answer
    made = shop.api.post_order({"out_trade_no": shop.number(), "total_fee": 1, "body": "Tea"})
    assert made.status == 503 and made.header("Retry-After"), made
    return made


def _expect_recovery(shop, number, n):
    deadline = time.monotonic() + 10
    body = payment(shop.merchant, number, 100, transaction(n))
    while not accepted(shop.notify_raw(body)):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert shop.row(number)["state"] == "PAID"
    assert shop.create(100)["state"] == "NEW"


@pytest.fixture
def site(new_shop):
    shop = new_shop()
    shop.httpd.allow_log("WXP0303|store:|store |WXP04|recorded")
    return shop


def test_locked_by_another_program(site):
    order, _ = site.payable(100)
    number = order["out_trade_no"]
    with contextlib.closing(sqlite3.connect(site.httpd.store_file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        begun = time.monotonic()
        _expect_refusal(site, number, 1)
        assert time.monotonic() - begun < 9  # two waits below 3 s each
        # In WAL mode others still read while one writes.
        assert site.buyer(order).page().status == 200
        other.execute("ROLLBACK")
    _expect_recovery(site, number, 1)
    assert any("locked" in line.text for line in site.httpd.log.lines())


def test_removed_under_a_running_server(site):
    order, _ = site.payable(100)
    number = order["out_trade_no"]
    parts = [site.httpd.store_file.with_name(site.httpd.store_file.name + suffix)
             for suffix in ("", "-wal", "-shm")]
    with contextlib.closing(sqlite3.connect(site.httpd.store_file)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for part in parts:
        if part.exists():
            part.rename(part.with_name(part.name + ".away"))
    _expect_refusal(site, number, 1)
    assert not site.httpd.store_file.exists()  # never an empty new database in its place
    page = site.buyer(order).page()
    assert page.status == 503 and page.header("Retry-After")
    for part in parts:
        away = part.with_name(part.name + ".away")
        if away.exists():
            away.rename(part)
    _expect_recovery(site, number, 1)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
def test_disk_full(new_shop, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    tmp_path.chmod(0o755)
    for parent in list(tmp_path.parents)[:3]:
        if parent != parent.parent and str(parent) != "/tmp":
            parent.chmod(parent.stat().st_mode | 0o011)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "wxpay-test", str(small)],
                      capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount")
    try:
        shop = new_shop(conf="WxPayStateDir %s/state\n" % small, base=_base())
        shop.httpd.allow_log("WXP0303|store:|store |WXP04")
        order, _ = shop.payable(100)
        filler = small / "filler"
        with contextlib.suppress(OSError), open(filler, "wb") as out:
            while True:
                out.write(b"x" * 4096)
                out.flush()
        number = order["out_trade_no"]
        store = small / "state" / "db" / "wxpay.db"
        _fill(shop)
        _expect_refusal(shop, number, 1)
        filler.unlink()
        body = payment(shop.merchant, number, 100, transaction(1))
        assert accepted(shop.notify_raw(body))
        with contextlib.closing(sqlite3.connect("file:%s?mode=ro" % store, uri=True)) as db:
            assert db.execute("SELECT state FROM orders WHERE out_trade_no = ?",
                              (number,)).fetchone()[0] == "PAID"
        shop.httpd.stop()
    finally:
        subprocess.run(["umount", "-l", str(small)], capture_output=True, check=False)


def _base():
    return MERCHANT + GATEWAY.replace("WxPayStateDir      ${STATE}\n", "") + PATHS


def _fill(shop):
    """What room the log file has is used up by orders, until one is refused."""
    for _ in range(400):
        answer = shop.api.post_order({"out_trade_no": shop.number(), "total_fee": 1,
                                      "body": "x" * 120})
        if answer.status == 503:
            return
    raise AssertionError("the file system is not full")


def test_read_only_database(site):
    order, _ = site.payable(100)
    number = order["out_trade_no"]
    with contextlib.closing(sqlite3.connect(site.httpd.store_file)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    site.httpd.stop()
    site.httpd.store_file.chmod(0o444)
    if os.geteuid() == 0:
        os.chown(site.httpd.store_file, 0, 0)
    for suffix in ("-wal", "-shm"):
        site.httpd.store_file.with_name(site.httpd.store_file.name + suffix).unlink(missing_ok=True)
    site.httpd.start()
    _expect_refusal(site, number, 1)
    assert site.web().get("/").status == 200
    if os.geteuid() == 0:
        os.chown(site.httpd.store_file, site.httpd.user.pw_uid, site.httpd.user.pw_gid)
    site.httpd.store_file.chmod(0o600)
    _expect_recovery(site, number, 1)


def test_no_state_directory_still_serves_the_rest(new_shop):
    """Where it cannot be made, the server starts all the same, says so, and payment answers 503."""
    shop = new_shop(start=False)
    shop.httpd.state.write_text("in the way")
    code, said = shop.httpd.configtest()
    assert code != 0 and "WXP0212" in said and "not a directory" in said
    shop.httpd.state.unlink()
    code, said = shop.httpd.configtest()
    assert code == 0, said
    assert not shop.httpd.state.exists()  # -t has no side effect
