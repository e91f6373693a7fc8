"""Puts the recorded step together: set-up, two training steps, and what is live at the peak.

The first step makes the optimiser's state, the second is the steady one whose peak is reported. The same sequence
goes through the model of the caching allocator for the reserved figure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ftc.runtime.trace.allocator import CachingAllocator, rounded
from ftc.runtime.trace.loading import CLEAR
from ftc.runtime.trace.tracker import WORKSPACE
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
    """A training step in parts. Blocks of a part that repeats are fresh each time."""

    setup: list[Stretch]
    warmup: int  # bytes that transformers asks for and gives back before it loads
    before: list[Stretch]  # once a step, before the micro-batches: generation
    passes: list[Stretch]  # one micro-batch
    held: list[Block]  # given back after the optimiser's step
    gradients: list[Block]  # given back by zero_grad
    optimizer_first: list[Stretch]
    optimizer_later: list[Stretch]
    accumulation: int


class Replay:
    """Walks through the step, adding up what is live by component, as the allocator counts it."""

    def __init__(self, allocator: CachingAllocator) -> None:
        self.live = dict.fromkeys(COMPONENTS, 0)
        self.allocator = allocator
        self.phases: list[Phase] = []
        self._gone: set[tuple[int, object]] = set()
        self._kept: set[int] = set()

    def begin(self, name: str) -> None:
        """What follows belongs to this phase."""
        if not self.phases or self.phases[-1].name != name:
            now = self.allocator.allocated
            self.phases.append(Phase(name, now, now, dict(self.live)))

    def play(self, events: Iterable[tuple[int, Block]], instance: object, *, accumulate: bool = False) -> None:
        """One stretch. A block that is too small to split is counted whole: what was not asked for is overhead.

        With `accumulate`, a complete gradient is added to the one that is there and given back.
        """
        phase = self.phases[-1]
        for sign, block in events:
            name = (id(block), instance)
            if block.category == WORKSPACE:
                if name[0] in self._kept:
                    continue
                self._kept.add(name[0])
            if sign == 0:
                if accumulate:
                    self._count(-1, block, name)
                    self._gone.add(name)
                continue
            if name in self._gone:
                self._gone.discard(name)
                continue
            self._count(sign, block, name)
            if self.allocator.allocated > phase.peak:
                phase.peak, phase.at_peak = self.allocator.allocated, dict(self.live)
        phase.end = self.allocator.allocated

    def _count(self, sign: int, block: Block, name: tuple[int, object]) -> None:
        counted = self.allocator.allocate(name, block.size) if sign > 0 else self.allocator.free(name)
        asked = rounded(block.size)
        self.live["overhead" if block.category == WORKSPACE else block.category] += sign * asked
        self.live["overhead"] += sign * (counted - asked)


def replay(step: Step, allocator: CachingAllocator) -> list[Phase]:
    """Set-up and two steps; the phases of the second."""
    run = Replay(allocator)
    run.begin("setup")
    if step.warmup:
        allocator.allocate("warmup", step.warmup)
        allocator.free("warmup")
    for stretch in step.setup:
        if stretch.phase == CLEAR:
            allocator.empty_cache()
        run.play(stretch.events, 0)
    for number in (1, 2):
        if number == 2:
            run.phases = []
        for stretch in step.before:
            run.begin(_phase_name(stretch))
            run.play(stretch.events, number)
        for micro in range(min(step.accumulation, 2)):  # a third micro-batch is like the second
            for stretch in step.passes:
                run.begin(_phase_name(stretch))
                run.play(stretch.events, (number, micro), accumulate=micro > 0)
            run.play([(-1, b) for b in step.held if micro + 1 < min(step.accumulation, 2)], (number, micro))
        run.begin("optimizer")
        for stretch in step.optimizer_first if number == 1 else step.optimizer_later:
            run.play(stretch.events, 0)
        run.play([(-1, b) for b in step.held], (number, min(step.accumulation, 2) - 1))
        run.play([(-1, b) for b in step.gradients], (number, 0))
    return run.phases


def _phase_name(stretch: Stretch) -> str:
    name = stretch.phase
    if name.startswith("generat"):
        return "generation"
    if name == "end":
        return "backward"
    if name.startswith("loss"):
        return "head"
    if stretch.layer == -2:
        return "head" if not name.startswith("backward") else "head backward"
    return name
