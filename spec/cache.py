"""Results kept between runs, by the hash of everything they depend on: the bytes of the data, the question, this code.

In the user's cache folder, or in `FTC_CACHE_DIR`. A cache that cannot be read or written is no cache, and no error.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from ftc.spec.diagnostics import Diagnostic
from ftc.spec.profile import DataProfile

KEPT = 200  # profiles; the oldest go first

Found = tuple[DataProfile, list[Diagnostic]]


def folder() -> Path:
    """Where results are kept."""
    if named := os.environ.get("FTC_CACHE_DIR"):
        return Path(named)
    from platformdirs import user_cache_dir  # 5 ms

    return Path(user_cache_dir("ftc", appauthor=False))


@cache
def _code() -> bytes:
    """The hash of this room's own source, so that a change of the code is never answered from before it."""
    from blake3 import blake3

    hasher = blake3()
    for file in sorted(Path(__file__).parent.rglob("*.py")):
        hasher.update(file.read_bytes())
    return hasher.digest()


def place_of(key: object) -> Path:
    """Where what was found for that key is kept."""
    from blake3 import blake3

    name = blake3(_code() + repr(key).encode("utf-8", "backslashreplace")).hexdigest()[:32]
    return folder() / "profiles" / f"{name}.json"


def kept(place: Path) -> Found | None:
    """What was found before, None where nothing was."""
    import msgspec  # 25 ms

    try:
        return msgspec.json.decode(place.read_bytes(), type=tuple[DataProfile, list[Diagnostic]])
    except (OSError, msgspec.DecodeError):
        return None


def keep(place: Path, found: Found) -> None:
    """Keep it for the next time."""
    import msgspec

    from ftc.spec.files import write_whole

    try:
        write_whole(place, msgspec.json.encode(found))
        _prune(place.parent)
    except OSError:
        pass


def _prune(profiles: Path) -> None:
    files = sorted(profiles.glob("*.json"), key=lambda each: each.stat().st_mtime)
    for file in files[:-KEPT]:
        file.unlink(missing_ok=True)
