"""The failure registry: what holds for each reason."""

import json
import re
from pathlib import Path

import pytest
from webtest import TestApp
from webtest.lint import middleware as lint

from jwt_middleware import (
    AuthError,
    InsufficientScope,
    InvalidToken,
    MissingToken,
    Unavailable,
)
from jwt_middleware.errors import registry

ERRORS = [pytest.param(kind, reason, id=reason) for reason, kind in registry().items()]
# RFC 6750 §3: the characters that error and error_description may hold.
DESCRIPTION = re.compile(r"[\x20-\x21\x23-\x5B\x5D-\x7E]+")
# RFC 9110 §11.2, §11.6.1: a challenge whose every value is a quoted string.
CHALLENGE = re.compile(r'Bearer [a-z_]+="[^"\\]+"(, [a-z_]+="[^"\\]+")*')
REFERENCE = Path(__file__).parents[1] / "docs" / "errors.md"


@pytest.mark.parametrize(("kind", "reason"), ERRORS)
def test_description_stays_within_rfc6750(kind, reason):
    """A description needs no escaping in a header."""
    description = kind(reason).description

    assert DESCRIPTION.fullmatch(description)


@pytest.mark.parametrize(("kind", "reason"), ERRORS)
def test_401_carries_a_quoted_challenge(kind, reason):
    """A 401 has a challenge. In every challenge the realm comes first and each value is quoted."""
    challenge = kind(reason, scopes=["a:b"]).challenge("the realm")

    assert challenge is None or CHALLENGE.fullmatch(challenge)
    assert challenge is None or challenge.startswith('Bearer realm="the realm"')
    assert challenge or kind.code != 401


@pytest.mark.parametrize(("kind", "reason"), ERRORS)
def test_reference_has_a_row(kind, reason):
    """The documentation lists each reason with its status, error code and description."""
    row = f"| `{reason}` | {kind.code} | `{kind.error}` | {kind.reasons[reason]} |"

    assert row in REFERENCE.read_text()


@pytest.mark.parametrize(("kind", "reason"), ERRORS)
def test_error_is_itself_a_wsgi_application(kind, reason):
    """An error that an application returns looks like a refusal of the middleware."""
    error = kind(reason)

    response = TestApp(lint(error)).get("/", status=error.status)

    assert response.json == {
        "error": kind.error,
        "error_description": kind.reasons[reason],
        "reason": reason,
    }
    assert response.headers.get("WWW-Authenticate") == error.challenge()
    assert response.headers["Cache-Control"] == "no-store"
    assert response.content_type == "application/json"


def test_reasons_belong_to_one_class_each():
    """A reason belongs to one class, and so it has one status."""
    reasons = [reason for kind in set(registry().values()) for reason in kind.reasons]

    assert len(reasons) == len(set(reasons)) == len(registry())


def test_reason_may_be_left_out_where_there_is_one():
    """The argument may be left out for a class with one reason."""
    assert MissingToken().reason == "token_missing"


@pytest.mark.parametrize("reason", [None, "nonsense", "token_missing"])
def test_reason_must_be_one_of_the_class(reason):
    """A reason of another class raises ValueError."""
    with pytest.raises(ValueError, match="is not one of"):
        InvalidToken(reason)


def test_scopes_of_an_error_reach_body_and_challenge():
    """Body and challenge contain the required scopes, separated by spaces."""
    error = InsufficientScope(scopes=["orders:write", "orders:read"])

    assert json.loads(error.get_body())["scope"] == "orders:write orders:read"
    assert error.challenge().endswith(', scope="orders:write orders:read"')


def test_scopes_that_break_out_of_a_header_are_refused():
    """A scope with quotes or line breaks raises ValueError."""
    with pytest.raises(ValueError, match="scope-token"):
        InsufficientScope(scopes=['a"\r\nSet-Cookie: x=y'])


def test_errors_of_an_application_join_the_registry():
    """An application can add its own class with its own reasons."""

    class TenantSuspended(AuthError):
        code = 403
        error = "access_denied"
        reasons = {"tenant_suspended": "The tenant is suspended"}

    try:
        assert TenantSuspended().to_dict()["reason"] == "tenant_suspended"
        assert registry()["tenant_suspended"] is TenantSuspended
    finally:
        TenantSuspended.reasons = {}


def test_unavailable_always_says_when_to_try_again():
    """An `Unavailable` without a time has a Retry-After header too."""
    assert ("Retry-After", "1") in Unavailable("keys_unavailable").own_headers()
    assert ("Retry-After", "7") in Unavailable("keys_unavailable", retry_after=7).own_headers()
