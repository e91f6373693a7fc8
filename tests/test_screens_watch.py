"""The watch screen on a real run: started in the background, followed to its end, closed and opened again."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from textual.pilot import Pilot

from ftc import api
from ftc.screens.app import FtcApp
from ftc.screens.launch import start_run
from ftc.screens.watch import Watch
from tests.screens_values import drive

pytestmark = pytest.mark.train
DEADLINE_SECONDS = 900.0

SPEC = """\
version: 1
name: watched
goal: {task: classification, prompting: insufficient}
data: {demonstrations: {path: rows.csv}}
model: {base: builtin:tiny}
hardware: {gpu: none}
method: sft-lora
overrides: {epochs: 2, logging_steps: 1, eval_steps: 5}
"""


def test_watch_a_real_run_to_its_end_and_open_it_again(tmp_path: Path) -> None:
    pytest.importorskip("trl")
    words = {"late": "delivery", "broken": "damage", "refund": "money", "login": "account"}
    rows = [f"my {word} case number {number},{label}" for number in range(40) for word, label in words.items()]
    (tmp_path / "rows.csv").write_text("\n".join(["text,label", *rows]))
    (tmp_path / "ftc.yaml").write_text(SPEC)
    plan = api.compile(tmp_path / "ftc.yaml")
    (tmp_path / "ftc.plan.json").write_bytes(plan.to_bytes())
    folder = start_run(tmp_path / "ftc.plan.json")
    assert folder.name == plan.run_name
    watch = Watch(folder)

    async def to_the_end(pilot: Pilot[int]) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline and not (watch.run_state and watch.run_state.ended()):
            await pilot.pause(0.5)
        assert watch.run_state is not None
        assert watch.run_state.exit_code == 0, watch.run_state
        assert {each.status for each in watch.run_state.stages.values()} == {"done"}
        assert watch.run_state.losses
        assert watch.run_state.held_out

    drive(FtcApp(watch), to_the_end, size=(80, 24), follows=True)
    again = Watch(folder)

    async def as_it_ended(pilot: Pilot[int]) -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and not (again.run_state and again.run_state.ended()):
            await pilot.pause(0.2)
        assert again.run_state is not None
        assert again.run_state.losses == watch.run_state.losses  # type: ignore[union-attr]
        await pilot.press("enter", "escape", "l", "o", "q")

    drive(FtcApp(again), as_it_ended, follows=True)
