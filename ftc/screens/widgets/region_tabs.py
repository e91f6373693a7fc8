"""The names of the regions, for terminals that show one of them at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import Static

from ftc.screens.figures import DIM


class RegionTabs(Static):
    """One line; the active name stands out, a click asks the screen for another."""

    @dataclass
    class Wanted(Message):
        """A name was clicked."""

        index: int

    active = reactive(0)

    def __init__(self, names: Sequence[str], *, id: str) -> None:
        super().__init__(id=id)
        self._names = list(names)

    def on_mount(self) -> None:
        self._draw()

    def watch_active(self) -> None:
        self._draw()

    def on_click(self, event: events.Click) -> None:
        at = 0
        place = event.get_content_offset(self)
        for index, name in enumerate(self._names):
            at += len(name) + 4
            if place is not None and place.x < at:
                self.post_message(self.Wanted(index=index))
                return

    def _draw(self) -> None:
        parts: list[tuple[str, str]] = []
        for index, name in enumerate(self._names):
            here = index == self.active
            parts += [(f"[{name}]" if here else f" {name} ", "bold reverse" if here else DIM), ("  ", "")]
        parts.append(("← →", DIM))
        self.update(Content.assemble(*parts))
