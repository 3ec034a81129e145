"""Events: what is logged, and what happens if a hook fails."""

import logging
from pathlib import Path
from typing import get_args

import pytest

from jwt_middleware import log_events
from jwt_middleware.events import (
    CallableFailed,
    Event,
    KeyDropped,
    KeyRefreshFailed,
    KeysNotTried,
    KeysRefreshed,
    KeyUnknown,
    RefreshTokenReused,
    RequestRejected,
    StoreExposed,
    StoreFailed,
    StoreFull,
    emit,
)

REFERENCE = Path(__file__).parents[1] / "docs" / "events.md"
REJECTED = RequestRejected(reason="token_expired", status=401, method="GET", path="/x", claim="exp")
BROKEN = REJECTED._replace(cause="KeyError")


def test_log_is_one_line_of_names_and_values(caplog):
    """A refusal is logged with its reason. Empty fields are left out."""
    with caplog.at_level(logging.INFO, "jwt_middleware"):
        log_events(REJECTED)

    assert caplog.messages == [
        "RequestRejected reason='token_expired' status=401 method='GET' path='/x' claim='exp'"
    ]


def test_log_of_hostile_path_stays_one_line(caplog):
    """A line break in a path cannot add a second line to the log."""
    with caplog.at_level(logging.INFO, "jwt_middleware"):
        log_events(REJECTED._replace(path="/x\r\nRequestAccepted admin\x1b[2J"))

    assert "\n" not in caplog.messages[0]
    assert "\x1b" not in caplog.messages[0]


@pytest.mark.parametrize(
    ("event", "level"),
    [
        pytest.param(REJECTED, "INFO", id="refusal"),
        pytest.param(BROKEN._replace(reason="token_malformed"), "INFO", id="bad input"),
        pytest.param(BROKEN._replace(reason="claim_invalid"), "ERROR", id="broken validator"),
        pytest.param(BROKEN._replace(reason="check_failed"), "ERROR", id="broken check"),
        pytest.param(KeyDropped(0, None, "x"), "WARNING", id="key dropped"),
        pytest.param(CallableFailed("render", "KeyError"), "ERROR", id="broken renderer"),
        pytest.param(KeysRefreshed("u", ("k",), changed=True), "INFO", id="keys changed"),
        pytest.param(KeysRefreshed("u", ("k",), changed=False), "DEBUG", id="keys unchanged"),
        pytest.param(KeyRefreshFailed("u", "x", 1, usable_for=9), "WARNING", id="keys stale"),
        pytest.param(KeyRefreshFailed("u", "x", 1, usable_for=0), "ERROR", id="keys gone"),
        pytest.param(KeysNotTried("u", ("RS256",), tried=8), "WARNING", id="too many keys"),
        pytest.param(KeyUnknown("u", "k"), "INFO", id="unknown key"),
        pytest.param(StoreFailed("put", "x", allowed=False), "ERROR", id="store failed"),
        pytest.param(StoreFull(10), "ERROR", id="store full"),
        pytest.param(StoreExposed("h", "no TLS"), "WARNING", id="store exposed"),
        pytest.param(RefreshTokenReused("alice", "s"), "WARNING", id="theft"),
    ],
)
def test_level_follows_who_must_act(event, level, caplog):
    """Mistakes of clients are INFO, problems with keys WARNING, bugs of the application ERROR."""
    with caplog.at_level(logging.DEBUG, "jwt_middleware"):
        log_events(event)

    assert [record.levelname for record in caplog.records] == [level]


def test_log_below_its_level_writes_nothing(caplog):
    """A refusal is not logged if the level is WARNING."""
    with caplog.at_level(logging.WARNING, "jwt_middleware"):
        log_events(REJECTED)

    assert caplog.records == []


def test_hook_that_raises_is_logged_and_survived(caplog):
    """An exception in a hook is logged."""

    def broken(event):
        raise RuntimeError("metrics are down")

    emit(broken, REJECTED)

    assert "on_event raised for RequestRejected" in caplog.text


@pytest.mark.parametrize("kind", get_args(Event))
def test_reference_has_a_row(kind):
    """The documentation lists each event with its fields."""
    assert (
        f"| `{kind.__name__}` | {', '.join(f'`{name}`' for name in kind._fields)} |"
        in REFERENCE.read_text()
    )
