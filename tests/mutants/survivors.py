"""The survivors that are explained in ``survivors.toml``.

An entry names the module, the function, the text of the line and the change, so that it stays valid
when other lines change. `kind` is ``equivalent`` if no request and no program can tell the mutant
from the original. It is ``harmless`` if something can, but no promise of the package is broken.
"""

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("survivors.toml")
_KINDS = {"equivalent", "harmless"}


@dataclass(frozen=True)
class Reason:
    """Why a survivor may survive."""

    kind: str
    text: str


def read(file=FILE):
    """Return the reasons by the keys of the mutants."""
    entries = tomllib.loads(file.read_text()).get("survivor", []) if file.exists() else []
    reasons = {}
    for entry in entries:
        key = (entry["module"], entry["function"], entry["line"], entry["change"])
        if entry["kind"] not in _KINDS or not entry["reason"] or key in reasons:
            raise SystemExit(f"{file.name}: {key} needs one kind of {_KINDS} and one reason")
        reasons[key] = Reason(entry["kind"], entry["reason"])
    return reasons


def as_entry(mutant):
    """Return the entry of a mutant, in which the reason is still missing."""
    names = ("module", "function", "line", "change")
    # JSON strings are TOML strings, too.
    lines = [
        f"{name} = {json.dumps(value, ensure_ascii=False)}"
        for name, value in zip(names, mutant.key, strict=True)
    ]
    return "\n".join(["[[survivor]]", *lines, 'kind = ""', 'reason = ""', ""])
