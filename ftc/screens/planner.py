"""The planner: what one has, what is decided and why, what else there is; change anything and see.

The screen turns keys into changes of its `Session` and shows what comes back; advice is settled in a worker, so that
nothing ever waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.reactive import reactive
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Footer, OptionList, Static

from ftc.screens.figures import DIM, STRONG, WARN, Parts
from ftc.screens.panels import candidates, data, fields, flips, settings, why
from ftc.screens.session import Pending, Session, looked, settle, settle_at_once, values
from ftc.screens.widgets.confirm import Confirm
from ftc.screens.widgets.edit_field import EditField
from ftc.screens.widgets.item_list import ItemList
from ftc.screens.widgets.knob_bar import KnobBar
from ftc.screens.widgets.pick import Pick
from ftc.screens.widgets.reader import Reader
from ftc.screens.widgets.region_tabs import RegionTabs
from ftc.screens.widgets.verdict_bar import VerdictBar
from ftc.spec.diagnostics import Diagnostic, Refused

# After a change, ahead of working out what else there is: a thread cannot be called back, and while a slider moves the
# next decision would have to share the processor with the one before. Two key presses in a row are 30 to 100 ms apart.
QUIET_SECONDS = 0.15

REGIONS = (("spec-region", "Spec"), ("why-region", "Why"), ("ways-region", "Candidates"))
FIRST_LIST = {"spec-region": "fields", "why-region": "why", "ways-region": "candidates"}


class Planner(Screen[int]):
    """Three regions; side by side where there is room, one at a time where there is not."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open", show=False),
        Binding("e", "explain", "Explain"),
        Binding("i", "edit", "Edit"),
        Binding("b", "knob('budget')", "What if", tooltip="Slide the budget; the advice follows."),
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
        Binding("t", "knob('hours')", "What if: hours", show=False, tooltip="Slide the hours; the advice follows."),
        Binding(
            "k",
            "knob('rank')",
            "What if: rank",
            show=False,
            tooltip="Slide the rank of the adapter; the advice follows.",
        ),
        Binding(
            "l",
            "knob('length')",
            "What if: row length",
            show=False,
            tooltip="Slide the tokens of a row; the advice follows.",
        ),
        *(Binding(str(number), f"flip({number})", f"Flip {number}", show=False) for number in range(1, flips.KEYS + 1)),
    ]

    shown = reactive(0)
    state = reactive("")  # what is under way, in words
    expanded = reactive(False)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.refused: Refused | None = None  # why the planner closed by itself
        self._now: Mapping[str, Any] = {}
        self._was: Mapping[str, Any] | None = None  # the spec's values before the last change
        self._knob_place = 0
        self._knob_focus: Widget | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="title")
        yield VerdictBar(id="verdict")
        yield RegionTabs([name for _, name in REGIONS], id="tabs")
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

    def _draw(self, *, whole: bool = True) -> None:
        """Everything, from the session as it stands; without `whole`, what needs no deciding again."""
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
        for name in ("candidates", "flips"):
            self._list(name).set_class(not whole, "-behind")
        if not whole:
            return
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

    def watch_expanded(self, expanded: bool) -> None:
        if self.is_mounted:
            self.set_class(expanded, "-tree")
            self._draw()

    def watch_shown(self, region: int) -> None:
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
        if pending is not None and pending.facts is None:
            self.state = "reading the data"
        try:
            waiting = await asyncio.to_thread(self.session.start) if pending is None else pending
            waiting = await asyncio.to_thread(looked, waiting)
            quick = await asyncio.to_thread(settle_at_once, waiting)
            if self.session.preview(quick):
                self.state = "working out what else there is"
                self._draw(whole=False)
            if pending is not None:
                await asyncio.sleep(QUIET_SECONDS)
            advice = await asyncio.to_thread(settle, waiting)
        except Refused as refused:
            self._give_up(pending, refused)
            return
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
        self._complain("not taken", refused.diagnostics)

    def _complain(self, title: str, diagnostics: tuple[Diagnostic, ...]) -> None:
        said = [f"{each.code} {each.message}" + (f"; {each.fix}" if each.fix else "") for each in diagnostics]
        self.notify("\n".join(said[:3]), title=title, severity="error", markup=False)

    def change(self, changes: Mapping[str, Any]) -> str:
        """Make a change of the spec; what is wrong with it, or nothing."""
        try:
            self._step(self.session.change(changes))
        except Refused as refused:
            return "\n".join(
                f"{each.code} {each.message}" for each in refused.diagnostics if each.severity.value == "error"
            )
        return ""

    # --- moving about ---------------------------------------------------------------------------------------------

    def action_region(self, step: int) -> None:
        """The region to the left or right; in a narrow terminal it comes into sight."""
        names = [name for name, _ in REGIONS]
        focused = self.focused
        holders = [self.query_one(f"#{name}") for name in names]
        here = next((index for index, each in enumerate(holders) if focused in each.children), self.shown)
        self._go_to((here + step) % len(names))

    def on_region_tabs_wanted(self, event: RegionTabs.Wanted) -> None:
        self._go_to(event.index)

    def _go_to(self, region: int) -> None:
        self.shown = region
        if region == 0:
            self.expanded = False  # the tree has the spec's place
        self._list(FIRST_LIST[REGIONS[region][0]]).focus()

    def action_expand(self) -> None:
        """All branches of the tree, with room for them, or the path alone."""
        self.expanded = not self.expanded
        self._go_to(1)

    def _chosen(self) -> str:
        focused = self.focused
        return focused.chosen if isinstance(focused, ItemList) else ""

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        chosen = event.option_list.chosen if isinstance(event.option_list, ItemList) else ""
        kind, _, rest = chosen.partition(":")
        if kind in ("field", "setting", "question"):
            self.action_edit()
        elif kind == "flip":
            self._apply_flip(rest)
        else:
            self.action_explain()

    def action_explain(self) -> None:
        """The page behind what the cursor is on."""
        from ftc.screens.page import page_of

        advice, chosen = self.session.advice, self._chosen()
        if advice is None or not chosen:
            return
        page = page_of(advice, chosen)
        if page is not None:
            self.app.push_screen(Reader(page.title, page.body))

    def action_help(self) -> None:
        """What the keys do and how to read the screen."""
        from ftc.screens.help import planner_help

        self.app.push_screen(Reader("Help", planner_help()))

    # --- changing -------------------------------------------------------------------------------------------------

    def action_edit(self) -> None:
        """The form for the key under the cursor."""
        kind, _, rest = self._chosen().partition(":")
        if kind == "setting":
            self._edit(f"overrides.{rest}")
        elif kind in ("field", "question"):
            self._edit(rest)

    def action_set_any(self) -> None:
        """Find a key of the language, then its form."""
        from ftc.screens.editing import all_fields

        self.app.push_screen(Pick("Set a key", all_fields()), lambda key: self._edit(key) if key else None)

    def _edit(self, key: str) -> None:
        from ftc.screens.editing import field, parse, text_of

        known = field(key)
        if known is not None:
            value = text_of(self._now.get(key))
            self.app.push_screen(EditField(known, value, lambda typed: self.change({key: parse(key, typed)})))

    def action_flip(self, number: int) -> None:
        """Apply the change of that number among those that would change the verdict."""
        verdict = self.session.advice.verdict if self.session.advice else None
        taken = flips.numbered(verdict) if verdict else []
        if 0 < number <= len(taken):
            self._apply_flip(taken[number - 1].change)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Of the flips, only those that there are."""
        if action != "flip":
            return True
        verdict = self.session.advice.verdict if self.session.advice else None
        return verdict is not None and int(str(parameters[0])) <= len(flips.numbered(verdict))

    def _apply_flip(self, change: str) -> None:
        advice = self.session.advice
        flip = next((each for each in advice.verdict.flips if each.change == change), None) if advice else None
        if flip is not None and flip.key:
            complaint = self.change({flip.key: flip.value})
            self.notify(
                complaint or f"{flip.change}; u takes it back", severity="error" if complaint else "information"
            )

    def action_choose_method(self) -> None:
        """Have the advisor check the method under the cursor instead of choosing; again, and it chooses."""
        kind, _, rest = self._chosen().partition(":")
        if kind == "candidate":
            method = rest.partition(":")[0]
            complaint = self.change({"method": None if self._now.get("method") == method else method})
            if complaint:
                self.notify(complaint, severity="error", markup=False)

    def action_undo(self) -> None:
        """Take the last change back."""
        if self.session.can_undo:
            self._step(self.session.undo())

    def action_redo(self) -> None:
        """Make a change again that was taken back."""
        if self.session.can_redo:
            self._step(self.session.redo())

    # --- what if --------------------------------------------------------------------------------------------------

    def action_knob(self, name: str) -> None:
        """Open the sliders at that knob."""
        knobs = self.query_one(KnobBar)
        if self.session.advice is None or knobs.has_class("-open"):
            return
        self._knob_place = self.session.place
        self._knob_focus = self.focused
        self.session.hold()
        knobs.add_class("-open")
        knobs.open(name, self._now, self.session.advice.verdict)

    def on_knob_bar_moved(self, event: KnobBar.Moved) -> None:
        before = self._now.get(event.key)
        complaint = self.change({event.key: event.value})
        if complaint:
            self.query_one(KnobBar).put_back(event.key, before)
            self.notify(complaint, severity="warning", markup=False)

    def on_knob_bar_closed(self, event: KnobBar.Closed) -> None:
        self.query_one(KnobBar).remove_class("-open")
        if event.keep:
            self.session.squash(self._knob_place)
        else:
            self._step(self.session.back_to(self._knob_place))
        self.session.let_go()
        (self._knob_focus or self._list("fields")).focus()

    # --- results --------------------------------------------------------------------------------------------------

    def action_save(self) -> None:
        """Write the spec; asks where someone else has changed it meanwhile."""
        if not self.session.unsaved:
            self.notify(f"{self.session.path.name} is as it lies on disk")
        elif self.session.moved_on_disk():
            said = [f"{self.session.path} was changed by someone else since it was opened."]
            self.app.push_screen(Confirm("Overwrite the spec?", said, "Overwrite"), self._save)
        else:
            self._save(True)

    def _save(self, agreed: bool | None) -> None:
        if not agreed:
            return
        try:
            self.session.save()
        except OSError as error:
            self.notify(f"not saved: {error}", severity="error", markup=False)
            return
        self._draw()
        self.notify(f"{self.session.path} written")

    def action_approve(self) -> None:
        """Write the plan, and the spec that it names; asks before anything is overwritten."""
        self._approve(run=False)

    def action_run(self) -> None:
        """Write the plan where it is not there yet, run it, and watch."""
        self._approve(run=True)

    def _approve(self, *, run: bool) -> None:
        from ftc.screens.approval import approval

        if not self.session.whole:
            self.notify("one moment: the advice is still being worked out")
            return
        try:
            asked = approval(self.session, run=run)
        except Refused as refused:
            self._complain("no plan", refused.diagnostics)
            return
        if asked.said:
            yes = "Write and run" if run and asked.writes else "Run" if run else "Write"
            confirm = Confirm(asked.title, list(asked.said), yes)
            self.app.push_screen(confirm, lambda agreed: self._write(run=run) if agreed else None)
        else:
            self._write(run=run)

    def _write(self, *, run: bool) -> None:
        try:
            path = self.session.approve()
        except OSError as error:
            self.notify(f"not written: {error}", severity="error", markup=False)
            return
        self._draw()
        if run:
            from ftc.screens.launch import start_run

            folder = start_run(path)
            from ftc.screens.watch import Watch

            self.app.push_screen(Watch(folder))
        else:
            self.notify(f"{path} written; r runs it, or: ftc run")

    def action_diff(self) -> None:
        """The plan as it would be now beside the one on disk."""
        from ftc.screens.plan_changes import comparison

        try:
            self.app.push_screen(Reader("Plan on disk → plan as it stands", comparison(self.session)))
        except Refused as refused:
            self._complain("no plan", refused.diagnostics)

    def action_quit(self) -> None:
        """Leave; asks where a change would be lost."""
        if not self.session.unsaved:
            self.app.exit(0)
            return
        said = [f"{key}: {_shown(was)} → {_shown(now)}" for key, (was, now) in self.session.changes().items()]
        confirm = Confirm("Leave without saving?", said, "Leave", "Stay")
        self.app.push_screen(confirm, lambda agreed: self.app.exit(0) if agreed else None)


def _shown(value: Any) -> str:
    return "-" if value is None else str(value)
