"""Makes the pictures of the screens in this folder, as textual itself draws them.

    python docs/images/make.py [--run FOLDER] [--policy FOLDER]

The planner, the ranking screen and the first spec are drawn from the spec and the rows below; the watch screen and the
conversation from runs that `ftc run` has left in those folders (without them, their pictures stay as they are).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from textual.content import Content
from textual.pilot import Pilot
from textual.widgets import Input, Static

from ftc.screens.annotate import Annotate
from ftc.screens.app import FtcApp
from ftc.screens.asked import read_asked
from ftc.screens.ballots import Ballots
from ftc.screens.chat import Chat
from ftc.screens.init import Init
from ftc.screens.planner import Planner
from ftc.screens.session import Session
from ftc.screens.watch import Watch
from ftc.spec.draft import draft
from ftc.talking import BASE, TUNED

HERE = Path(__file__).resolve().parent
SPEC = """\
version: 1
name: support-answers
goal:
  task: generation
  domain: customer-support
  prompting: insufficient
  success: {metric: rouge_l, at_least: 0.35}
data:
  demonstrations: {rows: 6000, prompt_tokens: 700, completion_tokens: 250, format: chat}
model:
  base: Qwen/Qwen2.5-7B-Instruct
hardware: {gpu: rtx-4090, count: 1}
budget: {usd: 50, hours: 24}
"""
ROWS = [
    {
        "prompt": "My parcel says delivered, but nothing is here.",
        "answers": [
            "I am sorry to hear that. Please look with your neighbours and at your safe place first; drivers often "
            "leave a note. If it does not turn up by tomorrow evening, send us the parcel number and we open a search.",
            "It was delivered. Please check again.",
        ],
    },
    {
        "prompt": "Can I still change the address?",
        "answers": ["Yes, until it is on the van: open tracking and choose Change delivery.", "No."],
    },
]

ASKED = ("Hello, glass all over when I opened TX9023, it was marked fragile?",)  # a row that was held out
CAUGHT_UP_SECONDS = 60.0


async def settled(pilot: Pilot[int]) -> None:
    """Until what is under way is on the screen."""
    for _ in range(3):
        await pilot.pause()
        await pilot.app.workers.wait_for_complete()
    await pilot.pause()


async def picture(app: FtcApp, name: str, keys: list[str], size: tuple[int, int] = (120, 40)) -> None:
    """Press the keys, then draw."""
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        for key in keys:
            await pilot.press(key)
            await settled(pilot)
        _write(name, app)


async def picture_of_a_first_spec(typed: str) -> None:
    """`ftc init` beside the rows of the example, with something typed."""
    rows = HERE.parents[1] / "examples" / "support-routing" / "tickets.csv"
    shutil.copy(rows, rows.name)
    init = Init(lambda said: draft(said["text"], [], Path.cwd(), values={}), print, Path("ftc.yaml"))
    app = FtcApp(init)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press(*("space" if each == " " else each for each in typed))
        await pilot.pause(1.0)  # it looks at the files once the typing pauses
        await settled(pilot)
        _write("init", app)


async def picture_of_a_conversation(folder: Path, asked: Sequence[str]) -> None:
    """`ftc chat` with the model of a run and its base."""
    told = {
        "place": str(folder.resolve()), "models": [BASE, TUNED], "adapter": False,
        "max_new_tokens": 16, "temperature": 0.0, "seed": 0,
    }  # fmt: skip
    chat = Chat(told)
    app = FtcApp(chat)
    async with app.run_test(size=(100, 24)) as pilot:
        for each in asked:
            while chat.state:
                await pilot.pause(0.2)
            chat.query_one(Input).value = each
            await pilot.press("enter")
            await pilot.pause(0.5)
        while chat.state:
            await pilot.pause(0.2)
        app.query_one("#title", Static).update(Content.assemble(("ftc chat", "bold"), f"  {folder.name}"))
        await pilot.pause()
        _write("chat", app)


async def picture_of_a_run(folder: Path, name: str) -> None:
    """The watch screen, once it has caught up."""
    screen = Watch(folder)
    app = FtcApp(screen)
    async with app.run_test(size=(120, 40)) as pilot:
        async with asyncio.timeout(CAUGHT_UP_SECONDS):  # a plan of another version is never read
            while screen.run_state is None or not screen.run_state.losses:
                await pilot.pause(0.2)
        await pilot.pause(1.0)
        _write(name, app)


def _write(name: str, app: FtcApp) -> None:
    path = HERE / f"{name}.svg"
    drawn = app.export_screenshot(title="ftc", simplify=True).replace("<svg ", '<svg xml:space="preserve" ', 1)
    path.write_text(drawn, encoding="utf-8")
    sys.stdout.write(f"{path.name}\n")


async def every(run: Path | None, policy: Path | None) -> None:
    """All pictures."""
    with tempfile.TemporaryDirectory() as name:
        here = Path.cwd()
        folder = Path(name) / "support-routing"
        folder.mkdir()
        os.chdir(folder)  # so that the titles show `ftc.yaml`, not a temporary folder
        try:
            Path("ftc.yaml").write_text(SPEC)
            Path("answers.jsonl").write_text("\n".join(json.dumps(each) for each in ROWS))
            for picture_name, keys in (
                ("planner", []),
                ("planner-what-if", ["k", "right", "right", "right", "right", "right"]),
                ("planner-rule", ["right", *["down"] * 4, "enter"]),
            ):
                await picture(FtcApp(Planner(Session(Path("ftc.yaml")))), picture_name, keys)
            await picture(FtcApp(Planner(Session(Path("ftc.yaml")))), "planner-80x24", ["right", "right"], (80, 24))
            rows = read_asked(Path("answers.jsonl")).rows
            ballots = Ballots(rows=rows, out=Path("prefs.jsonl"), annotator="ann", second=0.0)
            await picture(FtcApp(Annotate(ballots)), "annotate", [], (100, 24))
            Path("ftc.yaml").unlink()
            Path("answers.jsonl").unlink()
            await picture_of_a_first_spec("route support tickets to the right desk")
        finally:
            os.chdir(here)
    if run is not None:
        await picture_of_a_run(run, "watch")
        await picture_of_a_conversation(run, ASKED)
    if policy is not None:
        await picture_of_a_run(policy, "watch-policy")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, help="the folder of a run, for the picture of the watch screen")
    parser.add_argument("--policy", type=Path, help="the folder of a run that learned from rewards, for a second one")
    told = parser.parse_args()
    asyncio.run(every(told.run, told.policy))


if __name__ == "__main__":
    main()
