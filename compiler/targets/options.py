"""What a site wants of an engine: partition, image, bucket, claim. Comes from the command line, never from a spec.

`read_options` turns `KEY=VALUE` words into these values; a key is looked for among those of all engines and those of
the one that is meant. Values that end up where no quoting is possible have a pattern that they must match.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, get_args, get_type_hints

from ftc.compiler.targets.quoting import CONTROL
from ftc.spec.diagnostics import Diagnostic
from ftc.spec.suggest import did_you_mean

Target = Literal["local", "slurm", "skypilot", "kubernetes", "ray"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SlurmOptions:
    """Headers of the batch script, and how the job ends and comes back."""

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    gpu_type: str | None = None  # the site's name in its gres, `h100`; None: any GPU
    cpus: int | None = None  # per node
    memory_gib: int | None = None  # per node
    modules: tuple[str, ...] = ()
    container: str | None = None  # image that `ftc run` executes in
    container_by: Literal["apptainer", "pyxis"] = "apptainer"
    grace_seconds: int = 180  # between SIGTERM and the end of the time limit: one checkpoint has to fit in
    max_requeues: int = 20
    sweep: tuple[str, ...] = ()  # plan files beside the first one: a job array, one plan an index


@dataclass(frozen=True, slots=True, kw_only=True)
class SkypilotOptions:
    """What to rent, and where the run folder survives a preemption."""

    spot: bool = False
    infra: tuple[str, ...] = ()  # `aws`, `gcp/us-central1`; empty: what the plan's candidates name
    max_usd_per_hour: float | None = None  # of one node; None: what the budget and the estimate allow
    bucket: str | None = None  # `s3://my-bucket/ftc`: the run folder, for one node
    volume: str | None = None  # a SkyPilot volume that all nodes mount
    image: str | None = None  # docker:image
    disk_gib: int = 256
    recoveries: int = 3  # restarts after an error of the job's own


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesOptions:
    """Which object, in which image, on which volume."""

    kind: Literal["trainjob", "jobset", "job"] = "trainjob"
    namespace: str | None = None
    image: str | None = None  # has `ftc` in it; required
    runtime: str = "torch-distributed"  # a ClusterTrainingRuntime, for trainjob
    claim: str = "ftc"  # PersistentVolumeClaim with the data, and the run folder
    mount: str = "/ftc"  # where it is mounted; the plan is put there too
    secret: str = "ftc"  # noqa: S105 (a Secret's name) holds what `secrets` names
    tolerations: tuple[str, ...] = ("nvidia.com/gpu",)  # taint keys, whatever their value
    node_selector: Mapping[str, str] = field(default_factory=dict)
    service_account: str | None = None
    gpu_resource: str = "nvidia.com/gpu"
    cpus: int | None = None  # per node
    memory_gib: int | None = None  # per node
    restarts: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RayOptions:
    """Where Ray keeps results, and how often a worker group is started again."""

    storage: str | None = None  # shared folder; None: `ray` in the run folder
    cpus: int = 2  # per node
    restarts: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetOptions:
    """What all engines share, and what each has of its own. `setup` is shell, run as it is; all else is a value."""

    workdir: str | None = None  # the plan's folder over there; None: where the engine starts the job
    runs: str = "runs"  # the folder of runs over there, relative to workdir; all nodes have to see it
    setup: tuple[str, ...] = ()  # shell lines before `ftc run`: `source /opt/venv/bin/activate`
    secrets: tuple[str, ...] = ()  # names of environment variables to hand on, `HF_TOKEN`
    hours: float | None = None  # limit of the job; None: from the plan's budget or estimate
    accept_drift: bool = False
    slurm: SlurmOptions = field(default_factory=SlurmOptions)
    skypilot: SkypilotOptions = field(default_factory=SkypilotOptions)
    kubernetes: KubernetesOptions = field(default_factory=KubernetesOptions)
    ray: RayOptions = field(default_factory=RayOptions)


ENGINES = ("slurm", "skypilot", "kubernetes", "ray")
WORD = r"[A-Za-z0-9][A-Za-z0-9._@/+:-]*"
# Options that stand where a format has no quoting, or where an engine has a rule of its own.
PATTERNS: dict[str, str] = {
    "slurm.partition": r"[A-Za-z0-9_.,-]+",
    "slurm.account": r"[A-Za-z0-9_.@-]+",
    "slurm.qos": r"[A-Za-z0-9_.-]+",
    "slurm.constraint": r"[A-Za-z0-9_.,&|()*\[\]-]+",
    "slurm.gpu_type": r"[A-Za-z0-9_.-]+",
    "slurm.modules": WORD,
    "skypilot.infra": r"[A-Za-z0-9*-]+(/[A-Za-z0-9*-]+){0,2}",
    "skypilot.bucket": r"[a-z0-9]+://[A-Za-z0-9._/-]+",
    "skypilot.volume": r"[A-Za-z0-9][A-Za-z0-9-]*",
    "skypilot.image": WORD,
    "kubernetes.namespace": r"[a-z0-9]([-a-z0-9]*[a-z0-9])?",
    "kubernetes.image": WORD,
    "kubernetes.runtime": r"[a-z0-9]([-.a-z0-9]*[a-z0-9])?",
    "kubernetes.claim": r"[a-z0-9]([-.a-z0-9]*[a-z0-9])?",
    "kubernetes.secret": r"[a-z0-9]([-.a-z0-9]*[a-z0-9])?",
    "kubernetes.service_account": r"[a-z0-9]([-.a-z0-9]*[a-z0-9])?",
    "kubernetes.mount": r"/[A-Za-z0-9._/-]+",
    "kubernetes.gpu_resource": r"[a-z0-9.-]+/[A-Za-z0-9._-]+",
    "kubernetes.tolerations": WORD,
    "secrets": r"[A-Za-z_][A-Za-z0-9_]*",
}


def read_options(target: Target, words: Iterable[str]) -> tuple[TargetOptions, list[Diagnostic]]:
    """`KEY=VALUE` words as options of `target`. A key that takes several values is given several times."""
    options, problems = TargetOptions(), []
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            problems.append(_problem(word, "an option is KEY=VALUE", f"{word}=..."))
            continue
        owner = _owner(target, key)
        if owner is None:
            known = [*_names(TargetOptions), *_names(_engine_type(target))]
            problems.append(_problem(key, f"{target} has no option {key}", did_you_mean(key, known)))
            continue
        holder: Any = options if owner == "" else getattr(options, owner)
        try:
            changed = replace(holder, **{key: _value(holder, key, value)})
        except ValueError as error:
            problems.append(_problem(key, f"{key}: {error}", ""))
            continue
        inner: dict[str, Any] = {owner: changed}
        options = changed if owner == "" else replace(options, **inner)
    return options, problems + check_options(target, options)


def check_options(target: Target, options: TargetOptions) -> list[Diagnostic]:
    """Options whose value cannot stand where it would have to."""
    problems = []
    for key, pattern in PATTERNS.items():
        owner, _, name = key.rpartition(".")
        if owner not in ("", target):
            continue
        held = getattr(getattr(options, owner) if owner else options, name)
        for value in held if isinstance(held, tuple) else (held,):
            if value is not None and not re.fullmatch(pattern, value):
                problems.append(_problem(name, f"{name}: {value!r} has characters that it may not have", pattern))
    for key in ("workdir", "runs"):
        if CONTROL.search(getattr(options, key) or ""):
            problems.append(_problem(key, f"{key} has control characters in it", ""))
    return problems


def _owner(target: Target, key: str) -> str | None:
    if key in _names(TargetOptions) and key not in ENGINES:
        return ""
    return target if target != "local" and key in _names(_engine_type(target)) else None


def _names(kind: type) -> list[str]:
    return [each.name for each in fields(kind)]


def _engine_type(target: Target) -> type:
    kinds = {"slurm": SlurmOptions, "skypilot": SkypilotOptions, "kubernetes": KubernetesOptions, "ray": RayOptions}
    return kinds.get(target, TargetOptions)


def _value(holder: Any, key: str, text: str) -> Any:
    """`text` as the type that the field is declared with; a tuple or a mapping grows by it."""
    hint = get_type_hints(type(holder))[key]
    default = next(each for each in fields(holder) if each.name == key)
    if hint == tuple[str, ...]:
        held = getattr(holder, key)
        return (text,) if held == default.default and held else (*held, text)
    if hint == Mapping[str, str]:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError("is written NAME=VALUE")
        return {**getattr(holder, key), name: value}
    kinds = [each for each in get_args(hint) or (hint,) if each is not type(None)]
    if all(isinstance(each, str) for each in kinds):
        if text not in kinds:
            raise ValueError(f"is one of {', '.join(kinds)}; {did_you_mean(text, kinds)}".rstrip("; "))
        return text
    if kinds[0] is bool:
        words = {"true": True, "yes": True, "false": False, "no": False}
        if text.lower() not in words:
            raise ValueError("is true or false")
        return words[text.lower()]
    if kinds[0] in (int, float):
        number = kinds[0](text)
        if not 0 <= number < 1e9:
            raise ValueError("is a number from 0 to a billion")
        return number
    return text


def _problem(key: str, message: str, fix: str) -> Diagnostic:
    return Diagnostic(code="R701", message=message, fix=fix, key=key)
