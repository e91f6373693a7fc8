"""Reads one source of rows: from a path as written to canonical rows, one after the other, in the order of the file.

Every record is either a row or counted and reported with its place: `rows_read == rows used + rows_reported`, always.
The same source read again, with the format and the columns that were found, gives the same rows.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from itertools import chain, islice
from pathlib import Path

from ftc.spec.columns import extractor
from ftc.spec.convert import CONVERTERS, Note
from ftc.spec.data.files import DataFile, find, reason_of, records
from ftc.spec.data.records import Broken, Json
from ftc.spec.data_codes import CODES
from ftc.spec.diagnostics import Diagnostic, Severity
from ftc.spec.model import Source
from ftc.spec.recognise import PLACES, SAMPLE, Unrecognised, recognise
from ftc.spec.recognisers import Recognition
from ftc.spec.rows import Row
from ftc.spec.turns import Unfit

EXAMPLES = 5  # places named in a finding
UNUSABLE = 0.05  # share of rows; above it the file was probably misread, and nothing goes on

_Placed = tuple[str, int, Json | Broken]  # file, line, what stands there


class Reading:
    """A source being read. Iterate `rows` once; `findings` and the counters are complete when it has ended."""

    def __init__(self, source: Source, role: str) -> None:
        self.source = source
        self.role = role
        self.format = source.format
        self.columns: Mapping[str, str] = dict(source.columns)
        self.evidence = ""
        self.files: tuple[DataFile, ...] = ()
        self.rows: Iterator[Row] = iter(())
        self.rows_read = 0
        self.rows_reported = 0
        self._fixed: list[Diagnostic] = []
        self._fatal = False
        self._ended = False
        self._counts: dict[str, int] = {}
        self._examples: dict[str, list[tuple[str, int, str]]] = {}

    @property
    def findings(self) -> list[Diagnostic]:
        """What there is to say so far: errors of the whole first, then one finding a code, with places."""
        found = [*self._fixed, *(self._summed(code) for code in sorted(self._counts))]
        used = self.rows_read - self.rows_reported
        if self._ended and self.rows_reported > UNUSABLE * self.rows_read and self.rows_read:
            share = f"{self.rows_reported} of {self.rows_read} rows cannot be used"
            found.insert(0, self._diagnostic("D120" if used else "D121", share, Severity.ERROR))
        return found

    def add(self, code: str, why: str, severity: Severity, fix: str = "", line: int = 0) -> None:
        """A finding about the source as a whole."""
        self._fixed.append(self._diagnostic(code, why, severity, fix, line))

    def count(self, code: str, name: str, line: int, why: str) -> None:
        """A finding about one row."""
        self._counts[code] = self._counts.get(code, 0) + 1
        examples = self._examples.setdefault(code, [])
        if len(examples) < EXAMPLES:
            examples.append((name, line, why))

    def _diagnostic(self, code: str, why: str, severity: Severity, fix: str = "", line: int = 0) -> Diagnostic:
        return Diagnostic(
            code=code, message=why, severity=severity, fix=fix, line=line, key=f"data.{self.role}",
            file=self.source.path or "",
        )  # fmt: skip

    def _summed(self, code: str) -> Diagnostic:
        name, line, why = self._examples[code][0]
        count = self._counts[code]
        severity = Severity.ERROR if self._fatal and code in ("D101", "D103", "D104", "D105") else Severity.WARNING
        if code == "D106":
            severity = Severity.ERROR
        return Diagnostic(
            code=code,
            message=f"{CODES[code].title}: {why}" + (f" (and {count - 1} more)" if count > 1 else ""),
            severity=severity,
            fix=CODES[code].fix,
            key=f"data.{self.role}",
            file=name,
            line=line,
            examples=tuple(f"{name}:{line}" for name, line, _ in self._examples[code]),
            count=count,
        )


def read(source: Source, folder: Path, role: str) -> Reading:
    """The reading of a source that has a path. Never raises for what stands in a file: that is in `findings`."""
    reading = Reading(source, role)
    by_line = role in ("prompts", "feedback") or source.format in ("prompts", "prompts-with-tests")
    try:
        reading.files = tuple(find(source.path or "", folder, by_line))
    except (OSError, EOFError, zlib.error) as error:
        reading.add("D101", f"{source.path}: {reason_of(error)}", Severity.ERROR, CODES["D101"].fix)
        return reading
    placed = _everything(reading.files)
    sample = list(islice(placed, SAMPLE))
    if not sample:
        reading.add("D102", f"{source.path} has no rows", Severity.ERROR, CODES["D102"].fix)
        return reading
    found = _recognition(reading, sample)
    if found is None:
        return reading
    reading.format, reading.columns, reading.evidence = found.format, found.columns, found.evidence
    _say(reading, found)
    reading.rows = _rows(reading, chain(sample, placed))
    return reading


def _everything(files: tuple[DataFile, ...]) -> Iterator[_Placed]:
    for file in files:
        for line, item in records(file):
            yield file.name, line, item


def _recognition(reading: Reading, sample: list[_Placed]) -> Recognition | None:
    """The reading of the sample; None, with findings, where there is none."""
    whole = [item for _, _, item in sample if not isinstance(item, Broken)]
    if not whole:
        for name, line, item in sample:
            reading.rows_read += 1
            reading.rows_reported += 1
            reading.count(item.code, name, line, item.reason)
            reading._fatal = True
        return None
    source = reading.source
    if all(file.container in ("text", "lines") for file in reading.files) and not source.columns:
        return _plain_text(reading)
    found = recognise(whole, reading.role, source.format, source.columns)
    if isinstance(found, Unrecognised):
        reading.add(found.code, found.why, Severity.ERROR, "\n".join(found.lines))
        return None
    return found


def _plain_text(reading: Reading) -> Recognition | None:
    """Text files hold documents, or prompts one a line; nothing else can be read out of them."""
    files = f"{len(reading.files)} plain text file" + ("s" if len(reading.files) > 1 else "")
    if reading.files[0].container == "lines":
        return Recognition(format="prompts", columns={"prompt": "text"}, evidence=f"{files}, one prompt a line")
    if reading.role == "demonstrations" and reading.source.format in ("auto", "text", "raw-documents"):
        fix = f"corpus: {{path: {reading.source.path}}}"
        reading.add("D114", f"{files}: raw text demonstrates no answers", Severity.ERROR, fix)
        return None
    return Recognition(format="text", columns={"text": "text"}, evidence=files)


def _say(reading: Reading, found: Recognition) -> None:
    """What was recognised, and what to write for another reading."""
    belongs = PLACES.get(found.format, "demonstrations")
    if reading.role == "demonstrations" and belongs != "demonstrations":
        why = f"these are {found.format} rows ({found.evidence}), not demonstrations"
        reading.add("D114", why, Severity.ERROR, f"{belongs}: {{path: {reading.source.path}}}")
        return
    why = f"{reading.source.path}: {found.format} ({found.evidence})"
    if found.others:
        reading.add("D111", f"{why}; another reading is possible", Severity.WARNING, "\n".join(found.others))
    else:
        reading.add("D110", why, Severity.NOTE)


def _rows(reading: Reading, placed: Iterator[_Placed]) -> Iterator[Row]:
    """Each record's rows, converted; what cannot be is counted and reported."""
    convert = CONVERTERS[reading.format]
    extract = None
    nested = any("[]" in path for path in reading.columns.values())  # rows of one record belong together
    for name, line, item in placed:
        if isinstance(item, Broken):
            reading.rows_read += 1
            reading.rows_reported += 1
            reading._fatal |= item.fatal
            reading.count(item.code, name, line, item.reason)
            continue
        if not isinstance(item, dict):
            reading.rows_read += 1
            reading.rows_reported += 1
            reading.count("D115", name, line, "no object with named fields")
            continue
        if extract is None:
            extract = extractor(reading.columns, frozenset(item))
        parts = 0
        place = f"{name}:{line}"
        for values in extract(item):
            parts += 1
            if nested:
                values = {"group": place, **values}
            reading.rows_read += 1
            try:
                row = convert(values, place)
            except Unfit as error:
                reading.rows_reported += 1
                reading.count(error.code, name, line, error.reason)
                continue
            if isinstance(row, Note):
                reading.count(row.code, name, line, CODES[row.code].title)
                row = row.row
            yield row
        if not parts:
            reading.rows_read += 1
            reading.rows_reported += 1
            reading.count("D115", name, line, "no row in the list that columns leads to")
    reading._ended = True
