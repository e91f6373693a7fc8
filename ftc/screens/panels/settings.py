"""The hyper-parameters that the plan would carry, each with its sane range and where it comes from."""

from __future__ import annotations

from ftc.advisor.values import Setting, Verdict
from ftc.screens.editing import text_of
from ftc.screens.figures import DIM, MOVED, STRONG, Parts, cut
from ftc.screens.panels.item import Cells, Item, lines, mark, moved

# What people look for first; everything else follows by name.
FIRST = (
    "learning_rate", "lora.rank", "lora.alpha", "epochs", "steps", "effective_batch", "micro_batch",
    "gradient_accumulation", "max_length", "dtype", "optimizer",
)  # fmt: skip


def ordered(verdict: Verdict) -> list[tuple[str, Setting]]:
    """The settings in the order in which they are read."""
    rest = sorted(name for name in verdict.settings if name not in FIRST)
    return [(name, verdict.settings[name]) for name in (*FIRST, *rest) if name in verdict.settings]


def cells(verdict: Verdict) -> dict[str, tuple[str, ...]]:
    """The value of each, as text."""
    return {f"setting:{name}": (value_of(each),) for name, each in ordered(verdict)}


def value_of(setting: Setting) -> str:
    """`0.0002` as `2e-04` would be harder to read; `4,096` as one types it."""
    return f"{setting.value:g}" if isinstance(setting.value, float) else text_of(setting.value)


def range_of(setting: Setting) -> str:
    """`8-64`, empty where there is none."""
    if setting.low is None or setting.high is None or setting.low == setting.high:
        return ""
    return f"{setting.low:g}-{setting.high:g}"


def items(verdict: Verdict, was: Cells | None, width: int) -> list[Item]:
    """One line each."""
    found = []
    widest = max((len(name) for name in verdict.settings), default=0)
    name_width = min(widest, max(width // 2 - 2, 12))
    for name, each in ordered(verdict):
        value, before = value_of(each), was.get(f"setting:{name}") if was is not None else None
        changed = was is not None and moved((value,), before)
        mine = each.origin.startswith("spec ")
        parts: Parts = [(cut(name, name_width).ljust(name_width + 1), ""), (value, MOVED if changed else STRONG)]
        parts += mark(changed)
        if changed and before:
            parts.append((f" was {before[0]}", DIM))
        tail = " ".join(
            part for part in (range_of(each), "yours" if mine else each.origin.removeprefix("rule ")) if part
        )
        used = sum(len(text) for text, _ in parts)
        if used + len(tail) + 2 <= width - 1:
            parts.append((" " * (width - 1 - used - len(tail)) + tail, DIM))
        found.append(Item(id=f"setting:{name}", content=lines(parts)))
    return found
