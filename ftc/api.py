"""The Python API, and the chain that every command walks: spec -> facts -> verdict -> plan -> run.

`import ftc; plan = ftc.compile("ftc.yaml")`. Every function raises `Refused` with all diagnostics, each with its
place in the spec; nothing here prints.
"""

from __future__ import annotations

import os.path
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftc.spec.diagnostics import Diagnostic, Refused, errors

if TYPE_CHECKING:
    from ftc.advisor.values import Candidate, Facts, Verdict
    from ftc.compiler.plan import Plan
    from ftc.runtime.supervisor import Outcome
    from ftc.spec.load import Loaded
    from ftc.spec.model import Spec

SPEC_FILE = "ftc.yaml"
PLAN_FILE = "ftc.plan.json"
RUNS_FOLDER = "runs"

# What a plan is pinned to: a run notices when one of these has changed.
TRAINING_STACK = ("torch", "transformers", "trl", "peft", "bitsandbytes", "datasets", "accelerate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """A spec, what is known of its data, models and machines, and the verdict."""

    loaded: Loaded
    facts: Facts
    verdict: Verdict
    diagnostics: tuple[Diagnostic, ...]

    @property
    def spec(self) -> Spec:
        """The spec that was decided on."""
        return self.facts.spec


def load(path: str | Path = SPEC_FILE) -> Loaded:
    """The spec in `path`, valid. Raises Refused with every problem in it."""
    from ftc.spec.load import load as load_spec

    loaded = load_spec(Path(path))
    if loaded.spec is None:
        raise Refused(loaded.with_found(unknown_names(loaded)))
    return loaded


def unknown_names(loaded: Loaded) -> list[Diagnostic]:
    """Models and GPUs that the spec names and nobody knows, whether the spec is sound otherwise or not."""
    from ftc.advisor import observe

    spec = loaded.spec or loaded.names
    return observe.unknown_names(spec) if spec else []


def advise(path: str | Path = SPEC_FILE) -> Advice:
    """Look at the data, the models and the machines, and decide. Raises Refused where the spec or the data is wrong."""
    loaded = load(path)
    if loaded.spec is None:
        raise Refused(loaded.diagnostics)
    from ftc.advisor.decide import decide  # after loading: a spec that is wrong is told so without these 50 ms
    from ftc.advisor.observe import observe

    facts, found = observe(loaded.spec)
    diagnostics = (*loaded.diagnostics, *(loaded.locate(each) for each in found))
    if facts is None or errors(diagnostics):
        raise Refused(diagnostics)
    return Advice(loaded=loaded, facts=facts, verdict=decide(facts), diagnostics=diagnostics)


def estimate(path: str | Path = SPEC_FILE) -> dict[str, Any]:
    """Memory, time and money of what is advised, as `ftc estimate --json` prints them: ranges with units and sources.

    Raises Refused: exit code 2 for a wrong spec, 3 where the answer is nothing that could be estimated.
    """
    return estimate_advice(advise(path))[0]


def estimate_advice(advice: Advice) -> tuple[dict[str, Any], Candidate]:
    """The price tag of what was chosen, or of the nearest that did not fit, and which candidate that is."""
    from ftc.advisor.calibration import corrected
    from ftc.advisor.price_tag import price_tag
    from ftc.advisor.scaling import scaling_json
    from ftc.advisor.search import scaling_of

    verdict = advice.verdict
    chosen = verdict.chosen or next((each for each in verdict.alternatives if each.memory), None)
    if chosen is None or chosen.memory is None or chosen.time is None or chosen.usd is None or chosen.machine is None:
        message = f"the answer is {verdict.method}: there is nothing to estimate. {verdict.instead}"
        raise Refused([Diagnostic(code="M901", message=message, fix="ftc advise")], 3)
    tag = price_tag(chosen.memory, chosen.time, chosen.usd, chosen.machine.device, what=chosen.method)
    if chosen.setup:
        tag["corrected"] = corrected(chosen.machine.device, chosen.setup)
    if chosen.machine.device.kind == "cuda":
        tag["scaling"] = scaling_json(scaling_of(advice.facts, chosen))
    return tag, chosen


def compile(path: str | Path = SPEC_FILE) -> Plan:
    """The plan for the spec in `path`. Raises Refused: exit code 2 for a wrong spec, 3 for one that cannot be run."""
    return compile_advice(advise(path))


def compile_advice(advice: Advice, plan_folder: Path | None = None) -> Plan:
    """The plan for a verdict that was already reached, to be written into `plan_folder` (the spec's unless given)."""
    from ftc.advisor.catalogue import catalogue_digest
    from ftc.advisor.prices import prices_as_of
    from ftc.advisor.prompting import prompted
    from ftc.compiler.compile import compile_plan
    from ftc.compiler.inputs import Inputs
    from ftc.compiler.tell import TRIES

    way = os.path.relpath(advice.spec.folder, plan_folder or advice.spec.folder)
    verdict = advice.verdict
    inputs = Inputs(
        facts=advice.facts,
        verdict=verdict,
        candidate=prompted(advice.facts, TRIES) if verdict.method == "prompt" else verdict.chosen,
        digests={"spec": advice.loaded.digest, "catalogue": catalogue_digest()},
        versions=stack_versions(),
        prices_as_of=prices_as_of(),
        spec_folder="" if way == "." else way,
    )
    try:
        return compile_plan(inputs)
    except Refused as refused:
        located = [advice.loaded.locate(each) for each in refused.diagnostics]
        raise Refused(located, refused.exit_code) from None


def run(
    plan: str | Path = PLAN_FILE,
    out: str | Path = RUNS_FOLDER,
    *,
    fresh: bool = False,
    accept_drift: bool = False,
    probe: bool = False,
    report_to: Sequence[str] = (),
    on_event: Callable[[Mapping[str, Any]], None] | None = None,
) -> Outcome:
    """Carry out the plan file, continuing where an earlier run of it stopped. The outcome has the exit code.

    `probe` measures a few real steps first, and ends with 3 where they put the run over its budget. `report_to` names
    trackers that get the curves as well: tensorboard, wandb, mlflow, trackio.
    """
    from ftc.runtime.supervisor import run as run_plan

    return run_plan(
        Path(plan),
        Path(out),
        fresh=fresh,
        accept_drift=accept_drift,
        probe=probe,
        report_to=report_to,
        on_event=on_event or _ignore,
    )


def _ignore(_: Mapping[str, Any]) -> None:
    return None


def stack_versions() -> dict[str, str]:
    """The installed versions of the training stack; empty strings where a library is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in TRAINING_STACK:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = ""
    return found


__all__ = [
    "Advice",
    "Refused",
    "advise",
    "compile",
    "compile_advice",
    "estimate",
    "estimate_advice",
    "load",
    "run",
    "stack_versions",
]
