"""Reads httpd's error log: no warning or error may appear that a test did not announce."""

import dataclasses
import re
import time

FORMAT = r'"[%{cu}t] [%-m:%-l] [pid %P] %7F: %E: [client\ %a] %M"'
LINE = re.compile(r"\[(?P<time>[^\]]+)\] \[(?P<module>[^:\]]*):(?P<level>[a-z0-9]+)\] "
                  r"\[pid (?P<pid>\d+)[^\]]*\] (?P<text>.*)")
BAD_LEVELS = ("emerg", "alert", "crit", "error", "warn")
# httpd tells of a crashed child at level notice.
CRASH = re.compile(r"exit signal|seg(mentation )?fault", re.I)
# The event MPM's own race between a connection's end and a child's; nothing is lost. And mod_ssl
# where the system has a newer httpd than OpenSSL: the same ABI, told at every start.
NOISE = re.compile(r"\(9\)Bad file descriptor: AH0309[23]: process_(lingering_close|socket): "
                   "apr_pollset_add failure|AH01882: Init: this version of mod_ssl was compiled")
# How long an announced line may still take to appear: the module's threads log by themselves.
LATE = 2.0


class UnexpectedLog(AssertionError):
    pass


@dataclasses.dataclass
class Line:
    """One line; a line of another form (a library's or a sanitizer's) has the level `raw`."""
    level: str
    module: str
    pid: int
    text: str

    @classmethod
    def parse(cls, text):
        match = LINE.match(text)
        if not match:
            return cls("raw", "", 0, text)
        return cls(match["level"], match["module"], int(match["pid"]), match["text"])

    @property
    def bad(self):
        return self.level in BAD_LEVELS or self.level == "raw" or bool(CRASH.search(self.text))

    def __str__(self):
        return "[%s:%s] [pid %d] %s" % (self.module, self.level, self.pid, self.text)


class ErrorLog:
    """The file that holds httpd's error log and its stderr; check() looks at each line once."""

    def __init__(self, path):
        self.path = path
        self.checked = 0
        self.allowed = []
        self.expected = []

    def mark(self):
        """A place to read from later."""
        return self.path.stat().st_size if self.path.exists() else 0

    def lines(self, since=0):
        """The complete lines since a mark."""
        return [Line.parse(line) for line in self._read(since)[0].splitlines() if line]

    def _read(self, since):
        if not self.path.exists():
            return "", since
        with open(self.path, "rb") as file:
            file.seek(since)
            whole = file.read().rpartition(b"\n")
        return (whole[0] + whole[1]).decode("utf-8", "replace"), since + len(whole[0] + whole[1])

    def tail(self, count=40):
        return "\n".join(self._read(0)[0].splitlines()[-count:])

    def find(self, pattern, since=0):
        """The lines that a regular expression is found in."""
        wanted = re.compile(pattern)
        return [line for line in self.lines(since) if wanted.search(str(line))]

    def wait_for(self, pattern, since=0, seconds=5.0, count=1):
        """Waits until `count` such lines are there and returns them."""
        deadline = time.monotonic() + seconds
        while True:
            found = self.find(pattern, since)
            if len(found) >= count:
                return found
            assert time.monotonic() < deadline, "error_log has %d lines with /%s/, wanted %d:\n%s" \
                % (len(found), pattern, count, self.tail())
            time.sleep(0.02)

    def allow(self, pattern):
        """Until the next check, such lines may appear."""
        self.allowed.append(re.compile(pattern))

    def expect(self, pattern):
        """Until the next check, such lines may appear and at least one must."""
        self.expected.append(re.compile(pattern))

    def forgive(self):
        """What is there by now was dealt with otherwise."""
        self.checked = self._read(self.checked)[1]

    def check(self):
        """Raises UnexpectedLog for what nobody announced, and for what was announced in vain."""
        deadline = time.monotonic() + LATE
        while True:
            text, end = self._read(self.checked)
            lines = [Line.parse(line) for line in text.splitlines() if line]
            missing = [p for p in self.expected if not any(p.search(str(line)) for line in lines)]
            if not missing or time.monotonic() > deadline:
                break
            time.sleep(0.02)
        known = [NOISE] + self.allowed + self.expected
        bad = [line for line in lines
               if line.bad and not any(p.search(str(line)) for p in known)]
        self.checked = end
        self.allowed, self.expected = [], []
        if bad or missing:
            raise UnexpectedLog("\n".join(
                ["unexpected in %s:" % self.path.name] * bool(bad) + ["  %s" % b for b in bad]
                + ["expected, but not in %s: /%s/" % (self.path.name, p.pattern)
                   for p in missing]))
