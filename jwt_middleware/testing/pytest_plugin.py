"""Fixtures for pytest: ``pytest_plugins = ["jwt_middleware.testing.pytest_plugin"]``."""

import pytest

from jwt_middleware.testing.fake_issuer import FakeIssuer


@pytest.fixture
def fake_issuer() -> FakeIssuer:
    """Return a new `FakeIssuer` for each test. Define a fixture of this name to use arguments."""
    return FakeIssuer()
