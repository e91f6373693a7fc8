"""The form for one key: what it means, what may stand there, and the text; it stays open until the text is sound."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import wrap
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.suggester import SuggestFromList
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from ftc.screens.editing import Field
from ftc.screens.figures import BAD, DIM

WORD, MEANING = 22, 43  # characters of a choice and of what it means; together they fit the dialog
Check = Callable[[str], str]  # a typed text to what is wrong with it; empty where it was taken


class EditField(ModalScreen[bool]):
    """`take` is given what was typed and answers with a complaint, or with nothing once the change is made."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(False)", "Cancel"),
        Binding("down", "cursor(1)", "Next", show=False),
        Binding("up", "cursor(-1)", "Previous", show=False),
        Binding("tab", "complete", "Complete", priority=True),
    ]

    def __init__(self, field: Field, value: str, take: Check) -> None:
        super().__init__()
        self._field, self._value, self._take = field, value, take

    def compose(self) -> ComposeResult:
        words = [word for word, _ in self._field.choices]
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = self._field.key
            dialog.border_subtitle = "enter sets   tab completes   empty removes   esc cancels"
            yield Static(self._field.description, id="meaning", markup=False)
            yield Input(
                value=self._value,
                placeholder=self._field.default or (words[0] if words else ""),
                suggester=SuggestFromList(words, case_sensitive=False) if words else None,
                compact=True,
                id="text",
            )
            yield Static("", id="complaint")
            yield OptionList(id="choices", compact=True)

    def on_mount(self) -> None:
        self._list("")
        self.query_one("#complaint").display = False
        self.query_one("#choices").can_focus = False
        self.query_one(Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        self.query_one("#complaint", Static).display = False
        self._list("" if event.value == self._value else event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self._submit(event.value)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self._submit(event.option_id or "")

    def action_cursor(self, step: int) -> None:
        """Move through the choices; the text follows."""
        choices = self.query_one("#choices", OptionList)
        if not choices.option_count:
            return
        if choices.highlighted is None:
            choices.highlighted = 0 if step > 0 else choices.option_count - 1
        else:
            choices.highlighted = (choices.highlighted + step) % choices.option_count
        with self.prevent(Input.Changed):
            chosen = choices.get_option_at_index(choices.highlighted)
            self.query_one(Input).value = chosen.id or ""
            self.query_one(Input).cursor_position = len(chosen.id or "")

    def action_complete(self) -> None:
        """Take the nearest choice as the text."""
        choices = self.query_one("#choices", OptionList)
        if choices.option_count:
            text = self.query_one(Input)
            text.value = choices.get_option_at_index(choices.highlighted or 0).id or ""
            text.cursor_position = len(text.value)

    def _list(self, typed: str) -> None:
        """The choices that hold what was typed; all where none does and the list is closed."""
        wanted = typed.rpartition(",")[2].strip().lower()
        fitting = [each for each in self._field.choices if wanted in each[0].lower()]
        if not fitting and self._field.closed:
            fitting = list(self._field.choices)
        choices = self.query_one("#choices", OptionList)
        choices.clear_options()
        choices.display = bool(fitting)
        choices.add_options(Option(_choice(word, meaning), id=word) for word, meaning in fitting)
        current = [index for index, (word, _) in enumerate(fitting) if word == (typed or self._value)]
        choices.highlighted = current[0] if current else None

    def _submit(self, typed: str) -> None:
        complaint = self._take(typed)
        if complaint:
            shown = self.query_one("#complaint", Static)
            shown.update(Content.styled(complaint, BAD))
            shown.display = True
        else:
            self.dismiss(True)


def _choice(word: str, meaning: str) -> Content:
    """A word and what it means beside it, in as many lines as that takes."""
    first, *more = wrap(meaning, MEANING) or [""]
    rows = [f"{'':<{max(WORD, len(word))}} {line}" for line in more]
    return Content.assemble((f"{word:<{WORD}} ", ""), ("\n".join((first, *rows)), DIM))
