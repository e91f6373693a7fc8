"""How fast a large JSONL is profiled, beside reading it with `datasets` and with `json` line by line.

    python benchmarks/profile/run.py [--gb 1] [--characters 900] [--repeat 3] [--keep FILE] [--write]

Every contender is a process of its own, on the same file, one after the other, `--repeat` times round. Kept are the
best wall time of each, its least processor time, the median over the rounds of how many times as long it took as ftc in
the same round, and the highest sum of resident memory over the process and its children. `--write` keeps them in
results.json beside this file, by the size of the data, with the load of the machine.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

_TEXT = """the of and to a in is you that it for on are with as this be at have from or one had by word but not what all
were we when your can said there use an each which she do how their if will up other about out many then them these so
some her would make like him into time has look two more write go see number no way could people my than first water
been call who oil its now find long down day did get come made may part account card payment transfer refund balance
please customer order delivery invoice contract question answer summary patient report revenue quarter"""
WORDS = _TEXT.split()

# What English rows are like: characters between escapes (line breaks, quotes) and between characters beyond ASCII.
# Alpaca 122 and 2,100, Glaive 36 and none, LLaMA-Factory's KTO 86 and 240, DPO 100 and 670 (English demos, 2026-11).
ESCAPED, BEYOND_ASCII = 100, 1000

FTC = """
import sys
from pathlib import Path
from ftc.spec.measure import profile
from ftc.spec.model import Data, Goal, Source, Spec
path = Path(sys.argv[1])
data = Data(demonstrations=(Source(path=path.name),))
found, _ = profile(Spec(name="x", goal=Goal(task="qa"), folder=path.parent, data=data))
print(found.demonstrations.rows_read)
"""
JSON = """
import json, sys
rows = 0
with open(sys.argv[1]) as stream:
    for line in stream:
        json.loads(line)
        rows += 1
print(rows)
"""
DATASETS = """
import sys, tempfile
import datasets
datasets.disable_progress_bars()
with tempfile.TemporaryDirectory() as cache:
    print(len(datasets.load_dataset("json", data_files=sys.argv[1], split="train", cache_dir=cache)))
"""
STREAMING = """
import sys
import datasets
rows = datasets.load_dataset("json", data_files=sys.argv[1], split="train", streaming=True)
print(sum(1 for _ in rows))
"""
FIRST = "ftc profile"
CONTENDERS = {
    FIRST: FTC,
    "json, line by line": JSON,
    "datasets": DATASETS,
    "datasets, streaming": STREAMING,
}


def generate(path: Path, size: int, characters: int) -> int:
    """Rows of prompt and completion with log-normal lengths around `characters`, with line breaks and quotes."""
    lot = random.Random(0)
    pool = [_words(lot, 400) for _ in range(500)]
    written = rows = 0
    with path.open("w", encoding="utf-8") as stream:
        while written < size:
            length = max(20, int(lot.lognormvariate(math.log(characters) - 0.245, 0.7)))
            text = ""
            while len(text) < length:
                piece = lot.choice(pool)
                start = lot.randrange(len(piece) // 2)
                text += piece[start : start + length - len(text)]
            cut = max(10, int(length * lot.uniform(0.2, 0.6)))
            row = {"id": rows, "prompt": text[:cut], "completion": f"{text[cut:]} {rows}"}
            line = json.dumps(row, ensure_ascii=False) + "\n"
            stream.write(line)
            written += len(line.encode())
            rows += 1
    return rows


def _words(lot: random.Random, count: int) -> str:
    """Text with as many line breaks, quotes and letters beyond ASCII as rows have."""
    mean = sum(map(len, WORDS)) / len(WORDS) + 1  # characters of a word and a blank
    text = ""
    for word in lot.choices(WORDS, k=count):
        chance = lot.random() / mean
        if chance < 1 / BEYOND_ASCII:
            text += lot.choice(("café ", "naïve ", "Zürich ", "“so” ", "– "))
        elif chance < 1 / BEYOND_ASCII + 1 / ESCAPED:
            text += lot.choice((word + ".\n", '"' + word + " "))
        else:
            text += word + " "
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a contender."""

    seconds: float
    cpu_seconds: float
    peak_mb: float


def measure(code: str, path: Path, rows: int) -> Run:
    """Run it, and hold it to having read every row."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed is compiled
    with tempfile.TemporaryDirectory() as cache:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(path)],
            stdout=subprocess.PIPE,
            env={**environment, "FTC_CACHE_DIR": cache},
        )
        watched, peak = psutil.Process(process.pid), 0
        while process.poll() is None:
            peak = max(peak, _resident(watched))
            time.sleep(0.02)
        seconds = time.perf_counter() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert process.stdout is not None  # noqa: S101
        said = process.stdout.read().split()
        if process.returncode or int(said[-1]) != rows:
            raise SystemExit(f"a contender failed or counted {said} rows of {rows}")
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(seconds=seconds, cpu_seconds=used, peak_mb=peak / 1e6)


def _resident(process: psutil.Process) -> int:
    try:
        return sum(each.memory_info().rss for each in (process, *process.children(recursive=True)))
    except psutil.NoSuchProcess:
        return 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gb", type=float, default=1.0)
    parser.add_argument("--characters", type=int, default=900, help="mean length of a row")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="write the generated file here and keep it")
    parser.add_argument("--only", nargs="+", default=list(CONTENDERS), choices=list(CONTENDERS), help="contenders")
    parser.add_argument("--write", action="store_true")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = told.keep or Path(folder) / "rows.jsonl"
        rows = generate(path, int(told.gb * 1e9), told.characters)
        megabytes = path.stat().st_size / 1e6
        print(f"{megabytes:.0f} MB, {rows} rows, {platform.processor() or platform.machine()}, {os.cpu_count()} cores")
        chosen = {name: code for name, code in CONTENDERS.items() if name in told.only}
        runs: dict[str, list[Run]] = {name: [] for name in chosen}
        for _ in range(told.repeat):
            for name, code in chosen.items():
                runs[name].append(measure(code, path, rows))
    results = {name: summary(each, runs.get(FIRST, each), megabytes) for name, each in runs.items()}
    print(f"{'':22}{'seconds':>9}{'cpu':>7}{'MB/s':>7}{'peak MB':>9}{'ftc is x faster':>17}")
    for name, each in results.items():
        print(
            f"{name:22}{each['seconds']:>9}{each['cpu_seconds']:>7}{each['mb_per_second']:>7}{each['peak_mb']:>9}"
            f"{each['times_as_fast']:>17}"
        )
    if told.write:
        file = Path(__file__).with_name("results.json")
        kept = json.loads(file.read_text()) if file.exists() else {}
        kept[f"{told.gb:g} GB"] = {
            "megabytes": round(megabytes),
            "rows": rows,
            "rounds": told.repeat,
            "cores": os.cpu_count(),
            "load": [round(each, 1) for each in os.getloadavg()],
            "python": platform.python_version(),
            "results": results,
        }
        file.write_text(json.dumps(kept, indent=1) + "\n")


def summary(runs: list[Run], first: list[Run], megabytes: float) -> dict[str, float]:
    """The figures of one contender; `first` are the runs of ftc in the same rounds."""
    seconds = min(each.seconds for each in runs)
    return {
        "seconds": round(seconds, 2),
        "cpu_seconds": round(min(each.cpu_seconds for each in runs), 2),
        "mb_per_second": round(megabytes / seconds),
        "peak_mb": round(max(each.peak_mb for each in runs)),
        "times_as_fast": round(
            statistics.median(one.seconds / other.seconds for one, other in zip(runs, first, strict=True)), 2
        ),
    }


if __name__ == "__main__":
    main()
