"""Faults: what a mistaken argument is told."""

import math

import pytest

from jwt_middleware import ConfigurationError
from jwt_middleware.arguments import names_faults, seconds_faults, whole_faults

HUGE = pytest.param(10**5000, id="more digits than are written")


@pytest.mark.parametrize("value", [0, 0.5, 1, 2**31 - 1])
def test_numbers_of_seconds_pass(value):
    """Whole or not, up to a life time."""
    assert list(seconds_faults(0, a=value)) == []


@pytest.mark.parametrize(
    "value",
    [
        -1,
        -0.001,
        2**31,
        math.inf,
        -math.inf,
        math.nan,
        "1",
        None,
        True,
        HUGE,
        [1],
    ],
)
def test_what_is_no_number_of_seconds_is_named(value):
    """The fault names the argument, and shows the value where it can be shown."""
    (fault,) = seconds_faults(0, a=value)

    assert fault.startswith("a: ")
    assert fault.endswith("write a number of seconds from 0 up, below 2^31")


@pytest.mark.parametrize("value", [0, -1, 1.0, math.nan, "1", None, True, 2**31, HUGE])
def test_what_is_no_whole_number_is_named(value):
    """A float is none, nor is a bool."""
    (fault,) = whole_faults(1, a=value)

    assert fault.startswith("a: ")


def test_each_argument_has_its_own_fault():
    """The good ones have none."""
    faults = list(whole_faults(1, a=0, b=1, c="x"))

    assert [fault[0] for fault in faults] == ["a", "c"]


def test_long_value_is_not_repeated():
    """A fault is one line that can be read."""
    (fault,) = names_faults("a", {"x" * 10_000: 1}, "['b']")

    assert fault == "a: this dict is not usable; write ['b']"


def test_configuration_error_keeps_the_faults_apart():
    """A program may show them one by one."""
    error = ConfigurationError("a: wrong", "b: wrong")

    assert error.faults == ("a: wrong", "b: wrong")
    assert isinstance(error, ValueError)
