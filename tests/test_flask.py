"""The adapter for Flask: which views need what, and what a view can ask."""

import inspect
from functools import wraps

import pytest
from flask import Blueprint, Flask, abort, current_app
from flask.views import MethodView
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from jwt_middleware import (
    CORS,
    ConfigurationError,
    InsufficientScope,
    Policy,
    delegate,
    optional,
    problem_details,
    public,
    require,
)
from jwt_middleware.events import RequestRejected
from jwt_middleware.integrations.flask import (
    JWT,
    current_token,
    current_user,
    protected,
    public_view,
)
from tests.conftest import NOW, bearer, signed

USERS = {"alice": {"name": "Alice"}}


def load_user(token):
    return USERS.get(token.subject)


@pytest.fixture
def app():
    """A Flask application with an open view and a view without a decorator."""
    app = Flask(__name__)

    @app.get("/open")
    @public_view
    def opened():
        return {"subject": current_token.subject if current_token else None}

    @app.get("/forgotten")
    def forgotten():
        return {"subject": current_token.subject}

    @app.route("/slash/", methods=["GET", "POST"])
    def slash():
        return "slash"

    return app


@pytest.fixture
def http(app, verifier):
    """A client of the protected application; call it with the options of `JWT`."""

    def make(**options):
        JWT(app, verifier, **options)
        return app.test_client()

    return make


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "PROPFIND"])
@pytest.mark.parametrize(
    "path", ["/forgotten", "/slash", "/slash/", "/static/a.css", "/nothing", "//forgotten", "/"]
)
def test_view_without_decorator_is_closed(http, method, path):
    """For every path and method, only views that were opened answer without a token."""
    response = http().open(path, method=method)

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="api"'


def test_view_with_token_knows_the_client(http):
    """With a valid token the view runs, and unknown paths are what they are in Flask."""
    http = http()

    assert http.get("/forgotten", headers=signed()).json == {"subject": "alice"}
    assert http.get("/nothing", headers=signed()).status_code == 404
    assert http.post("/forgotten", headers=signed()).status_code == 405
    assert http.get("/slash", headers=signed()).status_code == 308
    assert http.options("/forgotten", headers=signed()).status_code == 200


def test_public_view_is_open(http):
    """An open view runs without a token. It has no claims, also if the request has a token."""
    http = http()

    for headers in ({}, signed(), bearer("a.b.c"), {"Authorization": "Bearer a, b"}):
        assert http.get("/open", headers=headers).json == {"subject": None}
    assert http.head("/open").status_code == http.options("/open").status_code == 200
    assert http.post("/open").status_code == http.get("/open/").status_code == 401


def careless(view):
    """Decorate a view and lose its name, marks and ``__wrapped__``."""

    def decorated(*args, **kwargs):
        return view(*args, **kwargs)

    return decorated


def careful(view):
    """Decorate a view as it should be done."""
    return wraps(view)(lambda *args, **kwargs: view(*args, **kwargs))


class Bound:
    """Views may be methods of any object."""

    def __init__(self, view):
        self.view = view

    def run(self):
        return self.view()


ADMIN = protected(scopes=["admin"])
AS_METHOD = type("AsMethod", (MethodView,), {"get": ADMIN(lambda self: "secret")})
AS_LIST = type("AsList", (MethodView,), {"decorators": [ADMIN], "get": lambda self: "secret"})
OPEN_LIST = type(
    "OpenList",
    (MethodView,),
    {"decorators": [public_view], "get": ADMIN(lambda self: "secret")},
)
# How a view may be registered: (app, route) -> None.
WAYS = {
    "below the route": lambda route, view: route(ADMIN(view)),
    "above the route": lambda route, view: ADMIN(route(view)),
    "below a careless decorator": lambda route, view: route(careless(ADMIN(view))),
    "below a careful decorator": lambda route, view: route(careful(ADMIN(view))),
    "above a careless decorator": lambda route, view: route(ADMIN(careless(view))),
    "above route and careful decorator": lambda route, view: ADMIN(careful(route(view))),
    "a bound method": lambda route, view: route(ADMIN(Bound(view).run)),
    "a bound method, above": lambda route, view: ADMIN(route(Bound(view).run)),
    "twice": lambda route, view: route(protected()(ADMIN(view))),
    "twice above the route": lambda route, view: protected()(ADMIN(route(view))),
    "as a method of a class": lambda route, view: route(AS_METHOD.as_view("view")),
    "in the decorators of a class": lambda route, view: route(AS_LIST.as_view("view")),
    "as a method of an open class": lambda route, view: route(OPEN_LIST.as_view("view")),
    "below an open view": lambda route, view: route(public_view(careless(ADMIN(view)))),
    "async": lambda route, view: route(ADMIN(as_coroutine(view))),
}


def as_coroutine(view):
    async def run():
        return view()

    return run


@pytest.mark.parametrize("policy", [None, Policy(public("/*")), Policy(optional("/*"))])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("in_blueprint", [False, True], ids=["app", "blueprint"])
def test_protected_view_cannot_be_reached_without_its_scope(app, http, policy, way, in_blueprint):
    """For every order of decorators and every policy, the scope is needed."""
    runs = []

    def view():
        runs.append(1)
        return "secret"

    blueprint = Blueprint("area", __name__)
    owner = blueprint if in_blueprint else app
    way(owner.route("/admin/", endpoint="view"), view)
    if in_blueprint:
        app.register_blueprint(blueprint)
    http = http(policy=policy)

    for path, method in [("/admin/", "GET"), ("/admin/", "HEAD")]:
        assert http.open(path, method=method).status_code == 401
        assert http.open(path, method=method, headers=bearer("a.b.c")).status_code == 401
        refusal = http.open(path, method=method, headers=signed(scope="user"))
        assert refusal.status_code == 403
        assert 'scope="admin"' in refusal.headers["WWW-Authenticate"]
    assert runs == []
    assert http.get("/admin/", headers=signed(scope="admin")).text == "secret"


def test_protected_takes_the_keywords_of_require():
    """On a view the same is asked for as in a rule, except for paths and methods."""
    arguments = set(inspect.signature(require).parameters) - {"paths", "methods"}

    assert set(inspect.signature(protected).parameters) == arguments
    with pytest.raises(ConfigurationError, match=r"^scopes: 'admin' is not a list"):
        protected(scopes="admin")


@pytest.mark.parametrize(
    "decorate",
    [
        lambda view: public_view(protected()(view)),
        lambda view: protected()(public_view(view)),
        lambda view: public_view(careful(protected()(view))),
    ],
)
def test_view_is_not_both_public_and_protected(decorate):
    """A contradiction is refused when the program starts."""
    with pytest.raises(ConfigurationError, match="cannot be public and protected"):
        decorate(load_user)


def test_decorating_again_adds_nothing():
    """A program that decorates a view for each request does not grow."""

    def view():
        return "secret"

    for _ in range(3):
        protected(scopes=["admin"])(view)

    assert len(view._jwt_middleware_unchecked) == 1


def test_protected_view_of_an_unprotected_app_does_not_run(app):
    """Without `JWT` a protected view fails, and the error says what to write."""
    app.get("/admin")(ADMIN(lambda: "secret"))
    app.testing = True

    with pytest.raises(RuntimeError, match=r"write JWT\(app, verifier\)"):
        app.test_client().get("/admin")


def test_check_is_called_once(app, http):
    """`check` gets token and environ, and its answer counts."""
    seen = []

    def check(token, environ):
        seen.append((token.subject, environ["PATH_INFO"]))
        return token.subject == "alice"

    app.get("/checked", endpoint="checked")(protected(check=check)(lambda: "secret"))
    http = http()

    assert http.get("/checked", headers=signed()).text == "secret"
    assert http.get("/checked", headers=signed(sub="bob")).json["reason"] == "check_failed"
    assert seen == [("alice", "/checked"), ("bob", "/checked")]


@pytest.mark.parametrize("settings", [{}, {"TRAP_HTTP_EXCEPTIONS": True}, {"DEBUG": True}])
def test_refusal_of_a_view_is_that_of_the_middleware(app, http, events, settings):
    """Status, body, challenge, realm and event do not tell who has refused."""
    app.config.update(settings)

    @app.errorhandler(HTTPException)
    def own(error):
        return "own", 418

    @app.get("/by-view")
    def by_view():
        raise InsufficientScope(scopes=["admin"])

    app.get("/by-decorator", endpoint="by")(ADMIN(lambda: "secret"))
    app.get("/missing")(lambda: abort(404))
    policy = Policy(require("/by-rule", scopes=["admin"]))
    http = http(policy=policy, realm="ours", render=problem_details, on_event=events.append)

    answers = [
        http.get(path, headers=signed()) for path in ("/by-rule", "/by-view", "/by-decorator")
    ]

    first = answers[0]
    assert first.status_code == 403
    assert 'realm="ours"' in first.headers["WWW-Authenticate"]
    assert {(answer.data, str(sorted(answer.headers))) for answer in answers} == {
        (first.data, str(sorted(first.headers)))
    }
    assert [(event.reason, event.path) for event in events] == [
        ("scope_insufficient", path) for path in ("/by-rule", "/by-view", "/by-decorator")
    ]
    assert http.get("/missing", headers=signed()).status_code == 418


def test_refusal_before_the_view_is_one_event(http, events):
    """A refusal is reported once."""
    http(on_event=events.append).post("/forgotten", headers=signed(exp=NOW - 60))

    assert events == [RequestRejected("token_expired", 401, "POST", "/forgotten", "exp")]


def test_nothing_of_the_application_runs_before_the_check(app, http):
    """Hooks do not run for a refused request, also if they were registered first."""
    ran = []
    app.before_request(lambda: ran.append("before") or "open")
    app.url_value_preprocessor(lambda endpoint, values: ran.append("values"))

    assert http().get("/forgotten").status_code == 401
    assert ran == []


def test_delegated_failure_refuses_a_protected_view(app, http, events):
    """A token that a `delegate` rule passed on does not satisfy `protected`."""
    app.get("/admin")(ADMIN(lambda: "secret"))
    http = http(policy=Policy(delegate("/*")))

    assert http.get("/admin").json["reason"] == "token_missing"
    assert http.get("/admin", headers=bearer("a.b.c")).json["reason"] == "token_malformed"


@pytest.mark.parametrize("policy", [None, Policy(optional("/*")), Policy(delegate("/*"))])
@pytest.mark.parametrize(("headers", "status"), [(signed(), 200), (bearer("a.b.c"), 401)])
def test_token_is_verified_once(app, verifier, policy, headers, status):
    """A proof of possession can be used once, so a token is verified once, and checked once."""
    verified, checked = [], []

    class Counting:
        def verify(self, raw):
            verified.append(raw)
            return verifier.verify(raw)

    def check(token, environ):
        checked.append(token)
        return True

    app.get("/admin")(protected()(protected(check=check)(lambda: "secret")))
    JWT(app, Counting(), policy=policy)

    assert app.test_client().get("/admin", headers=headers).status_code == status
    assert len(verified) == 1
    assert len(checked) == (1 if status == 200 else 0)


def test_user_that_an_outer_layer_left_is_cleared(app, http):
    """The view sees a user only if this application has loaded it."""
    app.get("/me", endpoint="me")(public_view(lambda: {"user": bool(current_user)}))
    planted = {"jwt_middleware.user": {"name": "Mallory"}}

    assert http(load_user=load_user).get("/me", environ_overrides=planted).json == {"user": False}


def test_user_is_loaded_in_the_application_context(app, http):
    """`load_user` gets the token and may use the application, once for each request."""
    loaded = []

    def load(token):
        loaded.append((token.subject, current_app.name))
        return USERS.get(token.subject)

    app.get("/me")(ADMIN(lambda: current_user["name"]))
    http = http(load_user=load)

    assert http.get("/me", headers=signed(scope="admin")).text == "Alice"
    assert loaded == [("alice", app.name)]


@pytest.mark.parametrize("policy", [None, Policy(optional("/*"))])
def test_unknown_user_is_refused(app, http, events, policy):
    """If `load_user` returns None, no view runs, also one that does not ask for the user."""
    http = http(load_user=load_user, policy=policy, on_event=events.append)

    response = http.get("/forgotten", headers=signed(sub="mallory"))

    assert (response.status_code, response.json["reason"]) == (401, "subject_unknown")
    assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]
    assert [event.claim for event in events] == ["sub"]


def test_user_does_not_outlive_its_request(app, http):
    """Requests that share an application context, as in tests, do not share the user."""
    app.get("/me")(public_view(lambda: {"user": bool(current_user)}))
    app.get("/you", endpoint="you")(lambda: {"user": bool(current_user)})
    http = http(load_user=load_user)

    with app.app_context():
        assert http.get("/you", headers=signed()).json == {"user": True}
        assert http.get("/me").json == {"user": False}


def test_proxies_outside_a_request_say_so(app, http):
    """Outside a request, and without `load_user`, there is no user, and the error says why."""
    http()
    with pytest.raises(RuntimeError, match="request context"):
        current_token.subject  # noqa: B018
    with app.test_request_context(), pytest.raises(RuntimeError, match="load_user="):
        current_user.name  # noqa: B018
    with Flask("other").test_request_context(), pytest.raises(RuntimeError, match="load_user="):
        current_user.name  # noqa: B018


def test_apps_in_one_process_are_independent(app, make_verifier):
    """Each application has its own verifier, users and views, also one inside another."""
    inner = Flask("inner")
    inner.get("/me")(lambda: {"user": str(current_user)})
    app.get("/me")(lambda: {"user": str(current_user)})
    JWT(inner, make_verifier(audience="https://inner.example.com"), load_user=lambda token: "inner")
    JWT(app, make_verifier(), load_user=lambda token: "outer")
    site = Client(DispatcherMiddleware(app, {"/inner": inner}))
    other = signed(aud="https://inner.example.com")

    assert site.get("/me", headers=signed()).json == {"user": "outer"}
    assert site.get("/inner/me", headers=other).json == {"user": "inner"}
    assert site.get("/me", headers=other).status_code == 401
    assert site.get("/inner/me", headers=signed()).status_code == 401


def test_other_routes_of_an_opened_function_stay_closed(app, http):
    """`public_view` opens what it returns, and not the function that it was given."""

    def view():
        return "view"

    app.add_url_rule("/a", "a", public_view(view))
    app.add_url_rule("/b", "b", view)
    above = public_view(app.get("/c", endpoint="c")(lambda: "c"))
    http = http()

    assert [http.get(path).status_code for path in ("/a", "/b", "/c")] == [200, 401, 401]
    assert callable(above)


def test_static_files_can_be_opened(app, http, tmp_path):
    """The view of static files is a view as all others."""
    (tmp_path / "a.css").write_text("a {}")
    app.static_folder = str(tmp_path)
    app.view_functions["static"] = public_view(app.view_functions["static"])
    http = http()

    with http.get("/static/a.css") as response:
        assert response.text == "a {}"


def test_options_are_those_of_the_middleware(app, http):
    """All arguments of `JWTMiddleware` work, here `cors`."""
    page = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "GET"}
    http = http(cors=CORS(origins=["https://app.example.com"]))

    assert http.options("/forgotten", headers=page).status_code == 204
    refusal = http.get("/forgotten", headers={"Origin": "https://app.example.com"})
    assert refusal.headers["Access-Control-Allow-Origin"] == "https://app.example.com"


def test_wrong_configuration_is_refused(app, verifier):
    """Wrong arguments, and a second `JWT`, raise an error that names them."""
    with pytest.raises(ConfigurationError, match=r"^load_user: a str is not callable"):
        JWT(app, verifier, load_user="name")
    with pytest.raises(ConfigurationError, match=r"^verifier: "):
        JWT(app, None)
    with pytest.raises(TypeError, match="audience"):
        JWT(app, verifier, audience="x")
    JWT(app, verifier)
    with pytest.raises(ConfigurationError, match="it has a JWT already"):
        JWT(app, verifier)
