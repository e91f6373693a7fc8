"""The nearest known word to one that is not known: for keys, values, file names, models, GPUs.

Case, dashes, underscores, blanks and dots make no difference. A suggestion is given only where it is near enough
to be meant; a wrong suggestion costs more than none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

LEAST_LIKENESS = (
    66.0  # percent, of rapidfuzz's ratio; a rule of thumb: `budjet` 83, `trian.csv` 89, `foo` for `format` 44
)
_FILLER = re.compile(r"[\s._-]+")


def closest(word: str, known: Iterable[str], limit: int = 1, least: float = LEAST_LIKENESS) -> tuple[str, ...]:
    """Up to `limit` of the known words that `word` may have been meant to be, nearest first; ties alphabetically.

    `least` is the likeness in percent below which a word is not taken for another.
    """
    candidates = sorted(set(known))
    if not word or not candidates or len(word) > 200:
        return ()
    from rapidfuzz import fuzz  # 45 ms to import, paid only where something is wrong
    from rapidfuzz.distance import OSA

    plain = _plain(word)
    scored: list[tuple[float, str]] = []
    for candidate in candidates:
        other = _plain(candidate)
        likeness = max(fuzz.ratio(plain, other), 100.0 * OSA.normalized_similarity(plain, other))
        if len(plain) >= 4 and len(other) >= 3 and (other.startswith(plain) or plain.startswith(other)):
            likeness = max(likeness, 70.0)
        if likeness >= least:
            scored.append((-likeness, candidate))
    return tuple(candidate for _, candidate in sorted(scored)[:limit])


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean "x"?`, or nothing where no known word is near."""
    found = closest(word, known)
    return f'did you mean "{found[0]}"?' if found else ""


def _plain(word: str) -> str:
    return _FILLER.sub("", word.casefold())
