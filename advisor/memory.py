"""What one training step takes, per device and on the host, as a sum of named components.

Each component is a short function of the architecture and the settings, in bytes. Follows what the real classes do:
which tensors transformers, peft and bitsandbytes keep for the backward pass, and in which dtype. Two moments compete
for the peak, the loss (boundaries and logits are alive) and the end of the backward pass (all gradients are alive),
and the larger one counts. Knows nothing of time or money, and fits no constant to a model or a card.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from ftc.advisor.parameters import Layout, layout, targeted
from ftc.advisor.values import Architecture, Device, MemoryEstimate, Setup
from ftc.spec.estimate import Estimate

GIB = 2**30
_BYTES = {"bf16": 2, "fp16": 2, "fp32": 4}
SOURCE = "closed form over the architecture (ftc)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The sizes of a model that memory depends on, worked out once a model."""

    parts: Layout
    q: int  # width of all query heads
    kv: int  # width of all key heads
    norms: int  # norm layers a decoder layer
    widest: int  # elements of the largest single matrix of a layer
    inner: int  # width of the feed-forward part that one token passes through


def memory(setup: Setup, device: Device) -> MemoryEstimate:
    """Allocated, reserved and device memory of one training step, and what the host needs."""
    parts = components(setup)
    allocated = sum(parts.values())
    return _ranges(setup, device, parts, allocated)


def weights_gib(setup: Setup) -> float:
    """A lower bound that costs a microsecond: the weights alone, per device."""
    return weights(setup) / _shards(setup, weights=True) / GIB


def static_gib(setup: Setup) -> float:
    """A tighter lower bound: weights, adapters and optimiser state, whatever the batch."""
    return (sum(_static(setup).values())) / GIB


def components(setup: Setup) -> dict[str, float]:
    """Bytes of each component at the peak, per device, before the allocator rounds anything."""
    parts = _static(setup)
    loss_moment = _at_loss(setup)
    end_moment = _at_end(setup)
    peak = max((loss_moment, end_moment), key=lambda moment: sum(moment.values()))
    return {**parts, **peak, "overhead": 0.0}


def weights(setup: Setup) -> float:
    """The model's own parameters, as stored: dense, or 4-bit blocks with their scales and an upcast rest."""
    shape = shape_of(setup.architecture)
    size = _BYTES[setup.weights]
    if setup.adapter != "qlora":
        return shape.parts.total * size
    matrices = shape.parts.linear - shape.parts.linear_bias
    kept = shape.parts.embedding + shape.parts.head + shape.parts.norms + shape.parts.linear_bias
    return (
        matrices * quantised_bytes(setup.double_quant)
        + kept * (4 if setup.kbit_upcast else size)
        + (shape.parts.experts * size)
    )


def quantised_bytes(double_quant: bool) -> float:
    """Bytes a parameter in NF4: half a byte and one scale per 64; scales are fp32, or 8 bit with fp32 per 256.

    QLoRA, arXiv 2305.14314, section 3.
    """
    return 0.5 + (1 / 64 + 4 / (64 * 256) if double_quant else 4 / 64)


def trainable(setup: Setup) -> int:
    """Parameters that are trained."""
    model = setup.architecture
    if setup.adapter in ("lora", "qlora"):
        head = model.hidden_size if setup.objective == "reward" else 0
        return _lora(model, setup.lora_rank, setup.lora_targets) + head
    return model.parameters


def optimizer_bytes(setup: Setup) -> float:
    """Bytes of state a trained parameter; 8-bit states carry one fp32 scale per 256 (arXiv 2110.02861)."""
    if setup.optimizer == "sgd":
        return 0.0
    if setup.optimizer == "adafactor":
        return 8 / setup.architecture.hidden_size  # one row and one column vector a matrix
    if setup.optimizer in ("adamw-8bit", "paged-adamw-8bit"):
        return 2 * (1 + 4 / 256)
    return 2.0 * _BYTES[setup.optimizer_dtype]


@lru_cache(maxsize=512)
def shape_of(model: Architecture) -> Shape:
    """The derived sizes of a model."""
    parts = layout(model)
    inner = model.experts_per_token * model.moe_intermediate_size if model.experts else model.intermediate_size
    return Shape(
        parts=parts,
        q=model.heads * model.head_dim,
        kv=model.kv_heads * model.head_dim,
        norms=4 if model.model_type in ("gemma2", "gemma3_text") else 2,
        widest=max(each.inputs * each.outputs for each in parts.linears),
        inner=inner,
    )


@lru_cache(maxsize=4096)
def _lora(model: Architecture, rank: int, targets: str) -> int:
    """Adapter parameters, remembered."""
    return model.layers * rank * sum(each.inputs + each.outputs for each in targeted(model, targets))


def _shards(setup: Setup, *, weights: bool = False) -> int:
    """Over how many devices weights, or gradients and states, are spread."""
    if setup.sharding in ("fsdp", "zero3") or (setup.sharding == "zero2" and not weights):
        return max(1, setup.devices * setup.nodes)
    return 1


def _static(setup: Setup) -> dict[str, float]:
    """What stands in memory all the time: weights, adapters, states, and a copy as reference."""
    base = weights(setup) / _shards(setup, weights=True)
    own = trainable(setup)
    full = setup.adapter not in ("lora", "qlora")
    states = own * (optimizer_bytes(setup) + (4 if setup.master_weights and full else 0)) / _shards(setup)
    return {
        "weights": 0.0 if setup.offload == "all" else base,
        "adapters": 0.0 if full else own * _BYTES[setup.adapters],
        "optimizer": 0.0 if setup.offload != "none" else states,
        "reference": base if setup.reference == "copy" else 0.0,
    }


def _gradients(setup: Setup) -> float:
    """All gradients, in the dtype of what is trained."""
    size = _BYTES[setup.weights if setup.adapter not in ("lora", "qlora") else setup.adapters]
    return trainable(setup) * size / _shards(setup)


def _tokens(setup: Setup) -> int:
    """Tokens of one forward pass: preference pairs are concatenated, KTO adds a batch of mismatched pairs."""
    rows = setup.micro_batch * (2 if setup.objective in ("dpo", "reward", "kto") else 1)
    return rows * (setup.seq_len + setup.completion_len)


def _stream_bytes(setup: Setup) -> int:
    """Bytes an element of the residual stream: fp32 where the embedding was upcast for k-bit training."""
    upcast = setup.adapter == "qlora" and setup.kbit_upcast
    return 4 if upcast else _BYTES[setup.weights]


def _at_loss(setup: Setup) -> dict[str, float]:
    """The moment of the loss: activations of all layers, the logits chain, gradients of earlier micro-batches."""
    earlier = _gradients(setup) if setup.grad_accum > 1 else 0.0
    return {"gradients": earlier, "activations": activations(setup), "logits": logits(setup)}


def _at_end(setup: Setup) -> dict[str, float]:
    """The end of the backward pass: all gradients, and one layer that was recomputed."""
    return {"gradients": _gradients(setup), "activations": _one_layer(setup) + _boundary(setup), "logits": 0.0}


def activations(setup: Setup) -> float:
    """What the layers keep for the backward pass."""
    layers = setup.architecture.layers
    if setup.checkpointing == "full":
        return layers * _boundary(setup)
    return layers * _one_layer(setup)


def _boundary(setup: Setup) -> float:
    """The input of one layer."""
    return _tokens(setup) * setup.architecture.hidden_size * _stream_bytes(setup)


def _one_layer(setup: Setup) -> float:
    """What one layer keeps for its backward pass, from the order of operations in transformers' decoder layers."""
    shape, model = shape_of(setup.architecture), setup.architecture
    stream, matmul = _stream_bytes(setup), _BYTES[setup.compute]
    norms = shape.norms * model.hidden_size * (4 + (0 if stream == 4 else stream))
    heads = (2 * shape.q + 2 * shape.kv) * stream + shape.q * stream
    inputs = 2 * model.hidden_size * matmul if stream != matmul else 0
    feed = 4 * shape.inner * stream
    scores = 0.0
    if setup.attention == "eager":
        scores = model.heads * (setup.seq_len + setup.completion_len) * (4 + 2 * stream)
    return _tokens(setup) * (norms + heads + inputs + feed + scores)


def logits(setup: Setup) -> float:
    """The chain from the last hidden state to the loss: logits, their fp32 copy, the softmax and its gradient."""
    model = setup.architecture
    if setup.objective == "reward":
        return 0.0
    tokens = _tokens(setup)
    if setup.loss == "chunked":
        tokens = min(tokens, 256)
        return tokens * model.vocab_size * 12 + shape_of(model).parts.head * 0
    return tokens * model.vocab_size * (4 + 4 + 4 + 2)


def _ranges(setup: Setup, device: Device, parts: dict[str, float], allocated: float) -> MemoryEstimate:
    """The estimate with its ranges: allocator rounding on what moves, a context on every device."""
    moving = parts["activations"] + parts["logits"] + parts["gradients"]
    reserved = allocated + 0.08 * moving + 0.05 * GIB
    context = _context(device)
    width = 0.04 * allocated + 0.10 * moving
    host = _host(setup)
    likely = allocated / GIB
    return MemoryEstimate(
        allocated=_range(allocated, width, 0.0),
        reserved=_range(reserved, width, allocated),
        device=_range(reserved + context, width, allocated + context),
        host=_range(host, 0.2 * host, 0.0),
        breakdown={name: value / GIB for name, value in parts.items()}
        | {"overhead": max(0.0, reserved / GIB - likely)},
    )


def _range(likely: float, width: float, floor: float) -> Estimate:
    """A symmetric range in GiB that does not go under `floor`."""
    low = max(min(floor, likely), likely - width)
    return Estimate(low=low / GIB, likely=likely / GIB, high=(likely + width) / GIB, unit="GiB", source=SOURCE)


def _context(device: Device) -> float:
    """What the driver keeps for a process with the libraries' kernels loaded; none on a CPU."""
    return 0.0 if device.kind == "cpu" else 0.5 * GIB


def _host(setup: Setup) -> float:
    """Interpreter and libraries, one shard file while loading, and what was offloaded."""
    offloaded = 0.0
    if setup.offload in ("optimizer", "all"):
        offloaded += trainable(setup) * optimizer_bytes(setup)
    if setup.offload == "all":
        offloaded += weights(setup)
    return 2.5 * GIB + min(5 * GIB, weights(setup)) + offloaded
