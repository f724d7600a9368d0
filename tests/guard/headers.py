"""Every header compiles alone and twice over; the core's do so without httpd's include path."""
import concurrent.futures
import functools
import os
import shlex

from tree import httpd_include, run

FLOOR = 40

LIBRARIES = "libcurl libxml-2.0 openssl libqrencode jansson sqlite3"
WARNINGS = ["-Wall", "-Wextra", "-Wformat=2", "-Wshadow", "-Wstrict-prototypes", "-Werror"]


@functools.lru_cache(None)
def flags():
    """(for the core, for the glue on top of it)"""
    words = []
    for command in (["apr-1-config", "--includes", "--cppflags"], ["apu-1-config", "--includes"],
                    [os.environ.get("PKGCONFIG", "pkg-config"), "--cflags", *LIBRARIES.split()]):
        status, said = run(*command)
        if status != 0:
            raise SystemExit("guard: %s failed: %s" % (command[0], said.strip()))
        words += shlex.split(said)
    return words, ["-I%s" % httpd_include()]


def compile_alone(tree, path):
    core, glue = flags()
    command = [os.environ.get("CC", "gcc"), "-std=gnu11", "-fsyntax-only", *WARNINGS, *core]
    if path.parts[1] != "core":
        command += ["-Isrc/core", "-Isrc/httpd", *glue]
    twice = '#include "%s"\n' % path * 2
    status, said = run(*command, "-I.", "-x", "c", "-", stdin=twice, cwd=tree.root)
    if status == 0:
        return None
    lines = [line for line in said.splitlines() if "error" in line] or said.splitlines()
    return "%s does not compile alone: %s" % (path, lines[0] if lines else "no message")


def check(tree):
    paths = tree.headers()
    flags()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        faults = pool.map(lambda path: compile_alone(tree, path), paths)
        return len(paths), [fault for fault in faults if fault]


def _needs_another(tree):
    tree.remove("src/**/*.h")
    tree.write("src/core/money.h", "wxpay_rc_e wxpay_money(apr_int64_t fen);\n")


def _not_twice(tree):
    tree.remove("src/**/*.h")
    tree.write("src/httpd/io.h", "typedef struct { int fen; } twice_t;\n")


def _httpd_in_core(tree):
    tree.remove("src/**/*.h")
    tree.write("src/core/money.h", "#include <httpd.h>\n")


PLANTS = (
    (_needs_another, "src/core/money.h does not compile alone"),
    (_not_twice, "src/httpd/io.h does not compile alone"),
    (_httpd_in_core, "src/core/money.h does not compile alone"),
)
