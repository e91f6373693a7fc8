"""Hyper-parameters of the optimisation: rate, schedule, passes, batch."""

from __future__ import annotations

import math

from ftc.advisor.sheet import Sheet
from ftc.advisor.values import Setting

LEAST_STEPS = 100
PREFERENCE = ("dpo", "kto")
ON_POLICY = ("grpo", "rloo")

# Learning rates by size of the model (upper bound in parameters): SFT of all weights, SFT of adapters. Sources: Tulu 3
# (8B 5e-6, 70B 2e-6), alignment-handbook (360M 1e-3 and 1.7B 3e-4 from base, 7B 2e-5), OLMo 2, QLoRA (7B 2e-4, 65B 1e-4),
# LoRA Without Regret (adapters about ten times the rate of full tuning). Models below 100 M: runs of ftc on its own tiny
# model. Smaller models take larger rates: their gradients average over fewer parameters, and less can be broken.
RATES: tuple[tuple[float, float, float], ...] = (
    (1e7, 1e-3, 5e-3),
    (1e8, 5e-4, 2e-3),
    (6e8, 1e-4, 1e-3),
    (2.2e9, 3e-5, 3e-4),
    (1.3e10, 1e-5, 2e-4),
    (2.9e10, 5e-6, 1.5e-4),
    (4e10, 5e-6, 1e-4),
    (math.inf, 2e-6, 1e-4),
)
# Part of the SFT rate that a stage takes: (all weights, adapters). Sources: TRL peft_integration (SFT 2e-5 -> 2e-4, DPO
# 5e-7 -> 5e-6, GRPO 1e-6 -> 1e-5), Tulu 3 (reward model 3e-6).
PART_OF_SFT = {
    "sft": (1.0, 1.0), "cpt": (1.0, 0.5), "dpo": (0.05, 0.025), "kto": (0.05, 0.025), "reward": (0.3, 0.1),
    "grpo": (0.1, 0.05), "rloo": (0.1, 0.05),
}  # fmt: skip
# Tiny models under preference and reward training: the part above would leave them where they are in a few hundred steps.
TINY_PART = {"dpo": (0.2, 0.2), "kto": (0.2, 0.2), "reward": (0.5, 0.5), "grpo": (0.2, 0.2), "rloo": (0.2, 0.2)}
TINY = 1e8


def learning_rate(sheet: Sheet) -> Setting:
    """How large the steps are."""
    size = sheet.model.parameters
    _, full, adapters = next(row for row in RATES if size <= row[0])
    parts = PART_OF_SFT[sheet.objective]
    if size <= TINY:
        parts = TINY_PART.get(sheet.objective, parts)
    rate = full * parts[0] if sheet.adapter == "full" else adapters * parts[1]
    because = f"{sheet.objective}, {'all weights' if sheet.adapter == 'full' else 'adapters'}, {_size(size)} parameters"
    if sheet.adapter != "full" and sheet.number("lora.rank") >= 256:
        rate, because = rate / 2, because + ", halved at rank 256"
    value = float(f"{rate:.3g}")
    return Setting(value=value, origin="", low=value / 3, high=value * 3, because=because)


def _size(parameters: float) -> str:
    return f"{parameters / 1e9:.1f} B" if parameters >= 1e9 else f"{parameters / 1e6:.1f} M"


def epochs(sheet: Sheet) -> Setting:
    """How often the data is gone through."""
    rows = sheet.rows
    if sheet.objective == "cpt":
        from ftc.advisor.reading import corpus_tokens

        small = corpus_tokens(sheet.facts) < 1_000_000_000
        return Setting(value=3.0 if small else 1.0, origin="", low=1, high=4, because="passes over the raw text")
    if sheet.objective in ("dpo", "reward"):
        return Setting(value=1.0, origin="", low=1, high=3, because="preferences are over-learned within one pass")
    if sheet.objective == "kto":
        return Setting(value=1.0 if rows > 5_000 else 2.0, origin="", low=1, high=4, because=f"{rows:,} rows")
    if sheet.objective in ON_POLICY:
        return Setting(value=float(_on_policy_passes(rows)), origin="", low=1, high=50, because=f"{rows:,} prompts")
    if rows < 500:
        low, value, high = 3, 4.0, 5
    elif rows < 5_000:
        low, value, high = 2, 3.0, 4
    elif rows <= 50_000:
        low, value, high = 1, 2.0, 3
    else:
        low, value, high = 1, 1.0 if sheet.facts.spec.goal.quality == "fast" else 2.0, 2
    return Setting(value=value, origin="", low=low, high=high, because=f"{rows:,} rows")


def _on_policy_passes(rows: int) -> int:
    """Passes that give about 200 steps of 16 prompts, at most 10."""
    return max(1, min(10, round(200 * 16 / max(1, rows))))


def effective_batch(sheet: Sheet) -> Setting:
    """Rows of one optimiser step, over all devices."""
    seen = sheet.rows * sheet.number("epochs", 1.0)
    if sheet.objective in PREFERENCE or sheet.objective == "reward":
        most, least = 64, 16
    elif sheet.objective in ON_POLICY:
        most, least = 16, 8
    elif sheet.objective == "cpt":
        most, least = 128, 32
    elif sheet.adapter == "full":
        most, least = (128 if sheet.rows > 50_000 else 32), 4
    else:
        most, least = (32 if sheet.rows > 50_000 else 16), 4
    enough = 2 ** max(0, math.floor(math.log2(max(1.0, seen / LEAST_STEPS))))
    value = max(least, min(most, enough))
    because = f"{seen:,.0f} rows seen / {LEAST_STEPS} steps at least, at most {most}"
    return Setting(value=int(value), origin="", low=least, high=most, because=because)


def steps(sheet: Sheet) -> Setting:
    """Optimiser steps of the whole stage."""
    batch = max(1.0, sheet.number("effective_batch", 16))
    rows = float(sheet.rows)
    if sheet.values.get("packing"):
        rows = max(1.0, rows * min(1.0, sheet.mean_tokens / max(1.0, sheet.number("max_length", 1))))
    value = max(1, math.ceil(rows / batch * sheet.number("epochs", 1.0)))
    return Setting(value=value, origin="", because=f"{rows:,.0f} sequences x {sheet.number('epochs'):g} / {batch:g}")


def scheduler(sheet: Sheet) -> Setting:
    """How the rate falls."""
    constant = sheet.objective in ON_POLICY
    return Setting(value="constant_with_warmup" if constant else "cosine", origin="", because="to 0 at the end")


def warmup_steps(sheet: Sheet) -> Setting:
    """How many steps the rate rises."""
    total = sheet.number("steps", 1)
    share = 0.1 if total < 200 else 0.05
    return Setting(value=max(1, round(share * total)), origin="", low=0, high=max(1, round(0.1 * total)),
                   because=f"{share:.0%} of {total:g} steps")  # fmt: skip


def weight_decay(sheet: Sheet) -> Setting:
    """How strongly weights are pulled to zero."""
    value = 0.01 if sheet.adapter == "full" and sheet.objective in ("sft", "cpt") else 0.0
    return Setting(value=value, origin="", low=0.0, high=0.1, because="low stakes")


def max_grad_norm(sheet: Sheet) -> Setting:
    """Where gradients are clipped."""
    value = 0.3 if sheet.adapter == "qlora" else 1.0
    return Setting(value=value, origin="", low=0.1, high=1.0, because="as in the recipes of the method")


def optimizer(sheet: Sheet) -> Setting:
    """Which optimiser moves the weights."""
    known = {"adamw": "adamw_torch_fused", "paged-adamw-8bit": "paged_adamw_8bit", "adamw-8bit": "adamw_8bit"}
    kind = sheet.setup.optimizer if sheet.setup else "adamw"
    because = "states in 32 bit fit" if kind == "adamw" else "only states in 8 bit fit"
    return Setting(value=known.get(kind, kind), origin="", because=because)


def neftune(sheet: Sheet) -> Setting | None:
    """Noise on the embeddings: off unless asked for."""
    return None


def seed(sheet: Sheet) -> Setting:
    """The seed of every random choice."""
    return Setting(value=sheet.facts.spec.seed, origin="spec seed", because="the spec's")


def logging_steps(sheet: Sheet) -> Setting:
    """How often the loss is written down."""
    return Setting(value=max(1, round(sheet.number("steps", 1) / 100)), origin="", because="a hundred points a curve")


def eval_steps(sheet: Sheet) -> Setting:
    """How often the held-out loss is measured."""
    total = sheet.number("steps", 1)
    times = 5 if sheet.objective in PREFERENCE else 4 * min(2.0, sheet.number("epochs", 1))
    value = max(1, math.ceil(total / times))
    return Setting(value=value, origin="", low=1, high=int(total), because=f"{times:g} times in {total:g} steps")


def save_steps(sheet: Sheet) -> Setting:
    """How often a checkpoint is written."""
    return Setting(value=int(sheet.number("eval_steps", 1)), origin="", because="with each evaluation")


def keep_checkpoints(sheet: Sheet) -> Setting:
    """How many checkpoints stay."""
    return Setting(value=2, origin="", low=1, high=10, because="the best and the last")


def early_stopping(sheet: Sheet) -> Setting | None:
    """After how many evaluations without improvement training stops."""
    if sheet.objective in ON_POLICY:
        return None
    return Setting(value=3, origin="", low=1, high=10, because="held-out loss decides, not the number of passes")
