"""What the documents point at is there: files, and the targets of make that they tell people to run."""
import re

FLOOR = 8

_LINK = re.compile(r"\]\(([^)\s#]+)[^)]*\)")
_MAKE = re.compile(r"\bmake ([a-z][a-z-]*)\b(?=[ `\n])")
_TARGET = re.compile(r"^([a-z][a-z-]*):", re.M)


def check(tree):
    targets = set(_TARGET.findall(tree.read("Makefile"))) if tree.files("Makefile") else set()
    seen, faults = 0, []
    for path in tree.files("*.md", "tests/*/README.md"):
        text = tree.read(path)
        for link in _LINK.findall(text):
            if "://" not in link:
                seen += 1
                if not (tree.root / path.parent / link).exists():
                    faults.append("%s points at %s, which is not there" % (path, link))
        code = "\n".join(re.findall(r"^    .*$|`[^`\n]+`", text, re.M)) + "\n"
        for target in _MAKE.findall(code):
            seen += 1
            if target not in targets:
                faults.append("%s tells of \"make %s\", which the Makefile does not know"
                              % (path, target))
    return seen, faults


def _dead_link(tree):
    tree.append("README.md", "[see](conf/nowhere.conf)\n")


def _no_target(tree):
    tree.append("README.md", "    make planted\n")


PLANTS = (
    (_dead_link, "README.md points at conf/nowhere.conf"),
    (_no_target, 'tells of "make planted"'),
)
