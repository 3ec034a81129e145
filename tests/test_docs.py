"""The documents: their examples run, and what they name exists."""

import ast
import inspect
import json
import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from webtest import TestApp

import jwt_middleware
from jwt_middleware import (
    JWTMiddleware,
    PrivateKey,
    PropagateIdentity,
    RemoteJWKSet,
    TokenCookies,
    TokenIssuer,
)
from jwt_middleware.errors import registry
from jwt_middleware.jose import public_jwk, public_pem
from jwt_middleware.testing import FakeIssuer
from tests.conftest import bearer, pem_of
from tests.test_layers import LAYERS

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
SECRET = "a secret for the examples, long enough"


def examples(name):
    """Return the Python examples of a document."""
    return re.findall(r"^```python\n(.*?)^```", (ROOT / name).read_text(), re.DOTALL | re.MULTILINE)


@pytest.fixture
def names(monkeypatch, tmp_path):
    """What the examples may take for granted."""
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


@pytest.mark.parametrize("name", [str(path.relative_to(ROOT)) for path in DOCUMENTS])
def test_examples_run_one_after_the_other(name, names):
    """Pasted in order into one session, the examples of a document work."""
    for example in examples(name):
        exec(compile(example, name, "exec"), names)


def test_tests_in_the_testing_document_pass(names):
    """The examples of tests pass."""
    exec("\n".join(examples("docs/testing.md")), names)
    tests = [value for name, value in names.items() if name.startswith("test_")]

    assert len(tests) > 5
    for test in tests:
        test(**{name: FakeIssuer() for name in inspect.signature(test).parameters})


def test_smallest_example_does_what_it_says(names):
    """The README's first example greets a user with a token, and refuses a request without one."""
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


def test_adapters_answer_as_the_document_says(names):
    """The applications of docs/frameworks.md open one view, know the user, and ask for scopes."""
    from django.test import Client, override_settings

    for example in examples("docs/frameworks.md"):
        exec(example, names)
    issuer = TokenIssuer(
        names["SecretKey"](SECRET),
        issuer="https://id.example.com",
        audience="https://api.example.com",
    )
    alice, writer = (
        bearer(issuer.access_token("alice", scopes=scopes)) for scopes in ([], ["orders:write"])
    )
    project = override_settings(
        ROOT_URLCONF=tuple(names["urlpatterns"]),
        **{name: names[name] for name in ("MIDDLEWARE", "JWT_MIDDLEWARE")},
    )

    with project:
        for http, body in (
            (names["app"].test_client(), "data"),
            (Client(enforce_csrf_checks=True), "content"),
        ):
            assert http.get("/health").status_code == 200
            assert http.get("/me").status_code == http.get("/nothing").status_code == 401
            assert b"Alice" in getattr(http.get("/me", headers=alice), body)
            assert http.delete("/orders/7", headers=alice).status_code == 403
            assert http.delete("/orders/7", headers=writer).status_code == 200


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "SECURITY.md"])
def test_document_names_tests_that_exist(name):
    """Each claim in SECURITY.md, and each recipe in CONTRIBUTING.md, has a test of that name."""
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", (ROOT / name).read_text()))

    assert named
    assert {name for name in named if f"def {name}(" not in tests} == set()


def anchors(path):
    """Return the fragments that lead to the headings of a document, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_between_documents_lead_somewhere():
    """A relative link in a document points to a file, and its fragment to a heading of it."""
    links = [
        (path, *link)
        for path in DOCUMENTS
        for link in re.findall(r"\]\(([\w./-]*)(?:#([\w-]+))?\)", path.read_text())
    ]
    broken = [
        (path.name, link, fragment)
        for path, link, fragment in links
        if not (path.parent / link).exists()
        or (fragment and fragment not in anchors(path.parent / link if link else path))
    ]

    assert links
    assert broken == []


def test_contributing_lists_every_module():
    """The table of modules in CONTRIBUTING.md shows the layers that test_layers.py checks."""
    table = re.findall(r"^\| (\d) \| `(\w+)", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    layers = [(str(number), name) for number, names in enumerate(LAYERS) for name in names]

    assert table == [(number, name) for number, name in layers if name != "__init__"]


@pytest.mark.parametrize("reason", registry())
def test_every_reason_says_what_to_do(reason):
    """docs/errors.md has a paragraph for each reason."""
    assert re.search(
        rf"^\*\*`{reason}`\*\*: ", (ROOT / "docs" / "errors.md").read_text(), re.MULTILINE
    )


def test_every_public_name_is_documented():
    """Each name that the package exports is mentioned in README or docs."""
    text = "".join(
        path.read_text()
        for path in DOCUMENTS
        if path.name not in {"CHANGELOG.md", "CONTRIBUTING.md"}
    )

    assert [name for name in jwt_middleware.__all__ if not re.search(rf"\b{name}\b", text)] == []


@pytest.mark.parametrize(
    "kind", [JWTMiddleware, PropagateIdentity, TokenIssuer, RemoteJWKSet, TokenCookies]
)
def test_reference_lists_every_argument(kind):
    """The reference has a table with the arguments of each large constructor, in their order."""
    reference = (ROOT / "docs" / "reference.md").read_text()
    arguments = list(inspect.signature(kind).parameters)

    tables = re.findall(r"^\| argument \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", reference, re.MULTILINE)

    assert arguments in [re.findall(r"^\| `(\w+)`", table, re.MULTILINE) for table in tables]


@pytest.mark.parametrize(
    "path", sorted((ROOT / "tests").rglob("test_*.py")), ids=lambda path: path.stem
)
def test_every_test_states_its_law(path):
    """A test without a docstring does not say what it is for."""
    tests = [
        node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)
    ]

    assert [
        test.name for test in tests if test.name.startswith("test_") and not ast.get_docstring(test)
    ] == []
