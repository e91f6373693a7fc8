"""Warnings about the model: may it be used, can it be had, does it know the language, is it the right size."""

from __future__ import annotations

from ftc.advisor import reading
from ftc.advisor.languages import covers, multilingual
from ftc.advisor.licences import model_duty, model_licence
from ftc.advisor.model_choice import size_cap
from ftc.advisor.reading import SMALL_MODEL_WISHES, has
from ftc.advisor.rules.choice import Choice
from ftc.advisor.rules.finding import warn
from ftc.advisor.rules.gates import behind_api, closed_model, commercial_restriction, protected, reads_rows
from ftc.advisor.values import Architecture, Finding

GATED_OWNERS = ("meta-llama/", "google/gemma")


def _named(choice: Choice) -> Architecture | None:
    """The model that the spec names, or else the one that was chosen."""
    return reading.wanted(choice.facts) or choice.model


def licence(choice: Choice) -> Finding | None:
    """The model's licence has conditions.

    What it checks
        Licences that forbid commercial use, and duties that come with those that allow it.
    Why it matters
        A tuned model inherits the licence of its base.
    When it is wrong
        You hold an agreement with the owner.
    Evidence
        - Llama 3.1 licence: show Built with Llama, derived names begin with Llama, above 700 M monthly users ask Meta
        - Mistral Non-Production Licence (Codestral 22B): no commercial use
        - Qwen2.5 repository: Apache-2.0 except the 3B and the 72B
    Example
        Codestral-22B for a product: another model, or an agreement with Mistral AI.
    """
    facts = choice.facts
    restriction = commercial_restriction(facts)
    if restriction:
        return warn(f"{restriction}; an Apache-2.0 or MIT model has no such limit")
    found = [each for each in (choice.model, reading.wanted(facts)) if each is not None]
    for model in found:
        named = facts.spec.model.licence if model.id == facts.spec.model.base else None
        duty = model_duty(model.id, named or model.licence)
        if duty:
            return warn(f"{model.id} ({model_licence(model.id, named or model.licence) or 'llama'}): {duty}")
    asked = _named(choice)
    if has(facts, "commercial") and asked is not None and not model_licence(asked.id, asked.licence):
        return warn(f"the licence of {asked.id} is not known: look it up before you ship (model.licence)")
    return None


def gated_model(choice: Choice) -> Finding | None:
    """The weights have to be asked for.

    What it checks
        Models whose owners want terms accepted on the hub before the download.
    Why it matters
        A job on a rented machine fails at once where the token lacks access.
    When it is wrong
        Access was granted already, or a local copy is used.
    Evidence
        - The model cards of Meta Llama and Google Gemma: access after acceptance of terms
    Example
        Llama-3.1-8B: accept the terms on the hub, set HF_TOKEN where the job runs.
    """
    model = _named(choice)
    base = choice.facts.spec.model.base.lower()
    gated = choice.facts.spec.model.gated
    if gated is False:
        return None
    if gated or (model is not None and model.gated) or base.startswith(GATED_OWNERS):
        name = model.id if model else choice.facts.spec.model.base
        return warn(f"{name}: accept its terms on the hub, and set HF_TOKEN where the job runs")
    return None


def model_switch(choice: Choice) -> Finding | None:
    """Another model than the one asked for.

    What it checks
        Whether the model that was chosen is the one that the spec names.
    Why it matters
        A smaller or differently licensed model is a decision for the user.
    When it is wrong
        The model is fixed: `model.substitute: false`, or the constraint `fixed-model`.
    Evidence
        - Zhang et al. 2024, arXiv 2402.17193: a larger base helps more than a wider adapter; so as large as fits
    Example
        A 32B model on 24 GB: the 14B of the same family in 4 bit.
    """
    facts = choice.facts
    if facts.spec.model.base == "auto" or choice.model is None:
        return None
    if choice.model.id.lower() == facts.spec.model.base.lower():
        return None
    return warn(f"{choice.model.id} in place of {facts.spec.model.base}: {_why_switched(choice)}")


def _why_switched(choice: Choice) -> str:
    facts = choice.facts
    asked = reading.wanted(facts)
    if closed_model(facts):
        return "its weights cannot be had"
    if commercial_restriction(facts):
        return "its licence forbids the use"
    if asked is not None and asked.parameters > size_cap(facts)[0]:
        return f"{asked.parameters / 1e9:.1f} B parameters are too many for {size_cap(facts)[1]}"
    if asked is not None and not reads_rows(facts, asked):
        return f"it reads {asked.context:,} tokens at once, and rows are longer"
    if asked is not None and not covers(asked.id, facts.spec.goal.language):
        return f"it was not trained on {facts.spec.goal.language}"
    return choice.asked.why_not if choice.asked else "it does not fit"


def open_weights_alternative(choice: Choice) -> Finding | None:
    """Take a model with open weights.

    What it checks
        A model behind an API where weights have to be trained or data may not leave, and APIs allowed for data that is
        protected.
    Why it matters
        What is not handed out cannot be trained by you, kept in-house, or kept at all when the provider retires it:
        one large provider has closed its fine-tuning platform to new users.
    When it is wrong
        Prompting the API is all that is needed.
    Evidence
        - OpenAI documentation, fine-tuning best practices: no longer accessible to new users
        - LoRA Land, arXiv 2405.00732: tuned 7B models beat GPT-4 on average of 31 narrow tasks
    Example
        GPT-4o on patients' data, on-prem: an Apache-2.0 model of 7 to 14B, tuned in-house.
    """
    facts = choice.facts
    if not behind_api(facts):
        if has(facts, "api-allowed") and protected(facts):
            return warn("an API sees what it is asked: open weights of 7 to 14B answer where the data is")
        return None
    name = "a model behind an API" if facts.spec.model.base == "auto" else facts.spec.model.base
    return warn(f"{name} cannot be trained or kept in-house; open weights of 7 to 14B can")


def language_not_in_base(choice: Choice) -> Finding | None:
    """The model was not trained on this language.

    What it checks
        `goal.language` against the languages that the owner of the model names.
    Why it matters
        A language that is missing takes billions of tokens of continued pre-training; a base that knows it takes none.
        Look at how many tokens a word takes first.
    When it is wrong
        The family's card names fewer languages than it knows.
    Evidence
        - Swallow, arXiv 2404.17790: scores rise with tokens of the new language up to 100 B
        - The model cards of the families
    Example
        Swahili on Llama 3.1: Qwen3 or Gemma 3 know it already.
    """
    facts = choice.facts
    model = reading.wanted(facts) or choice.model
    language = facts.spec.goal.language
    if facts.spec.goal.task == "new-language" and model is None:
        return warn(f"check that the base knows {language} before anything is trained")
    if model is None or covers(model.id, language):
        return None
    family = multilingual(language)
    other = f"{family} names it" if family else "no family that is known here names it"
    return warn(f"{model.id} does not name {language} among its languages; {other}")


def model_size_limit(choice: Choice) -> Finding | None:
    """The place to run decides the size.

    What it checks
        Latency, edge, CPU and single-GPU constraints, `deploy.memory_gib`, and a model that had to shrink to be
        trained.
    Why it matters
        Each token reads all weights once: bandwidth over size is the ceiling on speed. A small tuned model often does
        on a narrow task what a large one does by prompt.
    When it is wrong
        Answers of one token, or a batch job that nobody waits for.
    Evidence
        - Edwards and Camacho-Collados 2024, arXiv 2403.17661: tuned small models at classification
        - Rule of thumb: 2B for 50 ms, 4B for 100 ms, a phone or a CPU; 0.6 GB a billion parameters in 4 bit.
    Example
        50 ms on 20,000 labelled rows: a model of at most 1.8B, tuned.
    """
    facts = choice.facts
    asked = reading.wanted(facts)
    cap, said = size_cap(facts)
    limited = has(facts, *SMALL_MODEL_WISHES, "single-gpu-serving") or facts.spec.deploy.memory_gib is not None
    if limited:
        return warn(f"at most {cap / 1e9:.1f} B parameters: {said}", parameters=cap)
    if asked is not None and choice.model is not None and choice.model.parameters < 0.9 * asked.parameters:
        return warn(f"{asked.parameters / 1e9:.1f} B do not fit; {choice.model.parameters / 1e9:.1f} B do")
    if "memory" in choice.short and choice.method == "infeasible":
        return warn("a smaller model is what this memory takes")
    slow = choice.asked is not None and choice.asked.machine is not None and choice.asked.machine.device.kind == "cpu"
    if "time" in choice.short and choice.method == "infeasible" and slow:
        return warn("a smaller model is what a CPU gets through in that time")
    return None


def _mixture(choice: Choice) -> Architecture | None:
    for model in (choice.model, reading.wanted(choice.facts)):
        if model is not None and (model.experts or model.active_parameters < 0.7 * model.parameters):
            return model
    return None


def moe_router(choice: Choice) -> Finding | None:
    """A mixture of experts: leave the router alone.

    What it checks
        Models with experts.
    Why it matters
        A few thousand rows unbalance the router, and experts starve. And adapters by a hand-written list may miss the
        experts: look at what was really wrapped.
    When it is wrong
        Continued pre-training with a balancing loss.
    Evidence
        - Unsloth and verl/Megatron: router training off by default
        - Hugging Face blog on Qwen3.5-35B-A3B: hand-written lists trained 10 of 40 layers
    Example
        Qwen3-30B-A3B: adapters on attention and experts, router frozen.
    """
    model = _mixture(choice)
    if model is None:
        return None
    return warn(f"{model.id}: the router stays frozen; check that adapters reach the experts")


def moe_total_params(choice: Choice) -> Finding | None:
    """A mixture of experts: all of it has to fit.

    What it checks
        Total against active parameters.
    Why it matters
        Speed follows the active parameters, memory follows all of them. 4-bit loading of experts is limited: prefer
        16 bit.
    When it is wrong
        Experts are offloaded, at a price in speed.
    Evidence
        - Unsloth documentation: Qwen3.5-35B-A3B takes 74 GB for LoRA in bf16; 4-bit is discouraged
        - Rule of thumb: arithmetic.
    Example
        30B with 3B active: memory of a 30B, speed of a 3B.
    """
    model = _mixture(choice)
    if model is None:
        return None
    total, active = model.parameters / 1e9, model.active_parameters / 1e9
    return warn(f"{total:.1f} B in memory, {active:.1f} B at work for each token", total=total, active=active)


TABLE = (
    ("M240", "licence", licence),
    ("M241", "gated_model", gated_model),
    ("M242", "model_switch", model_switch),
    ("M243", "open_weights_alternative", open_weights_alternative),
    ("M244", "language_not_in_base", language_not_in_base),
    ("M245", "model_size_limit", model_size_limit),
    ("M246", "moe_router", moe_router),
    ("M247", "moe_total_params", moe_total_params),
)
