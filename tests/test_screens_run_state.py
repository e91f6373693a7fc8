"""A run read from its journal: under way, killed and resumed, in trouble, ended; and what lies beside the journal."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ftc.screens import run_files
from ftc.screens.launch import plan_behind
from ftc.screens.panels import run as panel
from ftc.screens.run_state import RunState
from tests.plans import plan_for

Story = list[dict[str, Any]]


def heard(events: Story, **head: Any) -> RunState:
    state = RunState(plan_for(**head))
    for second, event in enumerate(events):
        state.hear({"ts": 1000.0 + second, "stage": "", **event})
    return state


STARTED: Story = [
    {"kind": "run_started", "pid": 1, "data_folder": "/data"},
    {"kind": "stage_started", "stage": "prepare", "attempt": 1},
    {"kind": "stage_finished", "stage": "prepare", "result": {"rows_used": 3}, "memory": {"process_gib": 9.0}},
    {"kind": "stage_ended", "stage": "prepare", "exit_code": 0, "seconds": 7.5},
    {"kind": "stage_started", "stage": "sft", "attempt": 1},
]


def test_a_run_under_way() -> None:
    state = heard(
        [
            *STARTED,
            {"kind": "step", "stage": "sft", "step": 10, "total": 100, "loss": 2.0, "tokens": 1000, "seconds": 2.0},
            {"kind": "step", "stage": "sft", "step": 20, "total": 100, "loss": 1.0, "tokens": 3000, "seconds": 4.0},
            {"kind": "held_out", "stage": "sft", "step": 20, "loss": 1.1},
            {"kind": "checkpoint", "stage": "sft", "step": 20},
            {"kind": "progress", "stage": "sft", "step": 25, "total": 100, "eta_seconds": 30.0},
        ]
    )
    assert state.stages["prepare"].status == "done"
    current = state.current
    assert current is not None
    assert current.id == "sft"
    assert current.share == 0.25
    assert current.left_seconds() == 30.0
    assert [each.value for each in state.losses] == [2.0, 1.0]
    assert state.speeds[-1].value == 1000.0
    assert state.held_out[0].value == 1.1
    assert state.checkpoint_step == 20
    assert not state.ended()
    assert state.condition(1010.0) == "running"
    assert state.condition(9999.0) == "silent"
    assert state.left_hours() * 3600 >= 30.0


def test_killed_and_resumed_drops_the_steps_that_are_done_again() -> None:
    state = heard(
        [
            *STARTED,
            {"kind": "step", "stage": "sft", "step": 10, "total": 100, "loss": 2.0},
            {"kind": "step", "stage": "sft", "step": 20, "total": 100, "loss": 1.9},
            {"kind": "run_started", "pid": 2},
            {"kind": "stage_started", "stage": "sft", "attempt": 1},
            {"kind": "resumed", "stage": "sft", "step": 10},
            {"kind": "step", "stage": "sft", "step": 20, "total": 100, "loss": 1.8},
        ]
    )
    assert [(each.step, each.value) for each in state.losses] == [(10, 2.0), (20, 1.8)]
    assert state.pid == 2
    assert state.stages["sft"].seconds > 0  # what the killed attempt took is not forgotten


@pytest.mark.parametrize(
    ("ending", "status", "condition"),
    [
        ([{"kind": "stage_finished", "stage": "sft"}, {"kind": "run_ended", "exit_code": 0}], "done", "done"),
        (
            [{"kind": "stage_finished", "stage": "sft"}, {"kind": "run_ended", "exit_code": 4}],
            "done",
            "done, below the goal",
        ),
        (
            [
                {"kind": "stage_failed", "stage": "sft", "code": "R205", "message": "out of memory"},
                {"kind": "run_ended", "exit_code": 1},
            ],
            "failed",
            "failed",
        ),
        (
            [{"kind": "stage_interrupted", "stage": "sft"}, {"kind": "run_ended", "exit_code": 130}],
            "stopped",
            "stopped, can go on",
        ),
        ([{"kind": "stage_ended", "stage": "sft", "exit_code": -9, "seconds": 3}], "stopped", "running"),
    ],
)
def test_endings(ending: Story, status: str, condition: str) -> None:
    state = heard([*STARTED, *ending])
    assert state.stages["sft"].status == status
    assert state.condition(1010.0) == condition


POLICY: Story = [
    {"kind": "stage_started", "stage": "sft", "attempt": 1},
    {"kind": "step", "stage": "sft", "step": 1, "total": 4, "loss": 0.0},
    {"kind": "reward", "stage": "sft", "step": 1, "reward": 1.5, "length": 20.0, "kl": 0.0},
    {"kind": "reward", "stage": "sft", "step": 2, "reward": 2.25, "length": 16.0, "kl": 0.05},
]


def test_a_policy_shows_what_its_answers_earn() -> None:
    state = heard(POLICY)
    charts = state.charts()
    assert [each.title.partition(" ")[0] for each in charts] == ["Reward", "Answers", "Loss"]
    assert [each.value for each in charts[0].points] == [1.5, 2.25]
    assert [each.value for each in charts[0].marks] == [0.0, 0.05]
    assert charts[0].own_scale
    assert [each.value for each in charts[1].points] == [20.0, 16.0]
    shown = "\n".join(each.content.plain for each in panel.stage_items(state, 60))
    for expected in ("2.25", "1.5", "0.05", "16 tokens"):
        assert expected in shown
    resumed = heard([*POLICY, {"kind": "resumed", "stage": "sft", "step": 1}])
    assert [each.step for each in resumed.rewards] == [1]


def test_a_stage_without_rewards_has_one_chart_of_its_loss() -> None:
    state = heard([*STARTED, {"kind": "step", "stage": "sft", "step": 1, "total": 9, "loss": 2.0}])
    (chart,) = state.charts()
    assert [each.value for each in chart.points] == [2.0]
    assert RunState(plan_for()).charts()[0].points == []


def test_rewards_of_an_unknown_stage_or_without_a_number_do_no_harm() -> None:
    state = heard(
        [*STARTED, {"kind": "reward", "stage": "x", "step": 1, "reward": 1.0}, {"kind": "reward", "stage": "sft"}]
    )
    assert state.rewards == []
    assert len(state.charts()) == 1


def test_memory_is_the_devices_where_there_is_one() -> None:
    measured = {"kind": "measured", "stage": "sft", "step": 10, "memory": {"process_gib": 40.0, "reserved_gib": 8.5}}
    state = heard([*STARTED, measured])
    assert state.peak_gib() == 8.5
    assert "8.5 GiB" in panel.summary(state, 1010.0, 99.0, 100).plain
    assert heard(STARTED).peak_gib() == 9.0


def test_answers_that_earn_are_listed_the_newest_and_best_first(tmp_path: Path) -> None:
    folder = tmp_path / "stages" / "grpo"
    folder.mkdir(parents=True)
    rows = [(1, 0.5, "old"), (2, 0.1, "poor"), (2, 0.9, "good")]
    lines = [json.dumps({"step": step, "number": 7, "answer": said, "reward": got}) for step, got, said in rows]
    (folder / "answers.jsonl").write_text("\n".join([*lines, '{"step": 3}', '{"cut']))
    found = run_files.earned(tmp_path, "grpo")
    assert [each.answer for each in found] == ["good", "poor", "old"]
    assert "0.9" in panel.earned_items(found, 50)[0].content.plain
    assert run_files.earned(tmp_path, "none") == []


def test_trouble_is_listed_newest_first() -> None:
    state = heard(
        [
            *STARTED,
            {"kind": "remark", "stage": "sft", "code": "R407", "message": "jumped", "rows": ["a.csv:7"]},
            {"kind": "adjusted", "stage": "sft", "arguments": {"micro_batch": 2}},
        ]
    )
    shown = [each.content.plain for each in panel.remark_items(state, 60)]
    assert "micro_batch 2" in shown[0]
    assert "R407" in shown[1]
    assert "a.csv:7" in shown[1]


def test_an_event_of_the_future_or_a_broken_one_does_no_harm() -> None:
    state = heard(
        [
            *STARTED,
            {"kind": "something_new", "stage": "sft", "x": 1},
            {"kind": "step", "stage": "no_such_stage", "step": 1},
            {"kind": "step", "stage": "sft", "step": None, "loss": None},
            {"kind": "progress", "stage": "sft"},
            {"kind": "stage_finished", "stage": "sft", "result": None, "memory": None},
        ]
    )
    assert state.stages["sft"].status == "done"
    assert panel.stage_items(state, 40)
    assert panel.summary(state, 1010.0, 0.0, 80).plain


def test_a_run_that_was_stopped_shows_what_is_left() -> None:
    step = {"kind": "progress", "stage": "sft", "step": 25, "total": 100}
    stopped = {"kind": "stage_interrupted", "stage": "sft"}
    ended = {"kind": "stage_ended", "stage": "sft", "exit_code": 130, "seconds": 60.0}
    state = heard([*STARTED, step, stopped, ended, {"kind": "run_ended", "exit_code": 130}])
    assert state.stages["sft"].left_seconds() == pytest.approx(180.0)
    assert all(
        "left" in line and len(line) <= 78 for line in panel.summary(state, 1010.0, 0.0, 78).plain.splitlines()[:1]
    )


def test_money_is_time_times_price() -> None:
    state = heard(STARTED, budget={"usd": 50.0, "hours": 8.0, "usd_per_hour": 3600.0})
    assert state.usd() == pytest.approx(7.5)
    assert "$7.50 of $50" in panel.summary(state, 1010.0, 0.0, 100).plain


@pytest.mark.parametrize("width", [36, 60])
def test_no_line_is_wider_than_the_panel(width: int) -> None:
    state = heard([*STARTED, {"kind": "progress", "stage": "sft", "step": 1, "total": 3, "eta_seconds": 99999.0}])
    for each in (*panel.stage_items(state, width), *panel.remark_items(state, width)):
        assert max(len(line) for line in each.content.plain.splitlines()) <= width


def test_samples_put_answers_before_and_after_side_by_side(tmp_path: Path) -> None:
    rows = [("a:1", "x", "y", "y"), ("a:2", "z", "z", "z")]
    for stage, answer in (("baseline", 2), ("evaluate", 3)):
        folder = tmp_path / "stages" / stage
        folder.mkdir(parents=True)
        lines = [
            json.dumps(
                {
                    "place": row[0],
                    "prompt": "p",
                    "expected": row[1],
                    "answer": row[answer] if stage == "baseline" else row[1],
                    "right": stage == "evaluate",
                }
            )
            for row in rows
        ]
        (folder / "predictions.jsonl").write_text("\n".join([*lines, '{"cut']))  # the last line is half-written
    found = run_files.samples(tmp_path, ["baseline", "evaluate"])
    assert [each.place for each in found] == ["a:1", "a:2"]  # what changed comes first
    assert found[0].answers == (("baseline", "y", False), ("evaluate", "x", True))
    assert run_files.samples(tmp_path, ["none"]) == []
    assert panel.sample_items(found, 50)


def test_the_latest_run_and_its_plan_are_found(tmp_path: Path) -> None:
    assert run_files.latest_run(tmp_path / "runs") is None
    for index, name in enumerate(("old", "new")):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "events.jsonl").write_text("")
        os.utime(tmp_path / "runs" / name / "events.jsonl", (index, index))
    found = run_files.latest_run(tmp_path / "runs")
    assert found is not None
    assert found.name == "new"
    plan = plan_for()
    (tmp_path / "other.plan.json").write_bytes(plan.to_bytes())
    assert plan_behind(plan, str(tmp_path)) == tmp_path / "other.plan.json"
    assert plan_behind(plan, str(tmp_path / "runs")) is None


def test_a_process_that_is_not_the_supervisor_is_left_alone(tmp_path: Path) -> None:
    assert not run_files.supervisor_here(os.getpid(), tmp_path)
    assert not run_files.supervisor_here(0, tmp_path)
    (tmp_path / "events.jsonl").write_text("")
    with (tmp_path / "events.jsonl").open("ab"):
        assert run_files.supervisor_here(os.getpid(), tmp_path)
