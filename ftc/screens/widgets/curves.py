"""Curves over steps, drawn with plotext: loss, or what a policy's answers earn; they follow the run while it grows."""

from __future__ import annotations

from collections.abc import Sequence

from textual_plotext import PlotextPlot  # 60 ms; only the watch screen pays for it

from ftc.screens.run_state import Chart, Point

MOST = 400  # points drawn; a terminal has fewer columns


class Curves(PlotextPlot):  # type: ignore[misc]  # it has no types
    """A chart of one stage. Its line is of dots, what stands apart has markers of its own, so that colour is not
    needed to tell them apart."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.border_title = "Loss"

    def show(self, chart: Chart, others: int = 0) -> None:
        """Draw it; `others` says how many more there are to switch to."""
        plot = self.plt
        plot.clear_figure()
        self.border_title = chart.title + (f"   c: {others} more" if others else "")
        said = []
        if chart.points:
            plot.plot(*_drawn(chart.points), marker="braille", label=chart.name)
            said.append(f"{chart.name} {chart.points[-1].value:.4g}")
        if chart.marks:
            side = "right" if chart.own_scale and chart.points else "left"
            plot.scatter(*_drawn(chart.marks), marker="+", label=f"{chart.mark_name} (+)", yside=side)
            said.append(f"{chart.mark_name} {chart.marks[-1].value:.4g}")
        self.border_subtitle = "   ".join(said)
        plot.xlabel("step")
        self.refresh()


def _drawn(points: Sequence[Point]) -> tuple[list[int], list[float]]:
    """Steps and values of at most `MOST` points, evenly, the last one kept."""
    if len(points) > MOST:
        every = len(points) / MOST
        points = [*(points[int(index * every)] for index in range(MOST)), points[-1]]
    return [each.step for each in points], [each.value for each in points]
