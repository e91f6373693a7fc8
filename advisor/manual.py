"""The manual of the rules: one page a code, read from the rule's own docstring, and all of them as one document.

`docs/rules.md` is `document()`; a test keeps it so. Run `python -m ftc.advisor.manual > docs/rules.md` to renew it.
"""

from __future__ import annotations

import sys

from ftc.advisor.rules.finding import HEADINGS
from ftc.advisor.rules.registry import RULES, Rule, sections

CHAPTERS = (
    ("step", "The path through the tree", "Questions, in the order in which they are asked."),
    ("outcome", "What comes of it", "Steps that are known only once candidates have been weighed."),
    ("warning", "Warnings", "Each raises the flag that its heading names."),
    ("setting", "Settings", "Each fills in the hyper-parameter that its heading names; `overrides` win over them."),
)


def codes() -> list[str]:
    """The code of every rule of the advisor, sorted."""
    return sorted(rule.code for rule in RULES)


def explain(code: str) -> str:
    """The page of one rule, as text for a terminal. Raises KeyError where there is no such code."""
    rule = _by_code()[code.upper()]
    lines = [f"{rule.code}  {rule.title}"]
    if rule.name:
        lines.append(f"{'flag' if rule.kind == 'warning' else 'setting'}: {rule.name}")
    for heading, text in _page(rule).items():
        lines += ["", heading, *(f"  {line}".rstrip() for line in text.splitlines())]
    return "\n".join(lines)


def document() -> str:
    """All rules as one Markdown document."""
    parts = [
        "# The rules of the advisor",
        "",
        "Generated from the rules themselves (`python -m ftc.advisor.manual`); do not edit. A code keeps its meaning "
        "for good. `ftc explain CODE` prints one page. Evidence that opens with *Rule of thumb* is ours and says so.",
    ]
    for kind, title, said in CHAPTERS:
        parts += ["", f"## {title}", "", said]
        for rule in sorted((each for each in RULES if each.kind == kind), key=lambda each: each.code):
            parts += ["", *_chapter(rule)]
    return "\n".join(parts) + "\n"


def _chapter(rule: Rule) -> list[str]:
    """One rule in Markdown."""
    name = f" `{rule.name}`" if rule.name else ""
    lines = [f"### {rule.code}{name}: {rule.title}"]
    for heading, text in _page(rule).items():
        lines += ["", f"**{heading}**", "", text]
    return lines


def _page(rule: Rule) -> dict[str, str]:
    """The sections of a rule's page, in the manual's order."""
    found = sections(rule.function.__doc__ or "")
    return {heading: found[heading] for heading in HEADINGS if heading in found}


def _by_code() -> dict[str, Rule]:
    return {rule.code: rule for rule in RULES}


if __name__ == "__main__":
    sys.stdout.write(document())
