"""What has changed since a plan was compiled: data files and libraries. Each difference is one finding."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ftc.compiler.plan import Plan
from ftc.runtime.codes import diagnostic
from ftc.spec.data.digest import digest
from ftc.spec.diagnostics import Diagnostic

DATA = "data:"


def drift(plan: Plan, data_folder: Path) -> list[Diagnostic]:
    """Every difference between the plan and what is here now."""
    return [*_data(plan, data_folder), *_versions(plan)]


def _data(plan: Plan, folder: Path) -> Iterator[Diagnostic]:
    for key, wanted in sorted(plan.hashes.items()):
        if not key.startswith(DATA):
            continue
        path = folder / Path(key.removeprefix(DATA)).expanduser()
        try:
            here = digest(path)
        except OSError as error:
            yield diagnostic("R108", f"{path}: {error.strerror}", key=f"hashes.{key}")
            continue
        if here != wanted:
            yield diagnostic("R103", f"{path} has changed since the plan was compiled", key=f"hashes.{key}")


def _versions(plan: Plan) -> Iterator[Diagnostic]:
    for name, wanted in sorted(plan.versions.items()):
        try:
            here = version(name)
        except PackageNotFoundError:
            here = ""
        if wanted and here and here != wanted:
            yield diagnostic("R103", f"{name} is {here}, the plan was compiled for {wanted}", key=f"versions.{name}")


def missing_libraries(plan: Plan) -> list[str]:
    """Libraries of the training stack that are not installed here."""
    from importlib.util import find_spec

    names = {"torch", "transformers", "trl", "peft", "datasets", "accelerate"}
    if any(stage.arguments.get("quantization") or stage.arguments.get("quantize") for stage in plan.stages):
        names.add("bitsandbytes")
    return sorted(name for name in names if find_spec(name) is None)
