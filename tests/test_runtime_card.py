"""The model card: what it says, and that nothing a user or a model wrote becomes markup or front matter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from ftc.runtime.card import card
from ftc.runtime.report_facts import facts
from ftc.runtime.run_folder import RunFolder
from tests.runtime_plans import load, write_plan
from tests.test_runtime_report import events

HOSTILE = "x\n---\n# A heading\n| a | b |\n<script>alert(1)</script> [link](http://evil.example) {{ 7 * 7 }}"


def written(tmp_path: Path, kept: int = 99, **head: Any) -> str:
    plan = replace(load(write_plan(tmp_path)), **head)
    return card(plan, facts(plan, RunFolder(tmp_path / "run"), events()[:kept], samples=2))


def front(text: str) -> dict[str, Any]:
    start, matter, _ = text.split("---\n", 2)
    assert start == ""
    found: dict[str, Any] = yaml.safe_load(matter)
    return found


def test_a_card_says_numbers_data_method_decision_and_limits(tmp_path: Path) -> None:
    text = written(tmp_path)
    assert "| Accuracy | 0.500 (0.450 to 0.550) | 0.900 (0.850 to 0.950) | +0.400 (+0.350 to +0.450) |" in text
    for part in ("`train.csv`", "20 steps", "learning rate 0.005", "rank 8", "## Why this method", "R407"):
        assert part in text
    assert front(text)["base_model"] == "builtin:tiny"


def test_duties_of_licences_are_on_it(tmp_path: Path) -> None:
    plan = load(write_plan(tmp_path))
    model = {**plan.model, "licence": "llama3.1", "duties": ["show 'Built with Llama'"]}
    data = {**plan.data, "licence": "cc-by-nc-4.0", "restriction": "non-commercial", "contains": ["phi"]}
    text = written(tmp_path, model=model, data=data)
    assert "show 'Built with Llama'" in text
    assert "under `cc-by-nc-4.0`: non-commercial" in text
    assert "phi" in text
    assert front(text)["license_name"] == "llama3.1"


def test_an_unknown_licence_is_said_to_be_unknown(tmp_path: Path) -> None:
    assert "not known here" in written(tmp_path)


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    text = written(
        tmp_path, name=HOSTILE.replace("/", ""), goal={"task": "chat", "description": HOSTILE, "success": None}
    )
    assert set(front(text)) >= {"base_model", "tags"}
    body = text.split("---\n", 2)[2]
    assert not [line for line in body.splitlines() if line.startswith("# A heading")]
    assert "<script>" not in text
    assert "[link](" not in text
    assert "{{ 7 * 7 }}" in body.replace("\\", "")


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_a_run_that_ended_early_has_a_card_too(tmp_path: Path, kept: int) -> None:
    assert "## Limits" in written(tmp_path, kept)
