"""Folds an adapter into the weights. A quantised base is dequantised first, and the adapter merged into that.

Merging into 4-bit weights in place, or onto the original 16-bit ones, gives another model than was trained.
"""

from __future__ import annotations

import shutil
from typing import Any

from ftc.compiler.stages import Merge
from ftc.runtime.context import Context
from ftc.runtime.loading import base_of, dtype_of, load_tokenizer, quantization, start_folder, trained_folder

MERGED = "merged"


def run(context: Context) -> dict[str, Any]:
    """Merge; the result says where the model is."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    told: Merge = context.arguments
    whole = start_folder(context, told.stage)
    place, options = (str(whole), {}) if whole is not None else base_of(context)
    quantized = context.plan.stage(told.stage).arguments.get("quantization")
    if quantized:
        options["quantization_config"] = quantization(quantized)
    base: Any = AutoModelForCausalLM.from_pretrained(place, dtype=dtype_of(told.dtype), use_safetensors=True, **options)
    if quantized:
        base = base.dequantize()
    context.progress(1, 3, what="base loaded")
    merged = PeftModel.from_pretrained(base, trained_folder(context, told.stage)).merge_and_unload()
    merged = merged.to(dtype_of(told.dtype))
    context.progress(2, 3, what="adapter merged")
    target = context.folder / MERGED
    beside = context.folder / f".{MERGED}.part"
    shutil.rmtree(beside, ignore_errors=True)
    merged.save_pretrained(beside)
    load_tokenizer(context).save_pretrained(beside)
    shutil.rmtree(target, ignore_errors=True)
    beside.rename(target)
    context.progress(3, 3, what="written")
    return {"model": MERGED, "parameters": sum(each.numel() for each in merged.parameters())}
