"""Spec to facts: profile the data, look models and machines up. Reads files; the rest of the advisor does not.

Everything after it is a pure function of what it returns.
"""

from __future__ import annotations

from dataclasses import replace

from ftc.advisor.machine import machines
from ftc.advisor.models import catalogue, find_model, tokenizer_file
from ftc.advisor.overrides import check_overrides
from ftc.advisor.rules.gates import behind_an_api
from ftc.advisor.values import Architecture, Facts, Machine
from ftc.spec.described import all_described, described_profile
from ftc.spec.diagnostics import Diagnostic, errors
from ftc.spec.model import Spec
from ftc.spec.profile import DataProfile


def observe(
    spec: Spec, *, interactive: bool = False, known: DataProfile | None = None
) -> tuple[Facts | None, list[Diagnostic]]:
    """The facts, and what is to be said about them; None where an error stands in the way.

    `known` is a profile of the same data: it is taken as it is, and the data is not read again.
    """
    models, said = _models(spec)
    found, about_machines = _machines(spec)
    data, about_data = look(spec) if known is None else (known, [])
    diagnostics = [*said, *about_machines, *about_data, *check_overrides(spec)]
    if errors(diagnostics):
        return None, diagnostics
    return Facts(spec=spec, profile=data, models=models, machines=found, interactive=interactive), diagnostics


def look(spec: Spec) -> tuple[DataProfile, list[Diagnostic]]:
    """The profile of the data, its tokens counted by the model's own tokenizer where that is at hand."""
    if all_described(spec):
        return described_profile(spec), []
    from ftc.spec.measure import profile  # with everything that reads data: 60 ms

    return profile(spec, tokenizer_file(spec.model.base, spec.folder))


def unknown_names(spec: Spec) -> list[Diagnostic]:
    """The model and the GPUs that a spec names and no catalogue has."""
    found = _models(spec)[1]
    if spec.hardware.kind in ("owned", "cloud"):
        found = [*found, *machines(spec.hardware)[1]]
    return errors(found)


def _models(spec: Spec) -> tuple[tuple[Architecture, ...], list[Diagnostic]]:
    """The named model first, then every model that may stand in for it."""
    base = spec.model.base
    if base == "auto":
        return catalogue(), []
    named, said = find_model(base, spec.folder, spec.model)
    others = tuple(each for each in catalogue() if each.id.lower() != base.lower())
    if named is None:
        closed = behind_an_api(base) or "api-only-model" in spec.constraints
        return (others if spec.model.substitute else (), [] if closed else said)
    return (named, *(others if spec.model.substitute else ())), said


def _machines(spec: Spec) -> tuple[tuple[Machine, ...], list[Diagnostic]]:
    """What there is to run on. Who owns nothing and may rent is shown what renting costs."""
    if spec.hardware.kind != "none":
        return machines(spec.hardware, spec.budget.usd_per_hour)
    stays_in = any(word in spec.constraints for word in ("on-prem", "no-cloud", "no-training"))
    if stays_in or not spec.budget.usd:
        return (), []
    return machines(replace(spec.hardware, kind="cloud", clouds=("any",)))
