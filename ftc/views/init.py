"""What `ftc init` recognised and guessed, for people."""

from __future__ import annotations

from pathlib import Path

from ftc.spec.draft import Draft
from ftc.spec.write import preview
from ftc.views.output import console, print_table


def show_draft(draft: Draft, written: Path) -> None:
    """The files with three rows each, the guesses with their evidence, the next commands."""
    from rich.text import Text

    out = console()
    for each in draft.found:
        out.print(
            Text.assemble((f"{each.role}", "bold"), f"  {each.path}: {each.format}, {each.rows} rows; {each.evidence}")
        )
        for row in each.preview:
            out.print(f"  {row if isinstance(row, str) else preview(row)}", style="dim")
    if draft.guesses:
        out.print(Text("\nGuessed", style="bold"))
        print_table((f"  {each.key}", f"{each.value}", ", ".join(each.evidence)) for each in draft.guesses)
    name = "" if written.name == "ftc.yaml" else f" {written}"
    out.print(f"\n{written} is written; every guess is marked in it. Next: `ftc check{name}`, then `ftc advise{name}`.")
