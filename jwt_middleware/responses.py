"""From an `AuthError` to a WSGI response. A renderer writes the body and nothing else."""

import json
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.wrappers import Response

from jwt_middleware.arguments import a
from jwt_middleware.errors import AuthError, registry
from jwt_middleware.events import CallableFailed, EventHook, emit

_OWN_KINDS = frozenset(registry().values())

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
