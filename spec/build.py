"""From checked values to the `Spec`, with defaults filled in. Cannot fail: everything that can be wrong was refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ftc.spec import model as values
from ftc.spec.complaints import slug
from ftc.spec.language import Json


def build(value: Mapping[str, Json], folder: Path) -> values.Spec:
    """The spec that `value` says. `folder` is where its file lies."""
    goal = dict(value["goal"])
    if "success" in goal:
        goal["success"] = values.Success(**goal["success"])
    return values.Spec(
        name=value.get("name") or slug(folder.resolve().name),
        folder=folder,
        version=value.get("version", 1),
        goal=values.Goal(**goal),
        data=_data(value.get("data", {})),
        model=values.Model(**value.get("model", {})),
        hardware=_hardware(value.get("hardware", "local")),
        budget=values.Budget(**value.get("budget", {})),
        constraints=tuple(dict.fromkeys(value.get("constraints", ()))),
        deploy=values.Deploy(**value.get("deploy", {})),
        method=value.get("method", "auto"),
        overrides=dict(value.get("overrides", {})),
        seed=value.get("seed", 0),
    )


def _data(value: Mapping[str, Json]) -> values.Data:
    return values.Data(
        demonstrations=_sources(value.get("demonstrations")),
        feedback=_feedback(value["feedback"]) if "feedback" in value else None,
        corpus=_sources(value.get("corpus")),
        prompts=_sources(value.get("prompts")),
        reward_function=value.get("reward", {}).get("function"),
        evaluation=_evaluation(value.get("evaluation", {})),
        contains=tuple(dict.fromkeys(value.get("contains", ()))),
        licence=value.get("licence"),
    )


def _sources(value: Json) -> tuple[values.Source, ...]:
    if not value:
        return ()
    return tuple(values.Source(**each) for each in (value if isinstance(value, list) else [value]))


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
            sources.append(values.Source(**source))
        for key, each in part.items():
            if key in ("positive", "negative"):
                about[key] = about.get(key, 0) + each
            elif key not in SOURCE_KEYS and not (key == "type" and each == "auto"):
                about.setdefault(key, each)
    return values.Feedback(sources=tuple(sources), **about)


def _evaluation(value: Mapping[str, Json]) -> values.Evaluation:
    source = {key: each for key, each in value.items() if key != "fraction"}
    return values.Evaluation(
        source=values.Source(**source) if "path" in source or "rows" in source else None,
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
        known.pop("count", None) if known.get("count") == 0 else None
        return values.Hardware(
            kind="cloud", clouds=_several(value["cloud"]), gpus=_several(value.get("gpus", [])), **known
        )
    if known.get("count") == 0:
        known |= {"gpu": "none", "count": None}
    return values.Hardware(kind="owned", **known)


def _several(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(dict.fromkeys(value))
