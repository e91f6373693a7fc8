"""What the text of `builtin:tiny` is built from: things people write about, and ways in which they write about them.

All of it was written for this project and stands in `words.json`. `corpus.py` combines it; nothing here knows how.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

_WORDS: dict[str, Any] = json.loads(files("ftc.runtime.tiny").joinpath("words.json").read_text("utf-8"))

THINGS: dict[str, list[str]] = _WORDS["things"]  # domain -> things that a person has a question about, without article
MATTERS: dict[str, list[str]] = _WORDS["matters"]  # what is the matter, as a label says it -> ways to say it of a thing
OPENINGS: list[str] = _WORDS["openings"]
CLOSINGS: list[str] = _WORDS["closings"]
NAMES: list[str] = _WORDS["names"]
PLACES: list[str] = _WORDS["places"]
DAYS: list[str] = _WORDS["days"]
COLOURS: list[str] = _WORDS["colours"]
QUALITIES: list[list[str]] = _WORDS["qualities"]  # opposites
FACTS: list[list[str]] = _WORDS["facts"]  # question, answer
COMMON: list[str] = " ".join(_WORDS["common"]).split()  # so that the tokenizer keeps them whole
