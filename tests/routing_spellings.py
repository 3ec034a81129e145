"""Spellings of requests: those that have opened something somewhere, and mutations of them.

All paths are PATH_INFO as in PEP 3333: bytes, read as latin-1. The random choices depend only on a
seed, so that each run sends the same spellings.
"""

import unicodedata
from typing import NamedTuple

TARGETS = ["admin", "admin/users", "orders", "orders/7", "health", "grüße/x", "statics"]

# {t} is a page without its first slash, {a} and {z} are two parts of it.
PATTERNS = [
    *("/{t}", "/{t}/", "//{t}", "///{t}", "/{t}//", "//{t}//", "{t}", "/{a}/{z}", "/{a}//{z}"),
    # Dot segments, with all that has been taken for one.
    *("/./{t}", "/{t}/.", "/{t}/..", "/{t}/./", "/../{t}", "/../../{t}", "/static/../{t}"),
    *("/static/./../{t}",),
    *("/static/..//{t}", "/static/../{t}/../{t}", "/static/x/../../{t}", "/{t}/../static/x"),
    *("/.../{t}",),
    *("/static/../{t}/%2e%2e/static/x", "/static/../{t}/..\\static/x", "/static/x\\y/../../{t}"),
    *("/static/../{t}//../static/x", "/static/../{t}/.%2e/static/x", "/static/../{t}/..;/static/x"),
    *("/.;/{t}", "/..;/{t}", "/static/..;/{t}", "/static/..;x=1/{t}", "/. /{t}", "/static/.. /{t}"),
    # Backslashes.
    *("\\{t}", "/\\{t}", "/static\\..\\{t}", "/static/..\\{t}", "/{a}\\{z}", "/{t}\\"),
    *("/..\\{t}", "\\\\{t}"),
    # What is still encoded after the server has decoded once, and after it has decoded twice.
    *("/%2e/{t}", "/static/%2e%2e/{t}", "/static/%2E./{t}", "/static/.%2e%2f{t}"),
    *("/static%2f..%2F{t}",),
    *("/%5c{t}", "/static%5C..%5c{t}", "/{t}%2f", "/{t}%00", "/{t}%20", "/{t}%0a", "/%2f{t}"),
    *("%2f{t}",),
    *("/static/%252e%252e/{t}", "/static/..%252f{t}", "/%25252e/{t}", "/static/%u002e%u002e/{t}"),
    *("/%61dmin",),
    # Bytes that are not UTF-8: overlong, cut short, surrogates. Some frameworks drop them.
    *("/{a}\xff{z}", "/\xff{t}", "/{t}\xff", "/\xff/{t}", "/{t}/\xff", "/static/.\xff./{t}"),
    *("/{a}\xc3{z}",),
    *("/static/\xc0\xae\xc0\xae/{t}", "/static/..\xc0\xaf{t}", "/static/%c0%ae%c0%ae/{t}"),
    *("/{t}\xed\xa0\x80",),
    # Characters that may be dropped, or end a string, a line or a word.
    *("/{a}\x00{z}", "/{t}\x00", "/{t}\x00.css", "/static/\x00../{t}", "/{t}\n", "/{t}\r\n"),
    *("/\t{t}", "/{t}\x7f"),
    *("/{t}.", "/{t}..", "/{t} ", "/ {t}", " /{t}", "/{t}\x0b", "/{t}\xc2\x85"),
    *("/{t}\xe2\x80\xa8", "/{t}\xc2\xa0"),
    *("/{a}\xc2\xad{z}", "/{a}\xe2\x80\x8b{z}", "/\xef\xbb\xbf{t}", "/{a}\xc3\xbc{z}"),
    *("/{t}\xef\xbf\xbd",),
    # Selectors, parameters, queries, other forms of a target.
    *("/@@{t}", "/@@{t}/", "//@@{t}", "/@@/{t}", "/@@@@{t}", "/{t}/@@", "/static/@@{t}", "/@{t}"),
    *("/@@{t}/x",),
    *("/;/{t}", "/{t};x=1", "/{t};/", "/;x=1/{t}", "/{t}?x", "/{t}#x", "/{t}%3fx", "/{t}&x"),
    *("/{t},x", "/{t}:x"),
    *("http://localhost/{t}", "//localhost/{t}", "/http:/{t}", "/{t}/x", "/{t}/x/y", "/{t}.json"),
    *("/{t}x", "/x{t}"),
]
ODD_PATHS = [
    "",
    "/",
    "*",
    "//",
    "///",
    "/.",
    "/..",
    "\\",
    "/%2f",
    "/@@",
    "/@@/",
    "/\xff",
    "/\x00",
    "?",
    ".",
    "@@",
]
TOKENS = [
    *("/", "//", "/./", "/../", "/x/../", "\\", "..\\", "%2e", "%2e%2e/", "%2f", "%5c", "%252e"),
    *("%252f", "%25"),
    *("@@", "@", ";", ";x=1", "..;/", "\xff", "\xc3", "\xc0\xae", "\xed\xa0\x80", "\x00", "%00"),
    *("\n", "\r", "\t"),
    *("\x7f", " ", ".", "..", "\xc2\xa0", "\xc2\x85", "\xc2\xad", "\xc3\xbc", "\xe2\x80\x8b"),
    *("*", "?", "#", "+", "~"),
    *("/admin", "/static", "/orders", "users", "/static/../", "/app", "/hybrid", "/x"),
]
METHODS = [
    "GET",
    "HEAD",
    "POST",
    "DELETE",
    "OPTIONS",
    "get",
    "Get",
    "pOsT",
    "head",
    "options",
    "PUT",
    "BREW",
]
ORIGIN = "https://app.example.com"
PREFLIGHT = (("HTTP_ORIGIN", ORIGIN), ("HTTP_ACCESS_CONTROL_REQUEST_METHOD", "POST"))
HEADERS = [
    (),
    PREFLIGHT,
    (("HTTP_ORIGIN", "https://evil.example"), ("HTTP_ACCESS_CONTROL_REQUEST_METHOD", "GET")),
    (*PREFLIGHT, ("HTTP_X_HTTP_METHOD_OVERRIDE", "DELETE")),
    (("HTTP_X_HTTP_METHOD_OVERRIDE", "GET"),),
    (("HTTP_X_VHM_ROOT", "/admin"),),
    (("HTTP_X_VHM_ROOT", "/static/../admin"),),
    (("HTTP_X_ORIGINAL_URL", "/admin"), ("HTTP_X_REWRITE_URL", "/admin")),
    (
        ("HTTP_X_FORWARDED_PREFIX", "/static"),
        ("HTTP_SCRIPT_NAME", "/static"),
        ("HTTP_PATH_INFO", "/admin"),
    ),
]


class Spelling(NamedTuple):
    """One request: what a client chooses of it, but for the credential."""

    method: str
    script: str
    path: str
    headers: tuple = ()


def latin(text):
    """Return text as PATH_INFO has it."""
    return text.encode().decode("latin-1")


def look_alikes(target):
    """Yield texts that case folding or normalization turns into the target."""
    wide = {ord(each): ord(each) + 0xFEE0 for each in "abcdefghijklmnopqrstuvwxyz0123456789"}
    folding = {"i": "\N{LATIN SMALL LETTER DOTLESS I}", "s": "\N{LATIN SMALL LETTER LONG S}"}
    yield from (target.upper(), target.title(), unicodedata.normalize("NFD", target))
    yield from (target.translate(wide), target.translate(str.maketrans(folding)))


def seeds(mount=""):
    """Return the paths to start from, inside and outside of the mount."""
    paths = list(ODD_PATHS)
    for target in TARGETS:
        sent = latin(target)
        paths += [pattern.format(t=sent, a=sent[:2], z=sent[2:]) for pattern in PATTERNS]
        paths += ["/" + latin(text) for text in look_alikes(target)]
    if mount:
        before = ("", "/x/.." + mount, mount + mount)
        beside = [start + path for start in before for path in paths[::7]]
        paths = [mount + path for path in paths] + beside
    return [Spelling("GET", "", path) for path in dict.fromkeys(paths)]


def with_headers(mount="", slash=""):
    """Return what clients add to a request for each page, among that preflights."""
    return [
        Spelling(method, "", f"{mount}/{latin(target)}{slash}", headers)
        for target in TARGETS
        for headers in HEADERS
        for method in ("OPTIONS", "GET")
    ]


def mutate(spelling, other, random):
    """Return a spelling one to three steps away, perhaps with a part of another."""
    method, script, path, headers = spelling
    for _ in range(random.choice((1, 1, 2, 3))):
        path = random.choice(STEPS)(path, other.path, random)
    if random.random() < 0.3:
        method = random.choice(METHODS)
    if random.random() < 0.2:
        headers = random.choice(HEADERS)
    if random.random() < 0.2:
        script, path = split(script + path, random)
    return Spelling(method, script, path[:200], headers)


def split(path, random):
    """Divide a path anywhere between SCRIPT_NAME and PATH_INFO."""
    cut = random.randrange(len(path) + 1)
    return path[:cut], path[cut:]


def insert(path, other, random):
    """Put a token anywhere."""
    cut = random.randrange(len(path) + 1)
    return path[:cut] + random.choice(TOKENS) + path[cut:]


def insert_between_segments(path, other, random):
    """Put a token before or after a slash."""
    slashes = [place for place, each in enumerate(path) if each == "/"]
    cut = random.choice(slashes or [0]) + random.choice((0, 1))
    return path[:cut] + random.choice(TOKENS) + path[cut:]


def remove(path, other, random):
    """Leave out one character."""
    cut = random.randrange(len(path) or 1)
    return path[:cut] + path[cut + 1 :]


def encode(path, other, random):
    """Leave one character encoded."""
    cut = random.randrange(len(path) or 1)
    encoded = "".join(f"%{ord(each):02x}" for each in path[cut : cut + 1])
    return path[:cut] + encoded + path[cut + 1 :]


def swap_case(path, other, random):
    """Change one letter's case."""
    cut = random.randrange(len(path) or 1)
    return path[:cut] + latin(path[cut : cut + 1].swapcase()) + path[cut + 1 :]


def append(path, other, random):
    """Go on with another path, perhaps after going back."""
    return path + random.choice(("", "/..", "/%2e%2e", "\\..", "//..", "/@@")) + other


# The steps that lead furthest are taken more often.
INSERTIONS = (insert, insert_between_segments) * 2
STEPS = (*INSERTIONS, remove, encode, swap_case, append)
