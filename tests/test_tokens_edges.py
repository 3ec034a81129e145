"""What tokens share in memory, and that it does not change them."""

import json

import pytest

from jwt_middleware.tokens import with_shared_parts


def parsed(value):
    """Return a value as a parser makes it, which shares nothing."""
    return json.loads(json.dumps(value))


@pytest.mark.parametrize("name", ["iss", "aud", "client_id", "azp", "scope", "scp"])
@pytest.mark.parametrize("value", ["a recurring value", ["a recurring value", "and another"]])
def test_recurring_claims_are_shared(name, value):
    """Two tokens of one issuer keep one instance of each text that recurs, alone or in a list."""
    one, other = (with_shared_parts({name: parsed(value)}) for _ in "12")

    if isinstance(value, str):
        assert one[name] is other[name]
    else:
        assert all(a is b for a, b in zip(one[name], other[name], strict=True))
        assert one[name] is not other[name]
    assert one == {name: value}


@pytest.mark.parametrize("name", ["iss", "aud", "scope"])
@pytest.mark.parametrize(
    "value", [None, 1, True, 1.0, {"a": ["b"]}, [["a"]], [1], [True], [1.0, {"a": 1}]], ids=repr
)
def test_claims_of_other_types_stay_as_they_are(name, value):
    """JSON's 1, 1.0 and true are equal in Python, and none is replaced by another."""
    shared = with_shared_parts({name: parsed(value), "sub": "alice"})

    assert repr(shared) == repr({name: value, "sub": "alice"})
