"""How many of many 64-bit hashes are different, exactly and in bounded memory.

A few are kept as they are; from `HELD` on they go to a temporary file in sorted runs, which are counted range by range.
Two contents with one hash would be counted as one: at 100 million rows that is to be expected for 0.0003 of them
(n^2 / 2^65).
"""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any

HELD = 1_000_000  # hashes in memory, 8 MB
_FEW = 200_000  # up to here a Python set is faster than loading numpy (80 ms)


@dataclass(slots=True)
class Hashes:
    """Of some rows: of the whole, of what they ask, of the group they belong to (where they do)."""

    content: array[int] = field(default_factory=lambda: array("Q"))
    asked: array[int] = field(default_factory=lambda: array("Q"))
    groups: array[int] = field(default_factory=lambda: array("Q"))


class Distinct:
    """A bag of hashes. `count` are all, `distinct()` the different ones."""

    def __init__(self) -> None:
        self.count = 0
        self._held: array[int] = array("Q")
        self._file: IO[bytes] | None = None
        self._runs: list[tuple[int, int]] = []  # offset and length in hashes

    def add(self, hashes: array[int]) -> None:
        """Take these as well."""
        self.count += len(hashes)
        self._held.extend(hashes)
        if len(self._held) >= HELD:
            self._spill()

    def _spill(self) -> None:
        import numpy

        run = numpy.array(self._held, dtype=numpy.uint64)
        run.sort()
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="ftc-hashes-")  # noqa: SIM115 (lives as long as this does)
        start = sum(length for _, length in self._runs)
        self._file.write(run.tobytes())
        self._runs.append((start, len(run)))
        self._held = array("Q")

    def distinct(self) -> int:
        """How many of them are different."""
        if self._file is None and self.count <= _FEW:
            return len(set(self._held))
        return sum(_different(part) for part in self._ranges())

    def holding(self, other: Distinct) -> int:
        """How many hashes of the other bag (each counted as often as it is there) are in this one."""
        if self._file is None and other._file is None and self.count <= _FEW:
            known = set(self._held)
            return sum(1 for each in other._held if each in known)
        import numpy

        mine = list(self._ranges()) if self._file is None else None
        found = 0
        for theirs in other._ranges():
            found += sum(int(numpy.isin(theirs, part).sum()) for part in mine or self._ranges())
        return found

    def _ranges(self) -> Iterator[Any]:
        """All hashes, in parts that fit into memory and share no value."""
        import numpy

        held = numpy.array(self._held, dtype=numpy.uint64)
        if self._file is None:
            yield held
            return
        held.sort()
        self._file.flush()
        parts = self.count // (HELD // 2) + 1
        edges = [numpy.uint64((1 << 64) * part // parts) for part in range(parts)]
        runs = [
            numpy.memmap(self._file, dtype=numpy.uint64, mode="r", offset=start * 8, shape=(length,))
            for start, length in self._runs
        ]
        cuts = [[int(run.searchsorted(edge)) for edge in edges] + [len(run)] for run in (*runs, held)]
        for part in range(parts):
            pieces = []
            for (start, _), cut in zip(self._runs, cuts, strict=False):
                self._file.seek((start + cut[part]) * 8)
                data = self._file.read((cut[part + 1] - cut[part]) * 8)
                pieces.append(numpy.frombuffer(data, dtype=numpy.uint64))
            pieces.append(held[cuts[-1][part] : cuts[-1][part + 1]])
            yield numpy.concatenate(pieces)
        self._file.seek(0, 2)


class Bags:
    """The hashes of all rows of one role."""

    def __init__(self) -> None:
        self.content = Distinct()
        self.asked = Distinct()
        self.groups = Distinct()

    def add(self, hashes: Hashes) -> None:
        """Take those of some more rows."""
        self.content.add(hashes.content)
        self.asked.add(hashes.asked)
        self.groups.add(hashes.groups)


def _different(values: Any) -> int:
    if not len(values):
        return 0
    values.sort()
    return int((values[1:] != values[:-1]).sum()) + 1
