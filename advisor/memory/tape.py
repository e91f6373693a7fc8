"""A record of one training step: which blocks are asked for and given back, in order.

Blocks count their holders, as tensors do, and are given back with the last one. The record is what the allocator
model replays; the tape itself knows the live bytes and the moment of their peak, by what they are for.
Block 0 is no block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

Block = int
Undo = Callable[[Block], Block]  # a backward step: uses up the gradient of the output, returns that of the input
_NEGLIGIBLE = 65536  # bytes: smaller blocks are not worth the time that playing them takes
_ROUND = 512  # the smallest block of PyTorch's allocator, c10/cuda/CUDACachingAllocator.cpp


def rounded(sizes: Iterable[float]) -> list[int]:
    """Sizes as the allocator rounds them, without those that are not worth playing."""
    return [-(-int(size) // _ROUND) * _ROUND for size in sizes if size >= _NEGLIGIBLE]


class Tape:
    """Blocks alive, and the history of how they came and went. An event is +block or -block."""

    __slots__ = (
        "calls", "events", "gradients", "holders", "kind", "kinds", "live", "peak", "peak_at", "sizes", "written",
    )  # fmt: skip

    def __init__(self) -> None:
        self.sizes: list[int] = [0]
        self.kinds: list[str] = [""]
        self.holders: list[int] = [0]
        self.events: list[int] = []
        self.gradients: list[Block] = []  # of trained weights, until the optimiser has run
        self.kind = "activations"
        self.live = self.peak = self.peak_at = 0
        self.calls = 0  # operations that made a block, small ones included
        self.written = 0.0  # bytes of all blocks together

    def new(self, size: float) -> Block:
        """A block of `size` bytes with one holder."""
        self.calls += 1
        self.written += size
        if size < _NEGLIGIBLE:
            return 0
        rounded = -(-int(size) // _ROUND) * _ROUND
        sizes = self.sizes
        block = len(sizes)
        sizes.append(rounded)
        self.kinds.append(self.kind)
        self.holders.append(1)
        self.events.append(block)
        self.live += rounded
        if self.live > self.peak:
            self.peak = self.live
            self.peak_at = len(self.events)
        return block

    def many(self, sizes: Sequence[int]) -> tuple[Block, ...]:
        """Blocks of these sizes, rounded already, with one holder each; no operations are counted for them."""
        first = len(self.sizes)
        made = range(first, first + len(sizes))
        self.sizes += sizes
        self.kinds += [self.kind] * len(sizes)
        self.holders += [1] * len(sizes)
        self.events += made
        self.live += sum(sizes)
        if self.live > self.peak:
            self.peak = self.live
            self.peak_at = len(self.events)
        return tuple(made)

    def hold(self, block: Block) -> Block:
        """One more holder."""
        self.holders[block] += 1
        return block

    def drop(self, *blocks: Block) -> None:
        """One holder less each; the last one gives the block back."""
        for block in blocks:
            if block:
                self.holders[block] -= 1
                if not self.holders[block]:
                    self.events.append(-block)
                    self.live -= self.sizes[block]

    def turn(self, block: Block, size: float) -> Block:
        """A new block in place of `block`: a cast, or any operation whose input is not needed any more."""
        made = self.new(size)
        self.drop(block)
        return made

    def passing(self, size: float) -> None:
        """A block that is gone within one operation."""
        self.drop(self.new(size))

    def at_peak(self) -> dict[str, int]:
        """Bytes alive at the peak, by what they are for."""
        alive: dict[str, int] = {}
        for event in self.events[: self.peak_at]:
            kind = self.kinds[abs(event)]
            alive[kind] = alive.get(kind, 0) + (self.sizes[event] if event > 0 else -self.sizes[-event])
        return alive
