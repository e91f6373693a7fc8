"""A plan as the files that an engine takes. Renders and checks; submits nothing, reads no disk, knows no cluster.

    files, problems = render(plan, "ftc.plan.json", "slurm", TargetOptions())
    problems += validate(files, "slurm")

What executes inside is always `ftc run` on the same plan, once on every node, with the rendezvous in torchrun's own
environment variables (`PET_*`); docs/engines.md has the contract. Values from the plan are quoted for the format that
they enter, and refused where the format has no quoting.
"""

from __future__ import annotations

from ftc.compiler.targets.options import Target, TargetOptions, read_options
from ftc.compiler.targets.render import TARGETS, render
from ftc.compiler.targets.validate import validate

__all__ = ["TARGETS", "Target", "TargetOptions", "read_options", "render", "validate"]
