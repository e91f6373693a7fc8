"""Warnings about what there is to learn from: how much, how even, how clean, whose, and how long."""

from __future__ import annotations

from ftc.advisor import reading
from ftc.advisor.licences import data_restriction, unclear
from ftc.advisor.reading import has
from ftc.advisor.rules.choice import Choice
from ftc.advisor.rules.feedback import (
    AGREEMENT_FROM,
    COMPARISONS_FLOOR,
    COMPARISONS_GOOD,
    PAIRS_FROM,
    PROMPTS_FROM,
    THUMBS_FROM,
    agreed,
    trainable_feedback,
)
from ftc.advisor.rules.finding import warn
from ftc.advisor.rules.need import FORM_TASKS, NORMAL_FROM, PILOT_FROM, ROWS_A_CLASS, STYLE_FROM
from ftc.advisor.values import Finding

OVERFIT_BELOW = 2_000  # rows; the same line below which adapters are thinned out
PREFERENCE_OVERFIT_BELOW = 5_000  # pairs; a rule of thumb between OpenPipe's 500 and the sets in use
FEW_PROMPTS = 200  # for rewards; a rule of thumb
CONTAMINATION_FROM = 20_000  # rows; large sets are put together from many sources; a rule of thumb
UNEVEN = 10.0  # times as many rows in the largest class as in the smallest; a rule of thumb
KTO_EVEN = 4 / 3  # weighted ratio of good to bad that KTO takes. Source: TRL, kto_trainer documentation
LONG_TOKENS = 4_096
FILLED = 0.85  # of a card, from which longer rows do not fit; a rule of thumb
SMALL_CARD_GIB = 16.5
LARGE_MODEL = 3e9
MINUTES_A_COMPARISON = 2.0  # a person reading two answers; a rule of thumb
USD_A_PERSON_HOUR = 20.0  # a rule of thumb


def eval_holdout(choice: Choice) -> Finding | None:
    """Hold rows out, and score before and after on them.

    What it checks
        Nothing but that there is something to score: every answer except `infeasible` needs a held-out set.
    Why it matters
        Without it nobody knows whether prompting was enough or training helped. On 100 rows a score of 50 % is known
        to 9.8 points, on 1,000 to 3.1: a win of three points on 100 rows is noise.
    When it is wrong
        Never; a held-out set that comes from other customers, documents or dates than the training rows is better
        still.
    Evidence
        - OpenAI supervised fine-tuning guide: invest in fine-tuning only after setting up evals
        - QLoRA (1,024 rows), LLaMA-Factory (10 %), axolotl (5 %): held-out sets in use
        - Rule of thumb: max(100, 10 %) below 5,000 rows, 500 to 2,000 above; error bars are 1.96 sqrt(p (1 - p) / n).
    Example
        6,000 rows: 600 to 1,000 of them are kept away from training.
    """
    if choice.method == "infeasible":
        return None
    profile = choice.facts.profile
    held = profile.held_out_rows
    if profile.evaluation is not None:
        return warn(f"{held:,} rows of data.evaluation are scored before and after", rows=held)
    if held:
        return warn(f"{held:,} rows are held out and scored before and after", rows=held)
    return warn("build a held-out set of at least 100 rows first: nothing here can be scored yet", rows=0)


def too_few_examples(choice: Choice) -> Finding | None:
    """Few examples.

    What it checks
        Demonstrations against the steps of the tree (50, 100, 500), rows a class, rows a tenant, and feedback against
        its floors.
    Why it matters
        Below 50 rows tuning shows no gain that a prompt with examples would not; between 50 and 500 it is a pilot.
    When it is wrong
        The task is one of form alone, and the rows are flawless: a hundred can do.
    Evidence
        - OpenAI supervised fine-tuning guide: at least 10, gains at 50 to 100
        - OpenPipe documentation: at least 500 pairs
        - Rule of thumb: 500 rows for tasks of content, 10 a class, 500 thumbs.
    Example
        15 sample replies: examples for the prompt, not for training.
    """
    facts = choice.facts
    rows, task = reading.demonstrations(facts), facts.spec.goal.task
    enough = STYLE_FROM if task in FORM_TASKS else NORMAL_FROM
    if 0 < rows < enough:
        return warn(f"{rows} demonstrations; {enough} are a normal start for {task}", rows=rows, enough=enough)
    classes = facts.profile.demonstrations.classes if facts.profile.demonstrations else ()
    thin = [label for label, count in classes if count < ROWS_A_CLASS]
    if thin:
        return warn(
            f"{len(thin)} classes have fewer than {ROWS_A_CLASS} rows: {', '.join(thin[:3])}", classes=len(thin)
        )
    groups = reading.groups(facts)
    if has(facts, "tenant-isolation") and groups and rows / groups < NORMAL_FROM / 5:
        return warn(f"{rows / groups:.0f} rows a tenant: too few for an adapter of its own", groups=groups)
    kind, given = reading.feedback_type(facts), reading.feedback_rows(facts)
    floor = {"paired": PAIRS_FROM, "ranked": PAIRS_FROM, "binary": THUMBS_FROM}.get(kind, 0)
    given = reading.pairs(facts) if kind == "ranked" else given
    floor = PROMPTS_FROM if kind in ("verifiable", "validator-available") and given else floor
    if given < floor and rows == 0:
        return warn(f"{given} rows of {kind} feedback; {floor} are the least to start with", rows=given, enough=floor)
    if choice.method == "needs-data" and rows == 0 and not trainable_feedback(facts) and given == 0:
        return warn("there is nothing to learn from yet", rows=0)
    return None


def overfitting(choice: Choice) -> Finding | None:
    """Little data, many parameters: watch the held-out loss.

    What it checks
        Training rows below 2,000, preference pairs below 5,000, prompts for a reward below 200, or more passes than
        the rule for epochs allows.
    Why it matters
        The model learns the rows by heart; the training loss goes on falling while answers get worse. Preference
        training does so before the first pass ends.
    When it is wrong
        The task is closed, and rows by heart are what is wanted.
    Evidence
        - Rafailov et al. 2024, arXiv 2406.02900: direct alignment over-optimises, often before one epoch ends
        - Tulu 3: longer training did not yield further improvements
        - Rule of thumb: the lines at 2,000 rows and 5,000 pairs.
    Example
        1,200 rows for three passes: early stopping on the held-out loss, dropout 0.05.
    """
    if not choice.trains:
        return None
    facts = choice.facts
    rows = reading.demonstrations(facts)
    if choice.sft and 0 < rows < OVERFIT_BELOW:
        return warn(f"{rows:,} rows < {OVERFIT_BELOW:,}: the best checkpoint by held-out loss is kept", rows=rows)
    pairs = reading.pairs(facts)
    if choice.method in ("dpo", "sft+dpo") and pairs < PREFERENCE_OVERFIT_BELOW:
        return warn(f"{pairs:,} pairs < {PREFERENCE_OVERFIT_BELOW:,}: evaluate every fifth of a pass", pairs=pairs)
    if choice.method == "kto" and reading.feedback_rows(facts) < PREFERENCE_OVERFIT_BELOW:
        return warn(f"{reading.feedback_rows(facts):,} thumbs: evaluate every fifth of a pass")
    prompts = reading.feedback_rows(facts)
    if choice.method == "grpo" and 0 < prompts < FEW_PROMPTS:
        return warn(f"{prompts} prompts are seen again and again: keep others to score with", prompts=prompts)
    wanted = facts.spec.overrides.get("epochs")
    if isinstance(wanted, int | float) and wanted > 5:
        return warn(f"overrides.epochs: {wanted:g} passes over the same rows", epochs=float(wanted))
    return None


def class_imbalance(choice: Choice) -> Finding | None:
    """Some answers are much rarer than others.

    What it checks
        Thumbs up against thumbs down beyond 4:3, the largest class against the smallest beyond 10:1, and classes that
        nobody has counted yet.
    Why it matters
        A model that always says the common answer looks right on average. KTO weighs the rarer kind up; classes need a
        stratified split and a macro score.
    When it is wrong
        The live traffic is as uneven, and only the average counts.
    Evidence
        - KTO, arXiv 2402.01306; TRL, kto_trainer documentation: weighted ratio of good to bad between 1:1 and 4:3
        - OpenAI best practices: match the balance of labels at inference
        - Rule of thumb: 10:1 between classes.
    Example
        1,090,100 up, 9,900 down: three up are kept for each down, and a down weighs three times as much.
    """
    facts = choice.facts
    good, bad = reading.thumbs(facts)
    if good and bad and max(good, bad) / min(good, bad) > KTO_EVEN:
        used = min(max(good, bad), 3 * min(good, bad))
        rarer = "down" if bad < good else "up"
        said = f"{good:,} up, {bad:,} down: {used:,} of the commoner kind are used, and thumbs {rarer} weigh more"
        return warn(said, up=good, down=bad)
    rows = facts.profile.demonstrations
    if rows is None or facts.spec.goal.task != "classification":
        return None
    if rows.classes:
        most, least = rows.classes[0], rows.classes[-1]
        if most[1] >= UNEVEN * max(1, least[1]):
            return warn(f"{most[0]}: {most[1]:,} rows, {least[0]}: {least[1]:,}; macro-F1 tells, accuracy does not")
        return None
    if rows.described:
        return warn("the rows of each class are not known: count them, split by class, score by macro-F1")
    return None


def decontaminate(choice: Choice) -> Finding | None:
    """Training rows may stand in the test set.

    What it checks
        Overlap and duplicates that were found; and where they are likely: large sets, rows of a teacher, general chat
        and reasoning, which are scored on public benchmarks.
    Why it matters
        A test question that was trained on measures memory. Duplicates are also what is extracted most easily.
    When it is wrong
        The rows were written in-house and the test set was taken from them by document or date.
    Evidence
        - allenai/open-instruct, decontamination/README.md: n-gram and embedding search between training and test sets
        - Rule of thumb: 20,000 rows.
    Example
        939,000 conversations from many sources: search each test question in them before training.
    """
    facts, profile = choice.facts, choice.facts.profile
    if profile.overlap:
        return warn(f"{profile.overlap:,} evaluation rows also stand in the training rows", rows=profile.overlap)
    if not choice.trains:
        return None
    rows = reading.demonstrations(facts)
    if rows >= CONTAMINATION_FROM:
        return warn(f"{rows:,} rows >= {CONTAMINATION_FROM:,}: search the test questions in them", rows=rows)
    if reading.from_teacher(facts):
        return warn("a teacher may have seen the test set: search its questions in the rows")
    general = facts.spec.goal.domain.lower() in ("general", "") and facts.spec.goal.task in ("chat", "reasoning")
    if facts.spec.goal.task == "reasoning" or general:
        return warn(f"{facts.spec.goal.task} is scored on public test sets: search their questions in the rows")
    found = profile.demonstrations
    if found is not None and found.exact_duplicates > 0.01 * max(1, found.rows):
        return warn(f"{found.exact_duplicates:,} exact duplicates: they may fall on both sides of the split")
    return None


def data_licence(choice: Choice) -> Finding | None:
    """The data's licence limits what may be done with the result.

    What it checks
        `data.licence` for non-commercial terms and for outputs of a provider; rows that a teacher wrote, or would
        write, for a commercial product or under no licence that is named; rows of which nobody knows whose they are.
    Why it matters
        A model that was trained on such rows cannot be sold, however well it works.
    When it is wrong
        The teacher's licence allows it (DeepSeek-R1 is MIT; Apache-2.0 models as well).
    Evidence
        - HelpSteer2, arXiv 2406.08673: provider restrictions on generated preference data, and a CC-BY-4.0 alternative
        - DeepSeek-R1 repository: the MIT licence allows distillation
    Example
        52,000 rows under CC-BY-NC for a commercial assistant: replace them with permissive rows first.
    """
    facts = choice.facts
    licence = facts.spec.data.licence
    restriction = data_restriction(licence or "")
    if restriction:
        return warn(f"data.licence is {licence}: {restriction}; replace these rows for anything commercial")
    if unclear(licence or ""):
        return warn(f"data.licence is {licence}: find out whose the rows are before they are trained on")
    if licence is None and reading.from_teacher(facts):
        return warn("rows that a teacher wrote carry the terms of its provider: name the licence (data.licence)")
    if has(facts, "commercial") and (reading.from_teacher(facts) or has(facts, "teacher-allowed")):
        return warn("rows that a teacher writes carry the terms of its provider: take one whose licence allows it")
    if has(facts, "commercial") and licence is None and reading.demonstrations(facts) >= NORMAL_FROM:
        return warn("commercial use, and data.licence is not given: make sure that the rows may be used so")
    return None


def generate_data(choice: Choice) -> Finding | None:
    """A stronger model could write the missing rows.

    What it checks
        Too few rows, where a teacher is allowed (or nobody forbids one), and a reward that is never reached.
    Why it matters
        A few thousand checked rows of a teacher cost tens of dollars; the same from people, thousands. A small model
        learns more from a teacher's worked solutions than from reinforcement.
    When it is wrong
        The knowledge is only in the heads of your own people, or the provider's terms forbid it.
    Evidence
        - DeepSeek-R1, after TRL's paper index: distillation more effective than pure RL for small models
        - rlhf-book, chapter 4: large synthetic sets work best on most tasks
        - KTO and preference data of the UltraFeedback kind: feedback by a model in place of people
    Example
        No rows and `teacher-allowed`: 2,000 prompts answered by a teacher, checked, then LoRA.
    """
    facts = choice.facts
    if has(facts, "no-teacher"):
        return None
    rows = reading.demonstrations(facts)
    allowed = has(facts, "teacher-allowed")
    if choice.method == "needs-data":
        return warn("let a stronger model write rows, check a sample by hand, and filter by rule", rows=rows)
    if 0 < rows < PILOT_FROM and facts.spec.goal.prompting == "insufficient":
        return warn(f"{rows} rows are too few to train on: a stronger model could write more like them", rows=rows)
    if allowed and rows < NORMAL_FROM:
        return warn(f"{rows} rows, and a teacher is allowed: let it write up to a few thousand more", rows=rows)
    success = reading.base_success(facts)
    if allowed and success is not None and success < 0.15:
        return warn("the reward is rarely reached, and a teacher is allowed: its solutions make a warm start")
    return None


def annotation_cost(choice: Choice) -> Finding | None:
    """People's judgements are the dear part.

    What it checks
        Feedback that has still to be collected, human labels asked for, a reward model wished for or chosen,
        annotators who agree little.
    Why it matters
        Training costs tens of dollars here, comparisons thousands: two minutes each at $20 an hour is $0.70, $7,000
        for 10,000. Contracts for preference data start at about $500,000.
    When it is wrong
        The feedback comes from logs, or a model judges.
    Evidence
        - rlhf-book, chapter 11: even a smaller data contract is about $500K
        - Rule of thumb: two minutes a comparison, $20 an hour.
    Example
        A reward model from 10,000 new comparisons: about $7,000 of people's time before any training.
    """
    facts = choice.facts
    kind = reading.feedback_type(facts)
    a_comparison = MINUTES_A_COMPARISON / 60 * USD_A_PERSON_HOUR
    if kind == "to-collect":
        rows = reading.feedback_rows(facts) or (COMPARISONS_GOOD if has(facts, "wants-ppo") else PAIRS_FROM)
        return warn(f"{rows:,} comparisons take about ${rows * a_comparison:,.0f} of people's time", rows=rows)
    if not agreed(facts):
        return warn(f"annotators agree on less than {AGREEMENT_FROM:.0%}: more judgements a pair, or a clearer guide")
    if has(facts, "human-labels") or choice.method == "rlhf":
        return warn(f"people's judgements: about ${a_comparison:.2f} a comparison")
    if has(facts, "wants-ppo") and reading.pairs(facts) < COMPARISONS_GOOD and kind != "reward-model":
        more = COMPARISONS_GOOD - reading.pairs(facts)
        return warn(
            f"a reward model would take {more:,} more comparisons, about ${more * a_comparison:,.0f}", more=more
        )
    subjective = facts.spec.goal.task in ("tone", "chat", "safety", "generation")
    empty = reading.demonstrations(facts) == 0
    if choice.method == "needs-data" and subjective and empty and not has(facts, "teacher-allowed"):
        return warn(f"{PAIRS_FROM} comparisons take about ${PAIRS_FROM * a_comparison:,.0f} of people's time")
    return None


def pairs_from_rankings(choice: Choice) -> Finding | None:
    """Rankings become pairs.

    What it checks
        Feedback of the ranked kind.
    Why it matters
        K ranked answers are K(K-1)/2 pairs that share a prompt: they have to fall on the same side of the split, or
        the held-out score is flattered.
    When it is wrong
        Only the first place means something: then take best against worst, one pair a prompt.
    Evidence
        - Rule of thumb: arithmetic.
    Example
        6,500 rankings of 4 are 39,000 pairs, or 6,500 of best against worst.
    """
    facts = choice.facts
    if reading.feedback_type(facts) != "ranked":
        return None
    rows, pairs = reading.feedback_rows(facts), reading.pairs(facts)
    return warn(f"{rows:,} rankings become {pairs:,} pairs; pairs of one prompt stay in one split", pairs=pairs)


def rm_data_too_small(choice: Choice) -> Finding | None:
    """Too few comparisons for a reward model.

    What it checks
        Comparisons against 2,000 (below, a reward model learns nothing) and 10,000 (good), where a reward model is
        wished for or chosen, or has to do better than DPO.
    Why it matters
        Policy optimisation finds every hole in a weak reward model; DPO uses the same pairs without one.
    When it is wrong
        A trusted reward model exists already: say so with `feedback.type: reward-model`.
    Evidence
        - Gao et al. 2023, arXiv 2210.10760: about 2,000 comparisons needed
        - HelpSteer2, arXiv 2406.08673: 10,681 prompts x 2 give 88.8 to 92 % on RewardBench with 70B and 340B bases
    Example
        1,500 comparisons and `wants-ppo`: DPO.
    """
    facts = choice.facts
    if reading.feedback_type(facts) == "reward-model":
        return None
    wished = has(facts, "wants-ppo", "dpo-done") or choice.method == "rlhf" or facts.spec.method == "rlhf"
    pairs = reading.pairs(facts)
    if not wished or pairs >= COMPARISONS_GOOD:
        return None
    why = "a reward model learns nothing from so few" if pairs < COMPARISONS_FLOOR else "a weak reward model"
    return warn(f"{pairs:,} comparisons < {COMPARISONS_GOOD:,}: {why}", pairs=pairs)


def no_feedback_signal(choice: Choice) -> Finding | None:
    """Nothing to reinforce with.

    What it checks
        A wish for reinforcement or preferences without the signal that it takes, a reward that the model always
        earns, and answers that wait for data where there is neither a demonstration, nor feedback, nor a document.
    Why it matters
        Reinforcement needs something that tells a good answer from a bad one; without it there is no gradient.
    When it is wrong
        A program can check the answers: name it under `data.reward`.
    Evidence
        - axolotl, docs/choosing_method.qmd: no pairs, no labels, no checkable reward: make data
        - axolotl, training_stability.qmd: reward_std has to be above 0
    Example
        `wants-grpo` for a matter of taste: nothing computes taste; collect pairs.
    """
    facts = choice.facts
    kind = reading.feedback_type(facts)
    if has(facts, "wants-grpo") and kind not in ("verifiable", "validator-available", "reward-model"):
        return warn(f"wants-grpo, and no program that scores an answer (feedback: {kind})")
    if has(facts, "wants-ppo") and kind in ("none", "to-collect"):
        return warn(f"wants-ppo, and no comparisons (feedback: {kind})")
    if kind in ("verifiable", "validator-available") and (reading.base_success(facts) or 0.0) >= 0.98:
        return warn("the base model earns the reward nearly always: groups without a difference teach nothing")
    if choice.method == "needs-data" and not trainable_feedback(facts) and reading.demonstrations(facts) == 0:
        return warn("neither demonstrations nor feedback to learn from")
    untold = facts.spec.goal.prompting != "sufficient" and not has(facts, "no-training")
    if choice.method == "prompt" and untold and kind == "none" and facts.profile.demonstrations is None:
        return None if reading.has_documents(facts) else warn("a prompt for now: there is nothing to learn from yet")
    return None


def sequence_length(choice: Choice) -> Finding | None:
    """Long rows, or little room for them.

    What it checks
        Rows that are cut, a p99 above 4,096 tokens, documents that may not be split (`no-chunking`), cards of up to
        16 GB under models of 3B and more, and any card that one or two rows fill.
    Why it matters
        Activations grow with length; what is cut is the end of the row, and that is the answer.
    When it is wrong
        The long rows are outliers that teach nothing.
    Evidence
        - TRL, sft_config.py: rows beyond max_length are truncated silently
        - QwenLM/Qwen, Q-LoRA memory table: 7B takes 11.5 GB at 512 tokens, 12.3 at 1,024, 16.9 at 4,096
        - Rule of thumb: a card is full at 85 %.
    Example
        Qwen2.5-7B on 12 GB: about 1,000 tokens a row.
    """
    facts = choice.facts
    if choice.p99_tokens > choice.max_length > 0:
        return warn(f"rows are cut at {choice.max_length:,} tokens; the longest hundredth has {choice.p99_tokens:,}")
    context = choice.model.context if choice.model else 0
    if choice.p99_tokens > LONG_TOKENS:
        return warn(f"rows of up to {choice.p99_tokens:,} tokens; the model reads {context:,}")
    if has(facts, "no-chunking"):
        return warn("documents go in whole: the longest one decides the memory")
    machine = choice.candidate.machine if choice.candidate else facts.machines[0] if facts.machines else None
    if machine is None or choice.model is None or machine.device.kind == "cpu":
        return None
    if machine.device.memory_gib < SMALL_CARD_GIB and choice.model.parameters >= LARGE_MODEL:
        limit = choice.max_length or LONG_TOKENS
        return warn(f"{machine.device.memory_gib:.0f} GiB leave room for rows of about {limit:,} tokens", limit=limit)
    setup, memory = (choice.candidate.setup, choice.candidate.memory) if choice.candidate else (None, None)
    if setup is not None and memory is not None and setup.micro_batch <= 2:
        share = memory.device.high / machine.device.memory_gib
        if share >= FILLED:
            return warn(
                f"{setup.micro_batch} rows of {setup.seq_len:,} tokens fill {share:.0%} of the card", share=share
            )
    return None


TABLE = (
    ("M201", "eval_holdout", eval_holdout),
    ("M202", "too_few_examples", too_few_examples),
    ("M203", "overfitting", overfitting),
    ("M204", "class_imbalance", class_imbalance),
    ("M205", "decontaminate", decontaminate),
    ("M206", "data_licence", data_licence),
    ("M207", "generate_data", generate_data),
    ("M208", "annotation_cost", annotation_cost),
    ("M209", "pairs_from_rankings", pairs_from_rankings),
    ("M210", "rm_data_too_small", rm_data_too_small),
    ("M211", "no_feedback_signal", no_feedback_signal),
    ("M212", "sequence_length", sequence_length),
)
