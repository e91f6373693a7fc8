"""Diagnostics for people (place, code, words, the line with a caret) and for scripts."""

from __future__ import annotations

from collections.abc import Iterable

from ftc.spec.diagnostics import Diagnostic, Refused, Severity
from ftc.views.output import console, write_json

STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}
EXAMPLES = 3  # places shown of a finding that many rows share


def show_refusal(refused: Refused, *, as_json: bool) -> None:
    """Every reason, then how many there were."""
    if as_json:
        diagnostics = [each.to_json() for each in refused.diagnostics]
        write_json({"diagnostics": diagnostics, "exit_code": refused.exit_code})
        return
    show(refused.diagnostics)
    stopping = sum(each.severity is Severity.ERROR for each in refused.diagnostics)
    out = console(err=True)
    out.print(f"{stopping} problem{'' if stopping == 1 else 's'}, nothing written.")


def show(diagnostics: Iterable[Diagnostic], *, notes: bool = True) -> None:
    """One block each, on stderr; without `notes` only what may be wrong."""
    shown = [each for each in diagnostics if notes or each.severity is not Severity.NOTE]
    if not shown:
        return
    from rich.text import Text

    out = console(err=True)
    for each in shown:
        place = each.file
        if each.line:
            place += f":{each.line}:{each.column}" if each.column else f":{each.line}"
        key = f"{each.key}: " if each.key and each.key not in each.message else ""
        head = Text(f"{place}  " if place else "")
        head.append(f"{each.severity} {each.code}", style=STYLES[each.severity])
        head.append(f"  {key}{each.message}")
        out.print(head)
        for line in _caret(each):
            out.print(line, style="dim")
        if each.fix and not each.excerpt:
            out.print(f"  {each.fix}")
        if each.examples:
            out.print(f"  at {_places(each)}", style="dim")


def _places(each: Diagnostic) -> str:
    """A few of the places, the file named once where it is one, and how many more there are."""
    shown = list(each.examples[:EXAMPLES])
    name = shown[0].rpartition(":")[0]
    if name and all(place.rpartition(":")[0] == name for place in shown):
        shown = [shown[0], *(place.rpartition(":")[2] for place in shown[1:])]
    more = max(each.count, len(each.examples)) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more > 0 else "")


def _caret(each: Diagnostic) -> list[str]:
    if not each.excerpt or not each.line:
        return []
    number = str(each.line)
    margin = " " * len(number)
    pointer = " " * (max(each.column, 1) - 1) + "^" * max(each.length, 1)
    fix = f" {each.fix}" if each.fix else ""
    return [f"  {number} | {each.excerpt}", f"  {margin} | {pointer}{fix}"]
