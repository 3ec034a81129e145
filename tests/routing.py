"""Sends spellings to applications, bare and behind a policy, and records which views ran."""

import os
import posixpath
import re
from functools import partial
from io import BytesIO
from random import Random
from sys import stderr
from typing import NamedTuple
from urllib.parse import unquote

from jwt_middleware import CORS, JWTMiddleware, SecretKey, Verifier
from tests import routing_apps as apps
from tests import routing_pyramid as pyramid
from tests.conftest import AUDIENCE, ISSUER, NOW, SECRET
from tests.routing_policies import cases
from tests.routing_spellings import ORIGIN, Spelling, mutate, seeds, with_headers

# How many mutations of the seeds to send to each application. More are for a long run by hand:
# SPELLINGS=50000 python -m pytest tests/test_routing.py
COUNT = int(os.environ.get("SPELLINGS", "1000"))


class Variant(NamedTuple):
    """An application, where it is mounted, and whether its pages end in a slash."""

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


def normalizing(path):
    """Read a path as applications do that decode it again and resolve dot segments."""
    for _ in range(3):
        path = re.sub("(?i)%(25|2e|2f|5c|00)", lambda match: unquote(match[0]), path)
    path = path.replace("\0", "").replace("\\", "/")
    return forgiving(posixpath.normpath(path))


lax_flask = partial(apps.flask_app, strict_slashes=False)

VARIANTS = {
    "plain": Variant(apps.plain_app),
    "plain-forgiving": Variant(lambda: apps.plain_app(forgiving)),
    "plain-normalizing": Variant(lambda: apps.plain_app(normalizing)),
    # Who replaces methods inside must not limit rules by methods.
    "plain-override": Variant(lambda: apps.overriding(apps.plain_app()), methods=False),
    "flask": Variant(apps.flask_app),
    "flask-slashes": Variant(partial(apps.flask_app, slash="/"), slash="/"),
    "flask-lax": Variant(lax_flask),
    "flask-lax-slashes": Variant(partial(lax_flask, slash="/"), slash="/"),
    "flask-unmerged": Variant(partial(lax_flask, merge_slashes=False)),
    "flask-dispatched": Variant(lambda: apps.dispatched(lax_flask()), mount="/app"),
    "django": Variant(apps.django_app),
    "django-append-slash": Variant(partial(apps.django_app, append_slash=True), slash="/"),
    "pyramid-dispatch": Variant(pyramid.dispatch_app),
    "pyramid-traversal": Variant(pyramid.traversal_app),
    "pyramid-dispatched": Variant(lambda: apps.dispatched(pyramid.traversal_app()), mount="/app"),
    "pyramid-hybrid": Variant(pyramid.hybrid_app, mount="/hybrid"),
    "pyramid-named-views": Variant(pyramid.named_views_app),
    "falcon": Variant(apps.falcon_app),
    "falcon-strip": Variant(partial(apps.falcon_app, strip=True)),
    "bottle": Variant(apps.bottle_app),
    "bottle-mounted": Variant(apps.bottle_mounted_app, mount="/app"),
}


class Shell:
    """Turns exceptions of an application into answers, so that others must be the middleware's."""

    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        environ.get("tests.entered", []).append(True)
        try:
            return self.app(environ, start_response)
        except Exception:  # noqa: BLE001
            start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
            return [b"failed"]


class Outcome(NamedTuple):
    """What became of a request; `entered` tells whether the application heard of it."""

    status: int
    ran: list
    entered: bool


def guard(app, policy):
    """Put the middleware around an application, with a real verifier and CORS."""
    verifier = Verifier(SecretKey(SECRET), issuer=ISSUER, audience=AUDIENCE, clock=lambda: NOW)
    cors = CORS(origins=[ORIGIN])
    return JWTMiddleware(app, verifier, policy=policy, cors=cors, on_event=lambda event: None)


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


def _mutated(pool, random):
    return mutate(random.choice(pool), random.choice(pool), random)


def explore(app, name, mount, slash):
    """Send spellings to the bare application, and mutate those that reached a view again."""
    random = Random(name)
    pool = [*seeds(mount), *with_headers(mount, slash)]
    found = {}
    queue = list(pool)
    enough = len(pool) + COUNT
    while len(found) < enough:
        spelling = queue.pop(0) if queue else _mutated(pool, random)
        if spelling in found:
            continue
        found[spelling] = tuple(ran.view for ran in send(app, spelling).ran)
        if found[spelling] and found[spelling] != ("static",):
            pool.append(spelling)
    return [Found(*item) for item in found.items()]
