"""The core knows nothing of httpd, and within it whoever stands higher uses what stands lower."""
import functools
import re

from tree import httpd_include, without_comments

FLOOR = 150  # includes of our own headers and of libraries'

# What each header is about, by level; a file belongs to the longest noun its name begins with.
# A file uses its own level and those below, and the nouns of one level form no circle.
LEVELS = (
    ("text", "error", "log", "secret", "buf", "money", "clock"),
    ("fields", "json", "html"),
    ("xml", "crypt", "sign"),
    ("account", "target", "sites", "order", "refund", "notice", "jsapi", "qr", "page", "delivery",
     "token", "link", "replay"),
    ("transport", "engine", "api", "store", "outbox", "retention"),
    ("flow",),
)
LEVEL = {noun: level for level, nouns in enumerate(LEVELS) for noun in nouns}

# A library is known to these nouns alone.
LIBRARIES = {
    "curl/": {"engine"},
    "libxml/": {"xml"},
    "openssl/": {"crypt", "secret"},
    "qrencode.h": {"qr"},
    "png.h": {"qr"},
    "jansson.h": {"json"},
    "sqlite3.h": {"store"},
}

# Made by the build from a file of the core.
GENERATED = {"page_css.h", "page_js.h", "page_bridge_js.h"}

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)


@functools.lru_cache(None)
def httpd_headers():
    return {path.name for path in httpd_include().glob("*.h")}


def noun_of(name):
    """store_sqlite_int.h -> store"""
    stem = name.rsplit(".", 1)[0]
    fitting = [noun for noun in LEVEL if stem == noun or stem.startswith(noun + "_")]
    return max(fitting, key=len, default=None)


def includes(tree, path):
    return _INCLUDE.findall(without_comments(tree.read(path)))


def circles(uses):
    """Every circle in {noun: nouns it uses}, once, as 'a -> b -> a'."""
    found = set()

    def walk(noun, way):
        if noun in way:
            circle = way[way.index(noun):]
            least = circle.index(min(circle))
            circle = circle[least:] + circle[:least]
            found.add(" -> ".join([*circle, circle[0]]))
            return
        for next_noun in sorted(uses.get(noun, ())):
            walk(next_noun, [*way, noun])

    for noun in sorted(uses):
        walk(noun, [])
    return sorted(found)


def foreign(path, noun, name):
    """What is wrong with a core file that includes a header which isn't the core's."""
    if name in httpd_headers():
        return "%s includes httpd's %s" % (path, name)
    for library, nouns in LIBRARIES.items():
        if name.startswith(library) and noun not in nouns:
            return "%s includes %s, which only %s may" % (path, name, ", ".join(sorted(nouns)))
    return None


def check_core(tree):
    seen, faults, uses = 0, [], {}
    own = {path.name for path in tree.files("src/core/*.h")}
    for path in tree.files("src/core/*.[ch]"):
        noun = noun_of(path.name)
        if noun is None:
            faults.append("%s: no noun of the table in tests/guard/layers.py fits" % path)
            continue
        for quote, name in includes(tree, path):
            seen += 1
            if quote == "<":
                faults.append(foreign(path, noun, name))
            elif name not in own | GENERATED:
                faults.append("%s includes %s, which is no header of the core" % (path, name))
            else:
                other = noun_of(name)
                if LEVEL.get(other, 0) > LEVEL[noun]:
                    faults.append("%s (%s, level %d) includes %s (level %d)"
                                  % (path, noun, LEVEL[noun], name, LEVEL[other]))
                elif other not in (noun, None):
                    uses.setdefault(noun, set()).add(other)
    faults += ["nouns in a circle: %s" % circle for circle in circles(uses)]
    return seen, [fault for fault in faults if fault]


def check_build(tree):
    """What the compiler really read for the core."""
    seen, faults = 0, []
    for path in sorted(tree.build.glob("src/core/*.d")):
        if not (tree.root / "src/core" / (path.stem + ".c")).exists():
            continue
        seen += 1
        for word in path.read_text(encoding="utf-8").replace("\\\n", " ").split():
            name = word.rsplit("/", 1)[-1].rstrip(":")
            if name in httpd_headers() or "src/httpd/" in word:
                faults.append("%s was compiled with %s" % (path.stem + ".c", word))
    return seen, faults


def check_glue(tree):
    """The glue keeps its own names out of the core's."""
    core = {path.name for path in tree.files("src/core/*.h")}
    return ["src/httpd/%s has the name of a header of the core" % path.name
            for path in tree.files("src/httpd/*.h") if path.name in core]


def check(tree):
    if not httpd_headers():
        return 0, ["there are no headers of httpd in %s" % httpd_include()]
    seen, faults = check_core(tree)
    compiled, more = check_build(tree)
    if compiled == 0:
        more = ["nothing of the core is compiled in %s" % tree.build]
    return seen + compiled, faults + more + check_glue(tree)


def _httpd_in_core(tree):
    tree.append("src/core/money.c", "#include <httpd.h>\n")


def _glue_in_core(tree):
    tree.append("src/core/money.c", '#include "config.h"\n')


def _upwards(tree):
    tree.append("src/core/money.c", '#include "order.h"\n')


def _circle(tree):
    tree.append("src/core/sign.h", '#include "xml.h"\n')
    tree.append("src/core/xml.h", '#include "sign.h"\n')


def _library(tree):
    tree.append("src/core/order.c", "#include <jansson.h>\n")


def _unknown(tree):
    tree.write("src/core/util.c", "int wxpay_util;\n")


PLANTS = (
    (_httpd_in_core, "money.c includes httpd's httpd.h"),
    (_glue_in_core, "money.c includes config.h, which is no header of the core"),
    (_upwards, "money.c (money, level 0) includes order.h (level 3)"),
    (_circle, "nouns in a circle: sign -> xml -> sign"),
    (_library, "order.c includes jansson.h, which only json may"),
    (_unknown, "util.c: no noun"),
)
