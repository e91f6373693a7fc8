"""Answers beside what was expected, to scores with 95 % intervals and a paired test.

Labels and exact matches are compared without regard to case, surrounding blanks, quotes and a final stop; everything
else counts. Shares get Wilson's interval, all other scores a percentile bootstrap over rows (scipy), before and after
on the same rows McNemar's exact test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

RESAMPLES = 1_000
LEVEL = 0.95


def normal(text: str) -> str:
    """The form in which answers are compared."""
    return " ".join(text.split()).strip(" .\"'`").casefold()


def score(
    metric: str, expected: Sequence[str], answers: Sequence[str], labels: Sequence[str], seed: int
) -> dict[str, float]:
    """`value`, `low`, `high` of one metric. Raises KeyError for a metric that does not exist."""
    if metric in ("accuracy", "exact_match"):
        return share([normal(each) == normal(answer) for each, answer in zip(expected, answers, strict=True)])
    if metric == "macro_f1":
        return _macro_f1(expected, answers, labels, seed)
    return mean([PER_ROW[metric](each, answer) for each, answer in zip(expected, answers, strict=True)], seed)


def share(hits: Sequence[bool]) -> dict[str, float]:
    """A share with Wilson's interval."""
    from scipy.stats import binomtest

    found = binomtest(int(sum(hits)), len(hits)).proportion_ci(LEVEL, method="wilson")
    return {"value": float(np.mean(hits)), "low": float(found.low), "high": float(found.high)}


def mean(values: Sequence[float], seed: int, weights: Sequence[float] | None = None) -> dict[str, float]:
    """A mean, weighted where weights are given."""
    data = np.asarray(values, dtype=float)
    heavy = np.ones_like(data) if weights is None else np.asarray(weights, dtype=float)
    return _bootstrap((data * heavy, heavy), lambda sums, counts: float(sums.sum() / counts.sum()), seed)


def compare(before: Sequence[bool], after: Sequence[bool], seed: int) -> dict[str, float]:
    """The change of a share on the same rows: `value`, `low`, `high`, and `p_value` of McNemar's exact test."""
    from scipy.stats import binomtest

    first, second = np.asarray(before, dtype=bool), np.asarray(after, dtype=bool)
    gained, lost = int((second & ~first).sum()), int((first & ~second).sum())
    p_value = float(binomtest(gained, gained + lost, 0.5).pvalue) if gained + lost else 1.0
    change = _bootstrap((second.astype(float) - first,), lambda each: float(each.mean()), seed)
    return {**change, "p_value": p_value, "significant": p_value < 1 - LEVEL, "gained": gained, "lost": lost}


def compare_means(before: Sequence[float], after: Sequence[float], seed: int) -> dict[str, float]:
    """The change of a mean on the same rows, and the p-value of Wilcoxon's signed-rank test."""
    from scipy.stats import wilcoxon

    difference = np.asarray(after, dtype=float) - np.asarray(before, dtype=float)
    p_value = float(wilcoxon(difference).pvalue) if np.any(difference != 0) else 1.0
    change = _bootstrap((difference,), lambda each: float(each.mean()), seed)
    return {**change, "p_value": p_value, "significant": p_value < 1 - LEVEL}


def confusions(expected: Sequence[str], answers: Sequence[str], most: int) -> list[dict[str, Any]]:
    """The most frequent mistakes: what was expected, what was answered, how often."""
    from collections import Counter

    wrong = Counter(
        (each, answer) for each, answer in zip(expected, answers, strict=True) if normal(each) != normal(answer)
    )
    return [
        {"expected": each, "answered": answer[:80], "rows": count} for (each, answer), count in wrong.most_common(most)
    ]


def _macro_f1(expected: Sequence[str], answers: Sequence[str], labels: Sequence[str], seed: int) -> dict[str, float]:
    """The mean of F1 over the classes that occur in `expected`; an answer that is no label counts as a miss."""
    names = {normal(label): number for number, label in enumerate(labels)}
    for each in expected:  # labels that the training rows do not have
        names.setdefault(normal(each), len(names))
    size = len(names) + 1  # the last one stands for every answer that is no label
    wanted = np.array([names[normal(each)] for each in expected])
    given = np.array([names.get(normal(each), size - 1) for each in answers])

    def f1(truth: np.ndarray[Any, Any], said: np.ndarray[Any, Any]) -> float:
        right = np.bincount(truth[truth == said], minlength=size)
        both = np.bincount(truth, minlength=size) + np.bincount(said, minlength=size)
        present = np.bincount(truth, minlength=size) > 0
        return float((2 * right[present] / both[present]).mean())

    return _bootstrap((wanted, given), f1, seed)


def _bootstrap(data: tuple[np.ndarray[Any, Any], ...], statistic: Callable[..., float], seed: int) -> dict[str, float]:
    from scipy.stats import bootstrap

    value = statistic(*data)
    if len(data[0]) < 2:
        return {"value": value, "low": value, "high": value}
    found = bootstrap(
        data,
        statistic,
        paired=True,
        vectorized=False,
        n_resamples=RESAMPLES,
        confidence_level=LEVEL,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return {"value": value, "low": float(found.low), "high": float(found.high)}


def _token_f1(expected: str, answer: str) -> float:
    """Overlap of words, as in SQuAD."""
    from collections import Counter

    first, second = normal(expected).split(), normal(answer).split()
    common = sum((Counter(first) & Counter(second)).values())
    return 2 * common / (len(first) + len(second)) if first or second else 1.0


def _rouge_l(expected: str, answer: str) -> float:
    from rouge_score.rouge_scorer import RougeScorer

    return float(RougeScorer(["rougeL"], use_stemmer=True).score(expected, answer)["rougeL"].fmeasure)


def _chrf(expected: str, answer: str) -> float:
    """In 0 to 1, where sacrebleu gives 0 to 100."""
    from sacrebleu import sentence_chrf

    return float(sentence_chrf(answer, [expected]).score) / 100


def _json_valid(expected: str, answer: str) -> float:
    import json

    try:
        json.loads(answer)
    except ValueError:
        return 0.0
    return 1.0


PER_ROW: Mapping[str, Callable[[str, str], float]] = {
    "token_f1": _token_f1,
    "rouge_l": _rouge_l,
    "chrf": _chrf,
    "json_validity": _json_valid,
}
