"""Kubernetes: a Kubeflow TrainJob, a JobSet or an Indexed Job, with the plan in a ConfigMap beside it.

Data and runs live on a PersistentVolumeClaim, secrets in a Secret that is named, never written. In commands and
environment values Kubernetes expands `$(NAME)`; every `$` is doubled, which takes that meaning away. The kubelet
restarts what was preempted; exit codes say what is worth starting again.
"""

from __future__ import annotations

from typing import Any

from ftc.compiler.plan import Plan
from ftc.compiler.targets.job import FINAL_EXITS, RENDEZVOUS_PORT, RESTART_EXIT, Job
from ftc.compiler.targets.options import TargetOptions
from ftc.compiler.targets.quoting import render_template
from ftc.compiler.targets.yaml_file import to_yaml
from ftc.spec.diagnostics import Diagnostic, Severity

MANIFEST = "{kind}.k8s.yaml"
PLAN_THERE = "ftc.plan.json"
GRACE_SECONDS = 180  # between SIGTERM and SIGKILL: one checkpoint has to fit in
CONFIG_MAP_BYTES = 2**20  # the API server's limit
GROUP = "node"  # the runtime's name for the training pods, and for their container
MANAGER = "ftc.dev/compile"

Json = dict[str, Any]


def kubernetes_files(plan: Plan, job: Job, options: TargetOptions) -> tuple[dict[str, str], list[Diagnostic]]:
    """One manifest: the plan's ConfigMap, and the object of `kind` that runs it."""
    site = options.kubernetes
    makers = {"trainjob": _train_job, "jobset": _job_set, "job": _job}
    documents = [_config_map(plan, job, options), *makers[site.kind](job, options)]
    return {MANIFEST.format(kind=site.kind): to_yaml(*documents)}, _problems(plan, job, options)


# --- the objects --------------------------------------------------------------------------------------------------


def _config_map(plan: Plan, job: Job, options: TargetOptions) -> Json:
    head = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _metadata(job, options)}
    return {**head, "data": {PLAN_THERE: plan.to_bytes().decode()}}


def _train_job(job: Job, options: TargetOptions) -> list[Json]:
    site = options.kubernetes
    pod: Json = {
        "volumes": _volumes(job, options),
        "tolerations": _tolerations(job, options),
        "nodeSelector": dict(site.node_selector) or None,
        "serviceAccountName": site.service_account,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "containers": [{"name": GROUP, "volumeMounts": _mounts(options)}],
    }
    template = {"spec": {"template": {"spec": _without_none(pod)}}}
    patch = {"template": {"spec": {"replicatedJobs": [{"name": GROUP, "template": template}]}}}
    spec: Json = {
        "runtimeRef": {"name": site.runtime},
        "activeDeadlineSeconds": job.seconds,
        "trainer": {
            "image": site.image or "",
            "command": _command(job, options),
            "numNodes": job.nodes,
            "numProcPerNode": job.processes,
            "resourcesPerNode": _resources(job, options),
            "env": _environment(options),
        },
        "runtimePatches": [{"manager": MANAGER, "trainingRuntimeSpec": patch}],
    }
    head = {"apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob", "metadata": _metadata(job, options)}
    return [{**head, "spec": spec}]


def _job_set(job: Job, options: TargetOptions) -> list[Json]:
    replicated = {"name": GROUP, "replicas": 1, "template": {"spec": _job_spec(job, options, job.run)}}
    spec: Json = {
        "network": {"enableDNSHostnames": True, "subdomain": job.run},
        "failurePolicy": {"maxRestarts": options.kubernetes.restarts},
        "replicatedJobs": [replicated],
    }
    head = {"apiVersion": "jobset.x-k8s.io/v1alpha2", "kind": "JobSet", "metadata": _metadata(job, options)}
    return [{**head, "spec": spec}]


def _job(job: Job, options: TargetOptions) -> list[Json]:
    metadata = _metadata(job, options)
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {
            "clusterIP": "None",  # a name for every pod, no load balancing
            "publishNotReadyAddresses": True,
            "selector": {"batch.kubernetes.io/job-name": job.run},
        },
    }
    work = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": _job_spec(job, options, job.run)}
    return [service, work]


def _job_spec(job: Job, options: TargetOptions, subdomain: str) -> Json:
    site = options.kubernetes
    container: Json = {
        "name": GROUP,
        "image": site.image or "",
        "command": _command(job, options),
        "env": _environment(options),
        "resources": _resources(job, options),
        "volumeMounts": _mounts(options),
        "securityContext": {"allowPrivilegeEscalation": False},
    }
    pod: Json = {
        "restartPolicy": "Never",  # the Job makes a new pod, so that exit codes reach its failure policy
        "subdomain": subdomain,
        "serviceAccountName": site.service_account,
        "automountServiceAccountToken": False if site.service_account is None else None,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "tolerations": _tolerations(job, options),
        "nodeSelector": dict(site.node_selector) or None,
        "volumes": _volumes(job, options),
        "containers": [container],
    }
    rules = [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        {"action": "Ignore", "onExitCodes": {"operator": "In", "values": [RESTART_EXIT]}},
        {"action": "FailJob", "onExitCodes": {"operator": "In", "values": list(FINAL_EXITS)}},
    ]
    return {
        "completionMode": "Indexed",
        "completions": job.nodes,
        "parallelism": job.nodes,
        "backoffLimit": site.restarts,
        "activeDeadlineSeconds": job.seconds,
        "podFailurePolicy": {"rules": rules},
        "template": {"metadata": {"labels": _labels(job)}, "spec": _without_none(pod)},
    }


# --- their parts --------------------------------------------------------------------------------------------------


def _metadata(job: Job, options: TargetOptions) -> Json:
    namespace = options.kubernetes.namespace
    return {"name": job.run, **({"namespace": namespace} if namespace else {}), "labels": _labels(job)}


def _labels(job: Job) -> Json:
    return {"app.kubernetes.io/name": "ftc", "app.kubernetes.io/instance": job.run}


def _command(job: Job, options: TargetOptions) -> list[str]:
    """bash, because the folder, the rendezvous and `setup` come before `ftc run`; its words are arguments, not text."""
    site = options.kubernetes
    host = f"{job.run}-{GROUP}-0-0.{job.run}" if site.kind == "jobset" else f"{job.run}-0.{job.run}"
    script = render_template(
        "kubernetes.run.j2",
        job=job,
        folder=options.workdir or site.mount,
        setup=options.setup,
        trainjob=site.kind == "trainjob",
        host=host,
        port=RENDEZVOUS_PORT,
    )
    words = ["ftc", "run", PLAN_THERE, *job.command[3:]]
    return [_literal(each) for each in ("bash", "-c", script, "ftc", *words)]


def _literal(text: str) -> str:
    """Text in which Kubernetes expands nothing."""
    return text.replace("$", "$$")


def _environment(options: TargetOptions) -> list[Json]:
    """Secrets by reference: the pod starts without those that the Secret does not have."""
    reference = options.kubernetes.secret
    return [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": reference, "key": name, "optional": True}}}
        for name in options.secrets
    ]


def _resources(job: Job, options: TargetOptions) -> Json:
    site = options.kubernetes
    requests: Json = {}
    if site.cpus:
        requests["cpu"] = str(site.cpus)
    if site.memory_gib:
        requests["memory"] = f"{site.memory_gib}Gi"
    gpus: Json = {site.gpu_resource: str(job.gpus)} if job.gpus else {}
    return _without_none({"requests": {**requests, **gpus} or None, "limits": gpus or None})


def _volumes(job: Job, options: TargetOptions) -> list[Json]:
    return [
        {"name": "ftc", "persistentVolumeClaim": {"claimName": options.kubernetes.claim}},
        {"name": "plan", "configMap": {"name": job.run}},
        {"name": "shm", "emptyDir": {"medium": "Memory"}},  # NCCL and data loaders share memory between processes
    ]


def _mounts(options: TargetOptions) -> list[Json]:
    folder = options.workdir or options.kubernetes.mount
    return [
        {"name": "ftc", "mountPath": options.kubernetes.mount},
        {"name": "plan", "mountPath": f"{folder.rstrip('/')}/{PLAN_THERE}", "subPath": PLAN_THERE, "readOnly": True},
        {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108 (a mount point, not a temporary file)
    ]


def _tolerations(job: Job, options: TargetOptions) -> list[Json] | None:
    keys = options.kubernetes.tolerations if job.gpus else ()
    return [{"key": key, "operator": "Exists"} for key in keys] or None


def _without_none(value: Json) -> Json:
    return {key: each for key, each in value.items() if each is not None}


def _problems(plan: Plan, job: Job, options: TargetOptions) -> list[Diagnostic]:
    site = options.kubernetes
    problems = []
    if not site.image:
        message = "no image: Kubernetes needs one that has ftc in it"
        problems.append(Diagnostic(code="R705", message=message, fix="--option image=REGISTRY/IMAGE:TAG", key="image"))
    if (size := len(plan.to_bytes())) > CONFIG_MAP_BYTES - 4096:
        message = f"the plan has {size:,} bytes, a ConfigMap takes {CONFIG_MAP_BYTES:,}"
        problems.append(Diagnostic(code="R707", message=message, fix="fewer labels, or another engine"))
    folder = options.workdir or site.mount
    if ":" in folder or not folder.startswith("/"):
        message = f"workdir: {folder!r} is no absolute folder that Kubernetes can mount into"
        problems.append(Diagnostic(code="R701", message=message, fix=f"{site.mount}/...", key="workdir"))
    if job.files:
        message = f"{len(job.files)} files have to lie on the claim {site.claim!r}, below {folder}"
        problems.append(
            Diagnostic(
                code="R703", severity=Severity.NOTE, message=message, examples=job.files[:5], count=len(job.files)
            )
        )
    if job.nodes > 1:
        message = f"the claim {site.claim!r} has to be ReadWriteMany: {job.nodes} nodes share the run folder"
        problems.append(Diagnostic(code="R706", severity=Severity.NOTE, message=message, key="claim"))
    return problems
