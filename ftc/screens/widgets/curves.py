"""Loss over steps, training and held-out, drawn with plotext; it follows the run while it grows."""

from __future__ import annotations

from collections.abc import Sequence

from textual_plotext import PlotextPlot  # 60 ms; only the watch screen pays for it

from ftc.screens.run_state import Point

MOST = 400  # points drawn; a terminal has fewer columns


class Curves(PlotextPlot):  # type: ignore[misc]  # it has no types
    """Two curves of one stage. Training is a line of dots, held-out has markers of its own, so that colour is not
    needed to tell them apart."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.border_title = "Loss"

    def show(self, training: Sequence[Point], held_out: Sequence[Point]) -> None:
        """Draw the curves of the stage that was logged last."""
        plot = self.plt
        plot.clear_figure()
        stage = training[-1].stage if training else held_out[-1].stage if held_out else ""
        points = _thinned([each for each in training if each.stage == stage])
        marks = [each for each in held_out if each.stage == stage]
        self.border_title = f"Loss of {stage}" if stage else "Loss"
        if points:
            plot.plot(
                [each.step for each in points], [each.value for each in points], marker="braille", label="training"
            )
            self.border_subtitle = f"training {points[-1].value:.4g}"
        if marks:
            plot.scatter(
                [each.step for each in marks], [each.value for each in marks], marker="+", label="held out (+)"
            )
            self.border_subtitle = f"{self.border_subtitle or ''}   held out {marks[-1].value:.4g}".strip()
        plot.xlabel("step")
        self.refresh()


def _thinned(points: list[Point]) -> list[Point]:
    """At most `MOST` of them, evenly, the last one kept."""
    if len(points) <= MOST:
        return points
    every = len(points) / MOST
    return [points[int(index * every)] for index in range(MOST)] + points[-1:]
