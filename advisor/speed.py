"""Seconds of one optimiser step: matrix products, memory traffic, calls, collectives, and the optimiser's own pass.

Products run at the share of the dense rate that cards of a generation reach; everything else that a layer does is
bytes written (`memory/work.py` counts them) at the card's bandwidth; a step never runs faster than its operations can
be called. Nothing is fitted to a model or a card: shares are per generation, measured by others as noted. Knows no
rows, epochs or prices.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from ftc.advisor.collectives import collectives
from ftc.advisor.memory import state_bytes, trained
from ftc.advisor.memory.flow import PAIRED
from ftc.advisor.memory.static import trained_width, weights
from ftc.advisor.memory.work import work_of
from ftc.advisor.parameters import layout, lora_parameters
from ftc.advisor.values import Device, Setup

Bound = Literal["compute", "memory", "communication"]

# Share of the dense tensor-core rate that large products of a training step reach, by CUDA compute capability. 7.5 from
# fitcheck-llm's runs on a T4, which is held down by its 70 W; 8.0 and 9.0 from MosaicML's llm-foundry table (A100,
# H100); the others lie between by the same reasoning (rate against power and bandwidth).
_REACHED = {6.0: 0.6, 7.0: 0.5, 7.5: 0.30, 8.0: 0.73, 8.6: 0.7, 8.9: 0.65, 9.0: 0.55, 10.0: 0.5, 10.3: 0.5, 12.0: 0.65}
_REACHED_ELSEWHERE = 0.45  # ROCm, Metal
_REACHED_FP32 = 0.7  # of the rate outside tensor cores
_BANDWIDTH = 0.85  # share of the memory bandwidth that streaming kernels reach
_READS = 2.75  # bytes moved for each byte written: an operation reads one or two operands
_CALL_S = 25e-6  # one operation through PyTorch, autograd and the trainer's hooks
_NOT_HIDDEN = 0.4  # share of the shorter of arithmetic and gathering that does not overlap
_SLOW_16_BIT = 5.0  # bf16 and fp16 arithmetic on a CPU without AMX, against fp32; measured with torch 2.13
_CPU_HALF_WIDTH = 110.0  # hidden size at which a CPU's products reach half of their best rate; measured likewise
_CPU_CALL_S = 40e-6  # one operation on a CPU, waiting for its threads included
_CPU_STEP_S = 0.02  # what the trainer does between two steps: batches, schedules, logging
_CPU_THREADS = 0.8  # share of a second core's speed that a second thread brings


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Seconds of one optimiser step on every device at once, by what they go to."""

    compute: float  # matrix products
    memory: float  # everything that streams through memory, the optimiser's pass included
    calls: float  # what calling the operations takes at least
    communication: float
    total: float

    @property
    def bound(self) -> Bound:
        """What the step mostly waits for."""
        if self.communication > self.compute + self.memory:
            return "communication"
        return "compute" if self.compute >= self.memory else "memory"


def step_seconds(setup: Setup, device: Device, length: float) -> Step:
    """One optimiser step of micro-batches whose rows are `length` tokens long after padding."""
    measured = replace(setup, seq_len=max(16, -(-int(length) // 16) * 16))
    shrink = length / measured.seq_len
    work = work_of(measured, device)
    rows = setup.micro_batch * (2 if setup.objective in PAIRED else 1)
    passes = extra_passes(setup)
    compute = rows * length * _seconds_a_token(setup, device, length)
    written = (work.step_written + passes * work.forward_written) * shrink
    calls = (work.step_calls + passes * work.forward_calls) * _CALL_S
    if device.kind == "cpu":
        calls *= _CPU_CALL_S / _CALL_S
        total = setup.grad_accum * (compute + calls) + _update(setup, device) + _CPU_STEP_S
        return Step(compute=setup.grad_accum * compute, memory=0.0, calls=calls, communication=0.0, total=total)
    streamed = _READS * written / (device.bandwidth_gb_s * 1e9 * _BANDWIDTH)
    gather, reduce = collectives(setup, device)
    busy = max(compute + streamed, calls)
    micro = max(busy, gather) + _NOT_HIDDEN * min(busy, gather)
    update = _update(setup, device)
    return Step(
        compute=setup.grad_accum * compute,
        memory=setup.grad_accum * streamed + update,
        calls=setup.grad_accum * calls,
        communication=setup.grad_accum * gather + reduce,
        total=setup.grad_accum * micro + reduce + update,
    )


def forward_seconds(setup: Setup, device: Device, tokens: float, length: float) -> float:
    """A forward pass alone over so many tokens, in rows of `length`."""
    work = work_of(replace(setup, seq_len=max(16, -(-int(length) // 16) * 16), micro_batch=1), device)
    flops = tokens * (_linear(setup) + _attention(setup, length) + _head(setup))
    streamed = (
        0.0 if device.kind == "cpu" else _READS * work.forward_written / (device.bandwidth_gb_s * 1e9 * _BANDWIDTH)
    )
    rows = tokens / max(1.0, length)
    return flops / _rate(setup, device) + max(rows * streamed, rows / 8 * work.forward_calls * _CALL_S)


def token_seconds(setup: Setup, device: Device, rows: int) -> float:
    """One generated token for each of `rows` rows, with transformers' own loop: weights read once, layers called."""
    calls = 30 * setup.architecture.layers * _CALL_S  # operations of a layer with a cache, fused ones counted once
    read = weights(setup) / (device.bandwidth_gb_s * 1e9 * _BANDWIDTH)
    arithmetic = rows * (_linear(setup) + _head(setup)) / _rate(setup, device)
    return max(calls, read + arithmetic) + 0.001


def extra_passes(setup: Setup) -> int:
    """Forward passes beside the step's own: reference scores, and KTO's mismatched answers."""
    with_reference = setup.reference in ("adapter-off", "copy")
    if setup.objective == "kto":
        return 1 + 2 * with_reference
    return int(with_reference and setup.objective in ("dpo", "grpo", "rloo"))


def flops_a_token(setup: Setup, length: float) -> float:
    """FLOPs of forward and backward: 2 a weight forward, as many for the inputs' gradient, as many for the weights'.

    Frozen weights need no gradient of their own; checkpointing computes the layers once more; tiles of the
    vocabulary are projected twice. Attention is causal, and 2.5 times as much backward (FlashAttention, 2205.14135).
    """
    layers = _linear(setup) + _attention(setup, length)
    frozen = setup.adapter in ("lora", "qlora")
    backward = _linear(setup) * (1 if frozen else 2) + 2.5 * _attention(setup, length)
    again = layers if setup.checkpointing == "full" else 0.0
    head = _head(setup) * ((2 if frozen else 3) + (setup.loss == "chunked"))
    references = extra_passes(setup) * (layers + _head(setup))
    return layers + backward + again + head + references + _adapters(setup)


def _seconds_a_token(setup: Setup, device: Device, length: float) -> float:
    """Matrix products of one token; what runs in fp32 beside 16-bit tensor cores is counted at that rate."""
    whole = flops_a_token(setup, length)
    if device.kind == "cpu" or setup.compute == "fp32":
        return whole / _rate(setup, device)
    slow = 0.0
    if setup.autocast is False:
        if setup.adapters == "fp32":
            slow += _adapters(setup)
        if setup.adapter == "qlora" and setup.kbit_upcast:
            slow += _attention(setup, length) * (3.5 + (setup.checkpointing == "full"))
    return (whole - slow) / _rate(setup, device) + slow / _fp32_rate(device)


def _linear(setup: Setup) -> float:
    """Forward FLOPs a token of the layers' matrices, of the experts that it passes through."""
    parts = layout(setup.architecture)
    return 2.0 * (parts.linear + parts.experts_used)


def _attention(setup: Setup, length: float) -> float:
    """Forward FLOPs a token of scores and their product with the values: causal, and within a sliding window."""
    model = setup.architecture
    seen = length if model.sliding_window is None else min(length, 2.0 * model.sliding_window)
    return 2.0 * model.layers * model.heads * model.head_dim * seen


def _head(setup: Setup) -> float:
    """Forward FLOPs a token of the projection to the vocabulary."""
    model = setup.architecture
    return 0.0 if setup.objective == "reward" else 2.0 * model.vocab_size * model.hidden_size


def _adapters(setup: Setup) -> float:
    """FLOPs a token of the adapters, forward and backward."""
    if setup.adapter not in ("lora", "qlora"):
        return 0.0
    return 6.0 * lora_parameters(setup.architecture, setup.lora_rank, setup.lora_targets)


def _rate(setup: Setup, device: Device) -> float:
    """FLOP/s that products reach in the dtype that they run in; a card without bf16 arithmetic takes fp32."""
    if device.kind == "cpu":
        width = setup.architecture.hidden_size
        slow = 1.0 if setup.compute == "fp32" else _SLOW_16_BIT
        return (device.fp32_tflops or 0.05) * 1e12 * _CPU_THREADS * width / (width + _CPU_HALF_WIDTH) / slow
    rates = {"bf16": device.bf16_tflops, "fp16": device.fp16_tflops, "fp32": None}
    dense = rates[setup.compute]
    if dense is None:
        return _fp32_rate(device)
    return dense * 1e12 * _REACHED.get(device.compute_capability or 0.0, _REACHED_ELSEWHERE)


def _fp32_rate(device: Device) -> float:
    """FLOP/s outside the tensor cores."""
    return (device.fp32_tflops or device.fp16_tflops or 1.0) * 1e12 * _REACHED_FP32


def _update(setup: Setup, device: Device) -> float:
    """Seconds of the optimiser's pass: weights read and written, gradients read, states read and written."""
    everyone = setup.devices * setup.nodes if setup.sharding in ("fsdp", "zero2", "zero3") else 1
    moved = trained(setup) * (3 * trained_width(setup) + 2 * state_bytes(setup)) / everyone
    return moved / (device.bandwidth_gb_s * 1e9 * _BANDWIDTH)
