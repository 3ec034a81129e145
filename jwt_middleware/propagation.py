"""`PropagateIdentity`: hands the identity over to applications that know nothing of tokens."""

import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from jwt_middleware.arguments import ConfigurationError, Problems, a, shown
from jwt_middleware.errors import RESPOND, AuthError, InvalidToken
from jwt_middleware.tokens import TOKEN, AccessToken

Source = str | Callable[[AccessToken], str | None]

_DEFAULT_HEADERS: Final[Mapping[Source, str]] = MappingProxyType({"sub": "X-Auth-Subject"})
_HEADER_NAME: Final = r"[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)*"
# What servers, frameworks and proxies read themselves. An application that finds a claim there
# could take it for the host, the client's address or a credential. ``Proxy`` would become the
# variable HTTP_PROXY, which HTTP clients read (httpoxy).
_RESERVED: Final = (
    r"(accept|access-control|content|if|proxy|sec|x-(http-)?method)(-.+)?"
    r"|x-forwarded-(?!(user|email|groups|preferred-username)$).+"
    r"|authorization|connection|cookie2?|date|dpop|expect|forwarded|from|host|keep-alive"
    r"|max-forwards|origin|range|referer|te|trailer|transfer-encoding|upgrade|user-agent|via"
    r"|x-original-(url|uri)|x-real-ip|x-rewrite-url|x-script-name|x-vhm-root"
)
# RFC 9110 §5.5 without the tab, and without the control characters of Latin-1.
_FIELD_VALUE: Final = re.compile(r"[\x20-\x7E\xA0-\xFF]*")


class PropagateIdentity:
    """Writes claims of the verified token into ``REMOTE_USER`` and request headers.

    It is a WSGI application that belongs between the middleware and the application::

        app = JWTMiddleware(PropagateIdentity(app), verifier)

    `remote_user` says what ``REMOTE_USER`` is, and `headers` maps what to write to the header that
    gets it. Both take the name of a claim or a function of the `AccessToken`. A list of strings is
    joined by spaces. What is None, empty or not in the token is left out.

    On every request, also without a token, these headers and ``REMOTE_USER`` lose the values that
    came with the request. With `strip_credential`, ``Authorization`` and ``DPoP`` are removed too.

    A value that does not fit in a header is refused (`InvalidToken`, ``claim_invalid``). Raises
    `ConfigurationError` with all problems at once.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        remote_user: Source | None = "sub",
        headers: Mapping[Source, str] = _DEFAULT_HEADERS,
        strip_credential: bool = True,
    ) -> None:
        _check_arguments(app, remote_user, headers, strip_credential)
        named = {_variable(name): (name, source) for source, name in headers.items()}
        if remote_user is not None:
            named["REMOTE_USER"] = ("REMOTE_USER", remote_user)
        self._app = app
        self._values = tuple(
            (variable, *_reader(name, source)) for variable, (name, source) in named.items()
        )
        credentials = ("HTTP_AUTHORIZATION", "HTTP_DPOP") if strip_credential else ()
        # A client cannot set REMOTE_USER, but some applications are told to read HTTP_REMOTE_USER.
        self._removed = tuple({*named, "REMOTE_USER", "HTTP_REMOTE_USER", *credentials})

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request (PEP 3333)."""
        if RESPOND not in environ:
            raise ConfigurationError(
                "app: PropagateIdentity got a request that no JWTMiddleware has checked;"
                " write JWTMiddleware(PropagateIdentity(app), verifier)"
            )
        for variable in self._removed:
            environ.pop(variable, None)
        token = environ.get(TOKEN)
        if token is not None:
            for variable, claim, read in self._values:
                value = _text(claim, read, token)
                if value:
                    environ[variable] = value
        return self._app(environ, start_response)


def _variable(header: str) -> str:
    """Return the key of environ in which servers put the header.

    ``X-Auth-Subject`` and ``X_Auth_Subject`` have the same key, so removing it removes both.
    """
    return f"HTTP_{header.upper().replace('-', '_')}"


def _reader(name: str, source: Source) -> tuple[str, Callable[[AccessToken], Any]]:
    """Return what to call the value in the log, and how to read it from a token."""
    if callable(source):
        return name, source
    return source, lambda token: token.get(source)


def _text(claim: str, read: Callable[[AccessToken], Any], token: AccessToken) -> str | None:
    try:
        value = read(token)
    except AuthError:
        raise
    except Exception as exc:
        # Fail closed, as for a validator that breaks.
        raise InvalidToken("claim_invalid", claim=claim) from exc
    if isinstance(value, list) and all(map(_is_word, value)):
        value = " ".join(value)
    if value is None or (isinstance(value, str) and _FIELD_VALUE.fullmatch(value)):
        return value
    raise InvalidToken("claim_invalid", claim=claim)


def _is_word(member: object) -> bool:
    # ["not admin"] must not become what ["not", "admin"] becomes.
    return isinstance(member, str) and member != "" and " " not in member


def _check_arguments(
    app: object, remote_user: object, headers: object, strip_credential: object
) -> None:
    problems = Problems()
    problems.callables(app=app)
    if remote_user is not None:
        _check_source(problems, "remote_user", remote_user)
    if isinstance(headers, Mapping):
        _check_headers(problems, headers)
    else:
        problems.add(f"headers: {a(headers)} is not a mapping; write {{'sub': 'X-Auth-Subject'}}")
    if not isinstance(strip_credential, bool):
        problems.add(f"strip_credential: {shown(strip_credential)} is not True or False")
    problems.raise_if_any()


def _check_source(problems: Problems, argument: str, source: object) -> None:
    if not callable(source) and not (isinstance(source, str) and source):
        problems.add(
            f"{argument}: {shown(source)} is not usable;"
            " write the name of a claim, or a function of the token"
        )


def _check_headers(problems: Problems, headers: Mapping[Any, Any]) -> None:
    used = set()
    for source, name in headers.items():
        _check_source(problems, "headers", source)
        if not isinstance(name, str) or re.fullmatch(_HEADER_NAME, name) is None:
            problems.add(
                f"headers: {shown(name)} is not usable as the name of a header;"
                " write letters, digits and hyphens, e.g. 'X-Auth-Subject'"
            )
        elif re.fullmatch(_RESERVED, name.lower()):
            problems.add(f"headers: {name!r} has a meaning already; write e.g. 'X-Auth-Subject'")
        elif name.lower() in used:
            problems.add(f"headers: {name!r} is named twice; give each header one value")
        else:
            used.add(name.lower())
