"""PyTorch's CUDA caching allocator, as arithmetic: how much it reserves for a sequence of requests.

After c10/cuda/CUDACachingAllocator.cpp with default settings: requests are rounded to 512 bytes; up to 1 MiB they come
from 2 MiB segments, below 10 MiB from 20 MiB segments, larger ones from segments of their own rounded to 2 MiB; the
smallest free block that fits is taken, the one at the lowest address among equals; the rest of a block is split off
when it is worth keeping; neighbours merge when freed; segments are given back only when the device is full.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Hashable

ROUND = 512  # bytes; kMinBlockSize
SMALL = 1 << 20  # bytes; kSmallSize: the largest request served from the small pool
SMALL_SEGMENT = 2 << 20  # bytes; kSmallBuffer
LARGE_SEGMENT = 20 << 20  # bytes; kLargeBuffer
LARGE_FROM = 10 << 20  # bytes; kMinLargeAlloc: from here on a segment of its own
LARGE_ROUND = 2 << 20  # bytes; kRoundLarge


def rounded(size: int) -> int:
    """A request as the allocator counts it."""
    return max(ROUND, (size + ROUND - 1) // ROUND * ROUND)


class OutOfMemoryError(MemoryError):
    """The device has no room for a segment even after every unused one was given back."""


class _Block:
    __slots__ = ("address", "after", "before", "free", "size", "small")

    def __init__(self, address: int, size: int, small: bool) -> None:
        self.address, self.size, self.small = address, size, small
        self.free = False
        self.before: _Block | None = None
        self.after: _Block | None = None


class CachingAllocator:
    """Feed it `allocate` and `free`; read `allocated`, `reserved` and their peaks, in bytes."""

    def __init__(self, capacity: int | None = None) -> None:
        self.capacity = capacity
        self.allocated = self.reserved = 0
        self.peak_allocated = self.peak_reserved = 0
        self.released = 0  # segments given back to make room
        self._used: dict[Hashable, _Block] = {}
        self._free: dict[bool, list[tuple[int, int]]] = {True: [], False: []}  # (size, address), by pool
        self._at: dict[int, _Block] = {}
        self._next_address = 0

    def allocate(self, name: Hashable, size: int) -> int:
        """Serve a request of `size` bytes; the bytes of the block it got, which is what counts as allocated."""
        wanted = rounded(size)
        small = wanted <= SMALL
        block = self._take(wanted, small) or self._segment(wanted, small)
        remaining = block.size - wanted
        if remaining >= ROUND if small else remaining > SMALL:
            self._split(block, wanted)
        self._used[name] = block
        self.allocated += block.size
        self.peak_allocated = max(self.peak_allocated, self.allocated)
        return block.size

    def free(self, name: Hashable) -> int:
        """Give a request back to the cache; the bytes of its block."""
        block = self._used.pop(name)
        size = block.size
        self.allocated -= size
        for neighbour in (block.before, block.after):
            if neighbour is not None and neighbour.free:
                self._forget(neighbour)
                block = self._merge(block, neighbour)
        self._remember(block)
        return size

    def empty_cache(self) -> None:
        """Give unused segments back to the device."""
        for pool in self._free.values():
            for _size, address in list(pool):
                block = self._at[address]
                if block.before is None and block.after is None:
                    self._forget(block)
                    self.reserved -= block.size
                    self.released += 1

    def reset_peaks(self) -> None:
        """As torch.cuda.reset_peak_memory_stats."""
        self.peak_allocated, self.peak_reserved = self.allocated, self.reserved

    def _take(self, size: int, small: bool) -> _Block | None:
        pool = self._free[small]
        index = bisect_left(pool, (size, -1))
        if index == len(pool):
            return None
        block = self._at[pool.pop(index)[1]]
        del self._at[block.address]
        block.free = False
        return block

    def _segment(self, size: int, small: bool) -> _Block:
        if small:
            room = SMALL_SEGMENT
        elif size < LARGE_FROM:
            room = LARGE_SEGMENT
        else:
            room = (size + LARGE_ROUND - 1) // LARGE_ROUND * LARGE_ROUND
        if self.capacity is not None and self.reserved + room > self.capacity:
            self.empty_cache()
            if self.reserved + room > self.capacity:
                raise OutOfMemoryError(f"{room} bytes asked for, {self.capacity - self.reserved} left")
        block = _Block(self._next_address, room, small)
        self._next_address += room
        self.reserved += room
        self.peak_reserved = max(self.peak_reserved, self.reserved)
        return block

    def _split(self, block: _Block, size: int) -> None:
        rest = _Block(block.address + size, block.size - size, block.small)
        rest.before, rest.after = block, block.after
        if block.after is not None:
            block.after.before = rest
        block.after, block.size = rest, size
        self._remember(rest)

    def _merge(self, block: _Block, neighbour: _Block) -> _Block:
        first, second = (neighbour, block) if neighbour.address < block.address else (block, neighbour)
        first.size += second.size
        first.after = second.after
        if second.after is not None:
            second.after.before = first
        first.free = False
        return first

    def _remember(self, block: _Block) -> None:
        block.free = True
        self._at[block.address] = block
        insort(self._free[block.small], (block.size, block.address))

    def _forget(self, block: _Block) -> None:
        pool = self._free[block.small]
        pool.pop(bisect_left(pool, (block.size, block.address)))
        del self._at[block.address]
        block.free = False
