"""Packed demonstrations: the trainer has fewer rows than were encoded, and the order is one of those."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftc.runtime.supervisor import DONE, run
from tests.runtime_plans import write_plan

pytestmark = pytest.mark.train
pytest.importorskip("trl")


def test_packed_rows_are_gone_through_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    train = {"packing": True, "group_by_length": False, "epochs": 1.0, "micro_batch": 4}
    outcome = run(write_plan(tmp_path, "sft-lora", rows=120, train=train, scored=False), tmp_path / "runs")
    assert outcome.exit_code == DONE, outcome.diagnostics
    training = outcome.report["training"][0]
    assert 0 < training["steps"] < 120 / 4, "rows stand together in one sequence"
    prepared = outcome.report["data"]["tokens"]
    assert training["tokens"] == prepared, "each token once"
