"""A first spec as a form: what is wanted at the left; what was understood and would be written at the right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, Input, Label, Static

from ftc.screens.figures import BAD, DIM, STRONG, WARN, Parts
from ftc.spec.draft import Draft
from ftc.spec.write import preview

# field, what is asked, an example
FIELDS = (
    ("text", "What is the model to do?", "route support questions to one of 12 desks"),
    ("data", "Which data?", "empty: what is here"),
    ("model", "Which model?", "auto, builtin:tiny, a hub id or a folder"),
    ("gpu", "What will it run on?", "local, none, cloud, or rtx-4090"),
    ("usd", "How many USD may it cost?", "no ceiling"),
    ("hours", "How many hours may it take?", "no ceiling"),
)
Make = Callable[[Mapping[str, str]], Draft]
PAUSE_SECONDS = 0.15  # after a key, before the files are looked at


class Init(Screen[int]):
    """`make` turns what is in the fields into a draft, `write` writes its text; this screen does neither."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "write", "Write it"),
        Binding("escape", "quit", "Close"),
        Binding("pagedown", "scroll(1)", show=False),
        Binding("pageup", "scroll(-1)", show=False),
    ]

    def __init__(self, make: Make, write: Callable[[str], Any], output: Path) -> None:
        super().__init__()
        self._make, self._write, self._output = make, write, output
        self._draft: Draft | None = None

    def compose(self) -> ComposeResult:
        yield Static(Content.assemble(("ftc init", STRONG), (f"  {self._output}", DIM)), id="title")
        with Horizontal(id="first-spec"):
            with VerticalScroll(id="asked-for", can_focus=False) as asked:
                asked.border_title = "In your words"
                for name, question, example in FIELDS:
                    yield Label(question)
                    yield Input(placeholder=example, id=f"ask-{name}", compact=True)
            with VerticalScroll(id="understood") as understood:
                understood.border_title = "Understood"
                yield Static("", id="draft", markup=False)
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one("#ask-text").focus()
        self._look()

    def on_input_changed(self) -> None:
        """Look again, once the typing pauses."""
        self.set_timer(PAUSE_SECONDS, self._look)

    def on_input_submitted(self) -> None:
        """Enter goes on to the next field."""
        self.focus_next()

    def _look(self) -> None:
        said = {name: self.query_one(f"#ask-{name}", Input).value.strip() for name, _, _ in FIELDS}
        self._read(said)

    @work(thread=True, exclusive=True, group="draft")
    def _read(self, said: Mapping[str, str]) -> None:
        """Look at the files, away from the keys; only the last look is shown."""
        from textual.worker import get_current_worker

        worker = get_current_worker()
        found = self._make(said)
        if not worker.is_cancelled:
            self.app.call_from_thread(self._show, found)

    def _show(self, found: Draft) -> None:
        self._draft = found
        parts: Parts = []
        for each in found.found:
            parts += [(f"{each.role}", STRONG), (f"  {each.path}: {each.format}, {each.rows:,} rows\n", "")]
            parts += [(f"  {row if isinstance(row, str) else preview(row)}\n", DIM) for row in each.preview]
        for problem in found.diagnostics:
            parts.append((f"{problem.message}\n", BAD))
        if found.guesses:
            parts.append(("\nGuessed\n", STRONG))
        for guess in found.guesses:
            parts += [(f"  {guess.key}: {guess.value}", WARN), (f"  {', '.join(guess.evidence)}\n", DIM)]
        parts += [("\nThis would be written\n", STRONG), (found.text, "")]
        self.query_one("#draft", Static).update(Content.assemble(*parts))

    def action_scroll(self, pages: int) -> None:
        """Scroll what was understood, with the cursor in a field."""
        box = self.query_one("#understood", VerticalScroll)
        box.scroll_relative(y=pages * max(1, box.size.height - 1), animate=False)

    def action_write(self) -> None:
        """Write the spec and leave."""
        if self._draft is None:
            return
        try:
            self._write(self._draft.text)
        except OSError as error:
            self.notify(f"not written: {error}", severity="error", markup=False)
            return
        self.app.exit(0)

    def action_quit(self) -> None:
        """Leave; nothing is written."""
        self.app.exit(130)
