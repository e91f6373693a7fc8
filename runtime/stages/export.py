"""Writes the folder `model/`, which plain transformers loads, and what the target wants beside it; then checks both.

The check loads the folder as a user would, asks prompts of the held-out set, and compares answers and loss with those
of the trained model in its evaluation; it also renders a conversation with both tokenizers. Of a prompt search, what is
exported is the prompt: `prompt/`.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ftc.compiler.plan import Stage
from ftc.compiler.stages import Export
from ftc.runtime import answers
from ftc.runtime.context import Context
from ftc.runtime.conversions import Missing, convert
from ftc.runtime.loading import BASE, load_tokenizer, trained_folder
from ftc.runtime.prompting.pack import FOLDER as PROMPT
from ftc.runtime.run_folder import read_rows
from ftc.runtime.scoring.answers import PREDICTIONS, labels_of
from ftc.runtime.tokens import encode, prompt_ids

LOSS_ROWS = 256  # held-out rows whose loss is compared; reading them takes a moment, answering them all would not
# Relative. Half precision keeps 8 bits: merging rounds every weight once more, by up to 1/256.
LOSS_DIFFERENCE = {"fp32": 1e-3, "bf16": 2e-2, "fp16": 5e-3}
IGNORED = shutil.ignore_patterns("training_args.bin", "README.md")


def run(context: Context) -> dict[str, Any]:
    """Export and check; the result has the answers that differ."""
    told: Export = context.arguments
    if told.target == "prompt":
        _copy(trained_folder(context, told.stage), context.run.path / PROMPT)
        return {"model": PROMPT, "target": told.target, "checked": 0, "bytes": _bytes(context.run.path / PROMPT)}
    target = context.run.model
    _copy(trained_folder(context, told.stage), target)
    context.progress(1, 3, what="written")
    checked = _check(context, told, target)
    context.progress(2, 3, what="checked")
    files: list[str] = []
    try:
        files = convert(context.run, context.plan, told.target)
    except Missing as missing:
        context.remark("R416", str(missing))
    context.progress(3, 3, what=told.target)
    return {"model": target.name, "target": told.target, "files": files, "bytes": _bytes(target), **checked}


def _copy(source: Path, target: Path) -> None:
    """Whole or not at all."""
    beside = target.with_name(f".{target.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    shutil.copytree(source, beside, ignore=IGNORED)
    shutil.rmtree(target, ignore_errors=True)
    beside.rename(target)


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _check(context: Context, told: Export, folder: Path) -> dict[str, Any]:
    """Answers and loss of the exported model beside those of the trained one."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    stage = next((each for each in context.plan.stages if each.kind == "evaluate"), None)
    if stage is None or stage.arguments["model"] == BASE or not told.check_prompts:
        return {"checked": 0}
    every = list(read_rows(context.run.held_out_rows(stage.arguments["rows"])))
    predictions = {str(row["place"]): row for row in read_rows(context.run.stage(stage.id) / PREDICTIONS)}
    known = list({str(row["place"]): row for row in every if str(row["place"]) in predictions}.values())
    rows = known[: told.check_prompts]
    if not rows:
        return {"checked": 0}
    before = [str(predictions[str(row["place"])]["answer"]) for row in rows]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    prompts = prompt_ids(tokenizer, rows)
    same_template = prompts == prompt_ids(load_tokenizer(context), rows)
    if not same_template:
        context.remark("R404", "the exported tokenizer renders prompts to other tokens than those of training")
    model: Any = AutoModelForCausalLM.from_pretrained(folder, use_safetensors=True, dtype="auto").eval()
    after = answers.generate(
        model,
        tokenizer,
        prompts,
        max_new_tokens=stage.arguments["max_new_tokens"],
        batch_size=len(rows),
        labels=labels_of(context, stage.arguments["rows"]) if stage.arguments["constrain_labels"] else (),
    )
    different = _different(rows, before, after)
    if different:
        context.remark("R406", f"{len(different)} of {len(rows)} prompts get another answer after export")
    return {
        "checked": len(rows),
        "same_answers": len(rows) - len(different),
        "same_template": same_template,
        "different": different,
        "held_out": _losses(context, stage, model, tokenizer, known[:LOSS_ROWS], predictions),
    }


def _losses(
    context: Context,
    stage: Stage,
    model: Any,
    tokenizer: Any,
    rows: Sequence[dict[str, Any]],
    predictions: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any] | None:
    """The held-out loss before and after export over the same rows; None where rows have none."""
    scored = [row for row in rows if predictions[str(row["place"])].get("loss") is not None]
    if not scored:
        return None
    encoded = encode(tokenizer, scored, loss_on="completion", max_length=None)
    after, _ = answers.losses(model, tokenizer, encoded, batch_size=stage.arguments["batch_size"])
    before = [float(predictions[place]["loss"]) for place in encoded.places]
    first, second = sum(before) / len(before), sum(after) / len(after)
    same = abs(second - first) <= max(LOSS_DIFFERENCE[stage.arguments["dtype"]] * first, 1e-4)
    if not same:
        context.remark("R417", f"held-out loss over {len(scored)} rows: {first:.4f} trained, {second:.4f} exported")
    return {"rows": len(scored), "trained": first, "exported": second, "same": same}


def _different(rows: Sequence[dict[str, Any]], before: Sequence[str], after: Sequence[str]) -> list[dict[str, str]]:
    """Answers that are not the same; of raw text, what the shorter of two goes on with."""
    return [
        {"place": str(row["place"]), "trained": first, "exported": second}
        for row, first, second in zip(rows, before, after, strict=True)
        if first != second and not ("text" in row and (first.startswith(second) or second.startswith(first)))
    ]
