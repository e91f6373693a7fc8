"""What past runs taught the estimates, for people."""

from __future__ import annotations

from typing import Any

from ftc.views.output import console, print_table

WORDS = {"seconds": "time", "device_gib": "memory"}


def show_calibration(result: dict[str, Any]) -> None:
    """Runs that were new, those that said nothing and why, and the corrections now in force."""
    out = console()
    for each in result["passed_over"]:
        stage = f" {each['stage']}" if each["stage"] else ""
        out.print(f"{each['run']}{stage}: {each['why']}", style="yellow")
    if result["compared"]:
        out.print(f"{result['added']} new figures of {len(result['compared'])} compared")
    if not result["corrections"]:
        out.print("nothing is corrected: no finished run is on record")
        return
    rows = [
        [
            each["device"], each["regime"], WORDS[each["quantity"]], f"{each['factor']:.2f}", str(each["runs"]),
            f"/ {each['width']:.2f} to x {each['width']:.2f}",
        ]
        for each in result["corrections"]
    ]  # fmt: skip
    print_table(
        rows, titles=("device", "regime", "what", "times", "runs", "nine in ten lie within"), right=("times", "runs")
    )
    out.print(result["file"], style="dim")
