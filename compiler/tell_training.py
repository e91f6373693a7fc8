"""What the training stages are told: the advisor's settings for that stage, spelled out, each with its origin."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from ftc.advisor.calibration import basis
from ftc.advisor.values import Setting, StageEstimate
from ftc.compiler import stages as told
from ftc.compiler.inputs import Inputs
from ftc.compiler.plan import Stage
from ftc.compiler.rewards import check_of
from ftc.compiler.told import share_of, written

SIGMOID = ["sigmoid"]  # the loss of the paper. Rafailov et al. 2023, arXiv 2305.18290
GROUPED = ("lora", "quantization")


def train(inputs: Inputs, kind: str, rows: Stage, *, start: Stage | None = None, judge: Stage | None = None) -> Stage:
    """One training stage. `start` is where it begins, the base unless given; `judge` the reward model of a policy."""
    adapter = inputs.verdict.adapter
    found = settings_of(inputs, kind)
    values: dict[str, Any] = {name: setting.value for name, setting in found.items()}
    origins = {name: setting.origin for name, setting in found.items()}
    for group in GROUPED:
        names = [name for name in values if name.startswith(f"{group}.")]
        said = (f"{name.removeprefix(f'{group}.')}: {origins[name]}" for name in sorted(names))
        origins[group] = "; ".join(said) or "verdict"
        values[group] = {name.removeprefix(f"{group}."): values[name] for name in names} or None
    values |= {
        "rows": rows.arguments["rows"],
        "adapter": adapter,
        "start_from": start.id if start else "base",
        "neftune_alpha": values.get("neftune_alpha"),
        "early_stopping_patience": values.get("early_stopping_patience"),
        **_placed(inputs, kind),
        **_extra(inputs, kind, judge),
    }
    origins |= dict.fromkeys(("nodes", "processes", "sharding", "offload"), "search: the setup that fits")
    origins |= dict.fromkeys(("rows", "adapter", "start_from", "judge", "precompute_reference"), "verdict")
    origins["check"] = "spec data.reward, data.feedback"
    wanted = [each.name for each in fields(told.ARGUMENTS[kind])]
    arguments = told.read_arguments(kind, {name: values[name] for name in wanted if name in values})
    needs = tuple(dict.fromkeys([rows.id, *(each.id for each in (start, judge) if each)]))
    return written(kind, arguments, needs=needs, origins=origins, estimate=_estimate(inputs, kind))


def _placed(inputs: Inputs, kind: str) -> dict[str, Any]:
    """On how many processes, and how the model is spread over them."""
    stage = _stage(inputs, kind)
    if stage is None:
        raise ValueError(f"nothing was weighed for {kind}")
    setup = stage.setup
    return {
        "nodes": setup.nodes, "processes": setup.devices, "sharding": setup.sharding, "offload": setup.offload,
    }  # fmt: skip


def _extra(inputs: Inputs, kind: str, judge: Stage | None) -> dict[str, Any]:
    """What only that kind of stage is told and no rule of the advisor settles."""
    full = inputs.verdict.adapter == "full"
    if kind == "dpo":
        return {"loss_type": SIGMOID, "label_smoothing": 0.0, "precompute_reference": full}
    if kind == "kto":
        return {"precompute_reference": full}
    if kind in ("grpo", "rloo"):
        check = check_of(inputs) if judge is None else None
        return {"check": told.write_arguments(check) if check else None, "judge": judge.id if judge else None}
    return {}


def settings_of(inputs: Inputs, kind: str) -> dict[str, Setting]:
    """The settings of one stage by plain names; those of a stage's own kind lose their prefix (`dpo.beta`: `beta`)."""
    own = "grpo" if kind == "rloo" else kind
    main = _main(inputs) == kind
    found: dict[str, Setting] = {}
    for key, setting in inputs.verdict.settings.items():
        stage, _, name = key.partition(".")
        if main and stage not in told.ARGUMENTS:
            found[key] = setting
        elif stage in (kind, own) and name:
            found[name] = setting
    return found


def first_of(inputs: Inputs, kind: str, name: str) -> Setting:
    """A setting of the stage of that kind, or of the main stage where there is none of that kind."""
    found = settings_of(inputs, kind).get(name)
    return found or settings_of(inputs, _main(inputs))[name]


def _main(inputs: Inputs) -> str:
    """The stage that has the plain keys."""
    setup = inputs.chosen.setup
    return setup.objective if setup else ""


def _stage(inputs: Inputs, kind: str) -> StageEstimate | None:
    return next((each for each in inputs.chosen.stages if each.setup.objective == kind), None)


def _estimate(inputs: Inputs, kind: str) -> dict[str, Any]:
    stage = _stage(inputs, kind)
    if stage is None:
        return {}
    parts = stage.time.parts_hours
    hours = sum(value for name, value in parts.items() if name != "evaluation")
    machine = inputs.chosen.machine
    from_what = {"basis": dict(basis(machine.device, stage.setup, stage.memory, stage.time))} if machine else {}
    return {**share_of(inputs, hours), "memory_gib": stage.memory.device.range(), **from_what}
