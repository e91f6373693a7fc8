"""What the facts amount to: the few figures and yes-or-no readings that several rules share.

Each is a pure function of `Facts` (or of a part of it), with its unit in its name. Nothing is decided here and no
threshold of a rule lives here; a rule that needs a figure nobody else needs works it out for itself.
"""

from __future__ import annotations

from ftc.advisor.values import Architecture, Facts
from ftc.spec.profile import Lengths, SetProfile

CHECKABLE_FORMATS = ("question-final-answer", "prompts-with-tests")
FEEDBACK_FORMATS = {"preference-pairs": "paired", "binary-feedback": "binary", "ranked": "ranked"}
FACT_TASKS = ("qa", "chat", "generation", "domain-adaptation")  # tasks whose answers carry facts of the world
REGULATED = (
    "health", "medic", "clinic", "hospital", "patient", "pharma", "biomed", "radiolog", "oncolog", "nursing", "financ",
    "bank", "insur", "credit", "loan", "mortgage", "invest", "trading", "legal", "law", "court", "attorney",
    "compliance",
)  # fmt: skip
CODE_DOMAINS = ("software", "code", "coding", "program", "sql", "database", "devops")
SMALL_MODEL_WISHES = ("latency-50ms", "latency-100ms", "edge-deploy", "cpu-serving")
FAST_KNOWLEDGE = ("monthly", "weekly", "daily", "hourly")
ANSWERED_TASKS = ("qa", "generation")  # tasks whose final answers a program checks where the spec says that it does
REASONING_TRACE_TOKENS = 64  # a final answer alone is shorter than this; a rule of thumb


def has(facts: Facts, *words: str) -> bool:
    """True where the spec's constraints hold any of `words`."""
    return any(word in facts.spec.constraints for word in words)


def contains(facts: Facts, *words: str) -> bool:
    """True where the data is said to hold any of `words` (phi, pii); what was found in it is `personal_data`."""
    return any(word in facts.spec.data.contains for word in words)


def regulated(facts: Facts) -> bool:
    """True in domains where an answer can hurt a person's health, money or rights."""
    domain = facts.spec.goal.domain.lower()
    return any(stem in domain for stem in REGULATED)


# --- demonstrations -----------------------------------------------------------------------------------------------


def about_code(facts: Facts) -> bool:
    """True where the domain is code, by its name."""
    return any(word in facts.spec.goal.domain.lower() for word in CODE_DOMAINS)


def final_answers_only(facts: Facts) -> bool:
    """True where the rows are questions with a checkable final answer and no worked solution to learn from."""
    rows, task = facts.profile.demonstrations, facts.spec.goal.task
    if rows is None or rows.format not in CHECKABLE_FORMATS:
        return False
    if rows.format == "prompts-with-tests" and rows.completion is None:
        return True
    if task != "reasoning" and not (task in ANSWERED_TASKS and checked(facts)):
        return False
    return rows.completion is None or rows.completion.mean < REASONING_TRACE_TOKENS


def checked(facts: Facts) -> bool:
    """True where the spec names a program that scores answers."""
    written = facts.spec.data.feedback
    return facts.spec.data.checkable or (written is not None and written.type == "verifiable")


def demonstrations(facts: Facts) -> int:
    """Usable rows to imitate. Questions with final answers alone are counted as checkable prompts, not here; nor are
    documents, and answers that were judged."""
    rows = facts.profile.demonstrations
    if rows is None or feedback_as_rows(facts) or documents_as_rows(facts):
        return 0
    return rows.rows


def judged_answers(facts: Facts) -> str:
    """The kind of feedback that described demonstrations are by their format; empty where they are demonstrations.

    A file of that kind under `demonstrations` is read as what it is said to be.
    """
    rows = facts.profile.demonstrations
    return FEEDBACK_FORMATS.get(rows.format, "") if rows is not None and rows.described else ""


def feedback_as_rows(facts: Facts) -> bool:
    """True where the demonstrations are what the feedback is about: questions that are checked, answers that were
    judged."""
    return final_answers_only(facts) or judged_answers(facts) != ""


def documents_as_rows(facts: Facts) -> bool:
    """True where the demonstrations are documents: nothing in them says what to answer to what."""
    rows = facts.profile.demonstrations
    return rows is not None and rows.format == "raw-documents"


def mean_tokens(lengths: Lengths | None) -> float:
    """Mean tokens a row, 0 where unknown."""
    return lengths.mean if lengths else 0.0


def completion_tokens(facts: Facts) -> float:
    """Tokens that carry loss in one pass over the training demonstrations."""
    rows = facts.profile.demonstrations
    if rows is None or judged_answers(facts) or documents_as_rows(facts):
        return 0.0
    return rows.rows * mean_tokens(rows.completion)


def from_teacher(facts: Facts) -> bool:
    """True where the demonstrations were written by a stronger model."""
    return any(each.source == "teacher" for each in facts.spec.data.demonstrations)


def stale(facts: Facts) -> bool:
    """True where the user says that the demonstrations are out of date."""
    return any(each.stale for each in facts.spec.data.demonstrations)


def groups(facts: Facts) -> int:
    """Customers, documents or conversations that the rows come from; 0 where unknown."""
    rows = facts.profile.demonstrations
    written = [each.groups for each in facts.spec.data.demonstrations if each.groups]
    return (rows.groups if rows and rows.groups else 0) or (written[0] if written else 0)


# --- feedback -----------------------------------------------------------------------------------------------------


def feedback_type(facts: Facts) -> str:
    """`none`, or the shape of the feedback. Rows with nothing but a final answer, and a reward function, check."""
    if facts.profile.feedback is not None:
        return facts.profile.feedback.type
    written = facts.spec.data.feedback
    if written is not None and written.type != "auto":
        return written.type
    if facts.spec.data.checkable or final_answers_only(facts):
        return "verifiable"
    return judged_answers(facts) or "none"


def feedback_rows(facts: Facts) -> int:
    """Rows of feedback; for checkable rewards, the prompts that can be tried."""
    if facts.profile.feedback is not None and facts.profile.feedback.set.rows:
        return facts.profile.feedback.set.rows
    rows = 0
    if feedback_as_rows(facts) and facts.profile.demonstrations:
        rows = facts.profile.demonstrations.rows
    elif facts.profile.prompts:
        rows = facts.profile.prompts.rows
    return rows


def feedback_set(facts: Facts) -> SetProfile | None:
    """The lengths of what the feedback is about."""
    if facts.profile.feedback is not None and facts.profile.feedback.set.rows:
        return facts.profile.feedback.set
    return facts.profile.demonstrations if feedback_as_rows(facts) else facts.profile.prompts


def pairs(facts: Facts) -> int:
    """Comparisons of two answers: as given, or k(k-1)/2 from each ranking of k."""
    kind, rows = feedback_type(facts), feedback_rows(facts)
    if kind == "paired":
        return rows
    if kind == "ranked":
        k = answers_per_prompt(facts)
        return int(rows * k * (k - 1) / 2)
    return 0


def answers_per_prompt(facts: Facts) -> float:
    """How many answers a ranking holds; 2 where nothing is said."""
    profile, written = facts.profile.feedback, facts.spec.data.feedback
    if profile is not None and profile.answers_per_prompt:
        return profile.answers_per_prompt
    return float(written.answers_per_prompt) if written is not None and written.answers_per_prompt else 2.0


def thumbs(facts: Facts) -> tuple[int, int]:
    """(good, bad) answers of binary feedback; (0, 0) where there is none. Unknown splits count as half and half."""
    if feedback_type(facts) != "binary":
        return 0, 0
    profile, written = facts.profile.feedback, facts.spec.data.feedback
    good = profile.positive if profile else None
    bad = profile.negative if profile else None
    if written is not None:
        good = written.positive if good is None else good
        bad = written.negative if bad is None else bad
    rows = feedback_rows(facts)
    if good is None and bad is None:
        return rows // 2, rows - rows // 2
    if good is None:
        return max(0, rows - (bad or 0)), bad or 0
    return good, max(0, rows - good) if bad is None else bad


def base_success(facts: Facts) -> float | None:
    """Share of tries on which the base model already earns the reward; None where nobody has measured it."""
    written = facts.spec.data.feedback
    return written.base_success if written is not None else None


# --- text, knowledge, language ------------------------------------------------------------------------------------


def corpus_tokens(facts: Facts) -> int:
    """Tokens of raw text; 0 where there is none or nobody has counted."""
    corpus = facts.profile.corpus
    if corpus is not None and corpus.sequence is not None:
        return corpus.sequence.total
    return sum(each.tokens or 0 for each in facts.spec.data.corpus)


def has_documents(facts: Facts) -> bool:
    """True where there is raw text or a folder of documents, counted or not."""
    return bool(facts.spec.data.corpus) or documents_as_rows(facts)


# --- model and machine --------------------------------------------------------------------------------------------


def wanted(facts: Facts) -> Architecture | None:
    """The model that the spec names; None where the advisor is to choose, or where it is not known."""
    if facts.spec.model.base == "auto" or not facts.models:
        return None
    first = facts.models[0]
    return first if first.id.lower() == facts.spec.model.base.lower() else None


def is_base(facts: Facts, model: Architecture | None) -> bool:
    """True where the model has not been taught to follow instructions."""
    if model is None:
        return False
    return model.kind == "base"


def machine_memory_gib(facts: Facts) -> float:
    """Memory of the largest single device on hand; 0 where there is no machine."""
    return max((each.device.memory_gib for each in facts.machines), default=0.0)


def devices(facts: Facts) -> int:
    """The most devices of any machine on hand."""
    return max((each.devices for each in facts.machines), default=0)
