"""A log id (WXP0101) stands for one message: it is written at one place in the code."""
import re

from tree import without_comments

FLOOR = 40

_ID = re.compile(r"\bWXP\d+")
_WHOLE = re.compile(r"\bWXP\d{4}\b")


def check(tree):
    places = {}
    faults = []
    for path in tree.sources() + tree.headers():
        for number, line in enumerate(without_comments(tree.read(path)).split("\n"), 1):
            for found in _ID.findall(line):
                places.setdefault(found, []).append("%s:%d" % (path, number))
                if len(found) != 7:
                    faults.append("%s:%d: %s has not four digits" % (path, number, found))
    faults += ["%s is used %d times: %s" % (found, len(where), ", ".join(where))
               for found, where in sorted(places.items()) if len(where) > 1]
    for path in tree.files("README.md", "conf/**/*.conf", "tests/**/*.py"):
        if path.parts[:2] != ("tests", "guard"):
            faults += ["%s speaks of %s, which the code does not have" % (path, found)
                       for found in sorted(set(_WHOLE.findall(tree.read(path))) - set(places))]
    return len(places), faults


def _twice(tree):
    text = tree.read("src/httpd/lifecycle.c")
    tree.append("src/httpd/lifecycle.c", '/* WXP9998 */ static const char *a = "%s: x";\n'
                % _ID.search(text).group())


def _gone(tree):
    tree.write("README.md", "WXP9999\n")


PLANTS = (
    (_twice, "is used 2 times"),
    (_gone, "README.md speaks of WXP9999"),
)
