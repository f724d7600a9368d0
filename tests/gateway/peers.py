"""The gateway's counterparts in its own tests: a merchant that calls it, a shop that it calls."""

import http.client
import http.server
import os
import ssl
import threading
import time
import urllib.parse

from gateway import sign, xmlio

APPID, MCH_ID = "wx0123456789abcdef", "1900000109"
KEY = "0123456789abcdefABCDEF9876543210"
PROVIDER, PROVIDER_APPID = "1900000200", "wxprovider0000001"


def signed(fields):
    fields = {"appid": APPID, "mch_id": MCH_ID, "nonce_str": "1", **fields}
    return {**fields, "sign": sign.sign(fields, KEY)}


class Merchant:
    """Speaks to the gateway as a shop's payment code would."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.tls = ssl.create_default_context(cafile=gateway.ca)
        self.numbers = 0

    def connect(self, host="gateway"):
        port = urllib.parse.urlsplit(getattr(self.gateway, host)).port
        return http.client.HTTPSConnection("127.0.0.1", port, context=self.tls, timeout=10)

    def raw(self, path, body, method="POST", host="gateway"):
        connection = self.connect(host)
        try:
            connection.request(method, path, body)
            reply = connection.getresponse()
            return reply, reply.read()
        finally:
            connection.close()

    def call(self, path, fields, key=KEY, host="gateway"):
        sign_type = fields.get("sign_type", "MD5")
        sent = {"appid": APPID, "mch_id": MCH_ID, "nonce_str": os.urandom(16).hex(), **fields}
        sent = {n: v for n, v in sent.items() if v is not None}
        sent["sign"] = sign.sign(sent, key, sign_type)
        reply, body = self.raw("/pay/" + path, xmlio.write(sent), host=host)
        assert reply.status == 200
        answer = xmlio.read(body)
        if answer["return_code"] == "FAIL":
            assert set(answer) == {"return_code", "return_msg"}
        else:
            assert answer["sign"] == sign.sign(answer, key, sign_type)
            assert "sign_type" not in answer
        return answer

    def order(self, number=None, host="gateway", key=KEY, **fields):
        if number is None:
            self.numbers += 1
            number = "T%06d" % self.numbers
        facts = {"body": "商店-测试", "out_trade_no": number, "total_fee": "1990",
                 "spbill_create_ip": "127.0.0.1", "trade_type": "NATIVE", "product_id": "p1",
                 "notify_url": "http://127.0.0.1:9/notify"}
        return self.call("unifiedorder", {**facts, **fields}, host=host, key=key)

    def query(self, number, **fields):
        return self.call("orderquery", {"out_trade_no": number, **fields})

    def close(self, number, **fields):
        return self.call("closeorder", {"out_trade_no": number, **fields})


class Shop(http.server.ThreadingHTTPServer):
    """Takes notices; `answers` are given one after the other, the last one for ever."""

    daemon_threads = True
    request_queue_size = 512
    GOOD = (200, "<xml><return_code><![CDATA[SUCCESS]]></return_code></xml>")

    def __init__(self, tls=None):
        super().__init__(("127.0.0.1", 0), ShopHandler)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.answers = [self.GOOD]
        self.seen = []
        self.lock = threading.Lock()
        self.url = "http://127.0.0.1:%d/notify" % self.server_port
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, request, client_address):
        pass


class ShopHandler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        if "Content-Length" in self.headers:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        else:
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size + 2)[:size]
        shop = self.server
        with shop.lock:
            shop.seen.append((dict(self.headers), body, time.monotonic()))
            status, text = shop.answers[0] if len(shop.answers) == 1 else shop.answers.pop(0)
        if status == "slow":
            time.sleep(float(text))
            status, text = shop.GOOD
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass
