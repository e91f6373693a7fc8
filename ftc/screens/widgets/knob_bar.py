"""Sliders at the foot of the planner: ← → move a value over its stops, the advice follows while it moves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import Static

from ftc.advisor.values import Verdict
from ftc.screens.figures import DIM, MOVED, STRONG, Parts
from ftc.screens.knobs import KNOBS, Stop, value_in, with_value, words
from ftc.screens.panels.item import lines

NAME, TAIL = 8, 24  # widths beside a slider, in characters


class KnobBar(Static, can_focus=True):
    """One line a knob. Posts `Moved` at each stop and `Closed` at the end."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "move(-1)", "Less", show=False),
        Binding("right,l", "move(1)", "More", show=False),
        Binding("up,k", "select(-1)", "Other knob", show=False),
        Binding("down,j", "select(1)", show=False),
        Binding("enter", "close(True)", "Keep", show=False),
        Binding("escape", "close(False)", "Back to before", show=False),
    ]

    @dataclass
    class Moved(Message):
        """A value was moved to a stop."""

        key: str
        value: Stop

    @dataclass
    class Closed(Message):
        """The bar was closed; `keep` says whether what was moved stays."""

        keep: bool

    selected = reactive(0)

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.border_title = "What if"
        self.border_subtitle = "← → move   ↑ ↓ other   enter keeps   esc goes back"
        self._values: dict[str, Stop] = {}
        self._at_first: dict[str, Stop] = {}
        self._words_at_first: dict[str, str] = {}
        self._verdict: Verdict | None = None

    def open(self, name: str, values: Mapping[str, Any], verdict: Verdict | None) -> None:
        """Take the spec's values and show the knob of that name."""
        self._values = {knob.key: value_in(values, knob) for knob in KNOBS}
        self._at_first = dict(self._values)
        self._verdict = verdict
        self._words_at_first = {knob.key: words(knob, self._values[knob.key], verdict).split(",")[0] for knob in KNOBS}
        self.selected = [knob.name for knob in KNOBS].index(name)
        self._draw()
        self.focus()

    def follow(self, verdict: Verdict) -> None:
        """Show what the advisor now chooses where the spec is silent."""
        self._verdict = verdict
        self._draw()

    def put_back(self, key: str, value: Stop) -> None:
        """Show the value that stands after a stop was refused."""
        self._values[key] = value
        self._draw()

    def action_move(self, step: int) -> None:
        """One stop to the left or to the right."""
        knob = KNOBS[self.selected]
        stops = with_value(knob, self._at_first[knob.key])
        value = self._values[knob.key]
        at = stops.index(value) if value in stops else 0
        to = stops[min(max(at + step, 0), len(stops) - 1)]
        if to != value:
            self._values[knob.key] = to
            self._draw()
            self.post_message(self.Moved(key=knob.key, value=to))

    def action_select(self, step: int) -> None:
        """The knob above or below."""
        self.selected = (self.selected + step) % len(KNOBS)

    def action_close(self, keep: bool) -> None:
        """Done."""
        self.post_message(self.Closed(keep=keep))

    def on_click(self, event: events.Click) -> None:
        row = event.get_content_offset(self)
        if row is not None and row.y < len(KNOBS):
            self.selected = row.y
            self.action_move(1 if row.x > NAME + self._at(row.y) + 2 else -1)

    def watch_selected(self) -> None:
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _track(self) -> int:
        return max(self.content_size.width - NAME - TAIL - 3, 10)

    def _at(self, index: int) -> int:
        """Where on its track a knob stands, in characters."""
        knob = KNOBS[index]
        stops = with_value(knob, self._at_first.get(knob.key))
        value = self._values.get(knob.key)
        place = stops.index(value) if value in stops else 0
        return round(place / (len(stops) - 1) * (self._track() - 1))

    def _draw(self) -> None:
        rows: list[Parts] = []
        for index, knob in enumerate(KNOBS):
            value, at, track = self._values.get(knob.key), self._at(index), self._track()
            here = index == self.selected
            moved = value != self._at_first.get(knob.key)
            said = words(knob, value, self._verdict)
            if moved:
                said += f" ◂ was {self._words_at_first[knob.key]}"
            rows.append([
                (("▸ " if here else "  ") + knob.name.ljust(NAME), STRONG if here else DIM),
                ("━" * at, "$primary" if here else DIM), ("●", STRONG if here else DIM), ("─" * (track - 1 - at), DIM),
                (" " + said[:TAIL], MOVED if moved else STRONG if here else ""),
            ])  # fmt: skip
        self.update(lines(*rows))
