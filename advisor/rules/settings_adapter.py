"""Hyper-parameters of the adapter and of the quantised base."""

from __future__ import annotations

from ftc.advisor import reading
from ftc.advisor.parameters import lora_parameters
from ftc.advisor.rules.labels import useful_epochs
from ftc.advisor.sheet import Sheet
from ftc.advisor.values import Setting

RANKS = (16, 32, 64, 128, 256)
LEAST_RANK = 8


def has_adapter(sheet: Sheet) -> bool:
    return sheet.adapter in ("lora", "qlora")


def holds(sheet: Sheet, rank: int) -> bool:
    """True where adapters of `rank` hold what there is to learn."""
    if sheet.objective != "sft":
        return sheet.objective != "cpt"
    learned = reading.completion_tokens(sheet.facts) * useful_epochs(sheet.facts)
    return learned <= lora_parameters(sheet.model, rank)


def rank(sheet: Sheet) -> Setting | None:
    """How wide the adapter is.

    What it checks
        Completion tokens times useful passes against the adapter parameters at rank 16, 32, 64, 128 and 256:
        the smallest rank that holds them. Preference and reward stages take 16, continued pre-training 256.
    Why it matters
        An adapter that is too narrow cannot hold what the rows teach; one that is wider than needed costs
        memory and gains nothing.
    When it is wrong
        Rows repeat each other, or the task is code or mathematics with many rows: go one step up.
    Evidence
        - Tinker documentation, hyper-parameters: adapter parameters at least the completion tokens, a very
          rough approximation
        - TRL, lora_without_regret: rank 256 for SFT at post-training scale, 1 to 32 for RL
        - Biderman et al. 2024, arXiv 2405.09673: ranks of 16 to 64 tend not to suffice for code
        - Rule of thumb: 16 as the floor, 8 only where memory forces it.
    Example
        1.5 M completion tokens three times, 42 M adapter parameters at rank 16 of an 8B model: 16.
    """
    if not has_adapter(sheet):
        return None
    if sheet.setup is not None and sheet.setup.lora_rank != sheet.values.get("lora.rank"):
        because = "the least, to fit the memory; it still holds what there is to learn"
        return Setting(value=sheet.setup.lora_rank, origin="", low=1, high=256, because=because)
    if sheet.objective == "cpt":
        return Setting(value=256, origin="", low=64, high=256, because="continued pre-training changes much")
    if sheet.objective in ("grpo", "rloo", "dpo", "kto", "reward"):
        return Setting(value=16, origin="", low=1, high=64, because="preferences and rewards carry few bits a row")
    learned = reading.completion_tokens(sheet.facts) * useful_epochs(sheet.facts)
    for each in RANKS:
        held = lora_parameters(sheet.model, each)
        if learned <= held or each == RANKS[-1]:
            break
    said = f"{learned / 1e6:,.2f} M completion tokens seen, {held / 1e6:,.2f} M adapter parameters"
    return Setting(value=each, origin="", low=8, high=256, because=said)


def alpha(sheet: Sheet) -> Setting | None:
    """How strongly the adapter counts.

    What it checks
        Nothing: twice the rank, always.
    Why it matters
        Alpha only rescales the learning rate; keeping one convention keeps rates comparable.
    When it is wrong
        You bring a learning rate that was tuned under another convention.
    Evidence
        - Biderman et al. 2024, arXiv 2405.09673; torchtune and LLaMA-Factory defaults: twice the rank
        - TRL, lora_without_regret: with alpha over rank as scale, the best rate hardly depends on the rank
    Example
        Rank 16: alpha 32.
    """
    if not has_adapter(sheet):
        return None
    chosen = int(sheet.number("lora.rank", 16))
    return Setting(value=2 * chosen, origin="", low=chosen, high=4 * chosen, because="twice the rank")


def dropout(sheet: Sheet) -> Setting | None:
    """Whether the adapter is thinned out while training.

    What it checks
        Training rows: 0.05 below 2,000, 0 above.
    Why it matters
        Dropout is a brake on learning rows by heart; with enough rows it only slows down.
    When it is wrong
        The held-out loss rises early although there are many rows.
    Evidence
        - Defaults: 0 in Unsloth, torchtune, LLaMA-Factory and PEFT; 0.05 to 0.1 in QLoRA and Zephyr
        - Rule of thumb: the line at 2,000 rows.
    Example
        1,200 rows: 0.05.
    """
    if not has_adapter(sheet):
        return None
    few = sheet.rows < 2_000
    because = f"{sheet.rows:,} rows {'<' if few else '>='} 2,000"
    return Setting(value=0.05 if few else 0.0, origin="", low=0.0, high=0.1, because=because)


def targets(sheet: Sheet) -> Setting | None:
    """Which layers carry the adapter.

    What it checks
        Nothing: all linear layers, attention and feed-forward.
    Why it matters
        Attention alone is worse, even at the same number of adapter parameters.
    When it is wrong
        A mixture of experts whose experts are fused: look at what was really wrapped.
    Evidence
        - Schulman and Thinking Machines 2025, LoRA Without Regret, doi 10.64434/tml.20250929
        - QLoRA, arXiv 2305.14314: all linear layers are needed to match full tuning
    Example
        all-linear.
    """
    if not has_adapter(sheet):
        return None
    return Setting(value="all-linear", origin="", because="attention alone is worse at equal size")


def rslora(sheet: Sheet) -> Setting | None:
    """Scaling by the root of the rank.

    What it checks
        Rank above 64.
    Why it matters
        With alpha over rank, wide adapters are scaled down so far that they learn little.
    When it is wrong
        The learning rate was tuned without it.
    Evidence
        - Kalajdzievski 2023, arXiv 2312.03732: scale by the root of the rank
    Example
        Rank 256: on.
    """
    if not has_adapter(sheet):
        return None
    wide = sheet.number("lora.rank", 16) > 64
    return Setting(value=wide, origin="", because=f"rank {sheet.number('lora.rank'):g} {'>' if wide else '<='} 64")


def dora(sheet: Sheet) -> Setting | None:
    """Splitting the update into length and direction.

    What it checks
        Nothing: off.
    Why it matters
        It helps mainly at low rank and takes 17 % more time with 41 % more memory, or 139 % more time.
    When it is wrong
        The rank is 8 or less and quality counts more than time: `overrides: {lora.dora: true}`.
    Evidence
        - PEFT, benchmark of DoRA on Llama-3.1-8B
    Example
        Off.
    """
    return (
        Setting(value=False, origin="", because="slower, and helps mainly at low rank") if has_adapter(sheet) else None
    )


def adapter_dtype(sheet: Sheet) -> Setting | None:
    """In which numbers the adapter is kept.

    What it checks
        Nothing: 32 bit.
    Why it matters
        The adapter is small, so it costs little; small updates survive, and a resumed run ends with the same
        weights.
    When it is wrong
        Memory is short by less than the adapter: bf16 halves it.
    Evidence
        - PEFT: adapter weights are upcast to 32 bit by default
        - Rule of thumb: measured by ftc, resumed QLoRA runs differ when the adapter changes its numbers on
          reloading.
    Example
        fp32.
    """
    if not has_adapter(sheet):
        return None
    return Setting(value="fp32", origin="", because="small, and small updates survive; resuming stays exact")


def quant_type(sheet: Sheet) -> Setting | None:
    """Which 4-bit numbers hold the base.

    What it checks
        QLoRA: NF4.
    Why it matters
        NF4 is laid out for weights that are normally distributed and loses less than plain 4-bit floats.
    When it is wrong
        Models whose weights are far from normal: compare the prompted base in both precisions.
    Evidence
        - QLoRA, arXiv 2305.14314, section 3
    Example
        nf4.
    """
    return Setting(value="nf4", origin="", because="made for weights") if sheet.adapter == "qlora" else None


def double_quant(sheet: Sheet) -> Setting | None:
    """Whether the scales of the 4-bit base are quantised too.

    What it checks
        QLoRA: on.
    Why it matters
        It saves 0.37 bits a parameter (3 GB at 65B) at no loss.
    When it is wrong
        Never by much: it is a little slower to load.
    Evidence
        - QLoRA, arXiv 2305.14314, section 3
    Example
        On.
    """
    if sheet.adapter != "qlora":
        return None
    return Setting(value=True, origin="", because="0.37 bits a parameter less, at no loss")


def compute_dtype(sheet: Sheet) -> Setting | None:
    """In which numbers the 4-bit base is multiplied.

    What it checks
        The numbers that the rest of the run uses.
    Why it matters
        Weights are widened for each product; mixing numbers costs conversions.
    When it is wrong
        The card has no bf16 and overflows in fp16: fp32 is slow but safe.
    Evidence
        - QLoRA, arXiv 2305.14314: storage in 4 bit, computation in 16 bit
    Example
        bf16 on an A100, fp16 on a T4, fp32 on a CPU.
    """
    if sheet.adapter != "qlora":
        return None
    return Setting(value=str(sheet.values.get("dtype", "bf16")), origin="", because="as everything else")
