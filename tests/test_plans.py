"""The plans that tests share are plans: valid by the schema, and read back from disk as they were written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ftc.compiler.plan import Plan
from ftc.compiler.plan_file import load_plan
from tests.plans import METHODS, OBJECTIVES, chain_for, plan_for

CHAINS: list[Any] = [
    *((kind,) for kind in OBJECTIVES if kind != "rloo"),
    ("reward", "rloo"),
    ("sft", "dpo"),
    ("cpt", "sft"),
]


@pytest.mark.parametrize("plan", [*map(plan_for, METHODS), *(chain_for(*kinds) for kinds in CHAINS)])
def test_hand_made_plans_are_valid(plan: Plan, tmp_path: Path) -> None:
    file = tmp_path / "ftc.plan.json"
    file.write_bytes(plan.to_bytes())
    loaded, problems = load_plan(file)
    assert problems == []
    assert loaded is not None
    assert loaded.to_bytes() == plan.to_bytes()
