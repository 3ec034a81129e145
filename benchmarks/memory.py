"""The memory of the cache of verified tokens, and of a process that verifies many tokens."""

import gc
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

from benchmarks.credentials import AUDIENCE, ISSUER, Credentials, generate
from benchmarks.measure import Effort
from benchmarks.report import Table, Target, at_most, figure
from jwt_middleware import Verifier

_FLOOD = 10
_ROOT = Path(__file__).parents[1]
_SCRIPT = f"""
import base64, hmac, json, os, secrets, sys
from jwt_middleware import SecretKey, Verifier
secret = secrets.token_bytes(32)
encode = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=")
header = encode(b'{{"alg":"HS256","typ":"at+jwt"}}')
def token(number):
    claims = {{"iss": {ISSUER!r}, "aud": {AUDIENCE!r}, "exp": 10**10, "sub": f"user {{number}}"}}
    claims |= {{"scope": f"orders:{{number}} a", "client_id": f"c{{number}}"}}
    claims |= {{f"claim-{{number}}": 1}}
    text = header + b"." + encode(json.dumps(claims).encode())
    return (text + b"." + encode(hmac.digest(secret, text, "sha256"))).decode()
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
verify = Verifier(SecretKey(secret), issuer={ISSUER!r}, audience={AUDIENCE!r}).verify
for number in range(5_000):
    verify(token(number)).scopes
before = resident()
for number in range(5_000, 5_000 + int(sys.argv[1])):
    verify(token(number)).scopes
print(".".join(map(str, sys.version_info[:2])), resident() - before)
"""


def memory(effort: Effort) -> Table:
    """Measure the memory of a full cache, before and after floods."""
    credentials = generate("HS256")
    size = 100 * effort.processes
    verifier = credentials.verifier(cache_size=size)
    verifier.verify(credentials.token())
    tracemalloc.start()
    try:
        full = _after(verifier, credentials, size)
        flooded = full + _after(verifier, credentials, _FLOOD * size)
    finally:
        tracemalloc.stop()
    each, growth = full / size / 1024, flooded / full
    resident = _resident(5_000 * effort.processes)
    return Table(
        "Memory",
        f"A cache of {size:,} tokens of {len(credentials.token())} bytes (HS256), the tokens"
        " themselves\n"
        "included. The resident memory is that of a process that has verified and dropped\n"
        f"{5_000 * effort.processes:,} tokens with other subjects, scopes and names of claims.",
        ("", "KB", "KB a token", "÷ full"),
        [
            ["full", figure(full / 1024), figure(each), "1"],
            [
                f"after {_FLOOD} times as many tokens",
                figure(flooded / 1024),
                figure(flooded / size / 1024),
                figure(growth),
            ],
            *[[f"resident, Python {v}, more by", figure(mb * 1024), "", ""] for v, mb in resident],
        ],
        [
            at_most("memory of a cached token", 2.5, each, unit=" KB"),
            at_most("the cache after a flood ÷ before", 1.1, growth),
            *_resident_targets(resident),
        ],
    )


def _resident_targets(resident: list[tuple[str, float]]) -> list[Target]:
    return [
        at_most(f"resident memory more after a flood, Python {version}", 3, megabytes, unit=" MB")
        for version, megabytes in resident
    ]


def _resident(count: int) -> list[tuple[str, float]]:
    """Return by how many MB a process of each Python grows.

    `make check` leaves the other Pythons in .nox.
    """
    others = sorted(str(path) for path in _ROOT.glob(".nox/wheel-*/bin/python"))
    found = {}
    for python in [sys.executable, *others]:
        command = [python, "-c", _SCRIPT, str(count)]
        environment = os.environ | {"PYTHONPATH": str(_ROOT)}
        done = subprocess.run(command, env=environment, capture_output=True, check=True, text=True)
        version, megabytes = done.stdout.split()
        found[version] = max(float(megabytes), 0.0)
    return sorted(found.items())


def _after(verifier: Verifier, credentials: Credentials, count: int) -> int:
    """Return by how many bytes the process grows while it verifies so many new tokens."""
    gc.collect()
    before, _ = tracemalloc.get_traced_memory()
    for _ in range(count):
        verifier.verify(credentials.token())
    gc.collect()
    return tracemalloc.get_traced_memory()[0] - before
