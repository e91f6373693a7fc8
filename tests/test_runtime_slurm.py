"""A compiled plan on a real Slurm cluster: two nodes, one process each, preempted once, resumed, to its report."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from ftc.compiler.targets import read_options, render
from ftc.runtime.journal import read
from tests.runtime_plans import fault, load, write_plan
from tests.test_compiler_targets_slurm import SOON, Call, cluster, pytestmark, state, wait_for  # noqa: F401 - a fixture

SPREAD = {"nodes": 2, "processes": 1, "sharding": "ddp", "micro_batch": 8, "gradient_accumulation": 1}
CPU = {"gpu": "CPU", "kind": "cpu", "count": 1, "nodes": 2, "memory_gib": 8.0, "offer": None}


def test_a_plan_runs_on_two_nodes_survives_a_preemption_and_reports(
    cluster: dict[str, str],  # noqa: F811 - the fixture
    tmp_path: Path,
) -> None:
    train = {**SPREAD, "steps": 150, "epochs": 10.0, "save_steps": 20, "eval_steps": 50}
    plan_file = write_plan(tmp_path, "sft-lora", rows=240, held_out=60, train=train, hardware=CPU)
    plan = load(plan_file)
    folder = tmp_path / "runs" / plan.run_name
    slowly = " ".join(f"{name}={value}" for name, value in fault("slow-100").items())
    setup = f"export PATH={Path(sys.executable).parent}:$PATH OMP_NUM_THREADS=1 {slowly}"
    words = ["partition=low", "grace_seconds=60", f"setup={setup}"]
    options, problems = read_options("slurm", words)
    files, found = render(plan, plan_file.name, "slurm", options)
    assert problems + found == []
    (tmp_path / "job.sbatch").write_text(files["job.sbatch"], "utf-8")
    assert shutil.which("ftc", path=str(Path(sys.executable).parent)), "the front door is what executes on the nodes"

    def call(*words: str) -> str:
        done = subprocess.run(words, cwd=tmp_path, env=cluster, capture_output=True, text=True, timeout=30, check=False)
        return done.stdout + done.stderr

    def trained(step: int) -> bool:
        return folder.exists() and any(each["kind"] == "step" and each["step"] >= step for each in read(folder)[0])

    def ended() -> bool:
        return state(call, job) in ("COMPLETED", "FAILED", "CANCELLED")

    job = call("sbatch", "--parsable", "job.sbatch").strip()
    wait_for(lambda: trained(10), seconds=180)
    other = call("sbatch", "--parsable", "-p", "high", "-N2", "--exclusive", "-o/dev/null", "--wrap", "true").strip()
    wait_for(lambda: "Restarts=1" in call("scontrol", "show", "job", job), seconds=90)
    wait_for(lambda: state(call, other) == "COMPLETED", seconds=60)
    wait_for(lambda: state(call, job) == "PENDING", seconds=60)
    call("scontrol", "update", f"JobId={job}", f"StartTime={SOON}")
    wait_for(ended, seconds=300)
    log = "\n".join(path.read_text() for path in tmp_path.glob("*.log"))
    controller = Path(cluster["SLURM_CONF"]).parent / "log" / "slurmctld"
    assert state(call, job) == "COMPLETED", f"{log[-3000:]}\n{controller.read_text()[-3000:]}"
    events = read(folder)[0]
    assert [each["exit_code"] for each in events if each["kind"] == "run_ended"] == [130, 0]
    (resumed,) = [each for each in events if each["kind"] == "resumed"]
    assert 0 < resumed["step"] < 150
    report = json.loads((folder / "report.json").read_bytes())
    assert report["after"]["metrics"]["accuracy"]["value"] >= 0.5
    assert (folder / "model" / "model.safetensors").is_file()
