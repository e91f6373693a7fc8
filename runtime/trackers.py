"""Trackers that a run may also report to, through transformers' own integrations. None unless asked for; no torch.

The offline report is made in any case. What is asked for travels to the stages in one environment variable, because
where curves are looked at is no matter of the plan: the same plan runs with and without. Addresses and keys are the
trackers' own environment variables (WANDB_API_KEY, MLFLOW_TRACKING_URI, ...).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path

VARIABLE = "FTC_REPORT_TO"
# transformers' name -> the modules that it takes, any one of them; the first is also what pip calls it
TRACKERS = {
    "tensorboard": ("tensorboard", "tensorboardX"),
    "wandb": ("wandb",),
    "mlflow": ("mlflow",),
    "trackio": ("trackio",),
}
FOLDER = "tensorboard"  # in the run's folder, so that `tensorboard --logdir runs` has all runs


def not_installed(asked: Iterable[str]) -> list[str]:
    """Those whose package is not here."""
    return [name for name in asked if not any(find_spec(module) for module in TRACKERS[name])]


def variables(asked: Iterable[str]) -> dict[str, str]:
    """What tells the stages."""
    return {VARIABLE: " ".join(asked)}


def training_arguments(output: Path, environment: Mapping[str, str] = os.environ) -> dict[str, object]:
    """transformers' arguments for a stage that trains in `output`, which is RUN/stages/STAGE."""
    asked = [each for each in environment.get(VARIABLE, "").split() if each in TRACKERS]
    if not asked:
        return {"report_to": "none"}
    run = output.parents[1]
    if "tensorboard" in asked:
        os.environ.setdefault("TENSORBOARD_LOGGING_DIR", str(run / FOLDER / output.name))
    if "mlflow" in asked:
        os.environ.setdefault("MLFLOW_EXPERIMENT_NAME", run.name)
    project = {"project": run.name} if "trackio" in asked else {}
    return {"report_to": asked, "run_name": f"{run.name}-{output.name}", **project}
