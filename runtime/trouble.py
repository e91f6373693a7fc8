"""Which code an exception stands for. Libraries name these troubles by type or only in their messages."""

from __future__ import annotations

import errno

# How torch, CUDA, the C++ runtime and safetensors put it.
_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory", "bad_alloc")
_DISK = ("no space left on device", "disk quota exceeded", "file write failed", "unexpected pos")
_LOADING = (
    "does not appear to have a file named", "is not a local folder and is not a valid model identifier", "gated repo",
    "couldn't connect to", "could not load the model", "we couldn't connect", "is not the path to a directory",
    "trust_remote_code=true", "unrecognized model", "can't load tokenizer", "offline mode", "no file named",
)  # fmt: skip


def code_of(error: BaseException) -> tuple[str, str]:
    """The code, and the message in one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    low = text.lower()
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or _any(_MEMORY, low):
        return "R205", text[:300]
    if (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)) or _any(_DISK, low):
        return "R207", text[:300]
    if isinstance(error, ModuleNotFoundError):
        return "R104", text
    if _any(_LOADING, low):
        return "R107", text[:500]
    return "R201", f"{type(error).__name__}: {text[:500]}"


def _any(words: tuple[str, ...], text: str) -> bool:
    return any(word in text for word in words)
