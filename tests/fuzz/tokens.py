"""Tokens from raw JOSE text: good ones, and ones with a few faults."""

import json
from typing import NamedTuple

from tests.fuzz.signing import ORDERS, Signer, base64url
from tests.fuzz.values import CANARY, json_text

_TYPES = (
    "JWT",
    "at+jwt",
    "application/at+jwt",
    "AT+JWT",
    "jwt",
    "dpop+jwt",
    "refresh+jwt",
    "",
    "application/",
)
_ALGORITHMS = (
    *(
        "none",
        "None",
        "NONE",
        "nOnE",
        "",
        "hs256",
        "HS256 ",
        "HS256",
        "HS384",
        "HS512",
        "RS256",
        "RS384",
    ),
    *("PS256", "ES256", "ES256K", "ES512", "EdDSA", "Ed25519", "Ed448", "dir", "A128KW", CANARY),
)
_KEY_IDS = (
    "hs-256",
    "hs-384",
    "rs",
    "ps",
    "kid ES256",
    "é-ed",
    "",
    "../../dev/null",
    "' OR 1=1",
    CANARY,
    "k" * 600,
)
_FOREIGN_JWK = '{"kty":"oct","k":"' + "QUFB" * 12 + '"}'
# Members of a header that change what a token means, or that a careless library acts upon.
_HEADER_MEMBERS = {
    "crit": ('["exp"]', '["b64"]', "[]", '"exp"', f'["{CANARY}"]'),
    "b64": ("false", "true", '"false"'),
    "zip": ('"DEF"',),
    "jwk": (_FOREIGN_JWK, '"x"'),
    "jku": ('"https://evil.example.com/jwks"', f'"file:///{CANARY}"'),
    "x5u": ('"https://evil.example.com/x5u"',),
    "x5c": ('["MIIB"]', '"MIIB"'),
    "x5t": ('"AAAA"',),
    "cty": ('"JWT"',),
    "enc": ('"A128GCM"',),
    "epk": ("{}",),
    "iss": ('"https://evil.example.com"',),
    "nonce": (f'"{CANARY}"',),
}
_CONFIRMATIONS = ('{"jkt":"x"}', '{"x5t#S256":"x"}', "{}", "null", '""')
_SCOPES = (
    *(
        '"admin"',
        '"a b"',
        '"admin orders:write"',
        '"ADMIN"',
        '" admin"',
        '"admin\\tb"',
        '"admin,b"',
        '""',
    ),
    *(
        '["admin"]',
        '["a",5]',
        '["admin b"]',
        "[[]]",
        "5",
        "null",
        "true",
        '{"admin":1}',
        f'"{CANARY}"',
    ),
)
_SESSIONS = ('"s1"', '""', "5", "null", "[]", '["s1"]', "{}", "true", f'"{CANARY}"')
_CLAIMS = ("iss", "sub", "aud", "exp", "nbf", "iat", "jti", "sid", "scope", "tid", "é", "")
_OFFSETS = (-(10**6), -601, -600, -61, -60, -6, -5, -4, -1, 0, 1, 4, 5, 6, 60, 601, 10**6)
_SPACES = ("", "", "", " ", "\t", "\r\n", "\x0b", "\xa0")


class Token(NamedTuple):
    """A token's text; `is_good` if nothing is wrong with it where it belongs."""

    text: str
    is_good: bool


class Draft:
    """A token before it is signed. Its members are pairs of texts, which need not be JSON."""

    def __init__(self, rng, signer, claims, types):
        header = {"alg": signer.algorithm}
        if signer.key_id is not None and rng.random() < 0.9:
            header["kid"] = signer.key_id
        kind = rng.choice(types)
        if kind is not None:
            header["typ"] = rng.choice((kind, kind.upper(), f"application/{kind}"))
        self.signer = signer
        self.header = [(json.dumps(name), json.dumps(value)) for name, value in header.items()]
        self.claims = [(json.dumps(name), json.dumps(value)) for name, value in claims.items()]
        # What happens to the text of the payload, to the signed bytes and to the signature.
        self.recode = self.tamper = None

    def compact(self, rng):
        """Return the compact serialization, signed."""
        payload = _object(self.claims).encode("utf-8", "surrogatepass")
        if self.recode is not None:
            payload = self.recode(rng, payload)
        header = base64url(_object(self.header).encode("utf-8", "surrogatepass"))
        signing_input = header + b"." + base64url(payload)
        signature = self.signer.sign(signing_input)
        if self.tamper is not None:
            signature = self.tamper(rng, self.signer, signature)
        return (signing_input + b"." + base64url(signature)).decode()


def good_token(rng, signer, claims, *, types=(None,)):
    """Return a token without any fault, of one of the types."""
    return Token(Draft(rng, signer, claims, types).compact(rng), is_good=True)


def bent_token(rng, signer, claims, *, now, strangers, types=(None,)):
    """Return a token with up to three faults, signed after most of them."""
    draft = Draft(rng, signer, claims, types)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        _bend(rng, draft, now, strangers)
    return Token(draft.compact(rng), is_good=False)


def changed_text(rng, text):
    """Return the compact text with one change, made after it was signed."""
    at = rng.randrange(len(text) + 1)
    start, _, signature = text.rpartition(".")
    header, _, payload = start.partition(".")
    return rng.choice(
        (
            text[:at],
            text[:at] + text[at + 1 :],
            text[:at] + rng.choice("Aa0-_.=+/~ \n\t\x00\xe9") + text[at:],
            text[:at] + rng.choice("Aa0-_.=+/~ \n\t\x00\xe9") + text[at + 1 :],
            text[:-1] + chr(ord(text[-1]) ^ 1) if text else "",
            text + rng.choice(("=", "==", ".", "..", ".e30", "." + text, " ", "\x00", "A", CANARY)),
            text.replace("-", "+").replace("_", "/"),
            f"{header}.{payload}.",
            f"{header}=.{payload}=.{signature}=",
            f"{header}..{signature}",
            f"{signature}.{payload}.{header}",
            f"{payload}.{header}.{signature}",
            f"{header}.{payload}",
            f"{header}.{payload}.{signature}.{signature}.{signature}",
            CANARY + text,
            text * 40,
            text.swapcase(),
        )
    )


def _bend(rng, draft, now, strangers):
    kind = rng.randrange(20)
    if kind < 8:
        _bend_claims(rng, draft, now)
    elif kind < 12:
        _bend_header(rng, draft)
    elif kind < 15:
        _bend_members(rng, rng.choice((draft.header, draft.claims, draft.claims)))
    elif kind < 17:
        draft.recode = rng.choice(_RECODINGS)
    elif kind < 19:
        draft.tamper = rng.choice(_TAMPERINGS)
    else:
        draft.signer = _impostor(rng, draft.signer, strangers)


def _bend_claims(rng, draft, now):
    kind = rng.randrange(9)
    if kind < 3:
        _set(draft.claims, rng.choice(("exp", "nbf", "iat")), _time(rng, now))
    elif kind == 3:
        _set(draft.claims, "aud", _audience(rng, dict(draft.claims).get('"aud"', '"x"')))
    elif kind == 4:
        _set(draft.claims, rng.choice(("scope", "scp")), rng.choice(_SCOPES))
    elif kind == 5:
        _set(draft.claims, "sid", rng.choice(_SESSIONS))
    elif kind == 6:
        _set(draft.claims, "cnf", rng.choice(_CONFIRMATIONS))
    elif kind == 7:
        _set(draft.claims, "iss", _issuer(rng, dict(draft.claims).get('"iss"', '"x"')))
    else:
        _set(draft.claims, rng.choice(_CLAIMS), json_text(rng))


def _bend_header(rng, draft):
    kind = rng.randrange(8)
    if kind < 2:
        _set(draft.header, "alg", json.dumps(rng.choice(_ALGORITHMS)))
    elif kind == 2:
        _set(draft.header, "kid", json.dumps(rng.choice(_KEY_IDS)))
    elif kind < 5:
        _set(draft.header, "typ", json.dumps(rng.choice(_TYPES)))
    elif kind == 5:
        _set(draft.header, rng.choice(("alg", "kid", "typ", "é", CANARY)), json_text(rng))
    else:
        name = rng.choice(sorted(_HEADER_MEMBERS))
        _set(draft.header, name, rng.choice(_HEADER_MEMBERS[name]))


def _bend_members(rng, members):
    """Drop a member, write one twice, in another order, or with its name in another spelling."""
    at = rng.randrange(len(members)) if members else 0
    kind = rng.randrange(6)
    if not members or kind == 0:
        members.append((json.dumps(rng.choice(("x", CANARY, "__proto__", ""))), json_text(rng)))
    elif kind == 1:
        del members[at]
    elif kind == 2:
        members.append((members[at][0], rng.choice((members[at][1], json_text(rng)))))
    elif kind == 3:
        rng.shuffle(members)
    elif kind == 4:
        members[at] = (_escaped(members[at][0]), members[at][1])
    else:
        members[at] = (
            rng.choice(_SPACES) + members[at][0] + rng.choice(_SPACES),
            rng.choice(_SPACES) + members[at][1],
        )


def _object(members):
    return "{" + ",".join(f"{name}:{value}" for name, value in members) + "}"


def _set(members, name, value):
    """Set a member where it stands, or add it."""
    quoted = json.dumps(name)
    for at, (known, _) in enumerate(members):
        if known == quoted:
            members[at] = (quoted, value)
            return
    members.append((quoted, value))


def _escaped(quoted):
    """Spell a name with escapes. A JSON parser reads the same name, a text search does not."""
    name = json.loads(quoted.strip())
    return '"' + "".join(f"\\u{ord(character):04x}" for character in name) + '"'


def _time(rng, now):
    if rng.random() < 0.3:
        return json_text(rng)
    value = now + rng.choice(_OFFSETS)
    spellings = (
        str(value),
        f"{value}.0",
        f"{value}.5",
        f"{value - 1}.9999999",
        f"{value}e0",
        f'"{value}"',
        f"[{value}]",
    )
    return rng.choice((str(value), str(value), *spellings))


def _audience(rng, audience):
    name = audience.strip("[]")
    return rng.choice(
        (
            *(
                f"[{name}]",
                f'["x",{name}]',
                f'[{name},"x"]',
                f"[{name},{name}]",
                f"[{name},5]",
                f"[[{name}]]",
            ),
            *(
                f"[{name},null]",
                f"{{{name}:1}}",
                "[]",
                '""',
                "null",
                f'"{CANARY}"',
                f'["{CANARY}"]',
            ),
            *(name[:-1] + '/"', name.upper(), '" ' + name[1:], f'["x","y",{name}]'),
        )
    )


def _issuer(rng, issuer):
    return rng.choice(
        (
            f"[{issuer}]",
            issuer[:-1] + '/"',
            issuer.upper(),
            '""',
            "null",
            f"{{{issuer}:1}}",
            f'"{CANARY}"',
            "5",
        )
    )


def _impostor(rng, signer, strangers):
    """Return another key under the same kid: an attacker's, or a public key as HMAC secret."""
    if not isinstance(signer.public, bytes) and rng.random() < 0.5:
        return Signer("HS256", signer.key_id, signer.pem)
    return strangers.get(signer.algorithm, strangers["ES256"])


def _nested(rng, payload):
    depth = rng.choice((28, 31, 32, 33, 200, 900))
    return payload[:-1] + b',"deep":' + b"[" * depth + b"]" * depth + b"}"


_RECODINGS = (
    lambda rng, payload: b" \r\n\t" + payload + b"\n",
    lambda rng, payload: b"\xef\xbb\xbf" + payload,
    lambda rng, payload: payload.decode("utf-8", "replace").encode("utf-16"),
    lambda rng, payload: payload.decode("utf-8", "replace").encode("utf-32-le"),
    lambda rng, payload: b"[" + payload + b"]",
    lambda rng, payload: payload[: rng.randrange(len(payload) + 1)],
    lambda rng, payload: payload + rng.choice((b"{}", b"x", b"\x00", b"\x0c", b"//", b",")),
    lambda rng, payload: payload[:-1] + b",}",
    lambda rng, payload: payload.replace(b"}", b',"x":"\xe9"}'),
    lambda rng, payload: payload.replace(b"}", b',"x":"\xed\xa0\x80"}'),
    lambda rng, payload: b"",
    lambda rng, payload: payload + b" " * rng.choice((10, 9000)),
    _nested,
    _nested,
)


def _halves(change):
    """Apply a change to r and s of an ECDSA signature; other signatures become zeros."""

    def tamper(rng, signer, signature):
        if signer.algorithm not in ORDERS:
            return bytes(len(signature))
        size = len(signature) // 2
        order = ORDERS[signer.algorithm]
        halves = [int.from_bytes(part, "big") for part in (signature[:size], signature[size:])]
        return b"".join(half.to_bytes(size, "big") for half in change(*halves, order))

    return tamper


def _shifted_scalar(rng, signer, signature):
    """Add the order of the group to S of an Ed25519 signature (forbidden by RFC 8032 §5.1.7)."""
    if signer.algorithm != "EdDSA":
        return signature[::-1]
    order = 2**252 + 27742317777372353535851937790883648493
    shifted = int.from_bytes(signature[32:], "little") + order
    return signature[:32] + shifted.to_bytes(32, "little")


_TAMPERINGS = (
    _halves(lambda r, s, order: (0, 0)),
    _halves(lambda r, s, order: (0, s)),
    _halves(lambda r, s, order: (r, 0)),
    _halves(lambda r, s, order: (order, s)),
    _halves(lambda r, s, order: (r, order)),
    _halves(lambda r, s, order: (s, r)),
    _halves(lambda r, s, order: (order - 1, order - 1)),
    # This one is valid: ECDSA signatures have two spellings.
    _halves(lambda r, s, order: (r, order - s)),
    _shifted_scalar,
    lambda rng, signer, signature: signature[: rng.randrange(len(signature))],
    lambda rng, signer, signature: signature[1:],
    lambda rng, signer, signature: b"\x00" + signature,
    lambda rng, signer, signature: signature + b"\x00",
    lambda rng, signer, signature: signature * 2,
    lambda rng, signer, signature: b"",
    lambda rng, signer, signature: b"\x00" * len(signature),
    lambda rng, signer, signature: b"\xff" * len(signature),
    lambda rng, signer, signature: b"\x30\x06\x02\x01\x00\x02\x01\x00",
    lambda rng, signer, signature: bytes([signature[0] ^ 1]) + signature[1:],
)
