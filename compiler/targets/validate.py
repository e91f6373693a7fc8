"""Rendered files against the engine's own schema, before anything is submitted and without the engine.

The schemas are data beside this module, made from the engines' own packages (each says from which); unknown fields
are problems. What only the engine knows (quotas, images, partitions) is left to it: `sbatch --test-only`,
`sky launch --dryrun`, `kubectl create --dry-run=server`.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.resources import files as resources
from typing import Any

from ftc.compiler.targets.options import Target
from ftc.compiler.targets.yaml_file import from_yaml
from ftc.spec.diagnostics import Diagnostic
from ftc.spec.suggest import did_you_mean

Json = Any

# Long options of `sbatch --help`, Slurm 22.05, that a batch script of ours may carry.
SBATCH_OPTIONS = frozenset(
    {"account", "array", "constraint", "cpus-per-task", "gpus-per-node", "job-name", "mem", "nodes", "ntasks-per-node"}
    | {"open-mode", "output", "partition", "qos", "requeue", "signal", "time"}
)
KINDS = frozenset({"TrainJob", "JobSet", "Job", "Service", "ConfigMap"})
# The body of POST /api/jobs/: ray 2.60.0 (PyPI, Apache-2.0), ray.dashboard.modules.job.common.JobSubmitRequest.
JOB_SUBMIT_REQUEST: Json = {
    "type": "object",
    "required": ["entrypoint"],
    "additionalProperties": False,
    "properties": {
        "entrypoint": {"type": "string", "minLength": 1},
        "submission_id": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
        "job_id": {"type": "string"},
        "runtime_env": {"type": "object"},
        "metadata": {"type": "object", "additionalProperties": {"type": "string"}},
        "entrypoint_num_cpus": {"type": "number", "minimum": 0},
        "entrypoint_num_gpus": {"type": "number", "minimum": 0},
        "entrypoint_memory": {"type": "integer", "minimum": 0},
        "entrypoint_resources": {"type": "object", "additionalProperties": {"type": "number"}},
        "entrypoint_label_selector": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}


def validate(files: Mapping[str, str], target: Target) -> list[Diagnostic]:
    """Every problem of the rendered files, with file and dotted key."""
    problems: list[Diagnostic] = []
    for name, content in files.items():
        match target, name.rsplit(".", 1)[-1]:
            case "slurm", _:
                problems += _sbatch(name, content)
            case "skypilot", _:
                problems += _documents(name, content, lambda _: _validator("skypilot"))
            case "kubernetes", _:
                problems += _documents(name, content, _validator_of_kind)
            case "ray", "json":
                problems += _against(_validator("ray"), json.loads(content), name)
            case "ray", "py":
                problems += _python(name, content)
    return problems


def _sbatch(name: str, content: str) -> list[Diagnostic]:
    """The header as sbatch reads it: lines of `--option=value`, up to the first line that is a command."""
    problems = []
    lines = content.split("\n")
    body = next((i for i, line in enumerate(lines) if line and not line.startswith("#")), len(lines))
    for number, line in enumerate(lines, 1):
        if not line.startswith("#SBATCH"):
            continue
        option = re.fullmatch(r"#SBATCH --([a-z-]+)(=\S+)?", line)
        if number > body:
            problems.append(_problem(name, "", "a #SBATCH line among the commands: sbatch ignores it", line=number))
        elif option is None:
            problems.append(_problem(name, "", f"not an option of sbatch: {line!r}", line=number))
        elif option[1] not in SBATCH_OPTIONS:
            hint = did_you_mean(option[1], SBATCH_OPTIONS)
            problems.append(_problem(name, option[1], f"unknown option --{option[1]}", hint, line=number))
    return problems


def _documents(name: str, content: str, validator_of: Callable[[Json], Any]) -> list[Diagnostic]:
    import yaml

    try:
        documents = list(from_yaml(content))
    except yaml.YAMLError as error:
        return [_problem(name, "", f"not YAML: {error}")]
    problems: list[Diagnostic] = []
    for document in documents:
        validator = validator_of(document)
        if validator is None:
            kind = document.get("kind") if isinstance(document, dict) else document
            problems.append(_problem(name, "kind", f"no schema for {kind!r}"))
        else:
            problems += _against(validator, document, name)
    return problems


def _validator_of_kind(document: Json) -> Any:
    """The one for an object of Kubernetes; None where there is no schema for its kind."""
    kind = document.get("kind") if isinstance(document, dict) else None
    return _validator("kubernetes", kind) if kind in KINDS else None


def _python(name: str, content: str) -> list[Diagnostic]:
    try:
        ast.parse(content)
    except SyntaxError as error:
        return [_problem(name, "", f"not Python: {error.msg}", line=error.lineno or 0)]
    return []


def _against(validator: Any, value: Json, name: str) -> Iterator[Diagnostic]:
    from jsonschema.exceptions import best_match

    for error in validator.iter_errors(value):
        deepest = best_match([error]) or error
        key = ".".join(str(part) for part in deepest.absolute_path)
        message = deepest.message if len(deepest.message) < 300 else f"{deepest.message[:300]}..."
        yield _problem(name, key, message)


@cache
def _validator(engine: str, kind: str | None = None) -> Any:
    from jsonschema import Draft202012Validator  # 80 ms; only checking pays for it

    if engine == "ray":
        return Draft202012Validator(JOB_SUBMIT_REQUEST)
    schema = json.loads((resources("ftc.compiler.targets") / f"{engine}.schema.json").read_text("utf-8"))
    return Draft202012Validator({"$ref": f"#/$defs/{kind}", "$defs": schema["$defs"]} if kind else schema)


def _problem(file: str, key: str, message: str, fix: str = "", line: int = 0) -> Diagnostic:
    return Diagnostic(code="R709", message=message, fix=fix, key=key, file=file, line=line)
