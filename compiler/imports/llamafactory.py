"""LLaMA-Factory's YAML, with the `dataset_info.json` that it names its data by."""

from __future__ import annotations

import json
from typing import Any

from ftc.compiler.imports.draft import Draft, dtype_of, supervised, targets_of

Json = Any

STAGES = {"sft": "sft", "dpo": "dpo", "kto": "kto", "pt": "cpt", "rm": "rlhf", "ppo": "rlhf"}
OVERRIDES = {
    "cutoff_len": "max_length",
    "packing": "packing",
    "per_device_train_batch_size": "micro_batch",
    "gradient_accumulation_steps": "gradient_accumulation",
    "num_train_epochs": "epochs",
    "max_steps": "steps",
    "learning_rate": "learning_rate",
    "lr_scheduler_type": "scheduler",
    "warmup_steps": "warmup_steps",
    "optim": "optimizer",
    "weight_decay": "weight_decay",
    "max_grad_norm": "max_grad_norm",
    "neftune_noise_alpha": "neftune_alpha",
    "flash_attn": "attention",
    "logging_steps": "logging_steps",
    "eval_steps": "eval_steps",
    "save_steps": "save_steps",
    "save_total_limit": "keep_checkpoints",
    "early_stopping_steps": "early_stopping_patience",
}
ADAPTER = {
    "lora_rank": "lora.rank",
    "lora_alpha": "lora.alpha",
    "lora_dropout": "lora.dropout",
    "use_rslora": "lora.rslora",
    "use_dora": "lora.dora",
}
ALPACA = {"prompt": "instruction", "query": "input", "response": "output", "system": "system"}


def from_llamafactory(draft: Draft) -> None:
    """Fill the draft."""
    take = draft.take
    draft.model["base"] = take("model_name_or_path", "auto")
    if take("model_revision"):
        draft.model["revision"] = take("model_revision")
    if take("trust_remote_code"):
        draft.model["trust_remote_code"] = True
    stage, kind, bits = draft.word("stage", "sft"), draft.word("finetuning_type", "lora"), take("quantization_bit")
    if kind in ("freeze", "oft"):
        draft.say("finetuning_type", f"finetuning_type: {kind} is nothing that ftc does; LoRA is the nearest")
        kind = "lora"
    if bits and bits != 4:
        draft.say("quantization_bit", f"ftc quantises to 4 bits; the configuration has {bits}")
    draft.method = supervised(None if kind == "full" else "lora", bool(bits))
    meant = STAGES.get(stage, "sft")
    if meant in ("dpo", "kto", "rlhf"):
        draft.method = meant
    if meant == "cpt":
        draft.method = "auto"
        draft.say("stage", "pre-training alone is no method of ftc; with demonstrations beside it: cpt+sft")
    if meant in ("dpo", "kto"):
        draft.override(f"{meant}.beta", take("pref_beta"), "pref_beta")
        if take("pref_loss", "sigmoid") != "sigmoid":
            draft.say("pref_loss", f"pref_loss: {take('pref_loss')}; ftc's DPO has the sigmoid loss")
    if meant == "kto":
        draft.override("kto.desirable_weight", take("kto_chosen_weight"), "kto_chosen_weight")
        draft.override("kto.undesirable_weight", take("kto_rejected_weight"), "kto_rejected_weight")
    _sources(draft, meant)
    if take("flash_attn") == "auto":
        draft.taken.add("flash_attn")
        names = {key: name for key, name in OVERRIDES.items() if key != "flash_attn"}
    else:
        names = OVERRIDES
    draft.overrides_from(names)
    if kind != "full":
        draft.overrides_from(ADAPTER)
        draft.override("lora.targets", targets_of(take("lora_target")), "lora_target")
    if bits == 4:
        draft.override("quantization.type", take("quantization_type"), "quantization_type")
        draft.override("quantization.double_quant", take("double_quantization"), "double_quantization")
        take("quantization_method")
    if take("disable_gradient_checkpointing") is not None:
        draft.overrides["checkpointing"] = not take("disable_gradient_checkpointing")
    dtype_of(draft)
    if meant == "sft":
        last = take("mask_history")
        draft.overrides["loss_on"] = "all" if take("train_on_prompt") else "completion" if last else "assistant"
    draft.seed = take("seed")
    if take("template"):
        draft.say("template", "ftc takes the chat template of the model, or adds one and exports it")
    if take("warmup_ratio"):
        draft.say("warmup_ratio", "ftc counts warm-up in steps", "overrides: {warmup_steps: ...}")


def _sources(draft: Draft, meant: str) -> None:
    """Names of data sets, looked up in dataset_info.json where it can be read."""
    take = draft.take
    folder = draft.word("dataset_dir", "data")
    described = _described(draft, folder)
    role = {"dpo": "feedback", "kto": "feedback", "rlhf": "feedback", "cpt": "corpus"}.get(meant, "demonstrations")
    names = _names(take("dataset"))
    found = [_source(draft, folder, name, described, meant) for name in names]
    if found:
        draft.data[role] = found
    tests = _names(take("eval_dataset"))
    if tests:
        draft.data["evaluation"] = _source(draft, folder, tests[0], described, meant)
    fraction = take("val_size")
    if isinstance(fraction, float) and 0 < fraction < 1:
        draft.data["evaluation"] = {"fraction": fraction}
    elif fraction:
        draft.say("val_size", f"val_size: {fraction} rows; ftc holds rows out by rule or by fraction")
    if take("max_samples"):
        draft.say("max_samples", "ftc trains on all rows that it is given; cut the file instead")
    if any(each.get("format") == "chat" for each in found):
        draft.task = "chat"


def _source(draft: Draft, folder: str, name: str, described: dict[str, Json], meant: str) -> dict[str, Json]:
    about = described.get(name)
    if not isinstance(about, dict):
        draft.say("dataset", f"{name}: not found in {folder}/dataset_info.json", f"data: path: where {name} lies")
        return {"path": f"{folder}/{name}.json"}
    path = about.get("file_name") or about.get("hf_hub_url") or name
    local = f"{folder}/{path}" if "file_name" in about else str(path)
    if meant in ("dpo", "rlhf"):
        return {"path": local, "format": "preference-pairs"}
    if meant == "kto":
        return {"path": local, "format": "binary-feedback"}
    if meant == "cpt":
        return {"path": local, "format": "raw-documents"}
    columns = about["columns"] if isinstance(about.get("columns"), dict) else {}
    if about.get("formatting") in ("sharegpt", "openai"):
        named = {"messages": columns["messages"]} if isinstance(columns.get("messages"), str) else {}
        return {"path": local, "format": "chat", **({"columns": named} if named else {})}
    named = {mine: columns[theirs] for theirs, mine in ALPACA.items() if isinstance(columns.get(theirs), str)}
    return {"path": local, "format": "instruction", **({"columns": named} if named else {})}


def _described(draft: Draft, folder: str) -> dict[str, Json]:
    text = draft.read(f"{folder}/dataset_info.json")
    try:
        value = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        draft.say("dataset_dir", f"{folder}/dataset_info.json is not JSON")
        return {}
    return value if isinstance(value, dict) else {}


def _names(value: Json) -> list[str]:
    listed = value if isinstance(value, list) else str(value).split(",") if value else []
    return [str(each).strip() for each in listed if str(each).strip()]
