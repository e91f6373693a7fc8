"""From checked values to the `Spec`, with defaults filled in. Cannot fail: everything that can be wrong was refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from ftc.spec import model as values
from ftc.spec.language import Json
from ftc.spec.yaml_text import slug

Value = TypeVar("Value")
FORMATS = {"documents": "raw-documents"}  # two names of one format


def build(value: Mapping[str, Json], folder: Path) -> values.Spec:
    """The spec that `value` says. `folder` is where its file lies."""
    goal = dict(value["goal"])
    if "success" in goal:
        goal["success"] = _made(values.Success, goal["success"])
    return values.Spec(
        name=value.get("name") or slug(folder.resolve().name),
        folder=folder,
        version=int(value.get("version", 1)),
        goal=values.Goal(**goal),
        data=_data(value.get("data", {})),
        model=_made(values.Model, value.get("model", {})),
        hardware=_hardware(value.get("hardware", "local")),
        budget=_made(values.Budget, value.get("budget", {})),
        constraints=tuple(dict.fromkeys(value.get("constraints", ()))),
        deploy=_made(values.Deploy, value.get("deploy", {})),
        method=value.get("method", "auto"),
        overrides=dict(value.get("overrides", {})),
        seed=int(value.get("seed", 0)),
    )


def names_only(value: Mapping[str, Json], folder: Path) -> values.Spec:
    """As much of a spec that was refused as is needed to look up the names in it: its model and its hardware."""
    model, hardware = value.get("model"), value.get("hardware", "none")
    named = {key: model[key] for key in values.Model.__slots__ if key in model} if isinstance(model, dict) else {}
    if isinstance(hardware, dict):
        keys = (*values.Hardware.__slots__, "cloud")
        hardware = {key: _without_gaps(hardware[key]) for key in keys if key in hardware and key != "kind"}
    return values.Spec(
        name="",
        folder=folder,
        goal=values.Goal(task="chat"),
        model=_made(values.Model, named),
        hardware=_hardware(hardware if isinstance(hardware, dict | str) else "none"),
    )


def _without_gaps(value: Json) -> Json:
    """A list without the entries that were refused."""
    return [each for each in value if each is not None] if isinstance(value, list) else value


def _made(make: Callable[..., Value], value: Mapping[str, Json], /, **more: Json) -> Value:
    """A value of that kind with its numbers in the types it declares: `usd: 50` is 50.0, `rows: 1e3` is 1000."""
    declared: Mapping[str, str] = make.__annotations__
    exact = {
        key: _number(FORMATS.get(each, each) if key == "format" else each, declared[key]) for key, each in value.items()
    }
    return make(**exact, **more)


def _number(value: Json, declared: str) -> Json:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if declared.startswith("float"):
        return float(value)
    return int(value) if declared.startswith("int") else value


def _data(value: Mapping[str, Json]) -> values.Data:
    return values.Data(
        demonstrations=_sources(value.get("demonstrations")),
        feedback=_feedback(value["feedback"]) if "feedback" in value else None,
        corpus=_sources(value.get("corpus")),
        prompts=_sources(value.get("prompts")),
        reward_function=value.get("reward", {}).get("function"),
        reward_regex=value.get("reward", {}).get("regex"),
        reward_schema=value.get("reward", {}).get("json_schema"),
        evaluation=_evaluation(value.get("evaluation", {})),
        contains=tuple(dict.fromkeys(value.get("contains", ()))),
        licence=value.get("licence"),
    )


def _sources(value: Json) -> tuple[values.Source, ...]:
    if not value:
        return ()
    return tuple(_made(values.Source, each) for each in (value if isinstance(value, list) else [value]))


SOURCE_KEYS = frozenset(values.Source.__slots__)


def _feedback(value: Json) -> values.Feedback:
    """One set of feedback, or several that are read as one."""
    parts = value if isinstance(value, list) else [value]
    sources: list[values.Source] = []
    about: dict[str, Json] = {}
    for part in parts:
        source = {key: each for key, each in part.items() if key in SOURCE_KEYS}
        judged = part.get("positive", 0) + part.get("negative", 0)
        if "path" not in source and "rows" not in source and judged:
            source["rows"] = judged
        if "path" in source or "rows" in source:
            sources.append(_made(values.Source, source))
        for key, each in part.items():
            if key in ("positive", "negative"):
                about[key] = about.get(key, 0) + each
            elif key not in SOURCE_KEYS and not (key == "type" and each == "auto"):
                about.setdefault(key, each)
    return _made(values.Feedback, about, sources=tuple(sources))


def _evaluation(value: Mapping[str, Json]) -> values.Evaluation:
    source = {key: each for key, each in value.items() if key != "fraction"}
    return values.Evaluation(
        source=_made(values.Source, source) if "path" in source or "rows" in source else None,
        fraction=value.get("fraction"),
    )


def _hardware(value: Json) -> values.Hardware:
    if isinstance(value, str):
        return values.Hardware(kind="none" if value == "none" else "local")
    if not value:
        return values.Hardware()
    known = {key: each for key, each in value.items() if key not in ("cloud", "gpus")}
    if known.get("memory_gib") == 0:
        del known["memory_gib"]
    if "cloud" in value:
        if known.get("count") == 0:
            del known["count"]
        clouds, gpus = _several(value["cloud"]), _several(value.get("gpus", []))
        return _made(values.Hardware, known, kind="cloud", clouds=clouds, gpus=gpus)
    if known.get("count") == 0:
        known |= {"gpu": "none", "count": None}
    return _made(values.Hardware, known, kind="owned")


def _several(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(dict.fromkeys(value))
