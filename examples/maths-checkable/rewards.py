"""What an answer to an exercise is worth: 1 where it is right, a little for any number, nothing for words."""

from __future__ import annotations

import re
from typing import Any

NUMBER = re.compile(r"\s*(\d{1,4})\s*\.?\s*")
RANGE = re.compile(r"(?:between|more than|from) (\d+) (?:and|and less than|to) (\d+)")
MULTIPLE = re.compile(r"a multiple of (\d+)")


def score(prompt: str, completion: str, answer: str | None = None, **row: Any) -> float:
    """0.1 for a bare number, 0.4 for one in the range, 1 for one in the range that has the property."""
    found = NUMBER.fullmatch(completion)
    limits = RANGE.search(prompt)
    if found is None or limits is None:
        return 0.0
    number, low, high = int(found[1]), int(limits[1]), int(limits[2])
    divisor = MULTIPLE.search(prompt)
    fits = number % int(divisor[1]) == 0 if divisor else number % 2 == (0 if "even" in prompt else 1)
    if not low <= number <= high:
        return 0.1
    return 1.0 if fits else 0.4
