"""Hyper-parameters of the optimisation: rate, schedule, passes, batch."""

from __future__ import annotations

import math

from ftc.advisor.rules.settings_feedback import cpt_replay
from ftc.advisor.sheet import Sheet
from ftc.advisor.values import Setting

LEAST_STEPS = 100
PREFERENCE = ("dpo", "kto")
ON_POLICY = ("grpo", "rloo")

# Learning rates by size of the model (upper bound in parameters): SFT of all weights, SFT of adapters. Sources: Tulu 3
# (8B 5e-6, 70B 2e-6), alignment-handbook (360M 1e-3 and 1.7B 3e-4 from base, 7B 2e-5), OLMo 2, QLoRA (7B 2e-4, 65B
# 1e-4), LoRA Without Regret (adapters about ten times the rate of full tuning). Models below 100 M: runs of ftc on its
# own tiny model. Smaller models take larger rates: less of what they know can be broken.
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
# Tiny models under preference and reward training: the part above would leave them where they are.
TINY_PART = {"dpo": (0.2, 0.2), "kto": (0.2, 0.2), "reward": (0.5, 0.5), "grpo": (0.4, 0.4), "rloo": (0.4, 0.4)}
TINY = 1e8


def learning_rate(sheet: Sheet) -> Setting:
    """How large the steps are.

    What it checks
        The size of the model, whether all weights or adapters move, and the kind of stage.
    Why it matters
        Too large and the model breaks, too small and nothing happens. Smaller models take larger rates;
        adapters take about ten times the rate of full tuning; preference and reward stages a fortieth to a
        tenth of the SFT rate.
    When it is wrong
        Always a little: models of one size differ by a factor of 20 in full tuning. The range is the sweep to
        try.
    Evidence
        - Tulu 3: 5e-6 at 8B, 2e-6 at 70B (full); alignment-handbook: 1e-3 at 360M, 3e-4 at 1.7B, 2e-5 at 7B
          (full, from base)
        - QLoRA, arXiv 2305.14314: 2e-4 at 7B and 13B, 1e-4 at 33B and 65B
        - Schulman and Thinking Machines 2025, LoRA Without Regret: adapters at 9.8 times the rate of full
          tuning
        - TRL, peft_integration: SFT 2e-5 and 2e-4, DPO 5e-7 and 5e-6, GRPO 1e-6 and 1e-5
        - Biderman et al. 2024, arXiv 2405.09673: half the rate at rank 256
        - Rule of thumb: models below 100 M parameters, from runs on the tiny model that ftc makes.
    Example
        8B, LoRA, SFT: 2e-4. The same for DPO: 5e-6. Two million parameters, LoRA: 5e-3.
    """
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
    """How often the data is gone through.

    What it checks
        Training rows: 4 passes below 500, 3 below 5,000, 2 above. Preferences: 1. Continued pre-training: 1, or
        3 where the text is below 1 B tokens.
    Why it matters
        A second and third pass help small sets; beyond that rows are learned by heart.
    When it is wrong
        The held-out loss still falls at the end: early stopping would have stopped it otherwise.
    Evidence
        - Tulu 3: 2 to 7 passes swept, longer training did not yield further improvements
        - Unsloth, axolotl and LLaMA-Factory: 1 to 3
        - Rafailov et al. 2024, arXiv 2406.02900: preference training over-optimises within one pass
        - Rule of thumb: the lines at 500, 5,000 and 50,000 rows.
    Example
        6,000 rows: 2.
    """
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
    """Rows of one optimiser step, over all devices.

    What it checks
        Rows seen in all, against at least 100 steps, under a ceiling: 16 to 32 for adapters, 32 to 128 for all
        weights, 64 for preferences, 128 full sequences for raw text, 16 prompts for rewards.
    Why it matters
        Large batches waste passes over small sets, and adapters lose more at large batches than full tuning
        does, which a higher rank does not repair.
    When it is wrong
        Rows are of one or two tokens: larger batches then average noise away.
    Evidence
        - TRL, lora_without_regret: at most 32 for adapters
        - QLoRA, arXiv 2305.14314: 16 at 7B and 13B, 32 at 33B, 64 at 65B
        - Tulu 3: 128 for full tuning
        - Tinker documentation: at least 100 steps, better 1,000
    Example
        3,000 rows three times: 9,000 / 100 steps leave room for 64; adapters take 16.
    """
    seen = sheet.rows * sheet.number("epochs", 1.0)
    if sheet.objective in PREFERENCE or sheet.objective == "reward":
        most, least = 64, 16
    elif sheet.objective in ON_POLICY:
        most, least = 16, 8
    elif sheet.objective == "cpt":
        most, least = 128, 4
    elif sheet.adapter == "full":
        most, least = (128 if sheet.rows > 50_000 else 32), 4
    else:
        most, least = (32 if sheet.rows > 50_000 else 16), 4
    enough = 2 ** max(0, math.floor(math.log2(max(1.0, seen / LEAST_STEPS))))
    value = max(least, min(most, enough))
    because = f"{seen:,.0f} rows seen / {LEAST_STEPS} steps at least, at most {most}"
    return Setting(value=int(value), origin="", low=least, high=most, because=because)


def steps(sheet: Sheet) -> Setting:
    """Optimiser steps of the whole stage.

    What it checks
        Rows (or packed sequences) times passes, over the effective batch; for raw text with what is replayed.
    Why it matters
        It is what the schedule, the warm-up and the evaluations are laid out on.
    When it is wrong
        Packing fills sequences less well than the mean length says.
    Evidence
        - Rule of thumb: arithmetic.
    Example
        5,400 rows twice at 16: 675.
    """
    batch = max(1.0, sheet.number("effective_batch", 16))
    rows = float(sheet.rows)
    if sheet.values.get("packing") and sheet.objective != "cpt":  # raw text is counted in full sequences already
        rows = max(1.0, rows * min(1.0, sheet.mean_tokens / max(1.0, sheet.number("max_length", 1))))
    if sheet.objective == "cpt":
        rows /= 1 - _replay(sheet)
    value = max(1, math.ceil(rows / batch * sheet.number("epochs", 1.0)))
    return Setting(value=value, origin="", because=f"{rows:,.0f} sequences x {sheet.number('epochs'):g} / {batch:g}")


def _replay(sheet: Sheet) -> float:
    """The share of a corpus that the base writes itself, which is read as well."""
    forced, settled = sheet.forced("replay"), cpt_replay(sheet)
    value = forced[1] if forced else settled.value if settled else 0.0
    return min(0.9, float(value)) if isinstance(value, int | float) else 0.0


def scheduler(sheet: Sheet) -> Setting:
    """How the rate falls.

    What it checks
        The kind of stage: cosine to zero, constant after warm-up for rewards.
    Why it matters
        A rate that ends at zero settles the weights. It matters little: constant rates do as well in studies of
        SFT.
    When it is wrong
        The run may be prolonged later: take a constant rate.
    Evidence
        - alignment-handbook: cosine; Tulu 3: linear
        - arXiv 2412.13337: a constant rate without warm-up does not hurt SFT
    Example
        cosine.
    """
    constant = sheet.objective in ON_POLICY
    return Setting(value="constant_with_warmup" if constant else "cosine", origin="", because="to 0 at the end")


def warmup_steps(sheet: Sheet) -> Setting:
    """How many steps the rate rises.

    What it checks
        5 % of the steps, 10 % below 200 steps.
    Why it matters
        The optimiser has no memory of gradients at first, and full steps on that are wild.
    When it is wrong
        Runs of a dozen steps: one step of warm-up is enough.
    Evidence
        - alignment-handbook: 10 %; Tulu 3: 3 %
    Example
        675 steps: 34.
    """
    total = sheet.number("steps", 1)
    share = 0.1 if total < 200 else 0.05
    return Setting(value=max(1, round(share * total)), origin="", low=0, high=max(1, round(0.1 * total)),
                   because=f"{share:.0%} of {total:g} steps")  # fmt: skip


def weight_decay(sheet: Sheet) -> Setting:
    """How strongly weights are pulled to zero.

    What it checks
        0.01 where all weights move in imitation, 0 elsewhere.
    Why it matters
        Adapters start at zero and stay small; decay matters little over a few passes.
    When it is wrong
        Long runs over all weights: 0.1, as in pre-training.
    Evidence
        - Tulu 3: 0; torchtune and LLaMA-Factory: 0 to 0.01
    Example
        0 for LoRA.
    """
    value = 0.01 if sheet.adapter == "full" and sheet.objective in ("sft", "cpt") else 0.0
    return Setting(value=value, origin="", low=0.0, high=0.1, because="low stakes")


def max_grad_norm(sheet: Sheet) -> Setting:
    """Where gradients are clipped.

    What it checks
        0.3 for QLoRA, 1.0 elsewhere.
    Why it matters
        One odd batch should not undo the others.
    When it is wrong
        The norm is above the limit at nearly each step: the rate is too high.
    Evidence
        - QLoRA, arXiv 2305.14314: 0.3
        - TRL and alignment-handbook: 1.0
    Example
        1.0.
    """
    value = 0.3 if sheet.adapter == "qlora" else 1.0
    return Setting(value=value, origin="", low=0.1, high=1.0, because="as in the recipes of the method")


def optimizer(sheet: Sheet) -> Setting:
    """Which optimiser moves the weights.

    What it checks
        AdamW; with paged 8-bit states where all weights are trained on one card and 32-bit states do not fit.
    Why it matters
        States take 8 bytes a parameter in 32 bit, 2 in 8 bit.
    When it is wrong
        The last percent counts on a model below 1B: 8-bit states are a little noisier.
    Evidence
        - pytorch/torchtune README: full tuning of an 8B model in 18.9 GiB with 8-bit states
        - QLoRA, arXiv 2305.14314: paged optimiser
    Example
        adamw_torch_fused.
    """
    known = {"adamw": "adamw_torch_fused", "paged-adamw-8bit": "paged_adamw_8bit", "adamw-8bit": "adamw_8bit"}
    kind = sheet.setup.optimizer if sheet.setup else "adamw"
    because = "states in 32 bit fit" if kind == "adamw" else "only states in 8 bit fit"
    return Setting(value=known.get(kind, kind), origin="", because=because)


def neftune(sheet: Sheet) -> Setting | None:
    """Noise on the embeddings while training.

    What it checks
        Nothing: off unless `overrides.neftune_alpha` asks for it.
    Why it matters
        It can make a base model chattier and better liked by a judge model; it does nothing for extraction,
        classification, code or mathematics.
    When it is wrong
        Conversational tuning from a base model: try 5, and a repetition penalty of 1.2 when generating.
    Evidence
        - Jain et al. 2023, NEFTune repository: AlpacaEval 29.8 to 64.7 % on LLaMA-2-7B, one judge
    Example
        Absent.
    """
    return None


def seed(sheet: Sheet) -> Setting:
    """The seed of every random choice.

    What it checks
        `seed` in the spec.
    Why it matters
        The same plan gives the same run.
    When it is wrong
        Several seeds are averaged: then run several plans.
    Evidence
        - Rule of thumb: the user's own word.
    Example
        0.
    """
    return Setting(value=sheet.facts.spec.seed, origin="spec seed", because="the spec's")


def logging_steps(sheet: Sheet) -> Setting:
    """How often the loss is written down.

    What it checks
        A hundred times a run.
    Why it matters
        Enough to see a spike, little enough to read.
    When it is wrong
        Never by much.
    Evidence
        - Rule of thumb: a hundred points make a curve.
    Example
        675 steps: every 7.
    """
    return Setting(value=max(1, round(sheet.number("steps", 1) / 100)), origin="", because="a hundred points a curve")


def eval_steps(sheet: Sheet) -> Setting:
    """How often the held-out loss is measured.

    What it checks
        Four times a pass, at most eight times; five times for preferences. Where checkpoints are given a rhythm of
        their own, as often as divides it.
    Why it matters
        The best checkpoint is kept by this loss, and preference training has to be caught before it
        over-optimises. A checkpoint between two evaluations has no loss, and transformers refuses to train so.
    When it is wrong
        The held-out set is large and slow to score.
    Evidence
        - Rafailov et al. 2024, arXiv 2406.02900: degradation within one pass
        - Rule of thumb: every 10 to 25 % of a pass.
    Example
        675 steps in two passes: every 85.
    """
    total = sheet.number("steps", 1)
    times = 5 if sheet.objective in PREFERENCE else 4 * min(2.0, sheet.number("epochs", 1))
    value = max(1, math.ceil(total / times))
    because = f"{times:g} times in {total:g} steps"
    saved = sheet.forced("save_steps")
    if saved is not None and isinstance(saved[1], int) and sheet.objective not in ON_POLICY:
        value = saved[1] // math.ceil(saved[1] / value) if saved[1] % value else value
        while saved[1] % value:
            value -= 1
        because += f", at every checkpoint ({saved[1]} steps apart)"
    return Setting(value=value, origin="", low=1, high=int(total), because=because)


def save_steps(sheet: Sheet) -> Setting:
    """How often a checkpoint is written.

    What it checks
        With each evaluation.
    Why it matters
        The best one by held-out loss can only be kept if it was written.
    When it is wrong
        Spot machines: more often costs disk and saves time.
    Evidence
        - Rule of thumb: one checkpoint an evaluation.
    Example
        As eval_steps.
    """
    return Setting(value=int(sheet.number("eval_steps", 1)), origin="", because="with each evaluation")


def keep_checkpoints(sheet: Sheet) -> Setting:
    """How many checkpoints stay.

    What it checks
        Two: the best and the last.
    Why it matters
        Disks fill up; the best is the result, the last is what a killed run continues from.
    When it is wrong
        You compare checkpoints by hand.
    Evidence
        - Rule of thumb: best and last.
    Example
        2.
    """
    return Setting(value=2, origin="", low=1, high=10, because="the best and the last")


def early_stopping(sheet: Sheet) -> Setting | None:
    """After how many evaluations without improvement training stops.

    What it checks
        Three, for every stage that has a held-out loss.
    Why it matters
        The held-out loss decides, not the number of passes.
    When it is wrong
        The metric that counts goes on rising while the loss does: raise it.
    Evidence
        - LIMA-style runs pick the checkpoint on held-out rows; Tulu 3: longer training brought nothing
        - Rule of thumb: three evaluations.
    Example
        3.
    """
    if sheet.objective in ON_POLICY:
        return None
    return Setting(value=3, origin="", low=1, high=10, because="held-out loss decides, not the number of passes")
