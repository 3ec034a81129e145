"""Timing: contenders take turns in shuffled rounds, and the best time of each counts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from random import shuffle
from timeit import Timer

Call = Callable[[], object]


@dataclass(frozen=True)
class Effort:
    """How often to measure: rounds of timed blocks, processes, and seconds of load on a server."""

    rounds: int
    processes: int
    loads: int


FULL = Effort(rounds=300, processes=40, loads=12)
QUICK = Effort(rounds=15, processes=8, loads=2)

_BLOCK_SECONDS = 0.003


def fastest(contenders: Mapping[str, Call], rounds: int) -> dict[str, float]:
    """Return the seconds that one call of each contender takes, the minimum over all rounds.

    Other processes only add time, so the minimum is what the code itself needs. All contenders take
    part in every round, so a busy machine slows all of them. The garbage collector is off.
    """
    timers = {name: Timer(call) for name, call in contenders.items()}
    loops = {name: _loops(timer) for name, timer in timers.items()}
    best = dict.fromkeys(contenders, inf)
    order = list(contenders)
    for _ in range(rounds):
        shuffle(order)
        for name in order:
            best[name] = min(best[name], timers[name].timeit(loops[name]) / loops[name])
    return best


def _loops(timer: Timer) -> int:
    timer.timeit(1)  # The first call may do more than all others, as fetching keys.
    loops = 1
    while (seconds := timer.timeit(loops)) < _BLOCK_SECONDS / 4:
        loops *= 2
    return max(1, round(loops * _BLOCK_SECONDS / seconds))
