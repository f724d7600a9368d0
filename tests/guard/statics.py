"""Nothing at file scope can change, but for what the list below gives a reason for."""
import pathlib
import re

from tree import run

FLOOR = 60  # objects

ALLOWED = {
    ("mod_wxpay.o", "wxpay_module"): "the module record; httpd writes into it",
    ("src/httpd/lifecycle.o", "life"): "the one place for what a process owns; pconf resets it",
    ("src/core/crypt.o", "algorithms"): "OpenSSL's digests, fetched once",
    ("src/core/crypt.o", "fetched"): "the once-guard of algorithms",
}

# A symbol of `objdump -t`: value, seven flag characters, section, size, name.
_SYMBOL = re.compile(r"^[0-9a-f]+ .{7} (\S+)\t[0-9a-f]+ (?:\.hidden )?(\S+)$")


def is_mutable(section):
    if section.startswith(".data.rel.ro"):  # constant once the loader has put addresses in
        return False
    return section == "*COM*" or re.match(r"\.t?(data|bss)(\.|$)", section) is not None


def mutable_symbols(path):
    status, said = run("objdump", "-t", path)
    if status != 0:
        raise SystemExit("guard: objdump: %s" % said.strip())
    for line in said.splitlines():
        match = _SYMBOL.match(line)
        if match and is_mutable(match.group(1)) and not match.group(2).startswith("."):
            yield match.group(2)


def check(tree):
    seen, faults, met = 0, [], set()
    for source in tree.sources():
        name = str(source.with_suffix(".o"))
        path = tree.build / name
        if not path.exists():
            faults.append("%s is not compiled" % source)
            continue
        seen += 1
        for symbol in mutable_symbols(path):
            plain = re.sub(r"\.\d+$", "", symbol)  # a static inside a function has a number
            met.add((name, plain))
            if (name, plain) not in ALLOWED:
                faults.append("%s has the mutable static %s" % (source, plain))
    if seen:
        faults += ["tests/guard/statics.py allows %s in %s, which is not there" % (symbol, name)
                   for name, symbol in sorted(set(ALLOWED) - met)]
    return seen, faults


def _plant(tree, code):
    objects = pathlib.Path(tree.root) / "build"
    for source in tree.sources():
        if source.name != "money.c":
            tree.remove(str(source))
    (objects / "src/core").mkdir(parents=True)
    tree.build = objects
    status, said = run("gcc", "-fPIC", "-c", "-x", "c", "-o", objects / "src/core/money.o", "-",
                       stdin=code)
    assert status == 0, said


def _counter(tree):
    _plant(tree, "static int count; int f(void); int f(void) { return ++count; }")


def _inside(tree):
    _plant(tree, "int f(void); int f(void) { static int calls = 1; return ++calls; }")


def _per_thread(tree):
    _plant(tree, "static __thread int mine; int f(void); int f(void) { return ++mine; }")


PLANTS = (
    (_counter, "money.c has the mutable static count"),
    (_inside, "money.c has the mutable static calls"),
    (_per_thread, "money.c has the mutable static mine"),
)
