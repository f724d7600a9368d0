"""Beijing time, which API v2 speaks whatever the server's own zone (dossier, section 3)."""

import time
from datetime import datetime, timedelta, timezone
from functools import lru_cache

BEIJING = timezone(timedelta(hours=8))


def stamp(seconds=None):
    """yyyyMMddHHmmss."""
    return _stamp(int(time.time() if seconds is None else seconds))


@lru_cache(64)
def _stamp(seconds):
    return datetime.fromtimestamp(seconds, BEIJING).strftime("%Y%m%d%H%M%S")


@lru_cache(4096)
def parse(text):
    """Seconds since 1970 of a yyyyMMddHHmmss; ValueError when it isn't one."""
    if len(text) != 14 or not (text.isascii() and text.isdigit()):
        raise ValueError("not yyyyMMddHHmmss")
    parts = [int(text[at:at + 2]) for at in range(4, 14, 2)]
    return datetime(int(text[:4]), *parts, tzinfo=BEIJING).timestamp()


def iso(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")
