"""`Verifier`: checks the text of a token and returns an `AccessToken`. It does not know WSGI."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from jwt_middleware.arguments import Problems, a, is_collection, kinds, shown
from jwt_middleware.clock import current_time
from jwt_middleware.errors import AuthError, ExpiredToken, InvalidRequest, InvalidToken
from jwt_middleware.jose import Header, normalize_type, parse_claims, parse_compact
from jwt_middleware.keys import (
    CombinedKeySource,
    KeySet,
    KeySource,
    PrivateKey,
    StaticKeySource,
    check_key_count,
)
from jwt_middleware.revocations import MARGIN, MAX_AHEAD, Revocations
from jwt_middleware.tokens import AccessToken, with_shared_parts
from jwt_middleware.validators import Validator

_STRINGS: Final = ("iss", "sub", "jti")
_TIMES: Final = ("exp", "nbf", "iat")
_EARLIEST: Final = -(2**63)
_LATEST: Final = 2**64
_TEXT: Final = frozenset({str})
_NUMBERS: Final = frozenset({int, float})

# What is cached of a token: its claims, when it expires and from when it is valid (both with
# leeway), and its iat.
_Signed = tuple[AccessToken, float, float, float | None]


class Verifier:
    """Decides whether a token is valid.

    `keys` is a key source such as `SecretKey`, `PublicKey` or `JWKSet`, or a list of them. During a
    rotation write a list of the old and the new key.

    `issuer` is the exact ``iss`` of every token; None accepts any. `audience` is the name of this
    service, or several names. The ``aud`` of a token must contain one of them. Write None if your
    tokens have no audience. Then a token with an audience is refused (RFC 7519 §4.1.3). Neither
    argument has a default.

    `types` are the accepted values of ``typ``; None accepts a token without. `require` names claims
    that must be present. `max_token_age` refuses tokens that were issued longer ago, in seconds.
    `leeway`, in seconds, allows for clocks that differ. `validators` run on every request after all
    other checks, and `revocations` are asked after them. With `revocations`, a token is also
    refused if its ``iat`` is more than a minute and `leeway` ahead. `cache_size` is how many
    verified tokens are remembered; 0 turns the cache off. Times, validators and revocations are
    checked on every use. `max_token_bytes` limits the length of a token. `clock` returns the time
    in seconds.

    Raises one `ConfigurationError` with all problems.
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
        problems = Problems()
        _check_keys(problems, sources)
        _check_issuer(problems, issuer)
        if audiences is not None:
            example = "the name of this service, or None if tokens have no aud"
            problems.names("audience", audiences, example)
        _check_types(problems, types)
        problems.names("require", require, "['exp', 'sub']", empty=True)
        if max_token_age is not None:
            problems.seconds("max_token_age", max_token_age)
        problems.seconds("leeway", leeway)
        problems.whole("cache_size", cache_size)
        problems.whole("max_token_bytes", max_token_bytes, least=1)
        _check_validators(problems, validators)
        problems.callables(clock=clock)
        _check_revocations(problems, revocations, leeway)
        problems.raise_if_any()
        self._keys = sources[0] if len(sources) == 1 else CombinedKeySource(sources)
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
        self._cache_size = cache_size
        # The verified tokens, and the key set that has verified them. A new key set replaces both,
        # so no token outlives its key. Reading takes no lock.
        self._cache: tuple[KeySet | None, dict[str, _Signed]] = (None, {})

    def verify(self, raw: str) -> AccessToken:
        """Return the verified claims of the token.

        Raises an `AuthError` for any other `raw`. Does not check scopes, or what the token permits.
        """
        if not isinstance(raw, str):
            raise InvalidRequest("credentials_malformed")
        if len(raw) > self.max_token_bytes:
            raise InvalidRequest("token_too_large")
        key_set = self._keys.refresh_if_stale()
        cached_for, cached = self._cache
        signed = cached.get(raw) if cached_for is key_set else None
        if signed is None:
            signed = self._verify_signed(raw, key_set)
        token, good_until, good_from, issued_at = signed
        # Each comparison states what must be true, so a clock that returns NaN refuses everything.
        now = self._clock()
        if not now < good_until:
            raise ExpiredToken(claim="exp")
        if not now >= good_from:
            raise InvalidToken("token_not_yet_valid", claim="nbf")
        if issued_at is not None:
            if self._max_token_age is not None:
                if not now >= issued_at - self._leeway:
                    raise InvalidToken("token_not_yet_valid", claim="iat")
                if not now <= issued_at + self._max_token_age + self._leeway:
                    raise InvalidToken("token_too_old", claim="iat")
            # revoke_subject would not refuse a token that is dated ahead.
            if not now >= issued_at - self._max_ahead:
                raise InvalidToken("token_not_yet_valid", claim="iat")
        for validate in self._validators:
            _run(validate, token)
        if self._revocations is not None:
            self._revocations.check(token)
        return token

    def _verify_signed(self, raw: str, key_set: KeySet) -> _Signed:
        """Check all that depends only on the token and the configuration, and cache the result."""
        header, payload, signing_input, signature = parse_compact(raw)
        if header.type not in self._types:
            raise InvalidToken("type_not_allowed")
        if header.algorithm not in key_set.algorithms:
            raise InvalidToken("algorithm_not_allowed")
        claims = parse_claims(payload)
        if self.issuer is not None and claims.get("iss") != self.issuer:
            raise InvalidToken("issuer_not_trusted", claim="iss")
        refusal = _verify_signature(header, claims, signing_input, signature, key_set)
        if refusal is not None and not key_set.has_key_id(header.key_id):
            # The key may have been published a moment ago. Verify again if there are newer keys.
            newer = self._keys.refresh_for(header.key_id)
            if newer is not key_set:
                key_set = newer
                refusal = _verify_signature(header, claims, signing_input, signature, key_set)
        if refusal is not None:
            raise refusal
        self._check_claims(claims)
        if self._cache_size:
            claims = with_shared_parts(claims)
        good_until = claims.get("exp", math.inf) + self._leeway
        good_from = claims.get("nbf", -math.inf) - self._leeway
        signed = AccessToken(claims, header.members), good_until, good_from, claims.get("iat")
        if self._cache_size:
            self._remember(raw, key_set, signed)
        return signed

    def _remember(self, raw: str, key_set: KeySet, signed: _Signed) -> None:
        """Cache a verified token. Bad tokens are never cached, so they never replace good ones."""
        cached_for, cached = self._cache
        if cached_for is not key_set:
            cached = {}
            self._cache = (key_set, cached)
        elif len(cached) >= self._cache_size:
            # Several at once, because copying the dict is what makes this safe without a lock.
            for oldest in list(cached)[: self._cache_size // 8 + 1]:
                cached.pop(oldest, None)
        cached[raw] = signed

    def _check_claims(self, claims: Mapping[str, Any]) -> None:
        if not self._is_audience(claims):
            raise InvalidToken("audience_mismatch", claim="aud")
        for name in self._required:
            if claims.get(name) is None:
                raise InvalidToken("claim_missing", claim=name)
        for name in _STRINGS:
            if not isinstance(claims.get(name, ""), str):
                raise InvalidToken("claim_invalid", claim=name)
        for name in _TIMES:
            # RFC 7519 §2: a NumericDate is a JSON number, so neither "1" nor true. Sums of numbers
            # beyond 64 bits overflow.
            value = claims.get(name, 0)
            if type(value) not in _NUMBERS or not _EARLIEST <= value < _LATEST:
                raise InvalidToken("claim_invalid", claim=name)
        # RFC 9449 §7.2, RFC 8705 §3: a token that is bound to a key must not pass without a check
        # of that key.
        if "cnf" in claims:
            raise InvalidToken("binding_unverifiable", claim="cnf")

    def _is_audience(self, claims: Mapping[str, Any]) -> bool:
        """Tell whether the token is for this service."""
        if self._audience is None:
            return "aud" not in claims
        audience = claims.get("aud")
        if isinstance(audience, str):
            return audience in self._audience
        if not isinstance(audience, list) or not _TEXT.issuperset(map(type, audience)):
            return False
        return not self._audience.isdisjoint(audience)


def _verify_signature(
    header: Header,
    claims: Mapping[str, Any],
    signing_input: bytes,
    signature: bytes,
    key_set: KeySet,
) -> InvalidToken | None:
    """Return None if one of the keys has signed the token, or the reason to refuse it."""
    candidates = key_set.find(header.algorithm, header.key_id)
    for key in candidates:
        if key.may_sign(claims) and key.verify(signing_input, signature):
            return None
    if not candidates:
        return InvalidToken("key_not_found")
    if not any(key.may_sign(claims) for key in candidates):
        return InvalidToken("issuer_not_trusted", claim="iss")
    return InvalidToken("signature_invalid")


def _run(validate: Validator, token: AccessToken) -> None:
    try:
        answer = validate(token)
        if answer is not None:
            # A returned verdict would be ignored, and a returned coroutine would never run.
            raise TypeError(f"a validator returned {a(answer)}; it must raise or return None")
    except AuthError:
        raise
    except Exception as exc:
        # An error in the application's own check must not let the token in, or cause a 500.
        raise InvalidToken("claim_invalid") from exc


def _check_keys(problems: Problems, sources: Sequence[object]) -> None:
    methods = ("current", "refresh_if_stale", "refresh_for")
    if any(isinstance(source, PrivateKey) for source in sources):
        problems.add("keys: a PrivateKey signs; pass its .public_key() to verify")
    elif not sources or not all(
        callable(getattr(source, method, None)) for source in sources for method in methods
    ):
        # Only the types are shown, because what is mistaken for a key may be a secret.
        problems.add(
            f"keys: {kinds(sources)} is not a key; pass a SecretKey, PublicKey, JWKSet or a list"
        )
    static = [source for source in sources if isinstance(source, StaticKeySource)]
    check_key_count(problems, "keys", (key for source in static for key in source.current().keys))


def _check_issuer(problems: Problems, issuer: object) -> None:
    if not isinstance(issuer, str | None) or issuer == "":
        problems.add(
            f"issuer: {shown(issuer)} is not an issuer; write the exact iss of your tokens, or None"
            " to accept any"
        )


def _check_types(problems: Problems, types: object) -> None:
    names = list(types) if is_collection(types) else []
    if not names or not all(name is None or (isinstance(name, str) and name) for name in names):
        problems.add(f"types: {shown(types)} is not usable; write ['at+jwt', 'JWT', None]")


def _check_validators(problems: Problems, validators: object) -> None:
    if not isinstance(validators, Collection) or not all(map(callable, validators)):
        problems.add("validators: write a list of functions (token) -> None that raise")


def _check_revocations(problems: Problems, revocations: object, leeway: object) -> None:
    if revocations is None:
        return
    if not isinstance(revocations, Revocations):
        problems.add(f"revocations: {a(revocations)} is not usable; pass Revocations(store)")
    if isinstance(leeway, int | float) and leeway > MARGIN:
        # The entry of a store lives only that much longer than its token.
        problems.add(
            f"leeway: {leeway} is too long with revocations; write at most {MARGIN:.0f} seconds, so"
            " that no token outlives its revocation"
        )
