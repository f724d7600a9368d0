"""A private httpd on loopback ports, started and stopped by tests, benchmarks and the demo.

Environment: WXPAY_HTTPD and WXPAY_HTTPD_MODULES (another httpd), WXPAY_MODULE (another
mod_wxpay.so), WXPAY_PRELOAD (libraries that must be loaded first: a sanitizer's).
"""

import contextlib
import os
import pathlib
import pwd
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time

from . import base_conf
from .errorlog import ErrorLog
from .processes import connections, free_ports, kill_session, session, spawn

PROJECT = pathlib.Path(__file__).resolve().parents[2]
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
START_LIMIT = 20.0
STOP_LIMIT = 15.0
RUNNING = "resuming normal operations"


class StartError(RuntimeError):
    """httpd did not come up; the message holds what it said."""


def program():
    """httpd's path."""
    found = os.environ.get("WXPAY_HTTPD") or shutil.which("apache2", path=SYSTEM_PATH) \
        or shutil.which("httpd", path=SYSTEM_PATH)
    if not found:
        raise StartError("no apache2 and no httpd here: run `make deps`")
    return found


def modules_dir():
    """Where httpd's own modules are."""
    places = [os.environ.get("WXPAY_HTTPD_MODULES"), "/usr/lib/apache2/modules",
              "/usr/lib64/httpd/modules"]
    for place in places:
        if place and os.path.isdir(place):
            return pathlib.Path(place)
    raise StartError("httpd's modules were not found: run `make deps`")


def module_file():
    """The module under test."""
    return pathlib.Path(os.environ.get("WXPAY_MODULE") or PROJECT / "build" / "mod_wxpay.so")


def unprivileged():
    """The account that httpd's children get when we are root, else None."""
    if os.geteuid() != 0:
        return None
    for name in ("www-data", "apache", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise StartError("no unprivileged account to run httpd's children")


class Httpd:
    """One server and its ServerRoot, a temporary directory.

    `conf` is server-level configuration, conf/site.conf; `vhost` is the inside of the TLS host,
    conf/vhost.conf. Both may use ${ROOT}, ${DOCROOT}, ${STATE} (for WxPayStateDir), ${PORT},
    ${TLS_PORT}, ${CA}, ${CERT}, ${CERT_KEY} and what `defines` adds.

    mpm          event, worker or prefork
    authority    certs.Authority; without it there is no TLS
    tls          "vhost": with a TLS host; "listen": port and certificate only; False: none
    server_name  the ServerName written, or None for none
    wxpay        whether to load mod_wxpay
    modules      further modules of httpd, for example ("proxy_fcgi",)
    env          further environment of httpd
    """

    def __init__(self, conf="", *, vhost="", mpm="event", authority=None, tls="vhost",
                 server_name="shop.example", wxpay=True, modules=(), defines=None, env=None,
                 log_level="info"):
        if mpm not in base_conf.MPMS:
            raise ValueError("unknown MPM " + mpm)
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="wxpay-httpd-"))
        self.docroot = self.root / "htdocs"
        self.state = self.root / "state"
        self.mpm = mpm
        self.authority = authority
        self.tls = tls if authority else False
        self.server_name = server_name
        self.wxpay = wxpay
        self.modules = modules
        self.defines = dict(defines or {})
        self.env = dict(env or {})
        self.log_level = log_level
        self.user = unprivileged()
        self.port, self.tls_port = free_ports(2)
        self.process = None
        self.conf_file = self.root / "conf" / "httpd.conf"
        self.log = ErrorLog(self.root / "logs" / "error_log")
        self._make_root()
        self.set_conf(conf, vhost)

    # -- the ServerRoot

    def _make_root(self):
        # mkdtemp makes 0700: httpd's children have to get through.
        self.root.chmod(0o755)
        for name in ("conf", "htdocs", "logs", "run"):
            (self.root / name).mkdir()
        self.write("htdocs/index.html", "<!DOCTYPE html><title>shop</title>\n")
        self.write("conf/mime.types", "text/html html\ntext/plain txt\nimage/svg+xml svg\n")

    def write(self, name, text, mode=0o644):
        """Writes a file below the ServerRoot and returns its path."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return path

    def set_conf(self, conf=None, vhost=None):
        """Changes what is configured; a running server sees it at the next graceful()."""
        if conf is not None:
            self.write("conf/site.conf", conf)
        if vhost is not None:
            self.write("conf/vhost.conf", vhost)
        self._write_base()

    def _write_base(self):
        defines = {"ROOT": self.root, "DOCROOT": self.docroot, "STATE": self.state,
                   "PORT": self.port, "TLS_PORT": self.tls_port}
        if self.authority:
            defines.update(CA=self.authority.ca, CERT=self.authority.cert,
                           CERT_KEY=self.authority.key)
        self.write("conf/httpd.conf", base_conf.text(
            defines={**defines, **self.defines}, mpm=self.mpm, modules_dir=modules_dir(),
            modules=self.modules, module=module_file() if self.wxpay else None, user=self.user,
            server_name=self.server_name, tls=self.tls, log_level=self.log_level))

    # -- httpd's command line

    def _command(self, *arguments):
        # Sanitizers must be in the process before httpd is.
        preload = os.environ.get("WXPAY_PRELOAD")
        prefix = ["env", "LD_PRELOAD=" + preload] if preload else []
        return [*prefix, program(), "-d", str(self.root), "-f", str(self.conf_file), *arguments]

    def _environment(self):
        kept = {name: value for name, value in os.environ.items()
                if name in ("ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS")}
        return {"PATH": SYSTEM_PATH, "LANG": "C.UTF-8", **kept, **self.env}

    def run(self, *arguments, timeout=30):
        """Runs httpd with these arguments to its end: (exit code, stdout and stderr)."""
        done = subprocess.run(self._command(*arguments), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                              env=self._environment(), timeout=timeout, cwd=self.root)
        return done.returncode, done.stdout.decode("utf-8", "replace")

    def configtest(self):
        """httpd -t: (exit code, output)."""
        return self.run("-t")

    def dump(self, define):
        """httpd -t -D DUMP_…: the output."""
        return self.run("-t", "-D", define)[1]

    # -- life

    def start(self):
        """Returns when the ports listen and httpd has said that it runs; StartError otherwise."""
        for _ in range(3):
            if self._try_start():
                return self
            said = self.log.tail()
            self.log.forgive()
            if "could not bind to address" not in said:
                raise StartError("httpd did not start:\n" + said)
            self.port, self.tls_port = free_ports(2)  # somebody was faster
            self._write_base()
        raise StartError("no free ports:\n" + said)

    def _try_start(self):
        mark = self.log.mark()
        with open(self.log.path, "ab") as log:
            self.process = spawn(self._command("-DFOREGROUND"), log, self._environment())
        deadline = time.monotonic() + START_LIMIT
        while self.process.poll() is None:
            if self._pid_file() == self.process.pid \
                    and (self._listening() if self.quiet else self.log.find(RUNNING, mark)):
                return True
            if time.monotonic() > deadline:
                said = self.log.tail()
                self.kill()
                raise StartError("httpd does not listen after %g s:\n%s" % (START_LIMIT, said))
            time.sleep(0.01)
        self.process = None
        return False

    @property
    def quiet(self):
        """Whether the log level hides the notice that httpd runs."""
        return self.log_level.split()[0] in ("emerg", "alert", "crit", "error", "warn")

    def _listening(self):
        try:
            for port in [self.port] + [self.tls_port] * bool(self.tls):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return False
        return True

    def _pid_file(self):
        try:
            return int((self.root / "run" / "httpd.pid").read_text())
        except (OSError, ValueError):
            return 0

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def graceful(self, wait=True, seconds=5.0):
        """As apachectl: the configuration is tried, then the parent is signalled.

        Returns (exit code, output): when it worked, after the new generation said that it runs and
        the old one has ended, for which open requests may take `seconds` at most; without `wait`
        at once.
        """
        mark = self.log.mark()
        old = set(self.children())
        done = self.run("-k", "graceful")
        if done[0] == 0 and wait:
            if not self.quiet:
                self.log.wait_for(RUNNING, mark, START_LIMIT)
            deadline = time.monotonic() + seconds
            while old & set(self.children()) and time.monotonic() < deadline:
                time.sleep(0.02)
        return done

    def stop(self):
        """Ends httpd as `apachectl stop`; raises when a process of it is left."""
        if self.process is None:
            return
        pid = self.process.pid
        if self.running:
            # httpd 2.4.71's event MPM itself, without any third-party module, crashes a child in
            # one of a hundred stops that come while a worker ends a connection
            # (close_worker_sockets() then closes a socket whose memory is gone).
            self._let_connections_end()
            time.sleep(0.1)
            self.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_LIMIT
        while (self.running or session(pid)) and time.monotonic() < deadline:
            time.sleep(0.01)
        left = session(pid)
        self.kill()
        if left:
            raise RuntimeError("httpd left processes behind: %s\n%s" % (left, self.log.tail()))

    def _let_connections_end(self, seconds=0.5):
        """Returns when httpd has closed what its clients closed; some keep theirs open."""
        deadline = time.monotonic() + seconds
        while connections(self.port, self.tls_port) and time.monotonic() < deadline:
            time.sleep(0.01)

    def kill(self):
        """Ends httpd and its children at once, as a power cut would (but for the disk)."""
        if self.process is None:
            return
        kill_session(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None

    def restart(self):
        self.stop()
        return self.start()

    def close(self):
        """Ends httpd and removes its directory."""
        try:
            self.stop()
        finally:
            shutil.rmtree(self.root, ignore_errors=True)

    def children(self):
        """The pids of the parent's children."""
        if not self.running:
            return []
        return sorted(pid for pid, parent in session(self.process.pid).items()
                      if parent == self.process.pid)

    # -- what it said

    def allow_log(self, pattern):
        """In this test such warn or error lines may appear."""
        self.log.allow(pattern)

    def expect_log(self, pattern):
        """In this test such a line must appear; being a warning or an error is no fault then."""
        self.log.expect(pattern)

    def check_log(self):
        """Raises UnexpectedLog for new warn and error lines that nobody announced."""
        self.log.check()

    def access(self, since=0):
        """The access log since a mark of access_mark(): a list of dicts."""
        path = self.root / "logs" / "access_log"
        if not path.exists():
            return []
        with open(path, "rb") as file:
            file.seek(since)
            text = file.read().decode("utf-8", "replace")
        names = ("pid", "client", "method", "uri", "protocol", "status", "us", "out_trade_no",
                 "verdict")
        return [dict(zip(names, line.split("\t"))) for line in text.splitlines()]

    def wait_access(self, since, count=1, seconds=3.0):
        """As access(), after `count` lines are there: httpd logs when the client has its answer."""
        deadline = time.monotonic() + seconds
        while len(found := self.access(since)) < count:
            assert time.monotonic() < deadline, found
            time.sleep(0.01)
        return found

    def access_mark(self):
        """A place to read the access log from."""
        path = self.root / "logs" / "access_log"
        return path.stat().st_size if path.exists() else 0

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.port

    @property
    def tls_url(self):
        return "https://127.0.0.1:%d" % self.tls_port

    # -- the module's store

    @property
    def store_file(self):
        return self.state / "db" / "wxpay.db"

    @contextlib.contextmanager
    def store(self):
        """The module's database, read-only; rows by column name."""
        base = sqlite3.connect("file:%s?mode=ro" % self.store_file, uri=True, timeout=5)
        base.row_factory = sqlite3.Row
        try:
            yield base
        finally:
            base.close()

    def rows(self, sql, *values):
        """What a query of the store finds, as a list of dicts."""
        with self.store() as base:
            return [dict(row) for row in base.execute(sql, values)]

    def change(self, sql, *values):
        """Changes the store behind the module's back, to make time pass: how many rows."""
        with contextlib.closing(sqlite3.connect(self.store_file, timeout=5)) as base, base:
            return base.execute(sql, values).rowcount

    def hurry(self):
        """What is due later is due now: deliveries, queries, closings."""
        return (self.change("UPDATE events SET next_at = 1 WHERE state = 'pending'")
                + self.change("UPDATE attempts SET ask_at = 1 WHERE ask_at > 0")
                + self.change("UPDATE attempts SET next_at = 1 WHERE todo <> '' AND next_at > 0"))

    def order_row(self, out_trade_no):
        """The stored order, or None."""
        found = self.rows("SELECT * FROM orders WHERE out_trade_no = ?", out_trade_no)
        return found[0] if found else None
