"""axolotl's YAML."""

from __future__ import annotations

from typing import Any

from ftc.compiler.imports.draft import Draft, dtype_of, listed, supervised, targets_of

Json = Any

OVERRIDES = {
    "sequence_len": "max_length",
    "sample_packing": "packing",
    "group_by_length": "group_by_length",
    "micro_batch_size": "micro_batch",
    "gradient_accumulation_steps": "gradient_accumulation",
    "num_epochs": "epochs",
    "max_steps": "steps",
    "learning_rate": "learning_rate",
    "lr_scheduler": "scheduler",
    "warmup_steps": "warmup_steps",
    "optimizer": "optimizer",
    "weight_decay": "weight_decay",
    "max_grad_norm": "max_grad_norm",
    "neftune_noise_alpha": "neftune_alpha",
    "gradient_checkpointing": "checkpointing",
    "attn_implementation": "attention",
    "chunked_cross_entropy": "chunked_loss",
    "logging_steps": "logging_steps",
    "eval_steps": "eval_steps",
    "save_steps": "save_steps",
    "save_total_limit": "keep_checkpoints",
    "early_stopping_patience": "early_stopping_patience",
}
ADAPTER = {
    "lora_r": "lora.rank",
    "lora_alpha": "lora.alpha",
    "lora_dropout": "lora.dropout",
    "peft_use_rslora": "lora.rslora",
    "peft_use_dora": "lora.dora",
}
# The first word of `type` -> role, format
TYPES: dict[str, tuple[str, str]] = {
    "alpaca": ("demonstrations", "instruction"),
    "alpaca_chat": ("demonstrations", "instruction"),
    "chat_template": ("demonstrations", "chat"),
    "sharegpt": ("demonstrations", "chat"),
    "input_output": ("demonstrations", "auto"),
    "completion": ("corpus", "raw-documents"),
    "pretrain": ("corpus", "raw-documents"),
    "context_qa": ("demonstrations", "qa"),
}
FIELDS = {
    "field_instruction": "instruction",
    "field_input": "input",
    "field_output": "output",
    "field_prompt": "prompt",
    "field_completion": "completion",
    "field_label": "label",
    "field_chosen": "chosen",
    "field_rejected": "rejected",
    "field_system": "system",
}


def from_axolotl(draft: Draft) -> None:
    """Fill the draft."""
    take = draft.take
    draft.model["base"] = take("base_model", "auto")
    if take("revision_of_model"):
        draft.model["revision"] = take("revision_of_model")
    if take("trust_remote_code"):
        draft.model["trust_remote_code"] = True
    adapter, four_bit, rl = draft.word("adapter") or None, bool(take("load_in_4bit")), draft.word("rl")
    draft.method = supervised(adapter, four_bit)
    if rl in ("dpo", "kto", "grpo"):
        draft.method = rl
    elif rl:
        draft.say("rl", f"rl: {rl} is no method of ftc; DPO is the nearest", "method: dpo")
        draft.method = "dpo"
    elif take("reward_model"):
        draft.say("reward_model", "a reward model alone is no method of ftc: it is the first half of rlhf")
        draft.method = "rlhf"
    if rl == "kto" or rl == "dpo":
        draft.override(f"{rl}.beta", take("rl_beta", take("dpo_beta")), "rl_beta")
    if rl == "kto":
        for name in ("desirable_weight", "undesirable_weight"):
            draft.override(f"kto.{name}", take(f"kto_{name}"), f"kto_{name}")
    if rl == "grpo":
        _grpo(draft)
    _sources(draft, rl or "sft")
    draft.overrides_from(OVERRIDES)
    if adapter:
        draft.overrides_from(ADAPTER)
        targets = "all-linear" if take("lora_target_linear") else targets_of(take("lora_target_modules"))
        draft.override("lora.targets", targets, "lora_target_modules")
    _attention(draft)
    dtype_of(draft)
    if draft.method.startswith("sft"):
        draft.overrides["loss_on"] = "all" if take("train_on_inputs") else "assistant"
    draft.seed = take("seed")
    _warmup_and_steps(draft)
    if take("load_in_8bit"):
        draft.say("load_in_8bit", "ftc quantises to 4 bits or not at all")


def _warmup_and_steps(draft: Draft) -> None:
    if draft.take("warmup_ratio"):
        draft.say("warmup_ratio", "ftc counts warm-up in steps", "overrides: {warmup_steps: ...}")
    per_epoch = [key for key in ("evals_per_epoch", "saves_per_epoch") if draft.take(key)]
    if per_epoch:
        draft.say(per_epoch[0], f"{', '.join(per_epoch)}: ftc counts in steps, and chooses them by rule")


def _attention(draft: Draft) -> None:
    if "attention" in draft.overrides:
        return
    for key, word in (
        ("flash_attention", "flash_attention_2"),
        ("sdp_attention", "sdpa"),
        ("eager_attention", "eager"),
    ):
        if draft.take(key):
            draft.overrides["attention"] = word
            return


def _grpo(draft: Draft) -> None:
    trl = draft.take("trl", {})
    if not isinstance(trl, dict):
        return
    names = {"num_generations": "group", "beta": "beta", "max_completion_length": "max_completion_length"}
    for key, name in {**names, "temperature": "temperature"}.items():
        draft.override(f"grpo.{name}", trl.get(key), f"trl.{key}")
    draft.say("trl.reward_funcs", "name the reward function", "data: {reward: {function: rewards.py:score}}")


def _sources(draft: Draft, objective: str) -> None:
    """`datasets`, `test_datasets` and `val_set_size`."""
    for each in listed(draft.take("datasets")):
        role, source = _source(draft, each, objective)
        draft.data.setdefault(role, []).append(source)
    tests = [_source(draft, each, objective)[1] for each in listed(draft.take("test_datasets"))]
    if tests:
        draft.data["evaluation"] = {key: tests[0][key] for key in ("path", "format", "columns") if key in tests[0]}
    if len(tests) > 1:
        draft.say("test_datasets", "a spec has one held-out set; the first is taken")
    fraction = draft.take("val_set_size")
    if isinstance(fraction, float) and 0 < fraction < 1:
        draft.data["evaluation"] = {"fraction": fraction}
    elif fraction:
        draft.say("val_set_size", f"val_set_size: {fraction} rows; ftc holds rows out by rule or by fraction")
    if draft.data.get("demonstrations") and any(each.get("format") == "chat" for each in draft.data["demonstrations"]):
        draft.task = "chat"


def _source(draft: Draft, each: dict[str, Json], objective: str) -> tuple[str, dict[str, Json]]:
    files = each.get("data_files")
    path = files[0] if isinstance(files, list) and files else files or each.get("path", "")
    if isinstance(files, list) and len(files) > 1:
        draft.say("datasets", f"{len(files)} files in one entry: the first is taken; list the others as sources")
    kind = each.get("type")
    columns: dict[str, str] = {}
    role, form = "demonstrations", "auto"
    fields = kind if isinstance(kind, dict) else each
    for key, name in FIELDS.items():
        if isinstance(fields.get(key), str):
            columns[name] = fields[key]
    if objective in ("dpo", "ipo", "orpo", "simpo"):
        role, form = "feedback", "preference-pairs"
    elif objective == "kto":
        role, form = "feedback", "binary-feedback"
    elif objective == "grpo":
        role, form = "prompts", "auto"
    elif isinstance(kind, str):
        role, form = TYPES.get(kind.split(".")[0], ("demonstrations", "auto"))
    elif isinstance(kind, dict) and columns.keys() & {"instruction", "output"}:
        columns = {
            {"instruction": "prompt", "output": "completion"}.get(name, name): value for name, value in columns.items()
        }
        form = "instruction" if "input" in columns else "prompt-completion"
        if form == "instruction":
            columns = {
                {"prompt": "instruction", "completion": "output"}.get(name, name): v for name, v in columns.items()
            }
    if form == "chat" and isinstance(each.get("field_messages"), str):
        columns["messages"] = each["field_messages"]
    return role, {"path": str(path), "format": form, **({"columns": columns} if columns else {})}
