"""A plan as the configuration of another tool, with a list of what that configuration cannot say.

    files, notes = export(plan, "axolotl")

The files name `data/train.jsonl` and `data/test.jsonl`: `rows.py` says in which form each tool reads rows, and
`ftc export` writes them, so that the other tool trains on exactly the rows that `ftc run` would.
"""

from __future__ import annotations

from ftc.compiler.exports.export import TOOLS, Tool, export
from ftc.compiler.exports.rows import portable

__all__ = ["TOOLS", "Tool", "export", "portable"]
