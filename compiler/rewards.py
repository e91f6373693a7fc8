"""How answers are rewarded by a program, from what the spec says and from the form of its rows."""

from __future__ import annotations

import json
from pathlib import Path

from ftc.compiler.inputs import Inputs
from ftc.compiler.rows import Rows, rows_of
from ftc.compiler.stages import Check
from ftc.spec.data.digest import digest
from ftc.spec.diagnostics import Diagnostic, Refused
from ftc.spec.read import read

SECONDS = 10.0  # for a batch of answers; a unit test that takes longer hangs
MEMORY_MIB = 1024  # a Python process with the standard library takes 20


def check_of(inputs: Inputs) -> Check:
    """The check. Raises Refused (M904, exit code 3) where nothing says what a good answer is."""
    data = inputs.facts.spec.data
    if data.reward_function:
        file, _, function = data.reward_function.rpartition(":")
        return _check("function", f"{inputs.path(file)}:{function}")
    if data.reward_regex:
        return _check("regex", data.reward_regex)
    if data.reward_schema:
        return _check("json-schema", _schema(inputs.facts.spec.folder / data.reward_schema))
    rows = rows_of(inputs.facts, "prompts", inputs.verdict.method)
    form = rows.profile.format if rows else ""
    if form == "prompts-with-tests":
        return _check("tests" if _has_tests(inputs, rows) else "answer", None)
    if form in ("question-final-answer", "qa", "prompt-completion", "text-label"):
        return _check("answer", None)
    message = "nothing says how an answer is checked"
    fix = "give data.reward (a function, a regex or a json_schema), or rows with an `answer` or `tests` column"
    raise Refused([Diagnostic(code="M904", message=message, fix=fix, key="data.reward")], 3)


def function_file(inputs: Inputs) -> tuple[str, str] | None:
    """The file of the user's function as the plan names it, and its hash: a changed reward is another run."""
    written = inputs.facts.spec.data.reward_function
    if not written:
        return None
    file = written.rpartition(":")[0]
    return inputs.path(file), digest(inputs.facts.spec.folder / Path(file).expanduser())


def _schema(path: Path) -> str:
    """The schema in one line, as the plan keeps it."""
    return json.dumps(json.loads(path.expanduser().read_bytes()))


def _has_tests(inputs: Inputs, rows: Rows | None) -> bool:
    """Rows of that format have tests, or an answer alone; their columns say which."""
    folder = inputs.facts.spec.folder
    return rows is not None and any("tests" in read(each, folder, rows.role).columns for each in rows.sources)


def _check(kind: str, detail: str | None) -> Check:
    return Check(kind=kind, detail=detail, seconds=SECONDS, memory_mib=MEMORY_MIB)  # type: ignore[arg-type]
