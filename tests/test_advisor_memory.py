"""The played step: against the arithmetic that anyone can redo, against itself, and against published peaks."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ftc.advisor.gpus import find_gpu
from ftc.advisor.machine import cpu
from ftc.advisor.memory import bound_gib, memory, peak_of, static_gib, weights_gib
from ftc.advisor.memory.allocator import Allocator
from ftc.advisor.memory.tape import Tape, rounded
from ftc.advisor.models import find_model
from ftc.advisor.values import Architecture, Device, Setup

GIB, MIB = 2**30, 2**20
POINTS = Path(__file__).parents[2] / "shared" / "facts" / "measured_points.csv"


def model(id: str = "meta-llama/Llama-3.1-8B") -> Architecture:
    found, _ = find_model(id, Path())
    assert found is not None
    return found


def card(name: str = "a100-80gb") -> Device:
    found, _ = find_gpu(name)
    assert found is not None
    return found


def setup(**changes: Any) -> Setup:
    return Setup(**{"architecture": model(), "seq_len": 1024, **changes})


class TestAllocator:
    @pytest.mark.parametrize(
        ("requests", "reserved"),
        [
            ([1], 2 * MIB), ([MIB], 2 * MIB), ([MIB, MIB], 2 * MIB), ([MIB, MIB, 512], 4 * MIB),
            ([MIB + 512], 20 * MIB), ([9 * MIB, 9 * MIB], 20 * MIB), ([10 * MIB], 10 * MIB),
            ([11 * MIB], 12 * MIB), ([11 * MIB, MIB + 512], 32 * MIB),
        ],
    )  # fmt: skip
    def test_segments(self, requests: list[int], reserved: int) -> None:
        allocator = Allocator()
        for size in requests:
            allocator.stay(size)
        assert allocator.reserved == reserved

    def test_free_neighbours_merge(self) -> None:
        allocator = Allocator()
        held = [allocator.ask(6 * MIB) for _ in range(3)]
        for chunk in (held[0], held[2], held[1]):
            allocator.give_back(chunk)
        allocator.stay(19 * MIB)
        assert allocator.reserved == 20 * MIB

    def test_a_block_in_the_middle_keeps_them_apart(self) -> None:
        allocator = Allocator()
        held = [allocator.ask(6 * MIB) for _ in range(3)]
        allocator.give_back(held[0])
        allocator.give_back(held[2])
        allocator.stay(12 * MIB)
        assert allocator.reserved == 32 * MIB

    def test_a_copy_goes_its_own_way(self) -> None:
        first = Allocator()
        first.give_back(first.ask(30 * MIB))
        second = first.copy()
        second.stay(30 * MIB)
        first.stay(30 * MIB)
        assert first.reserved == second.reserved == 30 * MIB


class TestTape:
    def test_the_last_holder_gives_back(self) -> None:
        tape = Tape()
        block = tape.new(MIB)
        tape.hold(block)
        tape.drop(block)
        assert tape.live == MIB
        tape.drop(block)
        assert tape.live == 0
        assert tape.peak == MIB

    def test_what_it_is_for(self) -> None:
        tape = Tape()
        tape.new(MIB)
        tape.kind = "logits"
        tape.passing(2 * MIB)
        tape.new(MIB)
        assert tape.at_peak() == {"activations": MIB, "logits": 2 * MIB}


def test_weights_are_parameters_times_width() -> None:
    assert weights_gib(setup()) == pytest.approx(8_030_261_248 * 2 / GIB)
    assert weights_gib(setup(weights="fp32")) == pytest.approx(8_030_261_248 * 4 / GIB)


def test_nf4_with_the_fp32_rest() -> None:
    # Llama-3.1-8B loads at 7.7 GiB in NF4 with fp32 embedding, head and norms and fp32 scales
    assert weights_gib(setup(adapter="qlora", double_quant=False)) == pytest.approx(7.6, abs=0.15)


def test_pure_bf16_full_is_eight_bytes_a_parameter() -> None:
    found = memory(setup(adapter="full", optimizer_dtype="bf16"), card())
    assert found.allocated.likely == pytest.approx(8_030_261_248 * 8 / GIB, rel=0.02)


@pytest.mark.parametrize("adapter", ["full", "lora", "qlora"])
def test_parts_sum_up(adapter: Any) -> None:
    found = memory(setup(adapter=adapter, micro_batch=2), card())
    assert sum(found.breakdown.values()) == pytest.approx(found.device.likely, rel=1e-6)
    assert found.allocated.likely <= found.reserved.likely <= found.device.likely
    assert set(found.breakdown) == {
        "weights", "adapters", "gradients", "optimizer", "activations", "logits", "reference", "overhead",
    }  # fmt: skip


GRID = list(
    itertools.product(
        ["Qwen/Qwen2.5-0.5B", "google/gemma-2-2b", "microsoft/Phi-4-mini-instruct", "EleutherAI/pythia-1b",
         "mistralai/Mixtral-8x7B-Instruct-v0.1", "openai/gpt-oss-20b"],
        ["full", "lora", "qlora"], ["full", "none"], ["full", "chunked"],
    )
)  # fmt: skip


@pytest.mark.parametrize(("id", "adapter", "checkpointing", "loss"), GRID)
def test_bounds_hold_and_more_takes_more(id: str, adapter: Any, checkpointing: Any, loss: Any) -> None:
    one = Setup(architecture=model(id), adapter=adapter, checkpointing=checkpointing, loss=loss, seq_len=512)
    a_card = card()
    peak = peak_of(one, a_card).allocated / GIB
    assert static_gib(one) <= bound_gib(one) * 1.0001
    assert weights_gib(one) <= static_gib(one)
    assert bound_gib(one) <= peak * 1.001
    assert peak_of(replace(one, micro_batch=2), a_card).allocated / GIB > peak * 0.9999
    assert peak_of(replace(one, seq_len=2048), a_card).allocated / GIB > peak * 0.9999


@pytest.mark.parametrize(
    ("less", "more"),
    [
        ({"checkpointing": "full"}, {"checkpointing": "none"}),
        ({"loss": "chunked"}, {"loss": "full"}),
        ({"attention": "sdpa"}, {"attention": "eager"}),
        ({"adapter": "qlora"}, {"adapter": "lora"}),
        ({"adapter": "lora"}, {"adapter": "full"}),
        ({"adapter": "full", "optimizer": "adamw-8bit"}, {"adapter": "full"}),
        ({"adapter": "full", "optimizer": "sgd"}, {"adapter": "full", "optimizer": "adafactor"}),
        ({"adapter": "full", "sharding": "fsdp", "devices": 8}, {"adapter": "full", "sharding": "ddp", "devices": 8}),
        (
            {"adapter": "full", "sharding": "zero3", "devices": 8},
            {"adapter": "full", "sharding": "zero2", "devices": 8},
        ),
        ({"adapter": "full", "offload": "optimizer"}, {"adapter": "full"}),
        ({"objective": "dpo", "reference": "adapter-off"}, {"objective": "dpo", "reference": "copy"}),
        ({"objective": "sft"}, {"objective": "dpo", "reference": "adapter-off"}),
        ({"optimizer_kernel": "fused", "adapter": "full"}, {"optimizer_kernel": "foreach", "adapter": "full"}),
        ({"keep_outputs": False, "loss": "full"}, {"keep_outputs": True, "loss": "full"}),
    ],
)  # fmt: skip
def test_what_takes_more(less: dict[str, Any], more: dict[str, Any]) -> None:
    common = {"micro_batch": 4, "seq_len": 2048}
    little, much = (peak_of(setup(**{**common, **each}), card()).reserved for each in (less, more))
    assert little < much


def test_generation_takes_a_cache() -> None:
    found = memory(setup(objective="grpo", micro_batch=8, seq_len=2048, completion_len=1024, generations=8), card())
    # 8 rows x 2048 tokens x 2 x 8 heads x 128 x 2 bytes x 32 layers = 2 GiB
    assert found.allocated.likely > weights_gib(setup()) + 2


def test_a_reward_model_has_no_head() -> None:
    assert weights_gib(setup(objective="reward")) == pytest.approx((8_030_261_248 - 128256 * 4096) * 2 / GIB)


def test_accumulation_under_fsdp_keeps_whole_gradients() -> None:
    one, four = (
        peak_of(setup(adapter="full", sharding="fsdp", devices=8, grad_accum=each), card()).parts["gradients"]
        for each in (1, 4)
    )
    assert four - one > 0.8 * 8_030_261_248 * 2


def test_offload_goes_to_the_host() -> None:
    away = memory(setup(adapter="full", offload="optimizer"), card())
    assert away.host.likely > memory(setup(adapter="full"), card()).host.likely + 50


def test_a_process_on_a_cpu() -> None:
    found = memory(Setup(architecture=model("builtin:tiny"), weights="fp32", compute="fp32", seq_len=64), cpu(16, 2))
    assert 0.55 < found.device.likely < 1.0
    assert found.host == found.device


def test_a_described_model_weighs_what_was_said() -> None:
    from ftc.spec.model import Model

    found, _ = find_model("acme/secret", Path(), Model(parameters=8.0e9))
    assert found is not None
    assert weights_gib(Setup(architecture=found)) == pytest.approx(16e9 / GIB, rel=1e-3)


@pytest.mark.skipif(not POINTS.is_file(), reason="the published measurements are not here")
class TestPublished:
    @pytest.fixture(scope="class")
    def points(self) -> list[Any]:
        import sys

        sys.path.insert(0, str(Path(__file__).parents[1]))
        try:
            from benchmarks.estimates.points import read
        finally:
            sys.path.pop(0)
        return [each for each in read(POINTS)[0] if each.peak_gib and not each.saturated]

    @staticmethod
    def errors(points: list[Any]) -> list[float]:
        out = []
        for each in points:
            estimate = getattr(memory(each.setup, each.device), each.kind)
            out.append(estimate.likely / each.peak_gib - 1)
        return out

    def test_the_plain_stack(self, points: list[Any]) -> None:
        wanted = [each for each in points if each.group == "plain" and each.complete]
        assert len(wanted) >= 80
        sizes = sorted(abs(each) for each in self.errors(wanted))
        assert sizes[len(sizes) // 2] < 0.03
        assert sizes[int(len(sizes) * 0.9)] < 0.08

    def test_full_fine_tunes_under_fsdp(self, points: list[Any]) -> None:
        wanted = [each for each in points if each.source.startswith("ibm") and each.group == "sharded"]
        assert len(wanted) >= 40
        found = self.errors(wanted)
        assert sorted(abs(each) for each in found)[len(found) // 2] < 0.12
        assert sum(each < 0 for each in found) / len(found) <= 0.05

    def test_none_fits_that_did_not(self, points: list[Any]) -> None:
        wanted = [each for each in points if each.group == "plain"]
        assert [
            each.id for each in wanted
            if each.peak_gib > each.device.memory_gib and memory(each.setup, each.device).fits(each.device.memory_gib)
        ] == []  # fmt: skip


class TestSharded:
    """A share of the base on each card, whatever it is stored in."""

    @pytest.mark.parametrize("sharding", ["fsdp", "zero3"])
    def test_a_four_bit_base_is_divided(self, sharding: Any) -> None:
        one = setup(adapter="qlora", kbit_upcast=False)
        several = replace(one, sharding=sharding, devices=8)
        scales = (weights_gib(one) - 8.03e9 / 2 / GIB) * 0.5  # whole on each card: no parameters
        assert weights_gib(one) / 8 < weights_gib(several) < weights_gib(one) / 8 + scales
        assert peak_of(several, card()).allocated < peak_of(one, card()).allocated

    def test_ddp_divides_nothing(self) -> None:
        one = setup(adapter="qlora")
        assert weights_gib(replace(one, sharding="ddp", devices=8)) == weights_gib(one)

    def test_a_sharded_base_is_not_widened(self) -> None:
        several = setup(adapter="qlora", sharding="fsdp", devices=4)
        assert weights_gib(replace(several, kbit_upcast=True)) == weights_gib(replace(several, kbit_upcast=False))

    def test_offloaded_weights_leave_layers_and_scales(self) -> None:
        base = setup(adapter="qlora", architecture=model("meta-llama/Llama-3.1-70B"), sharding="fsdp", devices=2)
        stays, leaves = memory(base, card()), memory(replace(base, offload="all"), card())
        assert 0 < leaves.breakdown["weights"] < 0.1 * stays.breakdown["weights"]
        assert leaves.device.likely < 0.5 * stays.device.likely
        assert leaves.host.likely > stays.host.likely


class TestAccumulation:
    """Gradients of earlier micro-batches stay until the optimiser's step."""

    def test_full_on_one_card(self) -> None:
        big = setup(adapter="full", optimizer_dtype="bf16", loss="full", seq_len=4096, micro_batch=4)
        apart = peak_of(replace(big, grad_accum=2), card()).allocated - peak_of(big, card()).allocated
        assert 0.5 * 16.06e9 < apart < 1.1 * 16.06e9  # the peak is in the loss, where without accumulation none stand
        assert peak_of(replace(big, grad_accum=8), card()) == peak_of(replace(big, grad_accum=2), card())

    @pytest.mark.parametrize(
        ("changes", "more"),
        [
            ({"adapters": "bf16"}, True),  # one flat parameter a layer: frozen weights get gradients as well
            ({"adapters": "fp32"}, False),  # flat parameters are of one dtype
            ({"adapters": "bf16", "grad_accum": 1}, False),
            ({"adapters": "bf16", "adapter": "qlora"}, False),
        ],
    )
    def test_flat_parameters(self, changes: dict[str, Any], more: bool) -> None:
        sharded = setup(**{"sharding": "fsdp", "devices": 4, "grad_accum": 4, **changes})
        assert (memory(sharded, card()).breakdown["gradients"] > 8.03e9 * 2 / GIB) is more


def test_dropout_keeps_a_copy_and_a_mask() -> None:
    plain = setup(checkpointing="none", adapters="bf16", autocast=False)
    apart = peak_of(replace(plain, lora_dropout=0.05), card()).allocated - peak_of(plain, card()).allocated
    inputs = 32 * 1024 * (6 * 4096 + 14336)  # elements that go into the seven matrices of a layer
    assert 0.6 * 3 * inputs < apart < 1.1 * 3 * inputs  # two bytes of copy, one of mask; o and down keep theirs anyway


def test_kept_inputs_of_four_bit_products() -> None:
    plain = setup(adapter="qlora", checkpointing="none", lora_targets="q_proj,v_proj", kbit_upcast=False)
    assert peak_of(replace(plain, keeps_inputs=True), card()).allocated > peak_of(plain, card()).allocated
    checkpointed = replace(plain, checkpointing="full")
    apart = (
        peak_of(replace(checkpointed, keeps_inputs=True), card()).allocated / peak_of(checkpointed, card()).allocated
    )
    assert apart == pytest.approx(1, abs=0.02)


def test_a_tape_takes_many_at_once() -> None:
    one, many = Tape(), Tape()
    blocks = [one.new(size) for size in (2 * MIB, 3 * MIB)]
    made = many.many(rounded([2 * MIB, 1000, 3 * MIB]))  # the small one is not worth playing
    assert (one.events, one.sizes, one.live, one.peak_at) == (many.events, many.sizes, many.live, many.peak_at)
    many.drop(*made)
    assert list(made) == blocks
    assert many.live == 0


def test_models_of_one_name_and_size_are_told_apart() -> None:
    first = model()
    other = replace(first, hidden_size=8192)
    assert first != other
    assert len({first, other, replace(first)}) == 2


def test_states_of_embeddings_stay_in_fp32_under_an_8_bit_optimiser() -> None:
    bits = memory(setup(adapter="full", optimizer="adamw-8bit"), card()).breakdown["optimizer"]
    embedding = 128_256 * 4096
    assert bits == pytest.approx(((8_030_261_248 - embedding) * 2 * (1 + 4 / 256) + embedding * 8) / GIB, rel=0.001)
    assert memory(setup(optimizer="adamw-8bit"), card()).breakdown["optimizer"] < 0.1  # adapters have no embedding


def test_fused_experts_are_not_widened() -> None:
    experts = setup(adapter="qlora", architecture=model("mistralai/Mixtral-8x7B-Instruct-v0.1"))
    assert weights_gib(experts) < 45.1e9 * 2 / GIB + 2


def test_adafactor_works_in_fp32_on_one_parameter_at_a_time() -> None:
    found = memory(setup(adapter="full", optimizer="adafactor"), card()).breakdown
    assert found["optimizer"] == pytest.approx(4 * 4 * 128_256 * 4096 / GIB, rel=0.02)


def test_master_copies_take_widened_gradients() -> None:
    plain, copies = (memory(setup(adapter="full", master_weights=each), card()) for each in (False, True))
    assert copies.allocated.likely - plain.allocated.likely == pytest.approx(8 * 8_030_261_248 / GIB, rel=0.05)
