"""The demo on real servers: what they make of bytes before the middleware sees them, and of its answers after."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import parse_headers
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from threading import Event
from typing import NamedTuple

import pytest

from tests.servers import REDIS_SERVERS, free_port, redis_server

ROOT = Path(__file__).parents[1]
SECRET = "a demo secret of more than thirty-two bytes"
GUNICORN = [
    "-m",
    "gunicorn",
    "demo_app:app",
    "--no-control-socket",
    "--bind",
    "127.0.0.1:{port}",
    "--worker-class",
]
GRANIAN = [
    "-m",
    "granian",
    "demo_app:app",
    "--interface",
    "wsgi",
    "--host",
    "127.0.0.1",
    "--port",
    "{port}",
]

# The module that must be there, and the arguments to Python.
SERVERS = {
    "werkzeug": ("werkzeug", ["demo_app.py", "--port", "{port}"]),
    "gunicorn-sync": ("gunicorn", [*GUNICORN, "sync"]),
    "gunicorn-gthread": ("gunicorn", [*GUNICORN, "gthread", "--threads", "4"]),
    "granian": ("granian", [*GRANIAN, "--blocking-threads", "4"]),
}


class Answer(NamedTuple):
    """One response as it came over the wire."""

    status: int
    headers: object
    body: bytes

    @property
    def reason(self):
        """Our reason for a refusal; None if it was the server that refused."""
        return (
            json.loads(self.body)["reason"]
            if self.headers["Content-Type"] == "application/json"
            else None
        )


class Connection(NamedTuple):
    """Where a server listens."""

    port: int

    def send(self, *requests):
        """Send all requests at once over one connection, the last of which must close it; return the answers."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as link:
            link.sendall(b"".join(requests))
            received = b"".join(iter(lambda: link.recv(65_536), b""))
        return list(answers(received, [request.split(b" ")[0] for request in requests]))

    def ask(self, *arguments, **options):
        """Send one request; return its answer."""
        (answer,) = self.send(request(*arguments, **options))
        return answer

    def post_json(self, target, data):
        """Post a JSON document; return the answer."""
        body = json.dumps(data).encode()
        return self.ask(
            "POST",
            target,
            b"Content-Type: application/json",
            b"Content-Length: %d" % len(body),
            body=body,
        )

    def log_in(self, user_id=1):
        """Return the header line with a new token."""
        return credential(json.loads(self.post_json("/login", {"user_id": user_id}).body))


def credential(grant):
    """Return the header line with the token of a login or refresh."""
    return b"Authorization: Bearer " + grant["token"].encode()


def request(method, target, *lines, body=b"", close=True):
    """Return the bytes of a request."""
    head = [
        f"{method} {target} HTTP/1.1".encode(),
        b"Host: 127.0.0.1",
        *lines,
        *([b"Connection: close"] if close else []),
    ]
    return b"\r\n".join([*head, b"", body])


def answers(received, methods):
    """Take the received bytes apart; there must be no more than one answer to each request, and nothing else."""
    for method in methods:
        if not received:
            return
        head, _, received = received.partition(b"\r\n\r\n")
        line, _, fields = head.partition(b"\r\n")
        headers = parse_headers(BytesIO(fields + b"\r\n\r\n"))
        length = 0 if method == b"HEAD" else int(headers["Content-Length"])
        yield Answer(int(line.split(b" ")[1]), headers, received[:length])
        received = received[length:]
    assert received == b""


def missing(name):
    """Skip, or in continuous integration fail, where a server is not installed."""
    report = pytest.fail if os.environ.get("CI") else pytest.skip
    report(f"{name} is not installed; try: pip install {name}")


def wait_until_listening(process, port, output):
    """Return as soon as the port accepts connections; fail with what the process wrote if it does not."""
    deadline = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            Event().wait(0.02)
        else:
            return
    output.seek(0)
    pytest.fail(f"the server did not come up:\n{output.read().decode(errors='replace')}")


@contextmanager
def running(arguments, **environment):
    """Run a server on a free port and stop it afterwards."""
    port = free_port()
    command = [sys.executable, *(argument.format(port=port) for argument in arguments)]
    with (
        tempfile.TemporaryFile() as output,
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | {"JWT_SECRET": SECRET} | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            wait_until_listening(process, port, output)
            yield Connection(port)
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.fixture(scope="module", params=SERVERS)
def server(request):
    """The demo on each server."""
    module, arguments = SERVERS[request.param]
    if find_spec(module) is None:
        missing(module)
    with running(arguments) as connection:
        yield connection


@pytest.mark.parametrize(("user_id", "name"), [(1, "Alice"), (2, "Bob")])
def test_server_login_opens_the_resource(server, user_id, name):
    """The whole way over the wire: a login, and the resource with its token."""
    token = server.log_in(user_id)

    answer = server.ask("GET", "/resource", token)

    assert (answer.status, json.loads(answer.body)) == (
        200,
        {"user": {"id": user_id, "name": name}},
    )


def test_server_passes_on_a_refusal_whole(server):
    """Status, challenge, caching and length arrive as the middleware set them, each once."""
    answer = server.ask("GET", "/resource")

    assert (answer.status, answer.reason) == (401, "token_missing")
    assert answer.headers.get_all("WWW-Authenticate") == ['Bearer realm="api"']
    assert answer.headers.get_all("Cache-Control") == ["no-store"]
    assert answer.headers.get_all("Content-Length") == [str(len(answer.body))]


def test_server_refuses_head_without_body(server):
    """A refused HEAD says the length of the GET's body and sends none; the connection stays in step."""
    head, get = server.send(request("HEAD", "/resource"))[0], server.ask("GET", "/resource")

    assert (head.status, head.body) == (401, b"")
    assert head.headers["Content-Length"] == get.headers["Content-Length"]


def test_server_answers_head_with_token(server):
    """HEAD needs the token that GET needs, and no more."""
    answer = server.ask("HEAD", "/resource", server.log_in())

    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize(
    "second",
    [
        pytest.param(lambda good: good, id="same twice"),
        pytest.param(lambda good: b"Authorization: Bearer a.b.c", id="good and bad"),
        pytest.param(
            lambda good: good.replace(b"Authorization", b"aUTHORIZATION"), id="in another case"
        ),
        pytest.param(lambda good: b"Authorization: Basic YTpi", id="another scheme"),
        pytest.param(lambda good: b"Authorization:", id="empty"),
    ],
)
def test_server_joins_repeated_authorization_and_it_is_refused(server, second):
    """Of two credentials neither is chosen."""
    good = server.log_in()

    answer = server.ask("GET", "/resource", good, second(good))

    assert (answer.status, answer.reason) == (400, "credentials_repeated")


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(
            lambda good: good.replace(b"Authorization", b"Authorization_"), id="underscore after"
        ),
        pytest.param(
            lambda good: good.replace(b"Authorization", b"_Authorization"), id="underscore before"
        ),
        pytest.param(
            lambda good: good.replace(b"Authorization", b"HTTP_AUTHORIZATION"),
            id="name of the variable",
        ),
        pytest.param(
            lambda good: good.replace(b"Authorization", b"Http-Authorization"), id="with a hyphen"
        ),
        pytest.param(
            lambda good: good.replace(b"Authorization", b"Proxy-Authorization"), id="for a proxy"
        ),
        pytest.param(
            lambda good: good.replace(b"Authorization:", b"Authorization :"),
            id="space before the colon",
        ),
        pytest.param(lambda good: b"X: y\r\n " + good, id="folded into another"),
        pytest.param(
            lambda good: good.replace(b"Authorization: Bearer ", b"Cookie: token="), id="cookie"
        ),
        pytest.param(lambda good: b'jwt_middleware.claims: {"sub": "1"}', id="claims"),
        pytest.param(lambda good: b'Jwt-Middleware-Claims: {"sub": "1"}', id="claims with hyphens"),
        pytest.param(lambda good: b"Remote-User: 1", id="remote user"),
    ],
)
def test_server_takes_no_other_header_for_the_credential(server, line):
    """Only ``Authorization`` authenticates; what resembles it is ignored or refused."""
    answer = server.ask("GET", "/resource", line(server.log_in()))

    assert answer.status in {400, 401}


@pytest.mark.parametrize(
    "credential",
    [
        pytest.param(b"\xff\xfe\x80", id="no latin"),
        pytest.param("Jürgen€\U0001f600".encode(), id="UTF-8"),
        pytest.param(b"a.b.\xc3\xa9", id="in the signature"),
        pytest.param(b"\xc2\xa0a.b.c", id="no-break space"),
        pytest.param(b"a.\x00.c", id="NUL"),
        pytest.param(b"a.b.c\x7f", id="DEL"),
        pytest.param(b"a" * 7000, id="long"),
        pytest.param(b"a" * 40_000, id="too long"),
    ],
)
def test_server_with_odd_bytes_in_the_credential_refuses(server, credential):
    """No byte that gets through a server makes more of a bad token than a refusal."""
    answer = server.ask("GET", "/resource", b"Authorization: Bearer " + credential)

    assert answer.status in {400, 401, 431}
    assert credential not in answer.body


@pytest.mark.parametrize(
    "target",
    [
        "//resource",
        "/./resource",
        "/login/../resource",
        "/login/%2e%2e/resource",
        "/%72esource",
        "/resource/",
        "/resource?/login",
        "/resource;/login",
        "/resource%00",
        "/login%2f..%2fresource",
        "/login\\..\\resource",
        "http://127.0.0.1/resource",
        "http://127.0.0.1//resource",
    ],
)
def test_server_opens_no_spelling_of_a_protected_path(server, target):
    """However a path is written, and whatever a server makes of it, the resource stays closed."""
    answer = server.ask("GET", target)

    assert 300 <= answer.status < 500
    assert b"Alice" not in answer.body


@pytest.mark.parametrize("method", ["get", "Get"])
def test_server_opens_nothing_to_a_method_in_small_letters(server, method):
    """Servers pass "get" on, and frameworks take it for GET; without a token it is refused all the same."""
    answer = server.ask(method, "/resource")

    assert 400 <= answer.status < 502
    assert b"Alice" not in answer.body


# A request as the body of another: a server out of step would answer it too.
HIDDEN = request("GET", "/hidden", close=False)


@pytest.mark.parametrize(
    ("line", "body"),
    [
        pytest.param(b"Content-Length: %d" % len(HIDDEN), HIDDEN, id="length"),
        pytest.param(
            b"Transfer-Encoding: chunked",
            b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN),
            id="chunked",
        ),
    ],
)
@pytest.mark.parametrize("repeat", [1, 3])
def test_server_stays_in_step_after_a_refused_body(server, line, body, repeat):
    """The unread body of a refused request is never taken for the next one; at worst the connection ends."""
    refused = request("POST", "/resource", line, body=body, close=False)

    statuses = [answer.status for answer in server.send(*[refused] * repeat, request("GET", "/"))]

    assert statuses == ([401] * repeat + [200])[: len(statuses)]
    assert statuses


def test_server_with_many_clients_mixes_up_none(server):
    """Requests at the same time each see the user of their own token."""
    tokens = {"Alice": server.log_in(1), "Bob": server.log_in(2)}

    with ThreadPoolExecutor(8) as pool:
        found = pool.map(
            lambda name: (name, server.ask("GET", "/resource", tokens[name]).body), [*tokens] * 20
        )

    assert {name: json.loads(body)["user"]["name"] for name, body in found} == {
        "Alice": "Alice",
        "Bob": "Bob",
    }


@pytest.fixture(params=["SQLite", *REDIS_SERVERS])
def place(request, tmp_path):
    """Where several processes keep their sessions."""
    if request.param == "SQLite":
        yield str(tmp_path / "sessions.db")
        return
    with redis_server(tmp_path, kind=request.param) as redis:
        yield redis.url


def test_workers_share_their_sessions(place):
    """Whichever process is asked: one successor for all who refresh at once, and after the logout no way in, for good."""
    workers = [*GUNICORN, "sync", "--workers", "3"]
    with running(workers, JWT_STORE=place) as server:
        granted = json.loads(server.post_json("/login", {"user_id": 1}).body)
        with ThreadPoolExecutor(8) as pool:
            renewed = list(
                pool.map(
                    lambda _: json.loads(server.post_json("/refresh", granted).body), range(24)
                )
            )
        assert {server.ask("GET", "/resource", credential(each)).status for each in renewed} == {
            200
        }
        assert len({each["refresh_token"] for each in renewed}) == 1

        assert server.ask("POST", "/logout", credential(renewed[0])).status == 200

        answers = [server.ask("GET", "/resource", credential(each)) for each in [granted, *renewed]]
        assert {answer.reason for answer in answers} == {"token_revoked"}
        assert (
            json.loads(server.post_json("/refresh", renewed[0]).body)["reason"]
            == "refresh_token_revoked"
        )
        other = server.log_in(1)
        assert server.ask("POST", "/logout", other).status == 200
    with running(workers, JWT_STORE=place) as server:
        assert {
            server.ask("GET", "/resource", line).reason for line in (credential(granted), other)
        } == {"token_revoked"}
        assert server.ask("GET", "/resource", server.log_in(1)).status == 200
