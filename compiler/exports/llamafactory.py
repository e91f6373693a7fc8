"""A training stage as LLaMA-Factory's YAML, and `data/dataset_info.json`. Written for llamafactory 0.9.5."""

from __future__ import annotations

from typing import Any

from ftc.compiler.exports.recipe import Recipe

Json = dict[str, Any]

STAGES = {"sft": "sft", "cpt": "pt", "dpo": "dpo", "kto": "kto", "reward": "rm"}
ATTENTION = {"flash_attention_2": "fa2", "sdpa": "sdpa", "eager": "disabled"}
TAGS = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}
TAGS |= {"system_tag": "system", "observation_tag": "tool", "function_tag": "function"}


def llamafactory_config(recipe: Recipe) -> dict[str, Json]:
    """The configuration under the empty name, and the description of its data."""
    take, plan = recipe.take, recipe.plan
    dtype = take("dtype")
    loss_on = take("loss_on")
    config: Json = {
        "model_name_or_path": recipe.start,
        "model_revision": plan.model["revision"],
        "trust_remote_code": plan.model["trust_remote_code"] or None,
        "flash_attn": ATTENTION.get(take("attention"), "auto"),
        "stage": STAGES[recipe.kind],
        "do_train": True,
        **_adapter(recipe),
        **_preference(recipe),
        "dataset_dir": "data",
        "dataset": "train",
        "eval_dataset": "test",
        "cutoff_len": take("max_length"),
        "train_on_prompt": True if loss_on == "all" and recipe.kind == "sft" else None,
        "mask_history": True if loss_on == "completion" and recipe.kind == "sft" else None,
        "packing": take("packing") if recipe.kind in ("sft", "cpt") else None,
        "neat_packing": True if recipe.kind == "sft" and recipe.stage.arguments.get("packing") else None,
        "output_dir": recipe.output,
        "per_device_train_batch_size": take("micro_batch"),
        "gradient_accumulation_steps": take("gradient_accumulation"),
        "learning_rate": take("learning_rate"),
        "lr_scheduler_type": take("scheduler"),
        "warmup_steps": take("warmup_steps"),
        "num_train_epochs": take("epochs"),
        "optim": take("optimizer"),
        "weight_decay": take("weight_decay"),
        "max_grad_norm": take("max_grad_norm"),
        "neftune_noise_alpha": take("neftune_alpha"),
        "bf16": dtype == "bf16",
        "fp16": dtype == "fp16",
        "disable_gradient_checkpointing": not take("checkpointing"),
        "train_sampling_strategy": "group_by_length" if take("group_by_length") else None,
        "logging_steps": take("logging_steps"),
        "eval_strategy": "steps",
        "eval_steps": take("eval_steps"),
        "save_steps": take("save_steps"),
        "save_total_limit": take("keep_checkpoints"),
        "early_stopping_steps": take("early_stopping_patience"),
        "report_to": "none",
        "seed": take("seed"),
    }
    if recipe.kind == "reward" and config["early_stopping_steps"]:
        config["early_stopping_steps"] = None
        recipe.note("early_stopping_patience", "LLaMA-Factory stops no reward model early")
    if config["early_stopping_steps"]:
        config |= {"load_best_model_at_end": True, "metric_for_best_model": "eval_loss"}
    sharding = take("sharding", "none")
    if sharding not in ("none", "ddp"):
        fix = f"deepspeed: examples/deepspeed/ds_z{2 if sharding == 'zero2' else 3}_config.json of LLaMA-Factory"
        recipe.note("sharding", "sharding comes from a file of LLaMA-Factory's own", fix)
    written = {key: value for key, value in config.items() if value is not None}
    return {"": written, "data/dataset_info.json": {name: _data(recipe.kind, name) for name in ("train", "test")}}


def _preference(recipe: Recipe) -> Json:
    take = recipe.take
    if recipe.kind == "dpo":
        losses = {"sigmoid": "sigmoid", "hinge": "hinge", "ipo": "ipo"}
        loss = take("loss_type") or "sigmoid"
        return {
            "pref_beta": take("beta"),
            "pref_loss": losses.get(loss if isinstance(loss, str) else loss[0], "sigmoid"),
            "dpo_label_smoothing": take("label_smoothing") or None,
        }
    if recipe.kind == "kto":
        return {
            "pref_beta": take("beta"),
            "kto_chosen_weight": take("desirable_weight"),
            "kto_rejected_weight": take("undesirable_weight"),
        }
    return {}


def _adapter(recipe: Recipe) -> Json:
    lora = recipe.lora
    quantization = recipe.take("quantization")
    if lora is None:
        return {"finetuning_type": "full"}
    targets = str(lora["targets"])
    named = {"all-linear": "all", "attention": "q_proj,k_proj,v_proj,o_proj"}
    config: Json = {
        "finetuning_type": "lora",
        "lora_rank": lora["rank"],
        "lora_alpha": lora["alpha"],
        "lora_dropout": lora["dropout"],
        "lora_target": named.get(targets, targets),
        "use_rslora": lora["rslora"] or None,
        "use_dora": lora["dora"] or None,
        "pure_bf16": True if lora["dtype"] == "bf16" and quantization is None else None,
    }
    if quantization is not None:
        config |= {
            "quantization_bit": 4,
            "quantization_method": "bnb",
            "quantization_type": quantization["type"],
            "double_quantization": quantization["double_quant"],
        }
    return config


def _data(kind: str, name: str) -> Json:
    """How the rows of `rows.py` read: conversations with roles, or text."""
    if kind == "cpt":
        return {"file_name": f"{name}.jsonl", "columns": {"prompt": "text"}}
    columns = {"messages": "messages"}
    described: Json = {"file_name": f"{name}.jsonl", "formatting": "sharegpt", "columns": columns, "tags": TAGS}
    if kind in ("dpo", "reward"):
        columns |= {"chosen": "chosen", "rejected": "rejected"}
        described["ranking"] = True
    if kind == "kto":
        columns["kto_tag"] = "label"
    return described
