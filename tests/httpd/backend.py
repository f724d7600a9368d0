"""A backend behind mod_proxy_http that remembers what it was asked."""

import http.server
import threading


class Backend:
    """Listens on a loopback port until close(). `asked`: (method, path, headers, body) of each."""

    def __init__(self):
        self.asked = asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self):
                body = self._chunks() if "Transfer-Encoding" in self.headers \
                    else self.rfile.read(int(self.headers.get("Content-Length", 0)))
                asked.append((self.command, self.path, self.headers, body.decode("utf-8")))
                self.send_response(204)
                self.end_headers()

            def _chunks(self):
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                while line := self.rfile.readline().strip():
                    name, _, value = line.decode("latin-1").partition(":")
                    self.headers[name] = value.strip()
                return body

            do_GET = do_POST = _answer

            def log_message(self, format, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def take(self):
        """The only request since the last call."""
        (only,) = self.asked
        self.asked.clear()
        return only
