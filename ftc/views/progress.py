"""A run as it goes: one line a finished stage, a bar with step, loss, speed and ETA for the running one. On stderr.

Where stderr is no terminal (a log file, a batch job) the bar becomes a line every ten percent.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ftc.views.numbers import count, duration_range, gib_range, money_range
from ftc.views.output import console

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

Event = Mapping[str, Any]
PLAIN_STEP = 0.1  # share of a stage between two lines of a log


def clock(seconds: float) -> str:
    """`0:42`, `12:07`, `3:04:10`."""
    minutes, rest = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Progress:
    """Shows the events of a run. `with Progress() as progress: run(..., on_event=progress.on_event)`."""

    def __init__(self, *, plain: bool = False) -> None:
        self.out = console(err=True)
        self.plain = plain or not self.out.is_terminal
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._head = ""
        self._said = ""  # what the bar says beside the step
        self._result: Mapping[str, Any] = {}
        self._next_share = PLAIN_STEP

    def __enter__(self) -> Progress:
        if not self.plain:
            from rich.progress import BarColumn, TextColumn
            from rich.progress import Progress as Bar

            columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), TextColumn("{task.fields[said]}"))
            self._bar = Bar(*columns, console=self.out, transient=True, refresh_per_second=4)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def on_event(self, event: Event) -> None:
        """Show one event; kinds that say nothing to a person are passed over."""
        show = getattr(self, f"_on_{event['kind']}", None)
        if show is not None:
            show(event)

    def _line(self, text: str, style: str = "") -> None:
        self.out.print(text, style=style)

    def _on_stage_kept(self, event: Event) -> None:
        self._line(f"[{event['index']}/{event['of']}] {event['stage']:<10} done before", "dim")

    def _on_stage_skipped(self, event: Event) -> None:
        self._line(f"[{event['index']}/{event['of']}] {event['stage']:<10} skipped: {event['why']}", "yellow")

    def _on_stage_started(self, event: Event) -> None:
        again = f" (attempt {event['attempt']})" if event["attempt"] > 1 else ""
        self._head = f"[{event['index']}/{event['of']}] {event['stage']:<10}{again}"
        self._said, self._result, self._next_share = "starting", {}, PLAIN_STEP
        if self._bar is not None:
            self._task = self._bar.add_task(self._head, total=None, said=self._said)

    def _on_resumed(self, event: Event) -> None:
        self._line(f"{self._head} continues from step {event['step']}", "dim")

    def _on_step(self, event: Event) -> None:
        speed = f"  {event['tokens'] / event['seconds']:,.0f} tok/s" if event.get("tokens") and event["seconds"] else ""
        self._said = f"loss {event['loss']:.3f}{speed}"

    def _on_progress(self, event: Event) -> None:
        step, total = event["step"], event["total"]
        left = f"  {clock(event['eta_seconds'])} left" if event.get("eta_seconds") is not None else ""
        words = "" if self._said == "starting" else f"  {self._said}"
        said = f"{step / max(1, total):>4.0%}  step {step:,}/{total:,}{words}{left}"
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=step, total=total, said=said)
        elif step / max(1, total) >= self._next_share:
            self._next_share = step / max(1, total) + PLAIN_STEP
            self._line(f"{self._head} {said}")

    def _on_remark(self, event: Event) -> None:
        self._line(f"{self._head} {event['code']}  {event['message']}", "yellow")

    def _on_adjusted(self, event: Event) -> None:
        changes = ", ".join(f"{name} {value}" for name, value in event["arguments"].items())
        self._line(f"{self._head} goes on with {changes}", "yellow")

    def _on_probe(self, event: Event) -> None:
        """Planned beside corrected, before the run goes on."""
        self._line(f"measured {event['steps']} steps of {event['stage']}; planned, then corrected:", "bold")
        for name, show in (("hours", duration_range), ("memory_gib", gib_range), ("usd", money_range)):
            planned, found = event[name]["planned"], event[name]["corrected"]
            words = {"hours": "time", "memory_gib": "memory", "usd": "money"}[name]
            said = [show(each) if each else "not known" for each in (planned, found)]
            self._line(f"  {words:<8}{said[0]:<34}{said[1]}")

    def _on_stage_finished(self, event: Event) -> None:
        self._result = event["result"]

    def _on_stage_ended(self, event: Event) -> None:
        if self._bar is not None and self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None
        if event["exit_code"] == 0:
            self._line(f"{self._head} {result_line(self._result):<56} {clock(event['seconds']):>7}")
        else:
            self._line(f"{self._head} stopped after {clock(event['seconds'])}", "red")


def result_line(result: Mapping[str, Any]) -> str:
    """What a stage came to, in the figures that people look for."""
    if "metrics" in result:
        return " · ".join(score(name, value) for name, value in result["metrics"].items())
    if "rows_used" in result:
        parts = [
            f"{count(result['rows_read'])} rows in = {count(result['rows_used'])} used + "
            f"{count(result['rows_read'] - result['rows_used'])} reported",
        ]
        if "loss_share" in result:  # prompts alone have nothing to learn from
            parts += [f"{result['rows_truncated']} truncated", f"{result['loss_share']:.1%} of tokens carry loss"]
        return " · ".join(parts)
    if "train_loss" in result:
        return f"{result['steps']:,} steps, {count(result['trainable_parameters'])} parameters trained"
    if "checked" in result:
        return (
            f"{result['same_answers']} of {result['checked']} prompts answered as before" if result["checked"] else ""
        )
    return ""


def score(name: str, value: Mapping[str, float]) -> str:
    """`accuracy 0.61 (0.58 to 0.64)`: the value with its 95 % interval."""
    interval = f" ({value['low']:.3f} to {value['high']:.3f})" if value.get("low") is not None else ""
    return f"{name.replace('_', ' ')} {value['value']:.3f}{interval}"
