"""What the allocator holds when the first step begins: weights, adapters, states, and what loading left behind.

Follows transformers' loader, which asks for the model's size at once where it loads straight onto the device, and
peft's `prepare_model_for_kbit_training`, which makes fp32 copies of what is not quantised.
"""

from __future__ import annotations

from collections import deque
from functools import lru_cache

from ftc.advisor.memory.allocator import Allocator
from ftc.advisor.memory.flow import BYTES, shards_weights, widens
from ftc.advisor.memory.static import embedding_share, scales, shards, standing, state_bytes, trained_width
from ftc.advisor.parameters import expert_sides, layout, targeted
from ftc.advisor.values import Setup

_WORKERS = 4  # threads of transformers' loader (`GLOBAL_WORKERS`): so many dense weights wait to be quantised


@lru_cache(maxsize=512)
def loaded(setup: Setup) -> Allocator:
    """The allocator before the first step. It is shared: copy it before use."""
    over_weights, _, over_states = shards(setup)
    parts = standing(setup)
    own = tensors(setup)
    requests = _Requests()
    if setup.adapter == "qlora" and (shards_weights(setup) or setup.offload == "all"):
        # through the host, a share of each flat parameter
        requests.stay(parts["weights"] - scales(setup), scales(setup))
    elif setup.adapter == "qlora":
        _load_quantised(requests, setup)
    elif parts["weights"]:
        width = BYTES[setup.weights] / over_weights
        requests.stay(*[elements * width for elements in own])
    if setup.adapter in ("lora", "qlora"):
        own = adapter_tensors(setup)
        width = trained_width(setup) / over_weights
        requests.stay(*[elements * width for elements in own])
    if parts["optimizer"]:
        widths = [state_bytes(setup) / 2 / over_states] * len(own)
        if embedding_share(setup):
            widths[0] = 4 / over_states  # the embedding comes first
        requests.stay(*[elements * width for elements, width in zip(own, widths, strict=True) for _ in range(2)])
    requests.stay(parts["reference"] + parts["gradients"] + parts["master"])
    allocator = Allocator()
    allocator.replay(requests.events, requests.sizes)
    return allocator


class _Requests:
    """What is asked for and given back, in order, as the allocator replays it."""

    __slots__ = ("events", "sizes")

    def __init__(self) -> None:
        self.sizes: list[int] = [0]
        self.events: list[int] = []

    def ask(self, size: float) -> int:
        """A request; the answer goes to `give_back`."""
        self.sizes.append(-(-int(size) // 512) * 512)
        self.events.append(len(self.sizes) - 1)
        return self.events[-1]

    def stay(self, *sizes: float) -> None:
        """Requests that are never given back."""
        first = len(self.sizes)
        self.sizes += [-(-int(size) // 512) * 512 for size in sizes if size >= 1]
        self.events += range(first, len(self.sizes))

    def give_back(self, request: int) -> None:
        """The end of a request."""
        self.events.append(-request)


def tensors(setup: Setup) -> list[int]:
    """Elements of each parameter, in the order in which they are made."""
    model = setup.architecture
    parts = layout(model)
    head = [parts.head] if parts.head and setup.objective != "reward" else []
    layer = [value for each in parts.linears for value in (each.inputs * each.outputs, each.outputs * each.bias)]
    if model.experts:
        fused = parts.experts // model.layers
        layer += [fused * 2 // 3, fused // 3]
    layer += [parts.norms // (model.layers * 2)] * 2
    return [parts.embedding, *[each for each in layer if each] * model.layers, *head]


def adapter_tensors(setup: Setup) -> list[int]:
    """Elements of A and B of each adapted matrix."""
    rank, matrices = setup.lora_rank, targeted(setup.architecture, setup.lora_targets)
    layer = [rank * side for each in matrices for side in (each.inputs, each.outputs)]
    return (layer + list(expert_sides(setup.architecture, rank, setup.lora_targets))) * setup.architecture.layers


def _load_quantised(requests: _Requests, setup: Setup) -> None:
    """Packed weights with their scales; a dense weight is on the device before it is quantised."""
    model, size = setup.architecture, BYTES[setup.weights]
    parts = layout(model)
    dense: list[tuple[int, int]] = []  # chunk, elements
    passing: deque[int] = deque()

    def whole(elements: int) -> None:
        dense.append((requests.ask(elements * size), elements))

    at_once = requests.ask(parts.linear / 2 + (parts.embedding + parts.head + parts.norms + parts.experts) * size)
    requests.give_back(at_once)
    whole(parts.embedding)
    for _ in range(model.layers):
        for each in parts.linears:
            elements = each.inputs * each.outputs
            passing.append(requests.ask(elements * size))
            requests.stay(elements / 2)
            requests.stay(elements / 64 * (1 if setup.double_quant else 4))
            if len(passing) > _WORKERS:
                requests.give_back(passing.popleft())
        if model.experts:
            requests.stay(parts.experts // model.layers * size)
    if parts.head and setup.objective != "reward":
        whole(parts.head)
    for chunk in passing:
        requests.give_back(chunk)
    for chunk, elements in dense if widens(setup) else ():
        requests.stay(elements * 4)
        requests.give_back(chunk)
