"""The rendered batch script on a real Slurm: a cluster of two nodes on this machine, started and removed here.

What executes in place of `ftc` is a small script that writes down what it was given, so that these tests are about
Slurm: where the nodes meet, preemption, requeue, cancellation, and headers against a controller's inventory.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ftc.compiler.targets import read_options, render
from ftc.engines import rendered, run_on
from tests.plans import hardware, plan_for

HERE = Path(__file__).parent / "slurm"
NEEDED = ("slurmctld", "slurmd", "munged", "sbatch", "scontrol")
MISSING = [name for name in NEEDED if shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is None]

pytestmark = [
    pytest.mark.xdist_group("slurm"),
    pytest.mark.skipif(bool(MISSING), reason=f"no Slurm here (Debian: slurmctld slurmd slurm-client munge): {MISSING}"),
    pytest.mark.skipif(os.geteuid() != 0, reason="slurmd and munged want root"),
]

STAND_IN = r"""#!/bin/bash
echo "node $PET_NODE_RANK of $PET_NNODES at $PET_RDZV_ENDPOINT: $*" >> "trace.$PET_NODE_RANK"
[ -e checkpoint ] && { echo resumed >> "trace.$PET_NODE_RANK"; exit 0; }
[ -e quick ] && exit "$(cat quick)"
trap 'echo stopping >> "trace.$PET_NODE_RANK"; touch checkpoint; exit 130' TERM
for _ in $(seq 300); do sleep 0.1; done
"""

# Slurm holds a requeued job for two minutes, as its nodes refuse credentials of the second in which it was stopped.
SOON = "now+4seconds"

Call = Callable[..., str]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment in which `sbatch` speaks to a cluster with 2 nodes of 2 CPUs and 8 pretended H100 each."""
    folder = tmp_path_factory.mktemp("slurm") / "cluster"
    environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", "SLURM_CONF": f"{folder}/slurm.conf"}
    up = subprocess.run(
        [HERE / "up.sh", folder, "8"], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    if up.returncode:
        subprocess.run([HERE / "down.sh", folder], env=environment, timeout=30, check=False)
        pytest.skip(f"no Slurm cluster could be started here: {up.stderr[-500:]}")
    yield environment
    subprocess.run([HERE / "down.sh", folder], env=environment, timeout=30, check=False)


@pytest.fixture
def call(cluster: dict[str, str], tmp_path: Path) -> Call:
    """Run a client of Slurm in the job's folder, where `bin/ftc` is the stand-in."""
    stand_in = tmp_path / "bin" / "ftc"
    stand_in.parent.mkdir()
    stand_in.write_text(STAND_IN, "utf-8")
    stand_in.chmod(0o755)

    def run(*words: str) -> str:
        done = subprocess.run(words, cwd=tmp_path, env=cluster, capture_output=True, text=True, timeout=30, check=False)
        return done.stdout + done.stderr

    return run


def script(folder: Path, *words: str, gpus: int = 0, nodes: int = 2) -> str:
    """The rendered script, written into `folder`; returns its path."""
    options, problems = read_options("slurm", ["grace_seconds=20", f"setup=PATH={folder}/bin:$PATH", *words])
    machine = hardware(nodes=nodes, count=gpus or 1, kind="cuda" if gpus else "cpu")
    files, found = render(plan_for(hardware=machine), "ftc.plan.json", "slurm", options)
    assert problems + found == []
    path = folder / "job.sbatch"
    path.write_text(files["job.sbatch"], "utf-8")
    return str(path)


def wait_for(condition: Callable[[], object], seconds: float = 25) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "Slurm did not get there in time"
        time.sleep(0.1)


def state(call: Call, job: str) -> str:
    return "".join(re.findall(r"JobState=(\S+)", call("scontrol", "show", "job", job)))


def test_every_node_runs_ftc_and_is_told_where_they_meet(call: Call, tmp_path: Path) -> None:
    (tmp_path / "quick").write_text("0")
    job = call("sbatch", "--parsable", script(tmp_path)).strip()
    wait_for(lambda: state(call, job) == "COMPLETED")
    port = 20000 + int(job) % 20000
    for rank in (0, 1):
        (line,) = (tmp_path / f"trace.{rank}").read_text().splitlines()
        assert line == f"node {rank} of 2 at 127.0.0.1:{port}: run ftc.plan.json --out runs"


@pytest.mark.parametrize(("code", "expected"), [("0", 0), ("4", 4)])
def test_ftc_submits_and_follows_to_the_end(
    cluster: dict[str, str], call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, expected: int
) -> None:
    for name in ("PATH", "SLURM_CONF"):
        monkeypatch.setenv(name, cluster[name])
    (tmp_path / "quick").write_text(code)
    plan = plan_for(hardware=hardware(nodes=2, kind="cpu"))
    path = tmp_path / "ftc.plan.json"
    path.write_bytes(plan.to_bytes())
    result = rendered(plan, path, "slurm", [f"setup=PATH={tmp_path}/bin:$PATH", "grace_seconds=20"])
    seen: list[str] = []
    assert run_on(result, path, say=seen.append, on_job=lambda job: seen.append(job.state)) == expected
    assert seen[0] == "waiting"
    assert seen[-1] == ("done" if expected == 0 else "failed")
    assert "run ftc.plan.json --out runs" in (tmp_path / "trace.1").read_text()


@pytest.mark.parametrize("code", [1, 3])
def test_a_failed_run_is_a_failed_job_and_stays_one(call: Call, tmp_path: Path, code: int) -> None:
    (tmp_path / "quick").write_text(str(code))
    job = call("sbatch", "--parsable", script(tmp_path)).strip()
    wait_for(lambda: state(call, job) == "FAILED")
    shown = call("scontrol", "show", "job", job)
    assert f"ExitCode={code}:0" in shown
    assert "Restarts=0" in shown


def test_a_preempted_job_checkpoints_queues_itself_again_and_resumes(call: Call, tmp_path: Path) -> None:
    job = call("sbatch", "--parsable", script(tmp_path, "partition=low")).strip()
    wait_for(lambda: (tmp_path / "trace.0").exists() and (tmp_path / "trace.1").exists())
    other = call("sbatch", "--parsable", "-p", "high", "-N2", "--exclusive", "-o/dev/null", "--wrap", "true").strip()
    wait_for(lambda: "Restarts=1" in call("scontrol", "show", "job", job))
    wait_for(lambda: state(call, other) == "COMPLETED")
    wait_for(lambda: state(call, job) == "PENDING")
    call("scontrol", "update", f"JobId={job}", f"StartTime={SOON}")
    wait_for(lambda: state(call, job) == "COMPLETED")
    for rank in (0, 1):
        assert [line.split()[0] for line in (tmp_path / f"trace.{rank}").read_text().splitlines()] == [
            "node", "stopping", "node", "resumed",
        ]  # fmt: skip


def test_a_cancelled_job_stays_cancelled(call: Call, tmp_path: Path) -> None:
    job = call("sbatch", "--parsable", script(tmp_path)).strip()
    wait_for(lambda: (tmp_path / "trace.0").exists() and (tmp_path / "trace.1").exists())
    call("scancel", job)
    wait_for(lambda: state(call, job) == "CANCELLED")
    assert "stopping" in (tmp_path / "trace.0").read_text()
    assert "Restarts=0" in call("scontrol", "show", "job", job)


@pytest.mark.parametrize(
    ("words", "gpus", "nodes", "accepted"),
    [
        (["gpu_type=h100"], 8, 2, True),
        ([], 8, 2, True),
        (["gpu_type=h100"], 9, 2, False),
        (["gpu_type=a100"], 8, 2, False),
        ([], 8, 3, False),
        (["partition=nowhere"], 8, 2, False),
        (["cpus=2", "partition=high", "hours=48"], 8, 2, True),
        (["cpus=3"], 8, 2, False),
        (["sweep=a.json", "sweep=b.json"], 1, 1, True),
    ],
)
def test_a_controller_checks_the_headers(
    call: Call, tmp_path: Path, words: list[str], gpus: int, nodes: int, accepted: bool
) -> None:
    said = call("sbatch", "--test-only", script(tmp_path, *words, gpus=gpus, nodes=nodes))
    assert ("to start at" in said) == accepted, said


def test_a_sweep_runs_one_plan_an_index(call: Call, tmp_path: Path) -> None:
    (tmp_path / "quick").write_text("0")
    job = call("sbatch", "--parsable", script(tmp_path, "sweep=it's another.json", nodes=1)).strip()
    wait_for(lambda: call("squeue", "-h").strip() == "" and len((tmp_path / "trace.0").read_text().splitlines()) == 2)
    lines = sorted(line.split(": ")[1] for line in (tmp_path / "trace.0").read_text().splitlines())
    assert lines == ["run ftc.plan.json --out runs", "run it's another.json --out runs"]
    assert job
