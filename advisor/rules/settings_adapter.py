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
    """How wide the adapter is."""
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
    """How strongly the adapter counts."""
    if not has_adapter(sheet):
        return None
    chosen = int(sheet.number("lora.rank", 16))
    return Setting(value=2 * chosen, origin="", low=chosen, high=4 * chosen, because="twice the rank")


def dropout(sheet: Sheet) -> Setting | None:
    """Whether the adapter is thinned out while training."""
    if not has_adapter(sheet):
        return None
    few = sheet.rows < 2_000
    because = f"{sheet.rows:,} rows {'<' if few else '>='} 2,000"
    return Setting(value=0.05 if few else 0.0, origin="", low=0.0, high=0.1, because=because)


def targets(sheet: Sheet) -> Setting | None:
    """Which layers carry the adapter."""
    if not has_adapter(sheet):
        return None
    return Setting(value="all-linear", origin="", because="attention alone is worse at equal size")


def rslora(sheet: Sheet) -> Setting | None:
    """Scaling by the root of the rank."""
    if not has_adapter(sheet):
        return None
    wide = sheet.number("lora.rank", 16) > 64
    return Setting(value=wide, origin="", because=f"rank {sheet.number('lora.rank'):g} {'>' if wide else '<='} 64")


def dora(sheet: Sheet) -> Setting | None:
    """Splitting the update into length and direction."""
    return (
        Setting(value=False, origin="", because="slower, and helps mainly at low rank") if has_adapter(sheet) else None
    )


def adapter_dtype(sheet: Sheet) -> Setting | None:
    """In which numbers the adapter is kept."""
    if not has_adapter(sheet):
        return None
    return Setting(value="fp32", origin="", because="small, and small updates survive; resuming stays exact")


def quant_type(sheet: Sheet) -> Setting | None:
    """Which 4-bit numbers hold the base."""
    return Setting(value="nf4", origin="", because="made for weights") if sheet.adapter == "qlora" else None


def double_quant(sheet: Sheet) -> Setting | None:
    """Whether the scales of the 4-bit base are quantised too."""
    if sheet.adapter != "qlora":
        return None
    return Setting(value=True, origin="", because="0.37 bits a parameter less, at no loss")


def compute_dtype(sheet: Sheet) -> Setting | None:
    """In which numbers the 4-bit base is multiplied."""
    if sheet.adapter != "qlora":
        return None
    return Setting(value=str(sheet.values.get("dtype", "bf16")), origin="", because="as everything else")
