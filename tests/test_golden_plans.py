"""Whole plans, kept as files: a change of a rule, an estimate or an argument shows up as a diff to read.

`FTC_UPDATE_GOLDEN=1 pytest tests/test_golden_plans.py` writes them anew.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ftc import api

GOLDEN = Path(__file__).parent / "golden"
SPECS = sorted(GOLDEN.glob("*.yaml"))
STACK = dict.fromkeys(api.TRAINING_STACK, "1.0")


@pytest.mark.parametrize("spec", SPECS, ids=lambda path: path.stem)
def test_plan_is_as_it_was(spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "stack_versions", lambda: STACK)
    monkeypatch.setenv("FTC_DATA_DIR", str(tmp_path))  # past runs of this machine correct estimates
    written = api.compile(spec).to_bytes()
    golden = spec.with_suffix(".plan.json")
    if os.environ.get("FTC_UPDATE_GOLDEN"):
        golden.write_bytes(written)
    assert written.decode() == golden.read_text("utf-8")


def test_there_are_golden_plans() -> None:
    assert len(SPECS) == 9
