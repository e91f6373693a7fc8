"""The help of each screen, as text: first how to read it, then the keys."""

from __future__ import annotations

from textwrap import wrap

from textual.content import Content

from ftc.screens.figures import STRONG, Parts

KEYS, ROOM = 15, 52  # characters of a key and of what it does; together they fit a page at 80 columns

PLANNER = (
    ("Reading it", (
        ("left", "the spec (* not saved yet, dim: a default) and what its data is"),
        ("middle", "the decision tree with the path taken; below, the settings the plan would carry"),
        ("right", "every way to do it with its price, and what would change the verdict"),
        ("█ ▓ ░ ▶", "memory up to the low end, up to the high end, free, over the card"),
        ("◂", "moved by the last change; `was` says from what"),
        ("▶ ◆ · ✗", "chosen, on the Pareto front, beaten in every respect, cannot be run"),
    )),
    ("Looking", (
        ("↑ ↓  ← →  tab", "move in a list, between regions, between lists"),
        ("enter", "change a value; open a step, a candidate, a finding"),
        ("e", "explain what the cursor is on: rule, numbers, evidence, origin"),
        ("x", "the whole tree, or the path alone"),
        ("d", "the plan on disk beside the plan as it stands"),
    )),
    ("Changing", (
        ("i", "edit the value under the cursor"),
        ("n", "find any key and set it"),
        ("b t k l", "sliders for budget, hours, rank, row length"),
        ("1 ... 9", "apply a change that would flip the verdict"),
        ("m", "on a candidate: have this method checked; again: let the advisor choose"),
        ("u U", "undo, redo"),
    )),
    ("Deciding", (
        ("a", "approve: write the plan"),
        ("r", "run it and watch"),
        ("s", "save the spec, its comments kept"),
        ("ctrl+p", "every command by name, and the look (dark, light)"),
        ("q", "leave"),
    )),
)  # fmt: skip

WATCH = (
    ("Reading it", (
        ("bars", "stages in order; █ done, ░ to do, with what is left"),
        ("curves", "the loss of training, and of the held-out rows as +; of a policy the rewards, and its KL as +"),
        ("memory", "what it takes now against the range that was estimated"),
    )),
    ("Keys", (
        ("p", "stop with a checkpoint; ftc run goes on from there"),
        ("g", "go on, where it was stopped"),
        ("l", "the log, or the samples"),
        ("c", "another curve: rewards, length of answers, loss"),
        ("e", "a stage with its arguments, a tripwire with its page"),
        ("o", "where the report is"),
        ("q esc", "close; the run goes on"),
    )),
)  # fmt: skip

ANNOTATE = (
    ("Judging", (
        ("1 ... 9", "this answer is the best"),
        ("t", "a tie: none is better"),
        ("b", "both (all) bad"),
        ("s", "skip: no opinion"),
        ("e", "write a better answer yourself; it becomes the chosen one"),
        ("u", "take the last choice back"),
    )),
    ("What happens", (
        ("order", "answers stand in random order, so that place says nothing"),
        ("second look", "some rows come back later, to see how far you agree with yourself"),
        ("kept", "each choice is on disk before the next row shows; close at any time"),
    )),
)  # fmt: skip

Sections = tuple[tuple[str, tuple[tuple[str, str], ...]], ...]


def planner_help() -> Content:
    """The planner's."""
    return _text(PLANNER)


def watch_help() -> Content:
    """The watch screen's."""
    return _text(WATCH)


def annotate_help() -> Content:
    """The ranking screen's."""
    return _text(ANNOTATE)


def _text(sections: Sections) -> Content:
    parts: Parts = []
    for title, rows in sections:
        parts.append((("\n" if parts else "") + f"{title}\n", STRONG))
        for keys, said in rows:
            first, *more = wrap(said, ROOM)
            parts += [(f"  {keys:<{KEYS}}", "$text-accent"), (f"{first}\n", "")]
            parts += [(f"  {'':<{KEYS}}{line}\n", "") for line in more]
    return Content.assemble(*parts)
