"""The content of a session's tokens: what the application chooses, at the grant or at a refresh."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from jwt_middleware.arguments import a, is_collection, shown
from jwt_middleware.errors import is_scope_token

_ISSUERS_CLAIMS: Final = frozenset({"iss", "sub", "aud", "exp", "iat", "jti", "scope", "sid"})
# To whom the tokens of the session are issued, and the key that they are bound to. `reload` cannot
# change them.
_FIXED_CLAIMS: Final = frozenset({"client_id", "cnf"})

# From subject, scopes and claims to the present scopes and claims, or to None to end the session.
Reload = Callable[
    [str, list[str], dict[str, Any]], tuple[Collection[str], Mapping[str, Any]] | None
]


def token_content(
    subject: object,
    scopes: Collection[str],
    client_id: str | None,
    claims: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return the claims that the application chooses.

    Raises TypeError or ValueError if no verifier would accept a token with them.
    """
    if not isinstance(subject, str) or not subject:
        raise TypeError(
            f"subject: {shown(subject)} is not a subject;"
            " write a non-empty str, such as str(user.id)"
        )
    if not is_collection(scopes) or not all(map(is_scope_token, scopes)):
        raise ValueError(
            "scopes: write a list of names without spaces and quotes, such as ['orders:write']"
        )
    # JSON names are text: 1 and "1" would be the same claim.
    claims = {} if claims is None else claims
    if not isinstance(claims, Mapping) or not all(type(name) is str for name in claims):
        raise TypeError(f"claims: {shown(claims)} is not usable; write a dict with str keys")
    replaced = _ISSUERS_CLAIMS.intersection(claims)
    if replaced:
        names = ", ".join(sorted(replaced))
        raise ValueError(f"claims: {names} is set by the issuer; use its arguments")
    arguments = {"client_id": client_id, "scope": " ".join(scopes) or None}
    content = {name: value for name, value in arguments.items() if value is not None} | dict(claims)
    if not isinstance(content.get("client_id", ""), str):
        raise TypeError(f"client_id: {a(content['client_id'])} is not a client_id; write a str")
    if type(content.get("nbf", 0)) not in (int, float):
        raise TypeError(
            f"claims: the nbf {shown(content['nbf'])} is not a NumericDate (RFC 7519 §2);"
            " write seconds since the epoch"
        )
    return content


def reloaded_content(
    reload: Reload, subject: str, content: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return the present content of a session, or None if `reload` ends the session."""
    fixed = {name: content[name] for name in _FIXED_CLAIMS if name in content}
    claims = {name: value for name, value in content.items() if name not in {"scope", *fixed}}
    answer = reload(subject, content["scope"].split(" ") if "scope" in content else [], claims)
    if answer is None:
        return None
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise TypeError(f"reload: it returned {a(answer)}; return (scopes, claims), or None")
    reloaded = token_content(subject, answer[0], None, answer[1])
    replaced = _FIXED_CLAIMS.intersection(reloaded)
    if replaced:
        names = ", ".join(sorted(replaced))
        raise ValueError(f"reload: {names} belongs to the session; leave it out of the claims")
    return reloaded | fixed
