"""Processes that end with the test run, and free ports."""

import contextlib
import os
import pathlib
import socket
import subprocess


def free_ports(count):
    """Loopback TCP ports that nobody listens on now."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def connections(*ports):
    """How many TCP connections of this machine end at these ports and are not over."""
    listening, over = "0A", "06"
    found = 0
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        local, _, state = line.split()[1:4]
        found += int(local.rpartition(":")[2], 16) in ports and state not in (listening, over)
    return found


def spawn(command, output, env):
    """Starts `command` in a session of its own.

    The kernel ends it (SIGTERM) when the calling thread dies, however that happens: call it from the
    main one. The own session keeps a terminal's SIGINT and SIGWINCH away from it: to httpd the
    latter means "stop gracefully".
    """
    return subprocess.Popen(["setpriv", "--pdeathsig", "TERM", "--", *command],
                            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                            env=env, start_new_session=True)


def session(sid):
    """{pid: parent pid} of the living processes of a session; zombies don't count."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it just ended
            continue
        if int(fields[3]) == sid and fields[0] not in "ZX":
            found[int(entry.name)] = int(fields[1])
    return found


def kill_session(sid, number):
    """Signals what is left of a session that we started."""
    for pid in session(sid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
