"""What changes on one device when the step is spread over several: an accounting on top of the single-device record.

- ddp: flat buckets as large as the gradients beside them (torch DistributedDataParallel, gradient_as_bucket_view off).
- fsdp: PyTorch's fully_shard, each decoder layer a group, the rest one more that stays whole from forward to
  backward. A group is gathered into a flat buffer and copied out before use; the backward pass gathers the next group
  ahead. Gradients of a group go whole into the reduce-scatter and leave as a share.
- zero2: weights whole, gradients and optimiser in shares, fp32 master weights; gradients leave through buckets.
- zero3: as fsdp with DeepSpeed's fp32 master weights.

Uneven shares are rounded up. Communication libraries' own buffers are outside the allocator and not counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ftc.runtime.trace.model import DTYPES
from ftc.runtime.trace.optimizer import Trainable
from ftc.runtime.trace.request import Request
from ftc.runtime.trace.unroll import Block, Stretch

BYTES = {"bf16": 2, "fp16": 2, "fp32": 4}
KEPT = ("weights", "adapters", "reference")


@dataclass(frozen=True, slots=True)
class Group:
    """What is gathered together: `whole` is its parameters as they are used, in bytes."""

    whole: int


def shards_parameters(request: Request) -> bool:
    """True where a device holds only its share of the weights."""
    return request.sharding in ("fsdp", "zero3") and request.world > 1


def shards_optimizer(request: Request) -> bool:
    """True where a device holds only its share of the optimiser's state."""
    return request.sharding in ("fsdp", "zero2", "zero3") and request.world > 1


def as_used(request: Request) -> Request:
    """What is traced: gathered parameters arrive in the compute dtype, autocast has nothing left to copy.

    A sharded 4-bit base is never prepared for k-bit training: flat parameters are of one dtype.
    """
    if not shards_parameters(request):
        return request
    if request.adapter == "qlora":
        return replace(request, kbit_upcast=False)
    return replace(request, weights=request.compute)


def share(request: Request, parameters: list[Trainable]) -> list[Trainable]:
    """What this device's optimiser sees."""
    if not shards_optimizer(request):
        return parameters
    stored = DTYPES[request.weights] if request.adapter == "full" else None
    return [replace(p, shape=(math.ceil(p.count / request.world),), dtype=stored or p.dtype) for p in parameters]


def spread(
    request: Request, setup: list[Stretch], passes: list[Stretch], parameters: list[Trainable]
) -> tuple[list[Stretch], list[Stretch]]:
    """Set-up and passes as one of several devices sees them."""
    if request.world == 1 or request.sharding == "none":
        return setup, passes
    if request.sharding == "ddp":
        buckets = [Block(_gradient_bytes(p), "gradients", p.layer) for p in parameters]
        return [*setup, Stretch("setup", -1, [(1, b) for b in buckets])], passes
    groups = _groups(request, setup)
    spreader = _Spreader(request, groups)
    if shards_parameters(request):
        setup = [_shared(s, request) for s in setup]
        passes = _gathered(spreader, passes)
    if request.sharding == "fsdp" and request.grad_accum > 1:
        # accelerate's no_sync: whole gradients, in the compute dtype, until the last micro-batch is through
        used = BYTES[request.compute]
        whole = [Block(p.count * min(used, int(p.dtype.itemsize)), "gradients", p.layer) for p in parameters]
        setup = [*setup, Stretch("setup", -1, [(1, block) for block in whole])]
    return setup, [spreader.scatter(s) for s in passes]


def _gradient_bytes(parameter: Trainable) -> int:
    return parameter.count * int(parameter.dtype.itemsize)


def _groups(request: Request, setup: list[Stretch]) -> dict[int, Group]:
    whole: dict[int, int] = {}
    for stretch in setup:
        for sign, block in stretch.events:
            if sign > 0 and block.category in KEPT:
                whole[stretch.layer] = whole.get(stretch.layer, 0) + block.size
    return {layer: Group(whole=size) for layer, size in whole.items()}


def _widening(request: Request) -> int:
    """How much larger a parameter is where it is kept than where it is used."""
    return max(1, BYTES[request.weights] // BYTES[request.compute]) if request.adapter != "qlora" else 1


def _shared(stretch: Stretch, request: Request) -> Stretch:
    for _sign, block in stretch.events:
        if block.category in KEPT:
            widening = 1 if block.category == "adapters" else _widening(request)
            block.size = 0 if request.offload == "all" else math.ceil(block.size * widening / request.world)
    return _with(stretch, [(sign, b) for sign, b in stretch.events if b.size])


def _with(stretch: Stretch, events: list[tuple[int, Block]]) -> Stretch:
    """The same stretch with other events."""
    return Stretch(stretch.phase, stretch.layer, events)


def _gathered(spreader: _Spreader, passes: list[Stretch]) -> list[Stretch]:
    """Each stretch over a decoder layer between the gathering and the letting go of that layer's parameters."""
    outside = Block(spreader.groups.get(-1, Group(whole=0)).whole, "weights", -1)
    found = []
    for number, stretch in enumerate(passes):
        events = stretch.events
        if stretch.layer >= 0:
            ahead = stretch.layer - 1 if stretch.phase.startswith("backward") else None
            events = spreader.around(stretch.layer, ahead, events)
        if number == 0 and outside.size:
            events = [(1, outside), *events]
        if number == len(passes) - 1 and outside.size:
            events = [*events, (-1, outside)]
        found.append(_with(stretch, events))
    return found


class _Spreader:
    """Writes gathers and scatters into the record."""

    def __init__(self, request: Request, groups: dict[int, Group]) -> None:
        self.request, self.groups = request, groups

    def around(self, layer: int, ahead: int | None, events: list[tuple[int, Block]]) -> list[tuple[int, Block]]:
        """A flat buffer is filled, copied out into parameters, and freed; after the layer the parameters go."""
        size = self.groups[layer].whole
        flat, whole = Block(size, "overhead", layer), Block(size, "weights", layer)
        start = [(1, flat), (1, whole), (-1, flat)]
        end = [(-1, whole)]
        if ahead is not None and ahead >= 0:
            early = Block(self.groups[ahead].whole, "overhead", ahead)
            return [*start, (1, early), *events, *end, (-1, early)]
        return [*start, *events, *end]

    def scatter(self, stretch: Stretch) -> Stretch:
        """After a layer's backward its gradients are copied into one buffer and reduced; only a share stays."""
        if not stretch.phase.startswith("backward"):
            return stretch
        freed = {id(b) for sign, b in stretch.events if sign < 0}
        gradients = [b for sign, b in stretch.events if sign > 0 and b.category == "gradients" and id(b) not in freed]
        if not gradients:
            return stretch
        total = sum(b.size for b in gradients)
        buffer = Block(total, "gradients", stretch.layer)
        widening = _widening(self.request) if self.request.adapter == "full" else 1
        mine = Block(math.ceil(total * widening / self.request.world), "gradients", stretch.layer)
        end = [(1, buffer), *((-1, b) for b in gradients), (1, mine), (-1, buffer), (0, mine)]
        return _with(stretch, [e for e in stretch.events if e[0] != 0] + end)
