"""What PyTorch's caching allocator reserves for a sequence of requests.

Follows c10/cuda/CUDACachingAllocator.cpp of PyTorch 2.x in its default mode: requests up to 1 MiB from segments of
2 MiB, up to 10 MiB from segments of 20 MiB, larger ones from segments of their own rounded up to 2 MiB; best fit,
splitting, merging with free neighbours; segments are kept. Nothing is fitted.
"""

from __future__ import annotations

from bisect import bisect_left, insort

_MIB = 2**20
_SMALL, _LARGE = _MIB, 10 * _MIB


class Allocator:
    """Segments as chains of chunks; the free chunks sorted by size, small and large ones apart."""

    __slots__ = ("after", "before", "free", "held", "is_large", "pools", "reserved", "size")

    def __init__(self) -> None:
        self.reserved = 0
        self.size: list[int] = []
        self.before: list[int] = []  # neighbours in the segment; -1: none
        self.after: list[int] = []
        self.free: list[bool] = []
        self.is_large: list[bool] = []
        self.pools: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])
        self.held: dict[int, int] = {}  # block of the tape -> chunk

    def copy(self) -> Allocator:
        """The same state, to go on from; only free chunks matter from here on, as what stays is never given back."""
        other = Allocator()
        other.reserved = self.reserved
        for large in (False, True):
            for size, _ in self.pools[large]:
                other.pools[large].append((size, other._chunk(size, -1, -1, large, free=True)))
        return other

    def replay(self, events: list[int], sizes: list[int]) -> int:
        """Bytes reserved after all events of a tape."""
        for event in events:
            if event > 0:
                self.held[event] = self._take(sizes[event])
            else:
                self._give(self.held.pop(-event))
        return self.reserved

    def stay(self, size: float) -> None:
        """A request that is never given back."""
        if size >= 1:
            self._take(-(-int(size) // 512) * 512)

    def ask(self, size: float) -> int:
        """A request; the answer goes to `give_back`."""
        return self._take(-(-int(size) // 512) * 512)

    def give_back(self, chunk: int) -> None:
        """The end of a request."""
        self._give(chunk)

    def _chunk(self, size: int, before: int, after: int, large: bool, *, free: bool) -> int:
        self.size.append(size)
        self.before.append(before)
        self.after.append(after)
        self.is_large.append(large)
        self.free.append(free)
        return len(self.size) - 1

    def _take(self, size: int) -> int:
        large = size > _SMALL
        pool = self.pools[large]
        at = bisect_left(pool, (size, -1))
        if at < len(pool):
            chunk = pool.pop(at)[1]
            self.free[chunk] = False
        else:
            segment = 2 * _MIB if not large else 20 * _MIB if size < _LARGE else -(-size // (2 * _MIB)) * 2 * _MIB
            self.reserved += segment
            chunk = self._chunk(segment, -1, -1, large, free=False)
        rest = self.size[chunk] - size
        if rest > (_SMALL if large else 511):
            after = self.after[chunk]
            other = self._chunk(rest, chunk, after, large, free=True)
            if after >= 0:
                self.before[after] = other
            self.after[chunk] = other
            self.size[chunk] = size
            insort(pool, (rest, other))
        return chunk

    def _give(self, chunk: int) -> None:
        pool = self.pools[self.is_large[chunk]]
        before, after = self.before[chunk], self.after[chunk]
        if before >= 0 and self.free[before]:
            pool.pop(bisect_left(pool, (self.size[before], before)))
            self.size[before] += self.size[chunk]
            self.after[before] = after
            if after >= 0:
                self.before[after] = before
            chunk = before
        if after >= 0 and self.free[after]:
            pool.pop(bisect_left(pool, (self.size[after], after)))
            self.size[chunk] += self.size[after]
            beyond = self.after[after]
            self.after[chunk] = beyond
            if beyond >= 0:
                self.before[beyond] = chunk
        self.free[chunk] = True
        insort(pool, (self.size[chunk], chunk))
