"""A plan to the files of an engine: the table of engines, and the one function that goes through it."""

from __future__ import annotations

from typing import get_args

from ftc.compiler.plan import Plan
from ftc.compiler.targets.job import Job, job_of
from ftc.compiler.targets.kubernetes import kubernetes_files
from ftc.compiler.targets.local import local_files
from ftc.compiler.targets.options import Target, TargetOptions, check_options
from ftc.compiler.targets.ray import ray_files
from ftc.compiler.targets.skypilot import skypilot_files
from ftc.compiler.targets.slurm import slurm_files
from ftc.spec.diagnostics import Diagnostic, errors

TARGETS: tuple[Target, ...] = get_args(Target)

Files = dict[str, str]


def render(plan: Plan, plan_file_name: str, target: Target, options: TargetOptions) -> tuple[Files, list[Diagnostic]]:
    """File name -> content, and everything to be said about them. No files where something is an error."""
    job, problems = job_of(plan, plan_file_name, options)
    problems += check_options(target, options)
    if errors(problems):
        return {}, problems
    try:
        files, found = _files(plan, job, target, options)
    except ValueError as error:
        return {}, [*problems, Diagnostic(code="R702", message=str(error), fix="rename it")]
    problems += found
    return ({}, problems) if errors(problems) else (files, problems)


def _files(plan: Plan, job: Job, target: Target, options: TargetOptions) -> tuple[Files, list[Diagnostic]]:
    match target:
        case "local":
            return local_files(job, options)
        case "slurm":
            return slurm_files(job, options)
        case "skypilot":
            return skypilot_files(plan, job, options)
        case "kubernetes":
            return kubernetes_files(plan, job, options)
        case "ray":
            return ray_files(job, options)
