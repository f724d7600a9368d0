"""The notify endpoint on the wire: bodies cut, chunked, slow, too long, absent; other methods."""

import gzip
import socket
import time

import pytest

from .fixtures import main_mpm
from .notices import accepted, payment, transaction
from .shop import NOTIFY_PATH, Shop
from .test_notify import FAIL, SUCCESS, now

HEAD = "POST /wxpay/notify HTTP/1.1\r\nHost: shop.example\r\nContent-Type: text/xml\r\n"
LIMIT = 64 * 1024


class Wire:
    """One order, its notice, and raw connections."""

    def __init__(self, shop):
        self.shop = shop
        self.number = shop.payable(1990)[0]["out_trade_no"]
        body = payment(shop.merchant, self.number, 1990, transaction(1) + self.number[-4:],
                       time_end=now())
        self.body = body.encode() if isinstance(body, str) else body

    def send(self, headers, *parts, between=0.0, half_close=True):
        """What the server says to these bytes, sent one after the other."""
        with self.shop.web().open() as sock:
            received = b""
            try:
                sock.sendall((HEAD + headers + "\r\n").encode())
                for part in parts:
                    sock.sendall(part)
                    time.sleep(between)
                if half_close and not self.shop.web().tls:
                    sock.shutdown(socket.SHUT_WR)
                while chunk := sock.recv(65536):
                    received += chunk
            except (ConnectionError, OSError):
                pass
            return received

    def unpaid(self):
        """Nothing came of it."""
        return self.shop.row(self.number)["state"] == "PENDING" \
            and not self.shop.httpd.rows("SELECT ref FROM notices WHERE gateway_no = ?",
                                         self.number)

    def paid(self):
        return self.shop.row(self.number)["state"] == "PAID"

    def curl(self, tmp_path, *arguments, body=None):
        """curl with this body: (body, status, HTTP version) of the answer."""
        file = tmp_path / "body"
        file.write_bytes(self.body if body is None else body)
        said = self.shop.web().curl(NOTIFY_PATH, "-X", "POST", "-H", "Content-Type: text/xml",
                                    "--data-binary", "@%s" % file, "-w",
                                    "|%{http_code}|%{http_version}", *arguments)
        answer, status, version = said.rsplit("|", 2)
        return answer.encode(), int(status), version


@pytest.fixture(scope="module")
def plain(request, authority, gateway):
    """A site over http, so that half-closed connections can be told from closed ones."""
    with Shop(gateway, public="http://127.0.0.1:{port}", tls=False, authority=authority,
              mpm=main_mpm(request.config), conf='CustomLog ${ROOT}/logs/lengths '
              '"%H %{Content-Length}i %{WXPAY_VERDICT}e"\n') as shop:
        yield shop
        shop.httpd.check_log()


@pytest.fixture
def wire(plain):
    plain.httpd.allow_log("WXP0302|WXP0301")
    yield Wire(plain)
    plain.httpd.check_log()


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def is_fail(answer):
    return answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(FAIL)


def is_success(answer):
    return answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(SUCCESS)


# -- bodies that do not end

@pytest.mark.parametrize("part", [0, 1, 300, -1])
def test_cut_and_the_client_still_listens(wire, part):
    data = wire.body[:part] if part else b""
    answer = wire.send("Content-Length: %d\r\n" % len(wire.body), data)
    assert wire.unpaid() and SUCCESS not in answer


def test_cut_and_the_client_is_gone(wire):
    with wire.shop.web().open() as sock:
        sock.sendall((HEAD + "Content-Length: %d\r\n\r\n" % len(wire.body)).encode()
                     + wire.body[:-1])
    with wire.shop.web().open() as sock:
        sock.sendall((HEAD + "Transfer-Encoding: chunked\r\n\r\n").encode() + chunk(wire.body))
    time.sleep(0.3)
    assert wire.unpaid()
    assert accepted(wire.shop.notify_raw(wire.body))


BROKEN = {
    "no size": b"zz\r\n%s\r\n0\r\n\r\n",
    "negative size": b"-1\r\n%s\r\n0\r\n\r\n",
    "size of a long": b"ffffffffffffffff1\r\n%s\r\n0\r\n\r\n",
    "longer than said": b"5\r\n%s\r\n0\r\n\r\n",
    "no end": b"600\r\n%s",
}


@pytest.mark.parametrize("form", BROKEN.values(), ids=BROKEN)
def test_broken_chunks(wire, form):
    answer = wire.send("Transfer-Encoding: chunked\r\n", form % wire.body)
    assert wire.unpaid() and SUCCESS not in answer


def test_length_that_is_none(wire):
    for value in ("-1", "x", "1e3", "99999999999999999999", "+5"):
        answer = wire.send("Content-Length: %s\r\n" % value, wire.body)
        assert answer.startswith(b"HTTP/1.1 4"), (value, answer)
    assert wire.unpaid()


def test_chunked_and_a_length_is_no_way_in(wire):
    """Two ways to tell the length: no second request may hide in the difference."""
    hidden = b"POST /wxpay/notify HTTP/1.1\r\nHost: shop.example\r\nContent-Length: %d\r\n\r\n%s" \
        % (len(wire.body), wire.body)
    answer = wire.send("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
                       b"0\r\n\r\n" + hidden)
    assert SUCCESS not in answer and answer.count(b"HTTP/1.1 ") == 1
    assert wire.unpaid()


# -- bodies that are whole

@pytest.mark.parametrize("size", [1, 7, 4096])
def test_chunked(wire, size):
    parts = [chunk(wire.body[at:at + size]) for at in range(0, len(wire.body), size)]
    assert is_success(wire.send("Connection: close\r\nTransfer-Encoding: chunked\r\n",
                                b"".join(parts) + b"0\r\n\r\n"))
    assert wire.paid()


def test_chunked_by_curl(wire, tmp_path):
    assert wire.curl(tmp_path, "-H", "Transfer-Encoding: chunked") == (SUCCESS, 200, "1.1")
    assert wire.paid()


def test_with_trailers_and_extensions(wire):
    answer = wire.send("Connection: close\r\nTransfer-Encoding: chunked\r\nTrailer: X-More\r\n",
                       b"%x;a=b\r\n%s\r\n" % (len(wire.body), wire.body),
                       b"0\r\nX-More: yes\r\n\r\n")
    assert is_success(answer) and wire.paid()


def test_in_small_pieces(wire):
    pieces = [wire.body[at:at + 200] for at in range(0, len(wire.body), 200)]
    assert is_success(wire.send("Connection: close\r\nContent-Length: %d\r\n" % len(wire.body),
                                *pieces, between=0.05))
    assert wire.paid()


@pytest.mark.parametrize("kind", ["text/xml", "application/xml", "application/json",
                                  "application/x-www-form-urlencoded", "text/plain", None])
def test_the_type_does_not_matter(wire, kind):
    assert wire.shop.notify_raw(wire.body, {"Content-Type": kind}).body == SUCCESS


def test_expect_100_continue(wire, tmp_path):
    assert wire.curl(tmp_path, "-H", "Expect: 100-continue") == (SUCCESS, 200, "1.1")
    with wire.shop.web().open() as sock:
        sock.sendall((HEAD + "Connection: close\r\nExpect: 100-continue\r\nContent-Length: %d\r\n"
                             "\r\n" % len(wire.body)).encode())
        assert sock.recv(1000).startswith(b"HTTP/1.1 100 ")
        sock.sendall(wire.body)
        received = b""
        while data := sock.recv(65536):
            received += data
    assert is_success(received)


def test_pipelined(wire):
    other = Wire(wire.shop)
    one = (HEAD + "Content-Length: %d\r\n\r\n" % len(wire.body)).encode() + wire.body
    forged = (HEAD + "Content-Length: 6\r\n\r\n").encode() + b"<xml/>"
    two = (HEAD + "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n").encode() \
        + chunk(other.body) + b"0\r\n\r\n"
    answer = wire.shop.web().raw(one + forged + two)
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert [answer.find(SUCCESS) < answer.find(FAIL) < answer.rfind(SUCCESS)] == [True]
    assert wire.paid() and other.paid()


@pytest.fixture
def over_h2(wire):
    if wire.shop.httpd.mpm == "prefork":
        pytest.skip("mod_http2 wants threads")
    return wire


def test_http2_without_a_length(over_h2, tmp_path):
    wire = over_h2
    assert wire.curl(tmp_path, "--http2-prior-knowledge", "-H", "Transfer-Encoding: chunked") \
        == (SUCCESS, 200, "2")
    assert wire.paid()
    deadline = time.monotonic() + 3
    lengths = wire.shop.httpd.root / "logs/lengths"
    while "HTTP/2.0 - paid" not in lengths.read_text():
        assert time.monotonic() < deadline, lengths.read_text()
        time.sleep(0.02)


def test_http2_too_long(over_h2, tmp_path):
    wire = over_h2
    assert wire.curl(tmp_path, "--http2-prior-knowledge", body=b" " * LIMIT + wire.body) \
        == (FAIL, 200, "2")
    assert wire.unpaid()


# -- too long and too short

def padded(body, size):
    return body + b"\n" * (size - len(body))


def test_as_long_as_may_be(wire):
    assert wire.shop.notify_raw(padded(wire.body, LIMIT)).body == SUCCESS


@pytest.mark.parametrize("size", [LIMIT + 1, 1 << 20])
def test_too_long(wire, size):
    body = padded(wire.body, size)
    for headers, parts in (("Content-Length: %d\r\n" % size, [body]),
                           ("Transfer-Encoding: chunked\r\n", [chunk(body), b"0\r\n\r\n"])):
        answer = wire.send(headers, *parts)
        # Of what comes after 64 KiB nothing is read, so the connection may be reset.
        assert not answer or is_fail(answer) and b"Connection: close" in answer, answer[:400]
    assert wire.unpaid()
    assert accepted(wire.shop.notify_raw(wire.body))


def test_the_answer_does_not_wait_for_the_end_of_what_is_too_long(wire):
    with wire.shop.web().open() as sock:
        sock.settimeout(5)
        sock.sendall((HEAD + "Transfer-Encoding: chunked\r\n\r\n").encode()
                     + chunk(b"x" * (LIMIT + 1)))
        assert is_fail(sock.recv(65536))


@pytest.mark.parametrize("headers", ["Content-Length: 0\r\n", "",
                                     "Transfer-Encoding: chunked\r\n"])
def test_no_body(wire, headers):
    end = b"0\r\n\r\n" if "chunked" in headers else b""
    assert is_fail(wire.send("Connection: close\r\n" + headers, end))


def test_compressed_bodies_are_not_unpacked(wire):
    answer = wire.shop.notify_raw(gzip.compress(wire.body), {"Content-Encoding": "gzip"})
    assert answer.body == FAIL and wire.unpaid()


# -- other methods

@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH", "HEAD", "TRACE",
                                    "PROPFIND", "post", "BREW"])
def test_only_post(wire, method):
    answer = wire.shop.web().request(method, NOTIFY_PATH, None if method in ("GET", "HEAD", "TRACE")
                                     else wire.body)
    assert (answer.status, answer.header("Allow")) == (405, "POST"), answer
    assert b"SUCCESS" not in answer.body and wire.unpaid()
    assert method != "HEAD" or answer.body == b""


def test_query_and_spelling(wire):
    """A query does not lead elsewhere; another spelling of the path is another path."""
    assert wire.shop.web().post(NOTIFY_PATH + "?a=b", b"<xml/>").body == FAIL
    for path in ("/wxpay/notify/", "/wxpay/Notify", "/wxpay/notify/x", "/wxpay/notify.xml"):
        assert wire.shop.web().post(path, wire.body).status in (404, 405), path
    assert wire.unpaid()


# -- limits of httpd

def test_limit_request_body(new_shop):
    """httpd itself refuses then, which WeChat understands as well: it repeats."""
    shop = new_shop(public="http://127.0.0.1:{port}", tls=False,
                    conf="LimitRequestBody 1000\n")
    shop.httpd.allow_log("AH01587|AH10289|WXP0302|LimitRequestBody")
    wire = Wire(shop)
    body = padded(wire.body, 2000)
    for headers, parts in (("Content-Length: %d\r\n" % len(body), [body]),
                           ("Transfer-Encoding: chunked\r\n", [chunk(body), b"0\r\n\r\n"])):
        answer = wire.send("Connection: close\r\n" + headers, *parts)
        assert answer.startswith(b"HTTP/1.1 413 "), answer
        assert answer.count(b"HTTP/1.1 ") == 1 and b"return_code" not in answer
    assert wire.unpaid()
    assert accepted(shop.notify_raw(wire.body))


def test_too_slow_for_mod_reqtimeout(new_shop):
    shop = new_shop(public="http://127.0.0.1:{port}", tls=False,
                    conf="RequestReadTimeout header=5 body=1\n")
    shop.httpd.allow_log("WXP0302|AH01382")
    wire = Wire(shop)
    pieces = [chunk(wire.body[at:at + 100]) for at in range(0, len(wire.body), 100)]
    begun = time.monotonic()
    answer = wire.send("Connection: close\r\nTransfer-Encoding: chunked\r\n", *pieces,
                       b"0\r\n\r\n", between=0.3)
    assert len(pieces) * 0.3 > 2 and time.monotonic() - begun < 8
    assert SUCCESS not in answer and wire.unpaid()
    # One that says nothing at all holds its worker no longer either.
    begun = time.monotonic()
    answer = wire.send("Content-Length: 100\r\n", half_close=False)
    assert time.monotonic() - begun < 4 and SUCCESS not in answer
    assert accepted(shop.notify_raw(wire.body))
