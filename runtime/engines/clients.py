"""What each engine's client is called with, and how its answers read. Pure: nothing here starts a process.

Two kinds of client: `sbatch` and `kubectl` hand the job over and are asked about it; `sky` and `ray` stay with the job
until it ends, and their exit code is its end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

State = Literal["waiting", "running", "done", "failed", "cancelled", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job that an engine has taken."""

    target: str
    id: str  # what the engine calls it
    state: State = "waiting"
    exit_code: int | None = None  # of `ftc run` inside, where the engine says it
    said: str = ""  # the engine's own word for the state


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One engine's command line. `asks` is None where `submits` stays with the job until it ends."""

    program: str
    install: str
    file: str  # pattern of the rendered file that is handed over
    submits: Callable[[Path, tuple[str, ...]], list[str]]
    job_id: Callable[[Path, str], str]
    asks: Callable[[str], list[str]] | None
    reads: Callable[[str, str], Job]
    checks: Callable[[Path], list[str]] | None = None


# --- Slurm --------------------------------------------------------------------------------------------------------

SLURM_STATES: dict[str, State] = {
    "PENDING": "waiting", "REQUEUED": "waiting", "REQUEUE_HOLD": "waiting", "SUSPENDED": "waiting",
    "PREEMPTED": "waiting", "CONFIGURING": "waiting", "RUNNING": "running", "COMPLETING": "running",
    "COMPLETED": "done", "CANCELLED": "cancelled", "FAILED": "failed", "TIMEOUT": "failed", "NODE_FAIL": "failed",
    "OUT_OF_MEMORY": "failed", "BOOT_FAIL": "failed", "DEADLINE": "failed",
}  # fmt: skip


def slurm_job(job_id: str, text: str) -> Job:
    """From `scontrol show job`. A job array is as far as its least finished task."""
    words = re.findall(r"\bJobState=(\w+)", text)
    codes = [int(code) for code in re.findall(r"\bExitCode=(\d+):\d+", text)]
    states = [SLURM_STATES.get(word, "unknown") for word in words] or ["unknown"]
    order: tuple[State, ...] = ("unknown", "running", "waiting", "failed", "cancelled", "done")
    state = next(each for each in order if each in states)
    return Job(target="slurm", id=job_id, state=state, exit_code=max(codes, default=None), said="/".join(words))


# --- Kubernetes ---------------------------------------------------------------------------------------------------

KUBERNETES_ENDS: dict[str, State] = {"Complete": "done", "Completed": "done", "Failed": "failed"}


def kubernetes_job(job_id: str, text: str) -> Job:
    """From `kubectl get KIND NAME -o json`: TrainJob, JobSet and Job all end in a condition that is true."""
    try:
        status = json.loads(text).get("status") or {}
    except (ValueError, AttributeError):
        return Job(target="kubernetes", id=job_id, state="unknown")
    true = [each["type"] for each in status.get("conditions") or [] if each.get("status") == "True"]
    for name in true:
        if name in KUBERNETES_ENDS:
            return Job(target="kubernetes", id=job_id, state=KUBERNETES_ENDS[name], said=name)
    running = bool(status.get("active")) or any(each.get("active") for each in _listed(status))
    return Job(target="kubernetes", id=job_id, state="running" if running else "waiting", said="/".join(true))


def _listed(status: dict[str, object]) -> list[dict[str, object]]:
    """Where a TrainJob and a JobSet count their pods."""
    found: list[dict[str, object]] = []
    for key in ("jobsStatus", "replicatedJobsStatus"):
        value = status.get(key)
        found += [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
    return found


def _kubernetes_id(file: Path, _: str) -> str:
    """`trainjob/NAME`: the kind is in the file's name, the name is the manifest's first."""
    kind = file.name.split(".")[0]
    found = re.search(r"^  name: (\S+)$", file.read_text("utf-8"), re.MULTILINE)
    return f"{kind}/{found[1] if found else ''}"


# --- those that stay with the job ---------------------------------------------------------------------------------


def _ray_id(file: Path, _: str) -> str:
    return str(json.loads(file.read_text("utf-8"))["submission_id"])


def _sky_id(file: Path, _: str) -> str:
    found = re.search(r"^name: (\S+)$", file.read_text("utf-8"), re.MULTILINE)
    return found[1] if found else ""


def _sky_submit(file: Path, secrets: tuple[str, ...]) -> list[str]:
    named = [word for name in secrets for word in ("--secret", name)]
    return ["sky", "jobs", "launch", "--yes", "--name", _sky_id(file, ""), *named, str(file)]


def _ray_submit(file: Path, _: tuple[str, ...]) -> list[str]:
    # Ray takes an id once, and a job that is submitted again is to continue: Ray chooses the id, and says it.
    return ["ray", "job", "submit", "--working-dir", str(file.parent), "--", "python", "ftc_driver.py"]


def _ended(target: str) -> Callable[[str, str], Job]:
    """The client's exit code, as text, is the end of the job."""

    def read(job_id: str, text: str) -> Job:
        return Job(target=target, id=job_id, state="done" if text == "0" else "failed", said=f"exit code {text}")

    return read


CLIENTS: dict[str, Client] = {
    "slurm": Client(
        program="sbatch",
        install="on a login node of the cluster it is there; Debian: apt-get install slurm-client",
        file="*.sbatch",
        submits=lambda file, _: ["sbatch", "--parsable", str(file)],
        job_id=lambda _, said: said.strip().split(";")[0],
        asks=lambda job_id: ["scontrol", "show", "job", job_id],
        reads=slurm_job,
        checks=lambda file: ["sbatch", "--test-only", str(file)],
    ),
    "skypilot": Client(
        program="sky",
        install="pip install 'skypilot[aws]' (or another cloud), in an environment of its own",
        file="*.sky.yaml",
        submits=_sky_submit,
        job_id=_sky_id,
        asks=None,
        reads=_ended("skypilot"),
    ),
    "kubernetes": Client(
        program="kubectl",
        install="https://kubernetes.io/docs/tasks/tools/",
        file="*.k8s.yaml",
        submits=lambda file, _: ["kubectl", "create", "-f", str(file)],  # `apply` would find an ended job unchanged
        job_id=_kubernetes_id,
        asks=lambda job_id: ["kubectl", "get", job_id, "-o", "json"],
        reads=kubernetes_job,
        checks=lambda file: ["kubectl", "create", "--dry-run=server", "-f", str(file)],
    ),
    "ray": Client(
        program="ray",
        install="pip install 'ray[default,train]'",
        file="*.ray.json",
        submits=_ray_submit,
        job_id=_ray_id,
        asks=None,
        reads=_ended("ray"),
    ),
}
