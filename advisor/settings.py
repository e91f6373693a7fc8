"""The hyper-parameters of a decision: each rule asked in the registry's order, the spec's overrides laid over.

The main stage of a method has the plain keys (`learning_rate`); every further stage has its own, under its name
(`dpo.learning_rate`, `cpt.steps`, `reward.epochs`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ftc.advisor.fitting import Fit
from ftc.advisor.rules.registry import SETTINGS
from ftc.advisor.values import Finding, Setting
from ftc.spec.model import Scalar


def settings(stages: tuple[Fit, ...], main: Fit) -> dict[str, Setting]:
    """Every setting of every stage."""
    found: dict[str, Setting] = {}
    for stage in stages:
        prefix = "" if stage is main else f"{stage.setup.objective}."
        for key, setting in stage_settings(stage).items():
            own = key.split(".")[0] == stage.setup.objective
            found[key if not prefix or own else prefix + key] = setting
    return found


def stage_settings(stage: Fit) -> dict[str, Setting]:
    """The settings of one stage, by plain keys."""
    values: dict[str, Scalar] = dict(stage.sheet.values)
    sheet = replace(stage.sheet, setup=stage.setup, values=values)  # sees each value as soon as it is there
    found: dict[str, Setting] = {}
    for rule in SETTINGS:
        filled = rule.fill(sheet)
        forced = sheet.forced(rule.name)
        if forced is not None and (filled is not None or rule.name in OPTIONAL):
            filled = overridden(filled, *forced)
        if filled is None:
            continue
        values[rule.name] = filled.value
        found[rule.name] = filled
    return found


OPTIONAL = ("neftune_alpha", "early_stopping_patience")  # absent unless a rule or the user fills them in


def overridden(rule: Setting | None, key: str, value: Scalar) -> Setting:
    """The user's value in place of the rule's, with the rule's range kept for comparison."""
    said = f"{rule.value} by the rule" if rule is not None else "off by the rule"
    return Setting(
        value=value,
        origin=f"spec overrides.{key}",
        low=rule.low if rule else None,
        high=rule.high if rule else None,
        because=said,
    )


def known_keys() -> Iterable[str]:
    """Every key that `overrides` may hold."""
    return (rule.name for rule in SETTINGS)


def unwise(found: Mapping[str, Setting]) -> tuple[Finding, ...]:
    """A remark for each override that lies outside the range of its rule."""
    said = []
    for rule in SETTINGS:
        setting = found.get(rule.name)
        if setting is None or not setting.origin.startswith("spec overrides") or isinstance(setting.value, bool | str):
            continue
        low, high = setting.low, setting.high
        if (low is not None and setting.value < low) or (high is not None and setting.value > high):
            because = f"{rule.name} {setting.value:g} is outside {low or 0:g} to {high or 0:g}; {setting.because}"
            said.append(Finding(code=rule.code, question=rule.title, answer="", because=because))
    return tuple(said)
