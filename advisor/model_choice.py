"""Which models may be used, in order of preference: the one that was named, stand-ins, or the advisor's own pick.

Knows licences, languages, sizes and where the result has to run; knows nothing of machines or methods.
"""

from __future__ import annotations

import math

from ftc.advisor import reading
from ftc.advisor.languages import covers
from ftc.advisor.licences import model_duty, model_restriction
from ftc.advisor.reading import has
from ftc.advisor.rules.gates import closed_model, commercial_restriction, reads_rows
from ftc.advisor.values import Architecture, Facts

# Parameters that a place to run can take. Arithmetic: 4-bit weights, and a token within the latency at the bandwidth of
# that place; rules of thumb.
CAPS = {"latency-50ms": 1.8e9, "latency-100ms": 4.2e9, "edge-deploy": 4.2e9, "cpu-serving": 4.2e9}
TARGETS = {"fast": 2.2e9, "balanced": 8.6e9, "max": 80e9}  # parameters to aim at where the advisor picks; rule of thumb
ON_A_CPU = 1.8e9  # parameters to aim at where a CPU has to train them; a rule of thumb
TOLERANCE = 1.07  # "8b" is a name: Qwen3-8B has 8.19 B
SMALLEST_STAND_IN = 1 / 6  # of the size asked for; below, it is another project
BYTES_4BIT, BYTES_16BIT = 0.6e-9, 2.1e-9  # GB a parameter to serve, with room for the cache
# Later families first where size and licence tie. Source: the owners' release dates.
RECENT = (
    "qwen3", "gpt-oss", "smollm3", "gemma-3", "mistral-small", "phi-4", "llama-3", "qwen2.5", "olmo-2", "smollm2",
    "mistral-7b", "phi-3", "gemma-2", "mixtral",
)  # fmt: skip
# Named by a user they are used; picked or put in place of another they are not: a later model of that size is better.
SUPERSEDED = ("llama-2", "pythia", "tinyllama", "zephyr", "qwen2-", "qwen1", "phi-2", "opt-", "gpt2")
FOR_CODE, FOR_REASONING = ("coder", "codestral", "starcoder"), ("r1-distill", "qwq", "magistral")
MOST = 8  # models weighed at most


def size_cap(facts: Facts) -> tuple[float, str]:
    """The most parameters that may be, and who says so; (inf, "") where nobody does."""
    caps = [(limit, word) for word, limit in CAPS.items() if has(facts, word)]
    deploy = facts.spec.deploy
    if deploy.memory_gib:
        a_parameter = BYTES_4BIT if deploy.target in ("gguf", "ollama") else BYTES_16BIT
        caps.append((deploy.memory_gib / a_parameter, f"deploy.memory_gib {deploy.memory_gib:g}"))
    if has(facts, "single-gpu-serving") and facts.machines:
        caps.append((reading.machine_memory_gib(facts) / BYTES_4BIT, "single-gpu-serving"))
    if facts.spec.model.max_parameters:
        caps.append((facts.spec.model.max_parameters * TOLERANCE, "model.max_parameters"))
    return min(caps, default=(float("inf"), ""))


def allowed(facts: Facts, model: Architecture) -> bool:
    """True where licence and size allow the model."""
    if has(facts, "commercial") and model_restriction(model.id, model.licence):
        return False
    return model.parameters <= size_cap(facts)[0] and reads_rows(facts, model)


def suited(facts: Facts, model: Architecture) -> bool:
    """True for a model that one would pick today for this task; specialists only for their speciality."""
    name, asked = model.id.lower(), facts.spec.model.base.lower()
    if any(piece in name for piece in SUPERSEDED):
        return False
    code = reading.about_code(facts)
    if any(piece in name for piece in FOR_CODE):
        return code or any(piece in asked for piece in FOR_CODE)
    if any(piece in name for piece in FOR_REASONING):
        return facts.spec.goal.task == "reasoning" or any(piece in asked for piece in FOR_REASONING)
    return True


def replaceable(facts: Facts) -> bool:
    """True where the advisor may propose another model."""
    return facts.spec.model.substitute and not has(facts, "fixed-model")


def ranked(facts: Facts) -> tuple[Architecture, ...]:
    """Models in order of preference; the first is what the spec asks for where that may be used."""
    asked = reading.wanted(facts)
    if facts.spec.model.base == "auto":
        return _picked(facts, TARGETS[_quality(facts)])
    if asked is None:
        return _picked(facts, TARGETS["balanced"]) if replaceable(facts) else ()
    if not replaceable(facts):
        return (asked,)
    first = () if _unusable(facts, asked) else (asked,)
    return (*first, *_stand_ins(facts, asked))


def why_none(facts: Facts) -> str:
    """Why no model may be trained, where `ranked` has none."""
    asked = reading.wanted(facts)
    if asked is not None and not reads_rows(facts, asked):
        return (
            f"{asked.id} reads {asked.context:,} tokens at once and the mean row is longer: name a model that reads "
            "more, or cut the rows"
        )
    name = asked.id if asked is not None else "a model of the catalogue"
    return f"{name} cannot be used so, and no model of that size stands in: name another"


def _unusable(facts: Facts, asked: Architecture) -> bool:
    """True where the named model is ruled out before memory is even looked at."""
    if closed_model(facts) or commercial_restriction(facts) or asked.parameters > size_cap(facts)[0]:
        return True
    if not reads_rows(facts, asked) and any(reads_rows(facts, each) for each in facts.models):
        return True
    language = facts.spec.goal.language
    learns = facts.spec.goal.task == "new-language" and reading.corpus_tokens(facts) > 0
    known = any(covers(each.id, language) for each in facts.models)
    return not learns and not covers(asked.id, language) and known


def _quality(facts: Facts) -> str:
    return "max" if has(facts, "max-quality") else facts.spec.goal.quality


def _picked(facts: Facts, target: float) -> tuple[Architecture, ...]:
    """The advisor's own pick, best first: the largest up to the size aimed at, then smaller, then larger."""
    aim = max(target, (facts.spec.model.max_parameters or 0.0) * TOLERANCE)
    if facts.machines and all(each.device.kind == "cpu" for each in facts.machines):
        aim = min(aim, ON_A_CPU)
    cap = min(size_cap(facts)[0], aim)
    usable = [
        each
        for each in facts.models
        if allowed(facts, each) and suited(facts, each) and each.parameters <= cap and not each.experts
    ]
    return tuple(sorted(usable, key=lambda each: _order(facts, each))[:MOST])


def _stand_ins(facts: Facts, asked: Architecture) -> tuple[Architecture, ...]:
    """Models in place of the one asked for: no larger, no smaller than a sixth, of its own family first."""
    ceiling = min(size_cap(facts)[0], asked.parameters * 1.2)
    floor = 0.0 if asked.parameters > size_cap(facts)[0] else asked.parameters * SMALLEST_STAND_IN
    usable = [
        each
        for each in facts.models
        if each.id != asked.id and allowed(facts, each) and suited(facts, each) and not each.experts
        and floor <= each.parameters <= ceiling
    ]  # fmt: skip

    def order(model: Architecture) -> tuple[object, ...]:
        knows, size, *rest = _order(facts, model)
        stranger = model.id.split("/")[0] != asked.id.split("/")[0]
        return (knows, stranger, size, model.kind != asked.kind, model.model_type != asked.model_type, *rest)

    return tuple(sorted(usable, key=order)[:MOST])


def _order(facts: Facts, model: Architecture) -> tuple[bool, int, bool, bool, int, str]:
    """Sorting key: knows the language, size class, fitting kind, free of duties, recent, name."""
    base_is_better = facts.spec.goal.task in ("new-language", "domain-adaptation")
    owes = bool(model_duty(model.id, model.licence)) and has(facts, "commercial")
    recent = next((place for place, piece in enumerate(RECENT) if piece in model.id.lower()), len(RECENT))
    return (
        not covers(model.id, facts.spec.goal.language),
        -round(2 * math.log2(model.parameters)),
        (model.kind == "base") != base_is_better,
        owes or model.gated,
        recent,
        model.id,
    )
