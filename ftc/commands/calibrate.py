"""`ftc calibrate`: what past runs really took corrects the next estimates for that device and regime."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ftc import api
from ftc.commands.options import json_option


@click.command("calibrate")
@click.argument("runs", type=click.Path(path_type=Path), nargs=-1, metavar="[RUNS]...")
@click.option("--reset", is_flag=True, help="Forget every run on record first; without RUNS, do nothing else.")
@json_option
def calibrate_command(runs: tuple[Path, ...], *, reset: bool, as_json: bool) -> int:
    """Fold what RUNS really took into the next estimates; without RUNS, every run under runs/.

    A run counts once, however often it is given. What is learned stays in the user's data folder (FTC_DATA_DIR sets
    another) and corrects memory and time of setups on the same device with the same objective, adapter,
    checkpointing and sharding. The fewer the runs, the smaller the correction.

    \b
    Examples:
      ftc calibrate
      ftc calibrate runs/router-1a2b3c4d /data/runs/other-5e6f7a8b
      ftc calibrate --reset
    """
    from ftc.advisor import calibration

    if reset:
        calibration.forget()
    folders = runs if runs or reset else tuple(sorted(Path(api.RUNS_FOLDER).glob("*/events.jsonl")))
    result = _folded(tuple(each.parent if each.name == "events.jsonl" else each for each in folders))
    if as_json:
        from ftc.views.output import write_json

        write_json(result)
    else:
        from ftc.views.calibration import show_calibration

        show_calibration(result)
    return 0


def _folded(folders: tuple[Path, ...]) -> dict[str, Any]:
    """Record the runs in `folders`; what was new, what said nothing, and every correction that is now in force."""
    from ftc.advisor import calibration
    from ftc.advisor.past_runs import actuals
    from ftc.runtime import journal
    from ftc.runtime.run_folder import RunFolder

    compared: list[dict[str, Any]] = []
    passed_over: list[dict[str, str]] = []
    added = 0
    for folder in folders:
        try:
            plan = json.loads(RunFolder(folder).plan.read_bytes())
            found, silent = actuals(plan, journal.read(folder)[0], folder.name)
        except (OSError, ValueError, KeyError, TypeError):
            passed_over.append({"run": str(folder), "stage": "", "why": "no run of a plan"})
            continue
        added += calibration.record(found)
        compared += [
            {
                "run": each.run, "device": each.device, "regime": each.regime, "quantity": each.quantity,
                "estimated": each.estimated, "measured": each.measured,
            }
            for each in found
        ]  # fmt: skip
        passed_over += [{"run": str(folder), "stage": stage, "why": why} for stage, why in silent]
    return {
        "file": str(calibration.file()),
        "added": added,
        "compared": compared,
        "passed_over": passed_over,
        "corrections": [
            {"device": device, "regime": regime, "quantity": quantity, "runs": runs, "factor": factor, "width": width}
            for (device, regime, quantity), (runs, factor, width) in sorted(calibration.corrections().items())
        ],
    }
