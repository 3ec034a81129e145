"""The map of the house: a module imports only from floors below its own."""

import ast
from pathlib import Path

import pytest

import jwt_middleware

PACKAGE = Path(jwt_middleware.__file__).parent
FLOORS = [
    ["clock", "errors", "events", "faults", "fetch", "paths", "refresh", "secret_check", "weak_keys"],
    ["jose", "stores", "tokens"],
    [
        "cors",
        "credentials",
        "discovery",
        "jwk",
        "redis_store",
        "revocation",
        "ring",
        "rules",
        "sqlite_store",
        "testing",
        "validators",
    ],
    ["keys", "refresh_tokens"],
    ["jwks", "sessions"],
    ["issuer", "policy", "responses", "verifier"],
    ["middleware"],
    ["__init__"],
]
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}


def imports(path):
    """Return the names of all modules that a file imports, at any depth."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module for node in nodes if isinstance(node, ast.ImportFrom)}


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*.py")), ids=lambda path: path.stem)
def test_module_imports_downwards_only(path):
    """No module knows of one on its own floor or above."""
    own = {name.removeprefix("jwt_middleware.") for name in imports(path) if name.startswith("jwt_middleware")}

    assert all(FLOOR[name] < FLOOR[path.stem] for name in own)


def test_only_jose_knows_pyjwt():
    """PyJWT and cryptography come in through one door."""
    users = {path.stem for path in PACKAGE.glob("*.py") if {"jwt", "cryptography"} & {n.split(".")[0] for n in imports(path)}}

    assert users == {"jose"}


def test_every_public_name_is_there():
    """What the package exports exists, once."""
    names = jwt_middleware.__all__

    assert len(names) == len(set(names))
    assert all(hasattr(jwt_middleware, name) for name in names)
