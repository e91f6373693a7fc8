"""`ftc check`: is the spec sound, is the data what it is taken for?"""

from __future__ import annotations

from pathlib import Path

import click

from ftc import api
from ftc.commands.options import json_option, spec_argument
from ftc.spec.diagnostics import Refused, errors
from ftc.spec.model import Spec


@click.command("check")
@spec_argument
@click.option(
    "--fix", "fixed", type=click.Path(path_type=Path), metavar="OUT", help="Write a cleaned copy to OUT (JSONL)."
)
@json_option
def check_command(spec: Path, *, fixed: Path | None, as_json: bool) -> None:
    """Validate SPEC (ftc.yaml) and look at its data: what was recognised, how long, how clean.

    \b
    Examples:
      ftc check
      ftc check router.yaml --json | jq .diagnostics
      ftc check --fix clean.jsonl          the demonstrations, cleaned; the original stays as it is
    """
    from ftc.advisor.observe import look

    loaded = api.load(spec)
    if loaded.spec is None:
        raise Refused(loaded.diagnostics)
    if fixed is not None:
        _fix(loaded.spec, fixed, as_json=as_json)
        return
    profile, found = look(loaded.spec)
    in_spec = loaded.with_found(api.unknown_names(loaded))
    diagnostics = (*in_spec, *(loaded.locate(each) for each in found))
    if errors(diagnostics):
        raise Refused(diagnostics)
    if as_json:
        from dataclasses import asdict

        from ftc.views.output import write_json

        write_json({"diagnostics": [each.to_json() for each in diagnostics], "profile": asdict(profile)})
        return
    from ftc.views.diagnostics import show
    from ftc.views.profile import show_profile

    show(diagnostics)
    show_profile(loaded.spec, profile)


def _fix(spec: Spec, out: Path, *, as_json: bool) -> None:
    """A cleaned copy of the demonstrations, and what was done to which row."""
    from dataclasses import asdict

    from ftc.spec.clean import fix
    from ftc.views.diagnostics import show
    from ftc.views.output import console, write_json

    given = [each for each in spec.data.demonstrations if not each.described]
    if len(given) != 1:
        raise click.UsageError(f"--fix cleans one source of demonstrations, and the spec gives {len(given)}")
    try:
        report = fix(given[0], spec.folder, out)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if as_json:
        write_json({**asdict(report), "findings": [each.to_json() for each in report.findings]})
        return
    show(report.findings)
    if not report.out:
        raise Refused(report.findings)
    console().print(
        f"{report.out}  {report.rows_read:,} rows read = {report.rows_written:,} written + "
        f"{report.rows_left_out:,} left out; {report.rows_changed:,} changed\n"
        f"{report.report}  every row that was touched"
    )
