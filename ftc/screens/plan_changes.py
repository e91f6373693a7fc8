"""What differs between the plan on disk and the plan as it stands, value by value."""

from __future__ import annotations

import json
from typing import Any

from textual.content import Content

from ftc.screens.figures import BAD, DIM, GOOD, STRONG, WARN, Parts, cut
from ftc.screens.session import Session, differing

LONGEST = 60  # characters of a value
QUIET = ("verdict.", "hashes.", "prices_as_of", "schema")  # said in a line of their own, not value by value


def flat(value: Any, key: str = "") -> dict[str, Any]:
    """Every value of a plan by dotted key; stages by their id."""
    if isinstance(value, dict):
        inner = [(f"{key}.{name}" if key else str(name), each) for name, each in value.items()]
    elif isinstance(value, list) and value and all(isinstance(each, dict) and "id" in each for each in value):
        inner = [(f"{key}.{each['id']}" if key else each["id"], each) for each in value]
    else:
        return {key: value}
    found: dict[str, Any] = {}
    for name, each in inner:
        found |= flat(each, name)
    return found


def comparison(session: Session) -> Content:
    """Raises Refused where there is no plan as it stands."""
    plan, path = session.plan(), session.plan_path
    if not path.is_file():
        return Content(f"there is no {path} yet; a writes it")
    try:
        before = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        return Content(f"{path} is not a plan: {error}")
    return changes(before, plan.to_json())


def changes(before: dict[str, Any], after: dict[str, Any]) -> Content:
    """Both values of every key that differs; estimates and arguments first, hashes and the trace summed up."""
    found = differing(flat(before), flat(after))
    if not found:
        return Content("no difference")
    loud = {key: both for key, both in found.items() if not key.startswith(QUIET) and ".origins." not in key}
    parts: Parts = []
    for key, (was, now) in sorted(loud.items()):
        sign, style = ("-", BAD) if now is None else ("+", GOOD) if was is None else ("~", WARN)
        parts += [
            (f"{sign} ", style),
            (f"{key}\n", STRONG),
            ("    ", ""),
            (_said(was), DIM),
            (" → ", ""),
            (_said(now), ""),
            ("\n", ""),
        ]
    quiet = len(found) - len(loud)
    if quiet:
        parts.append((f"\n{quiet} more in the verdict, the hashes and the origins\n", DIM))
    return Content.assemble(*parts)


def _said(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, float):
        return f"{value:.6g}"
    return cut(json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value, LONGEST)
