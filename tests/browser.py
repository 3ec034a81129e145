"""A real browser for tests: headless Chromium, driven over the WebDriver protocol of the W3C.

The protocol is JSON over HTTP, and the tests need seven of its commands. So they need no library.
"""

import base64
import json
import subprocess
import tempfile
import time
from contextlib import contextmanager
from threading import Event, Thread
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.servers import free_port, program, wait_for_port

HINT = "apt-get install chromium chromium-driver"
OPTIONS = (
    *("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-sync"),
    *("disable-background-networking", "disable-component-update", "window-size=760,860"),
)


class Browser:
    """One window of a browser with a new profile."""

    def __init__(self, driver, binary, profile):
        arguments = [f"--{option}" for option in (*OPTIONS, f"user-data-dir={profile}")]
        chrome = {"binary": binary, "args": arguments}
        wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": chrome}}}
        self.base = driver
        self.base += "/session/" + self.command("POST", "/session", wanted)["sessionId"]

    def command(self, method, path, body=None):
        """Send a command of WebDriver, and return its value."""
        data = None if body is None else json.dumps(body).encode()
        request = Request(self.base + path, data, method=method)
        try:
            with urlopen(request, timeout=30) as response:
                return json.load(response)["value"]
        except HTTPError as error:
            raise AssertionError(json.load(error)["value"]["message"]) from None

    def open(self, url):
        """Go to a page, as a user does who types its address."""
        self.command("POST", "/url", {"url": url})

    def run(self, script, *arguments):
        """Run the body of an async function in the page, and return what it returns."""
        body = {"script": f"return (async () => {{{script}}})()", "args": list(arguments)}
        return self.command("POST", "/execute/sync", body)

    def wait(self, condition, timeout=15):
        """Return the value of an expression in the page as soon as it is true."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            value = self.run(f"return {condition}")
            if value:
                return value
            Event().wait(0.02)
        pytest.fail(f"{condition} did not become true; the page says:\n{self.text}")

    def element(self, selector):
        """Return the path of the commands for one element."""
        found = self.command("POST", "/element", {"using": "css selector", "value": selector})
        return f"/element/{next(iter(found.values()))}"

    def click(self, selector):
        """Click an element, as a user does."""
        self.command("POST", f"{self.element(selector)}/click", {})

    def write(self, selector, text):
        """Type text into a field."""
        self.command("POST", f"{self.element(selector)}/value", {"text": text})

    @property
    def text(self):
        """What the page shows."""
        return self.run("return document.body.innerText")

    @property
    def cookies(self):
        """The cookies that belong to the page, by name; also those that scripts cannot see."""
        return {cookie["name"]: cookie for cookie in self.command("GET", "/cookie")}

    def screenshot(self):
        """Return what the window shows, as PNG."""
        return base64.b64decode(self.command("GET", "/screenshot"))


@contextmanager
def browser():
    """Run a browser; skip the test if there is none."""
    binary, driver = program("chromium", hint=HINT), program("chromedriver", hint=HINT)
    port = free_port()
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        subprocess.Popen([driver, f"--port={port}"], **pipes) as process,
    ):
        try:
            wait_for_port(port, process)
            window = Browser(f"http://127.0.0.1:{port}", binary, profile)
            yield window
            window.command("DELETE", "")
        finally:
            process.terminate()


class Quiet(WSGIRequestHandler):
    """Writes no line for each request."""

    def log(self, *_):
        pass


@contextmanager
def serving(app=None):
    """Serve an application in a thread, and yield the server; its `app` may be set later."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
