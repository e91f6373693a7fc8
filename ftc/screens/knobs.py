"""The what-if knobs: money, hours, rank and row length, each with the stops that it moves over.

A stop is a value of the spec. None stands at the right end of a ceiling (no ceiling) and at the left end of a
hyper-parameter (the advisor's own choice).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ftc.advisor.values import Verdict
from ftc.screens.editing import text_of
from ftc.views.numbers import duration, money

Stop = float | int | None

USD: tuple[Stop, ...] = (
    0,
    1,
    2,
    5,
    10,
    20,
    30,
    50,
    75,
    100,
    150,
    200,
    300,
    500,
    750,
    1000,
    2000,
    5000,
    10000,
    50000,
    None,
)
HOURS: tuple[Stop, ...] = (0.25, 0.5, 1, 2, 3, 4, 6, 8, 12, 18, 24, 36, 48, 72, 96, 168, 336, None)
RANK: tuple[Stop, ...] = (None, 4, 8, 16, 32, 64, 128, 256)
LENGTH: tuple[Stop, ...] = (
    None,
    64,
    128,
    256,
    512,
    768,
    1024,
    1536,
    2048,
    3072,
    4096,
    6144,
    8192,
    12288,
    16384,
    32768,
    65536,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Knob:
    """One of them: its name on the screen, its key in the spec, its stops from left to right."""

    name: str
    key: str
    stops: tuple[Stop, ...]
    setting: str = ""  # the hyper-parameter that shows what the advisor would choose


KNOBS: tuple[Knob, ...] = (
    Knob(name="budget", key="budget.usd", stops=USD),
    Knob(name="hours", key="budget.hours", stops=HOURS),
    Knob(name="rank", key="overrides.lora.rank", stops=RANK, setting="lora.rank"),
    Knob(name="length", key="overrides.max_length", stops=LENGTH, setting="max_length"),
)


def with_value(knob: Knob, value: Stop) -> tuple[Stop, ...]:
    """The stops, with the value that the spec has among them, so that moving away and back loses nothing."""
    if value in knob.stops or value is None:
        return knob.stops
    numbers = sorted([*(each for each in knob.stops if each is not None), value])
    return (None, *numbers) if knob.stops[0] is None else (*numbers, None)


def value_in(values: Mapping[str, Any], knob: Knob) -> Stop:
    """What the spec says; None where it is silent."""
    found = values.get(knob.key)
    return found if isinstance(found, int | float) and not isinstance(found, bool) else None


def words(knob: Knob, value: Stop, verdict: Verdict | None) -> str:
    """`$50`, `8.0 h`, `no ceiling`, `16, the advisor's`."""
    if value is None and knob.setting:
        setting = verdict.settings.get(knob.setting) if verdict else None
        return f"{text_of(setting.value)}, the advisor's" if setting else "the advisor's"
    if value is None:
        return "no ceiling"
    if knob.key == "budget.usd":
        return money(value)
    return duration(value) if knob.key == "budget.hours" else f"{value:,}"
