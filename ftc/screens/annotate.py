"""Ranking answers side by side: one key a judgement, each on disk before the next row shows."""

from __future__ import annotations

from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.reactive import reactive
from textual.screen import Screen
from textual.widgets import Footer, Static

from ftc.screens.ballots import Ballots, Kind, Look
from ftc.screens.figures import DIM, FREE, FULL, GOOD, STRONG, WARN, Parts
from ftc.screens.panels.item import lines
from ftc.screens.sampled import Sampling, sampled
from ftc.screens.widgets.reader import Reader
from ftc.screens.widgets.write_answer import WriteAnswer
from ftc.spec.rows import Prompt

BAR = 24  # characters of the progress bar
MOST_ANSWERS = 9  # one digit each


class Annotate(Screen[int]):
    """Shows one row at a time. With `sampling`, rows arrive while the person already judges."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "better(1)", "Left"),
        Binding("2", "better(2)", "Right"),
        *(Binding(str(number), f"better({number})", show=False) for number in range(3, MOST_ANSWERS + 1)),
        Binding("t", "judge('tie')", "Tie"),
        Binding("b", "judge('bad')", "Both bad"),
        Binding("s", "judge('skip')", "Skip"),
        Binding("e", "edit", "Edit"),
        Binding("u,ctrl+z", "undo", "Undo"),
        Binding("down,j", "scroll_all(3)", "Scroll", show=False),
        Binding("up,k", "scroll_all(-3)", show=False),
        Binding("left", "app.focus_previous", show=False),
        Binding("right", "app.focus_next", show=False),
        Binding("question_mark", "help", "Help"),
        Binding("q", "quit", "Close"),
    ]

    state = reactive("")

    def __init__(self, ballots: Ballots, prompts: tuple[Prompt, ...] = (), sampling: Sampling | None = None) -> None:
        super().__init__()
        self.ballots = ballots
        self._prompts, self._sampling = prompts, sampling
        self._look: Look | None = None
        self._waiting = sampling is not None

    def compose(self) -> ComposeResult:
        yield Static(id="title")
        yield Static(id="progress")
        with VerticalScroll(id="prompt", can_focus=False) as prompt:
            prompt.border_title = "Prompt"
            yield Static(id="asked", markup=False)
        yield Horizontal(id="answers")
        yield Footer(compact=True, show_command_palette=False)

    async def on_mount(self) -> None:
        await self._show()
        if self._sampling is not None:
            self._sample(self._sampling)

    @work(group="sampling")
    async def _sample(self, told: Sampling) -> None:
        """Take rows as they come; a row that is being judged stays where it is."""
        try:
            async for each in sampled(self._prompts, told, self.ballots.out):
                if isinstance(each, str):
                    self.state = each
                    continue
                self.ballots.add([each])
                if self._look is None:
                    await self._show()
                else:
                    self._draw_head()
        except OSError as error:
            self.notify(str(error), severity="error", timeout=30, markup=False)
        self._waiting = False
        self.state = ""
        if self._look is None:
            await self._show()

    # --- showing --------------------------------------------------------------------------------------------------

    async def _show(self) -> None:
        """The next row, or the end."""
        self._look = self.ballots.next()
        self._draw_head()
        answers = self.query_one("#answers", Horizontal)
        await answers.remove_children()
        if self._look is None:
            self.query_one("#asked", Static).update(self._ending())
            return
        row = self._look.row
        self.query_one("#asked", Static).update(
            Content("\n".join(_turn(each.role, each.content) for each in row.prompt))
        )
        self.query_one("#prompt").scroll_home(animate=False)
        boxes = []
        for place, index in enumerate(self._look.order[:MOST_ANSWERS], 1):
            box = VerticalScroll(Static(Content(row.answers[index])), classes="answer", id=f"answer-{place}")
            box.border_title = f"{place}"
            boxes.append(box)
        await answers.mount(*boxes)
        boxes[0].focus()

    def _ending(self) -> Content:
        if self._waiting:
            return Content.styled("waiting for the model's answers", WARN)
        progress = self.ballots.progress()
        return lines(
            [(f"All {progress.judged:,} rows are judged: {progress.pairs:,} pairs in {self.ballots.out}", STRONG)],
            [(f"data: {{feedback: {{path: {self.ballots.out.name}}}}}", "")],
            [("u takes the last choice back, q closes", DIM)],
        )

    def _draw_head(self) -> None:
        progress = self.ballots.progress()
        title: Parts = [
            ("ftc annotate", STRONG),
            (f"  {self.ballots.out}", DIM),
            (f"  as {self.ballots.annotator}", DIM),
        ]
        if self.state:
            title.append((f"  … {self.state}", WARN))
        self.query_one("#title", Static).update(Content.assemble(*title))
        full = round(BAR * progress.judged / progress.rows) if progress.rows else 0
        parts: Parts = [(FULL * full, GOOD), (FREE * (BAR - full), DIM)]
        parts.append((f" {progress.judged:,} of {progress.rows:,}  {progress.pairs:,} pairs", STRONG))
        if self._look is not None and self._look.number == 2:
            parts.append(("  a second look", WARN))
        if progress.second_looks:
            parts.append((f"  same again {progress.agreed} of {progress.second_looks}", DIM))
        self.query_one("#progress", Static).update(Content.assemble(*parts))

    def watch_state(self) -> None:
        if self.is_mounted:
            self._draw_head()

    # --- judging --------------------------------------------------------------------------------------------------

    async def action_better(self, place: int) -> None:
        """That answer is the best."""
        if self._look is not None and place <= len(self._look.order):
            await self._keep("better", shown=place - 1)

    async def action_judge(self, kind: Kind) -> None:
        """A judgement without a winner."""
        await self._keep(kind)

    def action_edit(self) -> None:
        """Write a better answer, starting from the one in focus."""
        if self._look is None:
            return
        focused = self.focused.id if self.focused else ""
        place = int(focused.rpartition("-")[2]) - 1 if focused and focused.startswith("answer-") else 0
        text = self._look.row.answers[self._look.order[place]]
        self.app.push_screen(WriteAnswer(text), self._written)

    async def _written(self, text: str | None) -> None:
        if text:
            await self._keep("edit", text=text)

    async def _keep(self, kind: Kind, *, shown: int | None = None, text: str = "") -> None:
        if self._look is None:
            return
        try:
            self.ballots.choose(self._look, kind, shown=shown, text=text)
        except OSError as error:
            self.notify(f"not kept: {error}", severity="error", markup=False)
            return
        await self._show()

    async def action_undo(self) -> None:
        """Take the last choice back and show its row again."""
        try:
            self.ballots.undo()
        except OSError as error:
            self.notify(f"not taken back: {error}", severity="error", markup=False)
        await self._show()

    def action_scroll_all(self, step: int) -> None:
        """Scroll all answers together."""
        for box in self.query(".answer"):
            box.scroll_relative(y=step, animate=False)

    def action_help(self) -> None:
        """What the keys do and what is kept."""
        from ftc.screens.help import annotate_help

        self.app.push_screen(Reader("Help", annotate_help()))

    def action_quit(self) -> None:
        """Close; everything is on disk."""
        self.app.exit(0)


def _turn(role: str, text: str) -> str:
    return text if role == "user" else f"[{role}] {text}"
