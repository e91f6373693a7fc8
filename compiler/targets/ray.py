"""Ray: a request to the Jobs API, and the driver that it starts: one TorchTrainer worker a node, `ftc run` in each.

Ray finds the machines, starts the workers and starts them again; what they run is the same as everywhere.
"""

from __future__ import annotations

import json
import shlex
from posixpath import isabs

from ftc.compiler.targets.job import FINAL_EXITS, Job
from ftc.compiler.targets.options import TargetOptions
from ftc.compiler.targets.quoting import render_template
from ftc.spec.diagnostics import Diagnostic, Severity

REQUEST = "job.ray.json"
DRIVER = "ftc_driver.py"


def ray_files(job: Job, options: TargetOptions) -> tuple[dict[str, str], list[Diagnostic]]:
    """`job.ray.json` (the body of POST /api/jobs/) and `ftc_driver.py`, its entry point."""
    workdir = options.workdir or ""
    driver = render_template(
        "ray.driver.py.j2",
        run=job.run,
        nodes=job.nodes,
        processes=job.processes,
        gpus=job.gpus,
        cpus=options.ray.cpus,
        restarts=options.ray.restarts,
        workdir=workdir,
        storage=options.ray.storage or f"{_absolute(workdir, options.runs)}/ray",
        setup="\n".join(options.setup),
        command=list(job.command),
        final=list(FINAL_EXITS),
    )
    request = {
        "entrypoint": shlex.join(("python", DRIVER)),
        "submission_id": job.run,
        "metadata": {"name": job.name, "plan": job.run},
        "entrypoint_num_cpus": 0,
    }
    return {REQUEST: json.dumps(request, indent=1) + "\n", DRIVER: driver}, _problems(options)


def _absolute(workdir: str, folder: str) -> str:
    return folder if isabs(folder) else f"{workdir}/{folder}"


def _problems(options: TargetOptions) -> list[Diagnostic]:
    problems = []
    if not options.workdir or not isabs(options.workdir):
        message = "Ray starts workers in folders of its own: workdir has to be the plan's folder, absolute"
        fix = "--option workdir=/shared/FOLDER"
        problems.append(Diagnostic(code="R706", message=message, fix=fix, key="workdir"))
    if options.secrets:
        message = f"{', '.join(options.secrets)}: workers see the environment that the Ray nodes were started in"
        fix = "set them where `ray start` is called"
        problems.append(Diagnostic(code="R704", severity=Severity.NOTE, message=message, fix=fix))
    return problems
