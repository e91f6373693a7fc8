"""Which languages a model family was trained for, as its owners say. ISO 639-1 codes.

Sources: the model cards of Llama 3.1/3.2/3.3 (8 languages), Qwen2.5 (over 29), Qwen3 (119 languages and dialects),
Gemma 3 (over 140), Mistral 7B and Small (European), Phi-4-mini, SmolLM3, as of November 2026. A family that is not
here is taken to know English.
"""

from __future__ import annotations

import re

WORDS = {
    "english": "en", "german": "de", "french": "fr", "spanish": "es", "italian": "it", "portuguese": "pt",
    "dutch": "nl", "polish": "pl", "russian": "ru", "chinese": "zh", "japanese": "ja", "korean": "ko",
    "arabic": "ar", "hindi": "hi", "thai": "th", "vietnamese": "vi", "turkish": "tr", "indonesian": "id",
    "swahili": "sw", "ukrainian": "uk", "czech": "cs", "swedish": "sv", "danish": "da", "norwegian": "no",
    "finnish": "fi", "greek": "el", "hebrew": "he", "hungarian": "hu", "romanian": "ro", "bengali": "bn",
    "urdu": "ur", "tamil": "ta", "telugu": "te", "persian": "fa", "malay": "ms", "yoruba": "yo", "amharic": "am",
    "zulu": "zu", "hausa": "ha", "basque": "eu", "catalan": "ca", "welsh": "cy", "irish": "ga", "icelandic": "is",
}  # fmt: skip

_LLAMA = "en de fr it pt hi es th"
_QWEN25 = "en zh fr es pt de it ru ja ko vi th ar nl pl tr id ms cs he fa uk sv hi bn ur ta te el"
_WIDE = (
    "en zh fr es pt de it ru ja ko vi th ar nl pl tr id ms cs he fa uk sv da no fi el hu ro bg hr sk sl sr lt lv et hi "
    "bn ur ta te ml kn mr gu pa ne si my km lo tl jv su ka hy az kk uz mn af sq eu ca gl cy ga is mk be sw bs mt ky tg"
)
_GEMMA3 = _WIDE + " am ha yo zu ig xh so"
_EUROPE = "en fr de es it pt nl"

FAMILIES = (
    ("qwen3", _WIDE),
    ("qwen2.5", _QWEN25),
    ("gemma-3", _GEMMA3),
    ("llama-3", _LLAMA),
    ("mistral-small", _EUROPE + " zh ja ko ru pl"),
    ("mistral", _EUROPE),
    ("mixtral", _EUROPE),
    ("phi-4-mini", "en ar zh cs da nl fi fr de he hu it ja ko no pl pt ru es sv th tr uk"),
    ("smollm3", "en fr es de it pt"),
)


_SEVERAL = re.compile(r"[,;/+&]|\band\b")
_MANY = ("multilingual", "multi", "mixed", "several", "various")
_MANY_FROM = 8  # languages of a family that is called multilingual; a rule of thumb: Llama 3.1 and its eight


def code(language: str) -> str:
    """The ISO code of a language as written (`en`, `en-GB`, `German`); unknown words stay as they are."""
    word = language.strip().lower()
    return WORDS.get(word, word.split("-")[0] if len(word.split("-")[0]) == 2 else word)


def covers(model: str, language: str) -> bool:
    """True where the model's family names the language, or each of several, among those it was trained for."""
    known = next((codes for piece, codes in FAMILIES if piece in model.lower()), "en")
    return _names(known, language)


def multilingual(language: str) -> str:
    """The first family that knows the language; empty where none does."""
    return next((piece for piece, codes in FAMILIES if _names(codes, language)), "")


def _names(codes: str, language: str) -> bool:
    known = codes.split()
    wanted = [code(each) for each in _SEVERAL.split(language.lower()) if each.strip()]
    return all(len(known) >= _MANY_FROM if each in _MANY else each in ("en", *known) for each in wanted)
