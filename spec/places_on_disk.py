"""Does what the spec names exist, and if not, what was meant? Looks at names only, never into files.

A spec may come from a stranger: every look is bounded, and nothing outside what it names is listed but the folder that
the name should have been in.
"""

from __future__ import annotations

import fnmatch
import os
import re
from itertools import islice
from pathlib import Path
from typing import Literal

from ftc.spec.suggest import closest

MOST_NAMES = 5_000  # of a folder that are compared with a name that is not there
MOST_VISITED = 50_000  # entries that a pattern is tried on
DATA_ENDINGS = (
    ".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".arrow", ".txt", ".md", ".gz", ".zst", ".zip", ".xlsx",
)  # fmt: skip
_HUB = re.compile(r"(hf://datasets/)?[A-Za-z0-9][\w.-]*/[\w.-]+(@[\w./-]+)?", re.ASCII)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://", re.ASCII)

Found = Literal["there", "missing", "hub", "url", "unreadable", "special"]


def look_for(path: str, folder: Path) -> Found:
    """What `path` of a spec in `folder` is: there, missing, a hub data set id, an address, or no file or folder.

    A name of the form owner/name is a hub id where no local folder `owner` exists and it does not end like a file.
    """
    if path.startswith("hf://"):
        return "hub" if _HUB.fullmatch(path) else "url"
    if _URL.match(path):
        return "url"
    try:
        there = on_disk(path, folder)
        if has_pattern(path) and not there.exists():
            return "there" if _matches(path, folder) else "missing"
        if there.is_file() or there.is_dir():
            readable = os.access(there, os.R_OK | (os.X_OK if there.is_dir() else 0))
            return "there" if readable else "unreadable"
        if there.exists():
            return "special"
        local_owner = (folder / path.partition("/")[0]).exists()
    except (OSError, ValueError, RuntimeError):
        return "missing"
    if _HUB.fullmatch(path) and not local_owner and not path.lower().endswith(DATA_ENDINGS):
        return "hub"
    return "missing"


def has_pattern(path: str) -> bool:
    """True where the path is a glob."""
    return any(char in path for char in "*?[")


def on_disk(path: str, folder: Path) -> Path:
    """Where a path of a spec in `folder` leads. Raises RuntimeError for the home of a user that is not there."""
    return folder / Path(path).expanduser()


def _matches(path: str, folder: Path) -> bool:
    """True where something matches the glob. Gives up, with True, after many entries: reading will tell.

    Walks only where the pattern can still lead, and follows all readings of `**` at once, so that no pattern takes
    more than one look at each entry.
    """
    parts = Path(path).expanduser().parts
    first = next(index for index, part in enumerate(parts) if has_pattern(part))
    wanted = [None if part == "**" else re.compile(fnmatch.translate(part)) for part in parts[first:]]
    visited = 0
    waiting = [(folder.joinpath(*parts[:first]), _reached({0}, wanted))]
    while waiting:
        top, reached = waiting.pop()
        for entry in _entries(top):
            visited += 1
            if visited > MOST_VISITED:
                return True
            after = {at if wanted[at] is None else at + 1 for at in reached if _fits(entry.name, at, wanted)}
            after = _reached(after, wanted)
            if len(wanted) in after:
                return True
            if after and entry.is_dir(follow_symlinks=False):
                waiting.append((Path(entry.path), after))
    return False


def _fits(name: str, at: int, wanted: list[re.Pattern[str] | None]) -> bool:
    """True where the part of the pattern at `at` takes the name; None stands for `**`, which takes any."""
    if at == len(wanted):
        return False
    part = wanted[at]
    return part is None or part.match(name) is not None


def _reached(at: set[int], wanted: list[re.Pattern[str] | None]) -> set[int]:
    """The places in the pattern that can be reached without another name: `**` may stand for nothing."""
    found = set(at)
    for each in range(len(wanted)):
        if each in found and wanted[each] is None:
            found.add(each + 1)
    return found


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(islice(entries, MOST_VISITED))
    except OSError:
        return []


def nearest(path: str, folder: Path) -> str:
    """The path that exists and that `path` may have been meant to be; empty where there is none."""
    parent, name = os.path.split(path.rstrip("/"))
    if not name or has_pattern(path):
        return ""
    if not is_folder(folder / parent):
        meant = nearest(parent, folder) if parent else ""
        return f"{meant}/{name}" if meant and exists(folder / meant / name) else ""
    found = closest(name, names_in(folder / parent))
    return str(Path(parent) / found[0]) if found else ""


def data_files(folder: Path, most: int = 3) -> tuple[str, ...]:
    """A few files in `folder` that may hold rows, for a message."""
    found = sorted(name for name in names_in(folder) if name.lower().endswith(DATA_ENDINGS))
    return tuple(found[:most])


def names_in(folder: Path) -> list[str]:
    """Up to some thousand names in a folder; none where it cannot be read."""
    try:
        return [entry.name for entry in _entries(folder)[:MOST_NAMES]]
    except ValueError:
        return []


def exists(path: Path) -> bool:
    """`Path.exists`, False for names that no file system takes."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """`Path.is_dir`, False for names that no file system takes."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False
