"""A training stage as the YAML of TRL's command line. Written for trl 1.16.0 (`trl sft --config`)."""

from __future__ import annotations

from typing import Any

from ftc.compiler.exports.recipe import Recipe

Json = dict[str, Any]


def trl_config(recipe: Recipe) -> dict[str, Json]:
    """The configuration under the empty name: it is the tool's main file."""
    take, plan = recipe.take, recipe.plan
    dtype = take("dtype")
    gpu = plan.hardware["kind"] != "cpu"
    patience = take("early_stopping_patience")
    config: Json = {
        "model_name_or_path": recipe.start,
        "model_revision": plan.model["revision"],
        "dtype": {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}[dtype],
        "attn_implementation": take("attention"),
        "trust_remote_code": plan.model["trust_remote_code"] or None,
        "dataset_name": "./data",  # train.jsonl and test.jsonl are its splits
        "output_dir": recipe.output,
        **_objective(recipe),
        **_adapter(recipe),
        "learning_rate": take("learning_rate"),
        "lr_scheduler_type": take("scheduler"),
        "warmup_steps": take("warmup_steps"),
        "num_train_epochs": take("epochs"),
        "per_device_train_batch_size": take("micro_batch"),
        "gradient_accumulation_steps": take("gradient_accumulation"),
        "optim": take("optimizer"),
        "weight_decay": take("weight_decay"),
        "max_grad_norm": take("max_grad_norm"),
        "neftune_noise_alpha": take("neftune_alpha"),
        "bf16": dtype == "bf16",
        "fp16": dtype == "fp16",
        "use_cpu": None if gpu else True,
        "gradient_checkpointing": take("checkpointing"),
        "train_sampling_strategy": "group_by_length" if take("group_by_length") else None,
        "logging_steps": take("logging_steps"),
        "eval_strategy": "steps",
        "eval_steps": take("eval_steps"),
        "save_strategy": "steps",
        "save_steps": take("save_steps"),
        "save_total_limit": take("keep_checkpoints"),
        "report_to": "none",
        "seed": take("seed"),
    }
    if patience:
        config |= {"load_best_model_at_end": True, "metric_for_best_model": "eval_loss"}
        recipe.note(
            "early_stopping_patience", f"TRL's command line keeps the best checkpoint, and stops at none ({patience})"
        )
    if take("sharding", "none") not in ("none", "ddp"):
        how = "accelerate launch --use_fsdp --fsdp_version 2, or --use_deepspeed, before `trl`"
        recipe.note("sharding", "sharding is said to accelerate, not in this file", how)
    return {"": {key: value for key, value in config.items() if value is not None}}


def _objective(recipe: Recipe) -> Json:
    take = recipe.take
    loss_on = take("loss_on")
    length = take("max_length")
    match recipe.kind:
        case "sft" | "cpt":
            return {
                "max_length": length,
                "packing": take("packing"),
                "completion_only_loss": loss_on == "completion" if recipe.kind == "sft" else None,
                "assistant_only_loss": True if loss_on == "assistant" else None,
                "dataset_text_field": "text" if recipe.kind == "cpt" else None,
                "loss_type": "chunked_nll" if take("chunked_loss") else "nll",
            }
        case "dpo":
            return {
                "max_length": length,
                "beta": take("beta"),
                "loss_type": take("loss_type"),
                "label_smoothing": take("label_smoothing"),
                "precompute_ref_log_probs": take("precompute_reference") or None,
            }
        case "kto":
            return {
                "max_length": length,
                "beta": take("beta"),
                "desirable_weight": take("desirable_weight"),
                "undesirable_weight": take("undesirable_weight"),
                "precompute_ref_log_probs": take("precompute_reference") or None,
            }
        case "reward":
            return {"max_length": length}
        case _:
            recipe.note("reward", "TRL's command line takes rewards by import path", "reward_funcs: [module.function]")
            return {
                "beta": take("beta"),
                "num_generations": take("group"),
                "max_completion_length": take("max_completion_length"),
                "temperature": take("temperature"),
                "reward_funcs": ["accuracy_reward"] if recipe.kind == "grpo" else None,
            }


def _adapter(recipe: Recipe) -> Json:
    lora = recipe.lora
    quantization = recipe.take("quantization")
    if lora is None:
        return {}
    targets = str(lora["targets"])
    attention = ["q_proj", "k_proj", "v_proj", "o_proj"]
    named = {"all-linear": ["all-linear"], "attention": attention}
    if lora["dtype"] == "bf16" and quantization is None:
        recipe.note("lora.dtype", "TRL's command line keeps LoRA weights in the dtype that PEFT chooses (fp32)")
    config: Json = {
        "use_peft": True,
        "lora_r": lora["rank"],
        "lora_alpha": lora["alpha"],
        "lora_dropout": lora["dropout"],
        "lora_target_modules": named.get(targets, [each.strip() for each in targets.split(",")]),
        "use_rslora": lora["rslora"] or None,
        "use_dora": lora["dora"] or None,
        "lora_task_type": "SEQ_CLS" if recipe.kind == "reward" else None,
    }
    if quantization is not None:
        config |= {
            "load_in_4bit": True,
            "bnb_4bit_quant_type": quantization["type"],
            "use_bnb_nested_quant": quantization["double_quant"],
        }
        if lora["dtype"] == "fp32":
            recipe.note(
                "lora.dtype", "TRL casts the adapters of a quantised model to bf16; the plan keeps them in fp32"
            )
    return config
