"""Prompts, pairs and specs for reward training on `builtin:tiny`, for tests/test_runtime_{grpo,rlhf,reward_model}.py.

The base answers `Reply: ...` in one of three ways, about equally often; one of them names a day. To prefer that one is
a preference that the tiny model can learn, and can learn to follow.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from ftc import api
from ftc.runtime.tiny.corpus import question
from ftc.runtime.tiny.words import DAYS, MATTERS, THINGS

SETTINGS = {  # few steps of few answers: seconds on one core
    "lora.dropout": 0.0, "grpo.group": 4, "grpo.max_completion_length": 32, "logging_steps": 1,
}  # fmt: skip
ALL_THINGS = tuple(dict.fromkeys(thing for things in THINGS.values() for thing in things))
SCORE = """
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def score(prompt, completion, answer=None, **row):
    return float(any(day in completion for day in DAYS))
"""


def asked(rng: random.Random) -> tuple[str, str, str]:
    """A question for a reply, what it is about, and what is the matter."""
    thing, matter = rng.choice(ALL_THINGS), rng.choice(tuple(MATTERS))
    return f"Reply: {question(rng, thing, matter)}", thing, matter


def write_prompts(path: Path, rows: int, seed: int = 2) -> None:
    """Questions without answers."""
    rng = random.Random(seed)
    _write(path, [{"prompt": asked(rng)[0]} for _ in range(rows)])


def write_pairs(path: Path, rows: int, *, noise: bool = False, seed: int = 1) -> None:
    """The answer that names a day before one that does not; with `noise` the order is a coin's."""
    rng = random.Random(seed)
    out = []
    for _ in range(rows):
        prompt, thing, matter = asked(rng)
        good = f"Of course. Let me check the {thing} and come back to you by {rng.choice(DAYS)}."
        bad = rng.choice(
            (
                f"I am sorry to hear that. I will look at the {thing} ({matter.replace('_', ' ')}) for you.",
                f"Thank you for writing. About the {thing}: please give me a moment.",
            )
        )
        chosen, rejected = (bad, good) if noise and rng.random() < 0.5 else (good, bad)
        out.append({"prompt": prompt, "chosen": chosen, "rejected": rejected})
    _write(path, out)


def write_demonstrations(path: Path, rows: int, seed: int = 4) -> None:
    """Replies of all three kinds."""
    rng = random.Random(seed)
    out = []
    for _ in range(rows):
        prompt, thing, _ = asked(rng)
        answer = rng.choice(
            (
                f"Of course. Let me check the {thing} and come back to you by {rng.choice(DAYS)}.",
                f"Thank you for writing. About the {thing}: please give me a moment.",
            )
        )
        out.append({"prompt": prompt, "completion": answer})
    _write(path, out)


def plan_in(folder: Path, method: str, data: dict[str, Any], success: dict[str, Any], **overrides: Any) -> Path:
    """`ftc.yaml` and what `ftc compile` makes of it."""
    spec = {
        "version": 1,
        "name": "replies",
        "goal": {"task": "tone", "description": "Say by when.", "success": success},
        "data": data,
        "model": {"base": "builtin:tiny"},
        "hardware": {"gpu": "none"},
        "method": method,
        "overrides": SETTINGS | overrides,
    }
    (folder / "ftc.yaml").write_text(json.dumps(spec))  # JSON is YAML
    path = folder / "ftc.plan.json"
    path.write_bytes(api.compile(folder / "ftc.yaml").to_bytes())
    return path


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
