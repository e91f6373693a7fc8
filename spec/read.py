"""Reads one source of rows: from a path as written to canonical rows, one after the other, in the order of the file.

Every record is either a row or counted and reported with its place: `rows_read == rows used + rows_reported`, always.
The same source read again, with the format and the columns that were found, gives the same rows.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path

from ftc.spec.data.files import DataFile, find, reason_of, records
from ftc.spec.data.hub import Unreachable
from ftc.spec.data.records import Broken, Json
from ftc.spec.data_codes import CODES
from ftc.spec.diagnostics import Diagnostic, Severity
from ftc.spec.model import Source
from ftc.spec.reading_rows import RowMaker
from ftc.spec.recognise import PLACES, SAMPLE, Unrecognised, recognise
from ftc.spec.recognisers import Recognition
from ftc.spec.reports import Reports
from ftc.spec.rows import Row

UNUSABLE = 0.05  # share of rows; above it the file was probably misread, and nothing goes on

_Placed = tuple[str, int, Json | Broken]  # file, line, what stands there


class Reading:
    """A source being read. Iterate `rows` once; `findings` and the counters are complete when it has ended."""

    def __init__(self, source: Source, role: str) -> None:
        self.source = source
        self.role = role
        self.format = source.format
        self.columns: Mapping[str, str] = {}
        self.evidence = ""
        self.files: tuple[DataFile, ...] = ()
        self.sample: tuple[Json, ...] = ()  # the first records, as they stand in the file
        self.rows: Iterator[Row] = iter(())
        self.reports = Reports()
        self._whole: list[Diagnostic] = []

    @property
    def rows_read(self) -> int:
        """Records met so far, a row each."""
        return self.reports.rows_read

    @property
    def rows_reported(self) -> int:
        """Those that are not used, each in a finding."""
        return self.reports.rows_reported

    @property
    def recognised(self) -> bool:
        """True where there is a format, so that rows can be made."""
        return bool(self.evidence)

    @property
    def findings(self) -> list[Diagnostic]:
        """What there is to say so far: about the whole first, then one finding a code, with places."""
        found = [*self._whole, *self.reports.diagnostics(f"data.{self.role}")]
        read, reported = self.rows_read, self.rows_reported
        if self.reports.ended and reported > UNUSABLE * read:
            code = "D120" if reported < read else "D121"
            found.insert(0, self._diagnostic(code, f"{reported} of {read} rows cannot be used", Severity.ERROR))
        return found

    def add(self, code: str, why: str, severity: Severity, fix: str = "") -> None:
        """A finding about the source as a whole."""
        self._whole.append(self._diagnostic(code, why, severity, fix or CODES[code].fix))

    def _diagnostic(self, code: str, why: str, severity: Severity, fix: str = "") -> Diagnostic:
        return Diagnostic(
            code=code,
            message=why,
            severity=severity,
            fix=fix or CODES[code].fix,
            key=f"data.{self.role}",
            file=self.source.path or "",
        )


def read(source: Source, folder: Path, role: str) -> Reading:
    """The reading of a source that has a path. Never raises for what stands in a file: that is in `findings`."""
    reading = Reading(source, role)
    by_line = role in ("prompts", "feedback") or source.format in ("prompts", "prompts-with-tests")
    try:
        reading.files = tuple(find(source.path or "", folder, by_line))
    except Unreachable as error:
        reading.add("D107", f"{source.path}: {error.strerror}", Severity.ERROR, error.fix)
        return reading
    except (OSError, EOFError, zlib.error, ValueError) as error:
        reading.add("D101", f"{source.path}: {reason_of(error)}", Severity.ERROR)
        return reading
    placed = _everything(reading.files)
    sample = list(islice(placed, SAMPLE))
    if not sample:
        reading.add("D102", f"{source.path} has no rows", Severity.ERROR)
        return reading
    found = _recognition(reading, sample)
    if found is None:
        return reading
    reading.format, reading.columns = found.format, found.columns
    if not _say(reading, found):
        return reading
    reading.evidence = found.evidence
    reading.rows = _rows(reading, chain(sample, placed))
    return reading


def _everything(files: tuple[DataFile, ...]) -> Iterator[_Placed]:
    for file in files:
        for line, item in records(file):
            yield file.name, line, item


def _recognition(reading: Reading, sample: list[_Placed]) -> Recognition | None:
    """The reading of the sample; None, with findings, where there is none."""
    whole = [item for _, _, item in sample if not isinstance(item, Broken)]
    reading.sample = tuple(whole)
    if not whole:
        reading.reports.fatal = reading.reports.ended = True
        for name, line, item in sample:
            reading.reports.refuse(item.code, name, line, item.reason)
        return None
    source = reading.source
    if all(file.container in ("text", "lines") for file in reading.files) and not source.columns:
        return _plain_text(reading)
    named = {role: path for role, path in source.columns.items() if path}
    found = recognise(whole, reading.role, source.format, named)
    if isinstance(found, Unrecognised):
        reading.add(found.code, found.why, Severity.ERROR, "\n".join(found.lines))
        return None
    columns = {role: path for role, path in found.columns.items() if role not in source.columns or source.columns[role]}
    if source.group_by:
        top = source.group_by.partition(".")[0].removesuffix("[]")
        if not any(isinstance(record, dict) and {top, source.group_by} & record.keys() for record in whole):
            reading.add("D113", f'group_by: no column "{source.group_by}"', Severity.ERROR)
            return None
        columns["group"] = source.group_by
    return replace(found, columns=columns)


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


def _say(reading: Reading, found: Recognition) -> bool:
    """What was recognised, and what to write for another reading. False where it cannot be used for this role."""
    belongs = PLACES.get(found.format, "demonstrations")
    if reading.role == "demonstrations" and belongs != "demonstrations":
        why = f"these are {found.format} rows ({found.evidence}), not demonstrations"
        reading.add("D114", why, Severity.ERROR, f"{belongs}: {{path: {reading.source.path}}}")
        return False
    why = f"{found.format} ({found.evidence})"
    if found.others:
        reading.add("D111", f"{why}; another reading is possible", Severity.WARNING, "\n".join(found.others))
    else:
        reading.add("D110", why, Severity.NOTE)
    return True


def _rows(reading: Reading, placed: Iterator[_Placed]) -> Iterator[Row]:
    """Each record's rows, converted; what cannot be is counted and reported."""
    maker = RowMaker(reading.format, reading.columns, reading.reports)
    for name, line, item in placed:
        yield from maker.make(name, line, item)
    reading.reports.ended = True
