"""HTTP/1.1 over TLS, spoken by hand: replies can be cut, dripped, endless or no HTTP at all."""

import asyncio
import os
import socket
import struct
import time
from email.utils import formatdate

from . import deform

HEAD_LIMIT = 16 * 1024
BODY_LIMIT = 256 * 1024
HUGE_LIMIT = 1 << 30
# Actions that leave the call itself alone, even with `before`.
HARMLESS = {"before", "delay_ms", "date_skew_s", "close", "drip_ms", "refuse_early_close",
            "trade_state"}
REASONS = {200: "OK", 301: "Moved Permanently", 302: "Found", 307: "Temporary Redirect",
           400: "Bad Request", 404: "Not Found", 413: "Payload Too Large",
           500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable",
           504: "Gateway Timeout"}


class BadRequest(Exception):
    def __init__(self, status):
        super().__init__(REASONS[status])
        self.status = status


def html(status):
    text = "%d %s" % (status, REASONS.get(status, "Unknown"))
    return ("<html>\r\n<head><title>%s</title></head>\r\n<body>\r\n<center><h1>%s</h1></center>"
            "\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n" % (text, text)).encode()


_date = (0, "")


def http_date(skew=0):
    """The Date header; formatted once a second, as it is part of every reply."""
    global _date
    now = int(time.time())
    if skew:
        return formatdate(now + skew, usegmt=True)
    if _date[0] != now:
        _date = (now, formatdate(now, usegmt=True))
    return _date[1]


def head(status, length, keep, *, content_type="text/plain", skew=0, extra=""):
    """`length` None: chunked."""
    size = "Transfer-Encoding: chunked" if length is None else "Content-Length: %d" % length
    return ("HTTP/1.1 %d %s\r\nServer: nginx\r\nDate: %s\r\nContent-Type: %s\r\n%s\r\n"
            "Connection: %s\r\nRequest-ID: %s\r\n%s\r\n" % (
                status, REASONS.get(status, "Unknown"), http_date(skew), content_type, size,
                "keep-alive" if keep else "close", os.urandom(16).hex().upper(), extra)).encode()


class Connection(asyncio.Protocol):
    def __init__(self, door):
        self.door = door
        self.transport = None
        self.buffer = b""
        self.task = None
        self.writable = asyncio.Event()
        self.writable.set()

    # -- asyncio.Protocol

    def connection_made(self, transport):
        self.transport = transport
        self.door.arrived(self)

    def connection_lost(self, _error):
        self.door.connections.discard(self)
        self.writable.set()

    def pause_writing(self):
        self.writable.clear()

    def resume_writing(self):
        self.writable.set()

    def data_received(self, data):
        self.buffer += data
        if self.task is None:
            self.pump()

    # -- requests

    def pump(self):
        """Answers every complete request in the buffer, until one has to be answered slowly."""
        while self.task is None and not self.transport.is_closing():
            try:
                request = self.next_request()
            except BadRequest as error:
                page = html(error.status)
                self.transport.write(head(error.status, len(page), False,
                                          content_type="text/html") + page)
                self.transport.close()
                return
            if request is None:
                return
            self.answer(*request)

    def next_request(self):
        """(method, path, body, keep), or None while it is incomplete."""
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self.buffer) > HEAD_LIMIT:
                raise BadRequest(400)
            return None
        lines = self.buffer[:end].decode("latin-1").split("\r\n")
        try:
            method, target, version = lines[0].split(" ")
        except ValueError:
            raise BadRequest(400) from None
        headers = {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon:
                raise BadRequest(400)
            headers[name.lower()] = value.strip()
        start = end + 4
        if "transfer-encoding" in headers:
            body, after = self.chunked(start)
        else:
            length = headers.get("content-length", "0")
            if not (length.isascii() and length.isdigit()):
                raise BadRequest(400)
            after = start + int(length)
            if after - start > BODY_LIMIT:
                raise BadRequest(413)
            body = self.buffer[start:after] if len(self.buffer) >= after else None
        if body is None:
            if headers.get("expect", "").lower() == "100-continue" and len(self.buffer) == start:
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return None
        self.buffer = self.buffer[after:]
        wish = headers.get("connection", "").lower()
        keep = wish == "keep-alive" or (version == "HTTP/1.1" and wish != "close")
        return method, target.partition("?")[0], body, keep

    def chunked(self, at):
        """(body, where it ends) of a chunked body, (None, 0) while it is incomplete."""
        body = b""
        while True:
            line = self.buffer.find(b"\r\n", at)
            if line < 0:
                return None, 0
            try:
                size = int(self.buffer[at:line].split(b";")[0], 16)
            except ValueError:
                raise BadRequest(400) from None
            if len(body) + size > BODY_LIMIT:
                raise BadRequest(413)
            at = line + 2
            if len(self.buffer) < at + size + 2:
                return None, 0
            body += self.buffer[at:at + size]
            at += size + 2
            if size == 0:
                return body, at

    # -- answers

    def answer(self, method, path, body, keep):
        api = self.door.api
        if not api.knows(path):
            page = html(404)
            self.send(head(404, len(page), keep, content_type="text/html") + page, keep)
            return
        call = api.read(self.door.name, method, path, body)
        actions = self.door.faults.match(
            "reply", path=path, host=self.door.name, mch_id=call.fields.get("mch_id"),
            out_trade_no=call.fields.get("out_trade_no"))
        if actions is None:
            text = api.perform(call).body()
            self.send(head(200, len(text), keep) + text, keep)
            return
        self.task = asyncio.ensure_future(self.misbehave(call, actions, keep))
        self.task.add_done_callback(self.recovered)

    def recovered(self, task):
        self.task = None
        if not task.cancelled() and task.exception() is not None:
            self.door.events.say("broken", repr(task.exception()))
            self.transport.abort()
        elif not self.transport.is_closing():
            self.pump()

    def send(self, data, keep):
        self.transport.write(data)
        if not keep:
            self.transport.close()

    async def misbehave(self, call, actions, keep):
        before = actions.get("before")
        delay = actions.get("delay_ms", 0) / 1000
        harm = set(actions) - HARMLESS
        if before:
            await asyncio.sleep(delay)
        if before and harm:
            self.door.api.note(call, "no effect: " + " ".join(sorted(harm)))
            reply = deform.substitute(call)
        else:
            reply = self.door.api.perform(call, actions)
        if not before:
            await asyncio.sleep(delay)
        if self.transport.is_closing():
            return
        text = deform.deform(call, reply, actions).body()
        await self.deliver(text, actions, keep and not actions.get("close"))

    async def deliver(self, text, actions, keep):
        skew = actions.get("date_skew_s", 0)
        if actions.get("garbage"):
            said = actions["garbage"]
            self.transport.write(said.encode() if isinstance(said, str) else os.urandom(512))
            self.transport.close()
        elif actions.get("huge"):
            await self.flood(actions["huge"], skew)
        elif "status" in actions or "redirect" in actions:
            self.send(self.odd_status(actions, keep, skew), keep)
        else:
            if actions.get("empty"):
                text = b""
            elif "raw_body" in actions:
                text = actions["raw_body"].encode()
            lines = head(200, len(text), keep, skew=skew)
            if actions.get("cut", False) is not False:
                self.cut(lines, text, actions)
            else:
                await self.write_slowly(lines + text, actions.get("drip_ms", 0))
                if not keep:
                    self.transport.close()

    @staticmethod
    def odd_status(actions, keep, skew):
        status = actions.get("status", 302)
        extra = ""
        if actions.get("redirect"):
            extra = "Location: %s\r\n" % actions["redirect"]
        page = actions["raw_body"].encode() if "raw_body" in actions else html(status)
        return head(status, len(page), keep, content_type="text/html", skew=skew,
                    extra=extra) + page

    def cut(self, lines, text, actions):
        """cut true: not a byte; cut n: the head and n bytes of the body, then the end."""
        if actions["cut"] is not True:
            self.transport.write(lines + text[:actions["cut"]])
        if actions.get("rst"):
            reset(self.transport)
        else:
            self.transport.close()

    async def write_slowly(self, data, drip_ms):
        if not drip_ms:
            self.transport.write(data)
            return
        for at in range(0, len(data), 16):
            if self.transport.is_closing():
                return
            self.transport.write(data[at:at + 16])
            await asyncio.sleep(drip_ms / 1000)

    async def flood(self, wanted, skew):
        """A reply that begins well and never ends, or is complete after so many bytes."""
        left = HUGE_LIMIT if wanted is True else wanted
        start = b"<xml><return_code><![CDATA[SUCCESS]]></return_code>\n<return_msg><![CDATA["
        chunk = b"10000\r\n" + b"A" * 65536 + b"\r\n"
        self.transport.write(head(200, None, False, skew=skew)
                             + b"%x\r\n%s\r\n" % (len(start), start))
        while left > 0 and not self.transport.is_closing():
            self.transport.write(chunk)
            left -= 65536
            await self.writable.wait()
            await asyncio.sleep(0)
        if not self.transport.is_closing():
            end = b"]]></return_msg>\n</xml>"
            self.transport.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(end), end))
            self.transport.close()


def reset(transport):
    """RST instead of a polite end."""
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class Rude(asyncio.Protocol):
    """Takes TCP connections and resets them, or never says a word."""

    task = None

    def __init__(self, door, mode):
        self.door = door
        self.mode = mode
        self.transport = None

    def connection_made(self, transport):
        self.transport = transport
        self.door.rejected += 1
        if self.mode == "reset":
            reset(transport)
        else:
            self.door.connections.add(self)

    def connection_lost(self, _error):
        self.door.connections.discard(self)


class Door:
    """One listener of the gateway: primary or backup."""

    def __init__(self, name, tls, api, faults, events):
        self.name = name
        self.tls = tls
        self.api = api
        self.faults = faults
        self.events = events
        self.port = 0
        self.mode = None
        self.server = None
        self.connections = set()
        self.handshakes = self.resumed = self.rejected = 0

    def arrived(self, connection):
        self.connections.add(connection)
        self.handshakes += 1
        tls = connection.transport.get_extra_info("ssl_object")
        if tls is not None and tls.session_reused:
            self.resumed += 1

    async def open(self):
        loop = asyncio.get_running_loop()
        if self.mode is None:
            self.server = await loop.create_server(
                lambda: Connection(self), "127.0.0.1", self.port, ssl=self.tls, backlog=1024,
                reuse_address=True, ssl_handshake_timeout=20)
        elif self.mode != "refuse":
            mode = self.mode
            self.server = await loop.create_server(
                lambda: Rude(self, mode), "127.0.0.1", self.port, backlog=1024,
                reuse_address=True)
        if self.server is not None:
            self.port = self.server.sockets[0].getsockname()[1]

    async def set_mode(self, mode):
        """None: serve; refuse, reset or hang: what happens to connections, old ones included."""
        if mode == self.mode:
            return
        self.close()
        self.mode = mode
        await self.open()

    def drop(self):
        """Ends every open connection."""
        dropped = list(self.connections)
        for connection in dropped:
            connection.transport.abort()
        return len(dropped)

    def abandon(self):
        """Ends the calls that are still being answered, before they have a late effect."""
        for connection in list(self.connections):
            if connection.task is not None:
                connection.task.cancel()
                connection.transport.abort()

    def close(self):
        if self.server is not None:
            self.server.close()
            self.server = None
        self.drop()

    def reset_counts(self):
        self.handshakes = self.resumed = self.rejected = 0

    def view(self):
        return {"port": self.port, "mode": self.mode or "serve", "handshakes": self.handshakes,
                "resumed": self.resumed, "rejected": self.rejected,
                "open": len(self.connections)}
