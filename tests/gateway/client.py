"""Starts, stops and steers a gateway simulator: for pytest fixtures, benchmarks and the demo.

    with Gateway(directory, merchants=["wx…,1230000109,<key>"]) as gateway:
        gateway.behaviour(path="unifiedorder", delay_ms=3000, times=1)
        gateway.pay(out_trade_no="A1", wait=True)
        assert gateway.order("A1")["state"] == "SUCCESS"
"""

import json
import os
import pathlib
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

TESTS = pathlib.Path(__file__).resolve().parent.parent
START_LIMIT = 15.0

# Never through a proxy of the environment.
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


class GatewayError(Exception):
    """An error answer of the control API; `data` is its JSON."""

    def __init__(self, status, data):
        super().__init__("%s %s" % (status, data.get("error", data)))
        self.status = status
        self.data = data


class Gateway:
    """One simulator process. Addresses are attributes once it runs: gateway, backup, phone, ca.

    Where an order number is given without mch_id, the first merchant's is meant.
    """

    def __init__(self, directory, merchants=(), *, providers=(), resolve=(), retry_scale=0.01,
                 notify_timeout=5.0, notify_ca=None, notify_insecure=False, phone_port=0,
                 quiet=False, output=None, python="/usr/bin/python3"):
        """`output`: a file object for its event lines; default DIR/gateway.log."""
        self.directory = pathlib.Path(directory)
        self.command = [python, "-m", "gateway", "--dir", str(self.directory.resolve()),
                        "--with-parent", str(os.getpid()), "--retry-scale", str(retry_scale),
                        "--notify-timeout", str(notify_timeout), "--phone-port", str(phone_port)]
        for option, values in (("--merchant", merchants), ("--provider", providers),
                               ("--resolve", resolve)):
            for value in values:
                self.command += [option, value]
        if notify_ca:
            self.command += ["--notify-ca", str(notify_ca)]
        if notify_insecure:
            self.command.append("--notify-insecure")
        if quiet:
            self.command.append("--quiet")
        self.output = output
        self.mch_id = merchants[0].split(",")[1] if merchants else None
        self.process = None
        self.gateway = self.backup = self.phone = self.control = self.ca = None

    # -- the process

    def start(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        state = self.directory / "gateway.json"
        state.unlink(missing_ok=True)
        log = self.output or open(self.directory / "gateway.log", "ab")
        try:
            self.process = subprocess.Popen(self.command, cwd=TESTS, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=subprocess.STDOUT)
        finally:
            if log is not self.output:
                log.close()
        deadline = time.monotonic() + START_LIMIT
        while not state.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError("the gateway did not start:\n" + self.log()[-4000:])
            time.sleep(0.02)
        found = json.loads(state.read_text())
        for name in ("gateway", "backup", "phone", "control", "ca"):
            setattr(self, name, found[name])
        return self

    def stop(self):
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def log(self):
        path = self.directory / "gateway.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    # -- the control API

    def request(self, method, path, data=None, timeout=120):
        """One call of the control API; path below /control."""
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(self.control + path, body, method=method,
                                         headers={"Content-Type": "application/json"})
        try:
            with _open(request, timeout=timeout) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            with error:
                text = error.read()
            try:
                data = json.loads(text)
            except ValueError:
                data = {"error": text.decode(errors="replace")}
            raise GatewayError(error.code, data) from None

    def _about(self, path, out_trade_no, options):
        return self.request("POST", path, _with(options, out_trade_no=out_trade_no,
                                                mch_id=self.mch_id))

    def pay(self, out_trade_no=None, **options):
        """Pays an order; options code_url, prepay_id, mch_id, total_fee, wait…"""
        return self._about("/pay", out_trade_no, options)

    def bridge(self, params, **options):
        """Hands parameters to WeChat's bridge; options do, openid, notify."""
        return self.request("POST", "/bridge", {"params": params, **options})

    def cancel(self, out_trade_no=None, **options):
        return self._about("/cancel", out_trade_no, options)

    def close(self, out_trade_no=None, **options):
        return self._about("/close", out_trade_no, options)

    def expire(self, out_trade_no=None, **options):
        return self._about("/expire", out_trade_no, options)

    def refund(self, out_trade_no=None, **options):
        return self._about("/refund", out_trade_no, options)

    def notify(self, out_trade_no=None, **options):
        """Sends notices by hand and returns the list of answers (README, "Notices by hand").

        mch_id is a field of the notice here; order_mch_id names another merchant's order.
        """
        return self.notify_full(out_trade_no, **options)["answers"]

    def notify_full(self, out_trade_no=None, **options):
        """As notify, with the body that was sent."""
        return self.request("POST", "/notify", _with(
            options, out_trade_no=out_trade_no, order_mch_id=self.mch_id))

    def behaviour(self, **spec):
        """Adds a behaviour (see faults.py) and returns its id."""
        return self.request("POST", "/behaviour", spec)["id"]

    def behaviours(self):
        return self.request("GET", "/behaviour")["behaviours"]

    def clear(self, number=None):
        """Removes one behaviour, or all."""
        return self.request("DELETE", "/behaviour" + ("" if number is None else "/%d" % number))

    def merchant(self, **data):
        """Adds or replaces a merchant: mch_id, appid(s), key(s), sign_type, provider, subs."""
        return self.request("POST", "/merchants", data)

    def resolve(self, *lines):
        return self.request("POST", "/resolve", {"resolve": list(lines)})

    def drop(self, host=None):
        """Ends the open connections of one door or both; returns how many."""
        return self.request("POST", "/drop", {"host": host})["dropped"]

    def reset(self):
        return self.request("POST", "/reset", {})

    def state(self):
        return self.request("GET", "/state")

    def ledger(self):
        return self.request("GET", "/ledger")

    def order(self, out_trade_no, mch_id=None):
        """One order with its calls and notifications; None when the gateway has no such order."""
        try:
            return self.request("GET", self._order_path(out_trade_no, mch_id))
        except GatewayError as error:
            if error.status != 404:
                raise
            return None

    def calls(self, out_trade_no, path="/pay/unifiedorder", mch_id=None):
        """How often `path` was called for this number, effects or not."""
        try:
            found = self.request("GET", self._order_path(out_trade_no, mch_id))["calls"]
        except GatewayError as error:
            found = error.data.get("calls", [])
        return sum(1 for call in found if call["path"] == path)

    def _order_path(self, out_trade_no, mch_id):
        return "/orders/%s/%s" % tuple(urllib.parse.quote(part, safe="")
                                       for part in (mch_id or self.mch_id, out_trade_no))

    def wait(self, condition, seconds=10.0, every=0.05):
        """Waits until condition(self) is true and returns it; AssertionError after `seconds`."""
        deadline = time.monotonic() + seconds
        while True:
            found = condition(self)
            if found:
                return found
            assert time.monotonic() < deadline, "waited %g s in vain" % seconds
            time.sleep(every)


def _with(options, **more):
    """Leaves out what wasn't given."""
    return {name: value for name, value in {**more, **options}.items() if value is not None}
