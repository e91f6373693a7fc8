"""Memory, time and money of one setup as one JSON value: what `ftc estimate --json` prints."""

from __future__ import annotations

from typing import Any

from ftc.advisor.values import Device, MemoryEstimate, TimeEstimate
from ftc.advisor.verdict_json import memory_json
from ftc.spec.estimate import Estimate


def price_tag(
    memory: MemoryEstimate, time: TimeEstimate, usd: Estimate, device: Device, *, what: str
) -> dict[str, Any]:
    """The estimate, whether it fits `device`, and where each figure comes from."""
    estimates = (memory.allocated, memory.device, time.hours, time.tokens_per_second_per_gpu, usd)
    named = [f"{each.source} ({each.as_of})" if each.as_of else each.source for each in estimates]
    return {
        "what": what,
        "gpu": device.name,
        "gpu_memory_gib": device.memory_gib,
        "memory": memory_json(memory),
        "throughput": {"tokens_per_second_per_gpu": time.tokens_per_second_per_gpu.range(), "bound": time.bound},
        "hours": time.hours.range(),
        "hours_by_part": dict(time.parts_hours),
        "usd": usd.range(),
        "fits": memory.fits(device.memory_gib),
        "sources": [each for each in dict.fromkeys([*named, f"{device.source} ({device.as_of})"]) if each.strip(" ()")],
    }
