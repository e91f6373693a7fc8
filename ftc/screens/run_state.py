"""What a run looks like from its journal: stages, curves, speed, money, tripwires. Events in, figures out.

The journal may be that of a run which is under way, has ended, was killed, or was started by someone else; it is read
from the start, so a screen can be closed and opened again. Nothing here reads the clock but where it is handed in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ftc.compiler.plan import Plan

Event = Mapping[str, Any]
Status = Literal["waiting", "running", "done", "skipped", "stopped", "failed"]

STALE_SECONDS = 120.0  # without a word from a running stage: it may be gone
ENDED_WELL = (0, 4)  # finished; 4: below goal.success
POLICIES = ("rloo", "grpo")  # stages that sample answers and learn from what they earn


@dataclass(slots=True)
class StageState:
    """One stage: how far it is, what it came to. Seconds of the attempt, estimates from the plan."""

    id: str
    kind: str
    estimate_hours: Mapping[str, float]
    status: Status = "waiting"
    attempt: int = 0
    step: int = 0
    total: int = 0
    what: str = ""
    eta_seconds: float | None = None
    began: float = 0.0
    last: float = 0.0  # time of its last event
    seconds: float = 0.0  # of attempts that have ended
    result: Mapping[str, Any] = field(default_factory=dict)
    memory: Mapping[str, float] = field(default_factory=dict)
    message: str = ""
    rewarded: str = ""  # what its answers earned lately, in words

    @property
    def share(self) -> float:
        """How much of it is done, 0 to 1."""
        if self.status in ("done", "skipped"):
            return 1.0
        return min(self.step / self.total, 1.0) if self.total else 0.0

    def spent_seconds(self) -> float:
        """What it has taken so far, all attempts."""
        return self.seconds + (max(0.0, self.last - self.began) if self.status == "running" else 0.0)

    def left_seconds(self) -> float:
        """What is left of it: at its own pace where it runs or ran, else as estimated."""
        if self.status in ("done", "skipped"):
            return 0.0
        if self.status == "running" and self.eta_seconds is not None:
            return self.eta_seconds
        if self.status in ("stopped", "failed") and self.share:
            return self.seconds * (1 / self.share - 1)
        estimated = self.estimate_hours.get("likely", 0.0) * 3600
        return max(0.0, estimated - (self.spent_seconds() if self.status == "running" else 0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One measured value of a curve; `stage` tells the curves of several training stages apart."""

    stage: str
    step: int
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Curves over the steps of one stage. `points` is a line; `marks` stand apart from it, on their own scale where
    `own_scale` says so. What a curve is called goes with its last value."""

    title: str
    points: Sequence[Point]
    name: str
    marks: Sequence[Point] = ()
    mark_name: str = ""
    own_scale: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """A tripwire or an answer to trouble."""

    stage: str
    code: str
    message: str
    rows: tuple[str, ...] = ()


@dataclass(slots=True)
class RunState:
    """Everything that the watch screen shows. `plan` gives what the journal does not say."""

    plan: Plan
    stages: dict[str, StageState] = field(default_factory=dict)
    losses: list[Point] = field(default_factory=list)
    held_out: list[Point] = field(default_factory=list)
    rewards: list[Point] = field(default_factory=list)  # of a policy: the mean over the answers of a step
    kls: list[Point] = field(default_factory=list)  # how far a policy is from where it started
    lengths: list[Point] = field(default_factory=list)  # tokens of an answer, the mean over a step
    remarks: list[Remark] = field(default_factory=list)
    speeds: list[Point] = field(default_factory=list)  # tokens a second between two logged steps
    checkpoint_step: int = 0
    exit_code: int | None = None
    pid: int = 0
    machine: str = ""
    data_folder: str = ""
    began: float = 0.0
    last: float = 0.0
    _tokens: tuple[str, float, float] = ("", 0.0, 0.0)  # stage, tokens, seconds at the last logged step

    def __post_init__(self) -> None:
        for stage in self.plan.stages:
            hours = stage.estimate.get("hours") or {}
            self.stages[stage.id] = StageState(id=stage.id, kind=stage.kind, estimate_hours=hours)

    def hear(self, event: Event) -> None:
        """Take one event; kinds that say nothing here are passed over."""
        self.last = max(self.last, float(event["ts"]))
        stage = self.stages.get(str(event.get("stage", "")))
        if stage is not None and event["kind"] != "stage_kept":
            stage.last = float(event["ts"])
        take = getattr(self, f"_on_{event['kind']}", None)
        if take is not None:
            take(event, stage)

    # --- one method a kind ----------------------------------------------------------------------------------------

    def _on_run_started(self, event: Event, _: StageState | None) -> None:
        self.exit_code = None
        self.pid = int(event.get("pid") or 0)
        self.machine = str(event.get("machine", ""))
        self.data_folder = str(event.get("data_folder", ""))
        self.began = self.began or float(event["ts"])
        for stage in self.stages.values():
            if stage.status == "running":  # its supervisor was killed before it could say so
                stage.seconds += max(0.0, stage.last - stage.began)
                stage.status = "stopped"

    def _on_run_ended(self, event: Event, _: StageState | None) -> None:
        self.exit_code = int(event.get("exit_code") or 0)

    def _on_stage_started(self, event: Event, stage: StageState | None) -> None:
        if stage is None:
            return
        stage.status, stage.attempt = "running", int(event.get("attempt") or 1)
        stage.began, stage.eta_seconds, stage.message = float(event["ts"]), None, ""
        stage.step = stage.total = 0

    def _on_stage_skipped(self, event: Event, stage: StageState | None) -> None:
        if stage is not None:
            stage.status, stage.message = "skipped", str(event.get("why", ""))

    def _on_progress(self, event: Event, stage: StageState | None) -> None:
        if stage is None:
            return
        stage.step, stage.total = int(event.get("step") or 0), int(event.get("total") or 0)
        stage.what = str(event.get("what") or "")
        eta = event.get("eta_seconds")
        stage.eta_seconds = float(eta) if eta is not None else None

    def _on_resumed(self, event: Event, stage: StageState | None) -> None:
        """Steps after the checkpoint are done again: their points go."""
        if stage is None:
            return
        step = int(event.get("step") or 0)
        stage.step = step
        for curve in (self.losses, self.held_out, self.speeds, self.rewards, self.kls, self.lengths):
            curve[:] = [each for each in curve if each.stage != stage.id or each.step <= step]
        self._tokens = ("", 0.0, 0.0)

    def _on_step(self, event: Event, stage: StageState | None) -> None:
        if stage is None:
            return
        step, loss = int(event.get("step") or 0), event.get("loss")
        stage.step = max(stage.step, step)
        stage.total = int(event.get("total") or stage.total)
        if isinstance(loss, int | float):
            self.losses.append(Point(stage=stage.id, step=step, value=float(loss)))
        tokens, seconds = event.get("tokens"), event.get("seconds")
        if isinstance(tokens, int | float) and isinstance(seconds, int | float):
            before = self._tokens if self._tokens[0] == stage.id else (stage.id, 0.0, 0.0)
            if seconds > before[2] and tokens >= before[1]:
                speed = (tokens - before[1]) / (seconds - before[2])
                self.speeds.append(Point(stage=stage.id, step=step, value=speed))
            self._tokens = (stage.id, float(tokens), float(seconds))

    def _on_held_out(self, event: Event, stage: StageState | None) -> None:
        loss = event.get("loss")
        if stage is not None and isinstance(loss, int | float):
            self.held_out.append(Point(stage=stage.id, step=int(event.get("step") or 0), value=float(loss)))

    def _on_reward(self, event: Event, stage: StageState | None) -> None:
        """What a policy's answers of a step earned."""
        if stage is None:
            return
        step = int(event.get("step") or 0)
        for name, curve in (("reward", self.rewards), ("kl", self.kls), ("length", self.lengths)):
            value = event.get(name)
            if isinstance(value, int | float):
                curve.append(Point(stage=stage.id, step=step, value=float(value)))
        mine = [each.value for each in self.rewards if each.stage == stage.id]
        if not mine:
            return
        said = [f"reward {mine[-1]:.3g}, at first {mine[0]:.3g}"]
        said += [f"KL {each.value:.2g}" for each in self.kls[-1:] if each.stage == stage.id]
        said += [f"{each.value:.0f} tokens an answer" for each in self.lengths[-1:] if each.stage == stage.id]
        stage.rewarded = " · ".join(said)

    def _on_measured(self, event: Event, stage: StageState | None) -> None:
        """Memory while it trains: the peak up to here."""
        if stage is not None and isinstance(event.get("memory"), Mapping):
            stage.memory = event["memory"]

    def _on_checkpoint(self, event: Event, _: StageState | None) -> None:
        self.checkpoint_step = int(event.get("step") or 0)

    def _on_remark(self, event: Event, stage: StageState | None) -> None:
        rows = tuple(str(each) for each in event.get("rows") or ())
        where = stage.id if stage else ""
        said = Remark(stage=where, code=str(event.get("code", "")), message=str(event.get("message", "")), rows=rows)
        self.remarks.append(said)

    def _on_adjusted(self, event: Event, stage: StageState | None) -> None:
        changed = ", ".join(f"{name} {value}" for name, value in (event.get("arguments") or {}).items())
        self.remarks.append(Remark(stage=stage.id if stage else "", code="", message=f"goes on with {changed}"))

    def _on_stage_finished(self, event: Event, stage: StageState | None) -> None:
        if stage is not None:
            stage.status, stage.result = "done", event.get("result") or {}
            stage.memory = event.get("memory") or {}

    def _on_stage_failed(self, event: Event, stage: StageState | None) -> None:
        if stage is not None:
            stage.status = "failed"
            stage.message = f"{event.get('code', '')} {event.get('message', '')}".strip()
            self._on_remark(event, stage)

    def _on_stage_interrupted(self, event: Event, stage: StageState | None) -> None:
        if stage is not None:
            stage.status, stage.memory = "stopped", event.get("memory") or {}

    def _on_stage_ended(self, event: Event, stage: StageState | None) -> None:
        if stage is None:
            return
        stage.seconds += float(event.get("seconds") or 0.0)
        if stage.status == "running":  # it went without a last word
            stage.status = "stopped"

    # --- figures --------------------------------------------------------------------------------------------------

    @property
    def current(self) -> StageState | None:
        """The stage that runs."""
        return next((each for each in self.stages.values() if each.status == "running"), None)

    def ended(self) -> bool:
        """True where the run has said its last word."""
        return self.exit_code is not None

    def spent_hours(self) -> float:
        """Hours in stages, all attempts."""
        return sum(each.spent_seconds() for each in self.stages.values()) / 3600

    def left_hours(self) -> float:
        """What is left, at the pace of the stage that runs and as estimated for the others."""
        return sum(each.left_seconds() for each in self.stages.values()) / 3600

    def usd(self) -> float:
        """Money spent."""
        return self.spent_hours() * float(self.plan.budget.get("usd_per_hour") or 0.0)

    def peak_gib(self) -> float:
        """The most that any stage has said it took, on the device; of the process where there is no device."""
        said = [each.memory for each in self.stages.values()]
        on_device = max((each.get("reserved_gib") or 0.0 for each in said), default=0.0)
        return on_device or max((each.get("process_gib") or 0.0 for each in said), default=0.0)

    def charts(self) -> list[Chart]:
        """The curves of the stage that was logged last; a policy's rewards first, as its loss says little."""
        logged = [curve[-1] for curve in (self.losses, self.held_out, self.rewards) if curve]
        order = list(self.stages)
        stage = max(logged, key=lambda each: order.index(each.stage)).stage if logged else ""

        def of(curve: Sequence[Point]) -> list[Point]:
            return [each for each in curve if each.stage == stage]

        loss = Chart(
            title=f"Loss of {stage}" if stage else "Loss",
            points=of(self.losses),
            name="training",
            marks=of(self.held_out),
            mark_name="held out",
        )
        if not of(self.rewards):
            return [loss]
        reward = Chart(
            title=f"Reward of {stage}",
            points=of(self.rewards),
            name="reward",
            marks=of(self.kls),
            mark_name="KL",
            own_scale=True,
        )
        length = Chart(title=f"Answers of {stage}", points=of(self.lengths), name="tokens an answer")
        return [reward, length, loss]

    def policy_stage(self) -> str:
        """The stage whose answers earn rewards at the moment; nothing where none does."""
        current = self.current
        return current.id if current is not None and current.kind in POLICIES else ""

    def samples_stage(self) -> list[str]:
        """Stages whose answers on held-out rows lie in the run's folder, in order."""
        return [
            each.id for each in self.stages.values() if each.kind in ("baseline", "evaluate") and each.status == "done"
        ]

    def condition(self, now: float) -> str:
        """In a word: running, silent, interrupted, done, failed, ..."""
        if self.exit_code is None:
            return (
                "silent"
                if self.current and now - self.last > STALE_SECONDS
                else "running"
                if self.began
                else "starting"
            )
        words = {0: "done", 4: "done, below the goal", 130: "stopped, can go on", 3: "cannot go on"}
        return words.get(self.exit_code, "failed")
