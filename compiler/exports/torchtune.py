"""A training stage as torchtune's YAML. Written for torchtune 0.6.1 (`tune validate`).

torchtune builds models by name, so only those that it has a builder for can go there. OmegaConf expands `${...}` in
every value; a dollar sign is escaped.
"""

from __future__ import annotations

import math
import re
from typing import Any

from ftc.compiler.exports.recipe import TEST_FILE, TRAIN_FILE, Recipe
from ftc.spec.diagnostics import Diagnostic

Json = dict[str, Any]

SHARD_BYTES = 5e9  # what transformers writes into one file at most
BYTES_PER_PARAMETER = 2  # bf16, as published

# Pattern of the model's name -> module of torchtune.models, builder, model_type of the checkpointer, tokenizer.
BUILDERS: tuple[tuple[str, str, str, str], ...] = (
    (r"qwen2\.5-(0\.5|3)b(-instruct)?", "qwen2_5", "qwen2_5_{0}b", "QWEN2"),
    (r"qwen2\.5-(1\.5|7|14|32|72)b-instruct", "qwen2_5", "qwen2_5_{0}b_instruct", "QWEN2"),
    (r"qwen2\.5-(1\.5|7|14|32|72)b", "qwen2_5", "qwen2_5_{0}b_base", "QWEN2"),
    (r"qwen2-(0\.5|1\.5|7)b(-instruct)?", "qwen2", "qwen2_{0}b", "QWEN2"),
    (r"(?:meta-)?llama-3\.1-(8|70)b(-instruct)?", "llama3_1", "llama3_1_{0}b", "LLAMA3"),
    (r"llama-3\.2-(1|3)b(-instruct)?", "llama3_2", "llama3_2_{0}b", "LLAMA3_2"),
    (r"(?:meta-)?llama-3-(8|70)b(-instruct)?", "llama3", "llama3_{0}b", "LLAMA3"),
    (r"mistral-(7)b(-instruct)?-v0\.[123]", "mistral", "mistral_{0}b", "MISTRAL"),
    (r"gemma-2-(2|9|27)b(-it)?", "gemma2", "gemma2_{0}b", "GEMMA2"),
    (r"gemma-(2|7)b(-it)?", "gemma", "gemma_{0}b", "GEMMA"),
)
TOKENIZERS: dict[str, tuple[str, dict[str, str]]] = {
    "qwen2": ("torchtune.models.qwen2.qwen2_tokenizer", {"path": "vocab.json", "merges_file": "merges.txt"}),
    "qwen2_5": ("torchtune.models.qwen2_5.qwen2_5_tokenizer", {"path": "vocab.json", "merges_file": "merges.txt"}),
    "llama3": ("torchtune.models.llama3.llama3_tokenizer", {"path": "original/tokenizer.model"}),
    "llama3_1": ("torchtune.models.llama3.llama3_tokenizer", {"path": "original/tokenizer.model"}),
    "llama3_2": ("torchtune.models.llama3.llama3_tokenizer", {"path": "original/tokenizer.model"}),
    "mistral": ("torchtune.models.mistral.mistral_tokenizer", {"path": "tokenizer.model"}),
    "gemma": ("torchtune.models.gemma.gemma_tokenizer", {"path": "tokenizer.model"}),
    "gemma2": ("torchtune.models.gemma.gemma_tokenizer", {"path": "tokenizer.model"}),
}
OPTIMIZERS: dict[str, Json] = {
    "adamw_torch": {"_component_": "torch.optim.AdamW"},
    "adamw_torch_fused": {"_component_": "torch.optim.AdamW", "fused": True},
    "adamw_8bit": {"_component_": "bitsandbytes.optim.AdamW8bit"},
    "adamw_bnb_8bit": {"_component_": "bitsandbytes.optim.AdamW8bit"},
    "paged_adamw_8bit": {"_component_": "bitsandbytes.optim.PagedAdamW8bit"},
    "paged_adamw_32bit": {"_component_": "bitsandbytes.optim.PagedAdamW"},
    "sgd": {"_component_": "torch.optim.SGD"},
}
ATTENTION_MODULES = ["q_proj", "k_proj", "v_proj", "output_proj"]  # torchtune's names


def torchtune_config(recipe: Recipe) -> dict[str, Json]:
    """The configuration under the empty name: it is the tool's main file."""
    take, plan = recipe.take, recipe.plan
    built = builder(str(plan.model["base"]))
    if built is None:
        message = f"torchtune has no builder for {plan.model['base']}"
        fix = "export to axolotl, llamafactory or trl, which load any transformers model"
        recipe.notes.append(Diagnostic(code="R721", message=message, fix=fix, key="model.base"))
        return {}
    module, name, model_type = built
    folder = f"models/{name}"
    length = take("max_length")
    tokenizer, files = TOKENIZERS[module]
    dtype = take("dtype")
    if dtype == "fp16":
        recipe.note("dtype", "torchtune trains in bf16 or fp32; fp32 is written")
    checkpointer = _checkpointer(recipe, folder, model_type)
    config: Json = {
        "output_dir": recipe.output,
        "model": _model(recipe, module, name),
        "tokenizer": {
            "_component_": tokenizer,
            **{key: f"{folder}/{file}" for key, file in files.items()},
            "max_seq_len": length,
        },
        "checkpointer": checkpointer,
        **({"ref_checkpointer": checkpointer} if recipe.kind == "dpo" and recipe.adapter == "full" else {}),
        "resume_from_checkpoint": False,
        **_data(recipe),
        "seed": take("seed"),
        "shuffle": True,
        "epochs": math.ceil(take("epochs")),
        "max_steps_per_epoch": None,
        "batch_size": take("micro_batch"),
        "gradient_accumulation_steps": take("gradient_accumulation"),
        **_optimizer(recipe),
        **_loss(recipe),
        "device": "cuda" if plan.hardware["kind"] != "cpu" else "cpu",
        "dtype": "bf16" if dtype == "bf16" else "fp32",
        "enable_activation_checkpointing": take("checkpointing"),
        "enable_activation_offloading": False,
        "clip_grad_norm": take("max_grad_norm"),
        "compile": False,
        "metric_logger": {
            "_component_": "torchtune.training.metric_logging.DiskLogger",
            "log_dir": f"{recipe.output}/logs",
        },
        "log_every_n_steps": take("logging_steps"),
        "log_peak_memory_stats": True,
        "profiler": {"_component_": "torchtune.training.setup_torch_profiler", "enabled": False},
    }
    if recipe.stage.arguments["epochs"] % 1:
        recipe.note(
            "epochs", f"torchtune trains whole epochs: {config['epochs']} for {recipe.stage.arguments['epochs']}"
        )
    recipe.note("data", f"torchtune trains on {TRAIN_FILE}; {TEST_FILE} is for evaluating afterwards")
    fix = f"tune download {_word(plan.model['base'])} --output-dir {folder}"
    recipe.note(
        "model", f"the weights have to lie in {folder}; compare checkpointer.checkpoint_files with what is there", fix
    )
    return {"": _escaped(config)}


def builder(base: str) -> tuple[str, str, str] | None:
    """Module, builder and model type for a hub id or a folder of that name."""
    last = base.rstrip("/").rsplit("/", 1)[-1].lower()
    for pattern, module, name, model_type in BUILDERS:
        found = re.fullmatch(pattern, last)
        if found:
            return module, name.format(found[1].replace(".", "_")), model_type
    return None


def _word(text: str) -> str:
    return text if re.fullmatch(r"[A-Za-z0-9._/-]+", text) else "MODEL"


def _model(recipe: Recipe, module: str, name: str) -> Json:
    lora = recipe.lora
    quantization = recipe.take("quantization")
    if lora is None:
        return {"_component_": f"torchtune.models.{module}.{name}"}
    targets = str(lora["targets"])
    named = [each.strip().replace("o_proj", "output_proj") for each in targets.split(",")]
    attention = ATTENTION_MODULES if targets in ("all-linear", "attention") else named
    mlp = {"gate_proj", "up_proj", "down_proj"}
    if lora["rslora"]:
        recipe.note("lora.rslora", "torchtune has no rank-stabilised LoRA: it scales by alpha / rank")
    if quantization is not None and not quantization["double_quant"]:
        recipe.note("quantization.double_quant", "torchtune's NF4 always quantises its constants too")
    return {
        "_component_": f"torchtune.models.{module}.lora_{name}",
        "lora_attn_modules": [each for each in attention if each in ATTENTION_MODULES],
        "apply_lora_to_mlp": targets == "all-linear" or bool(mlp & set(named)),
        "lora_rank": lora["rank"],
        "lora_alpha": lora["alpha"],
        "lora_dropout": lora["dropout"],
        "use_dora": lora["dora"],
        **({"quantize_base": True} if quantization is not None else {}),
    }


def _checkpointer(recipe: Recipe, folder: str, model_type: str) -> Json:
    size = recipe.plan.model["parameters"] * BYTES_PER_PARAMETER
    shards = math.ceil(size / SHARD_BYTES)
    files: Any = ["model.safetensors"]
    if shards > 1:
        files = {"filename_format": "model-{}-of-{}.safetensors", "max_filename": f"{shards:05d}"}
    return {
        "_component_": "torchtune.training.FullModelHFCheckpointer",
        "checkpoint_dir": folder,
        "checkpoint_files": files,
        "recipe_checkpoint": None,
        "output_dir": recipe.output,
        "model_type": model_type,
    }


def _data(recipe: Recipe) -> Json:
    loss_on = recipe.take("loss_on")
    if recipe.kind == "dpo":
        columns = {"chosen": "chosen", "rejected": "rejected"}
        rows: Json = {"_component_": "torchtune.datasets.preference_dataset", "column_map": columns}
        return {"dataset": {**rows, "source": "json", "data_files": TRAIN_FILE, "split": "train"}}
    if loss_on == "completion":
        recipe.note("loss_on", "torchtune learns from every assistant turn; the plan from the last one of a row")
    return {
        "dataset": {
            "_component_": "torchtune.datasets.chat_dataset",
            "source": "json",
            "data_files": TRAIN_FILE,
            "split": "train",
            "conversation_column": "messages",
            "conversation_style": "openai",
            "train_on_input": loss_on == "all",
            "packed": recipe.take("packing"),
        }
    }


def _optimizer(recipe: Recipe) -> Json:
    take = recipe.take
    asked = take("optimizer")
    if asked not in OPTIMIZERS:
        recipe.note("optimizer", f"{asked} has no counterpart here: AdamW is written")
    optimizer = {
        **OPTIMIZERS.get(asked, OPTIMIZERS["adamw_torch"]),
        "lr": take("learning_rate"),
        "weight_decay": take("weight_decay"),
    }
    scheduler = take("scheduler")
    warmup = take("warmup_steps")
    if scheduler != "cosine":
        recipe.note("scheduler", f"torchtune's recipes take a cosine schedule; the plan has {scheduler}")
    component = "torchtune.training.lr_schedulers.get_cosine_schedule_with_warmup"
    return {"optimizer": optimizer, "lr_scheduler": {"_component_": component, "num_warmup_steps": warmup}}


def _loss(recipe: Recipe) -> Json:
    take = recipe.take
    if recipe.kind == "dpo":
        beta, smoothing = take("beta", 0.1), take("label_smoothing", 0.0)
        loss = {"_component_": "torchtune.rlhf.loss.DPOLoss", "beta": beta, "label_smoothing": smoothing or 0.0}
        return {"loss": loss}
    chunked = take("chunked_loss")
    name = "torchtune.modules.loss.CEWithChunkedOutputLoss" if chunked else "torch.nn.CrossEntropyLoss"
    return {"loss": {"_component_": name}}


def _escaped(value: Any) -> Any:
    r"""`${` as text: OmegaConf reads `\${` as it is."""
    if isinstance(value, str):
        return value.replace("${", "\\${")
    if isinstance(value, dict):
        return {key: _escaped(each) for key, each in value.items()}
    return [_escaped(each) for each in value] if isinstance(value, list) else value
