"""Where words go: results to stdout, everything said about them to stderr. Colour follows the terminal and NO_COLOR."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def write_json(value: Any) -> None:
    """The one JSON object of a `--json` call."""
    sys.stdout.write(json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def console(*, err: bool = False) -> Console:
    """A rich console (its import takes 40 ms, so only what renders for people asks for it)."""
    from rich.console import Console

    return Console(stderr=err, highlight=False, soft_wrap=True, emoji=False, markup=False)
