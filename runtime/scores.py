"""Answers beside what was expected, to scores with 95 % intervals and a paired test.

Labels and exact matches are compared without regard to case, surrounding blanks, quotes and a final stop; everything
else counts. Shares get Wilson's interval, all other scores a percentile bootstrap over rows (scipy), before and after
on the same rows McNemar's exact test.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
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


def change(
    metric: str, expected: Sequence[str], before: Sequence[str], after: Sequence[str], labels: Sequence[str], seed: int
) -> dict[str, float]:
    """The change of a metric from one set of answers to another, to the same rows. Raises KeyError as `score` does."""
    if metric in ("accuracy", "exact_match"):
        right = [
            [normal(each) == normal(one) for each, one in zip(expected, some, strict=True)] for some in (before, after)
        ]
        return compare(right[0], right[1], seed)
    if metric == "macro_f1":
        return _macro_f1_change(expected, before, after, labels, seed)
    function = PER_ROW[metric]
    was, now = ([function(each, one) for each, one in zip(expected, some, strict=True)] for some in (before, after))
    return compare_means(was, now, seed)


def confusion_matrix(expected: Sequence[str], answers: Sequence[str], labels: Sequence[str]) -> dict[str, Any]:
    """Rows are what was expected, columns what was answered; the last column is every answer that is no label."""
    names = list(dict.fromkeys([*(normal(label) for label in labels), *(normal(each) for each in expected)]))
    place = {name: number for number, name in enumerate(names)}
    table = np.zeros((len(names), len(names) + 1), dtype=int)
    for each, answer in zip(expected, answers, strict=True):
        table[place[normal(each)], place.get(normal(answer), len(names))] += 1
    return {"labels": names, "rows": table.tolist()}


def confusions(expected: Sequence[str], answers: Sequence[str], most: int) -> list[dict[str, Any]]:
    """The most frequent mistakes: what was expected, what was answered, how often."""
    wrong = Counter(
        (each, answer) for each, answer in zip(expected, answers, strict=True) if normal(each) != normal(answer)
    )
    return [
        {"expected": each, "answered": answer[:80], "rows": count} for (each, answer), count in wrong.most_common(most)
    ]


def _macro_f1(expected: Sequence[str], answers: Sequence[str], labels: Sequence[str], seed: int) -> dict[str, float]:
    """The mean of F1 over the classes that occur in `expected`; an answer that is no label counts as a miss."""
    wanted, (given,), size = _numbered(expected, [answers], labels)
    return _bootstrap((wanted, given), lambda truth, said: _f1(truth, said, size), seed)


def _macro_f1_change(
    expected: Sequence[str], before: Sequence[str], after: Sequence[str], labels: Sequence[str], seed: int
) -> dict[str, float]:
    """By bootstrap over rows: there is no exact test for it, so it is significant where the interval excludes 0."""
    wanted, (first, second), size = _numbered(expected, [before, after], labels)

    def gain(truth: np.ndarray[Any, Any], was: np.ndarray[Any, Any], now: np.ndarray[Any, Any]) -> float:
        return _f1(truth, now, size) - _f1(truth, was, size)

    found = _bootstrap((wanted, first, second), gain, seed)
    return {**found, "significant": found["low"] > 0 or found["high"] < 0}


def _numbered(
    expected: Sequence[str], answers: Sequence[Sequence[str]], labels: Sequence[str]
) -> tuple[np.ndarray[Any, Any], list[np.ndarray[Any, Any]], int]:
    """Classes as numbers, and how many; the last one stands for every answer that is no label."""
    names = {normal(label): number for number, label in enumerate(labels)}
    for each in expected:  # labels that the training rows do not have
        names.setdefault(normal(each), len(names))
    size = len(names) + 1
    given = [np.array([names.get(normal(each), size - 1) for each in some]) for some in answers]
    return np.array([names[normal(each)] for each in expected]), given, size


def _f1(truth: np.ndarray[Any, Any], said: np.ndarray[Any, Any], size: int) -> float:
    right = np.bincount(truth[truth == said], minlength=size)
    both = np.bincount(truth, minlength=size) + np.bincount(said, minlength=size)
    present = np.bincount(truth, minlength=size) > 0
    return float((2 * right[present] / both[present]).mean())


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
    first, second = normal(expected).split(), normal(answer).split()
    common = sum((Counter(first) & Counter(second)).values())
    return 2 * common / (len(first) + len(second)) if first or second else 1.0


def _field_f1(expected: str, answer: str) -> float:
    """F1 over the fields of two JSON values, each a path to a leaf with what stands there; without JSON, nothing."""
    wanted, given = _fields(expected), _fields(answer)
    if wanted is None or given is None:
        return float(normal(expected) == normal(answer))
    common = sum((wanted & given).values())
    total = wanted.total() + given.total()
    return 2 * common / total if total else 1.0


def _fields(text: str) -> Counter[tuple[str, str]] | None:
    """Path and value of every leaf; the order of a list does not count. None where the text is no object or list."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return Counter(_leaves(value, "")) if isinstance(value, dict | list) else None


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _leaves(each, f"{path}/{name}")
    elif isinstance(value, list):
        for each in value:
            yield from _leaves(each, f"{path}[]")
    else:
        yield path, json.dumps(normal(value) if isinstance(value, str) else value)


def _rouge_l(expected: str, answer: str) -> float:
    from rouge_score.rouge_scorer import RougeScorer

    return float(RougeScorer(["rougeL"], use_stemmer=True).score(expected, answer)["rougeL"].fmeasure)


def _chrf(expected: str, answer: str) -> float:
    """In 0 to 1, where sacrebleu gives 0 to 100."""
    from sacrebleu import sentence_chrf

    return float(sentence_chrf(answer, [expected]).score) / 100


def _json_valid(expected: str, answer: str) -> float:
    try:
        json.loads(answer)
    except ValueError:
        return 0.0
    return 1.0


PER_ROW: Mapping[str, Callable[[str, str], float]] = {
    "token_f1": _token_f1,
    "field_f1": _field_f1,
    "rouge_l": _rouge_l,
    "chrf": _chrf,
    "json_validity": _json_valid,
}
