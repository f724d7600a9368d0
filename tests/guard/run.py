#!/usr/bin/python3
"""Runs every guard over the project, then proves each: it must see a failure that is planted in a
copy of the project, and must not be content with an empty one.

A guard is a module with check(tree) -> (how many things it saw, list of faults), FLOOR (the least
it must have seen) and PLANTS: pairs of a function that spoils a tree and words its fault must have.
"""
import argparse
import pathlib
import sys
import tempfile

sys.dont_write_bytecode = True

import calls
import directives
import exports
import headers
import layers
import links
import log_ids
import sizes
import statics
from tree import ROOT, Tree

GUARDS = (layers, headers, sizes, exports, statics, directives, links, log_ids, calls)


def proof(guard, tree):
    """What speaks against the guard itself."""
    faults = []
    with tempfile.TemporaryDirectory(prefix="wxpay-guard-") as empty:
        seen, _ = guard.check(Tree(empty, pathlib.Path(empty) / "build"))
        if seen >= guard.FLOOR:
            faults.append("it sees %d things in an empty project" % seen)
    for plant, words in guard.PLANTS:
        with tempfile.TemporaryDirectory(prefix="wxpay-guard-") as place:
            spoiled = tree.copy(place)
            plant(spoiled)
            _, found = guard.check(spoiled)
        if not any(words in fault for fault in found):
            faults.append("it did not see the planted failure \"%s\"" % words)
    return faults


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    options.add_argument("--build", default=ROOT / "build", help="where the module was built")
    options.add_argument("guards", nargs="*", help="only these")
    chosen = options.parse_args()
    names = [guard.__name__ for guard in GUARDS]
    if set(chosen.guards) - set(names):
        options.error("the guards are: " + ", ".join(names))
    tree = Tree(ROOT, pathlib.Path(chosen.build).resolve())
    bad = False
    for guard in GUARDS:
        if chosen.guards and guard.__name__ not in chosen.guards:
            continue
        seen, faults = guard.check(tree)
        if seen < guard.FLOOR:
            faults.append("it saw only %d things, at least %d were expected" % (seen, guard.FLOOR))
        faults += ["the guard is broken: " + fault for fault in proof(guard, tree)]
        print("guard %-10s %4d seen, %2d planted: %s"
              % (guard.__name__, seen, len(guard.PLANTS), "FAILED" if faults else "ok"), flush=True)
        for fault in faults:
            print("  " + fault)
        bad = bad or bool(faults)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
