"""Make pairs.jsonl: questions to an invented bicycle shop, each with two answers, the first in the voice of the house.
And drafts.jsonl: questions with two answers that nobody has compared yet, for `ftc annotate drafts.jsonl`.

Run `python generate.py` in this folder; the same seed writes the same file. The voice: warm, short, a first name, one
concrete next step, never "we apologise for any inconvenience". The other answer is correct and reads like a form. Facts
are the same in both, so that the pair differs in voice alone.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

PAIRS = 640
DRAFTS = 30
SEED = 11

NAMES = ["Ana", "Jonas", "Priya", "Tom", "Mei", "Luca", "Fatima", "Olek", "Grace", "Hugo", "Sara", "Ivan"]
STAFF = ["Kim", "Ravi", "Elena", "Bo"]
BIKES = ["city bike", "gravel bike", "cargo bike", "folding bike", "e-bike", "kids bike", "touring bike"]
PARTS = ["brake pads", "lights", "pedals", "mudguards", "tyres", "grips", "cables", "wheels", "saddlebags", "spokes"]
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
OPENINGS = ["", "", "Hi,", "Hello,", "Good morning,", "Hey,", "Hi there,"]

# what is asked, the fact that answers it, the next step
MATTERS = [
    ("when will the {part} for my {bike} be back in stock?", "the {part} come in on {day}", "put a set aside for you"),
    ("my {bike} was due for its service on {day}, is it ready?", "the {bike} is on the stand today", "text you once it rolls"),
    ("the {part} you sent do not fit my {bike}", "the box holds the wrong size", "send the right {part} on {day}"),
    ("can I bring my {bike} in on {day} without an appointment?", "{day} is open until six", "keep a stand free for you"),
    ("how much are new {part} with fitting?", "fitting is included with all {part} we sell", "show you two that suit your {bike}"),
    ("the {part} on my {bike} came loose after {n} weeks", "the {part} are under guarantee for two years", "fix it on {day} at no cost"),
    ("I want to return the {part}, unused", "returns are free for 60 days", "mail the label right away"),
    ("do you lend a {bike} while mine is repaired?", "there is a {bike} for loan from {day}", "write your name on it"),
    ("my order says delivered but there are no {part}", "the driver left them with a neighbour", "call the depot before {day}"),
    ("which {part} would you take for a {bike} in winter?", "the sealed {part} last longest in salt", "lay some out for you to see"),
    ("I was charged twice for the {part}", "one of the two payments is on hold only", "check on {day} that it is gone"),
    ("is my {bike} insured while it is with you?", "every {bike} in the shop is insured", "send you the certificate"),
]  # fmt: skip
WARM = [
    "Hi {name}, good question: {fact}. I will {step}. {staff}",
    "Hi {name}, {fact}. Let me {step}, then you can ride again. {staff}",
    "Oh no, {name}! Good news though: {fact}. I will {step}. {staff}",
    "Hi {name}, thanks for asking. {fact_}, so I will {step}. {staff}",
]
STIFF = [
    "Dear customer, thank you for contacting us. Please be advised that {fact}. Your request is being processed.",
    "Dear Sir or Madam, {fact}. We apologise for any inconvenience caused. Kind regards, Customer Service",
    "Your enquiry has been received. It has been determined that {fact}. This message was generated automatically.",
    "Please note that {fact}. For further information consult our terms and conditions. Regards, Support Team",
]


def pair(rng: random.Random) -> dict[str, str]:
    """One question, with the answer that a colleague liked and the one that she did not."""
    ask, fact, step = rng.choice(MATTERS)
    name, staff = rng.choice(NAMES), rng.choice(STAFF)
    words = {
        "part": rng.choice(PARTS),
        "bike": rng.choice(BIKES),
        "day": rng.choice(DAYS),
        "n": str(rng.randrange(2, 9)),
    }
    fact, step = fact.format(**words), step.format(**words)
    opening = rng.choice(OPENINGS)
    asked = " ".join(each for each in (opening, ask.format(**words)) if each)
    asked = asked if opening or rng.random() < 0.4 else asked[0].upper() + asked[1:]
    said = {"name": name, "staff": staff, "fact": fact, "fact_": fact[0].upper() + fact[1:], "step": step}
    row = {
        "prompt": f"{asked} {name}",
        "chosen": rng.choice(WARM).format(**said),
        "rejected": rng.choice(STIFF).format(**said),
    }
    return {key: text.replace(" a e-bike", " an e-bike") for key, text in row.items()}


def main() -> None:
    """Write both files, no question twice."""
    rng = random.Random(SEED)
    rows: dict[str, dict[str, str]] = {}
    while len(rows) < PAIRS + DRAFTS:
        row = pair(rng)
        rows.setdefault(row["prompt"], row)
    pairs = list(rows.values())
    drafts = []
    for row in pairs[PAIRS:]:
        answers = [row["chosen"], row["rejected"]]
        rng.shuffle(answers)
        drafts.append({"prompt": row["prompt"], "answers": answers})
    write("pairs.jsonl", pairs[:PAIRS])
    write("drafts.jsonl", drafts)


def write(name: str, rows: Sequence[Mapping[str, object]]) -> None:
    """JSON lines beside this file."""
    target = Path(__file__).with_name(name)
    target.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    print(f"{name}: {len(rows)} rows")


if __name__ == "__main__":
    main()
