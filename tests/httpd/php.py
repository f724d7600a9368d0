"""A private php-fpm on a Unix socket, and the lines by which httpd hands .php files to it."""

import glob
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

from .processes import kill_session, spawn
from .server import SYSTEM_PATH, StartError, unprivileged

START_LIMIT = 15.0

POOL = """[global]
pid = %(root)s/pid
error_log = %(root)s/log
[www]
%(user)slisten = %(socket)s
pm = static
pm.max_children = 6
catch_workers_output = yes
clear_env = yes
php_admin_value[opcache.enable] = 0
php_admin_value[output_buffering] = 0
php_admin_value[display_errors] = 0
php_admin_value[error_log] = %(root)s/php-errors
"""
USER = "user = %(name)s\ngroup = %(gid)d\nlisten.owner = %(name)s\nlisten.mode = 0600\n"

# For Httpd's `defines`: Php.defines.
HANDLER = """<FilesMatch "\\.php$">
    SetHandler "proxy:unix:${PHP_SOCKET}|fcgi://localhost"
</FilesMatch>
"""


def program():
    """php-fpm's path: Debian puts the version into its name."""
    found = sorted(path for directory in SYSTEM_PATH.split(":")
                   for path in glob.glob(directory + "/php-fpm*"))
    if not found:
        raise StartError("no php-fpm here: run `make deps`")
    return found[-1]


class Php:
    """One master with its workers, which have httpd's own user when we are root."""

    def __init__(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="wxpay-php-"))
        self.root.chmod(0o755)
        self.socket = self.root / "socket"
        self.defines = {"PHP_SOCKET": self.socket}
        self.process = None
        user = unprivileged()
        (self.root / "php-fpm.conf").write_text(POOL % {
            "root": self.root, "socket": self.socket,
            "user": USER % {"name": user.pw_name, "gid": user.pw_gid} if user else ""})

    def start(self):
        with open(self.root / "log", "ab") as log:
            self.process = spawn([program(), "-F", "-y", str(self.root / "php-fpm.conf")], log,
                                 {"PATH": SYSTEM_PATH, "LANG": "C.UTF-8"})
        deadline = time.monotonic() + START_LIMIT
        while not self.socket.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                said = (self.root / "log").read_text()
                self.close()
                raise StartError("php-fpm did not start:\n" + said)
            time.sleep(0.01)
        return self

    def close(self):
        """Ends it and removes its directory."""
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                kill_session(self.process.pid, signal.SIGKILL)
                self.process.wait()
        shutil.rmtree(self.root, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()
