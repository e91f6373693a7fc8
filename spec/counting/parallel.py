"""A large JSONL file, counted part by part, by this process and by child processes on the other cores.

Parts are merged in the order of the file, so that the result does not depend on who was faster. Children begin while
this process still hashes the bytes of the file (a `Crew`).
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from ftc.spec.counting import crew as crews
from ftc.spec.counting.crew import Child, Crew, Died
from ftc.spec.counting.distinct import Bags, Hashes
from ftc.spec.counting.repeats import PLACES, Place, Repeats
from ftc.spec.counting.tally import HIGHEST, Tally
from ftc.spec.counting.worker import Counted, Job, Part, count_part
from ftc.spec.reports import Reports

COMPARED = 1_000_000  # rows; examples of repeated ones are looked for among the first so many
_PEEK = 1 << 16
_AHEAD = 2  # parts that a child has been given, so that it need not wait


def parts_of(path: Path, size: int) -> Iterator[Part]:
    """The file in parts of about `crew.PART` bytes, each of whole lines."""
    with path.open("rb") as stream:
        start = 0
        while start < size:
            end = min(start + crews.PART, size)
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


@dataclass(slots=True)
class Totals:
    """What the parts of all files of a source are added to. `first`: file, lines before, hashes and lines of a part."""

    tally: Tally
    reports: Reports
    bags: Bags
    lengths: dict[str, list[tuple[bytes, bytes]]] = field(default_factory=dict)
    first: list[tuple[str, int, Any, Any, Any]] = field(default_factory=list)
    compared: int = 0


def count_file(path: Path, job: Job, totals: Totals, crew: Crew, meanwhile: Callable[[], None]) -> None:
    """Count the file into what is given. Raises Died, OSError.

    This process does `meanwhile` before it takes part; what that raises calls the counting off.
    """
    encode = msgspec.msgpack.encode
    decode = msgspec.msgpack.Decoder(Counted, dec_hook=lambda _, value: Counter(value)).decode
    parts = list(parts_of(path, path.stat().st_size))
    ahead = deque(enumerate(parts))
    answers: dict[int, Counted] = {}
    failed: list[Exception] = []

    def serve(child: Child) -> None:
        given: deque[int] = deque()
        try:
            child.give(encode(job))
            while ahead or given:
                while len(given) < _AHEAD and (next_ := _next(ahead)):
                    given.append(next_[0])
                    child.give(encode(next_[1]))
                if given:
                    answers[given[0]] = decode(child.take())
                    given.popleft()
        except (Died, OSError) as error:
            failed.append(error)

    threads = [threading.Thread(target=serve, args=(child,), daemon=True) for child in crew.children]
    for thread in threads:
        thread.start()
    try:
        meanwhile()
    except BaseException:
        ahead.clear()
        raise
    merged = lines = 0

    def merge() -> None:
        nonlocal merged, lines
        while merged in answers:
            lines += _merge(answers.pop(merged), lines, job.name, totals)
            merged += 1

    while not failed and (next_ := _next(ahead)):
        answers[next_[0]] = count_part(job, next_[1])
        merge()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    merge()


def _next(ahead: deque[tuple[int, Part]]) -> tuple[int, Part] | None:
    try:
        return ahead.popleft()
    except IndexError:
        return None


def _merge(found: Counted, before: int, name: str, totals: Totals) -> int:
    """Add one part, which stands so many lines down the file. Returns its lines."""
    import numpy

    hashes = Hashes()
    hashes.content.frombytes(found.content)
    hashes.asked.frombytes(found.asked)
    hashes.groups.frombytes(found.groups)
    totals.tally.merge(found.tally, before)
    for what, counts in found.lengths.items():
        totals.lengths.setdefault(what, []).append(counts)
    totals.reports.merge(found.reports, before)
    totals.bags.add(hashes)
    if totals.compared < COMPARED:
        content, asked = numpy.frombuffer(found.content, "u8"), numpy.frombuffer(found.asked, "u8")
        totals.first.append((name, before, content, asked, numpy.frombuffer(found.places, "u4")))
        totals.compared += len(content)
    return found.lines


def bring_lengths(totals: Totals) -> None:
    """Put the lengths of all parts into the tally."""
    import numpy

    tally = totals.tally
    counters = {"prompt": tally.prompt, "completion": tally.completion, "sequence": tally.sequence}
    for what, counts in totals.lengths.items():
        values, times = (numpy.frombuffer(b"".join(each[index] for each in counts), "i8") for index in (0, 1))
        lengths, places = numpy.unique(values, return_inverse=True)
        sums = numpy.zeros(len(lengths), numpy.int64)
        numpy.add.at(sums, places, times)
        counters[what].update(dict(zip(lengths.tolist(), sums.tolist(), strict=True)))


def find_repeats(totals: Totals) -> Repeats:
    """Places of rows that stand twice, and of questions with two labels, where there are any."""
    import numpy

    if not totals.first:
        return Repeats()
    content, asked = (numpy.concatenate([each[index] for each in totals.first]) for index in (2, 3))
    same = _pairs(content) if totals.bags.content.distinct() < totals.bags.content.count else ()
    conflicting = (
        [pair for pair in _pairs(asked) if content[pair[0]] != content[pair[1]]] if totals.tally.classes else ()
    )
    return Repeats(
        same=[(_place(later, totals), _place(first, totals)) for later, first in same[:PLACES]],
        conflicting=[(_place(later, totals), _place(first, totals)) for later, first in conflicting[:PLACES]],
    )


def _pairs(values: Any) -> list[tuple[int, int]]:
    """(index, index of an earlier equal value), in the order of the first."""
    import numpy

    order = numpy.argsort(values, kind="stable")
    equal = numpy.flatnonzero(values[order][1:] == values[order][:-1])
    return sorted(zip(order[equal + 1].tolist(), order[equal].tolist(), strict=True))


def _place(index: int, totals: Totals) -> Place:
    for name, before, content, _, lines in totals.first:
        if index < len(content):
            return name, before + int(lines[index])
        index -= len(content)
    raise IndexError(index)
