"""DPO from a spec to a report on `builtin:tiny`: the better answer becomes the likelier one, on held-out pairs."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from ftc.runtime.supervisor import DONE
from tests.runtime_plans import load
from tests.test_runtime_resume import finish, of_kind, start, trained
from tests.tiny_specs import compile_and_run, score, write_plan, write_spec

pytestmark = pytest.mark.train
pytest.importorskip("trl")
GOAL = '{"success": {"metric": "reward_accuracy", "at_least": 0.8}}'
SHORT = {"effective_batch": 8, "micro_batch": 8}


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # tests run beside each other


def test_dpo_makes_the_better_answer_likelier(tmp_path: Path) -> None:
    outcome = compile_and_run(write_spec(tmp_path, "dpo", rows={"feedback": 160}, goal=GOAL, overrides=SHORT))
    assert outcome.exit_code == DONE, outcome.diagnostics
    rewards, likelihoods = (score(outcome, each, "feedback") for each in ("reward_accuracy", "likelihood_accuracy"))
    assert rewards["before"] == {"value": 0.5, "low": 0.5, "high": 0.5}, "untrained, every reward is zero"
    assert rewards["after"]["low"] > 0.8
    assert rewards["change"]["significant"]
    assert likelihoods["after"]["value"] > likelihoods["before"]["value"]
    losses = [each["loss"] for each in outcome.report["curve"]["held_out"]]
    assert losses[-1] < losses[0] < math.log(2), "the loss of a model that prefers nothing is ln 2"
    assert outcome.report["goal"]["met"]
    assert outcome.report["export"]["same_answers"] == outcome.report["export"]["checked"] == 8
    assert all("rather than:" in each["expected"] for each in outcome.report["samples"])
    assert outcome.report["after"]["rows"] == 40


def test_first_imitate_then_prefer(tmp_path: Path) -> None:
    overrides = {**SHORT, "epochs": 1}
    rows = {"demonstrations": 160, "feedback": 120}
    outcome = compile_and_run(write_spec(tmp_path, "sft+dpo", rows=rows, goal=GOAL, overrides=overrides))
    assert outcome.exit_code == DONE, outcome.diagnostics
    assert outcome.report["goal"]["met"], "measured by the second evaluation, and that one decides"
    assert outcome.report["scores"][0]["metric"] == "reward_accuracy"
    assert score(outcome, "reward_accuracy", "feedback")["after"]["low"] > 0.6
    loss = score(outcome, "held_out_loss", "demonstrations")
    assert loss["after"]["value"] < loss["before"]["value"] / 2
    assert outcome.report["export"]["same_answers"] == 8


@pytest.mark.parametrize(
    "adapter", ["lora", *(pytest.param(each, marks=pytest.mark.slow) for each in ("qlora", "full"))]
)
def test_killed_and_the_weights_are_the_same(tmp_path: Path, adapter: str) -> None:
    """With an adapter the reference is the adapter switched off, without one it was computed before training."""
    weights: list[bytes] = []
    for name in ("undisturbed", "killed"):
        (tmp_path / name).mkdir()
        plan, out = _training_alone(tmp_path / name, adapter), tmp_path / name / "runs"
        if name == "killed":
            running = start(plan, out)
            running.until(trained(8))
            running.process.kill()
            running.process.wait()
        code, _, running = finish(plan, out)
        assert code == DONE
        assert bool(of_kind(running.events(), "resumed")) is (name == "killed")
        weights.append(next((running.folder / "stages" / "dpo" / "final").glob("*.safetensors")).read_bytes())
    assert weights[0] == weights[1]


def _training_alone(folder: Path, adapter: str) -> Path:
    overrides = {"effective_batch": 4, "micro_batch": 2, "eval_steps": 4, "save_steps": 4}
    file = write_plan(write_spec(folder, "dpo", rows={"feedback": 110}, goal="", overrides=overrides))
    plan = load(file)
    stages = [each for each in plan.stages if each.kind in ("prepare", "dpo")]
    if adapter == "full":
        changes = {"adapter": "full", "lora": None, "precompute_reference": True, "learning_rate": 1e-4}
        stages[1] = replace(stages[1], arguments={**stages[1].arguments, **changes})
    if adapter == "qlora":
        quantization = {"type": "nf4", "double_quant": True, "compute_dtype": "fp32"}
        changes = {"adapter": "qlora", "quantization": quantization}
        stages[1] = replace(stages[1], arguments={**stages[1].arguments, **changes})
    file.write_bytes(replace(plan, stages=tuple(stages)).to_bytes())
    return file
