"""`events.jsonl`: what happened in a run, one JSON object a line, only ever appended to. It is the only state of a run.

Every event has `ts` (seconds since 1970), `stage` (empty for the run as a whole) and `kind`. One process writes at a
time. A line that was cut off by a kill is completed with a line end and passed over; lines that are garbled are passed
over as well and counted, because whatever they said can be done again from the last checkpoint.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftc.runtime.secrecy import redacted

FILE = "events.jsonl"
Event = Mapping[str, Any]


class Journal:
    """The journal of one run, open for appending on behalf of one stage."""

    def __init__(self, folder: Path, stage: str = "") -> None:
        self.path = folder / FILE
        self.stage = stage
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._end_cut_line()

    def _end_cut_line(self) -> None:
        size = os.fstat(self._descriptor).st_size
        if size and os.pread(self._descriptor, 1, size - 1) != b"\n":
            os.write(self._descriptor, b"\n")

    def write(self, kind: str, *, sync: bool = False, **values: Any) -> Event:
        """Append one event. `sync` waits until it is on the disk: for what must not be lost."""
        event = {"ts": round(time.time(), 3), "stage": self.stage, "kind": kind, **values}
        line = redacted(json.dumps(_finite(event), allow_nan=False, default=str)).encode() + b"\n"
        os.write(self._descriptor, line)  # one call, so that a reader sees all of it or nothing
        if sync:
            os.fsync(self._descriptor)
        return event

    def close(self) -> None:
        """Close the file; writing ends."""
        os.close(self._descriptor)


class Follower(Journal):
    """The journal as a process has it that does not lead: only how it failed is written."""

    def write(self, kind: str, *, sync: bool = False, **values: Any) -> Event:
        """Append what would be missed; the rest is said by the process that leads."""
        if kind == "stage_failed":
            return super().write(kind, sync=sync, **values)
        return {"ts": round(time.time(), 3), "stage": self.stage, "kind": kind, **values}


def _finite(value: Any) -> Any:
    """The same with None for what is not a number: JSON has no word for it."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return value


@dataclass(slots=True)
class Tail:
    """Reads a growing journal: each call of `new` gives the events that were added since the last."""

    path: Path
    garbled: int = 0
    _offset: int = 0
    _rest: bytes = field(default=b"", repr=False)

    def new(self) -> Iterator[Event]:
        """Whole lines that are new; the last one stays for the next call where its end is missing."""
        if not self.path.exists():
            return
        with self.path.open("rb") as stream:
            stream.seek(self._offset)
            data = stream.read()
        self._offset += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            event = parse(line)
            if event is None:
                self.garbled += bool(line.strip())
            else:
                yield event


def parse(line: bytes) -> Event | None:
    """The event in a line; None where there is none."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    known = isinstance(value, dict) and isinstance(value.get("kind"), str) and isinstance(value.get("stage"), str)
    return value if known and isinstance(value.get("ts"), int | float) else None


def read(folder: Path) -> tuple[list[Event], int]:
    """All events of a run, oldest first, and the number of lines that could not be read."""
    tail = Tail(folder / FILE)
    events = list(tail.new())
    return events, tail.garbled
