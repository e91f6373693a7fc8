"""Policy optimisation through TRL's GRPOTrainer and RLOOTrainer: the model answers, better answers become likelier.

Better is what a program checks (`check`) or what a reward model says (`judge`). The leash to the reference, `beta`,
is held by the adapter switched off, or by a copy of the model where all weights are trained. A step samples answers
anew, so that the answers after a resumed checkpoint are those of an undisturbed run: order and random state are both
restored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer

from ftc.compiler.stages import Policy
from ftc.runtime.codes import Stopped
from ftc.runtime.context import Context
from ftc.runtime.distributed import leads
from ftc.runtime.loading import load_tokenizer
from ftc.runtime.rewarding import Rewarding
from ftc.runtime.rewards.given import Rewards, rewards_of
from ftc.runtime.run_folder import read_rows
from ftc.runtime.train import (
    Start,
    adapter_of,
    carry_out,
    common_arguments,
    has_dropout,
    make_ready,
    model_arguments,
    quantization_of,
    start_of,
)
from ftc.runtime.training import RowOrder, Watch, Watched

Rows = Sequence[dict[str, Any]]


class GroupOrder(RowOrder):
    """Prompts shuffled by seed and epoch, as many a step as it has groups; each as often as its group has answers.

    A step's prompts come once for each pass of its accumulation: TRL takes the answers of all passes from the first.
    """

    def __init__(self, lengths: Sequence[int], seed: int, *, prompts: int, group: int, passes: int) -> None:
        super().__init__(lengths, seed, None)
        self.prompts = prompts
        self.group = group
        self.passes = passes

    def steps(self, epoch: int) -> list[list[int]]:
        """The prompts of each step. Prompts that fill no step wait for another epoch, few prompts come again."""
        rows = super().order(epoch)
        while len(rows) < self.prompts:
            rows += rows
        return [rows[start : start + self.prompts] for start in range(0, len(rows) - self.prompts + 1, self.prompts)]

    def order(self, epoch: int) -> list[int]:
        """Every row of an epoch, in order."""
        return [
            row for step in self.steps(epoch) for _ in range(self.passes) for row in step for _ in range(self.group)
        ]

    def __len__(self) -> int:
        return len(self.steps(0)) * self.passes * self.prompts * self.group


class PolicyWatch(Watch):
    """The watch, with an eye on rewards."""

    def __init__(self, context: Context, order: GroupOrder, places: Sequence[str], *, keep: int, output: Path) -> None:
        super().__init__(context, order, places, keep=keep, output=output)
        self.groups = order
        self.rewarding = Rewarding(context=context, group=order.group)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **more: Any) -> None:
        """The trainer's numbers under our names, and the rewards."""
        super().on_log(args, state, control, logs=logs, **more)
        if logs and "reward" in logs:
            names = {"kl": "kl", "entropy": "entropy"}
            self.rewarding.write(state.global_step, {name: logs[key] for name, key in names.items() if key in logs})

    def on_save(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Answers are kept with each checkpoint."""
        if leads():
            self.rewarding.keep()
        super().on_save(args, state, control, **more)

    def rows_of_step(self, step: int) -> list[str]:
        """The places of the prompts behind an optimiser step, counted from 0."""
        steps = len(self.groups.steps(0))
        return [self.places[row] for row in self.groups.steps(step // steps)[step % steps]]


class Sampled(Watched):
    """Mixed into a trainer that samples: rewards come from a check or a judge, and are looked at."""

    watch: PolicyWatch

    def _calculate_rewards(self, inputs: Any, prompts: Any, completions: Any, completion_ids_list: Any) -> Any:
        found = super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)  # type: ignore[misc]
        accelerator: Any = self.accelerator  # type: ignore[attr-defined]
        step = self.watch.trainer.state.global_step
        mine = len(completions)  # of several processes, each keeps its own answers and watches the rewards of all
        at = accelerator.process_index * mine
        lengths = torch.tensor([len(ids) for ids in completion_ids_list], device=accelerator.device)
        rows = [
            {"step": step, "number": each["number"], "answer": _text(said), "reward": reward}
            for each, said, reward in zip(inputs, completions, found[at : at + mine, 0].tolist(), strict=True)
        ]
        self.watch.rewarding.add(found[:, 0].tolist(), accelerator.gather(lengths).tolist(), rows)
        return found


class Rloo(Sampled, RLOOTrainer):  # type: ignore[misc]
    """Against a reward model: each answer beside the mean of its siblings."""


class Grpo(Sampled, GRPOTrainer):  # type: ignore[misc]
    """Against a check: each answer beside its group, in its spread."""


def run(context: Context) -> dict[str, Any]:
    """Train; the result says where the model is and how rewards moved."""
    told: Policy = context.arguments
    tokenizer = load_tokenizer(context)
    start = start_of(context, told.start_from)
    rows = list(read_rows(context.run.train_rows(told.rows)))
    settings = _settings(context.stage.kind, told, context.folder, start)
    answers = settings.generation_batch_size
    order = GroupOrder(
        [1] * len(rows), told.seed, prompts=answers // told.group, group=told.group, passes=told.gradient_accumulation
    )
    places = [str(row["place"]) for row in rows]
    watch = PolicyWatch(context, order, places, keep=max(2, told.keep_checkpoints), output=context.folder)
    with ExitStack() as stack:
        rewards = rewards_of(context, told, stack)
        trainer: Any = {"rloo": Rloo, "grpo": Grpo}[context.stage.kind](
            order=order,
            watch=watch,
            model=start.place,
            reward_funcs=_function(rows, rewards),
            args=settings,
            train_dataset=_dataset(rows, tokenizer),
            processing_class=tokenizer,
            peft_config=adapter_of(told),
            quantization_config=quantization_of(told),
        )
        make_ready(trainer, told)
        result = carry_out(context, trainer, tokenizer)
    if leads():
        watch.rewarding.keep()
    return {
        **result,
        "tokens": int(trainer.state.num_input_tokens_seen),  # prompts and answers
        "rewards": dict(watch.rewarding.last),
        "prompts_a_step": order.prompts,
        "group": told.group,
    }


def _function(rows: Rows, rewards: Rewards) -> Callable[..., list[float]]:
    """TRL's reward function: answers of a batch in, with the numbers of their rows."""

    def reward(completions: Sequence[Any], number: Sequence[int], **_: Any) -> list[float]:
        return rewards([rows[each] for each in number], [_text(each) for each in completions])

    return reward


def _text(completion: Any) -> str:
    """The answer; TRL has it as messages where the prompt is a conversation."""
    return str(completion if isinstance(completion, str) else completion[-1]["content"]).strip()


def _dataset(rows: Rows, tokenizer: Any) -> Dataset:
    prompts: list[Any] = [row["prompt"] for row in rows]
    if not tokenizer.chat_template:  # as tokens.py writes them
        prompts = ["".join(each["content"] + "\n" for each in prompt) for prompt in prompts]
    return Dataset.from_dict({"prompt": prompts, "number": list(range(len(rows)))})


def _settings(kind: str, told: Policy, output: Path, start: Start) -> Any:
    """Every argument of the plan under TRL's name. Raises Stopped (R227) where a step does not hold whole groups."""
    common = {
        **common_arguments(told, output, evaluated=False),
        **model_arguments(told, start),
        "beta": told.beta,
        "num_generations": told.group,
        "max_completion_length": told.max_completion_length,
        "temperature": told.temperature,
        "top_p": 1.0,  # what is sampled is what the model says: cutting it off would make the gradient wrong
        "top_k": 0,
        "num_iterations": 1,
        "steps_per_generation": told.gradient_accumulation,
        "disable_dropout": not has_dropout(told),
        "log_completions": False,
    }
    answers = told.micro_batch * told.gradient_accumulation * told.nodes * told.processes
    if answers % told.group:
        raise Stopped("R227", f"a step has {answers} answers, a group {told.group}")
    if kind == "rloo":
        return RLOOConfig(**common)
    return GRPOConfig(**common, loss_type="dapo", scale_rewards="group")
