"""What the allocator holds when the first step begins: weights, adapters, states, and what loading left behind.

Follows transformers' loader, which asks for the model's size at once where it loads straight onto the device, and
peft's `prepare_model_for_kbit_training`, which makes fp32 copies of what is not quantised.
"""

from __future__ import annotations

from collections import deque
from functools import lru_cache

from ftc.advisor.memory.allocator import Allocator
from ftc.advisor.memory.flow import BYTES, shards_weights, widens
from ftc.advisor.memory.static import scales, shards, standing, state_bytes, trained_width
from ftc.advisor.parameters import expert_sides, layout, targeted
from ftc.advisor.values import Setup

_WORKERS = 4  # threads of transformers' loader (`GLOBAL_WORKERS`): so many dense weights wait to be quantised


@lru_cache(maxsize=512)
def loaded(setup: Setup) -> Allocator:
    """The allocator before the first step. It is shared: copy it before use."""
    allocator = Allocator()
    over_weights, _, over_states = shards(setup)
    parts = standing(setup)
    own = tensors(setup)
    if setup.adapter == "qlora" and (shards_weights(setup) or setup.offload == "all"):
        allocator.stay(parts["weights"] - scales(setup))  # through the host, a share of each flat parameter
        allocator.stay(scales(setup))
    elif setup.adapter == "qlora":
        _load_quantised(allocator, setup)
    elif parts["weights"]:
        for elements in own:
            allocator.stay(elements * BYTES[setup.weights] / over_weights)
    if setup.adapter in ("lora", "qlora"):
        own = adapter_tensors(setup)
        for elements in own:
            allocator.stay(elements * trained_width(setup) / over_weights)
    if parts["optimizer"]:
        for elements in own:
            allocator.stay(elements * state_bytes(setup) / 2 / over_states)
            allocator.stay(elements * state_bytes(setup) / 2 / over_states)
    allocator.stay(parts["reference"] + parts["gradients"] + parts["master"])
    return allocator


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


def _load_quantised(allocator: Allocator, setup: Setup) -> None:
    """Packed weights with their scales; a dense weight is on the device before it is quantised."""
    model, size = setup.architecture, BYTES[setup.weights]
    parts = layout(model)
    dense: list[tuple[int, int]] = []  # chunk, elements
    passing: deque[int] = deque()

    def whole(elements: int) -> None:
        dense.append((allocator.ask(elements * size), elements))

    at_once = allocator.ask(parts.linear / 2 + (parts.embedding + parts.head + parts.norms + parts.experts) * size)
    allocator.give_back(at_once)
    whole(parts.embedding)
    for _ in range(model.layers):
        for each in parts.linears:
            elements = each.inputs * each.outputs
            passing.append(allocator.ask(elements * size))
            allocator.stay(elements / 2)
            allocator.stay(elements / 64 * (1 if setup.double_quant else 4))
            if len(passing) > _WORKERS:
                allocator.give_back(passing.popleft())
        if model.experts:
            whole(parts.experts // model.layers)
    if parts.head and setup.objective != "reward":
        whole(parts.head)
    for chunk in passing:
        allocator.give_back(chunk)
    for chunk, elements in dense if widens(setup) else ():
        allocator.stay(elements * 4)
        allocator.give_back(chunk)
