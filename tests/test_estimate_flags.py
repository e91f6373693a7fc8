"""What the flags of `ftc estimate` mean: whose loop, which kernel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ftc.advisor.gpus import find_gpu
from ftc.advisor.memory import memory
from ftc.advisor.models import find_model
from ftc.advisor.values import Setup
from ftc.commands.estimate import estimate_command, setup_of

POINTS = Path(__file__).parents[2] / "shared" / "facts" / "measured_points.csv"


def setup(**given: Any) -> Setup:
    model, _ = find_model("Qwen/Qwen2.5-0.5B", Path())
    assert model is not None
    flags: dict[str, Any] = {each.name: each.default for each in estimate_command.params}
    return setup_of(model, {**flags, "lora_rank": None, "sharding": None, "optimizer_dtype": None, **given})


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ({"method": "lora"}, True),
        ({"method": "qlora", "weights": "fp16"}, True),
        ({"method": "lora", "gpus": 2}, True),
        ({"method": "lora", "loss": "chunked"}, False),
        ({"method": "lora", "adapters": "bf16"}, False),
        ({"method": "lora", "weights": "fp32"}, False),
        ({"method": "lora", "gpus": 2, "sharding": "fsdp"}, False),
        ({"method": "full"}, False),
        ({"method": "dpo", "lora_rank": 8}, False),
    ],
)
def test_whose_loop(given: dict[str, Any], plain: bool) -> None:
    found = setup(**given)
    assert found.keep_outputs is plain
    assert (found.autocast is False) is plain
    assert found.double_quant is not plain
    assert found.optimizer_kernel == ("foreach" if plain else "fused")


def test_accumulation_and_offload_reach_the_estimate() -> None:
    card, _ = find_gpu("a100-80gb")
    assert card is not None
    one = memory(setup(method="full", grad_accum=1), card).device.likely
    assert memory(setup(method="full", grad_accum=8), card).device.likely > one
    assert memory(setup(method="full", offload="all"), card).device.likely < one


@pytest.mark.skipif(not POINTS.is_file(), reason="the measured points are not here")
def test_flags_alone_keep_to_the_measurements() -> None:
    """Everything that a point says and flags cannot is left out; the errors stay where they are asked to be."""
    points = pytest.importorskip("benchmarks.estimates.points")
    errors: dict[str, list[float]] = {"plain": [], "sharded": [], "other": []}
    for each in map(points.through_flags, points.read(POINTS)[0]):
        if each.complete and each.peak_gib and not each.saturated:
            likely = getattr(memory(each.setup, each.device), each.kind).likely
            errors[each.group].append(likely / each.peak_gib - 1)
        elif each.outcome == "oom" and each.peak_gib is None:
            assert not memory(each.setup, each.device).fits(each.device.memory_gib), each.id
    for group, (median, nine_in_ten) in {"plain": (0.03, 0.08), "sharded": (0.12, 0.2), "other": (0.08, 0.2)}.items():
        sizes = sorted(abs(error) for error in errors[group])
        assert sizes[len(sizes) // 2] <= median, group
        assert sizes[int(0.9 * len(sizes))] <= nine_in_ten, group
    assert sum(error < 0 for error in errors["sharded"]) <= 0.05 * len(errors["sharded"])
