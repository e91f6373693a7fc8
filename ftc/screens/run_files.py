"""What the watch screen reads of a run's folder beside the journal: sample answers, the log, which process it is.

Reads only; a file that is missing or half-written is nothing to show, never an error.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ftc.runtime.run_folder import RunFolder

if TYPE_CHECKING:
    import psutil

PREDICTIONS = "predictions.jsonl"
REWARDED = "answers.jsonl"
LOOKED_AT = 400  # rows of each file of answers
LOG_BYTES = 32_768  # of the end of a log


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One held-out row with the answers to it: (stage, answer, right)."""

    place: str
    prompt: str
    expected: str
    answers: tuple[tuple[str, str, bool], ...]

    @property
    def changed(self) -> bool:
        """True where training changed the answer."""
        return len({answer for _, answer, _ in self.answers}) > 1


def samples(folder: Path, stages: Sequence[str], most: int = 40) -> list[Sample]:
    """Held-out rows with the answers of the stages that have been scored; those that changed first."""
    found: dict[str, Sample] = {}
    for stage in stages:
        for row in islice(_rows(RunFolder(folder).stage(stage) / PREDICTIONS), LOOKED_AT):
            place = str(row.get("place", ""))
            before = found[place].answers if place in found else ()
            answer = (stage, str(row.get("answer", "")), bool(row.get("right")))
            found[place] = Sample(
                place=place,
                prompt=" ".join(str(row.get("prompt", "")).split()),
                expected=str(row.get("expected", "")),
                answers=(*before, answer),
            )
    return sorted(found.values(), key=lambda each: not each.changed)[:most]


@dataclass(frozen=True, slots=True, kw_only=True)
class Earned:
    """One answer that a policy gave while it trains, with what it earned."""

    step: int
    prompt: int  # the number of its row
    answer: str
    reward: float


def earned(folder: Path, stage: str, most: int = 40) -> list[Earned]:
    """A policy's last answers, as kept with its last checkpoint: the newest step first, within it the best first."""
    found = []
    for row in _rows(RunFolder(folder).stage(stage) / REWARDED):
        try:
            step, number, reward = int(str(row["step"])), int(str(row["number"])), float(str(row["reward"]))
        except (KeyError, ValueError):
            continue
        found.append(Earned(step=step, prompt=number, answer=str(row.get("answer", "")), reward=reward))
    return sorted(found, key=lambda each: (-each.step, -each.reward))[:most]


def _rows(path: Path) -> Iterator[dict[str, object]]:
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            for line in stream:
                try:
                    value = json.loads(line)
                except ValueError:
                    continue
                if isinstance(value, dict):
                    yield value
    except OSError:
        return


def log_end(folder: Path, stage: str) -> str:
    """The end of a stage's log, or of the supervisor's where no stage runs."""
    run = RunFolder(folder)
    path = run.log(stage) if stage else launch_log(folder)
    try:
        with path.open("rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - LOG_BYTES))
            return stream.read().decode("utf-8", "replace")
    except OSError:
        return ""


def launch_log(folder: Path) -> Path:
    """What `ftc run` itself printed, where a screen started it."""
    return folder / "logs" / "run.log"


def latest_run(runs: Path) -> Path | None:
    """The run whose journal was written to last."""
    journals = [path for path in runs.glob("*/events.jsonl") if path.is_file()] if runs.is_dir() else []
    return max(journals, key=lambda path: path.stat().st_mtime).parent if journals else None


def supervisor_here(pid: int, folder: Path) -> bool:
    """True where that process is the supervisor of this run, on this machine."""
    import psutil  # 15 ms

    if pid <= 0:
        return False
    try:
        process = psutil.Process(pid)
        journal = (folder / "events.jsonl").resolve()
        return any(Path(each.path) == journal for each in process.open_files())
    except (psutil.Error, OSError):
        return False


def live_gib(pid: int) -> float:
    """Memory of the stage that a supervisor runs on this machine, in GiB; 0 where it cannot be seen."""
    import psutil

    try:
        children = psutil.Process(pid).children(recursive=True)
        return sum(_own_bytes(child) for child in children) / 2**30
    except (psutil.Error, OSError):
        return 0.0


def _own_bytes(process: psutil.Process) -> int:
    """Its share of what it has in memory: pages that processes have in common count once among them. Only Linux says
    so; elsewhere they count for each."""
    full = process.memory_full_info()
    return int(getattr(full, "pss", 0) or full.rss)
