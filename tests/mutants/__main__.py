"""The command line of `make mutants`; exits 1 if tests are missing."""

import argparse
import os
import signal
import sys
import time

from tests.mutants import report, survivors
from tests.mutants.campaign import Campaign
from tests.mutants.processes import Processes
from tests.mutants.report import Report, shown
from tests.mutants.targets import modules

_INTERVAL = 10


def main():
    """Change the modules that decide in one place at a time, and see whether a test fails."""
    options = _options()
    # Leave through the context manager, which stops the processes.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    reasons = survivors.read()
    campaign = Campaign(
        modules(options.modules),
        needs_wide_tests=lambda mutant: not options.quick and mutant.key not in reasons,
        sample=options.sample,
        seed=options.seed,
    )
    progress = _Progress(len(campaign.mutants))
    with Processes() as processes:
        print(f"mutants: {progress.total}; running the tests without any", flush=True)
        campaign.warm_up(processes)
        campaign.run(processes, options.processes, on_end=progress)
    result = Report(campaign.outcomes.values(), reasons)
    file = options.report
    if file is None and not (options.modules or options.quick) and options.sample is None:
        file = report.FILE
    if file is not None:
        report_text = result.text()
        with open(file, "w") as stream:
            stream.write(report_text)
    _show(result, _stale(campaign, reasons, options))
    return 1 if result.failed else 0


def _options():
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=main.__doc__)
    parser.add_argument("--modules", nargs="+", default=[], help="such as policy jose/signatures")
    parser.add_argument("--quick", action="store_true", help="skip the tests of other modules")
    parser.add_argument("--sample", type=int, help="run only so many mutants, taken at random")
    parser.add_argument("--seed", type=int, default=0, help="take another sample")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--report", help="where to write; REPORT.md if all mutants have run")
    return parser.parse_args()


class _Progress:
    """Prints each survivor, and a line from time to time."""

    def __init__(self, total):
        self.total = total
        self._started = time.monotonic()
        self._done = self._survivors = 0
        self._next = _INTERVAL

    def __call__(self, mutant, survived):
        self._done += 1
        self._survivors += survived
        if survived:
            print(f"survived: {shown(mutant)}", flush=True)
        elapsed = time.monotonic() - self._started
        if elapsed >= self._next or self._done == self.total:
            self._next = elapsed + _INTERVAL
            counts = f"{self._done:>6,} of {self.total:,}  {self._survivors} survivors"
            rate = elapsed / self._done
            print(f"{elapsed:6.0f} s  {counts}  {rate:.2f} s each  {mutant.module}", flush=True)


def _stale(campaign, reasons, options):
    """Return the explained survivors that are gone, from a run that would have met them."""
    if options.sample is not None:
        return []
    alive = {mutant.key for outcome in campaign.outcomes.values() for mutant in outcome.survivors}
    return [key for key in reasons if key[0] in campaign.outcomes and key not in alive]


def _show(result, stale):
    print(f"\n{result.table()}\n")
    for key in stale:
        print(f"survivors.toml: no longer survives, delete it: {key}")
    for mutant in result.unexplained:
        print(survivors.as_entry(mutant))
    print(f"{result.per_cent:.1f} % killed, {len(result.unexplained)} survivors without a reason")


if __name__ == "__main__":
    sys.exit(main())
