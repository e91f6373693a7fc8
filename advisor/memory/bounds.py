"""Lower bounds of memory that cost microseconds, for throwing out what cannot fit before anything is played."""

from __future__ import annotations

from ftc.advisor.memory.flow import BYTES, widens
from ftc.advisor.memory.static import own_weights, shards, standing, trained, trained_width
from ftc.advisor.values import Setup

GIB = 2**30


def weights_gib(setup: Setup) -> float:
    """The weights alone, per device."""
    return own_weights(setup) / GIB


def static_gib(setup: Setup) -> float:
    """Weights, adapters and states, and the gradients where they are all alive before the optimiser's step."""
    return _static(setup, standing(setup)) / GIB


def _static(setup: Setup, parts: dict[str, float]) -> float:
    """The same in bytes, of what stands."""
    alive = 0.0 if setup.offload != "none" else trained(setup) * trained_width(setup) / shards(setup)[1]
    return sum(parts.values()) + max(0.0, alive - parts["gradients"])


def bound_gib(setup: Setup) -> float:
    """The same, or what stands with every layer's input and the least that a loss over the vocabulary takes."""
    model = setup.architecture
    tokens = setup.micro_batch * setup.seq_len
    stream = 4 if widens(setup) else BYTES[setup.weights]
    kept = tokens * model.hidden_size * stream * model.layers
    if setup.checkpointing == "none":
        kept += tokens * 2 * model.layers * (3 * model.intermediate_size * (not model.experts) + 3 * model.hidden_size)
    scores = 0 if setup.loss == "chunked" or setup.objective == "reward" else tokens * model.vocab_size * 12
    parts = standing(setup)
    return max(_static(setup, parts), sum(parts.values()) + kept + scores) / GIB
