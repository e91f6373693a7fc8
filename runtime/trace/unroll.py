"""From the record of a shallow model to that of the full depth.

Decoder layers repeat. Where two inner layers of the trace allocate and free the same things in the same order, the
layers between them and the last are copies of one of them: their segments are written out again, with every
allocation renamed and every reference to a neighbour moved along. The result has each event of the deep model, not a
straight line through two peaks, so it can be replayed through an allocator. Where the layers differ, this refuses.
"""

from __future__ import annotations

from dataclasses import dataclass

from ftc.runtime.trace.tracker import Allocation, Key, Segment

SHALLOW = 4  # layers: first, two that must be alike, last
TEMPLATE = 2


class NotUniformError(ValueError):
    """The traced inner layers do not repeat; the model has to be traced at its full depth."""


@dataclass(slots=True, eq=False)
class Block:
    """An allocation of the full model."""

    size: int
    category: str
    layer: int


@dataclass(slots=True)
class Stretch:
    """Events of one pass over one layer (or of what lies before, after or between): (+1 or -1, block)."""

    phase: str
    layer: int
    events: list[tuple[int, Block]]


def as_traced(segments: list[Segment]) -> list[Stretch]:
    """The record of a model that was traced at its full depth."""
    blocks: dict[int, Block] = {}
    stretches = []
    for segment in segments:
        events = [(sign, blocks.setdefault(id(a), Block(a.size, a.category, a.segment[1]))) for sign, a in segment.events]
        stretches.append(Stretch(segment.key[0], segment.key[1], events))
    return stretches


def unroll(segments: list[Segment], depth: int) -> list[Stretch]:
    """The record of `depth` layers from that of `SHALLOW`."""
    if depth <= SHALLOW:
        raise NotUniformError(f"{depth} layers are traced as they are")
    _check_uniform(segments)
    return _Unroller(depth).run(segments)


def _check_uniform(segments: list[Segment]) -> None:
    by_key = {s.key: s for s in segments}
    for (phase, layer), segment in by_key.items():
        if layer == TEMPLATE:
            other = by_key.get((phase, TEMPLATE - 1))
            if other is None or _shape(other) != _shape(segment):
                raise NotUniformError(f"layers differ in the {phase} pass")


def _shape(segment: Segment) -> list[tuple[int, int, str, str, int, int]]:
    """A segment's events with references to other layers made relative to its own.

    A block that stays (a gradient, a hidden state that is kept) may be freed at any later time, so only the
    neighbouring layers are told apart.
    """
    layer = segment.key[1]
    found = []
    for sign, a in segment.events:
        phase, where = a.segment
        relative = where - layer if where >= 0 else -1000
        found.append((sign, a.size, a.category, phase, relative, a.index if where >= 0 else 0))
    return found


class _Unroller:
    """Names blocks by pass, layer of the full model, and position in their segment."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.blocks: dict[tuple[str, int, int], Block] = {}

    def run(self, segments: list[Segment]) -> list[Stretch]:
        stretches: list[Stretch] = []
        pending: list[Segment] = []
        for segment in segments:
            if segment.key[1] == TEMPLATE:
                pending.append(segment)
                stretches.extend(self._copies(segment))
            else:
                layer = self._outer(segment.key[1])
                stretches.append(Stretch(segment.key[0], layer, self._events(segment, layer)))
        return stretches

    def _outer(self, layer: int) -> int:
        """Where a traced layer other than the template stands in the full model."""
        return self.depth - 1 if layer == SHALLOW - 1 else layer

    def _copies(self, segment: Segment) -> list[Stretch]:
        layers = range(TEMPLATE, self.depth - 1)
        order = reversed(layers) if segment.key[0].startswith("backward") else layers
        return [Stretch(segment.key[0], layer, self._events(segment, layer)) for layer in order]

    def _events(self, segment: Segment, layer: int) -> list[tuple[int, Block]]:
        events: list[tuple[int, Block]] = []
        for sign, a in segment.events:
            if sign > 0:
                block = Block(a.size, a.category, layer)
                self.blocks[self._name(a.segment[0], layer, a.index)] = block
                events.append((1, block))
            else:
                events.extend((-1, block) for block in self._freed(segment.key, layer, a))
        return events

    @staticmethod
    def _name(phase: str, layer: int, index: int) -> tuple[str, int, int]:
        return phase, layer, index

    def _freed(self, key: Key, layer: int, a: Allocation) -> list[Block]:
        """Which blocks of the full model a traced free stands for."""
        phase, where = a.segment
        if key[1] < 0 and where == TEMPLATE:
            copies = range(TEMPLATE, self.depth - 1)
        elif key[1] < 0 or where < 0 or key[1] < TEMPLATE:
            copies = range(self._outer(where), self._outer(where) + 1)
        else:
            copies = range(layer + where - key[1], layer + where - key[1] + 1)
        names = [self._name(phase, copy, a.index) for copy in copies]
        return [self.blocks.pop(name) for name in names if name in self.blocks]
