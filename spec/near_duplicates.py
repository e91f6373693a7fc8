"""Rows that say almost the same: MinHash over word triples, with locality-sensitive hashing to find them (rensa).

Two rows are called near duplicates from a Jaccard similarity of about 0.8 of their word triples on; with bands of
eight out of 128 permutations, pairs at 0.8 are found with probability 0.95 and pairs at 0.5 with 0.06.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

PERMUTATIONS = 128
BANDS = 16
SIMILAR = 0.8
WORDS = 3  # in a shingle
FEWEST_WORDS = 6  # shorter texts are alike by chance
LONGEST = 2_000  # characters compared

_WORD = re.compile(r"\w+")


def shingles(text: str) -> list[str]:
    """Overlapping triples of words, without case and punctuation."""
    words = _WORD.findall(text[:LONGEST].casefold())
    if len(words) < FEWEST_WORDS:
        return []
    return list(map(" ".join, zip(*(words[start:] for start in range(WORDS)), strict=False)))


def near_duplicates(texts: Sequence[str], known: Sequence[str] = ()) -> list[tuple[int, int]]:
    """(index, index of an earlier text that it is like), each text at most once.

    With `known`, the second index is into those, and texts are only compared with them.
    """
    from rensa import RMinHash, RMinHashLSH  # 1 ms

    index = RMinHashLSH(SIMILAR, PERMUTATIONS, BANDS)
    sketches: list[RMinHash] = []
    found: list[tuple[int, int]] = []

    def sketch(text: str) -> RMinHash | None:
        parts = shingles(text)
        if not parts:
            return None
        made = RMinHash(PERMUTATIONS, 1)
        made.update(parts)
        return made

    places: list[int] = []
    for place, text in enumerate(known or texts):
        made = sketch(text)
        if made is None:
            continue
        if not known:
            alike = _first_alike(index, sketches, made)
            if alike is not None:
                found.append((place, places[alike]))
                continue
        index.insert(len(sketches), made)
        sketches.append(made)
        places.append(place)
    if known:
        for place, text in enumerate(texts):
            made = sketch(text)
            alike = _first_alike(index, sketches, made) if made is not None else None
            if alike is not None:
                found.append((place, places[alike]))
    return found


def _first_alike(index: Any, sketches: Sequence[Any], made: Any) -> int | None:
    candidates = sorted(index.query(made))
    return next((each for each in candidates if sketches[each].jaccard(made) >= SIMILAR), None)
