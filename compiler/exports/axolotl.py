"""A training stage as axolotl's YAML. Written for axolotl 0.19.0; benchmarks/interop has what its parser said."""

from __future__ import annotations

from typing import Any

from ftc.compiler.exports.recipe import TEST_FILE, TRAIN_FILE, Recipe

Json = dict[str, Any]

ATTENTION = {"flash_attention_2": "flash_attention_2", "sdpa": "sdpa", "eager": "eager"}
RL = {"dpo": "dpo", "kto": "kto", "grpo": "grpo"}


def axolotl_config(recipe: Recipe) -> dict[str, Json]:
    """The configuration under the empty name: it is the tool's main file."""
    take, plan = recipe.take, recipe.plan
    dtype = take("dtype")
    config: Json = {
        "base_model": recipe.start,
        "revision_of_model": plan.model["revision"],
        "trust_remote_code": plan.model["trust_remote_code"] or None,
        "output_dir": recipe.output,
        **_task(recipe),
        "sequence_len": take("max_length"),
        "sample_packing": take("packing") if recipe.kind in ("sft", "cpt") else None,
        "group_by_length": take("group_by_length") or None,
        **_adapter(recipe),
        "micro_batch_size": take("micro_batch"),
        "gradient_accumulation_steps": take("gradient_accumulation"),
        "num_epochs": take("epochs"),
        "learning_rate": take("learning_rate"),
        "lr_scheduler": take("scheduler"),
        "warmup_steps": take("warmup_steps"),
        "optimizer": take("optimizer"),
        "weight_decay": take("weight_decay"),
        "max_grad_norm": take("max_grad_norm"),
        "neftune_noise_alpha": take("neftune_alpha"),
        "bf16": dtype == "bf16",
        "fp16": dtype == "fp16",
        "tf32": False,
        "gradient_checkpointing": take("checkpointing"),
        "attn_implementation": ATTENTION.get(take("attention"), "sdpa"),
        "chunked_cross_entropy": take("chunked_loss") or None,
        "logging_steps": take("logging_steps"),
        "eval_steps": take("eval_steps"),
        "save_steps": take("save_steps"),
        "save_total_limit": take("keep_checkpoints"),
        "early_stopping_patience": take("early_stopping_patience"),
        "seed": take("seed"),
    }
    if config["early_stopping_patience"]:
        config |= {"load_best_model_at_end": True, "metric_for_best_model": "eval_loss", "greater_is_better": False}
    if recipe.kind in RL and config["chunked_cross_entropy"]:
        config["chunked_cross_entropy"] = None
    config |= _several_devices(recipe)
    return {"": {key: value for key, value in config.items() if value is not None}}


def _task(recipe: Recipe) -> Json:
    """Data and objective."""
    take = recipe.take
    loss_on = take("loss_on")
    rows: Json = {"path": "json", "data_files": [TRAIN_FILE], "split": "train"}
    held_out: Json = {"path": "json", "data_files": [TEST_FILE], "split": "train"}
    match recipe.kind:
        case "sft":
            kind: Json = {"type": "chat_template", "field_messages": "messages"}
            roles = {"completion": ["assistant"], "assistant": ["assistant"], "all": ["user", "assistant", "system"]}
            kind["roles_to_train"] = roles[loss_on]
            if loss_on == "completion":
                recipe.note("loss_on", "axolotl learns from every assistant turn; the plan from the last one of a row")
            return {
                "chat_template": "tokenizer_default",
                "datasets": [{**rows, "ds_type": "json", **kind}],
                "test_datasets": [{**held_out, "ds_type": "json", **kind}],
                "train_on_inputs": loss_on == "all",
            }
        case "cpt":
            kind = {"type": "completion", "field": "text"}
            return {
                "datasets": [{**rows, "ds_type": "json", **kind}],
                "test_datasets": [{**held_out, "ds_type": "json", **kind}],
            }
        case "reward":
            kind = {"type": "bradley_terry.chat_template"}
            return {
                "reward_model": True,
                "chat_template": "tokenizer_default",
                "datasets": [{**rows, "ds_type": "json", **kind}],
                "test_datasets": [{**held_out, "ds_type": "json", **kind}],
            }
        case "dpo":
            kind = {"type": "chat_template.default"}
            kind |= {"field_messages": "messages", "field_chosen": "chosen", "field_rejected": "rejected"}
            return {
                "rl": "dpo",
                "chat_template": "tokenizer_default",
                "datasets": [{**rows, **kind}],
                "test_datasets": [{**held_out, **kind}],
                "rl_beta": take("beta"),
                "dpo_label_smoothing": take("label_smoothing") or None,
                "precompute_ref_log_probs": take("precompute_reference") or None,
            }
        case "kto":
            fields = {"field_prompt": "prompt", "field_completion": "completion", "field_label": "label"}
            recipe.note("chat_template", "axolotl's KTO reads text: prompts go in without a chat template")
            return {
                "rl": "kto",
                "datasets": [{**rows, "type": fields}],
                "test_datasets": [{**held_out, "type": fields}],
                "rl_beta": take("beta"),
                "kto_desirable_weight": take("desirable_weight"),
                "kto_undesirable_weight": take("undesirable_weight"),
                "remove_unused_columns": False,
            }
        case _:
            recipe.note("reward", "axolotl takes reward functions as Python modules of its own", "trl.reward_funcs")
            generation: Json = {
                "beta": take("beta"),
                "num_generations": take("group"),
                "max_completion_length": take("max_completion_length"),
                "temperature": take("temperature"),
                "reward_funcs": ["rewards.score"],
            }
            return {
                "rl": "grpo",
                "chat_template": "tokenizer_default",
                "datasets": [{**rows, "ds_type": "json", "type": "rewards.prompts"}],
                "trl": {key: value for key, value in generation.items() if value is not None},
            }


def _adapter(recipe: Recipe) -> Json:
    lora = recipe.lora
    quantization = recipe.take("quantization")
    if lora is None:
        return {}
    targets = str(lora["targets"])
    attention = ["q_proj", "k_proj", "v_proj", "o_proj"]
    named = attention if targets == "attention" else [each.strip() for each in targets.split(",")]
    config: Json = {
        "adapter": recipe.adapter,
        "lora_r": lora["rank"],
        "lora_alpha": lora["alpha"],
        "lora_dropout": lora["dropout"],
        **({"lora_target_linear": True} if targets == "all-linear" else {"lora_target_modules": named}),
        "peft_use_rslora": lora["rslora"] or None,
        "peft_use_dora": lora["dora"] or None,
        # axolotl keeps adapters in fp32 unless this is off
        "peft_autocast_adapter_dtype": None if lora["dtype"] == "fp32" else False,
    }
    if quantization is not None:
        config["load_in_4bit"] = True
        config["bnb_config_kwargs"] = {
            "bnb_4bit_quant_type": quantization["type"],
            "bnb_4bit_use_double_quant": quantization["double_quant"],
        }
    return config


def _several_devices(recipe: Recipe) -> Json:
    sharding = recipe.take("sharding", "none")
    if sharding in ("none", "ddp"):
        return {}
    if sharding == "fsdp":
        wrapped = {"auto_wrap_policy": "TRANSFORMER_BASED_WRAP", "state_dict_type": "FULL_STATE_DICT"}
        return {"fsdp_version": 2, "fsdp_config": {**wrapped, "reshard_after_forward": True}}
    return {"deepspeed": f"deepspeed_configs/{sharding}.json"}
