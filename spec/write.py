"""Writes a first `ftc.yaml`, commented, from what is known so far. Changes to one that exists are made by `edit`.

Nothing here decides: what goes in was chosen elsewhere, and whether it makes sense is `load.py`'s to say.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ftc.spec.edit import edit
from ftc.spec.language import Json, vocabulary
from ftc.spec.positions import SECRET
from ftc.spec.rows import Demonstration, Document, Message, Pair, Prompt, Ranking, Row, Thumb
from ftc.spec.yaml_text import one_line, with_comment, yaml_text

__all__ = ["Found", "edit", "preview", "starter"]

SCHEMA_FILE = ".ftc/spec.schema.json"  # where `ftc init` puts the schema, for editors
METRICS = {  # the one that is offered for a task; win_rate for the others
    "classification": "accuracy",
    "extraction": "field_f1",
    "summarization": "rouge_l",
    "reasoning": "exact_match",
    "structured-output": "json_validity",
    "qa": "token_f1",
}
LINE_WIDTH = 110  # characters; longer remarks stand above their line
PREVIEW_WIDTH = 96  # characters of a row that are shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A data file that was looked at: what role it plays and what was seen in it."""

    role: str  # demonstrations, feedback, corpus, prompts, evaluation
    path: str  # as it is to be written, relative to the spec
    format: str = "auto"
    columns: Mapping[str, str] = field(default_factory=dict)
    rows: int | None = None
    evidence: str = ""  # what the format was recognised by
    preview: Sequence[str] = ()  # a few rows, one line each: `preview(row)`

    def source(self) -> dict[str, Json]:
        """The mapping to write."""
        out: dict[str, Json] = {"path": self.path}
        if self.format != "auto" and self.role != "feedback":
            out["format"] = self.format
        if self.columns:
            out["columns"] = dict(self.columns)
        return out


def preview(row: Row) -> str:
    """A row on one line: `I am still waiting on my card? -> card_arrival`."""
    match row:
        case Demonstration():
            return f"{_said(row.prompt)} -> {_short(row.completion.content)}"
        case Pair():
            return f"{_said(row.prompt)} -> {_short(row.chosen)}  rather than  {_short(row.rejected)}"
        case Thumb():
            return f"{_said(row.prompt)} -> {_short(row.completion)}  ({'good' if row.good else 'bad'})"
        case Ranking():
            return f"{_said(row.prompt)} -> {'  then  '.join(_short(each, 24) for each in row.answers[:4])}"
        case Prompt():
            return _said(row.prompt) + (f" -> {_short(row.answer)}" if row.answer else "")
        case Document():
            return _short(row.text, PREVIEW_WIDTH)


def _said(turns: Sequence[Message]) -> str:
    asked = [turn.content for turn in turns if turn.role == "user"] or [turn.content for turn in turns]
    return _short(asked[-1], 56) if asked else "(nothing)"


def _short(text: str, most: int = 36) -> str:
    return one_line(text, most)


def starter(
    values: Mapping[str, Json],
    *,
    notes: Mapping[str, str] | None = None,
    found: Sequence[Found] = (),
    choices: Mapping[str, Sequence[str]] | None = None,
    schema: str | None = SCHEMA_FILE,
) -> str:
    """A whole commented `ftc.yaml`.

    `values` are dotted keys of the language with their values (`goal.task`, `budget.usd`, `hardware`), `notes` a
    remark for some of them (`guessed from "route"`), `found` the data, `choices` the lines to choose from for files
    that have no natural reading. `schema` is the path of the JSON Schema that editors are pointed to; whoever writes
    the file writes that one too, or passes None.
    """
    page = _Page(values=dict(values), notes=dict(notes or {}))
    if schema:
        page.line(f"# yaml-language-server: $schema={one_line(schema)}")
    page.line("# What is wanted, what there is, what may be spent. `ftc check` looks at this file and at the data,")
    page.line(
        "# `ftc advise` says what to do and why, `ftc compile && ftc run` does it. `ftc schema spec` has every key."
    )
    page.value("version", 1)
    page.value("name", "run", "names the folder of the run")
    _goal(page)
    _data(page, found, choices or {})
    _means(page)
    page.line("")
    page.option("constraints", ["on-prem", "commercial"], "conditions to keep; `ftc schema spec` lists them all")
    page.option("deploy", {"target": "transformers", "memory_gib": 8}, "; ".join(vocabulary("deploy.target")))
    page.option("method", "auto", "or the method to check instead of choosing one")
    page.option("overrides", {"learning_rate": 1e-4, "lora.rank": 32}, "settings that win over the advisor's")
    page.value("seed", 0)
    return page.text()


def _goal(page: _Page) -> None:
    page.section("goal")
    page.value("goal.task", "generation", "one of: " + " ".join(vocabulary("goal.task")))
    page.option("goal.description", "what the model is to do, in a sentence")
    page.value("goal.domain", "general", "healthcare, finance, legal and support have rules of their own")
    page.value("goal.knowledge", "static", "how fast the facts change: " + " ".join(vocabulary("goal.knowledge")))
    page.value("goal.quality", "balanced", " ".join(vocabulary("goal.quality")))
    page.value(
        "goal.prompting", "untried", "what prompting alone has achieved: " + " ".join(vocabulary("goal.prompting"))
    )
    page.value("goal.language", "en", "of the data")
    metric = METRICS.get(str(page.values.get("goal.task", "")), "win_rate")
    page.option("goal.success", {"metric": metric, "at_least": 0.8}, "to be reached on held-out rows")


def _data(page: _Page, found: Sequence[Found], choices: Mapping[str, Sequence[str]]) -> None:
    page.section("data")
    for path, lines in choices.items():
        page.line(
            "  # " + one_line(f"{path} has no natural reading; one of these lines says how to read it:", LINE_WIDTH)
        )
        for line in lines:
            page.line(f"  # demonstrations: {{path: {yaml_text(path)}, {one_line(line, 400)}}}")
    for role in ("demonstrations", "feedback", "corpus", "prompts", "evaluation"):
        files = [each for each in found if each.role == role]
        for each in files:
            _preview(page, each)
        if len(files) == 1:
            page.value(f"data.{role}", files[0].source())
        elif files and role != "evaluation":
            page.line(f"  {role}:")
            for each in files:
                page.line(f"  - {yaml_text(each.source())}")
    given = {each.role for each in found}
    if "demonstrations" not in given:
        page.option("data.demonstrations", {"path": "train.csv"}, "prompts with the answers to learn")
        described = {"rows": 1000, "prompt_tokens": 200, "completion_tokens": 50}
        page.option("data.demonstrations", described, "or described, to plan before they exist", again=True)
    if "feedback" not in given:
        page.option("data.feedback", {"path": "prefs.jsonl"}, "what people said about answers: pairs, thumbs, rankings")
    if "corpus" not in given:
        page.option("data.corpus", {"path": "manuals/"}, "raw text")
    if "prompts" not in given:
        page.option("data.prompts", {"path": "prompts.jsonl"}, "prompts without answers")
    if "evaluation" not in given:
        page.option("data.evaluation", {"path": "test.csv"}, "rows of its own; without it some are held out by rule")
    page.option("data.contains", ["pii"], "phi: health information, pii: personal data")
    page.option("data.licence", "cc-by-4.0")


def _preview(page: _Page, found: Found) -> None:
    rows = f": {found.rows:,} rows" if found.rows is not None else ""
    seen = f", {found.format}" if found.format != "auto" else ""
    by = f" ({found.evidence})" if found.evidence else ""
    page.line("  # " + one_line(f"{found.path}{rows}{seen}{by}", PREVIEW_WIDTH))
    for number, row in enumerate(found.preview, 1):
        page.line(f"  #   {number}  {SECRET.sub('***', one_line(row, PREVIEW_WIDTH))}")


def _means(page: _Page) -> None:
    page.section("model")
    page.value("model.base", "auto", "a hub id, a local folder, builtin:tiny, or auto")
    page.option("model.max_parameters", "8b", "the largest that auto may pick")
    page.line("")
    hint = "this machine; or {gpu: rtx-4090, count: 1}, or {cloud: any}, or none"
    page.value("hardware", "local", hint if "hardware" not in page.values else "")
    page.section("budget", "ceilings, when planning and when running")
    page.option("budget.usd", 50, "owned hardware costs nothing")
    page.option("budget.hours", 8, "of the run")
    page.option("budget.deadline_days", 14, "until the model has to be there, data work included")


@dataclass(slots=True, kw_only=True)
class _Page:
    """Lines of YAML in the order in which they are read; `values` win over the defaults given with each line."""

    values: dict[str, Json]
    notes: dict[str, str]
    lines: list[str] = field(default_factory=list)

    def line(self, text: str) -> None:
        self.lines.append(text)

    def section(self, name: str, comment: str = "") -> None:
        self.line("")
        self.line(with_comment(f"{name}:", comment))

    def value(self, key: str, default: Json, comment: str = "") -> None:
        """`key: value`, with what was chosen or the default."""
        self._entry(key, self.values.get(key, default), comment)

    def option(self, key: str, example: Json = "", comment: str = "", *, again: bool = False) -> None:
        """`key: value` where a value was chosen, the same as a comment where none was."""
        if key in self.values:
            if not again:
                self._entry(key, self.values[key], comment)
            return
        self._entry(key, example, comment, off="# ")

    def _entry(self, key: str, value: Json, comment: str, off: str = "") -> None:
        name = key.rpartition(".")[2]
        margin = "  " * key.count(".")
        note = self.notes.get(key, "")
        said = "; ".join(one_line(each, 300) for each in (note, comment) if each)
        entry = with_comment(f"{margin}{off}{name}: {yaml_text(value)}", said)
        if len(entry) <= LINE_WIDTH:
            self.line(entry)
            return
        for line in textwrap.wrap(said, LINE_WIDTH - len(margin) - 2):
            self.line(f"{margin}# {line}")
        self.line(f"{margin}{off}{name}: {yaml_text(value)}")

    def text(self) -> str:
        return "\n".join(self.lines) + "\n"
