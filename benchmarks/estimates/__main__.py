"""How far the estimates lie from published measurements.

    python -m benchmarks.estimates POINTS.csv [--json FILE] [--rows] [--flags] [--peers]

Memory by stack and method, speed by what the step waits for, the share of points inside the ranges, and whether
anything was said to fit that did not. `--flags` says no more of each point than the flags of `ftc estimate` can say.
`--peers` estimates the same points with other tools, each in its own
environment (`peers.py` says how to make them).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.estimates.errors import summary
from benchmarks.estimates.points import Point, read, through_flags
from ftc.advisor.duration import duration
from ftc.advisor.memory import memory, peak_of
from ftc.advisor.values import Workload


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.estimates")
    parser.add_argument("points", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rows", action="store_true")
    parser.add_argument("--flags", action="store_true")
    parser.add_argument("--peers", action="store_true")
    args = parser.parse_args()
    points, left_out = read(args.points)
    if args.flags:
        points = [through_flags(each) for each in points]
    print(f"{len(points)} points, {len(left_out)} rows left out (method, sharding or sizes that are not ours)")
    rows = [_memory_row(each) for each in points if each.peak_gib and not each.saturated]
    found = {"memory": _memory(rows), "components": _components(points), "fit": _fit(points), "speed": _speed(points)}
    if args.rows:
        for row in rows:
            print(f"{row['id']:24}{row['measured']:8.2f}{row['likely']:8.2f}{row['error']:+8.1%}")
    if args.peers:
        from benchmarks.estimates.peers import compare

        found["peers"] = compare(points)
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n")


def _memory_row(point: Point) -> dict[str, Any]:
    estimate = getattr(memory(point.setup, point.device), point.kind)
    return {
        "id": point.id, "group": point.group, "complete": point.complete, "method": point.method, "kind": point.kind,
        "measured": point.peak_gib, "likely": estimate.likely, "error": estimate.likely / (point.peak_gib or 1) - 1,
        "inside": estimate.low <= (point.peak_gib or 0) <= estimate.high,
    }  # fmt: skip


def _memory(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Error by stack, completeness and method."""
    print("\nmemory                      n   median      p90    under   inside the range")
    out = []
    for group, complete in (("plain", True), ("sharded", True), ("other", True), ("sharded", False), ("other", False)):
        for method in ("all", "full", "lora", "qlora"):
            chosen = [
                row
                for row in rows
                if row["group"] == group and row["complete"] == complete and method in ("all", row["method"])
            ]
            if not chosen:
                continue
            stats = summary([row["error"] for row in chosen])
            stats["inside"] = sum(row["inside"] for row in chosen) / len(chosen)
            name = f"{group}{'' if complete else ', settings incomplete'}, {method}"
            print(
                f"{name:40}{stats['n']:4}{stats['median']:9.1%}{stats['p90']:9.1%}{stats['under']:8.0%}"
                f"{stats['inside']:9.0%}"
            )
            out.append({"what": name, **stats})
    return out


def _components(points: list[Point]) -> dict[str, Any]:
    """What was allocated, and what the allocator holds beyond it, where both were measured."""
    both = [each for each in points if each.allocated_gib and each.peak_gib and each.kind == "reserved"]
    peaks = [(each, peak_of(each.setup, each.device)) for each in both]
    allocated = summary([peak.allocated / 2**30 / (each.allocated_gib or 1) - 1 for each, peak in peaks])
    beyond = [
        (peak.reserved - peak.allocated) / 2**30 - ((each.peak_gib or 0) - (each.allocated_gib or 0))
        for each, peak in peaks
    ]
    off = sorted(abs(each) for each in beyond)
    print(f"\nallocated alone: {allocated['n']} points, median {allocated['median']:.1%}, p90 {allocated['p90']:.1%}")
    print(f"reserved beyond allocated: median {off[len(off) // 2]:.2f} GiB off, p90 {off[int(len(off) * 0.9)]:.2f} GiB")
    return {"allocated": allocated, "held_median_gib": off[len(off) // 2], "held_p90_gib": off[int(len(off) * 0.9)]}


def _fit(points: list[Point]) -> dict[str, Any]:
    """Runs that ended out of memory and were said to fit."""
    failed = [each for each in points if each.outcome == "oom" and each.peak_gib is None]
    wrong = [each.id for each in failed if memory(each.setup, each.device).fits(each.device.memory_gib)]
    print(f"\nsaid to fit and did not: {len(wrong)} of {len(failed)} runs out of memory {wrong}")
    return {"out_of_memory": len(failed), "said_to_fit": wrong}


def _speed(points: list[Point]) -> list[dict[str, Any]]:
    """Tokens a second by source and by what the step waits for."""
    print("\ntokens/s                                          n   median      p90   inside the range")
    groups: dict[str, list[tuple[float, bool]]] = {}
    for point in points:
        if not point.tokens_per_second:
            continue
        length = point.setup.seq_len
        found = duration(
            point.setup, point.device, Workload(rows=1000, epochs=1, mean_tokens=length, histogram=((length, 1000),))
        )
        speed = found.tokens_per_second_per_gpu
        error = speed.likely / point.tokens_per_second - 1
        waits = "communication-bound" if found.bound == "communication" else "compute-bound"
        inside = speed.low <= point.tokens_per_second <= speed.high
        for name in (f"all, {waits}", f"{point.source}, {point.device.name}, {waits}"):
            groups.setdefault(name, []).append((error, inside))
    out = []
    for name, pairs in sorted(groups.items()):
        stats = summary([error for error, _ in pairs])
        stats["inside"] = sum(inside for _, inside in pairs) / len(pairs)
        print(f"{name:46}{stats['n']:5}{stats['median']:9.1%}{stats['p90']:9.1%}{stats['inside']:9.0%}")
        out.append({"what": name, **stats})
    return out


if __name__ == "__main__":
    main()
