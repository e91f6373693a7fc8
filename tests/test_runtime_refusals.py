"""What stops a run before its first stage: each with its code and exit code, without a traceback, without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from filelock import FileLock

from ftc.compiler.plan import Plan, Stage
from ftc.runtime import disk, journal, supervisor
from ftc.runtime.supervisor import run
from tests.runtime_plans import load, write_plan


def codes(outcome: supervisor.Outcome) -> list[str]:
    return [each.code for each in outcome.diagnostics]


def test_no_such_plan(tmp_path: Path) -> None:
    outcome = run(tmp_path / "ftc.plan.json", tmp_path / "runs")
    assert (outcome.exit_code, codes(outcome)) == (2, ["R001"])
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe\x00", b'{"schema": 1}', b"[" * 100_000])
def test_a_plan_that_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ftc.plan.json").write_bytes(content)
    outcome = run(tmp_path / "ftc.plan.json", tmp_path / "runs")
    assert outcome.exit_code == 2
    assert set(codes(outcome)) <= {"R002", "R003"}
    assert not (tmp_path / "runs").exists()


def test_drift_names_the_field_and_writes_nothing(tmp_path: Path) -> None:
    path = write_plan(tmp_path)
    with (tmp_path / "train.csv").open("a") as stream:
        stream.write("one more,desk_cards\n")
    outcome = run(path, tmp_path / "runs")
    assert (outcome.exit_code, codes(outcome)) == (3, ["R103"])
    assert outcome.diagnostics[0].key == "hashes.data:train.csv"
    assert not (tmp_path / "runs").exists()


def test_a_data_file_that_vanished_is_not_drift_to_accept(tmp_path: Path) -> None:
    path = write_plan(tmp_path)
    (tmp_path / "test.csv").unlink()
    outcome = run(path, tmp_path / "runs", accept_drift=True)
    assert (outcome.exit_code, codes(outcome)) == (3, ["R108"])


def test_a_stage_that_this_runtime_does_not_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_plan(tmp_path)
    monkeypatch.setattr(supervisor, "MODULES", {"prepare": "x"})
    outcome = run(path, tmp_path / "runs")
    assert (outcome.exit_code, codes(outcome)) == (3, ["R105"])
    assert "sft" in outcome.diagnostics[0].message


def test_the_training_stack_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_plan(tmp_path)
    monkeypatch.setattr(supervisor, "missing_libraries", lambda plan: ["torch"])
    outcome = run(path, tmp_path / "runs")
    assert (outcome.exit_code, codes(outcome)) == (3, ["R104"])
    assert "pip install" in outcome.diagnostics[0].fix


def test_two_runs_of_one_plan(tmp_path: Path) -> None:
    path = write_plan(tmp_path)
    folder = tmp_path / "runs" / load(path).run_name
    folder.mkdir(parents=True)
    with FileLock(folder / supervisor.LOCK):
        outcome = run(path, tmp_path / "runs")
        fresh = run(path, tmp_path / "runs", fresh=True)
    assert (outcome.exit_code, codes(outcome)) == (1, ["R101"])
    assert (fresh.exit_code, codes(fresh)) == (1, ["R101"])
    assert not (folder / journal.FILE).exists()


def test_a_journal_of_another_plan(tmp_path: Path) -> None:
    path = write_plan(tmp_path)
    folder = tmp_path / "runs" / load(path).run_name
    folder.mkdir(parents=True)
    journal.Journal(folder).write("run_started", plan="0" * 64)
    outcome = run(path, tmp_path / "runs")
    assert (outcome.exit_code, codes(outcome)) == (3, ["R109"])


def test_a_disk_that_is_too_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_plan(tmp_path)
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    outcome = run(path, tmp_path / "runs")
    assert (outcome.exit_code, codes(outcome)) == (3, ["R106"])


@pytest.mark.parametrize("kind", ["a file in the way", "no permission"])
def test_a_folder_that_cannot_be_written(tmp_path: Path, kind: str) -> None:
    path = write_plan(tmp_path)
    out = tmp_path / "runs"
    if kind == "a file in the way":
        out.write_text("")
    else:
        out = Path("/proc/no-such-place")
    outcome = run(path, out)
    assert (outcome.exit_code, codes(outcome)) == (1, ["R102"])


@pytest.mark.parametrize("stage_id", ["../../escape", "a/b", "..", "x\0y", "a\\b"])
def test_a_stage_id_cannot_lead_out_of_the_folder(tmp_path: Path, stage_id: str) -> None:
    path = write_plan(tmp_path)
    plan: Plan = load(path)
    first: Stage = replace(plan.stages[0], id=stage_id)
    path.write_bytes(replace(plan, stages=(first, *plan.stages[1:])).to_bytes())
    outcome = run(path, tmp_path / "runs")
    assert outcome.exit_code == 2
    assert not (tmp_path / "escape").exists()


def test_a_name_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    path = write_plan(tmp_path)
    value: dict[str, Any] = json.loads(path.read_bytes())
    path.write_text(json.dumps({**value, "name": "../../escape"}))
    assert run(path, tmp_path / "runs").exit_code == 2


def test_supervising_needs_no_torch() -> None:
    heavy = "torch transformers trl peft datasets bitsandbytes accelerate"
    script = f"import sys, ftc.runtime.supervisor; print([n for n in {heavy.split()!r} if n in sys.modules])"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
