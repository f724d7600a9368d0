"""Deliveries as their receivers see them: an npm package and the README's examples verify them."""

import base64
import contextlib
import re
import secrets
import subprocess
import time

import pytest

from .judge import Judge
from .processes import free_ports
from .receiver import KEY as OTHER_KEY, Receiver
from .server import PROJECT

CONF = "WxPayDeliverTo %s\nWxPayDeliverKey file:${ROOT}/conf/deliver.key%s\n"


def new_key():
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


@pytest.fixture
def receiver():
    with Receiver() as running:
        yield running


def telling(new_shop, url, key, previous=None):
    """A shop that tells `url`."""
    shop = new_shop(start=False,
                    conf=CONF % (url, " file:${ROOT}/conf/old.key" if previous else ""))
    shop.httpd.write("conf/deliver.key", key + "\n", 0o600)
    if previous:
        shop.httpd.write("conf/old.key", previous + "\n", 0o600)
    return shop.start()


def paid(shop, **more):
    number = shop.payable(1990, body="龙井茶", **more)[0]["out_trade_no"]
    shop.pay(number)
    return number


def example(language):
    """What the README says a receiver can do."""
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    found, = [code for code in re.findall(r"^```%s\n(.*?)^```$" % language, text, re.M | re.S)
              if "whsec_" in code]
    return found


def test_the_npm_package_believes_it(new_shop, gateway, receiver):
    key = new_key()
    shop = telling(new_shop, receiver.url, key)
    number = paid(shop, attach="kept & sent")
    post = receiver.wait(number)[0]
    judge = Judge(shop.merchant, gateway)
    question = {"secret": key, "headers": dict(post.headers), "body": post.body.decode()}
    event = judge.webhook_verify(**question)["event"]
    assert (event["type"], post.path) == ("order.paid", "/paid")
    assert event["data"]["out_trade_no"] == number and event["data"]["state"] == "PAID"
    assert (event["data"]["total_fee"], event["data"]["attach"]) == (1990, "kept & sent")
    assert event["data"]["transaction_id"] == shop.ledger(number)["payment"]["transaction_id"]
    for change in ({"secret": OTHER_KEY}, {"body": question["body"] + " "},
                   {"headers": {**dict(post.headers), "webhook-id": "another"}}):
        headers = {name: value for name, value in question["headers"].items()
                   if name.lower() not in change.get("headers", ())}
        refused = judge.webhook_verify(**{**question, "headers": headers, **change})
        assert "event" not in refused and refused["error"], refused


def test_while_keys_change_over_both_are_believed(new_shop, gateway, receiver):
    key, old = new_key(), new_key()
    shop = telling(new_shop, receiver.url, key, old)
    number = paid(shop)
    post = receiver.wait(number)[0]
    judge = Judge(shop.merchant, gateway)
    for secret in (key, old):
        told = judge.webhook_verify(secret=secret, headers=dict(post.headers), body=post.body.decode())
        assert told["event"]["type"] == "order.paid", told


def test_the_readme_in_python(new_shop, receiver):
    key = new_key()
    shop = telling(new_shop, receiver.url, key)
    number = paid(shop)
    post = receiver.wait(number)[0]
    names = {}
    exec(example("python"), names)  # pylint: disable=exec-used
    headers = {name.lower(): value for name, value in post.headers.items()}
    assert names["order_of"](headers, post.body, key)["out_trade_no"] == number
    stale = {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) - 301)}
    for wrong in ((headers, post.body + b" ", key), (headers, post.body, OTHER_KEY),
                  (stale, post.body, key)):
        with pytest.raises(ValueError):
            names["order_of"](*wrong)


@contextlib.contextmanager
def php_server(root):
    """PHP's own small server with a directory; its URL."""
    port, = free_ports(1)
    with open(root / "php.log", "wb") as log:
        process = subprocess.Popen(["php", "-n", "-S", "127.0.0.1:%d" % port, "-t", str(root)],
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 10
        while b"started" not in (root / "php.log").read_bytes():
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        yield "http://127.0.0.1:%d" % port
    finally:
        process.kill()
        process.wait()


def test_the_readme_in_php(new_shop, tmp_path):
    key = new_key()
    (tmp_path / "deliver.key").write_text(key + "\n")
    (tmp_path / "paid.php").write_text(
        "<?php\n" + example("php").replace("/srv/app/deliver.key", str(tmp_path / "deliver.key"))
        + "file_put_contents('%s', json_encode($order));\n" % (tmp_path / "order"))
    with php_server(tmp_path) as url:
        shop = telling(new_shop, url + "/paid.php", key)
        number = paid(shop)
        deadline = time.monotonic() + 10
        while not (tell := shop.api.get(number)["deliveries"])[0]["tries"]:
            assert time.monotonic() < deadline, tell
            time.sleep(0.05)
        assert [one.get("status") for one in tell[0]["tries"]] == [204], tell
        assert '"out_trade_no":"%s"' % number in (tmp_path / "order").read_text()
        forged = subprocess.run(
            ["curl", "-s", "-o", "-", "-w", "%{http_code}", "-H", "webhook-id: " + tell[0]["id"],
             "-H", "webhook-timestamp: %d" % time.time(), "-H", "webhook-signature: v1,AAAA",
             "-d", "{}", url + "/paid.php"], capture_output=True, text=True, check=True).stdout
        assert forged == "403"
        assert (tmp_path / "order").read_text() == "null"
