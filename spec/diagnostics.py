"""A problem or a remark, with the place it stands at and what to write instead.

Functions that can meet several problems return a list of these beside their value, so that a user sees all of
them in one pass. `Refused` carries such a list up to the front door, which prints it and exits.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad it is: an error stops, a warning is to be looked at, a note is good to know."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One finding. `line` and `column` count from 1 and are 0 where there is no place to point at."""

    code: str
    message: str
    severity: Severity = Severity.ERROR
    fix: str = ""  # what to write instead, as text that can be pasted
    key: str = ""  # dotted key in the spec, `data.demonstrations.path`
    file: str = ""
    line: int = 0
    column: int = 0
    length: int = 0  # how many characters are at fault, for the caret line
    excerpt: str = ""  # the source line, for the caret line
    examples: tuple[str, ...] = ()  # more places: `tickets.csv:14`
    count: int = 0  # how many rows it concerns, for findings about data

    def to_json(self) -> dict[str, object]:
        """The fields that say something, for `--json`."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name in self.__slots__
            if (value := getattr(self, name)) not in ("", 0, ())
        }


def errors(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Those that stop."""
    return [each for each in diagnostics if each.severity is Severity.ERROR]


class Refused(Exception):
    """The work stops here, with every reason. `exit_code` is 2 (spec, plan, command line) or 3 (cannot be run)."""

    def __init__(self, diagnostics: Iterable[Diagnostic], exit_code: int = 2) -> None:
        self.diagnostics = tuple(diagnostics)
        self.exit_code = exit_code
        super().__init__("; ".join(f"{each.code} {each.message}" for each in self.diagnostics))
