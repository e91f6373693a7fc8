"""What licences of models and of data allow, as far as a method depends on it. Not legal advice.

Names are as the owners publish them on their model and data cards; the duties as their texts state them.
"""

from __future__ import annotations

# Licences that forbid commercial use, by a piece of their name. Sources: the licence texts of Mistral AI (MNPL, MRL),
# Alibaba (Qwen Research), Creative Commons (BY-NC), Cohere (CC-BY-NC).
NON_COMMERCIAL = (
    "mnpl", "mrl", "non-production", "mistral-research", "mistral-ai-research", "qwen-research", "cc-by-nc", "by-nc",
    "non-commercial", "noncommercial", "research-only", "academic",
)  # fmt: skip
RESTRICTED_OUTPUTS = (
    "restricted",
    "provider",
    "openai",
    "gpt",
    "anthropic",
    "claude",
    "gemini",
    "terms",
)
_UNCLEAR = ("unknown", "unclear", "unlicensed", "no licence", "no license", "scraped", "crawled", "not stated")

# Models that are known by name where no licence is given. Source: the owners' model cards.
MODEL_LICENCES = (
    ("codestral", "mnpl"),
    ("mistral-large", "mrl"),
    ("ministral", "mrl"),
    ("pixtral-large", "mrl"),
    ("qwen2.5-3b", "qwen-research"),
    ("qwen2.5-72b", "qwen"),
    ("command-r", "cc-by-nc-4.0"),
    ("aya", "cc-by-nc-4.0"),
)

# Duties that come with licences that do allow commercial use. Sources: the licence texts.
DUTIES = (
    ("llama", "show 'Built with Llama', begin derived names with 'Llama', ask above 700 M monthly users"),
    ("gemma", "pass on Google's use policy"),
    ("qwen", "ask Alibaba above 100 M monthly users"),
)


def model_licence(base: str, licence: str) -> str:
    """The licence as given, or as known by the model's name; empty where neither says."""
    if licence:
        return licence
    name = base.lower().rpartition("/")[2]
    return next((known for piece, known in MODEL_LICENCES if piece in name), "")


def model_restriction(base: str, licence: str) -> str:
    """Why the model may not be used commercially; empty where it may."""
    if _non_commercial(model_licence(base, licence)):
        return f"{base} is under {model_licence(base, licence)}, which forbids commercial use"
    return ""


def model_duty(base: str, licence: str) -> str:
    """What a commercial user owes under the model's licence; empty for permissive ones."""
    known = model_licence(base, licence).lower()
    if not known and "llama" in base.lower():
        known = "llama"
    return next((duty for piece, duty in DUTIES if known.startswith(piece)), "")


def _non_commercial(licence: str) -> bool:
    """True for a licence whose name says that it is for research or against commerce, however it is spaced."""
    plain = "-".join(licence.lower().replace("_", " ").split())
    return plain == "research" or any(piece in plain for piece in NON_COMMERCIAL)


def unclear(licence: str) -> bool:
    """True where it says that nobody knows whose the rows are."""
    return any(piece in licence.lower() for piece in _UNCLEAR)


def data_restriction(licence: str) -> str:
    """Why the data may not train a commercial model; empty where it may or nothing is said."""
    known = licence.lower()
    found = []
    if _non_commercial(licence):
        found.append("non-commercial")
    if any(piece in known for piece in RESTRICTED_OUTPUTS):
        found.append("outputs of a provider whose terms restrict training on them")
    return " and ".join(found)
