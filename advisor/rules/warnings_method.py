"""Warnings about the method itself: what it cannot do, what it needs beside it, and how it goes wrong."""

from __future__ import annotations

from ftc.advisor import reading
from ftc.advisor.languages import covers
from ftc.advisor.parameters import lora_parameters
from ftc.advisor.reading import FACT_TASKS, FAST_KNOWLEDGE, has
from ftc.advisor.rules.choice import PREFERENCE, Choice
from ftc.advisor.rules.feedback import WARM_REWARD
from ftc.advisor.rules.finding import warn
from ftc.advisor.rules.gates import behind_api, closed_model, contradictions
from ftc.advisor.rules.labels import CAPACITY_RANK, capacity_exceeded, useful_epochs
from ftc.advisor.rules.need import gap_in_facts
from ftc.advisor.values import Architecture, Facts, Finding

WARNED_RANK = 32  # the wider of the usual defaults: alignment-handbook 16, Unsloth 16 or 32, axolotl and Tinker 32
CODE_ROWS = 100_000  # of code or maths, where ranks of 16 to 64 fell short. Source: Biderman et al., arXiv 2405.09673
REASONING_MODELS = ("qwen3", "deepseek-r1", "r1-distill", "gpt-oss", "magistral", "qwq")
NO_THINKING = ("instruct-2507", "-base")
LARGE_FULL = 2e9
GROUP_ROWS = 50


def facts_change(choice: Choice) -> Finding | None:
    """The facts change faster than a model can be retrained.

    What it checks
        `goal.knowledge` from monthly to hourly, and demonstrations that are out of date.
    Why it matters
        What was trained is wrong after the next change, and the model says it as surely as before.
    When it is wrong
        The changing facts stand in the prompt anyway (a ticket, a document): then nothing is stale.
    Evidence
        - Ovadia et al. 2024, arXiv 2312.05934: retrieval consistently outperforms fine-tuning for new knowledge
        - Rule of thumb: monthly as the pace that retraining cannot keep.
    Example
        Guidelines that are revised each month: keep them in an index, not in the weights.
    """
    goal = choice.facts.spec.goal
    if goal.knowledge in FAST_KNOWLEDGE:
        return warn(f"facts change {goal.knowledge}: keep them out of the weights")
    if reading.stale(choice.facts):
        return warn("the demonstrations are out of date: what they say would be learned as true")
    return None


def rag_for_facts(choice: Choice) -> Finding | None:
    """Let retrieval bring the facts, and training the behaviour.

    What it checks
        Whether the task is about facts (questions, chat, a domain), facts change at all, documents or retrieval are
        there, or answers have to cite.
    Why it matters
        Tuning improves how a model answers, retrieval what it answers with; they add up. Facts that must be in the
        weights take many paraphrases each.
    When it is wrong
        The answer follows from the prompt alone, as in classification or extraction.
    Evidence
        - Ovadia et al. 2024, arXiv 2312.05934
        - Microsoft Learn, compare and combine: retrieval for context, tuning for format, style and tone
    Example
        A support model tuned for tone still looks up prices.
    """
    facts = choice.facts
    goal = facts.spec.goal
    if choice.method == "rag":
        return warn("index the documents, retrieve passages, and have the answer quote them")
    if goal.knowledge in FAST_KNOWLEDGE or reading.stale(facts):
        return warn("retrieval for what changes, training only for how it is said")
    if has(facts, "retrieval-available", "citations"):
        return warn("train on rows that hold the retrieved passages, as they will be at run time")
    if choice.trains and (
        goal.task in ("qa", "domain-adaptation") or (goal.knowledge == "slow" and goal.task in FACT_TASKS)
    ):
        return warn(f"{goal.task}: facts from an index outlast facts in the weights")
    if choice.trains and reading.has_documents(facts) and choice.method != "cpt+sft":
        return warn("the documents are not trained on: put them in an index")
    return None


def hallucination_risk(choice: Choice) -> Finding | None:
    """The model may state what is not so.

    What it checks
        A gap in facts, a task about facts in a field where a wrong one hurts, training on questions and answers,
        summaries in such a field, and the wish that nothing be invented.
    Why it matters
        Rows with facts that the model does not know are learned last and make it invent elsewhere; no method promises
        that nothing is invented.
    When it is wrong
        Answers are chosen from a closed list.
    Evidence
        - Gekhman et al. 2024, arXiv 2405.05904: unknown examples, once learned, linearly increase hallucination
        - Van Veen et al. 2024, Nature Medicine, arXiv 2309.07430: summaries need review for what they add and omit
    Example
        Nurses' questions on guidelines: retrieve, quote, and abstain where nothing was found.
    """
    facts = choice.facts
    task = facts.spec.goal.task
    if has(facts, "no-hallucination"):
        return warn(
            "no method promises that nothing is invented: ground answers, let the model abstain, check a sample"
        )
    if gap_in_facts(facts):
        return warn("answers need a source: training on unknown facts would raise invention")
    if task in ("qa", "domain-adaptation", "new-language") and choice.trains:
        return warn("rows with facts that the model does not know teach it to invent: filter them, or stop early")
    wordy = task in FACT_TASKS or task in ("summarization", "reasoning")
    if reading.regulated(facts) and wordy:
        return warn("a wrong statement hurts here: check answers against the source that they were made from")
    if has(facts, "safety-critical"):
        return warn("a wrong statement hurts here: let the model abstain, and check what it says")
    return None


def constrained_decoding(choice: Choice) -> Finding | None:
    """Constrain the output to the schema.

    What it checks
        Tasks with structured output or extraction, labels that are prompted for, and feedback from a validator.
    Why it matters
        Masking tokens to a schema makes every reply valid at once, with no training. It guarantees the shape, not the
        values; train only if the values are wrong after that.
    When it is wrong
        Replies are free text.
    Evidence
        - microsoft/onnxruntime-genai, constrained decoding guide; together.ai documentation, structured outputs
        - azure-ai-docs, fine-tuning considerations
    Example
        8 % of replies are not valid JSON, values right: a schema, not a training run.
    """
    facts = choice.facts
    if facts.spec.goal.task in ("structured-output", "extraction"):
        return warn("decode against the JSON schema: it fixes the form of every reply; training is for wrong values")
    if facts.spec.goal.task == "classification" and choice.method == "prompt":
        return warn("let the model choose among the labels only: a grammar of them leaves no other reply")
    if reading.feedback_type(facts) == "validator-available":
        return warn("what the validator checks of the form, a grammar can force while decoding")
    return None


def sft_before_preference(choice: Choice) -> Finding | None:
    """Imitate first, then prefer.

    What it checks
        Preferences or rewards on a base model, pairs that come from another model, rewards that are hardly ever
        reached.
    Why it matters
        A preference only shifts what the model can already say. Without a stage of imitation, DPO ends significantly
        worse; reinforcement finds nothing to reinforce.
    When it is wrong
        The model follows instructions already and the answers are its own.
    Evidence
        - KTO, arXiv 2402.01306: without SFT, DPO-aligned models are significantly worse at all scales
        - Together documentation: SFT first where pairs are far from the base distribution
        - DeepSeek-R1: cold-start SFT before RL
    Example
        5,000 pairs on a base model: SFT on the chosen answers, then DPO.
    """
    facts = choice.facts
    kind = reading.feedback_type(facts)
    success = reading.base_success(facts)
    rare = success is not None and success < (WARM_REWARD if reading.demonstrations(facts) else 0.02)
    if success is not None and rare:
        return warn(f"the reward is reached on {success:.1%} of tries: imitate worked solutions first")
    if choice.method == "sft+dpo":
        return warn("two stages: SFT on demonstrations or chosen answers, then DPO from there")
    written = facts.spec.data.feedback
    off_policy = written is not None and written.on_policy is False
    base = reading.is_base(facts, choice.model or reading.wanted(facts))
    if kind != "none" and choice.method in (*PREFERENCE, "grpo") and (base or off_policy):
        why = "a base model" if base else "answers of another model"
        return warn(f"{why}: a short SFT on good answers first makes preferences work")
    if kind in ("paired", "ranked", "binary") and choice.method.startswith("sft"):
        return warn("imitate first; the preferences make a stage after it")
    return None


def reward_hacking(choice: Choice) -> Finding | None:
    """The reward will be gamed.

    What it checks
        Methods that optimise a reward: GRPO, and a reward model with policy optimisation. Pairs that a reward model
        chose, and pairs whose chosen answers are mostly the longer ones.
    Why it matters
        What is optimised is what is measured: tests that can be special-cased, formats without content, length.
    When it is wrong
        Never; how much it matters depends on how complete the check is.
    Evidence
        - axolotl, training_stability.qmd: watch reward, its deviation and length
        - Gao et al. 2023, arXiv 2210.10760: over-optimisation of a learned reward
    Example
        Unit tests as reward: hidden tests that training never sees, and a look at the longest answers.
    """
    if choice.method == "rlhf":
        return warn("a learned reward is exploited: a KL leash, held-out comparisons, and people's eyes on samples")
    if choice.method == "grpo":
        return warn("keep checks that training never sees, and watch length and variance of the reward")
    if choice.method == "dpo" and reading.feedback_type(choice.facts) == "reward-model":
        return warn("a reward model chooses the pairs: what it wrongly likes is learned, so score samples by hand")
    feedback = choice.facts.profile.feedback
    bias = feedback.length_bias if feedback else None
    if choice.method in ("dpo", "sft+dpo") and bias is not None and bias > 0.6:
        return warn(f"the chosen answer is the longer one in {bias:.0%} of pairs: length will be learned", bias=bias)
    return None


def reward_sparse(choice: Choice) -> Finding | None:
    """The reward is reached too rarely.

    What it checks
        `feedback.base_success` below 0.15.
    Why it matters
        A group of answers without a single success teaches nothing. At 12 % a group of 8 holds one in 64 % of cases,
        at 1 % in 8 %.
    When it is wrong
        The success rate was measured greedily; sampled tries find more.
    Evidence
        - axolotl, training_stability.qmd: mean reward above 0.15 within 20 steps, share of flat groups below 0.8
        - DeepSeek-R1: cold-start SFT before RL
    Example
        0 of 8 tries succeed: worked solutions first, then GRPO.
    """
    facts = choice.facts
    success = reading.base_success(facts)
    if success is None or success >= WARM_REWARD:
        return None
    mixed = 1 - (1 - success) ** 8
    return warn(f"{success:.1%} of tries earn the reward: {mixed:.0%} of groups of 8 hold a success", success=success)


def sandbox(choice: Choice) -> Finding | None:
    """Code that the model wrote will be run.

    What it checks
        GRPO, or a validator, where answers are code, queries or the user's own reward function runs.
    Why it matters
        Thousands of untested programs are executed: they loop, fill the disk, open connections.
    When it is wrong
        The check only reads the answer, as with a final number.
    Evidence
        - axolotl, docs on GRPO: rewards that execute code run apart from the trainer
        - Rule of thumb: a child process with limits on time, memory, files and network.
    Example
        Unit tests for generated SQL: each in a process of its own, five seconds, no network.
    """
    facts = choice.facts
    code = reading.about_code(facts)
    kind = reading.feedback_type(facts)
    if choice.method != "grpo" and not (code and kind in ("verifiable", "validator-available")):
        return None
    rows = facts.profile.feedback.set.format if facts.profile.feedback else ""
    if reading.final_answers_only(facts) and not code and not facts.spec.data.checkable:
        return None
    if code or rows == "prompts-with-tests":
        return warn("answers are run: a process of its own for each, with limits on time, memory, files and network")
    return warn("the reward runs on what the model wrote: in a child process, with limits")


def low_lr(choice: Choice) -> Finding | None:
    """A small learning rate, or the model breaks.

    What it checks
        Preference and reward stages, and training of all weights of models from 2B.
    Why it matters
        DPO at 1e-5 and above makes models incoherent; full tuning wants a tenth of the adapters' rate; models of one
        size differ by a factor of 20.
    When it is wrong
        Length-normalised variants of DPO, with their other beta.
    Evidence
        - SimPO repository: rates of 1e-5 and above can significantly degrade the model
        - TRL, peft_integration: SFT 2e-5 and 2e-4, DPO 5e-7 and 5e-6, GRPO 1e-6 and 1e-5 (all weights, adapters)
        - Tulu 3: 5e-6 at 8B, 2e-6 at 70B
    Example
        DPO with LoRA: 5e-6, not the 2e-4 of SFT.
    """
    if choice.method in (*PREFERENCE, "grpo"):
        return warn("preference and reward stages take a fortieth to a twentieth of the SFT rate")
    if choice.trains and choice.adapter == "full" and choice.model and choice.model.parameters >= LARGE_FULL:
        return warn("all weights move: a tenth of the adapters' rate, and a sweep by a factor of 3 each way")
    return None


def _code_or_maths(facts: Facts) -> bool:
    goal = facts.spec.goal
    return goal.task == "reasoning" or "math" in goal.domain.lower() or reading.about_code(facts)


def _subject(choice: Choice) -> Architecture | None:
    return choice.model or reading.wanted(choice.facts)


def lora_capacity(choice: Choice) -> Finding | None:
    """There is more to learn than a usual adapter holds.

    What it checks
        Completion tokens times useful passes against adapter parameters at rank 32, 100,000 rows of code or maths, and
        continued pre-training through an adapter.
    Why it matters
        LoRA equals full tuning up to its capacity and falls behind beyond.
    When it is wrong
        Rows repeat each other.
    Evidence
        - Schulman and Thinking Machines 2025, LoRA Without Regret, doi 10.64434/tml.20250929
        - Biderman et al. 2024, arXiv 2405.09673: full updates have 10 to 100 times the rank of usual LoRA; on 100,000
          pairs of code ranks of 16 to 64 tend not to suffice
    Example
        329 M completion tokens x 2 > 84 M parameters at rank 32 of an 8B model: rank 256, or all weights.
    """
    model = _subject(choice)
    if model is None or not choice.trains:
        return None
    if choice.method == "cpt+sft" and choice.adapter != "full":
        return warn("continued pre-training through an adapter is a compromise: high rank, embeddings and head as well")
    learned = reading.completion_tokens(choice.facts) * useful_epochs(choice.facts)
    held = lora_parameters(model, WARNED_RANK)
    rows = reading.demonstrations(choice.facts)
    if choice.sft and learned <= held and rows >= CODE_ROWS and _code_or_maths(choice.facts):
        return warn(f"{rows:,} rows of code or maths: ranks of 16 to 64 tend to fall short of full tuning", rows=rows)
    if not choice.sft or learned <= held:
        return None
    return warn(
        f"{learned / 1e6:,.0f} M completion tokens seen > {held / 1e6:,.0f} M adapter parameters at rank {WARNED_RANK}",
        tokens=int(learned), adapter=held,
    )  # fmt: skip


def full_not_needed(choice: Choice) -> Finding | None:
    """All weights need not move.

    What it checks
        A wish for full tuning (`prefers-full`, `full-only`, `method: sft-full`) where adapters at rank 128 hold what
        there is to learn.
    Why it matters
        Full tuning takes several times the memory and forgets more, for the same result.
    When it is wrong
        Continued pre-training, a new language, or one model for everything with hundreds of millions of tokens.
    Evidence
        - Schulman and Thinking Machines 2025, LoRA Without Regret, doi 10.64434/tml.20250929
        - pytorch/torchtune README: an 8B model trains fully on 24 GB with 8-bit states: possible, rarely worth it
    Example
        3,000 rows and `prefers-full`: LoRA.
    """
    facts = choice.facts
    wished = has(facts, "prefers-full", "full-only") or facts.spec.method == "sft-full"
    model = _subject(choice)
    if not wished or choice.method == "cpt+sft" or capacity_exceeded(facts, model):
        return None
    return warn(f"adapters at rank {CAPACITY_RANK} hold all that these rows teach")


def forgetting_replay(choice: Choice) -> Finding | None:
    """The model will forget what is not in the data.

    What it checks
        Continued pre-training, training of all weights, a change of language, domain or safety behaviour, models that
        reason, models that were aligned before.
    Why it matters
        New text pushes old skills out. Mixing a part of the old back in keeps them: 5 % for the same language, 25 %
        for a new one, general chat among the rows, three quarters of reasoning rows for a reasoning model.
    When it is wrong
        The model will do this one task and nothing else.
    Evidence
        - Ibrahim et al. 2024, arXiv 2403.08763: re-warm, re-decay, replay; released runs with 0.5 to 50 % replay
        - Biderman et al. 2024, arXiv 2405.09673: LoRA forgets less than full tuning
        - Unsloth and Qwen documentation: at least 75 % reasoning rows for a reasoning model
        - Rule of thumb: 25 % for a new language, 5 to 20 % general chat.
    Example
        1.2 B tokens of a new language, of which a quarter English.
    """
    facts = choice.facts
    if not choice.trains:
        return None
    if choice.method == "cpt+sft":
        share = "25 %" if facts.spec.goal.task == "new-language" else "5 %"
        return warn(f"mix {share} of general text into the corpus, and score general skills before and after")
    if choice.adapter == "full":
        return warn("all weights move: mix in general rows, and score general skills before and after")
    name = choice.model.id.lower() if choice.model else ""
    if any(each in name for each in REASONING_MODELS) and not any(each in name for each in NO_THINKING):
        return warn("a reasoning model: keep three quarters of reasoning rows, or its reasoning goes")
    if facts.spec.goal.task in ("domain-adaptation", "new-language", "safety"):
        return warn(f"{facts.spec.goal.task}: mix in general rows, and score general skills before and after")
    if choice.model is not None and not covers(choice.model.id, facts.spec.goal.language):
        return warn(f"{facts.spec.goal.language} is new to the model: mix in rows of the languages that it has to keep")
    if has(facts, "dpo-done"):
        return warn("the model was aligned already: further training loosens that; score it before and after")
    return None


def adapter_per_tenant(choice: Choice) -> Finding | None:
    """One base, an adapter for each tenant.

    What it checks
        `tenant-isolation`, and rows that come from several customers with at least 50 rows each.
    Why it matters
        What one customer's rows teach must not answer another's questions. Adapters are small: one card serves dozens
        over one base.
    When it is wrong
        The groups are documents or conversations, not owners.
    Evidence
        - LoRA Land, arXiv 2405.00732: LoRAX serves 25 adapters of Mistral-7B on one A100 80 GB
    Example
        40 customers with 500 rows each: 40 adapters, one base.
    """
    facts = choice.facts
    groups, rows = reading.groups(facts), reading.demonstrations(facts)
    if has(facts, "tenant-isolation"):
        said = f"{groups} tenants" if groups else "several tenants"
        return warn(f"{said}: an adapter for each over one base, and an evaluation for each", groups=groups)
    if choice.sft and groups >= 2 and rows / groups >= GROUP_ROWS:
        return warn(f"{groups} groups with {rows / groups:.0f} rows each: if they are customers, an adapter for each")
    return None


def no_long_term_learning(choice: Choice) -> Finding | None:
    """Nothing is learned for good.

    What it checks
        The answers `prompt` and `rag`, which leave the weights as they are.
    Why it matters
        Corrections that users make today are forgotten tomorrow unless they become examples, documents or, one day,
        training rows.
    When it is wrong
        Nothing is to be learned: the task is stable.
    Evidence
        - Anthropic, prompt engineering overview: no weights change; survives model updates
    Example
        Keep corrected answers: from 500 of them on, train.
    """
    if choice.method in ("prompt", "rag"):
        return warn("the weights stay as they are: keep corrected answers, they are tomorrow's training rows")
    return None


def soft_contradictions(facts: Facts) -> tuple[str, ...]:
    """Wishes that pull against each other, although a plan can be made."""
    kind, goal = reading.feedback_type(facts), facts.spec.goal
    asked = reading.wanted(facts)
    size = asked.parameters if asked else facts.spec.model.parameters or 0.0
    inside = has(facts, "on-prem", "no-cloud")
    pairs = (
        (has(facts, "no-hallucination") and goal.task != "classification", "no-hallucination, and free text"),
        (inside and behind_api(facts), "data may not leave, and the model is only behind an API"),
        (inside and facts.spec.hardware.kind == "none", "data may not leave, and no machine to keep it on"),
        (has(facts, "no-cloud") and has(facts, "private-cloud"), "no-cloud, and private-cloud"),
        (has(facts, "no-cuda") and bool(facts.machines) and all(each.device.kind == "cuda" for each in facts.machines),
         "no-cuda, and NVIDIA cards"),
        (behind_api(facts) and has(facts, "edge-deploy", "cpu-serving"),
         "a model behind an API, and a place of its own to run"),
        (inside and has(facts, "api-allowed"), "data may not leave, and APIs allowed"),
        (closed_model(facts) and has(facts, "full-only", "prefers-full"), "full tuning, and closed weights"),
        (has(facts, "wants-grpo") and kind not in ("verifiable", "validator-available", "reward-model"),
         "wants-grpo, and nothing that scores answers"),
        (has(facts, "wants-ppo") and kind in ("none", "to-collect", "binary"), f"wants-ppo, and feedback: {kind}"),
        (has(facts, "latency-50ms") and size > 4e9, f"50 ms, and {size / 1e9:.0f} B parameters"),
        (has(facts, "latency-100ms") and size > 15e9, f"100 ms, and {size / 1e9:.0f} B parameters"),
        (has(facts, "edge-deploy", "cpu-serving") and size > 9e9, f"a small device, and {size / 1e9:.0f} B parameters"),
        (has(facts, "no-training") and has(facts, "wants-grpo", "wants-ppo", "prefers-full"),
         "no-training, and a method that trains"),
        (has(facts, "full-only") and has(facts, "tenant-isolation"), "full-only, and a model for each tenant"),
        (has(facts, "citations") and facts.spec.method not in ("auto", "rag", "prompt"),
         "citations, and facts in the weights"),
        (goal.knowledge in ("daily", "hourly") and has(facts, "full-only"), f"{goal.knowledge} facts in weights"),
        (facts.spec.hardware.kind == "cloud" and facts.spec.budget.usd == 0, "hardware.cloud, and budget.usd: 0"),
        (goal.prompting == "sufficient" and has(facts, "full-only", "prefers-full"), "prompting suffices"),
    )  # fmt: skip
    return tuple(text for holds, text in pairs if holds)


def contradiction(choice: Choice) -> Finding | None:
    """Two wishes pull against each other.

    What it checks
        Wishes that exclude each other, and wishes that a plan can only meet in part.
    Why it matters
        One of them will be broken; better to choose which before paying.
    When it is wrong
        One of the two was not meant: strike it from the spec.
    Evidence
        - Rule of thumb: logic, not measurement.
    Example
        `no-hallucination` with free text: no method promises that.
    """
    found = (*contradictions(choice.facts), *soft_contradictions(choice.facts))
    return warn("; ".join(dict.fromkeys(found))) if found else None


TABLE = (
    ("M220", "facts_change", facts_change),
    ("M221", "rag_for_facts", rag_for_facts),
    ("M222", "hallucination_risk", hallucination_risk),
    ("M223", "constrained_decoding", constrained_decoding),
    ("M224", "sft_before_preference", sft_before_preference),
    ("M225", "reward_hacking", reward_hacking),
    ("M226", "reward_sparse", reward_sparse),
    ("M227", "sandbox", sandbox),
    ("M228", "low_lr", low_lr),
    ("M229", "lora_capacity", lora_capacity),
    ("M230", "full_not_needed", full_not_needed),
    ("M231", "forgetting_replay", forgetting_replay),
    ("M232", "adapter_per_tenant", adapter_per_tenant),
    ("M233", "no_long_term_learning", no_long_term_learning),
    ("M234", "contradiction", contradiction),
)
