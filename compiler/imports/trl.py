"""The YAML of TRL's command line (`trl sft --config`)."""

from __future__ import annotations

from typing import Any

from ftc.compiler.imports.draft import Draft, dtype_of, listed, supervised, targets_of

Json = Any

OVERRIDES = {
    "max_length": "max_length",
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
    "gradient_checkpointing": "checkpointing",
    "attn_implementation": "attention",
    "logging_steps": "logging_steps",
    "eval_steps": "eval_steps",
    "save_steps": "save_steps",
    "save_total_limit": "keep_checkpoints",
}
ADAPTER = {
    "lora_r": "lora.rank",
    "lora_alpha": "lora.alpha",
    "lora_dropout": "lora.dropout",
    "use_rslora": "lora.rslora",
    "use_dora": "lora.dora",
}
DTYPES = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}
GRPO = {"num_generations": "group", "beta": "beta", "max_completion_length": "max_completion_length"}


def from_trl(draft: Draft) -> None:
    """Fill the draft."""
    take = draft.take
    draft.model["base"] = take("model_name_or_path", "auto")
    if take("model_revision", "main") != "main":
        draft.model["revision"] = take("model_revision")
    if take("trust_remote_code"):
        draft.model["trust_remote_code"] = True
    objective = _objective(draft)
    adapter = "lora" if take("use_peft") else None
    four_bit = bool(take("load_in_4bit"))
    draft.method = supervised(adapter, four_bit) if objective == "sft" else objective
    if objective in ("dpo", "kto"):
        draft.override(f"{objective}.beta", take("beta"), "beta")
    if objective == "kto":
        for name in ("desirable_weight", "undesirable_weight"):
            draft.override(f"kto.{name}", take(name), name)
    if objective == "grpo":
        for key, name in {**GRPO, "temperature": "temperature"}.items():
            draft.override(f"grpo.{name}", take(key), key)
        draft.say("reward_funcs", "name the reward function", "data: {reward: {function: rewards.py:score}}")
        take("reward_funcs")
    _sources(draft, objective)
    draft.overrides_from(OVERRIDES)
    if adapter:
        draft.overrides_from(ADAPTER)
        targets = take("lora_target_modules")
        draft.override("lora.targets", targets_of(targets), "lora_target_modules")
    if four_bit:
        draft.override("quantization.type", take("bnb_4bit_quant_type"), "bnb_4bit_quant_type")
        draft.override("quantization.double_quant", take("use_bnb_nested_quant"), "use_bnb_nested_quant")
    dtype_of(draft)
    dtype = draft.word("dtype") or draft.word("torch_dtype")
    if dtype in DTYPES:
        draft.overrides["dtype"] = DTYPES[dtype]
    if objective == "sft":
        everything = take("completion_only_loss") is False
        draft.overrides["loss_on"] = (
            "assistant" if take("assistant_only_loss") else "all" if everything else "completion"
        )
        if take("loss_type") == "chunked_nll":
            draft.overrides["chunked_loss"] = True
    if take("train_sampling_strategy") == "group_by_length" or take("group_by_length"):
        draft.overrides["group_by_length"] = True
    for key in ("use_cpu", "load_best_model_at_end", "metric_for_best_model", "lora_task_type"):
        take(key)
    draft.seed = take("seed")


def _objective(draft: Draft) -> str:
    """TRL says it on the command line (`trl dpo`), so the keys have to tell."""
    keys = draft.config.keys()
    if keys & {"num_generations", "reward_funcs"}:
        return "grpo"
    if keys & {"desirable_weight", "undesirable_weight"}:
        return "kto"
    if keys & {"beta", "precompute_ref_log_probs", "label_smoothing"}:
        return "dpo"
    return "sft"


def _sources(draft: Draft, objective: str) -> None:
    take = draft.take
    role = {"dpo": "feedback", "kto": "feedback", "grpo": "prompts"}.get(objective, "demonstrations")
    train, test = draft.word("dataset_train_split", "train"), draft.word("dataset_test_split", "test")
    found: list[str] = []
    for each in listed(take("datasets")):
        if isinstance(each, dict):
            files = each.get("data_files")
            files = files.get("train") if isinstance(files, dict) else files
            found.append(str(files[0] if isinstance(files, list) and files else files or each.get("path", "")))
    name = draft.word("dataset_name")
    if name:
        local = str(name).startswith((".", "/"))
        found.append(f"{name}/{train}.jsonl" if local else str(name))
        if local:
            draft.data["evaluation"] = {"path": f"{name}/{test}.jsonl"}
            draft.say("dataset_name", f"{name}: taken for a folder with {train}.jsonl and {test}.jsonl")
        elif test != "test" or train != "train":
            draft.say("dataset_train_split", f"splits {train} and {test} of {name}: ftc splits by itself")
    if take("dataset_config"):
        draft.say("dataset_config", f"the configuration {take('dataset_config')} of {name} is not said in a spec")
    if found:
        draft.data[role] = [{"path": each} for each in found]
