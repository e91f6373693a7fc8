"""Make questions.jsonl: exercises as a maths book asks them, with many right answers each, so that none is written down.

Run `python generate.py` in this folder; the same seed writes the same file. No worked answer is shown anywhere: the model
learns from what `rewards.py` says of its own attempts.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

QUESTIONS = 320
SEED = 53
FRAMES = [
    "What is {what} between {low} and {high}?",
    "What is {what} that is more than {low} and less than {high}?",
    "Exercise {n}: what is {what} between {low} and {high}?",
    "What is {what} from {low} to {high}? Answer with the number.",
]
WHATS = ["an even number", "an odd number", *(f"a multiple of {each}" for each in (3, 4, 5, 6, 10))]


def question(rng: random.Random) -> str:
    """One exercise. The range is at least as wide as the largest divisor, so that there is a right answer."""
    low = rng.randrange(0, 60)
    words = {"what": rng.choice(WHATS), "low": low, "high": low + rng.randrange(20, 41), "n": rng.randrange(1, 30)}
    return rng.choice(FRAMES).format(**words)


def main() -> None:
    """Write questions.jsonl, none twice."""
    rng = random.Random(SEED)
    questions: dict[str, None] = {}
    while len(questions) < QUESTIONS:
        questions.setdefault(question(rng))
    target = Path(__file__).with_name("questions.jsonl")
    target.write_text("".join(json.dumps({"prompt": each}) + "\n" for each in questions), encoding="utf-8")
    print(f"{target.name}: {len(questions)} questions")


if __name__ == "__main__":
    main()
