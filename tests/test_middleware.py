"""`JWTMiddleware` over HTTP: the exact answer to each failure, and what the application gets."""

from operator import itemgetter

import pytest

from jwt_middleware import (
    AccessToken,
    ConfigurationError,
    InvalidGrant,
    InvalidRequest,
    InvalidToken,
    JWTMiddleware,
    MemoryStore,
    MissingToken,
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
from tests.conftest import (
    AUDIENCE,
    ISSUER,
    NOW,
    Flaky,
    RecordingApp,
    bearer,
    client,
    echo,
    good_claims,
    make_token,
    signed,
)

POLICY = Policy(
    public("/public"),
    optional("/optional"),
    delegate("/delegate"),
    require("/scoped", scopes=["orders:write"]),
    require("/checked", check=lambda token, environ: False),
)


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
    "signature_invalid": ("/", signed(secret="x" * 32)),
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


OURS = [f"jwt_middleware.{name}" for name in ("claims", "token", "error")]
SCOPE = {"scope_insufficient": "orders:write"}
WITHOUT_CHALLENGE = ["path_ambiguous", "check_failed", "keys_unavailable", "store_unavailable"]


@pytest.fixture
def app(make_verifier, secret_key, clock):
    """The claims as JSON, behind a policy with a rule of each kind."""
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

    body = {"error": kind.error, "error_description": description, "reason": reason} | scope
    assert response.json == body
    assert response.content_type == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers.get("WWW-Authenticate") == challenge_of(reason, kind.error, description)


def challenge_of(reason, error, description):
    """Return the challenge to a reason (RFC 6750 §3)."""
    if reason in WITHOUT_CHALLENGE:
        return None
    if reason == "token_missing":
        return 'Bearer realm="api"'
    scope = f', scope="{SCOPE[reason]}"' if reason in SCOPE else ""
    return f'Bearer realm="api", error="{error}", error_description="{description}"{scope}'


def test_every_reason_has_its_request():
    """Each reason is tested here, or where a part finds it that the middleware does not have."""
    # In test_cors, test_cookies, and in the tests of the adapters.
    elsewhere = {"origin_not_allowed", "csrf_failed", "subject_unknown"}
    # In test_sessions.
    elsewhere |= set(InvalidGrant.reasons)

    assert set(REQUESTS) == set(registry()) - elsewhere


STATUSES = {
    "token_missing": 401,
    "credentials_repeated": 400,
    "check_failed": 403,
    "keys_unavailable": 503,
}


@pytest.mark.parametrize(("reason", "status"), STATUSES.items())
def test_status_is_that_of_the_rfc(app, reason, status):
    """The registry cannot change a status without this test failing."""
    path, headers = REQUESTS[reason]

    assert app.get(path, headers=headers, status="*").status_int == status


def test_claims_reach_the_application(app):
    """The application gets the signed claims."""
    response = app.get("/", headers=signed(roles=["a", {"b": None}]))

    assert response.json == good_claims(roles=["a", {"b": None}])


def test_token_reaches_the_application(verifier):
    """The application gets the `AccessToken` too."""
    app = RecordingApp()

    client(verifier, app).get("/", headers=signed())

    assert isinstance(app.environ["jwt_middleware.token"], AccessToken)
    assert app.environ["jwt_middleware.token"].subject == "alice"


def test_claims_are_the_requests_own(verifier):
    """An application may change the claims of a request. The next request has its own."""

    def app(environ, start_response):
        claims, body = environ["jwt_middleware.claims"], echo(environ, start_response)
        claims["roles"].append("admin")
        claims["deep"]["a"][0]["b"] = 2
        claims["sub"] = "mallory"
        return body

    headers = signed(roles=["user"], deep={"a": [{"b": 1}]})
    app = client(verifier, app)

    assert app.get("/", headers=headers).json == app.get("/", headers=headers).json


@pytest.mark.parametrize("path", ["/public", "/optional", "/delegate"])
def test_open_path_without_token_passes(app, path):
    """If no token is needed, a request without one has no claims."""
    assert app.get(path).json is None


@pytest.mark.parametrize("headers", [bearer("bad"), {"Authorization": "Bearer a, b"}, signed()])
def test_public_path_ignores_credentials(app, headers):
    """On a public path tokens are not read."""
    assert app.get("/public", headers=headers).json is None


def test_optional_path_uses_a_good_token_and_refuses_a_bad_one(app):
    """An optional token is checked."""
    assert app.get("/optional", headers=signed()).json["sub"] == "alice"
    refusal = app.get("/optional", headers=bearer("a.b.c"), status=401)
    assert refusal.json["reason"] == "token_malformed"


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({}, "token_missing"),
        (bearer("a.b.c"), "token_malformed"),
        ({"Authorization": "Bearer"}, "credentials_malformed"),
    ],
)
def test_delegate_path_tells_the_application_why(verifier, headers, reason):
    """Under a `delegate` rule the application gets the failure."""
    app = RecordingApp()

    client(verifier, app, policy=POLICY).get("/delegate", headers=headers)

    assert app.environ["jwt_middleware.error"].reason == reason
    assert "jwt_middleware.claims" not in app.environ


def test_delegate_path_with_good_token_has_claims_and_no_error(app, verifier):
    """Under a `delegate` rule a good token gives claims."""
    assert app.get("/delegate", headers=signed()).json["sub"] == "alice"


def test_scoped_path_lets_the_scope_through(app):
    """A token with the scope is accepted."""
    assert app.get("/scoped", headers=signed(scope="x orders:write")).json["sub"] == "alice"


@pytest.mark.parametrize("path", ["/public", "/optional", "/delegate", "/"])
@pytest.mark.parametrize("headers", [{}, signed()])
def test_what_an_outer_layer_left_is_cleared(verifier, path, headers):
    """The application sees our keys only if the middleware has set them."""
    app = RecordingApp()
    planted = {name: {"sub": "mallory"} for name in OURS}

    client(verifier, app, policy=POLICY).get(
        path, headers=headers, extra_environ=planted, status="*"
    )

    for environ, _ in app.calls:
        assert {"sub": "mallory"} not in [environ.get(name) for name in planted]


@pytest.mark.parametrize(
    "name",
    ["jwt_middleware.claims", "Jwt-Middleware-Claims", "jwt_middleware_claims", "X-JWT-Claims"],
)
def test_header_never_becomes_a_claim(app, name):
    """No header sets the keys that the application reads."""
    assert app.get("/optional", headers={name: '{"sub": "mallory"}'}).json is None


@pytest.mark.parametrize(
    ("path", "headers", "hint"),
    [
        pytest.param("/a/../b", {}, "it contains a dot segment", id="path"),
        pytest.param("/", {"X-Vhm-Root": "/admin"}, "Pyramid reads X-Vhm-Root", id="virtual root"),
    ],
)
def test_ambiguous_path_comes_before_everything(verifier, events, path, headers, hint):
    """A path with two meanings is refused, also with a good token, and the event says why."""
    app = client(verifier, policy=Policy(public("/public")), on_event=events.append)

    response = app.get(
        "/", headers=headers | signed(), extra_environ={"PATH_INFO": path}, status=400
    )

    assert response.json["reason"] == "path_ambiguous"
    assert "WWW-Authenticate" not in response.headers
    assert hint in events[0].hint


def test_virtual_root_passes_without_rules(verifier):
    """Without rules the path decides nothing, so Pyramid's header is allowed."""
    headers = {"X-Vhm-Root": "/cms"} | signed()

    assert client(verifier).get("/", headers=headers).json["sub"] == "alice"


def test_refusal_is_reported_once_without_token(verifier, events):
    """An event says what was refused and why. It does not contain the token."""
    headers = signed(exp="soon")

    client(verifier, on_event=events.append).post("/orders", headers=headers, status=401)

    assert events == [RequestRejected("claim_invalid", 401, "POST", "/orders", claim="exp")]


def test_delegated_failure_is_reported(verifier, events):
    """A bad token under a `delegate` rule is an event. A missing one is not a refusal."""
    app = client(verifier, policy=POLICY, on_event=events.append)
    app.get("/delegate")
    app.get("/delegate", headers=bearer("a.b.c"))

    assert [event.reason for event in events] == ["token_malformed"]


@pytest.mark.parametrize(
    ("headers", "reason"), [({}, "token_missing"), (bearer("a.b.c"), "token_malformed")]
)
def test_delegated_failure_that_the_application_raises_is_reported_once(
    verifier, events, headers, reason
):
    """A refused request is one event, also if a `delegate` rule let it through first."""
    app = client(verifier, raising, policy=POLICY, on_event=events.append)

    app.get("/delegate", headers=headers, status=401)

    assert [event.reason for event in events] == [reason]


def raising(environ, start_response):
    raise environ["jwt_middleware.error"]


def test_broken_hook_changes_no_answer(verifier):
    """An exception in `on_event` does not change the answer."""

    def broken(event):
        raise RuntimeError

    assert client(verifier, on_event=broken).get("/", status=401).json["reason"] == "token_missing"


def test_credential_may_come_from_a_cookie(verifier):
    """`credential` is any function that returns the token of a request."""
    app = client(verifier, credential=from_cookie("token"))
    cookie = {"Cookie": f"token={make_token()}"}

    assert app.get("/", headers=cookie).json["sub"] == "alice"
    assert app.post("/", headers=cookie, status=403).json["reason"] == "csrf_failed"
    assert app.get("/", headers=signed(), status=401).json["reason"] == "token_missing"


@pytest.mark.parametrize("raw", [b"a.b.c", 5, ["a"]])
def test_credential_that_is_no_text_is_refused(verifier, raw):
    """An extractor that does not return text is answered with 400."""
    response = client(verifier, credential=lambda environ: raw).get("/", status="*")

    assert response.status_int == 400


def test_credential_that_breaks_refuses(verifier, events):
    """If an extractor raises, the answer is 400, and an event reports the exception."""
    find = itemgetter("HTTP_X_TOKEN")
    app = client(verifier, credential=find, on_event=events.append)

    assert app.get("/", status=400).json["reason"] == "credentials_malformed"
    assert events[0] == CallableFailed(argument="credential", cause="KeyError")
    assert app.get("/", headers={"X-Token": make_token()}).json["sub"] == "alice"


def test_credential_may_refuse_by_itself(verifier):
    """If an extractor raises an `AuthError`, that is the answer."""

    def refuse(environ):
        raise InvalidRequest("credentials_repeated")

    refusal = client(verifier, credential=refuse).get("/", status=400)

    assert refusal.json["reason"] == "credentials_repeated"


def test_any_verifier_with_the_method_will_do():
    """The middleware only calls `verify`."""

    class Opaque:
        def verify(self, raw):
            if raw != "s3cret":
                raise InvalidToken("token_malformed")
            return AccessToken({"sub": "alice"}, {})

    app = client(Opaque())

    assert app.get("/", headers=bearer("s3cret")).json == {"sub": "alice"}
    app.get("/", headers=bearer("other"), status=401)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        pytest.param("app", None, id="app"),
        pytest.param("verifier", SecretKey("x" + ISSUER + AUDIENCE), id="a key as verifier"),
        pytest.param("policy", [public("/x")], id="a list as policy"),
        pytest.param("policy", None, id="no policy"),
        pytest.param("credential", "token", id="a name as extractor"),
        pytest.param("credential", from_cookie, id="from_cookie without a name"),
        pytest.param("render", "json", id="a name as renderer"),
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
    """The constructor names each wrong argument."""
    arguments = {"app": echo, "verifier": verifier} | {argument: value}

    with pytest.raises(ConfigurationError, match=f"^{argument}: "):
        JWTMiddleware(arguments.pop("app"), arguments.pop("verifier"), **arguments)


def test_issuer_and_middleware_understand_each_other(issuer, verifier):
    """`Verifier` accepts the tokens of `TokenIssuer`."""
    response = client(verifier).get("/", headers=bearer(issuer.access_token("alice", scopes=["a"])))

    claims = response.json
    assert (claims["iss"], claims["aud"], claims["scope"]) == (ISSUER, AUDIENCE, "a")


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        pytest.param({"mod_wsgi.version": (4, 9, 4)}, True, id="mod_wsgi"),
        pytest.param({}, False, id="another server"),
        pytest.param(
            {"mod_wsgi.version": (4, 9, 4), "HTTP_AUTHORIZATION": "Basic YTpi"},
            False,
            id="header arrived",
        ),
    ],
)
def test_missing_header_behind_mod_wsgi_has_a_hint(verifier, events, environ, says):
    """Apache keeps the header unless it is told otherwise, and the log says so."""
    client(verifier, on_event=events.append).get("/", extra_environ=environ, status=401)

    assert ("WSGIPassAuthorization On" in str(events[0].hint)) is says


@pytest.mark.parametrize(
    ("environ", "passes"),
    [
        pytest.param({}, True, id="any server"),
        pytest.param({"uwsgi.version": b"2"}, False, id="uWSGI"),
    ],
)
def test_refusal_of_a_view_passes_the_exception_on(verifier, environ, passes):
    """Servers need it to replace a response, but uWSGI loses the body over it."""

    def view(environ, start_response):
        raise MissingToken

    def start_response(status, headers, exc_info=None):
        started.append(exc_info is not None)

    started = []
    app = JWTMiddleware(view, verifier, policy=Policy(public("/*")))
    body = app({"REQUEST_METHOD": "GET", "PATH_INFO": "/"} | environ, start_response)

    assert started == [passes]
    assert b"token_missing" in b"".join(body)
