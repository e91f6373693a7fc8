"""A large JSONL file, counted part by part in child processes, while the parent hashes its bytes.

Parts are merged in the order of the file, so that the result does not depend on who was faster.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

from ftc.spec.counting.distinct import Bags, Hashes
from ftc.spec.counting.repeats import PLACES, REMEMBERED, Place
from ftc.spec.counting.tally import HIGHEST, Tally
from ftc.spec.counting.worker import Counted, Job, Part, receive, send
from ftc.spec.reports import Reports

LARGE = 32 << 20  # bytes from which on processes pay: starting one takes about 0.15 s
PART = 32 << 20  # bytes a process counts at once
MOST_PROCESSES = 8
_PEEK = 1 << 16


class Died(Exception):
    """A child process ended before its work was done."""


def parts_of(path: Path, size: int) -> Iterator[Part]:
    """The file in parts of about `PART` bytes, each of whole lines."""
    with path.open("rb") as stream:
        start = 0
        while start < size:
            end = min(start + PART, size)
            if end < size:
                end = _line_end(stream, end, size)
            yield Part(start=start, end=end)
            start = end


def _line_end(stream: BinaryIO, place: int, size: int) -> int:
    """Where the line that `place` is in has ended."""
    stream.seek(place - 1)
    at = place - 1
    while block := stream.read(_PEEK):
        found = block.find(b"\n")
        if found >= 0:
            return at + found + 1
        at += len(block)
    return size


def sample_limit(files: Sequence[Path], rows: int) -> int:
    """The hash below which about so many rows of the files, and some to spare, have theirs."""
    lines = 0.0
    for file in files:
        size = file.stat().st_size
        with file.open("rb") as stream:
            head = stream.read(_PEEK * 16)
        lines += size * (head.count(b"\n") + 1) / max(1, len(head))
    return min(HIGHEST, int(HIGHEST * 1.5 * rows / max(1.0, lines)))


class _Child:
    """A worker and the pipe to it; used by one thread at a time."""

    def __init__(self, job: Job) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(each for each in sys.path if each)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ftc.spec.counting.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
        self._write = cast(BinaryIO, self._process.stdin)
        self._read = cast(BinaryIO, self._process.stdout)
        self._job = job
        self._ready = False

    def count(self, part: Part) -> Counted:
        """The answer of the worker. Raises Died."""
        try:
            if not self._ready:
                send(self._write, self._job)
                self._ready = True
            send(self._write, part)
            answer = receive(self._read)
        except OSError:
            answer = b""
        if not answer:
            self._process.kill()  # else its errors would not end
            errors = cast(BinaryIO, self._process.stderr).read().decode(errors="replace").strip()
            raise Died(errors.splitlines()[-1] if errors else "a worker was killed")
        return msgspec.msgpack.decode(answer, type=Counted, dec_hook=lambda _, value: Counter(value))

    def close(self) -> None:
        """Let it end, or end it."""
        for stream in (self._write, self._read, cast(BinaryIO, self._process.stderr)):
            stream.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@dataclass(slots=True)
class Totals:
    """What the parts of all files of a source are added to. `known` are places of the first rows, by content."""

    tally: Tally
    reports: Reports
    bags: Bags
    known: dict[int, Place] = field(default_factory=dict)


def count_file(path: Path, job: Job, totals: Totals) -> None:
    """Count the file into what is given. Raises Died, OSError."""
    size = path.stat().st_size
    parts = list(parts_of(path, size))
    local = threading.local()
    children: list[_Child] = []

    def work(part: Part) -> Counted:
        if not hasattr(local, "child"):
            local.child = _Child(job)
            children.append(local.child)
        return cast(_Child, local.child).count(part)

    processes = min(os.cpu_count() or 1, len(parts), MOST_PROCESSES)
    try:
        with ThreadPoolExecutor(processes) as pool:
            waiting: list[Future[Counted]] = []
            lines = 0
            for part in parts:
                waiting.append(pool.submit(work, part))
                if len(waiting) > 2 * processes:
                    lines += _merge(waiting.pop(0).result(), lines, job.name, totals)
            for future in waiting:
                lines += _merge(future.result(), lines, job.name, totals)
    finally:
        for child in children:
            child.close()


def _merge(found: Counted, before: int, name: str, totals: Totals) -> int:
    """Add one part, which stands so many lines down the file. Returns its lines."""
    hashes, places = Hashes(), array("I")
    hashes.content.frombytes(found.content)
    hashes.asked.frombytes(found.asked)
    hashes.groups.frombytes(found.groups)
    places.frombytes(found.places)
    totals.tally.merge(found.tally, before)
    totals.reports.merge(found.reports, before)
    totals.bags.add(hashes)
    _compare(hashes.content, places, before, name, totals)
    return found.lines


def _compare(content: array[int], places: array[int], before: int, name: str, totals: Totals) -> None:
    """Look for rows that stand in an earlier part, until there are examples enough."""
    known, same = totals.known, totals.tally.repeats.same
    if len(same) < PLACES and known:
        for whole in sorted(known.keys() & set(content), key=content.index)[: PLACES - len(same)]:
            same.append(((name, before + places[content.index(whole)]), known[whole]))
    for whole, line in zip(content[: REMEMBERED - len(known)], places, strict=False):
        known.setdefault(whole, (name, before + line))
