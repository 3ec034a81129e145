"""The adapter for Django REST framework, with and without the adapter for Django."""

import django
import pytest
from django.conf import settings

if not settings.configured:
    # Django is configured once in each process.
    settings.configure(SECRET_KEY="a secret of Django's own", ALLOWED_HOSTS=["*"])
    django.setup()

from django.test import override_settings
from django.urls import path
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.throttling import UserRateThrottle
from rest_framework.views import APIView

from jwt_middleware import ConfigurationError, InsufficientScope, Policy, delegate, optional, public
from jwt_middleware.integrations.django import protected, public_view
from jwt_middleware.integrations.rest_framework import HasScopes, JWTAuthentication
from tests.conftest import Flaky, bearer, signed

OURS = "jwt_middleware.integrations.django.JWTAuthenticationMiddleware"


class WhoAmI(APIView):
    renderer_classes = [JSONRenderer]
    authentication_classes = [JWTAuthentication]
    permission_classes = [IsAuthenticated]
    throttle_classes = []

    def get(self, request):
        subject = request.auth.subject if request.auth else None
        return Response({"user": str(request.user), "token": subject})

    def post(self, request):
        raise InsufficientScope(scopes=["admin"])


class Never(BasePermission):
    def has_permission(self, request, view):
        return False


class Rate(UserRateThrottle):
    rate = "1/day"


def view(**attributes):
    """Return a view with other classes."""
    return type("View", (WhoAmI,), attributes).as_view()


URLS = (
    path("user", WhoAmI.as_view()),
    path("anyone", view(permission_classes=[AllowAny])),
    path("scoped", view(permission_classes=[HasScopes("a", "b")])),
    path("either", view(permission_classes=[HasScopes("a") | HasScopes("b")])),
    path("both", view(permission_classes=[HasScopes("a") & ~Never])),
    path("throttled", view(throttle_classes=[Rate])),
    path("opened", public_view(view(permission_classes=[AllowAny]))),
    path("protected", protected(scopes=["admin"])(view())),
)


@pytest.fixture(params=[None, optional("/*"), public("/*"), delegate("/*")])
def policy(request):
    """None for a project without the Django middleware, or what its policy says."""
    return request.param


@pytest.fixture
def http(policy, verifier, events):
    """A client of the project."""
    keys = {"VERIFIER": verifier, "REALM": "ours", "ON_EVENT": events.append}
    with override_settings(
        ROOT_URLCONF=URLS,
        MIDDLEWARE=[OURS] if policy else [],
        JWT_MIDDLEWARE=keys | ({"POLICY": Policy(policy)} if policy else {}),
        REST_FRAMEWORK={"UNAUTHENTICATED_USER": None},
    ):
        yield APIClient(raise_request_exception=False)


def test_view_knows_the_user_and_the_token(http):
    """`request.user` is the user, and `request.auth` the token."""
    assert http.get("/user", headers=signed()).json() == {"user": "alice", "token": "alice"}


def test_missing_token_is_401(http):
    """A view that needs a user answers 401 and not 403, with the challenge and its realm."""
    response = http.get("/user")

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="ours"'


@pytest.mark.parametrize("url", ["/user", "/anyone", "/scoped"])
@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        (bearer("a.b.c"), 401, "token_malformed"),
        (signed(exp=1), 401, "token_expired"),
        ({"Authorization": "Bearer a b"}, 400, "credentials_malformed"),
    ],
)
def test_bad_token_is_refused(http, events, url, headers, status, reason):
    """A bad token is refused, also where none is needed: status, body, challenge and event."""
    response = http.get(url, headers=headers)

    assert (response.status_code, response.json()["reason"]) == (status, reason)
    assert response.headers["WWW-Authenticate"].startswith('Bearer realm="ours", error=')
    assert {event.reason for event in events} == {reason}


def test_anonymous_request_passes_where_the_view_allows_it(http):
    """The permissions of a view decide if it needs a user."""
    assert http.get("/anyone").json() == {"user": "None", "token": None}


@pytest.mark.parametrize(
    ("url", "scope", "status"),
    [
        ("/scoped", "a b", 200),
        ("/scoped", "a b c", 200),
        ("/scoped", "a", 403),
        ("/scoped", "", 403),
        ("/either", "b", 200),
        ("/either", "c", 403),
        ("/both", "a", 200),
        ("/both", "b", 403),
    ],
)
def test_has_scopes_asks_for_all(http, url, scope, status):
    """`HasScopes` asks for all of its scopes, and combines with other permissions."""
    assert http.get(url, headers=signed(scope=scope)).status_code == status
    assert http.get(url).status_code == 401


def test_missing_scope_is_named(http):
    """The body of a 403 is that of the middleware."""
    response = http.get("/scoped", headers=signed(scope="a"))

    assert response.json() == InsufficientScope(scopes=["a", "b"]).to_dict()


def test_has_scopes_permits_objects():
    """Scopes do not depend on the object of a request."""
    assert HasScopes("a").has_object_permission(None, None, None) is True


def test_wrong_scope_is_refused():
    """A scope that no token can have is refused when the program starts."""
    with pytest.raises(ConfigurationError, match="is not a scope"):
        HasScopes("a b")


def test_user_can_be_throttled(http):
    """A `TokenUser` has what DRF's throttles ask for."""
    from django.core.cache import cache

    cache.clear()

    assert http.get("/throttled", headers=signed()).status_code == 200
    assert http.get("/throttled", headers=signed()).status_code == 429
    assert http.get("/throttled", headers=signed(sub="bob")).status_code == 200


def test_store_that_fails_is_503(http, make_verifier, store):
    """An outage is not a 401, and says when to try again."""
    from jwt_middleware import Revocations

    store.failure = OSError()
    failing = make_verifier(revocations=Revocations(store))
    with override_settings(JWT_MIDDLEWARE={"VERIFIER": failing}, MIDDLEWARE=[]):
        response = http.get("/user", headers=signed())

    assert isinstance(store, Flaky)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")


def test_unknown_user_is_refused(http, verifier):
    """If ``LOAD_USER`` returns None, the request is refused."""
    keys = {"VERIFIER": verifier, "LOAD_USER": lambda token: None}
    with override_settings(JWT_MIDDLEWARE=keys, MIDDLEWARE=[]):
        response = http.get("/anyone", headers=signed())

    assert (response.status_code, response.json()["reason"]) == (401, "subject_unknown")


@pytest.mark.parametrize("policy", [optional("/*")], indirect=True)
def test_refusal_of_a_view_is_that_of_the_middleware(http, events):
    """Behind the Django middleware a view of DRF may raise an `AuthError`."""
    response = http.post("/user", headers=signed())

    assert (response.status_code, response.json()["reason"]) == (403, "scope_insufficient")
    assert 'realm="ours"' in response.headers["WWW-Authenticate"]
    assert [event.reason for event in events] == ["scope_insufficient"]


def test_views_of_drf_are_closed_by_default(verifier):
    """Behind the Django middleware without a policy, decorators say which views are open."""
    with override_settings(
        ROOT_URLCONF=URLS,
        MIDDLEWARE=[OURS],
        JWT_MIDDLEWARE={"VERIFIER": verifier},
        REST_FRAMEWORK={"UNAUTHENTICATED_USER": None},
    ):
        http = APIClient()
        assert http.get("/anyone").json()["reason"] == "token_missing"
        assert http.get("/opened").json()["token"] is None
        assert http.get("/opened", headers=signed()).json()["token"] == "alice"
        assert http.get("/protected", headers=signed()).status_code == 403
        assert http.get("/protected", headers=signed(scope="admin")).json()["token"] == "alice"
