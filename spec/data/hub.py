"""Data sets on the Hugging Face hub: fetched once, by the `datasets` library in a process of its own, into the cache.

`owner/name`, with `@revision` where one is wanted; `:split` chooses another split than `train`. Nothing is asked of the
network where the copy is there. No code of the data set is ever run.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

NAME = re.compile(r"(?:hf://datasets/)?([A-Za-z0-9][\w.-]*/[\w.-]+?)(?:@([\w./-]+))?(?::([\w.-]+))?", re.ASCII)
_SECONDS = 3600  # that fetching may take
_MISSING = 7  # exit code of the child where the library is not installed

_FETCH = f"""
import sys
try:
    import datasets
except ImportError:
    sys.exit({_MISSING})
name, revision, split, out = sys.argv[1:]
datasets.disable_progress_bars()
rows = datasets.load_dataset(name, revision=revision or None, split=split)
rows.to_parquet(out)
"""


class Unreachable(OSError):
    """Why the data set cannot be had, and what to do."""

    def __init__(self, why: str, fix: str) -> None:
        self.fix = fix
        super().__init__(0, why)


def is_hub_name(path: str, folder: Path) -> bool:
    """True for `owner/name` where there is neither such a file nor a folder `owner`."""
    if not NAME.fullmatch(path) or (folder / path).exists():
        return False
    return path.startswith("hf://") or not (folder / path.partition("/")[0]).exists()


_failed: dict[str, Unreachable] = {}  # what could not be had is not asked for again by the same process


def fetch(path: str, cache: Path) -> Path:
    """The data set as a Parquet file in the cache. Raises Unreachable."""
    if path in _failed:
        raise _failed[path]
    try:
        return _fetched(path, cache)
    except Unreachable as error:
        _failed[path] = error
        raise


def _fetched(path: str, cache: Path) -> Path:
    found = NAME.fullmatch(path)
    if found is None:
        raise Unreachable("not the name of a data set", "write owner/name")
    name, revision, split = found.group(1), found.group(2) or "", found.group(3) or "train"
    place = cache / "hub" / f"{name.replace('/', '--')}@{(revision or 'main').replace('/', '-')}" / f"{split}.parquet"
    if place.exists():
        return place
    part = place.with_suffix(f".{os.getpid()}.part")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-c", _FETCH, name, revision, split, str(part)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
        if done.returncode == 0:
            part.replace(place)
            return place
    except subprocess.TimeoutExpired:
        by_hand = f"fetch it by hand: hf download --repo-type dataset {name}"
        raise Unreachable("fetching took more than an hour", by_hand) from None
    finally:
        part.unlink(missing_ok=True)
    if done.returncode == _MISSING:
        raise Unreachable("the library `datasets` is not installed", 'pip install "finetune-compiler[train]"')
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    why = lines[-1].strip()[:300] if lines else "the child process ended without a word"
    raise Unreachable(f"cannot be fetched: {why}", "check the name and the network; hf auth login for a gated one")
