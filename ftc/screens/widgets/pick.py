"""Find one of many by typing a part of it. Answers with its id, or with nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from ftc.screens.figures import DIM, cut

MOST = 200  # entries listed at once
NAME = 30  # characters of a name; what it means gets the rest of the line


class Pick(ModalScreen[str]):
    """A line to type into above the entries that hold every word typed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss('')", "Cancel"),
        Binding("down", "cursor(1)", show=False),
        Binding("up", "cursor(-1)", show=False),
    ]

    def __init__(self, title: str, entries: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._title, self._entries = title, entries

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = self._title
            dialog.border_subtitle = "type to find   enter picks   esc cancels"
            yield Input(placeholder="part of a name", compact=True)
            yield OptionList(id="choices", compact=True)

    def on_mount(self) -> None:
        self.call_after_refresh(self._list, "")
        self.query_one("#choices").can_focus = False
        self.query_one(Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        self._list(event.value)

    def on_input_submitted(self) -> None:
        choices = self.query_one("#choices", OptionList)
        if choices.option_count:
            self.dismiss(choices.get_option_at_index(choices.highlighted or 0).id)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id)

    def action_cursor(self, step: int) -> None:
        """Move through the entries."""
        choices = self.query_one("#choices", OptionList)
        if choices.option_count:
            choices.highlighted = ((choices.highlighted or 0) + step) % choices.option_count

    def _list(self, typed: str) -> None:
        words = typed.lower().split()
        fitting = [each for each in self._entries if all(word in f"{each[0]} {each[1]}".lower() for word in words)]
        choices = self.query_one("#choices", OptionList)
        choices.clear_options()
        room = max(choices.content_size.width, 40)
        choices.add_options(Option(_entry(name, said, room), id=name) for name, said in fitting[:MOST])
        choices.highlighted = 0 if fitting else None


def _entry(name: str, said: str, width: int) -> Content:
    """One line: the name, and as much of what it means as there is room for."""
    first = f"{name:<{NAME}} "
    return Content.assemble((first, ""), (cut(said, max(width - len(first) - 1, 8)), DIM))
