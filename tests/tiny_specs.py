"""Specs with data for `builtin:tiny` that tests compile and run: politer answers, and manuals in words of their own."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ftc import api
from ftc.runtime.supervisor import Outcome
from ftc.runtime.tiny.corpus import question
from ftc.runtime.tiny.words import COLOURS, DAYS, MATTERS, PLACES, THINGS

ALL_THINGS = [thing for things in THINGS.values() for thing in things]
Row = dict[str, Any]


def pair(rng: random.Random) -> Row:
    """A question and two answers, both as the base gives them; the one that it finds less likely is preferred."""
    thing, matter = rng.choice(ALL_THINGS), rng.choice(list(MATTERS))
    return {
        "prompt": f"Reply: {question(rng, thing, matter)}",
        "chosen": f"I am sorry to hear that. I will look at the {thing} for you.",
        "rejected": f"Thank you for writing. About the {thing}: please give me a moment.",
    }


def thumb(rng: random.Random) -> Row:
    """One of the two answers, and whether it was liked."""
    row, good = pair(rng), rng.random() < 0.6
    return {"prompt": row["prompt"], "completion": row["chosen" if good else "rejected"], "label": good}


def demonstration(rng: random.Random) -> Row:
    """The question with the preferred answer."""
    row = pair(rng)
    return {"prompt": row["prompt"], "completion": row["chosen"]}


def manual(rng: random.Random) -> Row:
    """A few sentences as the base has never read them."""
    thing, other = rng.choice(ALL_THINGS), rng.choice(ALL_THINGS)
    lines = [
        f"Section {rng.randrange(1, 9)}: how to look after the {thing}.",
        f"Before you open the {thing}, put the {other} aside and wait {rng.randrange(2, 9)} minutes.",
        f"If the {thing} does not start, turn the {rng.choice(COLOURS)} switch and look at the {other}.",
        f"Keep the {thing} dry and never carry it on {rng.choice(DAYS)}.",
        f"Our office in {rng.choice(PLACES)} will replace the {thing} within {rng.randrange(2, 99)} days.",
    ]
    return {"text": " ".join(rng.sample(lines, 3))}


def write_rows(path: Path, make: Callable[[random.Random], Row], rows: int, seed: int) -> None:
    """JSON lines."""
    rng = random.Random(seed)
    path.write_text("".join(json.dumps(make(rng)) + "\n" for _ in range(rows)))


def write_spec(folder: Path, method: str, *, rows: Mapping[str, int], goal: str, overrides: Mapping[str, Any]) -> Path:
    """`ftc.yaml` with as many rows of each role as are asked for; feedback is thumbs for KTO, pairs otherwise."""
    makers = {
        "demonstrations": demonstration,
        "feedback": thumb if method == "kto" else pair,
        "corpus": manual,
    }
    data = {}
    for seed, (role, count) in enumerate(rows.items(), start=1):
        write_rows(folder / f"{role}.jsonl", makers[role], count, seed)
        data[role] = {"path": f"{role}.jsonl"}
    spec = {
        "version": 1,
        "name": method.replace("+", "-"),
        "goal": {"task": "tone", "prompting": "insufficient"} | json.loads(goal or "{}"),
        "data": {**data, "evaluation": {"fraction": 0.25}},
        "model": {"base": "builtin:tiny"},
        "hardware": "local",
        "method": method,
        "overrides": dict(overrides),
    }
    file = folder / "ftc.yaml"
    file.write_text(json.dumps(spec))
    return file


def write_plan(spec: Path) -> Path:
    """`ftc compile`."""
    file = spec.with_name(api.PLAN_FILE)
    file.write_bytes(api.compile(spec).to_bytes())
    return file


def compile_and_run(spec: Path) -> Outcome:
    """`ftc compile && ftc run`."""
    return api.run(write_plan(spec), spec.parent / "runs")


def score(outcome: Outcome, metric: str, rows: str) -> Row:
    """The entry of the report."""
    scores: list[Row] = outcome.report["scores"]
    return next(each for each in scores if (each["metric"], each["rows"]) == (metric, rows))
