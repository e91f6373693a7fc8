"""What a check is told of an answer: the arguments of the user's `score(prompt, completion, answer=None, **row)`.

`prompt` is the last question as text, `completion` the answer; `answer` and `tests` come where the row has them,
`messages` is the whole conversation before the answer, `place` where the row stands in the user's files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def case(row: Mapping[str, Any], completion: str) -> dict[str, Any]:
    """A row in the form `prompts`, with an answer to it."""
    known = {name: row[name] for name in ("answer", "tests") if name in row}
    messages = list(row["prompt"])
    asked = messages[-1]["content"] if messages else ""
    return {"prompt": asked, "completion": completion, "messages": messages, "place": row["place"], **known}
