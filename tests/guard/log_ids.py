"""A log id (WXP0101) stands for one message: it is written at one place in the code and explained in
conf/messages.txt; every warning and error has one.Run by itself it prints what the list lacks.
"""
import re
import textwrap

from tree import Tree, without_comments

FLOOR = 60
MESSAGES = "conf/messages.txt"

_ID = re.compile(r"\bWXP\d+")
_WHOLE = re.compile(r"\bWXP\d{4}\b")
# One after the other, also with a macro such as APR_INT64_T_FMT in between.
_LITERALS = re.compile(r'"(?:\\.|[^"\\\n])*"(?:\s*(?:[A-Z][A-Z0-9_]*\s*)?"(?:\\.|[^"\\\n])*")*')
_LITERAL = re.compile(r'"((?:\\.|[^"\\\n])*)"')
_CONVERSION = re.compile(r"%(?:%|[-+ #0]*[\d.*]*(?:ll|[lhzjt])?[a-zA-Z])?")
# A call that logs at a level that somebody must look at.
_LOUD = re.compile(r"\b(?:wxpay_log|ap_log_r?error)\s*\((?:[^;\"]|\"(?:\\.|[^\"\\])*\")*?"
                   r"\b(?:WXPAY_LOG_ERR|WXPAY_LOG_WARN|APLOG_ERR|APLOG_WARNING)\b"
                   r"(?:[^;\"]|\"(?:\\.|[^\"\\])*\")*?;")
_ENTRY = re.compile(r"^(WXP\d{4}) (\w+)\n((?:    .*\n)+)", re.M)
# What a statement must hold to have a level; a directive's handler returns its message instead.
_LEVELS = (("refused", r"report\(\s*check,\s*APLOG_ERR"), ("error", r"APLOG_ERR|WXPAY_LOG_ERR"),
           ("warn", r"APLOG_WARNING|WXPAY_LOG_WARN|\bwarn\("), ("notice", r"APLOG_NOTICE|LOG_NOTICE"),
           ("info", r"APLOG_INFO|LOG_INFO"), ("debug", r"APLOG_DEBUG|LOG_DEBUG"), ("refused", ""))


def statement(text, start, end):
    """What lies around [start, end) between two semicolons or braces outside of literals."""
    bare = re.sub(r'"(?:\\.|[^"\\\n])*"', lambda match: "x" * len(match.group()), text)
    first = max(bare.rfind(mark, 0, start) for mark in ";{}") + 1
    last = min((place for place in (bare.find(mark, end) for mark in ";{") if place >= 0),
               default=len(text))
    return text[first:last]


def words(literals):
    """Adjacent C literals as people read them: what is filled in is an ellipsis."""
    text = re.sub(r'"\s+[A-Z][A-Z0-9_]*\s+"', "\u2026", literals)  # "%" APR_INT64_T_FMT " fen"
    text = "".join(_LITERAL.findall(text)).replace("%\u2026", "\u2026")
    text = re.sub("\u2026+", "\u2026", _CONVERSION.sub("\u2026", text)).replace('\\"', '"').replace("\\\\", "\\")
    return " ".join(text.split())


def message(text, found):
    """Level and words of the message that a match of _ID in C belongs to."""
    code = statement(text, found.start(), found.end())
    level = next(name for name, sign in _LEVELS if re.search(sign, code))
    groups = list(_LITERALS.finditer(code))
    mine = [group.group() for group in groups if found.group() in group.group()]
    told = words(mine[0]) if mine else ""
    if re.fullmatch(found.group() + ":?", told.strip()):
        told = max((words(group.group()) for group in groups), key=len)
    return level, " ".join(re.sub("^" + found.group() + ":? *", "", told).split())


def in_code(tree):
    """{id: [(file:line, (level, words of its message))]}"""
    places = {}
    for path in tree.sources() + tree.headers():
        text = without_comments(tree.read(path))
        for found in _ID.finditer(text):
            line = text.count("\n", 0, found.start()) + 1
            places.setdefault(found.group(), []).append(
                ("%s:%d" % (path, line), message(text, found)))
    return places


def silent(tree):
    """Calls that log a warning or error of their own words without an id."""
    for path in tree.sources():
        text = without_comments(tree.read(path))
        for call in _LOUD.finditer(text):
            told = [words(group) for group in _LITERALS.findall(call.group())]
            if not _WHOLE.search(call.group()) and any(word.strip("\u2026") for word in told):
                yield "%s:%d: a warning or error without an id" \
                    % (path, text.count("\n", 0, call.start()) + 1)


def explained(tree):
    """{id: ((level, words), what to do)} of the list of messages."""
    if not (tree.root / MESSAGES).exists():
        return {}
    entries = {}
    for code, level, block in _ENTRY.findall(tree.read(MESSAGES)):
        told, _, advice = block.partition("    -> ")
        entries[code] = ((level, " ".join(told.split())), advice.strip())
    return entries


def check(tree):
    places, listed = in_code(tree), explained(tree)
    faults = list(silent(tree))
    for found, where in sorted(places.items()):
        if len(found) != 7:
            faults.append("%s: %s has not four digits" % (where[0][0], found))
        if len(where) > 1:
            faults.append("%s is used %d times: %s"
                          % (found, len(where), ", ".join(place for place, _ in where)))
        if found not in listed:
            faults.append("%s is not in %s" % (found, MESSAGES))
            continue
        told, advice = listed[found]
        if told != where[0][1]:
            faults.append("%s: %s says \"%s: %s\", the code \"%s: %s\""
                          % (found, MESSAGES, *told, *where[0][1]))
        if not advice and told[0] in ("error", "warn"):
            faults.append("%s: %s does not say what to do" % (found, MESSAGES))
    for path in tree.files("README.md", "conf/**/*.conf", "conf/*.txt", "tests/**/*.py"):
        if path.parts[:2] != ("tests", "guard"):
            faults += ["%s speaks of %s, which the code does not have" % (path, found)
                       for found in sorted(set(_WHOLE.findall(tree.read(path))) - set(places))]
    return len(places), faults


def _twice(tree):
    text = tree.read("src/httpd/lifecycle.c")
    tree.append("src/httpd/lifecycle.c", '/* WXP9998 */ static const char *a = "%s: x";\n'
                % _ID.search(text).group())


def _gone(tree):
    tree.write("README.md", "WXP9999\n")


def _unlisted(tree):
    tree.append("src/core/money.c", 'static const char *a = "WXP9997: x";\n')


def _reworded(tree):
    text = tree.read("src/core/flow_pay.c")
    tree.write("src/core/flow_pay.c", text.replace("paid twice", "paid double"))


def _silent(tree):
    tree.append("src/core/money.c",
                'void f(void); void f(void) { wxpay_log(0, WXPAY_LOG_WARN, "lost %d", 1); }\n')


def missing(tree):
    """What has to be added to the list of messages, but for what to do."""
    listed = explained(tree)
    for found, where in sorted(in_code(tree).items()):
        if found not in listed:
            level, told = where[0][1]
            yield "%s %s\n%s\n    -> ?\n" % (found, level, textwrap.fill(
                told, 96, initial_indent="    ", subsequent_indent="    ",
                break_on_hyphens=False, break_long_words=False))


PLANTS = (
    (_twice, "is used 2 times"),
    (_gone, "README.md speaks of WXP9999"),
    (_unlisted, "WXP9997 is not in " + MESSAGES),
    (_reworded, "WXP0505: " + MESSAGES + " says"),
    (_silent, "a warning or error without an id"),
)

if __name__ == "__main__":
    print("\n".join(missing(Tree())))
