"""How many tokens characters are: by a real tokenizer where its file is at hand, by an estimate with its error if not.

Small data is encoded whole. Of large data, and where there is no tokenizer, lengths are counted in characters and
scaled by a ratio that a sample of the rows gives.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

TURN_TOKENS = 4  # what a chat template writes around a turn: start, role, line break, end (ChatML, Llama 3: 4 to 5)
TURN_CHARACTERS = 18  # the same, where characters are counted: 4 tokens of 4.5 characters
SMALL = 2_000_000  # characters that are encoded whole: about a second on one core
SAMPLED = 100_000  # characters of a sample: the ratio is then known to within 2 %
LEAST_SAMPLED_ERROR = 0.02

_SHORT, _REMEMBERED = 40, 20_000  # characters of a text whose tokens are remembered, and how many such texts

# English, by parts of words. Fitted by least squares on the prompts and completions of eight public sets (BANKING77,
# Alpaca, Glaive, PubMedQA, TAT-QA, LegalBench, two preference sets) to the mean of the Llama 3 and Qwen2 tokenizers'
# counts (2026-11): within 5 % on prose, within 16 % on tables and code, where a flat rate misses by up to 44 %.
_WORD = re.compile(r"[^\W\d_]+")
_DIGIT = re.compile(r"\d")
_SIGN = re.compile(r"[^\w\s]+|_+")
_BREAK = re.compile(r"\n\s*")
_PER_WORD, _PER_LETTER, _PER_DIGIT, _PER_SIGN, _PER_BREAK = 1.0, 0.32, 0.96, 0.17, 2.4
_LETTERS = 7  # of a word that come with it; each further one costs `_PER_LETTER`
ENGLISH_ERROR = 0.12

# Characters per token of other languages, on the same 2,009 sentences of FLORES-200 (dev and devtest): code points and
# tokens of Qwen's tokenizer, from the tables of Petrov et al. 2023, "Language Model Tokenizers Introduce Unfairness
# Between Languages" (assets/tokenization_lengths.csv of AleksandarPetrov/tokenization-fairness, read 2026-11).
_PER_TOKEN: Mapping[str, float] = {
    "ar": 2.62, "bg": 2.28, "bn": 0.93, "ca": 3.15, "cs": 2.26, "da": 3.08, "de": 3.63, "el": 1.17, "es": 3.77,
    "et": 2.56, "fa": 1.75, "fi": 2.60, "fr": 3.66, "he": 2.54, "hi": 1.08, "hr": 2.59, "hu": 2.40, "id": 3.39,
    "it": 3.50, "ja": 1.45, "ko": 1.49, "lt": 2.33, "lv": 2.15, "ms": 3.34, "nl": 3.40, "no": 3.13, "pl": 2.90,
    "pt": 3.60, "ro": 2.92, "ru": 2.99, "sk": 2.33, "sl": 2.57, "sr": 2.05, "sv": 3.10, "sw": 2.62, "ta": 0.91,
    "th": 1.79, "tl": 2.98, "tr": 3.07, "uk": 1.97, "ur": 1.50, "vi": 3.59, "zh": 1.51,
}  # fmt: skip
_UNKNOWN = 2.3  # the median over all languages of that table
OTHER_ERROR = 0.30  # other tokenizers: cl100k needs 0 to 75 % more tokens than Qwen's for these languages


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Tokens per character of prompts and of answers. `error` is relative, of the totals."""

    name: str
    prompt: float
    answer: float
    whole: float  # of both together
    error: float


class Tokenizer:
    """A `tokenizer.json`. Raises ValueError where it cannot be loaded."""

    def __init__(self, file: Path) -> None:
        from tokenizers import Tokenizer as Loaded  # 60 ms

        try:
            self._loaded = Loaded.from_file(str(file))
        except Exception as error:  # the library raises plain Exception
            raise ValueError(f"{file}: {error}") from None
        self._loaded.no_padding()
        self._loaded.no_truncation()
        self._known: dict[str, int] = {}  # of short texts, which come again: labels
        self.name = file.parent.name if file.name == "tokenizer.json" else file.stem

    def __call__(self, texts: Sequence[str]) -> list[int]:
        """The tokens of each text, without special ones."""
        known = self._known
        new = [text for text in dict.fromkeys(texts) if text not in known]
        counted = {
            text: len(each)
            for text, each in zip(new, self._loaded.encode_batch_fast(new, add_special_tokens=False), strict=True)
        }
        lengths = [known[text] if text in known else counted[text] for text in texts]
        if len(known) < _REMEMBERED:
            known.update((text, tokens) for text, tokens in counted.items() if len(text) <= _SHORT)
        return lengths


@lru_cache(maxsize=4)
def tokenizer_of(file: Path) -> Tokenizer:
    """The tokenizer of that file, loaded once (20 to 500 ms). Raises ValueError."""
    return Tokenizer(file)


Measure = Callable[[Sequence[str]], Sequence[int]]


def measured_scale(tokenizer: Tokenizer, prompts: Sequence[str], answers: Sequence[str], measure: Measure) -> Scale:
    """The ratios on a sample, to what `measure` gives. The error is what one half would have said of the other."""
    prompts, answers = _some(prompts), _some(answers)
    asks, says = tokenizer(prompts), tokenizer(answers)
    whole = [*zip(measure(prompts), asks, strict=True), *zip(measure(answers), says, strict=True)]
    halves = [_ratio(whole[0::2]), _ratio(whole[1::2])]
    error = abs(halves[0] - halves[1]) / max(halves[0] + halves[1], 1e-9)
    return Scale(
        name=tokenizer.name,
        prompt=_ratio(whole[: len(prompts)]),
        answer=_ratio(whole[len(prompts) :]),
        whole=_ratio(whole),
        error=round(max(error, LEAST_SAMPLED_ERROR), 3),
    )


def _ratio(pairs: Sequence[tuple[int, int]]) -> float:
    characters = sum(length for length, _ in pairs)
    return sum(tokens for _, tokens in pairs) / characters if characters else 0.0


def estimated_scale(
    languages: Mapping[str, float], prompts: Sequence[str], answers: Sequence[str], measure: Measure
) -> Scale:
    """The ratios by language, to what `measure` gives: English by its words and others by a table.

    `languages` are shares of the sample.
    """
    prompts, answers = _some(prompts), _some(answers)
    english = languages.get("en", 0.0) if languages else 1.0
    shares = {language: share for language, share in languages.items() if language != "en"}
    others = sum(share / _PER_TOKEN.get(language, _UNKNOWN) for language, share in shares.items())

    def ratio(tokens: float, characters: int, length: int) -> float:
        return (english * tokens + others * characters) / length if length else others

    asked, answered = _english(prompts), _english(answers)
    asks, says = sum(map(len, prompts)), sum(map(len, answers))
    long, longer = sum(measure(prompts)), sum(measure(answers))
    return Scale(
        name="estimate",
        prompt=ratio(asked, asks, long),
        answer=ratio(answered, says, longer),
        whole=ratio(asked + answered, asks + says, long + longer),
        error=round(english * ENGLISH_ERROR + (1 - english) * OTHER_ERROR, 3),
    )


def _english(texts: Sequence[str]) -> float:
    tokens = 0.0
    for text in texts:
        words = _WORD.findall(text)
        beyond = sum(len(word) - _LETTERS for word in words if len(word) > _LETTERS)
        tokens += _PER_WORD * len(words) + _PER_LETTER * beyond + _PER_DIGIT * len(_DIGIT.findall(text))
        tokens += _PER_SIGN * len(_SIGN.findall(text)) + _PER_BREAK * len(_BREAK.findall(text))
    return tokens


def _some(texts: Sequence[str]) -> list[str]:
    """From the start, as many as `SAMPLED` characters allow."""
    taken: list[str] = []
    left = SAMPLED
    for text in texts:
        if left <= 0:
            break
        taken.append(text[:left])
        left -= len(text)
    return taken
