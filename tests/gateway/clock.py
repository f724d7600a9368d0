"""Beijing time, which API v2 speaks whatever the server's own zone (dossier, section 3)."""

import time
from datetime import datetime, timedelta, timezone

BEIJING = timezone(timedelta(hours=8))


def stamp(seconds=None):
    """yyyyMMddHHmmss."""
    at = datetime.fromtimestamp(time.time() if seconds is None else seconds, BEIJING)
    return at.strftime("%Y%m%d%H%M%S")


def parse(text):
    """Seconds since 1970 of a yyyyMMddHHmmss; ValueError when it isn't one."""
    if len(text) != 14 or not (text.isascii() and text.isdigit()):
        raise ValueError("not yyyyMMddHHmmss")
    return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=BEIJING).timestamp()


def iso(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")
