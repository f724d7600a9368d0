"""At most 400 lines of code in a file and 80 in a function.

A line of code has something on it besides a comment, and does not stand inside an initialiser at
file scope (a table of data).
"""
import re

from tree import without_comments

FLOOR = 400  # functions

FILE_LINES = 400
FUNCTION_LINES = 80

_NAME = re.compile(r"(\w+)\s*\(")


def lines_of_code(text):
    """Numbers (from 0) of the lines of code."""
    kept, in_table = [], False
    for number, line in enumerate(without_comments(text).split("\n")):
        stripped = line.strip()
        if in_table:
            in_table = not stripped.endswith("};")
        elif line[:1] not in (" ", "\t", "") and stripped.endswith("= {"):
            in_table = True
        elif stripped:
            kept.append(number)
    return kept


def functions(text):
    """(name, lines of code) of every function: its brace stands first on the line, as in httpd."""
    lines = without_comments(text).split("\n")
    kept = set(lines_of_code(text))
    found, begin = [], None
    for number, line in enumerate(lines):
        if line.rstrip() == "{":
            begin = number
        elif line.startswith("}") and begin is not None:
            if line.rstrip() == "}":
                head = " ".join(lines[max(0, begin - 6):begin])
                head = re.split(r"[;}]", head)[-1]
                name = _NAME.search(head)
                found.append((name.group(1) if name else "?",
                              sum(begin <= n <= number for n in kept)))
            begin = None
    return found


def check(tree):
    seen, faults = 0, []
    for path in tree.sources() + tree.headers():
        text = tree.read(path)
        count = len(lines_of_code(text))
        if count > FILE_LINES:
            faults.append("%s has %d lines of code, more than %d; split it by noun"
                          % (path, count, FILE_LINES))
        for name, length in functions(text):
            seen += 1
            if length > FUNCTION_LINES:
                faults.append("%s: %s has %d lines of code, more than %d"
                              % (path, name, length, FUNCTION_LINES))
    return seen, faults


def _long_function(tree):
    tree.append("src/core/money.c", "\nint wxpay_planted(int a)\n{\n%s    return a;\n}\n"
                % ("    a++; /* one */\n" * 79))


def _long_file(tree):
    tree.append("src/core/money.c", "int wxpay_planted(void);\n" * 400)


PLANTS = (
    (_long_function, "money.c: wxpay_planted has 82 lines of code"),
    (_long_file, "lines of code, more than 400"),
)
