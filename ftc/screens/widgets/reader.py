"""A page to read over the screen: a rule, a value's origin, the help, a comparison."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Footer, Static


class Reader(ModalScreen[None]):
    """A scrolled text with a title; any of the keys that open pages closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,e,q,enter,question_mark", "dismiss", "Close"),
        Binding("j", "scroll(1)", "Down", show=False),
        Binding("k", "scroll(-1)", "Up", show=False),
    ]

    def __init__(self, title: str, body: Content) -> None:
        super().__init__()
        self._title, self._body = title, body

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog page") as page:
            page.border_title = self._title
            page.border_subtitle = "↑ ↓ scroll   esc closes"
            yield Static(self._body, id="body")
        yield Footer(compact=True, show_command_palette=False)

    def action_scroll(self, lines: int) -> None:
        """Scroll by that many lines."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)
