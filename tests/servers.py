"""Programs that the tests need beside Python: started on free ports, and stopped after the test."""

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from threading import Event

import pytest


def program(name):
    """Return the path of a program; without it the test is skipped, or fails where nothing may be missing (CI)."""
    path = shutil.which(name)
    if path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{name} is not installed")
    return path


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

    def __init__(self, folder, *options):
        self.port = free_port()
        self.command = [program("redis-server"), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder)]
        self.command += ["--save", "", "--appendonly", "yes", "--appendfsync", "always", *options]
        self.process = None

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_port(self.port, self.process)

    def stop(self):
        self.process.kill()
        self.process.wait()


@contextmanager
def redis_server(folder, *options):
    """Run a Redis server."""
    server = RedisServer(folder, *options)
    server.start()
    try:
        yield server
    finally:
        server.stop()
