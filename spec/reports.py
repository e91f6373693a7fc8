"""Findings about single rows while they are read: counted by code, with the first places of each."""

from __future__ import annotations

from dataclasses import dataclass, field

from ftc.spec.data_codes import CODES
from ftc.spec.diagnostics import Diagnostic, Severity

EXAMPLES = 5  # places named in a finding
FATAL = frozenset(("D101", "D103", "D104", "D105", "D106"))  # where a file could not be read to its end


@dataclass(slots=True)
class Reports:
    """What was found, by code. `rows_read` counts every record; `rows_reported` those that are not used."""

    rows_read: int = 0
    rows_reported: int = 0
    fatal: bool = False
    ended: bool = False
    keep_all: bool = False  # every place, not only the first ones
    counts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[tuple[str, int, str]]] = field(default_factory=dict)  # file, line, what is wrong

    def note(self, code: str, name: str, line: int, why: str, count: int = 1) -> None:
        """A finding about a row that is used all the same."""
        self.counts[code] = self.counts.get(code, 0) + count
        places = self.examples.setdefault(code, [])
        if self.keep_all or len(places) < EXAMPLES:
            places.append((name, line, why))

    def refuse(self, code: str, name: str, line: int, why: str) -> None:
        """A row that cannot be used."""
        self.rows_read += 1
        self.rows_reported += 1
        self.note(code, name, line, why)

    def merge(self, later: Reports, lines_before: int) -> None:
        """Add what was found in a part of the same file that starts after so many lines."""
        self.rows_read += later.rows_read
        self.rows_reported += later.rows_reported
        self.fatal |= later.fatal
        for code, count in later.counts.items():
            self.counts[code] = self.counts.get(code, 0) + count
            places = self.examples.setdefault(code, [])
            for name, line, why in later.examples[code][: EXAMPLES - len(places)]:
                places.append((name, line + lines_before, why))

    def diagnostics(self, key: str) -> list[Diagnostic]:
        """One finding a code."""
        return [self._summed(code, key) for code in sorted(self.counts)]

    def _summed(self, code: str, key: str) -> Diagnostic:
        name, line, why = self.examples[code][0]
        count = self.counts[code]
        stops = code == "D106" or (self.fatal and code in FATAL)
        return Diagnostic(
            code=code,
            message=f"{CODES[code].title}: {why}" + (f" (and {count - 1} more)" if count > 1 else ""),
            severity=Severity.ERROR if stops else CODES[code].severity,
            fix=CODES[code].fix,
            key=key,
            file=name,
            line=line,
            examples=tuple(f"{name}:{line}" for name, line, _ in self.examples[code][:EXAMPLES]),
            count=count,
        )
