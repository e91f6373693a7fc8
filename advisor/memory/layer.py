"""What one decoder layer allocates, forward and backward: norms, attention, the feed-forward part, residual sums.

Follows transformers' decoder layers. Experts are counted as the grouped kernel runs them
(`transformers/integrations/moe.py`): each token's copies are gathered, pass through fused matrices and are summed.
"""

from __future__ import annotations

from collections.abc import Callable

from ftc.advisor.memory.attention import attention
from ftc.advisor.memory.flow import Flow
from ftc.advisor.memory.linear import linear, weight_gradient
from ftc.advisor.memory.norm import norm
from ftc.advisor.memory.tape import Block, Tape, Undo

Part = Callable[[Tape, Flow, Block, bool], tuple[Block, int, Undo]]


def layer(tape: Tape, flow: Flow, x: Block, graph: bool) -> tuple[Block, Undo]:
    """One layer; the caller keeps `x`."""
    return (_parallel if flow.parallel else _serial)(tape, flow, x, graph)


def feed_forward(tape: Tape, flow: Flow, x: Block, graph: bool) -> tuple[Block, int, Undo]:
    """The part after attention, dense or of experts."""
    if flow.experts:
        return _experts(tape, flow, x, graph)
    if not flow.gated:
        return _plain(tape, flow, x, graph)
    return _gated_fused(tape, flow, x, graph) if flow.fused_gate_up else _gated(tape, flow, x, graph)


def _serial(tape: Tape, flow: Flow, x: Block, graph: bool) -> tuple[Block, Undo]:
    """x + attention(norm(x)), then the same with the feed-forward part."""
    middle, undo_first = _branch(tape, flow, x, graph, attention)
    y, undo_second = _branch(tape, flow, middle, graph, feed_forward)
    tape.drop(middle)

    def undo(gradient: Block) -> Block:
        for step in (undo_second, undo_first):
            tape.drop(step(tape.hold(gradient)))  # added to the residual's gradient in place
        return gradient

    return y, undo


def _branch(tape: Tape, flow: Flow, x: Block, graph: bool, part: Part) -> tuple[Block, Undo]:
    """x + part(norm(x)), with a second norm behind `part` where the family has four a layer."""
    size = flow.tokens * flow.hidden * flow.stream
    normed, unnorm = norm(tape, flow, x, flow.hidden, flow.stream, graph)
    made, width, undo_part = part(tape, flow, normed, graph)
    tape.drop(normed)
    unnorm_after: Undo | None = None
    if flow.norms == 4:
        after, unnorm_after = norm(tape, flow, made, flow.hidden, width, graph)
        tape.drop(made)
        made = after
    y = tape.new(size)
    tape.drop(made)

    def undo(gradient: Block) -> Block:
        if width != flow.stream:
            gradient = tape.turn(gradient, flow.tokens * flow.hidden * width)
        if unnorm_after is not None:
            gradient = unnorm_after(gradient)
        return unnorm(undo_part(gradient))

    return y, undo


def _parallel(tape: Tape, flow: Flow, x: Block, graph: bool) -> tuple[Block, Undo]:
    """x + attention(norm(x)) + feed_forward(norm(x)), as GPT-NeoX has it."""
    size = flow.tokens * flow.hidden * flow.stream
    first, unnorm_first = norm(tape, flow, x, flow.hidden, flow.stream, graph)
    attended, _, undo_attention = attention(tape, flow, first, graph)
    tape.drop(first)
    second, unnorm_second = norm(tape, flow, x, flow.hidden, flow.stream, graph)
    fed, _, undo_feed = feed_forward(tape, flow, second, graph)
    tape.drop(second)
    both = tape.new(size)
    y = tape.new(size)
    tape.drop(both, fed, attended)

    def undo(gradient: Block) -> Block:
        tape.drop(unnorm_second(undo_feed(tape.hold(gradient))))
        tape.drop(unnorm_first(undo_attention(tape.hold(gradient))))
        return gradient

    return y, undo


def _gated(tape: Tape, flow: Flow, x: Block, graph: bool) -> tuple[Block, int, Undo]:
    """down(act(gate(x)) * up(x))."""
    elements = flow.tokens * flow.inner
    gate, width, undo_gate = linear(tape, flow, x, flow.stream, "gate_proj", flow.hidden, flow.inner, graph)
    active = tape.new(elements * width)
    if not graph:
        tape.drop(gate)
    up, _, undo_up = linear(tape, flow, x, flow.stream, "up_proj", flow.hidden, flow.inner, graph)
    product = tape.new(elements * width)
    if not graph:
        tape.drop(active, up)
    y, out, undo_down = linear(tape, flow, product, width, "down_proj", flow.inner, flow.hidden, graph)
    tape.drop(product)

    def undo(gradient: Block) -> Block:
        gradient = undo_down(gradient)
        to_active, to_up = tape.new(elements * width), tape.new(elements * width)
        tape.drop(gradient, active, up)
        back = undo_up(to_up)
        to_gate = tape.turn(to_active, elements * width)
        tape.drop(gate)
        tape.drop(undo_gate(to_gate))  # added to `back` in place
        return back

    return y, out, undo


def _gated_fused(tape: Tape, flow: Flow, x: Block, graph: bool) -> tuple[Block, int, Undo]:
    """The same with gate and up as halves of one product."""
    elements = flow.tokens * flow.inner
    both, width, undo_both = linear(tape, flow, x, flow.stream, "gate_up_proj", flow.hidden, 2 * flow.inner, graph)
    active = tape.new(elements * width)
    product = tape.new(elements * width)
    if not graph:
        tape.drop(both, active)
    y, out, undo_down = linear(tape, flow, product, width, "down_proj", flow.inner, flow.hidden, graph)
    tape.drop(product)

    def undo(gradient: Block) -> Block:
        gradient = undo_down(gradient)
        to_up, to_active = tape.new(elements * width), tape.new(elements * width)
        tape.drop(gradient, active)
        to_gate = tape.turn(to_active, elements * width)
        tape.drop(both)
        halves = tape.new(2 * elements * width)
        tape.drop(to_up, to_gate)
        return undo_both(halves)

    return y, out, undo


def _plain(tape: Tape, flow: Flow, x: Block, graph: bool) -> tuple[Block, int, Undo]:
    """down(gelu(up(x)))."""
    elements = flow.tokens * flow.inner
    up, width, undo_up = linear(tape, flow, x, flow.stream, "dense_h_to_4h", flow.hidden, flow.inner, graph)
    active = tape.new(elements * width)
    if not graph:
        tape.drop(up)
    y, out, undo_down = linear(tape, flow, active, width, "dense_4h_to_h", flow.inner, flow.hidden, graph)
    tape.drop(active)

    def undo(gradient: Block) -> Block:
        gradient = tape.turn(undo_down(gradient), elements * width)
        tape.drop(up)
        return undo_up(gradient)

    return y, out, undo


def _experts(tape: Tape, flow: Flow, x: Block, graph: bool) -> tuple[Block, int, Undo]:
    """Router, gathered copies of each token, fused gate and up, down, and the weighted sum."""
    copies, width = flow.tokens * flow.used_experts, flow.matmul if flow.autocast else flow.stream
    hidden, inner = copies * flow.hidden * width, copies * flow.inner * width
    routed = tape.new(flow.tokens * flow.experts * 4)
    summed_weights: tuple[Block, ...] = ()
    if flow.adapted_experts:
        whole = flow.experts * flow.inner * flow.hidden * flow.stored
        summed_weights = (tape.new(2 * whole), tape.new(whole))
    gathered = tape.new(hidden)
    both = tape.new(2 * inner)
    active = tape.new(inner)
    product = tape.new(inner)
    made = tape.new(hidden)
    weighted = tape.new(hidden)
    unsorted = tape.new(hidden)
    tape.drop(weighted)
    y = tape.new(flow.tokens * flow.hidden * width)
    tape.drop(unsorted)
    kept = (routed, both, active, made, *summed_weights, *((gathered, product) if flow.full else ()))
    if not flow.full:
        tape.drop(gathered, product)
    if not graph:
        tape.drop(*kept)

    def undo(gradient: Block) -> Block:
        spread = tape.new(hidden)
        to_made = tape.turn(spread, hidden)
        tape.drop(gradient, made)
        to_product = tape.new(inner)
        if flow.full:
            weight_gradient(tape, flow, flow.experts * flow.inner * flow.hidden, width)
            tape.drop(product)
        tape.drop(to_made)
        to_active, to_up = tape.new(inner), tape.new(inner)
        tape.drop(to_product, active)
        to_gate = tape.turn(to_active, inner)
        halves = tape.new(2 * inner)
        tape.drop(both, to_up, to_gate)
        back = tape.new(hidden)
        if flow.full:
            weight_gradient(tape, flow, 2 * flow.experts * flow.inner * flow.hidden, width)
            tape.drop(gathered)
        tape.drop(halves)
        summed = tape.turn(back, flow.tokens * flow.hidden * width)
        tape.drop(routed, *summed_weights)
        return summed if width == flow.stream else tape.turn(summed, flow.tokens * flow.hidden * flow.stream)

    return y, width, undo
