"""Hyper-parameters of preference and reward training, and of continued pre-training's replay."""

from __future__ import annotations

from ftc.advisor import reading
from ftc.advisor.rules.settings_shape import GENERATION_ROOM, bucket
from ftc.advisor.sheet import Sheet
from ftc.advisor.values import Setting


def dpo_beta(sheet: Sheet) -> Setting | None:
    """How close DPO stays to its reference."""
    if sheet.objective != "dpo":
        return None
    return Setting(value=0.1, origin="", low=0.01, high=0.5, because="sweep 0.01, 0.05, 0.1, 0.3 where it matters")


def kto_beta(sheet: Sheet) -> Setting | None:
    """How close KTO stays to its reference."""
    return Setting(value=0.1, origin="", low=0.01, high=0.5, because="as for DPO") if sheet.objective == "kto" else None


def _kto_rows(sheet: Sheet) -> tuple[int, int]:
    good, bad = reading.thumbs(sheet.facts)
    return max(1, min(good, 3 * max(1, bad))), max(1, min(bad, 3 * max(1, good)))


def kto_desirable(sheet: Sheet) -> Setting | None:
    """What a good answer weighs."""
    if sheet.objective != "kto":
        return None
    good, bad = _kto_rows(sheet)
    value = 1.0 if good >= bad else round(bad / good, 2)
    return Setting(
        value=value, origin="", low=1.0, high=max(1.0, value * 4 / 3), because=f"{good:,} up, {bad:,} down used"
    )


def kto_undesirable(sheet: Sheet) -> Setting | None:
    """What a bad answer weighs."""
    if sheet.objective != "kto":
        return None
    good, bad = _kto_rows(sheet)
    value = 1.0 if bad >= good else round(good / bad, 2)
    because = f"{good:,} up, {bad:,} down used: weighted, 1:1 to 4:3"
    return Setting(value=value, origin="", low=round(value * 3 / 4, 2), high=value, because=because)


def grpo_group(sheet: Sheet) -> Setting | None:
    """Answers sampled for one prompt."""
    if sheet.objective not in ("grpo", "rloo"):
        return None
    success = reading.base_success(sheet.facts)
    rare = success is not None and success < 0.15
    because = "8, and 16 where successes are rare" + (f": {success:.0%}" if success is not None else "")
    return Setting(value=16 if rare else 8, origin="", low=4, high=16, because=because)


def grpo_beta(sheet: Sheet) -> Setting | None:
    """The leash: what straying from the reference costs."""
    if sheet.objective not in ("grpo", "rloo"):
        return None
    if sheet.method == "rlhf":
        return Setting(value=0.05, origin="", low=0.01, high=0.1, because="a learned reward can be fooled")
    return Setting(value=0.0, origin="", low=0.0, high=0.04, because="a checkable reward needs no leash")


def grpo_length(sheet: Sheet) -> Setting | None:
    """Tokens that an answer may have while sampling."""
    if sheet.objective not in ("grpo", "rloo"):
        return None
    rows = reading.feedback_set(sheet.facts)
    mean = reading.mean_tokens(rows.completion) if rows else 0.0
    value = bucket(max(64.0, GENERATION_ROOM * mean)) if mean else 512
    return Setting(value=value, origin="", low=16, high=8192, because="half as long again as answers are")


def grpo_temperature(sheet: Sheet) -> Setting | None:
    """How freely answers are sampled."""
    if sheet.objective not in ("grpo", "rloo"):
        return None
    return Setting(value=1.0, origin="", low=0.6, high=1.2, because="groups need variety")


def cpt_replay(sheet: Sheet) -> Setting | None:
    """How much general text is mixed in."""
    if sheet.objective != "cpt":
        return None
    new = sheet.facts.spec.goal.task == "new-language"
    because = "a new language pushes the old ones out" if new else "the same language"
    return Setting(value=0.25 if new else 0.05, origin="", low=0.0, high=0.5, because=because)
