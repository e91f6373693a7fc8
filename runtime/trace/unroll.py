"""From the record of a shallow model to that of the full depth.

Decoder layers repeat, some in a pattern (sliding and full attention, with and without rotary positions). The shallow
model keeps the first layers, long enough to hold every kind of layer between every kind of neighbours, and the last
two. Each layer in between is written out as a copy of its like: every allocation renamed, every reference to a
neighbour moved along. The result has each event of the deep model, not a straight line through two peaks, so it can
be replayed through an allocator. Where layers that should be alike are not, this refuses.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from ftc.runtime.trace.tracker import Allocation, Segment

LAST = 2  # layers kept at the end


class NotUniformError(ValueError):
    """The layers do not repeat in a way that is understood; the model has to be traced at its full depth."""


@dataclass(slots=True, eq=False)
class Block:
    """An allocation of the full model."""

    size: int
    category: str
    layer: int


@dataclass(slots=True)
class Stretch:
    """Events of one pass over one layer (or of what lies before, after or between): (+1, -1 or 0, block)."""

    phase: str
    layer: int
    events: list[tuple[int, Block]]


@dataclass(frozen=True, slots=True)
class Sketch:
    """Which layers of the full model are traced, and which traced layer each layer of the full model is like."""

    kept: tuple[int, ...]  # layers of the full model, in order
    like: tuple[int, ...]  # for each layer of the full model, a position in `kept`

    @property
    def depth(self) -> int:
        """Layers of the full model."""
        return len(self.like)


def sketch(kinds: Sequence[Hashable]) -> Sketch:
    """The smallest selection of layers that shows every kind between every kind of neighbours."""
    depth = len(kinds)
    for first in range(3, depth - LAST):
        kept = (*range(first), *range(depth - LAST, depth))
        seam = kinds[first] == kinds[depth - LAST] and kinds[depth - LAST - 1] == kinds[first - 1]
        if not seam or len(kept) >= depth:
            continue
        traced = [kinds[i] for i in kept]
        known = {tuple(traced[p - 1 : p + 2]): p for p in range(first - 1, 1, -1)}
        wanted = [tuple(kinds[j - 1 : j + 2]) for j in range(first, depth - LAST)]
        if all(w in known for w in wanted):
            like = (*range(first), *(known[w] for w in wanted), *range(first, first + LAST))
            return Sketch(kept=kept, like=like)
    raise NotUniformError(f"{depth} layers, no shorter model has the same pattern")


def as_traced(segments: Sequence[Segment]) -> list[Stretch]:
    """The record of a model that was traced at its full depth."""
    blocks: dict[int, Block] = {}
    stretches = []
    for segment in segments:
        events = [
            (sign, blocks.setdefault(id(a), Block(a.size, a.category, a.segment[1]))) for sign, a in segment.events
        ]
        stretches.append(Stretch(segment.key[0], segment.key[1], events))
    return stretches


def unroll(segments: Sequence[Segment], plan: Sketch, kinds: Sequence[Hashable]) -> list[Stretch]:
    """The record of the full model."""
    _check_alike(segments, plan, kinds)
    return _Unroller(plan).run(segments)


def _check_alike(segments: Sequence[Segment], plan: Sketch, kinds: Sequence[Hashable]) -> None:
    """Inner layers of one kind, between neighbours of one kind, must have left the same record."""
    traced = [kinds[i] for i in plan.kept]
    last = len(traced) - 1
    by_phase: dict[str, dict[int, Segment]] = {}
    for segment in segments:
        by_phase.setdefault(segment.key[0], {})[segment.key[1]] = segment
    for phase, layers in by_phase.items():
        seen: dict[Hashable, Segment] = {}
        for position in range(1, last):
            if position not in layers:
                continue
            triple = tuple(traced[position - 1 : position + 2])
            like = seen.setdefault(triple, layers[position])
            if not _alike(like, layers[position], last):
                raise NotUniformError(f"layers {like.key[1]} and {position} differ in the {phase} pass")


def _alike(one: Segment, other: Segment, last: int) -> bool:
    ours, theirs = (list(_inner(s)) for s in (one, other))
    return len(ours) == len(theirs) and all(
        _same(a, b, one.key[1], other.key[1], last) for a, b in zip(ours, theirs, strict=True)
    )


def _inner(segment: Segment) -> list[tuple[int, Allocation]]:
    """A segment's events without those of what lies outside the layers: one layer happens to be its last user."""
    return [(sign, a) for sign, a in segment.events if sign > 0 or a.segment[1] >= 0]


def _same(
    ours: tuple[int, Allocation], theirs: tuple[int, Allocation], our_layer: int, their_layer: int, last: int
) -> bool:
    (sign, a), (other_sign, b) = ours, theirs
    if (sign, a.size, a.category, a.segment[0]) != (other_sign, b.size, b.category, b.segment[0]):
        return False
    if a.segment[1] - our_layer != b.segment[1] - their_layer:
        return False
    outer = {0, last}  # a first or last layer may number its allocations in its own way
    return a.index == b.index or bool(outer & {a.segment[1], b.segment[1]})


class _Unroller:
    """Names blocks by pass, layer of the full model, and position in their segment."""

    def __init__(self, plan: Sketch) -> None:
        self.plan = plan
        self.copies: dict[int, list[int]] = {}  # traced position -> layers of the full model that are like it
        for layer, position in enumerate(plan.like):
            self.copies.setdefault(position, []).append(layer)
        self.blocks: dict[tuple[str, int, int], Block] = {}

    def run(self, segments: Sequence[Segment]) -> list[Stretch]:
        """Stretches in the order of the full model: the passes as traced, within a pass every layer in turn."""
        stretches: list[Stretch] = []
        start = 0
        while start < len(segments):
            phase = segments[start].key[0]
            end = start
            while (
                end < len(segments)
                and segments[end].key[0] == phase
                and (segments[end].key[1] >= 0) == (segments[start].key[1] >= 0)
            ):
                end += 1
            group = segments[start:end]
            if group[0].key[1] < 0:
                stretches += [Stretch(phase, s.key[1], self._events(s, s.key[1])) for s in group]
            else:
                stretches += self._layers(phase, group)
            start = end
        return stretches

    def _layers(self, phase: str, group: Sequence[Segment]) -> list[Stretch]:
        by_position = {s.key[1]: s for s in group}
        forward = group[0].key[1] <= group[-1].key[1]
        order = range(self.plan.depth) if forward else range(self.plan.depth - 1, -1, -1)
        return [
            Stretch(phase, layer, self._events(by_position[self.plan.like[layer]], layer))
            for layer in order
            if self.plan.like[layer] in by_position
        ]

    def _events(self, segment: Segment, layer: int) -> list[tuple[int, Block]]:
        events: list[tuple[int, Block]] = []
        for sign, a in segment.events:
            if sign > 0:
                block = Block(a.size, a.category, layer)
                self.blocks[a.segment[0], layer, a.index] = block
                events.append((1, block))
            elif sign == 0:
                complete = self.blocks.get((a.segment[0], layer + a.segment[1] - segment.key[1], a.index))
                events += [(0, complete)] if complete is not None else []
            else:
                events.extend((-1, block) for block in self._freed(segment, layer, a))
        return events

    def _freed(self, segment: Segment, layer: int, a: Allocation) -> list[Block]:
        """Which blocks of the full model a traced free stands for."""
        phase, where = a.segment
        if where < 0:
            own = layer < 0 or self.plan.kept[segment.key[1]] == layer
            targets = [where] if own else []
        elif layer < 0:
            targets = self.copies[where]
        else:
            targets = [layer + where - segment.key[1]]
        names = [(phase, target, a.index) for target in targets]
        return [self.blocks.pop(name) for name in names if name in self.blocks]
