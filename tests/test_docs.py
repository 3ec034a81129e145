"""The documents: their examples run, and the names in them exist."""

import ast
import json
import re
from inspect import signature
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from webtest import TestApp

from jwt_middleware import PrivateKey, TokenIssuer
from jwt_middleware.jose import public_jwk, public_pem
from jwt_middleware.testing import FakeIssuer
from tests.conftest import bearer, pem_of

ROOT = Path(__file__).parents[1]
SECRET = "a secret for the examples, long enough"


def examples(name):
    """Return the Python examples of a document."""
    return re.findall(r"^```python\n(.*?)^```", (ROOT / name).read_text(), re.DOTALL | re.MULTILINE)


@pytest.fixture
def names(monkeypatch, tmp_path):
    """The names that the examples use without defining them."""
    from django.conf import settings

    if not settings.configured:
        settings.configure(SECRET_KEY=SECRET, ALLOWED_HOSTS=["*"])
    monkeypatch.setenv("JWT_SECRET", SECRET)
    monkeypatch.chdir(tmp_path)
    rsa_key = PrivateKey(
        pem_of(rsa.generate_private_key(public_exponent=65537, key_size=2048)), algorithm="RS256"
    )
    ec_key = PrivateKey(
        pem_of(ec.generate_private_key(ec.SECP256R1())), algorithm="ES256", key_id="k"
    )
    jwk = public_jwk(ec_key.key)
    return {
        "__name__": "__main__",
        "public_pem": public_pem(rsa_key.key),
        "private_pem": pem_of(ec_key.key.material),
        "jwk": jwk,
        "jwks_json": f'{{"keys": [{str(jwk).replace(chr(39), chr(34))}]}}',
    }


@pytest.mark.parametrize(
    "name", ["README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]
)
def test_examples_run_one_after_the_other(name, names):
    """The examples of a document run in order in one session."""
    for example in examples(name):
        exec(compile(example, name, "exec"), names)


def test_tests_in_the_testing_document_pass(names):
    """The examples of tests pass."""
    exec("\n".join(examples("docs/testing.md")), names)
    tests = [value for name, value in names.items() if name.startswith("test_")]

    assert len(tests) > 5
    for test in tests:
        test(**{name: FakeIssuer() for name in signature(test).parameters})


def test_smallest_example_does_what_it_says(names):
    """The first example of the README greets users with a token, and refuses others."""
    exec(examples("README.md")[0], names)
    app = TestApp(names["app"])
    key = names["SecretKey"](SECRET)
    token = TokenIssuer(
        key, issuer="https://id.example.com", audience="https://api.example.com"
    ).access_token("alice")

    assert app.get("/", headers=bearer(token)).text == "Hello alice\n"
    assert app.get("/", status=401).json["reason"] == "token_missing"


def test_django_example_answers_as_the_middleware_does(names):
    """A failure that a view raises keeps its status, challenge and body."""
    for example in examples("docs/errors.md"):
        exec(example, names)
    failure = names["InsufficientScope"](scopes=["orders:delete"])

    response = names["AnswerAuthErrors"](None).process_exception(None, failure)

    assert (response.status_code, response["WWW-Authenticate"]) == (403, failure.challenge())
    assert json.loads(response.content) == failure.to_dict()
    assert names["AnswerAuthErrors"](None).process_exception(None, KeyError()) is None


def test_security_document_names_tests_that_exist():
    """Each test that SECURITY.md names exists."""
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "SECURITY.md").read_text()))

    assert named
    assert {name for name in named if f"def {name}(" not in tests} == set()


def test_links_between_documents_lead_somewhere():
    """A relative link in a document points to a file."""
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    links = [
        (path, link)
        for path in documents
        for link in re.findall(r"\]\(([\w./-]+)\)", path.read_text())
    ]

    assert [(path.name, link) for path, link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize(
    "path", sorted((ROOT / "tests").rglob("test_*.py")), ids=lambda path: path.stem
)
def test_every_test_states_its_law(path):
    """Every test has a docstring."""
    tests = [
        node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)
    ]

    assert [
        test.name for test in tests if test.name.startswith("test_") and not ast.get_docstring(test)
    ] == []
