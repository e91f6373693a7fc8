"""The child processes that count large files: started early, before anything that takes long to load is needed."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO, cast

PART = 16 << 20  # bytes a process counts at once
MOST_PROCESSES = 4  # each holds 75 MB
_PIPE = 1 << 20  # bytes; an answer then takes a few steps and not hundreds, each of which waits for the parent's turn


class Died(Exception):
    """A child process ended before its work was done."""


def send(stream: BinaryIO, data: bytes) -> None:
    """Write one message."""
    stream.write(struct.pack("<Q", len(data)))
    stream.write(data)
    stream.flush()


def receive(stream: BinaryIO) -> bytes:
    """Read one message; empty at the end."""
    head = stream.read(8)
    return stream.read(struct.unpack("<Q", head)[0]) if len(head) == 8 else b""


class Child:
    """A worker and the pipe to it; used by one thread at a time."""

    def __init__(self) -> None:
        # Without `site`: 20 ms. One thread for numpy's linear algebra, which is not used: 50 ms.
        paths = [str(Path(sys.modules["ftc"].__file__ or "").parents[1]), *(each for each in sys.path if each)]
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-m", "ftc.spec.counting.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OPENBLAS_NUM_THREADS": "1"},
        )
        self._write = cast(BinaryIO, self._process.stdin)
        self._read = cast(BinaryIO, self._process.stdout)
        _widen(self._read)

    def give(self, order: bytes) -> None:
        """A job or a part of one, as a message. Raises Died."""
        try:
            send(self._write, order)
        except OSError:
            raise self._died() from None

    def take(self) -> bytes:
        """The answer to the earliest part that it was given. Raises Died."""
        answer = receive(self._read)
        if not answer:
            raise self._died()
        return answer

    def _died(self) -> Died:
        self._process.kill()  # else its errors would not end
        errors = cast(BinaryIO, self._process.stderr).read().decode(errors="replace").strip()
        return Died(errors.splitlines()[-1] if errors else "a worker was killed")

    def close(self) -> None:
        """Let it end, or end it."""
        self._process.terminate()
        for stream in (self._write, self._read, cast(BinaryIO, self._process.stderr)):
            try:
                stream.close()
            except OSError:
                continue
        self._process.wait()


def _widen(stream: BinaryIO) -> None:
    try:
        import fcntl

        fcntl.fcntl(stream, fcntl.F_SETPIPE_SZ, _PIPE)
    except (ImportError, AttributeError, OSError):
        pass  # not Linux, or more than this user may: slower, and no more than that


class Crew:
    """The children, for all files of a profile; started at once, and not at all where there is but one core."""

    def __init__(self, bytes_: int) -> None:
        most = min(os.cpu_count() or 1, MOST_PROCESSES, -(-bytes_ // PART))
        self.children = [Child() for _ in range(most - 1)]

    def close(self) -> None:
        """End them."""
        for child in self.children:
            child.close()
