"""The gates around the tree: what must hold before any method is weighed. Each answers with a branch."""

from __future__ import annotations

from ftc.advisor.licences import data_restriction, model_restriction
from ftc.advisor.reading import contains, has, wanted
from ftc.advisor.rules.finding import answer
from ftc.advisor.values import Architecture, Facts, Finding


def contradictions(facts: Facts) -> tuple[str, ...]:
    """Pairs of wishes that no method can meet together, each in the user's own words."""
    spec, kind = facts.spec, facts.spec.hardware.kind
    inside = has(facts, "on-prem", "no-cloud")
    fixed = has(facts, "fixed-model") or not spec.model.substitute
    asked = wanted(facts)
    size = (asked.parameters if asked else spec.model.parameters) or 0.0
    pairs = (
        (has(facts, "no-cloud") and kind == "cloud", "constraint no-cloud, and hardware.cloud"),
        (has(facts, "on-prem") and kind == "cloud" and not has(facts, "private-cloud"),
         "constraint on-prem, and hardware.cloud"),
        (inside and behind_api(facts) and (fixed or not facts.machines),
         "data may not leave, and the model is only behind an API"),
        (has(facts, "no-training") and has(facts, "full-only"), "no-training, and full-only"),
        (has(facts, "no-training") and spec.method not in ("auto", "prompt", "rag", "needs-data", "infeasible"),
         f"constraint no-training, and method: {spec.method}"),
        (has(facts, "api-only-model") and has(facts, "full-only") and fixed,
         "full-only, and weights that nobody hands out"),
        (fixed and has(facts, "edge-deploy", "cpu-serving", "latency-50ms") and size > 30e9,
         f"a fixed model of {size / 1e9:.0f} B parameters, and a place to run it that takes a few"),
        (has(facts, "teacher-allowed") and has(facts, "no-teacher"), "teacher-allowed, and no-teacher"),
        (has(facts, "no-chunking") and bool(facts.models) and not any(reads_rows(facts, each) for each in facts.models),
         "no-chunking, and documents longer than any model here reads"),
    )  # fmt: skip
    return tuple(text for holds, text in pairs if holds)


def reads_rows(facts: Facts, model: Architecture) -> bool:
    """True where the mean row fits into what the model reads at once."""
    rows = facts.profile.demonstrations
    return rows is None or rows.sequence is None or rows.sequence.mean <= model.context


def contradiction(facts: Facts) -> Finding:
    """Can all the wishes hold together?

    What it checks
        Pairs in `constraints`, `model`, `hardware` and `method` that exclude each other: data that may not leave
        beside a rented machine or an API, no training beside a training method, a fixed giant beside a small place
        to run it.
    Why it matters
        Any plan would break one of the two promises, and the user would find out after paying.
    When it is wrong
        A private cloud that counts as on-prem: say `private-cloud`. A model that may be replaced is no contradiction:
        leave `model.substitute` at true.
    Evidence
        - Rule of thumb: logic, not measurement.
    Example
        `constraints: [on-prem]` with `hardware: {cloud: any}` ends here, as `infeasible`.
    """
    found = contradictions(facts)
    if found:
        return answer("no", "; ".join(found), pairs=len(found))
    return answer("yes", "no two wishes exclude each other")


def weights_to_hand(facts: Facts) -> Finding:
    """Are there weights that may be trained and used so?

    What it checks
        Whether the model is open (not only behind an API) and its licence allows the use in `constraints`; where not,
        whether another model may stand in (`model.substitute`, `fixed-model`).
    Why it matters
        Without weights nothing but prompting is possible; with a non-commercial licence the product cannot ship.
    When it is wrong
        You hold a commercial agreement with the model's owner: say so with `model.licence`.
    Evidence
        - Mistral Non-Production Licence and Mistral Research Licence (Codestral 22B, Large 2407): no commercial use
        - Qwen2.5 repository, licence history: Apache-2.0 except the 3B (research) and the 72B
    Example
        Codestral-22B with `commercial` and `model.substitute: true` goes on with an Apache-2.0 model instead.
    """
    spec = facts.spec
    closed = behind_api(facts)
    restriction = "" if closed else commercial_restriction(facts)
    if not closed and not restriction:
        return answer("yes", "open weights, and a licence that allows the use")
    name = "the model" if spec.model.base == "auto" else spec.model.base
    why = f"{name} is only behind an API" if closed else restriction
    if spec.model.base == "auto" and spec.hardware.kind == "none" and not has(facts, "full-only"):
        return answer("only an API", f"{why}, and no machine is owned for another: it can be prompted, not trained")
    if spec.model.substitute and not has(facts, "fixed-model") and not spec.model.base.startswith(ENDPOINT):
        return answer("another model", why)
    if closed and not has(facts, "full-only"):
        return answer("only an API", f"{why}: it can be prompted, not trained")
    return answer("no", f"{why}, and no other model may stand in")


ENDPOINT = "openai:"  # an OpenAI-compatible endpoint, whosever it is: asked for by name, it is not replaced
CLOSED = ("gpt-3", "gpt-4", "gpt-5", "o1", "o3", "o4", "claude", "gemini", "davinci")


def behind_an_api(base: str) -> bool:
    """True where the owner of the model hands out no weights, by its name, and for whatever an endpoint serves."""
    if base.startswith(ENDPOINT):
        return True
    owner, _, name = base.lower().rpartition("/")
    return owner in ("openai", "anthropic", "google", "") and name.startswith(CLOSED)


def closed_model(facts: Facts) -> bool:
    """True where the named model's weights cannot be had."""
    base = facts.spec.model.base
    return behind_an_api(base) or (has(facts, "api-only-model") and base != "auto")


def behind_api(facts: Facts) -> bool:
    """True where the model, named or still to be picked, is one that only its owner runs."""
    return closed_model(facts) or has(facts, "api-only-model")


def commercial_restriction(facts: Facts) -> str:
    """Why the model may not be used commercially; empty where it may, or nobody asked to."""
    if not has(facts, "commercial") or facts.spec.model.base == "auto":
        return ""
    asked = wanted(facts)
    licence = facts.spec.model.licence or (asked.licence if asked else "")
    return model_restriction(facts.spec.model.base, licence)


def data_licence(facts: Facts) -> Finding:
    """May the data be used for this?

    What it checks
        `data.licence` against `commercial`: non-commercial and research licences, and outputs of a provider whose
        terms forbid training a competing model.
    Why it matters
        The hardware would be fine and the result could not be shipped. Replacing the rows first is cheaper than
        retraining later.
    When it is wrong
        The licence covers a part that you can drop: drop it, and name the licence of the rest.
    Evidence
        - HelpSteer2, arXiv 2406.08673: preference data generated by a provider's model carry the provider's limits; a
          CC-BY-4.0 alternative
        - DeepSeek-R1 repository: the MIT licence allows distillation
    Example
        `data.licence: CC-BY-NC` with `commercial` ends as `needs-data`.
    """
    restriction = data_restriction(facts.spec.data.licence or "")
    if restriction and has(facts, "commercial"):
        return answer("no", f"data.licence is {facts.spec.data.licence}: {restriction}")
    return answer("yes", "no licence of the data stands against it")


def training_allowed(facts: Facts) -> Finding:
    """Is training allowed?

    What it checks
        The constraint `no-training`.
    Why it matters
        What cannot be trained has to be reached by prompting or retrieval.
    When it is wrong
        Never: it is the user's word.
    Evidence
        - Rule of thumb: the user's own constraint.
    Example
        `constraints: [no-training]` leaves `prompt` and `rag`.
    """
    if has(facts, "no-training"):
        return answer("no", "constraint no-training")
    return answer("yes", "nothing forbids it")


def protected(facts: Facts) -> bool:
    """True where data may not leave, or holds what the law protects."""
    return contains(facts, "phi", "pii") or has(facts, "on-prem", "no-cloud", "private-cloud", "tenant-isolation")
