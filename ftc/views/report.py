"""How a run ended, for people: scores before and after, estimate beside actual, where the results lie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ftc.views.numbers import duration, duration_range, gib, gib_range, money, money_range
from ftc.views.output import console, print_table

if TYPE_CHECKING:
    from ftc.runtime.supervisor import Outcome


def show_outcome(outcome: Outcome) -> None:
    """Scores, estimate beside actual, files and the next commands on stdout; what went wrong on stderr."""
    from ftc.views.diagnostics import show

    if outcome.report:
        _show_report(outcome.report)
    show(outcome.diagnostics)
    if outcome.exit_code == 130:
        console(err=True).print("interrupted; `ftc run` goes on from the last checkpoint")


def _show_report(report: Mapping[str, Any]) -> None:
    import os.path

    folder = min(report["folder"], os.path.relpath(report["folder"]), key=len)
    decision = report["decision"]
    out = console()
    out.print("")
    rows = [("decided", f"{decision['method']} of {decision['model']}")]
    rows += [(score["metric"].replace("_", " "), _score(score)) for score in report["scores"]]
    goal = report["goal"]
    if goal.get("success"):
        met = {True: "met", False: "missed", None: "not measured"}[goal["met"]]
        rows.append(("goal", f"{goal['success']['metric']} >= {goal['success']['at_least']:g}: {met}"))
    rows += _estimates(report["estimate"])
    rows.append(("model", f"{folder}/model"))
    rows.append(("report", f"{folder}/report.html"))
    print_table(rows)


def _score(score: Mapping[str, Any]) -> str:
    """`0.61 -> 0.93   +0.32, 95 % interval +0.29 to +0.35`."""
    before, after, change = score["before"], score["after"], score["change"]
    text = " -> ".join(f"{each['value']:.3f}" for each in (before, after) if each)
    if not change or change.get("low") is None:
        return text
    noise = "" if change.get("significant", True) else "; may be chance"
    return f"{text}   ({change['value']:+.3f}, 95 % interval {change['low']:+.3f} to {change['high']:+.3f}{noise})"


def _estimates(estimate: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Estimated beside actual, where both are known."""
    forms: tuple[tuple[str, str, Any, Any], ...] = (
        ("hours", "time", duration_range, duration),
        ("memory_gib", "memory", gib_range, gib),
        ("usd", "money", money_range, money),
    )
    rows = []
    for key, name, as_range, as_value in forms:
        expected, actual = estimate[key]["estimated"], estimate[key]["actual"]
        if expected is not None and actual is not None:
            rows.append((name, f"{as_range(expected)} estimated, {as_value(actual)} actual"))
    return rows
