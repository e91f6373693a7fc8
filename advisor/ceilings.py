"""The ceilings of a run: memory of the machine, time, money, and minima that others have published.

Knows what is allowed and how a breach reads; what a setup takes is worked out elsewhere.
"""

from __future__ import annotations

import math

from ftc.advisor.rules.choice import Shortfall
from ftc.advisor.values import Adapter, Architecture, Facts, Machine, MemoryEstimate, TimeEstimate
from ftc.spec.estimate import Estimate

UNIFIED_SHARE = 0.75  # of a unified memory that the GPU may wire. Source: Apple, recommendedMaxWorkingSetSize
HOST_SHARE = 0.9  # of a machine's memory that one process may take; a rule of thumb
HEADROOM_GIB = 1.5  # of a card kept free for a screen, another process, an unlucky allocator; a rule of thumb
NOMINAL = 1.045  # GB on the box over GiB that the driver shows: 24 over 23.5 and less, 80 over 79.1

# Least memory in GiB over all devices for on-policy training with generation beside it, by parameters: adapters, all
# weights. Sources: verl docs/perf/device_tuning.rst (LoRA 7B 1xH100, 14B 2x, 32B 4x, 72B 8x; full 7B 2xH800, 14B 4x,
# 70B 32x), axolotl (about 3B on one 24 GB card, more than that on two).
ON_POLICY_FLOOR = (
    (1e8, 0.0, 0.0), (3.6e9, 22.0, 44.0), (9e9, 44.0, 150.0), (1.6e10, 150.0, 300.0), (3.6e10, 300.0, 1000.0),
    (8e10, 600.0, 2400.0), (float("inf"), 2400.0, 9600.0),
)  # fmt: skip

# Least memory in GB over all cards that anyone has published for training adapters: parameters, 4-bit base, 16-bit
# base. Source: Unsloth documentation, requirements ("absolute minimum"). A setup that the closed form squeezes in below
# is not trusted: nobody has shown it.
PUBLISHED_FLOOR_GB = (
    (3e9, 3.5, 8.0), (8e9, 6.0, 19.0), (1.4e10, 8.5, 33.0), (3.2e10, 26.0, 76.0), (7e10, 41.0, 164.0),
    (4.05e11, 237.0, 950.0),
)  # fmt: skip


def usable_gib(machine: Machine) -> float:
    """Memory of one device that a run may take."""
    device = machine.device
    if device.kind in ("mps", "cpu"):
        return device.memory_gib * {"mps": UNIFIED_SHARE, "cpu": HOST_SHARE}[device.kind]
    return device.memory_gib - HEADROOM_GIB


def hours_allowed(facts: Facts) -> float:
    """The ceiling on wall time: the deadline or the budget of hours, whichever is nearer."""
    budget = facts.spec.budget
    ends = [budget.hours, budget.deadline_days * 24 if budget.deadline_days is not None else None]
    return min((each for each in ends if each is not None), default=float("inf"))


def breached(
    facts: Facts, machine: Machine, memory: MemoryEstimate, fits: bool, time: TimeEstimate, usd: Estimate
) -> list[tuple[Shortfall, str]]:
    """The ceilings that a setup breaks, each with how that reads."""
    found: list[tuple[Shortfall, str]] = []
    if not fits:
        need, room = memory.device, usable_gib(machine)
        size = f"{need.likely:.1f} GiB ({need.low:.1f}-{need.high:.1f})"
        found.append(("memory", f"{size} do not fit the {room:.1f} GiB to use on a {machine.device.name}"))
    allowed, hours = hours_allowed(facts), time.hours
    if hours.likely > allowed:
        said = f"{span(hours.likely)} ({span(hours.low)} to {span(hours.high)}), {span(allowed)} allowed"
        found.append(("time", said))
    ceiling = facts.spec.budget.usd
    if ceiling is not None and usd.likely > ceiling:
        said = f"${usd.likely:,.0f} (${usd.low:,.0f} to ${usd.high:,.0f}), ${ceiling:,.0f} allowed"
        found.append(("money", said))
    return found


def unshown(method: str, adapter: Adapter, model: Architecture, machine: Machine) -> str:
    """Why nobody has shown this method on so little memory; empty where someone has."""
    device, whole = machine.device, usable_gib(machine) * machine.devices
    floor = published_floor_gb(adapter, model)
    if device.kind == "cuda" and device.memory_gib * NOMINAL * machine.devices < floor:
        return f"nobody has shown {adapter} of {model.parameters / 1e9:.0f} B parameters below {floor:.0f} GB"
    least = on_policy_floor_gib(method, adapter, model)
    if least > whole:
        return f"training with generation beside it takes {least:.0f} GiB in all, {whole:.0f} are there"
    return ""


def span(hours: float) -> str:
    """A stretch of time as people say it."""
    return f"{hours / 24:.1f} days" if hours >= 48 else f"{hours:.1f} h"


def published_floor_gb(adapter: Adapter, model: Architecture) -> float:
    """The published minimum for adapters on a model of that size; 0 below 3 B parameters and for full tuning."""
    if adapter not in ("lora", "qlora") or model.parameters < PUBLISHED_FLOOR_GB[0][0]:
        return 0.0
    column = 1 if adapter == "qlora" else 2
    smaller = max(row for row in PUBLISHED_FLOOR_GB if row[0] <= model.parameters * 1.05)
    larger = min((row for row in PUBLISHED_FLOOR_GB if row[0] > smaller[0]), default=smaller)
    if larger is smaller or model.parameters <= smaller[0]:
        return smaller[column]
    part = math.log(model.parameters / smaller[0]) / math.log(larger[0] / smaller[0])
    return float(smaller[column] * (larger[column] / smaller[column]) ** part)


def on_policy_floor_gib(method: str, adapter: Adapter, model: Architecture) -> float:
    """Least memory over all devices for methods that generate while they train; 0 for the others."""
    if method not in ("grpo", "rlhf"):
        return 0.0
    _, adapters, full = next(row for row in ON_POLICY_FLOOR if model.parameters <= row[0])
    return full if adapter == "full" else adapters
