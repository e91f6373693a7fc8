"""Puts the recorded step together: set-up, two training steps, and what is live at the peak.

The first step makes the optimiser's state, the second is the steady one whose peak is reported. The same sequence
goes through the model of the caching allocator for the reserved figure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ftc.runtime.trace.allocator import ROUND, CachingAllocator
from ftc.runtime.trace.unroll import Block, Stretch

GIB = 2**30
COMPONENTS = ("weights", "adapters", "gradients", "optimizer", "activations", "logits", "reference", "overhead")


@dataclass(slots=True)
class Phase:
    """One stretch of time of the steady step, for the timeline."""

    name: str
    peak: int = 0
    end: int = 0
    at_peak: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Step:
    """A training step in parts; blocks of a part that repeats are fresh each time."""

    setup: list[Stretch]
    passes: list[Stretch]
    held: list[Block]  # given back after the optimiser's step
    gradients: list[Block]  # given back by zero_grad
    optimizer_first: list[Stretch]
    optimizer_later: list[Stretch]
    workspace: int  # bytes of cuBLAS workspace, for the forward and the backward thread


def rounded(size: int) -> int:
    """As the allocator counts it."""
    return max(ROUND, (size + ROUND - 1) // ROUND * ROUND)


class Replay:
    """Walks through the step, adding up what is live by component, and feeding the allocator."""

    def __init__(self, allocator: CachingAllocator | None) -> None:
        self.live = dict.fromkeys(COMPONENTS, 0)
        self.total = 0
        self.allocator = allocator
        self.phases: list[Phase] = []

    def begin(self, name: str) -> None:
        if not self.phases or self.phases[-1].name != name:
            self.phases.append(Phase(name, self.total, self.total, dict(self.live)))

    def play(self, events: Iterable[tuple[int, Block]], instance: int) -> None:
        phase = self.phases[-1]
        for sign, block in events:
            size = sign * rounded(block.size)
            self.live[block.category] += size
            self.total += size
            if self.allocator is not None:
                if sign > 0:
                    self.allocator.allocate((id(block), instance), block.size)
                else:
                    self.allocator.free((id(block), instance))
            if self.total > phase.peak:
                phase.peak, phase.at_peak = self.total, dict(self.live)
        phase.end = self.total


def replay(step: Step, allocator: CachingAllocator | None) -> list[Phase]:
    """Set-up and two steps; the phases of the second."""
    run = Replay(allocator)
    run.begin("setup")
    for stretch in step.setup:
        run.play(stretch.events, 0)
    workspaces = {"forward": Block(step.workspace, "overhead", -1), "backward": Block(step.workspace, "overhead", -1)}
    for number in (1, 2):
        if number == 2:
            run.phases = []
        for stretch in step.passes:
            run.begin(_phase_name(stretch))
            workspace = workspaces.pop("backward" if stretch.phase.startswith("backward") else "forward", None)
            if workspace is not None and step.workspace:
                run.play([(1, workspace)], 0)
            run.play(stretch.events, number)
        run.begin("optimizer")
        optimizer = step.optimizer_first if number == 1 else step.optimizer_later
        for stretch in optimizer:
            run.play(stretch.events, 0 if number == 1 else number)
        run.play([(-1, b) for b in step.held], number)
        run.play([(-1, b) for b in step.gradients], number)
    return run.phases


def _phase_name(stretch: Stretch) -> str:
    name = stretch.phase
    if name in ("loss", "loss-2", "end"):
        return "head" if name != "end" else "backward"
    if stretch.layer == -2:
        return "head" if not name.startswith("backward") else "head backward"
    return name
