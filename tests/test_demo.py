"""The demo: login, resource, expiry, and the command line."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest
from webtest import TestApp
from webtest.lint import middleware as lint

from demo_app import NAME, create_app
from jwt_middleware import SQLiteStore
from tests.conftest import bearer, make_token

ROOT = Path(__file__).parents[1]
SECRET = "a demo secret of more than thirty-two bytes"


@pytest.fixture
def demo(clock):
    """The demo, with tokens that expire after ten seconds."""
    return TestApp(lint(create_app(SECRET, token_ttl=10, clock=clock)))


def log_in(demo, user_id=1):
    """Return the answer to a login."""
    return demo.post_json("/login", {"user_id": user_id}).json


def reason_of(response):
    """Return the reason of a refusal."""
    return response.json["reason"]


def resource(demo, token, status=200):
    """Return the answer of the resource to a token."""
    return demo.get("/resource", headers=bearer(token), status=status)


def test_index_without_token_says_what_to_try(demo):
    """The front page is public and names the endpoints."""
    response = demo.get("/")

    assert response.json["try"][1:4] == ["POST /login", "GET /resource", "POST /refresh"]


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "is_page"),
    [
        pytest.param(BROWSER, True, id="browser"),
        pytest.param("text/html", True, id="HTML only"),
        pytest.param("*/*", False, id="curl"),
        pytest.param("application/json, text/html", False, id="both"),
        pytest.param("text/html;q=0", False, id="no HTML"),
        pytest.param("", False, id="empty"),
        pytest.param(None, False, id="no header"),
    ],
)
def test_index_is_a_page_for_browsers_only(demo, accept, is_page):
    """`GET /` answers with HTML if the client prefers that, and with JSON to all others."""
    response = demo.get("/", headers={} if accept is None else {"Accept": accept})

    assert response.content_type == ("text/html" if is_page else "application/json")
    assert response.headers["Vary"] == "Accept"


def test_everything_else_is_json_for_browsers_too(demo):
    """Only the front page has two forms."""
    headers = {"Accept": BROWSER} | bearer(log_in(demo)["token"])
    for path, status in (("/resource", 200), ("/nothing", 404)):
        response = demo.get(path, headers=headers, status=status)

        assert response.content_type == "application/json"


def test_page_runs_only_its_own_script(demo):
    """Each response has a new nonce. Its policy allows no other script, style or origin."""
    first, second = (demo.get("/", headers={"Accept": BROWSER}) for _ in range(2))
    policy = first.headers["Content-Security-Policy"]
    nonce = policy.split("'nonce-")[1].split("'")[0]

    assert first.text.count(f'nonce="{nonce}"') == first.text.count("<script") * 2 == 2
    assert "unsafe" not in policy
    assert "//" not in first.text.replace("// ", "")
    assert nonce not in second.text


@pytest.mark.parametrize(("user_id", "name"), [(1, "Alice"), (2, "Bob")])
def test_login_then_resource_greets_the_user(demo, user_id, name):
    """The token of a login opens the resource, which greets its user."""
    token = log_in(demo, user_id)["token"]

    assert resource(demo, token).json == {"user": {"id": user_id, "name": name}}


def test_login_answers_as_rfc6749(demo):
    """A login returns a token, its type and lifetime, and a refresh token."""
    answer = log_in(demo)

    tokens = {name: answer[name] for name in ("token", "refresh_token")}
    assert answer == {"token_type": "Bearer", "expires_in": 10} | tokens


def test_default_lifetime_is_thirty_minutes(clock):
    """Without an option a token expires after 1800 seconds."""
    demo = TestApp(create_app(SECRET, clock=clock))

    assert log_in(demo)["expires_in"] == 1800


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
        pytest.param(b"[1]", id="list as body"),
        pytest.param(b"user_id=1", id="not JSON"),
        pytest.param(b"\xff\xfe", id="not UTF-8"),
        pytest.param(b"[" * 100_000, id="deep nesting"),
        pytest.param(b"", id="empty"),
    ],
)
def test_login_with_anything_else_is_400(demo, body):
    """Any other body than the id of a user gets the same answer."""
    response = demo.post("/login", body, content_type="application/json", status=400)

    assert response.json == {"error": "Invalid user_id"}


def test_login_without_json_content_type_is_400(demo):
    """A form is not accepted."""
    response = demo.post("/login", {"user_id": "1"}, status=400)

    assert response.json == {"error": "Invalid user_id"}


def test_resource_for_unknown_user_is_404(demo):
    """A good token for an unknown user is answered with 404."""
    for subject in ("3", "bob", "1.0"):
        token = make_token(secret=SECRET, iss=NAME, aud=NAME, sub=subject)

        assert resource(demo, token, status=404).json == {"error": "User not found"}


def test_resource_without_token_is_401(demo):
    """Without a token, the answer is a challenge."""
    response = demo.get("/resource", status=401)

    assert reason_of(response) == "token_missing"
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="api"'


def test_resource_with_tampered_token_says_invalid(demo):
    """A changed token has another reason than an expired one."""
    head, payload, signature = log_in(demo)["token"].split(".")

    response = resource(demo, f"{head}.{payload}.A{signature[1:]}", status=401)

    assert reason_of(response) == "signature_invalid"


def test_token_expires_when_its_time_has_come(demo, clock):
    """A token expires ten seconds after its login."""
    clock.tick(5000)
    token = log_in(demo)["token"]
    clock.tick(9)
    resource(demo, token)
    clock.tick()

    assert reason_of(resource(demo, token, status=401)) == "token_expired"


def test_refresh_carries_on_after_the_token_has_expired(demo, clock):
    """Each refresh token gives a new token and the next refresh token."""
    answer = log_in(demo)
    for _ in range(3):
        clock.tick(11)
        answer = demo.post_json("/refresh", {"refresh_token": answer["refresh_token"]}).json

        assert resource(demo, answer["token"]).json["user"]["name"] == "Alice"


@pytest.mark.parametrize("body", [{}, {"refresh_token": None}, {"refresh_token": "a.b.c"}, [1]])
def test_refresh_with_anything_else_is_400(demo, body):
    """Any other body than a refresh token gets the error of RFC 6749."""
    response = demo.post_json("/refresh", body, status=400)

    assert response.json["error"] == "invalid_grant"
    assert reason_of(response) == "refresh_token_invalid"


def test_reused_refresh_token_ends_the_session(demo, clock):
    """The second use of a refresh token ends the session for both users of it."""
    first = log_in(demo)
    second = demo.post_json("/refresh", first).json
    clock.tick(10.5)
    stolen = demo.post_json("/refresh", first, status=400)
    victim = demo.post_json("/refresh", second, status=400)

    assert reason_of(stolen) == "refresh_token_reused"
    assert reason_of(victim) == "refresh_token_revoked"


def test_logout_ends_one_session(demo):
    """The token and refresh token of the session are refused. Another session goes on."""
    ended, other = log_in(demo), log_in(demo)
    demo.post("/logout", headers=bearer(ended["token"]))

    assert reason_of(resource(demo, ended["token"], status=401)) == "token_revoked"
    assert reason_of(demo.post_json("/refresh", ended, status=400)) == "refresh_token_revoked"
    resource(demo, other["token"])


def test_logout_needs_a_token(demo):
    """A logout without a token is refused."""
    demo.post("/logout", status=401)


def test_sessions_in_a_file_survive_a_restart(clock, tmp_path):
    """With a store in a file, ended sessions stay ended, and others go on."""

    def start():
        store = SQLiteStore(tmp_path / "sessions.db")
        return TestApp(lint(create_app(SECRET, store=store, clock=clock)))

    before = start()
    ended, kept = log_in(before), log_in(before)
    before.post("/logout", headers=bearer(ended["token"]))
    after = start()

    resource(after, ended["token"], status=401)
    after.post_json("/refresh", ended, status=400)
    resource(after, kept["token"])
    after.post_json("/refresh", kept)


def test_unknown_paths_need_a_token_first(demo):
    """An unknown path is 401 without a token and 404 with one."""
    demo.get("/nothing", status=401)

    demo.get("/nothing", headers=bearer(log_in(demo)["token"]), status=404)


def run_demo(*arguments, **environment):
    """Start the demo as a process."""
    command = [sys.executable, str(ROOT / "demo_app.py"), *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=os.environ | {"JWT_SECRET": SECRET} | environment, **pipes)


def last_line(process):
    """Return the last line that a process wrote about a mistake."""
    _, errors = process.communicate()
    assert process.returncode == 2
    assert "Traceback" not in errors
    return errors.splitlines()[-1]


def test_command_line_serves_and_prints_curl_lines():
    """The demo listens before it prints its address."""
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
    assert "5 seconds" in first
    assert "JWT_SECRET" not in errors


MISTAKES = {
    "bad port": ("--port http", {}, "argument --port: invalid int value: 'http'"),
    "impossible port": ("--port 70000", {}, "port must be 0-65535"),
    "unknown option": ("--colour", {}, "unrecognized arguments: --colour"),
    "bad lifetime": ("--token-ttl 0", {}, "access_ttl: 0 is not usable; write a whole number"),
    "bad file": ("", {"JWT_STORE": "no/such/folder/x.db"}, "does not exist"),
    "bad Redis": ("", {"JWT_STORE": "http://x"}, "URL of Redis"),
    "weak secret": ("", {"JWT_SECRET": "short"}, "secret: 5 bytes are too short"),
}


@pytest.mark.parametrize(("arguments", "environment", "expected"), MISTAKES.values(), ids=MISTAKES)
def test_command_line_mistake_is_named_with_code_2(arguments, environment, expected):
    """The last line names the mistake, without a traceback."""
    assert expected in last_line(run_demo(*arguments.split(), **environment))


def test_command_line_on_taken_port_says_so_with_code_2():
    """A second demo on the same port reports that the port is taken."""
    with run_demo("--port", "0") as first:
        port = first.stdout.readline().split()[2].rstrip(";").rpartition(":")[2]
        errors = last_line(run_demo("--port", port))
        first.terminate()
        first.communicate()

    assert "Address already in use" in errors


def test_command_line_without_secret_says_so():
    """Without JWT_SECRET, the demo generates a secret and says so."""
    with run_demo("--port", "0", JWT_SECRET="") as process:
        notice = process.stdout.readline()
        process.stdout.readline()
        process.terminate()
        process.communicate()

    assert notice.startswith("JWT_SECRET is not set")


@pytest.mark.parametrize(
    ("place", "expected"),
    [("redis://localhost", "RedisStore"), ("sessions.db", "SQLiteStore"), ("", "MemoryStore")],
)
def test_store_is_chosen_by_its_place(place, expected, tmp_path):
    """In the environment a URL means Redis, a path means SQLite, and nothing means memory."""
    script = """import demo_app; from unittest import mock
with mock.patch.object(demo_app, "create_app") as made: demo_app.app_from_environment()
print(type(made.call_args.kwargs["store"]).__name__)"""
    environ = {"JWT_SECRET": SECRET, "JWT_STORE": place, "PYTHONPATH": str(ROOT)}
    options = {"cwd": tmp_path, "env": os.environ | environ, "stdout": subprocess.PIPE}

    done = subprocess.run([sys.executable, "-c", script], text=True, check=True, **options)

    assert done.stdout.split()[-1].replace("NoneType", "MemoryStore") == expected
