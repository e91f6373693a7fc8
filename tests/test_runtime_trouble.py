"""Which code a trouble has, how it is answered, and what a run has spent: pure functions, no training."""

from __future__ import annotations

import errno
import re
from pathlib import Path
from typing import Any

import pytest

from ftc.compiler.plan import Plan
from ftc.runtime import checkpoints
from ftc.runtime.answer_trouble import answer
from ftc.runtime.child import Ended
from ftc.runtime.codes import CODES
from ftc.runtime.drift import drift
from ftc.runtime.spending import over_budget, spent_hours
from ftc.runtime.trouble import code_of
from tests.plans import plan_for
from tests.runtime_plans import load, write_plan


class OutOfMemoryError(RuntimeError):
    """As torch.cuda's is called."""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), "R205"),
        (RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"), "R205"),
        (MemoryError(), "R205"),
        (OSError(errno.ENOSPC, "No space left on device"), "R207"),
        (RuntimeError("Error while serializing: IoError(Os { code: 28, message: 'No space left on device' })"), "R207"),
        (ModuleNotFoundError("No module named 'bitsandbytes'"), "R104"),
        (OSError("xyz is not a local folder and is not a valid model identifier listed on 'https://hf.co'"), "R107"),
        (ValueError("something else"), "R201"),
        (OSError(errno.EACCES, "Permission denied"), "R201"),
    ],
)
def test_codes_of_exceptions(error: BaseException, code: str) -> None:
    assert code_of(error)[0] == code


def ended(code: str = "", exit_code: int = 1, **values: Any) -> Ended:
    event = {"ts": 1.0, "stage": "sft", "kind": "stage_failed", "code": code, "message": "m", **values}
    return Ended(exit_code=exit_code, event=event if code else None, seconds=1.0)


def answered(end: Ended, *, events: list[dict[str, Any]] | None = None, attempt: int = 1, **train: Any) -> Any:
    stage = plan_for("sft-lora", train=train).stage("sft")
    return answer(stage, end, events or [], attempt, log=Path("no.log"))


@pytest.mark.parametrize(("micro", "accumulation", "smaller"), [(16, 1, (8, 2)), (6, 2, (3, 4)), (3, 1, (1, 3))])
def test_out_of_memory_keeps_the_effective_batch(micro: int, accumulation: int, smaller: tuple[int, int]) -> None:
    found = answered(ended("R205", 75), micro_batch=micro, gradient_accumulation=accumulation)
    assert found.again
    assert found.code == "R301"
    assert (found.arguments["micro_batch"], found.arguments["gradient_accumulation"]) == smaller


def test_out_of_memory_with_one_row_is_the_end() -> None:
    found = answered(ended("R205", 75), micro_batch=1, gradient_accumulation=8)
    assert (found.again, found.code) == (False, "R205")


def test_killed_by_the_system_for_lack_of_memory_counts_as_out_of_memory() -> None:
    killed = Ended(exit_code=-9, event=None, seconds=1.0, out_of_memory=True)
    assert answered(killed, micro_batch=4, gradient_accumulation=1).arguments["micro_batch"] == 2


def test_a_loss_that_is_no_number_halves_the_learning_rate_once() -> None:
    first = answered(ended("R206", rows=["a.csv:3"]), learning_rate=1e-3)
    assert first.again
    assert first.arguments == {"learning_rate": 5e-4}
    assert first.rows == ("a.csv:3",)
    events = [{"ts": 1, "stage": "sft", "kind": "adjusted", "arguments": {"learning_rate": 5e-4}}]
    second = answered(ended("R206", rows=["a.csv:3"]), events=events, learning_rate=1e-3)
    assert (second.again, second.code, second.rows) == (False, "R206", ("a.csv:3",))


@pytest.mark.parametrize(("why", "exit_code", "code"), [("", -9, "R203"), ("", -11, "R203"), ("stall", -9, "R204")])
def test_killed_and_hung_stages_are_tried_again_a_few_times(why: str, exit_code: int, code: str) -> None:
    end = Ended(exit_code=exit_code, event=None, seconds=1.0, why=why)
    assert (answered(end, attempt=1).again, answered(end, attempt=1).code) == (True, code)
    assert (answered(end, attempt=3).again, answered(end, attempt=3).code) == (False, code)


def test_what_would_fail_again_is_not_tried_again() -> None:
    assert answered(ended("R107")).again is False
    assert answered(Ended(exit_code=1, event=None, seconds=1.0)).code == "R201"


def test_hours_count_every_attempt_also_lost_ones() -> None:
    events = [
        {"ts": 0, "stage": "sft", "kind": "stage_started"},
        {"ts": 1800, "stage": "sft", "kind": "progress"},  # the supervisor was killed after this
        {"ts": 90_000, "stage": "sft", "kind": "stage_started"},
        {"ts": 93_600, "stage": "sft", "kind": "stage_ended", "seconds": 3600.0},
    ]
    assert spent_hours(events) == pytest.approx(1.5)


def test_a_clock_that_jumps_back_costs_nothing() -> None:
    events = [
        {"ts": 1000, "stage": "sft", "kind": "stage_started"},
        {"ts": 10, "stage": "sft", "kind": "progress"},
        {"ts": 20, "stage": "sft", "kind": "stage_started"},
        {"ts": 30, "stage": "sft", "kind": "stage_ended", "seconds": 10.0},
    ]
    assert spent_hours(events) * 3600 == pytest.approx(10)


@pytest.mark.parametrize(
    ("budget", "over"),
    [
        ({"hours": None, "usd": None, "usd_per_hour": 2.0}, False),
        ({"hours": 1.0, "usd": None, "usd_per_hour": 0.0}, True),
        ({"hours": 3.0, "usd": None, "usd_per_hour": 0.0}, False),
        ({"hours": None, "usd": 3.0, "usd_per_hour": 2.0}, True),
        ({"hours": None, "usd": 0.0, "usd_per_hour": 0.0}, False),
    ],
)
def test_budget(budget: dict[str, Any], over: bool) -> None:
    events = [
        {"ts": 0, "stage": "sft", "kind": "stage_started"},
        {"ts": 7200, "stage": "sft", "kind": "stage_ended", "seconds": 7200.0},
    ]
    assert over_budget(plan_for("sft-lora", budget=budget), events) is over


def test_checkpoints_count_only_when_whole(tmp_path: Path) -> None:
    for step in (5, 10, 15, 20):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(b"w" * 100)
        if step != 20:
            checkpoints.seal(folder)
    (tmp_path / "checkpoint-15" / "model.safetensors").write_bytes(b"w" * 50)
    good, cut = checkpoints.found(tmp_path)
    assert [checkpoints.step_of(each) for each in good] == [5, 10]
    assert [checkpoints.step_of(each) for each in cut] == [15, 20]
    checkpoints.keep(tmp_path, 1, protected=[tmp_path / "checkpoint-5"])
    assert [checkpoints.step_of(each) for each in checkpoints.found(tmp_path)[0]] == [5, 10]
    checkpoints.keep(tmp_path, 1)
    assert [checkpoints.step_of(each) for each in checkpoints.found(tmp_path)[0]] == [10]


def test_drift(tmp_path: Path) -> None:
    path = write_plan(tmp_path, versions={"pytest": "0.0.1", "jinja2": "", "not-installed-here": "1.0"})
    plan: Plan = load(path)
    assert [(each.code, each.key) for each in drift(plan, tmp_path)] == [("R103", "versions.pytest")]
    (tmp_path / "train.csv").write_text("text,category\nhello,desk_cards\n")
    (tmp_path / "test.csv").unlink()
    assert [(each.code, each.key) for each in drift(plan, tmp_path)] == [
        ("R108", "hashes.data:test.csv"),
        ("R103", "hashes.data:train.csv"),
        ("R103", "versions.pytest"),
    ]


def test_every_code_is_raised_somewhere_and_every_raised_code_has_a_page() -> None:
    room = Path(__file__).parents[1] / "runtime"
    files = [path for path in room.rglob("*.py") if path.name != "codes.py" and "trace" not in path.parts]
    raised = {code for path in files for code in re.findall(r'"(R[1-4]\d\d)"', path.read_text())}
    assert raised == set(CODES)
