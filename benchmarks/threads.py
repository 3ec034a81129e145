"""Cached hits by one thread and by eight: a lock on the read path would show here."""

from collections.abc import Callable
from itertools import repeat
from math import inf
from random import shuffle
from threading import Barrier, Thread
from time import perf_counter

from benchmarks.applications import bare, request
from benchmarks.credentials import generate
from benchmarks.measure import Effort
from benchmarks.report import Table, at_least, figure
from jwt_middleware import JWTMiddleware

_REQUESTS = 40_000
_COUNTS = (1, 2, 8)


def threads(effort: Effort) -> Table:
    """Measure how many requests a second threads serve together."""
    credentials = generate("RS256")
    call = request(JWTMiddleware(bare, credentials.verifier()), f"Bearer {credentials.token()}")
    call()
    best = dict.fromkeys(_COUNTS, inf)
    order = list(_COUNTS)
    for _ in range(effort.rounds // 3):
        shuffle(order)
        for count in order:
            best[count] = min(best[count], _seconds(call, count))
    rate = {count: _REQUESTS / seconds for count, seconds in best.items()}
    return Table(
        "Threads",
        f"{_REQUESTS:,} authenticated requests, cached (RS256), shared out among threads of one"
        " process.",
        ("threads", "requests/s", "÷ 1 thread"),
        [[str(count), figure(each), figure(each / rate[1])] for count, each in rate.items()],
        [at_least("cached requests: 8 threads ÷ 1 thread", 0.9, rate[8] / rate[1])],
    )


def _seconds(call: Callable[[], object], count: int) -> float:
    start = Barrier(count + 1)

    def work() -> None:
        start.wait()
        for _ in repeat(None, _REQUESTS // count):
            call()

    workers = [Thread(target=work) for _ in range(count)]
    for worker in workers:
        worker.start()
    start.wait()
    began = perf_counter()
    for worker in workers:
        worker.join()
    return perf_counter() - began
