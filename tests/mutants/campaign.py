"""Running all mutants of some modules, and what became of each."""

import random
from collections import deque
from dataclasses import dataclass, field

from tests.mutants.mutations import mutants_of
from tests.mutants.targets import PACKAGE, own_tests, wide_tests

_OWN, _WIDE = "own tests", "wide tests"


@dataclass
class Outcome:
    """What became of the mutants of one module."""

    module: str
    mutants: int
    tests: tuple[str, ...]
    killed: int = 0
    timed_out: int = 0
    survivors: list = field(default_factory=list)

    @property
    def done(self):
        """The number of mutants whose fate is known."""
        return self.killed + self.timed_out + len(self.survivors)


class Campaign:
    """Runs the mutants of some modules.

    A mutant first meets the tests of its module. If they pass, it meets a wide set of tests, unless
    `needs_wide_tests(mutant)` is false. `sample` takes that many mutants at random.
    """

    def __init__(self, modules, *, needs_wide_tests, sample=None, seed=0):
        found = [
            mutant
            for module in modules
            for mutant in mutants_of(module, (PACKAGE / module).read_text())
        ]
        if sample is not None and sample < len(found):
            chosen = sorted(random.Random(seed).sample(range(len(found)), sample))
            found = [found[number] for number in chosen]
        self._mutants = found
        self._needs_wide_tests = needs_wide_tests
        self._limits = {}
        self.outcomes = {
            module: Outcome(
                module, sum(mutant.module == module for mutant in found), own_tests(module)
            )
            for module in modules
        }

    @property
    def mutants(self):
        """All mutants of this campaign."""
        return tuple(self._mutants)

    def warm_up(self, processes):
        """Run every set of tests without a mutant, which shows how long it takes."""
        for mutant in self._mutants:
            files = [self.outcomes[mutant.module].tests]
            if self._needs_wide_tests(mutant):
                files.append(wide_tests(mutant.module))
            for tests in files:
                if tests not in self._limits:
                    # Generous, because machines are shared.
                    self._limits[tests] = 10 + 8 * processes.warm_up(tests)

    def run(self, processes, number, *, on_end):
        """Run all mutants in `number` processes; call `on_end(mutant, survived)` for each."""
        waiting = deque((mutant, _OWN) for mutant in self._mutants)
        while waiting or len(processes):
            while waiting and len(processes) < number:
                self._start(processes, *waiting.popleft())
            run = processes.wait()
            mutant, stage = run.job
            if run.passed and stage is _OWN and self._needs_wide_tests(mutant):
                waiting.appendleft((mutant, _WIDE))
                continue
            self._count(mutant, run)
            on_end(mutant, run.passed)

    def _start(self, processes, mutant, stage):
        files = self.outcomes[mutant.module].tests if stage is _OWN else wide_tests(mutant.module)
        processes.start((mutant, stage), files, mutant=mutant, limit=self._limits[files])

    def _count(self, mutant, run):
        outcome = self.outcomes[mutant.module]
        if run.passed:
            outcome.survivors.append(mutant)
        elif run.timed_out:
            outcome.timed_out += 1
        else:
            outcome.killed += 1
