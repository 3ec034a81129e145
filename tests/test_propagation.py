"""Handing the identity over: what the application sees, and what a client can put there."""

import pytest

from jwt_middleware import (
    CORS,
    ConfigurationError,
    InsufficientScope,
    JWTMiddleware,
    Policy,
    PropagateIdentity,
    SecretKey,
    TrustedIssuers,
    delegate,
    optional,
    public,
)
from tests.conftest import ISSUER, RecordingApp, client, good_claims, make_token, sign_raw, signed

HEADERS = {"sub": "X-Auth-Subject", "groups": "X-Auth-Groups"}
WRITTEN = ("REMOTE_USER", "HTTP_X_AUTH_SUBJECT", "HTTP_X_AUTH_GROUPS")
SPOOFED = {
    "REMOTE_USER": "eve",
    "HTTP_REMOTE_USER": "eve",
    "HTTP_X_AUTH_SUBJECT": "eve",
    "HTTP_X_AUTH_GROUPS": "admins",
}


def seen(verifier, *, headers=(), environ=(), options=(), path="/", status=200, method="GET", **kw):
    """Return environ as the application sees it; None if it is not called."""
    app = RecordingApp()
    wrapped = PropagateIdentity(app, **({"headers": HEADERS} | dict(options)))
    client(verifier, wrapped, **kw).request(
        path,
        method=method,
        headers=dict(headers),
        environ=dict(environ),
        status=status,
    )
    return app.environ if app.calls else None


def test_identity_arrives_as_remote_user_and_header(verifier):
    """Without arguments the subject is in both places."""
    app = RecordingApp()

    client(verifier, PropagateIdentity(app)).get("/", headers=signed())

    assert app.environ["REMOTE_USER"] == "alice"
    assert app.environ["HTTP_X_AUTH_SUBJECT"] == "alice"


def test_list_of_strings_is_joined_by_spaces(verifier):
    """Several groups are one value."""
    environ = seen(verifier, headers=signed(groups=["a", "b"]))

    assert environ["HTTP_X_AUTH_GROUPS"] == "a b"


@pytest.mark.parametrize(
    "groups", [pytest.param(None, id="missing"), pytest.param([], id="none"), ""]
)
def test_what_is_not_there_is_left_out(verifier, groups):
    """The application sees no header instead of an empty one."""
    environ = seen(
        verifier, headers=signed(groups=groups), environ={"HTTP_X_AUTH_GROUPS": "admins"}
    )

    assert "HTTP_X_AUTH_GROUPS" not in environ


def test_function_makes_the_value(verifier):
    """A function of the token says what is written; None writes nothing."""
    options = {
        "remote_user": lambda token: f"{token.subject}@{token.issuer}",
        "headers": {lambda token: None: "X-Auth-Groups"},
    }

    environ = seen(verifier, headers=signed(), environ=SPOOFED, options=options)

    assert environ["REMOTE_USER"] == f"alice@{ISSUER}"
    assert "HTTP_X_AUTH_GROUPS" not in environ


def test_remote_user_may_be_left_out(verifier):
    """With None, ``REMOTE_USER`` is removed and not set."""
    environ = seen(verifier, headers=signed(), environ=SPOOFED, options={"remote_user": None})

    assert "REMOTE_USER" not in environ
    assert environ["HTTP_X_AUTH_SUBJECT"] == "alice"


@pytest.mark.parametrize("cors", [None, CORS(origins=["https://app.example.com"])])
@pytest.mark.parametrize(
    "request_line",
    [
        pytest.param(("GET", "/public"), id="public"),
        pytest.param(("GET", "/optional"), id="optional"),
        pytest.param(("GET", "/delegated"), id="delegated"),
        pytest.param(("OPTIONS", "/public"), id="preflight"),
    ],
)
def test_spoofed_identity_never_arrives(verifier, request_line, cors):
    """Without a token nothing remains of what a client or server wrote, on every path."""
    method, path = request_line
    headers = {}
    if method == "OPTIONS":
        headers = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "GET"}

    environ = seen(
        verifier,
        method=method,
        path=path,
        headers=headers,
        environ=SPOOFED,
        status="*",
        cors=cors,
        policy=Policy(public("/public"), optional("/optional"), delegate("/delegated")),
    )

    assert environ is None or not SPOOFED.keys() & environ.keys()
    assert (environ is None) == (method == "OPTIONS" and cors is not None)


def test_token_that_a_rule_lets_through_writes_nothing(verifier):
    """An invalid token under `delegate`, and any token on a public path, give no identity."""
    policy = Policy(public("/public"), delegate("/delegated"))
    for path, headers in [("/public", signed()), ("/delegated", signed(exp=0))]:
        environ = seen(verifier, path=path, headers=headers, environ=SPOOFED, policy=policy)

        assert not SPOOFED.keys() & environ.keys()


def test_spoofed_values_are_replaced(verifier):
    """With a token the application sees the values of the token only."""
    environ = seen(verifier, headers=signed(groups=["users"]), environ=SPOOFED)

    assert [environ[name] for name in WRITTEN] == ["alice", "alice", "users"]
    assert "HTTP_REMOTE_USER" not in environ


@pytest.mark.parametrize("strip", [True, False])
def test_credential_is_removed_on_every_path(verifier, strip):
    """The application cannot log or forward a token that it does not see."""
    for path in ("/", "/public"):
        environ = seen(
            verifier,
            path=path,
            headers=signed(),
            environ={"HTTP_DPOP": "proof"},
            options={"strip_credential": strip},
            policy=Policy(public("/public")),
        )

        assert ("HTTP_AUTHORIZATION" in environ, "HTTP_DPOP" in environ) == (not strip, not strip)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("a\r\nX-Auth-Groups: admins", id="line break"),
        pytest.param("a\n", id="line feed at the end"),
        pytest.param("a\x00b", id="NUL"),
        pytest.param("a\tb", id="tab"),
        pytest.param("a\x7fb", id="DEL"),
        pytest.param("a\x85b", id="control character of Latin-1"),
        pytest.param("a\u2028b", id="line separator"),
        pytest.param("\u0430lice", id="Cyrillic"),
        pytest.param(5, id="number"),
        pytest.param(True, id="boolean"),
        pytest.param({"a": "b"}, id="object"),
        pytest.param(["a", 5], id="list with a number"),
        pytest.param(["a", None], id="list with null"),
        pytest.param([["a"]], id="list in a list"),
        pytest.param(["not admins"], id="member with a space"),
        pytest.param(["a", ""], id="empty member"),
        pytest.param(["a", "b\n"], id="line feed in a member"),
    ],
)
def test_value_that_is_not_a_header_is_refused(verifier, value):
    """The request is answered 401, and the log names the claim."""
    events = []

    environ = seen(verifier, headers=signed(groups=value), status=401, on_event=events.append)

    assert environ is None
    assert [(event.reason, event.claim) for event in events] == [("claim_invalid", "groups")]


def test_latin_1_arrives_as_it_is(verifier):
    """WSGI allows it in headers."""
    assert seen(verifier, headers=signed(groups="J\u00fcrgen"))["HTTP_X_AUTH_GROUPS"] == "Jürgen"


def test_function_that_breaks_is_refused(verifier):
    """The request fails closed, and the event names the header and the exception."""
    events = []
    options = {"headers": {lambda token: token.nope: "X-Auth-Groups"}}

    environ = seen(verifier, headers=signed(), options=options, status=401, on_event=events.append)

    assert environ is None
    assert [(e.reason, e.claim, e.cause) for e in events] == [
        ("claim_invalid", "X-Auth-Groups", "AttributeError")
    ]


def test_function_may_refuse(verifier):
    """A refusal of a function is answered as it is."""

    def admins_only(token):
        raise InsufficientScope(scopes=["admin"])

    seen(verifier, headers=signed(), options={"remote_user": admins_only}, status=403)


def test_issuers_with_one_subject_can_be_told_apart(make_verifier):
    """Two issuers may both have an alice, and a function writes two names."""
    other = "https://other.example.com"
    secret = "another secret of more than thirty-two bytes"
    both = TrustedIssuers(make_verifier(), make_verifier(SecretKey(secret), issuer=other))
    twin = sign_raw(good_claims(iss=other), {"alg": "HS256"}, secret=secret)
    options = {"remote_user": lambda token: f"{token.subject}@{token.issuer}"}

    users = [
        seen(both, headers={"Authorization": f"Bearer {token}"}, options=options)["REMOTE_USER"]
        for token in (make_token(), twin)
    ]

    assert users == [f"alice@{ISSUER}", f"alice@{other}"]


def test_wrapper_outside_of_the_middleware_is_an_error(verifier):
    """The wrong order does not pass as a site of anonymous users."""
    app = PropagateIdentity(JWTMiddleware(RecordingApp(), verifier))

    with pytest.raises(ConfigurationError, match="JWTMiddleware\\(PropagateIdentity"):
        app({}, None)


@pytest.mark.parametrize(
    "name",
    [
        *("Host", "Authorization", "Cookie", "DPoP", "Content-Type", "content-length", "Origin"),
        *("Transfer-Encoding", "Connection", "TE", "Proxy", "Proxy-Authorization", "Forwarded"),
        *("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Accept"),
        *("X-HTTP-Method-Override", "X-Original-URL", "X-Vhm-Root", "Sec-Fetch-Site", "If-Match"),
        pytest.param("X_Auth_Subject", id="underscores"),
        pytest.param("X-Auth-Subject\r\nX", id="line break"),
        pytest.param("", id="empty"),
        pytest.param("X--A", id="two hyphens"),
        pytest.param(5, id="number"),
    ],
)
def test_header_with_another_meaning_is_refused(name):
    """A claim cannot become the host, a credential, or what describes the connection."""
    with pytest.raises(ConfigurationError) as caught:
        PropagateIdentity(RecordingApp(), headers={"sub": name})

    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].startswith("headers: ")


@pytest.mark.parametrize("name", ["X-Forwarded-User", "X-Forwarded-Groups", "Remote-User", "X-Te"])
def test_usual_header_of_an_identity_is_accepted(verifier, name):
    """Applications for an authenticating proxy read these."""
    key = f"HTTP_{name.upper().replace('-', '_')}"

    assert seen(verifier, headers=signed(), options={"headers": {"sub": name}})[key] == "alice"


@pytest.mark.parametrize(
    ("arguments", "problems"),
    [
        pytest.param({"app": None}, ["app"], id="application"),
        pytest.param({"remote_user": 5}, ["remote_user"], id="remote user"),
        pytest.param({"remote_user": ""}, ["remote_user"], id="empty claim"),
        pytest.param({"headers": ["sub"]}, ["headers"], id="list"),
        pytest.param({"headers": {5: "X-A"}}, ["headers"], id="number for a claim"),
        pytest.param({"headers": {"a": "X-A", "b": "x-a"}}, ["headers"], id="header twice"),
        pytest.param({"strip_credential": 1}, ["strip_credential"], id="no boolean"),
        pytest.param(
            {"app": None, "remote_user": 5, "headers": {"": "Host"}, "strip_credential": None},
            ["app", "remote_user", "headers", "headers", "strip_credential"],
            id="all at once",
        ),
    ],
)
def test_wrong_arguments_of_propagate_identity_are_told_at_once(arguments, problems):
    """Each problem names its argument."""
    with pytest.raises(ConfigurationError) as caught:
        PropagateIdentity(**({"app": RecordingApp()} | arguments))

    assert [problem.partition(":")[0] for problem in caught.value.problems] == problems


def test_verified_claims_stay_complete(verifier):
    """The token in environ is not changed by the hand-over."""
    environ = seen(verifier, headers=signed(groups=["a", "b"]))

    assert environ["jwt_middleware.claims"]["groups"] == ["a", "b"]
