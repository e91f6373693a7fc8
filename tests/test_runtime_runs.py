"""Whole runs on `builtin:tiny`: each method learns, exports a model that plain transformers loads, and reports it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ftc.runtime.supervisor import CANNOT, DONE, MISSED, run
from tests.runtime_plans import CHANCE, LABELS, write_plan

pytestmark = pytest.mark.train
pytest.importorskip("trl")
LORA = {
    "rank": 16, "alpha": 32, "dropout": 0.0, "targets": "all-linear", "rslora": False, "dora": False, "dtype": "fp32",
}  # fmt: skip
STEPS = {"sft-full": 40, "sft-lora": 120, "sft-qlora": 120}


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # tests run beside each other


@pytest.mark.parametrize("method", list(STEPS))
def test_a_method_learns_six_intents(tmp_path: Path, method: str) -> None:
    train: dict[str, Any] = {"steps": STEPS[method], "save_steps": 40, "eval_steps": 20, "logging_steps": 10}
    if method != "sft-full":
        train["lora"] = LORA
    events: list[str] = []
    goal = {"task": "classification", "success": {"metric": "accuracy", "at_least": 0.9}}
    plan = write_plan(tmp_path, method, rows=480, held_out=120, train=train, goal=goal)
    outcome = run(plan, tmp_path / "runs", on_event=lambda event: events.append(event["kind"]))
    assert outcome.exit_code == DONE, outcome.diagnostics
    assert outcome.folder is not None
    report = json.loads((outcome.folder / "report.json").read_text())
    assert report == outcome.report
    accuracy = next(score for score in report["scores"] if score["metric"] == "accuracy")
    assert accuracy["after"]["value"] > 0.9 > CHANCE
    assert accuracy["change"]["significant"]
    assert report["training"][0]["steps"] == STEPS[method]
    assert report["export"]["same_answers"] == report["export"]["checked"] == 8
    assert report["export"]["same_template"]
    measured = [stage for stage in report["stages"] if stage["kind"] != "report"]  # that one is still running
    assert all(stage["peak_gib"]["process_gib"] > 0 for stage in measured)
    assert {"run_started", "stage_started", "progress", "step", "held_out", "checkpoint", "run_ended"} <= set(events)
    assert not list(outcome.folder.rglob("*.part")), "nothing half-written is left"
    _loads_without_ftc(outcome.folder / "model")
    again = run(plan, tmp_path / "runs", on_event=lambda event: events.append(event["kind"]))
    assert (again.exit_code, again.report) == (DONE, outcome.report), "a finished run is not run again"


def _loads_without_ftc(folder: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    assert not [path for path in folder.iterdir() if path.suffix in (".bin", ".pt", ".pkl")], "no pickle is exported"
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    asked = tokenizer.apply_chat_template(
        [{"role": "user", "content": "I forgot my password, please help"}],
        add_generation_prompt=True, return_tensors="pt", return_dict=True,
    )  # fmt: skip
    said = model.generate(**asked, max_new_tokens=16, do_sample=False)[0, asked["input_ids"].shape[1] :]
    assert tokenizer.decode(said, skip_special_tokens=True).strip() in LABELS


def test_a_missed_goal_is_exit_code_4(tmp_path: Path) -> None:
    plan = write_plan(tmp_path, "sft-full", train={"steps": 1, "learning_rate": 1e-9, "eval_steps": 1, "save_steps": 1})
    outcome = run(plan, tmp_path / "runs")
    assert outcome.exit_code == MISSED
    assert outcome.diagnostics[-1].code == "R209"
    assert outcome.report["goal"]["met"] is False


def test_answers_that_are_held_to_the_labels_are_labels(tmp_path: Path) -> None:
    plan = write_plan(tmp_path, "sft-full", train={"steps": 1}, evaluate={"constrain_labels": True, "few_shot": 2})
    outcome = run(plan, tmp_path / "runs")
    assert outcome.report["before"]["invalid_share"] == 0
    assert "2 examples" in outcome.report["before"]["prompting"]


def test_rows_that_changed_behind_the_hash_are_drift(tmp_path: Path) -> None:
    plan = write_plan(tmp_path, "sft-full")
    text = plan.read_text().replace('"expected_rows": 240', '"expected_rows": 241')
    plan.write_text(text)
    outcome = run(plan, tmp_path / "runs")
    assert (outcome.exit_code, outcome.diagnostics[-1].code) == (CANNOT, "R103")
