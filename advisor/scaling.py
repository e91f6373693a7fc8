"""The same run on more and more devices: hours, money and speed of each count, and up to which count more of them pay.

What is learned stays the same: the effective batch is kept, and devices share its rows out. Counts are powers of two,
from one device to 128 nodes of eight. Knows nothing of other methods, models or cards; those are the search's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ftc.advisor.duration import duration
from ftc.advisor.memory import memory
from ftc.advisor.values import A_NODE, Device, Setup, Workload

COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)

# Twice the devices pay while they take at least a quarter off the hours, which then cost at most half as much again.
# A rule of thumb: where time is worth more than that, `goal.quality: fast` says so.
PAYS = 0.75


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """The run on so many devices."""

    devices: int
    nodes: int
    hours: float
    usd: float
    tokens_per_second_per_gpu: float
    bound: str
    fits: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """All rungs, and the last before one that no longer pays; None where the run fits on none of them."""

    rungs: tuple[Rung, ...]
    pays_up_to: int | None
    because: str


def scaling(stages: Sequence[tuple[Setup, Workload]], device: Device, usd_per_gpu_hour: float) -> Scaling:
    """The stages, one after another, on every count of devices that has rows to share out."""
    rows = min(_rows(setup) for setup, _ in stages)
    counts = [each for each in COUNTS if each <= rows]
    found = tuple(_rung(stages, device, count, usd_per_gpu_hour) for count in counts)
    fitting = [each for each in found if each.fits]
    if not fitting:
        return Scaling(rungs=found, pays_up_to=None, because="it fits on none of these counts")
    best = fitting[0]
    for each in fitting[1:]:
        if not pays(best.hours, each.hours, each.devices / best.devices):
            break
        best = each
    return Scaling(rungs=found, pays_up_to=best.devices, because=_because(found, best, rows))


def pays(hours: float, fewer: float, times: float) -> bool:
    """True where `times` the devices, which take `fewer` hours, take off a quarter for each doubling."""
    return fewer <= hours * math.pow(PAYS, math.log2(times))


def spread(setup: Setup, count: int) -> Setup:
    """The setup on so many devices at the same effective batch: fewer accumulations first, then smaller passes."""
    rows = _rows(setup)
    micro_batch = max(1, min(setup.micro_batch, rows // count))
    several = "ddp" if setup.sharding == "none" else setup.sharding
    return replace(
        setup,
        micro_batch=micro_batch,
        grad_accum=max(1, round(rows / (micro_batch * count))),
        devices=min(count, A_NODE),
        nodes=max(1, count // A_NODE),
        sharding="none" if count == 1 else several,
    )


def scaling_json(found: Scaling) -> dict[str, Any]:
    """What `ftc estimate --json` prints under `scaling`."""
    return {
        "pays_up_to": found.pays_up_to,
        "because": found.because,
        "rungs": [
            {
                "gpus": each.devices, "nodes": each.nodes, "hours": each.hours, "usd": each.usd,
                "tokens_per_second_per_gpu": each.tokens_per_second_per_gpu, "bound": each.bound, "fits": each.fits,
            }
            for each in found.rungs
        ],
    }  # fmt: skip


def _rows(setup: Setup) -> int:
    """The effective batch."""
    return setup.micro_batch * setup.grad_accum * setup.devices * setup.nodes


def _rung(stages: Sequence[tuple[Setup, Workload]], device: Device, count: int, usd_per_gpu_hour: float) -> Rung:
    placed = [(spread(setup, count), workload) for setup, workload in stages]
    times = [duration(setup, device, workload) for setup, workload in placed]
    hours = sum(each.hours.likely for each in times)
    longest = max(times, key=lambda each: each.hours.likely)
    return Rung(
        devices=count,
        nodes=max(1, count // A_NODE),
        hours=hours,
        usd=hours * count * usd_per_gpu_hour,
        tokens_per_second_per_gpu=longest.tokens_per_second_per_gpu.likely,
        bound=longest.bound,
        fits=all(memory(setup, device).fits(device.memory_gib) for setup, _ in placed),
    )


def _because(rungs: Sequence[Rung], best: Rung, rows: int) -> str:
    more = next((each for each in rungs if each.devices > best.devices), None)
    if more is None:
        if best.devices == COUNTS[-1]:
            return f"{COUNTS[-1]:,} are the most that is looked at"
        return f"an effective batch of {rows:,} rows has none for more"
    faster = best.hours / more.hours
    waits = " (communication-bound)" if more.bound == "communication" else ""
    money = more.devices / best.devices / faster
    return f"{more.devices:,} would be {faster:.2f} times as fast for {money:.2f} times the money{waits}"
