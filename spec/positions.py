"""From a dotted key to the place in the file, for diagnostics that were raised without knowing the file.

A key that does not stand in the file (a default, a missing key) is shown at the nearest mapping above it that does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ftc.spec.diagnostics import Diagnostic
from ftc.spec.language import KeyPlace
from ftc.spec.yaml_tree import LINE_BREAK, Place

LONGEST_EXCERPT = 400  # characters; a longer line is no help to a reader
SECRET = re.compile(
    r"\b(hf_[A-Za-z0-9]{16,}|sk-[A-Za-z0-9_-]{20,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|AKIA[0-9A-Z]{16}"
    r"|xox[abpr]-[A-Za-z0-9-]{10,}|AIza[0-9A-Za-z_-]{35})"
)
_INDEX = re.compile(r"\.(\d+)(?=\.|\[|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Positions:
    """The places of all keys of one file, with its lines for excerpts."""

    file: str
    lines: tuple[str, ...] = ()
    places: Mapping[str, KeyPlace] = field(default_factory=dict)

    @classmethod
    def of(cls, file: str, text: str, places: Mapping[str, KeyPlace]) -> Positions:
        """The positions in `text`, whose name for people is `file`."""
        return cls(file=file, lines=tuple(LINE_BREAK.split(text)), places=places)

    def written(self, key: str) -> bool:
        """True where the key stands in the file, even if its value is wrong or empty."""
        return normal(key) in self.places

    def place(self, key: str, *, at_key: bool = False) -> Place | None:
        """Where to point for `key`: at its value where that is a scalar, at the key otherwise, or at the nearest
        mapping above that stands in the file. None where none does."""
        wanted = normal(key)
        at = wanted
        while at:
            found = self.places.get(at)
            if found is not None:
                return found.value if found.leaf and at == wanted and not at_key else found.key
            at = at[: max(at.rfind("."), at.rfind("["), 0)]
        return None

    def locate(self, diagnostic: Diagnostic) -> Diagnostic:
        """The diagnostic with file, line, column, length and excerpt; unchanged where it names a place itself."""
        if diagnostic.file:
            return diagnostic
        if diagnostic.line == 0:
            place = self.place(diagnostic.key, at_key=diagnostic.code == "S103")
            if place is None:
                return replace(diagnostic, file=self.file, line=1, column=1) if self.file else diagnostic
            diagnostic = replace(diagnostic, line=place.line, column=place.column, length=place.length)
        return replace(diagnostic, file=self.file, excerpt=self._excerpt(diagnostic.line))

    def _excerpt(self, line: int) -> str:
        """The line with tabs as blanks, so that a caret below it fits; nothing where it holds a secret."""
        text = self.lines[line - 1] if 0 < line <= len(self.lines) else ""
        if len(text) > LONGEST_EXCERPT or SECRET.search(text):
            return ""
        return "".join(char if char.isprintable() else " " for char in text)


def normal(key: str) -> str:
    """`data.demonstrations.1.path` and `data.demonstrations[1].path` are one key."""
    return _INDEX.sub(r"[\1]", key)
