"""What one writes with TRL and nothing else: SFTTrainer on prompts and completions. Started by run.py.

`defaults`: TRL's defaults, with the plan's learning rate, schedule, steps, adapter and effective batch. `fp32`: without
autocast to bf16, which many CPUs only emulate. `identical`: every setting of the plan, given to TRL directly, on rows
that are tokenised beforehand as ftc does it.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoTokenizer, TrainerCallback
from trl import SFTConfig, SFTTrainer

from ftc.runtime.context import open_context
from ftc.runtime.loading import base_of
from ftc.runtime.run_folder import read_rows
from ftc.runtime.stages.sft import _rows, settings
from ftc.runtime.train import adapter_of, start_of


class Clock(TrainerCallback):
    """The times and losses of the loop, as ftc's journal has them; kept in memory until the end."""

    def __init__(self) -> None:
        self.began = 0.0
        self.seen: list[dict[str, Any]] = []

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Start."""
        self.began = time.time()
        self.seen.append({"kind": "began", "ts": self.began, "cpu": time.process_time()})

    def on_log(self, _: Any, state: Any, __: Any, logs: dict[str, Any], **___: Any) -> None:
        """A step, or a held-out loss."""
        now = time.time()
        if "eval_loss" in logs:
            self.seen.append(
                {
                    "kind": "held_out",
                    "ts": now,
                    "step": state.global_step,
                    "loss": logs["eval_loss"],
                    "cpu": time.process_time(),
                }
            )
        elif "loss" in logs:
            step = {
                "kind": "step",
                "ts": now,
                "step": state.global_step,
                "loss": float(logs["loss"]),
                "cpu": time.process_time(),
            }
            self.seen.append({**step, "tokens": logs.get("num_tokens"), "seconds": now - self.began})


def main(run: Path, how: str) -> None:
    """Train, write what was seen."""
    context = open_context(run, "sft")
    told = context.arguments
    clock = Clock()
    if how == "identical":
        tokenizer = AutoTokenizer.from_pretrained(base_of(context)[0])
        train, _ = _rows(context, told, tokenizer)
        data = Dataset.from_dict({"input_ids": train.input_ids, "labels": train.labels})
        arguments = settings(told, run / "out", start_of(context, told.start_from), evaluated=False)
        held_out = None
    else:
        tokenizer = None
        data, held_out = (_conversational(path) for path in (context.run.train_rows(told.rows),
                                                            context.run.held_out_rows(told.rows)))  # fmt: skip
        batch = told.micro_batch * told.gradient_accumulation
        # On a CPU TRL's defaults are refused: it has to be told, and autocast to bf16, its default, is left to `how`.
        machine = {} if torch.cuda.is_available() else {"use_cpu": True, "bf16": how == "defaults"}
        size = SFTConfig(output_dir=str(run / "out"), **machine).per_device_train_batch_size  # TRL's own default
        arguments = SFTConfig(
            output_dir=str(run / "out"), learning_rate=told.learning_rate, lr_scheduler_type=told.scheduler,
            warmup_steps=told.warmup_steps, max_steps=told.steps, per_device_train_batch_size=min(size, batch),
            gradient_accumulation_steps=max(1, batch // size), eval_strategy="steps", eval_steps=told.eval_steps,
            logging_steps=told.logging_steps, save_steps=told.save_steps, report_to="none", disable_tqdm=True,
            seed=told.seed, **machine,
        )  # fmt: skip
    trainer = SFTTrainer(
        model=base_of(context)[0], args=arguments, train_dataset=data, eval_dataset=held_out,
        processing_class=tokenizer, peft_config=adapter_of(told), callbacks=[clock],
    )  # fmt: skip
    trainer.train()
    trainer.save_model(str(run / "out" / "final"))
    (run / "bare.jsonl").write_text("".join(json.dumps(each) + "\n" for each in clock.seen))


def _conversational(path: Path) -> Dataset:
    """Prompts and completions as turns, TRL's own form."""
    rows = [each["messages"] for each in read_rows(path)]
    return Dataset.from_dict({"prompt": [row[:-1] for row in rows], "completion": [row[-1:] for row in rows]})


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
