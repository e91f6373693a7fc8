"""Watches what a policy is rewarded for: whether rewards differ, whether they go with length, whether they jump.

Each finding is remarked once, with a code of R421 to R423. Numbers go into the journal as `reward` events, at each
logged step; the last answers with their rewards into `answers.jsonl`, for a person to read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean, pstdev
from typing import Any

import numpy as np

from ftc.runtime.context import Context
from ftc.runtime.run_folder import write_rows

RECENT = 20  # steps that are looked at together. A rule of thumb
ENOUGH = 10  # steps before anything is said
DEAD = 0.5  # share of groups whose rewards do not differ; above, R421
LEARNED = 0.5  # of the first step's spread: by so much the mean has risen where equal rewards are no trouble
GROWN = 1.5  # answers against those of the first steps; above, and rewarded for it, R422
GOES_WITH = 0.5  # correlation of reward and length
JUMP = 10.0  # standard deviations of the mean reward of recent steps
LEAST_SPREAD = 0.1  # of the spread within a step: a mean that hardly moved does not make a small step a jump
ANSWERS = "answers.jsonl"
KEPT = 64  # answers


@dataclass(slots=True, kw_only=True)
class Rewarding:
    """The statistics of a policy's rewards, over steps. What a resumed run saw before is not known to it."""

    context: Context
    group: int
    steps: int = 0
    means: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))
    dead: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))
    lengths: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))
    correlations: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))
    first_length: float = 0.0
    first_mean: float = 0.0
    first_spread: float = 0.0
    said: set[str] = field(default_factory=set)
    last: dict[str, float] = field(default_factory=dict)
    answers: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=KEPT))

    def add(self, rewards: Sequence[float], lengths: Sequence[int], answers: Sequence[dict[str, Any]]) -> None:
        """The answers of one step: groups stand together."""
        values, long = np.asarray(rewards, dtype=float), np.asarray(lengths, dtype=float)
        groups = values.reshape(-1, self.group)
        self.steps += 1
        mean, spread = float(values.mean()), float(values.std())
        self._jumped(mean, spread)
        self.means.append(mean)
        self.dead.append(float((np.ptp(groups, axis=1) < 1e-6).mean()))
        self.lengths.append(float(long.mean()))
        self.correlations.append(_correlation(values, long))
        if self.steps == 1:
            self.first_mean, self.first_spread = mean, spread
        if self.steps == ENOUGH:
            self.first_length = fmean(self.lengths)
        self.answers.extend(answers)
        self.last = {
            "reward": mean,
            "reward_std": spread,
            "same_share": self.dead[-1],
            "length": self.lengths[-1],
            "length_correlation": self.correlations[-1],
        }
        if self.steps >= ENOUGH:
            self._look()

    def write(self, step: int, more: dict[str, Any]) -> None:
        """An event with the numbers of the last step, and what the trainer has beside."""
        numbers: dict[str, Any] = {name: round(value, 6) for name, value in self.last.items()}
        self.context.journal.write("reward", step=step, **numbers, **more)

    def keep(self) -> None:
        """The last answers, for a person to read."""
        write_rows(self.context.folder / ANSWERS, self.answers)

    def _look(self) -> None:
        dead = fmean(self.dead)
        learned = fmean(self.means) > self.first_mean + LEARNED * self.first_spread  # equal because all are good
        if dead > DEAD and not learned:
            self._once("R421", f"in {dead:.0%} of the groups of the last {len(self.dead)} steps all rewards are equal")
        grown, goes = fmean(list(self.lengths)[-ENOUGH:]) / max(1.0, self.first_length), fmean(self.correlations)
        if grown > GROWN and goes > GOES_WITH:
            self._once("R422", f"answers are {grown:.1f} times as long as at first, and reward goes with length "
                               f"(correlation {goes:.2f})")  # fmt: skip

    def _jumped(self, mean: float, spread: float) -> None:
        if len(self.means) < ENOUGH:
            return
        usual = max(pstdev(self.means), LEAST_SPREAD * spread, 1e-6)
        if mean - fmean(self.means) > JUMP * usual:
            self._once("R423", f"the mean reward rose from {fmean(self.means):.3g} to {mean:.3g} in one step")

    def _once(self, code: str, message: str) -> None:
        if code not in self.said:
            self.said.add(code)
            self.context.remark(code, message)


def _correlation(one: Any, other: Any) -> float:
    if one.std() < 1e-9 or other.std() < 1e-9:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])
