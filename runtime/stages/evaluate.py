"""Scores a model on held-out rows: what was there before (`baseline`), the result after (`evaluate`).

Both use this module, the same rows and the same comparison. How rows are scored depends on their form: `scoring/` has
one module a form, `run(context) -> result`, where the result has `rows` and `metrics` (each `value`, `low`, `high`) and,
for an evaluation, `changes` against the baseline of the same rows.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ftc.runtime.context import Context

FORMS: dict[str, str] = {
    "demonstrations": "ftc.runtime.scoring.answers",
}


def run(context: Context) -> dict[str, Any]:
    """Score by the form of the rows."""
    name = context.arguments.rows
    prepared = next(each for each in context.plan.stages if each.kind == "prepare" and each.arguments["rows"] == name)
    result: dict[str, Any] = import_module(FORMS[prepared.arguments["form"]]).run(context)
    return result
