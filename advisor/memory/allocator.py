"""What PyTorch's caching allocator reserves for a sequence of requests.

Follows c10/cuda/CUDACachingAllocator.cpp of PyTorch 2.x in its default mode: requests up to 1 MiB from segments of
2 MiB, up to 10 MiB from segments of 20 MiB, larger ones from segments of their own rounded up to 2 MiB; best fit,
splitting, merging with free neighbours; segments are kept. Nothing is fitted.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence

_MIB = 2**20
_STEP = 2 * _MIB
_SMALL, _LARGE = _MIB, 10 * _MIB
# A free chunk is one whole number, its size and then its own number, as those compare faster than pairs. Sizes are
# multiples of 512, so that shifting them by 15 leaves the lower 24 bits to the number.
_SHIFT, _NUMBER = 15, 2**24 - 1


class Allocator:
    """Segments as chains of chunks; the free chunks sorted by size, small and large ones apart."""

    __slots__ = ("_asked", "_held", "after", "before", "pools", "reserved", "size")

    def __init__(self) -> None:
        self.reserved = 0
        self.size: list[int] = []  # below zero: free
        self.before: list[int] = []  # neighbours in the segment; -1: none
        self.after: list[int] = []
        self.pools: tuple[list[int], list[int]] = ([], [])
        self._asked: list[int] = [0]  # sizes of the requests made one by one
        self._held: list[int] = [0]

    def copy(self) -> Allocator:
        """The same state, to go on from; only free chunks matter from here on, as what stays is never given back."""
        other = Allocator()
        other.reserved = self.reserved
        for pool, copied in zip(self.pools, other.pools, strict=True):
            for entry in pool:
                copied.append(entry & ~_NUMBER | len(other.size))
                other.size.append(self.size[entry & _NUMBER])
        other.before = [-1] * len(other.size)
        other.after = [-1] * len(other.size)
        return other

    def stay(self, size: float) -> None:
        """A request that is never given back."""
        if size >= 1:
            self.ask(size)

    def ask(self, size: float) -> int:
        """A request; the answer goes to `give_back`."""
        block = len(self._asked)
        self._asked.append(-(-int(size) // 512) * 512)
        self._held.append(0)
        self._run((block,), self._asked, self._held)
        return block

    def give_back(self, block: int) -> None:
        """The end of a request."""
        self._run((-block,), self._asked, self._held)

    def replay(self, events: Sequence[int], sizes: Sequence[int]) -> int:
        """Bytes reserved after all events of a tape: +block asks for one of `sizes`, -block gives it back."""
        self._run(events, sizes, [0] * len(sizes))
        return self.reserved

    def _run(self, events: Sequence[int], sizes: Sequence[int], held: list[int]) -> None:
        """All events in one loop without calls: a step has thousands, and a search plays hundreds of steps."""
        size, before, after = self.size, self.before, self.after
        small_pool, large_pool = self.pools
        reserved = 0
        for event in events:
            if event > 0:
                wanted = sizes[event]
                large = wanted > _SMALL
                pool = large_pool if large else small_pool
                at = bisect_left(pool, wanted << _SHIFT)
                if at < len(pool):
                    chunk = pool.pop(at) & _NUMBER
                    whole = -size[chunk]
                else:
                    whole = _STEP if not large else 20 * _MIB if wanted < _LARGE else -(-wanted // _STEP) * _STEP
                    reserved += whole
                    chunk = len(size)
                    size.append(whole)
                    before.append(-1)
                    after.append(-1)
                held[event] = chunk
                rest = whole - wanted
                if rest > _SMALL or (rest and not large):
                    beyond, other = after[chunk], len(size)
                    size.append(-rest)
                    before.append(chunk)
                    after.append(beyond)
                    if beyond >= 0:
                        before[beyond] = other
                    after[chunk] = other
                    size[chunk] = wanted
                    insort(pool, rest << _SHIFT | other)
                else:
                    size[chunk] = whole
            else:
                chunk = held[-event]
                pool = large_pool if sizes[-event] > _SMALL else small_pool
                whole = size[chunk]
                left, right = before[chunk], after[chunk]
                if left >= 0 and size[left] < 0:
                    del pool[bisect_left(pool, -size[left] << _SHIFT | left)]
                    whole -= size[left]
                    after[left] = right
                    if right >= 0:
                        before[right] = left
                    chunk = left
                if right >= 0 and size[right] < 0:
                    del pool[bisect_left(pool, -size[right] << _SHIFT | right)]
                    whole -= size[right]
                    beyond = after[right]
                    after[chunk] = beyond
                    if beyond >= 0:
                        before[beyond] = chunk
                size[chunk] = -whole
                insort(pool, whole << _SHIFT | chunk)
        self.reserved += reserved
