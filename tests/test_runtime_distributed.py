"""Two processes on CPUs: the same plan spread by DDP and by FSDP2 ends where one process ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ftc.runtime import supervisor
from ftc.runtime.journal import read
from ftc.runtime.torchrun import meeting
from tests.runtime_plans import fault, load, write_plan

LORA = {
    "rank": 8,
    "alpha": 16,
    "dropout": 0.0,
    "targets": "all-linear",
    "rslora": False,
    "dora": False,
    "dtype": "fp32",
}
SPREAD = {"micro_batch": 8, "gradient_accumulation": 1, "processes": 2}
TOLERANCE = 1e-5  # of a weight. By SGD: sums differ in their last bits, and Adam makes whole steps of that


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.numpy import load_file

    found = next(folder.glob("*.safetensors"))
    return load_file(found)


def trained(folder: Path, method: str, **changes: Any) -> Path:
    """Run a plan without evaluation and give the folder of the run."""
    lora = {} if method == "sft-full" else {"lora": LORA}
    train = {"steps": 6, "save_steps": 3, "eval_steps": 3, "logging_steps": 1, "micro_batch": 8,
             "gradient_accumulation": 2, "optimizer": "sgd", "learning_rate": 0.1, **lora, **changes}  # fmt: skip
    plan = write_plan(folder, method, scored=False, train=train, rows=96, held_out=24)
    outcome = supervisor.run(plan, folder / "runs")
    assert outcome.exit_code == 0, [(each.code, each.message) for each in outcome.diagnostics]
    return folder / "runs" / load(plan).run_name


def command(plan: Path) -> list[str]:
    """A process that carries out the plan."""
    code = "import sys; from pathlib import Path; from ftc.runtime.supervisor import run; "
    code += "sys.exit(run(Path(sys.argv[1]), Path(sys.argv[1]).parent / 'runs').exit_code)"
    return [sys.executable, "-c", code, str(plan)]


@pytest.fixture(scope="module", params=["sft-lora", pytest.param("sft-full", marks=pytest.mark.slow)])
def alone(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """One process, and where its run lies."""
    return request.param, trained(tmp_path_factory.mktemp("alone"), request.param)


@pytest.mark.parametrize("sharding", ["ddp", "fsdp"])
def test_two_processes_end_where_one_does(alone: tuple[str, Path], sharding: str, tmp_path: Path) -> None:
    method, one = alone
    two = trained(tmp_path, method, **SPREAD, sharding=sharding)
    before, after = weights(one / "stages/sft/final"), weights(two / "stages/sft/final")
    tied = after.pop("lm_head.weight", None)  # FSDP gathers a tied head under both of its names
    assert tied is None or (tied == after["model.embed_tokens.weight"]).all()
    assert before.keys() == after.keys()
    assert max(abs(before[name] - after[name]).max() for name in before) < TOLERANCE
    assert (two / "model" / "model.safetensors").is_file(), "merged and exported"
    steps = [[each["loss"] for each in read(run)[0] if each["kind"] == "step"] for run in (one, two)]
    assert steps[1] == pytest.approx(steps[0], abs=1e-3), "one journal, and the same losses in it"


@pytest.mark.slow
def test_a_stop_reaches_both_and_the_run_goes_on(tmp_path: Path) -> None:
    train = {"steps": 24, "save_steps": 10, "eval_steps": 0, "logging_steps": 1, **SPREAD, "sharding": "ddp"}
    plan = write_plan(tmp_path, "sft-full", scored=False, train=train, rows=96, held_out=24)
    process = subprocess.Popen(command(plan), env={**os.environ, **fault("slow-300")})
    folder = tmp_path / "runs" / load(plan).run_name
    _until(folder, lambda events: any(each["kind"] == "step" and each["step"] >= 3 for each in events))
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(timeout=90) == 130
    stopped_at = max(each["step"] for each in read(folder)[0] if each["kind"] == "checkpoint")
    assert supervisor.run(plan, tmp_path / "runs").exit_code == 0
    assert [each["step"] for each in read(folder)[0] if each["kind"] == "resumed"] == [stopped_at]


def test_two_nodes_on_one_machine(tmp_path: Path) -> None:
    train = {"steps": 4, "save_steps": 4, "eval_steps": 0, "micro_batch": 8, "nodes": 2, "sharding": "fsdp"}
    plan = write_plan(tmp_path, "sft-full", scored=False, train=train, rows=96, held_out=24)
    where = {"PET_NNODES": "2", "PET_RDZV_ENDPOINT": f"localhost:{_free_port()}", "PET_RDZV_ID": "together"}
    nodes = [
        subprocess.Popen(command(plan), env={**os.environ, **where, "PET_NODE_RANK": str(rank)}) for rank in (1, 0)
    ]
    assert [each.wait(timeout=180) for each in nodes] == [0, 0], "both end as the run ends"
    folder = tmp_path / "runs" / load(plan).run_name
    assert (folder / "model" / "model.safetensors").is_file()
    assert sum(each["kind"] == "stage_finished" and each["stage"] == "sft" for each in read(folder)[0]) == 1


@pytest.mark.parametrize(
    ("environment", "expected"),
    [({}, (1, 0)), ({"PET_NNODES": "2", "PET_NODE_RANK": "1"}, (2, 1)), ({"PET_NNODES": "two"}, (1, 0))],
)
def test_where_nodes_meet(environment: dict[str, str], expected: tuple[int, int]) -> None:
    found = meeting(environment)
    assert (found.nodes, found.node_rank) == expected


def _until(folder: Path, there: Any, seconds: float = 90.0) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if folder.exists() and there(read(folder)[0]):
            return
        time.sleep(0.1)
    raise AssertionError("it did not come about")


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return int(probe.getsockname()[1])


def test_a_plan_of_two_nodes_does_not_wait_for_nobody(tmp_path: Path) -> None:
    plan = write_plan(tmp_path, "sft-full", train={"nodes": 2, "sharding": "ddp"})
    outcome = supervisor.run(plan, tmp_path / "runs")
    assert (outcome.exit_code, [each.code for each in outcome.diagnostics]) == (3, ["R113"])
    assert not (tmp_path / "runs").exists()
