"""What a process really took: peak memory of the process, and of the device where torch is at work on one."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

GIB = 2**30


def peak_memory() -> dict[str, float]:
    """Peaks so far in GiB: `process` (resident), and for a GPU `allocated` and `reserved` as torch counts them."""
    peaks = {"process_gib": round(_resident_bytes() / GIB, 4)}
    torch = sys.modules.get("torch")  # a stage that has not imported it holds nothing on a device
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        peaks["allocated_gib"] = round(torch.cuda.max_memory_allocated() / GIB, 4)
        peaks["reserved_gib"] = round(torch.cuda.max_memory_reserved() / GIB, 4)
    return peaks


def _resident_bytes() -> int:
    """The highest resident size. Linux's `ru_maxrss` counts what the parent held when it forked, VmHWM does not."""
    try:
        status = Path("/proc/self/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, others KiB
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
