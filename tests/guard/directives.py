"""Every directive is in the code, in conf/wxpay.conf, in the README's table, and in some test."""
import re

FLOOR = 20

CODE = "src/httpd/directives.c"
REFERENCE = "conf/wxpay.conf"
README = "README.md"
PARTS = ("Syntax", "Default", "Context", "Security")

_NAME = re.compile(r"\bWxPay[A-Z]\w*")


def in_code(tree):
    text = tree.read(CODE)
    table = text[text.index("command_rec mod_wxpay_directives"):]
    return set(re.findall(r'"(WxPay\w+)",', table))


def written(tree, path, pattern):
    """Names that a line of a file is about, by a pattern with one group."""
    if not (tree.root / path).exists():
        return set()
    return set(re.findall(pattern, tree.read(path), re.M))


def undescribed(tree, names):
    """What the reference does not say of a directive, above the line that shows it."""
    text = tree.read(REFERENCE) if (tree.root / REFERENCE).exists() else ""
    faults = []
    for name in sorted(names):
        block = re.search(r"^# %s: (?:#.*\n|.*\n)*?(?=#%s\b)" % (name, name), text, re.M)
        faults += ["%s says no %s of %s" % (REFERENCE, wanted, name) for wanted in PARTS
                   if not block or not re.search(r"^# %s:" % wanted, block[0], re.M)]
    return faults


def mentioned(tree, path):
    return set(_NAME.findall(tree.read(path))) if (tree.root / path).exists() else set()


def tested(tree):
    names = set()
    for path in tree.files("tests/**/*.py", "tests/**/*.conf"):
        if path.parts[1] != "guard":
            names |= mentioned(tree, path)
    return names


def check(tree):
    if not (tree.root / CODE).exists():
        return 0, ["%s is not there" % CODE]
    code = in_code(tree)
    places = {
        REFERENCE: written(tree, REFERENCE, r"^#[ \t]?(WxPay\w+)(?=[ \t\n])"),
        README: written(tree, README, r"^\| `(WxPay\w+)"),
        "tests": tested(tree),
    }
    faults = ["%s is not in %s" % (name, place)
              for place, names in places.items() for name in sorted(code - names)]
    for place in (REFERENCE, README, *map(str, tree.files("conf/examples/*.conf"))):
        faults += ["%s names %s, which is no directive" % (place, name)
                   for name in sorted(mentioned(tree, place) - code)]
    return len(code), faults + undescribed(tree, code & places[REFERENCE])


def _new_one(tree):
    text = tree.read(CODE)
    place = text.index("    ROW(", text.index("command_rec mod_wxpay_directives"))
    tree.write(CODE, text[:place] + '    ROW("WxPayPlanted", RSRC_CONF),\n' + text[place:])


def _silent_one(tree):
    text = tree.read(REFERENCE)
    place = text.index("# Security:", text.index("# WxPayMchId:"))
    tree.write(REFERENCE, text[:place] + text[text.index("\n", place) + 1:])


def _gone_one(tree):
    tree.append(REFERENCE, "#WxPayGone On\n")


PLANTS = (
    (_new_one, "WxPayPlanted is not in " + REFERENCE),
    (_new_one, "WxPayPlanted is not in " + README),
    (_new_one, "WxPayPlanted is not in tests"),
    (_silent_one, REFERENCE + " says no Security of WxPayMchId"),
    (_gone_one, REFERENCE + " names WxPayGone"),
)
