"""Time: arithmetic that can be redone, monotony, waste from padding, and published speeds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ftc.advisor.duration import duration, padded_tokens
from ftc.advisor.gpus import find_gpu
from ftc.advisor.machine import cpu
from ftc.advisor.models import find_model
from ftc.advisor.speed import extra_passes, flops_a_token, step_seconds
from ftc.advisor.values import Device, Setup, Workload

POINTS = Path(__file__).parents[2] / "shared" / "facts" / "measured_points.csv"


@pytest.fixture(autouse=True)
def _no_past_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FTC_DATA_DIR", str(tmp_path))


def card(name: str = "a100-80gb") -> Device:
    found, _ = find_gpu(name)
    assert found is not None
    return found


def setup(id: str = "meta-llama/Llama-3.1-8B", **changes: Any) -> Setup:
    found, _ = find_model(id, Path())
    assert found is not None
    return Setup(**{"architecture": found, "seq_len": 2048, "micro_batch": 4, "grad_accum": 4, **changes})


WORK = Workload(rows=6000, epochs=3, mean_tokens=600)


@pytest.mark.parametrize(
    ("changes", "passes"),
    [
        ({"adapter": "full", "checkpointing": "none", "loss": "full"}, 6),  # forward 2, backward 4
        ({"adapter": "full", "checkpointing": "full", "loss": "full"}, 8),
        ({"adapter": "lora", "checkpointing": "none", "loss": "full"}, 4),  # frozen weights have no gradient
        ({"adapter": "lora", "checkpointing": "full", "loss": "full"}, 6),
    ],
)
def test_flops_a_weight(changes: dict[str, Any], passes: int) -> None:
    one = setup(**changes)
    found = flops_a_token(one, 1.0) / one.architecture.parameters
    assert found == pytest.approx(passes, rel=0.14)  # the embedding does none, the head less than the layers


def test_a_mixture_works_on_its_active_part() -> None:
    one = setup("Qwen/Qwen3-30B-A3B-Instruct-2507", adapter="full", checkpointing="none", loss="full")
    assert flops_a_token(one, 1.0) < 7 * one.architecture.active_parameters


@pytest.mark.parametrize(
    ("objective", "reference", "passes"),
    [("sft", "none", 0), ("dpo", "adapter-off", 1), ("dpo", "precomputed", 0), ("kto", "none", 1), ("kto", "copy", 3),
     ("grpo", "none", 0), ("grpo", "copy", 1), ("reward", "none", 0)],
)  # fmt: skip
def test_passes_beside_the_own_one(objective: Any, reference: Any, passes: int) -> None:
    assert extra_passes(setup(objective=objective, reference=reference)) == passes


@pytest.mark.parametrize(
    ("faster", "slower"),
    [
        ({"checkpointing": "none"}, {"checkpointing": "full"}),
        ({"adapter": "lora"}, {"adapter": "full"}),
        ({"adapter": "lora"}, {"adapter": "qlora"}),
        ({"lora_rank": 8}, {"lora_rank": 256}),
        ({"attention": "sdpa"}, {"attention": "eager"}),
        ({"objective": "sft"}, {"objective": "dpo", "reference": "adapter-off"}),
        ({"sharding": "ddp", "devices": 8}, {"sharding": "fsdp", "devices": 8}),
        ({"sharding": "fsdp", "devices": 8}, {"sharding": "fsdp", "devices": 8, "nodes": 4}),
    ],
)
def test_what_takes_longer(faster: dict[str, Any], slower: dict[str, Any]) -> None:
    quick, slow = (step_seconds(setup(**each), card(), 1024.0).total for each in (faster, slower))
    assert quick < slow


def test_a_faster_card_is_faster() -> None:
    times = [
        step_seconds(setup(), card(name), 1024.0).total for name in ("b200", "h100", "a100-80gb", "rtx-4090", "t4")
    ]
    assert times == sorted(times)


def test_more_cards_take_less_time() -> None:
    one, eight = (duration(setup(devices=each, sharding="ddp"), card(), WORK) for each in (1, 8))
    assert 4 < one.parts_hours["training"] / eight.parts_hours["training"] <= 8.2
    assert eight.steps == -(-one.steps // 8)


def test_gathering_over_a_slow_link_is_said() -> None:
    slow = setup(adapter="full", sharding="fsdp", devices=4, micro_batch=1, grad_accum=1)
    assert duration(slow, card("l40s"), replace(WORK, mean_tokens=300)).bound == "communication"
    assert duration(setup(), card(), WORK).bound == "compute"


HISTOGRAM = ((64, 500), (128, 300), (512, 150), (2048, 50))


@pytest.mark.parametrize(("micro_batch", "low", "high"), [(1, 200, 300), (2, 250, 500), (32, 1500, 2048)])
def test_padding_grows_with_the_batch(micro_batch: int, low: float, high: float) -> None:
    work = Workload(rows=1000, epochs=1, mean_tokens=250, histogram=HISTOGRAM)
    assert low <= padded_tokens(work, micro_batch, 2048) <= high


def test_padding_stops_at_the_cut() -> None:
    work = Workload(rows=1000, epochs=1, mean_tokens=250, histogram=HISTOGRAM)
    assert padded_tokens(work, 64, 256) <= 256


def test_packing_saves_the_padding() -> None:
    work = Workload(rows=6000, epochs=1, mean_tokens=200, histogram=HISTOGRAM)
    padded, packed = (duration(setup(packing=each), card(), work) for each in (False, True))
    assert packed.parts_hours["training"] < padded.parts_hours["training"]


def test_generation_counts() -> None:
    found = duration(setup(objective="grpo", completion_len=512, generations=8), card(), WORK)
    assert found.parts_hours["generation"] > 0.2 * found.parts_hours["training"]


def test_parts_sum_up() -> None:
    found = duration(setup(), card(), replace(WORK, eval_rows=500, eval_completion_tokens=100, evaluations=3))
    assert sum(found.parts_hours.values()) == pytest.approx(found.hours.likely)
    assert found.parts_hours["evaluation"] > 0
    assert found.hours.low < found.hours.likely < found.hours.high


def test_tiny_on_a_cpu_takes_seconds() -> None:
    tiny = setup("builtin:tiny", weights="fp32", compute="fp32", seq_len=64, micro_batch=16, grad_accum=1)
    found = duration(tiny, cpu(16, 2, "avx512f"), Workload(rows=2000, epochs=1, mean_tokens=30))
    assert 3 < found.parts_hours["training"] * 3600 < 60


def test_sixteen_bits_on_a_cpu_are_slow() -> None:
    wide, narrow = (
        step_seconds(setup(weights=each, compute=each), cpu(64, 8), 512.0).total for each in ("fp32", "bf16")
    )
    assert narrow > 3 * wide


@pytest.mark.skipif(not POINTS.is_file(), reason="the published measurements are not here")
def test_published_speeds() -> None:
    import sys

    sys.path.insert(0, str(Path(__file__).parents[1]))
    try:
        from benchmarks.estimates.points import read
    finally:
        sys.path.pop(0)
    errors = []
    for each in read(POINTS)[0]:
        if each.tokens_per_second:
            length = each.setup.seq_len
            rows = Workload(rows=1000, epochs=1, mean_tokens=length, histogram=((length, 1000),))
            found = duration(each.setup, each.device, rows)
            if found.bound != "communication":
                errors.append(abs(found.tokens_per_second_per_gpu.likely / each.tokens_per_second - 1))
    assert len(errors) > 250
    assert sorted(errors)[len(errors) // 2] < 0.15
