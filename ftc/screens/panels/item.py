"""One entry of a panel: its id, its lines, and how a change of it is marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap

from textual.content import Content

from ftc.screens.figures import DIM, MOVED, MOVED_SIGN, STRONG, Parts

Cells = Mapping[str, tuple[str, ...]]  # item id -> what it says, in plain text


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """`id` names what stands there (`step:M110`, `field:budget.usd`); a heading cannot be chosen."""

    id: str
    content: Content
    heading: bool = False


def heading(text: str, note: str = "", first: bool = False) -> Item:
    """A line that names what follows."""
    parts: Parts = [(text, STRONG)]
    if note:
        parts.append((f"  {note}", DIM))
    return Item(id=f"heading:{text}", content=lines([] if first else [("", "")], parts), heading=True)


def lines(*each: Parts) -> Content:
    """Lines of (text, style) as one content. An empty first list is no line."""
    rows = [row for row in each if row]
    parts: Parts = []
    for index, row in enumerate(rows):
        if index:
            parts.append(("\n", ""))
        parts += row
    return Content.assemble(*parts)


def moved(now: Sequence[str], was: Sequence[str] | None) -> bool:
    """True where an item says something else than before, or is new."""
    return was is None or tuple(now) != tuple(was)


def mark(changed: bool) -> Parts:
    """The sign behind a value that the last change moved."""
    return [(f" {MOVED_SIGN}", MOVED)] if changed else []


def wrapped(text: str, width: int, indent: Parts, style: str = DIM, most: int = 4) -> list[Parts]:
    """Text in lines of `width` characters, each behind `indent`; the last one cut where there would be more."""
    room = max(width - sum(len(part) for part, _ in indent), 8)
    found = wrap(text, room, break_long_words=True) if text else []
    if len(found) > most:
        found = [*found[: most - 1], found[most - 1][: room - 1] + "…"]
    return [[*indent, (each, style)] for each in found]


def signed(text: str, width: int, sign: str, style: str, most: int = 3) -> list[Parts]:
    """Wrapped text with a sign ahead of its first line, the others indented below it."""
    body = wrapped(text, width, [(" " * len(sign), "")], "", most=most)
    return [[(sign, style), body[0][-1]], *body[1:]] if body else []
