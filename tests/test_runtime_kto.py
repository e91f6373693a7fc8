"""KTO from a spec to a report on `builtin:tiny`: answers that were liked become likelier than those that were not."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftc.runtime.supervisor import DONE
from tests.tiny_specs import compile_and_run, score, write_spec

pytestmark = pytest.mark.train
pytest.importorskip("trl")
GOAL = '{"success": {"metric": "reward_accuracy", "at_least": 0.8}}'


def test_kto_tells_good_from_bad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # tests run beside each other
    overrides = {"effective_batch": 8, "micro_batch": 8, "epochs": 1}
    outcome = compile_and_run(write_spec(tmp_path, "kto", rows={"feedback": 160}, goal=GOAL, overrides=overrides))
    assert outcome.exit_code == DONE, outcome.diagnostics
    rewards, likelihoods = (score(outcome, each, "feedback") for each in ("reward_accuracy", "likelihood_accuracy"))
    assert rewards["before"]["value"] == 0.5, "untrained, every reward is zero"
    assert rewards["after"]["low"] > 0.8
    assert rewards["change"]["significant"]
    assert likelihoods["after"]["value"] >= likelihoods["before"]["value"]
    losses = [each["loss"] for each in outcome.report["curve"]["held_out"]]
    assert losses[-1] < losses[0]
    assert outcome.report["goal"]["met"]
    assert outcome.report["export"]["same_answers"] == outcome.report["export"]["checked"] == 8


def test_every_stretch_has_good_and_bad_ones() -> None:
    from ftc.runtime.stages.kto import mixed

    rows = [{"label": number % 4 == 0, "place": str(number)} for number in range(80)]
    laid = mixed(rows, seed=0)
    assert {row["place"] for row in laid} == {row["place"] for row in rows}
    assert [sum(row["label"] for row in laid[start : start + 8]) for start in range(0, 80, 8)] == [2] * 10
    assert mixed(rows, seed=0) == laid != mixed(rows, seed=1)


def test_steps_are_shuffled_and_their_rows_stay_together() -> None:
    from ftc.runtime.stages.kto import StepOrder, compared

    order = StepOrder([1] * 18, 0, 4)
    first, second = order.order(0), order.order(1)
    assert first != second
    assert first[-2:] == second[-2:] == [16, 17], "a step that is not full comes last"
    assert sorted(tuple(first[start : start + 4]) for start in range(0, 16, 4)) == [
        tuple(range(start, start + 4)) for start in range(0, 16, 4)
    ]
    assert compared([[1], [2], [3], [4], [5]], 3) == [[3], [1], [2], [5], [4]]
