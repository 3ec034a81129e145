"""What PyJWT, joserfc and RFC 7519 say of a token that a middleware let in."""

import json
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

import joserfc.jwk
import joserfc.jws
import joserfc.jwt
import jwt
from joserfc.registry import HeaderParameter

from tests.fuzz.signing import Signer, from_base64url

# Where a peer is stricter than we are, for a reason that is not a matter of trust. Each of these
# checks is turned off, so that the others still count.
#
# | peer    | refuses                             | why we accept it                             |
# |---------|-------------------------------------|----------------------------------------------|
# | joserfc | header members that it does not     | RFC 7515 §4: they must be ignored            |
# |         | know                                |                                              |
# | joserfc | jku, jwk, x5u, x5c, x5t and cty of  | We use none of them                          |
# |         | a wrong type                        |                                              |
# | joserfc | headers of more than 512 bytes      | Our limit is for the whole token             |
# | both    | an iat in the future                | RFC 7519 §4.1.6 asks for nothing. We refuse  |
# |         |                                     | it too if there is a `max_token_age`         |
# | PyJWT   | exp, nbf and iat by the system's    | Time is an argument here: `time_problem`     |
# |         | clock, without fractions            | follows RFC 7519 to the letter               |
# | PyJWT   | the alg Ed25519                     | RFC 9864 §2.2: EdDSA with an Ed25519 key.    |
# |         |                                     | joserfc judges alone                         |
_UNUSED_MEMBERS = ("jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "cty")
_PYJWT_OPTIONS = dict.fromkeys(("verify_exp", "verify_nbf", "verify_iat"), False)
_KEY_TYPES = {"HS": "oct", "RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}


class Terms(NamedTuple):
    """What a verifier was told, and its peers are told too. The issuer None stands for any."""

    keys: Mapping[str | None, Sequence[Signer]]
    audience: Sequence[str] | None
    leeway: int
    required: Sequence[str] = ("exp",)
    types: Sequence[str | None] = ("at+jwt", "jwt", None)
    max_token_age: int | None = None


class Disagreement(Exception):
    """A peer refuses a token that was let in."""


class Peers:
    """Judge tokens by the terms of one verifier. Verdicts are kept: tokens come back often."""

    def __init__(self, terms, now):
        self._terms = terms
        self._now = now
        self._known = {}

    def claims(self, token):
        """Return the token's claims as canonical text; raises `Disagreement`."""
        if token not in self._known:
            try:
                self._known[token] = self._judge(token)
            except Disagreement as disagreement:
                self._known[token] = disagreement
        verdict = self._known[token]
        if isinstance(verdict, Disagreement):
            raise verdict
        return verdict

    def _judge(self, token):
        header, payload = (_peek(segment) for segment in token.split(".")[:2])
        self._check_header(header)
        candidates = self._candidates(header, payload)
        decoders = {"PyJWT": self._pyjwt, "joserfc": self._joserfc}
        if header["alg"] == "Ed25519":
            del decoders["PyJWT"]
        readings = {
            peer: _first_good(decode, token, candidates) for peer, decode in decoders.items()
        }
        for peer, (claims, problem) in readings.items():
            if claims is None:
                raise Disagreement(f"{peer} refuses it: {problem}")
        texts = {canonical(claims) for claims, _ in readings.values()}
        if len(texts) > 1:
            raise Disagreement("PyJWT and joserfc read different claims")
        text = texts.pop()
        self._check_claims(json.loads(text))
        return text

    def _check_header(self, header):
        if not header.keys().isdisjoint(("crit", "b64", "zip")):
            raise Disagreement("the header asks for an extension (RFC 7515 §4.1.11, RFC 7797)")
        # RFC 7515 §4.1.9: a media type, which has no case, and may leave out "application/".
        kind = header.get("typ")
        if kind is not None:
            kind = str(kind).lower()
            kind = kind[len("application/") :] if kind.startswith("application/") else kind
        if kind not in self._terms.types or ("typ" in header and kind is None):
            raise Disagreement(f"the typ {kind!r} is not among the accepted ones")

    def _candidates(self, header, payload):
        """Return the issuer's keys of this algorithm; if one has the kid, only that one."""
        issuer = payload.get("iss")
        keys = self._terms.keys.get(issuer if isinstance(issuer, str) else "")
        keys = self._terms.keys.get(None, ()) if keys is None else keys
        if not keys:
            raise Disagreement("the issuer is not trusted")
        named = [key for key in keys if key.key_id is not None and key.key_id == header.get("kid")]
        fitting = [key for key in named or keys if header.get("alg") in _names(key)]
        if not fitting:
            raise Disagreement("no key fits the header's alg and kid")
        return fitting

    def _pyjwt(self, token, key):
        return jwt.decode(
            token,
            key.public,
            algorithms=[key.algorithm],
            audience=self._terms.audience,
            options={"require": list(self._terms.required), **_PYJWT_OPTIONS},
        )

    def _joserfc(self, token, key):
        registry = joserfc.jws.JWSRegistry(_UNUSED, _names(key), strict_check_header=False)
        registry.max_header_length = 100_000
        decoded = joserfc.jwt.decode(token, imported(key), _names(key), registry=registry)
        wanted = {name: {"essential": True, "allow_blank": True} for name in self._terms.required}
        if self._terms.audience is not None:
            wanted["aud"] = {"essential": True, "values": list(self._terms.audience)}
        _ClaimsRegistry(now=self._now, leeway=self._terms.leeway, **wanted).validate(decoded.claims)
        return decoded.claims

    def _check_claims(self, claims):
        if self._terms.audience is None and "aud" in claims:
            raise Disagreement("it has an audience, and this service no name (RFC 7519 §4.1.3)")
        if "cnf" in claims:
            raise Disagreement("the token is bound to a key that nobody checked (RFC 7800)")
        problem = time_problem(claims, self._now, self._terms.leeway, self._terms.max_token_age)
        if problem:
            raise Disagreement(problem)


class _ClaimsRegistry(joserfc.jwt.JWTClaimsRegistry):
    def validate_iat(self, value):
        """Leave iat to `time_problem`."""


_UNUSED = {name: HeaderParameter("Not used", lambda value: None) for name in _UNUSED_MEMBERS}
_imported = {}


def imported(key):
    """Return the key for joserfc."""
    if key not in _imported:
        material = key.public if isinstance(key.public, bytes) else key.pem
        _imported[key] = joserfc.jwk.import_key(material, _KEY_TYPES[key.algorithm[:2]])
    return _imported[key]


def canonical(claims):
    """Return JSON in which 1, 1.0 and true differ, which == takes for one."""
    return json.dumps(claims, sort_keys=True)


def time_problem(claims, now, leeway, max_token_age=None):
    """Say what is wrong with exp, nbf and iat by RFC 7519 §4.1.4 to §4.1.6; None if nothing is."""
    for name in ("exp", "nbf", "iat"):
        if name in claims and type(claims[name]) not in (int, float):
            return f"{name} is not a number"
    times = {name: Fraction(claims[name]) for name in ("exp", "nbf", "iat") if name in claims}
    if "exp" in times and now - leeway >= times["exp"]:
        return "it has expired"
    if "nbf" in times and now + leeway < times["nbf"]:
        return "it is not valid yet"
    if max_token_age is None:
        return None
    if "iat" not in times:
        return "nobody knows its age"
    is_fresh = -leeway <= now - times["iat"] <= max_token_age + leeway
    return None if is_fresh else "its age is not acceptable"


def _peek(segment):
    try:
        value = json.loads(from_base64url(segment))
    except (ValueError, RecursionError) as exc:
        raise Disagreement(f"a segment cannot be read: {exc}") from exc
    if not isinstance(value, dict):
        raise Disagreement("a segment is not a JSON object")
    return value


def _names(key):
    return ["EdDSA", "Ed25519"] if key.algorithm == "EdDSA" else [key.algorithm]


def _first_good(decode, token, candidates):
    """Return what the first key that fits makes of the token, or None and the last problem."""
    problem = None
    for key in candidates:
        try:
            return decode(token, key), None
        except Exception as exc:  # noqa: BLE001  # A peer refuses with any exception.
            problem = f"{type(exc).__name__}: {exc}"
    return None, problem
