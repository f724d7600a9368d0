"""Calls that can't be told where their buffer ends, or that hide errors, are not made."""
import re

from tree import code_only

FLOOR = 60  # files

BANNED = {
    "sprintf": "apr_snprintf or apr_psprintf",
    "vsprintf": "apr_vsnprintf or apr_pvsprintf",
    "strcpy": "apr_cpystrn or apr_pstrdup",
    "strcat": "apr_pstrcat",
    "strncpy": "apr_cpystrn",
    "strncat": "apr_pstrcat",
    "gets": "a bounded read",
    "strtok": "a walk with strchr",
    "atoi": "wxpay_money or strtol with its checks",
    "atol": "strtol with its checks",
    "atoll": "strtoll with its checks",
    "sscanf": "a walk over the digits",
    "alloca": "a pool",
    "system": "no shell at all",
    "popen": "no shell at all",
    "tmpnam": "mkstemp",
}

_CALL = re.compile(r"\b(%s)\s*\(" % "|".join(BANNED))


def check(tree):
    paths = tree.sources() + tree.headers()
    faults = []
    for path in paths:
        for number, line in enumerate(code_only(tree.read(path)).split("\n"), 1):
            faults += ["%s:%d calls %s; take %s" % (path, number, name, BANNED[name])
                       for name in _CALL.findall(line)]
    return len(paths), faults


def _each(name):
    def plant(tree):
        tree.append("src/core/money.c", "int wxpay_x(char *s);\nint wxpay_x(char *s)\n{\n"
                    "    return %s (s, \"1\") != 0;\n}\n" % name)
    return plant


PLANTS = tuple((_each(name), "calls %s;" % name) for name in BANNED)
