"""The closed form against the traced steps of `benchmarks/exact/grid.json`, which real transformers classes took."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ftc.advisor.gpus import find_gpu
from ftc.advisor.memory import peak_of
from ftc.advisor.parameters import architecture
from ftc.advisor.values import Setup

EXACT = Path(__file__).parents[1] / "benchmarks" / "exact"
ASKED_BY_TRACES_ONLY = ("padding",)


def error(point: dict[str, Any], models: dict[str, Any]) -> float:
    settings = {name: value for name, value in point["settings"].items() if name not in ASKED_BY_TRACES_ONLY}
    model = settings.pop("model")
    card, _ = find_gpu("a100-80gb")
    assert card is not None
    peak = peak_of(Setup(architecture=architecture(models[model], model), **settings), card)
    return peak.allocated / 2**30 / float(point["allocated_gib"]) - 1


def test_closed_form_keeps_to_the_traces() -> None:
    models = json.loads((EXACT / "models.json").read_text())["models"]
    points = json.loads((EXACT / "grid.json").read_text())["points"]
    errors = {json.dumps(each["settings"]): error(each, models) for each in points}
    assert len(errors) >= 60
    sizes = sorted(map(abs, errors.values()))
    assert sizes[len(sizes) // 2] <= 0.02
    assert {name: found for name, found in errors.items() if abs(found) > 0.08} == {}


@pytest.mark.parametrize("key", ["objective", "adapter", "checkpointing", "loss", "optimizer"])
def test_the_grid_covers(key: str) -> None:
    points = json.loads((EXACT / "grid.json").read_text())["points"]
    assert len({each["settings"].get(key, "") for each in points}) >= 2
