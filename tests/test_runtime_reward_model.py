"""Reward models and policies a stage at a time, with each adapter; a stopped policy goes on as if it were not."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ftc.compiler.plan import Plan, Stage
from ftc.runtime.journal import Event, read
from ftc.runtime.supervisor import DONE, INTERRUPTED, run
from tests.runtime_plans import load
from tests.runtime_rewards import SCORE, plan_in, write_pairs, write_prompts

pytestmark = pytest.mark.train
pytest.importorskip("trl")
LORA = {
    "rank": 16, "alpha": 32, "dropout": 0.05, "targets": "all-linear", "rslora": False, "dora": False, "dtype": "fp32",
}  # fmt: skip
FOUR_BIT = {"type": "nf4", "double_quant": True, "compute_dtype": "fp32"}
ADAPTERS: dict[str, dict[str, Any]] = {
    "full": {"lora": None, "quantization": None, "learning_rate": 5e-4},
    "lora": {"lora": LORA, "quantization": None},
    "qlora": {"lora": LORA, "quantization": FOUR_BIT},
}


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # tests run beside each other


def keep(path: Path, kinds: tuple[str, ...], **changes: dict[str, Any]) -> Path:
    """The plan with its stages of those kinds alone, some arguments changed by kind."""
    plan: Plan = load(path)

    def changed(stage: Stage) -> Stage:
        return replace(stage, arguments={**stage.arguments, **changes.get(stage.kind, {})})

    stages = tuple(changed(stage) for stage in plan.stages if stage.kind in kinds)
    known = {stage.id for stage in stages}
    stages = tuple(replace(stage, needs=tuple(each for each in stage.needs if each in known)) for stage in stages)
    path.write_bytes(replace(plan, stages=stages, goal={**plan.goal, "success": None}).to_bytes())
    return path


def rlhf_plan(folder: Path, kinds: tuple[str, ...], adapter: str, **more: dict[str, Any]) -> Path:
    write_pairs(folder / "pairs.jsonl", 200)
    write_prompts(folder / "prompts.jsonl", 60)
    data = {"feedback": {"path": "pairs.jsonl", "type": "paired"}, "prompts": {"path": "prompts.jsonl"}}
    success = {"metric": "win_rate", "at_least": 0.5}
    plan = plan_in(folder, "rlhf", data, success, **{"rloo.effective_batch": 2, "rloo.steps": 4, "rloo.save_steps": 2})
    own = {"adapter": adapter, **ADAPTERS[adapter]}
    changes = {kind: {**own, **more.get(kind, {})} for kind in ("reward", "rloo")}
    return keep(plan, kinds, **changes)


def result(folder: Path, stage: str) -> dict[str, Any]:
    finished = [each for each in read(folder)[0] if each["kind"] == "stage_finished" and each["stage"] == stage]
    found: dict[str, Any] = finished[-1]["result"]
    return found


def weights(folder: Path, stage: str) -> str:
    file = next((folder / "stages" / stage / "final").glob("*.safetensors"))
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize("adapter", ["full", "qlora"])
def test_a_reward_model_and_a_policy_on_its_leash(tmp_path: Path, adapter: str) -> None:
    outcome = run(rlhf_plan(tmp_path, ("prepare", "reward", "rloo"), adapter), tmp_path / "runs")
    assert outcome.exit_code == DONE, outcome.diagnostics
    assert outcome.folder is not None
    accuracy = result(outcome.folder, "reward")["metrics"]["reward_accuracy"]
    assert accuracy["value"] > 0.6
    assert accuracy["low"] > 0.5
    policy = result(outcome.folder, "rloo")
    assert policy["steps"] == 4
    assert policy["adapter"] == adapter
    rewards = [each for each in read(outcome.folder)[0] if each["kind"] == "reward"]
    assert len(rewards) == 4
    assert all("kl" in each for each in rewards), "the leash is measured"
    assert rewards[0]["kl"] == pytest.approx(0.0, abs=1e-4), "the reference is where the policy started"


@pytest.mark.slow
def test_a_stopped_policy_goes_on_as_if_it_were_not(tmp_path: Path) -> None:
    write_prompts(tmp_path / "prompts.jsonl", 40)
    (tmp_path / "rewards.py").write_text(SCORE)
    data = {
        "prompts": {"path": "prompts.jsonl"},
        "feedback": {"type": "verifiable"},
        "reward": {"function": "rewards.py:score"},
    }
    settings = {"effective_batch": 2, "steps": 40, "save_steps": 20}  # long enough for the signal to arrive
    plan = plan_in(tmp_path, "grpo", data, {"metric": "mean_reward", "at_least": 0.5}, **settings)
    plan = keep(plan, ("prepare", "grpo"), grpo={"lora": LORA})
    whole = run(plan, tmp_path / "undisturbed")
    assert whole.exit_code == DONE, whole.diagnostics
    stop = threading.Event()

    def after_two(event: Event) -> None:
        if event["kind"] == "reward" and event["step"] >= 2:
            stop.set()

    first = run(plan, tmp_path / "runs", on_event=after_two, stop=stop)
    assert first.exit_code == INTERRUPTED, first.diagnostics
    again = run(plan, tmp_path / "runs")
    assert again.exit_code == DONE, again.diagnostics
    assert whole.folder is not None
    assert again.folder is not None
    resumed = [each["step"] for each in read(again.folder)[0] if each["kind"] == "resumed"]
    assert resumed
    assert 2 <= resumed[-1] < 40
    assert weights(again.folder, "grpo") == weights(whole.folder, "grpo")
    last = [json.loads(line) for line in (again.folder / "stages" / "grpo" / "answers.jsonl").open()]
    assert last[-8:] == [json.loads(line) for line in (whole.folder / "stages" / "grpo" / "answers.jsonl").open()][-8:]
