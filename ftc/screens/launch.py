"""Starts `ftc run` as a process of its own, which goes on when the screen is closed, and asks it to stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from ftc.api import RUNS_FOLDER
from ftc.compiler.plan import Plan
from ftc.compiler.plan_file import load_plan
from ftc.screens.run_files import launch_log
from ftc.spec.diagnostics import Refused


def start_run(plan_path: Path, out: Path | None = None) -> Path:
    """Run the plan in the background; the folder that it will write to. Raises Refused where it is no plan."""
    plan, problems = load_plan(plan_path)
    if plan is None:
        raise Refused(problems)
    plan_path = plan_path.resolve()
    runs = (out or plan_path.parent / RUNS_FOLDER).resolve()
    folder = runs / plan.run_name
    log = launch_log(folder)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as stream:
        subprocess.Popen(
            [sys.executable, "-P", "-m", "ftc", "run", str(plan_path), "--out", str(runs)],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            cwd=plan_path.parent,
            start_new_session=True,
        )
    return folder


def ask_to_stop(pid: int) -> None:
    """SIGTERM: the run writes a checkpoint and ends. Raises OSError where there is no such process."""
    os.kill(pid, signal.SIGTERM)


def plan_behind(plan: Plan, data_folder: str) -> Path | None:
    """The plan file that a run was started from: the one in its data folder with the same hash."""
    try:
        found = sorted(Path(data_folder).glob("*.json")) if data_folder else []
    except OSError:
        return None
    for path in found:
        loaded, _ = load_plan(path)
        if loaded is not None and loaded.hash == plan.hash:
            return path
    return None
