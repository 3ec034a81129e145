"""The filter for PasteDeploy."""

import json
import tomllib
from pathlib import Path

import pytest
from paste.deploy import loadapp
from webtest import TestApp

from jwt_middleware import ConfigurationError, Fetched, RemoteJWKSet, SecretKey, TokenIssuer
from jwt_middleware.integrations.paste import filter_factory
from jwt_middleware.jose import public_jwk
from tests.conftest import AUDIENCE, ISSUER, SECRET, bearer, echo

ROOT = Path(__file__).parents[1]
OPTIONS = {"secret": SECRET, "issuer": ISSUER, "audience": AUDIENCE}
FACTORY = "jwt_middleware.integrations.paste:filter_factory"
APP = """
[app:main]
paste.app_factory = tests.test_paste:app_factory
filter-with = jwt
"""


def app_factory(global_conf):
    """Return the application of the ini files."""
    return echo


def load(tmp_path, text, **options):
    """Load the application of an ini file."""
    (tmp_path / "app.ini").write_text(text)
    return TestApp(loadapp("config:app.ini", relative_to=str(tmp_path), **options))


def section(options, use=f"paste.filter_factory = {FACTORY}"):
    """Return the section of the filter."""
    return "\n".join(
        [APP, "[filter:jwt]", use, *(f"{name} = {value}" for name, value in options.items())]
    )


def token(audience=AUDIENCE, **options):
    """Return headers with a token for the present time."""
    key = options.pop("key", SecretKey(SECRET))
    return bearer(TokenIssuer(key, issuer=ISSUER, audience=audience).access_token("alice"))


def test_filter_of_an_ini_file_protects_the_application(tmp_path):
    """Every path needs a valid token, except for those of `public`."""
    app = load(tmp_path, section(OPTIONS | {"public": "/health\n  /static/* /favicon.ico"}))

    assert app.get("/", status=401).json["reason"] == "token_missing"
    assert app.get("/", headers=bearer("a.b.c"), status=401).json["reason"] == "token_malformed"
    assert app.get("/", headers=token()).json["sub"] == "alice"
    for path in ("/health", "/static/a/b", "/favicon.ico"):
        assert app.get(path).json is None
    app.get("/health/", status=401)


def test_filter_is_found_by_the_name_of_the_project(tmp_path, monkeypatch):
    """``use = egg:wsgi-jwt-middleware`` finds the entry point of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    entry_points = project["entry-points"]["paste.filter_factory"]
    metadata = tmp_path / "site" / "wsgi_jwt_middleware-0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Name: {project['name']}\nVersion: 0\n")
    lines = [f"{name} = {value}" for name, value in entry_points.items()]
    (metadata / "entry_points.txt").write_text("\n".join(["[paste.filter_factory]", *lines]))
    monkeypatch.syspath_prepend(tmp_path / "site")

    app = load(tmp_path, section(OPTIONS, use="use = egg:wsgi-jwt-middleware"))

    assert entry_points["main"] == FACTORY
    app.get("/", status=401)


def test_several_audiences_are_separated_by_spaces():
    """Each word of `audience` is an audience of the verifier."""
    app = TestApp(filter_factory({}, **OPTIONS | {"audience": "orders  invoices"})(echo))

    app.get("/", headers=token("invoices"))
    app.get("/", headers=token("orders  invoices"), status=401)


def test_secret_may_have_another_algorithm():
    """`algorithm` is that of the secret."""
    app = TestApp(filter_factory({}, **OPTIONS, algorithm="HS512")(echo))

    assert app.get("/", headers=token(), status=401).json["reason"] == "algorithm_not_allowed"


@pytest.mark.parametrize(
    ("options", "status"),
    [
        pytest.param({}, 200, id="every algorithm"),
        pytest.param({"algorithm": "RS256 ES256"}, 200, id="one of two"),
        pytest.param({"algorithm": "RS256"}, 401, id="another one"),
    ],
)
def test_keys_may_come_from_a_url(monkeypatch, private_keys, options, status):
    """`jwks_url` is the URL of a `RemoteJWKSet`, and `algorithm` lists what it may be used for."""
    key = private_keys["ES256"]
    jwks = json.dumps({"keys": [public_jwk(key.key)]})
    asked = []

    def fetch(url, **_):
        asked.append(url)
        return Fetched(jwks.encode())

    options = {"jwks_url": "https://id.example.com/jwks.json"} | options
    monkeypatch.setattr(
        "jwt_middleware.integrations.paste.RemoteJWKSet",
        lambda url, **arguments: RemoteJWKSet(url, fetch=fetch, **arguments),
    )
    app = TestApp(filter_factory({}, issuer=ISSUER, audience=AUDIENCE, **options)(echo))

    app.get("/", headers=token(key=key), status=status)

    assert asked == (["https://id.example.com/jwks.json"] if status == 200 else [])


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        pytest.param({"jwks_uri": "x"}, r"^jwks_uri: .*secret, jwks_url, algorithm", id="unknown"),
        pytest.param({"Secret": "x"}, "^Secret: there is no such option", id="upper case"),
        pytest.param({"policy": "x"}, "^policy: there is no such option", id="not for ini files"),
        pytest.param({"secret": None}, "^secret, jwks_url: write exactly one", id="no key"),
        pytest.param({"jwks_url": "https://x"}, "^secret, jwks_url: write exactly", id="two keys"),
        pytest.param({"secret": "short"}, "^secret: ", id="weak secret"),
        pytest.param({"secret": ""}, "^secret: ", id="empty secret"),
        pytest.param({"algorithm": "none"}, "algorithm: ", id="no algorithm"),
        pytest.param({"algorithm": ""}, "algorithm: ", id="empty algorithm"),
        pytest.param({"algorithm": "HS256 HS512"}, "algorithm: ", id="two for a secret"),
        pytest.param({"issuer": None}, "^issuer: it is missing", id="no issuer"),
        pytest.param({"issuer": ""}, "^issuer: ", id="empty issuer"),
        pytest.param({"audience": None}, "^audience: it is missing", id="no audience"),
        pytest.param({"audience": " "}, "^audience: ", id="empty audience"),
        pytest.param({"public": "health"}, "^paths: ", id="not a path"),
        pytest.param({"public": "/a, /b"}, "^public: separate", id="comma"),
    ],
)
def test_wrong_options_are_refused(tmp_path, changes, problem):
    """The application does not start. The message names the option and does not show a secret."""
    options = {name: value for name, value in (OPTIONS | changes).items() if value is not None}

    with pytest.raises(ConfigurationError, match=problem) as caught:
        load(tmp_path, section(options))

    assert SECRET not in str(caught.value)


def test_all_wrong_options_are_named_together():
    """One message has all problems."""
    with pytest.raises(ConfigurationError) as caught:
        filter_factory({}, jwks_uri="x", audiences="y")

    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "audiences",
        "jwks_uri",
        "secret, jwks_url",
        "issuer",
        "audience",
    ]


def test_shared_options_are_not_read(tmp_path):
    """Options of [DEFAULT] that the filter does not know are ignored."""
    shared = "[DEFAULT]\ndebug = true\nrealm = x\npublic_url = y\n"

    load(tmp_path, shared + section(OPTIONS), global_conf={"environment": "production"}).get(
        "/", status=401
    )


@pytest.mark.parametrize("name", ["secret", "algorithm", "issuer", "audience", "public"])
@pytest.mark.parametrize("is_in_section", [True, False])
def test_option_of_default_is_never_used(tmp_path, name, is_in_section):
    """PasteDeploy drops an option that [DEFAULT] has too, so the filter refuses to guess."""
    options = OPTIONS | {"algorithm": "HS256", "public": "/health"}
    value = options[name] if is_in_section else options.pop(name)

    with pytest.raises(ConfigurationError, match=f"{name}: .DEFAULT. has this option too"):
        load(tmp_path, f"[DEFAULT]\n{name} = {value}\n{section(options)}")


def test_option_of_default_can_be_asked_for(tmp_path):
    """``get issuer = issuer`` reads a shared option on purpose."""
    options = OPTIONS | {"get issuer": "issuer"}
    del options["issuer"]

    app = load(tmp_path, f"[DEFAULT]\nissuer = {ISSUER}\n{section(options)}")

    app.get("/", headers=token())


def test_secret_may_come_from_the_command_line(tmp_path):
    """``%(name)s`` reads a value that the server was started with."""
    options = OPTIONS | {"secret": "%(jwt_secret)s"}

    app = load(tmp_path, section(options), global_conf={"jwt_secret": SECRET})

    app.get("/", headers=token())


def test_key_that_is_not_needed_may_be_shared(tmp_path):
    """A `secret` in [DEFAULT] is for another part of the application if there is a `jwks_url`."""
    options = OPTIONS | {"jwks_url": "https://id.example.com/jwks.json"}
    secret = options.pop("secret")

    load(tmp_path, f"[DEFAULT]\nsecret = {secret}\n{section(options)}").get("/", status=401)
