"""Delivers notifications: the real headers, time-out and retry schedule (dossier, section 6)."""

import asyncio
import errno
import ipaddress
import socket
import ssl
import time
from collections import Counter

import aiohttp
from aiohttp.abc import AbstractResolver

from . import clock, notice, xmlio

SCHEDULE = (15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600,
            10800, 10800, 10800, 21600, 21600)
HEADERS = {"Content-Type": "text/xml", "User-Agent": "Mozilla/4.0", "Accept": "*/*",
           "Pragma": "no-cache"}
ANSWER_LIMIT = 64 * 1024


class Names(AbstractResolver):
    """`host:port` -> address and port; other hosts than this machine are unknown."""

    def __init__(self):
        self.map = {}

    def add(self, line):
        """HOST:PORT:ADDR[:PORT2], as curl's --connect-to; an IPv6 ADDR in brackets."""
        host, port, rest = line.split(":", 2)
        if rest.startswith("["):
            address, _, rest = rest[1:].partition("]")
            other = rest.removeprefix(":")
        else:
            address, _, other = rest.partition(":")
        ipaddress.ip_address(address)
        self.map[host.lower(), int(port)] = (address, int(other or port))

    async def resolve(self, host, port=0, family=socket.AF_INET):
        address, target = self.map.get((host.lower(), port)) or self._own(host, port)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [{"hostname": host, "host": address, "port": target, "family": family,
                 "proto": 0, "flags": socket.AI_NUMERICHOST}]

    @staticmethod
    def _own(host, port):
        if host.lower() != "localhost":
            raise OSError(errno.EHOSTUNREACH, "%s:%d has no --resolve" % (host, port))
        return "127.0.0.1", port

    async def close(self):
        pass


class Note:
    """One notification and all its tries."""

    def __init__(self, kind, order_key, url):
        self.kind = kind
        self.order_key = order_key
        self.url = url
        self.state = "pending"
        self.tries = []

    def view(self):
        return {"kind": self.kind, "mch_id": self.order_key[0],
                "out_trade_no": self.order_key[1], "url": self.url, "state": self.state,
                "tries": self.tries}


def accepted(answer):
    """Whether the gateway takes this answer for SUCCESS: status 200 and the XML says so."""
    if answer.get("status") != 200:
        return False
    try:
        return xmlio.read(answer["body"].encode()).get("return_code") == "SUCCESS"
    except (xmlio.XmlError, UnicodeEncodeError):
        return False


class Notifier:
    def __init__(self, merchants, ledger, faults, events, *, retry_scale=1.0, timeout=5.0,
                 ca=None, insecure=False):
        self.merchants = merchants
        self.ledger = ledger
        self.faults = faults
        self.events = events
        self.retry_scale = retry_scale
        self.timeout = timeout
        self.names = Names()
        self.notes = []
        self.results = Counter()
        self.tasks = set()
        self.session = None
        self.tls = ssl.create_default_context(cafile=ca)
        if insecure:
            self.tls.check_hostname = False
            self.tls.verify_mode = ssl.CERT_NONE

    async def start(self):
        connector = aiohttp.TCPConnector(resolver=self.names, use_dns_cache=False, limit=0,
                                         ssl=self.tls, force_close=True)
        self.session = aiohttp.ClientSession(connector=connector,
                                             cookie_jar=aiohttp.DummyCookieJar())

    async def stop(self):
        await self.reset()
        await self.session.close()

    async def reset(self):
        """Forgets everything; retries that are due later never happen."""
        tasks = list(self.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.notes.clear()
        self.results.clear()

    # -- the automatic notification of a payment

    def announce(self, order, options=None):
        """Starts notifying; returns a future with the first answer, or None when told not to."""
        actions = self.faults.match("notice", mch_id=order.mch_id,
                                    out_trade_no=order.out_trade_no) or {}
        if actions.get("no_notify"):
            self.events.say("notify", "%s held back" % order.out_trade_no)
            return None
        note = Note("payment", (order.mch_id, order.out_trade_no), order.params["notify_url"])
        order.notifications.append(note)
        self.notes.append(note)
        body = notice.payment(order, self.merchants.get(order.mch_id), options)
        first = asyncio.get_running_loop().create_future()
        delay = actions.get("notify_delay_ms", 0) / 1000
        task = asyncio.ensure_future(self._keep_trying(note, body, delay, first))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return first

    async def _keep_trying(self, note, body, delay, first):
        try:
            await asyncio.sleep(delay)
            for pause in SCHEDULE + (None,):
                answer = await self.send(note, body)
                if not first.done():
                    first.set_result(answer)
                if answer["accepted"]:
                    note.state = "acknowledged"
                    return
                if pause is not None:
                    await asyncio.sleep(pause * self.retry_scale)
            note.state = "given up"
            self.events.say("notify", "%s given up" % note.order_key[1])
        finally:
            if note.state == "pending":
                note.state = "stopped"
            if not first.done():
                first.set_result({"error": "stopped", "accepted": False})

    # -- one try

    async def send(self, note, body, options=None):
        """POSTs once and keeps the answer in the note."""
        started = time.time()
        answer = await self._post(note.url, body, options or {})
        answer["at"] = clock.iso(started)
        answer["ms"] = round((time.time() - started) * 1000, 1)
        answer["accepted"] = accepted(answer)
        note.tries.append(answer)
        result = "SUCCESS" if answer["accepted"] else "refused or failed"
        self.results[note.kind, result] += 1
        if not self.events.quiet:
            said = answer.get("error") or "%d %s" % (
                answer["status"], "SUCCESS" if answer["accepted"] else answer["body"][:200])
            self.events.say("notify", "%s %s try %d -> %s (%.0f ms)" % (
                note.order_key[1], note.kind, len(note.tries), said, answer["ms"]))
        return answer

    async def _post(self, url, body, options):
        timeout = aiohttp.ClientTimeout(total=options.get("timeout_s", self.timeout))
        headers = {**HEADERS, **(options.get("headers") or {})}
        data = body
        if options.keys() & {"chunked", "slow_ms", "cut"}:
            data = _pieces(body, options)
            if not options.get("chunked"):
                headers.setdefault("Content-Length", str(len(body)))
        try:
            async with self.session.request(
                    options.get("method", "POST"), url, data=data, headers=headers,
                    timeout=timeout, allow_redirects=False,
                    skip_auto_headers=("Accept-Encoding",)) as response:
                return {"status": response.status, "body": await _text(response),
                        "headers": dict(response.headers)}
        except asyncio.TimeoutError:
            return {"error": "no answer within %g s" % timeout.total}
        except (aiohttp.ClientError, OSError, ValueError, ConnectionError) as error:
            return {"error": "%s: %s" % (type(error).__name__, error)}


async def _text(response):
    text = b""
    async for chunk in response.content.iter_chunked(8192):
        text += chunk
        if len(text) > ANSWER_LIMIT:
            break
    return text[:ANSWER_LIMIT].decode("utf-8", "replace")


class CutShort(OSError):
    """Raised on purpose in the middle of a body."""


async def _pieces(body, options):
    """The body in pieces: slowly, or not to its end."""
    size = options.get("piece", 64)
    end = options.get("cut", len(body))
    for at in range(0, end, size):
        yield body[at:min(at + size, end)]
        await asyncio.sleep(options.get("slow_ms", 0) / 1000)
    if "cut" in options:
        raise CutShort("cut after %d bytes" % end)
