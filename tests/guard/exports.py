"""The module shows the world one symbol: its record."""
import pathlib

from tree import run

FLOOR = 1

WANTED = ["wxpay_module"]


def check(tree):
    module = tree.build / "mod_wxpay.so"
    if not module.exists():
        return 0, ["%s is not built" % module]
    status, said = run("nm", "-D", "--defined-only", module)
    if status != 0:
        return 0, ["nm: %s" % said.strip()]
    names = sorted(line.split()[-1] for line in said.splitlines() if line.strip())
    if names != WANTED:
        return len(names), ["%s exports %s, not %s" % (module.name, names, WANTED)]
    return len(names), []


def _one_more(tree):
    tree.build = pathlib.Path(tree.root) / "build"
    tree.build.mkdir()
    code = "int wxpay_module; int wxpay_money(void); int wxpay_money(void) { return 1; }"
    status, said = run("gcc", "-shared", "-fPIC", "-x", "c", "-o", tree.build / "mod_wxpay.so", "-",
                       stdin=code)
    assert status == 0, said


PLANTS = ((_one_more, "exports ['wxpay_module', 'wxpay_money']"),)
