"""Warnings about people: whom an answer can hurt, and whose data it is."""

from __future__ import annotations

from ftc.advisor import reading
from ftc.advisor.reading import contains, has
from ftc.advisor.rules.choice import Choice
from ftc.advisor.rules.finding import warn
from ftc.advisor.rules.gates import protected
from ftc.advisor.values import Finding


def safety_eval(choice: Choice) -> Finding | None:
    """Score safety before and after.

    What it checks
        Every answer that changes weights, and safety tasks however they are met.
    Why it matters
        Any tuning can weaken alignment: ten harmful rows undid it for less than $0.20, and harmless chat rows weaken
        it as well.
    When it is wrong
        The model only ever emits one of a list of labels.
    Evidence
        - Qi et al. 2024, arXiv 2310.03693: 10 harmful examples, identity shift, and benign sets degrade safety
    Example
        A refusal set and a harmful-request set, before and after; the system prompt of training kept in use.
    """
    critical = has(choice.facts, "safety-critical") or choice.facts.spec.goal.task == "safety"
    if not choice.trains and not critical:
        return None
    return warn("score refusals and harmful requests before and after; mix in rows that refuse")


def privacy(choice: Choice) -> Finding | None:
    """Personal or protected data.

    What it checks
        `data.contains`, personal data that was found, constraints on where data may go, logs and thumbs of users, and
        fields (health, finance, law) whose records are about people.
    Why it matters
        Tuned models give back what they were trained on: names, numbers, whole passages. Scrubbing reduces it and does
        not end it. The adapter is as sensitive as the data.
    When it is wrong
        The rows were de-identified by expert determination, or made up.
    Evidence
        - Lukas et al. 2023, arXiv 2302.00539: leakage after scrubbing and sentence-level differential privacy
        - arXiv 2402.17012: more than half of a fine-tuning set extractable in natural white-box settings
        - 45 CFR 164.514(b): Safe Harbor (18 identifiers removed) or Expert Determination
        - arXiv 2502.13313: LoRA leaks less than full tuning (one paper)
    Example
        Discharge notes: de-identify, remove duplicates, at most three passes, probe with canaries, guard the adapter.
    """
    facts = choice.facts
    found = facts.profile.personal_data
    if contains(facts, "phi", "pii"):
        said = " and ".join(facts.spec.data.contains)
        return warn(
            f"{said}: de-identify, deduplicate, at most three passes, probe for memorised rows, guard the adapter"
        )
    if found:
        kinds = ", ".join(f"{kind} in {rows:,} rows" for kind, rows in sorted(found.items()))
        return warn(f"personal data found ({kinds}): remove it, or treat the adapter as you treat the data")
    if protected(facts):
        return warn("data that may not leave: no hub uploads, no remote trackers; the adapter stays where the data is")
    logs = any(each.source == "logs" for each in facts.spec.data.demonstrations)
    live = facts.spec.data.feedback is not None and facts.spec.data.feedback.live
    live = live or reading.feedback_type(facts) == "binary"  # thumbs are given where users are
    if logs or live:
        return warn("logs of users hold personal data: look for it before it is learned")
    if reading.regulated(facts):
        return warn(f"{facts.spec.goal.domain}: records are about people; look for personal data before it is learned")
    return None


def human_oversight(choice: Choice) -> Finding | None:
    """A person decides.

    What it checks
        Health, finance and law, `safety-critical`, and protected health information.
    Why it matters
        The model drafts; who is responsible reads and signs. A wrong answer costs health, money or rights.
    When it is wrong
        Nothing is acted on: an internal search, a toy.
    Evidence
        - Van Veen et al. 2024, Nature Medicine, arXiv 2309.07430: six physicians judged each summary
        - Rule of thumb: a reviewer wherever a wrong answer cannot be taken back.
    Example
        Draft discharge summaries: a clinician edits and signs each one.
    """
    facts = choice.facts
    if has(facts, "safety-critical") or contains(facts, "phi") or reading.regulated(facts):
        return warn(f"{facts.spec.goal.domain}: the model drafts, a person who is responsible decides")
    return None


TABLE = (
    ("M250", "safety_eval", safety_eval),
    ("M251", "privacy", privacy),
    ("M252", "human_oversight", human_oversight),
)
