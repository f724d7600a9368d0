"""A small HTTP client: follows nothing, raises for no status, connects where it is told."""

import http.client
import json
import socket
import ssl
import subprocess
import urllib.parse


class Response:
    def __init__(self, status, reason, headers, body):
        self.status = status
        self.reason = reason
        self.headers = headers
        self.body = body

    @property
    def text(self):
        return self.body.decode("utf-8")

    def json(self):
        return json.loads(self.body)

    def header(self, name, default=None):
        return self.headers.get(name, default)

    def __repr__(self):
        return "<%d %s %r>" % (self.status, self.headers.get("Content-Type"), self.body[:400])


class Web:
    """Requests to one site.

    base       its public URL: decides scheme, Host and the TLS name
    connect    (address, port) to connect to instead
    ca         CA file for https
    headers    sent with every request
    """

    def __init__(self, base, *, connect=None, ca=None, headers=None, timeout=30):
        parts = urllib.parse.urlsplit(base)
        self.base = base.rstrip("/")
        self.host = parts.netloc
        self.name = parts.hostname
        self.ca = ca
        self.tls = ssl.create_default_context(cafile=ca) if parts.scheme == "https" else None
        self.connect = connect or (parts.hostname, parts.port or (443 if self.tls else 80))
        self.headers = dict(headers or {})
        self.timeout = timeout

    def open(self):
        """A connected socket, TLS done."""
        plain = socket.create_connection(self.connect, timeout=self.timeout)
        # Head and body go in two pieces: the second must not wait for the first one's delayed ACK.
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self.tls:
            return plain
        try:
            return self.tls.wrap_socket(plain, server_hostname=self.name)
        except OSError:
            plain.close()
            raise

    def request(self, method, target, body=None, headers=None):
        """One exchange on a connection of its own. `target`: a path, or a URL of this site.

        body: bytes or str; a dict or list of pairs goes as a form. Headers of None are left out.
        """
        if target.startswith(self.base):
            target = target[len(self.base):] or "/"
        if not target.startswith("/") and target != "*":
            raise ValueError("not of this site: " + target)
        sent = {"Host": self.host, **self.headers}
        if isinstance(body, (dict, list)):
            body = urllib.parse.urlencode(body)
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        if isinstance(body, str):
            body = body.encode("utf-8")
        sent.update(headers or {})
        connection = http.client.HTTPConnection(self.name, timeout=self.timeout)
        connection.sock = self.open()
        try:
            # The two flags: the caller's Host alone counts, and no gzip is asked for.
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in sent.items():
                if value is not None:
                    connection.putheader(name, value)
            if body is not None and "Content-Length" not in sent \
                    and "Transfer-Encoding" not in sent:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            reply = connection.getresponse()
            return Response(reply.status, reply.reason, reply.headers, reply.read())
        finally:
            connection.close()

    def get(self, target, headers=None):
        return self.request("GET", target, None, headers)

    def post(self, target, body=b"", headers=None):
        return self.request("POST", target, body, headers)

    def raw(self, data):
        """Sends these bytes and returns all that comes back until the server closes."""
        with self.open() as sock:
            sock.sendall(data)
            received = b""
            while chunk := sock.recv(65536):
                received += chunk
            return received

    def curl(self, target, *arguments, stdin=b""):
        """What curl prints, for what http.client can't do: HTTP/2, chunked or slow bodies."""
        command = ["curl", "-sS", "--noproxy", "*", "--max-time", str(self.timeout),
                   "--connect-to", "::%s:%d" % self.connect]
        if self.ca:
            command += ["--cacert", str(self.ca)]
        for header in self.headers.items():
            command += ["-H", "%s: %s" % header]
        done = subprocess.run([*command, *arguments, self.base + target], capture_output=True,
                              input=stdin, check=False)
        assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
        return done.stdout.decode("utf-8", "replace")
