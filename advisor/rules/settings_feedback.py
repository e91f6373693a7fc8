"""Hyper-parameters of preference and reward training, and of continued pre-training's replay."""

from __future__ import annotations

from ftc.advisor import reading
from ftc.advisor.rules.settings_shape import GENERATION_ROOM, bucket
from ftc.advisor.sheet import COMMONER, Sheet
from ftc.advisor.values import Setting


def dpo_beta(sheet: Sheet) -> Setting | None:
    """How close DPO stays to its reference.

    What it checks
        Nothing: 0.1.
    Why it matters
        Small betas let the model move far, large ones hold it.
    When it is wrong
        The best value varies wildly between models: 0.01 for Zephyr, 0.6 for OpenHermes. Sweep 0.01, 0.05, 0.1,
        0.3 where it matters.
    Evidence
        - Rafailov et al. 2023, DPO, arXiv 2305.18290, appendix B: 0.1; default of TRL, LLaMA-Factory and
          OpenRLHF
        - Hugging Face blog, preference tuning: sweep of beta
    Example
        0.1.
    """
    if sheet.objective != "dpo":
        return None
    return Setting(value=0.1, origin="", low=0.01, high=0.5, because="sweep 0.01, 0.05, 0.1, 0.3 where it matters")


def kto_beta(sheet: Sheet) -> Setting | None:
    """How close KTO stays to its reference.

    What it checks
        Nothing: 0.1.
    Why it matters
        As for DPO.
    When it is wrong
        As for DPO.
    Evidence
        - KTO, arXiv 2402.01306; TRL, kto_trainer documentation: 0.1
    Example
        0.1.
    """
    return Setting(value=0.1, origin="", low=0.01, high=0.5, because="as for DPO") if sheet.objective == "kto" else None


def _kto_rows(sheet: Sheet) -> tuple[int, int]:
    good, bad = reading.thumbs(sheet.facts)
    return max(1, min(good, COMMONER * max(1, bad))), max(1, min(bad, COMMONER * max(1, good)))


def kto_desirable(sheet: Sheet) -> Setting | None:
    """What a good answer weighs.

    What it checks
        Good against bad answers that are used: 1 where good ones are at least as many, more where they are
        rarer.
    Why it matters
        The weighted ratio of good to bad has to lie between 1:1 and 4:3.
    When it is wrong
        The rarer kind is noise.
    Evidence
        - KTO, arXiv 2402.01306; TRL, kto_trainer documentation
    Example
        2,000 up and 6,000 down: 3.
    """
    if sheet.objective != "kto":
        return None
    good, bad = _kto_rows(sheet)
    value = 1.0 if good >= bad else round(bad / good, 2)
    return Setting(
        value=value, origin="", low=1.0, high=max(1.0, value * 4 / 3), because=f"{good:,} up, {bad:,} down used"
    )


def kto_undesirable(sheet: Sheet) -> Setting | None:
    """What a bad answer weighs.

    What it checks
        Good against bad answers that are used: 1 where bad ones are at least as many, more where they are
        rarer.
    Why it matters
        The weighted ratio of good to bad has to lie between 1:1 and 4:3.
    When it is wrong
        The rarer kind is noise.
    Evidence
        - KTO, arXiv 2402.01306; TRL, kto_trainer documentation
    Example
        29,700 up and 9,900 down: 3.
    """
    if sheet.objective != "kto":
        return None
    good, bad = _kto_rows(sheet)
    value = 1.0 if bad >= good else round(good / bad, 2)
    because = f"{good:,} up, {bad:,} down used: weighted, 1:1 to 4:3"
    return Setting(value=value, origin="", low=round(value * 3 / 4, 2), high=value, because=because)


def grpo_group(sheet: Sheet) -> Setting | None:
    """Answers sampled for one prompt.

    What it checks
        How often the base model earns the reward: 8, and 16 below 15 %.
    Why it matters
        Only groups that hold both successes and failures teach; larger groups hold a success more often and
        cost more.
    When it is wrong
        The reward is a matter of degree: 4 can do.
    Evidence
        - TRL default: 8; DeepSeek-R1, DAPO: 16; open-instruct and Tinker: 4 as the practical least
    Example
        12 % of tries: 16.
    """
    if sheet.objective not in ("grpo", "rloo"):
        return None
    success = reading.base_success(sheet.facts)
    rare = success is not None and success < 0.15
    because = "8, and 16 where successes are rare" + (f": {success:.0%}" if success is not None else "")
    return Setting(value=16 if rare else 8, origin="", low=4, high=16, because=because)


def grpo_beta(sheet: Sheet) -> Setting | None:
    """The leash: what straying from the reference costs.

    What it checks
        0 for a checkable reward, 0.05 for a learned one.
    Why it matters
        A learned reward is right only near the answers that it was trained on; a check is right everywhere.
    When it is wrong
        The check is weak: then it is a learned reward in disguise.
    Evidence
        - TRL and DAPO: 0 for GRPO; DeepSeek-R1: 0.001; RLOO in TRL: 0.03 to 0.05
    Example
        0 with unit tests.
    """
    if sheet.objective not in ("grpo", "rloo"):
        return None
    if sheet.method == "rlhf":
        return Setting(value=0.05, origin="", low=0.01, high=0.1, because="a learned reward can be fooled")
    return Setting(value=0.0, origin="", low=0.0, high=0.04, because="a checkable reward needs no leash")


def grpo_length(sheet: Sheet) -> Setting | None:
    """Tokens that an answer may have while sampling.

    What it checks
        Half as long again as answers are, in buckets; 512 where nobody knows. No more than the context has left
        beside the longest prompts.
    Why it matters
        Answers that are cut never earn the reward; long ones cost time, which is mostly generation.
    When it is wrong
        The task needs long reasoning: set it by hand.
    Evidence
        - OpenRLHF README: about 80 % of the time is generation
        - Rule of thumb: half as long again.
    Example
        Answers of 300 tokens: 512.
    """
    if sheet.objective not in ("grpo", "rloo"):
        return None
    rows = reading.feedback_set(sheet.facts)
    mean = reading.mean_tokens(rows.completion) if rows else 0.0
    value = bucket(max(64.0, GENERATION_ROOM * mean)) if mean else 512
    if sheet.model.context:
        value = max(16, min(value, sheet.model.context - (rows.prompt.p99 if rows and rows.prompt else 0)))
    return Setting(value=value, origin="", low=16, high=8192, because="half as long again as answers are")


def grpo_temperature(sheet: Sheet) -> Setting | None:
    """How freely answers are sampled.

    What it checks
        Nothing: 1.0.
    Why it matters
        Answers of one group have to differ, or there is nothing to compare.
    When it is wrong
        The model turns to gibberish at 1.0: 0.8.
    Evidence
        - TRL default: 1.0
    Example
        1.0.
    """
    if sheet.objective not in ("grpo", "rloo"):
        return None
    return Setting(value=1.0, origin="", low=0.6, high=1.2, because="groups need variety")


def cpt_replay(sheet: Sheet) -> Setting | None:
    """How much general text is mixed into the raw text.

    What it checks
        A quarter for a new language, a twentieth for the same language.
    Why it matters
        New text pushes old skills out; replay keeps them.
    When it is wrong
        The model will only ever do the new thing.
    Evidence
        - Ibrahim et al. 2024, arXiv 2403.08763: replay of 0.5 to 50 % in released runs, 5 % for English on
          English
        - Rule of thumb: a quarter for a new language.
    Example
        300 M tokens of a new language: 100 M of general text beside them.
    """
    if sheet.objective != "cpt":
        return None
    new = sheet.facts.spec.goal.task == "new-language"
    because = "a new language pushes the old ones out" if new else "the same language"
    return Setting(value=0.25 if new else 0.05, origin="", low=0.0, high=0.5, because=because)


def reward_least_accuracy(sheet: Sheet) -> Setting | None:
    """How well a reward model has to rank held-out pairs before anything is optimised against it.

    What it checks
        Nothing: 0.6, and halfway between a coin and the annotators where their agreement is known.
    Why it matters
        A policy learns whatever the reward model rewards. One that ranks like a coin rewards noise, and the run that
        follows is paid for nothing.
    When it is wrong
        The preference is subtle and annotators hardly agree: lower it knowingly.
    Evidence
        - Ouyang et al. 2022, InstructGPT, arXiv 2203.02155: reward models rank held-out pairs rightly in 72 %, labelers
          agree in 73 %
        - Rule of thumb: 0.6.
    Example
        Annotators agree on 78 %: 0.64.
    """
    if sheet.objective != "reward":
        return None
    feedback = sheet.facts.spec.data.feedback
    agreement = feedback.agreement if feedback else None
    value = round((0.5 + agreement) / 2, 2) if agreement else 0.6
    return Setting(value=value, origin="", low=0.5, high=0.95, because="a coin ranks half of them rightly")
