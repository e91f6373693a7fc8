"""Which languages texts are in, by share of rows: py3langid, a classifier of 139 languages, unless they are evident.

English words are recognised here, which spares loading the classifier (0.5 s) for most data. Texts too short to tell
are left out of the shares.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

LOOKED_AT = 400  # texts: a share is then known to within 5 points
_CHARACTERS = 400  # of each text
_SHORTEST = 20  # characters; below, even people could not tell
_EVIDENT = 0.8  # share of texts with English words from which the rest is not looked at

# None of these is a common word of German, Dutch, a Scandinavian or a Romance language.
_ENGLISH = frozenset(
    re.findall(
        r"\w+",
        """the and to are were you your that this with have has what how why my not from which would does did been be
        they about their there when where who should could using than please write give describe explain create
        generate find make following sentence words into""",
    )
)
_WORD = re.compile("[a-z]+")


def languages_of(texts: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """(ISO 639-1, share), most frequent first, of the texts that are long enough."""
    looked = [text[:_CHARACTERS] for text in texts if len(text.strip()) >= _SHORTEST][:LOOKED_AT]
    if not looked:
        return ()
    english = [_is_english(text) for text in looked]
    if sum(english) >= _EVIDENT * len(looked):
        return (("en", 1.0),)
    from py3langid.langid import classify  # numpy and a model: 0.5 s

    found = Counter("en" if evident else str(classify(text)[0]) for text, evident in zip(looked, english, strict=True))
    kept = {language: times for language, times in found.items() if times >= max(2, 0.01 * len(looked))} or dict(found)
    total = sum(kept.values())
    return tuple(
        (language, round(times / total, 3))
        for language, times in sorted(kept.items(), key=lambda each: (-each[1], each[0]))
    )


def _is_english(text: str) -> bool:
    """At least one word in eight is one of those, and nearly all letters are Latin."""
    if not text.isascii() and len(text.encode("ascii", "ignore")) < 0.95 * len(text):
        return False
    words = text.count(" ") + 1
    return sum(word in _ENGLISH for word in _WORD.findall(text.lower())) * 8 >= words
