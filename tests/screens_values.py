"""Fixed values for the screens' tests: a spec that needs no data, and a verdict made by hand, so that pictures of the
screens change when a screen changes and not when the advice does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

from textual.pilot import Pilot

from ftc.advisor.gpus import find_gpu
from ftc.advisor.values import (
    Candidate,
    Finding,
    Flip,
    Machine,
    MemoryEstimate,
    Question,
    Setting,
    TimeEstimate,
    Verdict,
)
from ftc.api import Advice
from ftc.screens.app import FtcApp
from ftc.screens.planner import Planner
from ftc.screens.session import Pending, Session
from ftc.spec.estimate import Estimate

SPEC = """\
version: 1
name: support-router
goal:
  task: generation               # answers of a support desk
  domain: customer-support
  prompting: insufficient
data:
  demonstrations: {rows: 6000, prompt_tokens: 400, completion_tokens: 250, format: chat}
model:
  base: Qwen/Qwen2.5-7B-Instruct
hardware: {gpu: rtx-4090, count: 1}
budget: {usd: 50, hours: 8}
"""

# With this one the money decides: 70 billion parameters, nothing else allowed, and clouds to rent from.
DEAR_SPEC = """\
version: 1
name: big
goal: {task: generation, domain: support, prompting: insufficient}
data:
  demonstrations: {rows: 20000, prompt_tokens: 600, completion_tokens: 300}
model: {base: meta-llama/Llama-3.1-70B-Instruct, substitute: false}
hardware: {cloud: any}
budget: {usd: 500}              # what was granted
"""


def span(likely: float, unit: str) -> Estimate:
    """A range around a value."""
    return Estimate(low=likely * 0.9, likely=likely, high=likely * 1.15, unit=unit, source="made by hand")


def candidate(
    method: str, adapter: str, gib: float, hours: float, *, why_not: str = "", quality: float = 3.0
) -> Candidate:
    """One on an RTX 4090."""
    device, _ = find_gpu("rtx-4090", None)
    assert device is not None
    memory = MemoryEstimate(
        allocated=span(gib * 0.9, "GiB"),
        reserved=span(gib * 0.95, "GiB"),
        device=span(gib, "GiB"),
        host=span(6.0, "GiB"),
        breakdown={"weights": gib * 0.7, "adapters": 0.2, "activations": gib * 0.2, "overhead": 0.5},
    )
    time = TimeEstimate(
        hours=span(hours, "h"), tokens_per_second_per_gpu=span(3900, "tokens/s"), steps=844, bound="compute"
    )
    return Candidate(
        method=method,
        adapter=adapter,  # type: ignore[arg-type]
        model="Qwen/Qwen2.5-7B-Instruct",
        machine=Machine(device=device),
        setup=None,
        memory=memory,
        time=time,
        usd=Estimate.exact(0.0, "USD"),
        quality=quality,
        feasible=not why_not,
        why_not=why_not,
        pareto=method == "sft-qlora",
    )


def verdict() -> Verdict:
    """One of every kind of thing that a verdict may hold."""
    chosen = candidate("sft-lora", "lora", 17.2, 1.4, quality=3.05)
    lost = Candidate(
        method="dpo", adapter="none", model="", machine=None, setup=None, feasible=False, why_not="no pairs in the data"
    )
    return Verdict(
        method="sft-lora",
        adapter="lora",
        model="Qwen/Qwen2.5-7B-Instruct",
        chosen=chosen,
        settings={
            "learning_rate": Setting(value=2e-4, origin="rule H310", low=1e-5, high=5e-4, because="LoRA takes more"),
            "lora.rank": Setting(value=16, origin="rule H301", low=8, high=64),
            "epochs": Setting(value=3, origin="spec overrides.epochs"),
        },
        trace=(
            Finding(
                code="M110",
                question="Does the task need more than prompting gives?",
                answer="yes",
                because="6,000 demonstrations >= 500",
                rule_of_thumb=True,
                numbers={"rows": 6000},
            ),
            Finding(
                code="M130",
                question="Do all weights have to move?",
                answer="no",
                because="1.5 M completion tokens < 323 M adapter parameters at rank 128",
                evidence=("Schulman and Thinking Machines 2025",),
            ),
        ),
        flags=("eval_holdout",),
        notes=(Finding(code="M201", question="", answer="", because="600 rows are held out", flag="eval_holdout"),),
        alternatives=(
            candidate("sft-qlora", "qlora", 8.4, 2.1, quality=3.0),
            candidate("sft-full", "full", 61.0, 1.9, why_not="61.0 GiB do not fit 24", quality=3.1),
            lost,
        ),
        flips=(
            Flip(change="with fewer than 50 rows", to="prompt", key="data.demonstrations.rows", value=40),
            Flip(change="with a second RTX 4090", to="sft-full", key="hardware.count", value=2),
            Flip(change="with another kind of data altogether", to="dpo"),
        ),
        questions=(
            Question(
                key="goal.prompting",
                text="What has prompting achieved?",
                outcomes={"enough": "prompt", "too little": "sft-lora"},
            ),
        ),
        confidence="medium",
        confidence_because="sft-qlora is within the estimates' ranges",
    )


def by_hand(pending: Pending) -> Advice:
    """In place of `settle`: the verdict above, whatever the spec says."""
    assert pending.facts is not None
    return Advice(loaded=pending.loaded, facts=pending.facts, verdict=verdict(), diagnostics=())


def write_spec(folder: Path, text: str = SPEC) -> Path:
    """The spec as a file."""
    path = folder / "ftc.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def planner_app(path: Path) -> FtcApp:
    """The planner on a spec."""
    return FtcApp(Planner(Session(path)))


async def settled(pilot: Pilot[int]) -> None:
    """Wait until workers are done and what they brought is shown."""
    for _ in range(3):
        await pilot.pause()
        await pilot.app.workers.wait_for_complete()
    await pilot.pause()


async def keys(pilot: Pilot[int], pressed: Iterable[str]) -> None:
    """Press keys one after the other, each until everything has settled."""
    for key in pressed:
        await pilot.press(key)
        await settled(pilot)


def drive(app: FtcApp, story: object, size: tuple[int, int] = (120, 40), *, follows: bool = False) -> None:
    """Run `story(pilot)` in the app, headless. A screen that `follows` something never settles."""

    async def run() -> None:
        async with app.run_test(size=size) as pilot:
            if not follows:
                await settled(pilot)
            await story(pilot)  # type: ignore[operator]

    asyncio.run(run())
