"""Checkpoints that can be trusted: which are whole, which to go on from, which to keep. No torch.

A checkpoint counts once `complete.json` stands in it with the size of every other file; that is written last, after all
of them are on the disk. Whatever lacks it was cut off by a kill and is removed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from ftc.runtime.run_folder import write_json

MARK = "complete.json"
_NAME = re.compile(r"checkpoint-(\d+)")
SPARE = 1.2  # times the size of a checkpoint have to be free before the next is written


def step_of(folder: Path) -> int:
    """The optimiser step after which a checkpoint was written; -1 where the name is another."""
    found = _NAME.fullmatch(folder.name)
    return int(found.group(1)) if found else -1


def seal(folder: Path) -> None:
    """Flush every file of a checkpoint to the disk and mark it as whole."""
    sizes = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != MARK:
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
            sizes[str(path.relative_to(folder))] = path.stat().st_size
    write_json(folder / MARK, sizes)


def whole(folder: Path) -> bool:
    """Whether every file is there in full length."""
    try:
        sizes = json.loads((folder / MARK).read_bytes())
        return bool(sizes) and all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, AttributeError):
        return False


def found(output: Path) -> tuple[list[Path], list[Path]]:
    """Checkpoints that are whole and those that are not, oldest first."""
    folders = sorted((each for each in output.glob("checkpoint-*") if step_of(each) >= 0), key=step_of)
    good = [each for each in folders if whole(each)]
    return good, [each for each in folders if each not in good]


def keep(output: Path, most: int, protected: Sequence[Path] = ()) -> None:
    """Remove the oldest whole checkpoints beyond `most`, never a protected one."""
    good, _ = found(output)
    spare = [each for each in good[:-most] if each not in protected] if most > 0 else []
    for each in spare:
        shutil.rmtree(each, ignore_errors=True)


def size_bytes(folder: Path) -> int:
    """All files of a checkpoint together."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
