"""A box to write a better answer in. Answers with the text, or with nothing."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import TextArea


class WriteAnswer(ModalScreen[str]):
    """Starts from the answer under the cursor, so that a small correction is a small effort."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "keep", "Keep", priority=True),
        Binding("escape", "dismiss('')", "Cancel", priority=True),
    ]

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog page") as dialog:
            dialog.border_title = "A better answer"
            dialog.border_subtitle = "ctrl+s keeps   esc cancels"
            yield TextArea(self._text, soft_wrap=True)

    def on_mount(self) -> None:
        self.query_one(TextArea).focus()

    def action_keep(self) -> None:
        """Close with the text."""
        self.dismiss(self.query_one(TextArea).text.strip())
