"""Signed tokens with a wrong header or claim, for `RefusalContract`."""

import json
import zlib
from collections.abc import Callable
from typing import Any, Final

from jwt_middleware.testing.forging import Good, segment

_MINUTE: Final = 60
_YEAR: Final = 365 * 24 * 3600
_TIMES: Final = "Require exp, accept only JSON numbers as times, and compare them with the clock."
_LEEWAY: Final = "Allow clocks to differ by seconds, and by five minutes at the most."
_ISSUER: Final = "Require iss, and compare it as text with your issuer."
_AUDIENCE: Final = "Require aud, and compare it, or each member of the list, with your own name."
_KIND: Final = "Accept only the types of access tokens: 'at+jwt', 'JWT' or no typ (RFC 8725 §3.11)."
_STRICT_JSON: Final = "Accept only UTF-8 and one JSON object, and answer errors of the parser."
_HEADER: Final = "Check the types of the header's members, and answer errors with 401."


def _claims(**changes: Any) -> Callable[[Good], str]:
    return lambda good: good.token(**changes)


def _payload(change: Callable[[str], str | bytes]) -> Callable[[Good], str]:
    """Return a maker of tokens that the issuer signs with a changed text of the payload."""
    return lambda good: good.sign(good.header(), change(json.dumps(good.claims())))


def _literal(name: str, value: str) -> Callable[[Good], str]:
    """Return a maker of tokens with this JSON text as the value of a claim."""

    def make(good: Good) -> str:
        members = good.claims(**{name: None})
        return good.sign(good.header(), f'{json.dumps(members)[:-1]}, "{name}": {value}}}')

    return make


def _typed(typ: str, claims: Callable[[Good], dict[str, Any]] = Good.claims) -> Any:
    """Return a maker of tokens of the issuer with this type."""
    return lambda good: good.sign(good.header(typ=typ), claims(good))


def _id_token(good: Good) -> str:
    claims = good.claims(aud="client", nonce="n", auth_time=good.now, scope=None, client_id=None)
    return good.sign(good.header(typ="JWT"), claims)


def _logout_claims(good: Good) -> dict[str, Any]:
    event = "http://schemas.openid.net/event/backchannel-logout"
    return good.claims(events={event: {}}, sid="s")


def _unencoded(good: Good) -> str:
    """Return a token of RFC 7797, whose payload is not base64url; without dots in it."""
    header = segment(good.header(b64=False, crit=["b64"]))
    return good.issuer.sign(f"{header}.{segment(good.claims())}")


def _compressed(good: Good) -> str:
    compress = zlib.compressobj(wbits=-15)
    payload = compress.compress(json.dumps(good.claims()).encode()) + compress.flush()
    return good.sign(good.header(zip="DEF"), payload)


def _bound(**confirmation: str) -> Callable[[Good], str]:
    return _claims(cnf=confirmation)


# Each row: id, what is wrong with the token, what to do, how to make the token.
CLAIMS: Final[list[tuple[str, str, str, Callable[[Good], str]]]] = [
    # JSON
    ("payload-not-json", "has a payload that is not JSON", _STRICT_JSON, _payload(lambda _: "x")),
    ("payload-empty", "has an empty payload", _STRICT_JSON, _payload(lambda _: "")),
    (
        "payload-list",
        "has a list as its payload",
        _STRICT_JSON,
        _payload(lambda text: f"[{text}]"),
    ),
    ("payload-text", "has a text as its payload", _STRICT_JSON, _payload(json.dumps)),
    ("payload-null", "has null as its payload", _STRICT_JSON, _payload(lambda _: "null")),
    (
        "payload-utf-16",
        "has its payload in UTF-16",
        _STRICT_JSON,
        _payload(lambda text: text.encode("utf-16")),
    ),
    (
        "payload-not-utf-8",
        "has bytes in its payload that are not UTF-8",
        _STRICT_JSON,
        _payload(lambda text: text.encode()[:-1] + b',"x":"\xff"}'),
    ),
    (
        "duplicate-claim",
        "has a claim twice",
        "Refuse duplicate members, because parsers disagree on which one counts (RFC 8725 §3.1).",
        _payload(lambda text: text[:-1] + ',"sub":"administrator"}'),
    ),
    (
        "duplicate-header-member",
        "has a member twice in its header",
        "Refuse duplicate members (RFC 7515 §4).",
        lambda good: good.sign('{"alg":"none",' + json.dumps(good.header())[1:], good.claims()),
    ),
    (
        "lone-surrogate",
        "has a text that cannot be encoded as UTF-8",
        _STRICT_JSON,
        _payload(lambda text: text[:-1] + ',"name":"\\ud800"}'),
    ),
    (
        "header-not-json",
        "has a header that is not JSON",
        _STRICT_JSON,
        lambda good: good.sign("x", good.claims()),
    ),
    (
        "header-list",
        "has a list as its header",
        _STRICT_JSON,
        lambda good: good.sign([good.header()], good.claims()),
    ),
    (
        "header-deeply-nested",
        "has a header of 100,000 levels",
        "Limit the size of a token and the depth of its JSON; RecursionError is not a ValueError.",
        lambda good: good.attacker.sign(f"{segment('[' * 100_000)}.{segment(good.claims())}"),
    ),
    (
        "payload-deeply-nested",
        "has a payload of 10,000 levels",
        "Limit the size of a token and the depth of its JSON; RecursionError is not a ValueError.",
        _payload(lambda text: text[:-1] + ',"x":' + "[" * 10_000 + "]" * 10_000 + "}"),
    ),
    # Header members that change the meaning
    (
        "crit-unknown",
        "needs an extension (crit) that does not exist",
        "Refuse every token with crit, unless you implement what it names (RFC 7515 §4.1.11).",
        lambda good: good.sign(
            good.header(crit=["https://example.com/x"]) | {"https://example.com/x": 1},
            good.claims(),
        ),
    ),
    (
        "crit-empty",
        "has an empty crit",
        "Refuse every token with crit, unless you implement what it names (RFC 7515 §4.1.11).",
        lambda good: good.sign(good.header(crit=[]), good.claims()),
    ),
    (
        "crit-null",
        "has crit null",
        "Refuse every token with crit, unless you implement what it names (RFC 7515 §4.1.11).",
        lambda good: good.sign(good.header(crit=None), good.claims()),
    ),
    ("b64-false", "has an unencoded payload (b64)", "Refuse tokens with b64.", _unencoded),
    (
        "zip",
        "has a compressed payload (zip)",
        "Refuse tokens with zip (RFC 8725 §3.6).",
        _compressed,
    ),
    # Times
    ("expired", "expired a year ago", _TIMES, lambda good: good.token(exp=good.now - _YEAR)),
    (
        "expired-ten-minutes-ago",
        "expired ten minutes ago",
        _LEEWAY,
        lambda good: good.token(exp=good.now - 10 * _MINUTE),
    ),
    (
        "not-yet-valid",
        "is not valid before next year",
        "Compare nbf with the clock.",
        lambda good: good.token(nbf=good.now + _YEAR),
    ),
    (
        "not-valid-for-ten-minutes",
        "is not valid before ten minutes from now",
        _LEEWAY,
        lambda good: good.token(nbf=good.now + 10 * _MINUTE),
    ),
    ("exp-missing", "never expires", _TIMES, _claims(exp=None)),
    ("exp-null", "has exp null", _TIMES, _literal("exp", "null")),
    ("exp-text", "has a text as exp", _TIMES, lambda good: good.token(exp=str(good.now + _YEAR))),
    ("exp-word", "has a word as exp", _TIMES, _claims(exp="never")),
    ("exp-true", "has true as exp", _TIMES, _claims(exp=True)),
    ("exp-list", "has a list as exp", _TIMES, lambda good: good.token(exp=[good.now + _YEAR])),
    ("exp-nan", "has NaN as exp", _TIMES, _literal("exp", "NaN")),
    ("exp-infinity", "has Infinity as exp", _TIMES, _literal("exp", "Infinity")),
    ("exp-overflow", "has 1e400 as exp, which is infinite", _TIMES, _literal("exp", "1e400")),
    ("exp-huge", "has a time as exp that no clock reaches", _TIMES, _claims(exp=10**30)),
    (
        "exp-many-digits",
        "has 5,000 digits as exp",
        _TIMES,
        _literal("exp", "9" * 5_000),
    ),
    ("exp-zero", "has 0 as exp", _TIMES, _claims(exp=0)),
    ("exp-negative", "has a negative exp", _TIMES, _claims(exp=-1)),
    ("nbf-text", "has a text as nbf", _TIMES, lambda good: good.token(nbf=str(good.now))),
    ("nbf-true", "has true as nbf", _TIMES, _claims(nbf=True)),
    ("iat-text", "has a text as iat", _TIMES, _claims(iat="yesterday")),
    # Issuer and audience
    (
        "other-issuer",
        "comes from another issuer",
        _ISSUER,
        lambda good: good.token(iss=f"https://{good.marker}.example.com"),
    ),
    ("issuer-missing", "has no issuer", _ISSUER, _claims(iss=None)),
    (
        "issuer-with-slash",
        "has an issuer with another ending",
        _ISSUER,
        lambda good: good.token(iss=good.issuer.issuer + "/"),
    ),
    (
        "issuer-list",
        "has a list as its issuer",
        _ISSUER,
        lambda good: good.token(iss=[good.issuer.issuer]),
    ),
    (
        "other-audience",
        "is for another audience",
        _AUDIENCE,
        lambda good: good.token(aud=f"https://{good.marker}.example.com"),
    ),
    ("audience-missing", "has no audience", _AUDIENCE, _claims(aud=None)),
    ("audience-empty", "has an empty list of audiences", _AUDIENCE, _claims(aud=[])),
    (
        "audience-longer",
        "is for an audience that begins like yours",
        _AUDIENCE,
        lambda good: good.token(aud=good.audience + ".example.org"),
    ),
    (
        "audience-shorter",
        "is for an audience that is a part of yours",
        _AUDIENCE,
        lambda good: good.token(aud=good.audience[:-1]),
    ),
    (
        "audience-object",
        "has an object as its audience",
        _AUDIENCE,
        lambda good: good.token(aud={good.audience: True}),
    ),
    (
        "subject-number",
        "has a number as its subject",
        "Accept only a text as sub (RFC 7519 §4.1.2).",
        lambda good: good.sign(good.header(), good.claims() | {"sub": 1}),
    ),
    # Other tokens of the same issuer
    (
        "id-token",
        "is an ID token",
        "Check the audience; that of an ID token is a client.",
        _id_token,
    ),
    ("refresh-token", "is a refresh token", _KIND, _typed("refresh+jwt")),
    ("logout-token", "is a logout token", _KIND, _typed("logout+jwt", _logout_claims)),
    ("dpop-proof", "is a DPoP proof", _KIND, _typed("dpop+jwt")),
    ("security-event", "is a security event", _KIND, _typed("secevent+jwt")),
    ("type-number", "has a number as typ", _HEADER, lambda good: good.forge(typ=1)),
    (
        "bound-to-dpop-key",
        "is bound to a key (cnf), and the request does not prove possession of the key",
        "Refuse tokens with cnf, unless you check the proof (RFC 9449 §7.2).",
        _bound(jkt="0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"),
    ),
    (
        "bound-to-certificate",
        "is bound to a client certificate (cnf), and the request has none",
        "Refuse tokens with cnf, unless you check the certificate (RFC 8705 §3).",
        _bound(**{"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}),
    ),
]
