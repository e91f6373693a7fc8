"""A child process that counts parts of a JSONL file: `python -m ftc.spec.counting.worker`.

Takes a job, then one part (start and end in bytes) after the other, on its standard input; answers each on its
standard output. A plain child, not `multiprocessing`: that would run the main module of whoever called us again.
"""

from __future__ import annotations

import os
import struct
import sys
from typing import BinaryIO

import msgspec

from ftc.spec.counting.jsonl_blocks import BlockCounter, Shape
from ftc.spec.counting.tally import Tally
from ftc.spec.data.streams import LONGEST_LINE, TooLong
from ftc.spec.reports import Reports

BLOCK = 1 << 17  # bytes decoded at once, so that they stay in the cache of a core


class Job(msgspec.Struct):
    """What to count, and how."""

    path: str
    name: str
    format: str
    columns: dict[str, str]
    shape: Shape
    limit: int
    turn: int


class Part(msgspec.Struct):
    """Whole lines of the file."""

    start: int
    end: int


class Counted(msgspec.Struct):
    """What a part holds. Hashes are the bytes of 64-bit numbers, so that they travel fast."""

    lines: int
    tally: Tally
    reports: Reports
    content: bytes
    asked: bytes
    groups: bytes
    places: bytes  # of 32-bit line numbers, one for each content hash


def send(stream: BinaryIO, value: object) -> None:
    """Write one message."""
    data = msgspec.msgpack.encode(value)
    stream.write(struct.pack("<Q", len(data)))
    stream.write(data)
    stream.flush()


def receive(stream: BinaryIO) -> bytes:
    """Read one message; empty at the end."""
    head = stream.read(8)
    return stream.read(struct.unpack("<Q", head)[0]) if len(head) == 8 else b""


def count_part(job: Job, part: Part) -> BlockCounter:
    """Count the lines between the two places."""
    counter = BlockCounter(job.name, job.format, job.columns, job.limit, job.turn, job.shape)
    file = os.open(job.path, os.O_RDONLY)
    try:
        at, size = part.start, BLOCK
        while at < part.end:
            data = os.pread(file, min(size, part.end - at), at)
            whole = at + len(data) >= part.end
            end = data.rfind(b"\n") if not whole or data.endswith(b"\n") else len(data)
            if end >= 0:
                counter.add(data, end)
                at, size = at + end + 1, BLOCK
            elif not data or size > LONGEST_LINE:
                raise TooLong(counter.lines + 1)
            else:
                size *= 2  # a line longer than the block
    finally:
        os.close(file)
    counter.finish()
    return counter


def main() -> None:
    """Serve until the input ends."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    job = msgspec.msgpack.decode(receive(source), type=Job)
    while message := receive(source):
        counted = count_part(job, msgspec.msgpack.decode(message, type=Part))
        send(
            sink,
            Counted(
                lines=counted.lines,
                tally=counted.tally,
                reports=counted.reports,
                content=counted.hashes.content.tobytes(),
                asked=counted.hashes.asked.tobytes(),
                groups=counted.hashes.groups.tobytes(),
                places=counted.places.tobytes(),
            ),
        )


if __name__ == "__main__":
    main()
