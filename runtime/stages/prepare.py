"""Reads the sources, splits, counts, and writes `data/train.jsonl` and `data/held_out.jsonl`.

Every row keeps its place in the file that it came from. rows in = rows used + rows dropped, always, and each drop is
counted by its finding. Tokens are counted here too, with the tokenizer of the model that is trained, so that truncated
rows and the share of tokens that carry loss are known before training starts.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ftc.compiler.stages import Prepare
from ftc.runtime.codes import Stopped
from ftc.runtime.context import Context, started
from ftc.runtime.run_folder import write_rows
from ftc.spec.diagnostics import Refused, Severity, errors
from ftc.spec.model import Source
from ftc.spec.rows import Demonstration, Message, Row

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
    if not train:
        raise Stopped("R108", "no rows to train on are left")
    if not held_out:
        raise Stopped("R108", "no rows to score on are left")
    write_rows(context.run.train_rows, (written(row) for row in train))
    write_rows(context.run.held_out_rows, (written(row) for row in held_out))
    asked = {_asked(row) for row in train}
    result = {
        "rows_read": counts["read"] + more["read"],
        "rows_used": len(rows) + (len(held_out) if told.evaluation else 0),
        "rows_dropped": counts["dropped"] + more["dropped"],
        "train_rows": len(train),
        "held_out_rows": len(held_out),
        "overlap": sum(_asked(row) in asked for row in held_out),
        **_tokens(context, told, train),
    }
    if result["rows_dropped"]:
        context.remark("R401", f"{result['rows_dropped']} of {result['rows_read']} rows cannot be used")
    return result


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


def written(row: Row) -> dict[str, Any]:
    """The form in which later stages read a row."""
    if not isinstance(row, Demonstration):
        raise Stopped("R105", f"{type(row).__name__} rows have no stage in this plan that reads them")
    out: dict[str, Any] = {"messages": [_message(each) for each in row.messages], "place": row.place}
    if row.label is not None:
        out["label"] = row.label
    if row.tools is not None:
        out["tools"] = row.tools
    return out


def _message(message: Message) -> dict[str, str]:
    """Half a surrogate pair, as broken JSON may hold, has no place in a tokenizer: it becomes a question mark."""
    return {"role": message.role, "content": message.content.encode("utf-8", "replace").decode()}


def _asked(row: Row) -> tuple[str, ...]:
    return (
        tuple(" ".join(each.content.split()).casefold() for each in row.prompt)
        if isinstance(row, Demonstration)
        else ()
    )


def _tokens(context: Context, told: Prepare, rows: Iterable[Row]) -> dict[str, Any]:
    """Lengths, truncation and loss share, by the model's own tokenizer; remarks where they are bad."""
    from ftc.runtime.loading import load_tokenizer
    from ftc.runtime.tokens import encode

    tokenizer = load_tokenizer(context)
    loss_on = next(
        (each.arguments["loss_on"] for each in context.plan.stages if "loss_on" in each.arguments), "completion"
    )
    encoded = encode(tokenizer, [written(row) for row in rows], loss_on=loss_on, max_length=told.max_length)
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
