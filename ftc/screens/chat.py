"""Talking to a run's model: what is asked at the bottom, what is answered above, the base beside it where asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.reactive import reactive
from textual.screen import Screen
from textual.widgets import Footer, Input, Static

from ftc.screens.figures import BAD, DIM, STRONG, WARN
from ftc.spec.diagnostics import Refused
from ftc.talking import Ask, Say, talking

Talking = Callable[[Mapping[str, Any], Say], AbstractContextManager[Ask]]


class Chat(Screen[int]):
    """One conversation for each model; all are asked the same. The models answer in a thread's process."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+q", "quit", "Close"),
        Binding("ctrl+n", "anew", "New conversation"),
        Binding("pageup", "scroll_all(-1)", "Scroll", show=False),
        Binding("pagedown", "scroll_all(1)", show=False),
    ]

    state = reactive("starting")

    def __init__(self, told: Mapping[str, Any], *, system: str = "", talking: Talking = talking) -> None:
        super().__init__()
        self._told, self._system, self._talking = told, system, talking
        self.names: list[str] = list(told["models"])
        self.talks: dict[str, list[dict[str, str]]] = {}
        self._asked: list[str] = []
        self._wake = threading.Event()
        self._closed = False

    def compose(self) -> ComposeResult:
        yield Static(id="title")
        with Horizontal(id="answers"):
            for name in self.names:
                box = VerticalScroll(id=f"talk-{name}", classes="talk")
                box.border_title = name
                yield box
        yield Input(placeholder="waiting for the model", disabled=True, id="say")
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self.action_anew()
        self._answer()

    def action_anew(self) -> None:
        """Forget what was said."""
        system = [{"role": "system", "content": self._system}] if self._system else []
        self.talks = {name: list(system) for name in self.names}
        for box in self.query(".talk"):
            box.remove_children()

    def watch_state(self) -> None:
        if not self.is_mounted:
            return
        parts = [("ftc chat", STRONG), (f"  {self._told['place']}", DIM)]
        if self.state:
            parts.append((f"  … {self.state}", WARN))
        self.query_one("#title", Static).update(Content.assemble(*parts))
        say = self.query_one("#say", Input)
        say.disabled = bool(self.state)
        say.placeholder = "ask something" if not self.state else "waiting for the model"
        if not self.state:
            say.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Ask all models."""
        text = event.value.strip()
        if not text:
            return
        event.input.value = ""
        self.state = "answering"
        self._asked.append(text)
        self._wake.set()

    @work(thread=True, group="talk")
    def _answer(self) -> None:
        """Load the models, then answer what is asked, until the screen closes."""
        tell = self.app.call_from_thread
        try:
            with self._talking(self._told, lambda text: tell(setattr, self, "state", text)) as ask:
                tell(setattr, self, "state", "")
                while True:
                    self._wake.wait()
                    self._wake.clear()
                    if self._closed:
                        return
                    while self._asked:
                        self._turn(self._asked.pop(0), ask)
                    tell(setattr, self, "state", "")
        except Refused as refused:
            if not self._closed:
                tell(self._failed, refused.diagnostics[0].message)

    def _turn(self, text: str, ask: Ask) -> None:
        for name in self.names:
            self.talks[name].append({"role": "user", "content": text})
            line: Static = self.app.call_from_thread(self._line, name, text)
            said: list[str] = []

            def say(piece: str, said: list[str] = said, line: Static = line) -> None:
                said.append(piece)
                self.app.call_from_thread(line.update, Content("".join(said)))

            answer = ask(name, self.talks[name], say)
            self.talks[name].append({"role": "assistant", "content": answer})
            self.app.call_from_thread(line.update, Content(answer))

    def _line(self, name: str, text: str) -> Static:
        """Shows the question; gives the place where its answer grows."""
        box = self.query_one(f"#talk-{name}", VerticalScroll)
        answer = Static("", classes="said", markup=False)
        box.mount(Static(Content(f"> {text}"), classes="asked"), answer)
        box.anchor()
        return answer

    def _failed(self, message: str) -> None:
        self.state = "no model"
        self.query_one("#title", Static).update(Content.assemble(("ftc chat", STRONG), (f"  {message}", BAD)))

    def action_scroll_all(self, pages: int) -> None:
        """Scroll all conversations together."""
        for box in self.query(".talk"):
            box.scroll_relative(y=pages * max(1, box.size.height - 1), animate=False)

    def on_unmount(self) -> None:
        """The thread that answers ends, and its process with it."""
        self._closed = True
        self._wake.set()

    def action_quit(self) -> None:
        """Close."""
        self.app.exit(0)
