"""The profile against counts by hand, the two ways to count against each other, splits that do not lie, the cache."""

from __future__ import annotations

import json
import random
from array import array
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ftc.spec import measure
from ftc.spec.counting import crew, distinct, parallel
from ftc.spec.counting.batches import characters
from ftc.spec.counting.distinct import Distinct
from ftc.spec.lengths import histogram_of, lengths_of, longer_than, spread
from ftc.spec.measure import profile
from ftc.spec.model import Data, Evaluation, Feedback, Goal, Source, Spec
from ftc.spec.read import read
from ftc.spec.rows import Demonstration, Message, Row
from ftc.spec.split import held_out_size, split
from ftc.spec.tokens import estimated_scale

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that an earlier run found answers a test."""
    monkeypatch.setenv("FTC_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))


def spec_of(folder: Path, **data: Any) -> Spec:
    return Spec(name="x", goal=Goal(task="classification"), folder=folder, data=Data(**data))


def write(path: Path, rows: list[dict[str, Any]]) -> Source:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Source(path=path.name)


def rows_of(count: int, seed: int = 0) -> list[dict[str, Any]]:
    lot = random.Random(seed)
    words = [
        "card",
        "account",
        "money",
        "lost",
        "refund",
        "transfer",
        "where",
        "please",
        "today",
        "never",
        "arrived",
        "blocked",
    ]
    return [
        {
            "text": " ".join(lot.choices(words, k=lot.randint(6, 12))) + f" number {seed}x{number}",
            "label": "abcd"[number % 4],
        }
        for number in range(count)
    ]


def test_counts(tmp_path: Path) -> None:
    rows = rows_of(200)
    source = write(tmp_path / "x.jsonl", [*rows, rows[0], rows[1], {"text": rows[2]["text"], "label": "d"}])
    found, findings = profile(spec_of(tmp_path, demonstrations=(source,)))
    set_ = found.demonstrations
    assert set_ is not None
    assert (set_.rows, set_.rows_read, set_.rows_reported, set_.exact_duplicates) == (203, 203, 0, 2)
    assert set_.classes == (("a", 51), ("b", 51), ("d", 51), ("c", 50))
    assert set_.languages == (("en", 1.0),)
    assert set_.prompt is not None
    assert set_.prompt.p50 <= set_.prompt.p90 <= set_.prompt.p95 <= set_.prompt.p99 <= set_.prompt.max
    assert sum(times for _, times in set_.histogram) == 203
    assert set_.tokenizer == "estimate"
    assert 0 < set_.token_error < 0.5
    assert (found.held_out_rows, found.train_rows) == (67, 136)
    codes = {finding.code: finding for finding in findings}
    assert codes["D301"].examples == ("x.jsonl:201", "x.jsonl:202")
    assert codes["D303"].examples == ("x.jsonl:203",)


def test_large_files_are_counted_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By processes, part by part, and row by row: one profile, and the same findings."""
    rows = [*rows_of(3000), *rows_of(40), {"text": "", "label": "a"}, {"text": 5, "label": "a"}]
    source = write(tmp_path / "x.jsonl", rows)
    spec = spec_of(tmp_path, demonstrations=(source,))
    slow, said_slow = profile(spec)
    monkeypatch.setenv("FTC_CACHE_DIR", str(tmp_path / "other"))
    monkeypatch.setattr(measure, "LARGE", 1)
    monkeypatch.setattr(crew, "PART", 50_000)
    fast, said_fast = profile(spec)
    assert fast.demonstrations == slow.demonstrations
    assert fast.demonstrations is not None
    assert (fast.demonstrations.exact_duplicates, fast.demonstrations.rows_reported) == (40, 1)
    assert [replace(each, examples=(), line=0, message="") for each in said_fast] == [
        replace(each, examples=(), line=0, message="") for each in said_slow
    ]
    monkeypatch.setattr(parallel, "count_part", lambda *_: pytest.fail("counted again"))
    assert profile(spec)[0].demonstrations == fast.demonstrations


def test_described_data_is_taken_at_its_word(tmp_path: Path) -> None:
    described = Source(rows=6000, prompt_tokens=1800, completion_tokens=250, groups=40)
    found, findings = profile(spec_of(tmp_path, demonstrations=(described,)))
    set_ = found.demonstrations
    assert findings == []
    assert set_ is not None
    assert set_.prompt is not None
    assert (set_.described, set_.rows, set_.groups, set_.prompt.total) == (True, 6000, 40, 10_800_000)
    assert set_.prompt.p50 < 1800 < set_.prompt.p90 < set_.prompt.p95 < set_.prompt.p99
    assert (found.held_out_rows, found.train_rows) == (600, 5400)
    binary = Feedback(type="binary", sources=(Source(rows=9000),), positive=7380, negative=1620)
    feedback = profile(spec_of(tmp_path, feedback=binary))[0].feedback
    assert feedback is not None
    assert (feedback.positive, feedback.negative, feedback.set.rows) == (7380, 1620, 9000)
    corpus = profile(spec_of(tmp_path, corpus=(Source(tokens=12_000_000),)))[0].corpus
    assert corpus is not None
    assert corpus.sequence is not None
    assert corpus.sequence.total == 12_000_000


def test_evaluation_rows_in_the_training_rows_are_found(tmp_path: Path) -> None:
    rows = rows_of(100)
    test = [rows[3], rows[4], {"text": rows[5]["text"] + " again", "label": "a"}, *rows_of(30, seed=9)]
    train = write(tmp_path / "train.jsonl", rows)
    evaluation = Evaluation(source=write(tmp_path / "test.jsonl", test))
    found, findings = profile(spec_of(tmp_path, demonstrations=(train,), evaluation=evaluation))
    assert (found.overlap, found.held_out_rows, found.train_rows) == (2, 33, 100)
    (finding,) = [each for each in findings if each.code == "D305"]
    assert finding.examples[:2] == ("test.jsonl:1 as train.jsonl:4", "test.jsonl:2 as train.jsonl:5")


def test_the_same_bytes_are_answered_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write(tmp_path / "x.jsonl", rows_of(50))
    spec = spec_of(tmp_path, demonstrations=(source,))
    first, said = profile(spec)
    monkeypatch.setattr("ftc.spec.measure._profile", lambda *_: pytest.fail("looked again"))
    second, again = profile(spec)
    assert (replace(second, seconds=0), again) == (replace(first, seconds=0), said)
    monkeypatch.undo()
    write(tmp_path / "x.jsonl", rows_of(51))
    third, _ = profile(spec)
    assert third.demonstrations is not None
    assert third.demonstrations.rows == 51


def test_a_cache_that_cannot_be_written_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FTC_CACHE_DIR", str(tmp_path / "file"))
    source = write(tmp_path / "x.jsonl", rows_of(50))
    assert profile(spec_of(tmp_path, demonstrations=(source,)))[0].train_rows == 34


@pytest.mark.parametrize(
    ("rows", "held_out"),
    [
        (0, 0),
        (1, 0),
        (9, 3),
        (150, 50),
        (300, 100),
        (999, 100),
        (1001, 101),
        (4999, 500),
        (5000, 500),
        (10_003, 1000),
        (10**6, 2000),
    ],
)
def test_held_out_sizes(rows: int, held_out: int) -> None:
    assert held_out_size(rows) == held_out


def demonstrations(count: int, group: bool = False) -> list[Row]:
    return [
        Demonstration(
            messages=(Message(role="user", content=f"question {n}"), Message(role="assistant", content="abc"[n % 3])),
            place=f"x:{n}",
            label="abc"[n % 3],
            group=str(n // 7) if group else None,
        )
        for n in range(count)
    ]


def test_a_split_is_the_same_each_time_and_grows_without_reshuffling() -> None:
    train, held_out = split(demonstrations(300), 60, 0, stratify=True)
    assert split(demonstrations(300), 60, 0, stratify=True) == (train, held_out)
    assert (len(train), len(held_out)) == (240, 60)
    assert {
        label: sum(row.label == label for row in held_out if isinstance(row, Demonstration)) for label in "abc"
    } == dict.fromkeys("abc", 20)
    _, more = split(demonstrations(310), 60, 0, stratify=True)
    assert len({row.place for row in held_out} & {row.place for row in more}) >= 55
    assert {row.place for row in split(demonstrations(300), 60, 1, stratify=True)[1]} != {row.place for row in held_out}


def test_groups_and_repeated_questions_stay_on_one_side() -> None:
    train, held_out = split(demonstrations(300, group=True), 60, 0, stratify=False)
    assert not {row.group for row in train} & {row.group for row in held_out}
    assert 50 <= len(held_out) <= 60
    rows = [*demonstrations(100), *demonstrations(100)]
    train, held_out = split(rows, 40, 0, stratify=False)
    asked = [{row.messages[0].content for row in side if isinstance(row, Demonstration)} for side in (train, held_out)]
    assert not asked[0] & asked[1]
    assert len(held_out) == 40


def test_one_question_with_many_answers_is_split_by_answer() -> None:
    rows: list[Row] = [
        Demonstration(
            messages=(Message(role="user", content="write"), Message(role="assistant", content=str(n))), place=str(n)
        )
        for n in range(50)
    ]
    assert [len(side) for side in split(rows, 10, 0, stratify=False)] == [40, 10]


def test_the_profile_counts_the_split_that_is_made(tmp_path: Path) -> None:
    rows = [{**row, "customer_id": f"c{number // 9}"} for number, row in enumerate(rows_of(400))]
    source = write(tmp_path / "x.jsonl", rows)
    spec = spec_of(tmp_path, demonstrations=(source,))
    found, _ = profile(spec)
    made = split(list(read(source, tmp_path, "demonstrations").rows), held_out_size(400), 0, stratify=True)
    assert (found.train_rows, found.held_out_rows) == (len(made[0]), len(made[1]))
    assert found.demonstrations is not None
    assert found.demonstrations.groups == 45


def test_lengths_by_hand() -> None:
    found = lengths_of({1: 50, 10: 40, 100: 9, 1000: 1})
    assert found is not None
    assert (found.p50, found.p90, found.p95, found.p99, found.max, found.total) == (1, 10, 100, 100, 1000, 2350)
    histogram = histogram_of({512: 3, 513: 1, 5: 2})
    assert sum(times for _, times in histogram) == 6
    assert (longer_than(histogram, 512), longer_than(histogram, 1024), longer_than(histogram, 4)) == (1, 0, 6)
    assert spread(100.0, 1000).p50 == 78


def test_distinct_hashes_are_exact_when_they_leave_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    lot = random.Random(0)
    hashes = [lot.getrandbits(64) for _ in range(5000)]
    hashes += hashes[:700]
    lot.shuffle(hashes)
    monkeypatch.setattr(distinct, "HELD", 1000)
    monkeypatch.setattr(distinct, "_FEW", 10)
    bag, other = Distinct(), Distinct()
    for start in range(0, len(hashes), 300):
        bag.add(array("Q", hashes[start : start + 300]))
    other.add(array("Q", [*hashes[:50], 1, 2, 3]))
    assert (bag.count, bag.distinct(), bag.distinct(), bag.holding(other)) == (5700, 5000, 5000, 50)


# Characters a token on these sets, by Llama 3's and Qwen2's own tokenizers (counted 2026-11).
MEASURED = {
    "support/banking77_train.csv": (4.33, 4.33),
    "chat/alpaca_en_demo.json": (4.75, 4.68),
    "healthcare/pubmedqa_labeled.json": (4.52, 4.30),
    "legal": (4.98, 4.94),
}


@pytest.mark.skipif(not SHARED.is_dir(), reason="the public data sets are not beside the project")
@pytest.mark.parametrize("path", list(MEASURED))
def test_estimated_tokens_are_within_their_error(path: str) -> None:
    rows = [row for row in read(Source(path=path), SHARED, "demonstrations").rows if isinstance(row, Demonstration)]
    prompts = ["\n".join(message.content for message in row.prompt) for row in rows]
    scale = estimated_scale({"en": 1.0}, prompts, [row.completion.content for row in rows], characters)
    for measured in MEASURED[path]:
        assert abs(scale.prompt * measured - 1) <= scale.error
