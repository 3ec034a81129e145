"""The demo from end to end: login, resource, expiry, and its command line."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest
from webtest import TestApp
from webtest.lint import middleware as lint

from demo_app import NAME, create_app, store_at
from jwt_middleware import MemoryStore, RedisStore, SQLiteStore
from tests.conftest import bearer, sign_raw

SECRET = "a demo secret of more than thirty-two bytes"


@pytest.fixture
def demo(clock):
    """The demo, with tokens that live ten seconds."""
    return TestApp(lint(create_app(SECRET, token_ttl=10, clock=clock)))


def log_in(demo, user_id=1):
    return demo.post_json("/login", {"user_id": user_id}).json["token"]


def token_for(subject, clock):
    return sign_raw(
        {"iss": NAME, "aud": NAME, "sub": subject, "jti": subject, "exp": clock.now + 10},
        secret=SECRET,
    )


def test_index_without_token_says_what_to_try(demo):
    """The front page is public and names the endpoints."""
    response = demo.get("/")

    assert response.json["try"][:3] == ["POST /login", "GET /resource", "POST /refresh"]


@pytest.mark.parametrize(("user_id", "name"), [(1, "Alice"), (2, "Bob")])
def test_login_then_resource_greets_the_user(demo, user_id, name):
    """The token of a login opens the resource, which knows whose it is."""
    token = log_in(demo, user_id)

    response = demo.get("/resource", headers=bearer(token))

    assert response.json == {"user": {"id": user_id, "name": name}}


def test_login_answers_as_rfc6749(demo):
    """A login returns the token, its type and its life time, and a refresh token."""
    response = demo.post_json("/login", {"user_id": 1})

    tokens = {name: response.json[name] for name in ("token", "refresh_token")}
    assert response.json == {"token_type": "Bearer", "expires_in": 10} | tokens


def test_default_life_time_is_thirty_minutes(clock):
    """Without an option a token lives 1800 seconds."""
    demo = TestApp(create_app(SECRET, clock=clock))

    assert demo.post_json("/login", {"user_id": 1}).json["expires_in"] == 1800


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"user_id": 3}', id="unknown user"),
        pytest.param(b'{"user_id": "1"}', id="string"),
        pytest.param(b'{"user_id": true}', id="bool"),
        pytest.param(b'{"user_id": 1.0}', id="float"),
        pytest.param(b'{"user_id": null}', id="null"),
        pytest.param(b'{"user_id": [1]}', id="list"),
        pytest.param(b'{"user_id": ' + b"9" * 4300 + b"}", id="large number"),
        pytest.param(b"{}", id="no user_id"),
        pytest.param(b"[1]", id="no object"),
        pytest.param(b"user_id=1", id="no JSON"),
        pytest.param(b"\xff\xfe", id="no UTF-8"),
        pytest.param(b"[" * 100_000, id="deep nesting"),
        pytest.param(b"", id="empty"),
    ],
)
def test_login_with_anything_else_is_400(demo, body):
    """Whatever is not the id of a user gets the same answer."""
    response = demo.post("/login", body, content_type="application/json", status=400)

    assert response.json == {"error": "Invalid user_id"}


def test_login_without_json_content_type_is_400(demo):
    """A form is no JSON."""
    response = demo.post("/login", {"user_id": "1"}, status=400)

    assert response.json == {"error": "Invalid user_id"}


def test_resource_for_unknown_user_is_404(demo, clock):
    """A good token of somebody the demo does not know finds no user."""
    for subject in ("3", "bob", "1.0"):
        response = demo.get("/resource", headers=bearer(token_for(subject, clock)), status=404)

        assert response.json == {"error": "User not found"}


def test_resource_without_token_is_401(demo):
    """No token, no resource; the challenge says what is wanted."""
    response = demo.get("/resource", status=401)

    assert (response.json["reason"], response.headers["WWW-Authenticate"]) == (
        "token_missing",
        'Bearer realm="api"',
    )


def test_resource_with_tampered_token_says_invalid(demo):
    """A changed token is told apart from an expired one."""
    head, payload, signature = log_in(demo).split(".")

    response = demo.get(
        "/resource", headers=bearer(f"{head}.{payload}.A{signature[1:]}"), status=401
    )

    assert response.json["reason"] == "signature_invalid"


def test_token_expires_when_its_time_has_come(demo, clock):
    """A token is good for ten seconds from its own login, whenever the server was started."""
    clock.now += 5000
    token = log_in(demo)
    clock.now += 9
    demo.get("/resource", headers=bearer(token))
    clock.now += 1

    response = demo.get("/resource", headers=bearer(token), status=401)

    assert response.json["reason"] == "token_expired"


def test_refresh_carries_on_after_the_token_has_expired(demo, clock):
    """The refresh token gives a new token and its own successor, which does the same."""
    answer = demo.post_json("/login", {"user_id": 1}).json
    for _ in range(3):
        clock.now += 11
        answer = demo.post_json("/refresh", {"refresh_token": answer["refresh_token"]}).json

        assert (
            demo.get("/resource", headers=bearer(answer["token"])).json["user"]["name"] == "Alice"
        )


@pytest.mark.parametrize("body", [{}, {"refresh_token": None}, {"refresh_token": "a.b.c"}, [1]])
def test_refresh_with_anything_else_is_400(demo, body):
    """Whatever is no refresh token gets the error of RFC 6749."""
    response = demo.post_json("/refresh", body, status=400)

    assert (response.json["error"], response.json["reason"]) == (
        "invalid_grant",
        "refresh_token_invalid",
    )


def test_reused_refresh_token_ends_the_session(demo, clock):
    """A thief who comes later locks out himself and the victim, who logs in again."""
    first = demo.post_json("/login", {"user_id": 1}).json
    second = demo.post_json("/refresh", first).json
    clock.now += 10.5
    stolen = demo.post_json("/refresh", first, status=400)
    victim = demo.post_json("/refresh", second, status=400)

    assert (stolen.json["reason"], victim.json["reason"]) == (
        "refresh_token_reused",
        "refresh_token_revoked",
    )


def test_logout_ends_one_session(demo):
    """The token and its refresh token are refused from then on; another login of the user is not."""
    ended, other = (demo.post_json("/login", {"user_id": 1}).json for _ in range(2))
    demo.post("/logout", headers=bearer(ended["token"]))

    assert (
        demo.get("/resource", headers=bearer(ended["token"]), status=401).json["reason"]
        == "token_revoked"
    )
    assert demo.post_json("/refresh", ended, status=400).json["reason"] == "refresh_token_revoked"
    demo.get("/resource", headers=bearer(other["token"]))


def test_logout_everywhere_ends_all_sessions_of_the_user(demo):
    """Every token of the user is refused; those of others, and of a new login, are not."""
    sessions = [demo.post_json("/login", {"user_id": 1}).json for _ in range(2)]
    bob = log_in(demo, 2)
    demo.post("/logout-everywhere", headers=bearer(sessions[0]["token"]))

    for session in sessions:
        demo.get("/resource", headers=bearer(session["token"]), status=401)
        demo.post_json("/refresh", session, status=400)
    demo.get("/resource", headers=bearer(bob))
    demo.get("/resource", headers=bearer(log_in(demo)))


def test_logout_needs_a_token(demo):
    """Nobody logs out others."""
    for path in ("/logout", "/logout-everywhere"):
        demo.post(path, status=401)


def test_sessions_in_a_file_survive_a_restart(clock, tmp_path):
    """With a store that stays, a session that was ended stays ended, and others go on."""

    def start():
        return TestApp(
            lint(create_app(SECRET, store=store_at(str(tmp_path / "sessions.db")), clock=clock))
        )

    before = start()
    ended, kept = (before.post_json("/login", {"user_id": 1}).json for _ in range(2))
    before.post("/logout", headers=bearer(ended["token"]))
    after = start()

    after.get("/resource", headers=bearer(ended["token"]), status=401)
    after.post_json("/refresh", ended, status=400)
    after.get("/resource", headers=bearer(kept["token"]))
    after.post_json("/refresh", kept)


def test_store_is_chosen_by_its_place():
    """A URL is Redis, a path is SQLite, nothing is memory."""
    assert isinstance(store_at("redis://localhost"), RedisStore)
    assert isinstance(store_at("sessions.db"), SQLiteStore)
    assert isinstance(store_at(None), MemoryStore)


def test_unknown_paths_need_a_token_first(demo):
    """What the demo does not serve is 401 to strangers and 404 to users."""
    demo.get("/nothing", status=401)

    demo.get("/nothing", headers=bearer(log_in(demo)), status=404)


def run_demo(*arguments, **environment):
    command = [sys.executable, str(Path(__file__).parents[1] / "demo_app.py"), *arguments]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"JWT_SECRET": SECRET} | environment,
    )


def test_command_line_serves_and_prints_curl_lines():
    """The demo listens before it prints where, and its lines can be pasted."""
    with run_demo("--port", "0", "--token-ttl", "5") as process:
        try:
            first = process.stdout.readline()
            url = first.split()[2].rstrip(";")
            with urlopen(url) as response:
                status = response.status
        finally:
            process.terminate()
        rest, errors = process.stdout.read(), process.stderr.read()

    assert status == 200
    assert f"curl -i {url}/resource" in rest
    assert "5 seconds" in rest
    assert "JWT_SECRET" not in errors


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        pytest.param(
            ["--port", "http"], {}, "argument --port: invalid int value: 'http'", id="bad port"
        ),
        pytest.param(
            ["--port", "70000"], {}, "cannot listen on 127.0.0.1:70000", id="impossible port"
        ),
        pytest.param(["--colour"], {}, "unrecognized arguments: --colour", id="unknown option"),
        pytest.param(
            ["--token-ttl", "0"],
            {},
            "--token-ttl: 0 is not usable; write a whole number, 1 or more",
            id="bad life time",
        ),
        pytest.param(["--sqlite", "no/such/folder/x.db"], {}, "the folder ", id="bad file"),
        pytest.param(["--redis", "http://x"], {}, "not a URL of Redis", id="bad Redis"),
        pytest.param(
            ["--redis", "redis://x", "--sqlite", "x"], {}, "not allowed with", id="two stores"
        ),
        pytest.param(
            [], {"JWT_SECRET": "short"}, "JWT_SECRET: 5 bytes are too short", id="weak secret"
        ),
    ],
)
def test_command_line_mistake_is_one_line_and_code_2(arguments, environment, expected):
    """Each mistake is named in one line, without a traceback."""
    process = run_demo(*arguments, **environment)
    _, errors = process.communicate()

    assert process.returncode == 2
    assert errors.count("\n") == 1
    assert expected in errors


def test_command_line_on_taken_port_is_one_line_and_code_2():
    """A second demo on the same port says that it is taken."""
    with run_demo("--port", "0") as first:
        port = first.stdout.readline().split()[2].rstrip(";").rpartition(":")[2]
        second = run_demo("--port", port)
        _, errors = second.communicate()
        first.terminate()
        first.communicate()

    assert second.returncode == 2
    assert errors.count("\n") == 1
    assert "Address already in use" in errors


def test_command_line_without_secret_says_so():
    """A secret that was made up is announced, once the server runs."""
    with run_demo("--port", "0", JWT_SECRET="") as process:
        process.stdout.readline()
        notice = process.stderr.readline()
        process.terminate()
        process.communicate()

    assert notice.startswith("JWT_SECRET is not set")
