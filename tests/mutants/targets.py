"""Which modules are mutated, and which tests each of them must satisfy."""

from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Found without importing it: the processes import it, each with a mutant in it.
PACKAGE = Path(find_spec("jwt_middleware").origin).parent
TESTS = ROOT / "tests"

# The modules that decide about a request, and their tests. The longest entry that fits counts.
_OWN_TESTS = {
    "cors.py": ["test_cors*.py"],
    "credentials.py": ["test_credentials*.py"],
    "errors.py": ["test_errors*.py", "test_responses*.py", "test_middleware*.py"],
    "issuing/": ["test_issuer*.py", "test_sessions*.py"],
    "jose/": ["test_jose*.py"],
    "jose/compact.py": ["test_jose*.py", "test_verifier*.py"],
    "keys/": ["test_jwks*.py", "test_keys*.py"],
    "keys/discovery.py": ["test_jwks*.py", "test_identity_providers*.py"],
    "keys/fetch.py": ["test_fetch*.py"],
    "keys/jwk.py": ["test_jwk*.py"],
    "keys/refreshing.py": ["test_refresh*.py", "test_jwks*.py"],
    "keys/secret_check.py": ["test_secret_check*.py"],
    "keys/weak_keys.py": ["test_weak_keys*.py"],
    "middleware.py": ["test_middleware*.py", "test_cors*.py"],
    "policy/": ["test_policy*.py"],
    "policy/__init__.py": ["test_layers.py"],
    "responses.py": ["test_responses*.py", "test_middleware*.py"],
    "revocations.py": ["test_revocation*.py"],
    "stores/": ["test_stores*.py"],
    "tokens.py": ["test_tokens*.py", "test_middleware*.py"],
    "trusted_issuers.py": ["test_trusted_issuers*.py"],
    "validators.py": ["test_validators*.py", "test_verifier*.py"],
    "verifier.py": ["test_verifier*.py"],
}
# They start processes, which import the package as it is on disk, or look only at the source.
_BLIND_TESTS = {
    "test_demo.py",
    "test_fuzz.py",
    "test_mutants.py",
    "test_prefork.py",
    "test_prose.py",
    "test_servers.py",
}


# Tests of keys, stores and sessions: they do not test how a request is read and answered.
_REQUEST_PATH = ("cors.py", "credentials.py", "middleware.py", "policy/", "responses.py")
_FAR_TESTS = {
    "test_fetch.py",
    "test_issuer.py",
    "test_jose.py",
    "test_jwk.py",
    "test_jwks.py",
    "test_keys.py",
    "test_refresh.py",
    "test_revocation.py",
    "test_secret_check.py",
    "test_sessions.py",
    "test_stores.py",
    "test_weak_keys.py",
}


def modules(chosen=()):
    """Return the modules to mutate; `chosen` limits them, to ``policy`` or ``jose/compact``."""
    names = (str(path.relative_to(PACKAGE)) for path in sorted(PACKAGE.rglob("*.py")))
    decisive = [name for name in names if _entry(name)]
    unknown = [prefix for prefix in chosen if not any(_is_in(name, prefix) for name in decisive)]
    if unknown:
        raise SystemExit(f"no such module: {', '.join(unknown)}; there are {', '.join(decisive)}")
    return [
        name for name in decisive if not chosen or any(_is_in(name, prefix) for prefix in chosen)
    ]


def own_tests(module):
    """Return the test files that are made for a module."""
    patterns = _OWN_TESTS[_entry(module)]
    found = [sorted(TESTS.glob(pattern)) for pattern in patterns]
    if not all(found):
        raise SystemExit(f"{module}: no tests match {patterns}; correct tests/mutants/targets.py")
    return _named(path for paths in found for path in paths)


def wide_tests(module):
    """Return the test files that a mutant has to survive as well, to count as a survivor."""
    left_out = _BLIND_TESTS | (_FAR_TESTS if module.startswith(_REQUEST_PATH) else set())
    return _named(path for path in sorted(TESTS.glob("test_*.py")) if path.name not in left_out)


def _entry(module):
    fitting = [entry for entry in _OWN_TESTS if module.startswith(entry)]
    return max(fitting, key=len, default=None)


def _is_in(module, prefix):
    return module.removesuffix(".py") == prefix.removesuffix(".py") or module.startswith(
        f"{prefix.rstrip('/')}/"
    )


def _named(paths):
    return tuple(dict.fromkeys(str(path.relative_to(ROOT)) for path in paths))
