"""Models and tokenizers from where the plan says: a hub id, a local folder, `builtin:tiny`, or an earlier stage.

Safetensors only, never pickle; code from the hub only where the plan says so. Imports torch and transformers inside,
because the first stages need the tokenizer alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftc.runtime.context import Context
from ftc.runtime.tiny import NAME

BASE = "base"
ADAPTER_CONFIG = "adapter_config.json"


def base_of(context: Context) -> tuple[str, dict[str, Any]]:
    """What to hand to `from_pretrained` for the base: its place, and the revision where it is on the hub."""
    model = context.plan.model
    base = str(model["base"])
    common = {"trust_remote_code": bool(model["trust_remote_code"])}
    if base == NAME:
        from ftc.runtime.tiny.make import folder

        return str(
            folder(lambda step, total, loss: context.progress(step, total, loss=loss, what=f"making {NAME}"))
        ), common
    local = context.data_folder / Path(base).expanduser()
    if local.is_dir():
        return str(local), common
    return base, {**common, "revision": model["revision"]}


def load_tokenizer(context: Context) -> Any:
    """The base's tokenizer, with a padding token."""
    from transformers import AutoTokenizer

    if context.plan.model["base"] == NAME:
        from ftc.runtime.tiny.tokenizer import committed

        return AutoTokenizer.from_pretrained(committed())
    place, options = base_of(context)
    tokenizer = AutoTokenizer.from_pretrained(place, **options)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def trained_folder(context: Context, stage_id: str) -> Path:
    """Where a finished training or merging stage left its model or adapter."""
    return context.run.stage(stage_id) / str(context.result(stage_id)["model"])


def dtype_of(name: str) -> Any:
    """torch's type for a plan's word."""
    import torch

    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[name]


def quantization(told: Mapping[str, Any], *, sharded: bool = False) -> Any:
    """bitsandbytes' configuration for a plan's `quantization`.

    Where each device holds a share of the weights, packed ones are kept in the type that they are computed in:
    accelerate leaves whole numbers out of what it shards, and every device would hold all of them.
    """
    from transformers import BitsAndBytesConfig

    stored = {"bnb_4bit_quant_storage": dtype_of(told["compute_dtype"])} if sharded else {}
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=told["type"],
        bnb_4bit_use_double_quant=told["double_quant"],
        bnb_4bit_compute_dtype=dtype_of(told["compute_dtype"]),
        **stored,
    )


def keep_quantised_weights(model: Any) -> None:
    """Stop bitsandbytes from repacking 4-bit weights on CPUs with AVX-512 BF16 when a model evaluates.

    The packed form rounds their scales to bf16 and is not undone exactly: a held-out evaluation would change the base
    that training goes on with, and a resumed run would end with other weights than an undisturbed one.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def start_folder(context: Context, stage_id: str) -> Path | None:
    """The whole model that a training stage started from, None where that is the base."""
    start = str(context.plan.stage(stage_id).arguments.get("start_from", BASE))
    return None if start == BASE else trained_folder(context, start)


def load_model(context: Context, what: str, *, dtype: str, quantized: Mapping[str, Any] | None) -> Any:
    """A model for answering: the base, or what a stage came to (an adapter is put on what it was trained on)."""
    import torch
    from transformers import AutoModelForCausalLM

    where = None if what == BASE else trained_folder(context, what)
    adapter = where if where is not None and (where / ADAPTER_CONFIG).exists() else None
    whole = start_folder(context, what) if adapter is not None else where
    place, options = (str(whole), {}) if whole is not None else base_of(context)
    if quantized is not None and (where is None or adapter is not None):
        options["quantization_config"] = quantization(quantized)
    if torch.cuda.is_available():
        options["device_map"] = {"": 0}
    model = AutoModelForCausalLM.from_pretrained(place, dtype=dtype_of(dtype), use_safetensors=True, **options)
    if adapter is not None:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, adapter)
    keep_quantised_weights(model)
    return model.eval()
