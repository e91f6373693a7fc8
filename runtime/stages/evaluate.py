"""Scores a model on held-out rows: what was there before (`baseline`), the result after (`evaluate`).

Both use this module, the same rows and the same comparison. How rows are scored depends on their form: `scoring/` has
one module a form, `run(context) -> result`, where the result has `rows`, `metrics` (each `value`, `low`, `high`) and,
for an evaluation, `changes` against the baseline of the same rows. Probes look at the model loaded anew, whatever the
form of the rows.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ftc.runtime import probes
from ftc.runtime.context import Context
from ftc.runtime.scoring.answers import quantization_of

FORMS: dict[str, str] = {
    "demonstrations": "ftc.runtime.scoring.answers",
    "prompts": "ftc.runtime.scoring.prompts",
    "pairs": "ftc.runtime.scoring.pairs",
    "thumbs": "ftc.runtime.scoring.pairs",
    "documents": "ftc.runtime.scoring.texts",
}


def run(context: Context) -> dict[str, Any]:
    """Score by the form of the rows."""
    name = context.arguments.rows
    prepared = next(each for each in context.plan.stages if each.kind == "prepare" and each.arguments["rows"] == name)
    result: dict[str, Any] = import_module(FORMS[prepared.arguments["form"]]).run(context)
    if context.arguments.probes:
        quantized = quantization_of(context) if context.arguments.quantize else None
        result["probes"] = probes.run(context, quantized)
    return result
