"""Where words go: results to stdout, everything said about them to stderr. Colour follows the terminal and NO_COLOR."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console


def write_json(value: Any) -> None:
    """The one JSON object of a `--json` call."""
    sys.stdout.write(json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def console(*, err: bool = False) -> Console:
    """A rich console (its import takes 40 ms, so only what renders for people asks for it)."""
    from rich.console import Console

    return Console(stderr=err, highlight=False, soft_wrap=True, emoji=False, markup=False)


def print_table(rows: Iterable[Iterable[str]], *, titles: Iterable[str] = (), right: Iterable[str] = ()) -> None:
    """Rows of plain cells without rules; `titles` head the columns, those named in `right` align to the right."""
    from rich.table import Table
    from rich.text import Text

    heads, to_the_right = tuple(titles), set(right)
    cells = [tuple(row) for row in rows]
    table = Table(box=None, show_header=bool(heads), header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for index in range(max((len(row) for row in cells), default=len(heads))):
        title = heads[index] if heads else ""
        justify: Literal["left", "right"] = "right" if title in to_the_right else "left"
        table.add_column(title, justify=justify, no_wrap=index == 0, overflow="fold")
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))
    console().print(table)
