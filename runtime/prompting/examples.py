"""Which training rows are shown as examples: those that together stand for all others, every class in turn.

Facility location, greedily: each next example is the row that brings the others nearest to an example of their own,
so examples are typical of the data and unlike each other at once. Nearness is the cosine of TF-IDF weights of
character n-grams, which needs no model and no knowledge of the language.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

POOL = 2_000  # rows that are looked at; the table of nearness grows with its square
LONG = 2.0  # times the median length: examples beyond it cost context in every prompt


def chosen(questions: Sequence[str], classes: Sequence[str], count: int, seed: int) -> list[int]:
    """Row numbers of the examples, the most typical last, which stands next to the question.

    `classes` may be empty texts. What stands last weighs most (Zhao et al. 2021, arXiv 2102.09690).
    """
    if not count or not questions:
        return []
    pool = _pool(questions, seed)
    near = _nearness([questions[row] for row in pool])
    lengths = np.array([len(questions[row]) for row in pool])
    short = lengths <= LONG * np.median(lengths)
    covered = np.zeros(len(pool))
    shown: Counter[str] = Counter({classes[row]: 0 for row in pool})
    found: list[int] = []
    for _ in range(min(count, len(pool))):
        rarest = min(shown[classes[row]] for row, fits in zip(pool, short, strict=True) if fits)
        free = [
            number
            for number, row in enumerate(pool)
            if short[number] and number not in found and shown[classes[row]] == rarest
        ]
        if not free:
            break
        gains = np.maximum(near[:, free], covered[:, None]).sum(0)
        best = free[int(gains.argmax())]
        covered = np.maximum(covered, near[:, best])
        shown[classes[pool[best]]] += 1
        found.append(best)
    return [pool[number] for number in reversed(found)]


def _pool(questions: Sequence[str], seed: int) -> list[int]:
    """Rows that differ, by lot where there are many."""
    first = {" ".join(text.split()).casefold(): row for row, text in reversed(list(enumerate(questions)))}
    rows = sorted(first.values())
    return sorted(random.Random(seed).sample(rows, POOL)) if len(rows) > POOL else rows  # noqa: S311 - a lot


def _nearness(texts: Sequence[str]) -> np.ndarray[Any, Any]:
    from sklearn.feature_extraction.text import TfidfVectorizer

    try:
        table = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, max_features=50_000)
        weights = table.fit_transform(texts)
    except ValueError:  # no text has a character
        return np.eye(len(texts))
    return np.asarray((weights @ weights.T).toarray())
