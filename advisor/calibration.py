"""What past runs really took, and what that says about the next estimate.

Keeps one line a run in `actuals.jsonl` in the user's data folder (`FTC_DATA_DIR` overrides it): what was estimated,
what was measured, on which device and in which regime (adapter, checkpointing, sharding). A correction is the
geometric mean of actual over estimated, shrunk towards one while runs are few, and it says by how many runs it was
made. Knows no formulas; estimates of any origin can be corrected.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from ftc.advisor.values import Device, MemoryEstimate, Setup, TimeEstimate

Quantity = Literal["seconds", "device_gib"]
_PRIOR_RUNS = 2.0  # a run weighs as much as half of what is believed without any
# Standard deviation of log(actual / estimated) between runs, before any was seen.
_USUAL_SPREAD: dict[Quantity, float] = {"seconds": 0.25, "device_gib": 0.08}
_NINE_IN_TEN = 1.645  # standard deviations either side


@dataclass(frozen=True, slots=True, kw_only=True)
class Actual:
    """One finished stage: estimated and measured, in the same unit."""

    device: str
    regime: str
    quantity: Quantity
    estimated: float  # before any correction
    measured: float
    run: str = ""

    @property
    def ratio(self) -> float:
        """Measured over estimated."""
        return self.measured / self.estimated


def regime(setup: Setup) -> str:
    """Setups whose errors are alike: same adapter, checkpointing, sharding and objective."""
    return f"{setup.objective} {setup.adapter} {setup.checkpointing} {setup.sharding}"


def correction(device: Device, setup: Setup, quantity: Quantity) -> tuple[float, float, str]:
    """(factor, width, words): what to multiply by, the range's new width (0: as it was), what to add to the source."""
    runs, factor, spread = _found(device, setup, quantity)
    if not runs:
        return 1.0, 0.0, ""
    return factor, spread, f", corrected by {runs} run{'s' if runs > 1 else ''} on this device"


def corrected(device: Device, setup: Setup) -> dict[str, dict[str, float]]:
    """What an estimate for that setup is corrected by, memory and time: by how many runs, and by which factor."""
    return {
        name: {"runs": runs, "factor": factor}
        for name in ("device_gib", "seconds")
        for runs, factor, _ in (_found(device, setup, name),)
    }


def basis(device: Device, setup: Setup, memory: MemoryEstimate, time: TimeEstimate) -> Mapping[str, Any]:
    """What a stage's estimate was before it was corrected, for comparing it with what the run takes."""
    corrections = corrected(device, setup)
    stepping = time.parts_hours.get("training", 0.0) + time.parts_hours.get("generation", 0.0)
    total = memory.device.likely / corrections["device_gib"]["factor"]
    return {
        "device": device.name,
        "on_cpu": device.kind == "cpu",
        "regime": regime(setup),
        "steps": time.steps,
        "step_seconds": round(stepping * 3600 / max(1, time.steps) / corrections["seconds"]["factor"], 9),
        "device_gib": round(total, 6),
        "beside_gib": round(max(0.0, total - memory.reserved.likely / corrections["device_gib"]["factor"]), 6),
        "corrections": corrections,
    }


def _found(device: Device, setup: Setup, quantity: Quantity) -> tuple[int, float, float]:
    """(runs, factor, width) for that device and regime; no runs and no change where none is on record."""
    return _folded(str(file()), _stamp()).get((device.name, regime(setup), quantity), (0, 1.0, 0.0))


def record(actuals: Iterable[Actual]) -> int:
    """Add finished stages; one that is there already (same run, regime and quantity) is not counted twice."""
    place = file()
    known = {(each.run, each.regime, each.quantity, each.device) for each in read() if each.run}
    fresh = [
        each
        for each in actuals
        if each.estimated > 0 and each.measured > 0 and (each.run, each.regime, each.quantity, each.device) not in known
    ]
    if fresh:
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("a", encoding="utf-8") as out:
            out.writelines(json.dumps(asdict(each)) + "\n" for each in fresh)
    return len(fresh)


def read() -> list[Actual]:
    """Every finished stage on record; lines that are no such thing are passed over."""
    return _read(file())


def corrections() -> dict[tuple[str, str, str], tuple[int, float, float]]:
    """(device, regime, quantity) -> (runs, factor, width of the range)."""
    return dict(_folded(str(file()), _stamp()))


def forget() -> None:
    """Drop all records."""
    file().unlink(missing_ok=True)


def fold(ratios: list[float], quantity: Quantity) -> tuple[int, float, float]:
    """(runs, factor, width) of measured-over-estimated ratios: shrunk mean and spread of their logarithms."""
    logs = [math.log(each) for each in ratios]
    runs = len(logs)
    mean = sum(logs) / runs
    centre = mean * runs / (runs + _PRIOR_RUNS)
    squares = sum((each - centre) ** 2 for each in logs) + _PRIOR_RUNS * _USUAL_SPREAD[quantity] ** 2
    spread = math.sqrt(squares / (runs + _PRIOR_RUNS) * (1 + 1 / (runs + _PRIOR_RUNS)))
    return runs, math.exp(centre), math.exp(_NINE_IN_TEN * spread)


@lru_cache(maxsize=8)
def _folded(path: str, stamp: float) -> dict[tuple[str, str, str], tuple[int, float, float]]:
    """The corrections that a file amounts to; `stamp` makes a changed file a new question."""
    del stamp
    ratios: dict[tuple[str, str, Quantity], list[float]] = {}
    for each in _read(Path(path)):
        ratios.setdefault((each.device, each.regime, each.quantity), []).append(each.ratio)
    return {key: fold(values, key[2]) for key, values in ratios.items()}


def _read(place: Path) -> list[Actual]:
    try:
        lines = place.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            each = Actual(**json.loads(line))
            if each.quantity in _USUAL_SPREAD and each.estimated > 0 and each.measured > 0:
                found.append(each)
        except (ValueError, TypeError):
            continue
    return found


def file() -> Path:
    """The record's place."""
    own = os.environ.get("FTC_DATA_DIR")
    if own:
        return Path(own) / "actuals.jsonl"
    return _data_folder() / "actuals.jsonl"


@lru_cache(maxsize=1)
def _data_folder() -> Path:
    from platformdirs import user_data_path  # 5 ms

    return user_data_path("ftc")


def _stamp() -> float:
    """When the record was last written; 0 where there is none."""
    try:
        return file().stat().st_mtime_ns
    except OSError:
        return 0.0
