"""Numbers that should rank good above bad: pairs ranked rightly, the area under the ROC curve, each against chance.

A model that has not been trained has no opinion of its own by these numbers: it is a coin, and `against_coin` and
`area_against_coin` are the tests of a change from that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ftc.runtime.scores import LEVEL, RESAMPLES, share

Scores = dict[str, Any]
Floats = Sequence[float]
COIN: Scores = {"value": 0.5, "low": 0.5, "high": 0.5}


def area(values: Floats, good: Sequence[bool], seed: int) -> Scores:
    """How probably a good row has a larger value than a bad one, ties counting half, with a bootstrap interval."""
    return _resampled([np.asarray(values, dtype=float)], good, lambda upper, lower: _area(upper[0], lower[0]), seed)


def area_change(before: Floats, after: Floats, good: Sequence[bool], seed: int) -> Scores:
    """The change of that probability on the same rows, and the p-value of a z-test with the bootstrap's error."""
    both = [np.asarray(each, dtype=float) for each in (before, after)]
    return _tested(both, good, lambda upper, lower: _area(upper[1], lower[1]) - _area(upper[0], lower[0]), seed)


def area_against_coin(values: Floats, good: Sequence[bool], seed: int) -> Scores:
    """The area's distance from one half, and the p-value of the Mann-Whitney test."""
    from scipy.stats import mannwhitneyu

    data, kinds = np.asarray(values, dtype=float), np.asarray(good, dtype=bool)
    found = area(values, good, seed)
    p_value = float(mannwhitneyu(data[kinds], data[~kinds], method="asymptotic").pvalue)
    return _below_half(found, p_value)


def against_coin(hits: Sequence[bool]) -> Scores:
    """A share's distance from one half, with the p-value of the sign test."""
    from scipy.stats import binomtest

    return _below_half(share(hits), float(binomtest(int(sum(hits)), len(hits), 0.5).pvalue))


def _below_half(found: Scores, p_value: float) -> Scores:
    distance = {name: found[name] - 0.5 for name in ("value", "low", "high")}
    return {**distance, "p_value": p_value, "significant": p_value < 1 - LEVEL}


def _area(upper: np.ndarray[Any, Any], lower: np.ndarray[Any, Any]) -> float:
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([upper, lower]))
    return float((ranks[: len(upper)].sum() - len(upper) * (len(upper) + 1) / 2) / (len(upper) * len(lower)))


Statistic = Callable[[Sequence[np.ndarray[Any, Any]], Sequence[np.ndarray[Any, Any]]], float]


def _resampled(
    columns: Sequence[np.ndarray[Any, Any]], good: Sequence[bool], statistic: Statistic, seed: int
) -> Scores:
    found = _tested(columns, good, statistic, seed)
    return {name: found[name] for name in ("value", "low", "high")}


def _tested(columns: Sequence[np.ndarray[Any, Any]], good: Sequence[bool], statistic: Statistic, seed: int) -> Scores:
    """The statistic of good and bad rows, resampled apart, so that both kinds are always there."""
    from scipy.stats import bootstrap, norm

    kinds = np.asarray(good, dtype=bool)
    rows = np.arange(len(kinds))

    def of(upper: np.ndarray[Any, Any], lower: np.ndarray[Any, Any]) -> float:
        return statistic([each[upper] for each in columns], [each[lower] for each in columns])

    value = of(rows[kinds], rows[~kinds])
    if min(kinds.sum(), (~kinds).sum()) < 2:
        return {"value": value, "low": value, "high": value, "p_value": 1.0, "significant": False}
    found = bootstrap(
        (rows[kinds], rows[~kinds]),
        of,
        vectorized=False,
        n_resamples=RESAMPLES,
        confidence_level=LEVEL,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    error, interval = float(found.standard_error), found.confidence_interval
    p_value = float(2 * norm.sf(abs(value) / error)) if error > 0 else float(value == 0)
    return {
        "value": value,
        "low": float(interval.low),
        "high": float(interval.high),
        "p_value": p_value,
        "significant": p_value < 1 - LEVEL,
    }
