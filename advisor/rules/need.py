"""The seed's first question and its two refinements: is training needed, and is the gap facts or behaviour?"""

from __future__ import annotations

from ftc.advisor import reading
from ftc.advisor.languages import covers, multilingual
from ftc.advisor.reading import FACT_TASKS, FAST_KNOWLEDGE, SMALL_MODEL_WISHES, has
from ftc.advisor.rules.feedback import trainable_feedback
from ftc.advisor.rules.finding import answer
from ftc.advisor.values import Facts, Finding

# Rows of clean demonstrations. Sources: OpenAI supervised fine-tuning guide (at least 10; gains at 50 to 100; start
# with 50); the step to "a normal job" is a rule of thumb between that and published instruction sets of a thousand.
FEW_SHOT_BELOW = 10
PILOT_FROM = 50
STYLE_FROM = 100
NORMAL_FROM = 500
FORM_TASKS = ("tone", "classification", "safety")  # style, format, simple classes: learned from a hundred rows
EARNED = 0.98  # share of tries that earn the reward, from which there is nothing left to gain; a rule of thumb
ROWS_A_CLASS = 10  # fewer, and many-shot prompting does as well; a rule of thumb
DOMAIN_CPT_TOKENS = 1_000_000_000  # below, retrieval and SFT first: AdaptLLM, and a rule of thumb for the cut-off
LANGUAGE_CPT_TOKENS = 50_000_000  # below, a multilingual base is the better start; a rule of thumb


def worth_training_anyway(facts: Facts) -> str:
    """A reason to train although prompting works; empty where there is none."""
    if has(facts, "cost-reduction"):
        return "shorter prompts and a smaller model save money on each call (cost-reduction)"
    if has(facts, *SMALL_MODEL_WISHES):
        return "a small model has to do it, and small models prompt badly"
    return ""


def wishes_for_training(facts: Facts) -> bool:
    """True where the user asks for training in so many words."""
    return has(facts, "wants-grpo", "wants-ppo", "prefers-full", "full-only", "dpo-done", "human-labels")


def judged(facts: Facts) -> bool:
    """True where people or a program have judged answers, or are about to: those of today are not good enough."""
    kind, success = reading.feedback_type(facts), reading.base_success(facts)
    if success is not None and success < EARNED:
        return True
    return kind == "to-collect" or (kind in ("paired", "ranked", "binary") and reading.feedback_rows(facts) > 0)


def corpus_worth_training(facts: Facts) -> bool:
    """True where there is enough raw text for continued pre-training on it."""
    task, tokens = facts.spec.goal.task, reading.corpus_tokens(facts)
    if task == "new-language":
        return tokens >= (DOMAIN_CPT_TOKENS if language_known(facts) else LANGUAGE_CPT_TOKENS)
    return task == "domain-adaptation" and tokens >= DOMAIN_CPT_TOKENS


def language_known(facts: Facts) -> bool:
    """True where the model was trained on the language already, or one that was may be picked.

    English as the new language is a spec that does not name its language.
    """
    language = facts.spec.goal.language
    if covers("", language):
        return False
    if facts.spec.model.base == "auto":
        return multilingual(language) != ""
    model = reading.wanted(facts)
    return model is not None and covers(model.id, language)


def language_lacking(facts: Facts) -> bool:
    """True where a language is to be learned that no family here knows, with neither text nor rows enough for it."""
    goal = facts.spec.goal
    if goal.task != "new-language" or corpus_worth_training(facts) or language_known(facts):
        return False
    known = multilingual(goal.language) and facts.spec.model.substitute and not has(facts, "fixed-model")
    return not known and reading.demonstrations(facts) < NORMAL_FROM


def improvement_needed(facts: Facts) -> Finding:
    """Does the task need more than prompting gives?

    What it checks
        What prompting has achieved (`goal.prompting`), how many demonstrations there are, other signals (feedback, a
        reward, a corpus), and reasons to train a prompt that already works: cost, latency, a small place to run. A
        language that the model lacks is not prompted into it. Who owns no machine and may use an API prompts first, up
        to a normal job.
    Why it matters
        Prompting costs hours and survives a change of model; training pays when there is enough to learn from. Rows:
        below 50 examples in the prompt, whatever prompting gave; from 50 a pilot where it has reached its end; from 100
        style, format and simple classes; from 500 a normal job whatever prompting does, since narrow tasks with many
        rows are where tuned models win.
    When it is wrong
        The rows are noisy or off the task: 50 good ones that change nothing say that the task or the data is wrong.
    Evidence
        - OpenAI supervised fine-tuning guide: good evals first; improvements seen at 50 to 100 examples, start with 50
        - LoRA Land, arXiv 2405.00732: 4-bit LoRA beats its base by 34 points and GPT-4 by 10 on average of 31 tasks
        - Edwards and Camacho-Collados 2024, arXiv 2403.17661: tuned small models beat few-shot large ones at
          classification
        - Bertsch et al. 2024, arXiv 2405.00200: in-context learning improves to hundreds of demonstrations
        - Microsoft azure-ai-docs, fine-tuning considerations: cost, latency, style and formats as reasons to tune
        - Rule of thumb: the step at 500 rows.
    Example
        120 rows for structured output, prompting untried: no. 6,000 rows of summaries: yes.
    """
    rows, state = reading.demonstrations(facts), facts.spec.goal.prompting
    reason = worth_training_anyway(facts)
    other = trainable_feedback(facts) or corpus_worth_training(facts)
    if state == "sufficient" and not reason:
        return answer("no", "prompting already gives what is needed", rows=rows)
    if state == "untried" and not facts.machines and not reason and facts.spec.hardware.kind != "cloud":
        return answer("no", "there is nothing to train on, and prompting is untried", rows=rows)
    if other:
        return answer("yes", f"{other if isinstance(other, str) else 'a corpus'} to learn from", rows=rows)
    if rows >= NORMAL_FROM:
        return answer("yes", f"{rows:,} demonstrations >= {NORMAL_FROM}", rows=rows)
    if language_lacking(facts):
        said = f"no prompt teaches {facts.spec.goal.language}, which the model does not know"
        return answer("yes", said, rows=rows)
    if rows >= PILOT_FROM:
        return _some_rows(facts, rows, reason)
    if rows:
        return answer(
            "no", f"{rows} demonstrations < {PILOT_FROM}: examples for the prompt, not for training", rows=rows
        )
    if state == "insufficient" or reason or wishes_for_training(facts) or judged(facts):
        return answer("yes", reason or "prompting is not enough, or training is asked for", rows=rows)
    return answer("no", "nothing to learn from yet, and prompting is untried", rows=rows)


def _some_rows(facts: Facts, rows: int, reason: str) -> Finding:
    """Between a pilot and a normal job: it depends on what prompting gave and on what is to be learned."""
    if reason:
        return answer("yes", f"{rows} demonstrations; {reason}", rows=rows)
    if facts.spec.goal.prompting == "insufficient" or wishes_for_training(facts):
        return answer("yes", f"{rows} demonstrations >= {PILOT_FROM}, and prompting is not enough", rows=rows)
    classes = len(facts.profile.demonstrations.classes) if facts.profile.demonstrations else 0
    thin = classes > 0 and rows / classes < ROWS_A_CLASS
    if facts.spec.hardware.kind == "none" and has(facts, "api-allowed"):
        said = f"{rows} demonstrations < {NORMAL_FROM}, no machine is owned, and an API may be prompted: prompt first"
        return answer("no", said, rows=rows)
    if rows >= STYLE_FROM and facts.spec.goal.task in FORM_TASKS and not thin:
        return answer("yes", f"{rows} demonstrations >= {STYLE_FROM} are enough for {facts.spec.goal.task}", rows=rows)
    return answer("no", f"{rows} demonstrations < {NORMAL_FROM}, and prompting is untried: prompt first", rows=rows)


def gap_in_facts(facts: Facts) -> str:
    """Why the gap is one of facts, freshness or citations; empty where it is one of behaviour."""
    goal, rows = facts.spec.goal, reading.demonstrations(facts)
    if goal.task not in FACT_TASKS and not (goal.task == "reasoning" and has(facts, "citations")):
        return ""
    if has(facts, "citations"):
        return "answers must cite their source"
    if goal.knowledge in FAST_KNOWLEDGE and not (goal.task == "generation" and rows >= NORMAL_FROM):
        return f"the facts change {goal.knowledge}, faster than one retrains and evaluates"
    if reading.stale(facts):
        return "the demonstrations are out of date"
    if has(facts, "no-hallucination"):
        return "no invented answers are allowed, and only a source can be checked"
    if reading.has_documents(facts) and not corpus_worth_training(facts):
        if rows < PILOT_FROM:
            return "the knowledge stands in documents, and there are no demonstrations to learn from"
        if goal.task == "qa":
            return "the answers stand in documents, which are read more surely than remembered"
    return ""


def prompt_or_retrieval(facts: Facts) -> Finding:
    """No training: does the model lack facts, or only instructions?

    What it checks
        Facts that change monthly or faster, answers that must cite, knowledge that stands in documents.
    Why it matters
        A prompt can shape behaviour; it cannot hold a library. Retrieval brings the facts when they are asked for.
    When it is wrong
        The documents are few enough for the context window: then put them there.
    Evidence
        - Ovadia et al. 2024, arXiv 2312.05934: retrieval beats fine-tuning on knowledge, old and new
        - Microsoft Learn, compare and combine: context by retrieval, format and tone by tuning
    Example
        300 guideline PDFs, revised monthly, every answer cited: retrieval.
    """
    gap = gap_in_facts(facts)
    return answer("facts", gap) if gap else answer("behaviour", "instructions, examples and a schema will do")


def facts_or_behaviour(facts: Facts) -> Finding:
    """Is the gap one of facts, or one of behaviour?

    What it checks
        The task, how fast its facts change, citations, stale rows, documents that hold the answers, and whether
        retrieval is there already. Feedback on answers is about behaviour.
    Why it matters
        Training on facts that the model does not know teaches it to invent; facts that change are wrong again after
        the next change. Behaviour (form, tone, skill) is what training is for.
    When it is wrong
        Both are wrong at once: retrieval for the facts and tuning for the behaviour add up. Set
        `constraints: [retrieval-available]` when retrieval is in place, and the advisor weighs the behaviour alone.
    Evidence
        - Ovadia et al. 2024, arXiv 2312.05934: retrieval consistently outperforms fine-tuning for knowledge
        - Gekhman et al. 2024, arXiv 2405.05904: learning unknown facts linearly raises hallucination
        - Rule of thumb: monthly is the pace at which retraining falls behind.
    Example
        A support bot with prices that change weekly: retrieval, however many old chats there are.
    """
    gap = gap_in_facts(facts)
    if not gap:
        return answer("behaviour", f"{facts.spec.goal.task} is a matter of behaviour here")
    if has(facts, "retrieval-available") and reading.demonstrations(facts) >= PILOT_FROM:
        return answer("behaviour", f"{gap}, and retrieval brings them: what is left is behaviour")
    if trainable_feedback(facts):
        return answer("behaviour", f"{gap}, but the feedback is about how answers are given")
    if corpus_worth_training(facts):
        return answer("behaviour", f"{gap}, but there are {reading.corpus_tokens(facts):,} tokens to train on")
    return answer("facts", gap)
