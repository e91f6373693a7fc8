"""What lies between the last hidden state and the loss: logits and their chain, or tiles of the vocabulary.

Full logits follow transformers' `ForCausalLMLoss` (fp32 copy, log-softmax kept, two gradients of that size); tiles
follow `ChunkedLogProbFunction` of TRL (4,096 tokens x 32,768 columns at once, gradients summed up in fp32).
"""

from __future__ import annotations

from ftc.advisor.memory.flow import Flow
from ftc.advisor.memory.linear import weight_gradient
from ftc.advisor.memory.norm import norm
from ftc.advisor.memory.tape import Block, Tape, Undo

TILE_TOKENS, TILE_COLUMNS = 4096, 32768  # trl/kernels/chunked_logprob.py, trl/trainer/utils.py


def head(tape: Tape, flow: Flow, x: Block, graph: bool, scored: int) -> tuple[Block, Undo]:
    """Final norm and loss over `scored` tokens (0: none, a reward model): what the loop holds on to, and the backward.

    The backward step takes no gradient (0) and returns that of `x`, which is used up.
    """
    normed, unnorm = norm(tape, flow, x, flow.hidden, flow.stream, graph)
    tape.drop(x)
    before, tape.kind = tape.kind, "logits"
    run = _reward if not scored else _tiles if flow.chunked else _logits
    held, unhead = run(tape, flow, normed, graph, scored)
    tape.kind = before

    def undo(_: Block) -> Block:
        outer, tape.kind = tape.kind, "logits"
        gradient = unhead(0)
        tape.kind = outer
        return unnorm(gradient)

    return held, undo


def _logits(tape: Tape, flow: Flow, x: Block, graph: bool, scored: int) -> tuple[Block, Undo]:
    """Logits of every token, in the head's dtype; the loss works on an fp32 copy."""
    width = flow.matmul if flow.autocast else flow.stream
    size, fp32 = scored * flow.vocab * width, scored * flow.vocab * 4
    operand = tape.hold(x) if width == flow.stream else tape.new(flow.tokens * flow.hidden * width)
    cast = tape.new(flow.vocab * flow.hidden * width) if flow.autocast and flow.stream != width else 0
    logits = tape.new(size)
    squashed = 0
    if flow.capped:
        logits = tape.turn(logits, size)  # divided by the cap
        squashed = logits = tape.turn(logits, size)
        logits = tape.new(size)  # times the cap
    tape.drop(x)
    if not (graph and flow.full):
        tape.drop(operand)
    wide = tape.new(fp32) if width != 4 else tape.hold(logits)
    if not graph:  # a score alone: the fp32 copy takes the logits' place
        tape.drop(logits)
    softened = tape.new(fp32)
    tape.drop(wide)
    keeps = graph and flow.keep_outputs
    kept_copy = tape.new(fp32) if flow.autocast and keeps else 0  # accelerate widens what a model returns
    held = kept_copy or (logits if keeps else 0)
    if graph and (not held or kept_copy):
        tape.drop(logits)
    if not graph:
        tape.drop(softened, squashed, cast)

    def undo(_: Block) -> Block:
        picked = tape.new(fp32)
        gradient = tape.new(fp32)
        tape.drop(picked, softened)
        if width != 4:
            gradient = tape.turn(gradient, size)
        if flow.capped:
            gradient = tape.turn(tape.turn(gradient, size), size)
            gradient = tape.turn(gradient, size)
            tape.drop(squashed)
        back = tape.new(flow.tokens * flow.hidden * width)
        if flow.full:
            weight_gradient(tape, flow, flow.vocab * flow.hidden, width)
            tape.drop(operand)
        tape.drop(gradient, cast)
        return back if width == flow.stream else tape.turn(back, flow.tokens * flow.hidden * flow.stream)

    return held, undo


def _tiles(tape: Tape, flow: Flow, x: Block, graph: bool, scored: int) -> tuple[Block, Undo]:
    """The scored tokens' hidden states, one tile of logits at a time, forward and again backward."""
    width = flow.matmul if flow.autocast else flow.stream
    hidden = scored * flow.hidden
    weight = flow.vocab * flow.hidden
    tile_tokens = min(scored, TILE_TOKENS)
    columns = min(flow.vocab, TILE_COLUMNS)

    def tile() -> tuple[Block, ...]:
        made = [tape.new(tile_tokens * (columns if flow.on_cpu else TILE_COLUMNS) * width)]
        if width != flow.stream:
            made += [tape.new(tile_tokens * flow.hidden * width), tape.new(columns * flow.hidden * width)]
        if flow.on_cpu:
            made += [tape.new(tile_tokens * columns * 4) for _ in range(4)]  # without Triton each operation is a tensor
        return tuple(made)

    chosen = tape.new(hidden * flow.stream)  # the tokens that carry loss, gathered
    tape.drop(x)
    numbers = tape.new(scored * 4 * 8)
    tape.drop(*tile())
    if not graph:
        tape.drop(chosen)
    tape.drop(numbers)

    def undo(_: Block) -> Block:
        back = tape.new(hidden * 4)
        before, tape.kind = tape.kind, "gradients"
        gradient = tape.new(weight * 4) if flow.full else 0
        tape.kind = before
        held = tile()
        product = tape.new(max(tile_tokens * flow.hidden, columns * flow.hidden if flow.full else 0) * 4)
        tape.drop(product, *held)
        if flow.stream != 4:
            back = tape.turn(back, hidden * flow.stream)
        if flow.full:
            weight_gradient(tape, flow, weight, flow.stored)
            tape.drop(gradient)
        spread = tape.new(flow.tokens * flow.hidden * flow.stream)
        tape.drop(back, chosen)
        return spread

    return 0, undo


def _reward(tape: Tape, flow: Flow, x: Block, graph: bool, scored: int) -> tuple[Block, Undo]:
    """One number a row: the score head has one output."""
    del scored
    if not graph:
        tape.drop(x)

    def undo(_: Block) -> Block:
        gradient = tape.new(flow.tokens * flow.hidden * flow.stream)
        tape.drop(x)
        return gradient

    return 0, undo
