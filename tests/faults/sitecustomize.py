"""Faults for tests, put into the stages' processes through PYTHONPATH and chosen by FTC_TEST_FAULT.

`oom-above-N`, `nan-at-N`, `disk-at-N`, `hang-once-at-N`: N is the micro-batch, or the optimiser step. `slow-N`: each
step takes N milliseconds more, so that a signal surely comes before the last one. What is patched is the trainer of
`ftc.runtime.stages.sft`, once that has been imported.
"""

from __future__ import annotations

import errno
import importlib.abc
import importlib.machinery
import os
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

TARGET = "ftc.runtime.stages.sft"


def patch(stage: Any) -> None:
    fault, _, number = os.environ.get("FTC_TEST_FAULT", "").rpartition("-")
    at = int(number or 0)
    step, save = stage.Trainer.training_step, stage.Trainer._save_checkpoint

    def training_step(self: Any, model: Any, inputs: Any, *arguments: Any, **named: Any) -> Any:
        now = self.state.global_step + 1
        if fault == "oom-above" and inputs["input_ids"].shape[0] > at:
            raise MemoryError("injected: out of memory")
        if fault == "slow":
            time.sleep(at / 1000)
        if fault == "hang-once-at" and now == at:
            mark = Path(self.args.output_dir) / "hung"
            if not mark.exists():
                mark.touch()
                time.sleep(3600)
        loss = step(self, model, inputs, *arguments, **named)
        if fault == "nan-at" and now == at:
            self.watch.micro_losses[-1] = self.watch.micro_losses[-1] * float("nan")
        return loss

    def save_checkpoint(self: Any, *arguments: Any, **named: Any) -> Any:
        if fault == "disk-at" and self.state.global_step == at:
            folder = Path(self.args.output_dir) / f"checkpoint-{at}"
            folder.mkdir()
            (folder / "half").write_bytes(b"0")
            raise OSError(errno.ENOSPC, "No space left on device")
        return save(self, *arguments, **named)

    stage.Trainer.training_step, stage.Trainer._save_checkpoint = training_step, save_checkpoint


class Loader(importlib.abc.Loader):
    """The module's own loader, and the patch after it."""

    def __init__(self, own: importlib.abc.Loader) -> None:
        self.own = own

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self.own.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self.own.exec_module(module)
        patch(module)


class Finder(importlib.abc.MetaPathFinder):
    """Finds the target as the others do, and wraps its loader."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if name != TARGET:
            return None
        for finder in sys.meta_path:
            if finder is not self and (spec := finder.find_spec(name, path, target)) and spec.loader:
                spec.loader = Loader(spec.loader)
                return spec
        return None


if os.environ.get("FTC_TEST_FAULT"):
    sys.meta_path.insert(0, Finder())
