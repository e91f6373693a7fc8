"""The planner: what one has, what is decided and why, what else there is; change anything and see.

The screen turns keys into changes of its `Session` and shows what comes back; advice is settled in a worker, so that
nothing ever waits.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.reactive import reactive
from textual.screen import Screen
from textual.widgets import Footer, OptionList, Static

from ftc.screens.figures import DIM, MOVED, STRONG, WARN, Parts
from ftc.screens.panels import candidates, data, fields, flips, settings, why
from ftc.screens.panels.item import Item
from ftc.screens.session import Pending, Session, settle, values
from ftc.screens.widgets.confirm import Confirm
from ftc.screens.widgets.item_list import ItemList
from ftc.screens.widgets.knob_bar import KnobBar
from ftc.screens.widgets.verdict_bar import VerdictBar
from ftc.spec.diagnostics import Diagnostic, Refused

REGIONS = (("spec-region", "Spec"), ("why-region", "Why"), ("ways-region", "Candidates"))
FIRST_LIST = {"spec-region": "fields", "why-region": "why", "ways-region": "candidates"}


class Planner(Screen[int]):
    """Three regions; side by side where there is room, one at a time where there is not."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open", show=False),
        Binding("e", "explain", "Explain"),
        Binding("i", "edit", "Edit"),
        Binding("b", "knob('budget')", "What if"),
        Binding("u,ctrl+z", "undo", "Undo"),
        Binding("a", "approve", "Approve"),
        Binding("r", "run", "Run"),
        Binding("s", "save", "Save"),
        Binding("d", "diff", "Diff"),
        Binding("question_mark", "help", "Help"),
        Binding("q", "quit", "Quit"),
        Binding("U,ctrl+y", "redo", "Redo", show=False),
        Binding("n", "set_any", "Set any key", show=False),
        Binding("m", "choose_method", "Take this method", show=False),
        Binding("x", "expand", "Whole tree", show=False),
        Binding("t", "knob('hours')", "Hours", show=False),
        Binding("k", "knob('rank')", "Rank", show=False),
        Binding("l", "knob('length')", "Row length", show=False),
        *(Binding(str(number), f"flip({number})", f"Flip {number}", show=False) for number in range(1, flips.KEYS + 1)),
    ]

    region = reactive(0)
    state = reactive("")  # what is under way, in words
    expanded = reactive(False)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.refused: Refused | None = None  # why the planner closed by itself
        self._now: Mapping[str, Any] = {}
        self._was: Mapping[str, Any] | None = None  # the spec's values before the last change
        self._knob_place = 0
        self._milliseconds = 0.0

    def compose(self) -> ComposeResult:
        yield Static(id="title")
        yield VerdictBar(id="verdict")
        yield RegionTabs(id="tabs")
        with Horizontal(id="regions"):
            with Vertical(id="spec-region", classes="region -active"):
                yield ItemList("Spec", id="fields")
                yield ItemList("Data", id="data")
            with Vertical(id="why-region", classes="region"):
                yield ItemList("Why", id="why")
                yield ItemList("Settings", id="settings")
            with Vertical(id="ways-region", classes="region"):
                yield ItemList("Candidates", id="candidates")
                yield ItemList("What would change this", id="flips")
        yield KnobBar(id="knobs")
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self._now = values(self.session.text)
        self.query_one("#why", ItemList).border_subtitle = why.LEGEND
        self.query_one("#candidates", ItemList).border_subtitle = candidates.LEGEND
        self.query_one("#fields").focus()
        self.state = f"reading {self.session.path.name} and what it names"
        self._draw()
        self.call_after_refresh(self._start)

    # --- showing --------------------------------------------------------------------------------------------------

    def _draw(self) -> None:
        """Everything, from the session as it stands."""
        self._draw_title()
        self._draw_verdict()
        session, advice = self.session, self.session.advice
        saved, now, was = session.saved_values(), self._now, self._was
        self._list("fields").show(lambda width: fields.items(now, saved, was, width))
        if advice is None:
            return
        verdict, before = advice.verdict, session.before.verdict if session.before else None
        profile, diagnostics, expanded = advice.facts.profile, advice.diagnostics, self.expanded
        path, price, choices = (each.cells(before) if before else None for each in (why, candidates, settings))
        self._list("data").show(lambda width: data.items(profile, diagnostics, width))
        self._list("why").show(lambda width: why.items(verdict, path, width, expanded=expanded))
        self._list("settings").show(lambda width: settings.items(verdict, choices, width))
        self._list("candidates").show(lambda width: candidates.items(verdict, price, width))
        self._list("flips").show(lambda width: flips.items(verdict, width))

    def _draw_title(self) -> None:
        session = self.session
        parts: Parts = [("ftc review", STRONG), (f"  {session.path}", DIM)]
        unsaved = len(session.changes()) if session.unsaved else 0
        if session.unsaved:
            parts.append((f"  * {unsaved} unsaved", WARN))
        if self.state:
            parts.append((f"  … {self.state}", WARN))
        elif self._milliseconds:
            parts.append((f"  advised in {self._milliseconds:.0f} ms", DIM))
        self.query_one("#title", Static).update(Content.assemble(*parts))

    def _draw_verdict(self) -> None:
        before = self.session.before if self._was is not None else None
        self.query_one(VerdictBar).show(self.session.advice, before, self.state)

    def _list(self, name: str) -> ItemList:
        return self.query_one(f"#{name}", ItemList)

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw_verdict)

    def watch_state(self) -> None:
        if self.is_mounted:
            self._draw_title()
            self._draw_verdict()

    def watch_expanded(self) -> None:
        if self.is_mounted:
            self._draw()

    def watch_region(self, region: int) -> None:
        if not self.is_mounted:
            return
        for index, (name, _) in enumerate(REGIONS):
            self.query_one(f"#{name}").set_class(index == region, "-active")
        self.query_one(RegionTabs).active = region

    # --- advice ---------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        self._advise(None)

    def _step(self, pending: Pending | None) -> None:
        """Show a change of the spec at once, and its advice as soon as it is there."""
        if pending is None:
            return
        self._was, self._now = self._now, values(self.session.text)
        known = self.session.known(pending)
        if known is not None:
            self.session.accept(known)
            self._draw()
        else:
            self._advise(pending)

    @work(exclusive=True, group="advice")
    async def _advise(self, pending: Pending | None) -> None:
        """Settle in a thread. A newer change takes the place of this one; its result is then dropped."""
        start = time.perf_counter()
        if pending is not None and pending.facts is None:
            self.state = "reading the data"
        try:
            waiting = pending or await asyncio.to_thread(self.session.start)
            advice = await asyncio.to_thread(settle, waiting)
        except Refused as refused:
            self._give_up(pending, refused)
            return
        self._milliseconds = (time.perf_counter() - start) * 1000
        self.state = ""
        if self.session.accept(advice):
            self.query_one(KnobBar).follow(advice.verdict)
            self._draw()

    def _give_up(self, pending: Pending | None, refused: Refused) -> None:
        """Advice was refused: at the start there is nothing to show, later the change is taken back."""
        self.state = ""
        if pending is None:
            self.refused = refused
            self.app.exit(refused.exit_code)
            return
        self.session.take_back(pending)
        self._now = values(self.session.text)
        self._draw()
        self._complain(refused.diagnostics)

    def _complain(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        said = [f"{each.code} {each.message}" + (f"; {each.fix}" if each.fix else "") for each in diagnostics]
        self.notify("\n".join(said[:3]), title="not taken", severity="error", markup=False)

    def change(self, changes: Mapping[str, Any]) -> str:
        """Make a change of the spec; what is wrong with it, or nothing."""
        try:
            self._step(self.session.change(changes))
        except Refused as refused:
            return "\n".join(
                f"{each.code} {each.message}" for each in refused.diagnostics if each.severity.value == "error"
            )
        return ""
