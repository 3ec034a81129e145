"""What importing the middleware costs beyond its two dependencies, and what it leaves alone."""

import os
import subprocess
import sys
from tempfile import TemporaryDirectory

from benchmarks.measure import Effort
from benchmarks.report import Table, Target, at_most, figure

_UNWANTED = ("requests", "flask", "asyncio")
_SCRIPT = f"""
from time import perf_counter
began = perf_counter()
import jwt, werkzeug.exceptions
between = perf_counter()
from jwt_middleware import JWTMiddleware, Policy, SecretKey, Verifier, public
print(between - began, perf_counter() - between)
import sys
print(*sys.modules.keys() & {set(_UNWANTED)!r})
"""


def imports(effort: Effort) -> Table:
    """Measure imports in fresh processes."""
    with TemporaryDirectory() as bytecode:
        _run(bytecode)
        lines = [_run(bytecode) for _ in range(effort.processes)]
    needed, own = (min(float(times.split()[which]) * 1e3 for times, _ in lines) for which in (0, 1))
    loaded = lines[0][1]
    return Table(
        "Import",
        "The best of fresh processes, from bytecode that an earlier one compiled.",
        ("", "ms"),
        [
            ["`import jwt, werkzeug.exceptions`", figure(needed)],
            ["the names of the README's first examples", figure(own)],
        ],
        [
            at_most("import, beyond `jwt` and `werkzeug.exceptions`", 5.5, own, unit=" ms"),
            Target(f"of {', '.join(_UNWANTED)} it imports", "none", loaded or "none", not loaded),
        ],
    )


def _run(bytecode: str) -> tuple[str, str]:
    environment = {
        name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
    }
    environment["PYTHONPYCACHEPREFIX"] = bytecode
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT], env=environment, capture_output=True, check=True, text=True
    )
    times, loaded = done.stdout.splitlines()
    return times, loaded
