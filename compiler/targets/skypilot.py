"""SkyPilot: one task file. The candidates of the plan become `any_of`, the budget becomes the price cap.

SkyPilot replaces `$NAME` in paths and takes `~` and `scheme://` for more than they look like, so file names with those
are refused. Values are put together in Python and written by YAML's own emitter; only `run` is a template.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from posixpath import isabs, normpath
from typing import Any

from ftc.compiler.plan import Plan
from ftc.compiler.targets.job import RENDEZVOUS_PORT, RESTART_EXIT, Job, levels_above
from ftc.compiler.targets.options import TargetOptions
from ftc.compiler.targets.quoting import render_template
from ftc.compiler.targets.yaml_file import to_yaml
from ftc.spec.diagnostics import Diagnostic, Severity

TASK = "task.sky.yaml"
PLAN_THERE = "ftc.plan.json"
RUNS_MOUNT = "/ftc-runs"

# The catalogue's name of a GPU -> SkyPilot's (skypilot-org/skypilot-catalog, catalogs/v8). Others are left as they are.
ACCELERATORS: dict[str, str] = {
    "V100 16GB": "V100",
    "V100 32GB": "V100-32GB",
    "A100 40GB": "A100",
    "A100 80GB": "A100-80GB",
    "A100 80GB PCIe": "A100-80GB",
    "H100 SXM": "H100",
    "H100 PCIe": "H100",
    "H100 NVL": "H100-NVL",
    "H200 SXM": "H200",
    "H200 NVL": "H200",
    "RTX A4000": "RTXA4000",
    "RTX A5000": "RTXA5000",
    "RTX A6000": "A6000",
    "RTX 6000 Ada": "RTX6000-Ada",
    "RTX PRO 6000": "RTXPRO6000",
}


def skypilot_files(plan: Plan, job: Job, options: TargetOptions) -> tuple[dict[str, str], list[Diagnostic]]:
    """`task.sky.yaml`, for `sky jobs launch` (spot, comes back by itself) or `sky launch`."""
    site = options.skypilot
    runs = RUNS_MOUNT if site.bucket or site.volume else options.runs
    folder = _folder(job)
    after = ("--out", runs, *job.command[5:])
    run = render_template(
        "skypilot.run.j2",
        job=job,
        folder=options.workdir,
        home=f"ftc/{folder}",
        plan=PLAN_THERE,
        after=after,
        port=RENDEZVOUS_PORT,
    )
    task: dict[str, Any] = {
        "name": job.run,
        "num_nodes": job.nodes,
        "resources": _resources(plan, job, options),
        "file_mounts": _file_mounts(job, options, folder),
        "secrets": dict.fromkeys(options.secrets) or None,
        "volumes": {RUNS_MOUNT: site.volume} if site.volume else None,
        "setup": "\n".join(options.setup) + "\n" if options.setup else None,
        "run": run,
    }
    content = to_yaml({key: value for key, value in task.items() if value is not None})
    return {TASK: content}, _problems(plan, job, options)


def _folder(job: Job) -> str:
    """The plan's folder below `~/ftc`: deep enough that data above it stays below `~/ftc` too."""
    return "/".join([job.run, *["plan"] * levels_above(job.files)])


def _file_mounts(job: Job, options: TargetOptions, folder: str) -> dict[str, Any]:
    """The plan and what it reads, each by name: nothing else of the folder travels."""
    base = options.workdir or f"~/ftc/{folder}"
    mounts: dict[str, Any] = {f"{base}/{PLAN_THERE}": _here(job.plan_file)}
    for file in job.files:
        there = normpath(file) if isabs(file) else _joined(base, file)
        mounts[there] = _here(file)
    if options.skypilot.bucket:
        mounts[RUNS_MOUNT] = {"source": options.skypilot.bucket, "mode": "MOUNT_CACHED"}
    return mounts


def _joined(base: str, file: str) -> str:
    return normpath(f"{base}/{file}")


def _here(file: str) -> str:
    return file if isabs(file) or file.startswith("./") else f"./{file}"


def _resources(plan: Plan, job: Job, options: TargetOptions) -> dict[str, Any]:
    site = options.skypilot
    resources: dict[str, Any] = {"disk_size": site.disk_gib, "use_spot": site.spot}
    resources["job_recovery"] = {"max_restarts_on_errors": site.recoveries, "recover_on_exit_codes": [RESTART_EXIT]}
    cap = site.max_usd_per_hour or price_cap(plan, job)
    if cap:
        resources["max_hourly_cost"] = cap
    if site.image:
        resources["image_id"] = site.image if site.image.startswith("docker:") else f"docker:{site.image}"
    choices = offers(plan, job, options)
    return {**resources, **choices[0]} if len(choices) == 1 else {**resources, "any_of": choices}


def offers(plan: Plan, job: Job, options: TargetOptions) -> list[dict[str, Any]]:
    """What the plan would run on: its machine first, then every feasible candidate of the same method and size."""
    if not job.gpus:
        choices: list[dict[str, Any]] = [{"cpus": "4+"}]
        return [{"infra": infra, **each} for infra in options.skypilot.infra for each in choices] or choices
    found = [_offer(job.gpu, job.gpus, _cloud(plan.hardware["offer"]))]
    chosen = plan.verdict.get("chosen") or {}
    for each in (chosen, *plan.verdict["alternatives"]):
        if each and _same_work(each, chosen, plan) and each["gpus"] == job.gpus * job.nodes:
            found.append(_offer(each["gpu"], job.gpus, _cloud(each["offer"])))
    if options.skypilot.infra:
        gpus = {tuple(each["accelerators"].items()): each["accelerators"] for each in found}
        found = [{"infra": infra, "accelerators": each} for each in gpus.values() for infra in options.skypilot.infra]
    unique = {repr(sorted(each.items())): each for each in found}
    return list(unique.values())


def price_cap(plan: Plan, job: Job) -> float | None:
    """USD per hour of one node: at this price the run's high estimate uses up the budget."""
    usd, hours = plan.budget["usd"], float(plan.estimate["hours"]["high"])
    if not usd or hours <= 0:
        return None
    return math.floor(usd / max(hours, 1.0) / job.nodes * 100) / 100 or None


def _same_work(candidate: Mapping[str, Any], chosen: Mapping[str, Any], plan: Plan) -> bool:
    return bool(
        candidate["feasible"]
        and candidate["gpu"]
        and candidate["gpus"]
        and candidate["method"] == plan.verdict["method"]
        and candidate["adapter"] == plan.verdict["adapter"]
        and candidate["model"] == chosen.get("model", plan.model["base"])
    )


def _offer(gpu: str, count: int, cloud: str | None) -> dict[str, Any]:
    name = ACCELERATORS.get(gpu, re.sub(r"[^A-Za-z0-9-]", "", gpu))
    return {**({"infra": cloud} if cloud else {}), "accelerators": {name: count}}


def _cloud(offer: str | None) -> str | None:
    """The cloud of `cloud instance region`. The region is left to SkyPilot, which knows what is to be had today."""
    return offer.split()[0] if offer and offer.strip() else None


def _problems(plan: Plan, job: Job, options: TargetOptions) -> list[Diagnostic]:
    site = options.skypilot
    problems = []
    for file in (job.plan_file, *job.files):
        if "$" in file or "://" in file or file.startswith("~"):
            message = f"SkyPilot would read more into {file!r} than a file name"
            problems.append(Diagnostic(code="R702", message=message, fix="rename the file: no $, no ://, no leading ~"))
    if job.nodes > 1 and not site.volume:
        message = "several nodes need one run folder that all of them see, and a bucket shows writes late"
        problems.append(Diagnostic(code="R706", message=message, fix="--option volume=NAME", key="volume"))
    if site.spot and not (site.bucket or site.volume):
        message = "on spot the run folder is lost with the machine: the run would begin anew"
        fix = "--option bucket=s3://NAME/ftc"
        problems.append(Diagnostic(code="R706", message=message, fix=fix, key="bucket"))
    if not options.setup and not site.image:
        message = "nothing installs ftc over there"
        fix = "--option setup='...' with the line that installs it, or --option image=docker:IMAGE"
        problems.append(Diagnostic(code="R705", severity=Severity.WARNING, message=message, fix=fix, key="setup"))
    return problems
