"""One readable line per event on standard output."""

import sys
import time


class Events:
    def __init__(self, quiet=False):
        self.quiet = quiet

    def say(self, what, text):
        if self.quiet:
            return
        # A line can't be forged by what a caller put into a value.
        text = "".join(c if c.isprintable() else "?" for c in text)
        try:
            print("%s gateway %-12s %s" % (time.strftime("%H:%M:%S"), what, text), flush=True)
        except OSError:
            self.quiet = True  # nobody listens any more
            sys.stdout = None


def yuan(fen):
    return "¥%d.%02d" % divmod(fen, 100)
