"""The demo on real servers: what they do to requests and to answers."""

import json
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.client import parse_headers
from io import BytesIO
from typing import NamedTuple

import pytest

from tests.server_site import UPLOAD, token
from tests.servers import (
    REDIS_SERVERS,
    WSGI_SERVERS,
    apache,
    program,
    redis_server,
    require_module,
    serving,
)

SECRET = "a demo secret of more than thirty-two bytes"
SERVERS = [*WSGI_SERVERS, "mod_wsgi"]
SITE = "tests.server_site:app"


class Answer(NamedTuple):
    """One response as it came over the wire."""

    status: int
    headers: object
    body: bytes

    @property
    def reason(self):
        """The reason of our refusal; None if the server refused."""
        ours = self.headers["Content-Type"] == "application/json"
        return json.loads(self.body)["reason"] if ours else None


class Connection(NamedTuple):
    """Where a server listens, and which one it is."""

    port: int
    name: str

    def send(self, *requests):
        """Send requests at once over one connection, which the last one closes; return answers."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as link:
            link.sendall(b"".join(requests))
            received = b"".join(pieces(link))
        return list(answers(received, [request.split(b" ")[0] for request in requests]))

    def ask(self, *arguments, **options):
        """Send one request; return its answer."""
        (answer,) = self.send(request(*arguments, **options))
        return answer

    def post_json(self, target, data):
        """Post a JSON document; return the answer."""
        body = json.dumps(data).encode()
        lines = [b"Content-Type: application/json", b"Content-Length: %d" % len(body)]
        return self.ask("POST", target, *lines, body=body)

    def log_in(self, user_id=1):
        """Return the header line with a new token."""
        return credential(json.loads(self.post_json("/login", {"user_id": user_id}).body))


def credential(grant):
    """Return the header line with the token of a login or refresh."""
    return b"Authorization: Bearer " + grant["token"].encode()


def request(method, target, *lines, body=b"", close=True):
    """Return the bytes of a request."""
    first = f"{method} {target} HTTP/1.1".encode()
    last = [b"Connection: close"] if close else []
    return b"\r\n".join([first, b"Host: 127.0.0.1", *lines, *last, b"", body])


def pieces(link):
    """Yield what a server sends until it closes the connection."""
    # uWSGI resets the connection if a header is too long.
    with suppress(ConnectionResetError):
        yield from iter(lambda: link.recv(65_536), b"")


def answers(received, methods):
    """Yield the answers in the received bytes: at most one to each request, and nothing else."""
    for method in methods:
        if not received:
            return
        head, _, received = received.partition(b"\r\n\r\n")
        line, _, fields = head.partition(b"\r\n")
        headers = parse_headers(BytesIO(fields + b"\r\n\r\n"))
        # Servers may leave it out of their own answers, and close the connection.
        length = 0 if method == b"HEAD" else int(headers["Content-Length"] or len(received))
        yield Answer(int(line.split(b" ")[1]), headers, received[:length])
        received = received[length:]
    assert received == b""


@contextmanager
def demo(name, **environment):
    """Run the demo on a server."""
    with serving(name, "demo_app:app", JWT_SECRET=SECRET, **environment) as port:
        yield Connection(port, name)


@pytest.fixture(scope="module", params=SERVERS)
def server(request):
    """The demo on each server."""
    with demo(request.param) as connection:
        yield connection


@pytest.mark.parametrize(("user_id", "name"), [(1, "Alice"), (2, "Bob")])
def test_server_login_opens_the_resource(server, user_id, name):
    """A login returns a token, and the token opens the resource."""
    token = server.log_in(user_id)

    answer = server.ask("GET", "/resource", token)

    assert answer.status == 200
    assert json.loads(answer.body) == {"user": {"id": user_id, "name": name}}


def test_server_passes_on_a_refusal_whole(server):
    """Status, challenge, caching and length arrive once each, as the middleware set them."""
    answer = server.ask("GET", "/resource")

    assert (answer.status, answer.reason) == (401, "token_missing")
    assert answer.headers.get_all("WWW-Authenticate") == ['Bearer realm="api"']
    assert answer.headers.get_all("Cache-Control") == ["no-store"]
    assert answer.headers.get_all("Content-Length") == [str(len(answer.body))]


def test_server_refuses_head_without_body(server):
    """A refused HEAD has the length of the GET's body, and no body."""
    head, get = server.send(request("HEAD", "/resource"))[0], server.ask("GET", "/resource")

    assert (head.status, head.body) == (401, b"")
    assert head.headers["Content-Length"] == get.headers["Content-Length"]


def test_server_answers_head_with_token(server):
    """HEAD needs the same token as GET."""
    answer = server.ask("HEAD", "/resource", server.log_in())

    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize(
    "second",
    [
        pytest.param(b"{good}", id="same twice"),
        pytest.param(b"Authorization: Bearer a.b.c", id="good and bad"),
        pytest.param(b"aUTHORIZATION: {value}", id="in another case"),
        pytest.param(b"Authorization: Basic YTpi", id="another scheme"),
        pytest.param(b"Authorization:", id="empty"),
    ],
)
def test_server_joins_repeated_authorization_and_it_is_refused(server, second):
    """A request with two credentials is refused, unless the server hides one of them."""
    good = server.log_in()

    answer = server.ask("GET", "/resource", good, filled(second, good))

    if server.name == "cheroot":
        # It keeps only the last of repeated headers, so the middleware cannot see the other.
        same = second in {b"{good}", b"aUTHORIZATION: {value}"}
        assert answer.status == 200 if same else answer.reason != "credentials_repeated"
        return
    assert (answer.status, answer.reason) == (400, "credentials_repeated")


def filled(line, good):
    """Return the header line with the good line, its value or its token in it."""
    value = good.partition(b": ")[2]
    line = line.replace(b"{good}", good).replace(b"{value}", value)
    return line.replace(b"{token}", value.partition(b" ")[2])


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"Authorization_: {value}", id="underscore after"),
        pytest.param(b"_Authorization: {value}", id="underscore before"),
        pytest.param(b"HTTP_AUTHORIZATION: {value}", id="name of the variable"),
        pytest.param(b"Http-Authorization: {value}", id="with a hyphen"),
        pytest.param(b"Proxy-Authorization: {value}", id="for a proxy"),
        pytest.param(b"Authorization : {value}", id="space before the colon"),
        pytest.param(b"X: y\r\n {good}", id="folded into another"),
        pytest.param(b"Cookie: token={token}", id="cookie"),
        pytest.param(b'jwt_middleware.claims: {"sub": "1"}', id="claims"),
        pytest.param(b'Jwt-Middleware-Claims: {"sub": "1"}', id="claims with hyphens"),
        pytest.param(b"Remote-User: 1", id="remote user"),
    ],
)
def test_server_takes_no_other_header_for_the_credential(server, line):
    """Only ``Authorization`` authenticates. Similar headers are ignored or refused."""
    answer = server.ask("GET", "/resource", filled(line, server.log_in()))

    # cheroot removes the space, so that it is the credential.
    accepted = {200} if server.name == "cheroot" and b" :" in line else {400, 401}
    assert answer.status in accepted


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
    """A bad token is refused, also with bytes that a server changes or passes on."""
    line = b"Authorization: Bearer " + credential

    for answer in server.send(request("GET", "/resource", line)):
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
    """No spelling of the path opens the resource without a token."""
    answer = server.ask("GET", target)

    assert 300 <= answer.status < 500
    assert b"Alice" not in answer.body


@pytest.mark.parametrize("method", ["get", "Get"])
def test_server_opens_nothing_to_a_method_in_small_letters(server, method):
    """Servers pass "get" on, and frameworks treat it as GET. It needs a token too."""
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
    """The server never reads the body of a refused request as the next request."""
    refused = request("POST", "/resource", line, body=body, close=False)

    statuses = [answer.status for answer in server.send(*[refused] * repeat, request("GET", "/"))]

    in_step = [401] * repeat + [200]
    if server.name == "cheroot" and b"chunked" in line:
        # It leaves the body in the connection and refuses its first line as a request.
        in_step = [401, 400]
    assert statuses == in_step[: len(statuses)]
    assert statuses


def test_server_with_many_clients_mixes_up_none(server):
    """Each of several simultaneous requests sees the user of its own token."""
    tokens = {"Alice": server.log_in(1), "Bob": server.log_in(2)}
    names = [*tokens] * 20

    with ThreadPoolExecutor(8) as pool:
        bodies = pool.map(lambda name: server.ask("GET", "/resource", tokens[name]).body, names)

    assert [json.loads(body)["user"]["name"] for body in bodies] == names


@pytest.fixture(params=["SQLite", *REDIS_SERVERS])
def place(request, tmp_path):
    """The store of several processes."""
    if request.param == "SQLite":
        yield str(tmp_path / "sessions.db")
        return
    with redis_server(tmp_path, kind=request.param) as redis:
        yield redis.url


def test_workers_share_their_sessions(place):
    """A refresh and a logout count in every process, and after a restart."""
    workers = {"JWT_STORE": place, "WEB_CONCURRENCY": "3"}
    with demo("gunicorn-sync", **workers) as server:

        def refresh(grant):
            return json.loads(server.post_json("/refresh", grant).body)

        def open_with(*lines):
            answers = [server.ask("GET", "/resource", line) for line in lines]
            return {answer.reason if answer.status == 401 else answer.status for answer in answers}

        granted = json.loads(server.post_json("/login", {"user_id": 1}).body)
        with ThreadPoolExecutor(8) as pool:
            renewed = list(pool.map(refresh, [granted] * 24))
        assert open_with(*map(credential, renewed)) == {200}
        assert len({each["refresh_token"] for each in renewed}) == 1

        assert server.ask("POST", "/logout", credential(renewed[0])).status == 200

        assert open_with(*map(credential, [granted, *renewed])) == {"token_revoked"}
        assert refresh(renewed[0])["reason"] == "refresh_token_revoked"
        other = server.log_in(1)
        assert server.ask("POST", "/logout", other).status == 200
    with demo("gunicorn-sync", **workers) as server:
        assert open_with(credential(granted), other) == {"token_revoked"}
        assert open_with(server.log_in(1)) == {200}


@pytest.fixture(scope="module", params=SERVERS)
def site(request):
    """The application that shows environ, on each server."""
    with serving(request.param, SITE) as port:
        yield Connection(port, request.param)


# What a client may try in order to write the identity itself.
SPOOFED = [
    b"X-Auth-Subject: eve",
    b"X_Auth_Subject: eve",
    b"X-Auth_Subject: eve",
    b"x-auth-subject: eve",
    b"X-Auth-Subject : eve",
    b"X-Auth-Subject\t: eve",
    b"X-Auth-Subject: eve\r\nX_Auth_Subject: eve\r\nX-AUTH-SUBJECT: eve",
    b"HTTP_X_AUTH_SUBJECT: eve",
    b"HTTP-X-Auth-Subject: eve",
    b"X.Auth.Subject: eve",
    b"X Auth Subject: eve",
    b"X-B: b\r\n X-Auth-Subject: eve",
    b"X-B: b\nX-Auth-Subject: eve",
    b"X-B: b\rX-Auth-Subject: eve",
    b"X-Auth-Groups: eve",
    b"Remote-User: eve",
    b"REMOTE_USER: eve",
    b"HTTP_REMOTE_USER: eve",
]
IDENTITY = {"REMOTE_USER", "HTTP_REMOTE_USER", "HTTP_X_AUTH_SUBJECT", "HTTP_X_AUTH_GROUPS"}
PREFLIGHT = [b"Origin: https://other.example.com", b"Access-Control-Request-Method: GET"]


def identity(environ):
    """Return the part of environ that an application may take for the identity.

    Frameworks compare names of headers without case, and take underscores for hyphens.
    """
    names = {name: name.upper().replace("-", "_") for name in environ}
    return {name: environ[name] for name, known in names.items() if known in IDENTITY}


def bearer_line(**claims):
    """Return the header line with a token for the site."""
    return b"Authorization: Bearer " + token(**claims).encode()


@pytest.mark.parametrize("line", SPOOFED)
@pytest.mark.parametrize(
    ("method", "target", "lines"),
    [
        pytest.param("GET", "/public", [], id="public"),
        pytest.param("GET", "/public", [bearer_line()], id="public with token"),
        pytest.param("GET", "/optional", [], id="optional"),
        pytest.param("GET", "/delegated", [], id="delegated"),
        pytest.param("GET", "/delegated", [b"Authorization: Bearer a.b.c"], id="bad token"),
        pytest.param("OPTIONS", "/public", PREFLIGHT, id="preflight"),
    ],
)
def test_server_and_header_together_make_no_identity(site, method, target, lines, line):
    """No header reaches the application as ``REMOTE_USER`` or as a header of the identity."""
    for answer in site.send(request(method, target, *lines, line)):
        if answer.status == 200:
            assert identity(json.loads(answer.body)) == {}


@pytest.mark.parametrize("line", SPOOFED)
def test_server_and_header_together_change_no_identity(site, line):
    """With a token the application sees the values of the token and no other."""
    good = bearer_line(groups=["a", "b"])

    for answer in site.send(request("GET", "/", line, good)):
        if answer.status == 200:
            assert identity(json.loads(answer.body)) == {
                "REMOTE_USER": "alice",
                "HTTP_X_AUTH_SUBJECT": "alice",
                "HTTP_X_AUTH_GROUPS": "a b",
            }


def test_server_hands_over_the_identity_without_the_credential(site):
    """The application sees who the client is, and no token."""
    sent = token()

    answer = site.ask("GET", "/", b"Authorization: Bearer " + sent.encode(), b"DPoP: a.b.c")

    environ = json.loads(answer.body)
    assert (environ["REMOTE_USER"], environ["HTTP_X_AUTH_SUBJECT"]) == ("alice", "alice")
    assert not {"HTTP_AUTHORIZATION", "HTTP_DPOP"} & environ.keys()
    assert sent.encode() not in answer.body


def test_server_answers_what_is_refused_behind_the_middleware(site):
    """A claim with a line break is a 401 with its whole body."""
    answer = site.ask("GET", "/", bearer_line(groups="a\r\nX-Admin: 1"))

    assert (answer.status, answer.reason) == (401, "claim_invalid")


def test_apache_that_keeps_the_credential_is_told_in_the_log():
    """Without ``WSGIPassAuthorization`` the refusal has a hint. With it there is no refusal."""
    hints = []
    for passes in (False, True):
        with apache(SITE, pass_authorization=passes) as port:
            answer = Connection(port, "mod_wsgi").ask("GET", "/", b"Authorization: Bearer a.b.c")
            hints.append((answer.reason, answer.headers["X-Hint"]))

    assert hints[0][0] == "token_missing"
    assert "WSGIPassAuthorization On" in hints[0][1]
    assert hints[1] == ("token_malformed", "")


# Programs that send a file with a bad token and print the status and body of the answer.
UPLOAD_WITH_NODE = """
const [url, path] = process.argv.slice(1);
const body = require("fs").readFileSync(path);
fetch(url, {method: "POST", headers: {Authorization: "Bearer a.b.c"}, body})
    .then(async answer => console.log(answer.status, await answer.text()));
"""
UPLOAD_WITH_URLLIB = """
import sys, urllib.error, urllib.request
body = open(sys.argv[2], "rb").read()
headers = {"Authorization": "Bearer a.b.c"}
try:
    urllib.request.urlopen(urllib.request.Request(sys.argv[1], body, headers))
except urllib.error.HTTPError as answer:
    print(answer.code, answer.read().decode())
"""
UPLOAD_WITH_REQUESTS = """
import sys, requests
body = open(sys.argv[2], "rb").read()
answer = requests.post(sys.argv[1], data=body, headers={"Authorization": "Bearer a.b.c"})
print(answer.status_code, answer.text)
"""
CURL = ["curl", "--silent", "--show-error", "-H", "Authorization: Bearer a.b.c"]
PRINT = ["--write-out", "%{http_code}", "--data-binary", "@{path}", "{url}"]
UPLOADS = {
    "curl": [*CURL, *PRINT],
    "curl, not asking first": [*CURL, "-H", "Expect:", *PRINT],
    "curl, chunked": [*CURL, "-H", "Expect:", "-H", "Transfer-Encoding: chunked", *PRINT],
    "urllib": [sys.executable, "-c", UPLOAD_WITH_URLLIB, "{url}", "{path}"],
    "requests": [sys.executable, "-c", UPLOAD_WITH_REQUESTS, "{url}", "{path}"],
    "node": ["node", "-e", UPLOAD_WITH_NODE, "{url}", "{path}"],
}


@pytest.fixture(scope="module")
def large_file(tmp_path_factory):
    """A file of 50 MB."""
    path = tmp_path_factory.mktemp("upload") / "file"
    path.write_bytes(bytes(UPLOAD))
    return path


@pytest.fixture(scope="module", params=SERVERS)
def draining_site(request):
    """The site on each server, with `draining` up to 50 MB."""
    with serving(request.param, SITE, DRAIN="1") as port:
        yield Connection(port, request.param)


@pytest.mark.parametrize("client", UPLOADS)
def test_client_sees_the_refusal_of_a_large_upload(draining_site, client, large_file):
    """Clients that send 50 MB before they read see the 401, and the server stays small."""
    program(UPLOADS[client][0])
    if client == "requests":
        require_module("requests")
    memory = json.loads(draining_site.ask("GET", "/memory").body)["VmRSS"]
    url = f"http://127.0.0.1:{draining_site.port}/"
    command = [
        part.replace("{url}", url).replace("{path}", str(large_file)) for part in UPLOADS[client]
    ]

    done = subprocess.run(command, capture_output=True, text=True, timeout=60)

    assert "401" in done.stdout, done.stderr
    assert '"reason": "token_malformed"' in done.stdout
    if (draining_site.name, client) == ("cheroot", "curl"):
        # The client asks first, so we read nothing, and cheroot reads all at once.
        return
    assert json.loads(draining_site.ask("GET", "/memory").body)["VmHWM"] < memory + 20 * 2**20


@pytest.mark.parametrize("repeat", [1, 3])
def test_draining_keeps_every_server_in_step(draining_site, repeat):
    """After a chunked body that was read, the next request is the next answer."""
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)
    refused = request("POST", "/", b"Transfer-Encoding: chunked", body=body, close=False)

    received = draining_site.send(*[refused] * repeat, request("GET", "/public"))

    statuses = [answer.status for answer in received]
    assert statuses == ([401] * repeat + [200])[: len(statuses)]
    assert statuses
