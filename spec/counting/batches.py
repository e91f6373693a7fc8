"""Canonical rows to a tally, a batch at a time. What a row asks and answers is defined here, once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ftc.spec.counting.distinct import Hashes
from ftc.spec.counting.repeats import Watch
from ftc.spec.counting.tally import CLIP, Sampled, Tally
from ftc.spec.counting.written import BETWEEN, key_of
from ftc.spec.rows import Demonstration, Document, Message, Pair, Prompt, Ranking, Row, Thumb

BATCH = 1024  # rows

Measure = Callable[[Sequence[str]], Sequence[int]]  # the length of each text

LINE = "\n"  # between the messages of a prompt, in the sample


def characters(texts: Sequence[str]) -> Sequence[int]:
    """The measure that needs no tokenizer."""
    return list(map(len, texts))


def prompt_of(row: Row) -> Sequence[Message]:
    """What the row asks."""
    return () if isinstance(row, Document) else row.prompt


def answers_of(row: Row) -> Sequence[str]:
    """What it answers, the one to be learned first."""
    match row:
        case Demonstration():
            return (row.completion.content,)
        case Pair():
            return (row.chosen, row.rejected)
        case Thumb():
            return (row.completion,)
        case Ranking():
            return row.answers
        case Prompt():
            return (row.answer,) if row.answer else ()
        case Document():
            return (row.text,)


def asked_key(prompt: Sequence[Message]) -> int:
    """A hash of what is asked."""
    return key_of(message.content for message in prompt)


def content_key(asked: int, answers: Sequence[str]) -> int:
    """A hash of the whole row, from that of its prompt."""
    return key_of(answers, asked)


def count(
    tally: Tally, hashes: Hashes, rows: Sequence[Row], measure: Measure, turn: int, watch: Watch | None = None
) -> None:
    """Add the rows. `turn` is what a chat template writes around a turn, in the unit of `measure`.

    `watch` compares them with earlier ones.
    """
    asked_of = [prompt_of(row) for row in rows]
    prompts = [said[0].content if len(said) == 1 else BETWEEN.join(each.content for each in said) for said in asked_of]
    answers = [answers_of(row) for row in rows]
    asks = measure(prompts)
    says = iter(measure([text for each in answers for text in each]))
    sampled: list[Sampled] = []
    prompt_lengths, completion_lengths, sequences = [], [], []
    limit = tally.limit
    for row, said, prompt, texts, length in zip(rows, asked_of, prompts, answers, asks, strict=True):
        question = asked_key(said)
        whole = content_key(question, texts)
        hashes.asked.append(question)
        hashes.content.append(whole)
        if row.group is not None:
            hashes.groups.append(key_of((row.group,)))
        longest = max([next(says) for _ in texts], default=0)
        if texts:
            completion_lengths.append(longest)
            tally.completion_characters += max(map(len, texts))
        if said:
            prompt_lengths.append(length + turn * len(said))
            tally.prompt_characters += len(prompt)
            sequences.append(length + longest + turn * (len(said) + 1))
        else:
            sequences.append(longest)
        if whole <= limit:
            sampled.append(_sampled(row, whole, question, prompt, texts))
        _count_kind(tally, row, said)
    tally.prompt.update(prompt_lengths)
    tally.completion.update(completion_lengths)
    tally.sequence.update(sequences)
    if watch is not None:
        new = len(rows)
        labelled = isinstance(rows[0], Demonstration) and rows[0].label is not None
        watch.look([place_of(row) for row in rows], hashes.asked[-new:], hashes.content[-new:], labelled)
    tally.used += len(rows)
    tally.offer(sampled)


def place_of(row: Row) -> tuple[str, int]:
    """The file as written and the line."""
    name, _, line = row.place.rpartition(":")
    return name, int(line)


def _sampled(row: Row, whole: int, question: int, prompt: str, texts: Sequence[str]) -> Sampled:
    name, line = place_of(row)
    label = row.label if isinstance(row, Demonstration) else None
    answer = texts[0] if texts else ""
    return Sampled(whole, question, name, line, prompt[:CLIP].replace(BETWEEN, LINE), answer[:CLIP], label)


def _count_kind(tally: Tally, row: Row, prompt: Sequence[Message]) -> None:
    users = 1 if len(prompt) == 1 else sum(message.role == "user" for message in prompt)
    tally.user_turns += max(1, users)
    tally.with_system += bool(prompt) and prompt[0].role == "system"
    match row:
        case Demonstration():
            tally.with_tools += row.tools is not None
            if row.label is not None:
                tally.classes[row.label] += 1
        case Pair():
            tally.pairs += 1
            tally.longer += len(row.chosen) > len(row.rejected)
            tally.answers += 2
        case Thumb():
            tally.good += row.good
            tally.bad += not row.good
            tally.answers += 1
        case Ranking():
            tally.answers += len(row.answers)
