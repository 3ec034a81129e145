"""Real servers under load: the capacity of a protected application, compared with a bare one."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import inf
from pathlib import Path
from random import shuffle
from tempfile import TemporaryDirectory

from benchmarks.credentials import Credentials, generate
from benchmarks.measure import Effort
from benchmarks.report import NotMeasured, Table, Target, at_least, figure, microseconds

_TOKENS = 200
_TICKS = os.sysconf("SC_CLK_TCK")
_APPS = {
    "bare": "bare",
    "**ours**, cached": "protected",
    "middleware around `jwt.decode`": "around_decode",
}
_SERVERS = {
    "granian": (
        "granian",
        "--interface",
        "wsgi",
        "--workers",
        "1",
        "--no-ws",
        "--log-level",
        "warning",
        "--host",
        "127.0.0.1",
    ),
    "gunicorn": (
        "gunicorn",
        "--worker-class",
        "gthread",
        "--workers",
        "1",
        "--threads",
        "4",
        "--log-level",
        "warning",
    ),
}
_SCRIPT = """
local requests, turn = {{}}, 0
for token in io.lines("{tokens}") do
  local headers = {{["Authorization"] = "Bearer " .. token}}
  requests[#requests + 1] = wrk.format("GET", "/orders/7", headers)
end
request = function()
  turn = turn % #requests + 1
  return requests[turn]
end
"""


@dataclass
class _Result:
    """The best of all rounds: requests a second, and the server's CPU seconds for one."""

    rate: float = 0
    cpu: float = inf


def http(effort: Effort) -> Table:
    """Measure the throughput of servers and the CPU time that they need."""
    if shutil.which("wrk") is None:
        raise NotMeasured(
            "the load comes from wrk, which is not installed; try: apt-get install wrk"
        )
    if not Path("/proc/self/stat").exists():
        raise NotMeasured(
            "the CPU time of servers is read from /proc, which this system does not have"
        )
    credentials = generate("RS256")
    rows: list[list[str]] = []
    targets: list[Target] = []
    for server in _SERVERS:
        results = _compare(server, credentials, effort)
        base = results["bare"]
        rows += [
            [
                f"{server}: {name}",
                figure(one.rate),
                microseconds(one.cpu),
                figure(base.cpu / one.cpu),
                figure(one.rate / base.rate),
            ]
            for name, one in results.items()
        ]
        if server == "granian":
            targets.append(
                at_least(
                    "capacity under granian ÷ bare",
                    0.85,
                    base.cpu / results["**ours**, cached"].cpu,
                )
            )
    return Table(
        "Over HTTP (RS256)",
        f"One worker, {_TOKENS} tokens in turn, load from `wrk` on the same machine. Capacity is"
        " the bare application's\n"
        "CPU time for a request ÷ this one's, which is steadier than requests a second where CPUs"
        " are shared.",
        ("", "requests/s", "CPU µs", "capacity ÷ bare", "requests/s ÷ bare"),
        rows,
        targets,
    )


def _compare(server: str, credentials: Credentials, effort: Effort) -> dict[str, _Result]:
    results = {name: _Result() for name in _APPS}
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory()))
        script = _write_script(directory, credentials)
        running = {
            name: stack.enter_context(_running(server, app, credentials.pem))
            for name, app in _APPS.items()
        }
        order = list(_APPS)
        for _ in range(effort.loads):
            shuffle(order)
            for name in order:
                _load(*running[name], script, results[name])
    return results


def _write_script(directory: Path, credentials: Credentials) -> Path:
    tokens, script = directory / "tokens", directory / "load.lua"
    tokens.write_text("".join(f"{credentials.token()}\n" for _ in range(_TOKENS)))
    script.write_text(_SCRIPT.format(tokens=tokens))
    return script


@contextmanager
def _running(server: str, app: str, pem: bytes) -> Iterator[tuple[int, int]]:
    """Start a server and yield its process id and port."""
    port = _free_port()
    address = ("--port", str(port)) if server == "granian" else ("--bind", f"127.0.0.1:{port}")
    process = subprocess.Popen(
        [sys.executable, "-m", *_SERVERS[server], *address, f"benchmarks.served:{app}"],
        env={**os.environ, "BENCHMARKS_PUBLIC_KEY": pem.decode()},
        stdout=subprocess.DEVNULL,
    )
    try:
        _wait_for(process, port)
        yield process.pid, port
    finally:
        process.terminate()
        process.wait(timeout=30)


def _load(process: int, port: int, script: Path, result: _Result) -> None:
    command = [
        "wrk",
        "--threads",
        "1",
        "--connections",
        "8",
        "--duration",
        "1s",
        "--script",
        str(script),
    ]
    before = _cpu_seconds(process)
    output = subprocess.run(
        [*command, f"http://127.0.0.1:{port}/"], capture_output=True, check=True, text=True
    ).stdout
    used = _cpu_seconds(process) - before
    figures = {name: float(value) for value, name in re.findall(r"([\d.]+) (requests) in", output)}
    figures |= {
        name: float(value) for name, value in re.findall(r"(Requests/sec): +([\d.]+)", output)
    }
    if "Non-2xx" in output:
        raise AssertionError(f"the server refused requests:\n{output}")
    result.rate = max(result.rate, figures["Requests/sec"])
    result.cpu = min(result.cpu, used / figures["requests"])


def _cpu_seconds(process: int) -> float:
    """Return the CPU time of a process and those that it started (proc(5): utime and stime)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return (int(fields[11]) + int(fields[12])) / _TICKS + sum(
        _cpu_seconds(int(child)) for child in children
    )


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _wait_for(process: "subprocess.Popen[bytes]", port: int) -> None:
    for _ in range(200):
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"the server {process.args!r} did not start")
