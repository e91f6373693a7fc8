"""The rendered driver on a real local Ray, through the Jobs API. Opt-in: FTC_RAY_BIN names a folder with `ray` in it.

The environment has ray[default,train] 2.60 and torch. Two workers on this machine play two nodes: once with a stand-in
for `ftc run`, once with `ftc run` itself, to its report. benchmarks/interop/results_ray.json has what came out.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ftc.engines import rendered, run_on
from ftc.runtime.journal import read
from ftc.spec.diagnostics import Refused
from tests.plans import hardware, plan_for
from tests.runtime_plans import load, write_plan

BIN = os.environ.get("FTC_RAY_BIN", "")
PORT, DASHBOARD = 26379, 28265  # away from 10002 to 19999, which Ray gives to its workers

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("ray"),
    pytest.mark.skipif(not BIN, reason="no Ray: set FTC_RAY_BIN to a folder with `ray` (docs/engines.md)"),
]

STAND_IN = """#!/bin/bash
echo "node $PET_NODE_RANK of $PET_NNODES at $PET_RDZV_ENDPOINT RANK=${RANK:-unset}: $*" >> "trace.$PET_NODE_RANK"
[ -e final ] && exit 3
[ -e checkpoint ] && { echo resumed >> "trace.$PET_NODE_RANK"; exit 0; }
sleep 2
[ "$PET_NODE_RANK" = 1 ] && { touch checkpoint; exit 130; }
exit 0
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[dict[str, str]]:
    """Ray in a process group of its own, so that it and nothing else is ended afterwards."""
    folder = tempfile.mkdtemp(prefix="ray-")  # short: Ray's sockets lie in it, and their paths have 107 bytes
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    words = ["--num-cpus=4", f"--port={PORT}", f"--dashboard-port={DASHBOARD}", "--object-store-memory=200000000"]
    head = subprocess.Popen(
        [f"{BIN}/ray", "start", "--head", "--block", "--disable-usage-stats", f"--temp-dir={folder}", *words],
        env=environment, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    address = {"PATH": environment["PATH"], "RAY_ADDRESS": f"http://127.0.0.1:{DASHBOARD}", "OMP_NUM_THREADS": "1"}
    try:
        end = time.monotonic() + 240
        asked = [f"{BIN}/ray", "job", "list"]
        while subprocess.run(asked, env={**environment, **address}, capture_output=True, check=False).returncode:
            assert head.poll() is None, "Ray ended at its start: is a cluster running already?"
            assert time.monotonic() < end, "Ray did not start"
            time.sleep(2)
        yield address
    finally:
        os.killpg(head.pid, signal.SIGTERM)
        try:
            head.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(head.pid, signal.SIGKILL)
            head.wait()
        shutil.rmtree(folder, ignore_errors=True)


def test_a_plan_runs_on_ray_resumes_and_ends(
    cluster: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in cluster.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "ftc").write_text(STAND_IN, "utf-8")
    (tmp_path / "bin" / "ftc").chmod(0o755)
    plan = plan_for(hardware=hardware(kind="cpu", nodes=2))
    path = tmp_path / "ftc.plan.json"
    path.write_bytes(plan.to_bytes())
    result = rendered(plan, path, "ray", ["cpus=1", "restarts=2", f"setup=PATH={tmp_path}/bin:$PATH"])

    said: list[str] = []
    assert run_on(result, path, say=said.append, on_job=lambda _: None) == 0, said[-20:]
    first, second = ((tmp_path / f"trace.{rank}").read_text("utf-8").splitlines() for rank in (0, 1))
    assert first[0].split(" at ")[1] == second[0].split(" at ")[1]  # one meeting point
    assert first[0].startswith("node 0 of 2")
    assert first[0].endswith("RANK=unset: run ftc.plan.json --out runs")
    assert (first[-1], second[-1]) == ("resumed", "resumed")  # 130 is started again

    (tmp_path / "final").touch()
    with pytest.raises(Refused) as caught:
        run_on(result, path, say=said.append, on_job=lambda _: None)
    assert caught.value.diagnostics[0].code == "R742"
    assert (tmp_path / "runs" / "ray").joinpath(f"{plan.run_name}.exit").read_text() == "3"
    assert len((tmp_path / "trace.0").read_text("utf-8").splitlines()) == 4  # 3 is final: one start, no other


def test_a_plan_is_trained_on_two_workers_to_its_report(
    cluster: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in cluster.items():
        monkeypatch.setenv(name, value)
    train = {
        "nodes": 2, "processes": 1, "sharding": "ddp", "micro_batch": 8, "gradient_accumulation": 1, "steps": 60,
        "epochs": 10.0, "save_steps": 20, "eval_steps": 20,
    }  # fmt: skip
    machine = {"gpu": "CPU", "kind": "cpu", "count": 1, "nodes": 2, "memory_gib": 8.0, "offer": None}
    path = write_plan(tmp_path, "sft-lora", rows=240, held_out=60, train=train, hardware=machine)
    plan = load(path)
    words = ["cpus=1", f"setup=export PATH={Path(sys.executable).parent}:$PATH OMP_NUM_THREADS=1"]

    said: list[str] = []
    status = run_on(rendered(plan, path, "ray", words), path, say=said.append, on_job=lambda _: None)
    assert status in (0, 4), said[-40:]  # 4: finished, below `goal.success`
    folder = tmp_path / "runs" / plan.run_name
    assert [each["exit_code"] for each in read(folder)[0] if each["kind"] == "run_ended"] == [status]
    assert json.loads((folder / "report.json").read_bytes())["after"]["metrics"]["accuracy"]["value"] > 0
    assert (folder / "model" / "model.safetensors").is_file()
