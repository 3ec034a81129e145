"""`Verifier`: a token's text in, an `AccessToken` out, or the one reason why not. It knows no WSGI."""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from jwt_middleware.arguments import (
    callable_faults,
    names_faults,
    refuse,
    seconds_faults,
    whole_faults,
)
from jwt_middleware.clock import current_time
from jwt_middleware.errors import AuthError, ExpiredToken, InvalidRequest, InvalidToken
from jwt_middleware.jose import Key, normalize_type, parse_claims, parse_compact
from jwt_middleware.keys import (
    KeyAtHand,
    KeyRing,
    KeySource,
    MergedKeys,
    PrivateKey,
    too_many_faults,
)
from jwt_middleware.revocations import MARGIN, MAX_AHEAD, Revocations
from jwt_middleware.tokens import AccessToken, with_shared_parts
from jwt_middleware.validators import Validator

_STRINGS = ("iss", "sub", "jti")
_TIMES = ("exp", "nbf", "iat")
_NUMBERS = frozenset({int, float})
_TEXTS = frozenset({str})
_EARLIEST, _LATEST = -(2**63), 2**64

# What the cache remembers of a token: its claims, until and from when it is good (leeway included), and its iat.
_Signed = tuple[AccessToken, float, float, float | None]


class Verifier:
    """Decides whether a token is good.

    `keys` is a key source such as `SecretKey`, `PublicKey` or `JWKSet`, or a list of them: rotation is a list.

    `issuer` is the exact ``iss`` of every token; None accepts any. `audience` is this service's own name, or
    several: a token's ``aud`` must hold one of them. None says that your tokens carry no audience, and one
    that does is refused (RFC 7519 §4.1.3). Neither has a default.

    `types` are the accepted ``typ`` values, None for a token without. `require` names claims that must be
    present. `max_token_age` refuses tokens issued longer ago, in seconds. `leeway`, in seconds, allows for
    clocks that differ. `validators` run on every request, after all else; `revocations` are looked up
    thereafter, and no token may be dated more than a minute and `leeway` ahead then. `cache_size` verified
    tokens are remembered, 0 for none; times, validators and revocations are checked on every use all the
    same. `max_token_bytes` bounds a token before anything looks at it. `clock` returns the time in seconds.

    Raises `ConfigurationError` with all faults at once.
    """

    def __init__(
        self,
        keys: KeySource | Sequence[KeySource],
        *,
        issuer: str | None,
        audience: str | Collection[str] | None,
        types: Collection[str | None] = ("at+jwt", "JWT", None),
        require: Collection[str] = ("exp",),
        max_token_age: float | None = None,
        leeway: float = 5,
        validators: Collection[Validator] = (),
        revocations: Revocations | None = None,
        cache_size: int = 1024,
        max_token_bytes: int = 16_384,
        clock: Callable[[], float] = current_time,
    ) -> None:
        sources = (
            list(keys)
            if isinstance(keys, Sequence) and not isinstance(keys, str | bytes)
            else [keys]
        )
        audiences = [audience] if isinstance(audience, str) else audience
        refuse(
            _keys_faults(sources),
            _issuer_faults(issuer),
            ()
            if audiences is None
            else names_faults(
                "audience", audiences, "this service's name, or None if tokens carry none"
            ),
            names_faults("types", types, "['at+jwt', 'JWT', None]", optional=True),
            names_faults("require", require, "['exp', 'sub']", empty=True),
            () if max_token_age is None else seconds_faults(0, max_token_age=max_token_age),
            seconds_faults(0, leeway=leeway),
            whole_faults(0, cache_size=cache_size),
            whole_faults(1, max_token_bytes=max_token_bytes),
            _validators_faults(validators),
            callable_faults(clock=clock),
            _revocations_faults(revocations, leeway),
        )
        self._keys = sources[0] if len(sources) == 1 else MergedKeys(sources)
        self.issuer = issuer
        self._audience = None if audiences is None else frozenset(audiences)
        self._types = frozenset(name if name is None else normalize_type(name) for name in types)
        self._required = tuple(require) + (("iat",) if max_token_age is not None else ())
        self._max_token_age = max_token_age
        self._leeway = leeway
        self._validators = tuple(validators)
        self._revocations = revocations
        self._max_ahead = math.inf if revocations is None else leeway + MAX_AHEAD
        self.max_token_bytes = max_token_bytes
        self._clock = clock
        # An exception is not cached, so bad tokens never evict good ones. Hits take no lock. The ring is part
        # of the key: with a change of keys, everything that the old ones verified is forgotten.
        self._signed = lru_cache(maxsize=cache_size)(self._verify_signed)
        self._keeps_tokens = cache_size > 0

    def verify(self, raw: str) -> AccessToken:
        """Return the token's verified claims.

        Raises an `AuthError`, whatever `raw` is. Scopes and what the token permits are not checked here.
        """
        if not isinstance(raw, str):
            raise InvalidRequest("credentials_malformed")
        if len(raw) > self.max_token_bytes:
            raise InvalidRequest("token_too_large")
        ring = self._keys.ring()
        try:
            signed = self._signed(raw, ring)
        except _UnknownKey as unknown:
            signed = self._verify_renewed(raw, ring, unknown)
        token, good_until, good_from, issued_at = signed
        # Each comparison is the one that must hold, so that a clock that answers NaN refuses everything.
        now = self._clock()
        if not now < good_until:
            raise ExpiredToken(claim="exp")
        if not now >= good_from:
            raise InvalidToken("token_not_yet_valid", claim="nbf")
        if self._max_token_age is not None and issued_at is not None:
            if not now >= issued_at - self._leeway:
                raise InvalidToken("token_not_yet_valid", claim="iat")
            if not now <= issued_at + self._max_token_age + self._leeway:
                raise InvalidToken("token_too_old", claim="iat")
        # A token that is dated ahead is not among those that revoke_subject refuses.
        if issued_at is not None and not now >= issued_at - self._max_ahead:
            raise InvalidToken("token_not_yet_valid", claim="iat")
        for validate in self._validators:
            _run(validate, token)
        if self._revocations is not None:
            self._revocations.check(token)
        return token

    def _verify_signed(self, raw: str, ring: KeyRing) -> _Signed:
        """Check all that depends on nothing but the token and the configuration, in this order."""
        header, payload, signing_input, signature = parse_compact(raw)
        if header.type not in self._types:
            raise InvalidToken("type_not_allowed")
        if header.algorithm not in ring.algorithms:
            raise InvalidToken("algorithm_not_allowed")
        claims = parse_claims(payload)
        if self.issuer is not None and claims.get("iss") != self.issuer:
            raise InvalidToken("issuer_not_trusted", claim="iss")
        candidates = ring.find(header.algorithm, header.key_id)
        for key in candidates:
            if key.vouches_for(claims) and key.verify(signing_input, signature):
                break
        else:
            refusal = _unsigned(candidates, claims)
            raise refusal if ring.names(header.key_id) else _UnknownKey(header.key_id, refusal)
        self._check_claims(claims)
        if self._keeps_tokens:
            claims = with_shared_parts(claims)
        good_until = claims.get("exp", math.inf) + self._leeway
        good_from = claims.get("nbf", -math.inf) - self._leeway
        return AccessToken(claims, header.members), good_until, good_from, claims.get("iat")

    def _verify_renewed(self, raw: str, ring: KeyRing, unknown: "_UnknownKey") -> _Signed:
        """Verify with newer keys, if there are any: the token's may have been published just now."""
        newer = self._keys.renewed(ring, unknown.key_id)
        if newer is ring:
            raise unknown.refusal
        try:
            # Remembered under the ring that verified it, so that it is forgotten with that.
            return self._signed(raw, newer)
        except _UnknownKey as still:
            raise still.refusal from None

    def _check_claims(self, claims: Mapping[str, Any]) -> None:
        if not self._is_addressed(claims):
            raise InvalidToken("audience_mismatch", claim="aud")
        for name in self._required:
            if claims.get(name) is None:
                raise InvalidToken("claim_missing", claim=name)
        for name in _STRINGS:
            if not isinstance(claims.get(name, ""), str):
                raise InvalidToken("claim_invalid", claim=name)
        for name in _TIMES:
            # RFC 7519 §2: a NumericDate is a JSON number, so neither "1" nor true. Beyond 64 bits sums overflow.
            value = claims.get(name, 0)
            if type(value) not in _NUMBERS or not _EARLIEST <= value < _LATEST:
                raise InvalidToken("claim_invalid", claim=name)
        # RFC 9449 §7.2, RFC 8705 §3: a token bound to its sender's key is worth nothing without that check.
        if "cnf" in claims:
            raise InvalidToken("binding_unverifiable", claim="cnf")

    def _is_addressed(self, claims: Mapping[str, Any]) -> bool:
        if self._audience is None:
            return "aud" not in claims
        audience = claims.get("aud")
        if isinstance(audience, str):
            return audience in self._audience
        if not isinstance(audience, list) or not _TEXTS.issuperset(map(type, audience)):
            return False
        return not self._audience.isdisjoint(audience)


def _unsigned(candidates: Sequence[Key], claims: Mapping[str, Any]) -> InvalidToken:
    """Return why none of the keys has signed the token."""
    if not candidates:
        return InvalidToken("key_not_found")
    if not any(key.vouches_for(claims) for key in candidates):
        return InvalidToken("issuer_not_trusted", claim="iss")
    return InvalidToken("signature_invalid")


class _UnknownKey(Exception):
    """None of these keys made the signature, but a key that is not among them may have."""

    def __init__(self, key_id: str | None, refusal: InvalidToken) -> None:
        self.key_id = key_id
        self.refusal = refusal


def _run(validate: Validator, token: AccessToken) -> None:
    try:
        answer = validate(token)
        if answer is not None:
            # A verdict that nobody reads, a coroutine, or another validator that was not called.
            raise TypeError(
                f"a validator answered a {type(answer).__name__}; it must raise InvalidToken or answer None"
            )
    except AuthError:
        raise
    except Exception as exc:
        # Whatever surprises an application's own check is no reason to let the token in, nor to answer 500.
        raise InvalidToken("claim_invalid") from exc


def _keys_faults(sources: Sequence[object]) -> Iterator[str]:
    if any(isinstance(source, PrivateKey) for source in sources):
        yield "keys: a PrivateKey signs; pass its .public_key() to verify"
    elif not sources or not all(
        callable(getattr(source, name, None)) for source in sources for name in ("ring", "renewed")
    ):
        # Never the value itself: what is mistaken for a key may be a secret.
        kinds = ", ".join(type(source).__name__ for source in sources) or "nothing"
        yield f"keys: {kinds} is no key; pass a SecretKey, PublicKey, JWKSet or a list of them"
    at_hand = [source for source in sources if isinstance(source, KeyAtHand)]
    yield from too_many_faults("keys", (key for source in at_hand for key in source.ring().keys))


def _issuer_faults(issuer: object) -> Iterator[str]:
    if not isinstance(issuer, str | None) or issuer == "":
        yield f"issuer: {issuer!r} is no issuer; write the exact iss of your tokens, or None to accept any"


def _validators_faults(validators: object) -> Iterator[str]:
    if not isinstance(validators, Collection) or not all(map(callable, validators)):
        yield "validators: write a list of functions (token) -> None that raise InvalidToken"


def _revocations_faults(revocations: object, leeway: object) -> Iterator[str]:
    if revocations is None:
        return
    if not isinstance(revocations, Revocations):
        yield f"revocations: a {type(revocations).__name__} knows of none; pass Revocations(store)"
    if isinstance(leeway, int | float) and leeway > MARGIN:
        # An entry of the store lives no longer than its token and this.
        yield f"leeway: with revocations at most {MARGIN:.0f} seconds, or a revoked token would outlive its revocation"
