"""The spec as a list of fields: what is written, and, dimmed, what one most often sets and has not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftc.screens.editing import field, text_of
from ftc.screens.figures import DIM, MOVED, STRONG, WARN, Parts, cut
from ftc.screens.panels.item import Item, heading, lines, mark

SECTIONS = ("goal", "data", "model", "hardware", "budget", "rules", "overrides")
# Shown even where the spec does not set them, in this order, ahead of what else is set.
SHOWN = (
    "goal.task", "goal.prompting", "goal.quality", "goal.knowledge", "goal.domain", "goal.success.metric",
    "goal.success.at_least", "model.base", "budget.usd", "budget.hours", "budget.deadline_days", "constraints",
    "method", "deploy.target",
)  # fmt: skip
HIDDEN = ("version", "name", "goal.description")
LABELS = {
    "goal.success.metric": "success", "goal.success.at_least": "at least", "budget.deadline_days": "deadline days",
    "deploy.target": "deploy", "hardware": "machine",
}  # fmt: skip
NAME_WIDTH = 13


def section_of(key: str) -> str:
    """The heading under which a key stands."""
    first = key.split(".")[0].split("[")[0]
    return first if first in SECTIONS else "rules"


def listed(found: Mapping[str, Any]) -> list[str]:
    """All keys of the panel, grouped by section."""
    keys = [key for key in (*SHOWN, *found) if key not in HIDDEN]
    if "hardware" not in {key.split(".")[0] for key in found}:
        keys.append("hardware")
    unique = list(dict.fromkeys(keys))
    return sorted(unique, key=lambda key: SECTIONS.index(section_of(key)))


def items(found: Mapping[str, Any], saved: Mapping[str, Any], was: Mapping[str, Any] | None, width: int) -> list[Item]:
    """One line a key. `saved` is what lies on disk (a key that differs carries an asterisk), `was` what stood before
    the last change."""
    out: list[Item] = []
    section = group = ""
    for key in listed(found):
        if section_of(key) != section:
            section, group = section_of(key), ""
            out.append(heading(section.capitalize(), first=not out))
        if _group(key) != group:
            group = _group(key)
            if group:
                out.append(Item(id=f"heading:{group}", content=lines([(f" {group}", DIM)]), heading=True))
        out.append(_line(key, found, saved, was, width))
    return out


def _group(key: str) -> str:
    """The part of the data that a key describes."""
    parts = key.split(".")
    return parts[1] if parts[0] == "data" and len(parts) > 2 else ""


def _label(key: str) -> str:
    group = _group(key)
    return LABELS.get(key) or key.removeprefix(f"data.{group}." if group else f"{key.split('.')[0]}.")


def _line(
    key: str, found: Mapping[str, Any], saved: Mapping[str, Any], was: Mapping[str, Any] | None, width: int
) -> Item:
    written = key in found
    name = ("  " if _group(key) else "") + _label(key)
    changed = was is not None and was.get(key) != found.get(key)
    star = "*" if saved.get(key) != found.get(key) else " "
    parts: Parts = [(star, WARN), (cut(name, NAME_WIDTH).ljust(NAME_WIDTH + 1), "" if written else DIM)]
    tail = mark(changed)
    room = width - NAME_WIDTH - 3 - sum(len(text) for text, _ in tail)
    if written:
        value = text_of(found[key])
        parts.append((_cut_middle(value, room) if "path" in key else cut(value, room), MOVED if changed else STRONG))
    else:
        known = field(key)
        parts.append((cut(known.default or "-" if known else "-", room), DIM))
    return Item(id=f"field:{key}", content=lines([*parts, *tail]))


def _cut_middle(text: str, width: int) -> str:
    """A path keeps its end, which is what tells it from others."""
    return text if len(text) <= width else "…" + text[len(text) - width + 1 :]
