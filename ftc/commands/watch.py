"""`ftc watch`: a run on screen, live or long over."""

from __future__ import annotations

from pathlib import Path

import click

from ftc.commands.options import json_option, out_option


@click.command("watch")
@click.argument("run", type=click.Path(path_type=Path), required=False, metavar="[RUN]")
@out_option
@json_option
def watch_command(run: Path | None, *, out: Path, as_json: bool) -> int:
    """Follow RUN (a name or a folder; the latest where none is given): stages, curves, memory, money, tripwires.

    With --json nothing is opened: how the run stands now is printed.

    \b
    Examples:
      ftc watch
      ftc watch support-router-3f9a1c2e
    """
    from ftc.screens.run_files import latest_run

    folder = latest_run(out) if run is None else run if run.is_dir() else out / run
    if folder is None or not folder.is_dir():
        named = f"no run called {run}" if run else "no run"
        raise click.UsageError(f"{named} in {out}; `ftc runs` lists them, `ftc run` starts one")
    if as_json:
        from dataclasses import asdict

        from ftc.runtime.run_list import look_at
        from ftc.views.output import write_json

        found = look_at(folder)
        if found is None:
            raise click.UsageError(f"{folder} is not the folder of a run")
        write_json(asdict(found))
        return 0
    from ftc.screens.app import FtcApp  # textual: 200 ms
    from ftc.screens.watch import Watch

    FtcApp(Watch(folder)).run()
    return 0
