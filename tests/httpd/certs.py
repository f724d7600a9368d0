"""A certificate authority for the shops, made by the openssl command."""

import pathlib
import subprocess

NAMES = ("shop.example", "www.shop.example", "other.example", "*.sites.example",
         "localhost")
DAYS = "30"


class Authority:
    """ca.pem, shop.pem and shop.key in `directory`; the certificate is for NAMES and loopback."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.ca = self.directory / "ca.pem"
        self.cert = self.directory / "shop.pem"
        self.key = self.directory / "shop.key"
        if not self.cert.exists():
            self._make()

    def _make(self):
        ca_key = self.directory / "ca.key"
        request = self.directory / "shop.csr"
        extensions = self.directory / "shop.ext"
        extensions.write_text("basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n"
                              "subjectAltName=%s,IP:127.0.0.1,IP:::1\n"
                              % ",".join("DNS:" + name for name in NAMES))
        self._openssl("req", "-x509", *self._new_key(ca_key), "-days", DAYS, "-out", self.ca,
                      "-subj", "/CN=Test shops' CA",
                      "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        self._openssl("req", *self._new_key(self.key), "-out", request, "-subj", "/CN=" + NAMES[0])
        self._openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", ca_key,
                      "-CAcreateserial", "-days", DAYS, "-extfile", extensions, "-out", self.cert)

    @staticmethod
    def _new_key(path):
        return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-keyout", path)

    @staticmethod
    def _openssl(*arguments):
        done = subprocess.run(["openssl", *map(str, arguments)], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError("openssl %s: %s" % (arguments[0], done.stderr))
