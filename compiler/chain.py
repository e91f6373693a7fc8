"""Method to stages: what is prepared, scored, trained, merged and exported, in the order of its running.

Reads top to bottom as the list of chains. What a single stage is told is `tell.py`'s business; what is trained and with
which numbers was decided by the advisor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ftc.compiler import tell
from ftc.compiler.inputs import Inputs
from ftc.compiler.plan import Stage
from ftc.compiler.stages import Form

FEEDBACK, PROMPTS, CORPUS = "feedback", "prompts", "corpus"
DEMONSTRATIONS = "demonstrations"


def stages(inputs: Inputs) -> tuple[Stage, ...]:
    """The stages of the verdict's method. Raises KeyError for a method that is no run."""
    return CHAINS[inputs.verdict.method](inputs)


def _prompt(inputs: Inputs) -> tuple[Stage, ...]:
    """Nothing is trained: the best of some prompts."""
    rows = tell.prepare(inputs, DEMONSTRATIONS, "demonstrations")
    search = tell.prompt_search(inputs, rows)
    return (
        rows,
        tell.baseline(inputs, rows),
        search,
        tell.evaluate(inputs, rows, "base", prompt=search),
        tell.export(inputs, search),
        tell.report(("export",)),
    )


def _sft(inputs: Inputs) -> tuple[Stage, ...]:
    """Imitate demonstrations."""
    rows = tell.prepare(inputs, DEMONSTRATIONS, "demonstrations")
    trained = tell.train(inputs, "sft", rows)
    return (rows, tell.baseline(inputs, rows), trained, tell.evaluate(inputs, rows, trained.id), *_end(inputs, trained))


def _cpt(inputs: Inputs) -> tuple[Stage, ...]:
    """Read raw text, then imitate demonstrations where there are some."""
    text = tell.prepare(inputs, CORPUS, "documents")
    read = tell.train(inputs, "cpt", text)
    if inputs.facts.profile.demonstrations is None:
        return (text, tell.baseline(inputs, text), read, tell.evaluate(inputs, text, read.id), *_end(inputs, read))
    rows = tell.prepare(inputs, DEMONSTRATIONS, "demonstrations")
    merged = _merged(inputs, read)
    trained = tell.train(inputs, "sft", rows, start=(*merged, read)[0])
    return (
        rows,
        text,
        tell.baseline(inputs, rows),
        tell.baseline(inputs, text),
        read,
        *merged,
        trained,
        tell.evaluate(inputs, rows, trained.id),
        tell.evaluate(inputs, text, trained.id),
        *_end(inputs, trained),
    )


def _preference(kind: str, form: Form) -> Callable[[Inputs], tuple[Stage, ...]]:
    """Prefer better answers: `dpo` from pairs, `kto` from thumbs."""

    def chain(inputs: Inputs) -> tuple[Stage, ...]:
        rows = tell.prepare(inputs, FEEDBACK, form)
        trained = tell.train(inputs, kind, rows)
        scored = tell.evaluate(inputs, rows, trained.id)
        return (rows, tell.baseline(inputs, rows), trained, scored, *_end(inputs, trained))

    return chain


def _sft_dpo(inputs: Inputs) -> tuple[Stage, ...]:
    """Imitate, then prefer: the second stage starts from the first, merged."""
    rows = tell.prepare(inputs, DEMONSTRATIONS, "demonstrations")
    pairs = tell.prepare(inputs, FEEDBACK, "pairs")
    imitated = tell.train(inputs, "sft", rows)
    merged = _merged(inputs, imitated)
    trained = tell.train(inputs, "dpo", pairs, start=(*merged, imitated)[0])
    return (
        rows,
        pairs,
        tell.baseline(inputs, rows),
        tell.baseline(inputs, pairs),
        imitated,
        *merged,
        trained,
        tell.evaluate(inputs, rows, trained.id),
        tell.evaluate(inputs, pairs, trained.id),
        *_end(inputs, trained),
    )


def _rlhf(inputs: Inputs) -> tuple[Stage, ...]:
    """Imitate where there are demonstrations, learn what people prefer, optimise against that, on a leash.

    The reward model ranks the answers before and after, on held-out prompts.
    """
    pairs = tell.prepare(inputs, FEEDBACK, "pairs")
    prompts = tell.prepare(inputs, PROMPTS, "prompts")
    first: tuple[Stage, ...] = ()
    start = None
    if inputs.facts.profile.demonstrations is not None:
        rows = tell.prepare(inputs, DEMONSTRATIONS, "demonstrations")
        imitated = tell.train(inputs, "sft", rows)
        merged = _merged(inputs, imitated)
        first = (rows, imitated, *merged)
        start = (*merged, imitated)[0]
    judge = tell.train(inputs, "reward", pairs, start=start)
    trained = tell.train(inputs, "rloo", prompts, start=start, judge=judge)
    before = tell.baseline(inputs, prompts, model=start.id if start else "base", judge=judge)
    return (
        pairs,
        prompts,
        *first,
        judge,
        before,
        trained,
        tell.evaluate(inputs, prompts, trained.id, judge=judge),
        *_end(inputs, trained),
    )


def _grpo(inputs: Inputs) -> tuple[Stage, ...]:
    """Answer, check, answer better."""
    prompts = tell.prepare(inputs, PROMPTS, "prompts")
    trained = tell.train(inputs, "grpo", prompts)
    scored = tell.evaluate(inputs, prompts, trained.id)
    return (prompts, tell.baseline(inputs, prompts), trained, scored, *_end(inputs, trained))


def _merged(inputs: Inputs, trained: Stage) -> tuple[Stage, ...]:
    """The stage that folds the adapter in, where there is an adapter."""
    return () if trained.arguments["adapter"] == "full" else (tell.merge(inputs, trained),)


def _end(inputs: Inputs, trained: Stage) -> tuple[Stage, ...]:
    """Merge, export, report."""
    merged = _merged(inputs, trained)
    return (*merged, tell.export(inputs, (*merged, trained)[0]), tell.report(("export",)))


CHAINS: Mapping[str, Callable[[Inputs], tuple[Stage, ...]]] = {
    "prompt": _prompt,
    "sft-full": _sft,
    "sft-lora": _sft,
    "sft-qlora": _sft,
    "cpt+sft": _cpt,
    "dpo": _preference("dpo", "pairs"),
    "kto": _preference("kto", "thumbs"),
    "sft+dpo": _sft_dpo,
    "rlhf": _rlhf,
    "grpo": _grpo,
}
