"""Supervised training through TRL's SFTTrainer: full, LoRA or QLoRA, every argument from the plan.

Continues from the last whole checkpoint where there is one. The result is in `final/`: a model, or an adapter.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from trl import SFTConfig

from ftc.compiler.stages import Train
from ftc.runtime import checkpoints
from ftc.runtime.asked import ASKED
from ftc.runtime.codes import Stopped
from ftc.runtime.context import Context
from ftc.runtime.loading import (
    base_of,
    dtype_of,
    keep_quantised_weights,
    load_tokenizer,
    quantization,
    trained_folder,
)
from ftc.runtime.run_folder import read_rows
from ftc.runtime.tokens import Encoded, encode
from ftc.runtime.training import RowOrder, Trainer, Watch
from ftc.spec.diagnostics import Severity

FINAL = "final"
HELD_OUT_ROWS = 512  # for the curve during training; the evaluation after it uses all of them


def run(context: Context) -> dict[str, Any]:
    """Train; the result says where the model is and what the trainer counted."""
    told: Train = context.arguments
    tokenizer = load_tokenizer(context)
    train, held_out = _rows(context, told, tokenizer)
    output = context.folder
    batch = told.micro_batch * told.gradient_accumulation
    order = RowOrder([len(ids) for ids in train.input_ids], told.seed, batch if told.group_by_length else None)
    watch = Watch(context, order, train.places, keep=max(2, told.keep_checkpoints), output=output)
    place, options = _start(context, told)
    trainer = Trainer(
        order=order,
        watch=watch,
        model=place,
        args=_settings(told, output, options, evaluated=held_out is not None),
        train_dataset=_dataset(train),
        eval_dataset=_dataset(held_out) if held_out else None,
        processing_class=tokenizer,
        peft_config=_adapter(told.lora) if told.lora else None,
        quantization_config=quantization(told.quantization) if told.quantization else None,
    )
    keep_quantised_weights(trainer.model)
    if told.lora:
        _cast_adapters(trainer.model, dtype_of(told.lora["dtype"]))
    if told.early_stopping_patience is not None and held_out is not None:
        from transformers import EarlyStoppingCallback

        trainer.add_callback(EarlyStoppingCallback(told.early_stopping_patience))
    found = trainer.train(resume_from_checkpoint=_resume(context, output))
    if ASKED.stop:
        raise Stopped("R202", "stopped after a checkpoint", step=trainer.state.global_step)
    _save(trainer, tokenizer, output / FINAL)
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


def _rows(context: Context, told: Train, tokenizer: Any) -> tuple[Encoded, Encoded | None]:
    train = encode(tokenizer, list(read_rows(context.run.train_rows)), loss_on=told.loss_on, max_length=told.max_length)
    if not train.input_ids:
        raise Stopped("R210", "no row has a token to learn from")
    if not told.eval_steps:
        return train, None
    rows = list(read_rows(context.run.held_out_rows))
    every = max(1, len(rows) // HELD_OUT_ROWS)
    held_out = encode(tokenizer, rows[::every][:HELD_OUT_ROWS], loss_on=told.loss_on, max_length=told.max_length)
    return train, held_out if held_out.input_ids else None


def _dataset(rows: Encoded) -> Dataset:
    return Dataset.from_dict({"input_ids": rows.input_ids, "labels": rows.labels})


def _start(context: Context, told: Train) -> tuple[str, dict[str, Any]]:
    if told.start_from == "base":
        return base_of(context)
    return str(trained_folder(context, told.start_from)), {}


def _settings(told: Train, output: Path, options: Mapping[str, Any], *, evaluated: bool) -> SFTConfig:
    """Every argument of the plan under TRL's name, and the defaults that bite switched off."""
    best = told.early_stopping_patience is not None and evaluated
    return SFTConfig(
        output_dir=str(output),
        model_init_kwargs={
            **{name: value for name, value in options.items() if name != "trust_remote_code"},
            "dtype": dtype_of("fp32" if told.adapter == "full" and told.dtype == "fp16" else told.dtype),
            "attn_implementation": told.attention,
            "use_safetensors": True,
        },
        trust_remote_code=bool(options.get("trust_remote_code", False)),
        learning_rate=told.learning_rate,
        lr_scheduler_type=told.scheduler,
        warmup_steps=told.warmup_steps,
        num_train_epochs=told.epochs,
        max_steps=-1 if told.packing else told.steps,
        per_device_train_batch_size=told.micro_batch,
        per_device_eval_batch_size=told.micro_batch * 2,
        gradient_accumulation_steps=told.gradient_accumulation,
        max_length=told.max_length,
        packing=told.packing,
        eval_packing=False,
        completion_only_loss=None,
        optim=told.optimizer,
        weight_decay=told.weight_decay,
        max_grad_norm=told.max_grad_norm,
        neftune_noise_alpha=told.neftune_alpha,
        bf16=False,
        fp16=told.dtype == "fp16",
        gradient_checkpointing=told.checkpointing,
        logging_steps=told.logging_steps,
        logging_nan_inf_filter=False,
        eval_strategy="steps" if evaluated else "no",
        eval_steps=told.eval_steps if evaluated else None,
        save_strategy="steps",
        save_steps=told.save_steps,
        save_total_limit=None,  # the watch lets go of old ones, after the new one is sealed
        load_best_model_at_end=best,
        metric_for_best_model="loss" if best else None,
        seed=told.seed,
        data_seed=told.seed,
        use_cpu=not torch.cuda.is_available(),
        dataloader_num_workers=0,
        dataloader_pin_memory=torch.cuda.is_available(),
        report_to="none",
        disable_tqdm=True,
    )


def _adapter(told: Mapping[str, Any]) -> LoraConfig:
    targets = str(told["targets"])
    attention = ["q_proj", "k_proj", "v_proj", "o_proj"]
    return LoraConfig(
        r=told["rank"],
        lora_alpha=told["alpha"],
        lora_dropout=told["dropout"],
        target_modules={"all-linear": "all-linear", "attention": attention}.get(
            targets, [each.strip() for each in targets.split(",")]
        ),
        use_rslora=told["rslora"],
        use_dora=told["dora"],
        bias="none",
        task_type="CAUSAL_LM",
    )


def _cast_adapters(model: Any, dtype: Any) -> None:
    """TRL makes QLoRA's adapters bf16, and a resumed run has them in fp32: the two would end with different weights."""
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.to(dtype)


def _resume(context: Context, output: Path) -> str | None:
    """The last whole checkpoint; those that were cut off are removed."""
    good, cut = checkpoints.found(output)
    for each in cut:
        shutil.rmtree(each)
        context.remark("R303", f"{each.name} was cut off and is passed over", Severity.NOTE)
    if not good:
        return None
    context.journal.write("resumed", step=checkpoints.step_of(good[-1]))
    return str(good[-1])


def _save(trainer: Any, tokenizer: Any, folder: Path) -> None:
    """Whole or not at all: written beside, then renamed."""
    beside = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    trainer.save_model(str(beside))
    tokenizer.save_pretrained(beside)
    shutil.rmtree(folder, ignore_errors=True)
    beside.rename(folder)
