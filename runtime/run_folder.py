"""Where things lie in the folder of a run, and writing there so that a kill leaves the old file or the new one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftc.spec.files import write_whole


@dataclass(frozen=True, slots=True)
class RunFolder:
    """`runs/<name>-<plan hash>/`."""

    path: Path

    @property
    def plan(self) -> Path:
        """The plan that is being run, a copy."""
        return self.path / "plan.json"

    def train_rows(self, rows: str) -> Path:
        """The rows of that name to train on."""
        return self._data(rows) / "train.jsonl"

    def held_out_rows(self, rows: str) -> Path:
        """The rows of that name to score on."""
        return self._data(rows) / "held_out.jsonl"

    def _data(self, rows: str) -> Path:
        return self.path / "data" / _plain(rows)

    @property
    def model(self) -> Path:
        """The result, as transformers loads it."""
        return self.path / "model"

    @property
    def report_json(self) -> Path:
        """The report for scripts."""
        return self.path / "report.json"

    @property
    def report_html(self) -> Path:
        """The report for people."""
        return self.path / "report.html"

    def stage(self, stage_id: str) -> Path:
        """Where a stage keeps its files. Raises ValueError where an id would lead out of the folder."""
        return self.path / "stages" / _plain(stage_id)

    def log(self, stage_id: str) -> Path:
        """What a stage's process printed."""
        self.stage(stage_id)
        return self.path / "logs" / f"{stage_id}.log"


def _plain(name: str) -> str:
    """The name, if it is one and no way out of the folder."""
    if not name or any(part in name for part in ("/", "\\", "..", "\0")):
        raise ValueError(f"not a name: {name!r}")
    return name


def write_json(path: Path, value: Any) -> None:
    """A JSON file for people and programs: indented, keys in the order given."""
    write_whole(path, (json.dumps(value, indent=1, ensure_ascii=False, default=str) + "\n").encode())


def write_rows(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    """One JSON object a line; how many."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.part")
    count = 0
    with beside.open("w", encoding="utf-8") as stream:
        for row in rows:
            stream.write(json.dumps(row) + "\n")
            count += 1
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(path)
    return count


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The inverse of `write_rows`."""
    with path.open(encoding="utf-8") as stream:
        for line in stream:
            yield json.loads(line)
