"""What the cache of verified tokens weighs, and that a flood of tokens does not make it heavier."""

import gc
import tracemalloc

from benchmarks.credentials import Credentials, generate
from benchmarks.measure import Effort
from benchmarks.report import Table, at_most, figure
from jwt_middleware import Verifier

_FLOOD = 10


def memory(effort: Effort) -> Table:
    """Measure the memory of a full cache, before and after a flood."""
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
    return Table(
        "Memory",
        f"A cache of {size:,} tokens of {len(credentials.token())} bytes (HS256), the tokens themselves included.",
        ("", "KB", "KB a token", "÷ full"),
        [
            ["full", figure(full / 1024), figure(each), "1"],
            [
                f"after {_FLOOD} times as many tokens",
                figure(flooded / 1024),
                figure(flooded / size / 1024),
                figure(growth),
            ],
        ],
        [
            at_most("memory of a cached token", 2.5, each, unit=" KB"),
            at_most("the cache after a flood ÷ before", 1.1, growth),
        ],
    )


def _after(verifier: Verifier, credentials: Credentials, count: int) -> int:
    """Return by how many bytes the process grows while it verifies so many new tokens."""
    gc.collect()
    before, _ = tracemalloc.get_traced_memory()
    for _ in range(count):
        verifier.verify(credentials.token())
    gc.collect()
    return tracemalloc.get_traced_memory()[0] - before
