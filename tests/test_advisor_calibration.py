"""What past runs say about the next estimate."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftc.advisor.calibration import Actual, correction, corrections, fold, forget, read, record, regime
from ftc.advisor.duration import duration
from ftc.advisor.gpus import find_gpu
from ftc.advisor.memory import memory
from ftc.advisor.models import find_model
from ftc.advisor.values import Device, Setup, Workload


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("FTC_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def one() -> tuple[Setup, Device]:
    model, _ = find_model("Qwen/Qwen2.5-0.5B", Path())
    device, _ = find_gpu("t4")
    assert model is not None
    assert device is not None
    return Setup(architecture=model, compute="fp16", weights="fp16"), device


def actual(one: tuple[Setup, Device], ratio: float, run: str, quantity: str = "seconds") -> Actual:
    return Actual(
        device=one[1].name, regime=regime(one[0]), quantity=quantity, estimated=100.0, measured=100.0 * ratio, run=run,  # type: ignore[arg-type]
    )  # fmt: skip


def test_without_runs_nothing_is_corrected(one: tuple[Setup, Device]) -> None:
    assert correction(one[1], one[0], "seconds") == (1.0, 0.0, "")
    assert read() == []


def test_few_runs_are_half_believed_and_many_wholly() -> None:
    after_one, after_thirty = (fold([1.5] * runs, "seconds") for runs in (1, 30))
    assert 1.1 < after_one[1] < 1.2
    assert 1.44 < after_thirty[1] < 1.5
    assert after_thirty[2] < after_one[2]


def test_runs_that_disagree_widen_the_range() -> None:
    assert fold([0.5, 2.0] * 5, "seconds")[2] > fold([1.0] * 10, "seconds")[2]


def test_memory_is_believed_to_be_closer_than_time() -> None:
    assert fold([1.0], "device_gib")[2] < fold([1.0], "seconds")[2]


def test_an_estimate_says_that_it_was_corrected(one: tuple[Setup, Device]) -> None:
    setup, device = one
    work = Workload(rows=100, epochs=1, mean_tokens=500)
    before = duration(setup, device, work), memory(setup, device)
    assert record([actual(one, 2.0, f"run-{i}") for i in range(4)]) == 4
    assert record([actual(one, 1.2, f"run-{i}", "device_gib") for i in range(4)]) == 4
    after = duration(setup, device, work), memory(setup, device)
    assert after[0].parts_hours["training"] > 1.4 * before[0].parts_hours["training"]
    assert "corrected by 4 runs" in after[0].hours.source
    assert after[1].device.likely == pytest.approx(before[1].device.likely * 1.2 ** (4 / 6))
    assert "corrected by 4 runs" in after[1].device.source
    assert "corrected" not in before[0].hours.source


def test_another_regime_is_left_alone(one: tuple[Setup, Device]) -> None:
    record([actual(one, 2.0, "a")])
    from dataclasses import replace

    assert correction(one[1], replace(one[0], adapter="full"), "seconds") == (1.0, 0.0, "")
    assert len(corrections()) == 1


def test_a_run_counts_once(one: tuple[Setup, Device]) -> None:
    assert record([actual(one, 2.0, "a")]) == 1
    assert record([actual(one, 2.0, "a"), actual(one, 0.0, "b")]) == 0
    assert len(read()) == 1


def test_a_garbled_record_is_passed_over(one: tuple[Setup, Device], folder: Path) -> None:
    record([actual(one, 2.0, "a")])
    strange = '{"device": "x", "regime": "y", "quantity": "z", "estimated": 1, "measured": 2}'
    with (folder / "actuals.jsonl").open("a") as out:
        out.write("\n".join(['{"device": "T4"', "[]", "not json", strange, ""]))
    assert len(read()) == 1


def test_forget(one: tuple[Setup, Device]) -> None:
    record([actual(one, 2.0, "a")])
    forget()
    forget()
    assert read() == []
