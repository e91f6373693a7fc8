"""What stands in memory whatever the batch: weights, adapters, optimiser states, a reference copy; and gradients.

In bytes, each a small function of the architecture and the settings. A device's share under FSDP and ZeRO follows
"ZeRO: Memory Optimizations Toward Training Trillion Parameter Models" (arXiv 1910.02054): stage 1 spreads the states,
2 the gradients as well, 3 (and FSDP's full shard) the weights as well.
"""

from __future__ import annotations

from ftc.advisor.memory.flow import BYTES, widens
from ftc.advisor.parameters import layout, lora_parameters
from ftc.advisor.values import Setup


def weights(setup: Setup) -> float:
    """The model's own parameters as they are stored, on all devices together."""
    parts, size = layout(setup.architecture), BYTES[setup.weights]
    head = 0 if setup.objective == "reward" else parts.head  # a reward model has a score head of one column instead
    if setup.adapter != "qlora":
        return float((parts.total - parts.head + head) * size)
    matrices = parts.linear - parts.linear_bias
    left = parts.embedding + head + parts.norms + parts.linear_bias
    return (
        matrices * quantised_bytes(setup.double_quant)
        + left * (4 if widens(setup) else size)
        + parts.experts * size  # the grouped product of fused experts takes 16 bits only
    )


def scales(setup: Setup) -> float:
    """Of `weights`, the scales of 4-bit ones: no parameters, so that neither sharding nor offloading reaches them."""
    if setup.adapter != "qlora":
        return 0.0
    parts = layout(setup.architecture)
    return (parts.linear - parts.linear_bias) * (quantised_bytes(setup.double_quant) - 0.5)


def own_weights(setup: Setup) -> float:
    """The weights that one device holds."""
    whole = scales(setup)
    return whole + (0.0 if setup.offload == "all" else (weights(setup) - whole) / shards(setup)[0])


def quantised_bytes(double_quant: bool) -> float:
    """Bytes a parameter in NF4: half a byte, and a scale per 64 in fp32, or in 8 bits with an fp32 one per 256 scales.

    QLoRA, arXiv 2305.14314, section 3; block sizes as in bitsandbytes.
    """
    return 0.5 + (1 / 64 + 4 / (64 * 256) if double_quant else 4 / 64)


def trained(setup: Setup) -> int:
    """Parameters that are trained."""
    model = setup.architecture
    if setup.adapter not in ("lora", "qlora"):
        return model.parameters - (layout(model).head if setup.objective == "reward" else 0)
    score = model.hidden_size if setup.objective == "reward" else 0
    return lora_parameters(model, setup.lora_rank, setup.lora_targets) + score


def trained_width(setup: Setup) -> int:
    """Bytes an element of what is trained, and of its gradient."""
    return BYTES[setup.adapters if setup.adapter in ("lora", "qlora") else setup.weights]


def state_bytes(setup: Setup) -> float:
    """Bytes of optimiser state a trained parameter; 8-bit states carry an fp32 scale per 256 (arXiv 2110.02861)."""
    if setup.optimizer == "sgd":
        return 0.0
    if setup.optimizer == "adafactor":
        return 8 / setup.architecture.hidden_size  # one row and one column vector a matrix, arXiv 1804.04235
    if setup.optimizer in ("adamw-8bit", "paged-adamw-8bit"):
        return 2 * (1 + 4 / 256)
    return 2.0 * BYTES[setup.optimizer_dtype]


def embedding_share(setup: Setup) -> float:
    """Of the trained parameters, those whose states stay in fp32 under an 8-bit optimiser: the embedding.

    transformers' trainer asks bitsandbytes for that (`trainer_optimizer.py`, `register_module_override`).
    """
    if setup.adapter in ("lora", "qlora") or setup.optimizer not in ("adamw-8bit", "paged-adamw-8bit"):
        return 0.0
    return layout(setup.architecture).embedding / trained(setup)


def states(setup: Setup) -> float:
    """Bytes of optimiser state on all devices together."""
    wide = embedding_share(setup)
    return trained(setup) * ((1 - wide) * state_bytes(setup) + wide * 8)


def shards(setup: Setup) -> tuple[int, int, int]:
    """Over how many devices weights, gradients and states are spread."""
    everyone = max(1, setup.devices * setup.nodes)
    if setup.sharding in ("fsdp", "zero3"):
        return everyone, everyone, everyone
    return (1, everyone, everyone) if setup.sharding == "zero2" else (1, 1, 1)


def standing(setup: Setup) -> dict[str, float]:
    """Bytes on one device, by component. Sharded gradients stand as well: each device keeps its share of the sum."""
    over_weights, _, over_states = shards(setup)
    base = own_weights(setup)
    own = trained(setup)
    full = setup.adapter not in ("lora", "qlora")
    away = setup.offload != "none"
    return {
        "weights": base,
        "adapters": own * trained_width(setup) / over_weights if not full else 0.0,
        "optimizer": 0.0 if away or setup.optimizer == "paged-adamw-8bit" else states(setup) / over_states,
        "master": own * 4 / over_states if keeps_master(setup) and not away else 0.0,
        "reference": base if setup.reference == "copy" else 0.0,
        "gradients": 0.0 if away else standing_gradients(setup),
    }


def standing_gradients(setup: Setup) -> float:
    """Bytes of gradients that one device holds from step to step, or from micro-batch to micro-batch."""
    own, width = trained(setup), trained_width(setup)
    accumulates = setup.grad_accum > 1
    if setup.sharding == "none":
        return float(own * width * accumulates)
    share = own * width / shards(setup)[1]  # for DDP: its buckets, a copy of all gradients
    if not accumulates or setup.sharding in ("zero2", "zero3"):
        return share
    if setup.sharding == "ddp":
        return share + own * width
    # accelerate's no_sync keeps whole gradients, in the compute dtype, until the last micro-batch. FSDP1 makes flat
    # parameters of a layer's weights of one dtype, and their gradients with them: adapters in the base's own dtype
    # take the frozen weights along, as in litgpt's runs with 2 and 4 GPUs.
    mixed = setup.adapter == "lora" and setup.adapters == setup.weights
    return share + own * min(BYTES[setup.compute], width) + mixed * weights(setup)


def keeps_master(setup: Setup) -> bool:
    """An fp32 copy of what is trained: asked for, or as DeepSpeed always keeps it beside 16-bit weights."""
    if trained_width(setup) == 4:
        return False
    return setup.master_weights or setup.sharding in ("zero2", "zero3")
