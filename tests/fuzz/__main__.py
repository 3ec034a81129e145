"""The command line of `make fuzz`; exits 1 if a law is broken."""

import argparse
import random
import sys

from tests.fuzz.runner import BLOCK, default_processes, run

_INTERVAL = 10


def main():
    """Run, show progress and a summary, and return the exit code."""
    options = _options()
    seed = random.randrange(10**9) if options.seed is None else options.seed
    first, seconds, requests = options.block or 0, options.seconds, options.requests
    if options.block is not None:
        seconds, requests = None, BLOCK
    elif seconds is None and requests is None:
        seconds = 60
    limit = f"{requests} requests" if seconds is None else f"{seconds} s"
    print(f"fuzz: seed {seed}, {limit}, {options.processes} processes", flush=True)
    total = run(
        seed=seed,
        seconds=seconds,
        requests=requests,
        processes=options.processes,
        first_block=first,
        progress=_Progress(),
    )
    _show(total)
    return 1 if total.laws else 0


def _options():
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=main.__doc__)
    parser.add_argument("--seconds", type=float, help="stop after this time; 60 without --requests")
    parser.add_argument("--requests", type=int, help="stop after this many requests")
    parser.add_argument("--seed", type=int, help="repeat an earlier run")
    parser.add_argument("--block", type=int, help="run this block only, to repeat a finding")
    parser.add_argument("--processes", type=int, default=default_processes())
    return parser.parse_args()


class _Progress:
    """Prints a line from time to time."""

    def __init__(self):
        self._next = _INTERVAL

    def __call__(self, total, elapsed):
        if elapsed < self._next:
            return
        self._next = elapsed + _INTERVAL
        counts = f"{total.requests:>10,} requests  {total.laws.total()} findings"
        print(f"{elapsed:6.0f} s  {counts}  {total.requests / elapsed:6,.0f}/s", flush=True)


def _show(total):
    print(f"\n{total.requests:,} requests")
    for title, counts in (("outcomes", total.outcomes), ("targets", total.targets)):
        print(f"\n{title}:")
        for name, count in sorted(counts.items(), key=lambda item: -item[1]):
            print(f"{count:>12,}  {name}")
    disagreements, exceptions = total.laws["disagreement"], total.laws["exception"]
    print(f"\n{disagreements} disagreements, {exceptions} exceptions")
    print(f"{total.laws.total()} findings in all")
    for finding in total.findings:
        print(f"\n{finding.law}\n  target: {finding.target}\n  request: {finding.request[:20_000]}")
        print(f"  again: python -m tests.fuzz --seed {finding.seed} --block {finding.block}")


if __name__ == "__main__":
    sys.exit(main())
