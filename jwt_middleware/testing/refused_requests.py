"""The requests that every application must refuse, for `RefusalContract`."""

import base64
import hmac
import json
import zlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from secrets import token_urlsafe
from typing import Any, Final
from urllib.parse import quote, urlencode

from jwt_middleware.testing.fake_issuer import FakeIssuer

_JSON: Final = "application/json"
_FORM: Final = "application/x-www-form-urlencoded"
# Names of parameters, members and cookies that applications read tokens from.
_NAMES: Final = ("access_token", "token", "jwt", "bearer", "auth_token", "authorization")
_ECDSA_WITH_SHA256: Final = bytes.fromhex("06082a8648ce3d040302")
_MINUTE: Final = 60
_YEAR: Final = 365 * 24 * 3600


@dataclass(frozen=True)
class Request:
    """What a request carries. Path, method and all else are those of the contract."""

    headers: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    body: bytes = b""
    content_type: str = ""

    def texts(self) -> list[str]:
        """Return all texts that an answer must not repeat."""
        return [*self.headers.values(), self.query, self.body.decode("latin-1")]


class Good:
    """A good token, and the means to change it: what the requests are made of.

    `marker` is a random text that is in the claims of every token.
    """

    def __init__(
        self,
        issuer: FakeIssuer,
        subject: str,
        *,
        scopes: Collection[str] = (),
        claims: Mapping[str, Any] | None = None,
    ) -> None:
        self.issuer = issuer
        self.subject = subject
        self.marker = token_urlsafe(18)
        self._scopes = scopes
        self._claims = {"jti": self.marker, "marker": self.marker} | dict(claims or {})
        self.attacker = _attacker(self.algorithm)

    @property
    def algorithm(self) -> str:
        """The algorithm of the issuer's key."""
        return str(self.issuer.jwks()["keys"][0]["alg"])

    @property
    def audience(self) -> str:
        """One audience of the issuer's tokens."""
        audience = self.issuer.audience
        return audience if isinstance(audience, str) else next(iter(audience))

    @property
    def now(self) -> int:
        """The time of the issuer."""
        return int(self.issuer.clock())

    def token(self, **changes: Any) -> str:
        """Return a good token, except for these claims; None removes a claim."""
        return self.issuer.token(self.subject, scopes=self._scopes, **(self._claims | changes))

    def header(self, **changes: Any) -> dict[str, Any]:
        """Return the header of a good token, except for these members."""
        members: dict[str, Any] = json.loads(_decode(self.token().split(".")[0]))
        return members | changes

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Return the claims of a good token, except for these; None removes a claim."""
        claims: dict[str, Any] = json.loads(_decode(self.token(**changes).split(".")[1]))
        return claims

    def sign(self, header: object, payload: object) -> str:
        """Return a token of the issuer with exactly this header and payload."""
        return self.issuer.sign(f"{_segment(header)}.{_segment(payload)}")

    def forge(self, **header: Any) -> str:
        """Return a good token that the attacker has signed, with these members in its header."""
        return self.attacker.sign(f"{_segment(self.header(**header))}.{_segment(self.claims())}")

    def unsigned(self, signature: str = "", **header: Any) -> str:
        """Return a good token with these members in its header and this signature."""
        return f"{_segment(self.header(**header))}.{_segment(self.claims())}.{signature}"

    def hmac(self, secret: bytes, **header: Any) -> str:
        """Return a good token that is signed with HS256 and this secret."""
        members = _segment(self.header(alg="HS256", **header))
        signing_input = f"{members}.{_segment(self.claims())}"
        return f"{signing_input}.{_encode(hmac.digest(secret, signing_input.encode(), 'sha256'))}"

    def resigned(self, change: Callable[[bytes], bytes]) -> str:
        """Return a good token with a changed signature."""
        signing_input, _, signature = self.token().rpartition(".")
        return f"{signing_input}.{_encode(change(_decode(signature)))}"


@dataclass(frozen=True)
class RefusedRequest:
    """A request that every application must refuse, and what to do if it does not."""

    id: str
    problem: str
    remedy: str
    make: Callable[[Good], Request]


@lru_cache(maxsize=16)
def _attacker(algorithm: str) -> FakeIssuer:
    # Kept, because an RSA key takes a tenth of a second.
    return FakeIssuer(algorithm=algorithm)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def _segment(content: object) -> str:
    if isinstance(content, bytes):
        return _encode(content)
    text = content if isinstance(content, str) else json.dumps(content, separators=(",", ":"))
    return _encode(text.encode())


def _bearer(token: str) -> Request:
    return Request({"Authorization": f"Bearer {token}"})


def _credential(template: str) -> Callable[[Good], Request]:
    """Return a maker of requests with this ``Authorization``; ``{}`` is a good token."""
    return lambda good: Request({"Authorization": template.replace("{}", good.token())})


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


def _tampered(good: Good) -> str:
    header, payload, signature = good.token().split(".")
    claims = json.loads(_decode(payload)) | {"sub": "administrator", "scope": "admin"}
    return f"{header}.{_segment(claims)}.{signature}"


def _changed_header(good: Good) -> str:
    _, payload, signature = good.token().split(".")
    return f"{_segment(good.header(note='changed'))}.{payload}.{signature}"


def _other_signature(good: Good) -> str:
    return good.token().rpartition(".")[0] + "." + good.token(jti="other").rpartition(".")[2]


def _unused_bits(segment: str) -> str:
    """Return another spelling of a segment: its last character has bits that mean nothing.

    If it has no such bits, a character is appended, which is never valid.
    """
    if len(segment) % 4 not in (2, 3):
        return segment + "A"
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return segment[:-1] + alphabet[alphabet.index(segment[-1]) ^ 1]


def _padded_payload(good: Good) -> str:
    payload = json.dumps(good.claims())
    # With spaces at its end, so that it needs padding.
    payload += " " * (1 - len(payload) % 3 if len(payload) % 3 < 2 else 2)
    return good.issuer.sign(f"{_segment(good.header())}.{_segment(payload)}==")


def _standard_alphabet(good: Good) -> str:
    payload = json.dumps(good.claims(note="???>>>"), separators=(",", ":"))
    # One of the three has the characters at a place where base64 writes them as "/" and "+".
    payload = next(
        text
        for text in (payload.replace("???", pad + "????") for pad in ("", "a", "aa"))
        if "_" in _segment(text)
    )
    segment = _segment(payload).replace("-", "+").replace("_", "/")
    return good.issuer.sign(f"{_segment(good.header())}.{segment}")


def _unencoded(good: Good) -> str:
    """Return a token of RFC 7797, whose payload is not base64url; without dots in it."""
    header = _segment(good.header(b64=False, crit=["b64"]))
    return good.issuer.sign(f"{header}.{_segment(good.claims())}")


def _compressed(good: Good) -> str:
    compress = zlib.compressobj(wbits=-15)
    payload = compress.compress(json.dumps(good.claims()).encode()) + compress.flush()
    return good.sign(good.header(zip="DEF"), payload)


def _bound(**confirmation: str) -> Callable[[Good], str]:
    return _claims(cnf=confirmation)


def _der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    length = (size.bit_length() + 7) // 8
    prefix = bytes([size]) if size < 128 else bytes([128 + length]) + size.to_bytes(length)
    return bytes([tag]) + prefix + content


def _der_integer(data: bytes) -> bytes:
    return _der(2, b"\0" + data if data[0] > 127 else data)


def _der_signature(signature: bytes) -> bytes:
    half = len(signature) // 2
    return _der(0x30, *(_der_integer(part) for part in (signature[:half], signature[half:])))


def _swapped(signature: bytes) -> bytes:
    half = len(signature) // 2
    return signature[half:] + signature[:half]


def _certificate(pem: str) -> str:
    """Return a certificate of a public key, as in ``x5c``. Its own signature is not valid."""
    key = _der_of(pem)
    name = _der(0x30, _der(0x31, _der(0x30, bytes.fromhex("0603550403"), _der(12, b"attacker"))))
    times = _der(0x30, _der(23, b"200101000000Z"), _der(23, b"491231235959Z"))
    algorithm = _der(0x30, _ECDSA_WITH_SHA256)
    version = _der(0xA0, _der(2, b"\2"))
    content = _der(0x30, version, _der(2, b"\1"), algorithm, name, times, name, key)
    return base64.b64encode(
        _der(0x30, content, algorithm, _der(3, b"\0", _der_signature(bytes([1]) * 64)))
    ).decode()


def _der_of(pem: str) -> bytes:
    return base64.b64decode("".join(pem.split("\n")[1:-2]))


def _data_url(document: str, kind: str = _JSON) -> str:
    # urllib opens such a URL without a socket.
    return f"data:{kind},{quote(document)}"


def _jku(good: Good) -> str:
    return good.forge(jku=_data_url(json.dumps(good.attacker.jwks())), kid="key-1")


def _x5u(good: Good) -> str:
    body = _certificate(good.attacker.public_pem())
    pem = f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"
    return good.forge(x5u=_data_url(pem, "application/x-pem-file"))


def _public_jwk(good: Good) -> dict[str, Any]:
    return good.issuer.jwks()["keys"][0]


def _parameters(good: Good) -> dict[str, str]:
    return dict.fromkeys(_NAMES, good.token())


def _carried(where: str) -> Callable[[Good], Request]:
    """Return a maker of requests that carry a good token outside ``Authorization``."""
    makers: dict[str, Callable[[Good], Request]] = {
        "query": lambda good: Request(query=urlencode(_parameters(good))),
        "form": lambda good: Request(
            body=urlencode(_parameters(good)).encode(), content_type=_FORM
        ),
        "json": lambda good: Request(
            body=json.dumps(_parameters(good)).encode(), content_type=_JSON
        ),
        "headers": lambda good: Request(
            dict.fromkeys(("X-Authorization", "X-Access-Token", "X-Auth-Token"), good.token())
        ),
        "subject": lambda good: Request(
            dict.fromkeys(
                ("Remote-User", "X-Remote-User", "X-Forwarded-User", "X-Auth-Subject"), good.subject
            )
        ),
    }
    return makers[where]


_ALGORITHM: Final = "List the algorithms that you accept, without none; compare them exactly."
_OWN_KEY: Final = "Verify with keys of your configuration only, never with a key of the token."
_ASYMMETRIC: Final = "Accept only the algorithm that belongs to the key, never that of the header."
_GRAMMAR: Final = "Accept exactly 'Bearer', a space, and one token (RFC 6750 §2.1)."
_VERIFY: Final = "Verify the signature before you use anything of the token."
_TIMES: Final = "Require exp, accept only JSON numbers as times, and compare them with the clock."
_LEEWAY: Final = "Allow clocks to differ by seconds, and by five minutes at the most."
_ISSUER: Final = "Require iss, and compare it as text with your issuer."
_AUDIENCE: Final = "Require aud, and compare it, or each member of the list, with your own name."
_KIND: Final = "Accept only the types of access tokens: 'at+jwt', 'JWT' or no typ (RFC 8725 §3.11)."
_CANONICAL: Final = (
    "Decode base64url strictly, so that each token has one spelling. A list of revoked tokens can"
    " be evaded otherwise."
)
_STRICT_JSON: Final = "Accept only UTF-8 and one JSON object, and answer errors of the parser."
_HEADER: Final = "Check the types of the header's members, and answer errors with 401."
_ELSEWHERE: Final = "Read tokens from the Authorization header only (RFC 9700 §4.3.2)."

# Each row: id, what is wrong with the credential, what to do, how to make the request.
_CREDENTIALS: Final = [
    ("missing", "has no credential", "Require a token on this path.", lambda _: Request()),
    ("empty-header", "has an empty Authorization", _GRAMMAR, _credential("")),
    ("no-token", "has the scheme Bearer and no token", _GRAMMAR, _credential("Bearer")),
    ("blank-token", "has the scheme Bearer and spaces", _GRAMMAR, _credential("Bearer   ")),
    ("other-scheme", "has a token under the scheme Basic", _GRAMMAR, _credential("Basic {}")),
    ("scheme-token", "has a token under the scheme Token", _GRAMMAR, _credential("Token {}")),
    ("dpop-without-proof", "has the scheme DPoP without proof", _GRAMMAR, _credential("DPoP {}")),
    ("no-scheme", "has a token without a scheme", _GRAMMAR, _credential("{}")),
    ("no-space", "has no space after the scheme", _GRAMMAR, _credential("Bearer{}")),
    ("scheme-colon", "has a colon after the scheme", _GRAMMAR, _credential("Bearer: {}")),
    ("tab-after-scheme", "has a tab after the scheme", _GRAMMAR, _credential("Bearer\t{}")),
    ("nbsp-after-scheme", "has a no-break space", _GRAMMAR, _credential("Bearer\xa0{}")),
    ("nbsp-after-token", "has a no-break space", _GRAMMAR, _credential("Bearer {}\xa0")),
    ("quoted-token", "has quotes around the token", _GRAMMAR, _credential('Bearer "{}"')),
    ("named-token", "has a name before the token", _GRAMMAR, _credential("Bearer token={}")),
    ("two-tokens", "has two tokens", _GRAMMAR, _credential("Bearer {} {}")),
    ("two-credentials", "has two credentials", _GRAMMAR, _credential("Bearer {}, Bearer {}")),
    ("two-schemes", "has two credentials", _GRAMMAR, _credential("Basic YTpi, Bearer {}")),
    ("list-of-tokens", "has a list of tokens", _GRAMMAR, _credential("Bearer {},{}")),
    (
        "good-and-bad-token",
        "has a good and a bad credential",
        _GRAMMAR,
        lambda good: Request(
            {"Authorization": f"Bearer {good.token()}, Bearer {good.unsigned(alg='none')}"}
        ),
    ),
    ("token-in-query", "has its token in the query string", _ELSEWHERE, _carried("query")),
    ("token-in-form", "has its token in a form", _ELSEWHERE, _carried("form")),
    ("token-in-json-body", "has its token in a JSON body", _ELSEWHERE, _carried("json")),
    ("token-in-other-header", "has its token in another header", _ELSEWHERE, _carried("headers")),
    (
        "identity-headers",
        "has headers such as X-Remote-User, and no token",
        "Remove such headers from every request.",
        _carried("subject"),
    ),
]

# Each row: id, what is wrong with the token, what to do, how to make the token.
_TOKENS: Final[list[tuple[str, str, str, Callable[[Good], str]]]] = [
    ("garbage", "is not a JWT", _VERIFY, lambda good: f"garbage-{good.marker}"),
    ("dots", "has three empty segments", _VERIFY, lambda _: ".."),
    ("one-segment", "is only a payload", _VERIFY, lambda good: _segment(good.claims())),
    ("two-segments", "has no signature", _VERIFY, lambda good: good.token().rpartition(".")[0]),
    ("four-segments", "has a surplus segment", _CANONICAL, lambda good: good.token() + ".e30"),
    ("five-segments", "is a JWE", _VERIFY, lambda good: good.token() + ".e30.e30"),
    ("leading-dot", "begins with a dot", _CANONICAL, lambda good: "." + good.token()),
    ("trailing-dot", "ends with a dot", _CANONICAL, lambda good: good.token() + "."),
    (
        "json-serialization",
        "is in the JSON serialization",
        "Accept only the compact serialization (RFC 7519 §1).",
        lambda good: json.dumps(
            dict(zip(("protected", "payload", "signature"), good.token().split("."), strict=True)),
            separators=(";", ":"),
        ).replace(";", ","),
    ),
    ("oversized", "has a megabyte", _VERIFY, lambda good: good.token() + "A" * 1_000_000),
    # No algorithm, or another one
    ("alg-none", "has alg none", _ALGORITHM, lambda good: good.unsigned(alg="none")),
    ("alg-none-title", "has alg None", _ALGORITHM, lambda good: good.unsigned(alg="None")),
    ("alg-none-upper", "has alg NONE", _ALGORITHM, lambda good: good.unsigned(alg="NONE")),
    ("alg-none-mixed", "has alg nOnE", _ALGORITHM, lambda good: good.unsigned(alg="nOnE")),
    (
        "alg-none-wide",
        "has alg none in full-width letters",
        _ALGORITHM,
        lambda good: good.unsigned(alg="\uff4e\uff4f\uff4e\uff45"),
    ),
    ("alg-none-blank", "has alg 'none '", _ALGORITHM, lambda good: good.unsigned(alg="none ")),
    (
        "alg-none-signed",
        "has alg none and a signature",
        _ALGORITHM,
        lambda good: good.unsigned(good.token().rpartition(".")[2], alg="none"),
    ),
    (
        "alg-none-issuer-signed",
        "has alg none and a signature of the issuer",
        _ALGORITHM,
        lambda good: good.sign(good.header(alg="none"), good.claims()),
    ),
    ("alg-empty", "has an empty alg", _ALGORITHM, lambda good: good.unsigned(alg="")),
    ("alg-null", "has alg null", _ALGORITHM, lambda good: good.unsigned(alg=None)),
    ("alg-missing", "has no alg", _ALGORITHM, lambda good: good.sign({}, good.claims())),
    ("alg-list", "has a list as alg", _HEADER, lambda good: good.unsigned("AAAA", alg=["none"])),
    ("alg-number", "has a number as alg", _HEADER, lambda good: good.unsigned("AAAA", alg=256)),
    ("alg-unknown", "has an unknown alg", _ALGORITHM, lambda good: good.forge(alg="XX999")),
    (
        "alg-lower-case",
        "has its alg in lower case",
        _ALGORITHM,
        lambda good: good.sign(good.header(alg=good.algorithm.lower()), good.claims()),
    ),
    (
        "alg-of-other-key-type",
        "has the alg of another type of key",
        _ASYMMETRIC,
        lambda good: good.forge(alg="RS256" if good.algorithm[:2] != "RS" else "ES256"),
    ),
    # A public key as secret
    (
        "hmac-with-pem",
        "is signed with HS256 and the public key in PEM form as secret",
        _ASYMMETRIC,
        lambda good: good.hmac(good.issuer.public_pem().encode()),
    ),
    (
        "hmac-with-pem-stripped",
        "is signed with HS256 and the public key in PEM form as secret",
        _ASYMMETRIC,
        lambda good: good.hmac(good.issuer.public_pem().strip().encode()),
    ),
    (
        "hmac-with-der",
        "is signed with HS256 and the public key in DER form as secret",
        _ASYMMETRIC,
        lambda good: good.hmac(_der_of(good.issuer.public_pem())),
    ),
    (
        "hmac-with-jwk",
        "is signed with HS256 and the public JWK as secret",
        _ASYMMETRIC,
        lambda good: good.hmac(json.dumps(_public_jwk(good)).encode()),
    ),
    (
        "hmac-with-key-id",
        "is signed with HS256 and the kid as secret",
        _ASYMMETRIC,
        lambda good: good.hmac(str(good.header()["kid"]).encode()),
    ),
    (
        "hmac-with-empty-secret",
        "is signed with HS256 and an empty secret",
        _ASYMMETRIC,
        lambda good: good.hmac(b""),
    ),
    (
        "kid-of-empty-file",
        "has the path of an empty file as kid, and an empty secret",
        "Use kid only to choose among keys of your configuration.",
        lambda good: good.hmac(b"", kid="../../../../../../dev/null"),
    ),
    # Keys of others
    ("other-key", "is signed with another key", _VERIFY, lambda good: good.forge()),
    (
        "other-key-unknown-kid",
        "is signed with another key, and has an unknown kid",
        _VERIFY,
        lambda good: good.forge(kid=good.marker),
    ),
    (
        "other-key-no-kid",
        "is signed with another key, and has no kid",
        _VERIFY,
        lambda good: good.attacker.sign(
            f"{_segment({'alg': good.algorithm})}.{_segment(good.claims())}"
        ),
    ),
    (
        "embedded-jwk",
        "brings its own key as jwk",
        _OWN_KEY,
        lambda good: good.forge(jwk=good.attacker.jwks()["keys"][0]),
    ),
    ("embedded-jku", "names a URL of its own keys as jku", _OWN_KEY, _jku),
    (
        "embedded-x5c",
        "brings its own certificate as x5c",
        _OWN_KEY,
        lambda good: good.forge(x5c=[_certificate(good.attacker.public_pem())]),
    ),
    ("embedded-x5u", "names a URL of its own certificate as x5u", _OWN_KEY, _x5u),
    (
        "kid-url",
        "has a URL of its own keys as kid",
        _OWN_KEY,
        lambda good: good.forge(kid=_data_url(json.dumps(good.attacker.jwks()))),
    ),
    ("kid-list", "has a list as kid", _HEADER, lambda good: good.forge(kid=["key-1"])),
    ("kid-object", "has an object as kid", _HEADER, lambda good: good.forge(kid={"a": 1})),
    (
        "kid-quotes",
        "has SQL as kid",
        "Use kid only to choose among keys of your configuration.",
        lambda good: good.forge(kid="' OR ''='"),
    ),
    # Signatures
    ("tampered-payload", "was changed after it was signed", _VERIFY, _tampered),
    ("tampered-header", "was changed after it was signed", _VERIFY, _changed_header),
    ("signature-of-other-token", "has the signature of another token", _VERIFY, _other_signature),
    (
        "signature-empty",
        "has an empty signature",
        _VERIFY,
        lambda good: good.resigned(lambda _: b""),
    ),
    (
        "signature-truncated",
        "has half of its signature",
        _VERIFY,
        lambda good: good.resigned(lambda signature: signature[: len(signature) // 2]),
    ),
    (
        "signature-extended",
        "has a byte after its signature",
        _VERIFY,
        lambda good: good.resigned(lambda signature: signature + b"\0"),
    ),
    (
        "signature-bit-flipped",
        "has one wrong bit in its signature",
        _VERIFY,
        lambda good: good.resigned(lambda signature: bytes([signature[0] ^ 1]) + signature[1:]),
    ),
    (
        "signature-zero",
        "has zeros as its signature (CVE-2022-21449)",
        _VERIFY,
        lambda good: good.resigned(lambda signature: bytes(len(signature))),
    ),
    (
        "signature-swapped",
        "has the halves of its signature swapped",
        _VERIFY,
        lambda good: good.resigned(_swapped),
    ),
    (
        "signature-der",
        "has its signature in DER form",
        _VERIFY,
        lambda good: good.resigned(_der_signature),
    ),
    # Spellings
    ("padding", "ends with padding", _CANONICAL, lambda good: good.token() + "="),
    ("padding-in-payload", "has padding in its payload", _CANONICAL, _padded_payload),
    ("standard-alphabet", "is base64, not base64url", _CANONICAL, _standard_alphabet),
    (
        "unused-bits-in-signature",
        "has another spelling of its signature",
        _CANONICAL,
        lambda good: ".".join(
            [*good.token().split(".")[:2], _unused_bits(good.token().rpartition(".")[2])]
        ),
    ),
    (
        "foreign-character",
        "has a character that is not base64url",
        _CANONICAL,
        lambda good: good.token() + "!",
    ),
    (
        "non-ascii-character",
        "has a character that is not ASCII",
        _CANONICAL,
        lambda good: good.token() + "\xe9",
    ),
    (
        "unicode-dots",
        "has dots that are not ASCII",
        _CANONICAL,
        lambda good: good.token().replace(".", "\u3002".encode().decode("latin-1")),
    ),
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
        lambda good: good.attacker.sign(f"{_segment('[' * 100_000)}.{_segment(good.claims())}"),
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


def _request_of(make: Callable[[Good], str]) -> Callable[[Good], Request]:
    return lambda good: _bearer(make(good))


REFUSED_REQUESTS: Final = [
    *(
        RefusedRequest(name, f"The request {problem}.", remedy, make)
        for name, problem, remedy, make in _CREDENTIALS
    ),
    *(
        RefusedRequest(name, f"The token {problem}.", remedy, _request_of(make))
        for name, problem, remedy, make in _TOKENS
    ),
]
