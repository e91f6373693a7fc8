"""How long a stage takes: its steps, and what lies around them: loading, evaluation, checkpoints, generation.

Padding waste comes from the data's own lengths: a row costs as much as the longest of its micro-batch, a packed one as
much as a full one. Knows nothing of memory limits or money; `speed.py` knows what one step costs.
"""

from __future__ import annotations

import math
from functools import lru_cache

from ftc.advisor.calibration import correction
from ftc.advisor.memory import state_bytes, trained
from ftc.advisor.speed import Step, forward_seconds, step_seconds, token_seconds
from ftc.advisor.values import Device, Setup, TimeEstimate, Workload
from ftc.spec.estimate import Estimate

SOURCE = "FLOPs, bytes and calls of the played step (ftc)"
_START_S = 14.0  # importing the training stack, building model and trainer; measured with a warm disk cache
_CPU_START_S = 12.0
_DISK_GB_S = 1.0
_DOWNLOAD_GB_S = 0.1  # for the high end: weights that are not on the disk yet
_PACKED = 0.97  # share of a packed sequence that is filled, best-fit decreasing
_ROWS_AT_ONCE = 16  # rows that are answered together when a model is evaluated

# How far a run's training time lies from the estimate, nine times in ten, by what the step waits for.
_WIDTH = {"compute": 1.45, "memory": 1.5, "communication": 1.6}
_CPU_WIDTH = 2.0  # clocks, threads and neighbours of a CPU vary more than those of a GPU


def duration(setup: Setup, device: Device, workload: Workload) -> TimeEstimate:
    """Wall time of the whole stage on `setup.devices` x `setup.nodes` of `device`."""
    rows_a_step = setup.micro_batch * setup.grad_accum * setup.devices * setup.nodes
    useful = min(workload.mean_tokens, float(setup.seq_len))
    if setup.packing:
        sequences = max(1.0, workload.rows * useful / (setup.seq_len * _PACKED))
        length = float(setup.seq_len)
        useful = length * _PACKED
    else:
        sequences, length = float(workload.rows), padded_tokens(workload, setup.micro_batch, setup.seq_len)
    steps = max(1, math.ceil(sequences * workload.epochs / rows_a_step))
    step = step_seconds(setup, device, length)
    generating = _generation(setup, device, length)
    factor, spread, source = correction(device, setup, "seconds")
    parts = {
        "training": steps * step.total * factor / 3600,
        "loading": _loading(setup, device) / 3600,
        "evaluation": _evaluation(setup, device, workload) * factor / 3600,
        "checkpoints": _checkpoints(setup, steps) / 3600,
        "generation": steps * generating * factor / 3600,
    }
    wide = spread or (_CPU_WIDTH if device.kind == "cpu" else _WIDTH[step.bound])
    speed = setup.micro_batch * setup.grad_accum * useful / ((step.total + generating) * factor)
    named = f"{SOURCE}{source}"
    return TimeEstimate(
        hours=_hours(parts, wide, setup, device, named),
        tokens_per_second_per_gpu=Estimate(
            low=speed / wide, likely=speed, high=speed * wide, unit="tokens/s", source=named
        ),
        steps=steps,
        bound=step.bound,
        parts_hours=parts,
    )


def step_of(setup: Setup, device: Device, workload: Workload) -> Step:
    """One step of that stage, for who wants to see what it waits for."""
    return step_seconds(setup, device, padded_tokens(workload, setup.micro_batch, setup.seq_len))


@lru_cache(maxsize=4096)
def padded_tokens(workload: Workload, micro_batch: int, seq_len: int) -> float:
    """Mean length of a row padded to the longest of its micro-batch: the expected maximum of `micro_batch` draws."""
    total = sum(rows for _, rows in workload.histogram)
    if not total:  # lengths of text scatter about as a log-normal with sigma 0.5, whose maximum grows like this
        mean = workload.mean_tokens * (1 + 0.28 * math.log(micro_batch))
        return min(float(seq_len), mean)
    if micro_batch == 1:
        return min(float(seq_len), workload.mean_tokens)
    seen, before, mean = 0, 0.0, 0.0
    for upper, rows in workload.histogram:
        seen += rows
        share = (seen / total) ** micro_batch
        mean += min(upper, seq_len) * (share - before)
        before = share
    return mean


def _hours(parts: dict[str, float], wide: float, setup: Setup, device: Device, source: str) -> Estimate:
    """The sum as a range: what is computed scatters, what is loaded may have to be downloaded first."""
    computed = parts["training"] + parts["generation"] + parts["evaluation"]
    around = parts["loading"] + parts["checkpoints"]
    download = 0.0 if device.kind == "cpu" else setup.architecture.parameters * 2 / (_DOWNLOAD_GB_S * 1e9) / 3600
    return Estimate(
        low=computed / wide + around / 2,
        likely=computed + around,
        high=computed * wide + around * 2 + download,
        unit="h",
        source=source,
    )


def _generation(setup: Setup, device: Device, length: float) -> float:
    """Seconds of generating a step's answers (GRPO, RLOO), the rows of all micro-batches at once."""
    if setup.objective not in ("grpo", "rloo") or not setup.completion_len:
        return 0.0
    rows = setup.micro_batch * setup.grad_accum
    prompt = max(1.0, length - setup.completion_len)
    return setup.completion_len * token_seconds(setup, device, rows) + forward_seconds(
        setup, device, rows * prompt, prompt
    )


def _evaluation(setup: Setup, device: Device, workload: Workload) -> float:
    """Seconds of scoring the held-out rows: a forward pass each time, and the answers once."""
    if not workload.eval_rows:
        return 0.0
    length = max(1.0, min(workload.mean_tokens, float(setup.seq_len)))
    scored = forward_seconds(setup, device, workload.eval_rows * length, length)
    batches = math.ceil(workload.eval_rows / _ROWS_AT_ONCE)
    answers = batches * workload.eval_completion_tokens * token_seconds(setup, device, _ROWS_AT_ONCE)
    return workload.evaluations * scored + answers


def _loading(setup: Setup, device: Device) -> float:
    """Seconds from the start of the process to its first step."""
    stored = setup.architecture.parameters * 2
    return (_CPU_START_S if device.kind == "cpu" else _START_S) + stored / (_DISK_GB_S * 1e9)


def _checkpoints(setup: Setup, steps: int) -> float:
    """Seconds of writing checkpoints: what is trained and its states, about ten times a run."""
    size = trained(setup) * (4 + state_bytes(setup))
    return min(10, 1 + steps // 50) * (0.1 + size / (_DISK_GB_S * 1e9))
