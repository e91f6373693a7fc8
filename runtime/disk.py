"""How much room a run takes on the disk, so that a disk that is too small is known before anything is paid for."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from ftc.compiler.plan import Plan
from ftc.runtime.codes import diagnostic
from ftc.spec.diagnostics import Diagnostic

BYTES = {"fp32": 4, "bf16": 2, "fp16": 2}
OPTIMIZER_BYTES = 8  # a trained parameter: AdamW's two moments in fp32
ADAPTER_SHARE = 0.02  # of the parameters: rank 64 on every linear layer of an 8B model is 2.1 %
MARGIN = 1.2


def needed_bytes(plan: Plan) -> int:
    """Checkpoints, the merged model and its export, with a margin."""
    parameters = float(plan.model["parameters"])
    total = 0.0
    for stage in plan.stages:
        told = stage.arguments
        if "learning_rate" in told:
            full = told["adapter"] == "full"
            trained = parameters if full else parameters * ADAPTER_SHARE
            each = trained * ((BYTES[told["dtype"]] if full else 4) + OPTIMIZER_BYTES)
            total += each * (told["keep_checkpoints"] + 1)  # the new one is written before an old one goes
        if stage.kind in ("merge", "export"):
            total += parameters * BYTES.get(str(told.get("dtype")), 4)
    return int(total * MARGIN)


def too_full(plan: Plan, folder: Path) -> Iterator[Diagnostic]:
    """One finding where the disk of `folder` has not enough room."""
    free = shutil.disk_usage(folder).free
    needed = needed_bytes(plan)
    if free < needed:
        message = f"{folder} has {free / 2**30:.1f} GiB free, this run takes about {needed / 2**30:.1f} GiB"
        yield diagnostic("R106", message)
