"""Blocks of requests, which each start anew and can be repeated alone; and many of them at once."""

import faulthandler
import os
import random
import re
import time
import warnings
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import lru_cache
from multiprocessing import get_context
from typing import NamedTuple

from joserfc.errors import SecurityWarning

from jwt_middleware import TokenIssuer
from tests.fuzz.judge import ask, problems, reason_of
from tests.fuzz.refresh import RefreshFuzzer
from tests.fuzz.requests import Pool, make_request
from tests.fuzz.signing import Keys
from tests.fuzz.targets import make_targets

BLOCK = 2000
# Which part of the requests spends refresh tokens.
_REFRESHES = 0.04
# After so many findings of one kind, more of them are only counted.
_SHOWN = 2


class Finding(NamedTuple):
    """One broken law, and what it takes to see it again."""

    law: str
    seed: int
    block: int
    target: str
    request: str

    @property
    def kind(self):
        """What findings of one cause have in common, more or less."""
        return self.target, re.sub(r"\d+", "", ":".join(self.law.split(":")[:2]))


@dataclass
class Tally:
    """What became of a number of requests."""

    requests: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    targets: Counter[str] = field(default_factory=Counter)
    laws: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    def add(self, other):
        """Add another tally to this one."""
        self.requests += other.requests
        for name in ("outcomes", "targets", "laws"):
            getattr(self, name).update(getattr(other, name))
        for finding in other.findings:
            self._keep(finding)

    def report(self, finding):
        """Count a finding, and keep it if it is among the first of its kind."""
        self.laws[finding.law.partition(":")[0]] += 1
        self._keep(finding)

    def _keep(self, finding):
        if sum(known.kind == finding.kind for known in self.findings) < _SHOWN:
            self.findings.append(finding)


def run_block(
    seed, block, size=BLOCK, *, make=make_targets, make_issuer=TokenIssuer, refreshes=_REFRESHES
):
    """Run one block of requests against fresh targets and return its tally."""
    rng = random.Random(f"{seed}/{block}")
    keys = _keys()
    targets = make(keys, rng)
    # A pool costs more than the requests that use it, so it grows with them.
    pools = [Pool(rng, target, keys, max(20, size // 20)) for target in targets]
    sessions = RefreshFuzzer(keys, rng, make_issuer)
    tally = Tally()
    for _ in range(size):
        tally.requests += 1
        if rng.random() < refreshes:
            outcome, token, broken = sessions.step()
            name, request = "refresh", token
        else:
            at = rng.randrange(len(targets))
            target = targets[at]
            request = make_request(rng, target, pools[at], rng.choice(pools))
            outcome, broken = _run_request(target, request)
            name = target.name
        tally.outcomes[outcome] += 1
        tally.targets[f"{name}: {outcome}" if outcome.startswith("accepted") else name] += 1
        for law in broken:
            tally.report(Finding(law, seed, block, name, repr(request)))
    return tally


def run(*, seed, seconds=None, requests=None, processes=1, first_block=0, progress=None):
    """Run blocks until the time is over or the number of requests is reached; return the tally."""
    total, started, block, limit = Tally(), time.monotonic(), first_block, requests or float("inf")
    pending, asked = {}, 0
    # Processes of their own rather than forks, which are not safe where threads run.
    context = get_context("spawn")
    with ProcessPoolExecutor(processes, context, initializer=_prepare_process) as pool:
        try:
            while True:
                is_late = seconds is not None and time.monotonic() - started >= seconds
                while asked < limit and not is_late and len(pending) < 2 * processes:
                    size = int(min(BLOCK, limit - asked))
                    pending[pool.submit(_run_noted, seed, block, size)] = block
                    block, asked = block + 1, asked + size
                if not pending:
                    return total
                for future in wait(pending, return_when=FIRST_COMPLETED).done:
                    total.add(future.result())
                    del pending[future]
                if progress is not None:
                    progress(total, time.monotonic() - started)
        except BrokenProcessPool:
            # One of these blocks made the interpreter crash, or somebody ended a process.
            for lost in pending.values():
                total.report(Finding("a process died", seed, lost, "any", ""))
            return total


def _run_noted(seed, block, size):
    try:
        return run_block(seed, block, size)
    except Exception as exc:
        exc.add_note(f"The fuzzer itself failed in block {block} of seed {seed}.")
        raise


def _run_request(target, request):
    answer = ask(target, request.environ.copy())
    broken = problems(target, request, answer)
    arrived = target.probe.environ
    if answer.exception is not None:
        return "exception", broken
    if arrived is None:
        return reason_of(target, answer), broken
    if "jwt_middleware.claims" in arrived:
        return "accepted with claims", broken
    return "accepted without claims", broken


def _prepare_process():
    # What a crash of the interpreter leaves behind is a traceback.
    faulthandler.enable()
    # joserfc warns of EdDSA (RFC 9864), which issuers use all the same.
    warnings.simplefilter("ignore", SecurityWarning)


@lru_cache(maxsize=1)
def _keys():
    return Keys()


def default_processes():
    """Return how many processes this machine runs at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
