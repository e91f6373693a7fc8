"""How long the search over the whole built-in catalogue takes, inside the process: every model, card and count.

Run: python benchmarks/search/run.py [--json]. Prints the best of three runs of each part, in CPU milliseconds, and
the size of the space; writes results.json beside itself. A decision with its what-ifs is timed as well.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ftc.advisor import fitting
from ftc.advisor.decide import decide
from ftc.advisor.frontier import front, frontier, machines_of_catalogue
from ftc.advisor.memory import loading, peak
from ftc.advisor.models import catalogue
from ftc.advisor.observe import observe
from ftc.advisor.scaling import COUNTS
from ftc.advisor.settle import settle
from ftc.advisor.values import Facts
from ftc.spec.load import load_text

SPEC = """
version: 1
name: search
goal: {task: generation, prompting: insufficient}
data: {demonstrations: {rows: 5000, prompt_tokens: 300, completion_tokens: 200, format: instruction}}
model: {base: auto}
hardware: {cloud: any}
budget: {usd: 200, deadline_days: 7}
"""
RUNS = 3


def facts() -> Facts:
    """The facts of the described spec."""
    loaded = load_text(SPEC, "ftc.yaml", Path())
    if loaded.spec is None:
        raise SystemExit(str(loaded.diagnostics))
    found, diagnostics = observe(loaded.spec)
    if found is None:
        raise SystemExit(str(diagnostics))
    return found


def best_ms(work: Callable[[], Any]) -> float:
    """The shortest of a few runs, nothing remembered between them."""
    taken = []
    for _ in range(RUNS):
        for remembered in (fitting._memory, fitting._duration, peak._peak, loading.loaded):
            remembered.cache_clear()
        start = time.process_time()
        work()
        taken.append((time.process_time() - start) * 1000)
    return round(min(taken), 1)


def main() -> None:
    known = facts()
    machines = machines_of_catalogue()
    up_to_64 = tuple(each for each in machines if each.count * each.nodes <= 64)
    result = {
        "models": len(catalogue()),
        "machines": len(machines),
        "counts": list(COUNTS),
        "combinations": len(catalogue()) * len(machines) * 3,
        "front_ms": best_ms(lambda: front(catalogue(), machines)),
        "front_and_full_estimates_up_to_64_ms": best_ms(lambda: frontier(replace(known, machines=up_to_64))),
        "front_and_full_estimates_ms": best_ms(lambda: frontier(replace(known, machines=machines))),
        "decision_ms": best_ms(lambda: settle(known)),
        "decision_with_what_ifs_ms": best_ms(lambda: decide(known)),
    }
    Path(__file__).with_name("results.json").write_text(json.dumps(result, indent=1) + "\n")
    if "--json" in sys.argv:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name:40} {value}")


if __name__ == "__main__":
    main()
