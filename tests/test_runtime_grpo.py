"""GRPO with a check on `builtin:tiny`, from the spec to the report: the mean reward on held-out prompts rises."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ftc.runtime.supervisor import CANNOT, DONE, FAILED, run
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
