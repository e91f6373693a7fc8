"""What all training stages share: where they start, the plan's arguments under TRL's names, resuming, saving.

Continues from the last whole checkpoint where there is one. The result is in `final/`: a model, or an adapter.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig

from ftc.compiler.stages import Training
from ftc.runtime import checkpoints
from ftc.runtime.asked import ASKED
from ftc.runtime.codes import Stopped
from ftc.runtime.context import Context
from ftc.runtime.distributed import barrier, check_spread, leads, spread_arguments
from ftc.runtime.loading import base_of, dtype_of, keep_quantised_weights, quantization, trained_folder
from ftc.runtime.run_folder import read_rows
from ftc.runtime.trackers import training_arguments
from ftc.spec.diagnostics import Severity

FINAL = "final"
HELD_OUT_ROWS = 512  # for the curve during training; the evaluation after it uses all of them
ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Where a training stage begins: a hub id or a folder, and how to load it."""

    place: str
    options: Mapping[str, Any] = field(default_factory=dict)


def start_of(context: Context, start_from: str) -> Start:
    """The base, or the whole model that an earlier stage left."""
    if start_from == "base":
        place, options = base_of(context)
        return Start(place=place, options=options)
    return Start(place=str(trained_folder(context, start_from)))


def rows_a_step(told: Training) -> int:
    """Rows behind one optimiser step, over all processes."""
    return told.micro_batch * told.gradient_accumulation * told.nodes * told.processes


def common_arguments(told: Training, output: Path, *, evaluated: bool) -> dict[str, Any]:
    """The plan's arguments under transformers' names, and the defaults that bite switched off."""
    best = told.early_stopping_patience is not None and evaluated
    return {
        "output_dir": str(output),
        "learning_rate": told.learning_rate,
        "lr_scheduler_type": told.scheduler,
        "warmup_steps": told.warmup_steps,
        "num_train_epochs": told.epochs,
        "max_steps": told.steps,
        "per_device_train_batch_size": told.micro_batch,
        "per_device_eval_batch_size": told.micro_batch * 2,
        "gradient_accumulation_steps": told.gradient_accumulation,
        "optim": told.optimizer,
        "weight_decay": told.weight_decay,
        "max_grad_norm": told.max_grad_norm,
        "bf16": False,
        "fp16": told.dtype == "fp16",
        "gradient_checkpointing": told.checkpointing,
        "logging_steps": told.logging_steps,
        "logging_nan_inf_filter": False,
        "eval_strategy": "steps" if evaluated else "no",
        "eval_steps": told.eval_steps if evaluated else None,
        "save_strategy": "steps",
        "save_steps": told.save_steps,
        "save_total_limit": None,  # the watch lets go of old ones, after the new one is sealed
        "load_best_model_at_end": best,
        "metric_for_best_model": "loss" if best else None,
        "seed": told.seed,
        "data_seed": told.seed,
        "use_cpu": not torch.cuda.is_available(),
        "dataloader_num_workers": 0,
        "dataloader_pin_memory": torch.cuda.is_available(),
        **training_arguments(output),
        "disable_tqdm": True,
        **spread_arguments(told),
    }


def model_arguments(told: Training, start: Start) -> dict[str, Any]:
    """How TRL is to load the model: `model_init_kwargs`, and whether code from the hub may run."""
    plain = {name: value for name, value in start.options.items() if name != "trust_remote_code"}
    return {
        "model_init_kwargs": {
            **plain,
            "dtype": dtype_of("fp32" if told.adapter == "full" and told.dtype == "fp16" else told.dtype),
            "attn_implementation": told.attention,
            "use_safetensors": True,
        },
        "trust_remote_code": bool(start.options.get("trust_remote_code", False)),
    }


def has_dropout(told: Training) -> bool:
    """Whether the plan asks for dropout. The base's own would make the reference of preference methods noisy."""
    return bool(told.lora and told.lora["dropout"])


def curve_rows(context: Context, told: Training) -> list[dict[str, Any]]:
    """The held-out rows that are watched during training: some by lot where there are many, none where none are."""
    if not told.eval_steps:
        return []
    rows = list(read_rows(context.run.held_out_rows(told.rows)))
    if len(rows) <= HELD_OUT_ROWS:
        return rows
    chosen = random.Random(told.seed).sample(range(len(rows)), HELD_OUT_ROWS)  # noqa: S311 - a lot, not a secret
    return [rows[number] for number in sorted(chosen)]


def adapter_of(told: Training, task_type: str = "CAUSAL_LM") -> LoraConfig | None:
    """peft's configuration; None where all weights are trained."""
    if told.lora is None:
        return None
    lora = told.lora
    targets = str(lora["targets"])
    named = {"all-linear": "all-linear", "attention": ATTENTION}
    return LoraConfig(
        r=lora["rank"],
        lora_alpha=lora["alpha"],
        lora_dropout=lora["dropout"],
        target_modules=named.get(targets, [each.strip() for each in targets.split(",")]),
        use_rslora=lora["rslora"],
        use_dora=lora["dora"],
        bias="none",
        task_type=task_type,
    )


def quantization_of(told: Training) -> Any:
    """bitsandbytes' configuration, or None."""
    sharded = told.sharding in ("fsdp", "zero3")
    return quantization(told.quantization, sharded=sharded) if told.quantization else None


def make_ready(trainer: Any, told: Training) -> None:
    """What TRL leaves open once a trainer stands: adapters in the plan's type, quantised weights left as they are."""
    check_spread(trainer, told)
    keep_quantised_weights(trainer.model)
    if told.lora:
        # TRL makes QLoRA's adapters bf16, and a resumed run has them in fp32: the two would end with other weights.
        for parameter in trainer.model.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.to(dtype_of(told.lora["dtype"]))
    if told.early_stopping_patience is not None and trainer.eval_dataset is not None:
        from transformers import EarlyStoppingCallback

        trainer.add_callback(EarlyStoppingCallback(told.early_stopping_patience))


def carry_out(context: Context, trainer: Any, tokenizer: Any) -> dict[str, Any]:
    """Train from the last checkpoint, or from the start; save; the result of the stage."""
    told: Training = context.arguments
    found = trainer.train(resume_from_checkpoint=_resume(context, context.folder))
    if ASKED.stop:
        raise Stopped("R202", "stopped after a checkpoint", step=trainer.state.global_step)
    _save(trainer, tokenizer, context.folder / FINAL)
    barrier()
    trained = [each for each in trainer.model.parameters() if each.requires_grad]
    return {
        "model": FINAL,
        "adapter": told.adapter,
        "steps": trainer.state.global_step,
        "steps_planned": told.steps,
        "train_loss": found.training_loss,
        "best_step": trainer.state.best_global_step if trainer.args.load_best_model_at_end else None,
        "trainable_parameters": sum(each.numel() for each in trained),
        "parameters": sum(each.numel() for each in trainer.model.parameters()),
        "tokens": int(getattr(trainer, "_total_train_tokens", 0)),
        "micro_batch": told.micro_batch,
        "gradient_accumulation": told.gradient_accumulation,
    }


def _resume(context: Context, output: Path) -> str | None:
    """The last whole checkpoint; those that were cut off are removed."""
    good, cut = checkpoints.found(output)
    barrier()  # all have looked before one clears away
    if leads():
        for each in cut:
            shutil.rmtree(each)
            context.remark("R303", f"{each.name} was cut off and is passed over", Severity.NOTE)
    barrier()
    if not good:
        return None
    context.journal.write("resumed", step=checkpoints.step_of(good[-1]))
    return str(good[-1])


def _save(trainer: Any, tokenizer: Any, folder: Path) -> None:
    """Whole or not at all: written beside, then renamed. Every rank takes part, because weights may be spread."""
    beside = folder.with_name(f".{folder.name}.part")
    if leads():
        shutil.rmtree(beside, ignore_errors=True)
    barrier()
    trainer.save_model(str(beside))
    if not leads():
        return
    tokenizer.save_pretrained(beside)
    shutil.rmtree(folder, ignore_errors=True)
    beside.rename(folder)
