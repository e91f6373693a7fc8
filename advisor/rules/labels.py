"""The seed's second and third question: are there labels, and do all weights have to move?"""

from __future__ import annotations

from ftc.advisor import reading
from ftc.advisor.languages import covers, multilingual
from ftc.advisor.parameters import lora_parameters
from ftc.advisor.reading import has
from ftc.advisor.rules.finding import answer
from ftc.advisor.rules.need import (
    DOMAIN_CPT_TOKENS,
    NORMAL_FROM,
    PILOT_FROM,
    corpus_worth_training,
    language_lacking,
)
from ftc.advisor.values import Architecture, Facts, Finding

CAPACITY_RANK = 128  # the highest rank before full tuning is weighed
WIDEST_RANK = 256


def labelled(facts: Facts) -> Finding:
    """Is there labelled data?

    What it checks
        Usable demonstrations, from 50 (500 of a language that the model lacks). Questions with nothing but a final
        answer are not demonstrations, they are checkable; answers that were judged are feedback, and documents are
        documents.
    Why it matters
        Demonstrations are the cheapest signal to learn from. Without them the shape of the feedback decides.
    When it is wrong
        The rows were written by the model that is trained: it learns nothing new from itself.
    Evidence
        - OpenAI supervised fine-tuning guide: start with 50 well-crafted demonstrations
        - Rule of thumb: below 50 the answer is still no.
    Example
        600 tasks with unit tests and no solutions: no labels, but a checkable reward.
    """
    rows = reading.demonstrations(facts)
    if language_lacking(facts):
        said = f"{rows} demonstrations of a language that the model lacks: text first, or {NORMAL_FROM} demonstrations"
        return answer("no", said, rows=rows)
    if rows >= PILOT_FROM:
        return answer("yes", f"{rows:,} demonstrations", rows=rows)
    if corpus_worth_training(facts):
        return answer(
            "raw text", f"{reading.corpus_tokens(facts):,} tokens of raw text, {rows} demonstrations", rows=rows
        )
    if rows:
        return answer("no", f"{rows} demonstrations < {PILOT_FROM}", rows=rows)
    return answer("no", "no demonstrations", rows=rows)


def capacity_exceeded(facts: Facts, model: Architecture | None, rank: int = CAPACITY_RANK) -> bool:
    """True where there is more to learn than adapters of `rank` hold."""
    if model is None:
        return False
    return reading.completion_tokens(facts) * useful_epochs(facts) > lora_parameters(model, rank)


def useful_epochs(facts: Facts) -> float:
    """Passes that are expected to help: see the rule for epochs."""
    rows = reading.demonstrations(facts)
    return 4.0 if rows < 500 else 3.0 if rows < 5_000 else 2.0


def full_updates(facts: Facts) -> Finding:
    """Do all weights have to move?

    What it checks
        Derived, not asked: a new language or a domain with enough raw text (continued pre-training; a language that the
        model knows already takes as much text as a domain), completion tokens times useful passes against the
        parameters of adapters at rank 128, and the user's own word (`full-only`).
    Why it matters
        LoRA equals full tuning while what is to be learned fits its adapters, at a fraction of the memory and two
        thirds of the arithmetic, and it forgets less. Beyond its capacity it falls behind.
    When it is wrong
        Rows repeat each other: then tokens overstate what there is to learn.
    Evidence
        - Schulman and Thinking Machines 2025, LoRA Without Regret, doi 10.64434/tml.20250929
        - Biderman et al. 2024, arXiv 2405.09673: LoRA for instruction tuning, not for continued pre-training
        - Swallow, arXiv 2404.17790: continued pre-training for a new language
        - AdaptLLM, arXiv 2309.09530: raw domain text hurts prompting ability
        - Rule of thumb: 1 B tokens of domain text and 50 M of a new language before continued pre-training.
    Example
        1.5 M completion tokens x 2 < 336 M adapter parameters at rank 128 of an 8B model: no.
    """
    goal, tokens = facts.spec.goal, reading.corpus_tokens(facts)
    model = reading.wanted(facts) or (facts.models[0] if facts.models else None)
    if goal.task == "new-language" and corpus_worth_training(facts):
        return answer("new language", f"{tokens:,} tokens of the language", tokens=tokens)
    if goal.task == "domain-adaptation" and tokens >= DOMAIN_CPT_TOKENS:
        return answer("domain corpus", f"{tokens:,} tokens of domain text >= {DOMAIN_CPT_TOKENS:,}", tokens=tokens)
    if has(facts, "full-only"):
        return answer("yes", "constraint full-only")
    learned = reading.completion_tokens(facts) * useful_epochs(facts)
    if model is None:
        return answer("no", "no model to count adapters of")
    held = lora_parameters(model, CAPACITY_RANK)
    sizes = f"{learned / 1e6:,.2f} M completion tokens seen {{}} {held / 1e6:,.1f} M adapter parameters at rank 128"
    if learned > held:
        return answer("yes", sizes.format(">"), tokens=int(learned), adapter=int(held))
    return answer("no", sizes.format("<="), tokens=int(learned), adapter=int(held))


def language_missing(facts: Facts) -> bool:
    """True where the named model does not know the goal's language."""
    model = reading.wanted(facts)
    if model is None:
        return False
    return not covers(model.id, facts.spec.goal.language)


def multilingual_would_do(facts: Facts) -> bool:
    """True where some known family covers the language."""
    return multilingual(facts.spec.goal.language) != ""
