"""The geometry of the report's two drawings, as plain numbers that the template turns into inline SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

WIDTH, HEIGHT = 720, 260  # units of the drawing; the page scales it
LEFT, RIGHT, TOP, BOTTOM = 52, 16, 14, 34
MOST_POINTS = 400  # of a line; more cannot be seen at this width


def loss_curve(curve: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any] | None:
    """Training and held-out loss over the steps; None where there are fewer than two points."""
    lines = {
        name: [(int(each["step"]), float(each["loss"])) for each in points if each.get("loss") is not None]
        for name, points in curve.items()
    }
    every = [point for points in lines.values() for point in points]
    if len(lines.get("train", [])) < 2:
        return None
    steps = max(step for step, _ in every)
    top, ticks = _axis(max(loss for _, loss in every))

    def place(step: float, loss: float) -> tuple[float, float]:
        return _across(step, steps), round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - loss / top), 1)

    drawn = {name: [(*place(*point), *point) for point in _thin(points)] for name, points in lines.items()}
    return {
        **_frame(steps, [{"y": place(0, tick)[1], "text": f"{tick:g}"} for tick in ticks]),
        "lines": drawn,
        "paths": {name: " ".join(f"{x},{y}" for x, y, *_ in points) for name, points in drawn.items()},
    }


def _frame(steps: int, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What a curve over steps is drawn in; `rows` are the lines across, with what they stand for."""
    quarters = [steps * part / 4 for part in range(5)]
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "left": LEFT,
        "right": WIDTH - RIGHT,
        "bottom": HEIGHT - BOTTOM,
        "rows": rows,
        "columns": [{"x": _across(step, steps), "text": f"{round(step):,}"} for step in quarters],
    }


def _across(step: float, steps: int) -> float:
    return round(LEFT + (WIDTH - LEFT - RIGHT) * step / steps, 1)


def score_bars(scores: Sequence[Mapping[str, Any]], target: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Shares before and after as bars from 0 to 100, with their intervals and the goal."""
    bars = []
    for score in scores:
        if score["metric"] in ("held_out_loss", "perplexity") or not _is_share(score):
            continue
        goal = target["at_least"] if target and target["metric"] == score["metric"] else None
        sides = {
            side: {
                name: round(100 * min(1.0, max(0.0, float(score[side][name]))), 2) for name in ("value", "low", "high")
            }
            for side in ("before", "after")
            if score[side]
        }
        bars.append({"metric": score["metric"], "sides": sides, "goal": None if goal is None else round(100 * goal, 2)})
    return bars


def reward_curve(rewards: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The mean reward over the steps, from its lowest to its highest; None where there are fewer than two points."""
    points = _thin([(int(each["step"]), float(each["reward"])) for each in rewards])
    if len(points) < 2:
        return None
    steps = max(step for step, _ in points)
    low, high = min(reward for _, reward in points), max(reward for _, reward in points)
    span = (high - low) or 1.0

    def place(step: float, reward: float) -> tuple[float, float]:
        return _across(step, steps), round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - (reward - low) / span), 1)

    ticks = [low + span * part / 4 for part in range(5)]
    return {
        **_frame(steps, [{"y": place(0, tick)[1], "text": f"{tick:.3g}"} for tick in ticks]),
        "path": " ".join("{},{}".format(*place(*point)) for point in points),
    }


def _is_share(score: Mapping[str, Any]) -> bool:
    """A reward has the unit of its function, which may be no share."""
    return all(0 <= score[side]["value"] <= 1 for side in ("before", "after") if score[side])


def _axis(highest: float) -> tuple[float, list[float]]:
    """The top of the axis and its ticks: four or five round numbers."""
    if highest <= 0 or not math.isfinite(highest):
        return 1.0, [0.0, 0.5, 1.0]
    raw = highest / 4
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw)
    count = math.ceil(highest / step)
    return count * step, [round(number * step, 10) for number in range(count + 1)]


def _thin(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    every = max(1, math.ceil(len(points) / MOST_POINTS))
    return [*points[::every], *([points[-1]] if points and (len(points) - 1) % every else [])]
