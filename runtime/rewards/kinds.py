"""How an answer is judged, one function a kind: a program's verdict, made into a number.

Runs in the child alone. `answer`, `regex` and `json-schema` give 1 or 0; the user's function gives what it likes, as
long as it is a finite number. Knows nothing of models.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from inspect import signature
from pathlib import Path
from typing import Any

Judge = Callable[[Mapping[str, Any]], float]  # a case: prompt, completion, and the other fields of its row

# Where a final answer stands: `#### 42` (GSM8K), `\boxed{42}` (MATH), `Answer: 42`.
FINAL = (re.compile(r"####\s*(.+)"), re.compile(r"\\boxed\{([^{}]*)\}"), re.compile(r"(?i)\banswer\s*(?:is|:)\s*(.+)"))
NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?(?:[eE][-+]?\d+)?")
SAME_NUMBER = 1e-6  # of the larger one


class NoNumber(Exception):
    """The function returned something else than a finite number."""


def judge(kind: str, detail: str | None) -> Judge:
    """The judge of that kind. Raises whatever is wrong with the expression, the schema or the file."""
    if kind == "answer":
        return lambda case: float(right(str(case.get("answer") or ""), str(case["completion"])))
    if kind == "regex":
        pattern = re.compile(detail or "", re.DOTALL)
        return lambda case: float(pattern.fullmatch(str(case["completion"]).strip()) is not None)
    if kind == "json-schema":
        return _schema(detail or "{}")
    file, _, name = (detail or "").rpartition(":")
    return _function(Path(file), name)


def right(expected: str, completion: str) -> bool:
    """Does the completion end in the answer that was expected? Case, blanks, quotes and a final stop do not count.

    The whole completion is compared, then what stands after `####`, in `\\boxed{}` or after `Answer:`; where a number
    is expected, it is the first number there, and the last of a completion without such a mark. Of an expected answer
    with a mark, what stands there counts.
    """
    wanted = _final(expected)
    said = _final(completion)
    if _plain(completion) == _plain(wanted) or _plain(said) == _plain(wanted):
        return bool(_plain(wanted))
    number = _number(wanted)
    if number is None or NUMBER.fullmatch(_plain(wanted).lstrip("$").rstrip("%")) is None:
        return False
    found = _number(said, first=said is not completion)
    return found is not None and math.isclose(found, number, rel_tol=SAME_NUMBER)


def _final(text: str) -> str:
    for mark in FINAL:
        found = mark.findall(text)
        if found:
            return str(found[-1])
    return text


def _plain(text: str) -> str:
    return " ".join(text.split()).strip(" .\"'`").casefold()


def _number(text: str, *, first: bool = True) -> float | None:
    found = NUMBER.findall(text)
    return float(found[0 if first else -1].replace(",", "")) if found else None


def _schema(written: str) -> Judge:
    from jsonschema import validators

    schema = json.loads(written)
    checked = validators.validator_for(schema)
    checked.check_schema(schema)
    validator = checked(schema)

    def score(case: Mapping[str, Any]) -> float:
        try:
            value = json.loads(str(case["completion"]))
        except ValueError:
            return 0.0
        return float(validator.is_valid(value))

    return score


def _function(file: Path, name: str) -> Judge:
    import sys
    from importlib.util import module_from_spec, spec_from_file_location

    sys.path.append(str(file.parent))
    spec = spec_from_file_location("reward_of_the_user", file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no Python file")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    function = getattr(module, name)
    takes = signature(function).parameters.values()
    names = None if any(each.kind is each.VAR_KEYWORD for each in takes) else {each.name for each in takes}

    def score(case: Mapping[str, Any]) -> float:
        value = function(**{key: each for key, each in case.items() if names is None or key in names})
        if isinstance(value, bool):
            return float(value)
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise NoNumber(f"{name} returned {value!r:.80}") from None
        if not math.isfinite(number):
            raise NoNumber(f"{name} returned {number}")
        return number

    return score
