"""This machine: one shell script, for whatever starts scripts (systemd, cron, a container's entry point)."""

from __future__ import annotations

from ftc.compiler.targets.job import RENDEZVOUS_PORT, Job
from ftc.compiler.targets.options import TargetOptions
from ftc.compiler.targets.quoting import render_template
from ftc.spec.diagnostics import Diagnostic

SCRIPT = "run.sh"


def local_files(job: Job, options: TargetOptions) -> tuple[dict[str, str], list[Diagnostic]]:
    """`run.sh`."""
    content = render_template(
        "local.sh.j2", job=job, workdir=options.workdir, setup=options.setup, port=RENDEZVOUS_PORT
    )
    if job.nodes == 1:
        return {SCRIPT: content}, []
    message = f"the plan is for {job.nodes} nodes, and this machine is one"
    fix = "--target slurm, skypilot, kubernetes or ray; or hardware.nodes: 1"
    return {SCRIPT: content}, [Diagnostic(code="R708", message=message, fix=fix, key="hardware.nodes")]
