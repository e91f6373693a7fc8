"""What a training stage adds to transformers' trainer: the order of rows, a watch over each step, safe checkpoints.

The order depends on seed and epoch alone, so that a resumed run sees the same batches, and the rows behind any batch
are known: when a loss is not a number or jumps, their places in the user's files are named.
"""

from __future__ import annotations

import math
import shutil
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

import torch
from torch.utils.data import Sampler
from transformers import TrainerCallback

from ftc.runtime import checkpoints
from ftc.runtime.asked import ASKED
from ftc.runtime.codes import Stopped
from ftc.runtime.context import Context
from ftc.runtime.distributed import barrier, leads, let_accelerate_shard, wish
from ftc.runtime.measure import peak_memory

NEAR = 50  # batches of like length are drawn from this many batches at a time, as transformers does
SAY_SECONDS = 1.0  # between two progress events
RECENT = 50  # logged losses that a jump is measured against
JUMP = 10.0  # standard deviations
TIMED = (2, 7)  # steps after which time and memory are taken: past the first, which warm up
NAMED_ROWS = 8  # places of a bad batch that are listed


class RowOrder(Sampler[int]):  # type: ignore[misc]
    """Rows shuffled by seed and epoch; with `batch`, rows of like length stand together.

    The longest batch of the first epoch comes first, so that what does not fit in memory shows at once.
    """

    def __init__(self, lengths: Sequence[int], seed: int, batch: int | None) -> None:
        self.lengths = lengths
        self.seed = seed
        self.batch = batch
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer before each epoch."""
        self.epoch = epoch

    def order(self, epoch: int) -> list[int]:
        """The rows of an epoch, in order."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        rows: list[int] = torch.randperm(len(self.lengths), generator=generator).tolist()
        if self.batch is None:
            return rows
        batches: list[list[int]] = []
        for start in range(0, len(rows), self.batch * NEAR):
            near = sorted(rows[start : start + self.batch * NEAR], key=lambda row: (-self.lengths[row], row))
            batches += [near[first : first + self.batch] for first in range(0, len(near), self.batch)]
        last = [each for each in batches if len(each) < self.batch]  # an uneven batch belongs at the end
        even = [each for each in batches if len(each) == self.batch]
        even = [even[position] for position in torch.randperm(len(even), generator=generator).tolist()]
        if epoch == 0 and even:
            longest = max(range(len(even)), key=lambda position: self.lengths[even[position][0]])
            even.insert(0, even.pop(longest))
        return [row for each in (*even, *last) for row in each]

    def __iter__(self) -> Iterator[int]:
        return iter(self.order(self.epoch))

    def __len__(self) -> int:
        return len(self.lengths)


class Watched:
    """Mixed into one of TRL's trainers: rows in that order, and each micro-batch's loss looked at."""

    def __init__(self, *, order: RowOrder, watch: Watch, **arguments: Any) -> None:
        self.row_order = order
        self.watch = watch
        let_accelerate_shard(watch.context.arguments)
        super().__init__(callbacks=[watch], **arguments)  # type: ignore[call-arg]
        if getattr(self.args, "packing", False):  # type: ignore[attr-defined]
            order.lengths = [0] * len(self.train_dataset)  # type: ignore[attr-defined] # packed rows are fewer, and alike
        watch.trainer = self

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        return self.row_order

    def training_step(self, *arguments: Any, **named: Any) -> Any:
        """One micro-batch; its loss is kept for the watch."""
        loss = super().training_step(*arguments, **named)  # type: ignore[misc]
        self.watch.micro_losses.append(loss.detach())
        return loss


class Watch(TrainerCallback):  # type: ignore[misc]
    """Writes events, seals checkpoints, stops on signals and on losses that are not numbers."""

    def __init__(self, context: Context, order: RowOrder, places: Sequence[str], *, keep: int, output: Path) -> None:
        self.context = context
        self.order = order
        self.places = places
        self.keep = keep
        self.output = output
        self.trainer: Any = None
        self.micro_losses: list[Any] = []
        self.recent: deque[float] = deque(maxlen=RECENT)
        self._said = 0.0
        self._began = 0.0
        self._warm = 0.0  # when the first step had ended
        self._first_step = 0
        self._checkpoint_bytes = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Time and speed count from here."""
        self._began = self._said = time.monotonic()
        self._first_step = state.global_step
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Look at the loss, say how far it is, save and stop where that was asked for."""
        losses, self.micro_losses = self.micro_losses, []
        total = torch.stack(losses).sum()
        if not bool(torch.isfinite(total)):
            raise Stopped(
                "R206",
                f"the loss of step {state.global_step} is not a number",
                step=state.global_step,
                rows=self.rows_of_step(state.global_step - 1),
            )
        ASKED.stop, ASKED.finish = wish(self.output, stop=ASKED.stop, finish=ASKED.finish)
        if ASKED.stop or ASKED.finish:
            control.should_save = control.should_training_stop = True
        if control.should_save:
            self._room_for_a_checkpoint()
        now = time.monotonic()
        if state.global_step - self._first_step in TIMED:
            self.context.journal.write(
                "measured",
                step=state.global_step,
                total=state.max_steps,
                seconds=round(now - self._began, 4),
                memory=peak_memory(),
            )
        if now - self._said >= SAY_SECONDS or state.global_step == state.max_steps:
            self._said = now
            left = self._step_seconds(state.global_step, now) * (state.max_steps - state.global_step)
            self.context.progress(state.global_step, state.max_steps, eta_seconds=round(left, 1))
        if state.global_step == self._first_step + 1:
            self._warm = now

    def _step_seconds(self, step: int, now: float) -> float:
        """The pace so far, without the first step, which waits for kernels, for threads and for rows to skip."""
        taken = step - self._first_step
        return (now - self._warm) / (taken - 1) if taken > 1 else now - self._began

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """The trainer's numbers, under our names."""
        logs = logs or {}
        if "eval_loss" in logs:
            self.context.journal.write("held_out", step=state.global_step, loss=logs["eval_loss"])
        elif "loss" in logs:
            loss = float(logs["loss"])
            seconds = time.monotonic() - self._began
            self.context.journal.write(
                "step",
                step=state.global_step,
                total=state.max_steps,
                loss=loss,
                learning_rate=logs.get("learning_rate"),
                grad_norm=logs.get("grad_norm"),
                epoch=logs.get("epoch"),
                tokens=logs.get("num_tokens"),
                seconds=round(seconds, 2),
            )
            self._jumped(loss, state.global_step)

    def _jumped(self, loss: float, step: int) -> None:
        spread = pstdev(self.recent) if len(self.recent) >= 10 else math.inf
        if loss - fmean(self.recent or [loss]) > JUMP * max(spread, 0.01):
            self.context.remark(
                "R407", f"the loss jumped to {loss:.3g} at step {step}", step=step, rows=self.rows_of_step(step - 1)
            )
        self.recent.append(loss)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Seal what was just written, then let go of older ones."""
        barrier()  # every rank has written its part
        if not leads():
            return
        folder = self.output / f"checkpoint-{state.global_step}"
        checkpoints.seal(folder)
        self._checkpoint_bytes = checkpoints.size_bytes(folder)
        best = [Path(state.best_model_checkpoint)] if state.best_model_checkpoint else []
        checkpoints.keep(self.output, self.keep, best)
        self.context.journal.write("checkpoint", sync=True, step=state.global_step)

    def _room_for_a_checkpoint(self) -> None:
        free = shutil.disk_usage(self.output).free
        if free < checkpoints.SPARE * self._checkpoint_bytes:
            raise Stopped(
                "R207", f"{free / 2**30:.2f} GiB are free, a checkpoint takes {self._checkpoint_bytes / 2**30:.2f} GiB"
            )

    def rows_of_step(self, step: int) -> list[str]:
        """The places of the rows behind an optimiser step, counted from 0; none where rows are packed."""
        trainer = self.trainer
        if trainer is None or getattr(trainer.args, "packing", False):
            return []
        batch = trainer.args.train_batch_size * trainer.args.gradient_accumulation_steps * trainer.args.world_size
        steps_an_epoch = math.ceil(len(self.order) / batch)
        rows = self.order.order(step // steps_an_epoch)
        start = (step % steps_an_epoch) * batch
        return [self.places[row] for row in rows[start : start + batch]][:NAMED_ROWS]
