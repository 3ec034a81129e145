"""Key rotation under servers that fork: each process refreshes its keys by itself."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from threading import Event
from typing import NamedTuple

import pytest

from jwt_middleware import RemoteJWKSet, TokenIssuer
from tests.conftest import AUDIENCE, ISSUER, bearer
from tests.origin import Origin
from tests.servers import free_port, program, require_module, wait_for_port

ROOT = Path(__file__).parents[2]
# The keys are soon stale, so that they are refreshed. The shortest cooldown is one second.
OPTIONS = {"max_age": 0.3, "cooldown": 1, "timeout": 1}
PATIENCE = 10

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")


class Answer(NamedTuple):
    """One response, and the process that gave it."""

    status: int
    process: int


class Server(NamedTuple):
    """A server that runs `tests.remote_app` in a number of processes."""

    port: int
    processes: int
    output: object

    def ask(self, token):
        """Send one request on a connection of its own."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("GET", "/", headers=bearer(token) | {"Connection": "close"})
            response = connection.getresponse()
            response.read()
            return Answer(response.status, int(response.headers["X-Process"]))
        finally:
            connection.close()

    def ask_all(self, token):
        """Send requests until every process has answered; return all answers."""
        answers = []
        with ThreadPoolExecutor(8) as pool:
            for _ in until(PATIENCE):
                answers += pool.map(self.ask, [token] * 8)
                if len({answer.process for answer in answers}) == self.processes:
                    return answers
        return pytest.fail(f"only {sorted({answer.process for answer in answers})} have answered")

    def statuses(self, token):
        """Return the statuses that the processes answer with."""
        return {answer.status for answer in self.ask_all(token)}

    def wait_for(self, status, token):
        """Send requests until every process answers with this status only."""
        for _ in until(PATIENCE):
            if self.statuses(token) == {status}:
                return
        pytest.fail(f"some process does not answer {status}")

    def log(self):
        """Return what the server has written so far."""
        self.output.seek(0)
        return self.output.read().decode(errors="replace")


def until(seconds):
    """Yield every few milliseconds until this time has passed."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield
        Event().wait(0.01)


@contextmanager
def running(command, origin, *, processes, preload=False):
    """Run a server of the application with the origin's keys; stop it afterwards."""
    port = free_port()
    environ = os.environ | {
        "JWKS_URL": origin.url,
        "JWKS_OPTIONS": json.dumps(OPTIONS),
        "JWKS_PRELOAD": "yes" if preload else "",
        # uWSGI has its own interpreter, which must find the same packages as this one.
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)]),
    }
    with (
        tempfile.TemporaryFile() as output,
        subprocess.Popen(
            [argument.format(port=port) for argument in command],
            cwd=ROOT,
            env=environ,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        try:
            wait_for_port(port, process, output)
            yield Server(port, processes, output)
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def gunicorn(origin, **options):
    """Run gunicorn with two workers of four threads, forked after loading the application."""
    require_module("gunicorn")
    command = (
        "-m gunicorn tests.remote_app:app --no-control-socket --preload"
        " --workers 2 --worker-class gthread --threads 4"
    )
    return running(
        [sys.executable, *command.split(), "--bind", "127.0.0.1:{port}"],
        origin,
        processes=2,
        **options,
    )


def uwsgi(origin, *, threads, processes):
    """Run uWSGI, with or without threads of the application."""
    path = program("uwsgi", Path(sys.executable).parent, hint="pip install pyuwsgi")
    command = (
        f"{path} --need-app --die-on-term --disable-logging --master"
        f" --module tests.remote_app:app --processes {processes}"
    )
    more = ["--enable-threads"] if threads else []
    return running(
        [*command.split(), *more, "--http-socket", "127.0.0.1:{port}"], origin, processes=processes
    )


@pytest.fixture
def origin(old):
    """An identity provider."""
    with Origin(old) as origin:
        yield origin


def token_of(key):
    """Return a token of the key."""
    return TokenIssuer(key, issuer=ISSUER, audience=AUDIENCE).access_token("alice")


def follow_a_rotation(server, origin, old, new):
    """Rotate the keys of a running server: first publish both, then withdraw the old one."""
    assert server.statuses(token_of(old)) == {200}
    origin.keys = [new, old]
    assert server.statuses(token_of(new)) == {200}
    assert server.statuses(token_of(old)) == {200}
    origin.keys = [new]
    server.wait_for(401, token_of(old))
    assert server.statuses(token_of(new)) == {200}


def processes_that_fetched(origin):
    """Return how often each process has fetched."""
    return Counter(int(received.target.partition("?")[2]) for received in origin.received)


@pytest.mark.parametrize(
    "preload",
    [
        pytest.param(False, id="loaded by the workers"),
        pytest.param(True, id="loaded before the fork"),
    ],
)
def test_gunicorn_workers_follow_a_rotation_each(origin, old, new, preload):
    """Each worker accepts a new key at once and drops a withdrawn one."""
    with gunicorn(origin, preload=preload) as server:
        follow_a_rotation(server, origin, old, new)

        workers = {answer.process for answer in server.ask_all(token_of(new))}
        fetched = processes_that_fetched(origin)
        assert workers <= set(fetched)
        assert len(set(fetched) - workers) == preload
        assert "Traceback" not in server.log()


def test_gunicorn_workers_survive_an_outage_each(origin, old, new):
    """Workers use the keys that the parent loaded during an outage, and refresh them after it."""
    with gunicorn(origin, preload=True) as server:
        origin.behaviour = "closed"
        Event().wait(OPTIONS["max_age"])
        assert server.statuses(token_of(old)) == {200}
        assert server.statuses(token_of(new)) == {503}
        origin.behaviour, origin.keys = "ok", [new]

        server.wait_for(401, token_of(old))
        assert server.statuses(token_of(new)) == {200}


def test_gunicorn_worker_that_is_replaced_starts_with_the_parents_keys(origin, old):
    """A worker that was forked during an outage uses the keys that the parent loaded."""
    with gunicorn(origin, preload=True) as server:
        first = {answer.process for answer in server.ask_all(token_of(old))}
        origin.behaviour = "closed"
        os.kill(min(first), signal.SIGTERM)
        for _ in until(PATIENCE):
            answers = server.ask_all(token_of(old))
            if min(first) not in {answer.process for answer in answers}:
                break

        assert {answer.process for answer in answers} - first
        assert {answer.status for answer in answers} == {200}


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize(
    "threads", [pytest.param(True, id="threads"), pytest.param(False, id="no threads")]
)
def test_uwsgi_follows_a_rotation(origin, old, new, threads, processes):
    """Loading, rotation and refresh work, even if threads do not run between requests."""
    with uwsgi(origin, threads=threads, processes=processes) as server:
        follow_a_rotation(server, origin, old, new)

        assert {answer.process for answer in server.ask_all(token_of(new))} <= set(
            processes_that_fetched(origin)
        )
        assert "Traceback" not in server.log()


@pytest.mark.parametrize(
    "threads", [pytest.param(True, id="threads"), pytest.param(False, id="no threads")]
)
def test_uwsgi_refreshes_from_a_slow_server(origin, old, new, threads):
    """A refresh that takes longer than a request is finished too."""
    with uwsgi(origin, threads=threads, processes=1) as server:
        assert server.statuses(token_of(old)) == {200}
        origin.delay, origin.keys = 0.15, [new]

        server.wait_for(401, token_of(old))
        assert server.statuses(token_of(new)) == {200}


def test_uwsgi_without_threads_is_tested(origin):
    """From 2.0.27 on, uWSGI always runs threads. Older Pythons test an older uWSGI."""
    with uwsgi(origin, threads=False, processes=1) as server:
        assert server.statuses("a.b.c") == {401}
        log = server.log()
    if "python threads support enabled" in log and sys.version_info >= (3, 12):
        pytest.skip("this uWSGI runs an application's threads in any case")

    assert "Python threads support is disabled" in log


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_refresh_under_way_stays_with_the_parent(origin, old, new):
    """A child that is forked during a refresh starts its own; the parent finishes its refresh."""
    keys = RemoteJWKSet(origin.url, allow_http=True, max_age=0.05, timeout=5)
    assert keys.ready()
    origin.behaviour, asked = "hang", len(origin.received)
    Event().wait(0.05)
    before = keys.refresh_if_stale()
    assert any(len(origin.received) > asked for _ in until(PATIENCE))
    origin.behaviour, origin.keys = "ok", [new]

    child = os.fork()
    if not child:
        rotated = any(keys.refresh_if_stale() is not before for _ in until(PATIENCE))
        os._exit(0 if rotated and keys.status().key_ids == ("key-RS256",) else 1)
    _, status = os.waitpid(child, 0)
    origin.release()
    for _ in until(PATIENCE):
        if keys.refresh_if_stale() is not before:
            break

    assert os.waitstatus_to_exitcode(status) == 0
    assert keys.status().key_ids == ("key-RS256",)
