"""Where the same row, or the same question with another class, stands twice: a few places of each, as examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

PLACES = 5
REMEMBERED = 100_000  # rows; later ones are compared with these

Place = tuple[str, int]  # file, line


@dataclass(slots=True)
class Repeats:
    """Pairs of places: the later one and the earlier one that it repeats or contradicts."""

    same: list[tuple[Place, Place]] = field(default_factory=list)
    conflicting: list[tuple[Place, Place]] = field(default_factory=list)

    def merge(self, later: Repeats, lines_before: int) -> None:
        """Take over places of a part of the same file, so many lines further down."""
        for mine, theirs in ((self.same, later.same), (self.conflicting, later.conflicting)):
            for (name, line), (first_name, first_line) in theirs[: PLACES - len(mine)]:
                mine.append(((name, line + lines_before), (first_name, first_line + lines_before)))


class Watch:
    """Looks at rows one after the other."""

    def __init__(self) -> None:
        self.found = Repeats()
        self._content: dict[int, Place] = {}
        self._asked: dict[int, Place] = {}

    def look(self, places: Sequence[Place], asked: Sequence[int], content: Sequence[int], labelled: bool) -> None:
        """Compare these rows with those before them."""
        seen, asks, found = self._content, self._asked, self.found
        for place, question, whole in zip(places, asked, content, strict=True):
            if whole in seen:
                if len(found.same) < PLACES:
                    found.same.append((place, seen[whole]))
            elif labelled and question in asks and len(found.conflicting) < PLACES:
                found.conflicting.append((place, asks[question]))
            if len(seen) < REMEMBERED:
                seen.setdefault(whole, place)
                if labelled:
                    asks.setdefault(question, place)
