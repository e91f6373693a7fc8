"""Kills, signals and faults during training: every run ends with the weights of an undisturbed one, or says why not.

These start real processes. `FTC_TEST_FAULT` is read by tests/faults/sitecustomize.py alone, which reaches the stages
through PYTHONPATH; nothing in the runtime knows of it.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ftc.runtime import journal, supervisor
from ftc.runtime.journal import Event
from tests.runtime_plans import fault, load, write_plan

pytestmark = pytest.mark.train
pytest.importorskip("trl")
PATIENCE_SECONDS = 240.0
TRAIN = {"steps": 24, "save_steps": 4, "eval_steps": 12, "logging_steps": 4}


@dataclass
class Running:
    """`ftc run` in a process of its own, so that it can be killed."""

    folder: Path  # of the run
    process: subprocess.Popen[bytes]

    def events(self) -> list[Event]:
        return journal.read(self.folder)[0]

    def until(self, wanted: Callable[[list[Event]], bool]) -> list[Event]:
        """Wait for the journal to say something."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            events = self.events()
            if wanted(events) or self.process.poll() is not None:
                return events
            time.sleep(0.02)
        self.process.kill()
        raise AssertionError(f"nothing of that kind in {PATIENCE_SECONDS} s: {self.events()[-3:]}")


def start(plan: Path, out: Path, **environment: str) -> Running:
    script = (
        "import sys; from pathlib import Path; from ftc.runtime.supervisor import run; "
        f"o = run(Path({str(plan)!r}), Path({str(out)!r})); "
        "print(o.exit_code, *[d.code for d in o.diagnostics]); sys.exit(o.exit_code)"
    )
    known = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    process = subprocess.Popen(
        [sys.executable, "-c", script], env=known, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    return Running(out / load(plan).run_name, process)


def finish(plan: Path, out: Path, **environment: str) -> tuple[int, list[str], Running]:
    """Exit code, codes, and the run."""
    running = start(plan, out, **environment)
    said, _ = running.process.communicate(timeout=PATIENCE_SECONDS)
    lines = said.decode().splitlines()
    assert lines, running.events()[-3:]
    assert "Traceback" not in said.decode()
    code, *codes = lines[-1].split()
    return int(code), codes, running


def weights(folder: Path) -> str:
    """A hash of what training came to, and of the export."""
    files = [next((folder / "stages" / "sft" / "final").glob("*.safetensors")), folder / "model" / "model.safetensors"]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def trained(step: int) -> Callable[[list[Event]], bool]:
    return lambda events: any(each["kind"] == "checkpoint" and each["step"] >= step for each in events)


def of_kind(events: list[Event], kind: str) -> list[Event]:
    return [each for each in events if each["kind"] == kind]


def alive(marker: str) -> list[int]:
    """Processes whose command line names the run's folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if marker in command and "ftc.runtime" in command:
                found.append(int(entry.name))
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """The weights of a run that nobody disturbed, a method."""
    known: dict[str, str] = {}

    def find(method: str) -> str:
        if method not in known:
            folder = tmp_path_factory.mktemp(method)
            code, _, running = finish(write_plan(folder, method, train=TRAIN, scored=False), folder / "runs")
            assert code == supervisor.DONE
            known[method] = weights(running.folder)
        return known[method]

    return find


@pytest.mark.parametrize("method", ["sft-full", "sft-lora", "sft-qlora"])
def test_killed_three_times_and_the_weights_are_the_same(
    tmp_path: Path, method: str, undisturbed: Callable[[str], str]
) -> None:
    plan = write_plan(tmp_path, method, train=TRAIN, scored=False)
    out = tmp_path / "runs"
    rng = random.Random(method)
    for step in (4, 12, 20):
        running = start(plan, out)
        running.until(trained(step))
        time.sleep(rng.random() * 0.5)  # also within a step, or within the next checkpoint
        running.process.kill()
        running.process.wait()
        end = time.monotonic() + 60
        while (left := alive(str(running.folder))) and time.monotonic() < end:
            time.sleep(0.05)
        assert not left, "stages must not outlive the supervisor"
    code, _, running = finish(plan, out)
    assert code == supervisor.DONE
    assert of_kind(running.events(), "resumed"), "the last run continued"
    assert len(of_kind(running.events(), "stage_finished")) == len(load(plan).stages), (
        "finished stages are not repeated"
    )
    assert weights(running.folder) == undisturbed(method)


def test_a_stage_that_is_killed_is_continued(tmp_path: Path, undisturbed: Callable[[str], str]) -> None:
    plan = write_plan(tmp_path, "sft-lora", train=TRAIN, scored=False)
    running = start(plan, tmp_path / "runs")
    running.until(trained(8))
    stage = next(pid for pid in alive(str(running.folder)) if _holds(pid, running.folder / ".stage.lock"))
    os.kill(stage, signal.SIGKILL)
    said, _ = running.process.communicate(timeout=PATIENCE_SECONDS)
    assert b"R203" in said
    assert running.process.returncode == supervisor.DONE
    assert weights(running.folder) == undisturbed("sft-lora")


def _holds(pid: int, file: Path) -> bool:
    """Whether a process has a file open."""
    try:
        return any(os.path.realpath(each) == str(file) for each in (Path("/proc") / str(pid) / "fd").iterdir())
    except OSError:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_checkpoints_and_ends_resumable(
    tmp_path: Path, number: signal.Signals, undisturbed: Callable[[str], str]
) -> None:
    plan = write_plan(tmp_path, "sft-lora", train=TRAIN, scored=False)
    running = start(plan, tmp_path / "runs", **fault("slow-300"))
    running.until(trained(4))
    os.kill(running.process.pid, number)
    said, _ = running.process.communicate(timeout=PATIENCE_SECONDS)
    assert running.process.returncode == supervisor.INTERRUPTED
    assert b"R202" in said
    interrupted = of_kind(running.events(), "stage_interrupted")
    assert interrupted[-1]["step"] > 4, "it saved where it was, not where it had been"
    code, _, again = finish(plan, tmp_path / "runs")
    assert code == supervisor.DONE
    assert of_kind(again.events(), "resumed")[-1]["step"] == interrupted[-1]["step"]
    assert weights(again.folder) == undisturbed("sft-lora")


def test_a_half_written_checkpoint_is_passed_over(tmp_path: Path, undisturbed: Callable[[str], str]) -> None:
    plan = write_plan(tmp_path, "sft-lora", train=TRAIN, scored=False)
    running = start(plan, tmp_path / "runs")
    running.until(trained(12))
    running.process.kill()
    running.process.wait()
    time.sleep(1.0)
    saved = sorted((running.folder / "stages" / "sft").glob("checkpoint-*"), key=lambda path: int(path.name[11:]))
    for cut in saved[-1].glob("optimizer*"):
        cut.write_bytes(cut.read_bytes()[:100])
    code, codes, again = finish(plan, tmp_path / "runs")
    assert code == supervisor.DONE
    assert "R303" in codes
    assert weights(again.folder) == undisturbed("sft-lora")


def test_killed_after_the_last_step_and_before_the_result(tmp_path: Path) -> None:
    plan = write_plan(tmp_path, "sft-lora", train=TRAIN, scored=False)
    _, _, running = finish(plan, tmp_path / "runs")
    before = weights(running.folder)
    file = running.folder / journal.FILE
    lines = file.read_text().splitlines(keepends=True)
    cut = next(n for n, line in enumerate(lines) if '"stage_finished"' in line and '"stage": "sft"' in line)
    file.write_text("".join(lines[:cut]))
    shutil.rmtree(running.folder / "stages" / "sft" / "final")
    code, _, again = finish(plan, tmp_path / "runs")
    assert code == supervisor.DONE
    assert of_kind(again.events(), "resumed")[-1]["step"] == TRAIN["steps"]
    assert weights(again.folder) == before


def test_a_garbled_journal_is_said_and_costs_no_stage_that_it_still_names(tmp_path: Path) -> None:
    plan = write_plan(tmp_path, "sft-lora", train=TRAIN, scored=False)
    running = start(plan, tmp_path / "runs")
    running.until(trained(4))
    running.process.kill()
    running.process.wait()
    file = running.folder / journal.FILE
    lines = file.read_bytes().splitlines(keepends=True)
    lines[len(lines) // 2] = b"\x00\x01 not json\n"
    file.write_bytes(b"".join(lines) + b'{"ts": 1')
    code, codes, _ = finish(plan, tmp_path / "runs")
    assert code == supervisor.DONE
    assert "R110" in codes


def test_out_of_memory_is_answered_with_half_the_micro_batch(tmp_path: Path) -> None:
    plan = write_plan(tmp_path, "sft-lora", train=TRAIN, scored=False)
    code, codes, running = finish(plan, tmp_path / "runs", **fault("oom-above-8"))
    assert code == supervisor.DONE
    assert "R301" in codes
    result = of_kind([each for each in running.events() if each["stage"] == "sft"], "stage_finished")[0]["result"]
    assert (result["micro_batch"], result["gradient_accumulation"], result["steps"]) == (8, 2, TRAIN["steps"])


def test_a_loss_that_is_no_number_goes_back_once_then_names_the_rows(tmp_path: Path) -> None:
    plan = write_plan(tmp_path, "sft-lora", train=TRAIN, scored=False)
    code, codes, running = finish(plan, tmp_path / "runs", **fault("nan-at-10"))
    assert code == supervisor.FAILED
    assert codes[-1] == "R206"
    assert "R302" in codes
    remark = next(each for each in of_kind(running.events(), "remark") if each["code"] == "R302")
    assert len(remark["rows"]) == 8
    assert all(row.startswith("train.csv:") for row in remark["rows"])
    assert of_kind(running.events(), "resumed")[-1]["step"] == 8, "the last good checkpoint is kept and used"
    adjusted = of_kind(running.events(), "adjusted")
    assert [each["arguments"] for each in adjusted] == [{"learning_rate": 2.5e-3}]


def test_a_full_disk_ends_cleanly_and_continues(tmp_path: Path, undisturbed: Callable[[str], str]) -> None:
    plan = write_plan(tmp_path, "sft-lora", train=TRAIN, scored=False)
    code, codes, _ = finish(plan, tmp_path / "runs", **fault("disk-at-12"))
    assert (code, codes[-1]) == (supervisor.FAILED, "R207")
    code, _, again = finish(plan, tmp_path / "runs")
    assert code == supervisor.DONE
    assert of_kind(again.events(), "resumed")[-1]["step"] == 8
    assert weights(again.folder) == undisturbed("sft-lora")


def test_a_stage_that_hangs_is_ended_and_continued(tmp_path: Path, undisturbed: Callable[[str], str]) -> None:
    plan = write_plan(tmp_path, "sft-lora", train=TRAIN, scored=False)
    code, codes, running = finish(plan, tmp_path / "runs", **fault("hang-once-at-10"), FTC_STALL_SECONDS="20")
    assert code == supervisor.DONE
    assert "R204" in codes
    assert weights(running.folder) == undisturbed("sft-lora")


def test_the_budget_is_a_ceiling_and_the_model_so_far_is_exported(tmp_path: Path) -> None:
    plan = write_plan(
        tmp_path,
        "sft-lora",
        train={**TRAIN, "steps": 5000},
        scored=False,
        budget={"usd": None, "hours": 40 / 3600, "usd_per_hour": 0.0},
    )
    code, codes, running = finish(plan, tmp_path / "runs")
    assert (code, codes[-1]) == (supervisor.CANNOT, "R208")
    result: dict[str, Any] = of_kind([e for e in running.events() if e["stage"] == "sft"], "stage_finished")[0][
        "result"
    ]
    assert 0 < result["steps"] < 5000
    assert (running.folder / "model" / "model.safetensors").exists()
    assert (running.folder / "report.html").exists()


def test_fresh_keeps_the_old_run_beside(tmp_path: Path) -> None:
    plan = write_plan(tmp_path, "sft-lora", train=TRAIN, scored=False)
    running = start(plan, tmp_path / "runs")
    running.until(lambda events: bool(of_kind(events, "stage_started")))
    second = supervisor.run(plan, tmp_path / "runs")
    assert [each.code for each in second.diagnostics] == ["R101"], "the second says so"
    running.process.kill()
    running.process.wait()
    stop = supervisor.threading.Event()
    stop.set()
    outcome = supervisor.run(plan, tmp_path / "runs", fresh=True, stop=stop)
    assert outcome.exit_code == supervisor.INTERRUPTED
    assert running.folder.with_name(f"{running.folder.name}.1").is_dir()
