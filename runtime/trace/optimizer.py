"""The optimiser step at full depth: the state it keeps and what it takes for a moment.

PyTorch's and transformers' optimisers run for real on fake tensors of the trainable shapes, twice: the first step
makes the state. bitsandbytes' need a GPU and are written out after bitsandbytes/optim/optimizer.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from ftc.runtime.trace.model import DEVICE, DTYPES
from ftc.runtime.trace.request import Request
from ftc.runtime.trace.tracker import Segment, Tracker

EIGHT_BIT_FROM = 4096  # elements; smaller tensors keep fp32 states (min_8bit_size)
EIGHT_BIT_BLOCK = 256  # elements that share a scale
PAGED_FROM = 100_000  # elements; larger states live in memory that the driver moves (get_state_buffer)


@dataclass(frozen=True, slots=True)
class Trainable:
    """A parameter that is trained: all that an optimiser looks at. `shape` is this device's share."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    layer: int  # -1 outside the decoder layers
    embedding: bool = False

    @property
    def count(self) -> int:
        """Elements."""
        return math.prod(self.shape)


def steps(request: Request, parameters: list[Trainable]) -> tuple[list[Segment], list[Segment]]:
    """What the first optimiser step allocates, and what every later one does."""
    tracker = Tracker()
    tracker.category = lambda _key: "optimizer"
    if request.optimizer in ("adamw-8bit", "paged-adamw-8bit"):
        tracker.cut(("optimizer", -1))
        for size in _eight_bit(parameters, paged=request.optimizer == "paged-adamw-8bit"):
            tracker.note(size, "optimizer")
        return tracker.segments[1:], []
    if request.offload != "none":
        return [], []  # state and step are on the host
    own = torch.float32 if _keeps_masters(request) else DTYPES[request.optimizer_dtype]
    masters = [
        torch.nn.Parameter(torch.empty(p.shape, dtype=_state_dtype(request, p, own), device=DEVICE)) for p in parameters
    ]
    optimizer = _make(request, masters)
    first: list[Segment] = []
    later: list[Segment] = []
    if not _keeps_masters(request):  # they stand for parameters that are there: what writes over them takes nothing
        tracker.cut(("known", -1))
        for parameter in masters:
            tracker.add(parameter)
    for record in (first, later):
        tracker.cut(("optimizer", -1))
        if _keeps_masters(request) and record is first:
            for parameter in masters:
                tracker.add(parameter, "optimizer")
        for master, parameter in zip(masters, parameters, strict=True):
            grad = torch.empty(parameter.shape, dtype=master.dtype, device=DEVICE)
            if _keeps_masters(request) and parameter.dtype != master.dtype:
                tracker.add(grad, "gradients")  # the 16-bit gradient is widened for the master copy
            master.grad = grad
            del grad
        with tracker:
            optimizer.step()
        for master in masters:
            master.grad = None
        record.append(tracker.segments[-1])
    tracker.cut(("end", -1))
    return _without_host_tensors(request, first), _without_host_tensors(request, later)


def _keeps_masters(request: Request) -> bool:
    """fp32 copies beside 16-bit weights: asked for, or because DeepSpeed always keeps them."""
    deepspeed = request.sharding in ("zero2", "zero3") and request.world > 1
    return request.master_weights or (deepspeed and request.compute != "fp32")


def _state_dtype(request: Request, parameter: Trainable, wanted: torch.dtype) -> torch.dtype:
    """AdamW's states may be wider than its parameters; Adafactor widens by itself, SGD has no states."""
    if request.optimizer in ("adafactor", "sgd") and not _keeps_masters(request):
        return parameter.dtype
    return wanted if parameter.dtype != torch.float32 else torch.float32


def _make(request: Request, parameters: list[torch.nn.Parameter]) -> Any:
    if request.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=1e-4, foreach=True)
    if request.optimizer == "adafactor":
        from transformers.optimization import Adafactor

        return Adafactor(parameters, lr=1e-4, scale_parameter=False, relative_step=False)
    fused = request.optimizer_kernel == "fused"
    return torch.optim.AdamW(parameters, lr=1e-4, fused=fused or None, foreach=None if fused else True)


def _without_host_tensors(request: Request, segments: list[Segment]) -> list[Segment]:
    """Without fusing, AdamW keeps its step counters on the host."""
    if request.optimizer != "adamw" or request.optimizer_kernel == "fused":
        return segments
    for segment in segments:
        segment.events = [(sign, a) for sign, a in segment.events if a.size > 8]
    return segments


def _eight_bit(parameters: list[Trainable], *, paged: bool) -> list[int]:
    """bitsandbytes' AdamW8bit under the Hugging Face trainer, which keeps embeddings at 32 bits."""
    sizes = [1024, 1024]  # two code books of 256 fp32 values
    for parameter in parameters:
        count = parameter.count
        if count < EIGHT_BIT_FROM or parameter.embedding:
            states, scales = [4 * count] * 2, []
        else:
            states, scales = [count] * 2, [4 * math.ceil(count / EIGHT_BIT_BLOCK)] * 2
        sizes += scales if paged and count >= PAGED_FROM else states + scales
    return sizes
