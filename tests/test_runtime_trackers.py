"""Trackers: named on the command line, refused where they are not installed, fed through transformers' integrations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftc import api
from ftc.runtime import trackers
from ftc.runtime.supervisor import CANNOT, DONE, WRONG
from tests.test_cli import ftc as call
from tests.tiny_specs import write_plan, write_spec


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    return write_plan(write_spec(tmp_path, "sft-lora", rows={"demonstrations": 60}, goal="", overrides={"steps": 3}))


@pytest.mark.parametrize(
    ("asked", "installed", "exit_code"), [(("nowhere",), True, WRONG), (("wandb",), False, CANNOT)]
)
def test_what_cannot_be_reported_to_is_refused_before_anything_starts(
    asked: tuple[str, ...], installed: bool, exit_code: int, plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("trl")
    monkeypatch.setattr(trackers, "find_spec", lambda name: object() if installed else None)
    outcome = api.run(plan, plan.parent / "runs", report_to=asked)
    assert (outcome.exit_code, [each.code for each in outcome.diagnostics]) == (exit_code, ["R114"])
    assert not (plan.parent / "runs").exists()


def test_nothing_is_reported_unless_it_was_asked_for(tmp_path: Path) -> None:
    output = tmp_path / "run" / "stages" / "sft"
    assert trackers.training_arguments(output, {}) == {"report_to": "none"}
    assert trackers.training_arguments(output, trackers.variables(())) == {"report_to": "none"}
    assert trackers.training_arguments(output, {trackers.VARIABLE: "comet_ml"}) == {"report_to": "none"}


@pytest.mark.parametrize("name", trackers.TRACKERS)
def test_every_tracker_is_one_of_transformers(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    integrations = pytest.importorskip("transformers.integrations.integration_utils")
    assert name in integrations.INTEGRATION_TO_CALLBACK
    for variable in ("TENSORBOARD_LOGGING_DIR", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.setenv(variable, "")
    said = trackers.training_arguments(tmp_path / "run-1" / "stages" / "sft", trackers.variables([name]))
    assert (said["report_to"], said["run_name"]) == ([name], "run-1-sft")


def test_the_command_line_knows_the_words(plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(capsys, "run", plan, "--report-to", "all")[0] == 2
    assert call(capsys, "run", plan, "--target", "slurm", "--report-to", "wandb")[0] == 2


@pytest.mark.train
def test_curves_arrive_and_the_report_is_made_all_the_same(plan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("trl")
    pytest.importorskip("tensorboardX")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    outcome = api.run(plan, plan.parent / "runs", report_to=("tensorboard",))
    assert outcome.exit_code == DONE, outcome.diagnostics
    assert outcome.folder is not None
    written = list((outcome.folder / trackers.FOLDER / "sft").glob("events.out.tfevents.*"))
    assert b"train/loss" in b"".join(each.read_bytes() for each in written)
    assert (outcome.folder / "report.html").exists()
    rows = [json.loads(line)["prompt"] for line in (plan.parent / "demonstrations.jsonl").read_text().splitlines()]
    assert not any(row.encode() in each.read_bytes() for row in rows[:20] for each in written), "no row leaves"
