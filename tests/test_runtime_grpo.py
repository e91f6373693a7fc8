"""GRPO with a check on `builtin:tiny`, from the spec to the report: the mean reward on held-out prompts rises."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ftc.runtime.supervisor import CANNOT, DONE, FAILED, run
from tests.runtime_plans import load
from tests.runtime_rewards import SCORE, plan_in, write_prompts

pytestmark = pytest.mark.train
pytest.importorskip("trl")
SUCCESS = {"metric": "mean_reward", "at_least": 0.8}
QUICK = {"effective_batch": 8, "steps": 14, "save_steps": 7}


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # tests run beside each other


def data_in(folder: Path, reward: dict[str, str] | None = None, rows: int = 160) -> dict[str, Any]:
    write_prompts(folder / "prompts.jsonl", rows)
    (folder / "rewards.py").write_text(SCORE)
    return {
        "prompts": {"path": "prompts.jsonl"},
        "feedback": {"type": "verifiable"},
        "reward": reward or {"function": "rewards.py:score"},
    }


def test_a_function_raises_the_mean_reward(tmp_path: Path) -> None:
    plan = plan_in(tmp_path, "grpo", data_in(tmp_path), SUCCESS, **QUICK)
    events: list[dict[str, Any]] = []
    outcome = run(plan, tmp_path / "runs", on_event=events.append)
    assert outcome.exit_code == DONE, outcome.diagnostics
    assert outcome.report is not None
    assert outcome.folder is not None
    score = next(each for each in outcome.report["scores"] if each["metric"] == "mean_reward")
    assert score["before"]["high"] < score["after"]["low"]
    assert score["after"]["value"] > 0.8
    assert score["change"]["significant"]
    assert score["change"]["low"] > 0.1
    assert outcome.report["goal"]["met"]
    rewards = [each for each in events if each["kind"] == "reward"]
    assert len(rewards) == QUICK["steps"]
    assert {"reward", "reward_std", "same_share", "length", "length_correlation", "entropy"} <= set(rewards[0])
    assert all("eta_seconds" in each for each in events if each["kind"] == "progress")
    assert outcome.report["export"]["same_answers"] == outcome.report["export"]["checked"] == 8
    sample = outcome.report["samples"][0]
    assert None not in (sample["before"], sample["after"])
    assert sample["prompt"].startswith("Reply:")
    kept = [json.loads(line) for line in (outcome.folder / "stages" / "grpo" / "answers.jsonl").open()]
    assert {"step", "number", "answer", "reward"} == set(kept[-1])
    (tmp_path / "rewards.py").write_text(SCORE + "\n# another reward\n")
    again = run(plan, tmp_path / "elsewhere")
    assert (again.exit_code, {each.code for each in again.diagnostics}) == (CANNOT, {"R103"})


def test_a_function_that_fails_ends_the_run_with_its_code(tmp_path: Path) -> None:
    data = data_in(tmp_path, rows=60)
    (tmp_path / "rewards.py").write_text("def score(prompt, completion, answer=None, **row):\n    return completion\n")
    outcome = run(plan_in(tmp_path, "grpo", data, SUCCESS, **QUICK), tmp_path / "runs")
    assert outcome.exit_code == FAILED
    assert "R224" in {each.code for each in outcome.diagnostics}


def test_a_step_is_whole_groups_and_repeats_them_for_each_pass() -> None:
    from ftc.runtime.stages.policy import GroupOrder

    order = GroupOrder([1] * 10, 0, prompts=4, group=3, passes=2)
    rows = order.order(0)
    assert len(rows) == len(order) == 2 * 2 * 4 * 3, "two steps of four prompts; the last two wait"
    step = rows[:24]
    assert step[:12] == step[12:]
    assert [step[at : at + 3] for at in range(0, 12, 3)] == [[row] * 3 for row in order.steps(0)[0]]
    assert order.order(0) == rows
    assert order.order(1) != rows
    few = GroupOrder([1] * 3, 0, prompts=8, group=2, passes=1)
    assert {len(each) for each in few.steps(0)} == {8}, "few prompts come again"


def test_a_step_that_splits_a_group_is_refused(tmp_path: Path) -> None:
    plan = plan_in(tmp_path, "grpo", data_in(tmp_path, rows=60), SUCCESS, **QUICK)
    from ftc.compiler.stages import read_arguments
    from ftc.runtime.codes import Stopped
    from ftc.runtime.stages.policy import _settings
    from ftc.runtime.train import Start

    stage = next(each for each in load(plan).stages if each.kind == "grpo")
    told = read_arguments("grpo", {**stage.arguments, "micro_batch": 6, "gradient_accumulation": 1})
    with pytest.raises(Stopped) as stopped:
        _settings("grpo", told, tmp_path, Start(place="base"))
    assert stopped.value.code == "R227"


@pytest.mark.parametrize(
    ("rows", "reward", "kind"),
    [
        ({"question": "What is 1 + 2?", "final_answer": "3"}, None, "answer"),
        ({"prompt": "Write double(x).", "tests": "assert double(2) == 4"}, None, "tests"),
        ({"prompt": "Say yes or no."}, {"regex": "(yes|no)"}, "regex"),
        ({"prompt": "Answer as JSON."}, {"json_schema": "answer.schema.json"}, "json-schema"),
        ({"prompt": "Say when."}, {"function": "rewards.py:score"}, "function"),
    ],
)
def test_where_a_check_comes_from(
    tmp_path: Path, rows: dict[str, str], reward: dict[str, str] | None, kind: str
) -> None:
    (tmp_path / "rewards.py").write_text(SCORE)
    (tmp_path / "answer.schema.json").write_text('{"type": "object"}')
    first, text = next(iter(rows.items()))
    lines = [json.dumps({**rows, first: f"{text} ({number})"}) for number in range(60)]
    (tmp_path / "prompts.jsonl").write_text("\n".join(lines))
    data: dict[str, Any] = {"prompts": {"path": "prompts.jsonl"}, "feedback": {"type": "verifiable"}}
    plan = load(plan_in(tmp_path, "grpo", data | ({"reward": reward} if reward else {}), SUCCESS, **QUICK))
    found = {each.kind: each.arguments["check"] for each in plan.stages if "check" in each.arguments}
    assert {each["kind"] for each in found.values()} == {kind}
    assert set(found) == {"baseline", "grpo", "evaluate"}
    assert ("data:rewards.py" in plan.hashes) == (kind == "function")
