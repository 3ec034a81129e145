"""Running tests in forks of a process that has imported everything but the package and its tests.

A fork starts within milliseconds and imports the package with one changed module. Importing pytest,
Django and the others for each mutant would take ten times as long as most mutants run.
"""

import contextlib
import gc
import importlib
import io
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.machinery import PathFinder, SourceFileLoader
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.mutants.targets import PACKAGE, ROOT

_OPTIONS = ["-x", "-q", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:cov"]
_OWN_NAMES = ("jwt_middleware", "tests", "conftest", "__main__", "__mp_main__")
_PASSED, _TIMED_OUT = 0, -1


@dataclass(frozen=True)
class Run:
    """One process that runs tests: what it was started for, and how it ended."""

    job: object
    seconds: float
    status: int

    @property
    def passed(self):
        """Tell whether all tests passed."""
        return self.status == _PASSED

    @property
    def timed_out(self):
        """Tell whether the process was stopped."""
        return self.status == _TIMED_OUT


class Processes:
    """Runs tests in processes, each for one mutant. Use it as a context manager."""

    def __init__(self):
        self._running = {}

    def __enter__(self):
        self._directory = Path(tempfile.mkdtemp(prefix="mutants-"))
        return self

    def __exit__(self, *exc_info):
        for pid in list(self._running):
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        shutil.rmtree(self._directory, ignore_errors=True)

    def __len__(self):
        return len(self._running)

    def start(self, job, files, *, mutant=None, limit=600.0, log=None):
        """Fork a process that runs test files, with a mutant in place of its module."""
        started = time.monotonic()
        pid = os.fork()
        if pid == 0:
            _run_tests(mutant, files, self._directory, log)
        with contextlib.suppress(OSError):
            # The child does the same; whoever comes first.
            os.setpgid(pid, pid)
        self._running[pid] = job, started, started + limit

    def wait(self):
        """Wait for the first process that ends or runs out of time; return its `Run`."""
        while True:
            for pid, (job, started, end) in list(self._running.items()):
                ended, status = os.waitpid(pid, os.WNOHANG)
                now = time.monotonic()
                if not ended and now < end:
                    continue
                status = status if ended else _TIMED_OUT
                with contextlib.suppress(ProcessLookupError):
                    # The programs that it has started, or the process itself.
                    os.killpg(pid, signal.SIGKILL)
                if not ended:
                    os.waitpid(pid, 0)
                del self._running[pid]
                shutil.rmtree(self._directory / str(pid), ignore_errors=True)
                return Run(job, now - started, status)
            time.sleep(0.003)

    def warm_up(self, files):
        """Import what the tests import, without the package and the tests; return their time.

        Exits if a test fails: mutants would be blamed for that.
        """
        log = self._directory / "log"
        for _ in ("cold", "warm"):
            self.start(None, files, log=log)
            run = self.wait()
            if not run.passed:
                raise SystemExit(f"{log.read_text()}\nthe tests fail without any mutant")
            for name in json.loads(log.with_suffix(".json").read_text()):
                _import(name)
        gc.freeze()
        return run.seconds


def _import(name):
    if name not in sys.modules and name.split(".")[0] not in _OWN_NAMES:
        with contextlib.suppress(Exception):
            importlib.import_module(name)


def _run_tests(mutant, files, directory, log):
    """Run tests and end this process."""
    status = 70
    try:
        os.setpgid(0, 0)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _redirect(log or os.devnull)
        os.chdir(ROOT)
        if mutant is not None:
            sys.meta_path.insert(0, _Importer(mutant))
        _make_reproducible()
        status = pytest.main([*_OPTIONS, f"--basetemp={directory / str(os.getpid())}", *files])
        if log is not None:
            log.with_suffix(".json").write_text(json.dumps(list(sys.modules)))
    finally:
        # Without the handlers and threads that tests may have left.
        sys.stdout.flush()
        os._exit(status)


def _redirect(path):
    """Send what the tests print to a file."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), write_through=True)
    sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), write_through=True)


def _make_reproducible():
    """Let Hypothesis try the same few examples for every mutant, and not look for smaller ones."""
    settings.register_profile(
        "mutants",
        max_examples=25,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile("mutants")


class _Importer:
    """Finds the mutated module before Python finds the file on disk."""

    def __init__(self, mutant):
        self._mutant = mutant
        parts = Path(mutant.module).with_suffix("").parts
        self._name = ".".join(("jwt_middleware", *(part for part in parts if part != "__init__")))

    def find_spec(self, name, path=None, target=None):
        if name != self._name:
            return None
        spec = PathFinder.find_spec(name, path, target)
        file = str(PACKAGE / self._mutant.module)
        spec.loader = _Loader(name, file, compile(self._mutant.apply(), file, "exec"))
        return spec


class _Loader(SourceFileLoader):
    """Runs code that is not on disk."""

    def __init__(self, name, file, code):
        super().__init__(name, file)
        self._code = code

    def get_code(self, fullname):
        return self._code
