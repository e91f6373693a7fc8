"""Scores, their intervals and the paired tests, against values known by hand or from the libraries' definitions."""

from __future__ import annotations

import pytest

pytest.importorskip("scipy")

from ftc.runtime import scores


@pytest.mark.parametrize(
    ("said", "same"),
    [("card_lost", True), (" Card_Lost.\n", True), ('"card_lost"', True), ("card lost", False), ("", False)],
)
def test_answers_are_compared_without_case_quotes_and_final_stop(said: str, same: bool) -> None:
    assert (scores.normal(said) == scores.normal("card_lost")) is same


def test_wilson_interval_of_a_share() -> None:
    found = scores.share([True] * 8 + [False] * 2)
    assert found["value"] == pytest.approx(0.8)
    assert (found["low"], found["high"]) == pytest.approx((0.4902, 0.9433), abs=1e-4)  # Wilson (1927), 8 of 10


def test_macro_f1_counts_every_class_the_same() -> None:
    expected = ["a"] * 8 + ["b"] * 2
    found = scores.score("macro_f1", expected, ["a"] * 10, ["a", "b"], seed=0)
    assert found["value"] == pytest.approx((2 * 8 / 18 + 0) / 2)
    assert found["low"] <= found["value"] <= found["high"]


def test_macro_f1_agrees_with_scikit_learn() -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    labels = ["a", "b", "c"]
    expected = [labels[number % 3] for number in range(60)]
    answers = [labels[(number * 7 // 5) % 3] if number % 4 else "none of them" for number in range(60)]
    wanted = sklearn.f1_score(expected, answers, labels=labels, average="macro", zero_division=0)
    assert scores.score("macro_f1", expected, answers, labels, seed=0)["value"] == pytest.approx(wanted)


def test_paired_comparison_sees_a_real_change_and_not_a_lucky_one() -> None:
    before = [False] * 80 + [True] * 20
    real = scores.compare(before, [True] * 60 + [False] * 20 + [True] * 20, seed=0)
    assert real["significant"]
    assert (real["gained"], real["lost"], real["value"]) == (60, 0, pytest.approx(0.6))
    lucky = scores.compare(before, [True] * 2 + [False] * 78 + [True] * 20, seed=0)
    assert lucky["value"] == pytest.approx(0.02)
    assert not lucky["significant"]
    assert scores.compare(before, before, seed=0)["p_value"] == 1.0


def test_weighted_mean_and_its_interval() -> None:
    found = scores.mean([1.0, 3.0], seed=0, weights=[3, 1])
    assert found["value"] == pytest.approx(1.5)
    assert found["low"] <= 1.5 <= found["high"]


def test_one_row_has_no_interval_to_speak_of() -> None:
    assert scores.mean([2.0], seed=0) == {"value": 2.0, "low": 2.0, "high": 2.0}


@pytest.mark.parametrize(
    ("metric", "expected", "answer", "value"),
    [
        ("token_f1", "the red card", "the blue card", 2 / 3),
        ("json_validity", "", '{"a": 1}', 1.0),
        ("json_validity", "", "{a: 1}", 0.0),
        ("rouge_l", "a b c d", "a b c d", 1.0),
        ("chrf", "hello there", "hello there", 1.0),
    ],
)
def test_scores_of_single_answers(metric: str, expected: str, answer: str, value: float) -> None:
    assert scores.PER_ROW[metric](expected, answer) == pytest.approx(value)


@pytest.mark.parametrize(
    ("expected", "answer", "value"),
    [
        ('{"a": 1, "b": "Rome"}', '{"b": "rome.", "a": 1}', 1.0),
        ('{"a": 1, "b": "Rome"}', '{"a": 1}', 2 / 3),
        ('{"a": 1, "b": "Rome"}', '{"a": 2, "b": "Oslo"}', 0.0),
        ('{"a": [1, 2, 2]}', '{"a": [2, 1, 2]}', 1.0),
        ('{"a": {"b": true}}', '{"a": {"b": "true"}}', 0.0),
        ('{"a": 1}', "{broken", 0.0),
        ("plain", "Plain.", 1.0),
        ("{}", "{}", 1.0),
    ],
)
def test_fields_are_scored_one_by_one(expected: str, answer: str, value: float) -> None:
    assert scores.PER_ROW["field_f1"](expected, answer) == pytest.approx(value)


def test_a_confusion_matrix_has_a_column_for_what_is_no_label() -> None:
    found = scores.confusion_matrix(["a", "a", "b", "new"], ["A.", "b", "nonsense", "b"], ["a", "b"])
    assert found == {"labels": ["a", "b", "new"], "rows": [[1, 1, 0, 0], [0, 0, 0, 1], [0, 1, 0, 0]]}


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1", "token_f1", "field_f1"])
def test_a_small_win_on_a_hundred_rows_is_called_noise(metric: str) -> None:
    """Two points more, eight rows better and six worse; and a real change beside it."""
    expected = [["red", "blue"][number % 2] for number in range(100)]
    wrong = {"red": "blue", "blue": "red"}
    before = [each if number < 60 else wrong[each] for number, each in enumerate(expected)]
    lucky = [
        wrong[each] if number < 6 else each if number < 68 else wrong[each] for number, each in enumerate(expected)
    ]
    real = [each if number < 90 else wrong[each] for number, each in enumerate(expected)]
    noise = scores.change(metric, expected, before, lucky, ["red", "blue"], 0)
    assert noise["value"] == pytest.approx(0.02, abs=0.001)
    assert not noise["significant"]
    assert noise["low"] < 0 < noise["high"]
    change = scores.change(metric, expected, before, real, ["red", "blue"], 0)
    assert change["value"] == pytest.approx(0.3, abs=0.005)
    assert change["significant"]


def test_an_unknown_metric_is_an_error() -> None:
    with pytest.raises(KeyError):
        scores.score("wishful_thinking", ["a"], ["a"], [], seed=0)


def test_most_frequent_mistakes() -> None:
    found = scores.confusions(["a", "a", "b", "b"], ["b", "b", "b", "x"], most=1)
    assert found == [{"expected": "a", "answered": "b", "rows": 2}]
