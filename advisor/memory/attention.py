"""What self-attention allocates, forward and backward: projections, rotary embedding, the attention kernel.

Follows transformers' attention classes (`modeling_llama.py` and its relatives) and PyTorch's kernels: FlashAttention
and the memory-efficient kernel keep queries, keys, values, the result and one log-sum a row and head; eager attention
keeps the probabilities. The memory-efficient kernel wants as many key heads as query heads.
"""

from __future__ import annotations

from collections.abc import Callable

from ftc.advisor.memory.flow import Flow
from ftc.advisor.memory.linear import linear
from ftc.advisor.memory.norm import norm
from ftc.advisor.memory.tape import Block, Tape, Undo

Split = Callable[[Block], tuple[Block, Block, Block]]  # the gradient of the result to those of queries, keys, values


def attention(tape: Tape, flow: Flow, x: Block, graph: bool) -> tuple[Block, int, Undo]:
    """The attention block of one layer, from the normed input to the output projection."""
    project = _project_fused if flow.fused_qkv else _project
    queries, keys, values, width, unproject = project(tape, flow, x, graph)
    rotated = max(width, flow.stream) if flow.autocast else width
    turned, unturn_queries = _rotate(tape, flow.tokens * flow.query, rotated)
    turned_keys, unturn_keys = _rotate(tape, flow.tokens * flow.keys, rotated)
    tape.drop(queries, keys)
    run = _written if flow.kernel in ("eager", "math") else _fused
    mixed, out, unmix = run(tape, flow, turned, turned_keys, values, rotated, width, graph)
    tape.drop(turned, turned_keys, values)
    name = "dense" if flow.parallel else "o_proj"
    y, final, unproject_out = linear(tape, flow, mixed, out, name, flow.query, flow.hidden, graph)
    tape.drop(mixed)

    def undo(gradient: Block) -> Block:
        to_queries, to_keys, to_values = unmix(unproject_out(gradient))
        to_keys, to_queries = unturn_keys(to_keys), unturn_queries(to_queries)
        if rotated != width:
            to_keys = tape.turn(to_keys, flow.tokens * flow.keys * width)
            to_queries = tape.turn(to_queries, flow.tokens * flow.query * width)
        return unproject(to_queries, to_keys, to_values)

    return y, final, undo


def _project(
    tape: Tape, flow: Flow, x: Block, graph: bool
) -> tuple[Block, Block, Block, int, Callable[[Block, Block, Block], Block]]:
    """Queries, keys and values by three matrices, with their norms where the family has them."""
    queries, width, undo_q = linear(tape, flow, x, flow.stream, "q_proj", flow.hidden, flow.query, graph)
    undo_qn = undo_kn = None
    if flow.head_norms:
        normed, undo_qn = norm(tape, flow, queries, flow.query, width, graph)
        tape.drop(queries)
        queries = normed
    keys, _, undo_k = linear(tape, flow, x, flow.stream, "k_proj", flow.hidden, flow.keys, graph)
    if flow.head_norms:
        normed, undo_kn = norm(tape, flow, keys, flow.keys, width, graph)
        tape.drop(keys)
        keys = normed
    values, _, undo_v = linear(tape, flow, x, flow.stream, "v_proj", flow.hidden, flow.keys, graph)

    def undo(to_queries: Block, to_keys: Block, to_values: Block) -> Block:
        back = undo_v(to_values)
        tape.drop(undo_k(undo_kn(to_keys) if undo_kn else to_keys))
        tape.drop(undo_q(undo_qn(to_queries) if undo_qn else to_queries))
        return back

    return queries, keys, values, width, undo


def _project_fused(
    tape: Tape, flow: Flow, x: Block, graph: bool
) -> tuple[Block, Block, Block, int, Callable[[Block, Block, Block], Block]]:
    """Queries, keys and values as slices of one product."""
    name = "query_key_value" if flow.parallel else "qkv_proj"
    outputs = flow.query + 2 * flow.keys
    whole, width, unlinear = linear(tape, flow, x, flow.stream, name, flow.hidden, outputs, graph)

    def undo(to_queries: Block, to_keys: Block, to_values: Block) -> Block:
        joined = tape.new(flow.tokens * outputs * width)
        tape.drop(to_queries, to_keys, to_values)
        return unlinear(joined)

    return whole, tape.hold(whole), tape.hold(whole), width, undo


def _rotate(tape: Tape, elements: int, width: int) -> tuple[Block, Undo]:
    """x * cos + rotate_half(x) * sin."""
    size = elements * width
    with_cos = tape.new(size)
    half = tape.new(size // 2)
    swapped = tape.turn(half, size)
    with_sin = tape.turn(swapped, size)
    y = tape.new(size)
    tape.drop(with_cos, with_sin)

    def undo(gradient: Block) -> Block:
        through_sin = tape.new(size)
        padded, other = tape.new(size), tape.new(size)  # the two halves, each padded to full width, then summed
        tape.drop(through_sin, other)
        back = tape.new(size)
        tape.drop(gradient, padded)
        return back

    return y, undo


def _fused(
    tape: Tape, flow: Flow, queries: Block, keys: Block, values: Block, rotated: int, width: int, graph: bool
) -> tuple[Block, int, Split]:
    """A kernel that never writes the scores."""
    out = flow.matmul if flow.autocast or (flow.kernel == "flash" and flow.four_bit) else rotated
    many, few = flow.tokens * flow.query, flow.tokens * flow.keys
    expanded = not flow.grouped and few != many
    seen = many if expanded else few
    q = tape.hold(queries) if rotated == out else tape.new(many * out)
    k = tape.new(many * rotated) if expanded else tape.hold(keys)
    v = tape.new(many * width) if expanded else tape.hold(values)
    if rotated != out:
        k = tape.turn(k, seen * out)
    if width != out:
        v = tape.turn(v, seen * out)
    y = tape.new(many * out)
    logsum = tape.new(flow.tokens * flow.heads * 4)
    kept = (q, k, v, tape.hold(y), logsum)
    if not graph:
        tape.drop(*kept)

    def undo(gradient: Block) -> tuple[Block, Block, Block]:
        to_q, to_k, to_v = tape.new(many * out), tape.new(seen * out), tape.new(seen * out)
        own = [tape.new(flow.tokens * flow.heads * 4)]
        if out == 2:
            own.append(tape.new(many * 4))  # queries' gradient is summed up in fp32
        if flow.kernel == "flash" and few != many:
            own += [tape.new(many * out), tape.new(many * out)]  # keys' and values' gradients of every query head
        tape.drop(*own, gradient, *kept)
        if rotated != out:
            to_q, to_k = tape.turn(to_q, many * rotated), tape.turn(to_k, seen * rotated)
        if width != out:
            to_v = tape.turn(to_v, seen * width)
        if expanded:
            to_k, to_v = tape.turn(to_k, few * rotated), tape.turn(to_v, few * width)
        return to_q, to_k, to_v

    return y, out, undo


def _written(
    tape: Tape, flow: Flow, queries: Block, keys: Block, values: Block, rotated: int, width: int, graph: bool
) -> tuple[Block, int, Split]:
    """Scores, mask, softmax in fp32, and the product with the values, each as a tensor of its own.

    Eager attention, and PyTorch's own fallback, which is the same but for the separate mask.
    """
    out = flow.matmul if flow.autocast else rotated
    many, few = flow.tokens * flow.query, flow.tokens * flow.keys
    grid = flow.rows * flow.heads * flow.length**2
    expanded = few != many
    k = tape.new(many * rotated) if expanded else tape.hold(keys)
    v = tape.new(many * width) if expanded else tape.hold(values)
    q = tape.hold(queries)
    if rotated != out:
        q, k = tape.turn(q, many * out), tape.turn(k, many * out)
    if width != out:
        v = tape.turn(v, many * out)
    scores = tape.turn(tape.new(grid * out), grid * out)  # the product, then times the scaling
    squashed = 0
    if flow.capped:
        squashed = tape.turn(tape.turn(scores, grid * out), grid * out)  # divided by the cap, then tanh
        scores = tape.new(grid * out)
    scores = tape.turn(scores, grid * max(out, flow.stream))  # plus the mask
    if flow.sinks:
        scores = tape.turn(tape.turn(scores, grid * out), grid * out)  # with the extra column, less the maximum
    softened = tape.new(grid * (out if flow.sinks else 4))
    as_queries = tape.hold(softened) if rotated == 4 or flow.sinks else tape.new(grid * rotated)
    tape.drop(scores)
    weights = tape.hold(as_queries) if rotated == out else tape.new(grid * out)
    y = tape.new(many * out)
    tape.drop(as_queries)
    y = tape.turn(y, many * out)  # heads side by side
    kept = (q, k, softened, weights, v)
    if not graph:
        tape.drop(squashed, *kept)

    def undo(gradient: Block) -> tuple[Block, Block, Block]:
        gradient = tape.turn(gradient, many * out)
        to_scores, to_v = tape.new(grid * out), tape.new(many * out)
        tape.drop(gradient, weights)
        if rotated != out:
            to_scores = tape.turn(to_scores, grid * rotated)
        if rotated != 4 and not flow.sinks:
            to_scores = tape.turn(to_scores, grid * 4)
        before = tape.new(grid * out)
        tape.passing(
            grid * (out if flow.sinks else 4)
        )  # gradient x output, inside the CUDA kernel (aten/native/cuda/SoftMax.cu)
        tape.drop(to_scores, softened)
        before = tape.turn(before, grid * out)
        to_q, to_k = tape.new(many * out), tape.new(many * out)
        tape.drop(before, q, k, v)
        if rotated != out:
            to_q, to_k = tape.turn(to_q, many * rotated), tape.turn(to_k, many * rotated)
        if width != out:
            to_v = tape.turn(to_v, many * width)
        if expanded:
            to_k, to_v = tape.turn(to_k, few * rotated), tape.turn(to_v, few * width)
        return to_q, to_k, to_v

    return y, out, undo
