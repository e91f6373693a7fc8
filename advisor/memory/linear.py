"""What one matrix product allocates, forward and backward: dense, in 4 bits, and with a low-rank adapter beside it.

Follows torch.nn.functional.linear with and without autocast, bitsandbytes' MatMul4Bit (the weight is dequantised for
the product and nothing but its packed form is kept) and peft's LoRA layers (dense ones cast the input to the adapter's
dtype, 4-bit ones clone the result and leave the dtype to autocast).
"""

from __future__ import annotations

from ftc.advisor.memory.flow import Flow
from ftc.advisor.memory.tape import Block, Tape, Undo


def linear(
    tape: Tape, flow: Flow, x: Block, width: int, name: str, inputs: int, outputs: int, graph: bool
) -> tuple[Block, int, Undo]:
    """x @ W for `x` of `width` bytes an element: the result, its width, and the backward step."""
    if flow.four_bit:
        y, out, undo = _four_bit(tape, flow, x, width, inputs, outputs, graph)
    else:
        y, out, undo = _dense(tape, flow, x, width, inputs, outputs, graph)
    if name not in flow.adapted:
        return y, out, undo
    return _adapted(tape, flow, x, width, y, out, inputs, outputs, graph, undo)


def _dense(
    tape: Tape, flow: Flow, x: Block, width: int, inputs: int, outputs: int, graph: bool
) -> tuple[Block, int, Undo]:
    """A product with a weight in floating point; a frozen one keeps nothing but a cast of itself."""
    tokens, weight = flow.tokens, inputs * outputs
    out = flow.matmul if flow.autocast else width
    operand = tape.hold(x) if out == width else tape.new(tokens * inputs * out)
    cast = tape.new(weight * out) if flow.autocast and flow.stored != out else 0
    y = tape.new(tokens * outputs * out)
    kept = graph and flow.full
    if not kept:
        tape.drop(operand)
    if not graph:
        tape.drop(cast)

    def undo(gradient: Block) -> Block:
        back = tape.new(tokens * inputs * out)
        if flow.full:
            weight_gradient(tape, flow, weight, out)
            tape.drop(operand)
        tape.drop(cast, gradient)
        return back if out == width else tape.turn(back, tokens * inputs * width)

    return y, out, undo


def weight_gradient(tape: Tape, flow: Flow, weight: int, width: int, *, tied: bool = False) -> None:
    """The gradient of a trained weight, which stays until the optimiser has run; added to where one is held already."""
    before, tape.kind = tape.kind, "gradients"
    made = tape.new(weight * width)
    if flow.stored != width:
        made = tape.turn(made, weight * flow.stored)
    if flow.held_gradients or tied:
        tape.drop(made)
    else:
        tape.gradients.append(made)
    tape.kind = before


def _four_bit(
    tape: Tape, flow: Flow, x: Block, width: int, inputs: int, outputs: int, graph: bool
) -> tuple[Block, int, Undo]:
    """A product in the compute dtype whose result is cast back; backward dequantises the whole weight."""
    tokens, operand = flow.tokens, flow.matmul
    same = operand == width
    cast = tape.hold(x) if same else tape.new(tokens * inputs * operand)
    dense = tape.new(inputs * outputs * operand)
    y = tape.new(tokens * outputs * operand)
    tape.drop(dense)
    kept = cast if graph and flow.keeps_inputs else 0
    if not kept:
        tape.drop(cast)
    if not same:
        y = tape.turn(y, tokens * outputs * width)

    def undo(gradient: Block) -> Block:
        if not same:
            gradient = tape.turn(gradient, tokens * outputs * operand)
        dense = tape.new(inputs * outputs * operand)
        back = tape.new(tokens * inputs * operand)
        tape.drop(dense, gradient, kept)
        return back if same else tape.turn(back, tokens * inputs * width)

    return y, width, undo


def _adapted(
    tape: Tape, flow: Flow, x: Block, width: int, y: Block, out: int, inputs: int, outputs: int, graph: bool, base: Undo
) -> tuple[Block, int, Undo]:
    """y + scaling * B(A(x)), with the casts that peft makes around it."""
    tokens, rank = flow.tokens, flow.rank
    inner = flow.matmul if flow.autocast else flow.adapter
    if flow.four_bit:
        y = tape.turn(y, tokens * outputs * out)  # peft clones a 4-bit result before it is added to
    operand, mask = _adapter_input(tape, flow, x, width, inner, tokens * inputs)
    small = tape.new(tokens * rank * inner)
    big = tape.turn(tape.new(tokens * outputs * inner), tokens * outputs * inner)  # B(A(x)), then times the scaling
    if flow.four_bit and not flow.autocast and inner != out:
        big = tape.turn(big, tokens * outputs * out)
    wide = max(inner, out)
    total = tape.new(tokens * outputs * wide)
    tape.drop(big, y)
    if wide != out:
        total = tape.turn(total, tokens * outputs * out)
    if not graph:
        tape.drop(operand, mask, small)

    def undo(gradient: Block) -> Block:
        widened = tape.hold(gradient) if wide == out else tape.new(tokens * outputs * wide)
        scaled = tape.new(tokens * outputs * inner)
        if wide != out:
            tape.drop(widened)
        _adapter_gradient(tape, flow, outputs * rank)
        lowered = tape.new(tokens * rank * inner)
        tape.drop(scaled, small)
        _adapter_gradient(tape, flow, inputs * rank)
        back = tape.turn(lowered, tokens * inputs * inner)
        tape.drop(operand)
        if mask:
            back = tape.turn(back, tokens * inputs * inner)
            tape.drop(mask)
        if wide == out:
            tape.drop(widened)
        if inner != width:
            back = tape.turn(back, tokens * inputs * width)
        tape.drop(base(gradient))  # added to `back` in place
        return back

    return total, out, undo


def _adapter_input(tape: Tape, flow: Flow, x: Block, width: int, inner: int, elements: int) -> tuple[Block, Block]:
    """The adapter's operand, and dropout's mask: copies where peft or autocast has to cast, `x` itself otherwise."""
    autocast = flow.autocast and not flow.four_bit
    wanted = flow.adapter if autocast else inner
    given = tape.hold(x) if width == wanted else tape.new(elements * wanted)
    mask = 0
    if flow.dropout:
        mask = tape.new(elements)  # one byte each
        given = tape.turn(given, elements * wanted)
    if wanted != inner:
        given = tape.turn(given, elements * inner)
    return given, mask


def _adapter_gradient(tape: Tape, flow: Flow, elements: int) -> None:
    """The gradient of A or B."""
    before, tape.kind = tape.kind, "gradients"
    made = tape.new(elements * flow.adapter)
    if flow.held_gradients:
        tape.drop(made)
    else:
        tape.gradients.append(made)
    tape.kind = before
