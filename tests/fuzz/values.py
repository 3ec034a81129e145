"""Hostile values: paths, methods, header and cookie texts, and JSON texts."""

import json

# Part of every hostile value. It must never come back in an answer.
CANARY = "qzCanaryzq"

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_ODD_METHODS = (
    *("", "get", "Post", "pOST", "TRACE", "CONNECT", "PROPFIND", "M-SEARCH", "BASELINE_CONTROL"),
    *(
        CANARY,
        f"{CANARY} /",
        "GET\x00",
        "GET\r\nX: y",
        "G\xcbT",
        "GET ",
        " GET",
        "\xb5",
        "\xdf",
        "1",
    ),
)

# Every rule of the policies in `targets` has paths here.
PATHS = (
    *("/", "/health", "/static", "/static/a/b", "/maybe", "/maybe/1", "/told", "/told/x", "/any/1"),
    *("/admin", "/admin/users", "/checked", "/checked/1", "/orders", "/orders/7", "/elsewhere"),
)
_SEGMENTS = (
    *("", ".", "..", "...", "health", "static", "admin", "told", "maybe", CANARY, "%2e", "%2e%2e"),
    *(
        "%2F",
        "%5c",
        "%00",
        "%",
        "%zz",
        "%252e",
        ";x=1",
        ".;",
        "..;",
        "*",
        "\\",
        "..\\",
        "~",
        "?",
        "#",
    ),
    *("\x00", "\x01", "\t", "\r\n", "\x1f", "\x7f", "\x85", "\xa0", "\xad", "\xff", "\xc3\xa9"),
    *(
        "\xe2\x80\xae",
        "\xef\xbc\x8f",
        "\xc0\xaf",
        "\xed\xa0\x80",
        "ADMIN",
        "admin ",
        " admin",
        "a" * 500,
    ),
)
_SEPARATORS = ("/", "/", "/", "/", "//", "\\", "", "/./", "/../", "%2f")

_PIECES = (
    *("", " ", "\t", ",", ";", "=", '"', "'", "\\", ".", "..", "Bearer", "bearer", "Basic", "DPoP"),
    *(
        CANARY,
        "\x00",
        "\r\n",
        "\n",
        "\x7f",
        "\x85",
        "\xa0",
        "\xff",
        "\xe9",
        "eyJhbGciOiJub25lIn0",
        "e30",
    ),
    *(
        "null",
        "undefined",
        "[object Object]",
        "{}",
        "%20",
        "<script>",
        "${jndi:x}",
        "=" * 5,
        "A" * 300,
    ),
)

_STRINGS = ("", "a", CANARY, "é", "\x00", "\u2028", "\U0001f511", "a" * 3000, "admin", "__proto__")
# Numbers at the limits of 64 bits, floats and what Python turns into an int; and text that is not
# JSON.
_ODD_JSON = (
    *("null", "true", "false", "0", "-0", "-0.0", "-1", "1.0", "1e3", "0.1", "1E-400", "5e-324"),
    *(
        "1e308",
        "1e400",
        "-1e400",
        "NaN",
        "Infinity",
        "-Infinity",
        "01",
        "+1",
        ".5",
        "1.",
        "0x1",
        "1_0",
    ),
    *(str(2**53 + 1), str(2**63), str(-(2**63)), str(2**64), str(10**30), "9" * 400, "9" * 5000),
    *(
        "[]",
        "{}",
        "[[]]",
        "[null]",
        '[""]',
        '{"":""}',
        '{"a":1,"a":2}',
        '{"a":[{"b":[1]}]}',
        "[1,]",
    ),
    *('"\\ud800"', '"\\udfff\\ud800"', '"\\ud83d\\udd11"', '"\\u0000"', '"\\x"', '"\t"', "'a'", ""),
    *(
        "[" * 30 + "]" * 30,
        "[" * 34 + "]" * 34,
        "[" * 3000 + "]" * 3000,
        '{"a":' * 32 + "1" + "}" * 32,
    ),
    *(f'["{CANARY}"]', f'{{"{CANARY}":"{CANARY}"}}'),
)


def text(rng):
    """Return a short hostile latin-1 text."""
    return "".join(rng.choices(_PIECES, k=rng.randrange(1, 5)))


def latin1(rng):
    """Return latin-1 text of arbitrary bytes."""
    return rng.randbytes(rng.randrange(1, 24)).decode("latin-1")


def path(rng):
    """Return a hostile ``PATH_INFO``."""
    kind = rng.randrange(4)
    if kind == 0:
        return "/" + latin1(rng)
    if kind == 1:
        known = rng.choice(PATHS)
        at = rng.randrange(len(known) + 1)
        return known[:at] + rng.choice(_SEGMENTS) + known[at:]
    pieces = (rng.choice(_SEPARATORS) + rng.choice(_SEGMENTS) for _ in range(rng.randrange(5)))
    return rng.choice(("/", "")) + "".join(pieces)


def method(rng):
    """Return a hostile method."""
    return rng.choice(_ODD_METHODS) if rng.random() < 0.9 else latin1(rng)


def json_text(rng):
    """Return the text of a JSON value, or of something that looks like one."""
    if rng.random() < 0.3:
        return json.dumps(rng.choice(_STRINGS), ensure_ascii=rng.random() < 0.5)
    return rng.choice(_ODD_JSON)
