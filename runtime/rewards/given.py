"""Rewards for the answers of a stage, from the check or the reward model of the plan. Stays with the trainer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from ftc.compiler.stages import Check, Evaluate, Policy
from ftc.runtime.codes import Stopped
from ftc.runtime.context import Context
from ftc.runtime.judge import load_judge
from ftc.runtime.rewards.cases import case
from ftc.runtime.rewards.rewarder import KERNEL, Rewarder

Rewards = Callable[[Sequence[dict[str, Any]], Sequence[str]], list[float]]  # rows and their answers


def rewards_of(context: Context, told: Policy | Evaluate, stack: ExitStack) -> Rewards:
    """Rewards from the check or the judge of a stage; what it opens is closed with the stack."""
    if told.judge:
        judge = load_judge(context, told.judge)
        return lambda rows, said: judge.scores([row["prompt"] for row in rows], said)
    if told.check is None:
        raise Stopped("R105", "the plan has neither a check nor a judge for its answers")
    rewarder = stack.enter_context(Rewarder(Check(**told.check), context.data_folder))
    missing = [name for name in KERNEL if name not in rewarder.guards]
    if missing and told.check["kind"] in ("function", "tests"):
        context.remark("R424", f"the kernel offers no {' and no '.join(missing)} to the process that computes rewards")
    return lambda rows, said: rewarder.rewards([case(row, answer) for row, answer in zip(rows, said, strict=True)])
