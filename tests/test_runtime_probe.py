"""`--probe`: what a few measured steps make of an estimate, and that the run goes on from them or ends."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ftc.compiler.plan import Plan
from ftc.compiler.plan_file import load_plan
from ftc.runtime.probe import before, corrected, measured_twice, to_probe
from tests.runtime_plans import fault, write_plan

RANGE = {"low": 0.5, "likely": 1.0, "high": 2.0}
BASIS = {
    "device": "T4", "on_cpu": False, "regime": "sft lora none none", "steps": 107, "step_seconds": 8.0,
    "device_gib": 6.0, "beside_gib": 0.25, "corrections": {"seconds": {"runs": 1, "factor": 1.25}},
}  # fmt: skip


def planned(folder: Path, **budget: Any) -> Plan:
    """A plan whose training and evaluation are estimated to take an hour each, at 10 seconds a step."""
    plan, problems = load_plan(write_plan(folder, "sft-full"))
    assert plan is not None, problems
    estimates = {
        "sft": {"hours": RANGE, "memory_gib": RANGE, "basis": BASIS}, "evaluate": {"hours": RANGE},
        "export": {"hours": RANGE},
    }  # fmt: skip
    stages = tuple(replace(each, estimate=estimates.get(each.kind, {})) for each in plan.stages)
    return replace(plan, stages=stages, budget={"usd": None, "hours": None, "usd_per_hour": 2.0, **budget})


def taken(a_step: float, reserved: float = 4.0, points: tuple[int, ...] = (2, 7)) -> list[dict[str, Any]]:
    start: list[dict[str, Any]] = [{"stage": "sft", "kind": "stage_started", "ts": 0.0}]
    memory = {"process_gib": 1.0, "reserved_gib": reserved} if reserved else {"process_gib": 1.0}
    start += [
        {
            "stage": "sft",
            "kind": "measured",
            "ts": 0.0,
            "step": at,
            "total": 107,
            "seconds": 30 + at * a_step,
            "memory": memory,
        }
        for at in points
    ]
    return [*start, {"stage": "sft", "kind": "stage_ended", "ts": 0.0, "seconds": 360.0}]


def test_what_is_left_takes_as_long_a_step(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    found = corrected(plan, plan.stage("sft"), taken(20.0), taken(20.0))
    assert found is not None
    assert found["seconds_a_step"] == {"planned": 10.0, "corrected": pytest.approx(20.0)}
    # six minutes are spent, 100 steps of 20 s are left, evaluation takes twice its hour, the export its own
    assert found["hours"]["corrected"]["likely"] == pytest.approx(0.1 + 100 * 20 / 3600 + 2.0 + 1.0)
    assert found["usd"]["corrected"]["likely"] == pytest.approx(2 * found["hours"]["corrected"]["likely"])
    assert found["memory_gib"]["corrected"]["likely"] == 4.25
    assert found["over"] == []


def test_on_a_cpu_the_process_counts(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    found = corrected(plan, plan.stage("sft"), taken(20.0, reserved=0.0), taken(20.0))
    assert found is not None
    assert found["memory_gib"]["corrected"]["likely"] == 1.0


@pytest.mark.parametrize(
    ("budget", "over"),
    [({"hours": 3.0}, 1), ({"hours": 4.0}, 0), ({"usd": 7.0}, 1), ({"usd": 8.0}, 0), ({"hours": 1.0, "usd": 1.0}, 2)],
)
def test_the_budget(tmp_path: Path, budget: dict[str, float], over: int) -> None:
    plan = planned(tmp_path, **budget)
    found = corrected(plan, plan.stage("sft"), taken(20.0), taken(20.0))
    assert found is not None
    assert len(found["over"]) == over


@pytest.mark.parametrize("points", [(), (2,)])
def test_over_before_it_was_timed(tmp_path: Path, points: tuple[int, ...]) -> None:
    plan = planned(tmp_path)
    journal = taken(20.0, points=points)
    assert not measured_twice(journal)
    assert corrected(plan, plan.stage("sft"), journal, journal) is None


def test_which_stage_and_what_before_it(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    stage = to_probe(plan, [])
    assert stage is not None
    assert stage.id == "sft"
    assert [each.kind for each in before(plan, stage)] == ["prepare"]
    assert to_probe(plan, [{"stage": "sft", "kind": "stage_finished", "result": {}}]) is None


@pytest.mark.train
class TestRuns:
    """On `builtin:tiny`, for real."""

    @pytest.fixture(autouse=True)
    def one_thread(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("trl")
        monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def test_the_run_goes_on_from_the_probed_steps(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from ftc.runtime.supervisor import DONE, run

        for name, value in fault("slow-100").items():
            monkeypatch.setenv(name, value)
        train = {"steps": 40, "save_steps": 40, "eval_steps": 20, "logging_steps": 10}
        plan = write_plan(tmp_path, "sft-full", rows=240, held_out=30, train=train)
        events: list[Any] = []
        outcome = run(plan, tmp_path / "runs", probe=True, on_event=events.append)
        assert outcome.exit_code == DONE, outcome.diagnostics
        probed = next(each for each in events if each["kind"] == "probe")
        assert probed["steps"] == 5
        assert probed["hours"]["corrected"]["likely"] > 0
        assert probed["memory_gib"]["corrected"]["likely"] > 0.2
        kinds = [each["kind"] for each in events if each["stage"] in ("sft", "baseline")]
        assert "resumed" in kinds[kinds.index("probe") :], "the steps that were measured are not taken again"
        order = [each["stage"] for each in events if each["kind"] == "stage_started"]
        assert order.index("sft") < order.index("baseline"), "the probe comes first"
        again: list[Any] = []
        assert run(plan, tmp_path / "runs", probe=True, on_event=again.append).exit_code == DONE
        assert "probe" not in [each["kind"] for each in again], "there is nothing left to measure"

    def test_over_budget_ends_before_the_money_is_spent(self, tmp_path: Path) -> None:
        from ftc.runtime.supervisor import CANNOT, run

        budget = {"usd": None, "hours": 0.05, "usd_per_hour": 0.0}
        train = {"steps": 100_000, "save_steps": 50_000, "eval_steps": 50_000}
        plan = write_plan(tmp_path, "sft-full", scored=False, train=train, budget=budget)
        outcome = run(plan, tmp_path / "runs", probe=True)
        assert outcome.exit_code == CANNOT
        assert [each.code for each in outcome.diagnostics if each.code.startswith("R2")] == ["R211"]
        assert outcome.folder is not None
        journal = [json.loads(line) for line in (outcome.folder / "events.jsonl").read_text().splitlines()]
        assert max(each["step"] for each in journal if each["kind"] == "checkpoint") < 1000
        assert journal[-1] == {**journal[-1], "kind": "run_ended", "exit_code": CANNOT}
