"""The harness itself: it must see what it is there to see, and leave nothing behind."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from .errorlog import UnexpectedLog
from .processes import session
from .server import PROJECT, Httpd, StartError
from .web import Web

# In a .htaccess: a request for its directory makes httpd log an alert.
BROKEN = "NoSuchDirective here\n"


def seconds_to_start(server):
    started = time.monotonic()
    server.restart()
    return time.monotonic() - started


def test_each_mpm_starts_fast_and_leaves_no_process(httpd, mpm, authority):
    server = httpd(mpm=mpm, wxpay=False, start=False)
    # The machine may be busy with something else once or twice.
    assert any(seconds_to_start(server) < 1.0 for _ in range(3))
    assert Web(server.url).get("/").status == 200
    assert Web(server.tls_url, ca=authority.ca).get("/").status == 200
    pid = server.process.pid
    assert server.children()
    server.stop()
    assert not session(pid)
    assert not server.children()


def effective_uid(pid):
    # The owner of /proc/<pid> is root while a process isn't dumpable.
    status = pathlib.Path("/proc/%d/status" % pid).read_text()
    return int(status.partition("\nUid:")[2].split()[1])


def test_children_are_not_root(httpd):
    server = httpd(wxpay=False)
    expected = server.user.pw_uid if server.user else os.getuid()
    deadline = time.monotonic() + 5
    # They begin as root.
    while {effective_uid(pid) for pid in server.children()} != {expected}:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_an_unexpected_error_line_fails(httpd):
    server = httpd(wxpay=False)
    server.write("htdocs/broken/.htaccess", BROKEN)
    assert Web(server.url).get("/broken/").status == 500
    with pytest.raises(UnexpectedLog, match="NoSuchDirective"):
        server.check_log()
    server.check_log()  # each line counts once


def test_an_announced_error_line_passes(httpd):
    server = httpd(wxpay=False)
    server.write("htdocs/broken/.htaccess", BROKEN)
    server.expect_log(r"\[core:alert\].*NoSuchDirective")
    assert Web(server.url).get("/broken/").status == 500
    server.check_log()


def test_an_announced_line_must_come(httpd, monkeypatch):
    monkeypatch.setattr("httpd.errorlog.LATE", 0.05)
    server = httpd(wxpay=False)
    server.expect_log("this is never said")
    with pytest.raises(UnexpectedLog, match="never said"):
        server.check_log()


def test_a_crashed_child_is_unexpected(httpd):
    server = httpd(wxpay=False)
    os.kill(server.children()[0], signal.SIGSEGV)
    server.log.wait_for("exit signal Segmentation fault")
    with pytest.raises(UnexpectedLog, match="Segmentation fault"):
        server.check_log()


def test_configtest_sees_a_bad_directive(httpd):
    server = httpd("\nNoSuchDirective here\n", wxpay=False, start=False)
    code, said = server.configtest()
    assert code != 0
    assert "line 2 of %s/conf/site.conf" % server.root in said
    with pytest.raises(StartError, match="NoSuchDirective"):
        server.start()
    server.set_conf("")
    assert server.configtest() == (0, "Syntax OK\n")
    server.start()


def test_graceful_restart_and_refusal(httpd):
    server = httpd('Header set X-Generation 1\n', wxpay=False)
    before = server.children()
    server.set_conf('Header set X-Generation 2\n')
    assert server.graceful()[0] == 0
    assert Web(server.url).get("/").header("X-Generation") == "2"
    server.set_conf("NoSuchDirective\n")
    code, said = server.graceful()
    assert code != 0 and "NoSuchDirective" in said
    assert Web(server.url).get("/").header("X-Generation") == "2"
    assert before and server.running


def test_http2_and_names(httpd, authority):
    server = httpd(wxpay=False)
    for name in ("shop.example", "other.example"):
        web = Web("https://" + name, connect=("127.0.0.1", server.tls_port), ca=authority.ca)
        assert web.get("/").status == 200
    said = web.curl("/", "--http2", "-o", os.devnull, "-w", "%{http_version} %{http_code}")
    assert said == ("1.1 200" if server.mpm == "prefork" else "2 200")


def test_dump_and_access_log(httpd):
    server = httpd("Header set X-Dumped yes\n", wxpay=False)
    assert "X-Dumped" in server.dump("DUMP_CONFIG")
    mark = server.access_mark()
    Web(server.url).get("/index.html?a=1")
    last, = server.wait_access(mark)
    assert (last["uri"], last["status"], last["verdict"]) == ("/index.html?a=1", "200", "-")


def test_the_server_ends_with_its_starter():
    """Even a killed test run leaves no httpd."""
    script = ("import sys; sys.path.insert(0, %r)\n"
              "from httpd.server import Httpd\n"
              "server = Httpd(wxpay=False).start()\n"
              "print(server.process.pid, server.root, flush=True)\n"
              "sys.stdin.read()\n" % str(PROJECT / "tests"))
    starter = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    pid, root = starter.stdout.readline().split()
    assert len(session(int(pid))) > 1
    starter.kill()
    starter.communicate()
    deadline = time.monotonic() + 10
    while session(int(pid)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not session(int(pid))
    subprocess.run(["rm", "-rf", root], check=True)


def test_close_removes_the_directory():
    server = Httpd(wxpay=False).start()
    server.close()
    assert not server.root.exists()


def test_a_shop_knows_its_names(new_shop):
    """Without the module: the site's definitions and the way to it."""
    shop = new_shop(wxpay=False, base="Header set X-Public ${PUBLIC}\n")
    reply = shop.web().get("/")
    assert reply.header("X-Public") == shop.public == shop.web().base
    assert shop.public == "https://shop.example:%d" % shop.httpd.tls_port
    assert shop.web("http://localhost:%d" % shop.httpd.port).get("/").status == 200
    sent = shop.notify("X1", url=shop.public + "/index.html")
    assert sent[0]["status"] == 200, sent
