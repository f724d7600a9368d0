"""A site's application that is told about orders: an HTTP server that keeps what it gets."""

import base64
import contextlib
import hashlib
import hmac
import http.server
import json
import socket
import ssl
import threading
import time

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def expected_signature(key, webhook_id, timestamp, body):
    """As the Standard Webhooks specification says it."""
    secret = base64.b64decode(key.removeprefix("whsec_"))
    signed = b"%s.%s." % (webhook_id.encode(), timestamp.encode()) + body
    return "v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()


class Delivery:
    """One POST that arrived, and how it was answered (0: not at all)."""

    def __init__(self, handler, body):
        self.at = time.time()
        self.path = handler.path
        self.headers = handler.headers
        self.body = body
        self.status = 0
        self.id = handler.headers["webhook-id"]
        self.event = json.loads(body)

    def signed_with(self, key):
        wanted = expected_signature(key, self.id, self.headers["webhook-timestamp"], self.body)
        return wanted in self.headers["webhook-signature"].split(" ")


class Receiver:
    """Listens on a loopback port. `answer(delivery)` decides: a status, or a callable that is given
    the handler and answers by itself. The default answers 204 to everything."""

    def __init__(self, answer=None, authority=None):
        self.answer = answer or (lambda delivery: 204)
        self.lock = threading.Condition()
        self.deliveries = []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                receiver._serve(self)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 128
            daemon_threads = True

            def handle_error(self, *_):  # who is cut off has nothing to say
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.scheme = "https" if authority else "http"
        if authority:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(authority.cert, authority.key)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.url = "%s://127.0.0.1:%d/paid" % (self.scheme, self.port)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        with contextlib.suppress(OSError):
            self.server.socket.shutdown(socket.SHUT_RDWR)
        self.server.shutdown()
        self.server.server_close()

    def _serve(self, handler):
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        delivery = Delivery(handler, body)
        answer = self.answer(delivery)
        delivery.status = answer if isinstance(answer, int) else 0
        with self.lock:
            self.deliveries.append(delivery)
            self.lock.notify_all()
        if callable(answer):
            answer(handler)
        elif answer:
            handler.send_response(answer)
            handler.send_header("Content-Length", "0")
            handler.end_headers()

    # -- what arrived

    def of(self, out_trade_no):
        with self.lock:
            return [one for one in self.deliveries
                    if one.event["data"]["out_trade_no"] == out_trade_no]

    def accepted(self):
        """{order: webhook-ids that were answered 2xx}."""
        found = {}
        with self.lock:
            for one in self.deliveries:
                if 200 <= one.status < 300:
                    found.setdefault(one.event["data"]["out_trade_no"], set()).add(one.id)
        return found

    def wait(self, out_trade_no, count=1, seconds=10.0):
        """Waits for so many deliveries of an order; all of them."""
        deadline = time.monotonic() + seconds
        with self.lock:
            while True:
                found = [one for one in self.deliveries
                         if one.event["data"]["out_trade_no"] == out_trade_no]
                left = deadline - time.monotonic()
                if len(found) >= count:
                    return found
                assert left > 0, "%d of %d deliveries of %s" % (len(found), count, out_trade_no)
                self.lock.wait(left)
