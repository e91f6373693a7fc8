"""What would change the verdict, each with the key that applies it; and what is worth asking."""

from __future__ import annotations

from ftc.advisor.values import Flip, Verdict
from ftc.screens.figures import DIM, STRONG, WARN, Parts
from ftc.screens.panels.item import Item, lines, signed, wrapped

KEYS = 9  # one key each


def numbered(verdict: Verdict) -> list[Flip]:
    """The flips that can be applied to the spec as one change, in the order of their keys."""
    return [each for each in verdict.flips if each.key][:KEYS]


def items(verdict: Verdict, width: int) -> list[Item]:
    """Flips by their number, then flips that the spec alone cannot make, then questions."""
    taken = numbered(verdict)
    found = [_flip(each, width, str(index)) for index, each in enumerate(taken, 1)]
    found += [_flip(each, width, "") for each in verdict.flips if each not in taken]
    for question in verdict.questions:
        outcomes = "; ".join(f"{answer}: {to}" for answer, to in question.outcomes.items())
        asked = signed(question.text, width - 1, "? ", WARN)
        told = wrapped(outcomes, width - 1, [("  ", "")], most=3)
        found.append(Item(id=f"question:{question.key}", content=lines(*asked, *told)))
    if not found:
        found.append(Item(id="heading:none", content=lines([("no small change leads elsewhere", DIM)]), heading=True))
    return found


def _flip(each: Flip, width: int, key: str) -> Item:
    sign: Parts = [(f" {key} ", "reverse"), (" ", "")] if key else [("    ", "")]
    arrow = f"{each.change} → {each.to}"
    if len(arrow) + 4 <= width - 1:
        return Item(id=f"flip:{each.change}", content=lines([*sign, (f"{each.change} → ", ""), (each.to, STRONG)]))
    return Item(
        id=f"flip:{each.change}",
        content=lines(
            [*sign, *wrapped(each.change, width - 5, [], "", most=1)[0]], [("    → ", ""), (each.to, STRONG)]
        ),
    )
