"""`builtin:tiny`: its committed files are what its generator writes, and any text survives its tokenizer."""

from __future__ import annotations

import filecmp
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from ftc.runtime.tiny import make
from ftc.runtime.tiny.corpus import dialogues, sentences
from ftc.runtime.tiny.tokenizer import END, committed, write


def test_the_committed_files_are_what_the_generator_writes(tmp_path: Path) -> None:
    write(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 5
    assert filecmp.cmpfiles(tmp_path, committed(), names, shallow=False) == (names, [], [])


def test_the_same_seed_gives_the_same_text() -> None:
    assert list(dialogues(200, 3)) == list(dialogues(200, 3)) != list(dialogues(200, 4))
    assert list(sentences(20, 3)) == list(sentences(20, 3))
    assert all(len(turns) % 2 == 0 for turns in dialogues(500, 0)), "every question has its answer"


@settings(deadline=None, max_examples=300)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_text_survives(text: str) -> None:
    tokenizer = Tokenizer.from_file(str(committed() / "tokenizer.json"))
    if not any(special in text for special in ("<|", END)):
        assert tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False) == text


def test_the_cache_is_where_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FTC_CACHE_DIR", str(tmp_path))
    ready = tmp_path / f"tiny-{make.fingerprint()}"
    ready.mkdir()
    assert make.folder() == ready, "what is there is not made again"


def test_weights_are_made_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FTC_CACHE_DIR", str(tmp_path))

    def breaks(target: Path, *_: object) -> None:
        target.mkdir(parents=True)
        raise ArithmeticError("in the middle")

    monkeypatch.setattr(make, "_make", breaks)
    with pytest.raises(ArithmeticError):
        make.folder()
    assert not (tmp_path / f"tiny-{make.fingerprint()}").exists()
