"""The branch without demonstrations: what kind of feedback there is, and whether it is enough to learn from."""

from __future__ import annotations

from ftc.advisor import reading
from ftc.advisor.reading import has
from ftc.advisor.rules.finding import answer
from ftc.advisor.values import Facts, Finding

# Sources: OpenPipe documentation (at least 500 pairs); Gao et al. 2023, arXiv 2210.10760 (about 2,000 comparisons
# before a reward model learns anything); HelpSteer2 (10,681 prompts x 2); Ivison et al. 2024, arXiv 2406.09279.
PAIRS_FROM = 500
COMPARISONS_FLOOR = 2_000
COMPARISONS_GOOD = 10_000
THUMBS_FROM = 500  # no controlled minimum is published; a rule of thumb
THUMBS_OF_EACH = 50  # of the rarer kind; a rule of thumb
AGREEMENT_FROM = 0.6  # of pairs on which annotators agree, 0.5 being chance; a rule of thumb
RLHF_DEVICES = 8  # Ivison et al. and verl's tested minima: policy, reference, reward model and generation
GROUP = 16  # largest usual GRPO group (DeepSeek-R1, DAPO)
MIXED_GROUPS = 0.2  # share of groups with a success that still teaches: axolotl, frac_reward_zero_std < 0.8
WARM_REWARD = 0.15  # mean reward that should be reached within 20 steps. Source: axolotl, training_stability.qmd
SMALL_MODEL = 4e9  # parameters below which a teacher's solutions go first; a rule of thumb
PROMPTS_FROM = 20  # prompts with a checkable answer; sets of one have been shown to move a model, so a rule of thumb


def reward_is_reachable(facts: Facts) -> bool:
    """True where groups of answers will hold both successes and failures."""
    success = reading.base_success(facts)
    if success is None:
        return True
    return 1 - (1 - success) ** GROUP >= MIXED_GROUPS and success < 0.98


def trainable_feedback(facts: Facts) -> str:
    """What there is to learn from in the feedback, in words; empty where it is not enough."""
    kind, rows = reading.feedback_type(facts), reading.feedback_rows(facts)
    if not agreed(facts):
        return ""
    if kind in ("paired", "ranked") and reading.pairs(facts) >= PAIRS_FROM:
        return f"{reading.pairs(facts):,} preference pairs"
    if kind == "binary" and rows >= THUMBS_FROM and min(reading.thumbs(facts)) >= THUMBS_OF_EACH:
        return f"{rows:,} thumbs"
    if kind == "verifiable" and teacher_first(facts):
        return ""
    if kind == "verifiable" and reward_is_reachable(facts) and (rows >= PROMPTS_FROM or rows == 0):
        return "a checkable reward"
    if kind == "validator-available" and rows >= PROMPTS_FROM and reward_is_reachable(facts):
        return "" if facts.spec.goal.task == "structured-output" else "a validator to learn against"
    if kind == "reward-model":
        return "a reward model"
    return ""


def enough_pairs(facts: Facts) -> bool:
    """True where there are comparisons enough for DPO, or a reward model that makes them."""
    return reading.feedback_type(facts) == "reward-model" or (agreed(facts) and reading.pairs(facts) >= PAIRS_FROM)


def teacher_first(facts: Facts) -> bool:
    """True where a small model rarely earns the reward and a teacher may write solutions: imitation goes first."""
    success, model = reading.base_success(facts), reading.wanted(facts)
    size = model.parameters if model else facts.spec.model.max_parameters or float("inf")
    rare = success is not None and success < WARM_REWARD
    return rare and size < SMALL_MODEL and has(facts, "teacher-allowed") and not has(facts, "wants-grpo")


def agreed(facts: Facts) -> bool:
    """True unless annotators are known to agree little more often than by chance."""
    written = facts.spec.data.feedback
    return written is None or written.agreement is None or written.agreement >= AGREEMENT_FROM


def enough_for_a_reward_model(facts: Facts) -> bool:
    """True where a reward model and on-policy training against it are within reach, and there is a reason for them."""
    asked = has(facts, "wants-ppo", "max-quality", "dpo-done")
    trusted = reading.feedback_type(facts) == "reward-model"
    many = reading.pairs(facts) >= COMPARISONS_GOOD
    return (trusted or (many and asked)) and reading.devices(facts) >= (1 if trusted else RLHF_DEVICES)


def which_feedback(facts: Facts) -> Finding:
    """What feedback is there to learn from?

    What it checks
        The shape of the feedback and its amount: pairs and rankings, thumbs, a reward that a program computes, a
        reward model; whether annotators agree; whether the base model ever succeeds, and where a small one rarely does,
        whether a teacher may write solutions.
    Why it matters
        The shape decides the method. Pairs: DPO, from 500. Thumbs: KTO, which needs no pairs. A checkable reward: GRPO,
        as long as groups of answers hold both good and bad ones. A reward model with on-policy training only from
        10,000 comparisons and 8 devices, or where a trusted reward model exists: it beats DPO by one to three points
        and costs many times more.
    When it is wrong
        The pairs come from another model than the one that is trained, or annotators agree little: more, or fresher,
        comparisons first.
    Evidence
        - axolotl, docs/choosing_method.qmd: paired to DPO, binary to KTO, checkable to GRPO
        - OpenPipe documentation: at least 500 pairs; Orca 13k and UltraFeedback 61k pairs in use
        - Ivison et al. 2024, arXiv 2406.09279: PPO above DPO by up to 2.5 % (maths), 1.2 % (general)
        - axolotl, training_stability.qmd: share of groups without variance below 0.8
        - DeepSeek-R1, arXiv 2501.12948, after TRL's paper index: distillation beats RL for small models
        - Rule of thumb: 10,000 comparisons and 8 devices as the entry to a reward model; 500 thumbs for KTO;
          small is below 4B.
    Example
        6,500 rankings of four answers are 39,000 pairs: DPO.
    """
    kind, rows = reading.feedback_type(facts), reading.feedback_rows(facts)
    enough = trainable_feedback(facts)
    if not enough:
        return _not_enough(facts, kind, rows)
    if enough_for_a_reward_model(facts):
        count = reading.devices(facts)
        said = f"{enough}, and {count} device{'s' if count > 1 else ''} for on-policy training"
        return answer("reward", said, rows=rows)
    if kind == "reward-model":
        return answer("pairs", "answers of the model, scored by the reward model, make pairs", rows=rows)
    if kind in ("paired", "ranked"):
        if reading.is_base(facts, reading.wanted(facts)):
            return answer(
                "pairs, base model", f"{enough}; the model has not been tuned yet", pairs=reading.pairs(facts)
            )
        return answer("pairs", enough, pairs=reading.pairs(facts))
    if kind == "binary":
        good, bad = reading.thumbs(facts)
        return answer("thumbs", f"{good:,} up, {bad:,} down", up=good, down=bad)
    return answer("checkable", f"{enough}{_success(facts)}", rows=rows)


def _success(facts: Facts) -> str:
    success = reading.base_success(facts)
    return "" if success is None else f", which the base model already earns on {success:.0%} of tries"


def _not_enough(facts: Facts, kind: str, rows: int) -> Finding:
    """Feedback that is missing, too little or useless: what to collect."""
    if kind == "none":
        if reading.has_documents(facts):
            return answer("none", "raw text only: neither demonstrations nor feedback", rows=rows)
        return answer("none", "neither demonstrations nor feedback", rows=rows)
    if not agreed(facts):
        return answer("too little", f"annotators agree on less than {AGREEMENT_FROM:.0%} of pairs", rows=rows)
    if kind in ("verifiable", "validator-available") and not reward_is_reachable(facts):
        success = reading.base_success(facts) or 0.0
        if success >= 0.98:
            return answer("nothing to gain", f"the base model already earns the reward on {success:.0%} of tries")
        return answer(
            "too little", f"the base model earns the reward on {success:.1%} of tries: groups without a success"
        )
    if kind == "verifiable" and teacher_first(facts):
        success = reading.base_success(facts) or 0.0
        said = f"the reward is earned on {success:.0%} of tries, and a teacher may write solutions: imitate them first"
        return answer("too little", said)
    if kind == "to-collect":
        return answer("none", "the feedback has still to be collected", rows=rows)
    return answer("too little", f"{rows:,} rows of {kind} feedback", rows=rows)


def stage_after(facts: Facts) -> Finding:
    """Demonstrations are there: is there feedback as well?

    What it checks
        Pairs, thumbs or a checkable reward beside the demonstrations, how many there are of each, and whether the
        model is a base or an instruct model. A reward goes before many worked solutions where a reasoning model is
        known to earn it, or where the rows are questions with final answers; worked solutions go first where it is
        rarely earned.
    Why it matters
        Preferences refine a model that can already do the task: SFT first, then DPO. An instruct model with few
        demonstrations and a log of thumbs goes straight to KTO. A reward that a program computes teaches more than a
        few worked solutions, unless a stronger model wrote them: a small model learns more from those.
    When it is wrong
        The demonstrations and the preferences come from different tasks: train on one.
    Evidence
        - KTO, arXiv 2402.01306: without SFT, DPO-aligned models are significantly worse at all scales
        - Tulu 3 and Zephyr recipes: SFT, then DPO
        - DeepSeek-R1, arXiv 2501.12948, after TRL's paper index: distillation beats RL for small models
        - axolotl, docs/choosing_method.qmd: a checkable reward is asked for before demonstrations are
        - axolotl, training_stability.qmd: mean reward above 0.15 within 20 steps, or a warm start by SFT
    Example
        3,000 demonstrations and 5,000 pairs on a base model: SFT, then DPO.
    """
    kind, rows, enough = reading.feedback_type(facts), reading.demonstrations(facts), trainable_feedback(facts)
    base = reading.is_base(facts, reading.wanted(facts))
    if not enough:
        return answer("no", "no feedback that would be enough for a stage of its own", rows=rows)
    if kind in ("paired", "ranked"):
        return _pairs_beside(facts, rows, base)
    if kind == "binary" and not base and reading.feedback_rows(facts) > rows:
        good, bad = reading.thumbs(facts)
        return answer("thumbs", f"{good:,} up, {bad:,} down, on a model that follows instructions", rows=rows)
    checkable = kind == "verifiable" or (kind == "validator-available" and has(facts, "wants-grpo"))
    success = reading.base_success(facts)
    cold = success is not None and success < WARM_REWARD
    preferred = has(facts, "wants-grpo") or (rows < 500 and not cold) or _reward_teaches_more(facts, base)
    if checkable and not reading.from_teacher(facts) and preferred:
        said = f"{enough}{_success(facts)}, and {rows:,} demonstrations to check the format with"
        return answer("checkable", said, rows=rows)
    return answer("no", f"{rows:,} demonstrations teach more than {enough}", rows=rows)


def _reward_teaches_more(facts: Facts, base: bool) -> bool:
    """True where the reward is known to be in reach of the model, or the rows were made to be checked."""
    if base or facts.spec.goal.task != "reasoning":
        return False
    rows, success = facts.profile.demonstrations, reading.base_success(facts)
    if success is not None:
        return success >= WARM_REWARD
    return rows is not None and rows.format in reading.CHECKABLE_FORMATS and reading.checked(facts)


def _pairs_beside(facts: Facts, rows: int, base: bool) -> Finding:
    if enough_for_a_reward_model(facts):
        return answer("reward", f"{reading.pairs(facts):,} comparisons and {reading.devices(facts)} devices", rows=rows)
    if base or rows >= 500:
        return answer("pairs", f"{rows:,} demonstrations, then {reading.pairs(facts):,} pairs", rows=rows)
    return answer(
        "pairs alone", f"an instruct model, {rows:,} demonstrations, {reading.pairs(facts):,} pairs", rows=rows
    )
