"""A child process that counts parts of a JSONL file: `python -m ftc.spec.counting.worker`.

Takes jobs, and after each one part of its file (start and end in bytes) after the other, on its standard input; answers
each part on its standard output. A plain child, not `multiprocessing`: that would run the main module of whoever called
us again.
"""

from __future__ import annotations

import sys

import msgspec

from ftc.spec.counting.crew import receive, send
from ftc.spec.counting.jsonl_blocks import BlockCounter, Shape
from ftc.spec.counting.tally import Tally
from ftc.spec.data.streams import LONGEST_LINE, TooLong
from ftc.spec.reports import Reports

BLOCK = 1 << 19  # bytes looked at at once, so that they stay in the cache of a core


class Job(msgspec.Struct, tag=True):
    """What to count, and how."""

    path: str
    name: str
    format: str
    columns: dict[str, str]
    shape: Shape
    limit: int
    turn: int


class Part(msgspec.Struct, tag=True):
    """Whole lines of the file."""

    start: int
    end: int


class Counted(msgspec.Struct):
    """What a part holds. Hashes are the bytes of 64-bit numbers, so that they travel fast."""

    lines: int
    tally: Tally
    lengths: dict[str, tuple[bytes, bytes]]  # values and times, not in the tally yet
    reports: Reports
    content: bytes
    asked: bytes
    groups: bytes
    places: bytes  # of 32-bit line numbers, one for each content hash


def count_part(job: Job, part: Part) -> Counted:
    """Count the lines between the two places."""
    counter = BlockCounter(job.name, job.format, job.columns, job.limit, job.turn, job.shape)
    held = bytearray(BLOCK)
    with open(job.path, "rb", buffering=0) as stream:  # noqa: PTH123 (starting `pathlib` costs a worker 8 ms)
        stream.seek(part.start)
        left, kept = part.end - part.start, 0  # bytes to read, bytes of a line that has begun
        while left or kept:
            read = stream.readinto(memoryview(held)[kept : kept + left])
            if not read and left:
                break  # shorter than when it was looked at
            left -= read
            size = kept + read
            end = held.rfind(b"\n", 0, size) + 1 if left else size
            if end:
                counter.add(memoryview(held)[:end])
                held[: size - end] = held[end:size]
            elif size > LONGEST_LINE:
                counter.reports.fatal = True
                counter.reports.refuse("D104", job.name, counter.lines + 1, str(TooLong(counter.lines + 1)))
                break
            elif size == len(held):
                held += bytes(size)  # a line longer than the block
            kept = size - end
    hashes = counter.hashes()
    return Counted(
        lines=counter.lines,
        tally=counter.tally,
        lengths=counter.lengths(),
        reports=counter.reports,
        content=hashes.content.tobytes(),
        asked=hashes.asked.tobytes(),
        groups=hashes.groups.tobytes(),
        places=counter.places(),
    )


def main() -> None:
    """Serve until the input ends."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    job = None
    while message := receive(source):
        order = msgspec.msgpack.decode(message, type=Job | Part)
        if isinstance(order, Job):
            job = order
        elif job is not None:
            send(sink, msgspec.msgpack.encode(count_part(job, order)))


if __name__ == "__main__":
    main()
