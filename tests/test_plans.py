"""The plans that tests share are plans: valid by the schema, and read back from disk as they were written."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftc.compiler.plan_file import load_plan
from tests.plans import METHODS, plan_for


@pytest.mark.parametrize("method", METHODS)
def test_hand_made_plans_are_valid(method: str, tmp_path: Path) -> None:
    plan = plan_for(method)
    file = tmp_path / "ftc.plan.json"
    file.write_bytes(plan.to_bytes())
    loaded, problems = load_plan(file)
    assert problems == []
    assert loaded is not None
    assert loaded.to_bytes() == plan.to_bytes()
