"""Reads the sources, splits, counts, and writes `train.jsonl` and `held_out.jsonl` of one set of rows.

Every row keeps its place in the file that it came from. rows in = rows used + rows dropped, always, and each drop is
counted by its finding. Tokens are counted here too, with the tokenizer of the model that is trained, so that truncated
rows and the share of tokens that carry loss are known before training starts.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ftc.compiler.stages import Prepare
from ftc.runtime.codes import Stopped
from ftc.runtime.context import Context, started
from ftc.runtime.forms import Written, answered, balanced, written
from ftc.runtime.prompting.endpoint import PREFIX
from ftc.runtime.run_folder import write_rows
from ftc.spec.diagnostics import Refused, Severity, errors
from ftc.spec.model import Source
from ftc.spec.rows import Document, Message, Ranking, Row

FEW_LOSS_TOKENS = 0.01  # share; below, R403. A rule of thumb


def run(context: Context) -> dict[str, Any]:
    """Write the rows; the result has the counts."""
    told: Prepare = context.arguments
    rows, origins, counts = _read(context, told.sources, told.role)
    if len(rows) != told.expected_rows and not started(context.past).get("accept_drift"):
        raise Stopped("R103", f"{len(rows)} rows can be used, the plan was compiled for {told.expected_rows}")
    if told.evaluation:
        held_out, _, more = _read(context, [told.evaluation], "evaluation")
        chosen: frozenset[int] = frozenset()
    else:
        from ftc.spec.split import choose, keys_of

        more = Counter()
        chosen = choose(keys_of(rows, context.plan.seed, told.stratify, told.held_out_rows), told.held_out_rows)
        held_out = [rows[index] for index in sorted(chosen)]
    left = [index for index in range(len(rows)) if index not in chosen]
    weights = [float(told.sources[origins[index]]["weight"]) for index in left]
    train = _weighted([rows[index] for index in left], weights, context.plan.seed)
    learned, scored = _formed(train, told, context.plan.seed), _formed(held_out, told, context.plan.seed)
    if not learned:
        raise Stopped("R108", f"no {told.form} to train on are left")
    if not scored:
        raise Stopped("R108", f"no {told.form} to score on are left")
    write_rows(context.run.train_rows(told.rows), learned)
    write_rows(context.run.held_out_rows(told.rows), scored)
    asked = {_asked(row) for row in train}
    result = {
        "rows_read": counts["read"] + more["read"],
        "rows_used": len(rows) + (len(held_out) if told.evaluation else 0),
        "rows_dropped": counts["dropped"] + more["dropped"],
        "train_rows": len(learned),
        "held_out_rows": len(scored),
        "overlap": sum(_asked(row) in asked for row in held_out),
        **_tokens(context, told, learned),
    }
    if result["rows_dropped"]:
        context.remark("R401", f"{result['rows_dropped']} of {result['rows_read']} rows cannot be used")
    return result


def _formed(rows: Sequence[Row], told: Prepare, seed: int) -> list[Written]:
    """The rows in the form that is learned from. Raises Stopped where one has nothing of the kind."""
    out: list[Written] = []
    for row in rows:
        forms = written(row, told.form)
        if not forms and not isinstance(row, Ranking):  # a list of answers that all say the same makes no pair
            raise Stopped("R105", f"{row.place}: a row of the form {type(row).__name__} makes no {told.form}")
        out += forms
    return balanced(out, told.commoner, seed) if told.form == "thumbs" and told.commoner else out


def _read(
    context: Context, sources: Sequence[Mapping[str, Any]], role: str
) -> tuple[list[Row], list[int], Counter[str]]:
    """Rows, the number of the source that each came from, and how many were read and dropped."""
    from ftc.spec.read import read

    rows: list[Row] = []
    origins: list[int] = []
    counts: Counter[str] = Counter()
    for number, each in enumerate(sources):
        reading = read(_source(each), context.data_folder, role)
        try:
            rows += reading.rows
        except OSError as error:
            raise Stopped("R108", f"{each['path']}: {error.strerror or error}") from error
        origins += [number] * (len(rows) - len(origins))
        if errors(reading.findings):
            raise Refused(reading.findings)
        counts["read"] += reading.rows_read
        counts["dropped"] += reading.rows_reported
        for finding in reading.findings:
            if finding.severity is not Severity.NOTE:
                context.journal.write("finding", finding=finding.to_json())
        context.progress(number + 1, len(sources), rows=len(rows))
    return rows, origins, counts


def _source(told: Mapping[str, Any]) -> Source:
    return Source(
        path=told["path"],
        format=told["format"],
        columns=told["columns"],
        weight=told["weight"],
        group_by=told["group_by"],
    )


def _weighted(rows: Sequence[Row], weights: Sequence[float], seed: int) -> list[Row]:
    """Each row as often as its source's weight says: 2 is twice, 0.5 every second row by lot."""
    rng = random.Random(seed)  # noqa: S311 - a lot, not a secret
    out: list[Row] = []
    for row, weight in zip(rows, weights, strict=True):
        whole, rest = divmod(weight, 1.0)
        out += [row] * (int(whole) + (rest > 0 and rng.random() < rest))
    return out


def _asked(row: Row) -> tuple[str, ...]:
    messages = [Message(role="user", content=row.text)] if isinstance(row, Document) else row.prompt
    return tuple(" ".join(each.content.split()).casefold() for each in messages)


def _tokens(context: Context, told: Prepare, rows: Sequence[Written]) -> dict[str, Any]:
    """Lengths, truncation and loss share, by the model's own tokenizer; remarks where they are bad."""
    from ftc.runtime.loading import load_tokenizer
    from ftc.runtime.tokens import encode, encode_text, prompt_ids

    if str(context.plan.model["base"]).startswith(PREFIX):
        return {}  # the tokenizer is where the model is
    tokenizer = load_tokenizer(context)
    if told.form == "prompts":
        lengths = [len(ids) for ids in prompt_ids(tokenizer, rows)]
        return {"tokens": sum(lengths), "longest": max(lengths)}
    if told.form == "documents":
        encoded = encode_text(tokenizer, rows, max_length=told.max_length)
    else:
        encoded = encode(
            tokenizer, _conversations(rows, told.form), loss_on=_loss_on(context), max_length=told.max_length
        )
    carried, total = encoded.loss_tokens, encoded.tokens
    if not carried:
        raise Stopped("R210", f"none of the {len(encoded.input_ids)} rows has a token to learn from")
    if encoded.truncated:
        context.remark(
            "R402",
            f"{len(encoded.truncated)} rows are longer than max_length {told.max_length} and are cut off",
            examples=encoded.truncated[:5],
        )
    if encoded.masked:
        context.remark(
            "R401",
            f"{len(encoded.masked)} rows have prompts that alone fill max_length {told.max_length}",
            examples=encoded.masked[:5],
        )
    share = carried / total
    if share < FEW_LOSS_TOKENS:
        context.remark("R403", f"{share:.2%} of the tokens carry loss")
    return {
        "tokens": total,
        "loss_tokens": carried,
        "loss_share": round(share, 4),
        "rows_truncated": len(encoded.truncated),
        "rows_masked": len(encoded.masked),
        "longest": encoded.longest,
    }


def _loss_on(context: Context) -> str:
    """Which turns a stage that reads these rows learns from."""
    name = context.arguments.rows
    stages = [each.arguments for each in context.plan.stages if each.arguments.get("rows") == name]
    return next((str(each["loss_on"]) for each in stages if "loss_on" in each), "completion")


def _conversations(rows: Sequence[Written], form: str) -> list[Written]:
    """Whole conversations, as they are tokenised: of a pair both."""
    if form == "demonstrations":
        return list(rows)
    answers = ("chosen", "rejected") if form == "pairs" else ("completion",)
    return [answered(row["prompt"], row[name], row["place"]) for row in rows for name in answers]
