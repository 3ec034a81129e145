"""`JWTMiddleware` from outside: each failure's exact answer, and what reaches the application."""

import json

import pytest

from jwt_middleware import (
    AccessToken,
    ConfigurationError,
    InvalidGrant,
    InvalidRequest,
    InvalidToken,
    JWTMiddleware,
    MemoryStore,
    Policy,
    RemoteJWKSet,
    Revocations,
    SecretKey,
    TrustedIssuers,
    delegate,
    from_cookie,
    optional,
    public,
    require,
)
from jwt_middleware.errors import registry
from jwt_middleware.events import CallableFailed, RequestRejected
from tests.conftest import AUDIENCE, ISSUER, NOW, Flaky, bearer, client, good_claims, sign_raw

POLICY = Policy(
    public("/public"),
    optional("/optional"),
    delegate("/delegate"),
    require("/scoped", scopes=["orders:write"]),
    require("/checked", check=lambda token, environ: False),
)


def signed(header=None, **claims):
    return bearer(sign_raw(good_claims(**claims), json.dumps({"alg": "HS256"} | (header or {}))))


# One request for each reason of the registry: path, headers.
REQUESTS = {
    "path_ambiguous": ("/a%255cb", {}),
    "token_missing": ("/", {}),
    "credentials_malformed": ("/", {"Authorization": "Bearer a b"}),
    "credentials_repeated": ("/", {"Authorization": "Bearer a, Bearer b"}),
    "token_too_large": ("/", bearer("a" * 16_385)),
    "token_malformed": ("/", bearer("a.b.c")),
    "algorithm_not_allowed": ("/", signed({"alg": "none"})),
    "type_not_allowed": ("/", signed({"typ": "dpop+jwt"})),
    "header_not_understood": ("/", signed({"crit": ["b64"]})),
    "issuer_not_trusted": ("/", signed(iss="https://evil.example.com")),
    "key_not_found": ("/", signed({"kid": "unknown"})),
    "signature_invalid": ("/", bearer(sign_raw(good_claims(), secret="x" * 32))),
    "audience_mismatch": ("/", signed(aud="https://other.example.com")),
    "token_expired": ("/", signed(exp=NOW - 5)),
    "token_not_yet_valid": ("/", signed(nbf=NOW + 6)),
    "token_too_old": ("/", signed(iat=NOW - 3606)),
    "claim_missing": ("/", signed(exp=None)),
    "claim_invalid": ("/", signed(exp="soon")),
    "binding_unverifiable": ("/", signed(cnf={"jkt": "x"})),
    "scope_insufficient": ("/scoped", signed(scope="orders:read")),
    "check_failed": ("/checked", signed()),
    "keys_unavailable": ("/", signed({"alg": "RS256"}, iss="https://down.example.com")),
    "store_unavailable": ("/", signed(iss="https://storeless.example.com")),
    "token_revoked": ("/", signed(sub="mallory")),
}


def down(url, *, timeout, max_bytes):
    raise OSError("connection refused")


SCOPE = {"scope_insufficient": "orders:write"}


@pytest.fixture
def app(make_verifier, secret_key, clock):
    """The echo application behind a policy with a rule of each kind."""
    named = [
        SecretKey(secret_key.key.material, key_id="known"),
        SecretKey(secret_key.key.material, key_id="other"),
    ]
    unreachable = RemoteJWKSet("https://down.example.com/jwks.json", fetch=down)
    store = Flaky(MemoryStore(clock=clock))
    store.failure = OSError("connection refused")
    revocations = Revocations(MemoryStore(clock=clock), clock=clock)
    revocations.revoke_subject(ISSUER, "mallory")
    issuers = TrustedIssuers(
        make_verifier(named, max_token_age=3600, revocations=revocations),
        make_verifier(unreachable, issuer="https://down.example.com"),
        make_verifier(issuer="https://storeless.example.com", revocations=Revocations(store)),
    )
    return client(issuers, policy=POLICY)


@pytest.mark.parametrize("reason", REQUESTS)
def test_refusal_has_exact_status_body_and_challenge(app, reason):
    """Each reason has one status, one body and one challenge."""
    path, headers = REQUESTS[reason]
    kind = registry()[reason]
    description = kind.reasons[reason]
    scope = {"scope": SCOPE[reason]} if reason in SCOPE else {}

    response = app.get(path, headers=headers, status=kind.code)

    assert (
        response.json
        == {"error": kind.error, "error_description": description, "reason": reason} | scope
    )
    assert response.content_type == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers.get("WWW-Authenticate") == {
        "token_missing": 'Bearer realm="api"',
        "path_ambiguous": None,
        "check_failed": None,
        "keys_unavailable": None,
        "store_unavailable": None,
        "scope_insufficient": f'Bearer realm="api", error="insufficient_scope", error_description="{description}",'
        ' scope="orders:write"',
    }.get(reason, f'Bearer realm="api", error="{kind.error}", error_description="{description}"')


def test_every_reason_has_its_request():
    """No reason is left without a test; those of refresh tokens are in test_sessions, that of CORS in test_cors."""
    assert set(REQUESTS) == set(registry()) - set(InvalidGrant.reasons) - {"origin_not_allowed"}


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("token_missing", 401),
        ("credentials_repeated", 400),
        ("check_failed", 403),
        ("keys_unavailable", 503),
    ],
)
def test_status_is_that_of_the_rfc(app, reason, status):
    """A status is written down once more here, so that the registry cannot change it unseen."""
    path, headers = REQUESTS[reason]

    assert app.get(path, headers=headers, status="*").status_int == status


def test_claims_reach_the_application(app):
    """The application finds what was signed."""
    response = app.get("/", headers=signed(roles=["a", {"b": None}]))

    assert response.json == good_claims(roles=["a", {"b": None}])


def test_token_reaches_the_application(verifier):
    """The `AccessToken` stands beside the claims."""
    seen = []

    def app(environ, start_response):
        seen.append(environ["jwt_middleware.token"])
        start_response("204 No Content", [])
        return []

    client(verifier, app).get("/", headers=signed())

    assert isinstance(seen[0], AccessToken)
    assert seen[0].subject == "alice"


def test_claims_are_the_requests_own(verifier):
    """What one request does to its claims, no other sees."""

    def app(environ, start_response):
        claims = environ["jwt_middleware.claims"]
        body = json.dumps(claims).encode()
        claims["roles"].append("admin")
        claims["deep"]["a"][0]["b"] = 2
        claims["sub"] = "mallory"
        start_response(
            "200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        )
        return [body]

    headers = signed(roles=["user"], deep={"a": [{"b": 1}]})
    app = client(verifier, app)

    assert app.get("/", headers=headers).json == app.get("/", headers=headers).json


@pytest.mark.parametrize("path", ["/public", "/optional", "/delegate"])
def test_open_path_without_token_passes(app, path):
    """Where no token is needed, none gives no claims."""
    assert app.get(path).json is None


@pytest.mark.parametrize("headers", [bearer("bad"), {"Authorization": "Bearer a, b"}, signed()])
def test_public_path_ignores_credentials(app, headers):
    """A public path does not look at tokens, good or bad."""
    assert app.get("/public", headers=headers).json is None


def test_optional_path_uses_a_good_token_and_refuses_a_bad_one(app):
    """An optional token is still checked."""
    assert app.get("/optional", headers=signed()).json["sub"] == "alice"
    assert (
        app.get("/optional", headers=bearer("a.b.c"), status=401).json["reason"]
        == "token_malformed"
    )


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({}, "token_missing"),
        (bearer("a.b.c"), "token_malformed"),
        ({"Authorization": "Bearer"}, "credentials_malformed"),
    ],
)
def test_delegate_path_tells_the_application_why(make_verifier, headers, reason):
    """Below a `delegate` rule the application gets the failure instead of the client."""
    seen = []

    def app(environ, start_response):
        seen.append((environ["jwt_middleware.error"].reason, "jwt_middleware.claims" in environ))
        start_response("204 No Content", [])
        return []

    client(make_verifier(), app, policy=POLICY).get("/delegate", headers=headers)

    assert seen == [(reason, False)]


def test_delegate_path_with_good_token_has_claims_and_no_error(app, verifier):
    """A good token is a good token, also where bad ones pass."""
    assert app.get("/delegate", headers=signed()).json["sub"] == "alice"


def test_scoped_path_lets_the_scope_through(app):
    """Who holds the scope gets in."""
    assert app.get("/scoped", headers=signed(scope="x orders:write")).json["sub"] == "alice"


@pytest.mark.parametrize("path", ["/public", "/optional", "/delegate", "/"])
@pytest.mark.parametrize("headers", [{}, signed()])
def test_what_an_outer_layer_left_is_cleared(verifier, path, headers):
    """Nothing under our names reaches the application unless we put it there."""
    seen = []

    def app(environ, start_response):
        seen.append(environ)
        start_response("204 No Content", [])
        return []

    planted = {
        f"jwt_middleware.{name}": {"sub": "mallory"} for name in ("claims", "token", "error")
    }
    client(verifier, app, policy=POLICY).get(
        path, headers=headers, extra_environ=planted, status="*"
    )

    for environ in seen:
        assert {"sub": "mallory"} not in [environ.get(name) for name in planted]


@pytest.mark.parametrize(
    "name",
    ["jwt_middleware.claims", "Jwt-Middleware-Claims", "jwt_middleware_claims", "X-JWT-Claims"],
)
def test_header_never_becomes_a_claim(app, name):
    """A client cannot write the keys that the application reads."""
    assert app.get("/optional", headers={name: '{"sub": "mallory"}'}).json is None


@pytest.mark.parametrize(
    ("path", "headers", "hint"),
    [
        pytest.param("/a/../b", {}, "it contains a dot segment", id="path"),
        pytest.param("/", {"X-Vhm-Root": "/admin"}, "Pyramid reads X-Vhm-Root", id="virtual root"),
    ],
)
def test_ambiguous_path_comes_before_everything(verifier, path, headers, hint):
    """A path with two meanings is refused whatever token came with it, and the log says why."""
    events = []
    app = client(verifier, policy=Policy(public("/public")), on_event=events.append)

    response = app.get(
        "/", headers=headers | signed(), extra_environ={"PATH_INFO": path}, status=400
    )

    assert response.json["reason"] == "path_ambiguous"
    assert "WWW-Authenticate" not in response.headers
    assert hint in events[0].hint


def test_virtual_root_is_of_no_interest_where_paths_do_not_matter(verifier):
    """Without rules there is nothing to evade, so that Pyramid's header stays usable."""
    assert (
        client(verifier).get("/", headers={"X-Vhm-Root": "/cms"} | signed()).json["sub"] == "alice"
    )


def test_refusal_is_reported_once_without_token(verifier):
    """An event says what was refused and why; the token is not in it."""
    events = []
    headers = signed(exp="soon")

    client(verifier, on_event=events.append).post("/orders", headers=headers, status=401)

    assert events == [
        RequestRejected(
            reason="claim_invalid", status=401, method="POST", path="/orders", claim="exp"
        )
    ]


def test_delegated_failure_is_reported(verifier):
    """A failure that the application is left to handle is still an event."""
    events = []

    client(verifier, policy=POLICY, on_event=events.append).get("/delegate")

    assert [event.reason for event in events] == ["token_missing"]


def test_broken_hook_changes_no_answer(verifier):
    """An exception in `on_event` is no reason for a 500."""

    def broken(event):
        raise RuntimeError

    assert client(verifier, on_event=broken).get("/", status=401).json["reason"] == "token_missing"


def test_credential_may_come_from_a_cookie(verifier):
    """Another extractor is just another function."""
    app = client(verifier, credential=from_cookie("token"))
    cookie = {"Cookie": f"token={sign_raw(good_claims())}"}

    assert app.get("/", headers=cookie).json["sub"] == "alice"
    assert app.post("/", headers=cookie, status=401).json["reason"] == "token_missing"
    assert app.get("/", headers=signed(), status=401).json["reason"] == "token_missing"


@pytest.mark.parametrize("raw", [b"a.b.c", 5, ["a"]])
def test_credential_that_is_no_text_is_refused(verifier, raw):
    """An extractor that returns something else lets nobody in."""
    response = client(verifier, credential=lambda environ: raw).get("/", status="*")

    assert response.status_int == 400


def test_credential_that_breaks_refuses(verifier):
    """An extractor that trips over a request is no 500, and is told as the application's own fault."""
    events = []
    app = client(
        verifier, credential=lambda environ: environ["HTTP_X_TOKEN"], on_event=events.append
    )

    assert app.get("/", status=400).json["reason"] == "credentials_malformed"
    assert events[0] == CallableFailed(argument="credential", cause="KeyError")
    assert app.get("/", headers={"X-Token": sign_raw(good_claims())}).json["sub"] == "alice"


def test_credential_may_refuse_by_itself(verifier):
    """An `AuthError` of an extractor is the answer."""

    def refuse(environ):
        raise InvalidRequest("credentials_repeated")

    assert (
        client(verifier, credential=refuse).get("/", status=400).json["reason"]
        == "credentials_repeated"
    )


def test_any_verifier_with_the_method_will_do():
    """The middleware asks for nothing but `verify`."""

    class Opaque:
        def verify(self, raw):
            if raw != "s3cret":
                raise InvalidToken("token_malformed")
            return AccessToken({"sub": "alice"}, {})

    app = client(Opaque())

    assert app.get("/", headers=bearer("s3cret")).json == {"sub": "alice"}
    app.get("/", headers=bearer("other"), status=401)


def echo_nothing(environ, start_response):
    start_response("204 No Content", [])
    return []


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        pytest.param("app", None, id="app"),
        pytest.param(
            "verifier", SecretKey("x" + ISSUER + AUDIENCE), id="a key instead of a verifier"
        ),
        pytest.param("policy", [public("/x")], id="a list instead of a policy"),
        pytest.param("policy", None, id="no policy"),
        pytest.param("credential", "token", id="a name instead of an extractor"),
        pytest.param("credential", from_cookie, id="an extractor's maker instead of an extractor"),
        pytest.param("render", "json", id="a name instead of a renderer"),
        pytest.param("on_event", None, id="no hook"),
        pytest.param("realm", "", id="empty realm"),
        pytest.param("realm", 'a"b', id="quote in the realm"),
        pytest.param("realm", "a\\b", id="backslash in the realm"),
        pytest.param("realm", "a\r\nb", id="line break in the realm"),
        pytest.param("realm", "ä", id="realm beyond ASCII"),
        pytest.param("realm", None, id="no realm"),
    ],
)
def test_wrong_argument_is_refused(verifier, argument, value):
    """Each wrong argument is named at construction."""
    arguments = {"app": echo_nothing, "verifier": verifier} | {argument: value}

    with pytest.raises(ConfigurationError, match=f"^{argument}: "):
        JWTMiddleware(arguments.pop("app"), arguments.pop("verifier"), **arguments)


def test_issuer_and_middleware_understand_each_other(issuer, verifier):
    """A token of `TokenIssuer` opens what `Verifier` guards."""
    response = client(verifier).get("/", headers=bearer(issuer.access_token("alice", scopes=["a"])))

    assert (response.json["iss"], response.json["aud"], response.json["scope"]) == (
        ISSUER,
        AUDIENCE,
        "a",
    )
