"""Spellings as bytes over the wire: what a server makes of a path opens nothing either."""

import re
import shutil
import socket
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.routing import VARIANTS
from tests.routing_policies import CREDENTIALS, canonical
from tests.routing_site import NAMES
from tests.routing_spellings import ODD_PATHS, ORIGIN, PATTERNS
from tests.test_servers import missing, running

SITE = "tests.routing_site:app"
LISTEN = "127.0.0.1:{port}"
GUNICORN = ["-m", "gunicorn", SITE, "--no-control-socket", "--bind", LISTEN, "--worker-class"]
UWSGI = str(Path(sys.executable).with_name("uwsgi"))
RUN_UWSGI = "import os, sys; os.execv(sys.argv[1], sys.argv[1:])"

# The module that must be there, and the arguments to Python.
SERVERS = {
    "werkzeug": ("werkzeug", ["-m", "tests.routing_site", "{port}"]),
    "gunicorn-sync": ("gunicorn", [*GUNICORN, "sync"]),
    "gunicorn-gthread": ("gunicorn", [*GUNICORN, "gthread", "--threads", "4"]),
    "waitress": ("waitress", ["-m", "waitress", "--listen", LISTEN, SITE]),
    "cheroot": ("cheroot", ["-m", "cheroot", "--bind", LISTEN, SITE]),
    "granian": (
        "granian",
        ["-m", "granian", SITE, "--interface", "wsgi", "--host", "127.0.0.1", "--port", "{port}"],
    ),
    "uwsgi": (
        "uwsgi",
        ["-c", RUN_UWSGI, UWSGI, "--need-app", "--die-on-term", "--http-socket", LISTEN, "--wsgi", SITE],
    ),
}
# The policy and the credential that is not enough for the view of /admin.
ATTEMPTS = [("closed", "none"), ("open", "plain"), ("slash", "plain")]


def targets():
    """Return the spellings of ``/admin`` as request targets: as bytes as they are, and encoded once."""
    paths = [pattern.format(t="admin", a="ad", z="min").encode("latin-1") for pattern in PATTERNS]
    paths += [path.encode("latin-1") for path in ODD_PATHS]
    plain = [path for path in paths if not re.search(rb"[\x00-\x20\x7f]", path) and path]
    encoded = [quote(path, safe="/@;=:*").encode() for path in paths]
    forms = [b"http://127.0.0.1" + path for path in plain[::5]]
    return list(dict.fromkeys([*plain, *encoded, *forms]))


def ask(port, site, target, credential, *lines, method=b"GET"):
    """Send one request; return the first line of the answer and the views that ran."""
    token = credential.token
    sent = [
        method + b" " + target + b" HTTP/1.1",
        b"Host: 127.0.0.1",
        b"X-Site: " + " ".join(site).encode(),
        *([] if token is None else [b"Authorization: Bearer " + token.encode()]),
        *lines,
        b"Connection: close",
        b"\r\n",
    ]
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as link, suppress(OSError):
        link.sendall(b"\r\n".join(sent))
        while piece := link.recv(65_536):
            received += piece
    views = re.findall(rb"^x-view: *([^\r]*)", received, re.IGNORECASE | re.MULTILINE)
    return received.partition(b"\r\n")[0], [view.decode() for view in views]


@pytest.fixture(scope="module", params=SERVERS)
def port(request):
    """The site on each server."""
    module, arguments = SERVERS[request.param]
    if (shutil.which(UWSGI) if module == "uwsgi" else find_spec(module)) is None:
        missing(module)
    with running(arguments) as connection:
        yield connection.port


@pytest.mark.parametrize("name", NAMES)
def test_server_and_spelling_together_open_nothing(port, name):
    """However a target is written, and whatever server and framework make of it, the view does not run."""
    cases = VARIANTS[name].cases()
    bypasses = []
    for policy, who in ATTEMPTS:
        for target in targets():
            line, views = ask(port, (name, policy), target, CREDENTIALS[who])
            for view in views:
                if not CREDENTIALS[who].satisfies(cases[policy].need_of(view, "GET")):
                    bypasses.append((policy, who, target, view, line))

    assert bypasses == []


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([b"SCRIPT_NAME: /static"], id="script name"),
        pytest.param([b"Script-Name: /static"], id="script name with hyphen"),
        pytest.param([b"PATH_INFO: /static/x"], id="path info"),
        pytest.param([b"X-Original-URL: /admin", b"X-Rewrite-URL: /admin"], id="rewritten URL"),
        pytest.param([b"X-Forwarded-Prefix: /static", b"X-Script-Name: /static"], id="prefix of a proxy"),
        pytest.param([b"X-HTTP-Method-Override: GET"], id="method override"),
    ],
)
@pytest.mark.parametrize("target", [b"/admin", b"/static/admin", b"/static/x/../admin", b"/health"])
@pytest.mark.parametrize("method", [b"GET", b"get", b"OPTIONS"])
def test_server_and_headers_together_open_nothing(port, lines, target, method):
    """No header moves a request to another path after the policy has judged it."""
    origin = f"Origin: {ORIGIN}".encode()
    preflight = [origin, b"Access-Control-Request-Method: GET"] if method == b"OPTIONS" else []
    bypasses = [
        (name, policy, views, line)
        for name in NAMES
        for policy, who in ATTEMPTS
        for line, views in [ask(port, (name, policy), target, CREDENTIALS[who], *lines, *preflight, method=method)]
        if {view.rstrip("+") for view in views} & {"admin", "users"}
    ]

    assert bypasses == []


@pytest.mark.parametrize("name", NAMES)
def test_server_brings_good_requests_to_their_views(port, name):
    """Each page is there, over the wire, with the least that its rule asks for."""
    lost = []
    for policy, _ in ATTEMPTS:
        case = VARIANTS[name].cases()[policy]
        for view, path in canonical():
            need = case.need_of(view, "GET")
            credential = next(each for each in CREDENTIALS.values() if each.satisfies(need))
            line, views = ask(port, (name, policy), quote(path.encode("latin-1")).encode(), credential)
            if (line.split()[1:2], views) != ([b"200"], [view]):
                lost.append((policy, view, path, line, views))

    assert lost == []
