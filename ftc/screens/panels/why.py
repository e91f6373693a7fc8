"""The decision tree with the path taken: each step with its answer and reason, each branch that was not taken, and the
warnings that came with the verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING

from ftc.advisor.values import Finding, Verdict
from ftc.screens.figures import DIM, GOOD, MOVED, STRONG, WARN, Parts, cut
from ftc.screens.panels.item import Cells, Item, heading, lines, mark, moved, wrapped

if TYPE_CHECKING:
    from ftc.advisor.tree import Leaf

LEGEND = "(thumb): a rule of thumb"


@cache
def tree() -> Mapping[str, Mapping[str, str | Leaf]]:
    """The decision tree. With the rules behind it, it takes 80 ms to import: after the first paint, not before."""
    from ftc.advisor.tree import TREE

    return TREE


@cache
def titles() -> Mapping[str, str]:
    """The question of each step by its code."""
    from ftc.advisor.rules.registry import STEPS

    return {rule.code: rule.title for rule in STEPS}


def cells(verdict: Verdict) -> dict[str, tuple[str, ...]]:
    """What each step, leaf and warning says."""
    found: dict[str, tuple[str, ...]] = {f"step:{each.code}": (each.answer, each.because) for each in verdict.trace}
    found["leaf"] = (verdict.method,)
    return found | {f"flag:{each.code}": (each.flag, each.because) for each in verdict.notes if each.flag}


def items(verdict: Verdict, was: Cells | None, width: int, *, expanded: bool = False) -> list[Item]:
    """The path from the root to the verdict, then what to mind. Ways not taken stand in one line below their step;
    `expanded` draws them as branches, with everything below them."""
    now = cells(verdict)
    found: list[Item] = []
    for finding in verdict.trace:
        ident = f"step:{finding.code}"
        changed = was is not None and moved(now[ident], was.get(ident))
        found.append(_step(finding, width, changed=changed, expanded=expanded))
        if expanded:
            found += _not_taken(finding, width)
    found.append(_leaf(verdict, was))
    notes = [each for each in verdict.notes if each.flag]
    if notes:
        found.append(heading("Mind", f"{len(notes)} to look at"))
        found += [_note(each, width, was) for each in notes]
    return found


def _step(finding: Finding, width: int, *, changed: bool, expanded: bool) -> Item:
    question = finding.question or titles().get(finding.code, "")
    answer = finding.answer.replace("_", " ")
    asked = wrapped(question, width - 1, [("│      ", GOOD)], "", most=2)
    asked[0] = [("● ", GOOD), (f"{finding.code} ", STRONG), asked[0][-1]]
    body = wrapped(f"{answer}: {finding.because}{_thumb(finding)}", width - 1, [("│  ", GOOD)], most=3)
    text, _ = body[0][-1]
    body[0] = [
        ("│  ", GOOD),
        (answer, MOVED if changed else f"bold {GOOD}"),
        (text[len(answer) :], DIM),
        *mark(changed),
    ]
    others: list[Parts] = []
    if not expanded:
        ways = " · ".join(f"{way} → {_where(to)}" for way, to in _others(finding))
        others = wrapped(ways, width - 1, [("├╌ ", DIM)], most=1)
    return Item(id=f"step:{finding.code}", content=lines(*asked, *body, *others))


def _thumb(finding: Finding) -> str:
    return " (thumb)" if finding.rule_of_thumb else ""


def _where(to: str | Leaf) -> str:
    return to if isinstance(to, str) else to.name


def _others(finding: Finding) -> list[tuple[str, str | Leaf]]:
    """The ways that were not taken."""
    return [(answer, to) for answer, to in tree().get(finding.code, {}).items() if answer != finding.answer]


def _not_taken(finding: Finding, width: int) -> Iterator[Item]:
    for answer, to in _others(finding):
        yield _branch(f"{finding.code}:{answer}", [("│ ", GOOD)], answer, to, width)
        if isinstance(to, str):
            yield from _below(to, f"{finding.code}:{answer}", 1, width, {finding.code})


def _below(code: str, path: str, depth: int, width: int, seen: set[str]) -> Iterator[Item]:
    """The subtree of a way that was not taken; a step that was drawn on this way is named only."""
    if code in seen:
        return
    for answer, to in tree()[code].items():
        yield _branch(f"{path}/{code}:{answer}", [("│ ", GOOD), ("  " * depth, "")], answer, to, width)
        if isinstance(to, str):
            yield from _below(to, f"{path}/{code}:{answer}", depth + 1, width, {*seen, code})


def _branch(path: str, indent: Parts, answer: str, to: str | Leaf, width: int) -> Item:
    where = f"{to} {titles()[to]}" if isinstance(to, str) else to.name
    text = cut(f"├╌ {answer} → {where}", width - sum(len(part) for part, _ in indent) - 1)
    return Item(id=f"branch:{path}", content=lines([*indent, (text, DIM)]))


def _leaf(verdict: Verdict, was: Cells | None) -> Item:
    changed = was is not None and was.get("leaf") != (verdict.method,)
    style = MOVED if changed else f"bold {GOOD if verdict.chosen else WARN}"
    parts: Parts = [("╰─▶ ", GOOD), (verdict.method, style), *mark(changed)]
    if changed and was is not None:
        parts.append((f" was {was['leaf'][0]}", DIM))
    return Item(id="leaf", content=lines(parts))


def _note(finding: Finding, width: int, was: Cells | None) -> Item:
    changed = was is not None and moved((finding.flag, finding.because), was.get(f"flag:{finding.code}"))
    head: Parts = [("! ", WARN), (finding.flag, MOVED if changed else ""), (f"  {finding.code}", DIM), *mark(changed)]
    because = finding.because + _thumb(finding)
    return Item(id=f"flag:{finding.code}", content=lines(head, *wrapped(because, width - 1, [("  ", "")], most=3)))


def target_of(item_id: str) -> str:
    """The code of the rule that an item of this panel is about; for a branch, the step that it leads to or comes
    from."""
    kind, _, rest = item_id.partition(":")
    if kind in ("step", "flag"):
        return rest
    if kind != "branch":
        return ""
    code, _, answer = rest.rpartition("/")[2].partition(":")
    to = tree().get(code, {}).get(answer)
    return to if isinstance(to, str) else code
