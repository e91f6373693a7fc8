"""The whole loop on `builtin:tiny`: pairs, a reward model that ranks held-out ones, RLOO against it, a win rate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ftc.runtime.supervisor import DONE, FAILED, run
from tests.runtime_plans import load
from tests.runtime_rewards import plan_in, write_demonstrations, write_pairs, write_prompts

pytestmark = pytest.mark.train
pytest.importorskip("trl")
SUCCESS = {"metric": "win_rate", "at_least": 0.55}
QUICK = {"rloo.effective_batch": 8, "rloo.steps": 14, "rloo.save_steps": 14}


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # tests run beside each other


def data_in(folder: Path, *, noise: bool = False) -> dict[str, Any]:
    write_pairs(folder / "pairs.jsonl", 240, noise=noise)
    write_prompts(folder / "prompts.jsonl", 160)
    return {"feedback": {"path": "pairs.jsonl", "type": "paired"}, "prompts": {"path": "prompts.jsonl"}}


def scores_of(report: Any) -> dict[str, Any]:
    return {each["metric"]: each for each in report["scores"]}


def test_preferences_to_a_policy_that_wins(tmp_path: Path) -> None:
    plan = plan_in(tmp_path, "rlhf", data_in(tmp_path), SUCCESS, **QUICK)
    outcome = run(plan, tmp_path / "runs")
    assert outcome.exit_code == DONE, outcome.diagnostics
    assert outcome.report is not None
    assert outcome.folder is not None
    found = scores_of(outcome.report)
    assert found["reward_accuracy"]["after"]["value"] > 0.6
    assert found["reward_accuracy"]["after"]["low"] > 0.5
    assert found["win_rate"]["after"]["low"] > 0.5
    assert found["win_rate"]["change"]["significant"]
    assert found["mean_reward"]["change"]["low"] > 0
    trained = {each["stage"]: each for each in outcome.report["training"]}
    assert trained["reward"]["metrics"]["reward_accuracy"]["value"] > 0.6
    assert trained["rloo"]["rewards"]["reward"] > found["mean_reward"]["before"]["value"]
    assert outcome.report["export"]["same_answers"] == outcome.report["export"]["checked"] == 8
    kept = [json.loads(line) for line in (outcome.folder / "stages" / "reward" / "predictions.jsonl").open()]
    assert sum(each["right"] for each in kept) / len(kept) == found["reward_accuracy"]["after"]["value"]


def test_a_reward_model_that_ranks_like_a_coin_is_refused(tmp_path: Path) -> None:
    plan = plan_in(tmp_path, "rlhf", data_in(tmp_path, noise=True), SUCCESS, **QUICK)
    kinds: list[tuple[str, str]] = []
    outcome = run(plan, tmp_path / "runs", on_event=lambda each: kinds.append((each["stage"], each["kind"])))
    assert outcome.exit_code == FAILED
    assert "R226" in {each.code for each in outcome.diagnostics}
    assert ("rloo", "stage_started") not in kinds, "nothing is optimised against it"


def test_pairs_of_annotators_are_pairs(tmp_path: Path) -> None:
    from ftc.screens.ballots import _pair
    from ftc.spec.rows import Message

    asked = (Message(role="user", content="Hello"), Message(role="assistant", content="Hello, who is there?"))
    single = [_pair((Message(role="user", content=f"Question {number}"),), "yes", "no") for number in range(60)]
    turns = [_pair((*asked, Message(role="user", content=f"It is {number}")), "yes", "no") for number in range(60)]
    for name, rows in (("single", single), ("turns", turns)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        data = {"feedback": {"path": "pairs.jsonl", "type": "paired"}}
        kinds = [each.kind for each in load(plan_in(folder, "rlhf", data, SUCCESS, **QUICK)).stages]
        assert kinds == ["prepare", "prepare", "reward", "baseline", "rloo", "evaluate", "merge", "export", "report"]


@pytest.mark.slow
def test_demonstrations_come_first_where_there_are_some(tmp_path: Path) -> None:
    write_demonstrations(tmp_path / "shown.jsonl", 200)
    data = {**data_in(tmp_path), "demonstrations": {"path": "shown.jsonl"}}
    plan = plan_in(tmp_path, "rlhf", data, SUCCESS, **QUICK, **{"sft.steps": 20})
    kinds = [each["kind"] for each in json.loads(plan.read_text())["stages"]]
    assert kinds.index("sft") < kinds.index("merge") < kinds.index("reward") < kinds.index("rloo")
    outcome = run(plan, tmp_path / "runs")
    assert outcome.exit_code == DONE, outcome.diagnostics
    assert scores_of(outcome.report)["win_rate"]["after"]["low"] > 0.5
