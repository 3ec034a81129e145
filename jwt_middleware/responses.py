"""From an `AuthError` to a WSGI response. A renderer writes the body and nothing else."""

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final
from wsgiref.types import StartResponse, WSGIEnvironment

from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.wrappers import Response

from jwt_middleware.arguments import Problems, a
from jwt_middleware.errors import UNREAD, AuthError, registry
from jwt_middleware.events import CallableFailed, EventHook, emit

_OWN_KINDS = frozenset(registry().values())
_PIECE: Final = 65_536

Renderer = Callable[[AuthError, WSGIEnvironment], Response]


def render_json(error: AuthError, environ: WSGIEnvironment) -> Response:
    """Render ``{"error": ..., "error_description": ..., "reason": ...}``.

    If scopes are missing, ``scope`` names those that the request needed.
    """
    return Response(json.dumps(error.to_dict()), error.status, content_type="application/json")


def problem_details(error: AuthError, environ: WSGIEnvironment) -> Response:
    """Render RFC 9457 problem details with the members ``error``, ``reason`` and ``scope``."""
    members = error.to_dict()
    problem = {
        "type": "about:blank",
        "title": HTTP_STATUS_CODES[error.status],
        "status": error.status,
        "detail": members.pop("error_description"),
    }
    return Response(
        json.dumps(problem | members), error.status, content_type="application/problem+json"
    )


def draining(render: Renderer, *, up_to: int) -> Renderer:
    """Return a renderer that first reads the body of the refused request, then calls `render`.

    Many clients send all of a body before they look for the answer. If the server closes the
    connection meanwhile, they report a broken connection and never see the refusal.

    `up_to` is in bytes. A longer body is not read at all, because reading a part of it would not
    help, except where its length is not known (chunked). Nothing is read for a client that asks
    first (``Expect: 100-continue``). The body is not kept, but a slow client occupies a worker
    until it has sent everything.
    """
    problems = Problems()
    problems.callables(render=render)
    problems.whole("up_to", up_to, least=1)
    problems.raise_if_any()

    def render_after_reading(error: AuthError, environ: WSGIEnvironment) -> Response:
        # A client that goes away while it sends does not need an answer. Each server has its own
        # exceptions for that.
        with suppress(Exception):
            _drain(environ, up_to)
        return render(error, environ)

    return render_after_reading


def _drain(environ: WSGIEnvironment, up_to: int) -> None:
    left = _readable(environ, up_to)
    while left > 0:
        piece = environ["wsgi.input"].read(min(left, _PIECE))
        if not piece:
            return
        left -= len(piece)


def _readable(environ: WSGIEnvironment, up_to: int) -> int:
    """Return how many bytes may be read of a body without waiting for what was not announced."""
    if "HTTP_EXPECT" in environ:
        return 0
    length = environ.get("CONTENT_LENGTH") or ""
    # int() accepts signs, spaces and underscores.
    size = int(length) if length.isascii() and length.isdigit() and len(length) < 20 else None
    if size is not None:
        # Some servers wait forever if the application has read the body and we read on.
        known = UNREAD in environ or environ.get("wsgi.input_terminated")
        return size if known and size <= up_to else 0
    return up_to if not length and environ.get("wsgi.input_terminated") else 0


class Responder:
    """Answers refused requests. A renderer cannot change status, challenge and ``no-store``."""

    def __init__(self, *, realm: str, render: Renderer, on_event: EventHook) -> None:
        self._realm = realm
        self._render = render
        self._on_event = on_event
        # The built-in renderers look only at the kind of the error, so each answer is made once. An
        # application's own kinds may hold anything and are rendered each time.
        self._prepared = lru_cache(maxsize=256)(self._prepare)
        self._is_built_in = render in (render_json, problem_details)

    def __call__(
        self, error: AuthError, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Answer the request with the error."""
        if not self._is_built_in or type(error) not in _OWN_KINDS:
            # Werkzeug wants a method, which a broken server may leave out.
            return self.response(error, environ)(
                {"REQUEST_METHOD": "GET"} | environ, start_response
            )
        kind: Any = type(error)  # mypy#11470: a class that defines __hash__ is hashable itself.
        prepared = self._prepared(kind, error.reason, error.scopes, error.retry_after)
        status, headers, body = prepared
        start_response(status, list(headers))
        return [] if environ.get("REQUEST_METHOD") == "HEAD" else [body]

    def _prepare(
        self, kind: type[AuthError], reason: str, scopes: tuple[str, ...], retry_after: int | None
    ) -> tuple[str, tuple[tuple[str, str], ...], bytes]:
        response = self.response(kind(reason, scopes=scopes, retry_after=retry_after), {})
        body = response.get_data()
        return response.status, tuple(response.get_wsgi_headers({})), body

    def response(self, error: AuthError, environ: WSGIEnvironment) -> Response:
        """Return the response to the error."""
        try:
            response = self._render(error, environ)
            if not isinstance(response, Response):
                raise TypeError(f"render returned {a(response)}, not a werkzeug.wrappers.Response")
        except Exception as exc:  # noqa: BLE001
            # A renderer that breaks must not turn a refusal into a 500.
            emit(self._on_event, CallableFailed(argument="render", cause=type(exc).__name__))
            response = render_json(error, environ)
        response.status_code = error.status
        for name, value in error.own_headers(self._realm):
            response.headers[name] = value
        return response
