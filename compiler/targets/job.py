"""What every engine is told, before any of them has been chosen: names, nodes, processes, time, files, command.

`ftc run` is started once on each node. The nodes find each other through torchrun's own variables: PET_NNODES,
PET_NPROC_PER_NODE, PET_NODE_RANK, PET_RDZV_BACKEND, PET_RDZV_ENDPOINT, PET_RDZV_ID. The node of rank 0 leads: it keeps
the journal in the run folder, which all nodes see.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from posixpath import isabs, normpath

from ftc.compiler.plan import Plan
from ftc.compiler.targets.options import TargetOptions
from ftc.compiler.targets.quoting import CONTROL, plain_name
from ftc.spec.diagnostics import Diagnostic, Severity

RENDEZVOUS_PORT = 29400  # torchrun's own default
MARGIN = 2.0  # of the estimate's high end: an estimate that is twice too low still ends by itself
LEAST_HOURS = 0.5
RESTART_EXIT = 130  # interrupted, resumable
FINAL_EXITS = (2, 3, 4)  # wrong plan, cannot be run, below goal.success: starting again changes nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A plan as something to start on `nodes` nodes with `processes` processes each."""

    name: str  # plain: a to z, 0 to 9, dashes
    run: str  # name and plan hash, plain
    nodes: int
    processes: int  # per node; one a GPU where there are GPUs
    gpus: int  # per node
    gpu: str  # the catalogue's name
    seconds: int  # limit of the whole job
    plan_file: str
    files: tuple[str, ...]  # what the plan reads from disk, as written: relative to the plan or absolute
    command: tuple[str, ...]


def job_of(plan: Plan, plan_file: str, options: TargetOptions) -> tuple[Job, list[Diagnostic]]:
    """The job, and what in the plan cannot be carried to another machine."""
    problems = [
        Diagnostic(code="R702", message=f"{what} has control characters in it: {value!r}", fix="rename the file")
        for what, value in (("the plan's file name", plan_file), *(("a data file", each) for each in local_files(plan)))
        if CONTROL.search(value)
    ]
    if plan_file.startswith("-"):
        problems.append(
            Diagnostic(code="R702", message="the plan's file name starts with a dash", fix=f"./{plan_file}")
        )
    hardware = plan.hardware
    gpus = int(hardware["count"]) if hardware["kind"] in ("cuda", "rocm") else 0
    job = Job(
        name=plain_name(plan.name),
        run=f"{plain_name(plan.name)}-{plan.hash[:8]}",
        nodes=int(hardware["nodes"]),
        processes=int(hardware["count"]),
        gpus=gpus,
        gpu=str(hardware["gpu"]),
        seconds=_seconds(plan, options),
        plan_file=plan_file,
        files=local_files(plan),
        command=ftc_run(plan_file, options),
    )
    if isabs(plan.model["base"]) and plan.model["base"] not in job.files:
        message = f"model.base is a folder of this machine: {plan.model['base']}"
        fix = "it has to lie at the same place over there"
        problems.append(Diagnostic(code="R703", severity=Severity.WARNING, message=message, fix=fix))
    return job, problems


def ftc_run(plan_file: str, options: TargetOptions) -> tuple[str, ...]:
    """The command that every node executes."""
    drift = ("--accept-drift",) if options.accept_drift else ()
    return ("ftc", "run", plan_file, "--out", options.runs, *drift)


def local_files(plan: Plan) -> tuple[str, ...]:
    """The data files that the plan has hashes of, and the model where it is a folder beside the plan."""
    found = [name.removeprefix("data:") for name in plan.hashes if name.startswith("data:")]
    base = str(plan.model["base"])
    if base.startswith(("./", "../")):
        found.append(base)
    return tuple(sorted(set(found)))


def levels_above(paths: tuple[str, ...]) -> int:
    """How many folders above the plan's the relative ones of `paths` reach."""
    return max((normpath(each).split("/").count("..") for each in paths if not isabs(each)), default=0)


def _seconds(plan: Plan, options: TargetOptions) -> int:
    """The option, else the budget's ceiling, else a multiple of the estimate."""
    hours = options.hours or plan.budget["hours"] or max(LEAST_HOURS, MARGIN * float(plan.estimate["hours"]["high"]))
    return max(60, math.ceil(hours * 3600))
