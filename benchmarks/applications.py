"""The WSGI applications that are compared: a bare one, ours around it, and the alternatives."""

from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import flask
import flask_jwt_extended
import jwt
from authlib.integrations.flask_oauth2 import ResourceProtector  # type: ignore[import-untyped]
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator  # type: ignore[import-untyped]
from joserfc.jwk import KeySet, RSAKey

from benchmarks.credentials import AUDIENCE, ISSUER, KEY_ID

_PATH = "/orders/7"


def bare(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer with two bytes."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]


def naive(app: WSGIApplication, key: Any, algorithm: str) -> WSGIApplication:
    """Wrap an application in the thirty lines that people write around `jwt.decode`."""

    def middleware(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "bearer":
            start_response("401 Unauthorized", [("WWW-Authenticate", "Bearer")])
            return [b"missing token"]
        try:
            environ["claims"] = jwt.decode(
                token, key, algorithms=[algorithm], audience=AUDIENCE, issuer=ISSUER
            )
        except jwt.PyJWTError:
            start_response(
                "401 Unauthorized", [("WWW-Authenticate", 'Bearer error="invalid_token"')]
            )
            return [b"invalid token"]
        return app(environ, start_response)

    return middleware


def flask_app(
    protect: Callable[[Callable[[], str]], Callable[[], str]] | None = None, **config: Any
) -> flask.Flask:
    """Return a Flask application with one view, protected by a decorator or not at all."""

    def view() -> str:
        return "ok"

    app = flask.Flask(__name__)
    app.config |= config
    app.add_url_rule(_PATH, view_func=protect(view) if protect else view)
    return app


def flask_jwt_extended_app(pem: bytes) -> flask.Flask:
    """Return the Flask application protected by Flask-JWT-Extended."""
    app = flask_app(
        flask_jwt_extended.jwt_required(),
        JWT_ALGORITHM="RS256",
        JWT_PUBLIC_KEY=pem.decode(),
        JWT_DECODE_AUDIENCE=AUDIENCE,
        JWT_DECODE_ISSUER=ISSUER,
    )
    flask_jwt_extended.JWTManager(app)
    return app


def authlib_app(pem: bytes) -> flask.Flask:
    """Return the Flask application protected by Authlib's resource protector."""
    keys = KeySet([RSAKey.import_key(pem, {"kid": KEY_ID})])

    class Validator(JWTBearerTokenValidator):  # type: ignore[misc]
        def get_jwks(self) -> KeySet:
            return keys

    protector = ResourceProtector()
    protector.register_token_validator(Validator(issuer=ISSUER, resource_server=AUDIENCE))
    return flask_app(protector())


def request(app: WSGIApplication, authorization: str | None) -> Callable[[], None]:
    """Return a function that sends the application one request, each time with a new environ."""
    prepared = _environ(authorization)

    def send() -> None:
        response = app(prepared.copy(), _start_response)
        for _ in response:
            pass
        close = getattr(response, "close", None)
        if close is not None:
            close()

    return send


def status(app: WSGIApplication, authorization: str | None) -> int:
    """Return how the application answers; benchmarks use it to be sure of what they measure."""
    answers: list[str] = []

    def start_response(
        status: str, headers: object, exc_info: object = None
    ) -> Callable[[bytes], None]:
        answers.append(status)
        return _write

    app(_environ(authorization), start_response)
    return int(answers[0].split()[0])


def _environ(authorization: str | None) -> WSGIEnvironment:
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": _PATH,
        "QUERY_STRING": "",
        "SERVER_NAME": "api.example.com",
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.1",
        "HTTP_HOST": "api.example.com",
        "HTTP_ACCEPT": "*/*",
        "HTTP_USER_AGENT": "benchmarks",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.input": BytesIO(),
        "wsgi.errors": None,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    return environ if authorization is None else environ | {"HTTP_AUTHORIZATION": authorization}


def _start_response(
    status: str, headers: object, exc_info: object = None
) -> Callable[[bytes], None]:
    return _write


def _write(data: bytes) -> None:
    """Take what `write()` is given; nobody here calls it."""
