"""Make comparisons.jsonl and questions.jsonl: what agents of an invented helpdesk preferred, and questions without answers.

Run `python generate.py` in this folder; the same seed writes the same files. Two drafts to a question differ in whether
they take the matter up (look at it, name it) or put the customer off; agents liked the former. One judgement in twelve is
the other way round, as judgements of people are.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

COMPARISONS = 300
QUESTIONS = 160
SLIPS = 12  # one judgement in so many is the other way round
SEED = 61

THINGS = ["refund", "parcel", "password", "invoice", "subscription", "delivery", "account", "transfer", "ticket", "order",
          "appointment", "booking", "statement", "card"]  # fmt: skip
PROBLEMS = [
    "the {thing} does not work", "where is my {thing}", "my {thing} has been missing since {day}",
    "I was told on {day} that the {thing} is done, it is not", "can somebody look at my {thing}",
    "the {thing} was wrong twice now", "I want to complain about the {thing}", "no news of my {thing} since {day}",
    "how do I cancel the {thing}", "the {thing} arrived damaged",
]  # fmt: skip
OPENINGS = ["", "", "Hello, ", "Hi, ", "Sorry, ", "Excuse me, ", "Quick question: ", "Help! "]
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
TAKEN_UP = [
    "I am sorry to hear that. I will look at the {thing} for you.",
    "Of course. Let me check the {thing} and come back to you by {day}.",
]
PUT_OFF = [
    "Thank you for writing. About the {thing}: please give me a moment.",
    "Thank you for writing. About the {thing}: please wait.",
]


def question(rng: random.Random) -> tuple[str, dict[str, str]]:
    """A question, and what it is about."""
    words = {"thing": rng.choice(THINGS), "day": rng.choice(DAYS)}
    text = rng.choice(OPENINGS) + rng.choice(PROBLEMS).format(**words)
    text = text[0].upper() + text[1:] if rng.random() < 0.6 else text
    return f"Reply: {text}" + rng.choice(["", ".", "?", ", thanks", " Please advise."]), words


def comparison(rng: random.Random) -> dict[str, str]:
    """Two drafts and the one that was liked."""
    asked, words = question(rng)
    better, worse = rng.choice(TAKEN_UP).format(**words), rng.choice(PUT_OFF).format(**words)
    if rng.randrange(SLIPS) == 0:
        better, worse = worse, better
    return {"prompt": asked, "chosen": better, "rejected": worse}


def main() -> None:
    """Write both files, no question twice."""
    rng = random.Random(SEED)
    pairs: dict[str, dict[str, str]] = {}
    while len(pairs) < COMPARISONS:
        row = comparison(rng)
        pairs.setdefault(row["prompt"], row)
    open_ones: dict[str, None] = {}
    while len(open_ones) < QUESTIONS:
        asked, _ = question(rng)
        if asked not in pairs:
            open_ones.setdefault(asked)
    here = Path(__file__).parent
    write(here / "comparisons.jsonl", list(pairs.values()))
    write(here / "questions.jsonl", [{"prompt": each} for each in open_ones])


def write(target: Path, rows: list[dict[str, str]]) -> None:
    """JSON lines."""
    target.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    print(f"{target.name}: {len(rows)} rows")


if __name__ == "__main__":
    main()
