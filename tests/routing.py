"""Sends spellings to applications, bare and guarded, and tells which views ran."""

import os
from functools import partial
from io import BytesIO
from random import Random
from sys import stderr
from typing import NamedTuple

import jwt_middleware
from jwt_middleware import JWTMiddleware, Policy, SecretKey, Verifier
from tests import routing_apps as apps
from tests import routing_pyramid as pyramid
from tests.conftest import AUDIENCE, ISSUER, NOW, SECRET
from tests.routing_policies import cases
from tests.routing_spellings import ORIGIN, Spelling, mutate, preflights, seeds

# How many spellings to make of the seeds. For a long run by hand: SPELLINGS=50000 pytest tests/test_routing.py
COUNT = int(os.environ.get("SPELLINGS", "1000"))


class Variant(NamedTuple):
    """One way of routing: what makes the application, and how its author writes paths."""

    make: object
    mount: str = ""
    slash: str = ""
    methods: bool = True

    def cases(self):
        """Return the policies that fit the application."""
        return cases(self.mount, self.slash, methods=self.methods)


def forgiving(path):
    """Read a path without its empty segments."""
    return "/" + "/".join(filter(None, path.split("/")))


VARIANTS = {
    "plain": Variant(apps.plain_app),
    "plain-forgiving": Variant(lambda: apps.plain_app(forgiving)),
    # Who replaces methods inside must not limit rules by methods.
    "plain-override": Variant(lambda: apps.overriding(apps.plain_app()), methods=False),
    "flask": Variant(apps.flask_app),
    "flask-slashes": Variant(partial(apps.flask_app, slash="/"), slash="/"),
    "flask-lax": Variant(partial(apps.flask_app, strict_slashes=False)),
    "flask-lax-slashes": Variant(partial(apps.flask_app, slash="/", strict_slashes=False), slash="/"),
    "flask-unmerged": Variant(partial(apps.flask_app, merge_slashes=False, strict_slashes=False)),
    "flask-dispatched": Variant(lambda: apps.dispatched(apps.flask_app(strict_slashes=False)), mount="/app"),
    "django": Variant(apps.django_app),
    "django-append-slash": Variant(partial(apps.django_app, append_slash=True), slash="/"),
    "pyramid-dispatch": Variant(pyramid.dispatch_app),
    "pyramid-traversal": Variant(pyramid.traversal_app),
    "pyramid-traversal-dispatched": Variant(lambda: apps.dispatched(pyramid.traversal_app()), mount="/app"),
    "pyramid-hybrid": Variant(pyramid.hybrid_app, mount="/hybrid"),
    "pyramid-named-views": Variant(pyramid.named_views_app),
    "falcon": Variant(apps.falcon_app),
    "falcon-strip": Variant(partial(apps.falcon_app, strip=True)),
    "bottle": Variant(apps.bottle_app),
    "bottle-mounted": Variant(apps.bottle_mounted_app, mount="/app"),
}


class Shell:
    """An application whose failures are answers, so that an exception that gets out is the middleware's."""

    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        environ.get("tests.entered", []).append(True)
        try:
            return self.app(environ, start_response)
        except Exception:
            start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
            return [b"failed"]


class Outcome(NamedTuple):
    """What became of a request; `entered` tells whether the application heard of it."""

    status: int
    ran: list
    entered: bool


def options_for_cors():
    """Return what lets browsers of one origin in."""
    if hasattr(jwt_middleware, "CORS"):
        return {"policy": Policy}, {"cors": jwt_middleware.CORS(origins=[ORIGIN])}
    return {"policy": partial(Policy, allow_preflight=True)}, {}


def guard(app, policy):
    """Put the middleware around an application, in earnest: with a real verifier, and for browsers."""
    verifier = Verifier(SecretKey(SECRET), issuer=ISSUER, audience=AUDIENCE, clock=lambda: NOW)
    make, options = options_for_cors()
    policy = make["policy"](*policy.rules)
    return JWTMiddleware(app, verifier, policy=policy, on_event=lambda event: None, **options)


def environ_of(spelling, token=None):
    """Return what a server would pass on."""
    credential = {} if token is None else {"HTTP_AUTHORIZATION": f"Bearer {token}"}
    return {
        "REQUEST_METHOD": spelling.method,
        "SCRIPT_NAME": spelling.script,
        "PATH_INFO": spelling.path,
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "localhost",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(),
        "wsgi.errors": stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "tests.ran": [],
        "tests.entered": [],
        **dict(spelling.headers),
        **credential,
    }


def send(app, spelling, token=None):
    """Send one request; return its outcome."""
    environ, statuses = environ_of(spelling, token), []
    ran, entered = environ["tests.ran"], environ["tests.entered"]
    body = app(environ, lambda status, headers, exc_info=None: statuses.append(status))
    for _ in body:
        pass
    if hasattr(body, "close"):
        body.close()
    return Outcome(int(statuses[-1][:3]), ran, bool(entered))


class Found(NamedTuple):
    """A spelling and the views that ran for it in the bare application."""

    spelling: Spelling
    views: tuple


def explore(app, name, mount):
    """Send spellings to the bare application, and go on from those that reached a view."""
    random = Random(name)
    pool = [*seeds(mount), *preflights(mount)]
    found = {}
    queue = list(pool)
    enough = len(pool) + COUNT
    while len(found) < enough:
        spelling = queue.pop(0) if queue else mutate(random.choice(pool), random.choice(pool), random)
        if spelling in found:
            continue
        found[spelling] = tuple(ran.view for ran in send(app, spelling).ran)
        if found[spelling] and found[spelling] != ("static",):
            pool.append(spelling)
    return [Found(*item) for item in found.items()]
