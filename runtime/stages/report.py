"""Writes report.json for scripts, report.html for people and the card README.md, from plan and journal. No model."""

from __future__ import annotations

from typing import Any

from ftc.compiler.stages import Report
from ftc.runtime.card import card
from ftc.runtime.context import Context
from ftc.runtime.report_facts import facts
from ftc.runtime.report_page import page
from ftc.runtime.run_folder import write_json
from ftc.runtime.secrecy import clean
from ftc.spec.files import write_whole

CARD = "README.md"


def run(context: Context) -> dict[str, Any]:
    """All three; the card lies beside what was exported as well. The result names them."""
    told: Report = context.arguments
    found = clean(facts(context.plan, context.run, context.past, samples=told.samples))
    write_json(context.run.report_json, found)
    write_whole(context.run.report_html, page(found).encode())
    text = card(context.plan, found).encode()
    exported = str(found["export"].get("model", ""))
    for folder in (context.run.path, *([context.run.path / exported] if exported else [])):
        write_whole(folder / CARD, text)
    return {"card": CARD, "json": context.run.report_json.name, "html": context.run.report_html.name}
