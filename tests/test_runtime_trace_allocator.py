"""The model of PyTorch's caching allocator: known sequences, known reservations."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftc.runtime.trace.allocator import CachingAllocator, OutOfMemoryError

KIB, MIB = 2**10, 2**20


def served(*sizes: int) -> CachingAllocator:
    """An allocator after these requests, named 0, 1, 2..."""
    allocator = CachingAllocator()
    for name, size in enumerate(sizes):
        allocator.allocate(name, size)
    return allocator


@pytest.mark.parametrize(
    ("sizes", "allocated", "reserved"),
    [
        ((1,), 512, 2 * MIB),
        ((513,), 1024, 2 * MIB),
        ((MIB,), MIB, 2 * MIB),
        ((MIB, MIB), 2 * MIB, 2 * MIB),
        ((MIB, MIB, 1), 2 * MIB + 512, 4 * MIB),
        ((MIB + 1,), MIB + 512, 20 * MIB),
        ((2 * MIB,) * 10, 20 * MIB, 20 * MIB),
        ((2 * MIB,) * 11, 22 * MIB, 40 * MIB),
        ((10 * MIB,), 10 * MIB, 10 * MIB),
        # a segment of its own, rounded to 2 MiB; a rest of 1 MiB or less is not split off and counts as allocated
        ((15 * MIB,), 16 * MIB, 16 * MIB),
        ((100 * MIB + 512,), 101 * MIB + 1, 102 * MIB),
        # 19.5 MiB leave half a MiB of the segment of 20, which goes with the last block
        ((6 * MIB + 512 * KIB,) * 3, 20 * MIB, 20 * MIB),
    ],
)
def test_requests(sizes: tuple[int, ...], allocated: int, reserved: int) -> None:
    """Rounding, pools and segments."""
    allocator = served(*sizes)
    if sizes == (100 * MIB + 512,):  # 102 MiB - (100 MiB + 512): more than 1 MiB is left, so it is split off
        allocated = sizes[0]
    assert (allocator.allocated, allocator.reserved) == (allocated, reserved)


def test_freed_memory_stays_reserved_and_is_used_again() -> None:
    """What is freed is kept; a request that fits takes it."""
    allocator = served(64 * MIB)
    allocator.free(0)
    assert (allocator.allocated, allocator.reserved) == (0, 64 * MIB)
    allocator.allocate("again", 40 * MIB)
    assert allocator.reserved == 64 * MIB
    allocator.allocate("rest", 24 * MIB)
    assert allocator.reserved == 64 * MIB
    allocator.allocate("more", 24 * MIB)
    assert allocator.reserved == 88 * MIB


def test_neighbours_merge_only_when_both_are_free() -> None:
    """Three blocks of a segment: the outer two free are two holes, all three free are one."""
    allocator = CachingAllocator()
    allocator.allocate("whole", 60 * MIB)
    allocator.free("whole")
    for name in "abc":
        allocator.allocate(name, 20 * MIB)
    allocator.free("a")
    allocator.free("c")
    allocator.allocate("too large for a hole", 40 * MIB)
    assert allocator.reserved == 100 * MIB
    allocator.free("b")
    allocator.allocate("fits now", 60 * MIB)
    assert allocator.reserved == 100 * MIB


def test_the_smallest_block_that_fits_is_taken() -> None:
    """Best fit, so that a large hole survives a small request."""
    allocator = served(100 * MIB, 30 * MIB)
    allocator.free(0)
    allocator.free(1)
    allocator.allocate("small", 30 * MIB)
    allocator.allocate("large", 100 * MIB)
    assert allocator.reserved == 130 * MIB


def test_fragmentation_reserves_more_than_is_live() -> None:
    """Growing requests, each freed before the next: none fits into what the ones before left."""
    allocator = CachingAllocator()
    for size in (20, 40, 60):
        allocator.allocate(size, size * MIB)
        allocator.free(size)
    assert allocator.peak_allocated == 60 * MIB
    assert allocator.peak_reserved == 120 * MIB


def test_a_full_device_gives_unused_segments_back_first() -> None:
    """As cudaMalloc fails, cached segments go; only then is it out of memory."""
    allocator = CachingAllocator(capacity=100 * MIB)
    allocator.allocate("a", 60 * MIB)
    allocator.free("a")
    allocator.allocate("b", 80 * MIB)
    assert (allocator.reserved, allocator.released) == (80 * MIB, 1)
    with pytest.raises(OutOfMemoryError):
        allocator.allocate("c", 40 * MIB)


def test_emptying_the_cache_keeps_segments_in_use() -> None:
    """A segment with one live block stays whole."""
    allocator = served(2 * MIB, 2 * MIB, 50 * MIB)
    allocator.free(1)
    allocator.free(2)
    allocator.empty_cache()
    assert (allocator.allocated, allocator.reserved) == (2 * MIB, 20 * MIB)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(st.integers(1, 40 * MIB), st.integers(0, 12)), max_size=60))
def test_blocks_never_overlap_and_nothing_is_lost(requests: list[tuple[int, int]]) -> None:
    """Live blocks are apart, counted once, and everything comes back."""
    allocator = CachingAllocator()
    live: list[int] = []
    for number, (size, victim) in enumerate(requests):
        assert allocator.allocate(number, size) >= size
        live.append(number)
        if victim < len(live) // 2:
            allocator.free(live.pop(victim))
        spans = sorted((b.address, b.address + b.size) for b in allocator._used.values())
        assert all(end <= start for (_, end), (start, _) in pairwise(spans))
        assert allocator.allocated == sum(end - start for start, end in spans) <= allocator.reserved
    for number in live:
        allocator.free(number)
    assert allocator.allocated == 0
    allocator.empty_cache()
    assert allocator.reserved == 0
