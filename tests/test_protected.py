"""`protected` around plain WSGI applications."""

import pytest
from webtest import TestApp
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from jwt_middleware import (
    AuthError,
    ConfigurationError,
    Policy,
    delegate,
    problem_details,
    protected,
    require,
)
from tests.conftest import RecordingApp, bearer, client, echo, signed

DEMANDS = [
    pytest.param({}, {}, "token_missing", id="no token"),
    pytest.param({}, bearer("a.b.c"), "token_malformed", id="bad token"),
    pytest.param({"scopes": ["a", "b"]}, signed(scope="a"), "scope_insufficient", id="scopes"),
    pytest.param({"any_scope": ["a"]}, signed(), "scope_insufficient", id="any scope"),
    pytest.param({"check": lambda token, environ: None}, signed(), "check_failed", id="check"),
]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(("demands", "headers", "reason"), DEMANDS)
def test_refusal_is_that_of_the_middleware(verifier, events, demands, headers, reason, method):
    """The application is not called, and the answer and the event are those of a rule."""
    options = {"realm": "shop", "render": problem_details, "on_event": events.append}
    app = RecordingApp()
    inside = client(verifier, protected(**demands)(app), policy=Policy(delegate("/*")), **options)
    by_rule = client(verifier, app, policy=Policy(require("/*", **demands)), **options)

    answers = [
        each.request("/", method=method, headers=headers, status="*") for each in (inside, by_rule)
    ]

    assert app.calls == []
    assert answers[0].status == answers[1].status
    assert answers[0].body == answers[1].body
    assert sorted(answers[0].headerlist) == sorted(answers[1].headerlist)
    assert [event.reason for event in events] == [reason, reason]


def test_request_that_satisfies_the_demands_reaches_the_application(verifier):
    """`protected` leaves the response alone."""
    app = client(verifier, protected(scopes=["a"], check=lambda token, environ: True)(echo))

    assert app.get("/", headers=signed(scope="a b")).json["sub"] == "alice"


def test_application_without_middleware_is_refused():
    """If there is no middleware in front, no token is accepted."""
    response = TestApp(protected()(echo)).get("/", headers=signed(), status=401)

    assert response.json["reason"] == "token_missing"
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="api"'


def test_refusal_passes_through_layers_that_catch_exceptions(verifier):
    """A refusal is a response, so a layer that answers 500 to exceptions does not see it."""
    inside = protected(scopes=["a"])(echo)

    def catching(environ, start_response):
        try:
            return inside(environ, start_response)
        except AuthError:
            start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
            return []

    client(verifier, catching).get("/", headers=signed(), status=403)


def test_one_part_of_an_application_asks_for_more(verifier):
    """As a decorator it protects one part, and leaves the others to the policy."""

    @protected(scopes=["admin"])
    def admin(environ, start_response):
        return echo(environ, start_response)

    app = client(verifier, DispatcherMiddleware(echo, {"/admin": admin}))

    assert admin.__name__ == "admin"
    assert app.get("/", headers=signed()).json["sub"] == "alice"
    app.get("/admin", headers=signed(), status=403)
    assert app.get("/admin", headers=signed(scope="admin")).json["sub"] == "alice"


def test_application_keeps_its_attributes_for_itself():
    """The attributes of an application that is an object are not copied."""
    assert "calls" not in vars(protected()(RecordingApp()))


@pytest.mark.parametrize("demands", [{"scopes": "a"}, {"any_scope": ["a b"]}, {"check": 1}])
def test_wrong_demands_are_refused(demands):
    """The arguments are checked when the application is made."""
    with pytest.raises(ConfigurationError):
        protected(**demands)
