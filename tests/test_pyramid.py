"""The adapter for Pyramid: no view can be forgotten or reached in another way."""

import pytest
from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPForbidden
from pyramid.response import Response
from pyramid.security import NO_PERMISSION_REQUIRED
from webtest import TestApp

from jwt_middleware import (
    ConfigurationError,
    InvalidRequest,
    JWTMiddleware,
    Policy,
    delegate,
    problem_details,
    require,
)
from jwt_middleware.integrations.pyramid import VALID_TOKEN, JWTSecurityPolicy, protected
from tests.conftest import NOW, bearer, client, signed

PERMISSION = "orders:write"
WITH_SCOPE = {"scope": PERMISSION}


def secret(context, request):
    """Show what only some requests may see."""
    return Response("secret")


class Resource(dict):
    """A resource of the traversal tree; each has a child for every name that starts with "a"."""

    def __missing__(self, name):
        if not name.startswith("a"):
            raise KeyError(name)
        return Resource()


@pytest.fixture
def config():
    """A Pyramid application with the adapter."""
    config = Configurator()
    config.include("jwt_middleware.integrations.pyramid")
    return config


@pytest.fixture
def site(config, verifier):
    """Return a function that makes a client of the application, where Pyramid decides alone."""

    def make(**options):
        options = {"policy": Policy(delegate("/*"))} | options
        return client(verifier, config.make_wsgi_app(), **options)

    return make


def add(config, view, path="/", **options):
    """Add a view with a route of its own."""
    config.add_route(path, path)
    config.add_view(view, route_name=path, **options)


def test_forgotten_view_is_refused(config, site):
    """A view without a permission needs a valid token, and no scope."""
    add(config, secret)
    app = site()

    assert app.get("/", status=401).json["reason"] == "token_missing"
    assert app.get("/", headers=bearer("a.b.c"), status=401).json["reason"] == "token_malformed"
    assert app.get("/", headers=signed()).text == "secret"


def test_view_without_middleware_is_refused(config):
    """If the application is served without the middleware, a token is never accepted."""
    add(config, secret, permission=PERMISSION)
    app = TestApp(config.make_wsgi_app())

    response = app.get("/", headers=signed(**WITH_SCOPE), status=401)

    assert response.json["reason"] == "token_missing"
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="api"'


def test_permission_is_a_scope(config, site):
    """A view with a permission needs a token with this scope."""
    add(config, secret, permission=PERMISSION)
    app = site()

    assert app.get("/", headers=signed(**WITH_SCOPE)).text == "secret"
    refused = app.get("/", headers=signed(scope="orders orders:writer"), status=403)
    assert (refused.json["reason"], refused.json["scope"]) == ("scope_insufficient", PERMISSION)


@pytest.mark.parametrize("scope", [VALID_TOKEN, "*", "system.Everyone", NO_PERMISSION_REQUIRED, ""])
def test_no_scope_stands_for_others(config, site, scope):
    """Names that Pyramid treats in a special way are ordinary scopes in a token."""
    add(config, secret, permission=PERMISSION)

    site().get("/", headers=signed(scope=scope), status=403)


def add_everywhere(config):
    """Let the view be found by route, hybrid route, traversal and name, also below ``/admin``."""
    config.set_root_factory(lambda request: Resource())
    config.add_route("route", "/route")
    config.add_route("hybrid", "/hybrid/*traverse", factory=lambda request: Resource())
    for name in ("route", "hybrid"):
        config.add_view(secret, route_name=name, permission=PERMISSION)
    config.add_view(secret, name="secret", route_name="hybrid", permission=PERMISSION)
    config.add_view(secret, context=Resource, permission=PERMISSION)
    config.add_view(secret, context=Resource, name="secret", permission=PERMISSION)


PATHS = ["/", "/route", "/hybrid/", "/hybrid/admin", "/hybrid/secret", "/hybrid/a/@@secret"] + [
    f"{start}{path}"
    for start in ("", "/admin")
    for path in ("/a", "/a/", "//a", "/secret", "/@@secret", "/secret/x", "/b/../secret")
]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "get", "PROPFIND"])
@pytest.mark.parametrize("path", PATHS)
def test_permission_cannot_be_evaded(config, verifier, path, method):
    """Each method and each way to a view leads through its permission."""
    add_everywhere(config)
    guarded = JWTMiddleware(config.make_wsgi_app(), verifier, policy=Policy(delegate("/*")))
    app = TestApp(guarded, lint=False)  # It knows no other methods.

    for headers, status in ({}, 401), (bearer("a.b.c"), 401), (signed(scope="orders"), 403):
        response = app.request(path, method=method, headers=headers, status="*")
        assert (response.status_int, b"secret" in response.body) == (status, False)
    assert app.request(path, method=method, headers=signed(**WITH_SCOPE)).status_int == 200


@pytest.mark.parametrize(
    "header",
    [
        "X-Vhm-Root",
        "X-HTTP-Method-Override",
        "X-Original-URL",
        "Remote-User",
        "Jwt-Middleware-Token",
    ],
)
def test_header_does_not_evade_a_permission(config, site, header):
    """A header may lead to another view (X-Vhm-Root does), but each view keeps its permission."""
    add_everywhere(config)
    config.add_view(
        lambda request: Response("open"), name="open", permission=NO_PERMISSION_REQUIRED
    )
    app = site()

    assert "secret" not in app.get("/secret", headers={header: "/open"}, status="*")
    assert "secret" not in app.get("/open", headers={header: "/secret"}, status="*")


def test_views_of_one_name_keep_their_permissions(config, site):
    """If predicates choose between views, each has its own permission."""
    add(config, secret, permission=NO_PERMISSION_REQUIRED, request_method="GET")
    config.add_view(secret, route_name="/", permission=PERMISSION, request_method="POST")
    config.add_view(secret, route_name="/")
    app = site()

    assert app.get("/").text == "secret"
    app.post("/", headers=signed(), status=403)
    app.delete("/", status=401)


@pytest.mark.parametrize("headers", [{}, bearer("a.b.c"), signed(exp=NOW - 60)])
def test_public_view_is_open_and_has_no_identity(config, site, headers):
    """A view that needs no permission is served to everyone, and a bad token is not an identity."""

    def public_view(request):
        return Response(json_body=[request.identity, request.authenticated_userid])

    add(config, public_view, permission=NO_PERMISSION_REQUIRED)

    assert site().get("/", headers=headers).json == [None, None]


def test_public_view_knows_a_good_token(config, site):
    """A view that needs no permission has the identity of a valid token."""
    add(
        config,
        lambda request: Response(request.identity.get("role")),
        permission=NO_PERMISSION_REQUIRED,
    )

    assert site().get("/", headers=signed(role="admin")).text == "admin"


def test_policy_of_the_middleware_comes_first(config, site):
    """Without a `delegate` rule the middleware needs a token for every path and view."""
    add(config, secret, permission=NO_PERMISSION_REQUIRED)

    assert site(policy=Policy()).get("/", status=401).json["reason"] == "token_missing"


def raising(error):
    """Return a view that raises."""

    def view(request):
        raise error

    return view


REFUSALS = [
    pytest.param({}, {}, id="no token"),
    pytest.param({}, bearer("a.b.c"), id="bad token"),
    pytest.param({"scopes": [PERMISSION]}, signed(), id="no scope"),
]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("render", [problem_details, None])
@pytest.mark.parametrize(("demands", "headers"), REFUSALS)
def test_refusal_is_that_of_the_middleware(
    config, site, verifier, events, method, render, demands, headers
):
    """Status, headers, body and event are the same, with any realm and renderer."""
    options = {"realm": "shop", "on_event": events.append} | ({"render": render} if render else {})
    add(config, secret, permission=demands.get("scopes", [VALID_TOKEN])[0])
    by_rule = client(verifier, policy=Policy(require("/*", **demands)), **options)

    expected = by_rule.request("/", method=method, headers=headers, status="*")
    answer = site(**options).request("/", method=method, headers=headers, status="*")

    assert (answer.status, answer.body) == (expected.status, expected.body)
    assert sorted(answer.headerlist) == sorted(expected.headerlist)
    assert len(events) == 2
    assert events[0] == events[1]


def test_view_may_raise_a_refusal(config, site, events):
    """An `AuthError` of a view is answered like a refusal of the middleware."""
    add(config, raising(InvalidRequest("token_too_large")))
    app = site(realm="shop", on_event=events.append)

    response = app.get("/", headers=signed(), status=400)

    assert response.headers["WWW-Authenticate"].startswith('Bearer realm="shop"')
    assert [event.reason for event in events] == ["token_too_large"]


def test_view_for_all_exceptions_does_not_answer_refusals(config, site):
    """An application may answer all other exceptions itself."""
    config.add_exception_view(lambda error, request: Response("mine", 500), context=Exception)
    add(config, raising(InvalidRequest("token_too_large")))
    add(config, raising(KeyError()), "/broken")
    app = site()

    assert app.get("/", headers=signed(), status=400).json["reason"] == "token_too_large"
    assert app.get("/broken", headers=signed(), status=500).text == "mine"


def test_view_may_forbid_for_reasons_of_its_own(config, site):
    """An HTTPForbidden that is not about a permission has Pyramid's answer."""
    add(config, raising(HTTPForbidden("not on Sundays")))

    response = site().get("/", headers=signed(), status=403)

    assert "not on Sundays" in response.text
    assert "WWW-Authenticate" not in response.headers


def test_view_may_ask_for_a_permission(config, site):
    """``request.has_permission`` says whether the token has a scope, and does not raise."""
    add(
        config,
        lambda request: Response(json_body=bool(request.has_permission(PERMISSION))),
        permission=NO_PERMISSION_REQUIRED,
    )
    app = site()

    assert app.get("/", headers=signed(**WITH_SCOPE)).json is True
    assert app.get("/", headers=signed()).json is False
    assert app.get("/").json is False


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        pytest.param({}, "Denied: token_missing", id="denied"),
        pytest.param(signed(scope="100%"), "Allowed: the token has the scope '100%'", id="allowed"),
    ],
)
def test_answer_of_the_policy_says_why(config, site, headers, message):
    """Pyramid logs this message if ``debug_authorization`` is on."""
    add(
        config,
        lambda request: Response(str(request.has_permission("100%"))),
        permission=NO_PERMISSION_REQUIRED,
    )

    assert site().get("/", headers=headers).text == message


def test_permission_that_is_not_a_scope_opens_nothing(config, site):
    """No token can have a scope with a space, so such a permission is a mistake of the program."""
    add(config, secret, permission="write orders")
    app = site()

    app.get("/", status=401)
    with pytest.raises(ValueError, match=r"^scopes: "):
        app.get("/", headers=signed(scope="write orders"))


def test_static_files_are_open_unless_they_have_a_permission(config, site, tmp_path):
    """Pyramid opens static views by itself, and a permission closes them."""
    (tmp_path / "a.txt").write_text("secret")
    config.add_static_view("open", str(tmp_path))
    config.add_static_view("closed", str(tmp_path), permission=VALID_TOKEN)
    app = site()

    assert app.get("/open/a.txt").text == "secret"
    for path in ("/closed/a.txt", "/closed//a.txt", "/closed/a.txt/"):
        assert app.get(path, status=401).json["reason"] == "token_missing"


def test_subrequest_needs_a_token_of_its_own(config, site):
    """A request that a view makes inside of Pyramid has no token unless the view passes one."""
    from pyramid.request import Request

    add(config, secret, "/inner")
    add(config, lambda request: request.invoke_subrequest(Request.blank("/inner")))

    assert site().get("/", headers=signed(), status=401).json["reason"] == "token_missing"


def test_application_may_replace_the_settings(config, site):
    """Settings of the application replace those of the adapter, in any order."""
    config.set_default_permission(PERMISSION)
    config.add_forbidden_view(lambda request: Response("mine", status=418))
    add(config, secret)

    assert site().get("/", headers=signed(), status=418).text == "mine"


def test_user_is_loaded_once(config, site):
    """The identity is what `load_user` returned, for the token and request of each request."""
    calls = []

    def load_user(token, request):
        calls.append((token.subject, request.path))
        return {"name": "Alice"}

    config.set_security_policy(JWTSecurityPolicy(load_user=load_user))
    add(
        config,
        lambda request: Response(request.identity["name"] + request.authenticated_userid),
        permission=PERMISSION,
    )

    assert site().get("/", headers=signed(**WITH_SCOPE)).text == "Alicealice"
    assert calls == [("alice", "/")]


def test_unknown_user_is_refused(config, site, events):
    """If `load_user` returns None, views refuse the request, and there is no identity."""
    config.set_security_policy(JWTSecurityPolicy(load_user=lambda token, request: None))
    add(config, secret)
    add(
        config,
        lambda request: Response(json_body=[request.identity, request.authenticated_userid]),
        "/open",
        permission=NO_PERMISSION_REQUIRED,
    )
    app = site(on_event=events.append)

    assert app.get("/", headers=signed(), status=401).json["reason"] == "subject_unknown"
    assert [(event.reason, event.claim) for event in events] == [("subject_unknown", "sub")]
    assert app.get("/open", headers=signed()).json == [None, None]


def test_load_user_must_be_a_function():
    """The constructor refuses what cannot be called."""
    with pytest.raises(ConfigurationError, match=r"^load_user: "):
        JWTSecurityPolicy(load_user="load")


def test_decorator_asks_for_more(config, site, events):
    """`protected` has the keywords of `require`, and adds to the permission."""
    add(config, secret, decorator=protected(any_scope=["a", "b"]))
    app = site(on_event=events.append)

    assert app.get("/", headers=signed(scope="b")).text == "secret"
    assert app.get("/", status=401).json["reason"] == "token_missing"
    assert app.get("/", headers=signed(scope="c"), status=403).json["scope"] == "a b"
    assert [event.reason for event in events] == ["token_missing", "scope_insufficient"]


def test_decorator_protects_an_open_view(config, site):
    """`protected` needs a token, also if the view has no permission."""
    add(config, secret, decorator=protected(), permission=NO_PERMISSION_REQUIRED)

    assert site().get("/", status=401).json["reason"] == "token_missing"


def test_policy_stores_nothing_in_responses(config, site):
    """A login or logout of Pyramid sets no headers, because clients keep their tokens."""
    from pyramid.security import forget, remember

    add(
        config,
        lambda request: Response(json_body=[remember(request, "alice"), forget(request)]),
    )

    assert site().get("/", headers=signed()).json == [[], []]


def test_decorated_view_keeps_its_name():
    """Pyramid's messages name the view itself."""
    assert protected()(secret).__name__ == "secret"


def test_middleware_answers_what_tweens_raise(config, verifier):
    """A refusal outside of Pyramid's exception views is answered by the middleware."""
    config.add_tween(
        "tests.test_pyramid.refusing_tween", over="pyramid.tweens.excview_tween_factory"
    )
    app = JWTMiddleware(config.make_wsgi_app(), verifier)

    assert TestApp(app).get("/", headers=signed(), status=400).json["reason"] == "token_too_large"


def refusing_tween(handler, registry):
    """Return a tween that refuses every request."""
    return raising(InvalidRequest("token_too_large"))
