"""Writes down every allocation and every free of a step that runs on fake tensors.

A dispatch mode sees the result of each operator; a storage that was not there before is an allocation, and a weak
reference to it tells when it is gone. The record is a list of events in order, cut into named segments (one per pass
and decoder layer), so that it can be unrolled to another depth and replayed through an allocator.
It knows nothing of models.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

aten = torch.ops.aten
WORKSPACE = "workspace"  # the category of what is taken once and never given back
Key = tuple[str, int]  # pass and layer; layer -1 is before the first layer, -2 after the last


@dataclass(slots=True)
class Allocation:
    """A block of memory: where it was asked for, how large, what it is for."""

    segment: Key
    index: int  # among the allocations of its segment
    size: int  # bytes as asked for, before the allocator rounds
    category: str


@dataclass(slots=True)
class Segment:
    """A stretch of the step. An event is (+1 or -1, allocation); (0, allocation) marks a gradient as complete."""

    key: Key
    events: list[tuple[int, Allocation]] = field(default_factory=list)
    allocations: int = 0


class Tracker(TorchDispatchMode):  # type: ignore[misc]  # torch is untyped here
    """Records allocations while it is the current dispatch mode."""

    def __init__(self) -> None:
        super().__init__()
        self.segments: list[Segment] = [Segment(("setup", -1))]
        self.category: Callable[[Key], str] = lambda _key: "activations"
        self.paused = False
        self._live: dict[int, tuple[Any, Allocation]] = {}
        self._scratch: dict[Any, Callable[[Sequence[Any], Any], Iterable[int]]] = {}
        self._workspace = 0
        self._threads: set[bool] = set()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled here; a wrapper would stand between the engine's frame and ours

    def scratch(self, op: Any, sizes: Callable[[Sequence[Any], Any], Iterable[int]]) -> None:
        """Memory that the CUDA kernel of `op` takes and gives back inside the call, unseen by the dispatcher."""
        self._scratch[op] = sizes

    def workspace(self, size: int) -> None:
        """How much cuBLAS takes, once, for each thread that multiplies; autograd has a thread of its own."""
        self._workspace = size

    def on_thread(self, backward: bool) -> None:
        """What follows multiplies on this thread.

        PyTorch takes the workspace at the thread's first product. Taking it at the start of the pass, a few
        allocations earlier, is what reproduces the published reserved figures of runs that are deterministic.
        """
        if self._workspace and backward not in self._threads:
            self._threads.add(backward)
            self.note(self._workspace, WORKSPACE)

    def cut(self, key: Key) -> None:
        """What follows belongs to `key`."""
        self.segments.append(Segment(key))

    def add(self, tensor: torch.Tensor, category: str | None = None) -> None:
        """Count a tensor's storage, once."""
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._live:
            return
        size = storage.nbytes()
        if not size:
            return
        segment = self.segments[-1]
        allocation = Allocation(segment.key, segment.allocations, size, category or self.category(segment.key))
        segment.allocations += 1
        segment.events.append((1, allocation))

        self._watch(storage, allocation)

    def _watch(self, storage: Any, allocation: Allocation) -> None:
        key = storage._cdata

        def gone(_ref: Any, key: int = key, allocation: Allocation = allocation) -> None:
            self.segments[-1].events.append((-1, allocation))
            self._live.pop(key, None)

        self._live[key] = (weakref.ref(storage, gone), allocation)

    def _take_over(self, old: torch.Tensor, new: torch.Tensor) -> None:
        """`new` stands in the memory of `old`, which is written over."""
        entry = self._live.pop(old.untyped_storage()._cdata, None)
        if entry is not None:
            self._watch(new.untyped_storage(), entry[1])

    def is_gradient(self, tensor: torch.Tensor) -> None:
        """What looked like an activation has been left on a parameter."""
        entry = self._live.get(tensor.untyped_storage()._cdata)
        if entry is not None:
            entry[1].category = "gradients"
            self.segments[-1].events.append((0, entry[1]))

    def note(self, size: int, category: str) -> Allocation:
        """An allocation that no tensor stands for; `forget` gives it back."""
        segment = self.segments[-1]
        allocation = Allocation(segment.key, segment.allocations, size, category)
        segment.allocations += 1
        segment.events.append((1, allocation))
        return allocation

    def forget(self, allocation: Allocation) -> None:
        """Give back what `note` took."""
        self.segments[-1].events.append((-1, allocation))

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if self.paused:
            return result
        if func is aten.add.Tensor and sys._getframe(1).f_code.co_name == _ENGINE:
            summand = _writable(args)
            if summand is not None:
                self._take_over(summand, result)
        for leaf in (result,) if isinstance(result, torch.Tensor) else tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                self.add(leaf)
        sizes = self._scratch.get(func)
        if sizes is not None:
            for held in [self.note(size, "activations") for size in sizes(args, result)]:
                self.forget(held)
        return result


def _writable(args: Sequence[Any]) -> torch.Tensor | None:
    """The gradient that autograd would add into, where it sums the gradients of a tensor that was used twice.

    The engine adds in place when it holds the last reference (accumulate_grad.h, can_accumulate_inplace), but never
    for tensor subclasses, which fake tensors are: here its condition is checked by the count of the storage.
    """
    for gradient in args[:2]:
        if isinstance(gradient, torch.Tensor) and gradient.shape == args[0].shape:
            storage = gradient.untyped_storage()
            if torch._C._storage_Use_Count(storage._cdata) <= _ONE_HOLDER and gradient.is_contiguous():
                return gradient
    return None


_ENGINE = "_engine_run_backward"  # the Python frame that calls the engine: nothing of Python in between
_ONE_HOLDER = 2  # the tensor, and `storage` above
