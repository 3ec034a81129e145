"""`CORS`: lets pages of other origins send requests and read the answers, refusals included.

It implements the server's part of the Fetch standard, https://fetch.spec.whatwg.org/#http-cors-protocol.
"""

import re
from collections.abc import Callable, Collection, Iterable
from typing import Any, Final
from wsgiref.types import StartResponse, WSGIEnvironment

from jwt_middleware.arguments import Problems, is_collection
from jwt_middleware.errors import OriginNotAllowed
from jwt_middleware.origins import check_origins, normalize_origin

_NAME: Final = r"[!#$%&'+\-.^_`|~0-9A-Za-z]+"
_ALLOW_ORIGIN: Final = "Access-Control-Allow-Origin"
# What a page may need to know of a refusal: what is asked for, and when to try again.
_EXPOSED: Final = "WWW-Authenticate, Retry-After, DPoP-Nonce"

_Headers = list[tuple[str, str]]


class CORS:
    """Which pages of other origins may use the application.

    Pass it as ``JWTMiddleware(..., cors=CORS(origins=["https://app.example.com"]))``.

    `origins` are the exact origins of the pages. They compare without case, and default ports do
    not count. ``["*"]`` stands for every origin. `methods` and `headers` are what the pages may
    send. `credentials` allows cookies. `max_age`, in seconds, is how long a browser may remember
    the answer to a preflight.

    The middleware answers preflights itself (204), on every path, so that no preflight reaches the
    application. It refuses a preflight of another origin (403, ``origin_not_allowed``). A listed
    origin can read every response, also those of the application. If the application sets
    ``Access-Control-Allow-Origin`` itself, its response stays as it is.

    This is not access control. A request of another origin is judged by its token alone, unless it
    is a preflight.

    Raises `ConfigurationError` with all problems at once.
    """

    def __init__(
        self,
        origins: Collection[str],
        *,
        methods: Collection[str] = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"),
        headers: Collection[str] = ("Authorization", "Content-Type", "DPoP"),
        credentials: bool = False,
        max_age: int = 600,
    ) -> None:
        problems = Problems()
        _check_origins(problems, origins, credentials)
        _check_names(problems, "methods", methods, "['GET', 'POST']")
        _check_names(problems, "headers", headers, "['Authorization', 'Content-Type']")
        if not isinstance(credentials, bool):
            problems.add(f"credentials: {credentials!r} is not a bool; write True or False")
        problems.whole("max_age", max_age)
        problems.raise_if_any()
        self._any = "*" in origins
        self._origins = frozenset(map(normalize_origin, origins))
        self._credentials = [("Access-Control-Allow-Credentials", "true")] if credentials else []
        self._answer = [
            ("Access-Control-Allow-Methods", ", ".join(methods)),
            ("Access-Control-Allow-Headers", ", ".join(headers)),
            ("Access-Control-Max-Age", str(max_age)),
        ]

    def answer_preflight(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Answer a preflight; raises `OriginNotAllowed` for an origin that is not listed."""
        if not self._allow(environ):
            raise OriginNotAllowed
        start_response("204 No Content", list(self._answer))
        return []

    def make_readable(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> StartResponse:
        """Return a ``start_response`` that lets the origin of this request read the response."""
        ours = self._allow(environ)

        def start(
            status: str, headers: _Headers, exc_info: Any = None
        ) -> Callable[[bytes], object]:
            names = {name.lower() for name, _ in headers}
            if _ALLOW_ORIGIN.lower() not in names:
                headers = _with_vary([*headers, *ours])
            if exc_info is None:
                return start_response(status, headers)
            return start_response(status, headers, exc_info)

        return start

    def _allow(self, environ: WSGIEnvironment) -> _Headers:
        """Return the headers with which this origin may read the response; none if not listed."""
        origin = environ.get("HTTP_ORIGIN")
        if origin is None:
            return []
        if self._any:
            # Never the origin itself: it is any text that a client sends.
            return [(_ALLOW_ORIGIN, "*"), ("Access-Control-Expose-Headers", _EXPOSED)]
        if normalize_origin(origin) not in self._origins:
            return []
        return [
            (_ALLOW_ORIGIN, origin),
            ("Access-Control-Expose-Headers", _EXPOSED),
            *self._credentials,
        ]


def is_preflight(environ: WSGIEnvironment) -> bool:
    """Tell whether a browser asks, without credentials, if it may send another request."""
    return (
        environ.get("REQUEST_METHOD") == "OPTIONS"
        and "HTTP_ORIGIN" in environ
        and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
    )


def _with_vary(headers: _Headers) -> _Headers:
    """Add ``Vary: Origin``, so that no cache gives one origin's response to another."""
    varies = [value.lower().split(",") for name, value in headers if name.lower() == "vary"]
    listed = {word.strip() for words in varies for word in words}
    return headers if {"origin", "*"} & listed else [*headers, ("Vary", "Origin")]


def _check_origins(problems: Problems, origins: object, credentials: object) -> None:
    if not is_collection(origins) or not origins:
        problems.add("origins: write a list of origins, such as ['https://app.example.com']")
        return
    if "*" in origins:
        if len(origins) > 1:
            problems.add("origins: '*' stands for every origin; write it alone, or leave it out")
        if credentials:
            problems.add(
                "origins: '*' with credentials would let every page act as the user;"
                " list the origins"
            )
        return
    check_origins(problems, "origins", origins)


def _check_names(problems: Problems, argument: str, values: Any, example: str) -> None:
    problems.names(argument, values, example)
    for value in values if is_collection(values) else ():
        # "*" does not cover Authorization, and is an ordinary name if credentials are allowed.
        if isinstance(value, str) and re.fullmatch(_NAME, value) is None:
            problems.add(f"{argument}: {value!r} is not a name of HTTP; write e.g. {example}")
