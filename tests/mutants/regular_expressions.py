"""Changes to regular expressions: the edges of character classes, alternatives, repetitions."""

import re

_CLASS = re.compile(r"(?<!\\)\[(\^?)((?:\\x[0-9a-f]{2}|\\.|[^\]\\])+)\]", re.IGNORECASE)
_MEMBER = re.compile(r"((?:\\x[0-9a-f]{2}|\\.|.))(?:-((?:\\x[0-9a-f]{2}|\\.|[^]])))?", re.I | re.S)
_ALTERNATIVES = re.compile(r"\(\?:([^()|]*(?:\|[^()|]*)+)\)")
_REPETITION = re.compile(r"(?<![(\\])(?:[+*?]|\{[0-9,]+\})")
_IS_PATTERN = re.compile(r"\[.*\]|\(\?|\)[+*?]|\\[AZdwsSWDb]").search


def changed_patterns(text):
    """Return patterns that match a little more or less; none if the text is not a pattern."""
    if not _IS_PATTERN(text) or not _compiles(text):
        return []
    changed = [*_other_classes(text), *_fewer_alternatives(text), *_without_repetition(text)]
    if "(?i)" in text:
        changed.append(text.replace("(?i)", ""))
    return [pattern for pattern in dict.fromkeys(changed) if pattern != text and _compiles(pattern)]


def _compiles(pattern):
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def _other_classes(text):
    for found in _CLASS.finditer(text):
        members = list(_MEMBER.finditer(found[2]))
        for number, member in enumerate(members):
            for new in _other_members(member[1], member[2], alone=len(members) == 1):
                inside = "".join(m[0] if n != number else new for n, m in enumerate(members))
                yield f"{text[: found.start()]}[{found[1]}{inside}]{text[found.end() :]}"


def _other_members(first, last, *, alone):
    if not alone:
        yield ""
    if last is not None:
        yield f"{_moved(first, 1)}-{last}"
        yield f"{first}-{_moved(last, -1)}"
        yield f"{first}-{_moved(last, 1)}"


def _moved(member, distance):
    """Return the character after or before the one that a member of a class stands for."""
    is_hexadecimal = re.match(r"\\x", member, re.IGNORECASE)
    code = int(member[2:], 16) if is_hexadecimal else ord(member[-1])
    return f"\\x{code + distance:02x}"


def _fewer_alternatives(text):
    for found in _ALTERNATIVES.finditer(text):
        alternatives = found[1].split("|")
        for number in range(len(alternatives)):
            rest = "|".join(alternatives[:number] + alternatives[number + 1 :])
            yield f"{text[: found.start()]}(?:{rest}){text[found.end() :]}"


def _without_repetition(text):
    inside = [range(*found.span()) for found in _CLASS.finditer(text)]
    for found in _REPETITION.finditer(text):
        if not any(found.start() in span for span in inside):
            yield text[: found.start()] + text[found.end() :]
