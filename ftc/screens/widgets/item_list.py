"""A list of items that keeps its place: the same item stays under the cursor when its text moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from ftc.screens.panels.item import Item

Build = Callable[[int], list[Item]]  # a width in characters to items


class ItemList(OptionList):
    """Shows what a function makes of the width; the function is asked again when the width is another one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "screen.region(-1)", "Region to the left", show=False),
        Binding("right", "screen.region(1)", "Region to the right", show=False),
    ]

    def __init__(self, title: str, *, id: str) -> None:
        super().__init__(id=id)
        self.border_title = title
        self._build: Build | None = None
        self._width = 0
        self._items: list[Item] = []

    def show(self, build: Build) -> None:
        """Show what `build` makes."""
        self._build = build
        self._refill()

    @property
    def chosen(self) -> str:
        """The id of the item under the cursor; empty where there is none."""
        if self.highlighted is None or self.highlighted >= len(self._items):
            return ""
        return self._items[self.highlighted].id

    def choose(self, item: str) -> None:
        """Move the cursor to that item, where it is listed."""
        for index, each in enumerate(self._items):
            if each.id == item:
                self.highlighted = index
                return

    def on_resize(self, event: events.Resize) -> None:
        if self._build is not None and self._room() != self._width:
            self._refill()

    def _room(self) -> int:
        return max(self.content_size.width - self.styles.scrollbar_size_vertical, 0)

    def _refill(self) -> None:
        self._width = self._room()
        if self._build is None or self._width < 8:
            return
        chosen, scroll = self.chosen, self.scroll_y
        self._items = self._build(self._width)
        self.clear_options()
        self.add_options(Option(each.content, disabled=each.heading) for each in self._items)
        self.choose(chosen)
        if self.highlighted is None:
            self.action_first()
        self.scroll_to(y=scroll, animate=False)
