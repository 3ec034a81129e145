"""A minimal application behind `JWTMiddleware`: log in, use the token, refresh it, log out.

python demo_app.py --port 8000 --token-ttl 1800
JWT_SECRET=... JWT_STORE=sessions.db gunicorn --workers 4 demo_app:app
"""

import argparse
import json
import logging
import os
import secrets
import socket
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from jwt_middleware import (
    ConfigurationError,
    JWTMiddleware,
    MemoryStore,
    Policy,
    RedisStore,
    Revocations,
    SecretKey,
    SQLiteStore,
    Store,
    TokenIssuer,
    Verifier,
    public,
    token_from,
)

NAME = "https://demo.example.com"  # Issuer and audience at once: the demo accepts the tokens it issues.
USERS = {"1": "Alice", "2": "Bob"}
URLS = Map(
    [
        Rule("/", endpoint="index", methods=["GET"]),
        Rule("/login", endpoint="login", methods=["POST"]),
        Rule("/resource", endpoint="resource", methods=["GET"]),
        Rule("/refresh", endpoint="refresh", methods=["POST"]),
        Rule("/logout", endpoint="logout", methods=["POST"]),
        Rule("/logout-everywhere", endpoint="logout_everywhere", methods=["POST"]),
    ]
)


class Demo:
    """Six endpoints. Requests to the protected ones arrive with a verified token."""

    def __init__(self, issuer: TokenIssuer) -> None:
        self.issuer = issuer

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        try:
            endpoint, _ = URLS.bind_to_environ(environ).match()
            response: WSGIApplication = getattr(self, endpoint)(Request(environ))
        except HTTPException as error:
            response = error
        return response(environ, start_response)

    def index(self, request: Request) -> Response:
        """Say what can be tried."""
        endpoints = [
            "POST /login",
            "GET /resource",
            "POST /refresh",
            "POST /logout",
            "POST /logout-everywhere",
        ]
        return answer({"try": endpoints, "users": {name: int(id_) for id_, name in USERS.items()}})

    def login(self, request: Request) -> Response:
        """Begin a session. A real application checks a password here."""
        user_id = json_member(request, "user_id")
        # Not isinstance: a bool is an int, and {"user_id": true} is not Alice.
        if type(user_id) is not int or str(user_id) not in USERS:
            return answer({"error": "Invalid user_id"}, 400)
        return token_answer(self.issuer.grant(str(user_id)))

    def refresh(self, request: Request) -> Response:
        """Carry the session on: a new token for the refresh token, which is spent."""
        return token_answer(self.issuer.refresh(json_member(request, "refresh_token")))

    def logout(self, request: Request) -> Response:
        """End the session of the token that came with the request."""
        self.issuer.revoke(token_from(request.environ))
        return answer({"message": "Logged out"})

    def logout_everywhere(self, request: Request) -> Response:
        """End all sessions of the user."""
        self.issuer.revoke_subject(str(token_from(request.environ).subject))
        return answer({"message": "Logged out everywhere"})

    def resource(self, request: Request) -> Response:
        """Answer with the user whom the token speaks of."""
        user_id = token_from(request.environ).subject
        if user_id not in USERS:
            return answer({"error": "User not found"}, 404)
        return answer({"user": {"id": int(user_id), "name": USERS[user_id]}})


def json_member(request: Request, name: str) -> Any:
    """Return one member of the request's JSON body; None if there is no such thing."""
    try:
        data = request.get_json(silent=True)
    except RecursionError:  # A body of a thousand brackets.
        return None
    return data.get(name) if isinstance(data, dict) else None


def token_answer(grant: dict[str, Any]) -> Response:
    """Make a response of what an issuer grants."""
    names = {
        "token": "access_token",
        "token_type": "token_type",
        "expires_in": "expires_in",
        "refresh_token": "refresh_token",
    }
    response = answer({ours: grant[theirs] for ours, theirs in names.items()})
    response.cache_control.no_store = True  # RFC 6749 §5.1
    return response


def answer(data: dict[str, Any], status: int = 200) -> Response:
    """Make a JSON response."""
    return Response(json.dumps(data), status, content_type="application/json")


def create_app(
    secret: str,
    *,
    token_ttl: int = 1800,
    store: Store | None = None,
    clock: Callable[[], float] = time.time,
) -> JWTMiddleware:
    """Put the middleware around the demo. Only the front page, the login and the refresh need no token."""
    key, store = SecretKey(secret), MemoryStore(clock=clock) if store is None else store
    refresh_ttl = max(1_209_600, token_ttl)
    issuer = TokenIssuer(
        key,
        issuer=NAME,
        audience=NAME,
        access_ttl=token_ttl,
        refresh_ttl=refresh_ttl,
        store=store,
        clock=clock,
    )
    revocations = Revocations(store, clock=clock)
    verifier = Verifier(
        key, issuer=NAME, audience=NAME, leeway=0, revocations=revocations, clock=clock
    )
    return JWTMiddleware(Demo(issuer), verifier, policy=Policy(public("/", "/login", "/refresh")))


def store_at(place: str | None) -> Store:
    """Return a store in Redis, in an SQLite file, or in memory, which only one process sees."""
    if not place:
        return MemoryStore()
    return RedisStore(place) if "://" in place else SQLiteStore(place)


def secret_from_environment() -> str:
    """Return JWT_SECRET, or a new secret that nobody else knows."""
    return os.environ.get("JWT_SECRET") or secrets.token_urlsafe(48)


class OneLineParser(argparse.ArgumentParser):
    """Reports a mistake in one line, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        """Exit with code 2."""
        self.exit(2, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve the demo until it is interrupted."""
    parser = OneLineParser(description="A demo of jwt_middleware.")
    parser.add_argument(
        "--host", default="127.0.0.1", help="the address to listen on (%(default)s)"
    )
    parser.add_argument(
        "--port", type=int, default=8000, help="the port to listen on (%(default)s)"
    )
    parser.add_argument(
        "--token-ttl",
        type=int,
        default=1800,
        metavar="SECONDS",
        help="how long a token lives (%(default)s)",
    )
    place = parser.add_mutually_exclusive_group()
    place.add_argument(
        "--sqlite", metavar="FILE", help="keep sessions in this file, which survives a restart"
    )
    place.add_argument("--redis", metavar="URL", help="keep sessions in Redis, for many processes")
    options = parser.parse_args(arguments)
    try:
        store = RedisStore(options.redis) if options.redis else store_at(options.sqlite)
        app = create_app(secret_from_environment(), token_ttl=options.token_ttl, store=store)
        # Werkzeug would end the process in its own words if it found the port taken.
        listener = socket.create_server((options.host, options.port))
    except ConfigurationError as fault:
        parser.error(
            str(fault).replace("secret:", "JWT_SECRET:").replace("access_ttl:", "--token-ttl:")
        )
    except (OSError, OverflowError) as fault:
        parser.error(
            f"cannot listen on {options.host}:{options.port} ({fault}); try another --port"
        )
    logging.basicConfig(level="INFO", format="%(message)s")  # Shows why a request is refused.
    with listener:
        host, port = listener.getsockname()[:2]
        print(HELP.format(url=f"http://{host}:{port}", ttl=options.token_ttl), flush=True)
        print_notice()
        make_server(host, port, app, threaded=True, fd=listener.fileno()).serve_forever()


def print_notice() -> None:
    """Say so if the secret is one that was made up."""
    if not os.environ.get("JWT_SECRET"):
        print(
            "JWT_SECRET is not set: this process made up a secret, and its tokens end with it.",
            file=sys.stderr,
        )


HELP = """\
Listening on {url}; press Ctrl-C to stop. Try:

  curl -i {url}/resource
  LOGIN=$(curl -s {url}/login -H 'Content-Type: application/json' -d '{{"user_id": 1}}'); echo "$LOGIN"
  TOKEN=$(echo "$LOGIN" | sed 's/.*"token": "\\([^"]*\\).*/\\1/')
  curl -i {url}/resource -H "Authorization: Bearer $TOKEN"
  curl -i {url}/refresh -H 'Content-Type: application/json' -d "$LOGIN"
  curl -i {url}/logout -X POST -H "Authorization: Bearer $TOKEN"

A token lives {ttl} seconds; after that the answer is 401 with the reason token_expired.
"""

if __name__ == "__main__":
    main()
else:
    app = create_app(secret_from_environment(), store=store_at(os.environ.get("JWT_STORE")))
    print_notice()
