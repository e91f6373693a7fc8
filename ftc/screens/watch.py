"""A run as it goes: stages, curves, figures beside their estimates, tripwires, answers, log. It follows the journal, so
it can be opened, closed and opened again, for a run of today or of last week, started here or by someone else."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.reactive import reactive
from textual.screen import Screen
from textual.widgets import Footer, Log, OptionList, Static

from ftc.compiler.plan_file import load_plan
from ftc.runtime.journal import FILE, Event, Tail
from ftc.runtime.run_folder import RunFolder
from ftc.screens import run_files
from ftc.screens.figures import DIM, STRONG, WARN
from ftc.screens.panels import run as panel
from ftc.screens.panels.item import lines
from ftc.screens.run_state import ENDED_WELL, RunState
from ftc.screens.widgets.confirm import Confirm
from ftc.screens.widgets.curves import Curves
from ftc.screens.widgets.item_list import ItemList
from ftc.screens.widgets.reader import Reader
from ftc.spec.diagnostics import Refused

POLL_SECONDS = 0.5
LOOK_SECONDS = 2.0  # between two looks at memory, log and answers


class Watch(Screen[int]):
    """Follows one run folder."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "stop", "Stop"),
        Binding("g", "go_on", "Go on"),
        Binding("l", "swap", "Log"),
        Binding("c", "curve", "Curve"),
        Binding("e", "explain", "Explain"),
        Binding("o", "report", "Report"),
        Binding("question_mark", "help", "Help"),
        Binding("q,escape", "close", "Close"),
    ]

    log_shown = reactive(False)

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.run_state: RunState | None = None
        self._tail = Tail(folder / FILE)
        self._looked = 0.0
        self._live_gib = 0.0
        self._log_text = ""
        self._drawn_points = (-1, -1, -1, -1)
        self._followed = ""  # the stage that the cursor was put on when it began
        self._curve = 0  # which of the charts is shown

    def compose(self) -> ComposeResult:
        yield Static(id="title")
        yield Static(id="summary")
        with Horizontal(id="upper"):
            yield ItemList("Stages", id="stages")
            yield Curves(id="curves")
        with Horizontal(id="lower"):
            yield ItemList("Tripwires", id="remarks")
            with Vertical(id="said"):
                yield ItemList("Answers on held-out rows", id="samples")
                yield Log(id="log", highlight=False)
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one("#log").border_title = "Log"
        self.query_one("#log").display = False
        self.query_one("#stages").focus()
        self._draw_title()
        self._keep_following()

    # --- following ------------------------------------------------------------------------------------------------

    @work(group="follow")
    async def _keep_following(self) -> None:
        """One look after another; on a machine that is busy, looks come later but none is cut short."""
        while self.is_mounted:
            await self._follow()
            await asyncio.sleep(POLL_SECONDS)

    async def _follow(self) -> None:
        """Read what is new, off the event loop, then draw."""
        if self.run_state is None:
            plan, _ = await asyncio.to_thread(load_plan, RunFolder(self.folder).plan)
            if plan is None:
                self._draw_waiting()
                return
            self.run_state = RunState(plan)
        state = self.run_state
        events: list[Event] = await asyncio.to_thread(lambda: list(self._tail.new()))
        for event in events:
            state.hear(event)
        if events or time.monotonic() - self._looked > LOOK_SECONDS:
            await self._look(state)
            self._draw(state)

    async def _look(self, state: RunState) -> None:
        """What stands beside the journal."""
        self._looked = time.monotonic()
        current = state.current
        stage = current.id if current else next((each.id for each in reversed(state.stages.values()) if each.last), "")
        text = await asyncio.to_thread(run_files.log_end, self.folder, stage)
        if text != self._log_text:
            self._log_text = text
            log = self.query_one(Log)
            log.clear()
            log.write(text)
            log.border_title = f"Log of {stage}" if stage else "Log"
        here = current is not None and await asyncio.to_thread(run_files.supervisor_here, state.pid, self.folder)
        self._live_gib = await asyncio.to_thread(run_files.live_gib, state.pid) if here else 0.0
        policy, shown = state.policy_stage(), self.query_one("#samples", ItemList)
        earned = await asyncio.to_thread(run_files.earned, self.folder, policy) if policy else []
        if earned:
            shown.border_title = f"Answers of {policy}"
            shown.show(lambda width: panel.earned_items(earned, width))
            return
        found = await asyncio.to_thread(run_files.samples, self.folder, state.samples_stage())
        shown.border_title = "Answers on held-out rows"
        shown.show(lambda width: panel.sample_items(found, width))

    def _draw_waiting(self) -> None:
        """Before there is a plan in the folder: what `ftc run` has said so far."""
        said = run_files.log_end(self.folder, "").strip()
        self.query_one("#summary", Static).update(
            lines([(f"… waiting for {self.folder.name}", WARN)], [(said[-200:], DIM)])
        )

    def _draw(self, state: RunState) -> None:
        self._draw_title()
        now, live = time.time(), self._live_gib
        summary = self.query_one("#summary", Static)
        summary.update(panel.summary(state, now, live, max(summary.content_size.width, 40)))
        stages = self.query_one("#stages", ItemList)
        stages.show(lambda width: panel.stage_items(state, width))
        if state.current is not None and state.current.id != self._followed:
            self._followed = state.current.id
            stages.choose(f"stage:{self._followed}")
        self.query_one("#remarks", ItemList).show(lambda width: panel.remark_items(state, width))
        points = (len(state.losses), len(state.held_out), len(state.rewards), self._curve)
        if points != self._drawn_points:
            self._drawn_points = points
            charts = state.charts()
            self.query_one(Curves).show(charts[self._curve % len(charts)], len(charts) - 1)

    def _draw_title(self) -> None:
        state = self.run_state
        said = f"  {state.machine}" if state else ""
        title = Content.assemble(("ftc watch", STRONG), (f"  {self.folder.name}", DIM), (said, DIM))
        self.query_one("#title", Static).update(title)

    def watch_log_shown(self, shown: bool) -> None:
        if self.is_mounted:
            self.query_one("#log").display = shown
            self.query_one("#samples").display = not shown

    # --- keys -----------------------------------------------------------------------------------------------------

    def action_region(self, step: int) -> None:
        """The list to the left or right."""
        self.focus_next() if step > 0 else self.focus_previous()

    def action_swap(self) -> None:
        """The log in place of the answers, or back."""
        self.log_shown = not self.log_shown

    def action_curve(self) -> None:
        """Another curve, where there are several: reward and KL, length, loss."""
        self._curve += 1
        if self.run_state is not None:
            self._draw(self.run_state)

    def on_option_list_option_selected(self, _: OptionList.OptionSelected) -> None:
        self.action_explain()

    def action_explain(self) -> None:
        """A stage with all its arguments, a tripwire with its page."""
        focused = self.focused
        kind, _, rest = (focused.chosen if isinstance(focused, ItemList) else "").partition(":")
        if kind == "stage" and self.run_state is not None:
            self.app.push_screen(Reader(rest, panel.stage_page(self.run_state, rest)))
        elif kind == "remark":
            from ftc.screens.page import code_page

            page = code_page(rest.rpartition(":")[2])
            if page is not None:
                self.app.push_screen(Reader(page.title, page.body))

    def action_stop(self) -> None:
        """Ask the run to write a checkpoint and end."""
        state = self.run_state
        if state is None or state.ended():
            self.notify("nothing is running")
        elif not run_files.supervisor_here(state.pid, self.folder):
            self.notify(f"process {state.pid} is not on this machine; stop it where it runs", severity="warning")
        else:
            said = ["It writes a checkpoint and ends; `ftc run`, or g here, goes on from there."]
            self.app.push_screen(Confirm("Stop the run?", said, "Stop"), self._stop)

    def _stop(self, agreed: bool | None) -> None:
        from ftc.screens.launch import ask_to_stop

        if agreed and self.run_state is not None:
            try:
                ask_to_stop(self.run_state.pid)
            except OSError as error:
                self.notify(f"not stopped: {error}", severity="error", markup=False)

    def action_go_on(self) -> None:
        """Run the same plan again: it continues where it stopped."""
        from ftc.screens.launch import plan_behind, start_run

        state = self.run_state
        if state is None or (not state.ended() and run_files.supervisor_here(state.pid, self.folder)):
            self.notify("it is running")
            return
        if state.exit_code in ENDED_WELL:
            self.notify("it is done")
            return
        plan = plan_behind(state.plan, state.data_folder)
        if plan is None:
            self.notify(f"its plan is no longer in {state.data_folder}: ftc run PLAN", severity="warning", markup=False)
            return
        try:
            start_run(plan, self.folder.parent)
            self.notify("going on from the last checkpoint")
        except (OSError, Refused) as error:
            self.notify(f"not started: {error}", severity="error", markup=False)

    def action_report(self) -> None:
        """Where the results lie."""
        run = RunFolder(self.folder)
        if run.report_html.is_file():
            self.notify(
                f"report {run.report_html}\nmodel {run.model}\ntry it: ftc chat {self.folder.name}", markup=False
            )
        else:
            self.notify("the report comes with the last stage")

    def action_help(self) -> None:
        """How to read the screen."""
        from ftc.screens.help import watch_help

        self.app.push_screen(Reader("Help", watch_help()))

    def action_close(self) -> None:
        """Back to where it was opened from; the run goes on."""
        if len(self.app.screen_stack) > 2 or self.app.screen_stack[0] is not self:
            self.app.pop_screen()
        else:
            code = self.run_state.exit_code if self.run_state else None
            self.app.exit(code or 0)
