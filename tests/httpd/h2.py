"""The site over HTTP/2, which Python's http.client can't: curl does it."""

import email.parser
import subprocess
import urllib.parse

from .web import Response, Web


class Http2Web(Web):
    """As Web, over HTTP/2: h2 by ALPN on https, h2c by prior knowledge on http."""

    def request(self, method, target, body=None, headers=None):
        if target.startswith(self.base):
            target = target[len(self.base):] or "/"
        sent = {**self.headers, **(headers or {})}
        if isinstance(body, (dict, list)):
            body = urllib.parse.urlencode(body)
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
        if isinstance(body, str):
            body = body.encode("utf-8")
        command = ["curl", "-sS", "-i", "--noproxy", "*", "--max-time", str(self.timeout),
                   "--connect-to", "::%s:%d" % self.connect, "-X", method,
                   "--http2" if self.tls else "--http2-prior-knowledge"]
        if self.ca:
            command += ["--cacert", str(self.ca)]
        for name, value in sent.items():
            if value is not None:
                command += ["-H", "%s: %s" % (name, value)]
        if body is not None:
            command += ["--data-binary", "@-"]
        done = subprocess.run([*command, self.base + target], input=body or b"",
                              capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
        return _response(done.stdout)


def _response(received):
    head, _, body = received.partition(b"\r\n\r\n")
    status, _, lines = head.decode("latin-1").partition("\r\n")
    version, code = status.split()[:2]
    assert version == "HTTP/2", status
    return Response(int(code), "", email.parser.Parser().parsestr(lines, headersonly=True), body)
