"""`JWTMiddleware`: one request on its way to the application. It knows nothing of cryptography."""

import re
import sys
from collections.abc import Iterable
from typing import Any, Protocol
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from werkzeug.wrappers import Response

from jwt_middleware.arguments import Problems, a
from jwt_middleware.cookies import from_cookie
from jwt_middleware.cors import CORS, is_preflight
from jwt_middleware.credentials import Extractor, from_header
from jwt_middleware.errors import (
    RESPOND,
    UNREAD,
    AmbiguousPath,
    AuthError,
    CrossSiteRequest,
    InvalidRequest,
    MissingToken,
    OriginNotAllowed,
)
from jwt_middleware.events import CallableFailed, EventHook, RequestRejected, emit, log_events
from jwt_middleware.policy import (
    DELEGATED,
    OPTIONAL,
    PUBLIC,
    TOKEN_REQUIRED,
    Decision,
    Policy,
    ambiguity,
)
from jwt_middleware.responses import Renderer, Responder, render_json
from jwt_middleware.tokens import CLAIMS, ERROR, TOKEN, AccessToken

_REALM = r"[\x20\x21\x23-\x5B\x5D-\x7E]+"
_PROTECT_EVERYTHING = Policy()
# Pyramid puts this header's value in front of the path, whoever sent it.
_VIRTUAL_ROOT = "HTTP_X_VHM_ROOT"


class TokenVerifier(Protocol):
    """What the middleware needs: a `Verifier`, `TrustedIssuers`, or an object of your own."""

    def verify(self, raw: str) -> AccessToken:
        """Return the verified token or raise an `AuthError`."""


class JWTMiddleware:
    """Lets only requests through whose bearer token `verifier` accepts, and answers all others.

    The wrapped application finds the claims at ``environ["jwt_middleware.claims"]``, as a dict that
    belongs to this request, and the `AccessToken` at ``environ["jwt_middleware.token"]``.

    `policy` says which requests need a token, and what the token must permit. Without it every
    request needs one. `cors` lets pages of other origins send requests and read the answers.
    Without it a preflight is an ordinary request. `credential` returns the token's text from
    environ. `realm` is part of every challenge. `render` makes a Werkzeug response of an
    `AuthError` and environ. `on_event` receives every refusal.

    An application may raise an `AuthError` itself and gets the same answer. The middleware does not
    touch its responses and its other exceptions.

    Raises `ConfigurationError` with all problems at once.
    """

    def __init__(
        self,
        app: WSGIApplication,
        verifier: TokenVerifier,
        *,
        policy: Policy = _PROTECT_EVERYTHING,
        cors: CORS | None = None,
        credential: Extractor = from_header,
        realm: str = "api",
        render: Renderer = render_json,
        on_event: EventHook = log_events,
    ) -> None:
        _check_arguments(
            verifier, policy, cors, credential, realm, app=app, render=render, on_event=on_event
        )
        self._app = app
        self._verify = verifier.verify
        self._decide = policy.decide
        self._has_rules = bool(policy.rules)
        self._depends_on_path = policy.depends_on_path
        self._cors = cors
        self._credential = credential
        self._respond = Responder(realm=realm, render=render, on_event=on_event)
        # A bound method, made once.
        self._answer_in_view = self._response_in_view
        self._on_event = on_event

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request (PEP 3333)."""
        try:
            if self._cors is not None:
                start_response = self._cors.make_readable(environ, start_response)
                if is_preflight(environ):
                    return self._cors.answer_preflight(environ, start_response)
            self.authenticate(environ)
        except AuthError as error:
            self._report(error, environ)
            environ[UNREAD] = True
            return self._respond(error, environ, start_response)
        try:
            return self._app(environ, start_response)
        except AuthError as error:
            self._report(error, environ)
            # With the exception a server can tell whether it has sent headers already (PEP 3333).
            # uWSGI does not need it, and if it gets one it sends no body.
            failure = None if "uwsgi.version" in environ else sys.exc_info()
            return self._respond(error, environ, _restarting(start_response, failure))

    def authenticate(self, environ: WSGIEnvironment, decision: Decision | None = None) -> None:
        """Put the verified token of a request into environ; raise the `AuthError` if refused.

        An adapter that knows the view of the request passes a `decision` of its own. Without it the
        policy decides. It sends no event of the refusal. Answer the refusal with
        ``error.get_response(environ)``, which sends it.
        """
        # First of all, on every path: the application must not see what an outer layer left here.
        environ.pop(CLAIMS, None)
        environ.pop(TOKEN, None)
        environ.pop(ERROR, None)
        environ[RESPOND] = self._answer_in_view
        if decision is None:
            decision = self._decision(environ) if self._has_rules else TOKEN_REQUIRED
        if decision.mode is PUBLIC:
            return
        try:
            raw = self._extract(environ)
            if raw is None:
                if decision.mode is OPTIONAL:
                    return
                raise MissingToken
            token = self._verify(raw)
            for rule in decision.rules:
                rule.authorize(token, environ)
        except AuthError as error:
            # Another site may not act as the user, but may do what needs no user.
            if decision.mode is OPTIONAL and isinstance(error, CrossSiteRequest):
                return
            if decision.mode is not DELEGATED:
                raise
            if not isinstance(error, MissingToken):
                self._report(error, environ)
            environ[ERROR] = error
            return
        environ[CLAIMS] = token.claims
        environ[TOKEN] = token

    def _decision(self, environ: WSGIEnvironment) -> Decision:
        if _VIRTUAL_ROOT in environ and self._depends_on_path:
            raise AmbiguousPath
        # Frameworks take a request without a method for a GET.
        return self._decide(environ.get("REQUEST_METHOD") or "GET", environ.get("PATH_INFO", ""))

    def _extract(self, environ: WSGIEnvironment) -> str | None:
        try:
            return self._credential(environ)
        except AuthError:
            raise
        except Exception as exc:
            # Fail closed: an extractor that breaks has found no good credential.
            emit(self._on_event, CallableFailed(argument="credential", cause=type(exc).__name__))
            raise InvalidRequest("credentials_malformed") from exc

    def _response_in_view(self, error: AuthError, environ: WSGIEnvironment) -> Response:
        """Return the response to a refusal that the application raised."""
        self._report(error, environ)
        return self._respond.response(error, environ)

    def _report(self, error: AuthError, environ: WSGIEnvironment) -> None:
        if error is environ.get(ERROR) and not isinstance(error, MissingToken):
            # The application raised what a `delegate` rule told it, which was reported then.
            return
        # Arguments by position, because names take twice as long.
        event = RequestRejected(
            error.reason,
            error.status,
            environ.get("REQUEST_METHOD", ""),
            environ.get("PATH_INFO", ""),
            error.claim,
            type(error.__cause__).__name__ if error.__cause__ else None,
            _hint(error, environ),
        )
        emit(self._on_event, event)


def _restarting(start_response: StartResponse, failure: Any) -> StartResponse:
    """Return a ``start_response`` that replaces a response which the application has begun."""

    def start(status: str, headers: list[tuple[str, str]], _: Any = None) -> Any:
        return start_response(status, headers, failure)

    return start


def _hint(error: AuthError, environ: WSGIEnvironment) -> str | None:
    """Return what to change if the refusal was not meant."""
    if isinstance(error, AmbiguousPath):
        problem = ambiguity(environ.get("PATH_INFO", ""))
        return (
            problem or "Pyramid reads X-Vhm-Root from every client; set it behind this middleware"
        )
    if isinstance(error, OriginNotAllowed):
        return "this is a CORS preflight of an origin that is not in CORS(origins=[...])"
    if isinstance(error, CrossSiteRequest):
        return (
            "if the page is yours, add its origin to trusted_origins=[...];"
            " behind a proxy that ends TLS, use Werkzeug's ProxyFix"
        )
    if is_preflight(environ):
        return (
            "this is a CORS preflight; "
            "JWTMiddleware(..., cors=CORS(origins=[...])) answers preflights"
        )
    if (
        isinstance(error, MissingToken)
        and "mod_wsgi.version" in environ
        and "HTTP_AUTHORIZATION" not in environ
    ):
        return (
            "if the client sent a token, Apache kept it;"
            " write WSGIPassAuthorization On in its configuration"
        )
    return None


def _check_arguments(
    verifier: object,
    policy: object,
    cors: object,
    credential: object,
    realm: object,
    **callables: object,
) -> None:
    problems = Problems()
    problems.callables(credential=credential, **callables)
    if not callable(getattr(verifier, "verify", None)):
        problems.add(f"verifier: {a(verifier)} cannot verify; pass a Verifier")
    if not isinstance(policy, Policy):
        problems.add(f"policy: {a(policy)} is not a Policy; write Policy(public('/health'), ...)")
    if not isinstance(cors, CORS | None):
        problems.add(
            f"cors: {a(cors)} is not a CORS; write CORS(origins=['https://app.example.com'])"
        )
    if credential is from_cookie:
        problems.add("credential: call from_cookie with a name, e.g. from_cookie('__Host-token')")
    if not isinstance(realm, str) or re.fullmatch(_REALM, realm) is None:
        problems.add(
            f"realm: {realm!r} cannot be quoted in a header;"
            " write printable ASCII without quotes and backslashes"
        )
    problems.raise_if_any()
