"""Makes the pictures of the screens in this folder, as textual itself draws them.

    python docs/images/make.py [--run FOLDER]

The planner and the ranking screen are drawn from the specs and rows below; the watch screen from a run, which `ftc run`
has left in FOLDER (without one, that picture stays as it is).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path

from textual.pilot import Pilot

from ftc.screens.annotate import Annotate
from ftc.screens.app import FtcApp
from ftc.screens.asked import read_asked
from ftc.screens.ballots import Ballots
from ftc.screens.planner import Planner
from ftc.screens.session import Session
from ftc.screens.watch import Watch

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


async def picture_of_a_run(folder: Path) -> None:
    """The watch screen, once it has caught up."""
    screen = Watch(folder)
    app = FtcApp(screen)
    async with app.run_test(size=(120, 40)) as pilot:
        while screen.run_state is None or not screen.run_state.losses:
            await pilot.pause(0.2)
        await pilot.pause(1.0)
        _write("watch", app)


def _write(name: str, app: FtcApp) -> None:
    path = HERE / f"{name}.svg"
    path.write_text(app.export_screenshot(title="ftc", simplify=True), encoding="utf-8")
    sys.stdout.write(f"{path.name}\n")


async def every(run: Path | None) -> None:
    """All pictures."""
    with tempfile.TemporaryDirectory() as name:
        here = Path.cwd()
        os.chdir(name)  # so that the titles show `ftc.yaml`, not a temporary folder
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
        finally:
            os.chdir(here)
    if run is not None:
        await picture_of_a_run(run)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, help="the folder of a run, for the picture of the watch screen")
    asyncio.run(every(parser.parse_args().run))


if __name__ == "__main__":
    main()
