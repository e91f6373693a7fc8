"""The order of a training step: forward passes, loss, backward, optimiser, for each objective.

Layers are alike, so only the first and the last are played through; of those between, what stays is recorded: the
checkpointed input, or everything that the backward pass needs, and the gradients. Objectives follow TRL's trainers:
the reference pass runs while the policy's graph is alive, KTO scores mismatched answers first, RL generates first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ftc.advisor.memory.flow import Flow
from ftc.advisor.memory.head import head
from ftc.advisor.memory.layer import layer
from ftc.advisor.memory.linear import weight_gradient
from ftc.advisor.memory.tape import Block, Tape, Undo, rounded

_CUBLAS = 8519680  # workspace, aten/src/ATen/cuda/CUDABlas.cpp: 2 x 4096 KiB + 8 x 16 KiB; Hopper and later take 32 MiB


Kept = tuple[tuple[Block, ...], Undo | None]  # blocks of a layer, and its backward step where it was played


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What a step goes through beside the model's own passes."""

    objective: str
    reference: bool  # a second pass whose scores the loss compares with
    scored: int  # tokens a row that the loss looks at; 0 for a reward model
    generated: tuple[int, int] = (0, 0)  # rows and tokens a row of the generation cache
    leaves: tuple[float, ...] = ()  # gradients that one layer leaves behind, bytes each
    gathered: float = 0.0  # bytes of one layer's weights, where they are spread over devices
    gathered_ends: float = 0.0  # bytes of embedding and head, gathered for the whole pass
    optimizer_passing: tuple[float, ...] = ()  # blocks that the optimiser's step takes and gives back
    cublas: int = _CUBLAS


def play(flow: Flow, course: Course) -> Tape:
    """One micro-batch, forward and backward, and the optimiser's step."""
    tape = Tape()
    tape.kind = "overhead"
    tape.new(course.cublas)
    tape.new(course.cublas)  # the backward pass runs in a thread of its own, with a handle of its own
    tape.kind = "activations"
    if course.generated[0]:
        _generate(tape, flow, *course.generated)
    inputs = [tape.new(flow.tokens * 8), tape.new(flow.tokens * 8)]
    if flow.kernel == "eager":
        inputs.append(tape.new(flow.rows * flow.length**2 * flow.stream))  # the causal mask
    player = _Player(tape, flow, course)
    if course.objective == "kto":
        player.score()
    x, kept = player.forward(True)
    held, undo = head(tape, flow, x, True, flow.rows * course.scored)
    if course.reference:
        tape.kind = "reference"
        player.score()
        tape.kind = "activations"
    player.backward(undo(0), kept)
    tape.drop(held, *inputs)
    if course.optimizer_passing:
        tape.kind = "optimizer"
        tape.drop(*[tape.new(size) for size in course.optimizer_passing])
    tape.drop(*tape.gradients)
    return tape


class _Player:
    """Plays passes over the layers on one tape."""

    def __init__(self, tape: Tape, flow: Flow, course: Course) -> None:
        self.tape, self.flow, self.course = tape, flow, course
        self.stream = flow.tokens * flow.hidden * flow.stream
        self.leaves = rounded(course.leaves)

    def score(self) -> None:
        """A forward pass that keeps nothing."""
        x, _ = self.forward(False)
        held, _ = head(self.tape, self.flow, x, False, self.flow.rows * self.course.scored)
        self.tape.drop(held)

    def forward(self, graph: bool) -> tuple[Block, list[Kept]]:
        """Embedding and layers: the last hidden state, and what each layer keeps for its backward step."""
        tape, flow = self.tape, self.flow
        gathered = self._gather(2)
        keep_all = graph and not flow.checkpointed
        x = tape.new(self.stream)
        kept: list[Kept] = []
        pattern: list[int] = []
        holds_input = False
        for index in range(flow.layers):
            stays: tuple[Block, ...] = ()
            undo: Undo | None = None
            if index == 0 or index == flow.layers - 1:
                first = len(tape.sizes)
                y, undo = layer(tape, flow, x, keep_all)
                holds_input = tape.holders[x] > 1
                pattern = [
                    tape.sizes[each] for each in range(first, len(tape.sizes)) if tape.holders[each] and each != y
                ]
            else:
                y = tape.new(self.stream)
                stays = tape.many(pattern) if keep_all else ()
                if keep_all and holds_input:
                    stays += (tape.hold(x),)
            if graph and not keep_all:
                stays = (x,)
            else:
                tape.drop(x)
            kept.append((stays, undo if keep_all else None))
            x = y
        tape.drop(*gathered)
        return x, kept

    def backward(self, gradient: Block, kept: list[Kept]) -> None:
        """Layers from the last to the first."""
        tape, flow = self.tape, self.flow
        # FSDP1's flat parameters make gradients of the size of a whole layer, frozen or not, and sum them in a copy;
        # packed weights have no gradients
        gathered = self._gather(2 if flow.full or flow.four_bit else 4)
        for index in reversed(range(flow.layers)):
            stays, undo = kept[index]
            before = len(tape.gradients)
            if flow.checkpointed and (index >= flow.layers - 2 or index == 0):
                y, undo = layer(tape, flow, stays[0], True)
                tape.drop(y)
            if undo is not None:
                gradient = undo(gradient)
            elif not flow.held_gradients and not self.course.gathered:
                tape.kind = "gradients"
                tape.gradients += tape.many(self.leaves)
                tape.kind = "activations"
            self._reduce(before)
            tape.drop(*stays)
        if flow.full:
            weight_gradient(tape, flow, flow.vocab * flow.hidden, flow.stored, tied=flow.tied)
            self._reduce(len(tape.gradients) - 1 + flow.tied)
        tape.drop(gradient, *gathered)

    def _gather(self, layers: int) -> Iterable[Block]:
        """Weights that are whole for a pass: embedding and head throughout, one layer at work and one on its way."""
        if not self.course.gathered:
            return ()
        before, self.tape.kind = self.tape.kind, "overhead"
        made = [self.tape.new(self.course.gathered) for _ in range(layers)]
        made.append(self.tape.new(self.course.gathered_ends))
        self.tape.kind = before
        return made

    def _reduce(self, first: int) -> None:
        """A layer's gradients, put into one buffer, summed over the devices and given back but for one's own share."""
        tape = self.tape
        if not self.course.gathered:
            return
        fresh = tape.gradients[first:]
        del tape.gradients[first:]
        if fresh:
            before, tape.kind = tape.kind, "gradients"
            tape.passing(sum(tape.sizes[each] for each in fresh))
            tape.kind = before
        tape.drop(*fresh)


def _generate(tape: Tape, flow: Flow, rows: int, length: int) -> None:
    """The cache of keys and values of all answers, and the scores of the last tokens in fp32, three times over."""
    width = flow.matmul
    cache = [tape.new(rows * length * flow.keys * width) for _ in range(2 * flow.layers)]
    tape.kind = "logits"
    scores = [tape.new(rows * flow.vocab * 4) for _ in range(3)]  # logits, processed, probabilities
    tape.kind = "activations"
    tape.drop(*cache, *scores)
