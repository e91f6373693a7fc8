"""A job on an engine, for people: one line for each change of its state."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ftc.views.output import console, write_json


class Following:
    """Says on stderr what the engine's client says and how the job changes; with `as_json` ends in one JSON object."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.out = console(err=True)
        self.shown = ""
        self.job: Any = None

    def say(self, line: str) -> None:
        """A line of the engine's own client."""
        self.out.print(line, style="dim")

    def on_job(self, job: Any) -> None:
        """The job, as it is now."""
        self.job = job
        line = f"{job.target} {job.id}: {job.said or job.state}"
        if line != self.shown:
            self.shown = line
            self.out.print(line)

    def end(self, run: Path, exit_code: int) -> None:
        """Where the run lies, and its report where that can be read from here."""
        report = run / "report.json"
        if self.as_json:
            found = json.loads(report.read_bytes()) if report.is_file() else {}
            write_json(found or {"job": self.job.id if self.job else None, "run": str(run), "exit_code": exit_code})
        else:
            self.out.print(f"exit code {exit_code}; the run is in {run}; look at it with  ftc watch {run}")
