"""The middleware around the same application in each framework."""

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
from tests.conftest import NOW, RecordingApp, bearer, client, good_claims, signed

GREETING = quote("/grüße/Jürgen")
POLICY = Policy(
    public("/health", "/grüße/public"),
    optional("/whoami", methods=["GET"]),
    require("/stream", scopes=["stream:read"]),
)


@pytest.fixture(scope="module", params=FACTORIES.values(), ids=FACTORIES)
def app(request):
    """The same application in each framework."""
    return request.param()


@pytest.fixture
def recorded(app):
    """The application, with its calls."""
    return RecordingApp(app)


@pytest.fixture
def guarded(recorded, verifier):
    """A client of the application behind a policy."""
    return client(verifier, recorded, policy=POLICY)


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({}, id="plain"),
        pytest.param({"roles": ["a", {"b": [None, 1.5, True]}]}, id="nested"),
        pytest.param({"name": "Jürgen \U0001f600 \x00"}, id="beyond ASCII"),
        pytest.param({"sub": None}, id="without subject"),
    ],
)
def test_app_with_valid_token_sees_the_signed_claims(guarded, claims):
    """The application reads exactly the signed claims."""
    expected = good_claims(**claims)

    response = guarded.get("/whoami", headers=signed(**claims))

    assert response.json == {"claims": expected, "subject": expected.get("sub")}


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
def test_app_without_valid_token_is_not_reached(guarded, recorded, method, headers, status, reason):
    """The middleware answers, in the same way for every framework, and no view runs."""
    response = guarded.request("/echo", method=method, headers=headers, status=status)

    assert recorded.calls == []
    assert response.content_type == "application/json"
    assert ("WWW-Authenticate" in response.headers) is (status in {400, 401})
    assert response.body == b"" if method == "HEAD" else response.json["reason"] == reason


@pytest.mark.parametrize(
    "headers", [pytest.param({}, id="no token"), pytest.param(bearer("bad"), id="bad token")]
)
def test_app_on_public_path_is_open(guarded, headers):
    """A public path is served with and without a token."""
    assert guarded.get("/health", headers=headers).text == "fine"


def test_app_on_path_that_wants_a_scope_is_403_without(guarded, recorded):
    """A good token without the scope is refused, and no view runs."""
    response = guarded.get("/stream", headers=signed(scope="orders:read"), status=403)

    assert recorded.calls == []
    assert response.json["reason"] == "scope_insufficient"
    assert response.json["scope"] == "stream:read"


def test_app_on_path_that_wants_a_scope_is_reached_with_it(guarded):
    """A token with the scope is accepted."""
    response = guarded.get("/stream", headers=signed(scope="stream:read"))

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
    """No header of a client becomes a claim."""
    response = guarded.get("/whoami", headers={name: FORGERY})

    assert response.json == {"claims": None, "subject": None}


def outcome(app, method, path, body, headers):
    """Return the answer that the client gets, or the exception that the server gets."""
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
    """With a good token, the answer is the same with and without the middleware, also a failure."""
    headers = {"Content-Type": "application/octet-stream"} | signed(scope="stream:read")

    alone = outcome(app, method, path, body, headers)
    wrapped = outcome(JWTMiddleware(lint(app), verifier), method, path, body, headers)

    assert wrapped == alone


def test_app_receives_a_posted_body_intact(guarded):
    """The middleware does not read the body."""
    # From 10 KiB on, WebOb opens a temporary file and does not close it.
    sent = bytes(range(256)) * 32

    octets = "application/octet-stream"
    response = guarded.post("/echo", sent, headers=signed(), content_type=octets)

    assert response.body == sent


def test_app_streams_in_its_own_pieces(app, verifier):
    """The server gets the pieces of a stream as the framework yields them."""
    environ = create_environ("/stream", headers=signed())

    stream, status, _ = run_wsgi_app(JWTMiddleware(app, verifier), environ)

    assert (list(stream), status.upper()) == (list(PIECES), "200 OK")


def test_app_routes_on_a_path_beyond_ascii(guarded):
    """Policy and application read a path in the same way."""
    greeting = guarded.get(GREETING, headers=signed())
    refused = guarded.get(GREETING, status=401)
    opened = guarded.get(quote("/grüße/public"))

    assert greeting.text == "Hallo Jürgen"
    assert refused.json["reason"] == "token_missing"
    assert opened.text == "Hallo public"


def test_app_below_a_prefix_is_judged_by_its_own_paths(app, verifier):
    """If an outer router removes a prefix, rules are about the rest of the path."""
    guarded = JWTMiddleware(app, verifier, policy=POLICY)
    site = TestApp(DispatcherMiddleware(lint(FACTORIES["plain"]()), {"/api": guarded}))

    assert site.get("/api/health").text == "fine"
    assert site.get("/api/whoami", headers=signed()).json["subject"] == "alice"
    assert site.get("/api/nothing", status=401).json["reason"] == "token_missing"


def test_flask_with_replaced_wsgi_app_stays_a_flask_app(verifier):
    """With ``app.wsgi_app = JWTMiddleware(app.wsgi_app, ...)``, Flask's own tools still work."""
    app = flask_app()
    app.wsgi_app = JWTMiddleware(app.wsgi_app, verifier)
    flask = app.test_client()

    answers = flask.get("/whoami"), flask.get("/whoami", headers=signed())

    assert [answer.status_code for answer in answers] == [401, 200]
    assert answers[1].json["subject"] == "alice"
    assert app.url_map.bind("localhost").match("/whoami") == ("whoami", {})


def test_flask_view_may_raise_a_refusal(verifier):
    """Flask answers an `AuthError` of a view as the middleware would."""
    app = flask_app()

    @app.get("/orders")
    def orders():
        raise InsufficientScope(scopes=["orders:read"])

    by_view = TestApp(JWTMiddleware(app, verifier)).get("/orders", headers=signed(), status=403)
    policy = Policy(require("/orders", scopes=["orders:read"]))
    by_rule = client(verifier, app, policy=policy).get("/orders", headers=signed(), status=403)

    assert (by_view.body, sorted(by_view.headerlist)) == (by_rule.body, sorted(by_rule.headerlist))


def test_flask_hooks_do_not_run_for_a_refusal(verifier):
    """``before_request`` does not run for a refused request."""
    app, ran = flask_app(), []
    app.before_request(lambda: ran.append("before"))
    app.wsgi_app = JWTMiddleware(app.wsgi_app, verifier)

    app.test_client().get("/whoami")

    assert ran == []


def test_django_view_finds_the_claims_in_meta_too(verifier):
    """``request.META`` is environ, so it has the claims too."""
    from django.core.signals import request_started

    seen = []

    def listen(environ, **kwargs):
        seen.append(environ["jwt_middleware.claims"])

    request_started.connect(listen)
    try:
        client(verifier, django_app()).get("/health", headers=signed())
    finally:
        request_started.disconnect(listen)

    assert seen == [good_claims()]


def test_pyramid_security_policy_knows_the_user_by_the_token(verifier):
    """A security policy of Pyramid can take the user from the token."""
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
    app = client(verifier, config.make_wsgi_app())

    assert app.get("/", headers=signed()).text == "alice"
    assert app.get("/", status=401).json["reason"] == "token_missing"


def test_bottle_app_mounted_in_another_keeps_the_claims(verifier):
    """A mounted application gets the same environ."""
    from bottle import Bottle

    root = Bottle()
    root.mount("/api/", bottle_app())

    response = client(verifier, root).get("/api/whoami", headers=signed())

    assert response.json == {"claims": good_claims(), "subject": "alice"}


def test_falcon_test_client_accepts_the_wrapped_app(verifier):
    """Falcon's client, which checks with ``wsgiref.validate``, works with the middleware."""
    falcon = FalconClient(JWTMiddleware(falcon_app(), verifier))

    answers = falcon.simulate_get("/whoami"), falcon.simulate_get("/whoami", headers=signed())

    assert [answer.status_code for answer in answers] == [401, 200]
    assert answers[1].json["subject"] == "alice"


def test_werkzeug_client_accepts_the_wrapped_app(app, verifier):
    """Werkzeug's client works with the middleware."""
    response = Client(JWTMiddleware(app, verifier)).get("/whoami", headers=signed())

    assert response.get_json()["subject"] == "alice"
