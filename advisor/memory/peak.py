"""The peak of one training step, by playing it: bytes allocated and reserved, and what they are for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType

from ftc.advisor.memory.flow import Flow, flow_of, shards_weights
from ftc.advisor.memory.loading import adapter_tensors, loaded, tensors
from ftc.advisor.memory.static import keeps_master, shards, standing, state_bytes, trained_width
from ftc.advisor.memory.step import Course, play
from ftc.advisor.parameters import layout
from ftc.advisor.values import Device, Setup

# What a sharded run reserves beyond the played step, as a share of what stands in it: blocks that several streams use
# are given back late. 0.09 to 0.19 in 34 full fine-tunes under FSDP1 of LLMFineTuningBench (IBM; 2 and 4 GPUs); the
# upper end, because running out of memory costs more than a smaller batch. Frozen weights come and go with less churn.
_HELD_BACK, _HELD_BACK_FROZEN = 0.19, 0.15
_WORKSPACES = 2  # first events of a tape: cuBLAS keeps its workspaces from the first step on
_SMALL = 2**20  # bytes: up to here the allocator serves from small segments


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """Bytes on one device; `parts` sum up to `allocated`."""

    allocated: float
    reserved: float
    parts: Mapping[str, float]


def peak_of(setup: Setup, device: Device) -> Peak:
    """The peak on that device. Remembered, as a search asks for the same setup many times."""
    return _peak(setup, device.kind, device.compute_capability)


@lru_cache(maxsize=8192)
def _peak(setup: Setup, kind: str, capability: float | None) -> Peak:
    flow = flow_of(setup, kind, capability)
    tape = play(flow, course_of(setup, flow, capability))
    parts = dict(standing(setup))
    parts["optimizer"] += parts.pop("master")
    for name, size in tape.at_peak().items():
        parts[name] = parts.get(name, 0.0) + size
    start = loaded(_at_rest(setup)).copy()
    start.replay(tape.events, tape.sizes)
    reserved = float(start.replay(tape.events[_WORKSPACES:], tape.sizes))  # the second step meets the first's segments
    if shards_weights(setup):
        share = _HELD_BACK if flow.full else _HELD_BACK_FROZEN
        reserved += share * sum(standing(setup).values())
    return Peak(allocated=sum(parts.values()), reserved=reserved, parts=MappingProxyType(parts))


def _at_rest(setup: Setup) -> Setup:
    """The setup without what changes nothing before the first step, so that setups of one model share its loading."""
    return replace(
        setup, seq_len=1, micro_batch=1, grad_accum=min(setup.grad_accum, 2), checkpointing="full", attention="sdpa",
        loss="full", packing=False, lora_dropout=0.0, keeps_inputs=False, keep_outputs=False, autocast=None,
        generations=0, completion_len=0,
    )  # fmt: skip


def course_of(setup: Setup, flow: Flow, capability: float | None) -> Course:
    """What the step goes through, for that setup."""
    model = setup.architecture
    own = trained_width(setup)
    generates = setup.objective in ("grpo", "rloo")
    gathers = shards_weights(setup) or setup.offload == "all"
    parts = layout(model)
    ends = (parts.embedding + parts.head) * flow.stored
    layers = float((parts.total - parts.embedding - parts.head) * flow.stored)
    if flow.four_bit:  # gathered as they are packed, and dequantised one matrix at a time
        layers -= (parts.linear - parts.linear_bias) * (flow.stored - 0.5)
    passing: tuple[float, ...] = ()
    if setup.optimizer_kernel == "foreach" and setup.optimizer == "adamw":  # the square roots of all second moments
        one = state_bytes(setup) / 2 / shards(setup)[2]
        passing = _packed([each * one for each in _trained_tensors(setup)])
    elif keeps_master(setup):  # the 16-bit gradients, widened for the fp32 copies
        passing = _packed([each * 4 / shards(setup)[2] for each in _trained_tensors(setup)])
    elif setup.optimizer == "adafactor":  # one parameter at a time, in fp32: gradient, parameter, update, its negative
        largest = max(_trained_tensors(setup)) * 4 / shards(setup)[2]
        passing = (largest,) * (4 if own < 4 else 2)
    return Course(
        objective=setup.objective,
        reference=setup.reference in ("adapter-off", "copy") and setup.objective != "sft",
        scored=0 if setup.objective == "reward" else setup.completion_len or setup.seq_len,
        generated=(setup.micro_batch * setup.grad_accum, setup.seq_len) if generates else (0, 0),
        leaves=_leaves(setup, own),
        gathered=layers / model.layers if gathers else 0.0,
        gathered_ends=ends if gathers else 0.0,
        optimizer_passing=passing,
        cublas=32 * 2**20 if capability is not None and capability >= 9.0 else 8519680,
    )


def _trained_tensors(setup: Setup) -> list[int]:
    """Elements of each trained parameter."""
    return adapter_tensors(setup) if setup.adapter in ("lora", "qlora") else tensors(setup)


def _leaves(setup: Setup, width: int) -> tuple[float, ...]:
    """Gradients that one layer leaves behind."""
    model = setup.architecture
    if setup.adapter in ("lora", "qlora"):
        own = adapter_tensors(setup)
        return _packed([each * width for each in own[: len(own) // model.layers]])
    whole = tensors(setup)
    a_layer = (len(whole) - 1) // model.layers
    return tuple(float(each * width) for each in whole[1 : 1 + a_layer])


def _packed(sizes: list[float]) -> tuple[float, ...]:
    """Fewer blocks that take the same room: small ones share 1 MiB blocks, as they share the allocator's segments."""
    small = sum(size for size in sizes if size <= _SMALL)
    return (*[size for size in sizes if size > _SMALL], *[float(_SMALL)] * int(small // _SMALL), small % _SMALL)
