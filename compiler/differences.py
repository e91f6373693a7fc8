"""Where two plans, or two specs, differ: each field with both values and where each value comes from.

Plans are compared by what they do: head, settings of every stage by its id, the whole estimate. The path to the verdict
and its losing candidates are left out; they follow from the rest. Specs are compared with their defaults filled in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from ftc.compiler.plan import Json, Plan
from ftc.spec.diagnostics import Diagnostic
from ftc.spec.load import Loaded

HEAD = ("name", "seed", "goal", "model", "data", "hardware", "budget", "hashes", "versions", "prices_as_of")
VERDICT = ("method", "adapter", "model", "flags", "confidence")
RANGE = {"low", "likely", "high"}
NOT_THERE = (
    None  # both for a field that one side lacks, and for one that is null: a plan has no other nulls that matter
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One field. An origin is empty where the side has no such field, or where nobody decided it."""

    key: str
    a: Json
    b: Json
    origin_a: str = ""
    origin_b: str = ""


Side = Mapping[str, tuple[Json, str]]  # key -> value and origin


def differences(a: Side, b: Side) -> list[Difference]:
    """The fields that differ, in the order of the first and then of the second."""
    nothing = (NOT_THERE, "")
    found = []
    for key in dict.fromkeys((*a, *b)):
        (one, from_one), (other, from_other) = a.get(key, nothing), b.get(key, nothing)
        if one != other:
            found.append(Difference(key=key, a=one, b=other, origin_a=from_one, origin_b=from_other))
    return found


def plan_side(plan: Plan) -> Side:
    """What a plan says, by dotted key."""
    whole = plan.to_json()
    head = {name: whole[name] for name in HEAD}
    head["verdict"] = {name: plan.verdict.get(name) for name in VERDICT}
    side = {key: (value, "") for key, value in _leaves(head)}
    side["stages"] = ([stage.id for stage in plan.stages], "")
    settings: Mapping[str, Mapping[str, str]] = plan.verdict.get("settings", {})
    for stage in whole["stages"]:
        for name, value in _leaves(stage["arguments"]):
            origin = settings.get(name, {}).get("origin") or stage["origins"].get(name.partition(".")[0], "")
            side[f"{stage['id']}.{name}"] = (value, origin)
    return side | {key: (value, "") for key, value in _leaves({"estimate": whole["estimate"]})}


def spec_side(loaded: Loaded) -> Side:
    """What a valid spec says, by dotted key; the origin is the line, or `default`."""
    if loaded.spec is None:
        raise ValueError("a spec that was refused says nothing")
    values = {name: value for name, value in asdict(loaded.spec).items() if name != "folder"}
    return {key: (value, _line(loaded, key)) for key, value in _leaves(values)}


def _line(loaded: Loaded, key: str) -> str:
    place = loaded.locate(Diagnostic(code="S190", message="", key=key))
    written = place.line and place.excerpt and key.rpartition(".")[2] in place.excerpt
    return f"{Path(place.file).name}:{place.line}" if written else "default"


def _leaves(value: Mapping[str, Json], before: str = "") -> Iterator[tuple[str, Json]]:
    """Every value that is not a mapping, with its dotted key. A range is one value; so is a list."""
    for name, inner in value.items():
        key = f"{before}{name}"
        if isinstance(inner, Mapping) and not set(inner) >= RANGE:
            yield from _leaves(inner, f"{key}.")
        else:
            yield key, inner
