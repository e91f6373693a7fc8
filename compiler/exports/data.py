"""The rows that a plan trains on and scores on, split as `ftc run` splits them, for a tool that reads files.

Reads the plan's sources from disk, which an export has to; what cannot be used comes back as findings.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ftc.compiler.exports.recipe import TEST_FILE, TRAIN_FILE
from ftc.compiler.exports.rows import portable
from ftc.compiler.plan import Plan
from ftc.spec.diagnostics import Diagnostic, Severity
from ftc.spec.model import Source
from ftc.spec.rows import Row


def data_files(plan: Plan, tool: str, folder: Path) -> tuple[dict[str, str], list[Diagnostic]]:
    """`data/train.jsonl` and `data/test.jsonl`. `folder` is the plan's: sources are relative to it."""
    from ftc.spec.split import split  # with spec.read 50 ms: only an export that writes rows pays for it

    told = next((stage.arguments for stage in plan.stages if stage.kind == "prepare"), None)
    if told is None:
        return {}, []
    rows, findings = _read(told["sources"], folder, told["role"])
    if told["evaluation"]:
        train = rows
        held_out, more = _read([told["evaluation"]], folder, "evaluation")
        findings += more
    else:
        train, held_out = split(rows, told["held_out_rows"], plan.seed, told["stratify"])
    weighted = [each["path"] for each in told["sources"] if each["weight"] != 1.0]
    if weighted:
        message = f"every row is written once; the plan draws {', '.join(weighted)} by weight"
        findings.append(Diagnostic(code="R720", severity=Severity.NOTE, message=message, key="prepare.sources"))
    return {TRAIN_FILE: _lines(train, tool), TEST_FILE: _lines(held_out, tool)}, findings


def _read(sources: Iterable[Mapping[str, Any]], folder: Path, role: str) -> tuple[list[Row], list[Diagnostic]]:
    from ftc.spec.read import read

    rows: list[Row] = []
    findings: list[Diagnostic] = []
    for each in sources:
        names = ("path", "format", "columns", "weight", "group_by")
        reading = read(Source(**{name: each[name] for name in names}), folder, role)
        rows += reading.rows
        findings += reading.findings
    return rows, findings


def _lines(rows: Iterable[Row], tool: str) -> str:
    written = (json.dumps(each, ensure_ascii=False) for row in rows for each in portable(row, tool))
    return "".join(f"{line}\n" for line in written)
