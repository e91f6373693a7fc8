"""Writes report.json for scripts and report.html for people, from the plan and the journal. Loads no model."""

from __future__ import annotations

from typing import Any

from ftc.compiler.stages import Report
from ftc.runtime.context import Context
from ftc.runtime.report_facts import facts
from ftc.runtime.report_page import page
from ftc.runtime.run_folder import write_json, write_whole


def run(context: Context) -> dict[str, Any]:
    """Both files; the result names them."""
    told: Report = context.arguments
    found = facts(context.plan, context.run, context.past, samples=told.samples)
    write_json(context.run.report_json, found)
    write_whole(context.run.report_html, page(found).encode())
    return {"json": context.run.report_json.name, "html": context.run.report_html.name}
