"""Pictures of each screen at 80x24 and 120x40, from values made by hand.

After a change of a screen that is meant: `pytest tests/test_screens_snapshots.py --snapshot-update`, and look at them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from ftc.screens import planner as planner_module
from ftc.screens.annotate import Annotate
from ftc.screens.app import FtcApp
from ftc.screens.ballots import Ballots, Row
from ftc.screens.planner import Planner
from ftc.screens.session import Session
from ftc.screens.watch import Watch
from ftc.spec.rows import Message
from tests.plans import plan_for
from tests.screens_values import by_hand, settled, write_spec

SIZES = [(80, 24), (120, 40)]
EVENTS: tuple[dict[str, Any], ...] = (
    {"kind": "run_started", "stage": "", "name": "support-router", "machine": "Linux x86_64, 16 cores", "pid": 0},
    {"kind": "stage_started", "stage": "prepare", "attempt": 1},
    {
        "kind": "stage_finished",
        "stage": "prepare",
        "memory": {"process_gib": 0.4},
        "result": {"rows_read": 2400, "rows_used": 2400, "rows_truncated": 3, "loss_share": 0.146},
    },
    {"kind": "stage_ended", "stage": "prepare", "exit_code": 0, "seconds": 12.0},
    {"kind": "stage_started", "stage": "baseline", "attempt": 1},
    {"kind": "stage_finished", "stage": "baseline", "result": {}, "memory": {"process_gib": 3.1}},
    {"kind": "stage_ended", "stage": "baseline", "exit_code": 0, "seconds": 42.0},
    {"kind": "stage_started", "stage": "sft", "attempt": 1},
    *(
        {
            "kind": "step",
            "stage": "sft",
            "step": step,
            "total": 844,
            "loss": 2.4 / (1 + step / 60),
            "tokens": 2000 * step,
            "seconds": step / 2,
        }
        for step in range(10, 520, 10)
    ),
    {"kind": "held_out", "stage": "sft", "step": 250, "loss": 0.61},
    {"kind": "held_out", "stage": "sft", "step": 500, "loss": 0.38},
    {
        "kind": "remark",
        "stage": "sft",
        "code": "R407",
        "message": "the loss jumped to 3.1 at step 301",
        "rows": ["a.csv:7"],
    },
    {"kind": "checkpoint", "stage": "sft", "step": 500},
    {"kind": "progress", "stage": "sft", "step": 515, "total": 844, "eta_seconds": 310.0},
)


STEPS = range(1, 40)
POLICY_EVENTS: tuple[dict[str, Any], ...] = (
    *(each for each in EVENTS[:8]),
    *(
        {"kind": "reward", "stage": "sft", "step": step, "reward": 4 - 3 / step, "kl": 0.003 * step, "length": 16.0}
        for step in STEPS
    ),
    *({"kind": "step", "stage": "sft", "step": step, "total": 100, "loss": 0.0} for step in STEPS),
    {"kind": "progress", "stage": "sft", "step": 39, "total": 100, "eta_seconds": 61.0},
)


@pytest.fixture
def hand_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planner_module, "settle", by_hand)
    monkeypatch.setattr(planner_module, "settle_at_once", by_hand)
    monkeypatch.delenv("NO_COLOR", raising=False)


def app_for(folder: Path) -> FtcApp:
    """The planner on `ftc.yaml`, named without its folder, which differs from run to run."""
    write_spec(folder)
    return FtcApp(Planner(Session(Path("ftc.yaml"))))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("pressed", [[], ["right"], ["right", "right"]], ids=["spec", "why", "candidates"])
def test_planner(
    snap_compare: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    hand_made: None,
    size: tuple[int, int],
    pressed: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)

    async def before(pilot: Pilot[int]) -> None:
        await settled(pilot)
        await pilot.press(*pressed)
        await settled(pilot)

    if size[0] == 80 or not pressed:
        assert snap_compare(app_for(tmp_path), terminal_size=size, run_before=before)


PAGES = {
    "candidate": ["right", "right", "enter"],
    "form": ["enter"],
    "what if": ["k", "right", "right"],
    "help": ["question_mark"],
    "leaving": ["k", "right", "enter", "q"],
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("pressed", PAGES.values(), ids=PAGES)
def test_pages_of_the_planner(
    snap_compare: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    hand_made: None,
    size: tuple[int, int],
    pressed: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)

    async def before(pilot: Pilot[int]) -> None:
        await settled(pilot)
        for key in pressed:
            await pilot.press(key)
            await settled(pilot)
        pilot.app.screen.query("Input").set(disabled=True)  # a cursor blinks
        await pilot.pause()

    assert snap_compare(app_for(tmp_path), terminal_size=size, run_before=before)


@pytest.mark.parametrize("theme", ["ftc-light", "no colour"])
def test_planner_in_other_looks(
    snap_compare: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hand_made: None, theme: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if theme == "no colour":
        monkeypatch.setenv("NO_COLOR", "1")
    app = app_for(tmp_path)
    if theme != "no colour":
        app.theme = theme

    async def before(pilot: Pilot[int]) -> None:
        await settled(pilot)
        await pilot.press("b", "left")
        await settled(pilot)

    assert snap_compare(app, terminal_size=(120, 40), run_before=before)


@pytest.mark.parametrize("size", SIZES)
def test_watch(snap_compare: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]) -> None:
    watched(EVENTS, 2, snap_compare, tmp_path, monkeypatch, size)


@pytest.mark.parametrize("size", SIZES)
def test_watch_a_policy(
    snap_compare: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    watched(POLICY_EVENTS, 0, snap_compare, tmp_path, monkeypatch, size)


def watched(
    events: tuple[dict[str, Any], ...],
    held_out: int,
    snap_compare: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int],
) -> None:
    """A run whose journal holds these events, drawn to its last point."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("ftc.screens.watch.time.time", lambda: 1_000_100.0)
    run = tmp_path / "support-router-3f9a1c2e"
    run.mkdir()
    (run / "plan.json").write_bytes(plan_for().to_bytes())
    lines = [json.dumps({"ts": 1_000_000.0 + index, **event}) for index, event in enumerate(events)]
    (run / "events.jsonl").write_text("\n".join(lines) + "\n")
    answers = [
        {
            "place": f"test.csv:{n}",
            "prompt": "Where is my card?",
            "expected": "card_arrival",
            "answer": "card_lost",
            "right": False,
        }
        for n in range(3)
    ]
    folder = run / "stages" / "baseline"
    folder.mkdir(parents=True)
    (folder / "predictions.jsonl").write_text("\n".join(json.dumps(each) for each in answers))

    async def before(pilot: Pilot[int]) -> None:
        screen = pilot.app.screen
        assert isinstance(screen, Watch)
        for _ in range(400):
            await pilot.pause(0.05)
            if screen._drawn_points[1] == held_out:  # the curves are drawn last
                break
        await pilot.pause(1.0)

    assert snap_compare(FtcApp(Watch(run)), terminal_size=size, run_before=before)


@pytest.mark.parametrize("size", SIZES)
def test_annotate(snap_compare: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.chdir(tmp_path)
    rows = [
        Row(
            prompt=(Message(role="user", content=f"Can I change the address of parcel {number}?"),),
            answers=("Yes, until it is on the van: open tracking and choose Change delivery.", "No."),
        )
        for number in range(20)
    ]
    ballots = Ballots(rows=rows, out=Path("prefs.jsonl"), annotator="ann", second=0.0)
    assert snap_compare(FtcApp(Annotate(ballots)), terminal_size=size, press=["1", "2", "t"])
