"""The same views in every framework, to find out which paths reach them.

A view reports that it ran, the method and the claims that it saw: in its JSON answer, and in the
list at ``environ["tests.ran"]``, which survives if the answer is lost.
"""

import json
from typing import NamedTuple

METHODS = ("GET", "HEAD", "POST", "DELETE", "OPTIONS")
# In Flask's notation; the other frameworks' are made from it.
PATHS = {
    "home": "/",
    "admin": "/admin",
    "users": "/admin/users",
    "orders": "/orders",
    "order": "/orders/<id>",
    "health": "/health",
    "static": "/static/<path:path>",
    "statics": "/statics",
    "greet": "/grüße/<name>",
}


class Ran(NamedTuple):
    """What a view saw when it ran."""

    view: str
    method: str
    claims: dict | None
    failed: bool


def report(environ, view, method):
    """Record that the view ran and return what it answers."""
    claims, error = environ.get("jwt_middleware.claims"), environ.get("jwt_middleware.error")
    ran = Ran(view, method, claims, error is not None)
    environ.get("tests.ran", []).append(ran)
    return ran._asdict()


def notation(slash="", path="<path:path>", left="<", right=">"):
    """Yield each view with its path in a framework's notation; `slash` ends the path of a page."""
    for view, pattern in PATHS.items():
        ending = "" if view in {"home", "static"} else slash
        written = pattern.replace("<path:path>", "\0").replace("<", left).replace(">", right)
        yield view, written.replace("\0", path) + ending


def plain_app(read=str):
    """Return a WSGI function; `read` is what it makes of a path before it looks for the view."""

    def app(environ, start_response):
        path = environ.get("PATH_INFO", "").encode("latin-1", "replace").decode(errors="replace")
        match read(path or "/").split("/"):
            case ["", ""]:
                view = "home"
            case ["", "admin" | "orders" | "health" | "statics" as view]:
                pass
            case ["", "admin", "users"]:
                view = "users"
            case ["", "orders", _]:
                view = "order"
            case ["", "static", _, *_]:
                view = "static"
            case ["", "grüße", _]:
                view = "greet"
            case _:
                start_response("404 Not Found", [("Content-Type", "text/plain")])
                return [b"nothing here"]
        body = json.dumps(report(environ, view, environ["REQUEST_METHOD"].upper())).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("X-View", view)])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    return app


def overriding(app):
    """Let a header replace the method of every request, as middleware for old browsers does."""

    def override(environ, start_response):
        method = environ.get("HTTP_X_HTTP_METHOD_OVERRIDE", environ["REQUEST_METHOD"])
        return app(environ | {"REQUEST_METHOD": method}, start_response)

    return override


def flask_app(*, slash="", strict_slashes=True, merge_slashes=True):
    """Return a Flask application."""
    from flask import Flask, jsonify, request

    def view_of(name):
        def view(**values):
            response = jsonify(report(request.environ, name, request.method))
            response.headers["X-View"] = name
            return response

        return view

    app = Flask("routing", static_folder=None)
    app.url_map.strict_slashes = strict_slashes
    app.url_map.merge_slashes = merge_slashes
    for name, path in notation(slash):
        options = {"methods": METHODS, "provide_automatic_options": False}
        app.add_url_rule(path, name, view_of(name), **options)
    return app


def django_app(*, append_slash=False):
    """Return a Django application with its own URLs instead of ROOT_URLCONF."""
    from django.conf import settings
    from django.core.handlers.wsgi import WSGIHandler
    from django.http import JsonResponse
    from django.test.utils import override_settings
    from django.urls import path

    def view_of(name):
        def view(request, **values):
            seen = report(request.environ, name, request.method)
            return JsonResponse(seen, headers={"X-View": name})

        return view

    pages = notation("/" * append_slash)
    urls = tuple(path(written[1:], view_of(name)) for name, written in pages)
    if not settings.configured:
        settings.configure(SECRET_KEY="a secret of Django's own", ALLOWED_HOSTS=["*"])
    if not hasattr(settings, "ROOT_URLCONF"):
        settings.ROOT_URLCONF = ()
    # Without CommonMiddleware APPEND_SLASH does nothing.
    common = ["django.middleware.common.CommonMiddleware"] * append_slash

    class Handler(WSGIHandler):
        def get_response(self, request):
            request.urlconf = urls
            return super().get_response(request)

    with override_settings(MIDDLEWARE=common):
        return Handler()


def falcon_app(*, strip=False):
    """Return a Falcon application."""
    import falcon

    class Resource:
        def __init__(self, view):
            self.view = view

        def on_get(self, req, resp, **values):
            resp.media = report(req.env, self.view, req.method)
            resp.set_header("X-View", self.view)

        on_head = on_post = on_delete = on_options = on_get

    app = falcon.App()
    app.req_options.strip_url_path_trailing_slash = strip
    for name, path in notation(path="{path:path}", left="{", right="}"):
        app.add_route(path, Resource(name))
    return app


def bottle_app():
    """Return a Bottle application."""
    from bottle import Bottle, request, response

    def view_of(name):
        def view(**values):
            response.set_header("X-View", name)
            return report(request.environ, name, request.method)

        return view

    app = Bottle()
    for name, path in notation():
        app.route(path, "ANY", view_of(name))
    return app


def bottle_mounted_app(*, as_wsgi=False):
    """Mount a Bottle application at ``/app`` of another, as a Bottle or as a WSGI function."""
    from bottle import Bottle

    app, inner = Bottle(), bottle_app()
    app.mount("/app/", inner.wsgi if as_wsgi else inner)
    return app


def dispatched(app):
    """Mount the application at ``/app``; every other path is 404."""
    from werkzeug.exceptions import NotFound
    from werkzeug.middleware.dispatcher import DispatcherMiddleware

    return DispatcherMiddleware(NotFound(), {"/app": app})
