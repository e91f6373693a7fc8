"""Slurm: one batch script. `#SBATCH` lines know no quoting, so only checked values get there; the rest is shell.

The job resumes by queueing itself again: after SIGTERM (time limit or preemption) `ftc run` ends with 130.
"""

from __future__ import annotations

from ftc.compiler.targets.job import Job
from ftc.compiler.targets.options import TargetOptions
from ftc.compiler.targets.quoting import CONTROL, render_template
from ftc.spec.diagnostics import Diagnostic, Severity

SCRIPT = "job.sbatch"


def slurm_files(job: Job, options: TargetOptions) -> tuple[dict[str, str], list[Diagnostic]]:
    """`job.sbatch`; with `sweep`, a job array with one plan an index."""
    site = options.slurm
    sweep = (job.plan_file, *site.sweep) if site.sweep else ()
    before, after = job.command[:2], job.command[3:]
    content = render_template(
        "slurm.sbatch.j2",
        job=job,
        headers=headers(job, options),
        workdir=options.workdir,
        modules=site.modules,
        setup=options.setup,
        sweep=sweep,
        grace=site.grace_seconds,
        requeues=site.max_requeues,
        srun=_in_pyxis(options),
        before=(*_in_apptainer(job, options), *before),
        after=after,
    )
    return {SCRIPT: content}, _problems(job, options)


def headers(job: Job, options: TargetOptions) -> list[str]:
    """The options of the batch script, one a line."""
    site = options.slurm
    array = len(site.sweep)
    optional = {
        "partition": site.partition,
        "account": site.account,
        "qos": site.qos,
        "constraint": site.constraint,
        "cpus-per-task": site.cpus,
        "mem": f"{site.memory_gib}G" if site.memory_gib else None,
        "gpus-per-node": _gpus(job, site.gpu_type),
        "array": f"0-{array}" if array else None,
    }
    return [
        f"--job-name={job.name}",
        f"--nodes={job.nodes}",
        "--ntasks-per-node=1",
        *(f"--{name}={value}" for name, value in optional.items() if value is not None),
        f"--time={_clock(job.seconds + site.grace_seconds)}",
        f"--signal=B:TERM@{site.grace_seconds}",
        "--requeue",
        "--open-mode=append",
        f"--output={job.run}-%A_%a.log" if array else f"--output={job.run}-%j.log",
    ]


def _gpus(job: Job, kind: str | None) -> str | None:
    if not job.gpus:
        return None
    return f"{kind}:{job.gpus}" if kind else str(job.gpus)


def _clock(seconds: int) -> str:
    """Slurm's days-hours:minutes:seconds."""
    days, rest = divmod(seconds, 86400)
    return f"{days}-{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"


def _in_apptainer(job: Job, options: TargetOptions) -> tuple[str, ...]:
    site = options.slurm
    if site.container is None or site.container_by != "apptainer":
        return ()
    return ("apptainer", "exec", *(("--nv",) if job.gpus else ()), site.container)


def _in_pyxis(options: TargetOptions) -> tuple[str, ...]:
    site = options.slurm
    if site.container is None or site.container_by != "pyxis":
        return ()
    return (f"--container-image={site.container}", "--container-mount-home")


def _problems(job: Job, options: TargetOptions) -> list[Diagnostic]:
    problems = []
    for key, value in (("container", options.slurm.container), *(("sweep", each) for each in options.slurm.sweep)):
        if value is not None and (value.startswith("-") or CONTROL.search(value)):
            message = f"{key}: {value!r} starts with a dash or has control characters in it"
            problems.append(Diagnostic(code="R701", message=message, key=key))
    if options.secrets:
        message = f"{', '.join(options.secrets)}: sbatch hands the caller's environment to the job by itself"
        fix = "set them where `sbatch` is called, or in a `setup` line that sources a file only you can read"
        problems.append(Diagnostic(code="R704", severity=Severity.NOTE, message=message, fix=fix))
    return problems
