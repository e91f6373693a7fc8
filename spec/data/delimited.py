"""CSV and TSV: which character separates, whether quotes quote, and records with the line they start at.

Quoting is read strictly: a quote that is opened and never closed would otherwise swallow every row behind it. Such a
row is reported and reading goes on at the line after its first one.
"""

from __future__ import annotations

import csv
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from ftc.spec.data.records import Broken, Items
from ftc.spec.data.streams import LONGEST_LINE, lines

DELIMITERS = "\t,;|"
_LOOKED_AT = 50  # records that decide on the dialect
_LONGEST_RECORD = 100_000  # lines; a quoted field that goes on longer was never closed


@dataclass(frozen=True, slots=True)
class Dialect:
    """How fields are told apart."""

    delimiter: str
    quoted: bool = True


def dialect_of(head: str, complete: bool) -> Dialect | None:
    """The dialect under which the first records have one width of two or more; None where there is none.

    `complete`: `head` is the whole file, so that its last line is a whole one.
    """
    rows = head.splitlines()
    if not complete and len(rows) > 1:
        rows.pop()
    best: tuple[float, int, int, Dialect] | None = None
    for order, delimiter in enumerate(DELIMITERS):
        if delimiter not in rows[0] if rows else True:
            continue
        for quoted in (True, False):
            dialect = Dialect(delimiter, quoted)
            widths = _widths(rows, dialect)
            if not widths or widths[0] < 2:
                continue
            share = Counter(widths)[widths[0]] / len(widths)
            candidate = (share, quoted, -order, dialect)
            if best is None or candidate[:3] > best[:3]:
                best = candidate
    return best[3] if best and best[0] >= 0.5 else None


def _widths(rows: list[str], dialect: Dialect) -> list[int]:
    found = []
    for _, row in _records((row + "\n" for row in rows), dialect):
        found.append(0 if isinstance(row, Broken) else len(row))
        if len(found) == _LOOKED_AT:
            break
    return found


def read(stream: BinaryIO, dialect: Dialect) -> Items:
    """Each record as an object, by the names in the first one."""
    names: list[str] | None = None
    for line, row in _records(_text(stream), dialect):
        if isinstance(row, Broken):
            yield line, row
        elif names is None:
            names = _unique(row)
        elif len(row) == len(names):
            yield line, dict(zip(names, row, strict=True))
        else:
            yield line, Broken("D104", f"{len(row)} fields, where the header has {len(names)}")


def _unique(header: list[str]) -> list[str]:
    """Column names without space around them; a nameless or repeated one is called by its number."""
    names: list[str] = []
    for number, name in enumerate(header, 1):
        clean = name.strip().lstrip("\ufeff")
        names.append(f"column {number}" if not clean or clean in names else clean)
    return names


class _Undecodable(str):
    """A line with bytes that are not UTF-8, read as if they were Latin-1."""

    __slots__ = ()


def _text(stream: BinaryIO) -> Iterator[str]:
    for line in lines(stream):
        try:
            yield line.decode() + "\n"
        except UnicodeDecodeError:
            yield _Undecodable(line.decode("latin-1") + "\n")


def _records(source: Iterator[str], dialect: Dialect) -> Iterator[tuple[int, list[str] | Broken]]:
    """Records with the line they start at. Blank lines are no records."""
    csv.field_size_limit(LONGEST_LINE)
    waiting: deque[str] = deque()  # lines to be read again after a record that went wrong
    taken: list[str] = []  # lines of the record being read

    def feed() -> Iterator[str]:
        while True:
            line = waiting.popleft() if waiting else next(source, None)
            if line is None:
                return
            taken.append(line)
            if len(taken) > _LONGEST_RECORD:
                raise csv.Error("end of data")
            yield line.replace("\r", " ") if "\r" in line else line

    line = 1
    while True:
        reader = csv.reader(
            feed(),
            delimiter=dialect.delimiter,
            quoting=csv.QUOTE_MINIMAL if dialect.quoted else csv.QUOTE_NONE,
            strict=True,
        )
        try:
            for row in reader:
                start, count = line, len(taken)
                line += count
                bad = any(isinstance(each, _Undecodable) for each in taken)
                taken.clear()
                if bad:
                    yield start, Broken("D103", "bytes that are not UTF-8")
                elif row:
                    yield start, row
            return
        except csv.Error as error:
            reason = "a quote that is never closed" if "end of data" in str(error) else str(error)
            waiting.extendleft(reversed(taken[1:]))
            taken.clear()
            yield line, Broken("D104", reason)
            line += 1
