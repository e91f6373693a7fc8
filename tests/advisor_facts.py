"""Facts for the advisor's tests: from a spec as YAML text, with the data described."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from ftc.advisor.decide import decide
from ftc.advisor.observe import observe
from ftc.advisor.values import Facts, Verdict
from ftc.spec.diagnostics import errors
from ftc.spec.load import load_text


def facts_of(spec: dict[str, Any]) -> Facts:
    """The facts of a spec that raises no error."""
    loaded = load_text(yaml.safe_dump({"version": 1, "name": "case", **spec}, sort_keys=False), "ftc.yaml", Path())
    assert loaded.spec is not None, loaded.diagnostics
    facts, diagnostics = observe(loaded.spec)
    assert facts is not None, errors(diagnostics)
    return facts
