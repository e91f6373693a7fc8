"""How long commands take to start, beside an empty Python and the libraries that one would otherwise begin with.

    python benchmarks/startup/run.py [--rounds 7] [--write]

Every contender is a process of its own; they take turns, `--rounds` times round. Kept are the best wall time and least
processor time of each, in milliseconds. `--write` keeps them in results.json beside this file, with the machine's load.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SPEC = """\
version: 1
name: startup
goal: {task: generation, prompting: insufficient}
data: {demonstrations: {rows: 5000, prompt_tokens: 300, completion_tokens: 200, format: instruction}}
model: {base: Qwen/Qwen2.5-7B-Instruct}
hardware: {gpu: rtx-4090}
"""
FTC = (sys.executable, "-m", "ftc")
CONTENDERS = {
    "python, empty": (sys.executable, "-c", "pass"),
    "ftc --help": (*FTC, "--help"),
    "ftc check": (*FTC, "check"),
    "ftc advise": (*FTC, "advise"),
    "ftc estimate": (*FTC, "estimate"),
    "import torch": (sys.executable, "-c", "import torch"),
    "import transformers, AutoModelForCausalLM": (
        sys.executable,
        "-c",
        "from transformers import AutoModelForCausalLM",
    ),
    "import trl, SFTTrainer": (sys.executable, "-c", "from trl import SFTTrainer"),
}


def once(command: tuple[str, ...], folder: Path) -> tuple[float, float]:
    """Wall and processor time, in milliseconds."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, cwd=folder, capture_output=True, check=True)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall * 1000, used * 1000


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in CONTENDERS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "ftc.yaml").write_text(SPEC)
        for _ in range(args.rounds):
            for contender, command in CONTENDERS.items():
                taken[contender].append(once(command, folder))
    best = {
        name: {"wall_ms": round(min(wall for wall, _ in each)), "cpu_ms": round(min(cpu for _, cpu in each))}
        for name, each in taken.items()
    }
    print(f"{'':<44}{'wall ms':>9}{'cpu ms':>9}")
    for name, each in best.items():
        print(f"{name:<44}{each['wall_ms']:>9,}{each['cpu_ms']:>9,}")
    if args.write:
        found = {"rounds": args.rounds, "load": os.getloadavg(), "cores": os.cpu_count()}
        found |= {"python": platform.python_version(), "results": best}
        Path(__file__).with_name("results.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
