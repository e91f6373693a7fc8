"""What a norm layer allocates: RMS norms work in fp32 through separate operations, LayerNorm is one kernel.

Follows `LlamaRMSNorm` and `Gemma2RMSNorm` (transformers) and torch's `native_layer_norm`.
"""

from __future__ import annotations

from ftc.advisor.memory.flow import Flow
from ftc.advisor.memory.tape import Block, Tape, Undo


def norm(tape: Tape, flow: Flow, x: Block, elements: int, width: int, graph: bool) -> tuple[Block, Undo]:
    """The normed `x`, of `elements` a token and `width` bytes each, and the backward step."""
    if flow.norm == "layer":
        return _layer_norm(tape, flow, x, elements, width, graph)
    return _rms_norm(tape, flow, x, elements, width, graph)


def _rms_norm(tape: Tape, flow: Flow, x: Block, elements: int, width: int, graph: bool) -> tuple[Block, Undo]:
    """weight * (x32 * rsqrt(mean(x32 ** 2))).to(dtype), or Gemma's form, which multiplies before it casts."""
    size, fp32 = flow.tokens * elements * width, flow.tokens * elements * 4
    narrow = width != 4
    gemma = flow.norm == "gemma"
    wide = tape.new(fp32) if narrow else tape.hold(x)
    tape.passing(fp32)  # the squares
    scale = tape.new(flow.tokens * 4)
    scaled = tape.new(fp32)
    if gemma:
        kept = tape.hold(scaled) if graph and flow.full else 0
        y = tape.turn(scaled, fp32)
        y = tape.turn(y, size) if narrow else y
    else:
        cast = tape.turn(scaled, size) if narrow else scaled
        y = tape.new(size)
        kept = tape.hold(cast) if graph and flow.full else 0
        tape.drop(cast)
    if not graph:
        tape.drop(wide, scale)

    def undo(gradient: Block) -> Block:
        if gemma and narrow:
            gradient = tape.turn(gradient, fp32)
        if flow.full:
            tape.passing(fp32 if gemma else size)  # the weight's gradient before it is summed up
        gradient = tape.turn(gradient, fp32 if gemma else size)
        tape.drop(kept)
        if narrow and not gemma:
            gradient = tape.turn(gradient, fp32)
        back = tape.new(fp32)
        tape.passing(fp32)  # gradient x input, summed up to the scale's gradient
        tape.drop(gradient)
        through_mean, power, doubled, squared = (tape.new(fp32) for _ in range(4))
        tape.drop(through_mean, power, doubled)
        tape.drop(squared, wide, scale)  # added to `back` in place
        return tape.turn(back, size) if narrow else back

    return y, undo


def _layer_norm(tape: Tape, flow: Flow, x: Block, elements: int, width: int, graph: bool) -> tuple[Block, Undo]:
    """One kernel that keeps its input and two numbers a token; under autocast it runs in fp32."""
    tokens = flow.tokens
    out = 4 if flow.autocast else width
    operand = tape.hold(x) if out == width else tape.new(tokens * elements * out)
    y = tape.new(tokens * elements * out)
    moments = tape.new(tokens * 8)
    if not graph:
        tape.drop(operand, moments)

    def undo(gradient: Block) -> Block:
        back = tape.new(tokens * elements * out)
        tape.drop(gradient, operand, moments)
        return back if out == width else tape.turn(back, tokens * elements * width)

    return y, undo
