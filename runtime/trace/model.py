"""Builds the real transformers model, with adapters and quantised layers, on fake tensors.

Everything is put together on the meta device, then each parameter and buffer is replaced by a fake CPU tensor in the
dtype that the training run would hold it in. No weights are read and no memory is taken.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ftc.runtime.trace.request import Request, RequestError
from ftc.runtime.trace.twins import Nf4Linear

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
DEVICE = "cpu"
FUSED_EXPERTS = 3  # dimensions of a parameter that holds all experts of a layer
FLASH = "ftc_fused"  # transformers looks for a kernel package behind any name that says flash


@dataclass(slots=True)
class Built:
    """The model to train, its reference copy if there is one, and where its decoder layers are."""

    model: Any
    reference: Any | None
    layers: list[Any]
    reference_layers: list[Any]
    notes: list[str]


def load_config(model: str | Mapping[str, Any]) -> Any:
    """A transformers configuration from a folder, a `config.json`, or its content; no code from the hub is run."""
    from transformers import AutoConfig

    if isinstance(model, Mapping):
        content = dict(model)
        kind = content.pop("model_type", None)
        if kind is None:
            raise RequestError("model: the configuration has no `model_type`")
        try:
            return AutoConfig.for_model(kind, **content)
        except ValueError as error:
            raise RequestError(f"model: transformers does not know model_type {kind!r}") from error
    path = Path(model)
    if not path.exists():
        raise RequestError(f"model: no such file or folder: {model}")
    return AutoConfig.from_pretrained(str(path), trust_remote_code=False, local_files_only=True)


def text_config(config: Any) -> Any:
    """The language model's part of a configuration."""
    return config.get_text_config()


def depth_of(config: Any) -> int:
    """Number of decoder layers."""
    return int(text_config(config).num_hidden_layers)


def layer_kinds(config: Any) -> list[Hashable]:
    """For each decoder layer, all that the configuration says of it alone: attention type, positions, experts."""
    text = text_config(config)
    full = depth_of(config)
    lists = [v for v in vars(text).values() if isinstance(v, (list, tuple)) and len(v) == full]
    return [tuple(str(values[i]) for values in lists) for i in range(full)]


def with_layers(config: Any, kept: Sequence[int]) -> Any:
    """The same configuration with only these of its layers."""
    changed = copy.deepcopy(config)
    text = text_config(changed)
    full = int(text.num_hidden_layers)
    for name, value in list(vars(text).items()):
        if isinstance(value, list) and len(value) == full:
            setattr(text, name, [value[i] for i in kept])
    text.num_hidden_layers = len(kept)
    return changed


def assemble(request: Request, config: Any) -> Built:
    """Model, adapters and reference on the meta device. PEFT cannot swap fake tensors, so this comes before them."""
    notes: list[str] = []
    model = _on_meta(request, config, notes)
    reference = copy.deepcopy(model).requires_grad_(False) if request.reference == "copy" else None
    if request.adapter != "full":
        model = _with_adapters(request, model)
    if request.adapter == "qlora":
        _use_quantised_adapters(model)
    if request.checkpointing == "full":
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    layers, reference_layers = decoder_layers(model), decoder_layers(reference) if reference is not None else []
    return Built(model=model, reference=reference, layers=layers, reference_layers=reference_layers, notes=notes)


def _on_meta(request: Request, config: Any, notes: list[str]) -> Any:
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

    config.use_cache = False
    text_config(config).use_cache = False
    dtype = DTYPES[request.weights]
    if request.objective == "reward":
        config.num_labels = 1
        if config.pad_token_id is None:
            config.pad_token_id = 0
    auto = AutoModelForSequenceClassification if request.objective == "reward" else AutoModelForCausalLM
    attention = {"eager": "eager", "sdpa": "sdpa", "flash": FLASH}[request.attention]
    with torch.device("meta"):
        try:
            model = auto.from_config(config, attn_implementation=attention, dtype=dtype)
        except ValueError as error:
            if "scaled_dot_product_attention" not in str(error) and "sdpa" not in str(error):
                raise RequestError(f"model: {error}") from error
            notes.append("transformers refuses sdpa for this architecture: eager attention was traced")
            model = auto.from_config(config, attn_implementation="eager", dtype=dtype)
    if hasattr(model, "set_experts_implementation") and _has_experts(model):
        model.set_experts_implementation("grouped_mm")
        if request.adapter == "qlora":
            notes.append(
                "bitsandbytes quantises linear layers only: the fused experts stay in their own dtype, and are not "
                "widened, since grouped products take 16 bits only"
            )
    if request.adapter == "qlora":
        head = model.get_output_embeddings()
        for module in model.modules():
            if type(module) is torch.nn.Linear and module is not head and module is not getattr(model, "score", None):
                module.__class__ = Nf4Linear
    return model


def _has_experts(model: Any) -> bool:
    return any(p.ndim == FUSED_EXPERTS for p in model.parameters())


def _with_adapters(request: Request, model: Any) -> Any:
    from peft import LoraConfig, get_peft_model

    task = "SEQ_CLS" if request.objective == "reward" else "CAUSAL_LM"
    adapter = LoraConfig(
        r=request.lora_rank,
        lora_alpha=2 * request.lora_rank,
        lora_dropout=request.lora_dropout,
        target_modules=_targets(request.lora_targets, model),
        task_type=task,
    )
    model.requires_grad_(False)
    return get_peft_model(model, adapter, low_cpu_mem_usage=True, autocast_adapter_dtype=False)


def _targets(wanted: str, model: Any) -> str | list[str]:
    if wanted == "all-linear":
        return wanted
    linear = [name for name, m in model.named_modules() if isinstance(m, torch.nn.Linear)]
    if wanted == "attention":
        names = sorted({n.rsplit(".", 1)[-1] for n in linear if re.search(r"attn|attention", n)})
    else:
        names = [n.strip() for n in wanted.split(",") if n.strip()]
    missing = [n for n in names if not any(x == n or x.endswith("." + n) for x in linear)]
    if missing or not names:
        known = ", ".join(sorted({n.rsplit(".", 1)[-1] for n in linear}))
        raise RequestError(f"lora_targets: no linear layer named {', '.join(missing) or wanted}; there are {known}")
    return names


def _use_quantised_adapters(model: Any) -> None:
    """PEFT's own adapter layer over a 4-bit layer, which copies the result before it adds to it."""
    from peft.tuners.lora import bnb
    from peft.tuners.lora.layer import Linear

    for module in model.modules():
        if type(module) is Linear and isinstance(module.base_layer, Nf4Linear):
            module.__class__ = bnb.Linear4bit


def decoder_layers(model: Any) -> list[Any]:
    """The repeated blocks: the module list whose length is the number of layers and that holds most parameters."""
    depth = depth_of(model.config)
    lists = [m for m in model.modules() if isinstance(m, torch.nn.ModuleList) and len(m) == depth]
    if not lists:
        raise RequestError(f"model: no list of {depth} decoder layers found in {type(model).__name__}")
    return list(max(lists, key=_size))


def _size(module: Any) -> int:
    return sum(p.numel() for p in module.parameters())


def trainable(model: Any) -> Iterator[torch.nn.Parameter]:
    """Parameters that the optimiser moves."""
    return (p for p in model.parameters() if p.requires_grad)
