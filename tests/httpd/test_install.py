"""`make install`: where the module goes, and that what was installed works."""

import os
import pathlib
import subprocess

from .server import PROJECT, module_file
from .web import Web

# apxs of another httpd: its modules are somewhere else.
APXS = """#!/bin/sh
test "$*" = "-q LIBEXECDIR" && { echo /opt/httpd/modules; exit; }
exec apxs "$@"
"""


def install(destination, **variables):
    """Installs what was built already."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    build = os.path.relpath(module_file().parent, PROJECT)
    done = subprocess.run(["make", "-s", "install", "BUILD=" + build, "DESTDIR=%s" % destination,
                           *("%s=%s" % item for item in variables.items())], cwd=PROJECT, env=kept,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
    file, = [path for path in pathlib.Path(destination).rglob("*") if path.is_file()]
    assert "installed %s" % file in done.stdout
    return file


def where_apxs_says():
    return subprocess.run(["apxs", "-q", "LIBEXECDIR"], stdout=subprocess.PIPE, text=True,
                          check=True).stdout.strip()


def test_below_destdir(tmp_path, httpd, monkeypatch):
    file = install(tmp_path)
    assert str(file) == "%s%s/mod_wxpay.so" % (tmp_path, where_apxs_says())
    assert file.stat().st_mode & 0o777 == 0o644
    monkeypatch.setenv("WXPAY_MODULE", str(file))
    server = httpd("WxPayAppId wx2421b1c4370ec43b\nWxPayMchId 1230000109\n"
                   "WxPayKey file:conf/api.key\nWxPayNotifyPath /n\nWxPayStateDir ${STATE}\n",
                   start=False, tls=False)
    server.write("conf/api.key", "8934e7d15453e97507ef794cf7b0519d\n", 0o600)
    server.start()
    assert Web(server.url).get("/n").status == 405


def test_of_another_httpd(tmp_path):
    apxs = tmp_path / "apxs"
    apxs.write_text(APXS)
    apxs.chmod(0o755)
    root = tmp_path / "root"
    assert install(root, APXS=apxs) == root / "opt" / "httpd" / "modules" / "mod_wxpay.so"
