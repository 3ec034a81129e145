"""A minimal application behind `JWTMiddleware`: log in, use the token, watch it expire.

python demo_app.py --port 8000 --token-ttl 1800
JWT_SECRET=... gunicorn demo_app:app
"""

import argparse
import json
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

from jwt_middleware import ConfigurationError, JWTMiddleware, Policy, SecretKey, TokenIssuer, Verifier, public, token_from

NAME = "https://demo.example.com"  # Issuer and audience at once: the demo accepts the tokens it issues.
USERS = {"1": "Alice", "2": "Bob"}
URLS = Map(
    [
        Rule("/", endpoint="index", methods=["GET"]),
        Rule("/login", endpoint="login", methods=["POST"]),
        Rule("/resource", endpoint="resource", methods=["GET"]),
    ]
)


class Demo:
    """Three endpoints. Requests to the protected one arrive with a verified token."""

    def __init__(self, issuer: TokenIssuer) -> None:
        self.issuer = issuer
        self.endpoints = {"index": self.index, "login": self.login, "resource": self.resource}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        try:
            endpoint, _ = URLS.bind_to_environ(environ).match()
            response: WSGIApplication = self.endpoints[endpoint](Request(environ))
        except HTTPException as error:
            response = error
        return response(environ, start_response)

    def index(self, request: Request) -> Response:
        """Say what can be tried."""
        return answer({"try": ["POST /login", "GET /resource"], "users": {name: int(id_) for id_, name in USERS.items()}})

    def login(self, request: Request) -> Response:
        """Issue a token. A real application checks a password here."""
        user_id = requested_user_id(request)
        if user_id not in USERS:
            return answer({"error": "Invalid user_id"}, 400)
        token = self.issuer.access_token(user_id)
        return answer({"token": token, "token_type": "Bearer", "expires_in": self.issuer.access_ttl})

    def resource(self, request: Request) -> Response:
        """Answer with the user whom the token speaks of."""
        user_id = token_from(request.environ).subject
        if user_id not in USERS:
            return answer({"error": "User not found"}, 404)
        return answer({"user": {"id": int(user_id), "name": USERS[user_id]}})


def requested_user_id(request: Request) -> str | None:
    """Return the user_id of the request's JSON body, as the subject of a token; None if it holds none."""
    try:
        data = request.get_json(silent=True)
    except RecursionError:  # A body of a thousand brackets.
        return None
    user_id = data.get("user_id") if isinstance(data, dict) else None
    # Not isinstance: a bool is an int, and {"user_id": true} is not Alice.
    return str(user_id) if type(user_id) is int else None


def answer(data: dict[str, Any], status: int = 200) -> Response:
    """Make a JSON response."""
    return Response(json.dumps(data), status, content_type="application/json")


def create_app(secret: str, *, token_ttl: int = 1800, clock: Callable[[], float] = time.time) -> JWTMiddleware:
    """Put the middleware around the demo. Only the front page and the login need no token."""
    key = SecretKey(secret)
    issuer = TokenIssuer(key, issuer=NAME, audience=NAME, access_ttl=token_ttl, clock=clock)
    verifier = Verifier(key, issuer=NAME, audience=NAME, leeway=0, clock=clock)
    return JWTMiddleware(Demo(issuer), verifier, policy=Policy(public("/", "/login")))


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
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=8000, help="the port to listen on (%(default)s)")
    parser.add_argument("--token-ttl", type=int, default=1800, metavar="SECONDS", help="how long a token lives (%(default)s)")
    options = parser.parse_args(arguments)
    try:
        app = create_app(secret_from_environment(), token_ttl=options.token_ttl)
        # Werkzeug would end the process in its own words if it found the port taken.
        listener = socket.create_server((options.host, options.port))
    except ConfigurationError as fault:
        parser.error(str(fault).replace("secret:", "JWT_SECRET:").replace("access_ttl:", "--token-ttl:"))
    except (OSError, OverflowError) as fault:
        parser.error(f"cannot listen on {options.host}:{options.port} ({fault}); try another --port")
    with listener:
        host, port = listener.getsockname()[:2]
        print(HELP.format(url=f"http://{host}:{port}", ttl=options.token_ttl), flush=True)
        print_notice()
        make_server(host, port, app, threaded=True, fd=listener.fileno()).serve_forever()


def print_notice() -> None:
    """Say so if the secret is one that was made up."""
    if not os.environ.get("JWT_SECRET"):
        print("JWT_SECRET is not set: this process made up a secret, and its tokens end with it.", file=sys.stderr)


HELP = """\
Listening on {url}; press Ctrl-C to stop. Try:

  curl -i {url}/resource
  TOKEN=$(curl -s {url}/login -H 'Content-Type: application/json' -d '{{"user_id": 1}}' | sed 's/.*"token": "\\([^"]*\\).*/\\1/')
  curl -i {url}/resource -H "Authorization: Bearer $TOKEN"

A token lives {ttl} seconds; after that the answer is 401 with the reason token_expired.
"""

if __name__ == "__main__":
    main()
else:
    app = create_app(secret_from_environment())
    print_notice()
