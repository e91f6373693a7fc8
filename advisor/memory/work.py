"""What a step makes the device do beside arithmetic: bytes written and operations called, counted on the tape.

Every operation writes its result once; how fast that goes, and what a call costs, is `duration.py`'s business.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from ftc.advisor.memory.flow import Flow, flow_of
from ftc.advisor.memory.head import head
from ftc.advisor.memory.layer import layer
from ftc.advisor.memory.tape import Tape
from ftc.advisor.values import Device, Setup


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Of one micro-batch."""

    forward_written: float  # bytes, all layers and the head, keeping nothing
    forward_calls: int
    step_written: float  # forward and backward, checkpointing included
    step_calls: int


def work_of(setup: Setup, device: Device) -> Work:
    """What one micro-batch of `setup` writes and calls on that device. Remembered."""
    return _work(flow_of(setup, device.kind, device.compute_capability), setup.completion_len)


@lru_cache(maxsize=8192)
def _work(flow: Flow, completion: int) -> Work:
    tape = Tape()
    x = tape.new(flow.tokens * flow.hidden * flow.stream)
    start = _mark(tape)
    layer(tape, flow, x, False)
    forward = _since(tape, start)
    start = _mark(tape)
    y, undo = layer(tape, flow, x, True)
    undo(y)
    both = _since(tape, start)
    scored = flow.rows * (completion or flow.length)
    start = _mark(tape)
    _, unhead = head(tape, flow, tape.new(flow.tokens * flow.hidden * flow.stream), True, scored)
    ends_forward = _since(tape, start)
    unhead(0)
    ends = _since(tape, start)
    again = forward if flow.checkpointed else (0.0, 0)
    return Work(
        forward_written=flow.layers * forward[0] + ends_forward[0],
        forward_calls=flow.layers * forward[1] + ends_forward[1],
        step_written=flow.layers * (both[0] + again[0]) + ends[0],
        step_calls=flow.layers * (both[1] + again[1]) + ends[1],
    )


def _mark(tape: Tape) -> tuple[float, int]:
    return tape.written, tape.calls


def _since(tape: Tape, start: tuple[float, int]) -> tuple[float, int]:
    return tape.written - start[0], tape.calls - start[1]
