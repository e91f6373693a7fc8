"""One record to its rows: the parts are taken out, converted, and counted or reported."""

from __future__ import annotations

from collections.abc import Mapping

from ftc.spec.columns import Extractor, extractor
from ftc.spec.convert import CONVERTERS, Note
from ftc.spec.data.records import Broken, Json
from ftc.spec.data_codes import CODES
from ftc.spec.reports import Reports
from ftc.spec.rows import Row
from ftc.spec.turns import Unfit


class RowMaker:
    """Makes rows of one format by its columns; what cannot be used goes into the reports."""

    def __init__(self, format_: str, columns: Mapping[str, str], reports: Reports) -> None:
        self._convert = CONVERTERS[format_]
        self._columns = columns
        self._reports = reports
        self._nested = any("[]" in path for path in columns.values())  # rows of one record belong together
        self._extract: Extractor | None = None

    def make(self, name: str, line: int, item: Json | Broken) -> list[Row]:
        """The rows of the record that stands at that line."""
        reports = self._reports
        if isinstance(item, Broken):
            reports.fatal |= item.fatal
            reports.refuse(item.code, name, line, item.reason)
            return []
        if not isinstance(item, dict):
            reports.refuse("D115", name, line, "no object with named fields")
            return []
        if self._extract is None:
            self._extract = extractor(self._columns, frozenset(item))
        place = f"{name}:{line}"
        rows: list[Row] = []
        parts = 0
        for values in self._extract(item):
            parts += 1
            try:
                row = self._convert({"group": place, **values} if self._nested else values, place)
            except Unfit as error:
                reports.refuse(error.code, name, line, error.reason)
                continue
            reports.rows_read += 1
            if isinstance(row, Note):
                reports.note(row.code, name, line, CODES[row.code].title)
                row = row.row
            rows.append(row)
        if not parts:
            reports.refuse("D115", name, line, "no row in the list that columns leads to")
        return rows
