"""One contract for all frameworks: what the middleware promises holds around each of them, by its own idioms."""

from urllib.parse import quote

import pytest
from falcon.testing import TestClient as FalconClient
from webtest import TestApp
from webtest.lint import middleware as lint
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client, create_environ, run_wsgi_app

from jwt_middleware import (
    InsufficientScope,
    JWTMiddleware,
    Policy,
    optional,
    public,
    require,
    token_from,
)
from tests.apps import FACTORIES, PIECES, Boom, bottle_app, django_app, falcon_app, flask_app
from tests.conftest import NOW, bearer, good_claims, sign_raw

GREETING = quote("/grüße/Jürgen")
POLICY = Policy(
    public("/health", "/grüße/public"),
    optional("/whoami", methods=["GET"]),
    require("/stream", scopes=["stream:read"]),
)


def signed(secret=None, **claims):
    """Return the header that carries a good token, save for what is said otherwise."""
    return bearer(sign_raw(good_claims(**claims), **({"secret": secret} if secret else {})))


class Guarded:
    """An application behind the middleware, which counts how often it is reached."""

    def __init__(self, app, verifier, **options):
        self.calls = 0
        self.app = app
        self.client = TestApp(JWTMiddleware(lint(self), verifier, **options))

    def __call__(self, environ, start_response):
        self.calls += 1
        return self.app(environ, start_response)


@pytest.fixture(scope="module", params=FACTORIES.values(), ids=FACTORIES)
def app(request):
    """The same application in each framework."""
    return request.param()


@pytest.fixture
def guarded(app, verifier):
    """The application behind a policy."""
    return Guarded(app, verifier, policy=POLICY)


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({}, id="plain"),
        pytest.param(
            {"roles": ["a", {"b": [None, 1.5, True]}], "name": "Jürgen \U0001f600 \x00"},
            id="nested and beyond ASCII",
        ),
        pytest.param({"sub": None}, id="without subject"),
    ],
)
def test_app_with_valid_token_sees_the_signed_claims(guarded, claims):
    """What was signed is what the application reads, and nothing else."""
    response = guarded.client.get("/whoami", headers=signed(**claims))

    assert response.json == {
        "claims": good_claims(**claims),
        "subject": good_claims(**claims).get("sub"),
    }


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        pytest.param({}, 401, "token_missing", id="missing"),
        pytest.param({"Authorization": "Basic YTpi"}, 401, "token_missing", id="another scheme"),
        pytest.param(bearer("a.b.c"), 401, "token_malformed", id="malformed"),
        pytest.param(signed(secret="x" * 32), 401, "signature_invalid", id="forged"),
        pytest.param(signed(exp=NOW - 60), 401, "token_expired", id="expired"),
        pytest.param({"Authorization": "Bearer"}, 400, "credentials_malformed", id="broken header"),
    ],
)
def test_app_without_valid_token_is_not_reached(guarded, method, headers, status, reason):
    """A refusal is ours, the same around every framework, and the application does not hear of the request."""
    response = guarded.client.request("/echo", method=method, headers=headers, status=status)

    assert guarded.calls == 0
    assert response.content_type == "application/json"
    assert ("WWW-Authenticate" in response.headers) is (status in {400, 401})
    assert response.body == b"" if method == "HEAD" else response.json["reason"] == reason


@pytest.mark.parametrize(
    "headers", [pytest.param({}, id="no token"), pytest.param(bearer("bad"), id="bad token")]
)
def test_app_on_public_path_is_open(guarded, headers):
    """A public path serves everybody, whatever the framework."""
    assert guarded.client.get("/health", headers=headers).text == "fine"


def test_app_on_path_that_wants_a_scope_is_403_without(guarded):
    """A good token that lacks the scope is turned away before the application."""
    response = guarded.client.get("/stream", headers=signed(scope="orders:read"), status=403)

    assert guarded.calls == 0
    assert (response.json["reason"], response.json["scope"]) == (
        "scope_insufficient",
        "stream:read",
    )


def test_app_on_path_that_wants_a_scope_is_reached_with_it(guarded):
    """The scope opens the path."""
    response = guarded.client.get("/stream", headers=signed(scope="stream:read"))

    assert response.body == b"".join(PIECES)


FORGERY = '{"sub": "mallory"}'


@pytest.mark.parametrize(
    "name",
    [
        "Jwt-Middleware-Claims",
        "Jwt-Middleware-Token",
        "jwt_middleware_claims",
        "jwt_middleware.claims",
        "jwt_middleware.token",
        "X-Jwt-Claims",
        "Remote-User",
    ],
)
def test_app_never_takes_claims_from_a_header(guarded, name):
    """No header that a client may send becomes an identity."""
    response = guarded.client.get("/whoami", headers={name: FORGERY})

    assert response.json == {"claims": None, "subject": None}


def outcome(app, method, path, body, headers):
    """Return all that a client gets to see of a request, or the exception that the server does."""
    try:
        response = TestApp(app).request(
            path, method=method, body=body, headers=headers, expect_errors=True
        )
    except Boom:
        return Boom
    return response.status, response.headerlist, response.body


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        pytest.param("GET", "/health", b"", id="GET"),
        pytest.param("HEAD", "/health", b"", id="HEAD"),
        pytest.param("OPTIONS", "/health", b"", id="OPTIONS"),
        pytest.param("GET", "/stream", b"", id="stream"),
        pytest.param("HEAD", "/stream", b"", id="HEAD of a stream"),
        pytest.param("POST", "/echo", b"\x00\xff\r\n" * 1000, id="body"),
        pytest.param("POST", "/echo", b"", id="empty body"),
        pytest.param("GET", "/echo", b"", id="wrong method"),
        pytest.param("GET", GREETING, b"", id="path beyond ASCII"),
        pytest.param("GET", "/nothing", b"", id="not found"),
        pytest.param("GET", "/boom", b"", id="failure"),
    ],
)
def test_app_answers_as_it_would_alone(app, verifier, method, path, body):
    """Around a request with a good token the middleware cannot be told from its absence, even where the app fails."""
    headers = {"Content-Type": "application/octet-stream"} | signed(scope="stream:read")

    alone = outcome(app, method, path, body, headers)
    wrapped = outcome(JWTMiddleware(lint(app), verifier), method, path, body, headers)

    assert wrapped == alone


def test_app_receives_a_posted_body_intact(guarded):
    """Authentication leaves the body to the application."""
    # From 10 KiB on, WebOb takes a temporary file and does not close it.
    sent = bytes(range(256)) * 32

    response = guarded.client.post(
        "/echo", sent, headers=signed(), content_type="application/octet-stream"
    )

    assert response.body == sent


def test_app_streams_in_its_own_pieces(app, verifier):
    """A stream is not gathered: the pieces come as the framework makes them."""
    environ = create_environ("/stream", headers=signed())

    stream, status, _ = run_wsgi_app(JWTMiddleware(app, verifier), environ)

    assert (list(stream), status.upper()) == (list(PIECES), "200 OK")


def test_app_routes_on_a_path_beyond_ascii(guarded):
    """The path arrives as it was sent, and the policy reads it as the application does."""
    greeting = guarded.client.get(GREETING, headers=signed())
    refused = guarded.client.get(GREETING, status=401)
    opened = guarded.client.get(quote("/grüße/public"))

    assert greeting.text == "Hallo Jürgen"
    assert refused.json["reason"] == "token_missing"
    assert opened.text == "Hallo public"


def test_app_below_a_prefix_is_judged_by_its_own_paths(app, verifier):
    """Where an outer router takes a prefix off, the policy speaks of what is left, as the application does."""
    client = TestApp(
        DispatcherMiddleware(
            lint(FACTORIES["plain"]()), {"/api": JWTMiddleware(app, verifier, policy=POLICY)}
        )
    )

    assert client.get("/api/health").text == "fine"
    assert client.get("/api/whoami", headers=signed()).json["subject"] == "alice"
    assert client.get("/api/nothing", status=401).json["reason"] == "token_missing"


def test_flask_with_replaced_wsgi_app_stays_a_flask_app(verifier):
    """``app.wsgi_app = JWTMiddleware(app.wsgi_app, ...)`` guards the app and leaves Flask's own tools working."""
    app = flask_app()
    app.wsgi_app = JWTMiddleware(app.wsgi_app, verifier)
    client = app.test_client()

    answers = client.get("/whoami"), client.get("/whoami", headers=signed())

    assert [answer.status_code for answer in answers] == [401, 200]
    assert answers[1].json["subject"] == "alice"
    assert app.url_map.bind("localhost").match("/whoami") == ("whoami", {})


def test_flask_view_may_raise_a_refusal(verifier):
    """An `AuthError` is an HTTP exception to Flask, and a view that raises one answers as the middleware would."""
    app = flask_app()

    @app.get("/orders")
    def orders():
        raise InsufficientScope(scopes=["orders:read"])

    by_view = TestApp(JWTMiddleware(app, verifier)).get("/orders", headers=signed(), status=403)
    by_rule = Guarded(
        app, verifier, policy=Policy(require("/orders", scopes=["orders:read"]))
    ).client.get("/orders", headers=signed(), status=403)

    assert (by_view.body, sorted(by_view.headerlist)) == (by_rule.body, sorted(by_rule.headerlist))


def test_flask_hooks_do_not_run_for_a_refusal(verifier):
    """A refused request does not get as far as ``before_request``."""
    app, ran = flask_app(), []
    app.before_request(lambda: ran.append("before"))
    app.wsgi_app = JWTMiddleware(app.wsgi_app, verifier)

    app.test_client().get("/whoami")

    assert ran == []


def test_django_view_finds_the_claims_in_meta_too(verifier):
    """``request.META`` is the environ, so code that knows only that finds the claims as well."""
    from django.core.signals import request_started

    seen = []

    def listen(environ, **kwargs):
        seen.append(environ["jwt_middleware.claims"])

    request_started.connect(listen)
    try:
        TestApp(JWTMiddleware(lint(django_app()), verifier)).get("/health", headers=signed())
    finally:
        request_started.disconnect(listen)

    assert seen == [good_claims()]


def test_pyramid_security_policy_knows_the_user_by_the_token(verifier):
    """Pyramid's own security policy takes its user from the token, and its views ask as they always do."""
    from pyramid.config import Configurator
    from pyramid.response import Response

    class ByToken:
        def identity(self, request):
            return token_from(request.environ)

        def authenticated_userid(self, request):
            return request.identity.subject

    config = Configurator()
    config.set_security_policy(ByToken())
    config.add_route("home", "/")
    config.add_view(lambda request: Response(request.authenticated_userid), route_name="home")
    client = TestApp(JWTMiddleware(lint(config.make_wsgi_app()), verifier))

    assert client.get("/", headers=signed()).text == "alice"
    assert client.get("/", status=401).json["reason"] == "token_missing"


def test_bottle_app_mounted_in_another_keeps_the_claims(verifier):
    """A mounted application works on the same environ."""
    from bottle import Bottle

    root = Bottle()
    root.mount("/api/", bottle_app())

    response = TestApp(JWTMiddleware(lint(root), verifier)).get("/api/whoami", headers=signed())

    assert response.json == {"claims": good_claims(), "subject": "alice"}


def test_falcon_test_client_accepts_the_wrapped_app(verifier):
    """Falcon's own client, which checks with ``wsgiref.validate``, may test through the middleware."""
    client = FalconClient(JWTMiddleware(falcon_app(), verifier))

    answers = client.simulate_get("/whoami"), client.simulate_get("/whoami", headers=signed())

    assert [answer.status_code for answer in answers] == [401, 200]
    assert answers[1].json["subject"] == "alice"


def test_werkzeug_client_accepts_the_wrapped_app(app, verifier):
    """Werkzeug's client, which most test suites use, may test through the middleware."""
    response = Client(JWTMiddleware(app, verifier)).get("/whoami", headers=signed())

    assert response.get_json()["subject"] == "alice"
