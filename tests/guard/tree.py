"""The project's files as the guards see them: the real ones, or a copy in which a failure is planted."""
import functools
import os
import pathlib
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Comments and literals of C, in the order in which they can begin.
_TOKEN = re.compile(r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.S)


def without_comments(text):
    """C without its comments; every line keeps its number."""
    def blank(match):
        token = match.group()
        return re.sub(r"[^\n]", " ", token) if token[0] == "/" else token
    return _TOKEN.sub(blank, text)


def code_only(text):
    """C without comments and without what stands in quotes."""
    def blank(match):
        token = match.group()
        return re.sub(r"[^\n]", " ", token) if token[0] == "/" else token[0] * 2
    return _TOKEN.sub(blank, text)


def run(*command, stdin=None, cwd=None):
    """(exit status, everything it printed)."""
    done = subprocess.run([str(part) for part in command], input=stdin, cwd=cwd, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.returncode, done.stdout


@functools.lru_cache(None)
def httpd_include():
    """The directory of httpd's headers."""
    status, place = run(os.environ.get("APXS", "apxs"), "-q", "INCLUDEDIR")
    if status != 0:
        raise SystemExit("guard: apxs failed: %s" % place.strip())
    return pathlib.Path(place.strip())


class Tree:
    def __init__(self, root=ROOT, build=ROOT / "build"):
        self.root = pathlib.Path(root)
        self.build = pathlib.Path(build)

    def files(self, *patterns):
        """Paths, relative to the root, in order; build/ and caches are no part of the project."""
        found = set()
        for pattern in patterns:
            found.update(path.relative_to(self.root) for path in self.root.glob(pattern)
                         if path.is_file() and "__pycache__" not in path.parts)
        return sorted(found)

    def sources(self):
        return self.files("mod_wxpay.c", "src/**/*.c")

    def headers(self):
        return self.files("src/**/*.h")

    def read(self, path):
        return (self.root / path).read_text(encoding="utf-8", errors="replace")

    def write(self, path, text):
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")

    def append(self, path, text):
        self.write(path, self.read(path) + text)

    def remove(self, *patterns):
        for path in self.files(*patterns):
            (self.root / path).unlink()

    def copy(self, place):
        """A tree in the directory `place` that a guard's proof may spoil. What is built is shared."""
        skip = shutil.ignore_patterns("__pycache__", ".pytest_cache", "node_modules", "*.png")
        for name in ("src", "conf", "tests"):
            if (self.root / name).is_dir():
                shutil.copytree(self.root / name, pathlib.Path(place) / name, ignore=skip)
        for name in ("mod_wxpay.c", "Makefile", "README.md", "SECURITY.md", "LICENSE"):
            if (self.root / name).is_file():
                shutil.copy(self.root / name, place)
        return Tree(place, self.build)
