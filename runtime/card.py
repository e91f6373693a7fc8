"""The model card README.md, from the facts of a report: data, method, numbers, licence, decision, limits.

What users wrote goes in as text: a line of it cannot become a heading, a table or a part of the front matter.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from ftc.compiler.plan import Plan
from ftc.runtime.report_page import metric_name, number, signed

TEMPLATE = "card.md.j2"
_MARKS = re.compile(r"([\\`*_{}\[\]<>#|])")


def card(plan: Plan, facts: Mapping[str, Any]) -> str:
    """The card."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    environment = SandboxedEnvironment(
        autoescape=False, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters |= {
        "metric": metric_name, "number": number, "interval": _interval, "change": _change, "line": _line,
        "yaml": json.dumps,  # a JSON string is one of YAML
    }  # fmt: skip
    licence = {
        "model": plan.model.get("licence") or "",
        "duties": plan.model.get("duties", []),
        "data": plan.data.get("licence") or "",
        "data_restriction": plan.data.get("restriction", ""),
    }
    template = environment.from_string(files("ftc.runtime").joinpath(TEMPLATE).read_text("utf-8"))
    text = template.render(
        report={**facts, "licence": licence},
        prompted=facts["decision"]["method"] == "prompt",
        sources=_sources(plan),
        contains=plan.data.get("contains", []),
    )
    return re.sub(r"\n{3,}", "\n\n", text)


def _sources(plan: Plan) -> list[str]:
    """The files by name, without the folders of whoever trained."""
    found = [
        str(source["path"]).replace("\\", "/").rpartition("/")[2].replace("`", "'")
        for stage in plan.stages
        if stage.kind == "prepare"
        for source in (
            *stage.arguments["sources"],
            *([stage.arguments["evaluation"]] if stage.arguments["evaluation"] else []),
        )
    ]
    return list(dict.fromkeys(found))


def _interval(value: Mapping[str, float] | None) -> str:
    """`0.93 (0.91 to 0.95)`."""
    if not value:
        return "–"
    return f"{number(value['value'])} ({number(value['low'])} to {number(value['high'])})"


def _change(value: Mapping[str, Any] | None) -> str:
    """`+0.32 (+0.29 to +0.35)`, and whether that may be chance."""
    if not value:
        return "–"
    noise = "" if value.get("significant", value["low"] > 0 or value["high"] < 0) else ", may be chance"
    return f"{signed(value['value'])} ({signed(value['low'])} to {signed(value['high'])}){noise}"


def _line(text: str) -> str:
    """One line of plain text, with nothing in it that Markdown would read."""
    return _MARKS.sub(r"\\\1", " ".join(str(text).split()))
