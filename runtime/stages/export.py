"""Writes the folder `model/`, which plain transformers loads, and checks that it answers as the trained model did.

The check loads the folder as a user would, asks prompts of the held-out set, and compares with what the trained model
answered to the same prompts in the evaluation; it also renders a conversation with both tokenizers.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ftc.compiler.stages import Export
from ftc.runtime import answers
from ftc.runtime.context import Context
from ftc.runtime.loading import BASE, load_tokenizer, trained_folder
from ftc.runtime.run_folder import read_rows
from ftc.runtime.scoring.answers import PREDICTIONS
from ftc.runtime.tokens import prompt_ids


def run(context: Context) -> dict[str, Any]:
    """Export and check; the result has the answers that differ."""
    told: Export = context.arguments
    source = trained_folder(context, told.stage)
    target = context.run.model
    beside = target.with_name(f".{target.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    shutil.copytree(source, beside, ignore=shutil.ignore_patterns("training_args.bin", "README.md"))
    shutil.rmtree(target, ignore_errors=True)
    beside.rename(target)
    context.progress(1, 2, what="written")
    checked = _check(context, told, target)
    context.progress(2, 2, what="checked")
    return {
        "model": target.name,
        "target": told.target,
        "bytes": sum(path.stat().st_size for path in target.rglob("*") if path.is_file()),
        **checked,
    }


def _check(context: Context, told: Export, folder: Path) -> dict[str, Any]:
    """Answers of the exported model beside those of the trained one."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    stage = next((each for each in context.plan.stages if each.kind == "evaluate"), None)
    if stage is None or stage.arguments["model"] == BASE or not told.check_prompts:
        return {"checked": 0}
    rows = list(read_rows(context.run.held_out_rows(stage.arguments["rows"])))[: told.check_prompts]
    before = [str(row["answer"]) for row in read_rows(context.run.stage(stage.id) / PREDICTIONS)][: len(rows)]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    trained_with = load_tokenizer(context)
    prompts = prompt_ids(tokenizer, rows)
    same_template = prompts == prompt_ids(trained_with, rows)
    if not same_template:
        context.remark("R404", "the exported tokenizer renders prompts to other tokens than those of training")
    model = AutoModelForCausalLM.from_pretrained(folder, use_safetensors=True, dtype="auto").eval()
    after = answers.generate(
        model,
        tokenizer,
        prompts,
        max_new_tokens=stage.arguments["max_new_tokens"],
        batch_size=len(rows),
        labels=_labels(context) if stage.arguments["constrain_labels"] else (),
    )
    different = _different(rows, before, after)
    if different:
        context.remark("R406", f"{len(different)} of {len(rows)} prompts get another answer after export")
    return {
        "checked": len(rows),
        "same_answers": len(rows) - len(different),
        "same_template": same_template,
        "different": different,
    }


def _labels(context: Context) -> list[str]:
    return [label for each in context.plan.stages if each.kind == "prepare" for label in each.arguments["labels"]]


def _different(rows: Sequence[dict[str, Any]], before: Sequence[str], after: Sequence[str]) -> list[dict[str, str]]:
    return [
        {"place": str(row["place"]), "trained": first, "exported": second}
        for row, first, second in zip(rows, before, after, strict=True)
        if first != second
    ]
