"""The command line: measures what is asked for and writes it as Markdown."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.http import http
from benchmarks.imports import imports
from benchmarks.jwks import jwks
from benchmarks.measure import FULL, QUICK, Effort
from benchmarks.memory import memory
from benchmarks.million import million
from benchmarks.report import NotMeasured, Table, heading, section, summary
from benchmarks.requests import rejects, wsgi
from benchmarks.stores import stores
from benchmarks.threads import threads
from benchmarks.verify import verify

BENCHMARKS: dict[str, Callable[[Effort], Table]] = {
    "verify": verify,
    "wsgi": wsgi,
    "rejects": rejects,
    "threads": threads,
    "memory": memory,
    "imports": imports,
    "http": http,
    "jwks": jwks,
    "stores": stores,
    "million": million,
}
_RESULTS = Path(__file__).with_name("RESULTS.md")


def main() -> int:
    """Run the benchmarks. The exit status is 2 if one that was asked for by name cannot run."""
    arguments = _arguments()
    exit_status = 0
    parts = [heading()]
    tables: list[Table] = []
    for name in arguments.only or BENCHMARKS:
        print(f"{name} ...", file=sys.stderr, flush=True)
        try:
            table = BENCHMARKS[name](QUICK if arguments.quick else FULL)
        except NotMeasured as reason:
            parts.append(f"{name}: not measured; {reason}.\n")
            exit_status = 2 if arguments.only else 0
            continue
        tables.append(table)
        parts.append(section(table))
    text = "\n".join([*parts, summary(tables)]).rstrip("\n")
    print(text)
    if arguments.write:
        _RESULTS.write_text(f"{text}\n")
    return exit_status


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure jwt_middleware beside its peers."
    )
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        choices=list(BENCHMARKS),
        help=f"only these of: {', '.join(BENCHMARKS)}",
    )
    parser.add_argument("--quick", action="store_true", help="a rough run in less than a minute")
    parser.add_argument(
        "--write", action="store_true", help="rewrite benchmarks/RESULTS.md as well"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
