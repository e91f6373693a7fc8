"""Reading a plan back from disk: every problem at once, none of them a traceback."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from ftc.compiler.plan import SCHEMA_VERSION, Plan
from ftc.compiler.stages import read_arguments
from ftc.spec.diagnostics import Diagnostic

MAX_BYTES = 64 * 2**20  # a plan is some tens of kilobytes; what is larger than this is something else


@cache
def plan_schema() -> dict[str, Any]:
    """The JSON Schema of plans."""
    schema: dict[str, Any] = json.loads((files("ftc.compiler") / "plan.schema.json").read_text("utf-8"))
    return schema


def load_plan(path: Path) -> tuple[Plan | None, list[Diagnostic]]:
    """The plan in `path`, or what is wrong with it."""
    file = str(path)
    if not path.is_file():
        fix = "`ftc compile` writes one" if not path.exists() else "name the file, not its folder"
        return None, [Diagnostic(code="R001", message=f"no such plan: {file}", fix=fix, file=file)]
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"larger than {MAX_BYTES >> 20} MiB")
        value = json.loads(path.read_bytes(), parse_constant=_no_number)
        json.dumps(value, ensure_ascii=False).encode()  # half of a surrogate pair is no text
    except (OSError, ValueError, RecursionError) as error:
        line, column = getattr(error, "lineno", 0), getattr(error, "colno", 0)
        message = f"not a plan: {error}"
        fix = "`ftc compile` writes it anew"
        return None, [Diagnostic(code="R002", message=message, fix=fix, file=file, line=line, column=column)]
    if isinstance(value, dict) and isinstance(value.get("schema"), int) and value["schema"] != SCHEMA_VERSION:
        message = f"the plan's schema is {value['schema']}, this ftc reads {SCHEMA_VERSION}"
        return None, [Diagnostic(code="R004", message=message, fix="`ftc compile` writes it anew", file=file)]
    problems = [*_schema_problems(value, file)]
    if problems:
        return None, problems
    for index, stage in enumerate(value["stages"]):
        try:
            read_arguments(stage["kind"], stage["arguments"])
        except (TypeError, KeyError) as error:
            text = str(error).split(".__init__() ")[-1]
            problems.append(
                Diagnostic(code="R003", message=f"stage {stage['id']}: {text}", key=f"stages.{index}", file=file)
            )
    if not problems:
        plan = Plan.from_json(value)
        problems = [*_loose_ends(plan, file)]
    return (None, problems) if problems else (plan, [])


NAMING = ("model", "start_from", "stage", "judge", "prompt")  # arguments that name an earlier stage


def _loose_ends(plan: Plan, file: str) -> Iterator[Diagnostic]:
    """Stages that are named and are not there, or not yet."""
    known: set[str] = set()
    prepared: set[str] = set()
    for index, stage in enumerate(plan.stages):
        named = {name: stage.arguments[name] for name in NAMING if isinstance(stage.arguments.get(name), str)}
        missing = [f"{name}: {value}" for name, value in named.items() if value not in known and value != "base"]
        missing += [f"needs: {value}" for value in stage.needs if value not in known]
        rows = stage.arguments.get("rows")
        if stage.kind == "prepare":
            prepared.add(str(rows))
        elif rows is not None and rows not in prepared:
            missing.append(f"rows: {rows}")
        unexplained = sorted(stage.arguments.keys() ^ stage.origins.keys())
        if unexplained:
            message = f"stage {stage.id}: arguments and origins differ in {', '.join(unexplained)}"
            yield Diagnostic(code="R003", message=message, key=f"stages.{index}.origins", file=file)
        if stage.id in known:
            missing.append(f"id: {stage.id} a second time")
        known.add(stage.id)
        for each in missing:
            message = f"stage {stage.id}: no earlier stage for {each}"
            yield Diagnostic(code="R003", message=message, key=f"stages.{index}", file=file)
        if stage.kind == "prepare" and not re.fullmatch(r"[a-z][a-z0-9-]{0,31}", str(rows)):
            message = f"stage {stage.id}: not a name: {rows!r}"
            yield Diagnostic(code="R003", message=message, key=f"stages.{index}", file=file)


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number of JSON")


def _schema_problems(value: object, file: str) -> list[Diagnostic]:
    from jsonschema import Draft202012Validator  # 80 ms; only commands that read a plan pay for it

    return [
        Diagnostic(
            code="R003",
            message=each.message if len(each.message) < 200 else f"{each.message[:200]}...",
            key=".".join(str(part) for part in each.absolute_path),
            file=file,
        )
        for each in Draft202012Validator(plan_schema()).iter_errors(value)
    ]
