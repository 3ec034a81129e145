"""One small application, written once for each framework.

Each factory returns a WSGI application with the same six endpoints: who the client is, a stream, a
failure, an echo, a greeting below a path beyond ASCII, and a health check. All other paths are 404.
"""

import json

PIECES = (b"one\n", b"two\n", b"three\n")


def identity(environ):
    """Return what the middleware says about the client, or nulls."""
    token = environ.get("jwt_middleware.token")
    return {
        "claims": environ.get("jwt_middleware.claims"),
        "subject": token.subject if token else None,
    }


def pieces():
    """Yield a body piece by piece."""
    yield from PIECES


class Boom(Exception):
    """The exception of the failing endpoint."""


def plain_app():
    """Return a WSGI function without any framework."""

    def app(environ, start_response):
        # PEP 3333: PATH_INFO is the UTF-8 of the path, read as latin-1.
        path = environ["PATH_INFO"].encode("latin-1").decode()
        match [environ["REQUEST_METHOD"].replace("HEAD", "GET"), *path.strip("/").split("/")]:
            case ["GET", "health"]:
                status, content_type, body = "200 OK", "text/plain", [b"fine"]
            case ["GET", "whoami"]:
                found = [json.dumps(identity(environ)).encode()]
                status, content_type, body = "200 OK", "application/json", found
            case ["GET", "stream"]:
                status, content_type, body = "200 OK", "text/plain", pieces()
            case ["GET", "boom"]:
                raise Boom
            case ["POST", "echo"]:
                sent = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
                status, content_type, body = "200 OK", "application/octet-stream", [sent]
            case ["GET", "grüße", name]:
                greeting = [f"Hallo {name}".encode()]
                status, content_type, body = "200 OK", "text/plain; charset=utf-8", greeting
            case _:
                status, content_type, body = "404 Not Found", "text/plain", [b"nothing here"]
        start_response(status, [("Content-Type", content_type)])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else body

    return app


def flask_app():
    """Return a Flask application."""
    from flask import Flask, Response, request

    app = Flask("apps")

    @app.get("/health")
    def health():
        return "fine"

    @app.get("/whoami")
    def whoami():
        return identity(request.environ)

    @app.get("/stream")
    def stream():
        return Response(pieces(), content_type="text/plain")

    @app.get("/boom")
    def boom():
        raise Boom

    @app.post("/echo")
    def echo():
        return Response(request.get_data(), content_type="application/octet-stream")

    @app.get("/grüße/<name>")
    def greet(name):
        return f"Hallo {name}"

    return app


def django_app():
    """Return a Django application. Django has one configuration for the whole process."""
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
    from django.urls import path

    def health(request):
        return HttpResponse("fine")

    def whoami(request):
        return JsonResponse(identity(request.environ))

    def stream(request):
        return StreamingHttpResponse(pieces(), content_type="text/plain")

    def boom(request):
        raise Boom

    def echo(request):
        return HttpResponse(request.body, content_type="application/octet-stream")

    def greet(request, name):
        return HttpResponse(f"Hallo {name}")

    if not settings.configured:
        settings.configure(SECRET_KEY="a secret of Django's own", ALLOWED_HOSTS=["*"])
    settings.ROOT_URLCONF = (
        path("health", health),
        path("whoami", whoami),
        path("stream", stream),
        path("boom", boom),
        path("echo", echo),
        path("grüße/<name>", greet),
    )
    return get_wsgi_application()


def pyramid_app():
    """Return a Pyramid application."""
    from pyramid.config import Configurator
    from pyramid.response import Response

    def health(request):
        return Response("fine")

    def whoami(request):
        return Response(json_body=identity(request.environ))

    def stream(request):
        return Response(app_iter=pieces(), content_type="text/plain")

    def boom(request):
        raise Boom

    def echo(request):
        return Response(request.body, content_type="application/octet-stream")

    def greet(request):
        return Response(f"Hallo {request.matchdict['name']}")

    routes = {
        "/health": health,
        "/whoami": whoami,
        "/stream": stream,
        "/boom": boom,
        "/echo": echo,
        "/grüße/{name}": greet,
    }
    config = Configurator()
    for pattern, view in routes.items():
        config.add_route(view.__name__, pattern)
        config.add_view(view, route_name=view.__name__)
    return config.make_wsgi_app()


def bottle_app():
    """Return a Bottle application."""
    from bottle import Bottle, request, response

    app = Bottle()

    @app.get("/health")
    def health():
        return "fine"

    @app.get("/whoami")
    def whoami():
        return identity(request.environ)

    @app.get("/stream")
    def stream():
        response.content_type = "text/plain"
        return pieces()

    @app.get("/boom")
    def boom():
        raise Boom

    @app.post("/echo")
    def echo():
        response.content_type = "application/octet-stream"
        return request.body.read()

    @app.get("/grüße/<name>")
    def greet(name):
        return f"Hallo {name}"

    return app


def falcon_app():
    """Return a Falcon application."""
    import falcon

    class Health:
        def on_get(self, req, resp):
            resp.text = "fine"

        on_head = on_get

    class WhoAmI:
        def on_get(self, req, resp):
            resp.media = identity(req.env)

    class Stream:
        def on_get(self, req, resp):
            resp.content_type = "text/plain"
            resp.stream = pieces()

        on_head = on_get

    class Fail:
        def on_get(self, req, resp):
            raise Boom

    class Echo:
        def on_post(self, req, resp):
            resp.content_type = "application/octet-stream"
            resp.data = req.bounded_stream.read()

    class Greet:
        def on_get(self, req, resp, name):
            resp.text = f"Hallo {name}"

    app = falcon.App()
    app.add_route("/health", Health())
    app.add_route("/whoami", WhoAmI())
    app.add_route("/stream", Stream())
    app.add_route("/boom", Fail())
    app.add_route("/echo", Echo())
    app.add_route("/grüße/{name}", Greet())
    return app


FACTORIES = {
    "plain": plain_app,
    "flask": flask_app,
    "django": django_app,
    "pyramid": pyramid_app,
    "bottle": bottle_app,
    "falcon": falcon_app,
}
