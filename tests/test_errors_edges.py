"""The failure registry: the edges of scopes, reasons and challenges."""

import pytest
from werkzeug.wrappers import Request, Response

from jwt_middleware import (
    AccessDenied,
    AuthError,
    ExpiredToken,
    InsufficientScope,
    InvalidToken,
    MissingToken,
)
from jwt_middleware.errors import RESPOND, InvalidGrant, OriginNotAllowed, Unavailable


def is_scope(value):
    """Tell whether a failure can ask for this scope."""
    try:
        InsufficientScope(scopes=[value])
    except ValueError:
        return False
    return True


def test_scope_has_only_characters_of_rfc6749():
    """RFC 6749 §3.3: a scope is visible ASCII without the quote and the backslash."""
    visible = {chr(code) for code in range(0x21, 0x7F)}

    assert {c for c in map(chr, range(256)) if is_scope(f"a{c}")} == visible - {'"', "\\"}


@pytest.mark.parametrize("scopes", [[5], [None], ["read", "a b"], ["a b", "read"]], ids=repr)
def test_every_scope_is_checked(scopes):
    """One wrong scope among good ones is a mistake of the program."""
    with pytest.raises(ValueError, match="scope-token"):
        InsufficientScope(scopes=scopes)


def test_wrong_reason_is_refused_even_if_there_is_only_one():
    """A reason that the class does not have is a mistake of the program."""
    with pytest.raises(ValueError, match="'token_revoked' is not one of token_expired"):
        ExpiredToken("token_revoked")


def test_failure_blames_no_claim_unless_it_is_told():
    """`claim` is None if no claim is wrong."""
    assert InvalidToken("signature_invalid").claim is None


@pytest.mark.parametrize(
    ("error", "challenge"),
    [
        pytest.param(MissingToken(), 'Bearer realm="api"', id="no credentials, no error code"),
        pytest.param(
            ExpiredToken(),
            'Bearer realm="api", error="invalid_token",'
            ' error_description="The access token has expired"',
            id="a bad token",
        ),
        pytest.param(
            InsufficientScope(scopes=["read", "write"]),
            'Bearer realm="api", error="insufficient_scope",'
            ' error_description="The access token lacks a scope that this request needs",'
            ' scope="read write"',
            id="a scope is missing",
        ),
        pytest.param(AccessDenied(), None, id="access denied"),
        pytest.param(OriginNotAllowed(), None, id="preflight"),
        pytest.param(InvalidGrant("refresh_token_expired"), None, id="refresh token"),
        pytest.param(Unavailable("store_unavailable"), None, id="outage"),
    ],
)
def test_challenge_is_that_of_rfc6750(error, challenge):
    """A challenge tells the client what was wrong, if another token could help."""
    assert error.challenge() == challenge


def test_own_kind_of_error_has_a_challenge():
    """A kind of error that an application adds has a full challenge, and no time to try again."""

    class DeviceUnknown(AuthError):
        code = 401
        error = "invalid_token"
        reasons = {"device_unknown": "The device is unknown"}

    assert dict(DeviceUnknown().own_headers()) == {
        "WWW-Authenticate": 'Bearer realm="api", error="invalid_token",'
        ' error_description="The device is unknown"',
        "Cache-Control": "no-store",
    }


def test_response_without_a_request_is_the_usual_one():
    """Werkzeug's `get_response` works without environ."""
    response = MissingToken().get_response()

    assert response.status_code == 401
    assert MissingToken().get_headers() == MissingToken().get_headers({})


@pytest.mark.parametrize("as_request", [False, True], ids=["environ", "request"])
def test_response_behind_the_middleware_is_that_of_the_middleware(as_request):
    """The function that the middleware left in environ answers."""
    answer = Response("ours")
    environ = {"REQUEST_METHOD": "GET", RESPOND: lambda error, environ: answer}

    assert MissingToken().get_response(Request(environ) if as_request else environ) is answer
