"""The adapter for Django: which views need what, and what a view can ask."""

import asyncio
import inspect
from functools import wraps

import django
import pytest
from django.conf import settings

if not settings.configured:
    # Django is configured once in each process.
    settings.configure(SECRET_KEY="a secret of Django's own", ALLOWED_HOSTS=["*"])
    django.setup()

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse, JsonResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import path
from django.utils.decorators import method_decorator
from django.views import View

from jwt_middleware import (
    CORS,
    ConfigurationError,
    InsufficientScope,
    Policy,
    from_cookie,
    from_header,
    optional,
    problem_details,
    public,
    require,
)
from jwt_middleware.integrations.django import protected, public_view
from tests.conftest import bearer, make_token, signed

OURS = "jwt_middleware.integrations.django.JWTAuthenticationMiddleware"
CSRF = "django.middleware.csrf.CsrfViewMiddleware"
ADMIN = protected(scopes=["admin"])
USERS = {"alice": "Alice"}


def careless(view):
    """Decorate a view and lose its name, marks and ``__wrapped__``."""

    def decorated(*args, **kwargs):
        return view(*args, **kwargs)

    return decorated


def careful(view):
    """Decorate a view as it should be done."""
    return wraps(view)(careless(view))


def whoami(request):
    token = request.token
    return JsonResponse(
        {"token": token and token.subject, "user": str(getattr(request, "user", None))}
    )


def secret(request):
    return HttpResponse("secret")


async def asynchronous(request):
    user = await request.auser()
    return JsonResponse({"token": request.token.subject, "user": str(user)})


def refuse(request):
    raise InsufficientScope(scopes=["admin"])


def fail(request):
    raise KeyError


class Class(View):
    def get(self, request):
        return HttpResponse("secret")


@method_decorator(public_view, name="dispatch")
class OpenClass(Class):
    def put(self, request):
        return HttpResponse("put")

    @method_decorator(ADMIN)
    def post(self, request):
        return HttpResponse("posted")


@method_decorator(ADMIN, name="dispatch")
class AdminClass(Class):
    pass


@public_view
async def open_async(request):
    return HttpResponse("open")


ADMINS = {
    "function": ADMIN(secret),
    "careless": careless(ADMIN(secret)),
    "careful": careful(ADMIN(secret)),
    "above": ADMIN(careless(secret)),
    "twice": protected()(ADMIN(secret)),
    "class": AdminClass.as_view(),
    "as-view": ADMIN(Class.as_view()),
    "open": public_view(careless(ADMIN(secret))),
}
URLS = (
    path("open", public_view(whoami)),
    path("open-class", OpenClass.as_view()),
    path("open-async", open_async),
    path("whoami", whoami),
    path("slash/", whoami),
    path("class", Class.as_view()),
    path("async", asynchronous),
    path("admin-async", ADMIN(asynchronous)),
    path("refuse", refuse),
    path("fail", fail),
    *(path(f"admin/{name}", view) for name, view in ADMINS.items()),
)


def csrf_failure(request, reason):
    return HttpResponse("csrf", status=403)


class Answering:
    """A middleware that answers some requests itself, and looks at the user."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if "shortcut" in request.path:
            return HttpResponse("shortcut")
        response = self.get_response(request)
        response.headers["X-User"] = str(getattr(request, "user", None))
        return response


@pytest.fixture
def site(verifier):
    """A client of the protected project; call it with the keys of ``JWT_MIDDLEWARE``."""
    active = []

    def make(*, middleware=(OURS,), client=Client, check_csrf=False, **keys):
        active.append(
            override_settings(
                ROOT_URLCONF=URLS,
                MIDDLEWARE=list(middleware),
                CSRF_FAILURE_VIEW=f"{__name__}.csrf_failure",
                JWT_MIDDLEWARE={"VERIFIER": verifier} | keys,
            )
        )
        active[-1].enable()
        return client(enforce_csrf_checks=check_csrf, raise_request_exception=False)

    yield make
    while active:
        active.pop().disable()


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "PROPFIND"])
@pytest.mark.parametrize(
    "path", ["/whoami", "/slash", "/slash/", "/class", "/async", "/nothing", "//open", "/shortcut"]
)
def test_view_without_decorator_is_closed(site, method, path):
    """For every path and method, only views that were opened answer without a token."""
    names = [OURS, "django.middleware.common.CommonMiddleware", f"{__name__}.Answering"]

    response = site(middleware=names).generic(method, path)

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="api"'


def test_view_with_token_knows_the_client(site):
    """With a valid token the view runs, and unknown paths are what they are in Django."""
    http = site(middleware=[OURS, f"{__name__}.Answering"])

    assert http.get("/whoami", headers=signed()).json() == {"token": "alice", "user": "alice"}
    assert http.get("/async", headers=signed()).json() == {"token": "alice", "user": "alice"}
    assert http.get("/nothing", headers=signed()).status_code == 404
    assert http.get("/shortcut", headers=signed()).content == b"shortcut"


def test_public_view_is_open(site):
    """An open view runs without a token. It has no claims, also if the request has a token."""
    http = site()

    for headers in ({}, signed(), bearer("a.b.c"), {"Authorization": "Bearer a, b"}):
        response = http.get("/open", headers=headers)
        assert response.json() == {"token": None, "user": "None"}
    assert http.get("/open-async").content == b"open"
    assert http.get("/open-class").content == b"secret"
    assert http.get("/open/").status_code == 401


@pytest.mark.parametrize("policy", [None, Policy(public("/*")), Policy(optional("/*"))])
@pytest.mark.parametrize("name", ADMINS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_protected_view_cannot_be_reached_without_its_scope(site, policy, name, method):
    """For every order of decorators and every policy, the scope is needed."""
    http = site(**({"POLICY": policy} if policy else {}))
    url = f"/admin/{name}"

    assert http.generic(method, url).status_code == 401
    assert http.generic(method, url, headers=bearer("a.b.c")).status_code == 401
    refusal = http.generic(method, url, headers=signed(scope="user"))
    assert refusal.status_code == 403
    assert 'scope="admin"' in refusal.headers["WWW-Authenticate"]
    assert http.get(url, headers=signed(scope="admin")).content == b"secret"


def test_protected_method_of_an_open_class(site):
    """A method may ask for more than its class."""
    http = site()

    assert http.put("/open-class").content == b"put"
    assert http.post("/open-class").status_code == 401
    assert http.post("/open-class", headers=signed()).status_code == 403
    assert http.post("/open-class", headers=signed(scope="admin")).content == b"posted"


def test_protected_marks_only_its_own_view():
    """Decorating one class or function leaves all others as they are."""
    assert not vars(View.dispatch)
    assert not vars(secret)
    assert "_jwt_middleware_public" not in vars(whoami)


def test_protected_takes_the_keywords_of_require():
    """On a view the same is asked for as in a rule, except for paths and methods."""
    arguments = set(inspect.signature(require).parameters) - {"paths", "methods"}

    assert set(inspect.signature(protected).parameters) == arguments
    with pytest.raises(ConfigurationError, match="cannot be public and protected"):
        public_view(ADMIN(secret))


def test_asynchronous_server_is_protected_too(site):
    """Under ASGI the same requests are refused, and asynchronous views work."""

    async def ask(http):
        return [
            await http.get("/async"),
            await http.get("/async", headers=signed()),
            await http.get("/admin-async", headers=signed()),
            await http.get("/admin-async", headers=signed(scope="admin")),
            await http.get("/open-async"),
            await http.get("/nothing"),
        ]

    answers = asyncio.run(ask(site(client=AsyncClient)))

    assert [answer.status_code for answer in answers] == [401, 200, 403, 200, 200, 401]


@pytest.mark.parametrize("debug", [False, True])
def test_refusal_of_a_view_is_that_of_the_middleware(site, events, debug):
    """Status, body, challenge, realm and event do not tell who has refused."""
    http = site(
        POLICY=Policy(require("/by-rule", scopes=["admin"])),
        REALM="ours",
        RENDER=problem_details,
        ON_EVENT=events.append,
    )
    paths = ["/by-rule", "/refuse", "/admin/function"]

    with override_settings(DEBUG=debug):
        answers = [http.get(path, headers=signed()) for path in paths]

    first = answers[0]
    assert (first.status_code, first.reason_phrase) == (403, "FORBIDDEN")
    assert 'realm="ours"' in first.headers["WWW-Authenticate"]
    assert {(answer.content, str(sorted(answer.items()))) for answer in answers} == {
        (first.content, str(sorted(first.items())))
    }
    assert [(event.reason, event.path) for event in events] == [
        ("scope_insufficient", path) for path in paths
    ]


def test_other_exceptions_of_a_view_are_djangos(site):
    """Only an `AuthError` is answered here."""
    assert site().get("/fail", headers=signed()).status_code == 500


def test_refusal_is_one_event(site, events):
    """A refusal is reported once, and in one place."""
    http = site(ON_EVENT=events.append)
    http.get("/whoami")
    http.get("/nothing")

    assert [(event.reason, event.path) for event in events] == [
        ("token_missing", "/whoami"),
        ("token_missing", "/nothing"),
    ]


def load_user(token):
    return USERS.get(token.subject)


@pytest.mark.parametrize("policy", [None, Policy(optional("/*"))])
def test_user_is_what_load_user_returns(site, policy):
    """`load_user` makes the user of a token, for middlewares too. Without a user no view runs."""
    keys = {"POLICY": policy} if policy else {}
    http = site(
        middleware=[OURS, f"{__name__}.Answering"], LOAD_USER=f"{__name__}.load_user", **keys
    )

    response = http.get("/whoami", headers=signed())
    unknown = http.get("/class", headers=signed(sub="mallory"))

    assert (response.json()["user"], response.headers["X-User"]) == ("Alice", "Alice")
    assert unknown.status_code == 401
    assert unknown.json()["reason"] == "subject_unknown"


class Replacing(Answering):
    """Sets the user of a session, as Django's `AuthenticationMiddleware` does."""

    def __call__(self, request):
        request.user = "session"
        return self.get_response(request)


@pytest.mark.parametrize("policy", [None, Policy(optional("/*"))])
def test_user_of_the_token_comes_before_that_of_a_session(site, policy):
    """A middleware below ours does not change who has sent a token. Without one its user stays."""
    keys = {"POLICY": policy} if policy else {}
    http = site(middleware=[OURS, f"{__name__}.Replacing"], **keys)

    assert http.get("/whoami", headers=signed()).json()["user"] == "alice"
    assert http.get("/open").json()["user"] == "session"


class Closing(Answering):
    closed = []

    def __call__(self, request):
        response = HttpResponse("shortcut")
        response.close = lambda: self.closed.append(request.path)
        return response


def test_answer_that_is_not_sent_is_closed(site):
    """If another middleware answers with a file, the file is closed before the refusal."""
    http = site(middleware=[OURS, f"{__name__}.Closing"])

    assert http.get("/file").status_code == 401
    assert Closing.closed == ["/file"]


def test_view_must_be_reached_in_this_request(site):
    """What an outer layer left in environ does not open a path without a view."""
    planted = {"jwt_middleware.view_reached": True}

    assert site().get("/nothing", **planted).status_code == 401


def test_user_without_load_user_has_no_permissions(site):
    """A `TokenUser` is authenticated, named by its subject, and may nothing."""
    seen = []
    with override_settings():
        http = site(middleware=[f"{__name__}.Keeping", OURS])
        Keeping.seen = seen
        http.get("/whoami", headers=signed())
    (user,) = seen

    assert (user.pk, user.username, user.get_username(), str(user)) == ("alice",) * 4
    assert all([user.is_authenticated, user.is_active])
    assert not any([user.is_anonymous, user.is_staff, user.is_superuser])
    assert not any([user.has_perm("a"), user.has_perms(["a"])])
    assert not user.has_module_perms("a")


class Keeping(Answering):
    seen = []

    def __call__(self, request):
        response = self.get_response(request)
        self.seen.append(request.user)
        return response


COOKIE = from_cookie("token")


def either(environ):
    """The header wins over the cookie."""
    return from_header(environ) or COOKIE(environ)


@pytest.mark.parametrize(
    ("credential", "headers", "status"),
    [
        pytest.param(from_header, signed(scope="admin"), 200, id="header"),
        pytest.param(either, signed(scope="admin"), 200, id="header, where both are read"),
        pytest.param(either, {"Cookie": f"token={make_token()}"}, 403, id="cookie"),
        pytest.param(COOKIE, {"Cookie": f"token={make_token()}"}, 403, id="only cookies"),
        pytest.param(
            COOKIE, {"Cookie": f"token={make_token()}"} | bearer("x"), 403, id="stray header"
        ),
        pytest.param(
            COOKIE,
            {"Cookie": f"token={make_token()}", "Authorization": "Bearer a, b"},
            403,
            id="broken header",
        ),
    ],
)
def test_csrf_check_is_skipped_for_tokens_in_the_header(site, credential, headers, status):
    """No other site can send the header. A cookie comes with requests of other sites."""
    http = site(
        middleware=[OURS, CSRF],
        check_csrf=True,
        CREDENTIAL=credential,
    )

    response = http.post("/whoami", headers=headers | {"Sec-Fetch-Site": "same-origin"})

    assert response.status_code == status


def test_csrf_check_of_an_open_view_stays(site):
    """A token that was not verified does not switch the check off."""
    http = site(middleware=[OURS, CSRF], check_csrf=True)

    assert http.post("/open", headers=signed()).status_code == 403


def test_middleware_below_the_csrf_check_is_refused(site):
    """The wrong order is an error that says what to write."""
    site(middleware=[CSRF, OURS])

    with pytest.raises(ImproperlyConfigured, match=r"above 'django.middleware.csrf"):
        Client().get("/open")


def test_cors_of_the_middleware(site):
    """All arguments of `JWTMiddleware` work, here `cors`, for refusals, views and preflights."""
    http = site(CORS=CORS(origins=["https://app.example.com"]))
    page = {"Origin": "https://app.example.com"}
    preflight = page | {"Access-Control-Request-Method": "GET"}

    assert http.options("/whoami", headers=preflight).status_code == 204
    for headers in (page, page | signed()):
        response = http.get("/whoami", headers=headers)
        assert response.headers["Access-Control-Allow-Origin"] == "https://app.example.com"
        assert "Origin" in response.headers["Vary"]


def test_django_cors_headers_works_above(site):
    """Pages can read refusals, and preflights do not need a token."""
    http = site(middleware=["corsheaders.middleware.CorsMiddleware", OURS])
    page = {"Origin": "https://app.example.com"}
    preflight = page | {"Access-Control-Request-Method": "GET"}

    with override_settings(CORS_ALLOWED_ORIGINS=["https://app.example.com"]):
        assert http.options("/whoami", headers=preflight).status_code == 200
        response = http.get("/whoami", headers=page)

    assert response.status_code == 401
    assert response.headers["Access-Control-Allow-Origin"] == "https://app.example.com"


def two_challenges(error, environ):
    response = problem_details(error, environ)
    response.headers.add("X-Challenge", "Bearer a")
    response.headers.add("X-Challenge", "DPoP b")
    return response


def test_headers_of_one_name_are_joined(site):
    """Django has one header of a name, so several values are joined, in their order."""
    http = site(RENDER=two_challenges)

    assert http.get("/whoami").headers["X-Challenge"] == "Bearer a, DPoP b"
    assert http.get("/nothing").headers["X-Challenge"] == "Bearer a, DPoP b"


@pytest.mark.parametrize(
    ("setting", "error", "message"),
    [
        ({}, ImproperlyConfigured, "write VERIFIER"),
        ({"VERIFIER": object(), "AUDIENCE": "x"}, ImproperlyConfigured, "AUDIENCE"),
        ({"VERIFIER": object(), "APP": "x"}, ImproperlyConfigured, "APP"),
        ({"VERIFIER": "no.such.module"}, ImportError, "no"),
        ({"VERIFIER": object()}, ConfigurationError, "^verifier: "),
        ({"VERIFIER": object(), "LOAD_USER": 5}, ConfigurationError, "^load_user: an int is not"),
    ],
)
def test_wrong_setting_is_refused(site, setting, error, message):
    """Unknown keys and wrong values raise when the program starts."""
    http = site()

    with override_settings(JWT_MIDDLEWARE=setting), pytest.raises(error, match=message):
        http.get("/open")
