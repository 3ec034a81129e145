"""The applications of the documents: what each view needs, and how refusals are answered."""

import pytest
from webtest import TestApp

from jwt_middleware import (
    AccessDenied,
    InvalidRequest,
    JWTMiddleware,
    MissingToken,
    Policy,
    Unavailable,
    delegate,
    problem_details,
    public,
    render_json,
    require,
)
from jwt_middleware.testing import FakeIssuer
from tests.conftest import echo
from tests.test_docs import SECRET, examples

# The document, how many of its examples make the application, and the policy that is used there.
RECIPES = {
    "pyramid": ("docs/pyramid.md", 1, Policy(delegate("/*"))),
    "bottle": ("docs/bottle-and-falcon.md", 1, Policy(public("/health"))),
    "falcon": ("docs/bottle-and-falcon.md", 2, Policy(public("/health"))),
}


@pytest.fixture(scope="module")
def issuer():
    """The issuer whose tokens the applications accept."""
    return FakeIssuer()


@pytest.fixture(params=RECIPES)
def framework(request):
    """The name of a framework."""
    return request.param


@pytest.fixture
def names(framework, monkeypatch):
    """What the examples define."""
    monkeypatch.setenv("JWT_SECRET", SECRET)
    document, count, _ = RECIPES[framework]
    names = {}
    for example in examples(document)[:count]:
        exec(compile(example, document, "exec"), names)
    return names


@pytest.fixture
def site(framework, names, issuer):
    """Return a function that makes a client of the application with its policy."""

    def make(**options):
        policy = RECIPES[framework][2]
        app = names[f"{framework}_app"]
        return TestApp(JWTMiddleware(app, issuer.verifier(), policy=policy, **options))

    return make


def test_each_view_needs_what_the_document_says(site, issuer):
    """One view is open, one needs a token, and one needs a scope."""
    app = site()
    alice, writer = issuer.bearer("alice"), issuer.bearer("alice", scopes=["orders:write"])

    assert "fine" in app.get("/health")
    assert app.get("/orders", headers=alice).json == {"orders_of": "alice"}
    assert app.post("/orders", headers=writer).json == {"created_by": "alice"}
    assert app.get("/orders", status=401).json["reason"] == "token_missing"
    assert app.post("/orders", status=401).json["reason"] == "token_missing"
    refused = app.post("/orders", headers=alice, status=403)
    assert (refused.json["reason"], refused.json["scope"]) == ("scope_insufficient", "orders:write")


@pytest.mark.parametrize("render", [render_json, problem_details])
def test_refusal_of_a_view_is_that_of_the_middleware(site, issuer, events, render):
    """Status, body, challenge, ``no-store`` and event are the same as for a rule."""
    options = {"realm": "shop", "render": render, "on_event": events.append}
    policy = Policy(require("/*", scopes=["orders:write"]))
    by_rule = TestApp(JWTMiddleware(echo, issuer.verifier(), policy=policy, **options))
    headers = issuer.bearer("alice")

    answers = [
        app.post("/orders", headers=headers, status=403) for app in (by_rule, site(**options))
    ]

    assert answers[0].body == answers[1].body
    assert headers_of(answers[0]) == headers_of(answers[1])
    assert len(events) == 2
    assert events[0] == events[1]


def headers_of(response):
    """Return the headers of a response, without the case of their names."""
    return sorted((name.lower(), value) for name, value in response.headerlist)


def raising(error):
    """Return a view for each framework that raises."""

    def view(*arguments):
        raise error

    return view


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(MissingToken(), id="401"),
        pytest.param(InvalidRequest("token_too_large"), id="400"),
        pytest.param(AccessDenied(), id="403"),
        pytest.param(Unavailable("store_unavailable"), id="503"),
    ],
)
def test_refusal_that_a_view_raises_is_never_500(framework, names, site, issuer, error):
    """With the lines of the document, every `AuthError` of a view has its own answer."""
    view, app = raising(error), names[f"{framework}_app"]
    if framework == "pyramid":
        names["config"].add_route("raising", "/raising")
        names["config"].add_view(view, route_name="raising")
        names["pyramid_app"] = names["config"].make_wsgi_app()
    elif framework == "bottle":
        app.route("/raising", callback=view)
    else:
        app.add_route("/raising", type("Raising", (), {"on_get": view})())

    response = site().get("/raising", headers=issuer.bearer("alice"), status=error.status)

    assert response.json == error.to_dict()
    assert response.headers.get("WWW-Authenticate") == error.challenge()
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("framework", ["falcon"], indirect=True)
def test_falcon_refusal_replaces_what_the_view_has_written(framework, names, site, issuer):
    """A body that the view has set before it raises is not sent."""

    class Leaking:
        def on_get(self, req, resp):
            resp.media = resp.data = resp.text = resp.stream = "secret"
            raise AccessDenied

    names["falcon_app"].add_route("/leaking", Leaking())

    response = site().get("/leaking", headers=issuer.bearer("alice"), status=403)

    assert response.json["reason"] == "check_failed"


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT"])
@pytest.mark.parametrize("path", ["/orders", "/orders/", "//orders", "/nothing", "/Orders"])
def test_other_requests_reach_no_view_without_token(site, method, path):
    """Without a token no spelling of a path and no method shows what a view returns."""
    response = site().request(path, method=method, expect_errors=True)

    assert response.status_int in {401, 404, 405}
    assert b"orders_of" not in response.body
