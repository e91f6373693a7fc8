"""How far estimates are off, in the figures that all tables show."""

from __future__ import annotations

from typing import Any


def summary(errors: list[float]) -> dict[str, Any]:
    """Of relative errors: how many, the median and 90th percentile of their size, the share that is under."""
    sizes = sorted(abs(each) for each in errors)
    return {
        "n": len(sizes),
        "median": sizes[len(sizes) // 2],
        "p90": sizes[min(len(sizes) - 1, int(len(sizes) * 0.9))],
        "under": sum(each < 0 for each in errors) / len(sizes),
    }
