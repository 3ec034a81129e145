"""`RefreshTokens`: signs and reads refresh tokens, JWTs that only their issuer can verify.

They are signed with a secret that is derived from the issuer's key, or from a secret for refresh
tokens only. So a service that verifies with the public key or a key set never accepts one as an
access token.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from jwt_middleware.errors import AuthError, InvalidGrant
from jwt_middleware.jose import Key, derive_secret, parse_claims, parse_compact, sign

_TYPE: Final = "refresh+jwt"
_MAX_BYTES: Final = 16_384
_LATEST: Final = 2**53
_CLAIMS: Final = {
    "iss": str,
    "aud": list,
    "sub": str,
    "sid": str,
    "jti": str,
    "iat": int,
    "exp": int,
    "started": int,
    "content": dict,
}


class RefreshToken(NamedTuple):
    """A signed refresh token, and its claims."""

    claims: Mapping[str, Any]
    text: str


class RefreshTokens:
    """Signs and reads the refresh tokens of one issuer and audience. The first key signs."""

    def __init__(self, keys: Sequence[Key], *, issuer: str, audience: Sequence[str]) -> None:
        self._keys = [derive_secret(key, "refresh tokens") for key in keys]
        self.issuer = issuer
        # Two issuers may share a name, a key and a store. Their audiences differ.
        self._audience = sorted(set(audience))

    def sign(self, claims: Mapping[str, Any]) -> RefreshToken:
        """Return a token with these claims, the issuer and the audience.

        Raises ValueError for claims that `read` would refuse: too large, too deep, not JSON.
        """
        named = {**claims, "iss": self.issuer, "aud": self._audience}
        token = sign(named, self._keys[0], typ=_TYPE)
        if len(token) > _MAX_BYTES:
            raise ValueError(
                f"claims: the refresh token would have {len(token)} bytes, and the limit is"
                f" {_MAX_BYTES}; keep large data in your database and look it up by the subject"
            )
        try:
            self.read(token)
        except InvalidGrant as exc:
            raise ValueError(
                "claims: a refresh token with them could not be read; write JSON values with"
                " unique names, no lone surrogates, and at most 30 levels"
            ) from exc
        return RefreshToken(named, token)

    def read(self, raw: str) -> dict[str, Any]:
        """Return the claims of a token; raises `InvalidGrant`. Checks no times."""
        if not isinstance(raw, str) or len(raw) > _MAX_BYTES:
            raise InvalidGrant("refresh_token_invalid")
        try:
            claims = self._verify(raw)
        except InvalidGrant:
            raise
        except AuthError as exc:
            raise InvalidGrant("refresh_token_invalid") from exc
        if not self._is_ours(claims):
            raise InvalidGrant("refresh_token_invalid")
        return claims

    def _is_ours(self, claims: Mapping[str, Any]) -> bool:
        # Exactly these claims: an unknown one may be a restriction of another release.
        return (
            {name: type(value) for name, value in claims.items()} == _CLAIMS
            and claims["iss"] == self.issuer
            and claims["aud"] == self._audience
            and all(claims[name] for name in ("sub", "sid", "jti"))
            and all(0 <= claims[name] < _LATEST for name in ("iat", "exp", "started"))
        )

    def _verify(self, raw: str) -> dict[str, Any]:
        header, payload, signing_input, signature = parse_compact(raw)
        if header.type in {"at+jwt", "jwt"}:
            raise InvalidGrant("refresh_token_expected")
        known = header.type == _TYPE and header.algorithm == "HS256"
        if not known or not any(key.verify(signing_input, signature) for key in self._keys):
            raise InvalidGrant("refresh_token_invalid")
        return parse_claims(payload)
