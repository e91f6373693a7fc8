"""Past runs, from their journals into the next estimate: what counts, what does not, and what the command says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ftc.advisor.calibration import basis, corrected, correction
from ftc.advisor.duration import duration
from ftc.advisor.gpus import find_gpu
from ftc.advisor.memory import memory
from ftc.advisor.models import find_model
from ftc.advisor.past_runs import actuals, step_seconds
from ftc.advisor.values import Device, Setup, Workload
from ftc.commands.calibrate import calibrate_command
from ftc.commands.estimate import estimate_command

FLAGS = ("--model", "Qwen/Qwen2.5-0.5B", "--method", "lora", "--gpu", "t4", "--weights", "fp16", "--json")
LOAD = Workload(rows=1000, epochs=1, mean_tokens=2048)


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("FTC_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def one() -> tuple[Setup, Device]:
    model, _ = find_model("Qwen/Qwen2.5-0.5B", Path())
    device, _ = find_gpu("t4")
    assert model is not None
    assert device is not None
    return Setup(architecture=model, compute="fp16", weights="fp16", loss="full"), device


def noted(setup: Setup, device: Device) -> dict[str, Any]:
    return dict(basis(device, setup, memory(setup, device), duration(setup, device, LOAD)))


def plan(found: Mapping[str, Any] | None) -> dict[str, Any]:
    estimate = {} if found is None else {"basis": dict(found)}
    return {
        "stages": [
            {"id": "prepare", "kind": "prepare", "arguments": {"rows": 3}, "estimate": {}},
            {"id": "sft", "kind": "sft", "arguments": {"learning_rate": 1e-4}, "estimate": estimate},
        ]
    }


def events(a_step: float, reserved_gib: float, *, finished: bool = True, **more: Any) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = [{"stage": "sft", "kind": "stage_started", "ts": 0.0}]
    out += [{"stage": "sft", "kind": "step", "step": at, "seconds": 3 + at * a_step, "ts": 1.0} for at in (10, 20, 30)]
    out += [{"stage": "sft", "kind": kind, "ts": 2.0, **values} for kind, values in more.items()]
    if finished:
        peak = {"process_gib": 2.0, "reserved_gib": reserved_gib}
        out.append({"stage": "sft", "kind": "stage_finished", "ts": 3.0, "memory": peak})
    return out


def run_in(place: Path, found: Mapping[str, Any] | None, journal: list[dict[str, Any]]) -> Path:
    place.mkdir(parents=True)
    (place / "plan.json").write_text(json.dumps(plan(found)))
    (place / "events.jsonl").write_text("".join(json.dumps(each) + "\n" for each in journal))
    return place


def called(*words: str) -> dict[str, Any]:
    done = CliRunner().invoke(calibrate_command, [*words, "--json"], catch_exceptions=False, standalone_mode=False)
    answer: dict[str, Any] = json.loads(done.output)
    return answer


def test_measured_beside_estimated(one: tuple[Setup, Device]) -> None:
    found = noted(*one)
    both, silent = actuals(plan(found), events(2 * found["step_seconds"], 5.0), "a")
    assert not silent
    ratios = {each.quantity: each.ratio for each in both}
    assert ratios["seconds"] == pytest.approx(2)
    assert ratios["device_gib"] == pytest.approx((5 + found["beside_gib"]) / found["device_gib"])


@pytest.mark.parametrize(
    ("journal", "known"),
    [
        (events(1.0, 5.0, finished=False), True),
        (events(1.0, 5.0, adjusted={"arguments": {"micro_batch": 1}}), True),
        (events(1.0, 5.0), False),
        ([], True),
    ],
)
def test_what_says_nothing(one: tuple[Setup, Device], journal: list[dict[str, Any]], known: bool) -> None:
    both, silent = actuals(plan(noted(*one) if known else None), journal, "a")
    assert not both
    assert [stage for stage, _ in silent] == ["sft"]


@pytest.mark.parametrize(
    ("journal", "seconds"),
    [
        ([(10, 5.0), (20, 10.0), "held_out", (30, 40.0), (40, 45.0)], 0.5),  # an evaluation is no step
        ([(10, 5.0), "held_out", (20, 15.0), "checkpoint", (30, 25.0)], 1.0),  # there is nothing else
        ([(10, 5.0), "stage_started", (20, 4.0), (30, 9.0)], 0.5),  # clocks of two attempts
        ([(10, 5.0)], None),
        ([], None),
    ],
)
def test_seconds_of_a_step(journal: list[Any], seconds: float | None) -> None:
    told = [
        {"kind": each} if isinstance(each, str) else {"kind": "step", "step": each[0], "seconds": each[1]}
        for each in journal
    ]
    assert step_seconds(told) == (None if seconds is None else pytest.approx(seconds))


def test_a_cpu_is_measured_by_its_process(one: tuple[Setup, Device]) -> None:
    found = {**noted(*one), "on_cpu": True}
    journal = events(1.0, 0.0)
    journal[-1]["memory"] = {"process_gib": 0.9}
    assert {each.quantity: each.measured for each in actuals(plan(found), journal, "a")[0]}["device_gib"] == 0.9
    without = {**noted(*one), "on_cpu": False}
    assert {each.quantity for each in actuals(plan(without), journal, "a")[0]} == {"seconds"}


def test_runs_correct_the_next_estimate_and_count_once(folder: Path, one: tuple[Setup, Device]) -> None:
    found, before = noted(*one), memory(*one)
    for name in ("a", "b", "c"):
        run_in(folder / "runs" / name, found, events(1.5 * found["step_seconds"], 1.2 * before.reserved.likely))
    (folder / "runs" / "none").mkdir()
    first = called()
    assert first["added"] == 6
    assert called()["added"] == 0
    assert {each["quantity"]: each["runs"] for each in first["corrections"]} == {"seconds": 3, "device_gib": 3}
    after = memory(*one)
    assert before.device.likely < after.device.likely < 1.2 * before.device.likely
    assert after.reserved.likely < after.device.likely
    assert sum(after.breakdown.values()) == pytest.approx(after.device.likely)
    slower = duration(*one, LOAD).parts_hours["training"] / (found["step_seconds"] * found["steps"] / 3600)
    assert 1 < slower < 1.5
    again = noted(*one)
    assert again["step_seconds"] == pytest.approx(found["step_seconds"]), "what is compared is not corrected"
    assert again["device_gib"] == pytest.approx(found["device_gib"])
    assert again["corrections"] == corrected(one[1], one[0])
    assert called("--reset")["corrections"] == []
    assert memory(*one) == before


def test_a_smaller_correction_for_fewer_runs(folder: Path, one: tuple[Setup, Device]) -> None:
    found = noted(*one)
    factors = []
    for name in ("a", "b", "c"):
        run_in(folder / name, found, events(2 * found["step_seconds"], 5.0))
        called(name)
        factors.append(correction(one[1], one[0], "seconds")[0])
    assert 1 < factors[0] < factors[1] < factors[2] < 2


def test_reset_then_fold(folder: Path, one: tuple[Setup, Device]) -> None:
    found = noted(*one)
    run_in(folder / "a", found, events(found["step_seconds"], 5.0))
    run_in(folder / "b", found, events(found["step_seconds"], 5.0))
    called("a")
    assert {each["runs"] for each in called("--reset", "b")["corrections"]} == {1}


def test_folders_that_are_no_runs(folder: Path) -> None:
    (folder / "empty").mkdir()
    (folder / "odd").mkdir()
    (folder / "odd" / "plan.json").write_text("[]")
    answer = called("empty", "odd", "nowhere")
    assert len(answer["passed_over"]) == 3
    assert answer["added"] == 0


def test_an_estimate_says_whether_it_was_corrected(folder: Path, one: tuple[Setup, Device]) -> None:
    def estimate() -> dict[str, Any]:
        done = CliRunner().invoke(estimate_command, FLAGS, catch_exceptions=False, standalone_mode=False)
        answer: dict[str, Any] = json.loads(done.output)
        return answer

    plain = estimate()
    assert plain["corrected"] == {name: {"runs": 0, "factor": 1.0} for name in ("device_gib", "seconds")}
    found = noted(*one)
    run_in(folder / "a", found, events(2 * found["step_seconds"], 5.0))
    called("a")
    told = estimate()
    assert told["corrected"]["seconds"]["runs"] == told["corrected"]["device_gib"]["runs"] == 1
    assert told["hours"]["likely"] > plain["hours"]["likely"]
    assert any("corrected by 1 run" in each for each in told["sources"])
