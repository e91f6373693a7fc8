"""Write the schemas that `ftc.compiler.targets.validate` checks against, from the engines' own PyPI packages.

    python3 -m venv /tmp/engines
    /tmp/engines/bin/pip install skypilot==0.14.1 kubeflow_trainer_api==2.3.0 kubernetes-validate==1.37.0
    /tmp/engines/bin/python benchmarks/interop/vendor_schemas.py compiler/targets

The packages take half a gigabyte and seconds to import, so ftc ships what it needs of them as data. Descriptions are
left out; every object with named fields is closed, as `kubectl --validate=strict` and `sky` treat it.
"""

from __future__ import annotations

import json
import re
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

Json = Any
DROPPED = {"description", "title", "default", "example", "$schema", "format"}
ROOTS = {
    "TrainJob": ("trainer.kubeflow.org/v1alpha1", "trainer.v1alpha1.TrainJob"),
    "JobSet": ("jobset.x-k8s.io/v1alpha2", "jobset.v1alpha2.JobSet"),
    "Job": ("batch/v1", "io.k8s.api.batch.v1.Job"),
    "Service": ("v1", "io.k8s.api.core.v1.Service"),
    "ConfigMap": ("v1", "io.k8s.api.core.v1.ConfigMap"),
}
# The API server's rule for names (RFC 1123 labels), which no schema of these objects has.
NAMED = {"name": {"pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63}}
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def main(folder: Path) -> None:
    write(folder / "skypilot.schema.json", skypilot())
    write(folder / "kubernetes.schema.json", kubernetes())


def write(path: Path, schema: Json) -> None:
    path.write_text(json.dumps(schema, indent=1, sort_keys=True) + "\n", "utf-8")
    print(f"{path}  {path.stat().st_size:,} bytes")


# --- SkyPilot -----------------------------------------------------------------------------------------------------


def skypilot() -> Json:
    """The task, with the schemas of its parts put in where SkyPilot checks them by separate calls."""
    schemas = import_module("sky.utils.schemas")
    task = plain(schemas.get_task_schema())
    task["properties"]["secrets"] = schemas.get_task_schema()["properties"]["secrets"]  # null: taken from the caller
    mount = {"anyOf": [{"type": "string"}, plain(schemas.get_storage_schema())]}
    task["properties"]["resources"] = plain(schemas.get_resources_schema())
    task["properties"]["file_mounts"] = {"type": "object", "additionalProperties": mount}
    # Fields that SkyPilot writes into its own copies of a task; a file that a user brings has no business with them.
    for name in [name for name in task["properties"] if name.startswith("_")]:
        del task["properties"][name]
    packages = [f"skypilot {version('skypilot')} (PyPI, Apache-2.0): sky.utils.schemas"]
    return {"$schema": DIALECT, "$comment": header(packages), **task}


# --- Kubernetes ---------------------------------------------------------------------------------------------------


def kubernetes() -> Json:
    """TrainJob, JobSet, Job, Service and ConfigMap: `$defs/<Kind>`, and what they refer to."""
    core = core_definitions()
    models = kubeflow_definitions()
    known = core | models
    wanted: dict[str, Json] = {}
    todo = [name for _, name in ROOTS.values()]
    while todo:
        name = todo.pop()
        if name in wanted:
            continue
        wanted[name] = known[name]
        todo += re.findall(r'"#/\$defs/([^"]+)"', json.dumps(known[name]))
    for kind, (group, name) in ROOTS.items():
        wanted[kind] = {
            "allOf": [{"$ref": f"#/$defs/{name}"}],
            "required": ["apiVersion", "kind", "metadata", *(["spec"] if kind != "ConfigMap" else [])],
            "properties": {"apiVersion": {"const": group}, "metadata": {"required": ["name"], "properties": NAMED}},
        }
    packages = [
        f"kubernetes-validate {version('kubernetes-validate')} (PyPI, Apache-2.0): v1.37.0-local-strict",
        f"kubeflow_trainer_api {version('kubeflow_trainer_api')} (PyPI, Apache-2.0): its pydantic models",
    ]
    return {"$schema": DIALECT, "$comment": header(packages), "$defs": wanted}


def core_definitions() -> dict[str, Json]:
    folder = Path(str(import_module("kubernetes_validate").__file__)).parent / "kubernetes-json-schema"
    file = folder / "v1.37.0-local-strict" / "_definitions.json"
    definitions = json.loads(file.read_text("utf-8"))["$defs"]
    closed = {name: closed_object(plain(value)) for name, value in definitions.items()}
    quantity = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$"
    closed["io.k8s.apimachinery.pkg.api.resource.Quantity"] = {"type": ["string", "number"], "pattern": quantity}
    return closed


def kubeflow_definitions() -> dict[str, Json]:
    """The pydantic models as JSON Schema, with Kubernetes' own types taken from Kubernetes' own schema."""
    found: dict[str, Json] = {}
    for name in ("TrainerV1alpha1TrainJob", "JobsetV1alpha2JobSet"):
        schema = getattr(import_module("kubeflow_trainer_api.models"), name).model_json_schema(by_alias=True)
        found |= schema.pop("$defs")
        found[name] = schema
    text = json.dumps({name: closed_object(plain(schema)) for name, schema in found.items()})
    text = re.sub(r"#/\$defs/(\w+)", lambda match: f"#/$defs/{dotted(match[1])}", text)
    return {dotted(name): schema for name, schema in json.loads(text).items() if not name.startswith("IoK8s")}


def dotted(model: str) -> str:
    """`IoK8sApiCoreV1EnvVar` -> `io.k8s.api.core.v1.EnvVar`: the name that Kubernetes has for it."""
    prefixes = {
        "IoK8sApimachineryPkgApisMetaV1": "io.k8s.apimachinery.pkg.apis.meta.v1.",
        "IoK8sApimachineryPkgApiResource": "io.k8s.apimachinery.pkg.api.resource.",
        "IoK8sApimachineryPkgUtilIntstr": "io.k8s.apimachinery.pkg.util.intstr.",
        "IoK8sApiAutoscalingV2": "io.k8s.api.autoscaling.v2.",
        "IoK8sApiBatchV1": "io.k8s.api.batch.v1.",
        "IoK8sApiCoreV1": "io.k8s.api.core.v1.",
        "TrainerV1alpha1": "trainer.v1alpha1.",
        "JobsetV1alpha2": "jobset.v1alpha2.",
    }
    for prefix, name in prefixes.items():
        if model.startswith(prefix):
            return name + model.removeprefix(prefix)
    raise ValueError(f"no Kubernetes name for {model}")


# --- both ---------------------------------------------------------------------------------------------------------


def plain(value: Json) -> Json:
    """Without prose, without `or null` (no file of ours writes null but where a schema wants it), and with SkyPilot's
    own keyword for enumerations without case as a standard pattern."""
    if isinstance(value, list):
        return [plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    either = value.get("anyOf", [])
    if len(either) == 2 and {"type": "null"} in either:
        return plain(next(each for each in either if each != {"type": "null"}))
    out = {}
    for key, each in value.items():
        if key == "properties":
            out[key] = {name: plain(schema) for name, schema in each.items()}
        elif key in ("case_insensitive_enum", "case_sensitive_enum"):
            flag = "i" if key == "case_insensitive_enum" else ""
            out["pattern"] = f"^(?{flag}:{'|'.join(re.escape(word) for word in each)})$"
        elif key == "$ref":
            out[key] = re.sub(r"^.*#/(\$defs|definitions)/", "#/$defs/", each)
        elif key == "type" and isinstance(each, list) and len(each) == 2 and each[1] == "null":
            out[key] = each[0]
        elif key not in DROPPED and not key.startswith("x-"):
            out[key] = plain(each)
    return out


def closed_object(schema: Json) -> Json:
    """Objects with named fields take no others."""
    if isinstance(schema, list):
        return [closed_object(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    out = {key: closed_object(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and "additionalProperties" not in schema:
        out["additionalProperties"] = False
    return out


def header(packages: list[str]) -> str:
    return f"Made by benchmarks/interop/vendor_schemas.py from {'; '.join(packages)}."


if __name__ == "__main__":
    main(Path(sys.argv[1]))
