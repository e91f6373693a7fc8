"""From a request to an answer: build, run on fake tensors, unroll, add the optimiser, replay."""

from __future__ import annotations

import contextlib
import gc
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from ftc.runtime.trace import answer, loading, optimizer, sharding, step, twins, unroll
from ftc.runtime.trace.allocator import CachingAllocator
from ftc.runtime.trace.model import (
    Built,
    assemble,
    depth_of,
    layer_kinds,
    load_config,
    trainable,
    with_layers,
)
from ftc.runtime.trace.request import Request
from ftc.runtime.trace.tracker import WORKSPACE, Segment, Tracker

MIB = 2**20


def trace(request: Request) -> dict[str, Any]:
    """Peak memory of one training step, by component and phase. GiB."""
    started = time.perf_counter()
    config = load_config(request.model)
    notes: list[str] = []
    used = sharding.as_used(request)
    plan, stretches = None, None
    if request.depth == "unrolled":
        try:
            kinds = layer_kinds(config)
            plan = unroll.sketch(kinds)
            segments, built = record(used, with_layers(config, plan.kept))
            stretches = unroll.unroll(segments, plan, kinds)
        except unroll.NotUniformError as error:
            notes.append(f"traced at full depth: {error}")
            plan = None
    if stretches is None:
        segments, built = record(used, config)
        stretches = unroll.as_traced(segments)
    parameters = _trainables(built, plan)
    warmup = loading.warmup_bytes(used, built, _copies(plan))
    whole = _compose(request, stretches, parameters, warmup)
    allocator = CachingAllocator()
    phases = answer.replay(whole, allocator)
    peak = max(phases, key=lambda p: p.peak)
    return {
        "allocated_gib": peak.peak / answer.GIB,
        "reserved_gib": allocator.peak_reserved / answer.GIB,
        "breakdown_gib": {name: peak.at_peak[name] / answer.GIB for name in answer.COMPONENTS},
        "peak_phase": peak.name,
        "timeline": [
            {
                "phase": p.name,
                "peak_gib": p.peak / answer.GIB,
                "end_gib": p.end / answer.GIB,
                "breakdown_gib": {k: v / answer.GIB for k, v in p.at_peak.items() if v},
            }
            for p in phases
        ],
        "layers": depth_of(config),
        "layers_traced": depth_of(config) if plan is None else len(plan.kept),
        "notes": [*notes, *built.notes],
        "seconds": time.perf_counter() - started,
    }


def record(request: Request, config: Any) -> tuple[list[Segment], Built]:
    """Forward and backward of one micro-batch of the model that `config` describes."""
    step.register_flash()
    head = twins.triton_head() if request.loss == "chunked" else None
    tracker = Tracker()
    twins.register_scratch(tracker)
    tracker.category = step.categorise
    tracker.workspace(_workspace(request))
    with warnings.catch_warnings(), _no_cycles():
        warnings.simplefilter("ignore")
        widened = twins.widen_like_cuda() if request.uses_autocast else None
        built = assemble(request, config)
        with FakeTensorMode(allow_non_fake_inputs=True):
            loading.load(request, built, tracker)
            step.watch_gradients(built, tracker)
            micro = step.Micro(request, built, tracker, head)
            installed = twins.installed(
                request.sdpa_kernel, request.sdpa_expands_groups, request.compute_capability, request.packing
            )
            with installed, tracker:
                if request.objective in ("grpo", "rloo"):
                    micro.generate()
                held = micro.run()
            tracker.cut(("held", -1))
            del held
            tracker.cut(("stop", -1))
    segments = tracker.segments[:-1]
    if widened is not None:
        widened._destroy()
    return segments, built


@contextlib.contextmanager
def _no_cycles() -> Iterator[None]:
    """The collector would free at moments of its own; what the step holds is freed by reference counts."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _trainables(built: Built, plan: unroll.Sketch | None) -> list[optimizer.Trainable]:
    """What the optimiser moves, in the model's order, at full depth."""
    inside = {id(p): i for i, layer in enumerate(built.layers) for p in layer.parameters()}
    embeddings = {id(m.weight) for m in built.model.modules() if isinstance(m, torch.nn.Embedding)}
    found = [
        optimizer.Trainable(tuple(p.shape), p.dtype, inside.get(id(p), -1), id(p) in embeddings)
        for p in trainable(built.model)
    ]
    if plan is None:
        return found
    by_layer: dict[int, list[optimizer.Trainable]] = {}
    for parameter in found:
        by_layer.setdefault(parameter.layer, []).append(parameter)
    layers = [replace(p, layer=j) for j, position in enumerate(plan.like) for p in by_layer.get(position, [])]
    first = next((i for i, p in enumerate(found) if p.layer >= 0), len(found))
    return found[:first] + layers + [p for p in found[first:] if p.layer < 0]


def _copies(plan: unroll.Sketch | None) -> dict[int, int]:
    return {} if plan is None else dict(Counter(plan.like))


def _compose(
    request: Request, stretches: list[unroll.Stretch], parameters: list[optimizer.Trainable], warmup: int
) -> answer.Step:
    parts: dict[str, list[unroll.Stretch]] = {"setup": [], "before": [], "passes": [], "held": []}
    for stretch in stretches:
        parts[_part(stretch.phase)].append(stretch)
    setup, passes = sharding.spread(request, parts["setup"], parts["passes"], parameters)
    held = [block for s in parts["held"] for _sign, block in s.events]
    freed = {id(b) for s in passes for sign, b in s.events if sign < 0} | {id(b) for b in held}
    left = [b for s in passes for sign, b in s.events if sign > 0 and id(b) not in freed and b.category != WORKSPACE]
    with FakeTensorMode(allow_non_fake_inputs=True):
        first, later = optimizer.steps(request, sharding.share(request, parameters))
    optimizing = unroll.as_traced(first + later)
    return answer.Step(
        setup=setup,
        warmup=warmup,
        before=parts["before"],
        passes=passes,
        held=held,
        gradients=left,
        optimizer_first=optimizing[: len(first)],
        optimizer_later=optimizing[len(first) :],
        accumulation=request.grad_accum,
    )


def _part(phase: str) -> str:
    if phase.startswith(("setup", "batch")):
        return "setup"
    if phase.startswith("generat"):
        return "before"
    return "held" if phase == "held" else "passes"


def _workspace(request: Request) -> int:
    """cuBLAS's workspace, one for each thread that multiplies (aten/src/ATen/cuda/CublasHandlePool.cpp). Bytes."""
    if request.cublas_workspace_mib is not None:
        return int(request.cublas_workspace_mib * MIB)
    return 4096 * 8 * 1024 if request.compute_capability >= 9.0 else 4096 * 2 * 1024 + 16 * 8 * 1024
