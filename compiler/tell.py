"""What the stages that do not train are told, each argument with its origin and each stage with its estimate."""

from __future__ import annotations

import math
from typing import Any

from ftc.advisor.sheet import COMMONER
from ftc.compiler import stages as told
from ftc.compiler.inputs import Inputs
from ftc.compiler.plan import Stage
from ftc.compiler.rewards import check_of
from ftc.compiler.rows import Rows, held_out_rows, main_rows, rows_of
from ftc.compiler.tell_training import first_of, train
from ftc.compiler.told import share_of, written
from ftc.spec.model import Source

SAMPLES = 12  # outputs kept for the report: as many as a person reads
EXPORT_CHECKS = 8  # prompts answered before and after export
LONGEST = 1024  # tokens of an answer when scored; what is longer says no more about the score and costs time
UNKNOWN = 256  # tokens of an answer where no row shows one
DEVELOPMENT = 100  # rows on which prompts are chosen: a share of one half is known to ± 9.8 points
INSTRUCTIONS = 4  # at most, see `_instructions`
EXAMPLES = (0, 3, 8)  # examples in a prompt. Brown et al. 2020, arXiv 2005.14165: gains flatten after a handful
TRIES = INSTRUCTIONS * len(EXAMPLES)  # prompts at most

METRICS: dict[str, tuple[str, ...]] = {
    "extraction": ("field_f1", "exact_match", "json_validity"),
    "structured-output": ("field_f1", "exact_match", "json_validity"),
    "summarization": ("rouge_l", "chrf"),
    "generation": ("chrf", "rouge_l"),
    "chat": ("chrf", "token_f1"),
    "tone": ("chrf", "rouge_l"),
    "qa": ("exact_match", "token_f1"),
    "reasoning": ("exact_match", "token_f1"),
    "domain-adaptation": ("exact_match", "token_f1", "chrf"),
    "new-language": ("exact_match", "chrf"),
}
LOSS = "held_out_loss"


def prepare(inputs: Inputs, name: str, form: told.Form) -> Stage:
    """Read, split, count and write the rows of that name."""
    rows = _rows(inputs, name)
    data = inputs.facts.spec.data
    main = name == main_rows(inputs.facts, inputs.verdict.method)
    evaluation = data.evaluation.source if main else None
    labels = [label for label, _ in rows.profile.classes] if form == "demonstrations" else []
    length, origin = _max_length(inputs, name)
    profile = inputs.facts.profile.evaluation
    arguments = told.Prepare(
        rows=name,
        role=rows.role,
        form=form,
        sources=[_source(inputs, each, rows.profile.format) for each in rows.sources],
        evaluation=_source(inputs, evaluation, profile.format) if evaluation and profile else None,
        held_out_rows=held_out_rows(inputs.facts, rows),
        stratify=bool(labels),
        max_length=length,
        expected_rows=rows.profile.rows,
        labels=labels,
        commoner=float(COMMONER) if form == "thumbs" else None,
    )
    origins = {
        "rows": "verdict",
        "role": "spec data",
        "form": f"verdict: {inputs.verdict.method} learns from {form}",
        "sources": f"spec data.{rows.role}",
        "evaluation": "spec data.evaluation" if evaluation else "default",
        "held_out_rows": "profile" if evaluation else "rule of held-out size",
        "stratify": "profile",
        "max_length": origin,
        "expected_rows": "profile",
        "labels": "profile",
        "commoner": "KTO, arXiv 2402.01306",
    }
    return written("prepare", arguments, id=_id(inputs, "prepare", name), origins=origins)


def baseline(inputs: Inputs, rows: Stage, *, model: str = "base", judge: Stage | None = None) -> Stage:
    """The score before."""
    needs = [rows.id, *([model] if model != "base" else []), *([judge.id] if judge else [])]
    return _scored(inputs, "baseline", rows, model, needs, judge=judge)


def evaluate(
    inputs: Inputs, rows: Stage, model: str, *, judge: Stage | None = None, prompt: Stage | None = None
) -> Stage:
    """The score after, on the same rows."""
    others = [each.id for each in (judge, prompt) if each]
    needs = [rows.id, *([model] if model != "base" else []), *others]
    return _scored(inputs, "evaluate", rows, model, needs, judge=judge, prompt=prompt)


def merge(inputs: Inputs, trained: Stage) -> Stage:
    """The adapter of a stage folded in; the last one is called plainly `merge`."""
    dtype = first_of(inputs, trained.kind, "dtype")
    last = trained.kind == LAST.get(inputs.verdict.method, trained.kind)
    arguments = told.Merge(stage=trained.id, dtype=str(dtype.value))
    origins = {"stage": "verdict", "dtype": dtype.origin}
    return written(
        "merge", arguments, id="merge" if last else f"merge-{trained.id}", needs=(trained.id,), origins=origins
    )


LAST = {"cpt+sft": "sft", "sft+dpo": "dpo", "rlhf": "rloo"}  # chains of several; the others train once


def export(inputs: Inputs, result: Stage) -> Stage:
    """What is deployed."""
    target = "prompt" if result.kind == "prompt-search" else inputs.facts.spec.deploy.target
    arguments = told.Export(stage=result.id, target=target, check_prompts=EXPORT_CHECKS)
    origins = {"stage": "verdict", "target": "verdict" if target == "prompt" else "spec deploy.target"}
    return written("export", arguments, needs=(result.id,), origins=origins)


def report(needs: tuple[str, ...]) -> Stage:
    """The report on it all."""
    return written("report", told.Report(samples=SAMPLES), needs=needs)


def prompt_search(inputs: Inputs, rows: Stage) -> Stage:
    """Prompts that are tried, and the rows to choose on."""
    spec = inputs.facts.spec
    metrics = _metrics(inputs, rows, judge=None)
    arguments = told.PromptSearch(
        rows=rows.arguments["rows"],
        model="base",
        metric=metrics[0],
        instructions=_instructions(bool(rows.arguments["labels"]), bool(spec.goal.description.strip())),
        examples=list(EXAMPLES),
        development_rows=DEVELOPMENT,
        max_new_tokens=_answer_tokens(inputs, rows),
        batch_size=_batch_size(inputs),
        constrain_labels=bool(rows.arguments["labels"]),
        json_schema=_json_schema(inputs, rows),
        dtype=_dtype(inputs),
        seed=spec.seed,
    )
    origins = {
        "rows": "verdict",
        "model": "spec model.base",
        "metric": f"goal.task {spec.goal.task}",
        "instructions": "goal.description",
        "max_new_tokens": ANSWER_ORIGIN,
        "constrain_labels": "profile",
        "json_schema": "the completions of data.demonstrations",
        "seed": "spec seed",
    }
    return written("prompt-search", arguments, needs=(rows.id,), origins=origins)


# --- what they share ----------------------------------------------------------------------------------------------

ANSWER_ORIGIN = "profile: the longest completion and a quarter more, in steps of 8; at most half the context"


def _scored(
    inputs: Inputs,
    kind: str,
    rows: Stage,
    model: str,
    needs: list[str],
    *,
    judge: Stage | None = None,
    prompt: Stage | None = None,
) -> Stage:
    check = check_of(inputs) if rows.arguments["form"] == "prompts" and judge is None else None
    arguments = told.Evaluate(
        rows=rows.arguments["rows"],
        model=model,
        metrics=_metrics(inputs, rows, judge=judge),
        max_new_tokens=_answer_tokens(inputs, rows),
        batch_size=_batch_size(inputs),
        few_shot=0,
        constrain_labels=False,
        samples=SAMPLES,
        dtype=_dtype(inputs),
        quantize=inputs.verdict.adapter == "qlora",
        prompt=prompt.id if prompt else None,
        check=told.write_arguments(check) if check else None,
        judge=judge.id if judge else None,
        probes=_probes(inputs) if rows.id == "prepare" else [],
    )
    origins = {
        "rows": "verdict",
        "model": "verdict",
        "metrics": f"goal.task {inputs.facts.spec.goal.task}",
        "max_new_tokens": ANSWER_ORIGIN,
        "batch_size": "4 x micro_batch: no gradients are kept",
        "dtype": first_of(inputs, "", "dtype").origin if inputs.verdict.settings else "default",
        "quantize": "verdict: scored in the precision it is trained in",
        "prompt": "verdict",
        "check": "spec data.reward, data.feedback",
        "judge": "verdict",
        "probes": "the flags of the verdict",
    }
    estimate = share_of(inputs, _evaluation_hours(inputs))
    ids = _id(inputs, kind, rows.arguments["rows"])
    return written(kind, arguments, id=ids, needs=tuple(dict.fromkeys(needs)), origins=origins, estimate=estimate)


def _metrics(inputs: Inputs, rows: Stage, *, judge: Stage | None) -> list[str]:
    """What the rows can be scored by, the one that the goal asks for first."""
    form, goal = rows.arguments["form"], inputs.facts.spec.goal
    if form == "documents":
        return ["perplexity", LOSS]
    if form in ("pairs", "thumbs"):
        return ["reward_accuracy", "likelihood_accuracy"]
    if form == "prompts":
        return ["win_rate", "mean_reward"] if judge else ["mean_reward"]
    found = ["accuracy", "macro_f1"] if rows.arguments["labels"] else [*METRICS.get(goal.task, ("exact_match",))]
    if goal.success and goal.success.metric not in found and goal.success.metric in ANSWERED:
        found.insert(0, goal.success.metric)
    return found if inputs.verdict.method == "prompt" else [*found, LOSS]  # no prompt changes the weights


ANSWERED = ("accuracy", "macro_f1", "exact_match", "token_f1", "field_f1", "json_validity", "rouge_l", "chrf")


def _probes(inputs: Inputs) -> list[str]:
    """What else is looked at before and after, because a rule asks for it."""
    flags, profile, data = inputs.verdict.flags, inputs.facts.profile, inputs.facts.spec.data
    wanted = {
        "forgetting": "forgetting_replay" in flags,
        "safety": "safety_eval" in flags,
        "memorisation": inputs.verdict.method != "prompt" and bool(profile.personal_data or data.contains),
    }
    return [name for name, asked in wanted.items() if asked]


def _answer_tokens(inputs: Inputs, rows: Stage) -> int:
    profile = _rows(inputs, rows.arguments["rows"]).profile
    if rows.arguments["form"] == "prompts":
        group = inputs.verdict.settings.get("grpo.max_completion_length")
        if group is not None:
            return int(group.value)
    longest = profile.completion.max if profile.completion else UNKNOWN
    most = min(LONGEST, inputs.chosen.setup.architecture.context // 2) if inputs.chosen.setup else LONGEST
    return min(most, math.ceil(longest * 1.25 / 8) * 8 + 8)


def _batch_size(inputs: Inputs) -> int:
    settings = inputs.verdict.settings
    return 4 * int(settings["micro_batch"].value) if "micro_batch" in settings else 16


def _dtype(inputs: Inputs) -> str:
    if inputs.verdict.settings:
        return str(first_of(inputs, "", "dtype").value)
    machine = inputs.facts.machines[0] if inputs.facts.machines else None
    return "bf16" if machine and machine.device.kind != "cpu" and machine.device.bf16_tflops else "fp32"


def _evaluation_hours(inputs: Inputs) -> float:
    """A share of the time that the estimate has for evaluations, by the number of stages that evaluate."""
    chosen = inputs.chosen
    return chosen.time.parts_hours.get("evaluation", 0.0) / 2 if chosen.time else 0.0


def _max_length(inputs: Inputs, name: str) -> tuple[int, str]:
    kind = {"corpus": "cpt", "feedback": "dpo", "prompts": "rloo"}.get(name, "sft")
    if inputs.verdict.settings:
        found = first_of(inputs, kind, "max_length")
        return int(found.value), found.origin
    longest = _rows(inputs, name).profile.sequence
    return max(8, longest.max if longest else UNKNOWN), "profile: the longest row"


def _rows(inputs: Inputs, name: str) -> Rows:
    found = rows_of(inputs.facts, name, inputs.verdict.method)
    if found is None:
        raise ValueError(f"{inputs.verdict.method} needs {name}")
    return found


def _source(inputs: Inputs, source: Source, recognised: str) -> dict[str, Any]:
    return told.write_arguments(
        told.Source(
            path=inputs.path(source.path or ""),
            format=recognised if source.format == "auto" else source.format,
            columns=dict(source.columns),
            weight=source.weight,
            group_by=source.group_by,
        )
    )


def _id(inputs: Inputs, kind: str, name: str) -> str:
    """Plain for the rows that the goal is scored on, `prepare-corpus` for others."""
    return kind if name == main_rows(inputs.facts, inputs.verdict.method) else f"{kind}-{name}"


def _json_schema(inputs: Inputs, rows: Stage) -> str | None:
    """What answers are held to where they are JSON."""
    facts = inputs.facts
    if facts.spec.goal.task not in ("structured-output", "extraction"):
        return None
    from ftc.compiler.json_shape import schema_of_sources

    found = _rows(inputs, rows.arguments["rows"])
    return schema_of_sources(found.sources, facts.spec.folder, found.role)


def _instructions(labels: bool, described: bool) -> list[str]:
    """Jinja2 templates of the instruction; `goal` and `labels` are what the plan says."""
    found = ["", *(["{{ goal }}"] if described else [])]
    if labels:
        listed = "Answer with one of these labels: {{ labels | join(', ') }}"
        found += [listed, *([f"{{{{ goal }}}}\n{listed}"] if described else [])]
    if described and not labels:
        found.append("{{ goal }}\nAnswer in the form of the examples, and with nothing else.")
    return found


__all__ = ["baseline", "evaluate", "export", "merge", "prepare", "prompt_search", "report", "train"]
