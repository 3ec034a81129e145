"""Claim checks beyond the verifier's own: callables ``(token) -> None`` that raise `InvalidToken`.

Pass them as ``Verifier(..., validators=[...])``. They run on every request, also when the token comes out of
the cache, after everything else has been checked. Anything of this shape is a validator; one that raises
something other than an `AuthError`, or answers something other than None, refuses the token as
``claim_invalid``.
"""

from collections.abc import Callable
from typing import Final

from jwt_middleware.errors import InvalidToken
from jwt_middleware.jose import normalize_type
from jwt_middleware.tokens import AccessToken

Validator = Callable[[AccessToken], object]

_RFC9068_CLAIMS: Final = ("iss", "exp", "aud", "sub", "client_id", "iat", "jti")


def claim_is(name: str, *accepted: object) -> Validator:
    """Return a validator: the claim is present and equals one of the accepted values.

    Types count: 1, 1.0 and true are three values, as they are in JSON.
    """
    kinds = [(type(value), value) for value in accepted]

    def check(token: AccessToken) -> None:
        value = _present(token, name)
        if (type(value), value) not in kinds:
            raise InvalidToken("claim_invalid", claim=name)

    return check


def claim_contains(name: str, *wanted: object) -> Validator:
    """Return a validator: the claim is a list that holds all the wanted values, such as roles or groups.

    Types count, as in `claim_is`.
    """
    kinds = [(type(value), value) for value in wanted]

    def check(token: AccessToken) -> None:
        values = _present(token, name)
        held = [(type(value), value) for value in values] if isinstance(values, list) else None
        if held is None or not all(kind in held for kind in kinds):
            raise InvalidToken("claim_invalid", claim=name)

    return check


def rfc9068(token: AccessToken) -> None:
    """Accept only access tokens of the JWT profile (RFC 9068 §2.1, §2.2, §4).

    The type is ``at+jwt`` and all claims that the profile requires are there, non-empty. Issuer, audience,
    signature and times are the verifier's own checks; give it an `issuer` and an `audience`.
    """
    typ = token.header.get("typ")
    if not isinstance(typ, str) or normalize_type(typ) != "at+jwt":
        raise InvalidToken("type_not_allowed")
    for name in _RFC9068_CLAIMS:
        _present(token, name)
    if not isinstance(token.get("client_id"), str):
        raise InvalidToken("claim_invalid", claim="client_id")


def _present(token: AccessToken, name: str) -> object:
    value = token.get(name)
    if value is None or value == "":
        raise InvalidToken("claim_missing", claim=name)
    return value
