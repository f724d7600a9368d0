"""`make demo` and `make demo-check`, from the outside."""

import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time

import pytest

from demo import phpshop

from .buyer import Buyer
from .processes import session
from .server import PROJECT
from .web import Web

DEMO = [str(PROJECT / "tests" / "demo" / "run")]
STEPS = ("order created", "payment page opened", "code shown", "paid on the phone",
         "notification verified", "PAID recorded in the store")
TOLD = "the shop was told"  # one that needn't ask
BUY = {"python": ("/buy", {"product": "card"}), "php": ("/buy.php", {"good": "try"})}
ALL_STEPS = {"python": STEPS, "php": (*STEPS, TOLD)}


@pytest.fixture
def room():
    """A TMPDIR of its own, which the demo must leave empty; httpd's children may pass it."""
    with tempfile.TemporaryDirectory(prefix="wxpay-room-") as directory:
        pathlib.Path(directory).chmod(0o755)
        yield directory
        assert os.listdir(directory) == []


def steps_in(text):
    """The steps that were told, in the order they were told in."""
    return [step for line in text.splitlines() for step in ALL_STEPS["php"] if step in line]


def read_until(process, text):
    """What the process prints up to the line with `text`, or to its end."""
    said = ""
    while text not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    return said


@pytest.mark.parametrize("kind, said", [("python", ["--shop", "python"]), ("php", [])])
def test_check(room, kind, said):
    started = time.monotonic()
    done = subprocess.run([*DEMO, "--check", *said], env={**os.environ, "TMPDIR": room},
                          check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=60)
    assert done.returncode == 0, done.stdout
    assert steps_in(done.stdout) == list(ALL_STEPS[kind])
    assert "is PAID in the store and at the simulator" in done.stdout
    assert time.monotonic() - started < 15


def test_check_fails_without_the_module(room):
    done = subprocess.run([*DEMO, "--check"], check=False, text=True, timeout=60,
                          env={**os.environ, "TMPDIR": room, "WXPAY_MODULE": "/nowhere/x.so"},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 1
    assert "/nowhere/x.so is missing: run `make` first" in done.stdout


def test_without_php_there_is_no_php_shop(monkeypatch):
    assert phpshop.is_possible()
    monkeypatch.setattr(phpshop, "program", lambda: "/nowhere/php-fpm")
    assert not phpshop.is_possible()


@pytest.mark.parametrize("number, kind", [(signal.SIGINT, "python"), (signal.SIGTERM, "python"),
                                          (signal.SIGTERM, "php")])
def test_demo_until_stopped(room, number, kind):
    demo = subprocess.Popen([*DEMO, "--shop", kind], env={**os.environ, "TMPDIR": room},
                            start_new_session=True, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)
    try:
        said = read_until(demo, "Ctrl-C")
        shop = Web(re.search(r"shop +(http\S+)/", said)[1])
        phone = Web(re.search(r"phone +(http\S+)/", said)[1])
        assert phone.get("/").status == 200
        bought = shop.post(*BUY[kind])
        buyer = Buyer(shop, bought.header("Location"))
        buyer.page()
        code_url = buyer.code_url()
        assert phone.post("/control/pay", '{"code_url": "%s"}' % code_url).status == 200
        buyer.wait_paid()
        if kind == "python":
            orders = shop.get("/orders", {"Accept-Language": "en"}).text
            assert "One fen, to try" in orders and "Paid" in orders
        said += read_until(demo, ALL_STEPS[kind][-1])
        # To the whole group, as a terminal does.
        os.killpg(demo.pid, number)
        said += demo.communicate(timeout=20)[0]
        assert demo.returncode == 0, said
        assert steps_in(said) == list(ALL_STEPS[kind])
        assert said.endswith("stopped\n"), said
    finally:
        demo.kill()
        demo.communicate()
    assert not session(demo.pid)
