"""A stage out of its arguments: where each value comes from, and the stage's share of the whole estimate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftc.compiler.inputs import Inputs
from ftc.compiler.plan import Stage
from ftc.compiler.stages import write_arguments
from ftc.spec.estimate import Estimate


def written(
    kind: str,
    arguments: object,
    *,
    id: str = "",
    needs: tuple[str, ...] = (),
    origins: Mapping[str, str] | None = None,
    estimate: Mapping[str, Any] | None = None,
) -> Stage:
    """A stage whose arguments come from `default` unless `origins` says otherwise."""
    values = write_arguments(arguments)
    return Stage(
        id=id or kind,
        kind=kind,  # type: ignore[arg-type]
        needs=needs,
        arguments=values,
        origins={name: (origins or {}).get(name, "default") for name in values},
        estimate=dict(estimate or {}),
    )


def share_of(inputs: Inputs, hours: float) -> dict[str, Any]:
    """The estimate of a part of the run: as uncertain as the whole, in proportion."""
    chosen = inputs.chosen
    if chosen.time is None or chosen.usd is None or chosen.time.hours.likely <= 0:
        return {}
    share = hours / chosen.time.hours.likely
    return {"hours": _range(chosen.time.hours, share), "usd": _range(chosen.usd, share)}


def _range(estimate: Estimate, share: float) -> dict[str, float]:
    return {name: value * share for name, value in estimate.range().items()}
