"""Every directive is in the code, in conf/wxpay.conf, in the README's table, and in some test."""
import re

FLOOR = 20

CODE = "src/httpd/directives.c"
REFERENCE = "conf/wxpay.conf"
README = "README.md"

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
    return len(code), faults


def _new_one(tree):
    text = tree.read(CODE)
    place = text.index("    ROW(", text.index("command_rec mod_wxpay_directives"))
    tree.write(CODE, text[:place] + '    ROW("WxPayPlanted", RSRC_CONF),\n' + text[place:])


def _gone_one(tree):
    tree.append(REFERENCE, "#WxPayGone On\n")


PLANTS = (
    (_new_one, "WxPayPlanted is not in " + REFERENCE),
    (_new_one, "WxPayPlanted is not in " + README),
    (_new_one, "WxPayPlanted is not in tests"),
    (_gone_one, REFERENCE + " names WxPayGone"),
)
